"""
When a request is sent again: the whole table, written down a second time by hand.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Final

import pytest
from hypothesis import given, strategies as st

from camunda_ext import CamundaError, ExternalTaskClient, errors
from camunda_ext._call.backoff import Quota, Retry, delay, retry_after
from camunda_ext._call.rules import RULES, Resend, Rule, failure_kind, rule_of
from camunda_ext._http.messages import FailureKind
from camunda_ext.errors import (
    BadRequest,
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
from camunda_ext.hooks import Failed
from tests.stub import OPERATIONS

# --------------------------------------------------------------------------------------- the table

#: In the order of the columns: not sent, not now, rolled back, database, failed, no answer, timed
#: out, too large.
_KINDS: Final = (
    FailureKind.NOT_SENT,
    FailureKind.NOT_NOW,
    FailureKind.ROLLED_BACK,
    FailureKind.DATABASE,
    FailureKind.FAILED,
    FailureKind.NO_ANSWER,
    FailureKind.TIMED_OUT,
    FailureKind.TOO_LARGE,
)
_LETTERS: Final = {"A": Resend.AGAIN, "L": Resend.LOOK, "X": Resend.LAST_LOOK, "S": Resend.STOP}

#: Again, look, look for the last time, or stop, for each operation of the client.
_TABLE: Final = {
    "list": "AAAASAAS",
    "count": "AAAASAAS",
    "get": "AAAASAAS",
    "error_details": "AAAASAAS",
    "topic_names": "AAAASAAS",
    "variable_file": "AAAASAAS",
    "log_list": "AAAASAAS",
    "log_count": "AAAASAAS",
    "log_get": "AAAASAAS",
    "log_error_details": "AAAASAAS",
    "batch": "AAAASAAS",
    "batch_statistics": "AAAASAAS",
    "version": "AAAASAAS",
    "fetch_and_lock": "AAASSSSS",
    "set_retries_async": "AAASSSSS",
    "set_retries_of by query": "AAASSSSS",
    "complete": "AALLXALA",
    "bpmn_error": "AALLXALA",
    "failure": "AALLXLLL",
    "unlock": "AALLXLLL",
    "lock": "AAAAXAAA",
    "extend_lock": "AAAAXAAA",
    "set_priority": "AAAAXAAA",
    "set_retries": "AAAAXAAA",
    "set_retries_of": "AAAASAAA",
    "suspend_batch": "AAAASAAA",
    "activate_batch": "AAAASAAA",
    "delete_batch": "AAAASAAA",
    "request": "SSSSSSSS",
}

#: What is left to be raised as it is, though an earlier attempt may have been done.
_SETTLES: Final[dict[str, tuple[type[Refused], ...]]] = {
    "complete": (LockLost,),
    "bpmn_error": (LockLost,),
    "lock": (LockLost, TaskNotFound),
    "extend_lock": (LockLost, TaskNotFound),
    "failure": (),
    "unlock": (),
    "fetch_and_lock": (),
    "set_priority": (),
    "set_retries": (),
    "set_retries_of": (),
    "set_retries_of by query": (),
    "set_retries_async": (),
    "suspend_batch": (),
    "activate_batch": (),
    "delete_batch": (),
    "request": (),
}


def test_the_table_names_each_operation_of_the_client() -> None:
    """
    Nothing that the client can do is left to chance.
    """
    others = {"set_retries_of by query", "request"}
    assert {one.name for one in OPERATIONS} | others == set(_TABLE)


@pytest.mark.parametrize("operation", _TABLE)
@pytest.mark.parametrize(("column", "kind"), [*enumerate(_KINDS)], ids=str)
def test_each_cell_of_the_table_holds(operation: str, column: int, kind: FailureKind) -> None:
    """
    What is safe after a failed attempt depends on the operation and the kind of failure alone.
    """
    assert rule_of(operation).after[kind] is _LETTERS[_TABLE[operation][column]]


def test_whatever_changes_something_has_a_rule() -> None:
    """
    Without one it would be sent again like what only reads.
    """
    reads = {"list", "count", "log_list", "log_count"}
    changes = {one.name for one in OPERATIONS if one.method != "GET"} - reads

    assert changes <= set(RULES)


def test_there_are_no_other_cells() -> None:
    """
    A new operation, or a new kind of failure, needs a line here.
    """
    assert set(RULES) == set(_SETTLES)
    assert tuple(FailureKind) == _KINDS
    assert {len(rule.after) for rule in RULES.values()} == {8}


@pytest.mark.parametrize("operation", _TABLE)
def test_a_refusal_settles_what_it_proves(operation: str) -> None:
    """
    That the lock is another's proves that a task was not completed; that it is gone, nothing.
    """
    assert rule_of(operation).settles == _SETTLES.get(operation, (Refused,))


@pytest.mark.parametrize("operation", _TABLE)
def test_only_what_changes_something_can_be_in_doubt(operation: str) -> None:
    """
    Whoever reads has nothing to look at when no answer came.
    """
    assert (rule_of(operation).doubt is not None) == (operation in _SETTLES)


def test_an_unknown_operation_only_reads() -> None:
    """
    The looks of the client itself are such.
    """
    assert rule_of("log_list") == rule_of("anything else")
    assert isinstance(rule_of("anything else"), Rule)


# -------------------------------------------------------------------------------- kinds of failure

_DATABASE: Final = "ProcessEnginePersistenceException"


@pytest.mark.parametrize(
    ("error", "how", "kind"),
    [
        (NotSent(), FailureKind.NOT_SENT, FailureKind.NOT_SENT),
        (NotSent(), None, None),
        (EngineBusy(status=400), FailureKind.NO_ANSWER, FailureKind.NOT_NOW),
        (EngineBusy(status=429), FailureKind.NO_ANSWER, FailureKind.NOT_NOW),
        (EngineBusy(status=500), FailureKind.NO_ANSWER, FailureKind.NOT_NOW),
        (EngineBusy(status=503), FailureKind.NO_ANSWER, FailureKind.NOT_NOW),
        (Conflict(status=500, code=1), FailureKind.NO_ANSWER, FailureKind.ROLLED_BACK),
        (Conflict(status=500, code=10000), FailureKind.NO_ANSWER, FailureKind.ROLLED_BACK),
        (EngineFailure(status=500, type=_DATABASE), FailureKind.NO_ANSWER, FailureKind.DATABASE),
        (
            EngineFailure(status=500, type=_DATABASE, code=0),
            FailureKind.NO_ANSWER,
            FailureKind.DATABASE,
        ),
        (
            EngineFailure(status=500, type=_DATABASE, code=10001),
            FailureKind.NO_ANSWER,
            FailureKind.FAILED,
        ),
        (
            EngineFailure(status=500, type=_DATABASE, code=10002),
            FailureKind.NO_ANSWER,
            FailureKind.FAILED,
        ),
        (
            EngineFailure(status=500, type="ProcessEngineException"),
            FailureKind.NO_ANSWER,
            FailureKind.FAILED,
        ),
        (
            EngineFailure(status=500, type="NullValueException"),
            FailureKind.NO_ANSWER,
            FailureKind.FAILED,
        ),
        (EngineFailure(status=500), FailureKind.NO_ANSWER, FailureKind.FAILED),
        (NoAnswer(status=504), FailureKind.NO_ANSWER, FailureKind.TIMED_OUT),
        (OutcomeUnknown(status=504), FailureKind.NO_ANSWER, FailureKind.TIMED_OUT),
        (NoAnswer(status=502), FailureKind.NO_ANSWER, FailureKind.NO_ANSWER),
        (NoAnswer(status=200), FailureKind.NO_ANSWER, FailureKind.NO_ANSWER),
        (NoAnswer(), FailureKind.TIMED_OUT, FailureKind.TIMED_OUT),
        (NoAnswer(), FailureKind.TOO_LARGE, FailureKind.TOO_LARGE),
        (OutcomeUnknown(), FailureKind.NO_ANSWER, FailureKind.NO_ANSWER),
        (OutcomeUnknown(), FailureKind.TIMED_OUT, FailureKind.TIMED_OUT),
        (TaskNotFound(status=404), FailureKind.NO_ANSWER, None),
        (NotFound(status=404), FailureKind.NO_ANSWER, None),
        (LockLost(status=400), FailureKind.NO_ANSWER, None),
        (Unauthorized(status=401), FailureKind.NO_ANSWER, None),
        (Forbidden(status=403), FailureKind.NO_ANSWER, None),
        (BadRequest(status=400), FailureKind.NO_ANSWER, None),
        (Suspended(status=400), FailureKind.NO_ANSWER, None),
        (NotTheEngine(status=302), FailureKind.NO_ANSWER, None),
    ],
    ids=lambda one: repr(one)[:40],
)
def test_the_error_tells_the_kind_of_failure(
    error: CamundaError, how: FailureKind | None, kind: FailureKind | None
) -> None:
    """
    What would come again in the same way is not worth another attempt.
    """
    assert failure_kind(error, how) is kind


def test_each_class_of_errors_was_looked_at() -> None:
    """
    A new class of errors needs a line in the table above.
    """
    classes = {
        one
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, CamundaError)
    }

    assert classes - {CamundaError, Refused} == {
        NotSent,
        NotFound,
        TaskNotFound,
        LockLost,
        Unauthorized,
        Forbidden,
        BadRequest,
        Suspended,
        Conflict,
        EngineBusy,
        EngineFailure,
        NotTheEngine,
        NoAnswer,
        OutcomeUnknown,
    }


# ---------------------------------------------------------------------------------------- how long


@pytest.mark.parametrize(
    ("attempt", "first", "longest", "chance", "seconds"),
    [
        (1, 0.05, 5.0, 1.0, 0.05),
        (2, 0.05, 5.0, 1.0, 0.1),
        (3, 0.05, 5.0, 1.0, 0.2),
        (4, 0.05, 5.0, 1.0, 0.4),
        (7, 0.05, 5.0, 1.0, 3.2),
        (8, 0.05, 5.0, 1.0, 5.0),
        (1_000_000, 0.05, 5.0, 1.0, 5.0),
        (1_000_000, 0.0, 5.0, 1.0, 0.0),
        (1_000_000, 1.0, 0.0, 1.0, 0.0),
        (3, 0.05, 5.0, 0.5, 0.1),
        (3, 0.05, 5.0, 0.0, 0.0),
        (1, 10.0, 5.0, 1.0, 5.0),
    ],
)
def test_the_longest_delay_doubles(
    attempt: int, first: float, longest: float, chance: float, seconds: float
) -> None:
    """
    Up to its bound; and all of it is left to chance.
    """
    assert delay(attempt, first, longest, chance) == pytest.approx(seconds)


@given(
    st.integers(1, 10**6),
    st.floats(0, 4e6),
    st.floats(0, 4e6),
    st.floats(0, 1),
)
def test_a_delay_stays_within_its_bounds(
    attempt: int, first: float, longest: float, chance: float
) -> None:
    """
    Whatever was asked for, it is a time that can be waited for.
    """
    assert 0 <= delay(attempt, first, longest, chance) <= longest


# ------------------------------------------------------------------------- what the server asks for

_NOW: Final = datetime(2026, 11, 22, 13, 0, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("300", 300.0),
        ("301", 300.0),
        ("0000000000005", 5.0),
        ("Sun, 22 Nov 2026 13:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 14:00:30 +0100", 30.0),
        ("Sun, 22 Nov 2026 12:59:00 GMT", 0.0),
        # 73 years and 39 days, of which 18 years are leap years.
        ("Thu, 31 Dec 2099 13:00:00 GMT", 300.0),
        ("", None),
        ("   ", None),
        ("-1", None),
        ("1.5", None),
        ("+5", None),
        ("1e9", None),
        ("\u0665", None),
        ("\u00b2", None),
        ("soon", None),
        ("NaN", None),
        ("0x10", None),
        ("Sun, 22 Nov 2026 13:00:30", None),
        ("Sun, 99 Nov 2026 13:00:30 GMT", None),
        ("Sun, 22 Nov 99999 13:00:30 GMT", None),
        ("Sun, 22 Nov 2026 13:00:30 +9999", None),
        ("1, 2", None),
        ("\0", None),
    ],
)
def test_a_server_may_ask_to_wait(value: str, seconds: float | None) -> None:
    """
    By a number of seconds or by a date; anything else is no wish.
    """
    assert retry_after({"retry-after": value}, _NOW) == seconds


def test_a_server_may_ask_for_nothing() -> None:
    """
    Most answers have no such header.
    """
    assert retry_after({"content-type": "text/html"}, _NOW) is None


@pytest.mark.parametrize("digits", [10, 400, 100_000])
def test_a_number_without_end_is_long(digits: int) -> None:
    """
    It is neither an error nor an infinity.
    """
    assert retry_after({"retry-after": "9" * digits}, _NOW) == 300.0


_WORDS: Final = st.sampled_from(
    ["Sun,", "22", "Nov", "2026", "9999", "0", "13:00:30", "25:61:61", "GMT", "+9999", "-0000", ","]
)


@given(st.text() | st.lists(_WORDS).map(" ".join) | st.from_regex(r"[0-9: ,+A-Za-z-]*"))
def test_no_header_is_too_odd(value: str) -> None:
    """
    A server can write there what it likes.
    """
    asked = retry_after({"retry-after": value}, _NOW)

    assert asked is None or asked >= 0


# ---------------------------------------------------------------------------------------- a policy


@pytest.mark.parametrize(
    ("given_", "error"),
    [
        ({"attempts": 0}, ValueError),
        ({"attempts": -1}, ValueError),
        ({"attempts": 2.0}, TypeError),
        ({"attempts": "2"}, TypeError),
        ({"attempts": True}, TypeError),
        ({"attempts": None}, TypeError),
        ({"first_delay": -0.1}, ValueError),
        ({"first_delay": float("nan")}, ValueError),
        ({"first_delay": float("inf")}, ValueError),
        ({"first_delay": "1"}, TypeError),
        ({"first_delay": True}, TypeError),
        ({"longest_delay": -1}, ValueError),
        ({"longest_delay": 1e300}, ValueError),
        ({"longest_delay": None}, TypeError),
    ],
    ids=repr,
)
def test_a_policy_is_looked_at(given_: dict[str, Any], error: type[Exception]) -> None:
    """
    A mistake is told where it is made.
    """
    with pytest.raises(error, match=next(iter(given_))):
        Retry(**given_)


def test_a_policy_knows_its_defaults() -> None:
    """
    Five attempts, and from 50 ms to 5 s between them.
    """
    assert Retry() == Retry(attempts=5, first_delay=0.05, longest_delay=5.0)


def _failed(attempt: int, asked: float | None = None) -> Failed:
    return Failed(operation="count", attempt=attempt, error=NoAnswer(), retry_after=asked)


@pytest.mark.parametrize(
    ("policy", "failed", "wait"),
    [
        (Retry(attempts=3, first_delay=0), _failed(1), 0.0),
        (Retry(attempts=3, first_delay=0), _failed(2), 0.0),
        (Retry(attempts=3, first_delay=0), _failed(3), None),
        (Retry(attempts=3, first_delay=0), _failed(4), None),
        (Retry(attempts=1), _failed(1), None),
        (Retry(attempts=1), _failed(1, 5.0), None),
        (Retry(attempts=3, first_delay=0), _failed(1, 7.0), 7.0),
        (Retry(attempts=3, first_delay=0), _failed(1, 0.0), 0.0),
        # Asked for by the server, it is more than the policy's own longest.
        (Retry(attempts=3, longest_delay=1.0), _failed(1, 30.0), 30.0),
    ],
)
def test_a_policy_says_how_long_to_wait(policy: Retry, failed: Failed, wait: float | None) -> None:
    """
    A server's wish counts if it is the longer one; and at some point there is enough.
    """
    assert policy.wait(failed) == wait


def test_a_wait_is_left_to_chance() -> None:
    """
    Clients that failed together do not come back together.
    """
    waits = {Retry(first_delay=1.0).wait(_failed(3)) for _ in range(50)}

    assert len(waits) > 40
    assert all(wait is not None and 0 <= wait <= 4 for wait in waits)


@pytest.mark.parametrize("given_", [None, 3, 1.5, "always", ...], ids=repr)
def test_a_client_takes_a_policy_or_a_flag(given_: Any) -> None:
    """
    A number of attempts alone could be meant in several ways.
    """
    with pytest.raises(TypeError, match="retry must be a Retry, another policy or False"):
        ExternalTaskClient("http://127.0.0.1:1/engine-rest", retry=given_)


# --------------------------------------------------------------------------------------- the quota


def test_a_quota_is_for_a_hundred_resends() -> None:
    """
    Then there is none, until calls succeed again.
    """
    quota = Quota()

    assert [quota.take() for _ in range(102)] == [True] * 100 + [False] * 2
    assert quota.left == 0


def test_calls_that_succeed_fill_the_quota_again() -> None:
    """
    A little each; and what a call took is given back if it succeeds after all.
    """
    quota = Quota()
    for _ in range(100):
        quota.take()
    left = []
    for resends in (0, 0, 0, 0, 0, 2, 1):
        quota.give(resends)
        left.append(quota.left)

    assert left == [1, 2, 3, 4, 5, 15, 20]
    assert quota.take()


def test_a_quota_is_never_more_than_full() -> None:
    """
    A day without failures saves nothing up.
    """
    quota = Quota()
    quota.give(0)
    quota.give(10)

    assert quota.left == 500
