"""
Typed process variables, to and from Python values.

The table `_TYPES` says how each of the engine's types is read, `to_typed` which type a Python value
gets. What no Python value stands for is made by the functions of `typed`.
"""

import base64
import binascii
import enum
import math
import re
from abc import ABC
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from functools import lru_cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, Union, get_args, get_origin

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


def _same(value: object) -> tuple[type, object]:
    return type(value), value


@exported
@attrs.frozen(kw_only=True, eq=False, repr=False)
class VariableValue(Value):
    """
    A variable as it is on the wire: value, type and what else is known of it.
    """

    #: The value in the form that JSON has for the type; a `datetime` is written as text later.
    value: Any = attrs.field(default=None, eq=_same, hash=False)

    #: The engine's name of the type; ``None`` lets the engine guess.
    type: str | None = None

    #: What the type needs besides, such as the ``filename`` of a File.
    value_info: Mapping[str, Any] = attrs.field(factory=dict, hash=False)


@exported
@attrs.frozen(kw_only=True, eq=False, repr=False)
class File(Value):
    """
    A variable of type File as a query gives it: all but the contents.

    The contents are fetched by `ExternalTaskClient.variable_file()`, with the task that has it.
    """

    #: Name of the file, chosen by whoever set the variable: never use it as a path.
    filename: str | None = None

    #: What is in it, such as ``application/pdf``.
    mime_type: str | None = None

    #: Its character encoding.
    encoding: str | None = None


@exported
@attrs.frozen(kw_only=True, eq=False, repr=False)
class JavaObject(Value):
    """
    A variable that Java has serialized, which is for Java alone.

    Engines refuse to be sent one. Left out of the variables of a command, it stays as it is.
    """

    #: The Java class, such as ``java.util.ArrayList``; ``None`` if the engine does not say it.
    type_name: str | None = None

    #: What Java has serialized.
    content: bytes


@exported
class typed:  # noqa: N801  # a namespace that reads like a function: typed.file(...)
    """
    Values of the types that no Python value stands for.
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
        Make a File of *content*; an empty one is a file as well.

        Args:
            filename: Its name.

            mime_type: What is in it, such as ``application/pdf``.

            encoding: Its character encoding, such as ``UTF-8``.

        Raises:
            ValueError: The type or the encoding is of no form that the engine could give back: the
                file would be stored, and nobody could read it.
        """
        if not isinstance(content, (bytes, bytearray, memoryview)):
            raise TypeError(f"content must be bytes, not {type(content).__name__}")
        info: dict[str, object] = {"filename": checks.not_blank("filename", filename)}
        # FileValueTypeImpl.java fails on a null, so what is not known is left out.
        info |= {"mimeType": _mime_type("mime_type", mime_type)} if mime_type is not None else {}
        info |= {"encoding": _encoding("encoding", encoding)} if encoding is not None else {}
        return VariableValue(value=_base64(content), type="File", value_info=info)

    @staticmethod
    def xml(text: str) -> VariableValue:
        """
        Make an Xml value of *text*, which is not looked at; the engine needs its Spin plugin.
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
        Make an Object, serialized already.

        Args:
            type_name: The Java class, such as ``java.util.ArrayList<java.lang.String>``.

            format:
                How it is serialized. Java's own serialization is refused by the engine, and here.
        """
        if checks.not_blank("format", format) == _JAVA:
            raise ValueError(f"engines refuse objects in {_JAVA}: serialize to JSON or XML")
        if serialized is not None:
            checks.text("serialized", serialized)
            if format == "application/json":
                _refuse_broken_json("serialized", serialized)
        info = {
            "objectTypeName": checks.not_blank("type_name", type_name),
            "serializationDataFormat": format,
        }
        return VariableValue(value=serialized, type="Object", value_info=info)

    @staticmethod
    def short(value: int) -> VariableValue:
        """
        Make a Short, an integer of 16 bits.
        """
        checked = checks.integer("value", value, low=-(2**15), high=2**15 - 1)
        return VariableValue(value=checked, type="Short")

    @staticmethod
    def transient(value: Any) -> VariableValue:
        """
        Make a variable that lives in the current transaction only and is never stored.
        """
        made = to_typed("value", value)
        return attrs.evolve(made, value_info={**made.value_info, "transient": True})


