"""
Process variables: their types, and their conversion to and from Python values.

The table `_TYPES` has a function to read each of the engine's types, `_WRITERS` the engine's type
for each Python type. The functions of `typed` create variables of types without Python equivalent.
"""

import base64
import enum
import math
import re
from abc import ABC
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from functools import lru_cache
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    NoReturn,
    TypeVar,
    Union,
    get_args,
    get_origin,
)

import attrs

from camunda_ext._wire import checks, decode, encode
from camunda_ext._wire.dates import MODERN, DateFormat, aware_date
from camunda_ext._wire.json import dumps, loads
from camunda_ext._wire.value import TakenAsIs, Value, exported

if TYPE_CHECKING:
    from decimal import Decimal

    import cattrs

T = TypeVar("T")

_LONGEST_STRING: Final = 4000


def _with_type(value: object) -> tuple[type, object]:
    # So that 1, 1.0 and True are not equal.
    return type(value), value


@exported
@attrs.frozen(kw_only=True, eq=False, repr=False)
class VariableValue(Value):
    """
    A variable in the engine's own form: value, type and properties of the type.
    """

    #: The value as JSON has it for the type; a `datetime` is converted to text when it is sent.
    value: Any = attrs.field(default=None, eq=_with_type, hash=False)

    #: The engine's name of the type; ``None`` lets the engine guess.
    type: str | None = None

    #: Properties of the type, such as the ``filename`` of a File.
    value_info: Mapping[str, Any] = attrs.field(factory=dict, hash=False)


@exported
@attrs.frozen(kw_only=True, eq=False, repr=False)
class File(Value):
    """
    A variable of type File as the engine returns it with a task: without its contents.

    `ExternalTaskClient.variable_file()` fetches the contents.
    """

    #: Name of the file. It is untrusted: never use it as a path.
    filename: str | None = None

    #: MIME type of the contents, such as ``application/pdf``.
    mime_type: str | None = None

    #: Character encoding of the contents.
    encoding: str | None = None


@exported
@attrs.frozen(kw_only=True, eq=False, repr=False)
class JavaObject(Value):
    """
    A variable in Java's own serialization, which Python cannot read.

    Engines do not accept one. If a command leaves the variable out, it keeps its value.
    """

    #: The Java class, such as ``java.util.ArrayList``; ``None`` if the engine does not state it.
    type_name: str | None = None

    #: The serialized object.
    content: bytes


