"""
What a worker decides: tables of what follows each error, and properties of what it asks for and
how long it counts on a lock.

The tables are written by hand. One that lacks an error class fails.
"""

from __future__ import annotations

from math import inf
from typing import Final

import pytest
from hypothesis import given, strategies as st

from camunda_ext import errors
from camunda_ext.errors import (
    BadRequest,
    CamundaError,
    Conflict,
    EngineBusy,
    EngineFailure,
    Forbidden,
    LockLost,
    NoAnswer,
    NotFound,
    NotSent,
    NotTheEngine,
    OutcomeUnknown,
    Refused,
    Suspended,
    TaskNotFound,
    Unauthorized,
)
from camunda_ext.worker.rules import (
    AfterExtension,
    AfterFetch,
    AfterReport,
    Lease,
    Report,
    Waiting,
    after_extension,
    after_fetch,
    after_report,
    ahead,
    ask,
    backoff,
    poll_time,
    report_wait,
)


def is_own(worker_id: str) -> bool:
    """
    Whether a worker id is one of the worker's own.
    """
    return worker_id.startswith("w#")


def lock_lost(worker_id: str | None) -> LockLost:
    """
    The answer that another worker has the lock; nobody, for ``None``.
    """
    error = LockLost("It is locked by worker '...'", status=400)
    error.worker_id = worker_id
    return error


#: All errors of calls.
ERRORS: Final = {
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, CamundaError)
}


# ----------------------------------------------------------------------------------------- reports

#: What follows a ``complete`` or ``bpmn_error``, and a ``failure``.
_REPORTS: Final[tuple[tuple[Exception, str, str], ...]] = (
    (NotSent(), "AGAIN", "AGAIN_IN_LOCK"),
    (EngineBusy(status=500), "AGAIN", "AGAIN_IN_LOCK"),
    (EngineBusy(status=503), "AGAIN", "AGAIN_IN_LOCK"),
    (Unauthorized(status=401), "AGAIN", "AGAIN_IN_LOCK"),
    (Forbidden(status=403), "AGAIN", "AGAIN_IN_LOCK"),
    (NotFound(status=404), "AGAIN", "AGAIN_IN_LOCK"),
    (NotTheEngine(status=302), "AGAIN", "AGAIN_IN_LOCK"),
    (OutcomeUnknown(), "AGAIN", "LEFT"),
    (Conflict(status=500), "FAIL_AS_IT_WAS", "AGAIN_IN_LOCK"),
    (TaskNotFound(status=404), "GONE", "GONE"),
    (lock_lost("other#1"), "TAKEN", "TAKEN"),
    (lock_lost("w#2"), "LOCK_AGAIN", "LOCK_AGAIN"),
    (lock_lost(None), "LOCK_AGAIN", "LOCK_AGAIN"),
    (Suspended(status=400), "HELD", "HELD"),
    (EngineFailure(status=500), "FAIL", "LEFT"),
    (BadRequest(status=400), "INCIDENT", "LEFT"),
    # What the client refuses to send.
    (TypeError("no variable type"), "INCIDENT", "LEFT"),
    (ValueError("too long"), "INCIDENT", "LEFT"),
    # What no command raises today.
    (NoAnswer(), "LEFT", "LEFT"),
    (Refused(status=400), "LEFT", "LEFT"),
    (CamundaError(), "LEFT", "LEFT"),
    (RuntimeError("a bug"), "LEFT", "LEFT"),
)


def _named(value: object) -> str:
    """
    The name of a case.
    """
    if isinstance(value, LockLost):
        return f"LockLost-{value.worker_id}"
    status = getattr(value, "status", None)
    return type(value).__name__ + (f"-{status}" if status else "")


@pytest.mark.parametrize("row", _REPORTS, ids=[_named(row[0]) for row in _REPORTS])
def test_what_follows_a_report(row: tuple[Exception, str, str]) -> None:
    """
    At the first attempt.
    """
    error, *_ = row
    then = [after_report(report, error, in_doubt=False, is_own=is_own).name for report in Report]

    assert dict(zip(Report, then, strict=True)) == {
        Report.COMPLETE: row[1],
        Report.BPMN_ERROR: row[1],
        Report.FAILURE: row[2],
    }


