"""
Tables of tasks, and of entries of their log, for terminals and notebooks.

Answers of an engine are not trusted: control characters are escaped, and no text is read as markup.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from camunda_ext._wire.text import visible

if TYPE_CHECKING:
    from rich.console import Group

    from camunda_ext._display.layout import Column


#: How many characters of a field are shown at most. The engine cuts messages to 666 characters.
_LONGEST: Final = 666


def age(moment: datetime, now: datetime) -> str:
    """
    The time between *moment* and *now* in words, such as ``3 min ago`` or ``in 2 h``.

    It is rounded down to whole units. A larger unit is used from two of it on, so that ``119 min``
    is followed by ``2 h``.
    """
    seconds = (moment - now).total_seconds()
    number, unit = int(abs(seconds)), "s"
    for size, larger in _UNITS:
        if abs(seconds) >= 2 * size:
            number, unit = int(abs(seconds) // size), larger
    if not number:
        return "now"
    return f"in {number} {unit}" if seconds > 0 else f"{number} {unit} ago"


#: The units: how many seconds each has, and its name.
_UNITS: Final = ((60, "min"), (3600, "h"), (86400, "d"), (31556952, "y"))


def _age_or_nothing(moment: datetime | None, now: datetime) -> str:
    return "" if moment is None else age(moment, now)


def _first_line(text: str | None) -> str | None:
    """
    The first line of a message, with an ellipsis if more lines follow, often of a stack trace;
    ``None`` if there is no text.
    """
    first, _, rest = (text or "").strip("\r\n").partition("\n")
    return f"{first.rstrip()} …" if rest else first or None


class _ColumnRule(NamedTuple):
    """
    How to make a column: its title, and a function of a row and the current time for its cells.
    """

    title: str
    cell: Callable[[Any, datetime], object]
    is_number: bool = False


class TableStyle(NamedTuple):
    """
    The columns of a table, and which of them are narrowed or left out if it is too wide.
    """

    #: What a row is called in the line with the total, such as ``task``.
    noun: str

    #: What several rows are called, such as ``tasks``.
    plural: str

    #: The columns from left to right; a column that is empty in all rows is left out.
    columns: tuple[_ColumnRule, ...]

    #: The columns to narrow if the table is too wide, in this order, each with its smallest width.
    narrowed: tuple[tuple[str, int], ...]

    #: The columns to leave out if that is not enough, in this order.
    left_out: tuple[str, ...]


# Ids and messages are narrowed early, as their beginning is the part that matters.
TASKS: Final = TableStyle(
    noun="task",
    plural="tasks",
    columns=(
        _ColumnRule("id", lambda task, _: task.id),
        _ColumnRule("topic", lambda task, _: task.topic_name),
        _ColumnRule("worker", lambda task, _: task.worker_id),
        _ColumnRule("lock ends", lambda task, now: _age_or_nothing(task.lock_expiration_time, now)),
        _ColumnRule("retries", lambda task, _: task.retries, is_number=True),
        _ColumnRule("priority", lambda task, _: task.priority or None, is_number=True),
        _ColumnRule("suspended", lambda task, _: "yes" if task.suspended else None),
        _ColumnRule("created", lambda task, now: _age_or_nothing(task.create_time, now)),
        _ColumnRule("business key", lambda task, _: task.business_key),
        _ColumnRule("error", lambda task, _: _first_line(task.error_message)),
    ),
    narrowed=(
        ("error", 32),
        ("business key", 16),
        ("id", 9),
        ("error", 16),
        ("business key", 10),
        ("worker", 8),
        ("topic", 8),
    ),
    left_out=(
        "priority",
        "business key",
        "suspended",
        "error",
        "created",
        "worker",
        "lock ends",
        "retries",
        "topic",
    ),
)

LOG: Final = TableStyle(
    noun="entry",
    plural="entries",
    columns=(
        _ColumnRule("id", lambda entry, _: entry.id),
        _ColumnRule("time", lambda entry, now: _age_or_nothing(entry.timestamp, now)),
        _ColumnRule("event", lambda entry, _: entry.event),
        _ColumnRule("task", lambda entry, _: entry.external_task_id),
        _ColumnRule("topic", lambda entry, _: entry.topic_name),
        _ColumnRule("worker", lambda entry, _: entry.worker_id),
        _ColumnRule("retries", lambda entry, _: entry.retries, is_number=True),
        _ColumnRule("priority", lambda entry, _: entry.priority or None, is_number=True),
        _ColumnRule("error", lambda entry, _: _first_line(entry.error_message)),
    ),
    narrowed=(
        ("error", 32),
        ("id", 9),
        ("task", 9),
        ("error", 16),
        ("worker", 8),
        ("topic", 8),
    ),
    left_out=("priority", "id", "retries", "error", "worker", "topic", "time"),
)


class Table:
    """
    A table of results, with their total in a line below.

    Args:
        rows: The results to show.

        total: The number of all results.

        now: The time by which ages are computed; ``None`` for the current time.
    """

    def __init__(
        self, style: TableStyle, rows: Sequence[Any], total: int, *, now: datetime | None = None
    ) -> None:
        from camunda_ext._display.layout import Column  # only now: few programs show tables

        now = now or datetime.now(timezone.utc)
        columns = [
            Column(rule.title, [_text(rule.cell(row, now)) for row in rows], rule.is_number)
            for rule in style.columns
        ]
        self._columns = [column for column in columns if any(column.texts)]
        self._style = style
        total = max(len(rows), total)  # there may be more than when they were counted
        noun = style.noun if total == 1 else style.plural
        shown = "" if len(rows) == total else f"{len(rows):,} of "
        self._total = f"{shown}{total:,} {noun}"

    def text(self, width: int) -> str:
        """
        The table as plain text, whose lines have at most *width* characters.
        """
        from camunda_ext._display.layout import lines

        return "\n".join([*lines(self._fitted(width)), self._total])

    def rich(self, width: int) -> Group:
        """
        The table in colours, for rich to print.
        """
        from rich.console import Group
        from rich.table import Table as RichTable
        from rich.text import Text

        from camunda_ext._display.layout import GAP

        # `Text` is never read as markup, and no codes like ``:bomb:`` are replaced in it.
        table = RichTable(box=None, padding=0, pad_edge=False)
        fitted = self._fitted(width)
        for index, (column, room) in enumerate(fitted):
            if index:
                # The gap is a column of its own, as versions of rich pad the last column
                # differently.
                table.add_column(width=GAP)
            table.add_column(
                Text(column.title, "bold"),
                width=room,
                no_wrap=True,
                justify="right" if column.is_number else "left",
            )
        colours = ["red" if column.title == "error" else "" for column, _ in fitted]
        for texts in zip(*(column.texts for column, _ in fitted), strict=True):
            cells = map(Text, texts, colours)
            _, *spaced = (part for cell in cells for part in ("", cell))
            table.add_row(*spaced)
        total = Text(self._total, "dim")
        return Group(table, total) if fitted else Group(total)

    def _fitted(self, width: int) -> list[tuple[Column, int]]:
        from camunda_ext._display.layout import fitted

        style = self._style
        return fitted(self._columns, width, narrowed=style.narrowed, left_out=style.left_out)

    def html(self) -> str:
        """
        The table as HTML for a notebook, without scripts and links.
        """
        titles = "".join(f"<th>{column.title}</th>" for column in self._columns)
        sides = ["right" if column.is_number else "left" for column in self._columns]
        # `bdi` keeps text that runs from right to left from reordering the cells next to it.
        lines = "".join(
            "<tr>"
            + "".join(
                f'<td style="text-align: {side}"><bdi>{html_text(text)}</bdi></td>'
                for side, text in zip(sides, texts, strict=True)
            )
            + "</tr>"
            for texts in zip(*(column.texts for column in self._columns), strict=True)
        )
        # The classes keep notebooks from showing text between dollar signs as formulas.
        return (
            '<table class="tex2jax_ignore mathjax_ignore">'
            f"<caption>{self._total}</caption>"
            f"<thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table>"
        )


def _text(value: object) -> str:
    text = "" if value is None else str(value)
    return visible(text if len(text) <= _LONGEST else text[:_LONGEST] + "…")


def html_text(text: str) -> str:
    """
    The *text* escaped for HTML, with control characters made visible.
    """
    from html import escape

    return escape(visible(text))