@exported
class typed:  # noqa: N801  # a namespace that reads like a function: typed.file(...)
    """
    Functions that create variables of types that have no Python equivalent.
    """

    @staticmethod
    def file(
        content: bytes,
        filename: str,
        *,
        mime_type: str | None = None,
        encoding: str | None = None,
    ) -> VariableValue:
        """
        A File.

        Args:
            content: The contents of the file; may be empty.

            filename: Name of the file.

            mime_type: MIME type of the contents, such as ``application/pdf``.

            encoding: Character encoding of the contents, such as ``UTF-8``.

        Raises:
            ValueError: *mime_type* or *encoding* is malformed: the engine would store the file, but
                could not return it.
        """
        if not isinstance(content, (bytes, bytearray, memoryview)):
            raise TypeError(f"content must be bytes, not {type(content).__name__}")
        info: dict[str, object] = {"filename": checks.not_blank("filename", filename)}
        # FileValueTypeImpl.java fails on null, so ``None`` is left out.
        info |= {"mimeType": _mime_type("mime_type", mime_type)} if mime_type is not None else {}
        info |= {"encoding": _encoding("encoding", encoding)} if encoding is not None else {}
        return VariableValue(value=_base64(content), type="File", value_info=info)

    @staticmethod
    def xml(text: str) -> VariableValue:
        """
        An Xml value. The text is not checked; the engine needs its Spin plugin.
        """
        return VariableValue(value=checks.text("text", text), type="Xml")

    @staticmethod
    def object(
        serialized: str | None,
        *,
        type_name: str,
        format: str = "application/json",  # noqa: A002
    ) -> VariableValue:
        """
        An Object in serialized form.

        Args:
            serialized: The serialized object as text; ``None`` for null.

            type_name: The Java class, such as ``java.util.ArrayList<java.lang.String>``.

            format: The media type of the serialization. The engine does not accept Java's own.

        Raises:
            ValueError: The format is Java's own serialization, or the text is no valid JSON.
        """
        if checks.not_blank("format", format) == _JAVA:
            raise ValueError(f"engines refuse objects in {_JAVA}: serialize to JSON or XML")
        if serialized is not None:
            checks.text("serialized", serialized)
            if format == "application/json":
                _checked_json("serialized", serialized)
        info = {
            "objectTypeName": checks.not_blank("type_name", type_name),
            "serializationDataFormat": format,
        }
        return VariableValue(value=serialized, type="Object", value_info=info)

    @staticmethod
    def short(value: int) -> VariableValue:
        """
        A Short, an integer of 16 bits.
        """
        checked = checks.integer("value", value, low=-(2**15), high=2**15 - 1)
        return VariableValue(value=checked, type="Short")

    @staticmethod
    def transient(value: Any) -> VariableValue:
        """
        A variable that exists only in the current transaction of the engine, and is never stored.

        Args:
            value: A Python value or a `VariableValue`.
        """
        variable = to_typed("value", value)
        return attrs.evolve(variable, value_info={**variable.value_info, "transient": True})


_JAVA: Final = "application/x-java-serialized-object"


# ------------------------------------------------------------------------------ Python to the wire


def to_typed(name: str, value: Any) -> VariableValue:
    """
    Convert a Python value to a variable.

    ``None`` becomes Null, `bool` Boolean, `int` Integer or Long by its size, `float` Double, `str`
    String, `bytes` Bytes, an aware `datetime` Date, and `dict`, `list`, `tuple` and attrs instances
    become Json. Types that the engine lacks become a String without loss: `Decimal` and `UUID` as
    their text, a `date` as ``YYYY-MM-DD``, as the engine's Date has a time. An `Enum` is converted
    like its value.

    Args:
        name: Name of the variable, for error messages.

    Raises:
        TypeError: The engine has no type for the value.

        ValueError: The value does not fit its type.
    """
    what = f"variable {name!r}"
    if isinstance(value, VariableValue):
        return _checked(what, value)
    if isinstance(value, File):
        raise ValueError(f"{what} {_NO_CONTENTS}")
    if isinstance(value, JavaObject):
        raise ValueError(f"{what} {_FOR_JAVA}")
    value = checks.native(what, value)
    if isinstance(value, enum.Enum):
        return to_typed(name, value.value)
    for kind, make in _WRITERS:
        if isinstance(value, kind):
            return make(what, value)
    if attrs.has(type(value)):
        return _json_value(what, value)
    if isinstance(value, _text_types()):
        return _string(what, str(value))
    raise TypeError(
        f"{what}: no variable type for {type(value).__name__}; pass a dict or list for Json, "
        "or one of the functions of camunda_ext.typed"
    )


_NO_CONTENTS: Final = (
    "is a file without its contents: leave it out, and it stays as it is; or pass typed.file(...)"
)
_FOR_JAVA: Final = "is an object that Java has serialized: leave it out, and it stays as it is"


# ------------------------------------------------------------------- checks of variables with types


