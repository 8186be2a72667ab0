"""
Reads answers of the engine as attrs classes, of which it names none of ours.

- A field ``activity_id_in`` is ``activityIdIn`` on the wire; keys of users' mappings never change.
- What an answer lacks, or has as null, gets the field's default; what it has besides is ignored.
- Nothing is bent to fit: a text is no number, and 1.0 is not 1.
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
#: Types of fields that hold no integer beyond 64 bits: the engine has none of its own.
_CLOSED: Final = frozenset({bool, int, str, datetime})

#: For each registered class the type that its values have in JSON, and what reads one of them.
_READERS: Final[dict[type, tuple[type, Callable[..., Any]]]] = {}


def register(kind: type[T], json_type: type, read: Callable[..., T]) -> None:
    """
    Set how values of a class are read, where it is the type of a field.

    Args:
        json_type: The type that its values have in JSON; a value of another type is refused.

        read: Makes an instance of a value in JSON; takes the format of dates as ``dates``.
    """
    _READERS[kind] = json_type, read


def decode(content: bytes, kind: type[T], dates: DateFormat = MODERN) -> T:
    """
    An answer in JSON as *kind*: an attrs class, or a tuple of one or of strings.

    Raises:
        ValueError: It is not JSON, or not of that shape.
    """
    return _read(_loads(content, kind), kind, dates)


def decode_each(
    content: bytes, kind: type[T], dates: DateFormat = MODERN
) -> tuple[tuple[T, ...], list[tuple[str, str]]]:
    """
    An answer in JSON as a list of objects with ids, where each may be malformed by itself.

    Returns:
        The objects that could be read as *kind*; and for each other object its id, and what is
        wrong with it.

    Raises:
        ValueError: It is not JSON, or no list of objects with ids.
    """
    body = _loads(content, kind)
    whole: Any = GenericAlias(tuple, (kind, ...))
    try:
        return _read(body, whole, dates), []
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
    Whether a field may hold values of any type, as variables do.
    """
    of = get_args(kind)[0] if get_args(kind) else kind
    fields = typed_fields(of) if attrs.has(of) else ()
    return not all(without_none(field.type) in _CLOSED for field in fields)


# ------------------------------------------------------------------------------- hooks of all types


def _hook(kind: Any, dates: DateFormat) -> Hook:
    """
    The hook that reads values of JSON as a type.
    """
    return _own_hook(kind, dates) or _converter(dates).get_structure_hook(kind)


@lru_cache(maxsize=256)
def _own_hook(kind: Any, dates: DateFormat) -> Hook | None:
    """
    The hook of a type that fields of answers have; ``None`` for any other type.
    """
    from camunda_ext._wire import objects  # with the first answer

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
        # A malformed member is for whoever looks at it, and no reason to refuse the whole page.
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
    A converter for all other types, which reads what they hold by the same hooks.
    """
    import cattrs  # only now: to load it takes longer than all of this package

    converter = cattrs.Converter()
    converter.register_structure_hook_factory(
        lambda kind: _own_hook(kind, dates) is not None, lambda kind: _hook(kind, dates)
    )
    return converter
