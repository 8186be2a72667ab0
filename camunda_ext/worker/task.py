"""
The task that a handler gets, and what the worker knows of it while it holds it.
"""

import contextvars
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum
from inspect import getattr_static
from math import inf
from operator import attrgetter
from queue import SimpleQueue
from typing import Any, Final, Literal

import attrs

from camunda_ext._wire import checks
from camunda_ext.dto import LockedExternalTask
from camunda_ext.worker.clock import Clock, MonotonicClock
from camunda_ext.worker.outcomes import Abandoned
from camunda_ext.worker.rules import Lease

#: Why a lock is lost: another worker has the task, or there is no such task any more.
LossReason = Literal["taken", "gone"]


class State(Enum):
    """
    Where a task is on its way through the worker.
    """

    QUEUED = "queued"
    RUNNING = "running"
    REPORTING = "reporting"
    STUCK = "stuck"
    ENDED = "ended"


class Hold:
    """
    What the worker knows of one task that it holds.

    Args:
        lease: The lock of the task.

        clock: The worker's clock.

        extend: Extends the lock of a task at once, and updates its hold.
    """

    def __init__(
        self,
        lease: Lease,
        clock: Clock,
        extend: "Callable[[Task, Hold], object]" = lambda task, hold: None,
    ) -> None:
        self.lease = lease
        self.clock = clock
        self.extend = extend
        #: The duration of the next extensions, in seconds.
        self.duration = lease.duration
        self.state = State.QUEUED
        self.lost: LossReason | None = None
        self.stopping = False
        #: When the handler must be ready, by the worker's clock.
        self.deadline = inf
        self.deadline_date: datetime | None = None
        #: When the task is given back unless it has begun.
        self.give_back_at = inf
        #: Whether the lock is extended.
        self.is_kept = True
        #: Whether the engine may give the task out again: a failure is reported, or it is unlocked.
        self.may_return = False
        self._exchange = threading.Lock()
        #: Held while the lock is extended, and when the state changes.
        self.mutex = threading.RLock()
        #: Gets an item when the handler has to look up: the task is lost, or the worker stops.
        self.bell: SimpleQueue[bool] = SimpleQueue()

    def move(self, origin: State, target: State) -> bool:
        """
        Change the state; whether it was *origin*, so that one thread only can succeed.
        """
        with self.mutex:
            if self.state is not origin:
                return False
            self.state = target
            return True

    def renew(self, old: Lease, new: Lease) -> bool:
        """
        Replace a lock by its extension; `False` if the task has got another one meanwhile.
        """
        with self._exchange:
            if self.lease is not old:
                return False
            self.lease = new
            return True

    def adopt(self, lease: Lease) -> None:
        """
        Go on with the lock of a new fetch. An extension of the old one may be under way, for which
        the fetch must not wait.
        """
        with self._exchange:
            self.lease, self.lost = lease, None
            self.is_kept = True

    def end_keeping(self) -> None:
        """
        Extend the lock no more; an extension under way is waited for.
        """
        with self.mutex:
            self.is_kept = False

    def resume_keeping(self) -> None:
        """
        Extend the lock again, unless it is lost.
        """
        with self.mutex:
            self.is_kept = self.lost is None

    def lose(self, reason: LossReason) -> None:
        """
        Note that the lock is lost, and tell the handler.
        """
        self.lost = reason
        self.is_kept = False
        self.bell.put(True)

    def stop(self) -> None:
        """
        Tell the handler that the worker stops.
        """
        self.stopping = True
        self.bell.put(True)

    def due(self) -> float:
        """
        When the worker has to look after this task: to extend its lock, to give it back, or to give
        up its handler.
        """
        due = self.lease.due if self.is_kept else inf
        if self.state is State.QUEUED:
            return min(due, self.give_back_at)
        if self.state is State.RUNNING:
            return min(due, self.deadline)
        return due


