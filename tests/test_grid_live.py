"""
What engines make of odd values, on each of them: a grid of what is stored and what is asked for.

Python says what ought to match. What an engine takes for something else, the client refuses; and it
refuses nothing else. Numbers alone are looked at by their types as well, as the docstring of
`ExternalTaskQuery.process_variable()` says.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, get_args

import attrs
import pytest

from camunda_ext import ExternalTaskQuery, VariableValue
from camunda_ext._wire.names import wire_name
from camunda_ext.dto import Operator
from tests.conformance.live import AnyEngine, Live, live_on

MOMENT: Final = "2026-01-02T03:04:05.678+0000"

#: Texts that are read as they are, and texts that are not.
TEXTS: Final = (
    *("", " ", "  ", "\t", "\n", " \n ", "\r", "\x0b", "\x1f", "\x7f", "\x85", "\u00a0", "\u3000"),
    *("null", " null ", "NULL", "Null", "nullx", "null x", "null,", "'null'", '"null"', 'null"'),
    *('"', '""', '"a', 'a"', '"a"', "'", "''", "a'b", '"x"y', "undefined", "None", "nil"),
    *("\\", "\\\\", "a\\", "\\n", "a\\n", "\\t", "\\u0041", "\\u0020", "\\u000a", "\\x", '\\"'),
    *("a", "A", "aa", "b", "a b", " a", "a ", "axb", "a%b", "a_b", "%", "_", "a,b", "a\nb", "a\tb"),
    *(
        "0",
        "5",
        "5.0",
        "true",
        "True",
        "NaN",
        "[1]",
        "{}",
        "-",
        "//",
        "/*x*/",
        "#x",
        "\x00",
        "a\x00",
    ),
    *("ä", "Ä", "ß", "SS", "é", "e\u0301", "\ufeff", "\u2028", "😀", "a😀b", "a\ud83d", "\u0665"),
    *(
        MOMENT,
        f" {MOMENT}",
        f"{MOMENT} ",
        f"\t{MOMENT}",
        f"\\n{MOMENT}",
        f"{MOMENT}x",
        f"x{MOMENT}",
    ),
    *(f'"{MOMENT}"', f'{MOMENT}"', MOMENT[:-1], MOMENT[:-5], MOMENT[:10], MOMENT[:19], MOMENT[:23]),
    *(f"{MOMENT[:23]}{zone}" for zone in ("Z", "+00:00", "UTC", "GMT", " UTC", "CET", "+2400")),
    *("2026-13-02T03:04:05.678+0000", "2026-01-32T25:61:61.678+0000", "26-01-02T03:04:05.6+0000"),
    *(
        "2026-1-2T3:4:5.6+0000",
        "2026-01-02T03:04:05.678123+0000",
        "\u0662\u0660\u0662\u0666-01-02T03:04:05.678+0000",
    ),
    *("1E3-01-02T03:04:05.678+0000", "1e3-01-02T03:04:05.678+0000", "-5-01-02T03:04:05.678+0000"),
    *("NaN-01-02T03:04:05.678+0000", "2026- 01-02T03:04:05.678+0000", "2026-01-02 03:04:05.678"),
)
#: Those that are patterns, too.
PATTERNS: Final = (
    "a%",
    "%a%",
    "__",
    "a_",
    "a\\%b",
    "a\\_b",
    "\\%",
    "\\_",
    "a\\b",
    "%\n%",
    "[a-z]",
    "ä%",
)

WHOLE: Final = (0, 1, 5, -1, 2**15 - 1, 2**15, 2**31 - 1, 2**31, 2**53, 2**53 + 1, 2**62, 2**63 - 1)
NUMBERS: Final = (
    *WHOLE,
    -(2**31),
    -(2**63),
    0.0,
    0.5,
    1.0,
    5.0,
    1.5,
    -0.5,
    2.0**53,
    2.0**62,
    1e300,
)
LIMITS: Final = {"Short": 2**15, "Integer": 2**31, "Long": 2**63}


def stored() -> Iterator[Mapping[str, Any]]:
    """
    Give what the tasks have as their variable ``v``, as on the wire.
    """
    for kind in ("Null", "Boolean", "String", "Integer", "Date", "Json"):
        yield {"type": kind, "value": None}
    for flag in (True, False):
        yield {"type": "Boolean", "value": flag}
    for kind, limit in LIMITS.items():
        for whole in (*WHOLE, -(2**31), -(2**63)):
            if -limit <= whole < limit:
                yield {"type": kind, "value": whole}
    for number in (0.0, 0.5, 1.0, 5.0, 1.5, -1.0, 2.0**53, 2.0**62, 1e300, -1e300, 5e-324):
        yield {"type": "Double", "value": number}
    for odd in ("NaN", "Infinity", "-Infinity"):
        yield {"type": "Double", "value": odd}
    for text in TEXTS:
        yield {"type": "String", "value": text}
    yield {"type": "Date", "value": MOMENT}
    yield {"type": "Date", "value": MOMENT.replace("678", "679")}
    yield {"type": "Bytes", "value": base64.b64encode(b"a").decode()}
    yield {"type": "Json", "value": '"a"'}
    yield {"type": "Xml", "value": "<a/>"}
    yield {"type": "File", "value": "YQ==", "valueInfo": {"filename": "a"}}


COMPARED: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "eq": lambda one, other: one == other,
    "gt": lambda one, other: one > other,
    "gteq": lambda one, other: one >= other,
    "lt": lambda one, other: one < other,
    "lteq": lambda one, other: one <= other,
}


def is_due(variable: Mapping[str, Any], operator: str, asked: Any) -> bool:
    """
    Tell whether a task with a variable ought to match.
    """
    if operator in ("neq", "notLike"):
        return not is_due(variable, {"neq": "eq", "notLike": "like"}[operator], asked)
    kind, value = variable["type"], variable["value"]
    if asked is None or value is None:
        return asked is None and value is None and kind != "File"
    if isinstance(asked, str):
        if kind != "String":
            return False
        if operator == "like":
            return re.fullmatch(expression(asked), units(value), re.DOTALL) is not None
        return COMPARED[operator](units(value), units(asked))
    if isinstance(asked, bool):
        return kind == "Boolean" and value is asked
    if kind == "Double":
        number = float(value)
        if math.isnan(number):  # is more than any number
            return operator in ("gt", "gteq")
        return COMPARED[operator](number, float(asked))
    limit = LIMITS.get(kind)
    fits = limit is not None and asked == int(asked) and -limit <= asked < limit
    return fits and COMPARED[operator](value, asked)


def units(text: str) -> str:
    """
    Give a text with each UTF-16 unit as a character: so Java counts, and sorts.
    """
    content = text.encode("utf-16-be", "surrogatepass")
    return "".join(
        chr(int.from_bytes(content[index : index + 2], "big"))
        for index in range(0, len(content), 2)
    )


def expression(pattern: str) -> str:
    """
    Give the regular expression for a pattern of SQL.
    """
    made, rest = "", iter(units(pattern))
    for one in rest:
        if one == "\\":
            made += re.escape(next(rest))
        else:
            made += {"%": ".*", "_": "."}.get(one, re.escape(one))
    return made


#: Operators that engines treat as another one: a part of the texts will do.
_ALIKE: Final = ("neq", "notLike", "gteq", "lteq")
#: By GET a text comes to the same place in the engine, be it compared or matched.
OPERATORS: Final = {"POST": get_args(Operator), "GET": ("eq", "like")}


@attrs.frozen
class Grid:
    """
    The tasks, and what each has stored.
    """

    live: Live
    #: By the task's id.
    variables: Mapping[str, Mapping[str, Any]]

    def found(self, query: ExternalTaskQuery, via: Any) -> set[str]:
        """
        Give the tasks that the client finds.
        """
        return {task.id for task in self.live.client.list(query, via=via)}

    def due(self, operator: str, asked: Any) -> set[str]:
        """
        Give the tasks that it ought to find.
        """
        return {one for one, held in self.variables.items() if is_due(held, operator, asked)}

    def told(self, ids: set[str]) -> list[Mapping[str, Any]]:
        """
        Give what some tasks have stored, for a person to read.
        """
        return [self.variables[one] for one in sorted(ids)][:5]


@pytest.fixture(scope="module")
def grid(engine: AnyEngine) -> Iterator[Grid]:
    """
    An engine with a task for each value.
    """
    with live_on(engine) as live:
        is_known = live.dialect.young_filters and live.dialect.is_like_java
        values = stored() if is_known else ()
        started = {live.start(variables={"v": variable}): variable for variable in values}
        tasks = live.client.list(live.own)
        yield Grid(live, {task.id: started[task.process_instance_id] for task in tasks})


@pytest.mark.parametrize("via", ["POST", "GET"])
def test_what_is_asked_for_is_what_is_found(grid: Grid, via: str) -> None:
    """
    Each value by each operator: the client refuses it, or finds what Python says.
    """
    if not grid.live.dialect.young_filters:
        pytest.skip("such an engine ignores the filter")
    if not grid.live.dialect.is_like_java:
        pytest.skip("such a database compares by rules of its own")
    wrong, asked_for = [], 0
    for operator in OPERATORS[via]:
        is_pattern = operator in ("like", "notLike")
        texts = (*TEXTS, *PATTERNS) if is_pattern else (*TEXTS, None, True, False, *NUMBERS)
        for asked in texts[:: 5 if operator in _ALIKE else 1]:
            try:
                query = grid.live.own.process_variable("v", operator, asked)
                query.body() if via == "POST" else query.params()
            except (TypeError, ValueError):
                continue
            asked_for += 1
            found, due = grid.found(query, via), grid.due(operator, asked)
            if found != due:
                wrong.append((operator, asked, grid.told(found - due), grid.told(due - found)))

    assert wrong == []
    assert asked_for > (400 if via == "POST" else 100)


def test_what_is_refused_is_something_else_to_the_engine(grid: Grid) -> None:
    """
    By one of the operators at least, it would find other tasks, or none of them could be asked for.
    """
    if not grid.live.dialect.young_filters:
        pytest.skip("such an engine ignores the filter")
    if not grid.live.dialect.is_like_java:
        pytest.skip("such a database compares by rules of its own")
    if not grid.live.is_real:
        pytest.skip("the embedded engine takes such a text as it is")
    refused, needless = 0, []
    for text in TEXTS:
        try:
            ExternalTaskQuery().process_variable("v", "eq", text)
        except ValueError:
            refused += 1
        else:
            continue
        condition = {"name": "v", "operator": "eq", "value": text}
        body = json.dumps({"topicName": grid.live.topic_a, "processVariables": [condition]})
        found = grid.live.done(
            "POST", "/external-task", data=body, headers={"Content-Type": "application/json"}
        )
        if {one["id"] for one in found} == grid.due("eq", text):
            needless.append(text)

    assert needless == []
    assert refused > 20


@pytest.mark.parametrize(
    "values", [(" ",), ("  ",), ("\t",), ("\u00a0",), (" ", "a"), ("null",), ('"',)]
)
@pytest.mark.parametrize(
    "name",
    ["activity_id_in", "process_instance_id_in", "tenant_id_in", "process_definition_key_in"],
)
def test_get_finds_what_post_finds(live: Live, name: str, values: tuple[str, ...]) -> None:
    """
    Or is refused: of a list that is blank as a whole, engines see nothing in a URL.
    """
    live.task()
    query: ExternalTaskQuery = getattr(live.own, name)(*values)
    if name == "process_definition_key_in" and not live.dialect.young_filters:
        pytest.skip("such an engine ignores the filter")
    if name in ("activity_id_in", "process_instance_id_in") and not live.dialect.id_lists:
        pytest.skip("such an engine ignores the filter")

    assert live.client.list(query) == ()
    try:
        query.params()
    except ValueError:
        assert not values[0].strip(" \t")
    else:
        assert live.client.list(query, via="GET") == ()


def test_each_filter_is_known_to_the_engines_that_are_said_to_know_it(live: Live) -> None:
    """
    A value of the wrong type is refused by an engine that looks at the filter, and by no other.
    """
    since = {
        wire_name(field.name): field.metadata["since"]
        for field in attrs.fields(ExternalTaskQuery)
        if "since" in field.metadata
    }
    known = {"7.5": True, "7.13": live.dialect.id_lists, "7.24": live.dialect.young_filters}
    found = {}
    for name in since:
        is_list = name.endswith("In") or name == "processVariables"
        body = {name: "no list" if is_list else {}}
        found[name] = live.raw("POST", "/external-task/count", json=body).status_code == 400

    assert found == {name: known[version] for name, version in since.items()}


#: What may be said to be of some type, and texts that are nothing of the kind.
WRITTEN: Final = (
    *(True, False, 0, 7, -5, 2**15, 2**31, 2**63 - 1, 2**63, 1.0, 1.5, 1e22, -0.5, [1], {"a": 1}),
    *(
        "",
        " ",
        "null",
        " null ",
        '"q"',
        '"',
        '5"',
        "5",
        " 5 ",
        "+5",
        "05",
        "-0",
        "5.0",
        "1e2",
        "\u0665",
    ),
    *("true", "True", "TRUE", " true ", "yes", "1", "NaN", "Infinity", "-Infinity", "INF", "0x10"),
    *("YQ==", "YQ", "Y Q==", " YQ==", "YQ==\n", "-_8=", "+/8=", "YQ==YQ==", "!!!!", "\\u0035"),
    *(MOMENT, f" {MOMENT}", f"{MOMENT}x", "2026-01-02T03:04:05.678123+0000", MOMENT[:10]),
    *(
        "2026-13-02T03:04:05.678+0000",
        "2026-02-30T03:04:05.678+0000",
        "2026-01-02T24:04:05.678+0000",
    ),
    *("2026-01-02T03:04:05.67+0000", "2026-01-02T03:04:05.678+2500", "2026-01-02T03:04:05.678UTC"),
    *("2026-01-02T03:04:05.678Z", "1582-10-10T00:00:00.000+0000", "abc", "[1]", '{"a":1}', "{"),
)
TYPES: Final = (
    "Boolean",
    "Bytes",
    "Date",
    "Double",
    "Integer",
    "Json",
    "Long",
    "Null",
    "Short",
    "String",
)


def test_what_is_written_is_what_is_stored(live: Live) -> None:
    """
    Each value as each type: the client refuses it, or it is stored as that.
    """
    if not live.dialect.json_variables:
        pytest.skip("such an engine has no Json")
    if not live.dialect.is_like_java:
        pytest.skip("such a database does not take all of them")
    accepted: dict[str, VariableValue] = {}
    needless, task = [], live.locked()
    for kind in TYPES:
        for value in (None, *WRITTEN):
            variable = VariableValue(type=kind, value=value)
            try:
                live.client.complete("no such task", "w1", {"v": variable})
            except ValueError:
                # What is no JSON is stored, and fails whoever reads it.
                if kind != "Json" and stored_as(live, kind, value) == value:
                    needless.append((kind, value))
            except Exception:  # noqa: BLE001  # there is no such task
                accepted[f"{kind} {value!r}"] = variable
    live.client.complete(task.id, "w1", accepted)
    found = live.variables(task.process_instance_id)

    assert needless == []
    assert {name: (found[name]["type"], found[name]["value"]) for name in accepted} == {
        name: (one.type, meant(one)) for name, one in accepted.items()
    }
    assert len(accepted) > 50


def meant(variable: VariableValue) -> Any:
    """
    Give what an engine ought to show of a variable.
    """
    kind, value = variable.type, variable.value
    if value is None or isinstance(value, bool):
        return value
    if kind in LIMITS:
        return int(value)
    if kind == "Boolean":
        return value == "true"
    if kind == "Double":
        return value if str(value) in ("NaN", "Infinity", "-Infinity") else float(value)
    return value


def stored_as(live: Live, kind: str, value: Any) -> Any:
    """
    Give what an engine stores of a value that the client refuses; what nothing equals, if nothing.
    """
    path = f"/process-definition/key/{live.key('P')}/start"
    started = live.raw("POST", path, json={"variables": {"v": {"type": kind, "value": value}}})
    if not started.ok:
        return object()
    found = live.variables(started.json()["id"])["v"]["value"]
    return found if type(found) is type(value) else object()