_JAVA: Final = "application/x-java-serialized-object"


# ------------------------------------------------------------------------------ Python to the wire


def to_typed(name: str, value: Any) -> VariableValue:
    """
    Give the variable that stands for a Python *value*.

    ``None`` is Null, `bool` Boolean, `int` Integer or Long by range, `float` Double, `str` String,
    `bytes` Bytes, an aware `datetime` Date, `dict`, `list`, `tuple` and attrs instances Json. What
    the engine has no type for goes as String, without loss: `Decimal` and `UUID` as their text, a
    `date` as ``YYYY-MM-DD``, since a Date of the engine is a moment. An `Enum` goes as its value.

    Raises:
        TypeError: There is no type for it.
        ValueError: It does not fit its type.
    """
    what = f"variable {name!r}"
    if isinstance(value, VariableValue):
        return _checked(what, value)
    if isinstance(value, File):
        raise ValueError(_without_contents(what))
    if isinstance(value, JavaObject):
        raise ValueError(_for_java_alone(what))
    value = checks.native(what, value)
    if isinstance(value, enum.Enum):
        return to_typed(name, value.value)
    for kind, make in _WRITERS:
        if isinstance(value, kind):
            return make(what, value)
    if attrs.has(type(value)):
        return _json_value(what, value)
    if isinstance(value, _known_by_their_text()):
        return _string(what, str(value))
    raise TypeError(
        f"{what}: no variable type for {type(value).__name__}; pass a dict or list for Json, "
        "or one of the functions of camunda_ext.typed"
    )


def _without_contents(what: str) -> str:
    return (
        f"{what} is a file without its contents: leave it out, and it stays as it is; or pass "
        "typed.file(...)"
    )


def _for_java_alone(what: str) -> str:
    return f"{what} is an object that Java has serialized: leave it out, and it stays as it is"


# ------------------------------------------------------------ what is sent with a type of its own


def _checked(what: str, given: VariableValue) -> VariableValue:
    """
    Give back a variable that the engine would not take for something else.

    It makes the value of its type out of any text: quotes are put around it, and what is between
    them read as JSON (PrimitiveTypeValueSerializer.java). So what a text means is not what it says,
    unless it is of the one form that the engine writes itself.
    """
    if not isinstance(given.value_info.get("transient", False), bool):
        raise ValueError(f"{what}: transient must be True or False")
    value = checks.native(what, given.value)
    if given.type is None:
        if not isinstance(value, (str, bool, int, float, NoneType)):
            # ... which it stores as a Java object that nobody can send back.
            raise ValueError(f"{what} needs a type: pass a dict or list itself, for Json")
        if isinstance(value, int):
            checks.integer(what, value)
    elif not given.type:
        raise ValueError(f"{what} has an empty type")
    else:
        # The engine looks at the first letter so. What it does not know itself may be a type that
        # its server has besides.
        check = _CHECKS.get(given.type[0].upper() + given.type[1:])
        if check is not None:
            value = check(f"{what} of type {given.type}", value, given.value_info)
    return given if value is given.value else attrs.evolve(given, value=value)


def _optional(check: Callable[[str, Any], Any]) -> "_TypeCheck":
    return lambda what, value, _: None if value is None else check(what, value)


def _checked_boolean(what: str, value: Any) -> Any:
    if isinstance(value, bool) or value in ("true", "false"):
        return value
    raise ValueError(f"{what} must be True or False, not {value!r:.60}")


