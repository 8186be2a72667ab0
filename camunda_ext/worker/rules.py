"""
What a worker decides: how much to ask for, when to extend a lock, and what an answer means.

All of it is pure: functions of values, with the time as an argument. The threads only carry it out.
Times are seconds of the worker's clock, durations are seconds.
"""

import heapq
from collections.abc import Callable
from enum import Enum
from math import inf
from typing import Final

import attrs

from camunda_ext import errors
from camunda_ext._call.backoff import delay

#: The shortest long poll, in seconds: at most ten polls a second, however many retries are due.
SHORTEST_POLL: Final = 0.1
#: How long after a retry is due the poll for it ends: the engine's clock counts milliseconds.
_AFTER_DUE: Final = 0.02
#: How long a fetched task may wait for a slot, in seconds; then it is given back.
LONGEST_IN_QUEUE: Final = 1.0
#: For how long nothing is fetched ahead after a task was given back, in seconds.
NOTHING_AHEAD: Final = 10.0
#: The header Date has whole seconds.
_DATE_MARGIN: Final = 1.0
#: How often a report that waits for its process instance is tried, in seconds.
HOLD_INTERVAL: Final = 5.0
#: The longest wait before a poll or a report is tried again, in seconds.
_LONGEST_BACKOFF: Final = 30.0
#: The first and the longest wait after the credentials were refused, in seconds. Some engines lock
#: a user after several wrong passwords.
_CREDENTIALS_BACKOFF: Final = (5.0, 60.0)

# ------------------------------------------------------------------------------------ what to fetch


def ahead(slots: int, task_time: float, fetch_time: float, *, was_full: bool) -> int:
    """
    How many tasks to fetch beyond the free slots, so that no slot is idle during the next fetch.

    Args:
        slots: How many tasks are handled at the same time.

        task_time: How long a task takes, on average.

        fetch_time: How long a fetch takes, on average.

        was_full: Whether the last fetch brought as many tasks as it asked for. If not, there are no
            more, and nothing can be fetched ahead.
    """
    if not was_full or task_time <= 0:
        return 0
    during_fetch = int(slots * fetch_time / task_time)
    # The next fetch begins when half of them is left, see `ask()`: as many as it lasts.
    return min(2 * slots, 2 * during_fetch)


