"""
Answers, fields of requests, and URLs.
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timezone
from types import GenericAlias
from typing import Any

import attrs
import pytest

from camunda_ext import Batch, ExternalTask, LockedExternalTask, Sorting
from camunda_ext._wire.decode import decode
from camunda_ext._wire.encode import encode
from camunda_ext._wire.urls import url
from camunda_ext.dto import CompleteExternalTask, CountResult

UTC = timezone.utc
ID = "id"

#: Python's own words for the 31st of November.
_NO_DAY = (
    "day 31 must be in range 1..30 for month 11 in year 2026"
    if sys.version_info >= (3, 14)
    else "day is out of range for month"
)


@pytest.mark.parametrize(
    ("content", "kind", "told"),
    [
        (b'{"count": "1"}', CountResult, "expected int, not str '1' @ answer.count"),
        (b'{"count": null}', CountResult, "missing @ answer.count"),
        (b'{"id": 5}', ExternalTask, "expected str, not int 5 @ answer.id"),
        (
            b'{"id": "t1", "priority": true}',
            ExternalTask,
            "expected int, not bool True @ answer.priority",
        ),
        (
            b'{"id": "t1", "lockExpirationTime": "yesterday"}',
            ExternalTask,
            "'yesterday' is not a date as servers since 7.8 write it @ answer.lock_expiration_time",
        ),
        (
            b'{"id": "t1", "variables": []}',
            LockedExternalTask,
            "expected dict, not list [] @ answer.variables",
        ),
        (
            b'{"id": 5, "priority": "1"}',
            ExternalTask,
            "expected str, not int 5 @ answer.id; expected int, not str '1' @ answer.priority",
        ),
        (b"[[]]", tuple[ExternalTask, ...], "expected dict, not list [] @ answer[0]"),
        (b"{}", tuple[ExternalTask, ...], "expected list, not dict {} @ answer"),
        (b'["a", 1]', tuple[str, ...], "expected str, not int 1 @ answer[1]"),
        (
            b'[{"id": "a"}, {"id": "b", "retries": "3"}]',
            tuple[ExternalTask, ...],
            "expected int, not str '3' @ answer[1].retries",
        ),
        (
            b'[{"id": "a"}, {"id": "b", "createTime": "2026-11-31T13:14:15.250+0000"}]',
            tuple[ExternalTask, ...],
            f"{_NO_DAY} @ answer[1].create_time",
        ),
        (
            b'[{"id": "a"}, {"error": "no"}]',
            tuple[ExternalTask, ...],
            "does not look like ExternalTask @ answer[1]",
        ),
    ],
)
def test_what_is_wrong_with_an_answer_is_named(content: bytes, kind: type[Any], told: str) -> None:
    """
    The error names the field and what stood there, however quickly other answers are read.
    """
    with pytest.raises(ValueError, match="JSON of the wrong shape") as caught:
        decode(content, kind)

    assert str(caught.value) == f"JSON of the wrong shape: {told}"


def test_objects_of_one_page_may_differ_in_their_fields() -> None:
    """
    Null, missing and set fields are told apart object by object.
    """
    content = (
        b'[{"id": "a", "priority": 1, "suspended": true, "topicName": "x"},'
        b' {"id": "b", "priority": null, "suspended": null, "topicName": null},'
        b' {"id": "c"},'
        b' {"id": "d", "createTime": "2026-11-22T13:14:15.250+0000", "retries": 3}]'
    )

    assert decode(content, tuple[ExternalTask, ...]) == (
        ExternalTask(id="a", priority=1, suspended=True, topic_name="x"),
        ExternalTask(id="b"),
        ExternalTask(id="c"),
        ExternalTask(
            id="d", create_time=datetime(2026, 11, 22, 13, 14, 15, 250000, UTC), retries=3
        ),
    )


def test_long_numbers_stay_exact_where_users_put_them() -> None:
    """
    Elsewhere the engine has none, and what a younger one may add is not looked at.
    """
    long = str(2**64 + 1).encode()
    (locked,) = decode(
        b'[{"id": "a", "variables": {"n": {"value": %b}}}]' % long, tuple[LockedExternalTask, ...]
    )
    (task,) = decode(b'[{"id": "a", "later": %b}]' % long, tuple[ExternalTask, ...])

    assert locked.variables["n"] == 2**64 + 1
    assert task == ExternalTask(id="a")
    with pytest.raises(ValueError, match=r"expected int, not float 1.8.* @ answer\[0\].priority"):
        decode(b'[{"id": "a", "priority": %b}]' % long, tuple[ExternalTask, ...])


def test_what_is_read_is_of_its_class_and_frozen() -> None:
    """
    However an instance was made, it is as if made by its class.
    """
    (read,) = decode(b'[{"id": "a"}]', tuple[LockedExternalTask, ...])
    made = LockedExternalTask(id="a")

    assert type(read) is LockedExternalTask
    assert (read, hash(read), repr(read)) == (made, hash(made), repr(made))
    assert attrs.evolve(read, id="b") == LockedExternalTask(id="b")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(read, ID, "b")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        delattr(read, ID)


def test_each_task_has_collections_of_its_own() -> None:
    """
    A default that can change is made anew for each object.
    """
    one, other = decode(b'[{"id": "a"}, {"id": "b"}]', tuple[LockedExternalTask, ...])

    assert one.variables is not other.variables
    assert one.extension_properties is not other.extension_properties


@attrs.frozen
class Short:
    """
    A class that checks its field, and has one that nobody gives it.
    """

    id: str = attrs.field(validator=attrs.validators.max_len(3))
    length: int | None = attrs.field(init=False, default=None)


@attrs.frozen
class Checked:
    """
    A class with more in it than fields.
    """

    id: str = attrs.field(validator=attrs.validators.max_len(3))
    part: CountResult | None = None
    seen: list[str] = attrs.field(init=False, factory=list)

    def __attrs_post_init__(self) -> None:
        self.seen.append(self.id)


@attrs.frozen
class Plain:
    """
    A class with one field, which it checks.
    """

    id: str = attrs.field(validator=attrs.validators.max_len(3))


def test_any_attrs_class_is_read() -> None:
    """
    Validators run, and what has fields of other kinds is read as well, alone and in a page.
    """
    made = Checked("abc", CountResult(count=3))

    assert decode(b'{"id": "abc", "part": {"count": 3}}', Checked) == made
    assert decode(b'[{"id": "abc", "part": {"count": 3}}]', tuple[Checked, ...]) == (made,)
    with pytest.raises(ValueError, match="JSON of the wrong shape"):
        decode(b'{"id": "abcd", "part": {"count": 3}}', Checked)


def _loud(text: str) -> str:
    return text.upper()


@attrs.define(slots=False, kw_only=True)
class Various:
    """
    A class of fields that no answer of an engine has.
    """

    parts: tuple[CountResult, ...]
    counts: list[CountResult]
    share: float = 0.5
    named: dict[str, CountResult] | None = None
    _short: Short | None = None
    text: str = attrs.field(default="", converter=_loud)


def test_fields_of_other_types_are_read_by_cattrs() -> None:
    """
    Which reads what they hold by the same rules, and names the way to what is odd.
    """
    content = {
        "parts": [{"count": 1}],
        "counts": [{"count": 2}, {"count": 3, "later": 1}],
        "share": 1.5,
        "named": {"a": {"count": 4}},
        "short": {"id": "abc"},
        "text": "a",
    }
    odd = {
        **content,
        "parts": [{"count": 1}, {"count": "1"}],
        "counts": [{"count": 2.0}],
        "share": 1,
        "short": {},
    }

    assert decode(json.dumps(content).encode(), Various) == Various(
        parts=(CountResult(count=1),),
        counts=[CountResult(count=2), CountResult(count=3)],
        share=1.5,
        named={"a": CountResult(count=4)},
        short=Short("abc"),
        text="a",
    )
    with pytest.raises(ValueError, match="JSON of the wrong shape") as caught:
        decode(json.dumps(odd).encode(), Various)
    assert str(caught.value).removeprefix("JSON of the wrong shape: ").split("; ") == [
        "expected int, not str '1' @ answer.parts[1].count",
        "expected int, not float 2.0 @ answer.counts[0].count",
        "expected float, not int 1 @ answer.share",
    ]


@pytest.mark.parametrize("kind", [Plain, Short, Checked])
def test_what_a_validator_refuses_is_told(kind: type[Any]) -> None:
    """
    What a class does not take is an answer of the wrong shape; a field that it makes is ignored.
    """
    page: Any = GenericAlias(tuple, (kind, ...))

    assert decode(b'{"id": "abc", "length": 3}', kind) == kind("abc")
    assert decode(b'[{"id": "abc", "length": 3}]', page) == (kind("abc"),)
    with pytest.raises(ValueError, match="Length of 'id' must be <= 3"):
        decode(b'{"id": "abcd", "length": null}', kind)
    with pytest.raises(ValueError, match=r"Length of 'id' must be <= 3.* @ answer\[1\]"):
        decode(b'[{"id": "abc"}, {"id": "abcd"}]', page)


@pytest.mark.parametrize(
    "unlike",
    [
        {"priority": None},
        {"createTime": "2026-11-22T13:14:15+01:00"},
        {"createTime": "33715-01-01T00:00:00.000+0000"},
        {"retries": 3, "suspended": None},
        {"tenantId": "t", "later": "of a younger engine"},
        {"workerId": "w", "lockExpirationTime": "2026-11-22T13:14:15.250-0530"},
    ],
)
def test_a_page_is_read_as_its_objects_are(unlike: dict[str, Any]) -> None:
    """
    Wherever the one that differs is, in however large a page.
    """
    alike = {
        "id": "t",
        "priority": 5,
        "createTime": "2026-11-22T13:14:15.250+0000",
        "suspended": True,
    }
    page = [alike] * 600
    page[123] = page[555] = alike | unlike
    task, other = (
        decode(json.dumps(one).encode(), ExternalTask) for one in (alike, alike | unlike)
    )
    expected = [task] * 600
    expected[123] = expected[555] = other

    assert task != other
    for separators in ((",", ":"), (", ", ": ")):
        content = json.dumps(page, separators=separators).encode()
        assert decode(content, tuple[ExternalTask, ...]) == tuple(expected)


def test_pages_are_not_read_by_cattrs() -> None:
    """
    Which takes three times as long, and is loaded for what is odd.
    """
    code = (
        "import sys\n"
        "from camunda_ext import ExternalTask\n"
        "from camunda_ext._wire.decode import decode\n"
        "for content in (b'[]', b'[{\"id\":\"a\"}]', b'[' + b'{\"id\":\"a\"},' * 9999 + b'{}]'):\n"
        "    try:\n"
        "        decode(content, tuple[ExternalTask, ...])\n"
        "    except ValueError:\n"
        "        print('odd')\n"
        "    print('cattrs' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout.split() == ["False", "False", "odd", "True"]


@pytest.mark.parametrize("place", [0, 300, 599])
def test_an_odd_task_of_a_long_page_is_named(place: int) -> None:
    """
    By its place in the page.
    """
    page: list[object] = [{"id": "t", "errorMessage": "-" * 100}] * 600
    page[place] = {"id": "t", "errorMessage": 5}
    content = json.dumps(page, separators=(",", ":")).encode()

    with pytest.raises(
        ValueError, match=rf"expected str, not int 5 @ answer\[{place}\].error_message"
    ):
        decode(content, tuple[ExternalTask, ...])


def test_values_print_as_they_are_made() -> None:
    """
    What is printed of a value can be read by its author.
    """
    assert repr(Sorting("createTime")) == "Sorting(sort_by='createTime', sort_order='asc')"
    assert repr(CountResult(count=3)) == "CountResult(count=3)"


def test_values_of_different_classes_differ() -> None:
    """
    A batch is not its statistics, and a task found is not a task locked.
    """
    assert ExternalTask(id="a") != LockedExternalTask(id="a")
    assert ExternalTask(id="a") != Batch(id="a")
    assert ExternalTask(id="a") != "a"


def test_only_what_is_given_is_sent() -> None:
    """
    ``None`` is left out; a value that is null is not.
    """
    body = CompleteExternalTask(worker_id="w", local_variables={"a": None})

    assert encode(body) == {
        "workerId": "w",
        "localVariables": {"a": {"value": None, "type": "Null"}},
    }


def test_a_url_is_encoded() -> None:
    """
    An id is one segment; a plus, a space and an umlaut in a parameter arrive as they are.
    """
    ids = {"task_id": "a:1 ü", "name": "aaaa-1"}
    params = {"x": "1+1", "y": "a b", "z": "ü", "plain": "abc"}

    assert url("http://h/engine-rest", "/a/{task_id}/b/{name}", ids, params) == (
        "http://h/engine-rest/a/a%3A1%20%C3%BC/b/aaaa-1?x=1%2B1&y=a+b&z=%C3%BC&plain=abc"
    )
    assert url("http://h", "/version", {}, {}) == "http://h/version"


@pytest.mark.parametrize("task_id", ["", ".", "..", "a/b", "a\\b", "\x00", "count", "a" * 256])
def test_what_is_no_id_is_refused(task_id: str) -> None:
    """
    Nothing is sent to where another operation lives.
    """
    with pytest.raises(ValueError, match="task_id"):
        url("http://h", "/external-task/{task_id}", {"task_id": task_id}, {})
