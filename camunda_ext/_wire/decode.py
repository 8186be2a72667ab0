"""
Every rule of fields and URLs, once. It works on any attrs class and names none of ours.

- A field ``activity_id_in`` is ``activityIdIn`` on the wire; keys of users' mappings never change.
- ``None`` is left out; a value that equals a default is sent.
- What an answer lacks, or has as null, gets the field's default; what it has besides is ignored.
- GET parameters are a projection of the POST body: one comma list for a list, ``true`` for `True`.
- An id is one percent-encoded segment of the path.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import chain, islice
from types import GenericAlias, NoneType
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args

import attrs

from camunda_ext._wire.dates import MODERN, DateFormat
from camunda_ext._wire.json import loads, pieces
from camunda_ext._wire.names import wire_names
from camunda_ext.variables import Variables

if TYPE_CHECKING:
    import cattrs
    from cattrs.dispatch import StructureHook

    from camunda_ext._wire.objects import Reader

T = TypeVar("T")


# ------------------------------------------------------------------------------------------ encode


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
    return _structured(loads(content, has_long_numbers=has_long_numbers), kind, dates)


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
    body = loads(content, has_long_numbers=has_long_numbers)
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
    for piece in pieces(content):
        body = _exactly(loads(piece, has_long_numbers=has_long_numbers), list)
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
    names = wire_names(kind)
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
    from camunda_ext._wire.objects import Reader  # with the first answer

    return Reader(kind, wire_names(kind), dates)


def _explain(error: BaseException, _: type | None) -> str:
    return "missing" if isinstance(error, KeyError) else str(error)


# -------------------------------------------------------------------------------------------- URLs
