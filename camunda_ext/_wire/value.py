"""
What values have in common: equal by their fields, hashable, and shown on one line.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import attrs

from camunda_ext._wire.text import visible

#: How much is shown of one field. Ids have at most 64 characters, and are shown whole.
_LONGEST: Final = 100


class TakenAsIs:
    """
    What pydantic takes as it is, in models and in ``validate_call``: an instance of the class.

    It would make a dict of a mapping, and ask for a setting where a class is not its own.
    """

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema  # there where pydantic asks

        return core_schema.is_instance_schema(cls)


class Value(TakenAsIs):
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
        # As it is made, for a list of tasks to be read, and copied where nothing is cut.
        shown = ", ".join(
            f"{field.name}={_shown(value)}"
            for field in _fields(self)
            if not _is_unset(field.default, value := getattr(self, field.name))
        )
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


def _is_unset(default: Any, value: Any) -> bool:
    """
    Tell whether a field says nothing: it is ``None``, empty, 0 or `False`, as by default.

    Defaults such as five attempts are shown, for nobody knows them by heart.
    """
    if value is None or default is None:
        return value is default
    kind = type(value)
    if kind in (bool, int, str):
        return kind is type(default) and not value and not default
    # What a factory makes is an empty mapping.
    return hasattr(default, "factory") and hasattr(value, "__len__") and len(value) == 0


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        text = value.isoformat()
        return text[:-6] + "Z" if text.endswith("+00:00") else text
    if isinstance(value, (str, bytes)) and len(value) > _LONGEST:
        value = value[:_LONGEST]  # it has two quotes besides, and is cut below
    # A value of somebody else's class may show itself in any way.
    text = visible(repr(value))
    # Cut without a closing quote or bracket, it is no Python that could be taken for the whole.
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
