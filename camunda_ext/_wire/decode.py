"""
Decodes answers of the engine to attrs classes.

- A field ``activity_id_in`` is ``activityIdIn`` in JSON; keys of users' mappings never change.
- A field that the answer lacks, or has as null, gets its default; without a default, such as an id,
  the answer is malformed. Unknown fields are ignored.
- Types are not converted: a text is no number, and 1.0 is no integer.

The module knows no class of this package: those with a form of their own are registered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache, partial
from types import GenericAlias
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args

import attrs

from camunda_ext._wire.dates import MODERN, DateFormat
from camunda_ext._wire.json import loads
from camunda_ext._wire.names import typed_fields, without_none

if TYPE_CHECKING:
    import cattrs

    from camunda_ext._wire.objects import Hook

T = TypeVar("T")

#: How many tasks of a fetch may be unreadable; with more of them, the whole answer is refused.
_MOST_UNREADABLE: Final = 1000
#: Types of fields in which no integer beyond 64 bits needs to be exact: the engine writes none.
_CLOSED: Final = frozenset({bool, int, str, datetime})

#: For each registered class the JSON type of its values, and the function that reads one.
_READERS: Final[dict[type, tuple[type, Callable[..., Any]]]] = {}


def register(kind: type[T], json_type: type, read: Callable[..., T]) -> None:
    """
    Register the function that reads fields whose type is *kind*.

    Args:
        json_type: The type that values have in JSON; a value of another type is an error.

        read: Converts a JSON value to an instance; is passed the format of dates as ``dates``.
    """
    _READERS[kind] = json_type, read


def decode(content: bytes, kind: type[T], dates: DateFormat = MODERN) -> T:
    """
    Decode the JSON of an answer.

    Args:
        kind: The type of the result: an attrs class, or a tuple of one or of strings.

    Raises:
        ValueError: It is not JSON, or does not have the expected types.
    """
    return _read(_loads(content, kind), kind, dates)


def decode_each(
    content: bytes, kind: type[T], dates: DateFormat = MODERN
) -> tuple[tuple[T, ...], list[tuple[str, str]]]:
    """
    Decode a JSON list of objects with ids, some of which may be malformed.

    Returns:
        The objects that could be decoded to *kind*; and for each other object its id and the
        reason.

    Raises:
        ValueError: It is not JSON, or no list of objects with ids; or more than 1,000 objects are
            malformed.
    """
    body = _loads(content, kind)
    tuple_of_kind: Any = GenericAlias(tuple, (kind, ...))
    try:
        return _read(body, tuple_of_kind, dates), []
    except ValueError:
        if type(body) is not list or not all(map(_has_id, body)):
            raise
    readable: list[T] = []
    unreadable: list[tuple[str, str]] = []
    for item in body:
        try:
            readable.append(_read(item, kind, dates))
        except ValueError as error:
            if len(unreadable) == _MOST_UNREADABLE:
                raise
            unreadable.append((item["id"], str(error)))
    return tuple(readable), unreadable


def _loads(content: bytes, kind: Any) -> Any:
    return loads(content, has_long_numbers=_may_have_long_numbers(kind))


def _has_id(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("id"), str)


def _read(value: Any, kind: type[T], dates: DateFormat) -> T:
    """
    Convert a decoded JSON value to *kind*.

    Raises:
        ValueError: It does not have the expected types; the message has the path to the field.
    """
    try:
        result: T = _hook(kind, dates)(value, kind)
    except Exception as error:
        import cattrs  # only now: few answers are malformed

        from camunda_ext._wire.objects import MOST_FAULTS

        if not isinstance(error, (cattrs.BaseValidationError, TypeError, ValueError)):
            raise
        faults = cattrs.transform_error(error, "answer", _explain)[:MOST_FAULTS]
        raise ValueError(f"JSON of the wrong shape: {'; '.join(faults)}") from None
    return result


def _explain(error: BaseException, _: type | None) -> str:
    return "missing" if isinstance(error, KeyError) else str(error)


@lru_cache(maxsize=256)
def _may_have_long_numbers(kind: Any) -> bool:
    """
    Whether the class has a field for values of any type, such as variables, in which integers
    beyond 64 bits must be exact.
    """
    item_kind = get_args(kind)[0] if get_args(kind) else kind
    fields = typed_fields(item_kind) if attrs.has(item_kind) else ()
    return not all(without_none(field.type) in _CLOSED for field in fields)


# ------------------------------------------------------------------------------- hooks of all types


def _hook(kind: Any, dates: DateFormat) -> Hook:
    """
    The hook that converts JSON values to a type.
    """
    return _own_hook(kind, dates) or _converter(dates).get_structure_hook(kind)


@lru_cache(maxsize=256)
def _own_hook(kind: Any, dates: DateFormat) -> Hook | None:
    """
    The hook of this package for a type; ``None`` for types that cattrs has to read.
    """
    from camunda_ext._wire import objects  # only now: loaded with the first answer

    origin, args = getattr(kind, "__origin__", kind), get_args(kind)
    if kind is Any:
        return lambda value, _: value
    if kind in (bool, int, float, str):
        return objects.Exactly(kind)
    if kind is datetime:
        return objects.Exactly(str, dates.parse)
    if kind in _READERS:
        json_type, read = _READERS[kind]
        return objects.Exactly(json_type, partial(read, dates=dates))
    if origin is Mapping:
        # Items are not checked: a malformed one must not make the whole page unreadable.
        return objects.Exactly(dict)
    if origin is tuple and args[1:] == (...,):
        return objects.tuple_hook(args[0], _hook(args[0], dates))
    if attrs.has(kind):
        fields = typed_fields(kind)
        hooks = [_hook(without_none(field.type), dates) for field in fields]
        return objects.object_hook(kind, [*map(objects.Field, fields, hooks)])
    return None


@lru_cache(maxsize=16)
def _converter(dates: DateFormat) -> cattrs.Converter:
    """
    The cattrs converter for all other types; it uses the hooks of this package for their parts.
    """
    import cattrs  # only now: its import takes longer than that of this whole package

    converter = cattrs.Converter()
    converter.register_structure_hook_factory(
        lambda kind: _own_hook(kind, dates) is not None, lambda kind: _hook(kind, dates)
    )
    return converter
