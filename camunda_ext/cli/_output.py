"""
What is printed: tables for people, and JSON and CSV for programs. No control character of an engine
gets out of here.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Final, TextIO, cast

import attrs
import click

from camunda_ext import ExternalTask, _export
from camunda_ext._display import _cut, _width, age, visible
from camunda_ext._json import dumps
from camunda_ext.errors import printable

#: What a row of a table of ours has, by the names that JSON and CSV have for it.
Row = Mapping[str, object]

_FORMS: Final = ("table", "json", "jsonl", "csv")

#: The option of all commands that print rows.
with_output: Final[Callable[[Callable[..., Any]], Callable[..., Any]]] = click.option(
    "-o",
    "--output",
    "form",
    type=click.Choice(_FORMS),
    default="table",
    show_default=True,
    help="How to print it.",
)


class _Echo:
    """
    A file that is standard output, with plain ends of lines.
    """

    def write(self, text: str) -> int:
        return sys.stdout.write(text.replace("\r\n", "\n"))


def now() -> datetime:
    """
    Give the time of this machine.
    """
    return datetime.now(timezone.utc)


def print_tasks(tasks: Iterable[ExternalTask], form: str) -> None:
    """
    Print tasks for a program, one after the other.
    """
    file = cast(TextIO, _Echo())
    if form == "csv":
        _export.write_csv(map(_shown, tasks), file, raw=False)
    elif form == "jsonl":
        _export.write_jsonl(tasks, file)
    else:
        _print_array(map(_export.to_dict, tasks))


def _shown(task: ExternalTask) -> ExternalTask:
    values = _export.to_dict(task)
    hidden: dict[str, Any] = {
        name: visible(value)
        for name, value in values.items()
        if isinstance(value, str) and not value.isprintable()
    }
    return attrs.evolve(task, **hidden) if hidden else task


def json_of(row: Row) -> str:
    """
    Give a row as JSON in ASCII, dates in ISO 8601 with their zone.
    """
    return dumps(
        {
            name: _export._to_text(value) if isinstance(value, datetime) else value
            for name, value in row.items()
        }
    )


def _print_array(rows: Iterable[Row]) -> None:
    before = "["
    for row in rows:
        sys.stdout.write(f"{before}\n{json_of(row)}")
        before = ","
    click.echo("[]" if before == "[" else "\n]")


def print_rows(names: Sequence[str], rows: Sequence[Row], form: str) -> None:
    """
    Print rows that are known whole.

    Args:
        names: The columns, in order.
    """
    if form == "table":
        click.echo(table(names, rows, now=now(), width=terminal_width()))
    elif form == "json":
        _print_array(rows)
    elif form == "jsonl":
        for row in rows:
            sys.stdout.write(json_of(row) + "\n")
    else:
        writer = csv.writer(cast(TextIO, _Echo()), quoting=csv.QUOTE_ALL)
        writer.writerow(names)
        for row in rows:
            cells = (row[name] for name in names)
            writer.writerow(
                [
                    _export._to_cell(visible(one) if isinstance(one, str) else one, raw=False)
                    for one in cells
                ]
            )


def terminal_width() -> int | None:
    """
    Give how many columns the terminal has; ``None`` where nothing is to be cut, for it is none.
    """
    if not sys.stdout.isatty():
        return None
    from shutil import get_terminal_size

    return get_terminal_size().columns


def table(names: Sequence[str], rows: Sequence[Row], *, now: datetime, width: int | None) -> str:
    """
    Give rows as a table in plain text.

    Args:
        width: Where to cut lines; ``None`` not to.
    """
    columns = [[_cell(row[name], now) for row in rows] for name in names]
    titles = [name.replace("_", " ") for name in names]
    widths = [
        max(map(_width, [title, *cells])) for title, cells in zip(titles, columns, strict=True)
    ]
    numbers = [any(isinstance(row[name], int) for row in rows) for name in names]

    def lines() -> Iterator[Sequence[str]]:
        yield titles
        yield ["-" * room for room in widths]
        yield from zip(*columns, strict=True)

    printed = []
    for cells in lines():
        padded = [
            " " * (room - _width(cell)) + cell if is_number else cell + " " * (room - _width(cell))
            for cell, room, is_number in zip(cells, widths, numbers, strict=True)
        ]
        line = "  ".join(padded).rstrip()
        printed.append(line if width is None else _cut(line, width))
    return "\n".join(printed)


def _cell(value: object, now: datetime) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return age(value, now)
    return visible(str(value))


def refused(error: Exception) -> click.ClickException:
    """
    Give an error that says on one line what another one said.
    """
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return click.ClickException(printable(f"{where}{error.strerror}."))
    return click.ClickException(printable(f"{error}."))