def _checked_whole(bits: int) -> Callable[[str, Any], Any]:
    bound = 1 << (bits - 1)

    def check(what: str, value: Any) -> Any:
        number = value
        if isinstance(value, str) and re.fullmatch(r"0|-?[1-9][0-9]{0,18}", value):
            number = int(value)
        if isinstance(number, int) and not isinstance(number, bool) and -bound <= number < bound:
            return value
        raise ValueError(f"{what} must be an int from {-bound} to {bound - 1}, not {value!r:.60}")

    return check


def _checked_double(what: str, value: Any) -> Any:
    if isinstance(value, float):
        return _double(what, value).value
    if isinstance(value, str) and re.fullmatch(_DECIMAL, value):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            exact = float(value) == value
        except OverflowError:
            exact = False
        if exact:
            return value
    raise ValueError(f"{what} must be a float, not {value!r:.60}")


# Compiled when they are needed, and kept by `re`: an import compiles none.
_DECIMAL: Final = r"-?(0|[1-9][0-9]{0,300})(\.[0-9]{1,300})?([eE][+-]?[0-9]{1,3})?|NaN|-?Infinity"


def _checked_text(what: str, value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError(f"{what} must be a str, not {type(value).__name__} {value!r:.60}")
    return _string(what, value).value


def _checked_date(what: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return checks.aware(what, value)
    if isinstance(value, str):
        return value  # the client knows how its engine writes dates, and looks at it then
    raise ValueError(f"{what} must be an aware datetime, not {value!r:.60}")


def _checked_bytes(what: str, value: Any) -> Any:
    try:
        base64.b64decode(value.encode("ascii"), validate=True)
    except (AttributeError, ValueError, binascii.Error):
        raise ValueError(
            f"{what} must be text in base64, not {value!r:.60}; or pass bytes themselves"
        ) from None
    return value


def _checked_file(what: str, value: Any, info: Mapping[str, Any]) -> Any:
    if value is None:
        raise ValueError(_without_contents(what))
    checks.not_blank(f"the filename of {what}", info.get("filename"))
    if "mimeType" in info:
        _mime_type(f"the mimeType of {what}", info["mimeType"])
    if "encoding" in info:
        _encoding(f"the encoding of {what}", info["encoding"])
    return _checked_bytes(what, value)


def _checked_json(what: str, value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError(f"{what} must be JSON as text; or pass a dict or list itself")
    _refuse_broken_json(what, value)  # The engine stores any text, and fails later.
    return value


def _checked_xml(what: str, value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError(f"{what} must be XML as text, not {type(value).__name__}")
    return value


def _checked_object(what: str, value: Any, info: Mapping[str, Any]) -> Any:
    if info.get("serializationDataFormat") == _JAVA:
        raise ValueError(_for_java_alone(what))
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{what} must be serialized as text; or pass a dict or list, for Json")
    for name in ("objectTypeName", "serializationDataFormat"):
        if value is not None and not info.get(name):
            raise ValueError(f"{what} has no {name}: pass typed.object(...)")
    return value


def _checked_null(what: str, value: Any, _: Mapping[str, Any]) -> Any:
    if value is not None:
        raise ValueError(f"{what} must be None, not {value!r:.60}")


def _refuse_number(what: str, value: Any, _: Mapping[str, Any]) -> NoReturn:
    raise ValueError(f"{what}: the engine stores Integer, Long, Short and Double, no Number")


_TypeCheck = Callable[[str, Any, Mapping[str, Any]], Any]

#: What gives back the value of each type that the engine would take for that value.
_CHECKS: Final[Mapping[str, _TypeCheck]] = {
    "Boolean": _optional(_checked_boolean),
    "Bytes": _optional(_checked_bytes),
    "Date": _optional(_checked_date),
    "Double": _optional(_checked_double),
    "File": _checked_file,
    "Integer": _optional(_checked_whole(32)),
    "Json": _optional(_checked_json),
    "Long": _optional(_checked_whole(64)),
    "Null": _checked_null,
    "Number": _refuse_number,
    "Object": _checked_object,
    "Short": _optional(_checked_whole(16)),
    "String": _optional(_checked_text),
    "Xml": _optional(_checked_xml),
}


def _mime_type(name: str, value: object) -> str:
    """
    Give back a MIME type that the engine can give back.

    It keeps type and encoding in one column, parted by ``#``.
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
        raise ValueError(f"{name} must be the name of one, such as 'UTF-8', not {checked!r:.60}")
    return checked


_WORD: Final = r"[!$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED: Final = r'"[ !$-\[\]-~]*"'
_MIME_TYPE: Final = rf"{_WORD}/{_WORD}(?:[ \t]*;[ \t]*{_WORD}=(?:{_WORD}|{_QUOTED}))*"


# -------------------------------------------------------------------- what is sent without, as well


def _parse(text: str) -> Any:
    return loads(text.encode("utf-8", "surrogatepass"))


def _refuse_broken_json(what: str, text: str) -> None:
    try:
        _parse(text)
    except ValueError as error:
        raise ValueError(f"{what} is no JSON: {error}") from None


def _integer(what: str, value: int) -> VariableValue:
    small = -checks.INT32 - 1 <= value <= checks.INT32
    # The engine takes a bigger one, and stores it as a Java object that nobody can send back.
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


def _date(what: str, value: datetime) -> VariableValue:
    return VariableValue(value=checks.aware(what, value), type="Date")


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
    Give *value* with what JSON has no form for as text, and nothing renamed.
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
    if isinstance(value, _known_by_their_text()):
        return str(value)
    if isinstance(value, datetime):
        return checks.aware(f"a date in {what}", value).isoformat(timespec="milliseconds")
    if isinstance(value, date):
        return value.isoformat()
    if attrs.has(type(value)):
        return {name: _plain(what, item) for name, item in _fields(value).items()}
    raise TypeError(f"{what}: {type(value).__name__} has no form in JSON")


@lru_cache(maxsize=1)
def _known_by_their_text() -> tuple[type, ...]:
    from decimal import Decimal  # only now: most programs need neither of the two modules
    from uuid import UUID

    return Decimal, UUID


def _key(what: str, key: object) -> str:
    if not isinstance(key, str):
        # json.dumps would write 1 as "1", and True as "true".
        raise TypeError(f"{what}: a key in JSON is a str, not {type(key).__name__} {key!r:.40}")
    return key


def _fields(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in attrs.fields(type(value))}


def _field_names(kind: Any) -> frozenset[str]:
    if not attrs.has(kind):
        raise TypeError(f"{kind!r} is not an attrs class")
    return frozenset(field.name for field in attrs.fields(kind))


def _base64(content: bytes | bytearray | memoryview) -> str:
    return base64.b64encode(content).decode("ascii")


#: The first class that fits makes the variable; `bool` is an `int` and `datetime` is a `date`.
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
    (datetime, _date),
    (date, lambda what, value: _string(what, value.isoformat())),
    ((Mapping, list, tuple), _json_value),
)


# ------------------------------------------------------------------------------ the wire to Python


def from_typed(variable: VariableValue, dates: DateFormat = MODERN) -> Any:
    """
    Give the Python value of a variable; the value as it came for a type that is not known.

    Raises:
        ValueError: The value is not one of its type.
    """
    read = _TYPES.get(variable.type or "")
    if variable.type == "File":
        return _file(variable)
    if variable.value is None or read is None:
        return variable.value
    return read(variable, dates)


def _file(variable: VariableValue) -> File:
    info = variable.value_info
    return File(
        filename=info.get("filename"),
        mime_type=info.get("mimeType"),
        encoding=info.get("encoding"),
    )


def _read_object(variable: VariableValue, dates: DateFormat) -> Any:
    if not isinstance(variable.value, str):
        return variable.value  # deserialized by the engine, as asked for
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
    given = variable.value
    return given if isinstance(given, datetime) else dates.parse(given)


#: How each type of the engine is read; null is ``None`` for all of them.
_TYPES: Final[Mapping[str, Callable[[VariableValue, DateFormat], Any]]] = {
    "Bytes": lambda variable, _: base64.b64decode(variable.value, validate=True),
    "Date": _read_date,
    "Double": lambda variable, _: float(variable.value),  # NaN and infinities come as text
    "Json": _read_json,
    "Object": _read_object,
}


@exported
class Variables(TakenAsIs, Mapping[str, Any]):
    """
    The variables of a task: a mapping of their names to Python values.

    A value is read when it is asked for, so that an odd one does not stand in the way of others.
    """

    __slots__ = ("_dates", "_held")

    def __init__(self, typed: Mapping[str, VariableValue], dates: DateFormat = MODERN) -> None:
        #: By name what came in JSON, until somebody asks for it.
        self._held: dict[str, Any] = dict(typed)
        self._dates = dates

    @classmethod
    def from_json(cls, variables: dict[str, Any], dates: DateFormat) -> "Variables":
        """
        The variables of an answer, as JSON has them; the dictionary is kept, not copied.
        """
        read = cls({}, dates)
        read._held = variables
        return read

    @classmethod
    def of(cls, values: "VariablesLike", *, name: str = "variables") -> "Variables":
        """
        Variables of Python values: of a mapping by name, or of the fields of an attrs instance.

        Args:
            name: What the error calls them, if there is one.

        Raises:
            TypeError: It is neither, or a value has no type.
            ValueError: A name or a value is not one that the engine takes.
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
        Give the variable as it came, with its type and ``value_info``.
        """
        held = self._held[name]
        if not isinstance(held, VariableValue):
            held = self._held[name] = _from_json(held)
        return held

    def __or__(self, other: object) -> "Variables":
        """
        Give these variables, and those of a mapping or an attrs instance in their place.

        What does not change keeps its type: a Long 7 does not become an Integer, an Xml no String.
        Values of *other* get the types that a command would give them.

        What cannot be sent is left out, and so stays as it is: objects that Java has serialized,
        files, whose contents are not here, and what the engine has deserialized.
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
        kept = {}
        for name, variable in self._all_typed().items():
            with suppress(ValueError):
                kept[name] = to_typed(name, variable)
        return kept

    def _all_typed(self) -> dict[str, VariableValue]:
        return {name: self.typed(name) for name in self._held}

    def into(self, kind: type[T]) -> T:
        """
        Give an instance of *kind*, an attrs class, with each variable as the field of its name.

        Variables without a field are left out. Nothing is bent to fit: a text is no `int`, and 1.5
        is not 1.

        Raises:
            TypeError: *kind* is no attrs class, or has a field of a type that nothing makes.

            ValueError: A variable is missing, or is not what its field says; names the variable.
        """
        import cattrs

        wanted = _field_names(kind)
        values = {name: self[name] for name in self._held if name in wanted}
        try:
            return _structurer().structure(values, kind)
        except cattrs.BaseValidationError as error:
            told = cattrs.transform_error(error, "variables", _explain)
            raise ValueError(f"the variables are no {kind.__name__}: " + "; ".join(told)) from None
        except cattrs.StructureHandlerNotFoundError as error:
            raise TypeError(f"{kind.__name__} has a field that nothing makes: {error}") from None

    def __getitem__(self, name: str) -> Any:
        variable = self.typed(name)
        try:
            return from_typed(variable, self._dates)
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"variable {name!r} of type {variable.type} cannot be read: {error}"
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, name: object) -> bool:
        return name in self._held

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Variables):
            return self._all_typed() == other._all_typed()
        return super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]  # a mapping, like dict

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name!r}: {variable.value!r:.60} ({variable.type})"
            for name, variable in self._all_typed().items()
        )
        return f"<Variables {{{shown}}}>"