def _checked(what: str, variable: VariableValue) -> VariableValue:
    """
    Check that the engine reads a variable's value as it is meant.

    The engine converts any text to the type of the variable: it puts quotes around the text, and
    reads the result as JSON (PrimitiveTypeValueSerializer.java). So a text may become another value
    than it states, unless it has exactly the form that the engine itself writes.
    """
    if not isinstance(variable.value_info.get("transient", False), bool):
        raise ValueError(f"{what}: transient must be True or False")
    value = checks.native(what, variable.value)
    if variable.type is None:
        if not isinstance(value, (str, bool, int, float, NoneType)):
            # The engine would store a Java object that no client can send back.
            raise ValueError(f"{what} needs a type: pass a dict or list itself, for Json")
        if isinstance(value, int):
            checks.integer(what, value)
    elif not variable.type:
        raise ValueError(f"{what} has an empty type")
    else:
        # The engine ignores the case of the first letter.
        kind = variable.type[0].upper() + variable.type[1:]
        what = f"{what} of type {variable.type}"
        if kind == "Number":
            raise ValueError(f"{what}: engines store Integer, Long, Short and Double, no Number")
        if kind == "File":
            _check_file(what, value, variable.value_info)
        elif kind == "Object":
            _check_object(what, value, variable.value_info)
        value = _checked_value(kind, what, value)
    return variable if value is variable.value else attrs.evolve(variable, value=value)


def _checked_value(kind: str, what: str, value: Any) -> Any:
    """
    The value to send for a variable of a type.
    """
    match kind, value:
        case _, None:
            return None
        case (("Short" | "Integer" | "Long"), (int() | str())) if _is_whole(kind, value):
            return value
        case "Boolean", (bool() | "true" | "false"):
            return value
        case "Double", float():
            return _double(what, value).value
        case "Double", (int() | str()) if _is_double(value):
            return value
        case "Date", datetime():
            return checks.aware(what, value)
        case "Date", str():
            return value  # checked when it is sent, as only the client knows its engine's format
        case (("Bytes" | "File"), str()) if _is_base64(value):
            return value
        case "String", str():
            return _string(what, value).value
        case "Json", str():
            return _checked_json(what, value)  # The engine would store any text, and fail later.
        case (("Xml" | "Object"), str()):
            return value
    if kind not in _EXPECTED:
        return value  # An unknown type may come from a plugin of the engine.
    raise ValueError(f"{what} must be {_EXPECTED[kind]}, not {value!r:.60}")


def _is_whole(kind: str, value: int | str) -> bool:
    if isinstance(value, str):
        if not re.fullmatch(r"0|-?[1-9][0-9]{0,18}", value):
            return False
        value = int(value)
    bound = 1 << (_BITS[kind] - 1)
    return not isinstance(value, bool) and -bound <= value < bound


_BITS: Final = {"Short": 16, "Integer": 32, "Long": 64}


def _is_double(value: int | str) -> bool:
    if isinstance(value, str):
        return re.fullmatch(_DECIMAL, value) is not None
    try:
        return float(value) == value and not isinstance(value, bool)
    except OverflowError:
        return False


# `re` compiles it at the first use and caches it, so that the import stays quick.
_DECIMAL: Final = r"-?(0|[1-9][0-9]{0,300})(\.[0-9]{1,300})?([eE][+-]?[0-9]{1,3})?|NaN|-?Infinity"


def _is_base64(value: str) -> bool:
    try:
        base64.b64decode(value.encode("ascii"), validate=True)
    except ValueError:
        return False
    return True


#: What the value of each type must be, for error messages.
_EXPECTED: Final[Mapping[str, str]] = {
    "Boolean": "True or False",
    "Bytes": "text in base64, or bytes themselves without a type",
    "Date": "an aware datetime",
    "Double": "a float",
    "File": "text in base64: pass typed.file(...)",
    "Integer": f"an int from {-(2**31)} to {2**31 - 1}",
    "Json": "JSON as text, or a dict or list itself without a type",
    "Long": f"an int from {-(2**63)} to {2**63 - 1}",
    "Null": "None",
    "Object": "serialized as text: pass typed.object(...)",
    "Short": f"an int from {-(2**15)} to {2**15 - 1}",
    "String": "a str",
    "Xml": "XML as text",
}


