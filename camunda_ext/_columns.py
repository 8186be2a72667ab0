"""
Objects of a page read by columns, a field of all of them at a time, which takes half as long as
object by object.

What is odd is not told here but refused: cattrs meets it again, and names the field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from types import NoneType
from typing import Any, Final, get_args

import attrs

from camunda_ext._json import DateFormat
from camunda_ext.variables import Variables

#: So many objects at a time are in the processor's cache still when their next field is read.
_AT_A_TIME: Final = 100


class Odd(Exception):
    """
    Some object may not be what it ought to be.
    """


def reader(
    kind: type[Any], names: Mapping[str, str], dates: DateFormat
) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """
    Make what reads objects of JSON as instances of an attrs class.

    Args:
        names: What JSON has for each field, in their order.

    Raises (that which reads):
        Exception: At least one is not of the types due, such as `Odd`.
    """
    known = tuple(names.values())
    # With one name alone, `itemgetter` gives no tuple.
    pick = itemgetter(*known) if len(known) > 1 else lambda one: (one[known[0]],)
    readers = [_column(field, dates) for field in attrs.fields(attrs.resolve_types(kind))]
    changeable = _changeable(kind)

    def pick_some(one: dict[str, Any]) -> list[Any]:
        if known[0] not in one:
            raise Odd
        return [*map(one.get, known)]

    def read(values: Sequence[Any]) -> tuple[Any, ...]:
        made: list[Any] = []
        for start in range(0, len(values), _AT_A_TIME):
            some = values[start : start + _AT_A_TIME]
            try:
                rows = [*map(pick, some)]
            except KeyError:  # an older engine lacks some fields
                rows = [*map(pick_some, some)]
            fields = [
                read_column(came)
                for read_column, came in zip(readers, zip(*rows, strict=True), strict=True)
            ]
            instances = [*map(changeable, *fields)]
            for instance in instances:
                instance.__class__ = kind
            made += instances
        return tuple(made)

    return read


def _column(
    field: attrs.Attribute[Any], dates: DateFormat
) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """
    Make what reads one field of many objects; the field's annotation must be resolved.
    """
    default, (due, to_values) = field.default, _to_values(_without_none(field.type), dates)
    expected, or_null = {due}, {due, NoneType}

    def read(came: Sequence[Any]) -> Sequence[Any]:
        kinds = set(map(type, came))
        if kinds == expected:
            return to_values(came) if to_values else came
        if default is attrs.NOTHING or not kinds <= or_null:
            raise Odd
        if default is None and not to_values:
            return came
        given = [one for one in came if one is not None]
        values = iter(to_values(given) if to_values else given)
        return [_made(default) if one is None else next(values) for one in came]

    return read


def _to_values(
    kind: Any, dates: DateFormat
) -> tuple[type | None, Callable[[Sequence[Any]], Sequence[Any]] | None]:
    """
    Give the type that values of a *kind* have in JSON, and what makes them if they are not alike.
    """
    if kind in (bool, int, float, str):
        return kind, None
    if kind is datetime:
        return str, dates.parse_all
    if kind is Variables:
        return dict, lambda came: [Variables.from_json(one, dates) for one in came]
    if kind is Mapping:
        return dict, None
    return None, None  # for cattrs alone


def _made(default: Any) -> Any:
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # a class, at run time
        return default.factory()
    return default


def _without_none(annotated: Any) -> Any:
    kinds = [one for one in get_args(annotated) if one is not NoneType]
    if NoneType in get_args(annotated) and len(kinds) == 1:
        return _without_none(kinds[0])
    return getattr(annotated, "__origin__", annotated)


def _changeable(kind: type[Any]) -> type[Any]:
    """
    Give a class that has *kind* for its base, takes all fields by position, and is not frozen.

    To set a field of a frozen instance takes many times as long. So instances are made of this
    class, and get their own then.
    """
    made: type[Any] = attrs.define(
        type(kind.__name__, (kind,), {"__slots__": (), **_AS_OF_OBJECT}),
        slots=True,
        weakref_slot=False,
        eq=False,
        repr=False,
        on_setattr=attrs.setters.NO_OP,
        field_transformer=lambda _, fields: [
            field.evolve(kw_only=False, default=attrs.NOTHING) for field in fields
        ],
    )
    return made


#: Both: Python takes the short way only if neither is a function in Python.
_AS_OF_OBJECT: Final = {"__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
