"""
Characters that an engine takes, and its database may not.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple


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


def first_odd(body: Any) -> Odd | None:
    """
    Give the first character of a body of JSON that some databases refuse; ``None`` if there is
    none.

    What the engine stores as bytes may have any.
    """
    if isinstance(body, dict):
        body = {name: one for name, one in body.items() if name != "errorDetails"}
    return _first_in(body, "")


def _first_in(value: Any, where: str) -> Odd | None:
    match value:
        case str():
            found = next(filter(_is_odd, value), None)
            return None if found is None else Odd(where, found)
        case dict():
            is_bytes = value.get("type") in _STORED_AS_BYTES
            for name, one in value.items():
                # A variable's name is a text of its own, its value is called "value".
                place = where if name == "value" else name
                odd = _first_in(name, f"the name {name!r:.80}")
                if odd is None and not (is_bytes and name == "value"):
                    odd = _first_in(one, place)
                if odd is not None:
                    return odd
        case list():
            return next(filter(None, (_first_in(one, where) for one in value)), None)
    return None


#: Types of variables whose values are not kept as text.
_STORED_AS_BYTES: Final = ("Json", "Xml", "Object", "Bytes", "File")


def _is_odd(character: str) -> bool:
    # Half of one beyond U+FFFF is no character either.
    return character == "\0" or character > "\uffff" or "\ud800" <= character <= "\udfff"


def hint_of(odd: Odd) -> str:
    """
    Say what to do about a character that the database has refused.
    """
    return (
        f"The engine's database takes no {odd}, which is in {odd.where}: Camunda's tables have "
        "none beyond U+FFFF on MySQL and MariaDB, and no U+0000 on PostgreSQL. Leave it out, or "
        "send it in error details or a Json variable."
    )