def _check_file(what: str, value: Any, info: Mapping[str, Any]) -> None:
    if value is None:
        raise ValueError(f"{what} {_NO_CONTENTS}")
    checks.not_blank(f"the filename of {what}", info.get("filename"))
    if "mimeType" in info:
        _mime_type(f"the mimeType of {what}", info["mimeType"])
    if "encoding" in info:
        _encoding(f"the encoding of {what}", info["encoding"])


def _check_object(what: str, value: Any, info: Mapping[str, Any]) -> None:
    if info.get("serializationDataFormat") == _JAVA:
        raise ValueError(f"{what} {_FOR_JAVA}")
    for name in ("objectTypeName", "serializationDataFormat"):
        if value is not None and not info.get(name):
            raise ValueError(f"{what} has no {name}: pass typed.object(...)")


def _mime_type(name: str, value: object) -> str:
    """
    Check that a MIME type is one that the engine can return: it stores type and encoding in one
    column, separated by ``#``.
    """
    checked = checks.text(name, value)
    if not re.fullmatch(_MIME_TYPE, checked):
        raise ValueError(
            f"{name} must be of the form type/subtype, such as 'application/pdf', "
            f"not {checked!r:.60}: the engine could not give such a file back"
        )
    return checked


def _encoding(name: str, value: object) -> str:
    checked = checks.text(name, value)
    if not re.fullmatch(_WORD, checked):
        raise ValueError(f"{name} must be a name such as 'UTF-8', not {checked!r:.60}")
    return checked


_WORD: Final = r"[!$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED: Final = r'"[ !$-\[\]-~]*"'
_MIME_TYPE: Final = rf"{_WORD}/{_WORD}(?:[ \t]*;[ \t]*{_WORD}=(?:{_WORD}|{_QUOTED}))*"


# ---------------------------------------------------------------------- conversion of Python values


def _parse(text: str) -> Any:
    return loads(text.encode("utf-8", "surrogatepass"))


def _checked_json(what: str, text: str) -> str:
    try:
        _parse(text)
    except ValueError as error:
        raise ValueError(f"{what} is no JSON: {error}") from None
    return text


def _integer(what: str, value: int) -> VariableValue:
    small = -checks.INT32 - 1 <= value <= checks.INT32
    # The engine would store a larger one as a Java object that no client can send back.
    return VariableValue(value=checks.integer(what, value), type="Integer" if small else "Long")


def _double(what: str, value: float) -> VariableValue:
    if math.isfinite(value):
        return VariableValue(value=value, type="Double")
    infinity = "Infinity" if value > 0 else "-Infinity"
    return VariableValue(value="NaN" if math.isnan(value) else infinity, type="Double")


def _string(what: str, value: str) -> VariableValue:
    if checks.utf16_units(value) > _LONGEST_STRING:
        raise ValueError(
            f"{what} has more than {_LONGEST_STRING} UTF-16 units, more than the engine's column "
            "takes: pass bytes, a list or dict (Json), or typed.file(...)"
        )
    return VariableValue(value=value, type="String")


def _json_value(what: str, value: object) -> VariableValue:
    try:
        plain = _plain(what, value)
    except RecursionError:
        raise ValueError(f"{what} is nested too deeply for JSON, or in itself") from None
    try:
        return VariableValue(value=dumps(plain), type="Json")
    except ValueError as error:
        raise ValueError(f"{what} has no form in JSON: {error}") from None


