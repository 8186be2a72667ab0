"""
Python values to typed variables and back.
"""

from __future__ import annotations

import base64
import enum
import json
import math
import pickle
from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs
import numpy
import pandas  # type: ignore[import-untyped]
import pytest
from hypothesis import given, strategies as st

from camunda_ext import (
    ExternalTaskQuery,
    File,
    JavaObject,
    LockedExternalTask,
    Topic,
    Variables,
    VariableValue,
    typed,
)
from camunda_ext._wire.dates import MODERN
from camunda_ext._wire.decode import decode
from camunda_ext._wire.encode import encode
from camunda_ext.dto import Priority
from camunda_ext.variables import from_typed

SAMPLES = Path(__file__).parent / "samples"
UTC = timezone.utc
JAVA = "application/x-java-serialized-object"


class Colour(enum.Enum):
    RED = "red"
    SEVEN = 7


@attrs.frozen
class Line:
    sku: str
    price: Decimal


@attrs.frozen
class Invoice:
    number: int
    total: Decimal
    lines: list[Line]
    due: datetime
    day: date
    key: UUID
    colour: Colour
    rate: float = 0.5
    note: str | None = None
    raw: bytes = b""


def nested(depth: int) -> list[Any]:
    """
    Give lists in lists.
    """
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def sent(value: object) -> Any:
    """
    Give the variable ``v`` as it goes over the wire.
    """
    return encode(Variables.of({"v": value}))["v"]


#: A Python value, and what goes over the wire for it.
WRITTEN: list[tuple[object, dict[str, Any]]] = [
    (None, {"value": None, "type": "Null"}),
    (True, {"value": True, "type": "Boolean"}),
    (2**31 - 1, {"value": 2147483647, "type": "Integer"}),
    (2**31, {"value": 2147483648, "type": "Long"}),
    (-(2**31), {"value": -2147483648, "type": "Integer"}),
    (-(2**31) - 1, {"value": -2147483649, "type": "Long"}),
    (2**63 - 1, {"value": 9223372036854775807, "type": "Long"}),
    (0.5, {"value": 0.5, "type": "Double"}),
    (math.inf, {"value": "Infinity", "type": "Double"}),
    (-math.inf, {"value": "-Infinity", "type": "Double"}),
    (math.nan, {"value": "NaN", "type": "Double"}),
    ("a\ud83d", {"value": "a\ud83d", "type": "String"}),
    (b"\x00\x01\x02\xff", {"value": "AAEC/w==", "type": "Bytes"}),
    (bytearray(b"\x00"), {"value": "AA==", "type": "Bytes"}),
    (
        datetime(2026, 11, 22, 8, 15, 30, 250999, UTC),
        {"value": "2026-11-22T08:15:30.250+0000", "type": "Date"},
    ),
    (date(2026, 11, 22), {"value": "2026-11-22", "type": "String"}),
    (Decimal("1.10"), {"value": "1.10", "type": "String"}),
    (UUID(int=1), {"value": "00000000-0000-0000-0000-000000000001", "type": "String"}),
    (Colour.RED, {"value": "red", "type": "String"}),
    (Colour.SEVEN, {"value": 7, "type": "Integer"}),
    ({"a_b": [1, None, {"c": "é"}]}, {"value": '{"a_b":[1,null,{"c":"\\u00e9"}]}', "type": "Json"}),
    ((1, 2.5), {"value": "[1,2.5]", "type": "Json"}),
    (
        {"d": Decimal("1.10"), "t": datetime(2026, 1, 2, tzinfo=UTC), "e": Colour.RED},
        {"value": '{"d":"1.10","t":"2026-01-02T00:00:00.000+00:00","e":"red"}', "type": "Json"},
    ),
    (Line("A1", Decimal("2.50")), {"value": '{"sku":"A1","price":"2.50"}', "type": "Json"}),
    (typed.short(-32768), {"value": -32768, "type": "Short"}),
    (typed.xml("<a/>"), {"value": "<a/>", "type": "Xml"}),
    (
        typed.object("[]", type_name="java.util.ArrayList"),
        {
            "value": "[]",
            "type": "Object",
            "valueInfo": {
                "objectTypeName": "java.util.ArrayList",
                "serializationDataFormat": "application/json",
            },
        },
    ),
    (
        typed.file(b"hello", "hello.txt", mime_type="text/plain", encoding="UTF-8"),
        {
            "value": "aGVsbG8=",
            "type": "File",
            "valueInfo": {"filename": "hello.txt", "mimeType": "text/plain", "encoding": "UTF-8"},
        },
    ),
    (typed.file(b"", "e"), {"value": "", "type": "File", "valueInfo": {"filename": "e"}}),
    (
        typed.transient(datetime(2026, 1, 2, tzinfo=UTC)),
        {"value": "2026-01-02T00:00:00.000+0000", "type": "Date", "valueInfo": {"transient": True}},
    ),
    (
        typed.transient(typed.file(b"", "e")),
        {"value": "", "type": "File", "valueInfo": {"filename": "e", "transient": True}},
    ),
    (VariableValue(value=42), {"value": 42}),
    (
        VariableValue(value="12 EUR", type="Money", value_info={"scale": 2}),
        {"value": "12 EUR", "type": "Money", "valueInfo": {"scale": 2}},
    ),
    (VariableValue(type="String"), {"value": None, "type": "String"}),
]


