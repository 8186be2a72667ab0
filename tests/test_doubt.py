"""
What a look at a task tells about a command whose outcome is in doubt.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from types import NoneType
from typing import Any, Final

import attrs
import pytest

from camunda_ext import ExternalTask, HistoricExternalTaskLog
from camunda_ext._call.evidence import (
    Evidence,
    TaskSnapshot,
    from_completion_log,
    from_failure_log,
    from_task,
)
from camunda_ext._call.request import Request
from camunda_ext.dto import (
    CompleteExternalTask,
    ExtendLockOnExternalTask,
    ExternalTaskBpmnError,
    ExternalTaskFailure,
    LockExternalTask,
    Priority,
    Retries,
)

_NOW: Final = datetime(2026, 11, 22, 13, 0, 0, tzinfo=timezone.utc)
_IDS: Final = {"task_id": "t1"}


def _seen(*, now: datetime | None = _NOW, since: float = 0.0, **task: Any) -> TaskSnapshot:
    return TaskSnapshot(task=ExternalTask(id="t1", **task), now=now, since=since)


# ------------------------------------------------------------------------------------------- unlock


@pytest.mark.parametrize(
    ("holder", "known", "expected"),
    [
        (None, None, Evidence.DONE),
        (None, "w1", Evidence.DONE),
        ("w1", "w1", Evidence.NOT_DONE),
        ("w2", "w1", Evidence.DONE),
        ("w1", None, Evidence.UNCLEAR),
        ("W1", "w1", Evidence.DONE),
    ],
)
def test_who_holds_the_lock_tells_of_an_unlock(
    holder: str | None, known: str | None, expected: Evidence
) -> None:
    """
    A lock of somebody else is a new one, and must stay.
    """
    request = Request(
        "unlock", "POST /external-task/{task_id}/unlock", NoneType, _IDS, worker_id=known
    )

    assert from_task(request, _seen(worker_id=holder)) is expected


# ------------------------------------------------------------------------------------ what is set


@pytest.mark.parametrize(
    ("body", "task", "expected"),
    [
        (Priority(priority=7), {"priority": 7}, Evidence.DONE),
        (Priority(priority=7), {"priority": 0}, Evidence.UNCLEAR),
        (Priority(priority=0), {"priority": 0}, Evidence.DONE),
        (Retries(retries=0), {"retries": 0}, Evidence.DONE),
        (Retries(retries=0), {"retries": None}, Evidence.UNCLEAR),
        (Retries(retries=3), {"retries": 2}, Evidence.UNCLEAR),
    ],
)
def test_what_is_set_is_seen(body: object, task: dict[str, Any], expected: Evidence) -> None:
    """
    Where it is another, it may still be on its way.
    """
    request = Request("a", "PUT /external-task/{task_id}/a", NoneType, _IDS, body=body)

    assert from_task(request, _seen(**task)) is expected


_LOCK: Final = LockExternalTask(worker_id="w1", lock_duration=60_000)
_EXTEND: Final = ExtendLockOnExternalTask(worker_id="w1", new_duration=60_000)


@pytest.mark.parametrize(
    ("body", "holder", "seconds", "expected"),
    [
        # The attempts took 10 seconds, and headers have no parts of one.
        (_LOCK, "w1", 60, Evidence.DONE),
        (_LOCK, "w1", 50, Evidence.DONE),
        (_LOCK, "w1", 47, Evidence.UNCLEAR),
        (_LOCK, "w1", 900, Evidence.DONE),  # it was longer before, and stays so
        (_LOCK, "w2", 60, Evidence.UNCLEAR),
        (_LOCK, None, None, Evidence.UNCLEAR),
        (_EXTEND, "w1", 60, Evidence.DONE),
        (_EXTEND, "w1", 50, Evidence.DONE),
        (_EXTEND, "w1", 62, Evidence.DONE),
        (_EXTEND, "w1", 63, Evidence.UNCLEAR),
        (_EXTEND, "w1", 47, Evidence.UNCLEAR),
        (_EXTEND, "w2", 60, Evidence.UNCLEAR),
    ],
)
def test_a_lock_is_seen_by_its_end(
    body: object, holder: str | None, seconds: int | None, expected: Evidence
) -> None:
    """
    It lasts from one of the attempts on.
    """
    request = Request("a", "POST /external-task/{task_id}/a", NoneType, _IDS, body=body)
    ends = None if seconds is None else _NOW + timedelta(seconds=seconds)
    seen = _seen(since=10.0, worker_id=holder, lock_expiration_time=ends)

    assert from_task(request, seen) is expected
    assert from_task(request, attrs.evolve(seen, now=None)) is Evidence.UNCLEAR


# ------------------------------------------------------------------------------------ what ends it


@pytest.mark.parametrize("holder", [None, "w1", "w2"])
@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("complete", CompleteExternalTask(worker_id="w1")),
        ("bpmn_error", ExternalTaskBpmnError(worker_id="w1", error_code="E1")),
    ],
    ids=["complete", "bpmn_error"],
)
def test_a_task_that_is_there_was_not_ended(
    operation: str, body: object, holder: str | None
) -> None:
    """
    Whoever holds its lock: the engine itself says so, if it is not ours any more.
    """
    request = Request(
        operation, f"POST /external-task/{{task_id}}/{operation}", NoneType, _IDS, body=body
    )

    assert from_task(request, _seen(worker_id=holder)) is Evidence.NOT_DONE


# ------------------------------------------------------------------------------------------ failure

_OURS: Final = ExternalTaskFailure(
    worker_id="w1", retries=2, retry_timeout=60_000, error_message="no printer"
)
_DONE: Final[dict[str, Any]] = {
    "worker_id": "w1",
    "retries": 2,
    "error_message": "no printer",
    "lock_expiration_time": _NOW + timedelta(seconds=60),
}


def _after(body: ExternalTaskFailure, seen: TaskSnapshot) -> Evidence:
    request = Request("failure", "POST /external-task/{task_id}/failure", NoneType, _IDS, body=body)
    return from_task(request, seen)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, Evidence.DONE),
        ({"retries": 3}, Evidence.NOT_DONE),
        ({"retries": None}, Evidence.NOT_DONE),
        ({"retries": 0}, Evidence.NOT_DONE),
        ({"error_message": None}, Evidence.NOT_DONE),
        ({"error_message": "no paper"}, Evidence.NOT_DONE),
        ({"error_message": "no printer "}, Evidence.NOT_DONE),
        ({"retries": None, "error_message": None, "lock_expiration_time": None}, Evidence.NOT_DONE),
        # Somebody else has it now: to fail it again would fail theirs.
        ({"retries": 3, "worker_id": "w2"}, Evidence.UNCLEAR),
        ({"error_message": None, "worker_id": "w2"}, Evidence.UNCLEAR),
        ({"retries": 3, "worker_id": None}, Evidence.UNCLEAR),
        # An earlier failure said the same, and the task was fetched since.
        ({"lock_expiration_time": None}, Evidence.UNCLEAR),
        ({"lock_expiration_time": _NOW + timedelta(seconds=300)}, Evidence.UNCLEAR),
        ({"lock_expiration_time": _NOW - timedelta(seconds=300)}, Evidence.UNCLEAR),
        # The lock's new end names this failure, whoever holds the lock.
        ({"worker_id": "w2"}, Evidence.DONE),
    ],
    ids=repr,
)
def test_retries_message_and_lock_tell_of_a_failure(
    changed: dict[str, Any], expected: Evidence
) -> None:
    """
    All three must be as the command leaves them; one alone may be from before.
    """
    assert _after(_OURS, _seen(**{**_DONE, **changed})) is expected


@pytest.mark.parametrize(
    ("ends", "since", "expected"),
    [
        (60.0, 0.0, Evidence.DONE),
        (62.0, 0.0, Evidence.DONE),
        (62.001, 0.0, Evidence.UNCLEAR),
        (58.0, 0.0, Evidence.DONE),
        (57.999, 0.0, Evidence.UNCLEAR),
        (48.0, 10.0, Evidence.DONE),
        (47.999, 10.0, Evidence.UNCLEAR),
        (62.001, 10.0, Evidence.UNCLEAR),
    ],
)
def test_the_lock_ends_within_the_time_of_the_attempts(
    ends: float, since: float, expected: Evidence
) -> None:
    """
    The engine counted from when it got the command, which was some time since the first attempt.
    """
    seen = _seen(since=since, **{**_DONE, "lock_expiration_time": _NOW + timedelta(seconds=ends)})

    assert _after(_OURS, seen) is expected


@pytest.mark.parametrize("retry_timeout", [None, 0])
def test_without_a_retry_timeout_the_lock_ends_at_once(retry_timeout: int | None) -> None:
    """
    The engine sets its end to the moment of the failure.
    """
    body = attrs.evolve(_OURS, retry_timeout=retry_timeout)

    assert _after(body, _seen(**{**_DONE, "lock_expiration_time": _NOW})) is Evidence.DONE


def test_without_the_engines_clock_a_failure_is_not_told_from_an_earlier_one() -> None:
    """
    The clock of this machine may be another one.
    """
    assert _after(_OURS, _seen(now=None, **_DONE)) is Evidence.UNCLEAR


_EMOJI: Final = "\U0001f5a8"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (None, None),
        ("x" * 666, "x" * 666),
        ("x" * 667, "x" * 666),
        ("x" * 10_000, "x" * 666),
        ("x" * 664 + _EMOJI, "x" * 664 + _EMOJI),
        ("x" * 665 + _EMOJI, "x" * 665),
        (_EMOJI * 333, _EMOJI * 333),
        (_EMOJI * 666, _EMOJI * 333),
        ("x" + _EMOJI * 333, "x" + _EMOJI * 332),
        ("ä\ud83d", "ä\ud83d"),
        ("ä\ud83d", "ä?"),
    ],
    ids=lambda one: repr(one)[:12],
)
def test_the_engine_keeps_666_units_of_a_message(sent: str | None, kept: str | None) -> None:
    """
    UTF-16 units: an emoji has two. Half of one is another character to some databases.
    """
    body = attrs.evolve(_OURS, error_message=sent)

    assert _after(body, _seen(**{**_DONE, "error_message": kept})) is Evidence.DONE


def test_an_empty_message_is_none() -> None:
    """
    A database may keep an empty text as none, or as it is.
    """
    for kept in (None, ""):
        body = attrs.evolve(_OURS, error_message=None)

        assert _after(body, _seen(**{**_DONE, "error_message": kept})) is Evidence.DONE


# ---------------------------------------------------------------------------------------- the log


def _entry(kind: str, worker_id: str | None) -> HistoricExternalTaskLog:
    return HistoricExternalTaskLog(id="h1", worker_id=worker_id, **{f"{kind}_log": True})  # type: ignore[arg-type]  # the flag's name is made here


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], Evidence.UNCLEAR),
        ([("creation", None)], Evidence.UNCLEAR),
        ([("failure", "w1"), ("creation", None)], Evidence.UNCLEAR),
        ([("success", "w1"), ("creation", None)], Evidence.DONE),
        ([("success", "w2"), ("creation", None)], Evidence.NOT_DONE),
        ([("success", None), ("creation", None)], Evidence.NOT_DONE),
        ([("deletion", "w1"), ("creation", None)], Evidence.NOT_DONE),
        ([("deletion", None)], Evidence.NOT_DONE),
        ([("success", "w1"), ("failure", "w2"), ("creation", None)], Evidence.DONE),
        ([("creation", None), ("success", "w1")], Evidence.DONE),
    ],
    ids=repr,
)
def test_the_log_tells_how_a_task_ended(
    entries: list[tuple[str, str | None]], expected: Evidence
) -> None:
    """
    By the worker that completed it, or by no worker at all.
    """
    log = [_entry(kind, worker_id) for kind, worker_id in entries]

    assert from_completion_log(log, "w1") is expected


# ------------------------------------------------------------------------------ failures, again


def _reported(seconds: float, **told: Any) -> HistoricExternalTaskLog:
    """
    Give an entry of a failure, some *seconds* before now.
    """
    usual = {"failure_log": True, "worker_id": "w1", "error_message": "no printer"}
    moment = _NOW - timedelta(seconds=seconds)
    return HistoricExternalTaskLog(id="h1", timestamp=moment, **{**usual, **told})


@pytest.mark.parametrize(
    ("entries", "holder", "expected"),
    [
        ((), "w1", Evidence.DONE),
        ((_reported(5),), "w1", Evidence.DONE),
        ((_reported(5),), "w2", Evidence.DONE),
        # The retries of an entry are those before the failure.
        ((_reported(5, retries=9),), "w1", Evidence.DONE),
        ((_reported(60),), "w1", Evidence.NOT_DONE),
        ((_reported(60),), "w2", Evidence.UNCLEAR),
        ((_reported(60), _reported(5)), "w1", Evidence.DONE),
        ((_reported(5, worker_id="w2"),), "w1", Evidence.NOT_DONE),
        ((_reported(5, error_message="no paper"),), "w1", Evidence.NOT_DONE),
        ((_reported(5, failure_log=False, creation_log=True),), "w1", Evidence.NOT_DONE),
    ],
)
def test_the_history_tells_when_a_failure_was_reported(
    entries: tuple[HistoricExternalTaskLog, ...], holder: str, expected: Evidence
) -> None:
    """
    What the task shows may be of an earlier failure in the same words.
    """
    body = ExternalTaskFailure(worker_id="w1", retries=2, error_message="no printer")

    assert from_failure_log(entries, body, _seen(worker_id=holder, since=10.0)) is expected


def test_without_the_engines_clock_the_task_itself_has_to_do() -> None:
    """
    No moment of the history can be compared then.
    """
    body = ExternalTaskFailure(worker_id="w1", retries=2, error_message="no printer")

    assert (
        from_failure_log((_reported(60),), body, _seen(now=None, worker_id="w1")) is Evidence.DONE
    )
