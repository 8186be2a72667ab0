"""
Faults on demand: what a network, a gateway, or a busy database does to a client.
"""

from __future__ import annotations

import enum
import math
import random
import threading
from collections.abc import Collection
from datetime import timedelta

import attrs

from camunda_ext.testing.rest.messages import ConnectionClosed, ReadTimedOut
from camunda_ext.testing.values.durations import to_seconds


class Fault(enum.Enum):
    """
    A thing that goes wrong.
    """

    #: Nobody accepts the connection, and nothing is done. For clients in process alone: over HTTP,
    #: where the connection is there by then, the answer is a 501 that says so.
    REFUSED = "refused"

    #: The connection is closed before the request is read. Nothing is done.
    CLOSED = "closed"

    #: The connection breaks after the operation was done, and before the answer is sent.
    LOST_ANSWER = "lost answer"

    #: The operation is done, and the answer is late, by so many seconds.
    SLOW = "slow"

    #: A gateway answers 503 with a page of its own. Nothing is done.
    UNAVAILABLE = "unavailable"

    #: A gateway answers 200 with a page to log in. Nothing is done.
    HTML_PAGE = "html page"

    #: The engine answers 500, as if another command had changed the task. Nothing is done.
    OPTIMISTIC_LOCKING = "optimistic locking"


@attrs.define
class PlannedFault:
    """
    A fault, and which requests meet it.
    """

    fault: Fault
    operation: str | None
    nth: int | None
    probability: float | None
    times: int | None
    seconds: float
    chance: random.Random
    seen: int = 0

    def is_due(self, operation: str) -> bool:
        """
        Whether a request meets it, which is counted.
        """
        if self.operation not in (None, operation) or self.times == 0:
            return False
        self.seen += 1
        if self.nth is not None and self.seen != self.nth:
            return False
        return self.probability is None or self.chance.random() < self.probability


class Faults:
    """
    The faults that are planned. A request meets the first of them that is due.
    """

    def __init__(self, operations: Collection[str]) -> None:
        self._operations = operations
        self._plans: list[PlannedFault] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def add(
        self,
        fault: Fault | str,
        *,
        operation: str | None = None,
        nth: int | None = None,
        probability: float | None = None,
        times: int | None = None,
        seconds: float | timedelta = 1.0,
        seed: int = 0,
    ) -> None:
        """
        Plan a fault.

        Args:
            operation: The operation that meets it, named as the client's method; by default all.

            nth: Which of its requests meets the fault, counted from 1; by default each.

            probability: How likely a request meets it, from 0 to 1.

            times: How many requests meet it at most.

            seconds: How late the answer is, for `Fault.SLOW`, in seconds of the machine's time, or
                a ``timedelta``.

            seed: Makes *probability* repeatable: the same requests meet the same faults again.

        Raises:
            ValueError: There is no such operation or fault, or a number makes no sense.
        """
        if operation is not None and operation not in self._operations:
            known = ", ".join(sorted(self._operations))
            raise ValueError(f"no operation {operation!r}; there are: {known}")
        if nth is not None and nth < 1:
            raise ValueError(f"nth counts from 1, not from {nth}")
        if probability is not None and not 0 <= probability <= 1:
            raise ValueError(f"probability must be between 0 and 1, not {probability}")
        if times is not None and times < 1:
            raise ValueError(f"times must be at least 1, not {times}")
        delay = to_seconds(seconds)
        if not (math.isfinite(delay) and delay >= 0):
            raise ValueError(f"seconds must be a number from 0 on, not {delay}")
        if fault not in [*Fault, *(each.value for each in Fault)]:
            known = ", ".join(each.value for each in Fault)
            raise ValueError(f"no fault {fault!r}; there are: {known}")
        plan = PlannedFault(
            Fault(fault), operation, nth, probability, times, delay, random.Random(seed)
        )
        with self._lock:
            self._plans.append(plan)

    def clear(self) -> None:
        """
        Drop all plans.
        """
        with self._lock:
            self._plans.clear()

    def next(self, operation: str) -> PlannedFault | None:
        """
        The fault that a request meets now, if there is one.
        """
        if not self._plans:
            return None
        with self._lock:
            # All of them count the request.
            due = [plan for plan in self._plans if plan.is_due(operation)]
            if not due:
                return None
            if due[0].times is not None:
                due[0].times -= 1
            return due[0]

    def delay(self, seconds: float, patience: float | None) -> None:
        """
        Wait *seconds* before an answer is sent.

        Raises:
            ReadTimedOut: The client waits no longer than *patience* seconds.
            ConnectionClosed: The engine is closed meanwhile.
        """
        too_long = patience is not None and patience < seconds
        if self._closed.wait(patience if too_long else seconds):
            raise ConnectionClosed
        if too_long:
            raise ReadTimedOut

    def close(self) -> None:
        """
        End all waits.
        """
        self._closed.set()