@pytest.mark.parametrize("row", _REPORTS, ids=[_named(row[0]) for row in _REPORTS])
@pytest.mark.parametrize("report", [Report.COMPLETE, Report.BPMN_ERROR])
def test_what_follows_a_result_that_may_be_there_already(
    report: Report, row: tuple[Exception, str, str]
) -> None:
    """
    After an attempt without an answer, a missing task may have been ended by that attempt; a lost
    lock proves that it was not.
    """
    then = after_report(report, row[0], in_doubt=True, is_own=is_own).name

    assert then == ("UNPROVEN" if row[1] == "GONE" else row[1])


def test_each_error_is_in_the_table_of_reports() -> None:
    """
    A new class of errors needs a decision.
    """
    assert {type(error) for error, *_ in _REPORTS} >= ERRORS


# ----------------------------------------------------------------------------------------- fetches

#: What follows a fetch, and one that asks for deserialized objects.
_FETCHES: Final[tuple[tuple[CamundaError, str, str], ...]] = (
    (OutcomeUnknown(), "LOST", "LOST"),
    (OutcomeUnknown(status=502), "LOST", "LOST"),
    (OutcomeUnknown(status=503), "LOST", "LOST"),
    (EngineBusy(status=503), "ID_IN_USE", "ID_IN_USE"),
    (EngineBusy(status=500), "BACK_OFF", "BACK_OFF"),
    (EngineBusy(status=400), "BACK_OFF", "BACK_OFF"),
    (EngineBusy(status=429), "BACK_OFF", "BACK_OFF"),
    (Unauthorized(status=401), "CREDENTIALS", "CREDENTIALS"),
    (Forbidden(status=403), "CREDENTIALS", "CREDENTIALS"),
    (EngineFailure(status=500), "BACK_OFF", "LOST"),
    (NotSent(), "BACK_OFF", "BACK_OFF"),
    (NotFound(status=404), "BACK_OFF", "BACK_OFF"),
    (TaskNotFound(status=404), "BACK_OFF", "BACK_OFF"),
    (NotTheEngine(status=503), "BACK_OFF", "BACK_OFF"),
    (LockLost(status=400), "BACK_OFF", "BACK_OFF"),
    (BadRequest(status=400), "BACK_OFF", "BACK_OFF"),
    (Suspended(status=400), "BACK_OFF", "BACK_OFF"),
    (Conflict(status=500), "BACK_OFF", "BACK_OFF"),
    (NoAnswer(), "BACK_OFF", "BACK_OFF"),
    (Refused(status=400), "BACK_OFF", "BACK_OFF"),
    (CamundaError(), "BACK_OFF", "BACK_OFF"),
)


@pytest.mark.parametrize("row", _FETCHES, ids=[_named(row[0]) for row in _FETCHES])
def test_what_follows_a_fetch(row: tuple[CamundaError, str, str]) -> None:
    """
    Only where tasks may be locked is the worker id changed, and are they looked for.
    """
    error, plain, deserialized = row

    assert after_fetch(error, deserializes=False) is AfterFetch[plain]
    assert after_fetch(error, deserializes=True) is AfterFetch[deserialized]


def test_each_error_is_in_the_table_of_fetches() -> None:
    """
    A new class of errors needs a decision.
    """
    assert {type(error) for error, *_ in _FETCHES} >= ERRORS


