"""
Tables of plain text that fit into a width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

#: Blanks between two columns.
GAP: Final = 2


class Column(NamedTuple):
    """
    A column, from its title down.
    """

    title: str
    texts: Sequence[str]
    is_number: bool = False

    @property
    def width(self) -> int:
        """
        How many columns of a terminal it takes.
        """
        return max(map(width_of, (self.title, *self.texts)))

    def cut(self, width: int) -> Column:
        """
        The column cut to a *width*; the title may be cut as well, for numbers can be narrower.
        """
        texts = [cut(text, width) for text in self.texts]
        return self._replace(title=cut(self.title, width), texts=texts)


def fitted(
    columns: Sequence[Column],
    width: int,
    *,
    narrowed: Sequence[tuple[str, int]],
    left_out: Sequence[str],
) -> list[tuple[Column, int]]:
    """
    The columns that have room in a *width*, each with its own width.

    Args:
        narrowed: Titles of those that are narrowed, one after the other, and down to which width.

        left_out: Titles of those that are left out first where that is not enough.
    """
    whole = {column.title: column for column in columns}
    for title in ("", *left_out):
        whole.pop(title, None)
        widths = {name: column.width for name, column in whole.items()}
        for name, least in narrowed:
            if name in widths:
                # Never wider than it is, and no narrower than it has to be.
                room = widths[name]
                widths[name] = min(room, max(least, room - max(0, _excess(widths, width))))
        if _excess(widths, width) <= 0:
            break
    return [(column.cut(widths[name]), widths[name]) for name, column in whole.items()]


def _excess(widths: dict[str, int], width: int) -> int:
    return sum(widths.values()) + GAP * (len(widths) - 1) - width


def lines(columns: Sequence[tuple[Column, int]]) -> Iterator[str]:
    """
    The titles, a rule and each row, as lines.
    """
    if not columns:
        return
    yield _line(columns, [column.title for column, _ in columns])
    yield (" " * GAP).join("-" * room for _, room in columns)
    for texts in zip(*(column.texts for column, _ in columns), strict=True):
        yield _line(columns, texts)


def _line(columns: Sequence[tuple[Column, int]], texts: Sequence[str]) -> str:
    padded = []
    for (column, room), text in zip(columns, texts, strict=True):
        blank = " " * (room - width_of(text))
        padded.append(blank + text if column.is_number else text + blank)
    return (" " * GAP).join(padded).rstrip()


def width_of(text: str) -> int:
    """
    How many columns of a terminal *text* takes.
    """
    return len(text) if text.isascii() else sum(map(_width_of_one, text))


def _width_of_one(character: str) -> int:
    from unicodedata import category, east_asian_width

    if category(character) in ("Mn", "Me"):
        return 0  # an accent on the character before
    return 2 if east_asian_width(character) in "WF" else 1


def cut(text: str, width: int) -> str:
    """
    The *text*, or so much of it that it fits, with an ellipsis.
    """
    # There can be thousands of accents on one character.
    if width_of(text) <= width and len(text) <= 4 * width:
        return text
    kept, room = 0, width - 1
    for character in text[: 4 * width]:
        room -= _width_of_one(character)
        if room < 0:
            break
        kept += 1
    return text[:kept] + "…"
