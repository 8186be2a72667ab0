"""
How often, and after which waits, failed tasks are tried again.
"""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from camunda_ext import ExternalTask
from camunda_ext.worker import BadInput, Decision, RetryDecider, TaskRetries

ERROR = LookupError("no such invoice")
#: Ten seconds, a minute, ten minutes.
THREE = TaskRetries(10_000, 60_000, 600_000)


def after(retries: TaskRetries, left: int | None, error: BaseException = ERROR) -> Decision:
    """
    What is reported for a failure of a task with so many retries left.
    """
    return retries.after(ExternalTask(id="t", retries=left), error)


def milliseconds(decision: Decision) -> int:
    """
    The wait of a decision.
    """
    assert isinstance(decision.retry_timeout, int)
    return decision.retry_timeout


# --------------------------------------------------------------------------------------- the table


@pytest.mark.parametrize(
    ("retries", "left", "reported", "wait"),
    [
        # The first failure: as many retries as there are waits.
        (THREE, None, 3, 10_000),
        (TaskRetries(7000), None, 1, 7000),
        (TaskRetries(), None, 0, 0),
        # Each later one has one less, and the next wait; the last opens an incident.
        (THREE, 3, 2, 60_000),
        (THREE, 2, 1, 600_000),
        (THREE, 1, 0, 0),
        (TaskRetries(7000), 1, 0, 0),
        # An operator has set more: they count down from there, with the first wait.
        (THREE, 4, 3, 10_000),
        (THREE, 5, 4, 10_000),
        (THREE, 2**31 - 1, 2**31 - 2, 10_000),
        (TaskRetries(7000), 3, 2, 7000),
        (TaskRetries(7000), 2, 1, 7000),
        # Without any wait, they count down at once.
        (TaskRetries(), 3, 2, 0),
        (TaskRetries(), 2, 1, 0),
        (TaskRetries(), 1, 0, 0),
        # No engine gives such a task to a worker, but a test may.
        (THREE, 0, 0, 0),
        (THREE, -1, 0, 0),
        # A wait of nothing is one.
        (TaskRetries(0, 60_000), None, 2, 0),
        (TaskRetries(0, 60_000), 2, 1, 60_000),
    ],
)
def test_retries_count_down(
    retries: TaskRetries, left: int | None, reported: int, wait: int
) -> None:
    """
    From the number of waits, or from what the task has.
    """
    decision = after(retries, left)

    assert decision.retries == reported
    assert 0.9 * wait <= milliseconds(decision) <= 1.1 * wait


def test_waits_differ_by_a_tenth_at_most() -> None:
    """
    They use the whole of it, so that tasks that failed together do not return together.
    """
    random.seed(7)
    waits = [milliseconds(after(TaskRetries(100_000), None)) for _ in range(2000)]

    assert min(waits) >= 90_000
    assert max(waits) <= 110_000
    assert min(waits) < 90_500
    assert max(waits) > 109_500
    assert 99_000 < sum(waits) / len(waits) < 101_000


@given(
    waits=st.lists(st.just(0) | st.integers(100, 10**12), max_size=5),
    left=st.none() | st.integers(-1, 2**31 - 1),
    chance=st.random_module(),
)
def test_retries_are_never_negative_and_waits_within_a_tenth(
    waits: list[int], left: int | None, chance: object
) -> None:
    """
    Whatever the waits are, and whatever the task has.
    """
    decision = after(TaskRetries(*waits), left)

    if left is None:
        assert decision.retries == len(waits)
    else:
        assert decision.retries == max(0, left - 1)
    assert any(0.9 * wait - 1 <= milliseconds(decision) <= 1.1 * wait + 1 for wait in (*waits, 0))
    assert decision.retries > 0 or milliseconds(decision) == 0


@given(waits=st.lists(st.just(0) | st.integers(100, 10**12), max_size=8), chance=st.random_module())
def test_a_task_that_always_fails_is_tried_once_more_than_there_are_waits(
    waits: list[int], chance: object
) -> None:
    """
    Each wait is used once, in order; then there is an incident.
    """
    retries, left, used = TaskRetries(*waits), None, []
    for _ in range(len(waits)):
        decision = after(retries, left)
        left = decision.retries
        used.append(milliseconds(decision))

    assert all(abs(one - wait) <= wait / 10 + 1 for one, wait in zip(used, waits, strict=True))
    assert after(retries, left) == Decision(0)


# ---------------------------------------------------------------------------------------- incidents


@pytest.mark.parametrize(
    ("retries", "error", "reported"),
    [
        (TaskRetries(1000), BadInput("amount is missing"), 0),
        (TaskRetries(1000), ValueError("amount is missing"), 1),
        (TaskRetries(1000, incident_on=()), BadInput("amount is missing"), 1),
        (TaskRetries(1000, incident_on=(LookupError,)), KeyError("amount"), 0),
        (TaskRetries(1000, incident_on=(LookupError,)), BadInput("amount is missing"), 1),
        (TaskRetries(1000, incident_on=(KeyError,)), LookupError("amount"), 1),
        (TaskRetries(1000, incident_on=(OSError, SystemExit)), SystemExit(1), 0),
    ],
)
def test_some_errors_open_an_incident_at_once(
    retries: TaskRetries, error: BaseException, reported: int
) -> None:
    """
    By default bad input alone.
    """
    assert after(retries, None, error).retries == reported
    assert after(retries, 9, error).retries == reported * 8


