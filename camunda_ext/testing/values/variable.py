"""
Typed variables: checks before they are stored, and their form in answers.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from typing import Any, Final

import attrs

from camunda_ext.testing._errors import TOO_LONG, failure
from camunda_ext.testing.values import dates
from camunda_ext.testing.values.contents import file_answer
from camunda_ext.testing.values.typed_values import (
    JAVA,
    Value,
    java_content,
    of_python,
    plain,
    queried,
    read,
    read_all,
)

__all__ = [
    "Value",
    "check_all",
    "constant",
    "file_answer",
    "of_expression",
    "of_python",
    "plain",
    "queried",
    "read",
    "read_all",
    "show",
]

_LONGEST_NAME: Final = 255
_LONGEST_TEXT: Final = 4000
#: The column has 100 characters, of which "spin://" before the format takes seven.
_LONGEST_FORMAT: Final = 93


def check_all(
    values: Mapping[str, Value], *, error_type: str = "ProcessEnginePersistenceException"
) -> None:
    """
    Refuse variables that the engine cannot store.

    Args:
        values: The variables, by name.

        error_type: The class of the error about a name or text that is too long for its column.

    Raises:
        EngineError: A variable is an object that Java has serialized, or is too long for a column.
    """
    for name, value in values.items():
        if value.data is None and value.info.get("serializationDataFormat") == JAVA:
            raise failure(
                "ProcessEngineException",
                f"ENGINE-17007 Cannot set variable with name {name}. "
                "Java serialization format is prohibited",
            )
    for name, value in values.items():
        if not value.transient and _is_too_long(name, value):
            raise failure(
                error_type,
                "An exception occurred in the persistence layer. Please check the server logs for "
                "a detailed message and the entire exception stack trace.",
                code=TOO_LONG,
            )


def _is_too_long(name: str, value: Value) -> bool:
    info = value.info
    # The name of a File is in one column, its media type and encoding are in another.
    named = value.text if value.type in ("String", "File") else None
    described = "#".join((info.get("mimeType", ""), info.get("encoding", "")))
    return (
        _utf16_length(name) > _LONGEST_NAME
        or _utf16_length(named or "") > _LONGEST_TEXT
        or _utf16_length(described) > _LONGEST_TEXT
        or _utf16_length(info.get("objectTypeName") or "") > _LONGEST_TEXT
        or _utf16_length(info.get("serializationDataFormat") or "") > _LONGEST_FORMAT
    )


def _utf16_length(text: str) -> int:
    """
    The length of *text* in UTF-16 units, as Java and the database count it.
    """
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def show(value: Value, *, deserialize: bool = False, name: str = "") -> dict[str, Any]:
    """
    The variable as answers have it, with its type, value and ``valueInfo``.

    Args:
        deserialize: Whether to return the value of an Object instead of its serialized text.

        name: The name of the variable, for errors.

    Raises:
        EngineError: An Object is to be deserialized, and is not serialized as JSON.
    """
    info = dict(value.info)
    if value.transient:
        info["transient"] = True
    is_object = value.type == "Object" and (value.text, value.data) != (None, None)
    shown = _held_by(value, name) if is_object and deserialize else _column(value)
    return {"type": value.type, "value": shown, "valueInfo": info}


def constant(value: str | list[Any] | dict[str, Any] | None) -> Value:
    """
    The variable for a constant value of a model.
    """
    variable = plain(value)
    return _of_class(variable, "java.util.TreeMap") if isinstance(value, dict) else variable


def of_expression(value: Value, *, name: str) -> Value:
    """
    The variable that is set to the value of another one by an expression. As in Camunda, it is
    made anew from Java's value, which has neither the name of a File nor the format of an Object.

    Args:
        name: The name of the other variable, for errors.

    Raises:
        EngineError: The value is an Object that is not serialized as JSON.
    """
    if value.is_null:
        return Value("Null")
    if value.type == "File":
        return Value("Bytes", data=value.data)
    if value.type == "Object":
        held = plain(_held_by(value, name))
        java_class = value.info["objectTypeName"]
        return _of_class(held, java_class) if held.type == "Object" else held
    return value


def _of_class(value: Value, java_class: str) -> Value:
    return attrs.evolve(value, info={**value.info, "objectTypeName": java_class})


def _column(value: Value) -> Any:
    if value.type == "File":
        return None
    if value.data is not None:
        return base64.b64encode(value.data).decode()
    if value.type == "Boolean" and value.long is not None:
        return bool(value.long)
    if value.type == "Date" and value.long is not None:
        return dates.format(value.long)
    if value.double is not None and math.isinf(value.double):
        return "Infinity" if value.double > 0 else "-Infinity"
    columns = (value.text, value.long, value.double)
    return next((column for column in columns if column is not None), None)


def _held_by(value: Value, name: str) -> Any:
    format_name = value.info.get("serializationDataFormat")
    if value.data is not None:
        text, format_name = java_content(value.data), "application/json"
    else:
        text = value.text or ""
    try:
        if format_name != "application/json":
            raise ValueError("it is not serialized as JSON")
        held = json.loads(text)
        json.dumps(held, allow_nan=False)  # refuses NaN, which is no JSON, but Python reads
    except (ValueError, RecursionError) as error:
        message = f"Cannot deserialize object in variable '{name}': {error}"
        raise failure("ProcessEngineException", message) from None
    return held
