"""
Output: tables for people, JSON and CSV for programs. Control characters in an engine's answers are
shown as escapes in every form.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

import click

from camunda_ext.safety import csv_cell, visible

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

#: The values of one row by the names that JSON and CSV have for them.
Row = Mapping[str, Any]

#: The output form of a table that is never cut, on a terminal either.
WIDE: Final = "wide"

#: The width of a table that is not cut.
UNCUT: Final = 1_000_000


def with_output(*forms: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """
    A decorator that adds the option ``-o`` to a command; the first of the *forms* is the default.
    """
    return click.option(
        "-o",
        "--output",
        "form",
        type=click.Choice(forms),
        default=forms[0],
        show_default=True,
        help="The form of the output." + (" A wide table is never cut." if WIDE in forms else ""),
    )


#: The option ``-o`` of all commands that print rows.
with_rows: Final = with_output("table", WIDE, "json", "jsonl", "csv")


def print_rows(names: Sequence[str], rows: Iterable[Row], form: str) -> None:
    """
    Print rows in any form; JSON and CSV are printed row by row.

    Args:
        names: The columns of a table and of CSV, in order.
    """
    if form in ("table", WIDE):
        print_rich(table(names, tuple(rows)), cut=form == "table")
    elif form == "csv":
        writer = csv.writer(sys.stdout, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(names)
        for row in rows:
            cells = (_joined(row[name]) for name in names)
            writer.writerow(
                csv_cell(visible(cell) if isinstance(cell, str) else cell) for cell in cells
            )
    elif form == "jsonl":
        for row in rows:
            sys.stdout.write(to_json(row) + "\n")
    else:
        separator = "["
        for row in rows:
            sys.stdout.write(f"{separator}\n{to_json(row)}")
            separator = ","
        sys.stdout.write("[]\n" if separator == "[" else "\n]\n")


def to_json(row: Row) -> str:
    """
    A row as JSON in ASCII; dates are in ISO 8601 with their zone.
    """
    return json.dumps(
        row,
        separators=(",", ":"),
        default=lambda moment: moment.isoformat(timespec="milliseconds"),
    )


def table(names: Sequence[str], rows: Sequence[Row]) -> Table:
    """
    A table for rich, in which text is shortened if there is not enough room, but numbers are not.
    """
    # rich takes longer to import than everything else, and not all commands need it.
    from rich.table import Table
    from rich.text import Text

    now = datetime.now(timezone.utc)
    grid = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for name in names:
        is_number = any(isinstance(row[name], int) for row in rows)
        grid.add_column(
            Text(name.replace("_", " ")),
            justify="right" if is_number else "left",
            no_wrap=is_number,
        )
    for row in rows:
        # A `Text` is never read as markup.
        grid.add_row(
            *(Text(_cell(row[name], now), no_wrap=True, overflow="ellipsis") for name in names)
        )
    return grid


def print_rich(shown: RenderableType, *, cut: bool = True) -> None:
    """
    Print something of rich, without blanks at the ends of lines.

    Args:
        cut: Whether it has to fit into the terminal; no output to a file or a pipe is ever cut.
    """
    from rich.console import Console

    console = Console(highlight=False, width=None if cut and sys.stdout.isatty() else UNCUT)
    with console.capture() as captured:
        console.print(shown)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def age(moment: datetime, now: datetime) -> str:
    """
    How long ago a *moment* was, or in how much time it will be.
    """
    seconds = round((moment - now).total_seconds())
    return (
        f"in {timedelta(seconds=seconds)}" if seconds > 0 else f"{timedelta(seconds=-seconds)} ago"
    )


def _cell(value: object, now: datetime) -> str:
    if value is None:
        return ""
    return age(value, now) if isinstance(value, datetime) else visible(str(_joined(value)))


def _joined(value: object) -> object:
    return ", ".join(value) if isinstance(value, list) else value
