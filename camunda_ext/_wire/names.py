"""
The fields of attrs classes: the engine's names for them, and their types.
"""

from __future__ import annotations

from functools import lru_cache
from types import NoneType
from typing import Any, get_args

import attrs


def wire_name(name: str) -> str:
    """
    The engine's name of a field: ``topicName`` for ``topic_name`` or ``_topic_name``.
    """
    first, *rest = name.lstrip("_").split("_")
    return first + "".join(part.capitalize() for part in rest)


def wire_names(kind: type[Any]) -> dict[str, str]:
    """
    The engine's name of each field of an attrs class, by the field's name.
    """
    return {field.name: wire_name(field.name) for field in attrs.fields(kind)}


@lru_cache(maxsize=256)
def typed_fields(kind: Any) -> tuple[attrs.Attribute[Any], ...]:
    """
    The fields of an attrs class, with resolved types instead of annotations as text.
    """
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(attrs.resolve_types(kind))
    return fields


def without_none(kind: Any) -> Any:
    """
    The type ``X`` for ``X | None``; any other type as it is.
    """
    kinds = [member for member in get_args(kind) if member is not NoneType]
    return kinds[0] if NoneType in get_args(kind) and len(kinds) == 1 else kind