@pytest.mark.parametrize(("value", "wire"), WRITTEN, ids=lambda value: repr(value)[:40])
def test_a_python_value_gets_its_type(value: object, wire: dict[str, Any]) -> None:
    """
    The engine never has to guess a type: what it guesses for a list nobody can read.
    """
    assert sent(value) == wire


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (2**63, ValueError),
        (-(2**63) - 1, ValueError),
        (datetime(2026, 1, 1), ValueError),
        ({"at": datetime(2026, 1, 1)}, ValueError),
        ({"x": math.nan}, ValueError),
        ([math.inf], ValueError),
        ({1: "a"}, TypeError),
        ({"a": {2: 3}}, TypeError),
        ({1, 2}, TypeError),
        ([b"bytes"], TypeError),
        (..., TypeError),
        (1j, TypeError),
        ("x" * 4001, ValueError),
        ("\U0001f600" * 2001, ValueError),
        (datetime(1582, 10, 10, tzinfo=UTC), ValueError),
        (File(filename="a.txt"), ValueError),
        (VariableValue(type="File", value_info={"filename": "a.txt"}), ValueError),
        (VariableValue(value={"a": 1}), ValueError),
        (VariableValue(value=2**63), ValueError),
        (VariableValue(value="{", type="Json"), ValueError),
        (nested(3000), ValueError),
    ],
    ids=lambda value: repr(value)[:40] if not isinstance(value, list) else "list",
)
def test_what_has_no_type_is_refused(value: object, error: type[Exception]) -> None:
    """
    The error names the variable, and comes before anything is sent.
    """
    with pytest.raises(error, match=r"'v'|calendar"):
        sent(value)


ENGINES_OWN = {"objectTypeName": "java.util.ArrayList", "serializationDataFormat": JAVA}
FILE = {"filename": "a.txt", "mimeType": "text/plain; charset=utf-8", "encoding": "UTF-8"}


@pytest.mark.parametrize(
    ("kind", "value", "info"),
    [
        ("Boolean", "true", {}),
        ("boolean", False, {}),
        ("Short", -(2**15), {}),
        ("Integer", "-5", {}),
        ("Long", "9223372036854775807", {}),
        ("Long", 7, {}),
        ("Double", "NaN", {}),
        ("Double", "-Infinity", {}),
        ("Double", 2**53, {}),
        ("Double", "1.5e-7", {}),
        ("Date", "2026-01-02T03:04:05.678+0130", {}),
        ("Date", "12026-02-28T03:04:05.678+0000", {}),
        ("Bytes", "", {}),
        ("File", "YQ==", FILE),
        ("Object", None, {}),
        ("String", "", {}),
        ("Xml", "<a/>", {}),
        ("JSON", {"a": 1}, {}),
        ("Money", "12 EUR", {}),
    ],
)
def test_a_value_of_its_type_goes_as_it_is(kind: str, value: Any, info: dict[str, Any]) -> None:
    """
    Also as the text that the engine itself writes; types that it does not know pass.
    """
    wire = {"type": kind, "value": value, **({"valueInfo": info} if info else {})}

    assert sent(VariableValue(type=kind, value=value, value_info=info)) == wire


