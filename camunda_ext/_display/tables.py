"""
How tasks and queries look at a prompt and in a notebook.

What an engine answers is not trusted: no control character of it gets out of here, and nothing of
it is read as markup. What only some of this needs is imported by the functions that need it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from camunda_ext._wire.text import visible as visible
from camunda_ext.dto import ExternalTask

if TYPE_CHECKING:
    from rich.console import Group

    from camunda_ext._display import layout


#: How much is shown of one field; a message has at most 666 characters.
_LONGEST: Final = 666

# -------------------------------------------------------------------------------------------- cells


def age(moment: datetime, now: datetime) -> str:
    """
    Give the time between *moment* and *now* as people say it: ``3 min ago``, ``in 2 h``.

    It is cut to whole units, of which there are at least two, so ``119 min`` comes before ``2 h``.
    """
    seconds = (moment - now).total_seconds()
    number, unit = int(abs(seconds)), "s"
    for size, larger, least in _UNITS:
        if abs(seconds) >= least:
            number, unit = int(abs(seconds) // size), larger
    if not number:
        return "now"
    return f"in {number} {unit}" if seconds > 0 else f"{number} {unit} ago"


#: Seconds in a unit, its name, and from how many seconds on it is used.
_UNITS: Final = (
    (60, "min", 120),
    (3600, "h", 2 * 3600),
    (86400, "d", 2 * 86400),
    (31556952, "y", 2 * 31556952),
)


def _age_or_nothing(moment: datetime | None, now: datetime) -> str:
    return "" if moment is None else age(moment, now)


def _first_line(text: str | None) -> str | None:
    """
    Give what a message begins with; often a stack trace follows.
    """
    first, _, rest = (text or "").strip("\r\n").partition("\n")
    return f"{first.rstrip()} …" if rest else first or None


class _TaskColumn(NamedTuple):
    title: str
    cell: Callable[[ExternalTask, datetime], object]
    is_number: bool = False


#: From left to right; what nothing is known of in any row is left out.
_COLUMNS: Final = (
    _TaskColumn("id", lambda task, _: task.id),
    _TaskColumn("topic", lambda task, _: task.topic_name),
    _TaskColumn("worker", lambda task, _: task.worker_id),
    _TaskColumn("lock ends", lambda task, now: _age_or_nothing(task.lock_expiration_time, now)),
    _TaskColumn("retries", lambda task, _: task.retries, is_number=True),
    _TaskColumn("priority", lambda task, _: task.priority or None, is_number=True),
    _TaskColumn("suspended", lambda task, _: "yes" if task.suspended else None),
    _TaskColumn("created", lambda task, now: _age_or_nothing(task.create_time, now)),
    _TaskColumn("business key", lambda task, _: task.business_key),
    _TaskColumn("error", lambda task, _: _first_line(task.error_message)),
)

#: Which columns are narrowed, one after the other, and down to which width. The beginning of an id
#: tells tasks apart, and messages are read from their beginning.
_NARROWED: Final = (
    ("error", 32),
    ("business key", 16),
    ("id", 9),
    ("error", 16),
    ("business key", 10),
    ("worker", 8),
    ("topic", 8),
)

#: Which columns are left out first where all of them have no room.
_LEFT_OUT: Final = (
    "priority",
    "business key",
    "suspended",
    "error",
    "created",
    "worker",
    "lock ends",
    "retries",
    "topic",
)


def _cells(
    rows: Sequence[ExternalTask], now: datetime, longest: int = _LONGEST
) -> dict[_TaskColumn, list[str]]:
    """
    Give the text of each cell, column by column.
    """
    cells = {
        column: [_text(column.cell(task, now), longest) for task in rows] for column in _COLUMNS
    }
    return {column: texts for column, texts in cells.items() if any(texts)}


def _text(value: object, longest: int) -> str:
    text = "" if value is None else str(value)
    return visible(text if len(text) <= longest else text[:longest] + "…")


def _said_of(shown: int, total: int) -> str:
    """
    Give the line below a table.
    """
    total = max(shown, total)  # some may have come since they were counted
    noun = "task" if total == 1 else "tasks"
    return f"{total:,} {noun}" if shown == total else f"{shown:,} of {total:,} {noun}"


# --------------------------------------------------------------------------------------- a terminal


def table_text(rows: Sequence[ExternalTask], total: int, width: int = 80, *, now: datetime) -> str:
    """
    Give a table of *rows* as plain text, and below it how many there are in *total*.

    Args:
        width: How many columns the terminal has.
    """
    from camunda_ext._display.layout import lines

    return "\n".join([*lines(_fitted(rows, width, now)), _said_of(len(rows), total)])


def table_rich(
    rows: Sequence[ExternalTask], total: int, width: int = 80, *, now: datetime
) -> Group:
    """
    Give the same for rich to print.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from camunda_ext._display.layout import GAP

    # `Text` is never read as markup, and no codes like ``:bomb:`` are replaced in it.
    table = Table(box=None, padding=0, pad_edge=False)
    fitted = _fitted(rows, width, now)
    for index, (column, room) in enumerate(fitted):
        if index:
            # A column of its own, for versions of rich differ in the padding of the last one.
            table.add_column(width=GAP)
        table.add_column(
            Text(column.title, "bold"),
            width=room,
            no_wrap=True,
            justify="right" if column.is_number else "left",
        )
    styles = ["red" if column.title == "error" else "" for column, _ in fitted]
    for texts in zip(*(column.texts for column, _ in fitted), strict=True):
        cells = map(Text, texts, styles)
        _, *spaced = (one for cell in cells for one in ("", cell))
        table.add_row(*spaced)
    said = Text(_said_of(len(rows), total), "dim")
    return Group(table, said) if fitted else Group(said)


def _fitted(
    rows: Sequence[ExternalTask], width: int, now: datetime
) -> list[tuple[layout.Column, int]]:
    from camunda_ext._display import layout

    columns = [
        layout.Column(column.title, texts, column.is_number)
        for column, texts in _cells(rows, now).items()
    ]
    return layout.fitted(columns, width, narrowed=_NARROWED, left_out=_LEFT_OUT)


# --------------------------------------------------------------------------------------- a notebook


def table_html(rows: Sequence[ExternalTask], total: int, *, now: datetime) -> str:
    """
    Give a table of *rows* as HTML for a notebook: no script, and nothing from elsewhere.
    """
    cells = _cells(rows, now)
    titles = "".join(f"<th>{column.title}</th>" for column in cells)
    lines = "".join(
        f"<tr>{''.join(_html_cell(column, texts[row]) for column, texts in cells.items())}</tr>"
        for row in range(len(rows) if cells else 0)
    )
    # Notebooks would set as formulas what stands between two dollar signs.
    return (
        '<table class="tex2jax_ignore mathjax_ignore">'
        f"<caption>{_said_of(len(rows), total)}</caption>"
        f"<thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table>"
    )


def _html_cell(column: _TaskColumn, text: str) -> str:
    side = "right" if column.is_number else "left"
    # Text that runs from right to left turns nothing around that stands beside it.
    return f'<td style="text-align: {side}"><bdi>{html_text(text)}</bdi></td>'


def html_text(text: str) -> str:
    from html import escape

    return escape(visible(text))


# ----------------------------------------------------------------------------- what shows its tasks


# ---------------------------------------------------------------------------------------- a request
