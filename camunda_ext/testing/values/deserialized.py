"""
What answers show of serialized values when they are asked for the objects in them.

The engine makes Java objects and writes those. Here the few classes are known that come with Java
and that JSON has a match for; texts about other objects come close to the engine's, no more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from xml.parsers import expat

from camunda_ext.testing._errors import EngineError, failure, null_pointer
from camunda_ext.testing.values import conversions, dates

_BLANKS: Final = " \t\r\n"
_LONGEST_NUMBER: Final = 1000

_WHOLE: Final = ("java.lang.Short", "java.lang.Integer", "java.lang.Long", "java.math.BigInteger")
_SCALARS: Final = (
    "java.lang.Boolean",
    "java.lang.Double",
    "java.lang.String",
    "java.util.Date",
)
_LISTS: Final = {
    "java.util.ArrayList": "java.util.ArrayList",
    "java.util.List": "java.util.ArrayList",
    "java.util.Collection": "java.util.ArrayList",
    "java.util.LinkedList": "java.util.LinkedList",
}
_SETS: Final = ("java.util.Set", "java.util.HashSet")
_MAPS: Final = {
    "java.util.LinkedHashMap": "java.util.LinkedHashMap",
    "java.util.Map": "java.util.LinkedHashMap",
    "java.util.HashMap": "java.util.HashMap",
    "java.util.TreeMap": "java.util.TreeMap",
}


def of_json(text: str | None, name: str) -> dict[str, Any] | None:
    """
    The properties of the engine's wrapper around JSON; the content is not among them.
    """
    if text is None:
        return None
    node = _json(text, name)
    kind = _kind(node)
    return {
        "array": kind == "ARRAY",
        "null": kind == "NULL",
        "number": kind == "NUMBER",
        "object": kind == "OBJECT",
        "nodeType": kind,
        # So says the engine: whether it is the word true or false, not which of them.
        "boolean": kind == "BOOLEAN",
        "dataFormatName": "application/json",
        "string": kind == "STRING",
        "value": kind not in ("ARRAY", "OBJECT"),
    }


def of_xml(text: str | None, name: str) -> dict[str, Any]:
    """
    The properties of the engine's wrapper around XML; the content is not among them.
    """
    if text is None:
        raise null_pointer(
            'Cannot invoke "org.camunda.spin.xml.SpinXmlElement.getDataFormatName()" '
            'because "value" is null'
        )
    try:
        _read_xml(text)
    except (ValueError, expat.ExpatError):
        raise _xml_failure(name) from None
    return {"dataFormatName": "application/xml"}


def of_object(
    text: str | None, info: Mapping[str, Any], name: str
) -> tuple[Any, Mapping[str, Any]]:
    """
    The object in a serialized text, and the ``valueInfo`` that goes with it.
    """
    if text is None:
        return None, info
    format_name = info.get("serializationDataFormat")
    if format_name == "application/xml":
        raise _xml_failure(name)
    if format_name != "application/json":
        message = "SPIN-PLUGIN-01002 Fallback serializer cannot handle deserialized objects"
        raise _failure(name, message)
    type_name = str(info.get("objectTypeName"))
    value = _json(text, name)
    shown, refined = _object(value, type_name, name)
    return shown, {**info, "objectTypeName": refined}


def writable(value: Any) -> Any:
    """
    The value as the engine's JSON writer has it: numbers that JSON does not know become text.
    """
    if isinstance(value, float) and value - value != 0:
        return conversions.java_text(value)
    if isinstance(value, dict):
        return {key: writable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [writable(each) for each in value]
    return value


def _object(value: Any, type_name: str, name: str) -> tuple[Any, str]:
    plain_name = type_name.partition("<")[0]
    if plain_name == "java.lang.Object":
        plain_name = _class(value).partition("<")[0]
    if value is None:
        return None, type_name
    if plain_name in _LISTS and isinstance(value, list):
        return writable(value), _LISTS[plain_name] + _class(value).partition("ArrayList")[2]
    if plain_name in _SETS and isinstance(value, list):
        return writable(value), "java.util.HashSet<java.lang.Object>"
    if plain_name in _MAPS and isinstance(value, dict):
        return writable(value), f"{_MAPS[plain_name]}<java.lang.Object,java.lang.Object>"
    if plain_name == "java.lang.String" and not isinstance(value, (dict, list)):
        return conversions.java_text(value), plain_name
    if _kind(value) == "NUMBER":
        if plain_name == "java.util.Date":
            return dates.format(int(value)), plain_name
        if plain_name in _WHOLE:
            return int(value), plain_name
        if plain_name == "java.lang.Double":
            return writable(float(value)), plain_name
    if plain_name == _class(value):
        return value, plain_name
    if plain_name not in (*_LISTS, *_SETS, *_MAPS, *_WHOLE, *_SCALARS):
        message = f"SPIN/JACKSON-JSON-01007 Cannot construct java type from string '{type_name}'"
        raise _failure(name, message)
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if len(text) < 10:
        # The engine's own error text wants ten characters of it.
        raise _failure(name, f"begin 0, end 10, length {len(text)}")
    message = (
        f"SPIN/JACKSON-JSON-01006 Cannot deserialize '{text[:10]}...' to java type '{type_name}'"
    )
    raise _failure(name, message)


def _class(value: Any) -> str:
    if isinstance(value, bool):
        return "java.lang.Boolean"
    if isinstance(value, str):
        return "java.lang.String"
    if isinstance(value, int):
        return "java.lang.Integer" if -(2**31) <= value < 2**31 else "java.lang.Long"
    if isinstance(value, float):
        return "java.lang.Double"
    if isinstance(value, list):
        if value and value[0] is None:
            raise null_pointer('Cannot invoke "Object.getClass()" because "object" is null')
        return f"java.util.ArrayList<{_class(value[0]) if value else 'java.lang.Object'}>"
    return "java.util.LinkedHashMap<java.lang.Object,java.lang.Object>"


def _kind(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "BOOLEAN"
    if isinstance(value, (int, float)):
        return "NUMBER"
    if isinstance(value, str):
        return "STRING"
    return "ARRAY" if isinstance(value, list) else "OBJECT"


def _json(text: str, name: str) -> Any:
    try:
        text = text.lstrip(_BLANKS)
        value, end = _DECODER.raw_decode(text)
        # What follows the first value is not read, but it has to be told apart from it.
        if _kind(value) == "NUMBER" and text[end : end + 1].strip(_BLANKS):
            raise ValueError(text)
        if _kind(value) in ("NULL", "BOOLEAN") and text[end : end + 1].isidentifier():
            raise ValueError(text)
        return value
    except (ValueError, RecursionError):
        message = "SPIN/JACKSON-JSON-01001 Unable to parse input into json node"
        raise _failure(name, message) from None


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _integer(digits: str) -> int:
    if len(digits) > _LONGEST_NUMBER:
        raise ValueError(digits)
    return int(digits)


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse, parse_int=_integer)


def _read_xml(text: str) -> None:
    def refuse_document_type(*_: object) -> None:
        raise ValueError("a document type")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse_document_type
    parser.Parse(text.lstrip().encode(), True)


def _xml_failure(name: str) -> EngineError:
    return _failure(name, "SPIN/DOM-XML-01009 Unable to parse input into DOM document")


def _failure(name: str, reason: str) -> EngineError:
    message = f"Cannot deserialize object in variable '{name}': {reason}"
    return failure("ProcessEngineException", message)
