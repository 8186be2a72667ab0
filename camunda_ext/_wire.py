"""
Every rule of fields and URLs, once. It works on any attrs class and names none of ours.

- A field ``activity_id_in`` is ``activityIdIn`` on the wire; keys of users' mappings never change.
- ``None`` is left out; a value that equals a default is sent.
- What an answer lacks, or has as null, gets the field's default; what it has besides is ignored.
- GET parameters are a projection of the POST body: one comma list for a list, ``true`` for `True`.
- An id is one percent-encoded segment of the path.
"""

from __future__ import annotations

import enum
import re
import reprlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import chain, islice
from operator import index
from types import GenericAlias, NoneType
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, get_args
from urllib.parse import quote, quote_plus

import attrs

from camunda_ext import _check, _json
from camunda_ext._json import MODERN, DateFormat
from camunda_ext.variables import Variables, VariableValue

if TYPE_CHECKING:
    import cattrs
    from cattrs.dispatch import StructureHook

    from camunda_ext._objects import Reader

T = TypeVar("T")

#: Longest query string that Tomcat takes; with the rest of the head it has 8192 bytes.
_LONGEST_QUERY: Final = 8000


def wire_name(name: str) -> str:
    """
    Give the engine's name of a field.
    """
    first, *rest = name.lstrip("_").split("_")
    return first + "".join(part.capitalize() for part in rest)


# ------------------------------------------------------------------------------------------ encode


def encode(value: Any, dates: DateFormat = MODERN) -> Any:
    """
    Give what JSON has for *value*: an attrs instance, or what one holds.
    """
    kind: Any = type(value)
    if kind in _ALIKE:
        return value
    return _writer(kind)(value, dates)


#: What JSON has for them is what Python has.
_ALIKE: Final = frozenset({bool, int, float, str, NoneType})


@lru_cache(maxsize=256)
def _writer(kind: Any) -> Callable[[Any, DateFormat], Any]:
    """
    Find out, once for each class, what JSON has for its instances.
    """
    if issubclass(kind, enum.Enum):
        return lambda value, _: value.value
    if issubclass(kind, (bool, int, float, str, NoneType)):
        return lambda value, _: value
    if issubclass(kind, datetime):
        return lambda value, dates: dates.format(value)
    if hasattr(kind, "__index__"):  # as NumPy's integers have
        return lambda value, _: index(value)
    if issubclass(kind, Variables):
        return lambda value, dates: {
            name: _encode_variable(name, value.typed(name), dates) for name in value
        }
    if issubclass(kind, Mapping):
        return lambda value, dates: {
            name: item if type(item) in _ALIKE else encode(item, dates)
            for name, item in value.items()
        }
    if issubclass(kind, (list, tuple)):
        return lambda value, dates: [
            item if type(item) in _ALIKE else encode(item, dates) for item in value
        ]
    return _attrs_writer(kind) if attrs.has(kind) else _refuse


def _attrs_writer(kind: type[Any]) -> Callable[[Any, DateFormat], Any]:
    names = _wire_names(kind)
    if any(hasattr(kind, name) for name in names):
        return lambda value, dates: {
            wire: item if type(item) in _ALIKE else encode(item, dates)
            for name, wire in names.items()
            if (item := getattr(value, name)) is not None
        }
    # Without slots an instance has a dict, which may lack the fields that were never set.
    return lambda value, dates: {
        names[name]: item if type(item) in _ALIKE else encode(item, dates)
        for name, item in value.__dict__.items()
        if item is not None
    }


def _encode_variable(name: str, variable: VariableValue, dates: DateFormat) -> dict[str, Any]:
    value = encode(variable.value, dates)
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


def _refuse(value: Any, _: DateFormat) -> NoReturn:
    raise TypeError(f"{type(value).__name__} {value!r:.60} has no form in JSON")


# ------------------------------------------------------------------------------------------ decode