@pytest.mark.parametrize(
    ("kind", "value", "info"),
    [
        *(
            (kind, value, {})
            for kind in ("Boolean", "Short", "Integer", "Long", "Double", "Date", "Bytes", "Null")
            for value in (" ", " null", '"q"', "5 ", [1])
        ),
        ("", "x", {}),
        ("String", 5, {}),
        ("string", "x" * 4001, {}),
        ("Boolean", 1, {}),
        ("Short", 2**15, {}),
        ("Integer", True, {}),
        ("Integer", "05", {}),
        ("Integer", "\u0665", {}),
        ("Long", 2**63, {}),
        ("Long", 1.0, {}),
        ("Double", 2**53 + 1, {}),
        ("Double", 10**400, {}),
        ("Double", "1e400" * 80, {}),
        ("Date", "2026-01-02T03:04:05.678123+0000", {}),
        ("Date", "2026-13-02T03:04:05.678+0000", {}),
        ("Date", "2025-02-29T03:04:05.678+0000", {}),
        ("Date", "12025-02-29T03:04:05.678+0000", {}),
        ("Date", "2026-01-02T03:04:05.678+2500", {}),
        ("Date", "1582-10-10T00:00:00.000+0000", {}),
        ("date", "2026-01-02T03:04:05.678Z", {}),
        ("Date", datetime(2026, 1, 2), {}),
        ("Bytes", "YQ", {}),
        ("Bytes", b"a", {}),
        ("File", b"a", FILE),
        ("File", None, FILE),
        ("File", "YQ==", {}),
        ("File", "YQ==", {**FILE, "mimeType": None}),
        ("File", "YQ==", {**FILE, "mimeType": "pdf"}),
        ("File", "YQ==", {**FILE, "encoding": "UTF 8"}),
        ("Object", "rO0AB", ENGINES_OWN),
        ("Object", [1], {**ENGINES_OWN, "serializationDataFormat": "application/json"}),
        ("Object", "[]", {"objectTypeName": "java.util.ArrayList"}),
        ("Json", {"a": 1}, {}),
        ("Xml", 5, {}),
        ("Number", 5, {}),
        ("Integer", 5, {"transient": "yes"}),
    ],
)
def test_a_value_that_the_engine_would_take_for_another_is_refused(
    kind: str, value: Any, info: dict[str, Any]
) -> None:
    """
    It would store null for a blank, March for a 30th of February, and say nothing.
    """
    with pytest.raises((ValueError, TypeError), match="'v'"):
        sent(VariableValue(type=kind, value=value, value_info=info))


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        (numpy.int64(5), {"value": 5, "type": "Integer"}),
        (numpy.uint64(2**40), {"value": 2**40, "type": "Long"}),
        (numpy.float32(1.5), {"value": 1.5, "type": "Double"}),
        (numpy.bool_(True), {"value": True, "type": "Boolean"}),
        (numpy.str_("a"), {"value": "a", "type": "String"}),
        (numpy.bytes_(b"a"), {"value": "YQ==", "type": "Bytes"}),
        (pandas.Series([7]).iloc[0], {"value": 7, "type": "Integer"}),
        (
            pandas.Timestamp("2026-01-02T03:04:05.678901234+01:00"),
            {"value": "2026-01-02T03:04:05.678+0100", "type": "Date"},
        ),
        (
            {"n": numpy.int8(1), "all": [numpy.bool_(False), numpy.float64(0.5)]},
            {"value": '{"n":1,"all":[false,0.5]}', "type": "Json"},
        ),
        (VariableValue(value=numpy.int16(5), type="Long"), {"value": 5, "type": "Long"}),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_scalars_of_numpy_and_pandas_are_what_they_stand_for(value: object, wire: object) -> None:
    """
    A row of a data frame has them.
    """
    assert json.loads(json.dumps(sent(value))) == wire


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (pandas.NaT, "NaT"),
        ([pandas.NaT], "NaT"),
        (numpy.datetime64("NaT", "ns"), "NaT"),
        (numpy.timedelta64("NaT", "ns"), "NaT"),
        (numpy.datetime64("2026-01-02"), "datetime64"),
        (pandas.Timestamp("2026-01-02"), "aware"),
        (pandas.NA, "NAType"),
        (numpy.array([1]), "ndarray"),
        (numpy.complex128(1), "complex"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_stands_for_no_value_is_refused_by_name(value: object, told: str) -> None:
    """
    And so is a date without a zone, of NumPy too.
    """
    with pytest.raises((TypeError, ValueError), match=f"'v'.*{told}"):
        sent(value)


def test_numbers_of_numpy_are_numbers_everywhere() -> None:
    """
    Of commands and of queries.
    """
    query = ExternalTaskQuery().priority_higher_than_or_equals(numpy.int32(3))  # type: ignore[arg-type]
    query = query.process_variable("n", "eq", numpy.int64(5))  # type: ignore[arg-type]
    values: Any = {"n": numpy.int64(5)}
    topic = Topic("t", lock_duration=1000, process_variables=values)

    assert query.body() == {
        "priorityHigherThanOrEquals": 3,
        "processVariables": [{"name": "n", "operator": "eq", "value": 5}],
    }
    assert topic.process_variables == {"n": 5}
    priority: Any = numpy.int64(4)
    assert json.dumps(encode(Priority(priority=priority))) == '{"priority": 4}'


HELD = {
    "long": VariableValue(value=7, type="Long"),
    "xml": VariableValue(value="<a/>", type="Xml"),
    "object": typed.object("[1]", type_name="java.util.ArrayList"),
    "moment": VariableValue(value="2026-01-02T03:04:05.678+0100", type="Date"),
    "status": VariableValue(value="new", type="String"),
    "java": VariableValue(value="rO0ABQ==", type="Object", value_info=ENGINES_OWN),
    "file": VariableValue(type="File", value_info=FILE),
    "shown": VariableValue(value={"x": 1}, type="Object", value_info={"objectTypeName": "X"}),
    "broken": VariableValue(value="{", type="Json"),
}
KEPT = ("long", "xml", "object", "moment")


def test_variables_can_be_changed_in_part() -> None:
    """
    What does not change keeps its type, and what cannot be sent is left out, so that it stays.
    """
    variables = Variables(HELD)
    changed = variables | {"status": "done", "file": b"new"}

    assert encode(changed) == {
        **encode(Variables({name: HELD[name] for name in KEPT})),
        "status": {"value": "done", "type": "String"},
        "file": {"value": "bmV3", "type": "Bytes"},
    }
    assert Variables.of(changed) == changed
    assert {"status": "done", "more": 1} | variables == Variables(
        {
            **{name: HELD[name] for name in KEPT},
            "status": HELD["status"],
            "more": VariableValue(value=1, type="Integer"),
        }
    )
    assert dict(variables | Line("A1", Decimal("2.50")))["price"] == "2.50"
    assert (variables | variables) == Variables({name: HELD[name] for name in (*KEPT, "status")})
    for other in (5, [("a", 1)], Line):
        with pytest.raises(TypeError):
            variables | other


def test_what_java_has_serialized_is_not_sent_back() -> None:
    """
    It would break at a later step of the process, and the error says what to do.
    """
    java = Variables(HELD)["java"]

    assert java == JavaObject(type_name="java.util.ArrayList", content=b"\xac\xed\x00\x05")
    for value in (java, HELD["java"]):
        with pytest.raises(ValueError, match="leave it out, and it stays as it is"):
            sent(value)
    with pytest.raises(ValueError, match="'file' is a file without its contents: leave it out"):
        Variables.of({**Variables({"file": HELD["file"]})})


@pytest.mark.parametrize(
    "mime_type",
    ["application/pdf", "text/plain;charset=utf-8", 'a/b ; c="d; e"; f=g', "image/svg+xml", "*/*"],
)
def test_a_file_has_a_type_that_can_be_given_back(mime_type: str) -> None:
    """
    Any type with its parameters.
    """
    made = typed.file(b"", "a", mime_type=mime_type, encoding="windows-1252")

    assert made.value_info["mimeType"] == mime_type


@pytest.mark.parametrize(
    "told",
    [
        *(
            {"mime_type": odd}
            for odd in ("pdf", "", " ", "a/b/c", "a#b/c", "a/b;c", "ä/b", "a/b\r\nX: y")
        ),
        *({"encoding": odd} for odd in ("", "UTF 8", "UTF-8#", "ä", "utf-8\r\nX: y")),
    ],
)
def test_a_file_that_nobody_could_read_is_refused(told: dict[str, str]) -> None:
    """
    The engine stores it, and fails whoever asks for it.
    """
    with pytest.raises(ValueError, match="must be"):
        typed.file(b"", "a", **told)


@pytest.mark.parametrize(
    "make",
    [
        lambda: typed.short(32768),
        lambda: typed.short(True),
        lambda: typed.file("text", "a"),  # type: ignore[arg-type]
        lambda: typed.file(b"", ""),
        lambda: typed.file(b"", None),  # type: ignore[arg-type]
        lambda: typed.xml(b"<a/>"),  # type: ignore[arg-type]
        lambda: typed.object("", type_name=""),
        lambda: typed.object("rO0AB", type_name="x", format="application/x-java-serialized-object"),
        lambda: typed.object({}, type_name="x"),  # type: ignore[arg-type]
        lambda: typed.object("nope", type_name="x"),
        lambda: typed.transient(object()),
        lambda: Variables.of({1: "a"}),  # type: ignore[dict-item]
        lambda: Variables.of({"n" * 256: "a"}),
        lambda: Variables.of(["a"]),  # type: ignore[arg-type]
        lambda: Variables.of("ab"),  # type: ignore[arg-type]
        lambda: Variables.of(Invoice),  # type: ignore[arg-type]
    ],
)
def test_wrong_typed_values_are_refused(make: Any) -> None:
    """
    What the engine would answer with a 500 is an error at the call.
    """
    with pytest.raises((TypeError, ValueError)):
        make()


def test_names_are_never_changed() -> None:
    """
    Camel case is for the engine's own fields, not for users' names.
    """
    given_names = {"snake_case": 1, "camelCase": 2, "": 3, "a/b": 4, "_x": 5}

    assert list(encode(Variables.of(given_names))) == list(given_names)


def test_every_type_is_read_as_the_engine_writes_it() -> None:
    """
    A fetched task gives a Python value for every type, and what came beside it.
    """
    content = (SAMPLES / "fetch_and_lock" / "every_type.json").read_bytes()
    variables = decode(content, tuple[LockedExternalTask, ...])[0].variables
    values = dict(variables)

    assert math.isnan(values.pop("nan"))
    assert values == {
        "customer": "Müller & Söhne",
        "count": 3,
        "tiny": -7,
        "big": 9007199254740993,
        "total": 119.5,
        "paid": False,
        "due": datetime(2026, 12, 1, tzinfo=timezone(timedelta(hours=1))),
        "raw": b"\x00\x01\x02\xff",
        "nothing": None,
        "pdf": File(filename="invoice.pdf", mime_type="application/pdf", encoding="UTF-8"),
        "items": [{"sku": "A1", "qty": 2}],
        "order": '<order id="1"/>',
        "pojo": {"name": "x"},
        "typedNull": None,
        "custom": "12 EUR",
    }
    assert variables.typed("custom") == VariableValue(
        value="12 EUR", type="Money", value_info={"scale": 2}
    )
    assert variables.typed("due").value == "2026-12-01T00:00:00.000+0100"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        (VariableValue(value="Infinity", type="Double"), math.inf),
        (VariableValue(value=3, type="Double"), 3.0),
        (
            VariableValue(
                value=base64.b64encode(b"\xac\xed\x00\x05").decode(),
                type="Object",
                value_info={"serializationDataFormat": "application/x-java-serialized-object"},
            ),
            JavaObject(content=b"\xac\xed\x00\x05"),
        ),
        (
            VariableValue(
                value="<x/>",
                type="Object",
                value_info={"serializationDataFormat": "application/xml"},
            ),
            "<x/>",
        ),
        (VariableValue(value=[1], type="Object"), [1]),
        (
            VariableValue(value="33715-08-19T00:00:00.000+0000", type="Date"),
            datetime.max.replace(tzinfo=UTC),
        ),
    ],
)
def test_special_values_are_read(variable: VariableValue, value: object) -> None:
    """
    Java's own objects have a class of their own; what the engine has deserialized stays as it came.
    """
    assert from_typed(variable) == value


