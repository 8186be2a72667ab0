"""
Untrusted text, made safe to be shown.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

#: How much of an untrusted text a log or an error shows, in characters.
LONGEST_TEXT: Final = 2048


def visible(text: str) -> str:
    """
    The *text* on one line, with all that has no shape of its own as escapes of Python.

    These are control characters, tabs and line breaks too; those that turn the direction of text or
    join it; halves of surrogate pairs, spaces other than the plain one, and what Unicode has not
    assigned. A terminal would obey some of them, and others let two texts look alike.
    """
    return _escaped(text, repr)


def printable(text: str) -> str:
    """
    The *text* like `visible()`, and cut if it is long.
    """
    return visible(text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "...")


def visible_json(value: Any, *, indent: int | None = None) -> str:
    """
    The *value* as JSON in which all that `visible()` escapes is an escape of JSON.

    Args:
        indent: How many blanks a level is indented by; ``None`` for JSON on one line.
    """
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    # Line breaks stand between the values; within quotes they are escaped already.
    return "\n".join(_escaped(line, json.dumps) for line in text.split("\n"))


def _escaped(text: str, to_literal: Callable[[str], str]) -> str:
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else to_literal(character)[1:-1] for character in text
    )