def _plain(what: str, value: Any) -> Any:
    """
    Convert a value to JSON values: dates, `Decimal` and `UUID` become text, names stay as they are.
    """
    value = checks.native(f"a value in {what}", value)
    if isinstance(value, enum.Enum):
        return _plain(what, value.value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {_key(what, key): _plain(what, item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(what, item) for item in value]
    if isinstance(value, _text_types()):
        return str(value)
    if isinstance(value, datetime):
        return checks.aware(f"a date in {what}", value).isoformat(timespec="milliseconds")
    if isinstance(value, date):
        return value.isoformat()
    if attrs.has(type(value)):
        return {name: _plain(what, item) for name, item in _fields(value).items()}
    raise TypeError(f"{what}: {type(value).__name__} has no form in JSON")


@lru_cache(maxsize=1)
def _text_types() -> tuple[type, ...]:
    from decimal import Decimal  # only now: most programs need neither of the two modules
    from uuid import UUID

    return Decimal, UUID


def _key(what: str, key: object) -> str:
    if not isinstance(key, str):
        # `json.dumps` would convert 1 to "1", and True to "true".
        raise TypeError(f"{what}: a key in JSON is a str, not {type(key).__name__} {key!r:.40}")
    return key


def _fields(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in attrs.fields(type(value))}


def _base64(content: bytes | bytearray | memoryview) -> str:
    return base64.b64encode(content).decode("ascii")


#: The functions that convert values of Python types. The first match counts: `bool` comes before
#: `int`, and `datetime` before `date`, whose subclasses they are.
_WRITERS: Final[tuple[tuple[type | tuple[type, ...], Callable[[str, Any], VariableValue]], ...]] = (
    (type(None), lambda what, value: VariableValue(type="Null")),
    (bool, lambda what, value: VariableValue(value=value, type="Boolean")),
    (int, _integer),
    (float, _double),
    (str, _string),
    (
        (bytes, bytearray, memoryview),
        lambda _, value: VariableValue(value=_base64(value), type="Bytes"),
    ),
    (datetime, lambda what, value: VariableValue(value=checks.aware(what, value), type="Date")),
    (date, lambda what, value: _string(what, value.isoformat())),
    ((Mapping, list, tuple), _json_value),
)


# ------------------------------------------------------------------------------ the wire to Python


def from_typed(variable: VariableValue, dates: DateFormat = MODERN) -> Any:
    """
    The Python value of a variable; for an unknown type, its unconverted JSON value.

    Raises:
        ValueError: The value does not fit the type.
    """
    if variable.type == "File":
        info = variable.value_info
        return File(
            filename=info.get("filename"),
            mime_type=info.get("mimeType"),
            encoding=info.get("encoding"),
        )
    read = _TYPES.get(variable.type or "")
    if variable.value is None or read is None:
        return variable.value
    return read(variable, dates)


def _read_object(variable: VariableValue, dates: DateFormat) -> Any:
    if not isinstance(variable.value, str):
        return variable.value  # deserialized by the engine
    format_ = variable.value_info.get("serializationDataFormat")
    if format_ == _JAVA:
        content = base64.b64decode(variable.value, validate=True)
        return JavaObject(type_name=variable.value_info.get("objectTypeName"), content=content)
    if format_ == "application/json":
        return _read_json(variable, dates)
    return variable.value


def _read_json(variable: VariableValue, dates: DateFormat) -> Any:
    if not isinstance(variable.value, str):
        return variable.value
    return _parse(variable.value)


def _read_date(variable: VariableValue, dates: DateFormat) -> datetime:
    value = variable.value
    return value if isinstance(value, datetime) else dates.parse(value)


def _read_double(variable: VariableValue, dates: DateFormat) -> float:
    try:
        return float(variable.value)  # NaN and infinities come as text
    except OverflowError:
        raise ValueError(f"the Double {variable.value!r:.40} is beyond the floats") from None


#: The functions that convert values of the engine's types; null is ``None`` for all of them.
_TYPES: Final[Mapping[str, Callable[[VariableValue, DateFormat], Any]]] = {
    "Bytes": lambda variable, _: base64.b64decode(variable.value, validate=True),
    "Date": _read_date,
    "Double": _read_double,
    "Json": _read_json,
    "Object": _read_object,
}


@exported
class Variables(TakenAsIs, Mapping[str, Any]):
    """
    The variables of a task: a mapping of their names to Python values.

    A value is converted when it is accessed, so that a malformed one does not affect the others.
    """

    __slots__ = ("_dates", "_variables")

    def __init__(self, typed: Mapping[str, VariableValue], dates: DateFormat = MODERN) -> None:
        if not all(isinstance(value, VariableValue) for value in typed.values()):
            raise TypeError(
                "each variable must be a VariableValue; Variables.of() takes any values"
            )
        #: By name: the JSON of a variable, replaced by a `VariableValue` at the first access.
        self._variables: dict[str, Any] = dict(typed)
        self._dates = dates

    @classmethod
    def from_json(cls, variables: dict[str, Any], dates: DateFormat = MODERN) -> "Variables":
        """
        The variables of an answer.

        Args:
            variables: The decoded JSON; the dictionary is kept, not copied.

            dates: The engine's format of dates.
        """
        result = cls({}, dates)
        result._variables = variables
        return result

    @classmethod
    def of(cls, values: "VariablesLike", *, name: str = "variables") -> "Variables":
        """
        Convert the Python values of a mapping, or of the fields of an attrs instance, to variables.

        Args:
            name: Name of the argument, for error messages.

        Raises:
            TypeError: *values* is neither, or the engine has no type for a value.

            ValueError: The engine does not accept a name or a value.
        """
        if isinstance(values, Variables):
            values = values._all_typed()
        if not isinstance(values, (Mapping, type)) and attrs.has(type(values)):
            values = _fields(values)
        if not isinstance(values, Mapping):
            raise TypeError(
                f"{name} must be a mapping of names to values or an attrs instance, "
                f"not {type(values).__name__}"
            )
        return cls(
            {
                checks.named("the name of a variable", key): to_typed(key, value)
                for key, value in values.items()
            }
        )

    def typed(self, name: str) -> VariableValue:
        """
        The variable of a name with its type and ``value_info``, its value not converted.
        """
        variable = self._variables[name]
        if not isinstance(variable, VariableValue):
            variable = self._variables[name] = _from_json(variable)
        return variable

    def __or__(self, other: object) -> "Variables":
        """
        A copy of these variables, updated by a mapping or by the fields of an attrs instance.

        Variables that are not in *other* keep their types: a Long 7 does not become an Integer, an
        Xml no String. Values of *other* are converted as in a command.

        Variables that cannot be sent are left out, so that the engine keeps their values: those in
        Java's own serialization, files without contents, and objects that the engine has
        deserialized.
        """
        changed = _typed_of(other)
        if changed is None:
            return NotImplemented
        return Variables({**self._sendable(), **changed}, self._dates)

    def __ror__(self, other: object) -> "Variables":
        changed = _typed_of(other)
        if changed is None:
            return NotImplemented
        return Variables({**changed, **self._sendable()}, self._dates)

    def _sendable(self) -> dict[str, VariableValue]:
        variables = {}
        for name, variable in self._all_typed().items():
            with suppress(ValueError):
                variables[name] = to_typed(name, variable)
        return variables

    def _all_typed(self) -> dict[str, VariableValue]:
        return {name: self.typed(name) for name in self._variables}

    def into(self, kind: type[T]) -> T:
        """
        An instance of *kind*, an attrs class, whose fields have the values of the variables of the
        same names.

        Variables without a field are ignored. Types are not converted: a text is no `int`, and 1.5
        is not 1.

        Raises:
            TypeError: *kind* is no attrs class, or a field has a type that no variable can have.

            ValueError: A variable is missing, or does not have the type of its field; the message
                has its name.
        """
        import cattrs

        if not attrs.has(kind):
            raise TypeError(f"{kind!r} is not an attrs class")
        fields = attrs.fields(kind)
        values = {field.name: self[field.name] for field in fields if field.name in self}
        try:
            return _structurer().structure(values, kind)  # type: ignore[return-value]  # `attrs.has()` has narrowed the type
        except cattrs.BaseValidationError as error:
            faults = cattrs.transform_error(error, "variables", _explain)
            raise ValueError(
                f"the variables are no {kind.__name__}: " + "; ".join(faults)
            ) from None
        except cattrs.StructureHandlerNotFoundError as error:
            raise TypeError(
                f"{kind.__name__} has a field of a type that no variable has: {error}"
            ) from None

    def __getitem__(self, name: str) -> Any:
        variable = self.typed(name)
        try:
            return from_typed(variable, self._dates)
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"variable {name!r} of type {variable.type} cannot be read: {error}"
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)

    def __contains__(self, name: object) -> bool:
        return name in self._variables

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Variables):
            return self._all_typed() == other._all_typed()
        return super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]  # a mapping, like dict

    def __repr__(self) -> str:
        items = ", ".join(
            f"{name!r}: {variable.value!r:.60} ({variable.type})"
            for name, variable in self._all_typed().items()
        )
        return f"<Variables {{{items}}}>"


