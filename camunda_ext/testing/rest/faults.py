"""
Faults on demand: failures of a network, a gateway or a busy database, for tests of clients.
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
    A kind of failure that a request can meet.
    """

    #: The connection is refused; the operation is not executed. Only for clients in process: over
    #: HTTP, the client is connected already, and gets a 501 that says so.
    REFUSED = "refused"

    #: The connection is closed before the request is read; the operation is not executed.
    CLOSED = "closed"

    #: The operation is executed, and the connection is closed before the answer is sent.
    LOST_ANSWER = "lost answer"

    #: The operation is executed, and the answer is sent late, see *seconds* of `Faults.add()`.
    SLOW = "slow"

    #: A gateway answers 503 with a page in HTML; the operation is not executed.
    UNAVAILABLE = "unavailable"

    #: A gateway answers 200 with a login page in HTML; the operation is not executed.
    HTML_PAGE = "html page"

    #: The engine answers 500, as if another command had changed the task at the same time; the
    #: operation is rolled back.
    OPTIMISTIC_LOCKING = "optimistic locking"


@attrs.define
class PlannedFault:
    """
    A fault, and which requests meet it; see `Faults.add()`.
    """

    fault: Fault

    #: The operation whose requests meet it; ``None`` for all operations.
    operation: str | None

    #: Which request meets it, counted from 1; ``None`` for each.
    nth: int | None

    #: How likely a request meets it, from 0 to 1; ``None`` for always.
    probability: float | None

    #: How many more requests may meet it; ``None`` for any number.
    times: int | None

    #: How late the answer is, in seconds.
    seconds: float

    #: Decides by the probability.
    chance: random.Random

    #: How many requests of the operation there were so far.
    seen: int = 0

    def is_due(self, operation: str) -> bool:
        """
        Whether the request that comes now meets the fault. The request is counted.
        """
        if self.operation not in (None, operation) or self.times == 0:
            return False
        self.seen += 1
        if self.nth is not None and self.seen != self.nth:
            return False
        return self.probability is None or self.chance.random() < self.probability


class Faults:
    """
    The planned faults of an engine. A request meets the first of them that is due.

    Args:
        operations: The names of the operations that can meet a fault.
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
        Plan a fault for requests to come.

        Args:
            fault: The kind of failure, or its name, such as ``"lost answer"``.

            operation: The operation whose requests meet the fault, named as the client's method;
                by default all.

            nth: Which of these requests meets the fault, counted from 1; by default each.

            probability: How likely a request meets the fault, from 0 to 1; by default it always
                does.

            times: How many requests meet the fault at most; by default any number.

            seconds: How late the answer is, for `Fault.SLOW`, in seconds of the machine's time, or
                a ``timedelta``.

            seed: Makes *probability* repeatable: the same requests meet the same faults again.

        Raises:
            ValueError: There is no such operation or fault, or a number is out of its range.
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
        Remove all planned faults.
        """
        with self._lock:
            self._plans.clear()

    def next(self, operation: str) -> PlannedFault | None:
        """
        The fault that the request that comes now meets; ``None`` if it meets none.
        """
        if not self._plans:
            return None
        with self._lock:
            # Ask each plan, as each of them counts the request.
            due = [plan for plan in self._plans if plan.is_due(operation)]
            if not due:
                return None
            if due[0].times is not None:
                due[0].times -= 1
            return due[0]

    def delay(self, seconds: float, patience: float | None) -> None:
        """
        Wait before an answer is sent.

        Args:
            seconds: How long to wait.

            patience: How long the client waits for the answer, in seconds; ``None`` if unknown.

        Raises:
            ReadTimedOut: The client has stopped waiting.

            ConnectionClosed: The engine was closed meanwhile.
        """
        too_long = patience is not None and patience < seconds
        if self._closed.wait(patience if too_long else seconds):
            raise ConnectionClosed
        if too_long:
            raise ReadTimedOut

    def close(self) -> None:
        """
        End all delays, as the engine is closed.
        """
        self._closed.set()
