"""
Reads the variables of a request strictly: a value must have the JSON type of its variable's type,
or be the text that the engine itself writes for the value.

Camunda accepts more: it puts any value into quotes and reads that as JSON of the type, so that
blank text is null and ``"5\\"x"`` is 5. Such values are refused here, as the client refuses them.
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
    The type and value of a variable, with the value in the columns of the engine's database.

    If `text`, `long`, `double` and `data` are all ``None``, the value is null.
    """

    #: The type as answers show it, for example ``Integer``.
    type: str

    #: The value of a String; the serialized text of a Json, Xml or Object; the name of a File;
    #: ``NaN`` for a Double that is not a number, which databases cannot store as one.
    text: str | None = None

    #: The value of an Integer, Long or Short; of a Boolean as 0 or 1; of a Date in milliseconds
    #: since 1970.
    long: int | None = None

    #: The value of a Double, except NaN.
    double: float | None = None

    #: The contents of Bytes or a File; or the value of an Object that was sent without a type.
    data: bytes | None = None

    #: The ``valueInfo`` of answers.
    info: Mapping[str, Any] = attrs.field(factory=dict, hash=False)

    #: Whether the variable is transient, so that it is never stored.
    transient: bool = False

    @property
    def is_null(self) -> bool:
        """
        Whether the value is null, whatever its type.
        """
        return (self.text, self.long, self.double, self.data) == (None, None, None, None)


def read(dto: object) -> Value:
    """
    The variable that a request sets, from its decoded JSON.

    Raises:
        EngineError: The variable is malformed, its type is unknown, or its value does not fit it.
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
        EngineError: A variable is refused. Wrong JSON types are refused before wrong values.
    """
    return {name: read(dto) for name, dto in (reading.variables(dtos) or {}).items()}


def plain(value: object) -> Value:
    """
    The variable for a JSON value that was sent without a type.
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
    # The engine stores lists and maps serialized by Java; this is the serialized JSON text.
    content = json.dumps(value).encode()
    data = _JAVA_TEXT + len(content).to_bytes(8, "big") + content
    info = {"objectTypeName": java_class, "serializationDataFormat": JAVA}
    return Value("Object", data=data, info=info)


def java_content(data: bytes) -> str:
    """
    The JSON text of an Object that was sent without a type, from `Value.data`.
    """
    return data[len(_JAVA_TEXT) + 8 :].decode()


def _typed(type_name: str, value: Any, info: Mapping[str, Any]) -> Value:
    # The engine ignores the case of the first letter, and only of that.
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
    # Adding 0.0 converts -0.0 to 0.0, as the engine's database does.
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


#: For each type, its Java class for errors, and the function that reads a value other than null.
_PRIMITIVES: Final[Mapping[str, tuple[str, Callable[[Any], Value]]]] = {
    "Boolean": ("java.lang.Boolean", _boolean),
    "Bytes": ("[B", _bytes),
    "Date": ("java.util.Date", _date),
    "Double": ("java.lang.Double", _double),
    "Integer": ("java.lang.Integer", _whole(32)),
    "Long": ("java.lang.Long", _whole(64)),
    "Null": ("javax.lang.model.type.NullType", _refused),
    # An abstract type, of which the engine stores no values.
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
    The variable for a Python value, or for a mapping with ``type`` and ``value`` as in requests.

    Raises:
        TypeError: The value could have several types, or none.

        ValueError: The value does not fit the type in the mapping.
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
    The value that a condition of a query compares with. A text may stand for a date or null there.
    """
    if isinstance(value, str):
        # The engine reads the text as JSON, where no other blanks can be in a text.
        if value.strip(" ") in ("", "null"):
            return Value("Null")
        try:
            return Value("Date", long=dates.parse(value))
        except ValueError:
            pass
    return plain(value)
