"""
Tables of tasks, and of entries of their log, for terminals and notebooks.

Answers of an engine are not trusted: control characters are escaped, and no text is read as markup.
Modules that only some tables need are imported within the functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from camunda_ext._wire.text import visible

if TYPE_CHECKING:
    from rich.console import Group

    from camunda_ext._display import layout


#: How many characters of a field are shown at most. The engine cuts messages to 666 characters.
_LONGEST: Final = 666

# -------------------------------------------------------------------------------------------- cells


def age(moment: datetime, now: datetime) -> str:
    """
    The time between *moment* and *now* in words, such as ``3 min ago`` or ``in 2 h``.

    It is rounded down to whole units. A larger unit is used from two of it on, so that ``119 min``
    is followed by ``2 h``.
    """
    seconds = (moment - now).total_seconds()
    number, unit = int(abs(seconds)), "s"
    for size, larger, least in _UNITS:
        if abs(seconds) >= least:
            number, unit = int(abs(seconds) // size), larger
    if not number:
        return "now"
    return f"in {number} {unit}" if seconds > 0 else f"{number} {unit} ago"


#: The units: how many seconds each has, its name, and from how many seconds on it is used.
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


def _cells(style: TableStyle, rows: Sequence[Any], now: datetime) -> dict[_ColumnRule, list[str]]:
    """
    The texts of the cells of each column that is not empty.
    """
    cells = {rule: [_text(rule.cell(row, now)) for row in rows] for rule in style.columns}
    return {rule: texts for rule, texts in cells.items() if any(texts)}


def _text(value: object) -> str:
    text = "" if value is None else str(value)
    return visible(text if len(text) <= _LONGEST else text[:_LONGEST] + "…")


def _total_line(style: TableStyle, shown: int, total: int) -> str:
    total = max(shown, total)  # there may be more than when they were counted
    noun = style.noun if total == 1 else style.plural
    return f"{total:,} {noun}" if shown == total else f"{shown:,} of {total:,} {noun}"


# --------------------------------------------------------------------------------------- a terminal


def table_text(
    rows: Sequence[Any], total: int, width: int = 80, *, now: datetime, style: TableStyle = TASKS
) -> str:
    """
    A table of *rows* as plain text, with a line below that has the *total*.

    Args:
        rows: The results to show.

        total: The number of all results.

        width: How many characters a line may have.

        now: The current time, by which ages are computed.

        style: The columns of the table.
    """
    from camunda_ext._display.layout import lines

    fitted = _fitted(style, rows, width, now)
    return "\n".join([*lines(fitted), _total_line(style, len(rows), total)])


def table_rich(
    rows: Sequence[Any], total: int, width: int = 80, *, now: datetime, style: TableStyle = TASKS
) -> Group:
    """
    The same table as `table_text()`, in colours, for rich to print.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from camunda_ext._display.layout import GAP

    # `Text` is never read as markup, and no codes like ``:bomb:`` are replaced in it.
    table = Table(box=None, padding=0, pad_edge=False)
    fitted = _fitted(style, rows, width, now)
    for index, (column, room) in enumerate(fitted):
        if index:
            # The gap is a column of its own, as versions of rich pad the last column differently.
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
    total_line = Text(_total_line(style, len(rows), total), "dim")
    return Group(table, total_line) if fitted else Group(total_line)


def _fitted(
    style: TableStyle, rows: Sequence[Any], width: int, now: datetime
) -> list[tuple[layout.Column, int]]:
    from camunda_ext._display import layout

    columns = [
        layout.Column(rule.title, texts, rule.is_number)
        for rule, texts in _cells(style, rows, now).items()
    ]
    return layout.fitted(columns, width, narrowed=style.narrowed, left_out=style.left_out)


# --------------------------------------------------------------------------------------- a notebook


def table_html(rows: Sequence[Any], total: int, *, now: datetime, style: TableStyle = TASKS) -> str:
    """
    The same table as `table_text()`, as HTML for a notebook, without scripts and links.
    """
    cells = _cells(style, rows, now)
    titles = "".join(f"<th>{rule.title}</th>" for rule in cells)
    lines = "".join(
        f"<tr>{''.join(_html_cell(rule, texts[row]) for rule, texts in cells.items())}</tr>"
        for row in range(len(rows) if cells else 0)
    )
    # The classes keep notebooks from showing text between dollar signs as formulas.
    return (
        '<table class="tex2jax_ignore mathjax_ignore">'
        f"<caption>{_total_line(style, len(rows), total)}</caption>"
        f"<thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table>"
    )


def _html_cell(rule: _ColumnRule, text: str) -> str:
    side = "right" if rule.is_number else "left"
    # `bdi` keeps text that runs from right to left from reordering the cells next to it.
    return f'<td style="text-align: {side}"><bdi>{html_text(text)}</bdi></td>'


def html_text(text: str) -> str:
    """
    The *text* escaped for HTML, with control characters made visible.
    """
    from html import escape

    return escape(visible(text))
