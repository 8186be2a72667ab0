"""
Names of fields on the wire.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    pass


def wire_name(name: str) -> str:
    """
    Give the engine's name of a field.
    """
    first, *rest = name.lstrip("_").split("_")
    return first + "".join(part.capitalize() for part in rest)


def wire_names(kind: type[Any]) -> dict[str, str]:
    return {field.name: wire_name(field.name) for field in attrs.fields(kind)}