def decode(content: bytes, kind: type[T], dates: DateFormat = MODERN) -> T:
    """
    Read an answer in JSON as *kind*: an attrs class, or a tuple of one or of strings.

    Raises:
        ValueError: It is not JSON, or not of that shape.
    """
    due: Any = kind
    has_long_numbers = _is_open(due)
    if getattr(due, "__origin__", None) is tuple and attrs.has(due.__args__[0]):
        try:
            made: T = _decode_all(content, due, dates, has_long_numbers=has_long_numbers)
            return made
        except Exception:  # noqa: BLE001, S110  # cattrs meets it again, and names the field
            pass
    return _structured(_json.loads(content, has_long_numbers=has_long_numbers), kind, dates)


def _structured(body: Any, kind: type[T], dates: DateFormat) -> T:
    import cattrs  # only now: to load it takes longer than all of this package

    try:
        return _converter(dates).structure(body, kind)
    except (cattrs.BaseValidationError, TypeError, ValueError) as error:
        told = "; ".join(cattrs.transform_error(error, "answer", _explain)[:_MOST_TOLD])
        raise ValueError(f"JSON of the wrong shape: {told}") from None


def decode_each(
    content: bytes, kind: type[T], dates: DateFormat = MODERN
) -> tuple[tuple[T, ...], list[tuple[str, str]]]:
    """
    Read an answer in JSON as a list of objects with ids, each by itself.

    Returns:
        Those of *kind*; and of each other one its id, and what is wrong with it.

    Raises:
        ValueError: It is not JSON, or no list of objects with ids.
    """
    due: Any = kind
    of_all: Any = GenericAlias(tuple, (kind, ...))
    has_long_numbers = _is_open(due)
    try:
        return _decode_all(content, of_all, dates, has_long_numbers=has_long_numbers), []
    except Exception:  # noqa: BLE001, S110  # it is read again, one by one
        pass
    body = _json.loads(content, has_long_numbers=has_long_numbers)
    if type(body) is not list or not all(map(_has_id, body)):
        return _structured(body, of_all, dates), []
    made: list[T] = []
    odd: list[tuple[str, str]] = []
    for one in body:
        try:
            made.append(_structured(one, kind, dates))
        except ValueError as error:
            if len(odd) == _MOST_ODD:
                raise
            odd.append((one["id"], str(error)))
    return tuple(made), odd


def _has_id(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("id"), str)


def _decode_all(content: bytes, kind: Any, dates: DateFormat, *, has_long_numbers: bool) -> Any:
    reader = _reader(kind.__args__[0], dates)
    made: list[Any] = []
    for piece in _json.pieces(content):
        body = _exactly(_json.loads(piece, has_long_numbers=has_long_numbers), list)
        made += reader.all(body)
    return tuple(made)


@lru_cache(maxsize=256)
def _is_open(kind: Any) -> bool:
    """
    Tell whether there is room for values of any type, as in variables; the engine has no integer
    beyond 64 bits of its own.
    """
    of = get_args(kind)[0] if get_args(kind) else kind
    fields = attrs.fields(attrs.resolve_types(of)) if attrs.has(of) else ()
    return not all({*(get_args(field.type) or (field.type,))} <= _CLOSED for field in fields)


#: How many faults of an answer are told.
_MOST_TOLD: Final = 3
#: How many tasks of a fetch may be odd. More are no tasks.
_MOST_ODD: Final = 1000
_CLOSED: Final = frozenset({bool, int, str, datetime, NoneType})


@lru_cache(maxsize=16)
def _converter(dates: DateFormat) -> cattrs.Converter:
    import cattrs

    converter = cattrs.Converter()
    for exact in (bool, int, float, str):
        converter.register_structure_hook(exact, _exactly)
    converter.register_structure_hook(datetime, lambda value, _: dates.parse(_exactly(value, str)))
    converter.register_structure_hook(
        Variables, lambda value, _: Variables.from_json(_exactly(value, dict), dates)
    )
    # An odd property or variable is for whoever looks at it, and no reason to refuse its page.
    converter.register_structure_hook_func(
        lambda kind: getattr(kind, "__origin__", None) is Mapping,
        lambda value, _: _exactly(value, dict),
    )
    converter.register_structure_hook_factory(
        lambda kind: getattr(kind, "__origin__", None) is tuple,
        lambda kind: _structure_tuple(kind.__args__[0], converter),
    )
    converter.register_structure_hook_factory(
        attrs.has, lambda kind: _structure_attrs(kind, converter, dates)
    )
    return converter


