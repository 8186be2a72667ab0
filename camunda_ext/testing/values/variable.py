"""
Typed variables: what the engine reads, what it keeps and what it shows.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final

from camunda_ext.testing._errors import TOO_LONG, EngineError, failure
from camunda_ext.testing.values import contents, conversions, dates, deserialized
from camunda_ext.testing.values.typed_values import (
    JAVA,
    SERIALIZED,
    Value,
    java_content,
    plain,
    read,
    read_all,
)

__all__ = [
    "Value",
    "check_all",
    "check_settable",
    "check_storable",
    "file_answer",
    "of_python",
    "plain",
    "queried",
    "read",
    "read_all",
    "show",
]

_LONGEST_NAME: Final = 255
_LONGEST_TEXT: Final = 4000
#: The column has 100 characters, and "spin://" stands before the format.
_LONGEST_FORMAT: Final = 93

_SHOWN: Final[Mapping[str, Callable[[int], Any]]] = {"Boolean": bool, "Date": dates.format}


def queried(value: object) -> Value:
    """
    The value that a condition of a query compares with: text may be a date there, or null.
    """
    if isinstance(value, str):
        try:
            millis = conversions.date(value)
        except ValueError:
            return plain(value)
        return Value("Null") if millis is None else Value("Date", long=millis)
    return plain(value)


def of_python(value: object) -> Value:
    """
    The variable for a Python value, or for a typed one as it goes over the wire.

    Raises:
        TypeError: There is no type that the value could only have.

        ValueError: The value is not one of the type that it is said to have.
    """
    if isinstance(value, dict) and "type" in value and "value" in value:
        try:
            return read(value)
        except EngineError as error:
            raise ValueError(error.message or f"{value!r} is no typed variable") from None
    if value is None or isinstance(value, (bool, str, int, float)):
        found = plain(value)
        if found.type != "Object":
            return found
    raise TypeError(
        f"{value!r} could be a variable of several types; say which, "
        'for example {"type": "Json", "value": "[1, 2]"}'
    )


def check_settable(name: str, value: Value) -> None:
    """
    Refuse what the engine refuses when it sets a variable, be it transient or not.

    Raises:
        EngineError: The value has no type of its own, or no serializer.
    """
    if value.type == "Number":
        message = "Cannot serialize value of abstract type number"
        raise failure("ProcessEngineException", message)
    if value.type != "Object" or value.data is not None:
        return
    format_name = value.info.get("serializationDataFormat")
    type_name = value.info.get("objectTypeName")
    if format_name is None:
        text = "null" if value.text is None else f"{conversions.utf16_length(value.text)} chars"
        raise failure(
            "ProcessEngineException",
            "Cannot find serializer for value 'ObjectValue [value=null, isDeserialized=false, "
            f"serializationDataFormat=null, objectTypeName={conversions.java_text(type_name)}, "
            f"serializedValue={text}, isTransient={conversions.java_text(value.transient)}]'.",
        )
    if format_name == JAVA:
        raise failure(
            "ProcessEngineException",
            f"ENGINE-17007 Cannot set variable with name {name}. "
            "Java serialization format is prohibited",
        )
    if type_name is None and value.text is not None:
        raise failure(
            "ProcessEngineException",
            f"Cannot write serialized value for variable '{name}': "
            "no 'objectTypeName' provided for non-null value.",
        )


def check_storable(
    name: str, value: Value, *, error_type: str = "ProcessEnginePersistenceException"
) -> None:
    """
    Refuse what the database refuses when a transaction ends.

    Args:
        error_type: The class of the error; before 7.19 it was another.

    Raises:
        EngineError: The name or a text is too long for its column.
    """
    if value.transient:
        return
    # A File keeps its name in one column and the rest of what is said of it in the other.
    texts = [value.text] if value.type in ("String", "File") else []
    texts.append(value.info.get("objectTypeName"))
    if value.type == "File":
        texts.append("#".join((value.info.get("mimeType", ""), value.info.get("encoding", ""))))
    if (
        _is_longer(name, _LONGEST_NAME)
        or any(_is_longer(text, _LONGEST_TEXT) for text in texts)
        or _is_longer(value.info.get("serializationDataFormat"), _LONGEST_FORMAT)
    ):
        raise failure(
            error_type,
            "An exception occurred in the persistence layer. Please check the server logs for a "
            "detailed message and the entire exception stack trace.",
            code=TOO_LONG,
        )


def check_all(
    values: Mapping[str, Value], *, error_type: str = "ProcessEnginePersistenceException"
) -> None:
    """
    Refuse what the engine refuses of variables that one request sets, in the engine's order.
    """
    for name, value in values.items():
        check_settable(name, value)
    for name, value in values.items():
        check_storable(name, value, error_type=error_type)


def show(value: Value, *, deserialize: bool = False, name: str = "") -> dict[str, Any]:
    """
    The variable as answers have it.

    Args:
        deserialize: Show the object instead of the serialized text.

        name: What the variable is called in errors.

    Raises:
        EngineError: The serialized text is of no object that is known.
    """
    info = dict(value.info)
    if value.transient:
        info["transient"] = True
    shown: Any = None
    if value.type == "Object" and value.data is not None:
        content = java_content(value.data)
        encoded = base64.b64encode(value.data).decode()
        shown = deserialized.writable(content) if deserialize else encoded
    elif value.type in SERIALIZED and deserialize:
        if value.type == "Json":
            shown = deserialized.of_json(value.text, name)
        elif value.type == "Xml":
            shown = deserialized.of_xml(value.text, name)
        else:
            shown, refined = deserialized.of_object(value.text, info, name)
            info = dict(refined)
    elif value.type in ("String", *SERIALIZED):
        shown = value.text
    elif value.type == "Double":
        # "NaN" is the only text that a Double has.
        shown = value.text if value.double is None else deserialized.writable(value.double)
    elif value.type == "Bytes":
        shown = None if value.data is None else base64.b64encode(value.data).decode()
    elif value.long is not None:
        shown = _SHOWN.get(value.type, int)(value.long)
    return {"type": value.type, "value": shown, "valueInfo": info}


def file_answer(value: Value, resource_id: str) -> tuple[bytes, list[tuple[str, str]]]:
    """
    The contents of a Bytes or File variable, with their headers; see `_contents`.
    """
    return contents.file_answer(value, resource_id)


def _is_longer(text: str | None, length: int) -> bool:
    return text is not None and conversions.utf16_length(text) > length
