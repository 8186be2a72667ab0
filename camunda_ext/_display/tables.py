"""
Tables of tasks, and of entries of their log, for a terminal and for a notebook.

What an engine answers is not trusted: no control character of it gets out of here, and nothing of
it is read as markup. What only some of this needs is imported by the functions that need it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from camunda_ext._wire.text import visible

if TYPE_CHECKING:
    from rich.console import Group

    from camunda_ext._display import layout


#: How much is shown of one field; a message has at most 666 characters.
_LONGEST: Final = 666

# -------------------------------------------------------------------------------------------- cells


def age(moment: datetime, now: datetime) -> str:
    """
    The time between *moment* and *now* as people say it: ``3 min ago``, ``in 2 h``.

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
    The first line of a message; often a stack trace follows.
    """
    first, _, rest = (text or "").strip("\r\n").partition("\n")
    return f"{first.rstrip()} …" if rest else first or None


class _ColumnRule(NamedTuple):
    title: str
    cell: Callable[[Any, datetime], object]
    is_number: bool = False


class TableStyle(NamedTuple):
    """
    The columns of a table, and which of them have to give way.
    """

    #: What a row is, and what several are.
    noun: str
    plural: str

    #: From left to right; what nothing is known of in any row is left out.
    columns: tuple[_ColumnRule, ...]

    #: Which columns are narrowed, one after the other, and down to which width.
    narrowed: tuple[tuple[str, int], ...]

    #: Which columns are left out first where all of them have no room.
    left_out: tuple[str, ...]


# The beginning of an id tells tasks apart, and messages are read from their beginning.
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
    The text of each cell, column by column.
    """
    cells = {rule: [_text(rule.cell(row, now)) for row in rows] for rule in style.columns}
    return {rule: texts for rule, texts in cells.items() if any(texts)}


def _text(value: object) -> str:
    text = "" if value is None else str(value)
    return visible(text if len(text) <= _LONGEST else text[:_LONGEST] + "…")


def _total_line(style: TableStyle, shown: int, total: int) -> str:
    total = max(shown, total)  # some may have come since they were counted
    noun = style.noun if total == 1 else style.plural
    return f"{total:,} {noun}" if shown == total else f"{shown:,} of {total:,} {noun}"


# --------------------------------------------------------------------------------------- a terminal


def table_text(
    rows: Sequence[Any], total: int, width: int = 80, *, now: datetime, style: TableStyle = TASKS
) -> str:
    """
    A table of *rows* as plain text, and below it how many there are in *total*.

    Args:
        width: How many columns the terminal has.
    """
    from camunda_ext._display.layout import lines

    fitted = _fitted(style, rows, width, now)
    return "\n".join([*lines(fitted), _total_line(style, len(rows), total)])


def table_rich(
    rows: Sequence[Any], total: int, width: int = 80, *, now: datetime, style: TableStyle = TASKS
) -> Group:
    """
    The same for rich to print.
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
            # A column of its own, for versions of rich differ in the padding of the last one.
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
    A table of *rows* as HTML for a notebook: no script, and nothing from elsewhere.
    """
    cells = _cells(style, rows, now)
    titles = "".join(f"<th>{rule.title}</th>" for rule in cells)
    lines = "".join(
        f"<tr>{''.join(_html_cell(rule, texts[row]) for rule, texts in cells.items())}</tr>"
        for row in range(len(rows) if cells else 0)
    )
    # Notebooks would set as formulas what stands between two dollar signs.
    return (
        '<table class="tex2jax_ignore mathjax_ignore">'
        f"<caption>{_total_line(style, len(rows), total)}</caption>"
        f"<thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table>"
    )


def _html_cell(rule: _ColumnRule, text: str) -> str:
    side = "right" if rule.is_number else "left"
    # Text that runs from right to left turns nothing around that stands beside it.
    return f'<td style="text-align: {side}"><bdi>{html_text(text)}</bdi></td>'


def html_text(text: str) -> str:
    """
    The *text* as HTML shows it.
    """
    from html import escape

    return escape(visible(text))
