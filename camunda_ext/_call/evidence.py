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

#: Tolerance for comparing times: the header Date has whole seconds, and some databases round the
#: ends of locks to whole seconds.
_TOLERANCE: Final = timedelta(seconds=2)


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


def from_task(request: Request[Any], snapshot: TaskSnapshot) -> Evidence:
    """
    Whether a task that still exists shows that an earlier attempt of a command took effect.
    """
    if request.operation == "unlock":
        return _after_unlock(snapshot.task, request.worker_id)
    match request.body:
        case ExternalTaskFailure():
            return _after_failure(request.body, snapshot)
        case Priority(priority=priority):
            return Evidence.DONE if snapshot.task.priority == priority else Evidence.UNCLEAR
        case Retries(retries=retries):
            return Evidence.DONE if snapshot.task.retries == retries else Evidence.UNCLEAR
        case LockExternalTask(worker_id=worker_id, lock_duration=duration):
            # The engine does not shorten a lock that the worker has already.
            return _after_lock(snapshot, worker_id, duration, or_later=True)
        case ExtendLockOnExternalTask(worker_id=worker_id, new_duration=duration):
            return _after_lock(snapshot, worker_id, duration, or_later=False)
    return Evidence.NOT_DONE  # the other commands would have ended the task


def _after_lock(
    snapshot: TaskSnapshot, worker_id: str, duration: int, *, or_later: bool
) -> Evidence:
    task = snapshot.task
    if task.worker_id != worker_id or task.lock_expiration_time is None:
        return Evidence.UNCLEAR
    expiration = _expiration_range(snapshot, duration)
    if expiration is None or task.lock_expiration_time < expiration[0]:
        return Evidence.UNCLEAR
    if or_later or task.lock_expiration_time <= expiration[1]:
        return Evidence.DONE
    return Evidence.UNCLEAR


def _expiration_range(snapshot: TaskSnapshot, duration: int) -> tuple[datetime, datetime] | None:
    """
    The earliest and the latest time at which a lock can expire that one of the attempts has set;
    ``None`` if it cannot be computed.

    Args:
        duration: Duration of the lock, in milliseconds.
    """
    if snapshot.now is None:
        return None
    try:
        latest = snapshot.now + timedelta(milliseconds=duration)
        return latest - timedelta(seconds=snapshot.since) - _TOLERANCE, latest + _TOLERANCE
    except OverflowError:  # beyond the years of `datetime`
        return None


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
    expiration = _expiration_range(snapshot, body.retry_timeout or 0)
    if expiration is None or task.lock_expiration_time is None:
        return Evidence.UNCLEAR
    if expiration[0] <= task.lock_expiration_time <= expiration[1]:
        return Evidence.DONE
    return Evidence.UNCLEAR


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
    earliest = snapshot.now - timedelta(seconds=snapshot.since) - _TOLERANCE
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