def test_an_odd_variable_does_not_stand_in_the_way_of_others() -> None:
    """
    Engines store broken Json; only who asks for it gets the error, and can look at the text.
    """
    variables = Variables(
        {
            "broken": VariableValue(value="{", type="Json"),
            "fine": VariableValue(value=1, type="Integer"),
        }
    )

    assert variables["fine"] == 1
    assert variables.typed("broken").value == "{"
    with pytest.raises(ValueError, match="variable 'broken' of type Json cannot be read"):
        variables["broken"]
    with pytest.raises(KeyError):
        variables["missing"]


INVOICE = Invoice(
    number=17,
    total=Decimal("119.50"),
    lines=[Line("A1", Decimal("2.50"))],
    due=datetime(2026, 12, 1, 0, 0, tzinfo=UTC),
    day=date(2026, 12, 24),
    key=UUID(int=7),
    colour=Colour.RED,
    note=None,
    raw=b"\xff",
)


def test_an_attrs_class_stands_for_the_variables_of_a_task() -> None:
    """
    An instance goes out as one variable a field, and comes back equal.
    """
    wire = json.loads(json.dumps(encode(Variables.of(INVOICE))))
    wire["unknown"] = {"value": 1, "type": "Integer"}
    answer = json.dumps([{"id": "t", "variables": wire}]).encode()

    [task] = decode(answer, tuple[LockedExternalTask, ...])
    assert task.variables.into(Invoice) == INVOICE


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"number": "17"}, "expected int, not str '17' @ variables.number"),
        ({"number": 1.5}, "expected int, not float 1.5 @ variables.number"),
        ({"number": True}, "expected int, not bool True @ variables.number"),
        ({"total": "much"}, "expected a decimal number, not 'much' @ variables.total"),
        ({"day": "tomorrow"}, "@ variables.day"),
        ({"colour": "blue"}, "@ variables.colour"),
        ({"lines": "text"}, "expected list or tuple, not str 'text' @ variables.lines"),
        ({"lines": {"sku": "A1"}}, "expected list or tuple, not dict"),
        ({"due": "2026-12-01T00:00:00"}, "is no date with a zone @ variables.due"),
        ({"lines": [{"sku": 5, "price": "1"}]}, "expected str, not int 5 @ variables.lines[0].sku"),
        ({"number": VariableValue(value="x", type="Date")}, "variable 'number' of type Date"),
    ],
)
def test_a_variable_that_is_not_what_its_field_says_is_named(
    changed: dict[str, Any], told: str
) -> None:
    """
    Nothing is bent to fit, and the error says which variable it was.
    """
    variables = Variables.of({**dict(Variables.of(INVOICE)), **changed})

    with pytest.raises(ValueError) as refused:  # noqa: PT011  # the text is compared below
        variables.into(Invoice)
    assert told in str(refused.value)


