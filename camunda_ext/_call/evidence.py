"""
What a look at a task tells about a command whose outcome is in doubt: pure functions.

The engine keeps no log of requests, so what it shows of the task has to do.
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

#: The header Date has whole seconds, and some databases round the ends of locks to such.
_BLUR: Final = timedelta(seconds=2)


class Evidence(Enum):
    """
    What a look shows.
    """

    #: It is done.
    DONE = "done"

    #: It is not done: it can be sent again.
    NOT_DONE = "not done"

    #: The task is gone.
    GONE = "gone"

    #: Nobody can tell.
    UNCLEAR = "unclear"


@attrs.frozen(kw_only=True, eq=False, repr=False)
class TaskSnapshot:
    """
    A task as the engine shows it.
    """

    #: The task.
    task: ExternalTask

    #: The engine's clock, from the answer's header; ``None`` if it did not say.
    now: datetime | None

    #: How long ago the command was sent first, in seconds.
    since: float


def shown(request: Request[Any], seen: TaskSnapshot) -> Evidence:
    """
    Tell from a look at a task that is there still whether an earlier attempt was done.
    """
    if request.operation == "unlock":
        return _after_unlock(seen.task, request.worker_id)
    match request.body:
        case ExternalTaskFailure():
            return _after_failure(request.body, seen)
        case Priority(priority=priority):
            return Evidence.DONE if seen.task.priority == priority else Evidence.UNCLEAR
        case Retries(retries=retries):
            return Evidence.DONE if seen.task.retries == retries else Evidence.UNCLEAR
        case LockExternalTask(worker_id=worker_id, lock_duration=duration):
            # A lock that the worker has for longer stays as it is.
            return _after_lock(seen, worker_id, duration, or_later=True)
        case ExtendLockOnExternalTask(worker_id=worker_id, new_duration=duration):
            return _after_lock(seen, worker_id, duration, or_later=False)
    return Evidence.NOT_DONE  # what ends a task has not ended this one


def _after_lock(seen: TaskSnapshot, worker_id: str, duration: int, *, or_later: bool) -> Evidence:
    task = seen.task
    if task.worker_id != worker_id or task.lock_expiration_time is None:
        return Evidence.UNCLEAR
    ends = _ends_of(seen, duration)
    if ends is None or task.lock_expiration_time < ends[0]:
        return Evidence.UNCLEAR
    return Evidence.DONE if or_later or task.lock_expiration_time <= ends[1] else Evidence.UNCLEAR


def _ends_of(seen: TaskSnapshot, duration: int) -> tuple[datetime, datetime] | None:
    """
    Give between which moments a lock ends that was set by this command; ``None`` if nobody can
    tell.

    Args:
        duration: How long it lasts, in milliseconds.
    """
    if seen.now is None:
        return None
    try:
        lasts = timedelta(milliseconds=duration)
        return seen.now - timedelta(seconds=seen.since) + lasts - _BLUR, seen.now + lasts + _BLUR
    except OverflowError:  # beyond the years that Python has
        return None


def _after_unlock(task: ExternalTask, worker_id: str | None) -> Evidence:
    if task.worker_id is None:
        return Evidence.DONE
    if worker_id is None:
        return Evidence.UNCLEAR  # the lock may be the old one, or a new one
    return Evidence.NOT_DONE if task.worker_id == worker_id else Evidence.DONE


def _after_failure(body: ExternalTaskFailure, seen: TaskSnapshot) -> Evidence:
    task = seen.task
    if (task.retries, _stored(task.error_message)) != (body.retries, _stored(body.error_message)):
        return Evidence.NOT_DONE if task.worker_id == body.worker_id else Evidence.UNCLEAR
    # An earlier failure may have said the same. This one has set the end of the lock.
    ends = _ends_of(seen, body.retry_timeout or 0)
    if ends is None or task.lock_expiration_time is None:
        return Evidence.UNCLEAR
    return Evidence.DONE if ends[0] <= task.lock_expiration_time <= ends[1] else Evidence.UNCLEAR


def reported(
    entries: Sequence[HistoricExternalTaskLog], body: ExternalTaskFailure, seen: TaskSnapshot
) -> Evidence:
    """
    Tell from the history whether a failure that the task shows is this one, or an earlier one.
    """
    if not entries or seen.now is None:
        return Evidence.DONE  # no history is kept: what the task shows has to do
    said = (body.worker_id, _stored(body.error_message))
    earliest = seen.now - timedelta(seconds=seen.since) - _BLUR
    for entry in entries:
        told = (entry.worker_id, _stored(entry.error_message))  # its retries are those before
        if entry.failure_log and told == said and (entry.timestamp or earliest) >= earliest:
            return Evidence.DONE
    return Evidence.NOT_DONE if seen.task.worker_id == body.worker_id else Evidence.UNCLEAR


def _stored(message: str | None) -> str | None:
    """
    Give a message as it is in any database: some keep an empty one as none, or half of a character
    as a question mark.
    """
    return (message or "").encode("utf-8", "replace").decode("utf-8") or None


def logged(entries: Sequence[HistoricExternalTaskLog], worker_id: str) -> Evidence:
    """
    Tell from the history of a task that is gone whether a worker has completed it.
    """
    for entry in entries:
        if entry.success_log:
            return Evidence.DONE if entry.worker_id == worker_id else Evidence.NOT_DONE
        if entry.deletion_log:
            return Evidence.NOT_DONE
    return Evidence.UNCLEAR  # no history is kept at this level, or it must not be read