if TYPE_CHECKING:
    from attrs import AttrsInstance
else:

    class AttrsInstance(TakenAsIs, ABC):
        """
        An instance of any attrs class, for `isinstance` and for libraries that check types at run
        time.
        """

        @classmethod
        def __subclasshook__(cls, kind: type) -> bool:
            return attrs.has(kind)


#: Values by name: a mapping, or an attrs instance with its fields. `Variables` keep their types.
VariablesLike = Variables | Mapping[str, Any] | AttrsInstance


def _typed_of(values: Any) -> dict[str, VariableValue] | None:
    """
    The variables of an operand of ``|``; ``None`` if it is no `VariablesLike`.
    """
    if isinstance(values, Variables):
        return values._sendable()
    if isinstance(values, Mapping) or (attrs.has(type(values)) and not isinstance(values, type)):
        return Variables.of(values)._all_typed()
    return None


def _from_json(variable: Any) -> VariableValue:
    if not isinstance(variable, dict):
        return VariableValue(value=variable)
    info = variable.get("valueInfo")
    return VariableValue(
        value=variable.get("value"),
        type=variable.get("type"),
        value_info=info if isinstance(info, dict) else {},
    )


def _to_json(variables: Variables, dates: DateFormat) -> dict[str, Any]:
    return {name: _variable_to_json(name, variables.typed(name), dates) for name in variables}