def _exactly(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        shown = _SHORT.repr(value)
        raise TypeError(f"expected {kind.__name__}, not {type(value).__name__} {shown:.60}")
    return value


class _Short(reprlib.Repr):
    """
    Shows the beginning of a value, which may have millions of parts.
    """

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        parts = islice(x.items(), 4)
        shown = [f"{key!r:.60}: {self.repr1(one, level - 1)}" for key, one in parts]
        return f"{{{', '.join(shown)}}}"


_SHORT: Final = _Short()
_SHORT.maxlevel = 4
_SHORT.maxlist = 20
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 80


def _structure_tuple(kind: type[Any], converter: cattrs.Converter) -> StructureHook:
    from cattrs import IterableValidationError, IterableValidationNote

    due: Any = kind
    one_of = converter.get_structure_hook(kind)

    def from_answer(value: Any, _: Any) -> Any:
        made, odd = [], []
        for place, one in _candidates(_exactly(value, list), due):
            try:
                made.append(one_of(one, due))
            except Exception as error:  # noqa: BLE001  # of any kind, all in one
                error.with_traceback(None)
                note = IterableValidationNote(f"at index {place}", place, due)
                error.__notes__ = [*getattr(error, "__notes__", ()), note]
                odd.append(error)
            if len(odd) == _MOST_TOLD:
                break  # One answer may have millions.
        if odd:
            raise IterableValidationError("elements", odd, due)
        return tuple(made)

    return from_answer


def _candidates(value: Sequence[Any], kind: Any) -> Iterator[tuple[int, Any]]:
    """
    Give the elements to look at, by their places: where some are no objects, though objects are
    due, these alone.
    """
    if attrs.has(kind):
        others = ((place, one) for place, one in enumerate(value) if type(one) is not dict)
        first = next(others, None)
        if first is not None:
            return chain([first], others)
    return enumerate(value)


def _structure_attrs(
    kind: type[Any], converter: cattrs.Converter, dates: DateFormat
) -> StructureHook:
    from cattrs.gen import make_dict_structure_fn, override

    due: Any = kind
    names = _wire_names(kind)
    known = tuple(names.values())
    renamed: Any = {name: override(rename=wire) for name, wire in names.items()}
    field_by_field = make_dict_structure_fn(kind, converter, **renamed)
    read = _reader(due, dates).one

    def from_answer(value: Any, _: Any) -> Any:
        _exactly(value, dict)
        try:
            return read(value)
        except Exception:  # noqa: BLE001, S110  # cattrs meets it again, and names the field
            pass
        # Any field may be missing; but an object with few of them is an error, or another's.
        if value.get(known[0]) is None and 2 * len(value.keys() & known) < len(known):
            raise ValueError(f"does not look like {kind.__name__}")
        return field_by_field({name: one for name, one in value.items() if one is not None}, kind)

    return from_answer


@lru_cache(maxsize=256)
def _reader(kind: Any, dates: DateFormat) -> Reader[Any]:
    from camunda_ext._objects import Reader  # with the first answer

    return Reader(kind, _wire_names(kind), dates)


def _wire_names(kind: type[Any]) -> dict[str, str]:
    return {field.name: wire_name(field.name) for field in attrs.fields(kind)}


def _explain(error: BaseException, _: type | None) -> str:
    return "missing" if isinstance(error, KeyError) else str(error)


# -------------------------------------------------------------------------------------------- URLs


def project(body: Mapping[str, Any]) -> dict[str, str]:
    """
    Give the GET parameters that say what the POST *body* says.

    Raises:
        ValueError: GET has no form for it.
    """
    params: dict[str, str] = {}
    for name, value in body.items():
        if value is True:
            params[name] = "true"  # BooleanConverter takes no True
        elif type(value) is str:
            params[name] = value
        elif name == "sorting":
            params |= _project_sorting(value)
        elif name == "processVariables":
            params[name] = _comma_list(name, [_project_condition(one) for one in value])
        elif isinstance(value, bool):
            params[name] = "true" if value else "false"
        elif isinstance(value, list):
            params[name] = _comma_list(name, value)
        else:
            params[name] = str(value)
    text = "".join([*params, *params.values()])
    if text.isascii() and 3 * len(text) + 2 * len(params) <= _LONGEST_QUERY:
        return params  # short, even if each of its characters had to be escaped
    try:
        length = len(_query(params))
    except UnicodeEncodeError:
        raise ValueError(f"half of an emoji cannot stand in a URL: {_POST}") from None
    if length > _LONGEST_QUERY:
        raise ValueError(f"longer than the {_LONGEST_QUERY} bytes that a URL may have: {_POST}")
    return params


_POST: Final = "send it with POST"


def _comma_list(name: str, values: Sequence[str]) -> str:
    # The engine decodes first and splits then: there is no way to escape a comma.
    for value in values:
        if "," in value:
            raise ValueError(f"{name} on GET cannot hold {value!r}, values part at commas: {_POST}")
    joined = ",".join(values)
    if not joined.strip(_check.BLANKS):
        raise ValueError(f"{name} on GET cannot be blank, which the engine ignores: {_POST}")
    return joined


def _project_sorting(sorting: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    if len(sorting) > 1:
        raise ValueError(f"GET has room for one criterion of sorting, not {len(sorting)}: {_POST}")
    return {name: one[name] for one in sorting for name in ("sortBy", "sortOrder")}


def _project_condition(condition: Mapping[str, Any]) -> str:
    name, operator, value = condition["name"], condition["operator"], condition.get("value")
    if not isinstance(value, str):
        raise ValueError(
            f"GET compares {name!r} with text only, never with {type(value).__name__}: {_POST}"
        )
    if "_" in name or "_" in value:
        raise ValueError(f"GET parts name, operator and value at each '_' ({name!r}): {_POST}")
    return f"{name}_{operator}_{value}"


#: What stands where an id does in the paths of other operations.
_SIBLINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "task_id": ("count", "topic-names", "retries", "retries-async", "fetchAndLock"),
    "batch_id": ("count", "statistics"),
    "log_id": ("count",),
}


def segment(name: str, value: object) -> str:
    """
    Give an id as one percent-encoded segment of a path.

    Raises:
        ValueError: No id that a URL could carry: an empty one, a dot segment, one with a slash or a
            control character, one of more than 255 characters, or a word with another meaning.
    """
    checked = _check.named(name, value)
    if checked in ("", ".", ".."):
        # HTTP clients fold dot segments away, in their percent-encoded form too.
        raise ValueError(f"{name} must not be {checked!r}: the URL would mean something else")
    if checked in _SIBLINGS.get(name, ()):
        raise ValueError(f"{name} must not be {checked!r}: that is the path of another operation")
    if checked.isascii() and checked.replace("-", "").isalnum():
        return checked  # as it is, like most ids
    if _NOT_IN_IDS.search(checked):
        raise ValueError(f"{name} must have no slash and no control character: {checked!r}")
    return quote(checked, safe="")


_NOT_IN_IDS: Final = re.compile(r"[/\\\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def url(base: str, path: str, ids: Mapping[str, str], params: Mapping[str, str]) -> str:
    """
    Give the whole URL of a request, its ids filled in and all of it encoded.
    """
    if ids:
        path = path.format_map({name: segment(name, value) for name, value in ids.items()})
    return f"{base}{path}?{_query(params)}" if params else base + path


def _query(params: Mapping[str, str]) -> str:
    # A bare "+" would be a space, and a date without its offset is refused.
    return "&".join([f"{_quoted(name)}={_quoted(value)}" for name, value in params.items()])


def _quoted(text: str) -> str:
    return text if text.isascii() and text.isalnum() else quote_plus(text)