@pytest.mark.parametrize(
    ("then", "streak", "chance", "seconds"),
    [
        (AfterFetch.BACK_OFF, 1, 0.0, 0.0),
        (AfterFetch.BACK_OFF, 1, 1.0, 0.1),
        (AfterFetch.BACK_OFF, 2, 1.0, 0.2),
        (AfterFetch.BACK_OFF, 5, 0.5, 0.8),
        (AfterFetch.BACK_OFF, 9, 1.0, 25.6),
        (AfterFetch.BACK_OFF, 10, 1.0, 30.0),
        (AfterFetch.BACK_OFF, 10_000, 0.5, 15.0),
        (AfterFetch.ID_IN_USE, 1, 1.0, 0.1),
        (AfterFetch.LOST, 1, 1.0, 0.0),
        (AfterFetch.LOST, 2, 1.0, 0.2),
        (AfterFetch.LOST, 10_000, 1.0, 30.0),
        (AfterFetch.CREDENTIALS, 1, 0.0, 5.0),
        (AfterFetch.CREDENTIALS, 1, 1.0, 5.0),
        (AfterFetch.CREDENTIALS, 3, 1.0, 20.0),
        (AfterFetch.CREDENTIALS, 3, 0.1, 5.0),
        (AfterFetch.CREDENTIALS, 5, 1.0, 60.0),
        (AfterFetch.CREDENTIALS, 10_000, 0.5, 30.0),
    ],
)
def test_wait_before_the_next_fetch(
    then: AfterFetch, streak: int, chance: float, seconds: float
) -> None:
    """
    Twice as long each time, up to half a minute; at once after the first lost answer, and slowly
    where an engine would lock the user.
    """
    assert backoff(then, streak, chance) == pytest.approx(seconds)


# -------------------------------------------------------------------------------------- extensions

#: What follows an extension, and a lock in its place.
_EXTENSIONS: Final[tuple[tuple[Exception | None, str, str], ...]] = (
    (None, "KEPT", "KEPT"),
    (TaskNotFound(status=404), "GONE", "GONE"),
    (lock_lost("other#1"), "TAKEN", "TAKEN"),
    (lock_lost("w#2"), "AGAIN", "AGAIN"),
    (lock_lost(None), "LOCK", "STOP"),
    (Suspended(status=400), "LOCK", "STOP"),
    # The engine may be older than the operation `lock`; but it has `extend_lock`.
    (NotFound(status=404), "AGAIN", "STOP"),
    (NotTheEngine(status=404), "AGAIN", "AGAIN"),
    (BadRequest(status=400), "AGAIN", "AGAIN"),
    (Conflict(status=500), "AGAIN", "AGAIN"),
    (EngineBusy(status=503), "AGAIN", "AGAIN"),
    (EngineFailure(status=500), "AGAIN", "AGAIN"),
    (Unauthorized(status=401), "AGAIN", "AGAIN"),
    (Forbidden(status=403), "AGAIN", "AGAIN"),
    (NotSent(), "AGAIN", "AGAIN"),
    (NoAnswer(), "AGAIN", "AGAIN"),
    (OutcomeUnknown(), "AGAIN", "AGAIN"),
    (Refused(status=400), "AGAIN", "AGAIN"),
    (CamundaError(), "AGAIN", "AGAIN"),
)


@pytest.mark.parametrize("row", _EXTENSIONS, ids=[_named(row[0]) for row in _EXTENSIONS])
def test_what_follows_an_extension(row: tuple[Exception | None, str, str]) -> None:
    """
    A task is lost when the engine says so, and for nothing else.
    """
    error, extended, locked = row

    assert after_extension(error, locking=False, is_own=is_own) is AfterExtension[extended]
    assert after_extension(error, locking=True, is_own=is_own) is AfterExtension[locked]


def test_each_error_is_in_the_table_of_extensions() -> None:
    """
    A new class of errors needs a decision.
    """
    assert {type(error) for error, *_ in _EXTENSIONS} >= ERRORS


# ----------------------------------------------------------------------------- waits of the reports