def _variable_to_json(name: str, variable: VariableValue, dates: DateFormat) -> dict[str, Any]:
    value = encode.encode(variable.value, dates)
    if variable.type in ("Date", "date") and value is not None and not dates.is_exact(value):
        raise ValueError(
            f"variable {name!r}: {value!r:.60} is no Date that the engine would read as it is: "
            "pass an aware datetime"
        )
    body = {"value": value}  # ``None`` is sent here, as null is a value of a variable
    if variable.type is not None:
        body["type"] = variable.type
    if variable.value_info:
        body["valueInfo"] = dict(variable.value_info)
    return body


decode.register(Variables, dict, Variables.from_json)
encode.register(Variables, _to_json)


# ----------------------------------------------------------------------- variables to user classes


@lru_cache(maxsize=1)
def _structurer() -> "cattrs.Converter":
    """
    The cattrs converter that creates instances of users' classes, without converting types.
    """
    import cattrs  # only now: its import takes longer than that of this whole package

    decimal, uuid = _text_types()
    converter = cattrs.Converter(structure_fallback_factory=_refuse_type)
    for exact_kind in _EXACT:
        converter.register_structure_hook(exact_kind, lambda value, kind: _need(value, kind))
    converter.register_structure_hook(float, lambda value, _: float(_need(value, float, int)))
    converter.register_structure_hook(
        datetime,
        lambda value, _: value if isinstance(value, datetime) else aware_date(_need(value, str)),
    )
    converter.register_structure_hook(date, lambda value, _: date.fromisoformat(_need(value, str)))
    converter.register_structure_hook(decimal, _as_decimal)
    converter.register_structure_hook(uuid, lambda value, _: uuid(_need(value, str)))
    converter.register_structure_hook_func(
        lambda kind: _origin(kind) in _COLLECTIONS,
        lambda value, kind: _structure_items(converter, value, kind),
    )
    converter.register_structure_hook_func(
        _is_union_of_values, lambda value, kind: _structure_union(converter, value, kind)
    )
    return converter


