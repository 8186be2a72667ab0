"""
Values on one line, for a prompt and a log.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from unicodedata import category

import pytest

from camunda_ext import (
    Batch,
    BatchStatistics,
    ExternalTask,
    LockedExternalTask,
    Retry,
    Sorting,
    Timeout,
    Topic,
    Variables,
    VariableValue,
)
from camunda_ext._wire.text import visible
from camunda_ext.dto import CountResult, ExternalTaskFailure, VariableQueryParameter, Version

MOMENT = datetime(2026, 11, 22, 9, 30, tzinfo=timezone.utc)

SHOWN: list[tuple[object, str]] = [
    (
        ExternalTask(id="4711", topic_name="invoice", retries=0, create_time=MOMENT),
        (
            "ExternalTask(id='4711', topic_name='invoice', create_time=2026-11-22T09:30:00Z, "
            "retries=0)"
        ),
    ),
    (
        LockedExternalTask(
            id="4711",
            worker_id="worker-1",
            priority=50,
            variables=Variables.of({"amount": 1250}),
        ),
        (
            "LockedExternalTask(id='4711', worker_id='worker-1', priority=50, "
            "variables=<Variables {'amount': 1250 (Integer)}>)"
        ),
    ),
    (ExternalTask(), "ExternalTask()"),
    (CountResult(count=0), "CountResult(count=0)"),
    (Version(version="7.24.0"), "Version(version='7.24.0')"),
    (
        Batch(id="b1", total_jobs=0, suspended=False),
        "Batch(id='b1', total_jobs=0, suspended=False)",
    ),
    (BatchStatistics(id="b1", completed_jobs=3), "BatchStatistics(id='b1', completed_jobs=3)"),
    (
        ExternalTaskFailure(worker_id="w", retries=0),
        "ExternalTaskFailure(worker_id='w', retries=0)",
    ),
    (Sorting("createTime"), "Sorting(sort_by='createTime', sort_order='asc')"),
    (
        Topic("invoice", lock_duration=60_000, variables=[]),
        "Topic(topic_name='invoice', lock_duration=60000, variables=())",
    ),
    (
        VariableQueryParameter("due", "eq", None),
        "VariableQueryParameter(name='due', operator='eq', value=None)",
    ),
    (VariableValue(value=False, type="Boolean"), "VariableValue(value=False, type='Boolean')"),
    (VariableValue(type="Null"), "VariableValue(type='Null')"),
    (Retry(), "Retry(attempts=5, rollback_attempts=20, first_delay=0.05, longest_delay=5.0)"),
    (Timeout(connect=None), "Timeout(connect=None, read=60.0, total=120.0)"),
]


@pytest.mark.parametrize(("value", "shown"), SHOWN, ids=[row[1][:40] for row in SHOWN])
def test_a_value_is_shown_as_it_is_made(value: object, shown: str) -> None:
    """
    What says nothing is left out; what nobody knows by heart is not.
    """
    assert repr(value) == shown


@pytest.mark.parametrize(
    "value",
    [
        Sorting("id", "desc"),
        Topic("invoice", lock_duration=60_000, tenant_id_in=["a"], process_variables={"n": 1.5}),
        VariableValue(value={"name": "Müller"}, type="Json", value_info={"a": 1}),
        Timeout(connect=None, total=5.0),
        Retry(attempts=1, first_delay=0),
        ExternalTask(id="4711", business_key="order-17", priority=-1),
    ],
    ids=repr,
)
def test_what_is_shown_whole_can_be_evaluated(value: object) -> None:
    """
    It is copied from a prompt into a test.
    """
    assert eval(repr(value)) == value  # noqa: S307  # that it can be evaluated is what is promised


def test_a_moment_keeps_its_offset() -> None:
    """
    Whoever wrote it in another zone sees it there.
    """
    moment = datetime(2026, 11, 22, 9, 30, 0, 125_000, timezone(timedelta(hours=-3)))

    assert repr(ExternalTask(create_time=moment)) == (
        "ExternalTask(create_time=2026-11-22T09:30:00.125000-03:00)"
    )


def test_what_is_long_is_cut_and_no_python_then() -> None:
    """
    Nobody takes the beginning of a message for all of it.
    """
    shown = repr(ExternalTask(error_message="x" * 666))

    assert shown == f"ExternalTask(error_message='{'x' * 99}...)"
    with pytest.raises(SyntaxError):
        compile(shown, "<shown>", "eval")


def test_no_value_is_shown_at_great_length() -> None:
    """
    A hundred odd characters are escapes of a thousand, and a list has any number of items.
    """
    task = LockedExternalTask(
        error_message="\U000e0001" * 666,
        variables=Variables.of({f"name{number}": "" for number in range(1000)}),
    )

    assert repr(task) == (
        "LockedExternalTask("
        "error_message='\\U000e0001\\U000e0001\\U000e0001\\U000e0001\\U000e0001"
        "\\U000e0001\\U000e0001\\U000e0001\\U000e0001\\U000e000..., "
        "variables=<Variables {'name0': '' (String), 'name1': '' (String), "
        "'name2': '' (String), 'name3': '' (String), ...)"
    )


class Loud:
    """
    Something of a user's that shows itself on two lines, and in colour.
    """

    def __repr__(self) -> str:
        return "\x1b[31mfirst\nsecond\u202e"


def test_what_shows_itself_in_its_own_way_is_made_visible() -> None:
    """
    A value may hold anything before it is sent.
    """
    assert repr(VariableValue(value=Loud())) == (
        "VariableValue(value=\\x1b[31mfirst\\nsecond\\u202e)"
    )


def test_what_has_a_shape_stays() -> None:
    """
    Text of any language, and emoji.
    """
    text = "Größe 注文 עברית عربي 😀 e\u0301 100 % [red] <b>"

    assert visible(text) == text


def test_no_character_without_a_shape_stays() -> None:
    """
    All that there are: controls, formats, halves of pairs, private ones, unassigned ones, and
    spaces and line breaks but for the plain space.
    """
    shown = visible("".join(map(chr, range(0x110000))))

    assert {category(one) for one in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} == set()
    assert {one for one in shown if category(one) == "Zs"} == {" "}
    assert visible("a\tb\r\n\x1b[0m\x9b\u202e\u2028\ud83d\xa0") == (
        "a\\tb\\r\\n\\x1b[0m\\x9b\\u202e\\u2028\\ud83d\\xa0"
    )
