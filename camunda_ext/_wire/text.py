"""
Untrusted text, made safe to be shown.
"""

from __future__ import annotations

from typing import Final

#: How much of an untrusted text a log or an error shows, in characters.
LONGEST_TEXT: Final = 2048


def visible(text: str) -> str:
    """
    Give *text* on one line, with all that has no shape of its own as escapes.

    These are control characters, tabs and line breaks too; those that turn the direction of text or
    join it; halves of surrogate pairs, spaces other than the plain one, and what Unicode has not
    assigned. A terminal would obey some of them, and others let two texts look alike.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def printable(text: str) -> str:
    """
    Give *text* like `visible()`, and cut if it is long.
    """
    return visible(text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "...")
