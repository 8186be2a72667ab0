"""
`camunda-ext ls`, `count` and `export`: the tasks that match.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import click

from camunda_ext import ExternalTask, ExternalTaskClient, ExternalTaskQuery, Selection
from camunda_ext._display.tables import table_rich, table_text
from camunda_ext.cli._connection import with_client
from camunda_ext.cli._filters import with_query
from camunda_ext.cli._output import WIDE, now, print_tasks, refused, terminal_width, with_rows
from camunda_ext.cli._sections import SectionedCommand

#: How many tasks a table has unless said otherwise.
_FIRST: Final = 50

#: No table is cut where it goes into a file or a pipe.
_WIDEST: Final = 1_000_000


@click.command(cls=SectionedCommand)
@click.option(
    "--first",
    type=click.IntRange(1, 2**31 - 1),
    metavar="NUMBER",
    help=f"At most this many. By default {_FIRST} in a table, and all otherwise.",
)
@with_rows
@with_query
@with_client
def ls(client: ExternalTaskClient, query: ExternalTaskQuery, first: int | None, form: str) -> None:
    """
    List tasks.

    All filters that are given must match. Where standard output is no terminal, no text is cut and
    there are no colours.
    """
    selection = client.select(honoured(client, query))
    if form in ("table", WIDE):
        _print_table(selection, first or _FIRST, wide=form == WIDE)
    else:
        print_tasks(patient(selection if first is None else selection[:first]), form)


@click.command(cls=SectionedCommand)
@with_query
@with_client
def count(client: ExternalTaskClient, query: ExternalTaskQuery) -> None:
    """
    Print the number of tasks.
    """
    click.echo(client.count(honoured(client, query)))


def _known_kind(ctx: click.Context, param: click.Parameter, file: Path) -> Path:
    if file.suffix.lower() not in (".csv", ".jsonl"):
        raise click.UsageError("The name of the file must end in .jsonl or .csv.")
    return file


@click.command(cls=SectionedCommand)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), callback=_known_kind)
@click.option("--overwrite", is_flag=True, help="Replace the file if it is there.")
@click.option(
    "--raw-csv",
    is_flag=True,
    help="Write texts as they are, though a spreadsheet could take some for formulas.",
)
@with_query
@with_client
def export(
    client: ExternalTaskClient,
    query: ExternalTaskQuery,
    file: Path,
    overwrite: bool,
    raw_csv: bool,
) -> None:
    """
    Write all tasks to a file.

    FILE ends in .jsonl or .csv, which says what is written. It appears when all is in it.
    """
    selection, progress = client.select(honoured(client, query)), sys.stderr.isatty()
    kind = file.suffix.lower()
    if raw_csv and kind != ".csv":
        raise click.UsageError("--raw-csv goes with a file that ends in .csv.")
    if file.exists() and not overwrite:
        raise click.ClickException(f"{file} is there: pass --overwrite to replace it.")
    try:
        if kind == ".csv":
            number = selection.to_csv(file, raw=raw_csv, overwrite=overwrite, progress=progress)
        else:
            number = selection.to_jsonl(file, overwrite=overwrite, progress=progress)
    except (OSError, RuntimeError) as error:
        raise refused(error) from None
    click.echo(f"{number:,} {'task' if number == 1 else 'tasks'} in {file}.")


def honoured(client: ExternalTaskClient, query: ExternalTaskQuery) -> ExternalTaskQuery:
    """
    Give the query if the engine knows all of its filters: it would ignore the others.
    """
    try:
        client.check(query)
    except ValueError as error:
        raise refused(error) from None
    return query


def patient(tasks: Iterable[ExternalTask]) -> Iterator[ExternalTask]:
    """
    Give all *tasks*, and make it one message if they cannot be given each once.
    """
    try:
        yield from tasks
    except RuntimeError as error:
        raise refused(error) from None


def _print_table(selection: Selection, first: int, *, wide: bool) -> None:
    rows = tuple(patient(selection[:first]))
    total = len(rows) if len(rows) < first else selection.count()
    width = terminal_width()
    if width is None and len(rows) < total:
        click.echo(f"There are {total:,} tasks: pass --first NUMBER, or another -o.", err=True)
    if width is None or wide:
        click.echo(table_text(rows, total, _WIDEST, now=now()))
        return
    from rich.console import Console  # only now: it takes longer to read than all the rest

    console = Console(highlight=False)  # which knows NO_COLOR
    console.print(table_rich(rows, total, console.width, now=now()))
