"""
The variables of a request, read strictly: a value has the JSON type that its variable's type asks
for, or is the text that the engine itself would write for it.

The engine takes more: it puts any value into quotes and reads that as JSON of the type, so that
blank text is null and ``"5\\"x"`` a five. Here that is refused, as it is by the client.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from camunda_ext.testing._errors import EngineError, invalid_request, null_pointer, rest_error
from camunda_ext.testing.values import dates, reading

JAVA: Final = "application/x-java-serialized-object"

_INT32: Final = 2**31
_INT64: Final = 2**63
#: The magic number and version of java.io.ObjectOutputStream, and a text of 64-bit length.
_JAVA_TEXT: Final = b"\xac\xed\x00\x05\x7c"

_WHOLE: Final = re.compile("-?[0-9]{1,19}")
_DECIMAL: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?|NaN|-?Infinity")
_WORD: Final = r"[!$%&'*+\-.^_`|~0-9A-Za-z]+"
_MEDIA_TYPE: Final = rf'{_WORD}/{_WORD}([ \t]*;[ \t]*{_WORD}=({_WORD}|"[ !$-\[\]-~]*"))*'


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

    #: Integer, Long, Short; Boolean as 0 or 1; Date as milliseconds since 1970.
    long: int | None = None

    #: Double, unless it is not a number.
    double: float | None = None

    #: The contents of Bytes and File, and an Object that was read without a type.
    data: bytes | None = None

    #: What answers show as ``valueInfo``.
    info: Mapping[str, Any] = attrs.field(factory=dict, hash=False)

    #: It is not stored.
    transient: bool = False


def read(dto: object) -> Value:
    """
    The variable that a request sets, from its decoded JSON.

    Raises:
        EngineError: It is malformed, of no known type, or its value is not one of its type.
    """
    parts = reading.variable(dto)
    if parts is None:
        raise null_pointer()
    type_name, value = reading.text(parts.get("type")), parts.get("value")
    info = parts.get("valueInfo") or {}
    transient = info.get("transient", False)
    if not isinstance(transient, bool):
        raise invalid_request("transient in valueInfo must be true or false")
    variable = plain(value) if type_name is None else _typed(type_name, value, info)
    return attrs.evolve(variable, transient=transient)


def read_all(dtos: object) -> dict[str, Value]:
    """
    The variables that a request sets, by name, from their decoded JSON.

    Raises:
        EngineError: One of them is refused; JSON of a wrong type before anything else.
    """
    return {name: read(dto) for name, dto in (reading.variables(dtos) or {}).items()}


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
    java_class = "java.math.BigInteger"
    if isinstance(value, (dict, list)):
        java_class = f"java.util.{'ArrayList' if isinstance(value, list) else 'LinkedHashMap'}"
    # Java would serialize lists and maps; this is a Java serialization of their JSON text.
    content = json.dumps(value).encode()
    data = _JAVA_TEXT + len(content).to_bytes(8, "big") + content
    info = {"objectTypeName": java_class, "serializationDataFormat": JAVA}
    return Value("Object", data=data, info=info)


def java_content(data: bytes) -> str:
    """
    The JSON text of an Object that was read without a type.
    """
    return data[len(_JAVA_TEXT) + 8 :].decode()


def _typed(type_name: str, value: Any, info: Mapping[str, Any]) -> Value:
    # Only in the first letter, the engine ignores the case.
    known = type_name[:1].upper() + type_name[1:]
    if known in ("Json", "Xml"):
        return Value(known, text=_serialized(type_name, value))
    if known == "Object":
        return _object(_serialized(type_name, value), info)
    if known == "File":
        return _file(value, info)
    if known not in _PRIMITIVES:
        raise rest_error(400, f"Unsupported value type '{type_name}'", code=None)
    java_class, convert = _PRIMITIVES[known]
    try:
        return Value(known) if value is None else attrs.evolve(convert(value), type=known)
    except (ValueError, OverflowError):
        raise invalid_request(
            f"Cannot convert value '{_shortly(value)}' of type '{type_name}' "
            f"to java type {java_class}"
        ) from None


def _shortly(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return "{...}" if isinstance(value, dict) else "[...]"
    return value if isinstance(value, str) else json.dumps(value)


# ------------------------------------------------------------------------- values of primitive type


def _boolean(value: Any) -> Value:
    if isinstance(value, bool) or value in ("true", "false"):
        return Value("Boolean", long=int(value in (True, "true")))
    raise ValueError(value)


def _whole(bits: int) -> Callable[[Any], Value]:
    bound = 1 << (bits - 1)

    def convert(value: Any) -> Value:
        if isinstance(value, str) and _WHOLE.fullmatch(value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not -bound <= value < bound:
            raise ValueError(value)
        return Value("Long", long=value)

    return convert


def _double(value: Any) -> Value:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(value)
    if isinstance(value, str) and not _DECIMAL.fullmatch(value):
        raise ValueError(value)
    number = float(value)
    if math.isnan(number):
        return Value("Double", text="NaN")
    # Adding 0 makes 0.0 of -0.0, as the engine's database does.
    return Value("Double", double=number + 0.0)


def _string(value: Any) -> Value:
    return Value("String", text=_text(value))


def _date(value: Any) -> Value:
    return Value("Date", long=dates.parse(_text(value)))


def _bytes(value: Any) -> Value:
    return Value("Bytes", data=base64.b64decode(_text(value), validate=True))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(value)
    return value


def _refused(value: Any) -> Value:
    raise ValueError(value)


#: By type: the class in Java, as errors name it, and what reads a value that is not null.
_PRIMITIVES: Final[Mapping[str, tuple[str, Callable[[Any], Value]]]] = {
    "Boolean": ("java.lang.Boolean", _boolean),
    "Bytes": ("[B", _bytes),
    "Date": ("java.util.Date", _date),
    "Double": ("java.lang.Double", _double),
    "Integer": ("java.lang.Integer", _whole(32)),
    "Long": ("java.lang.Long", _whole(64)),
    "Null": ("javax.lang.model.type.NullType", _refused),
    # It is abstract: the engine reads numbers of it, and stores none.
    "Number": ("java.lang.Number", _refused),
    "Short": ("java.lang.Short", _whole(16)),
    "String": ("java.lang.String", _string),
}

# -------------------------------------------------------------------------- values with information


def _serialized(type_name: str, value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise invalid_request(
        f"Must provide 'null' or String value for value of SerializableValue type '{type_name}'."
    )


def _object(text: str | None, info: Mapping[str, Any]) -> Value:
    keys = ("objectTypeName", "serializationDataFormat")
    kept = {key: info[key] for key in keys if info.get(key) is not None}
    needed = keys[1:] if text is None else keys
    if not all(isinstance(name, str) for name in kept.values()) or not kept.keys() >= set(needed):
        raise invalid_request(f"An Object needs {' and '.join(needed)} in its valueInfo, as text")
    return Value("Object", text=text, info=kept)


def _file(value: Any, info: Mapping[str, Any]) -> Value:
    for key, form, example in (
        ("filename", r"(?s).*\S.*", "a.pdf"),
        ("mimeType", _MEDIA_TYPE, "application/pdf"),
        ("encoding", _WORD, "UTF-8"),
    ):
        text = info.get(key)
        if key not in info and key != "filename":
            continue
        if not isinstance(text, str) or not re.fullmatch(form, text):
            raise invalid_request(
                f"{key} in the valueInfo of a File must be text such as '{example}'"
            )
    try:
        data = _bytes(value).data
    except ValueError:
        raise invalid_request("The value of a File must be text in base64") from None
    kept = {key: info[key] for key in ("encoding", "filename", "mimeType") if key in info}
    return Value("File", text=info["filename"], data=data, info=kept)


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
        variable = plain(value)
        if variable.type != "Object":
            return variable
    raise TypeError(
        f"{value!r} could be a variable of several types; say which, "
        'for example {"type": "Json", "value": "[1, 2]"}'
    )


def queried(value: object) -> Value:
    """
    The value that a condition of a query compares with: text may be a date there, or null.
    """
    if isinstance(value, str):
        # Other blanks are no part of a text in JSON, as which the engine reads it.
        if value.strip(" ") in ("", "null"):
            return Value("Null")
        try:
            return Value("Date", long=dates.parse(value))
        except ValueError:
            pass
    return plain(value)