@pytest.mark.parametrize(
    ("then", "attempt", "lock_duration", "chance", "seconds"),
    [
        (AfterReport.HELD, 1, 30.0, 1.0, 5.0),
        (AfterReport.HELD, 50, 30.0, 0.0, 5.0),
        (AfterReport.HELD, 1, 6.0, 1.0, 2.0),
        (AfterReport.LOCK_AGAIN, 1, 30.0, 1.0, 0.0),
        (AfterReport.LOCK_AGAIN, 2, 30.0, 1.0, 0.2),
        (AfterReport.LOCK_AGAIN, 3, 30.0, 0.0, 0.2),
        (AfterReport.AGAIN, 1, 30.0, 0.0, 0.05),
        (AfterReport.AGAIN, 1, 30.0, 1.0, 0.1),
        (AfterReport.AGAIN, 4, 30.0, 0.5, 0.6),
        (AfterReport.AGAIN, 10_000, 30.0, 0.0, 15.0),
        (AfterReport.AGAIN, 10_000, 30.0, 1.0, 30.0),
        (AfterReport.AGAIN_IN_LOCK, 2, 30.0, 1.0, 0.2),
    ],
)
def test_wait_before_a_report_is_sent_again(
    then: AfterReport, attempt: int, lock_duration: float, chance: float, seconds: float
) -> None:
    """
    Twice as long each time; a result that is held is tried while its lock lasts.
    """
    assert report_wait(then, attempt, lock_duration, chance) == pytest.approx(seconds)


# ------------------------------------------------------------------------------ how much to ask for

slot_numbers = st.integers(1, 10_000)
durations = st.floats(1e-6, 1e6)


@pytest.mark.parametrize(
    ("slots", "task_time", "fetch_time", "was_full", "number"),
    [
        (32, 0.007, 0.007, True, 64),
        (32, 0.0035, 0.007, True, 64),
        (32, 0.0001, 0.007, True, 64),
        (32, 0.02, 0.007, True, 22),
        (32, 10.0, 0.007, True, 0),
        (32, inf, 0.007, True, 0),
        (32, 0.0, 0.007, True, 0),
        (32, 0.0001, 0.007, False, 0),
        (1, 0.007, 0.007, True, 2),
        (1, 0.008, 0.007, True, 0),
    ],
)
def test_as_many_are_fetched_ahead_as_end_during_a_fetch(
    slots: int, task_time: float, fetch_time: float, was_full: bool, number: int
) -> None:
    """
    At most twice the slots, and only where there seem to be more.
    """
    assert ahead(slots, task_time, fetch_time, was_full=was_full) == number


@pytest.mark.parametrize(
    ("slots", "held", "more", "number"),
    [
        (8, 0, 0, 8),
        (8, 7, 0, 1),
        (8, 8, 0, 0),
        (8, 9, 0, 0),
        (8, 24, 0, 0),
        (8, 8, 16, 16),
        (8, 16, 16, 8),
        (8, 17, 16, 0),  # not yet worth a fetch
        (8, 24, 16, 0),
        (8, 8, 1, 1),
        (8, 8, 3, 3),
        (8, 10, 3, 1),
        (8, 11, 3, 0),
        (0, 3, 0, 0),  # all slots are stuck
    ],
)
def test_what_is_free_and_what_is_ahead_is_asked_for(
    slots: int, held: int, more: int, number: int
) -> None:
    """
    Unless it is less than half of what is fetched ahead.
    """
    assert ask(slots, held, more) == number


@given(
    slots=slot_numbers,
    share=st.floats(0, 4),
    task_time=durations,
    fetch_time=durations,
    was_full=st.booleans(),
)
def test_a_worker_never_holds_more_than_three_times_its_slots(
    slots: int, share: float, task_time: float, fetch_time: float, was_full: bool
) -> None:
    """
    It asks for no negative number, for nothing if there is no room, and for something if a slot is
    free.
    """
    held = int(slots * share)
    more = ahead(slots, task_time, fetch_time, was_full=was_full)
    number = ask(slots, held, more)

    assert number >= 0
    assert number == 0 or held + number <= 3 * slots
    assert number == 0 or held < slots + more
    assert number > 0 or held >= slots


