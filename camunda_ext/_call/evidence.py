"""
Whether a task, or its history, shows that a command took effect: pure functions.

The engine keeps no log of requests, so the state of the task is the only evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final

import attrs

from camunda_ext._call.request import Request
from camunda_ext.dto import (
    ExtendLockOnExternalTask,
    ExternalTask,
    ExternalTaskFailure,
    HistoricExternalTaskLog,
    LockExternalTask,
    Priority,
    Retries,
)

#: Tolerance for comparing times, in seconds: the header Date has whole seconds, and some databases
#: round the ends of locks to whole seconds.
_TOLERANCE: Final = 2.0


class Evidence(Enum):
    """
    What a look at a task shows about a command.
    """

    #: The command took effect.
    DONE = "done"

    #: The command did not take effect, and can be sent again.
    NOT_DONE = "not done"

    #: The task does not exist any more.
    GONE = "gone"

    #: The task does not show whether the command took effect.
    UNCLEAR = "unclear"


@attrs.frozen(kw_only=True, eq=False, repr=False)
class TaskSnapshot:
    """
    The state of a task after a command, and when it was read.
    """

    #: The task.
    task: ExternalTask

    #: The engine's time when it answered, from the header Date; ``None`` if there was none.
    now: datetime | None

    #: The time since the first attempt of the command began, in seconds.
    since: float

    def is_locked_for(self, duration: int, *, or_longer: bool = False) -> bool:
        """
        Whether the lock ends when a lock of a *duration* in milliseconds would end that one of the
        attempts has set.
        """
        end = self.task.lock_expiration_time
        if self.now is None or end is None:
            return False
        late = (end - self.now).total_seconds() - duration / 1000
        return late >= -self.since - _TOLERANCE and (or_longer or late <= _TOLERANCE)


def from_task(request: Request[Any], snapshot: TaskSnapshot) -> Evidence:
    """
    Whether a task that still exists shows that an earlier attempt of a command took effect.
    """
    task = snapshot.task
    if request.operation == "unlock":
        return _after_unlock(task, request.worker_id)
    match request.body:
        case ExternalTaskFailure():
            return _after_failure(request.body, snapshot)
        case Priority(priority=priority):
            is_done = task.priority == priority
        case Retries(retries=retries):
            is_done = task.retries == retries
        case LockExternalTask(worker_id=worker_id, lock_duration=duration):
            # The engine does not shorten a lock that the worker has already.
            is_done = task.worker_id == worker_id and snapshot.is_locked_for(
                duration, or_longer=True
            )
        case ExtendLockOnExternalTask(worker_id=worker_id, new_duration=duration):
            is_done = task.worker_id == worker_id and snapshot.is_locked_for(duration)
        case _:
            return Evidence.NOT_DONE  # the other commands would have ended the task
    return Evidence.DONE if is_done else Evidence.UNCLEAR


def _after_unlock(task: ExternalTask, worker_id: str | None) -> Evidence:
    if task.worker_id is None:
        return Evidence.DONE
    if worker_id is None:
        return Evidence.UNCLEAR  # it may be the old lock or a new one
    return Evidence.NOT_DONE if task.worker_id == worker_id else Evidence.DONE


def _after_failure(body: ExternalTaskFailure, snapshot: TaskSnapshot) -> Evidence:
    task = snapshot.task
    if (task.retries, _stored(task.error_message)) != (body.retries, _stored(body.error_message)):
        return Evidence.NOT_DONE if task.worker_id == body.worker_id else Evidence.UNCLEAR
    # An earlier failure may have had the same values; the end of the lock tells them apart.
    is_done = snapshot.is_locked_for(body.retry_timeout or 0)
    return Evidence.DONE if is_done else Evidence.UNCLEAR


def from_failure_log(
    entries: Sequence[HistoricExternalTaskLog], body: ExternalTaskFailure, snapshot: TaskSnapshot
) -> Evidence:
    """
    Whether the failure that a task shows is the one in *body*, and no earlier one with the same
    values, by the entries of its log.
    """
    if not entries or snapshot.now is None:
        return Evidence.DONE  # The engine keeps no history: the task's own state decides.
    reported = (body.worker_id, _stored(body.error_message))
    earliest = snapshot.now - timedelta(seconds=snapshot.since + _TOLERANCE)
    for entry in entries:
        # Retries are not compared: an entry has those before the failure.
        logged = (entry.worker_id, _stored(entry.error_message))
        if entry.failure_log and logged == reported and (entry.timestamp or earliest) >= earliest:
            return Evidence.DONE
    return Evidence.NOT_DONE if snapshot.task.worker_id == body.worker_id else Evidence.UNCLEAR


def _stored(message: str | None) -> str | None:
    """
    A message as a database may have stored it: some store an empty text as null, or half of a
    surrogate pair as a question mark.
    """
    return (message or "").encode("utf-8", "replace").decode("utf-8") or None


def from_completion_log(entries: Sequence[HistoricExternalTaskLog], worker_id: str) -> Evidence:
    """
    Whether a worker has completed a task that does not exist any more, by the entries of its log.
    """
    for entry in entries:
        if entry.success_log:
            return Evidence.DONE if entry.worker_id == worker_id else Evidence.NOT_DONE
        if entry.deletion_log:
            return Evidence.NOT_DONE
    return Evidence.UNCLEAR  # no history at this level, or no permission to read it