if TYPE_CHECKING:
    from attrs import AttrsInstance
else:

    class AttrsInstance(TakenAsIs, ABC):
        """
        An instance of any attrs class, as `isinstance` and libraries that check types can tell it.
        """

        @classmethod
        def __subclasshook__(cls, kind: type) -> bool:
            return attrs.has(kind)


#: Values by name: a mapping, or an attrs instance for its fields. `Variables` keep their types.
VariablesLike = Variables | Mapping[str, Any] | AttrsInstance


def _typed_of(given: Any) -> dict[str, VariableValue] | None:
    if isinstance(given, Variables):
        return given._sendable()
    if isinstance(given, Mapping) or (attrs.has(type(given)) and not isinstance(given, type)):
        return Variables.of(given)._all_typed()
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
    body = {"value": value}  # null is a value, unlike elsewhere
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
    Make the converter that builds users' classes: cattrs' own, but that it bends no value.
    """
    import cattrs  # only now: to load it takes longer than all of this package

    decimal, uuid = _known_by_their_text()
    converter = cattrs.Converter()
    for kind, accepted in _EXACT.items():
        converter.register_structure_hook(kind, _exactly(kind, accepted))
    converter.register_structure_hook(datetime, _as_datetime)
    converter.register_structure_hook(date, _as_date)
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


_COLLECTIONS: Final[Mapping[Any, Callable[[list[Any]], Any]]] = {
    list: list,
    tuple: tuple,
    Sequence: tuple,
    set: set,
    frozenset: frozenset,
}


def _structure_items(converter: "cattrs.Converter", value: Any, kind: Any) -> Any:
    """
    Give a collection of what an array in Json holds; cattrs would take a text for one as well.
    """
    import cattrs

    items = _need(value, list, tuple)
    args = get_args(kind) or (Any,)
    if get_origin(kind) is tuple and args[-1] is not ...:
        if len(args) != len(items):
            raise ValueError(f"expected {len(args)} items, not {len(items)}")
    else:
        args = args[:1] * len(items)
    made, problems = [], []
    for index, (item, member) in enumerate(zip(items, args, strict=True)):
        try:
            made.append(converter.structure(item, member))
        except Exception as error:  # noqa: BLE001  # cattrs wraps all that a hook may raise
            note = cattrs.IterableValidationNote(f"at {index}", index, member)
            error.__notes__ = [*getattr(error, "__notes__", []), note]
            problems.append(error)
    if problems:
        raise cattrs.IterableValidationError("items", problems, kind)
    return _COLLECTIONS[_origin(kind)](made)


def _origin(kind: Any) -> Any:
    return getattr(kind, "__origin__", kind)


def _is_union_of_values(kind: Any) -> bool:
    known = {*_EXACT, datetime, date, *_known_by_their_text(), NoneType}
    return get_origin(kind) in (Union, UnionType) and known.issuperset(get_args(kind))


def _structure_union(converter: "cattrs.Converter", value: Any, kind: Any) -> Any:
    """
    Give a value as the member of a union that it is already, or else as the first that takes it.
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


_EXACT: Final[Mapping[type, tuple[type, ...]]] = {
    bool: (bool,),
    int: (int,),
    float: (float, int),
    str: (str,),
    bytes: (bytes,),
    File: (File,),
    JavaObject: (JavaObject,),
}


def _exactly(kind: type, accepted: tuple[type, ...]) -> Callable[[Any, Any], Any]:
    def structure(value: Any, _: Any) -> Any:
        checked = _need(value, *accepted)
        return float(checked) if kind is float else checked

    return structure


def _need(value: Any, *kinds: type) -> Any:
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        names = " or ".join(kind.__name__ for kind in kinds)
        raise TypeError(f"expected {names}, not {type(value).__name__} {value!r:.60}")
    return value


def _as_datetime(value: Any, _: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    return aware_date(_need(value, str))


def _as_date(value: Any, _: Any) -> date:
    return date.fromisoformat(_need(value, str))


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
