"""
The layout of tables of plain text that fit into a given width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

#: Blanks between two columns.
GAP: Final = 2


class Column(NamedTuple):
    """
    A column of a table: its title, and the text of each row.
    """

    title: str
    texts: Sequence[str]
    is_number: bool = False

    @property
    def width(self) -> int:
        """
        How many character cells of a terminal the column takes.
        """
        return max(map(width_of, (self.title, *self.texts)))

    def cut(self, width: int) -> Column:
        """
        The column with all texts cut to a *width*, and the title as well.
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
    The columns that fit into a *width* together, each with the width to show it in.

    Args:
        width: The width of the table, in character cells of a terminal.

        narrowed: The columns to narrow if the table is too wide, in this order, each as its title
            and its smallest width.

        left_out: The titles of the columns to leave out if that is not enough, in this order.
    """
    whole = {column.title: column for column in columns}
    for title in ("", *left_out):
        whole.pop(title, None)
        widths = {name: column.width for name, column in whole.items()}
        for name, least in narrowed:
            if name in widths:
                # Only by as much as the table is too wide.
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
    How many character cells of a terminal *text* takes.
    """
    return len(text) if text.isascii() else sum(map(_width_of_one, text))


def _width_of_one(character: str) -> int:
    from unicodedata import category, east_asian_width

    if category(character) in ("Mn", "Me"):
        return 0  # an accent on the character before
    return 2 if east_asian_width(character) in "WF" else 1


def cut(text: str, width: int) -> str:
    """
    The *text*, cut with an ellipsis if it takes more than *width* character cells of a terminal.
    """
    # The number of characters is limited too, as accents take no cells.
    if width_of(text) <= width and len(text) <= 4 * width:
        return text
    kept, room = 0, width - 1
    for character in text[: 4 * width]:
        room -= _width_of_one(character)
        if room < 0:
            break
        kept += 1
    return text[:kept] + "…"
