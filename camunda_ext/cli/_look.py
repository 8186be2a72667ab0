"""
`camunda-ext ls`, `count` and `export`: the tasks that match.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import attrs
import click

from camunda_ext import ExternalTask, ExternalTaskClient, ExternalTaskQuery
from camunda_ext.cli._connection import with_client
from camunda_ext.cli._filters import with_query
from camunda_ext.cli._output import UNCUT, WIDE, print_rows, with_rows
from camunda_ext.cli._sections import SectionedCommand

#: How many tasks a table has by default.
_FIRST: Final = 50


@click.command(cls=SectionedCommand)
@click.option(
    "--first",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    help=f"List at most this many tasks. By default, a table has {_FIRST}, other forms have all.",
)
@with_rows
@with_query
@with_client
def ls(client: ExternalTaskClient, query: ExternalTaskQuery, first: int | None, form: str) -> None:
    """
    List tasks.

    Tasks must match all filters. Output to a file or a pipe is not cut and has no colours.
    """
    selection = client.select(query)
    if form not in ("table", WIDE):
        names = [field.name for field in attrs.fields(ExternalTask)]
        print_rows(names, selection[:first].to_dicts(), form)
        return
    first = first or _FIRST
    if form == "table" and sys.stdout.isatty():
        selection.show(first)
        return
    # Whoever searches the output in a pipe may not see its last line.
    if (total := selection.count()) > first:
        click.echo(f"There are {total:,} tasks: pass --first NUMBER, or another -o.", err=True)
    click.echo(selection.table(first, width=UNCUT))


@click.command(cls=SectionedCommand)
@with_query
@with_client
def count(client: ExternalTaskClient, query: ExternalTaskQuery) -> None:
    """
    Print the number of tasks.
    """
    click.echo(client.select(query).count())


def _known_kind(ctx: click.Context, param: click.Parameter, file: Path) -> Path:
    if file.suffix.lower() not in (".csv", ".jsonl"):
        raise click.UsageError("The name of the file must end in .jsonl or .csv.")
    return file


@click.command(cls=SectionedCommand)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), callback=_known_kind)
@click.option("--overwrite", is_flag=True, help="Replace the file if it exists.")
@click.option(
    "--raw-csv",
    is_flag=True,
    help="Write texts unchanged, although a spreadsheet could take some for formulas.",
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

    FILE ends in .jsonl or .csv, which is the format. It appears when it is complete.
    """
    selection, progress = client.select(query), sys.stderr.isatty()
    is_csv = file.suffix.lower() == ".csv"
    if raw_csv and not is_csv:
        raise click.UsageError("--raw-csv goes with a file that ends in .csv.")
    if is_csv:
        number = selection.to_csv(file, raw=raw_csv, overwrite=overwrite, progress=progress)
    else:
        number = selection.to_jsonl(file, overwrite=overwrite, progress=progress)
    click.echo(f"{number:,} {'task' if number == 1 else 'tasks'} in {file}.")