def ask(slots: int, held: int, more: int) -> int:
    """
    How many tasks to ask for now; 0 to wait until some more are reported.

    Args:
        slots: How many tasks can be handled at the same time.

        held: How many tasks are fetched and not yet reported.

        more: How many to fetch beyond the free slots, see `ahead()`.
    """
    number = slots + more - held
    return number if number >= max(1, more // 2) else 0


def poll_time(longest: float, due: float, now: float) -> float:
    """
    How long the next poll may wait for tasks.

    Nothing wakes a poll when the wait of a retry is over, so it ends by itself at that time.

    Args:
        longest: How long polls wait otherwise.

        due: When the first of the worker's own retries is due; infinity for none.
    """
    return max(SHORTEST_POLL, min(longest, due - now + _AFTER_DUE))


class Waiting:
    """
    The failed tasks of a worker that wait for their next try, and when they are due.
    """

    def __init__(self) -> None:
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def add(self, task_id: str, due: float) -> None:
        """
        Remember a task whose failure was reported.
        """
        self._due[task_id] = due
        heapq.heappush(self._heap, (due, task_id))

    def discard(self, task_id: str) -> None:
        """
        Forget a task that is held again.
        """
        self._due.pop(task_id, None)

    def next_due(self, now: float) -> float:
        """
        When the next task is due; infinity for none. Tasks that are due already are forgotten.
        """
        while self._heap:
            due, task_id = self._heap[0]
            if due > now and self._due.get(task_id) == due:
                return due
            heapq.heappop(self._heap)
            if self._due.get(task_id) == due:
                del self._due[task_id]
        return inf

    def ids(self, now: float) -> tuple[str, ...]:
        """
        The ids of all tasks that are not due yet; the others may have been fetched again.
        """
        return tuple(task_id for task_id, due in self._due.items() if due > now)


class AfterFetch(Enum):
    """
    What follows a fetch that has failed.
    """

    #: Nothing was locked: wait, and poll again.
    BACK_OFF = "wait and poll again"
    #: As before, but slower.
    CREDENTIALS = "wait 5 to 60 seconds and poll again; the worker is not ready"
    #: Tasks may be locked that were never received: poll with a new worker id, and look for them.
    LOST = "poll at once with a new worker id, and unlock what the lost answer has locked"
    #: Somebody else polls with the same worker id.
    ID_IN_USE = "wait, and poll again with a new worker id"


def after_fetch(error: errors.CamundaError, *, deserializes: bool) -> AfterFetch:
    """
    What follows a fetch that has failed.

    Args:
        deserializes: Whether the fetch asks for deserialized objects.
    """
    for kind, status, then in FETCH_RULES:
        if isinstance(error, kind) and status in (None, error.status):
            if kind is errors.EngineFailure and not deserializes:
                return AfterFetch.BACK_OFF
            return then
    return AfterFetch.BACK_OFF


#: By the class of the error, and its status where that matters. The first row that fits is used.
FETCH_RULES: Final[tuple[tuple[type[errors.CamundaError], int | None, AfterFetch], ...]] = (
    (errors.OutcomeUnknown, None, AfterFetch.LOST),
    # The engine answers 503 to the older of two polls by the same worker, if it is set up so.
    (errors.EngineBusy, 503, AfterFetch.ID_IN_USE),
    (errors.Unauthorized, None, AfterFetch.CREDENTIALS),
    (errors.Forbidden, None, AfterFetch.CREDENTIALS),
    # With ``deserialize_values``, the engine has locked the tasks before it fails to write them.
    (errors.EngineFailure, None, AfterFetch.LOST),
    (errors.CamundaError, None, AfterFetch.BACK_OFF),
)


def backoff(then: AfterFetch, streak: int, chance: float) -> float:
    """
    How long to wait before the next poll.

    Args:
        streak: How many fetches in a row have failed, this one included.

        chance: A random number from 0 to 1.
    """
    if then is AfterFetch.CREDENTIALS:
        first, longest = _CREDENTIALS_BACKOFF
        return max(first, delay(streak, first, longest, chance))
    if then is AfterFetch.LOST and streak == 1:
        return 0.0
    return delay(streak, 0.1, _LONGEST_BACKOFF, chance)


# -------------------------------------------------------------------------------------------- locks


@attrs.frozen
class Lease:
    """
    The lock of a task as far as the worker can know it.

    The times say when to ask the engine. Only the engine's answers say that a lock is lost.
    """

    #: The worker id that has the lock.
    worker_id: str
    #: How long a lock lasts.
    duration: float
    #: Until when the lock lasts at least.
    until: float
    #: When to extend it.
    due: float

    @classmethod
    def fetched(cls, worker_id: str, duration: float, left: float | None, now: float) -> "Lease":
        """
        The lock of a task that was just received.

        Args:
            left: How long it lasts by the engine's own clock; ``None`` if that is unknown.
        """
        left = duration if left is None else min(duration, max(0.0, left))
        return cls(worker_id, duration, now + left - _DATE_MARGIN, now + left - duration * 2 / 3)

    def extended(self, duration: float, sent: float) -> "Lease":
        """
        The lock after an extension that was sent at a time.
        """
        return Lease(self.worker_id, duration, sent + duration, sent + duration / 3)

    def again(self, now: float) -> "Lease":
        """
        The lock after an extension that has failed for now: due again before it ends.
        """
        left = self.until - now
        return attrs.evolve(self, due=now + (min(1.0, max(0.05, left / 4)) if left > 0 else 1.0))


class AfterExtension(Enum):
    """
    What follows an extension of a lock.
    """

    #: The lock is extended.
    KEPT = "the lock is extended"
    #: Nobody has the lock, or the instance is suspended: lock the task anew.
    LOCK = "lock the task anew"
    #: Another worker has the task.
    TAKEN = "the task is lost: another worker has it"
    #: There is no such task any more.
    GONE = "the task is lost: it was completed or cancelled"
    #: The engine cannot extend locks, or not in this state: offer the result nevertheless.
    STOP = "the lock runs out; the result is offered nevertheless"
    #: Try again soon.
    AGAIN = "try again soon"


def after_extension(
    error: Exception | None, *, locking: bool, is_own: Callable[[str], bool]
) -> AfterExtension:
    """
    What follows an extension.

    Args:
        error: The error of the call; ``None`` if it has succeeded.

        locking: Whether the task was locked anew, rather than its lock extended.

        is_own: Whether a worker id is one of this worker's.
    """
    if error is None:
        return AfterExtension.KEPT
    if isinstance(error, errors.TaskNotFound):
        return AfterExtension.GONE
    if isinstance(error, errors.LockLost) and error.worker_id is not None:
        # Our own next poll has just fetched it: its answer is under way.
        return AfterExtension.AGAIN if is_own(error.worker_id) else AfterExtension.TAKEN
    if isinstance(error, (errors.LockLost, errors.Suspended)):
        return AfterExtension.STOP if locking else AfterExtension.LOCK
    if isinstance(error, errors.NotFound) and locking:  # `lock` came with 7.15
        return AfterExtension.STOP
    return AfterExtension.AGAIN


# ------------------------------------------------------------------------------------------ reports


class Report(Enum):
    """
    What is reported for a task.
    """

    COMPLETE = "complete"
    BPMN_ERROR = "bpmn_error"
    FAILURE = "failure"


class AfterReport(Enum):
    """
    What follows a report.
    """

    DONE = "done"
    AGAIN = "sent again, while the lock is kept, for as long as ``hold_results``"
    AGAIN_IN_LOCK = "sent again while the lock lasts"
    LOCK_AGAIN = "the task is locked anew, and the report is sent again"
    HELD = (
        "the lock is kept, and the report is sent every 5 seconds, for as long as "
        "``hold_results``; then the task is unlocked"
    )
    UNPROVEN = "the task is ended, but no answer proves by whom: a warning, counted apart"
    GONE = "the task was cancelled, or completed elsewhere: the result is dropped"
    TAKEN = "another worker has the task: the result is dropped, with a warning"
    FAIL = "a failure with one retry less, and the engine's message"
    FAIL_AS_IT_WAS = "a failure with the retries as they were"
    INCIDENT = "a failure with 0 retries, and the engine's message"
    LEFT = "nothing: the lock runs out, and the task is fetched again"


#: What reports have in common that may change the process.
_RESULTS: Final = frozenset({Report.COMPLETE, Report.BPMN_ERROR})
_FAILURE: Final = frozenset({Report.FAILURE})
_ALL: Final = frozenset(Report)

#: Which report, which error, and what follows. The first row that fits is used.
REPORT_RULES: Final[
    tuple[tuple[frozenset[Report], tuple[type[Exception], ...], AfterReport], ...]
] = (
    (_ALL, (errors.TaskNotFound,), AfterReport.GONE),
    (_ALL, (errors.LockLost,), AfterReport.TAKEN),
    (_ALL, (errors.Suspended,), AfterReport.HELD),
    (_RESULTS, (errors.OutcomeUnknown,), AfterReport.AGAIN),
    (_RESULTS, (errors.Conflict,), AfterReport.FAIL_AS_IT_WAS),
    (_RESULTS, (errors.EngineFailure,), AfterReport.FAIL),
    (_RESULTS, (errors.BadRequest, TypeError, ValueError), AfterReport.INCIDENT),
    (
        _RESULTS,
        (
            errors.NotSent,
            errors.EngineBusy,
            errors.Unauthorized,
            errors.Forbidden,
            errors.NotFound,
            errors.NotTheEngine,
        ),
        AfterReport.AGAIN,
    ),
    (
        _FAILURE,
        (
            errors.NotSent,
            errors.EngineBusy,
            errors.Unauthorized,
            errors.Forbidden,
            errors.NotFound,
            errors.NotTheEngine,
            errors.Conflict,
        ),
        AfterReport.AGAIN_IN_LOCK,
    ),
    (_ALL, (Exception,), AfterReport.LEFT),
)


def after_report(
    report: Report, error: Exception, *, in_doubt: bool, is_own: Callable[[str], bool]
) -> AfterReport:
    """
    What follows a report that has failed.

    Args:
        error: The error of the call.

        in_doubt: Whether there was no answer to an earlier attempt of the same report.

        is_own: Whether a worker id is one of this worker's.
    """
    then = next(
        then
        for reports, kinds, then in REPORT_RULES
        if report in reports and isinstance(error, kinds)
    )
    if then is AfterReport.GONE and in_doubt:
        return AfterReport.UNPROVEN
    if isinstance(error, errors.LockLost) and (error.worker_id is None or is_own(error.worker_id)):
        return AfterReport.LOCK_AGAIN  # nobody has taken the task, so the report counts
    return then


def report_wait(then: AfterReport, attempt: int, lock_duration: float, chance: float) -> float:
    """
    How long to wait before a report is sent again.

    Args:
        attempt: How often it was sent.

        chance: A random number from 0 to 1.
    """
    if then is AfterReport.HELD:
        return min(HOLD_INTERVAL, lock_duration / 3)
    if then is AfterReport.LOCK_AGAIN and attempt == 1:
        return 0.0
    return delay(attempt, 0.1, _LONGEST_BACKOFF, 0.5 + chance / 2)