@attrs.frozen(kw_only=True, eq=False, repr=False, slots=False)
class Task(LockedExternalTask):
    """
    A fetched task in the hands of a handler.

    All its properties may be read by any thread.
    """

    def __attrs_post_init__(self) -> None:
        if _HOLD not in self.__dict__:  # made by hand, such as in a test
            self.__dict__[_HOLD] = Hold(
                Lease(self.worker_id or "", inf, inf, inf), MonotonicClock()
            )

    @property
    def lost(self) -> LossReason | None:
        """
        ``"taken"`` if another worker has the task, ``"gone"`` if it was cancelled or completed; so
        the result is worth nothing. ``None`` as long as the lock is held.

        The worker learns it when it extends the lock, the first time after a third of its duration.
        """
        return hold_of(self).lost

    @property
    def stopping(self) -> bool:
        """
        Whether the worker stops. A handler that ends in time is reported as always.
        """
        return hold_of(self).stopping

    @property
    def deadline(self) -> datetime | None:
        """
        When the handler's ``task_timeout`` is over; ``None`` without one, or before it has begun.
        """
        return hold_of(self).deadline_date

    def check(self) -> None:
        """
        Raise `Abandoned` if the task is lost or the worker stops; for long handlers, now and then.

        Let it pass: nothing is reported for a lost task; when the worker stops, the task is
        unlocked with its retries as they were, and another worker begins it anew.
        """
        if self.lost is not None:
            raise Abandoned(f"the task is lost: {self.lost}")
        if self.stopping:
            raise Abandoned("the worker stops")

    def wait(self, seconds: float | timedelta) -> bool:
        """
        Sleep, but wake if the task is lost or the worker stops.

        Args:
            seconds: How long, in seconds, or a `timedelta`.

        Returns:
            `True` if the time is over and the task is still in hand; `False` if the task is lost or
            the worker stops.
        """
        hold = hold_of(self)
        until = hold.clock.now() + checks.seconds("seconds", seconds, may_be_zero=True)
        while self.lost is None and not self.stopping:
            if hold.clock.now() >= until:
                return True
            hold.clock.wait(hold.bell, until)
        hold.bell.put(True)  # for the next one, if several threads wait
        return False

    def extend_lock(self, duration: int | timedelta) -> None:
        """
        Extend the lock at once, and use this duration from now on.

        The worker extends locks by itself. This is for handlers that cannot be left alone with a
        short one, such as before a call that stops the whole process. It does nothing once the
        handler has ended.

        Args:
            duration: The duration in milliseconds, or a `timedelta`.

        Raises:
            Abandoned: The task is lost.
        """
        hold = hold_of(self)
        hold.duration = checks.milliseconds("duration", duration) / 1000
        hold.extend(self, hold)
        if hold.lost is not None:
            raise Abandoned(f"the task is lost: {hold.lost}")


#: The attribute of a task that holds its `Hold`; no field, as it is no part of its value.
_HOLD: Final = "_hold"


def hold_of(task: Task) -> Hold:
    """
    What the worker knows of a task.
    """
    hold: Hold = task.__dict__[_HOLD]
    return hold


_NAMES: Final = tuple(field.name for field in attrs.fields(LockedExternalTask))
_values: Final = attrgetter(*_NAMES)
#: Sets each of these fields of a new instance.
_PUT: Final = tuple(getattr_static(LockedExternalTask, name).__set__ for name in _NAMES)


def to_task(fetched: LockedExternalTask, hold: Hold) -> Task:
    """
    A fetched task with what the worker knows of it.
    """
    task = Task.__new__(Task)
    task.__dict__[_HOLD] = hold
    # Its values were checked when the answer was read; to construct it would take four times as
    # long.
    for put, value in zip(_PUT, _values(fetched), strict=True):
        put(task, value)
    return task


def adopt(task: Task, lease: Lease) -> None:
    """
    Go on with a task that was fetched again while it was in hand: it has a new lock.
    """
    # The one change of a task: all that it reports has to name the worker that has the lock now.
    object.__setattr__(task, "worker_id", lease.worker_id)
    hold_of(task).adopt(lease)


_current: Final[contextvars.ContextVar[Task]] = contextvars.ContextVar("camunda_ext_task")


def call_with(task: Task, call: Callable[[Task], Any]) -> Any:
    """
    Call a handler, with its task as the current one of the context.
    """
    _current.set(task)
    return call(task)


def current_task() -> Task | None:
    """
    The task that this thread handles; ``None`` outside of handlers.
    """
    return _current.get(None)
