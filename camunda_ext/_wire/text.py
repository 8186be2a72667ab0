"""
Escapes untrusted text for logs, terminals and error messages.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

#: How many characters of an untrusted text a log or an error shows.
LONGEST_TEXT: Final = 2048


def visible(text: str) -> str:
    """
    The *text* on one line, with characters that are not printable as Python escapes.

    These are control characters with tabs and line breaks, characters that change the direction of
    text or join it, halves of surrogate pairs, spaces other than the plain one, and unassigned
    characters. Some of them control a terminal, others make different texts look alike.
    """
    return _escaped(text, repr)


def printable(text: str) -> str:
    """
    The *text* escaped like `visible()`, and cut after 2048 characters.
    """
    return visible(text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "...")


def visible_json(value: Any, *, indent: int | None = None) -> str:
    """
    The JSON text for *value*, with the characters that `visible()` escapes as JSON escapes.

    Args:
        indent: Blanks per level of indentation; ``None`` for JSON on one line.
    """
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    # The line breaks are those of the indentation; inside of strings they are escaped already.
    return "\n".join(_escaped(line, json.dumps) for line in text.split("\n"))


def _escaped(text: str, to_literal: Callable[[str], str]) -> str:
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else to_literal(character)[1:-1] for character in text
    )