@attrs.frozen
class Sundries:
    either: int | str
    number: int | float | None
    pair: tuple[int, str]
    many: frozenset[int]
    rows: Sequence[list[bool]]
    moment: datetime | None = None


def test_unions_and_collections_are_made_of_what_fits() -> None:
    """
    A value stays what it is where the field allows it, and an array becomes what the field says.
    """
    given_variables = Variables.of(
        {"either": "5", "number": 5, "pair": [1, "a"], "many": [1, 2, 1], "rows": [[True], []]},
    )

    assert given_variables.into(Sundries) == Sundries(
        "5", 5, (1, "a"), frozenset({1, 2}), ([True], [])
    )


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"either": 1.5}, "expected int or str, not float 1.5 @ variables.either"),
        ({"pair": [1]}, "expected 2 items, not 1 @ variables.pair"),
        ({"many": "123"}, "expected list or tuple, not str '123' @ variables.many"),
        ({"rows": [[True], [1]]}, "expected bool, not int 1 @ variables.rows[1][0]"),
        ({"moment": 5}, "expected str, not int 5 @ variables.moment"),
        ({"number": "5"}, "expected int or float, not str '5' @ variables.number"),
    ],
)
def test_what_fits_no_member_is_named(changed: dict[str, Any], told: str) -> None:
    """
    The error says which variable, and where in it.
    """
    whole = {"either": "5", "number": 5, "pair": [1, "a"], "many": [1], "rows": []}

    with pytest.raises(ValueError) as refused:  # noqa: PT011  # the text is compared below
        Variables.of({**whole, **changed}).into(Sundries)
    assert told in str(refused.value)


