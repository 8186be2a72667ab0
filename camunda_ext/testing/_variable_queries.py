"""
How queries compare process variables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from camunda_ext.testing import _dates, _values
from camunda_ext.testing import _reading as reading
from camunda_ext.testing._conditions import Where, joined
from camunda_ext.testing._errors import failure, invalid_request, null_pointer, null_value
from camunda_ext.testing._values import Value

_OPERATORS: Final = {
    "eq": "=",
    "neq": "=",
    "gt": ">",
    "gteq": ">=",
    "lt": "<",
    "lteq": "<=",
    "like": "LIKE",
    "notLike": "LIKE",
}
_IN_WORDS: Final = {
    "gt": "greater than",
    "gteq": "greater than or equal",
    "lt": "less than",
    "lteq": "less than or equal",
}
_NOTHING_STORED: Final = "text IS NULL AND long IS NULL AND double IS NULL AND data IS NULL"

_INT16: Final = (-(2**15), 2**15 - 1)
_WHOLE_NUMBERS: Final = {"Integer": reading.INT32, "Long": reading.INT64, "Short": _INT16}


def any_of(variables: Mapping[str, Any]) -> Where:
    """
    A task of an instance that has at least one of these variables; what a topic asks for.
    """
    parts, values = [], []
    for name, plain in variables.items():
        condition, needed = _compare("=", _queryable(_values.plain(plain)))
        parts.append(f"name = ? AND {condition}")
        values += [name, *needed]
    alternatives = joined("OR", parts)
    scopes = "SELECT scope_id FROM variable WHERE scope_id = instance_id"
    return f"instance_id IN ({scopes} AND {alternatives})", values


def all_of(
    conditions: Sequence[Mapping[str, Any] | None],
    *,
    names_ignore_case: bool,
    values_ignore_case: bool,
) -> Where:
    """
    A task of an instance whose variables, in whatever scope, fulfil every condition.
    """
    parts: list[str] = []
    values: list[Any] = []
    for condition in conditions:
        if condition is None:
            raise null_pointer()
        name, operator = condition.get("name"), condition.get("operator")
        where, needed = _condition(operator, condition.get("value"), name, values_ignore_case)
        named = "upper(name) = upper(?)" if names_ignore_case else "name = ?"
        parts.append(
            "EXISTS (SELECT 1 FROM variable WHERE variable.instance_id = task.instance_id "
            f"AND {named} AND {where})"
        )
        values += [name, *needed]
    return joined("AND", parts), values


def _condition(operator: str | None, value: Any, name: str | None, ignore_case: bool) -> Where:
    if operator is None:
        raise null_pointer()
    if operator not in _OPERATORS:
        raise invalid_request(f"Invalid process variable comparator specified: {operator}")
    if name is None:
        raise null_value("name is null")
    if operator in ("like", "notLike"):
        alternatives = [Value(type="String", text=_as_text(value))]
    else:
        if operator in _IN_WORDS and (value is None or isinstance(value, bool)):
            raise failure(
                "ProcessEngineException",
                f"Booleans and null cannot be used in '{_IN_WORDS[operator]}' condition",
            )
        alternatives = _alternatives(value)
    parts: list[str] = []
    values: list[Any] = []
    for each in alternatives:
        part, needed = _compare(_OPERATORS[operator], each, ignore_case=ignore_case)
        parts.append(f"({part})")
        values += needed
    where = f"({' OR '.join(parts)})"
    return (f"NOT {where}" if operator in ("neq", "notLike") else where), values


def _as_text(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _alternatives(value: Any) -> list[Value]:
    if isinstance(value, str):
        try:
            # A text that looks like a date is one, and then matches nothing else.
            return [Value(type="Date", long=_dates.parse(value))] if value else []
        except ValueError:
            return [Value(type="String", text=value)]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        whole = [
            Value(type=name, long=int(value))
            for name, (lowest, highest) in _WHOLE_NUMBERS.items()
            if lowest <= value <= highest and int(value) == value
        ]
        return [*whole, Value(type="Double", double=float(value))]
    return [_queryable(_values.plain(value))]


def _queryable(value: Value) -> Value:
    if value.type == "Object":
        raise failure("ProcessEngineException", "Object values cannot be used to query")
    return value


def _compare(operator: str, value: Value, *, ignore_case: bool = False) -> Where:
    if value.text is not None:
        if ignore_case:
            column, place = "upper(text)", "upper(?)"
        else:
            column, place = "text", "?"
        escape = " ESCAPE '\\'" if operator == "LIKE" else ""
        known = f"type = ? AND text IS NOT NULL AND {column} {operator} {place}{escape}"
        return known, [value.type, value.text]
    for column, number in (("long", value.long), ("double", value.double)):
        if number is not None:
            known = f"type = ? AND {column} IS NOT NULL AND {column} {operator} ?"
            return known, [value.type, number]
    if value.type == "Null":
        return _NOTHING_STORED, []
    return f"type = ? AND {_NOTHING_STORED}", [value.type]