@given(slots=slot_numbers, task_time=durations, fetch_time=durations, was_full=st.booleans())
def test_an_idle_worker_asks_for_all_its_slots(
    slots: int, task_time: float, fetch_time: float, was_full: bool
) -> None:
    """
    And for no more if the last fetch brought fewer tasks than it asked for.
    """
    number = ask(slots, 0, ahead(slots, task_time, fetch_time, was_full=was_full))

    assert number >= slots
    assert was_full or number == slots


@given(slots=slot_numbers, fetch_time=durations, factor=st.floats(1, 1e6, exclude_min=True))
def test_nothing_is_fetched_ahead_of_long_tasks(
    slots: int, fetch_time: float, factor: float
) -> None:
    """
    If no task ends during a fetch, another worker should have it.
    """
    assert ahead(slots, slots * fetch_time * factor, fetch_time, was_full=True) == 0


@given(
    slots=st.integers(1, 20),
    task_time=durations,
    fetch_time=durations,
    steps=st.lists(st.tuples(st.booleans(), st.integers(0, 60)), max_size=50),
)
def test_what_is_held_stays_within_bounds_and_comes_back_to_all_slots(
    slots: int, task_time: float, fetch_time: float, steps: list[tuple[bool, int]]
) -> None:
    """
    A worker that fetches, from more or fewer tasks than it asks for, and ends tasks in between.
    """
    held, was_full = 0, False
    for fetches, number in steps:
        if fetches:
            asked = ask(slots, held, ahead(slots, task_time, fetch_time, was_full=was_full))
            received = min(asked, number)
            if asked:
                was_full = received == asked
            held += received
        else:
            held -= min(held, number)
        assert 0 <= held <= 3 * slots

    assert ask(slots, 0, ahead(slots, task_time, fetch_time, was_full=False)) == slots


# -------------------------------------------------------------------------------------------- polls


@pytest.mark.parametrize(
    ("longest", "due", "now", "seconds"),
    [
        (5.0, inf, 1000.0, 5.0),
        (5.0, 1010.0, 1000.0, 5.0),
        (5.0, 1003.0, 1000.0, 3.02),
        (5.0, 1000.0, 1000.0, 0.1),
        (5.0, 990.0, 1000.0, 0.1),
        (0.05, inf, 1000.0, 0.1),
    ],
)
def test_a_poll_ends_when_a_retry_is_due(
    longest: float, due: float, now: float, seconds: float
) -> None:
    """
    A little later, and at most ten times a second.
    """
    assert poll_time(longest, due, now) == pytest.approx(seconds)


@given(longest=st.floats(0.1, 1800), wait=st.floats(-1e6, 1e6), now=st.floats(0, 1e6))
def test_a_poll_is_no_longer_than_it_may_be(longest: float, wait: float, now: float) -> None:
    """
    Whenever the retry is due; and one that is due within the poll is past at its end.
    """
    seconds = poll_time(longest, now + wait, now)

    assert 0.1 <= seconds <= longest
    assert seconds == longest or now + seconds > now + wait


# -------------------------------------------------------------------------------------------- locks


@given(
    duration=st.integers(1, 3_600_000).map(lambda ms: ms / 1000),
    locked_at=st.integers(0, 10_000_000).map(lambda ms: ms / 1000),
    skew=st.integers(-10_000_000, 10_000_000).map(lambda ms: ms / 1000),
    held_back=st.integers(0, 60_000).map(lambda ms: ms / 1000),
    transit=st.integers(0, 60_000).map(lambda ms: ms / 1000),
)
def test_a_fetched_lock_is_not_counted_on_for_too_long(
    duration: float, locked_at: float, skew: float, held_back: float, transit: float
) -> None:
    """
    Whatever the engine's clock says, and although the date of its answer has whole seconds. Only
    how long the answer was on its way cannot be known. A lock that is over already has ended a
    second ago.
    """
    expires = locked_at + duration
    answered = locked_at + held_back
    received = answered + transit
    date = (answered + skew) // 1
    left = expires + skew - date
    lease = Lease.fetched("w#1", duration, left, received)

    error = 1e-6  # of adding floats
    assert lease.until <= max(expires + transit, received - 1.0) + error
    assert lease.until <= received + duration - 1.0 + error
    assert lease.due <= received + duration / 3 + error
    assert lease.due <= max(expires + transit + 1.0, received) - duration * 2 / 3 + error
    assert (lease.worker_id, lease.duration) == ("w#1", duration)