class Unknown:
    pass


@attrs.frozen
class OfAnother:
    what: Unknown | None = None


def test_a_class_that_cannot_be_made_is_the_callers_mistake() -> None:
    """
    The class that nothing makes is named.
    """
    with pytest.raises((TypeError, ValueError), match="Unknown"):
        Variables.of({"what": 1}).into(OfAnother)


@attrs.frozen
class OfUnknown:
    what: Unknown


@pytest.mark.parametrize("variables", [{}, {"what": None}, {"what": 1}, {"other": 1}])
def test_a_field_that_no_variable_fits_is_refused(variables: dict[str, Any]) -> None:
    """
    Whether there is a variable for it or not.
    """
    with pytest.raises(
        TypeError,
        match=r"^OfUnknown has a field of a type that no variable has: Unsupported type: "
        r"<class '.*\.Unknown'>$",
    ):
        Variables.of(variables).into(OfUnknown)


def test_a_missing_variable_is_named() -> None:
    """
    All that is missing is told at once; what has a default may be missing.
    """
    with pytest.raises(ValueError, match=r"missing @ variables\.price") as refused:
        Variables.of({"sku": "A1"}).into(Line)
    assert "sku" not in str(refused.value)
    with pytest.raises(TypeError, match="not an attrs class"):
        Variables.of({}).into(dict)


