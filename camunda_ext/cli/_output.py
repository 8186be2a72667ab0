"""
What is printed: tables for people, and JSON and CSV for programs. No control character of an engine
gets out of here.
"""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Final, TextIO, cast

import attrs
import click

from camunda_ext import ExternalTask
from camunda_ext._display import layout
from camunda_ext._display.tables import age
from camunda_ext._many import export
from camunda_ext._wire.json import dumps
from camunda_ext._wire.text import printable, visible
from camunda_ext._wire.value import to_json

#: What a row of a table of ours has, by the names that JSON and CSV have for it.
Row = Mapping[str, object]

#: A table as wide as it is, on a terminal too: so ids are whole.
WIDE: Final = "wide"


def with_output(
    *forms: str,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """
    Give a command the option that says in which of some *forms* to print.
    """
    return click.option(
        "-o",
        "--output",
        "form",
        type=click.Choice(forms),
        default=forms[0],
        show_default=True,
        help="How to print it." + (" A wide table is not cut." if WIDE in forms else ""),
    )


#: The same for all commands that print rows.
with_rows: Final = with_output("table", WIDE, "json", "jsonl", "csv")


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
        export.write_csv(map(_shown, tasks), file, raw=False)
    elif form == "jsonl":
        export.write_jsonl(tasks, file)
    else:
        _print_array(task.to_dict() for task in tasks)


def _shown(task: ExternalTask) -> ExternalTask:
    values = attrs.asdict(task, recurse=False)
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
    return dumps(in_json(row))


def in_json(row: Row) -> dict[str, object]:
    """
    Give what JSON has for a row.
    """
    return {name: to_json(value) for name, value in row.items()}


def _print_array(rows: Iterable[Row]) -> None:
    before = "["
    for row in rows:
        sys.stdout.write(f"{before}\n{json_of(row)}")
        before = ","
    click.echo("[]" if before == "[" else "\n]")


def print_rows(
    names: Sequence[str],
    rows: Sequence[Row],
    form: str,
    *,
    narrowed: Sequence[tuple[str, int]] = (),
    left_out: Sequence[str] = (),
) -> None:
    """
    Print rows that are known whole.

    Args:
        names: The columns, in order.

        narrowed: Those that a table may narrow on a terminal, and down to which width.

        left_out: Those that it may leave out.
    """
    if form in ("table", WIDE):
        width = None if form == WIDE else terminal_width()
        made = table(names, rows, now=now(), width=width, narrowed=narrowed, left_out=left_out)
        click.echo("\n".join(made))
    elif form == "json":
        _print_array(rows)
    elif form == "jsonl":
        for row in rows:
            sys.stdout.write(json_of(row) + "\n")
    else:
        writer = csv.writer(cast(TextIO, _Echo()), quoting=csv.QUOTE_ALL)
        writer.writerow(names)
        for row in rows:
            cells = (_joined(row[name]) for name in names)
            writer.writerow(
                [
                    export.to_cell(visible(one) if isinstance(one, str) else one, raw=False)
                    for one in cells
                ]
            )


def terminal_width() -> int | None:
    """
    Give how many columns the terminal has; ``None`` where nothing is to be cut, for it is none.
    """
    return terminal_size().columns if sys.stdout.isatty() else None


def terminal_size() -> os.terminal_size:
    """
    Give how many columns and lines the terminal has.
    """
    from shutil import get_terminal_size

    return get_terminal_size()


def table(
    names: Sequence[str],
    rows: Sequence[Row],
    *,
    now: datetime,
    width: int | None,
    narrowed: Sequence[tuple[str, int]] = (),
    left_out: Sequence[str] = (),
) -> list[str]:
    """
    Give the lines of a table in plain text.

    Args:
        width: How many columns the terminal has; ``None`` to cut nothing.

        narrowed: Columns that may be narrowed, and down to which width.

        left_out: Columns that may be left out.
    """
    columns = [
        layout.Column(
            name.replace("_", " "),
            [_cell(row[name], now) for row in rows],
            is_number=any(isinstance(row[name], int) for row in rows),
        )
        for name in names
    ]
    whole = sys.maxsize if width is None else width
    return list(layout.lines(layout.fitted(columns, whole, narrowed=narrowed, left_out=left_out)))


def _cell(value: object, now: datetime) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return age(value, now)
    return visible(str(_joined(value)))


def _joined(value: object) -> object:
    return ", ".join(value) if isinstance(value, list) else value


def refused(error: Exception) -> click.ClickException:
    """
    Give an error that says on one line what another one said.
    """
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return click.ClickException(printable(f"{where}{error.strerror}."))
    return click.ClickException(in_options(f"{error}".rstrip(".") + "."))


def in_options(text: str) -> str:
    """
    Give what the library says in the words of the commands, and so that it can be printed.
    """
    for argument, option in _OPTIONS.items():
        text = text.replace(argument, option)
    return printable(text)


#: Arguments of the library that its errors name, and the options that stand for them.
_OPTIONS: Final = {
    "auth=(user, password)": "--user",
    "auth=": "--user",
    "engine=": "--engine",
    "at_most=": "--at-most ",
    "base_url": "--url",
    "overwrite=True": "--overwrite",
}