def _refuse_type(kind: Any) -> NoReturn:
    """
    Refuse a type as soon as the fields of a class are looked at. Old versions of cattrs do so at
    the first value only, as if that were wrong.
    """
    import cattrs

    raise cattrs.StructureHandlerNotFoundError(f"Unsupported type: {kind!r:.200}", type_=kind)


_COLLECTIONS: Final[Mapping[Any, Callable[[list[Any]], Any]]] = {
    list: list,
    tuple: tuple,
    Sequence: tuple,
    set: set,
    frozenset: frozenset,
}


def _structure_items(converter: "cattrs.Converter", value: Any, kind: Any) -> Any:
    """
    Convert a JSON array to a collection. Unlike the hooks of cattrs, it refuses a text.
    """
    import cattrs

    items = _need(value, list, tuple)
    args = get_args(kind) or (Any,)
    if get_origin(kind) is tuple and args[-1] is not ...:
        if len(args) != len(items):
            raise ValueError(f"expected {len(args)} items, not {len(items)}")
    else:
        args = args[:1] * len(items)
    converted, problems = [], []
    for index, (item, item_type) in enumerate(zip(items, args, strict=True)):
        try:
            converted.append(converter.structure(item, item_type))
        except Exception as error:  # noqa: BLE001  # a hook may raise anything, as in cattrs
            note = cattrs.IterableValidationNote(f"at {index}", index, item_type)
            error.__notes__ = [*getattr(error, "__notes__", []), note]
            problems.append(error)
    if problems:
        raise cattrs.IterableValidationError("items", problems, kind)
    return _COLLECTIONS[_origin(kind)](converted)


def _origin(kind: Any) -> Any:
    return getattr(kind, "__origin__", kind)


def _is_union_of_values(kind: Any) -> bool:
    known = {*_EXACT, float, datetime, date, *_text_types(), NoneType}
    return get_origin(kind) in (Union, UnionType) and known.issuperset(get_args(kind))


def _structure_union(converter: "cattrs.Converter", value: Any, kind: Any) -> Any:
    """
    Convert a value to a union: return it if its type is a member, or convert it to the first member
    that accepts it.
    """
    if type(value) in get_args(kind):
        return value
    members = [member for member in get_args(kind) if member is not NoneType]
    if len(members) == 1:
        return converter.structure(value, members[0])
    for member in members:
        try:
            return converter.structure(value, member)
        except (TypeError, ValueError):
            continue
    names = " or ".join(member.__name__ for member in members)
    raise TypeError(f"expected {names}, not {type(value).__name__} {value!r:.60}")


_EXACT: Final = (bool, int, str, bytes, File, JavaObject)


def _need(value: Any, *kinds: type) -> Any:
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        names = " or ".join(kind.__name__ for kind in kinds)
        raise TypeError(f"expected {names}, not {type(value).__name__} {value!r:.60}")
    return value


def _as_decimal(value: Any, _: Any) -> "Decimal":
    from decimal import Decimal

    try:
        return Decimal(str(_need(value, str, int, float)))
    except ArithmeticError:
        raise ValueError(f"expected a decimal number, not {value!r:.60}") from None


def _explain(error: BaseException, _: type | None) -> str:
    if isinstance(error, KeyError):
        return "missing"
    return str(error) or type(error).__name__
