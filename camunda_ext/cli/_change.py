"""
`camunda-ext unlock`, `retries` and `priority`: change many tasks, with care.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial, wraps
from pathlib import Path
from typing import Any, Final, TypeAlias

import click

from camunda_ext import (
    BatchResult,
    BatchRun,
    BulkSummary,
    ExternalTaskClient,
    ExternalTaskQuery,
    Selection,
)
from camunda_ext.cli._connection import with_client
from camunda_ext.cli._filters import with_query
from camunda_ext.cli._output import to_json, with_output
from camunda_ext.cli._sections import SectionedCommand
from camunda_ext.safety import visible

#: A bulk write of a selection; it takes their keywords.
BulkWrite: TypeAlias = "Callable[..., BulkSummary | BatchResult]"

#: The exit code if some tasks failed, or nobody knows whether they were changed.
_NOT_ALL: Final = 3

_OPTIONS: Final = (
    click.option("--dry-run", is_flag=True, help="Change nothing: show what would be changed."),
    click.option("-y", "--yes", is_flag=True, help="Do not ask."),
    click.option(
        "--at-most",
        type=click.IntRange(min=0),
        metavar="NUMBER",
        help="Change nothing if more tasks match.",
    ),
    click.option("--everything", is_flag=True, help="Change all tasks if there is no filter."),
    click.option(
        "--journal",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Record in this file what was done, so that the same command can go on after it was "
        "interrupted.",
    ),
    with_output("table", "json"),
)


def _carefully(function: Callable[..., BulkWrite]) -> Callable[..., Any]:
    """
    Make a command of a function that returns a bulk write: it shows the tasks, asks, and writes.
    """

    @with_client
    @wraps(function)
    def connected(
        *,
        client: ExternalTaskClient,
        query: ExternalTaskQuery,
        safety: dict[str, Any],
        **arguments: Any,
    ) -> None:
        write = function(client, query, **arguments)
        _change(write, f"{client.url}: {query!r}", **safety)

    @wraps(connected)
    def checked(
        *,
        query: ExternalTaskQuery,
        everything: bool,
        dry_run: bool,
        yes: bool,
        at_most: int | None,
        journal: Path | None,
        form: str,
        **arguments: Any,
    ) -> None:
        if not (everything or query.has_filter()):
            raise click.UsageError("There is no filter: pass --everything if all tasks are meant.")
        if not (dry_run or yes or sys.stdin.isatty()):
            raise click.UsageError("There is nobody to ask: pass --yes, or --dry-run to look.")
        safety = {
            "limits": {"everything": everything, "at_most": at_most, "journal": journal},
            "dry_run": dry_run,
            "yes": yes,
            "form": form,
        }
        connected(query=query, safety=safety, **arguments)

    command: Callable[..., Any] = checked
    for option in reversed(_OPTIONS):
        command = option(command)
    return with_query(command)


@click.command(cls=SectionedCommand)
@_carefully
def unlock(client: ExternalTaskClient, query: ExternalTaskQuery) -> BulkWrite:
    """
    Take away the locks of tasks.

    Tasks that are not locked are left out. A task whose lock has changed since it was listed is not
    unlocked.
    """
    return client.select(query.locked()).unlock


@click.command(cls=SectionedCommand)
@click.argument("number", type=click.IntRange(0, 2**31 - 1))
@click.option("--batch", is_flag=True, help="Let the engine do it in the background, and wait.")
@_carefully
def retries(
    client: ExternalTaskClient, query: ExternalTaskQuery, number: int, batch: bool
) -> BulkWrite:
    """
    Set the retries left of tasks.

    NUMBER is how many are left from now on. 0 opens incidents, more than 0 closes them.
    """
    selection = client.select(query)
    return partial(_by_batch if batch else Selection.set_retries, selection, number)


def _by_batch(
    selection: Selection,
    number: int,
    *,
    dry_run: bool = False,
    progress: bool | Callable[[int, int], object] = False,
    **limits: Any,
) -> BulkSummary | BatchResult:
    if dry_run:
        preview: BulkSummary = selection.set_retries_async(number, dry_run=True, **limits)
        return preview
    run: BatchRun = selection.set_retries_async(number, **limits)
    click.echo(f"{run!r}", err=True)  # its id, in case that the command is interrupted
    return run.wait(progress=progress)


@click.command(cls=SectionedCommand)
@click.argument("number", type=click.IntRange(-(2**63), 2**63 - 1))
@_carefully
def priority(client: ExternalTaskClient, query: ExternalTaskQuery, number: int) -> BulkWrite:
    """
    Set the priority of tasks.

    NUMBER is the priority from now on; workers that ask for priorities get higher ones first.
    """
    return partial(client.select(query).set_priority, number)


def _change(
    write: BulkWrite, heading: str, *, limits: dict[str, Any], dry_run: bool, yes: bool, form: str
) -> None:
    """
    Show what would be changed, ask, and change it.
    """
    if dry_run:
        _print(write(dry_run=True, **limits), form)
        return
    if not yes:
        preview = write(dry_run=True, **limits)
        assert isinstance(preview, BulkSummary)  # noqa: S101  # as of every dry run
        click.echo(f"{visible(heading)}\n{preview}", err=True)
        if preview.matched > preview.skipped and not click.confirm("Go on?", err=True):
            click.echo("Nothing was changed.", err=True)
            raise click.exceptions.Exit(1)
        limits["at_most"] = preview.matched  # no more than was agreed to
    summary = _with_progress(write, limits)
    try:
        _print(summary, form)
    except OSError:
        click.echo(str(summary), err=True)  # what was done has to be known somewhere
        raise
    if isinstance(summary, BatchResult):
        is_complete = summary.finished
    else:
        is_complete = not (summary.failed or summary.unknown or summary.left or summary.changed)
    if not is_complete:
        raise click.exceptions.Exit(_NOT_ALL)


def _with_progress(write: BulkWrite, limits: dict[str, Any]) -> BulkSummary | BatchResult:
    """
    Write with a progress bar on a terminal; if the command is interrupted, print the progress.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    bars = Progress(*columns, console=console)
    bar = bars.add_task("done", total=None)
    try:
        with bars if console.is_terminal else nullcontext():
            summary: BulkSummary | BatchResult = write(
                progress=lambda done, total: bars.update(bar, completed=done, total=total),
                **limits,
            )
    except (KeyboardInterrupt, SystemExit):
        task = bars.tasks[0]
        message = f"Ended at {task.completed:,} of {task.total or 0:,}; "
        message += "requests under way may take effect all the same."
        if limits["journal"] is not None:
            message += " The same command goes on from there."
        click.echo(message, err=True)
        raise
    return summary


def _print(summary: BulkSummary | BatchResult, form: str) -> None:
    if form == "json":
        click.echo(to_json(summary.to_dict()))
        return
    click.echo(str(summary))
    if isinstance(summary, BulkSummary):
        # The lines above have one example of each error.
        for problem in (*summary.failed, *summary.unknown):
            click.echo(visible(f"{problem.task_id}: {problem.error}"), err=True)
