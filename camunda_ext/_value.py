"""
What values have in common: equal by their fields, hashable, and shown with all of them.
"""

from __future__ import annotations

from typing import Any

import attrs


class Value:
    """
    What attrs would write for each class, which takes it as long as all the rest of the class.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return _compared(self) == _compared(other)

    def __hash__(self) -> int:
        return hash((type(self), *_compared(self, for_hash=True)))

    def __repr__(self) -> str:
        shown = ", ".join(f"{field.name}={getattr(self, field.name)!r}" for field in _fields(self))
        return f"{type(self).__name__}({shown})"


def _fields(value: object) -> Any:
    fields: Any = attrs.fields
    return fields(type(value))


def _compared(value: object, *, for_hash: bool = False) -> tuple[Any, ...]:
    return tuple(
        field.eq_key(getattr(value, field.name)) if field.eq_key else getattr(value, field.name)
        for field in _fields(value)
        if field.eq and not (for_hash and field.hash is False)
    )