# ---------------------------------------------------------------------------------------- notations


@pytest.mark.parametrize(
    ("notation", "waits"),
    [
        ("R3/PT10M", (600_000, 600_000, 600_000)),
        ("R1/PT0S", (0,)),
        ("R0/PT10M", ()),
        ("PT10S,PT1M", (10_000, 60_000)),
        ("PT10S", (10_000,)),
        (" PT10S , PT1M ", (10_000, 60_000)),
        (" R2/ PT10S ", (10_000, 10_000)),
        ("PT0.25S", (250,)),
        ("PT1H30M", (5_400_000,)),
        ("PT90M", (5_400_000,)),
        ("P1D", (86_400_000,)),
        ("P1DT1S", (86_401_000,)),
        ("P2W", (1_209_600_000,)),
    ],
)
def test_notation_of_camunda_is_read(notation: str, waits: tuple[int, ...]) -> None:
    """
    That of ``failedJobRetryTimeCycle``.
    """
    assert TaskRetries.of(notation) == TaskRetries(*waits)


@pytest.mark.parametrize(
    "notation",
    [
        "",
        " ",
        ",",
        "PT10S,",
        ",PT10S",
        "PT10S;PT1M",
        "R3",
        "R3/",
        "/PT10M",
        "R/PT10M",
        "R-1/PT10M",
        "R1.5/PT10M",
        "R1001/PT10M",
        f"R{'9' * 5000}/PT10M",
        "R\xb3/PT10M",
        "r3/PT10M",
        "R3/PT10S,PT1M",
        "PT10S,R3/PT1M",
        "R3/R3/PT1M",
        "R3/2026-11-22T10:00:00/PT1M",
        "P",
        "PT",
        "P1DT",
        "T10S",
        "10S",
        "PT10",
        "P10S",
        "PT1D",
        "PTS",
        "PT.5S",
        "PT1.S",
        "PT1,5S",
        "PT1.5M",
        "PT-10S",
        "-PT10S",
        "pt10s",
        "PT10s",
        "PT10S PT1M",
        "PT1M1H",
        "PT1S1S",
        "P1M",
        "P1Y",
        "P1Y2M10DT2H30M",
        "PT\uff11S",
        "0 0 12 * * ?",
        "600",
        "P999999999999D",
        f"PT{'9' * 400}S",
        "R2/P999999999999W",
    ],
)
def test_other_notations_are_refused(notation: str) -> None:
    """
    A misread one would be noticed when the first task fails, or never.
    """
    with pytest.raises(ValueError, match=r"is no duration|number of retries|integer string"):
        TaskRetries.of(notation)


def test_notation_is_a_text() -> None:
    """
    A number would be milliseconds, or retries.
    """
    with pytest.raises(TypeError, match="notation must be a str, not int 3"):
        TaskRetries.of(3)  # type: ignore[arg-type]  # that is the point


def test_notation_takes_the_exceptions_as_well() -> None:
    """
    As the constructor does.
    """
    assert TaskRetries.of("PT1S", incident_on=(OSError,)) == TaskRetries(
        1000, incident_on=(OSError,)
    )


# ---------------------------------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("waits", "kind"),
    [
        ((-1,), ValueError),
        ((timedelta(seconds=-1),), ValueError),
        ((2**63,), ValueError),
        ((1.5,), TypeError),
        (("PT10S",), TypeError),
        ((None,), TypeError),
        ((True,), TypeError),
        (([1000],), TypeError),
        ((1000, -1), ValueError),
    ],
)
def test_wrong_waits_are_refused(waits: tuple[Any, ...], kind: type[Exception]) -> None:
    """
    When the handler is registered, not when its first task fails.
    """
    with pytest.raises(kind, match="each of retry_timeouts"):
        TaskRetries(*waits)


@pytest.mark.parametrize("kinds", [LookupError, [LookupError], (LookupError("a"),), ("KeyError",)])
def test_wrong_exceptions_are_refused(kinds: Any) -> None:
    """
    They are types, in a tuple, as after ``except``.
    """
    with pytest.raises(TypeError, match="incident_on must be a tuple of exception types, not"):
        TaskRetries(1000, incident_on=kinds)


@pytest.mark.parametrize(
    ("retries", "retry_timeout", "kind"),
    [
        (-1, 0, ValueError),
        (2**31, 0, ValueError),
        (1.0, 0, TypeError),
        (True, 0, TypeError),
        (None, 0, TypeError),
        (1, -1, ValueError),
        (1, 0.5, TypeError),
        (1, None, TypeError),
    ],
)
def test_wrong_decisions_are_refused(
    retries: Any, retry_timeout: Any, kind: type[Exception]
) -> None:
    """
    Those of a decider of one's own.
    """
    with pytest.raises(kind, match=r"^retr"):
        Decision(retries, retry_timeout)


def test_policies_are_values() -> None:
    """
    Equal if they decide alike; the repr shows the waits in milliseconds.
    """
    same = TaskRetries(timedelta(seconds=1), timedelta(minutes=1))

    assert same == TaskRetries(1000, 60_000)
    assert hash(same) == hash(TaskRetries(1000, 60_000))
    assert same != TaskRetries(60_000, 1000)
    assert same != TaskRetries(1000, 60_000, incident_on=())
    assert repr(same) == "TaskRetries(1000, 60000)"
    assert isinstance(same, RetryDecider)