def test_variables_of_an_answer_are_like_those_that_were_made() -> None:
    """
    It cannot be seen that one is looked at only when somebody asks for it.
    """
    content = (
        b'{"id": "t1", "variables": {"a": {"type": "Integer", "value": 5, "valueInfo": {}}, '
        b'"b": {"type": "Long", "value": 6, "valueInfo": null}, "odd": 7}}'
    )
    made = Variables(
        {
            "a": VariableValue(type="Integer", value=5),
            "b": VariableValue(type="Long", value=6),
            "odd": VariableValue(value=7),
        }
    )
    came = decode(content, LockedExternalTask).variables

    assert came["b"] == 6
    assert came.typed("a") is came.typed("a")
    assert (came, repr(came), dict(came)) == (made, repr(made), {"a": 5, "b": 6, "odd": 7})
    assert pickle.loads(pickle.dumps(came)) == made  # noqa: S301
    assert encode(came) == {
        "a": {"type": "Integer", "value": 5},
        "b": {"type": "Long", "value": 6},
        "odd": {"value": 7},
    }


def test_variables_are_a_mapping() -> None:
    """
    They can be compared, copied, counted and pickled like one.
    """
    variables = Variables.of({"a": 1, "b": [1, 2]})

    assert variables == {"a": 1, "b": [1, 2]}
    assert variables == Variables.of({"a": 1, "b": [1, 2]})
    assert variables != {"a": 1}
    assert Variables.of({"a": 1}) != Variables.of({"a": True})
    assert (len(variables), list(variables), "a" in variables, "c" in variables) == (
        2,
        ["a", "b"],
        True,
        False,
    )
    assert repr(variables) == "<Variables {'a': 1 (Integer), 'b': '[1,2]' (Json)}>"
    assert pickle.loads(pickle.dumps(variables)) == variables  # noqa: S301  # made on the spot


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=50)
    | st.binary()
    | st.lists(JSON, max_size=3)
    | st.dictionaries(st.text(), JSON, max_size=3)
)


@given(VALUES)
def test_what_goes_out_comes_back(value: object) -> None:
    """
    A value is read from what was written for it, through real JSON.
    """
    wire = json.loads(json.dumps(sent(value)))
    back = from_typed(VariableValue(value=wire["value"], type=wire["type"]), MODERN)

    assert (type(back), back) == (type(value), value)
