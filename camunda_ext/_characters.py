"""
Characters that an engine takes, and its database may not.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Odd(NamedTuple):
    """
    A character that some databases refuse, in what was sent.
    """

    #: The name of the field, or of the variable, that has it.
    where: str

    #: The character.
    character: str

    def __str__(self) -> str:
        shown = f" ({self.character})" if self.character.isprintable() else ""
        return f"U+{ord(self.character):04X}{shown}"


def first_odd(value: Any, where: str = "") -> Odd | None:
    """
    Give the first character of a body of JSON that some databases refuse; ``None`` if there is
    none.

    What the engine stores as bytes may have any.
    """
    match value:
        case str():
            found = next((one for one in value if one == "\0" or one > "\uffff"), None)
            return None if found is None else Odd(where, found)
        case {"type": "Json" | "Xml" | "Object" | "Bytes" | "File"}:
            return None
        case dict():
            parts = [(name, one) for name, one in value.items() if name != "errorDetails"]
            for name, one in parts:
                # A variable's name is a text of its own, its value is called "value".
                place = where if name == "value" else name
                odd = first_odd(name, f"the name {name!r:.80}") or first_odd(one, place)
                if odd is not None:
                    return odd
        case list():
            return next(filter(None, (first_odd(one, where) for one in value)), None)
    return None


def hint_of(odd: Odd) -> str:
    """
    Say what to do about a character that the database has refused.
    """
    return (
        f"The engine's database takes no {odd}, which is in {odd.where}: Camunda's tables have "
        "none beyond U+FFFF on MySQL and MariaDB, and no U+0000 on PostgreSQL. Leave it out, or "
        "send it in error details or a Json variable."
    )
