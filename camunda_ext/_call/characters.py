"""
Characters that an engine accepts, but not every database.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple


class OddCharacter(NamedTuple):
    """
    A character in a request that some databases refuse.
    """

    #: The name of the field or of the variable that has the character.
    where: str

    #: The character.
    character: str

    def __str__(self) -> str:
        in_brackets = f" ({self.character})" if self.character.isprintable() else ""
        return f"U+{ord(self.character):04X}{in_brackets}"

    def hint(self) -> str:
        """
        The hint of the error if a database has refused the character.
        """
        return (
            f"The engine's database takes no {self}, which is in {self.where}: Camunda's tables "
            "have none beyond U+FFFF on MySQL and MariaDB, and no U+0000 on PostgreSQL. Leave it "
            "out, or send it in error details or a Json variable."
        )


def first_odd(body: Any) -> OddCharacter | None:
    """
    The first character of a decoded JSON body that some databases refuse; ``None`` if there is
    none.

    Values that the engine stores as bytes may have any character, and are skipped.
    """
    if isinstance(body, dict):
        body = {name: field for name, field in body.items() if name != "errorDetails"}
    return _first_in(body, "")


def _first_in(value: Any, where: str) -> OddCharacter | None:
    match value:
        case str():
            character = next(filter(_is_odd, value), None)
            return None if character is None else OddCharacter(where, character)
        case dict():
            is_bytes = value.get("type") in _STORED_AS_BYTES
            for name, field in value.items():
                # The value of a variable is in its field "value"; report the variable's name.
                place = where if name == "value" else name
                odd = _first_in(name, f"the name {name!r:.80}")
                if odd is None and not (is_bytes and name == "value"):
                    odd = _first_in(field, place)
                if odd is not None:
                    return odd
        case list():
            return next(filter(None, (_first_in(item, where) for item in value)), None)
    return None


#: Types of variables whose values the engine stores as bytes, not as text.
_STORED_AS_BYTES: Final = ("Json", "Xml", "Object", "Bytes", "File")


def _is_odd(character: str) -> bool:
    # A lone surrogate is no character either.
    return character == "\0" or character > "\uffff" or "\ud800" <= character <= "\udfff"
