"""
Values of Python as JSON has them.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from operator import index
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, NoReturn

import attrs

from camunda_ext._wire.dates import MODERN, DateFormat
from camunda_ext._wire.names import wire_names
from camunda_ext.variables import Variables, VariableValue

if TYPE_CHECKING:
    pass


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
    names = wire_names(kind)
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
