"""
Conditions of queries on process variables, in SQL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from camunda_ext.testing._errors import failure, invalid_request, null_pointer, null_value
from camunda_ext.testing.state.conditions import Where, as_bytes, joined
from camunda_ext.testing.values import reading as reading, variable
from camunda_ext.testing.values.variable import Value

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
#: The largest number of conditions. More would delay all other requests for seconds.
_MOST_CONDITIONS: Final = 5_000
#: How many conditions share a subquery. SQLite allows 2,000 aggregates in a query.
_IN_A_SUBQUERY: Final = 500
_NOTHING_STORED: Final = "text IS NULL AND long IS NULL AND double IS NULL AND data IS NULL"

_INT16: Final = (-(2**15), 2**15 - 1)
_WHOLE_NUMBERS: Final = {"Integer": reading.INT32, "Long": reading.INT64, "Short": _INT16}


def any_of(variables: Mapping[str, Any]) -> Where:
    """
    The condition that a task's instance has at least one of some variables with its value.
    """
    parts, values = [], []
    for name, plain in variables.items():
        condition, needed = _compare("=", _queryable(variable.plain(plain)))
        parts.append(f"name = ? AND {condition}")
        values += [name, *needed]
    alternatives = joined("OR", parts)
    scopes = "SELECT scope_id FROM variable WHERE scope_id = instance_id"
    return f"instance_id IN ({scopes} AND {alternatives})", values


def all_of(conditions: Sequence[Mapping[str, Any] | None], filters: Mapping[str, Any]) -> Where:
    """
    The condition that the variables of a task's instance, in any scope, meet all *conditions*.

    Args:
        filters: The values of all filters of the query, two of which make it ignore case.
    """
    if len(conditions) > _MOST_CONDITIONS:
        raise invalid_request(
            f"The embedded engine takes no more than {_MOST_CONDITIONS} conditions on variables"
        )
    ignores_case = bool(filters.get("variableValuesIgnoreCase"))
    parts: list[str] = []
    values: list[Any] = []
    for condition in conditions:
        if condition is None:
            raise null_pointer()
        name, operator = condition.get("name"), condition.get("operator")
        where, needed = _condition(operator, condition.get("value"), name, ignores_case)
        named = "name = ?"
        if filters.get("variableNamesIgnoreCase"):
            named = f"upper({as_bytes('name')}) = upper({as_bytes('?')})"
        parts.append(f"max({named} AND {where})")
        values += [name, *needed]
    # Conditions share subqueries, as many subqueries are slow in SQLite.
    subqueries = [
        f"(SELECT {joined('AND', parts[start : start + _IN_A_SUBQUERY])} FROM variable "
        "WHERE variable.instance_id = task.instance_id)"
        for start in range(0, len(parts), _IN_A_SUBQUERY)
    ]
    return joined("AND", subqueries), values


def _condition(operator: str | None, value: Any, name: str | None, ignore_case: bool) -> Where:
    if operator is None:
        raise null_pointer()
    if operator not in _OPERATORS:
        raise invalid_request(f"Invalid process variable comparator specified: {operator}")
    if name is None:
        raise null_value("name is null")
    is_pattern = operator in ("like", "notLike")
    alternatives = [_pattern(value)] if is_pattern else _alternatives(value)
    if operator in _IN_WORDS and alternatives[0].type in ("Null", "Boolean"):
        raise failure(
            "ProcessEngineException",
            f"Booleans and null cannot be used in '{_IN_WORDS[operator]}' condition",
        )
    parts: list[str] = []
    values: list[Any] = []
    for each in alternatives:
        part, needed = _compare(_OPERATORS[operator], each, ignore_case=ignore_case)
        parts.append(f"({part})")
        values += needed
    where = f"({' OR '.join(parts)})"
    return (f"NOT {where}" if operator in ("neq", "notLike") else where), values


def _pattern(value: Any) -> Value:
    """
    A pattern as a text, whatever its type in JSON.
    """
    read = variable.queried(value)
    if read.type == "Null":
        return Value(type="String", text="null")
    if read.type == "Date":
        raise invalid_request(f"The embedded engine takes no date for a pattern: {value!r}")
    if isinstance(value, bool):
        return Value(type="String", text=str(value).lower())
    return Value(type="String", text=str(value))


def _alternatives(value: Any) -> list[Value]:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return [_queryable(variable.queried(value))]
    # Java converts 2.0**63 to the largest long.
    number = min(int(value), reading.INT64[1]) if isinstance(value, float) else value
    whole = [
        Value(type=name, long=number)
        for name, (lowest, highest) in _WHOLE_NUMBERS.items()
        if lowest <= number <= highest and float(number) == float(value)
    ]
    return [*whole, Value(type="Double", double=float(value))]


def _queryable(value: Value) -> Value:
    if value.type == "Object":
        raise failure("ProcessEngineException", "Object values cannot be used to query")
    return value


def _compare(operator: str, value: Value, *, ignore_case: bool = False) -> Where:
    if value.text is not None:
        column, place = as_bytes("text"), as_bytes("?")
        if ignore_case:
            column, place = f"upper({column})", f"upper({place})"
        if operator == "LIKE":
            comparison = f"is_like({column}, {place})"
        else:
            comparison = f"utf16({column}) {operator} utf16({place})"
        return f"type = ? AND text IS NOT NULL AND {comparison}", [value.type, value.text]
    if value.long is not None:
        return f"type = ? AND long IS NOT NULL AND long {operator} ?", [value.type, value.long]
    if value.double is not None:
        known = f"double IS NOT NULL AND double {operator} ?"
        if operator.startswith(">"):
            known = f"({known} OR text = 'NaN')"  # Databases sort NaN after all numbers.
        return f"type = ? AND {known}", [value.type, value.double]
    if value.type == "Null":
        return _NOTHING_STORED, []
    return f"type = ? AND {_NOTHING_STORED}", [value.type]
