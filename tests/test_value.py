"""
Values on one line, for a prompt and a log.
"""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final
from unicodedata import category

import pytest

from camunda_ext import (
    Batch,
    BatchResult,
    BatchStatistics,
    BulkProblem,
    BulkSummary,
    ExternalTask,
    HistoricExternalTaskLog,
    LockedExternalTask,
    Retry,
    Sorting,
    Timeout,
    Topic,
    Variables,
    VariableValue,
    typed,
)
from camunda_ext._wire.text import visible
from camunda_ext._wire.value import to_json
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
    (ExternalTask(id=""), "ExternalTask(id='')"),
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

    assert repr(ExternalTask(id="t1", create_time=moment)) == (
        "ExternalTask(id='t1', create_time=2026-11-22T09:30:00.125000-03:00)"
    )


def test_what_is_long_is_cut_and_no_python_then() -> None:
    """
    Nobody takes the beginning of a message for all of it.
    """
    shown = repr(ExternalTask(id="t1", error_message="x" * 666))

    assert shown == f"ExternalTask(id='t1', error_message='{'x' * 99}...)"
    with pytest.raises(SyntaxError):
        compile(shown, "<shown>", "eval")


def test_no_value_is_shown_at_great_length() -> None:
    """
    A hundred odd characters are escapes of a thousand, and a list has any number of items.
    """
    task = LockedExternalTask(
        id="t1",
        error_message="\U000e0001" * 666,
        variables=Variables.of({f"name{number}": "" for number in range(1000)}),
    )

    assert repr(task) == (
        "LockedExternalTask(id='t1', "
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


# ----------------------------------------------------------------------------------------- as JSON

#: What a variable is, and what JSON has for it.
VARIABLES: Final[dict[str, tuple[Any, Any]]] = {
    "nothing": (None, None),
    "text": ("注文 \ud83d", "注文 \ud83d"),
    "flag": (True, True),
    "long": (2**62, 2**62),
    "double": (1.5, 1.5),
    "date": (MOMENT.replace(microsecond=250_000), "2026-11-22T09:30:00.250+00:00"),
    "day": (date(2026, 11, 22), "2026-11-22"),
    "bytes": (b"\x00\xff", "AP8="),
    "decimal": (Decimal("1.50"), "1.50"),
    "json": ({"a": [1, None, {"b": "c"}]}, {"a": [1, None, {"b": "c"}]}),
    "nan": (VariableValue(value="NaN", type="Double"), "NaN"),
    "infinite": (VariableValue(value="-Infinity", type="Double"), "-Infinity"),
    "xml": (typed.xml("<a/>"), "<a/>"),
    "object": (typed.object("[1]", type_name="java.util.List"), [1]),
}


def test_a_task_is_what_json_has() -> None:
    """
    For a web page, its variables too.
    """
    task = LockedExternalTask(
        id="4711",
        lock_expiration_time=MOMENT,
        retries=0,
        variables=Variables.of({name: value for name, (value, _) in VARIABLES.items()}),
        extension_properties={"a": None},
    )
    written = json.loads(json.dumps(task.to_dict(), allow_nan=False))

    assert written["variables"] == {name: plain for name, (_, plain) in VARIABLES.items()}
    assert {name: value for name, value in written.items() if value and name != "variables"} == {
        "id": "4711",
        "lock_expiration_time": "2026-11-22T09:30:00.000+00:00",
        "extension_properties": {"a": None},
    }
    assert (written["retries"], written["worker_id"], written["suspended"]) == (0, None, False)


def test_what_python_cannot_hold_is_described() -> None:
    """
    A file without its contents, and what Java has serialized.
    """
    java = {
        "objectTypeName": "a.B",
        "serializationDataFormat": "application/x-java-serialized-object",
    }
    task = LockedExternalTask(
        id="t1",
        variables=Variables(
            {
                "file": VariableValue(type="File", value_info={"filename": "a.pdf"}),
                "java": VariableValue(type="Object", value="AP8=", value_info=java),
            }
        ),
    )

    assert task.to_dict()["variables"] == {
        "file": {"filename": "a.pdf", "mime_type": None, "encoding": None},
        "java": {"type_name": "a.B", "content": "AP8="},
    }


def test_a_variable_that_cannot_be_read_is_named() -> None:
    """
    As where it is asked for.
    """
    odd = Variables({"due": VariableValue(type="Date", value="soon")})

    with pytest.raises(ValueError, match="variable 'due' of type Date cannot be read"):
        LockedExternalTask(id="t1", variables=odd).to_dict()


def test_batches_and_summaries_are_what_json_has() -> None:
    """
    With all that they hold.
    """
    summary = BulkSummary(
        call="unlock()",
        matched=2,
        failed=(BulkProblem("t1", "no"),),
        dry_run=True,
        first=(ExternalTask(id="t2", create_time=MOMENT),),
    ).to_dict()
    [first] = summary["first"]

    assert BatchStatistics(id="b1", start_time=MOMENT, failed_jobs=1).to_dict() == {
        "id": "b1",
        "type": "",
        "total_jobs": None,
        "jobs_created": None,
        "batch_jobs_per_seed": None,
        "invocations_per_batch_job": None,
        "seed_job_definition_id": None,
        "monitor_job_definition_id": None,
        "batch_job_definition_id": None,
        "suspended": None,
        "tenant_id": None,
        "create_user_id": None,
        "start_time": "2026-11-22T09:30:00.000+00:00",
        "execution_start_time": None,
        "remaining_jobs": 0,
        "completed_jobs": 0,
        "failed_jobs": 1,
    }
    assert summary["failed"] == [{"task_id": "t1", "error": "no"}]
    assert (first["id"], first["create_time"]) == ("t2", "2026-11-22T09:30:00.000+00:00")
    assert BatchResult(batch_id="b1", finished=True).to_dict() == {
        "batch_id": "b1",
        "finished": True,
        "gone": False,
        "total_jobs": None,
        "failed_jobs": 0,
        "waiting_jobs": 0,
        "suspended": False,
    }


@pytest.mark.parametrize("event", ["creation", "failure", "success", "deletion", None])
def test_an_entry_tells_its_kind(event: str | None) -> None:
    """
    By the one flag that is set, if any is.
    """
    flags: dict[str, Any] = {} if event is None else {f"{event}_log": True}
    entry = HistoricExternalTaskLog(id="h1", **flags)

    assert entry.event == entry.to_dict()["event"] == event


def test_what_json_has_no_form_for_is_refused() -> None:
    """
    Rather than written in a form that nobody expects.
    """
    with pytest.raises(TypeError, match=r"timedelta .* has no form in JSON"):
        to_json({"a": [timedelta(1)]})