@given(
    duration=st.floats(0.001, 3600),
    sent=st.floats(0, 1e6),
    there=st.floats(0, 60),
)
def test_an_extended_lock_is_not_counted_on_for_too_long(
    duration: float, sent: float, there: float
) -> None:
    """
    The engine counts from when the request came, so that the lock lasts longer, and never shorter.
    """
    lease = Lease("w#1", 5.0, 0.0, 0.0).extended(duration, sent)
    expires = sent + there + duration

    assert lease.until <= expires
    assert sent < lease.due < lease.until
    assert lease == Lease("w#1", duration, sent + duration, sent + duration / 3)


@pytest.mark.parametrize(
    ("left", "until", "due"),
    [
        (30.0, 1029.0, 1010.0),
        (None, 1029.0, 1010.0),
        (31.0, 1029.0, 1010.0),  # more than was asked for: the date is up to a second early
        (24.0, 1023.0, 1004.0),
        (20.0, 1019.0, 1000.0),
        (5.0, 1004.0, 985.0),
        (0.0, 999.0, 980.0),
        (-7.0, 999.0, 980.0),
    ],
)
def test_a_fetched_lock_is_extended_after_a_third(
    left: float | None, until: float, due: float
) -> None:
    """
    At once if a third of it is over when it comes.
    """
    assert Lease.fetched("w#1", 30.0, left, 1000.0) == Lease("w#1", 30.0, until, due)


@pytest.mark.parametrize(
    ("until", "due"),
    [
        (1030.0, 1001.0),
        (1004.0, 1001.0),
        (1002.0, 1000.5),
        (1000.2, 1000.05),
        (1000.1, 1000.05),
        (1000.0, 1001.0),
        (900.0, 1001.0),
    ],
)
def test_a_failed_extension_is_tried_again_before_the_end(until: float, due: float) -> None:
    """
    Ever sooner; after the end once a second, as nobody may have taken the task.
    """
    lease = Lease("w#1", 30.0, until, 1000.0).again(1000.0)

    assert lease.due == pytest.approx(due)
    assert (lease.worker_id, lease.duration, lease.until) == ("w#1", 30.0, until)


# ------------------------------------------------------------------------------------ waiting tasks

_IDS: Final = st.sampled_from(["a", "b", "c", "d"])
_TIMES: Final = st.integers(0, 20)


@given(
    st.lists(
        st.tuples(st.just("add"), _IDS, _TIMES)
        | st.tuples(st.just("discard"), _IDS, st.just(0))
        | st.tuples(st.just("look"), st.just(""), _TIMES),
        max_size=60,
    )
)
def test_waiting_tasks_are_those_of_a_plain_table(steps: list[tuple[str, str, int]]) -> None:
    """
    With the latest due time of each task, until it is held again, or due.
    """
    waiting, model = Waiting(), dict[str, int]()
    for step, task_id, time in steps:
        if step == "add":
            waiting.add(task_id, time)
            model[task_id] = time
        elif step == "discard":
            waiting.discard(task_id)
            model.pop(task_id, None)
        else:
            model = {one: due for one, due in model.items() if due > time}
            assert waiting.next_due(time) == min(model.values(), default=inf)
        assert sorted(waiting.ids(-1.0)) == sorted(model)
        assert sorted(waiting.ids(10.0)) == sorted(one for one, due in model.items() if due > 10)

    assert waiting.next_due(-1.0) == min(model.values(), default=inf)
    assert waiting.next_due(20.0) == inf
    assert waiting.ids(-1.0) == ()
