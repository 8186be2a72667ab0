"""
How the engine reads the variables of a request.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

import attrs

from camunda_ext.testing._errors import (
    EngineError,
    failure,
    invalid_request,
    not_readable,
    null_pointer,
    rest_error,
)
from camunda_ext.testing.values import conversions

JAVA: Final = "application/x-java-serialized-object"

_INT32: Final = 2**31
_INT64: Final = 2**63
#: The magic number and version of java.io.ObjectOutputStream, and a text of 64-bit length.
_JAVA_TEXT: Final = b"\xac\xed\x00\x05\x7c"

_JAVA_CLASSES: Final = {
    "Boolean": "java.lang.Boolean",
    "Bytes": "[B",
    "Date": "java.util.Date",
    "Double": "java.lang.Double",
    "Integer": "java.lang.Integer",
    "Long": "java.lang.Long",
    "Null": "javax.lang.model.type.NullType",
    "Number": "java.lang.Number",
    "Short": "java.lang.Short",
    "String": "java.lang.String",
}
_BITS: Final = {"Short": 16, "Integer": 32, "Long": 64}
SERIALIZED: Final = ("Json", "Xml", "Object")


@attrs.frozen(slots=True)
class Value:
    """
    The value of a variable, in the columns that the engine keeps it in.

    Without any of `text`, `long`, `double` and `data`, it is null.
    """

    #: As answers show it, for example ``Integer``.
    type: str

    #: A String, the serialized text of Json, Xml and Object, the name of a File; ``NaN``, which
    #: databases have no number for.
    text: str | None = None

    #: Integer, Long, Short; Boolean as 0 or 1; Date as milliseconds since the epoch.
    long: int | None = None

    #: Double, unless it is not a number.
    double: float | None = None

    #: The contents of Bytes and File, and an Object that was read without a type.
    data: bytes | None = None

    #: What answers show as ``valueInfo``.
    info: Mapping[str, Any] = attrs.field(factory=dict, hash=False)

    #: It is not stored.
    transient: bool = False


def read(dto: object, *, upper_case_booleans: bool = True) -> Value:
    """
    Read a variable of a request, as decoded JSON.

    Args:
        upper_case_booleans: Whether ``TRUE`` is a Boolean; not before 7.18.

    Raises:
        EngineError: The engine refuses it before it looks at anything else.
    """
    if dto is None:
        raise null_pointer(
            'Cannot invoke "org.camunda.bpm.engine.rest.dto.VariableValueDto.toTypedValue('
            "org.camunda.bpm.engine.ProcessEngine, com.fasterxml.jackson.databind.ObjectMapper)"
            '" because the return value of "java.util.Map$Entry.getValue()" is null'
        )
    type_name, value, info = _parts(dto)
    if type_name is None:
        return attrs.evolve(plain(value), transient=(info or {}).get("transient") is True)
    if type_name == "":
        raise failure("StringIndexOutOfBoundsException", "begin 0, end 1, length 0", code=None)
    # Only ASCII, as there are letters that are capitals of "i" in Python, and not in Java.
    known = type_name[0].upper() + type_name[1:] if type_name[0].isascii() else ""
    if known in _JAVA_CLASSES:
        return _primitive(known, type_name, value, info or {}, upper_case_booleans)
    if known in SERIALIZED:
        return _serialized(known, type_name, value, info or {})
    if known == "File":
        return _file(value, info)
    raise rest_error(400, f"Unsupported value type '{type_name}'", code=None)


def read_all(dtos: object, *, upper_case_booleans: bool = True) -> dict[str, Value]:
    """
    Read the variables of a request, as decoded JSON.

    Raises:
        EngineError: The engine refuses one of them before it looks at anything else.
    """
    if dtos is None:
        return {}
    if not isinstance(dtos, dict):
        raise not_readable()
    for dto in dtos.values():
        # The whole body is read as JSON before the first value is looked at.
        if dto is not None:
            _parts(dto)
    return {name: read(dto, upper_case_booleans=upper_case_booleans) for name, dto in dtos.items()}


def plain(value: object) -> Value:
    """
    The variable that a JSON value without a type becomes.
    """
    if value is None:
        return Value("Null")
    if isinstance(value, bool):
        return Value("Boolean", long=int(value))
    if isinstance(value, str):
        return Value("String", text=value)
    if isinstance(value, int) and -_INT64 <= value < _INT64:
        return Value("Integer" if -_INT32 <= value < _INT32 else "Long", long=value)
    if isinstance(value, float):
        return _double(value)
    info = {"objectTypeName": _java_class(value), "serializationDataFormat": JAVA}
    return Value("Object", data=_java_serialized(value), info=info)


def java_content(data: bytes) -> Any:
    """
    What an Object was made of that was read without a type.
    """
    return json.loads(data[len(_JAVA_TEXT) + 8 :])


def _parts(dto: object) -> tuple[str | None, Any, dict[str, Any] | None]:
    if not isinstance(dto, dict):
        raise not_readable()
    type_name, info = dto.get("type"), dto.get("valueInfo")
    if isinstance(type_name, (dict, list)) or not isinstance(info, (dict, type(None))):
        raise not_readable()
    if type_name is not None:
        type_name = conversions.java_text(type_name)
    return type_name, dto.get("value"), info


def _primitive(
    known: str, type_name: str, value: Any, info: Mapping[str, Any], upper_case: bool
) -> Value:
    try:
        found = _converted(known, value, upper_case)
        return attrs.evolve(found, transient=_is_transient(info))
    except (EngineError, ValueError):
        raise invalid_request(
            f"Cannot convert value '{conversions.java_text(value)}' of type '{type_name}' "
            f"to java type {_JAVA_CLASSES[known]}"
        ) from None


def _converted(known: str, value: Any, upper_case: bool) -> Value:
    if value is None:
        return Value(known)
    text = conversions.java_text(value)
    if known == "String":
        return Value(known, text=value if isinstance(value, str) else conversions.unquoted(text))
    if known == "Boolean":
        truth = conversions.boolean(text, upper_case=upper_case)
        return Value(known, long=None if truth is None else int(truth))
    if known in _BITS:
        return Value(known, long=conversions.whole(text, _BITS[known]))
    if known == "Double":
        number = conversions.decimal(text)
        return Value(known) if number is None else _double(number)
    if known == "Date":
        return Value(known, long=conversions.date(text))
    if known == "Bytes":
        return Value(known, data=conversions.base64_bytes(text))
    if known == "Number" and (isinstance(value, bool) or not isinstance(value, (int, float))):
        conversions.number(text)
    if known == "Null":
        raise ValueError(text)
    return Value(known)


def _double(number: float) -> Value:
    if math.isnan(number):
        return Value("Double", text="NaN")
    # Adding 0 makes 0.0 of -0.0, as the engine's database does.
    return Value("Double", double=number + 0.0)


def _serialized(known: str, type_name: str, value: Any, info: Mapping[str, Any]) -> Value:
    if value is not None and not isinstance(value, str):
        raise invalid_request(
            "Must provide 'null' or String value for value of SerializableValue "
            f"type '{type_name}'."
        )
    kept = {}
    if known == "Object":
        for key in ("objectTypeName", "serializationDataFormat"):
            if info.get(key) is not None:
                kept[key] = _string(info[key])
    # It is stored as UTF-8, which has no half of a surrogate pair.
    text = None if value is None else conversions.without_lone_surrogates(value)
    return Value(known, text=text, info=kept, transient=_is_transient(info))


def _file(value: Any, info: Mapping[str, Any] | None) -> Value:
    if info is None:
        raise _illegal("Cannot create file without valueInfo.")
    if info.get("filename") is None:
        raise _illegal(
            "Cannot create file without filename! "
            "Please set a name into ValueInfo with key filename"
        )
    if not isinstance(value, str):
        raise _illegal("Provided value is not of File, InputStream or byte[] type.")
    for key, words, named in (
        ("mimeType", "mime type", "filename"),
        ("encoding", "encoding", "encoding"),
    ):
        if key in info and info[key] is None:
            raise _illegal(
                f"The provided {words} is null. "
                f"Set a non-null value info property with key '{named}'"
            )
    transient = _is_transient(info)
    # The two share one column, so what is in one may come back in the other.
    said = (conversions.java_text(info.get(key, "")) for key in ("mimeType", "encoding"))
    mime_type, _, encoding = "#".join(said).partition("#")
    name = conversions.java_text(info["filename"])
    kept = {"encoding": encoding, "filename": name, "mimeType": mime_type}
    shown = {key: each for key, each in kept.items() if each or key == "filename"}
    data = conversions.lenient_base64_bytes(value)
    return Value("File", text=name, data=data, info=shown, transient=transient)


def _is_transient(info: Mapping[str, Any]) -> bool:
    transient = info.get("transient", False)
    if not isinstance(transient, bool):
        raise _illegal("The property 'transient' should have a value of type 'boolean'.")
    return transient


def _string(value: Any) -> str:
    if isinstance(value, str):
        return value
    name = _java_class(value)
    raise failure(
        "ClassCastException",
        f"class {name} cannot be cast to class java.lang.String ({name} and java.lang.String "
        "are in module java.base of loader 'bootstrap')",
        code=None,
    )


def _java_class(value: object) -> str:
    if isinstance(value, dict):
        return "java.util.LinkedHashMap"
    if isinstance(value, list):
        return "java.util.ArrayList"
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        return "java.math.BigInteger"
    return f"java.lang.{plain(value).type}"


def _java_serialized(value: object) -> bytes:
    """
    A Java serialization of the JSON text; the engine's is one of lists and maps.
    """
    content = json.dumps(value).encode()
    return _JAVA_TEXT + len(content).to_bytes(8, "big") + content


def _illegal(message: str) -> EngineError:
    return failure("IllegalArgumentException", message, code=None)
