"""
Converts attrs instances to JSON values for requests.

- A field ``activity_id_in`` is ``activityIdIn`` in JSON; keys of users' mappings never change.
- ``None`` is left out; a value that equals a default is sent.

The module knows no class of this package: those with a form of their own are registered.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from operator import attrgetter, index
from types import NoneType
from typing import Any, Final, NoReturn

import attrs

from camunda_ext._wire.dates import MODERN, DateFormat
from camunda_ext._wire.names import wire_names

Writer = Callable[[Any, DateFormat], Any]


def encode(value: Any, dates: DateFormat = MODERN) -> Any:
    """
    The JSON value for an attrs instance, or for a value of one of its fields.
    """
    kind: Any = type(value)
    if kind in _ALIKE:
        return value
    return _writer(kind)(value, dates)


#: Types whose values need no conversion.
_ALIKE: Final = frozenset({bool, int, float, str, NoneType})

#: For each registered class the function that converts its instances.
_WRITERS: Final[dict[type, Writer]] = {}


def register(kind: type[Any], write: Writer) -> None:
    """
    Register the function that converts instances of a class.
    """
    _WRITERS[kind] = write


@lru_cache(maxsize=256)
def _writer(kind: Any) -> Writer:
    """
    The function that converts instances of a class.
    """
    if issubclass(kind, enum.Enum):
        return lambda value, _: value.value
    if issubclass(kind, (bool, int, float, str, NoneType)):
        return lambda value, _: value
    if issubclass(kind, datetime):
        return lambda value, dates: dates.format(value)
    if hasattr(kind, "__index__"):  # as NumPy's integers have
        return lambda value, _: index(value)
    for base in kind.__mro__:
        if base in _WRITERS:
            return _WRITERS[base]
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


def _attrs_writer(kind: type[Any]) -> Writer:
    names = wire_names(kind)
    if any(hasattr(kind, name) for name in names):
        wires = tuple(names.values())
        # One name alone would give its value, and no tuple of it; a second one changes nothing.
        values = attrgetter(*names, *names) if len(names) == 1 else attrgetter(*names)
        return lambda value, dates: {
            wire: item if type(item) in _ALIKE else encode(item, dates)
            for wire, item in zip(wires, values(value), strict=False)
            if item is not None
        }
    # A class without slots: `__dict__` may lack fields that are not set, as that of a query does.
    return lambda value, dates: {
        names[name]: item if type(item) in _ALIKE else encode(item, dates)
        for name, item in value.__dict__.items()
        if item is not None
    }


def _refuse(value: Any, _: DateFormat) -> NoReturn:
    raise TypeError(f"{type(value).__name__} {value!r:.60} has no form in JSON")
