"""
`camunda-ext unlock`, `retries` and `priority`: change many tasks, with care.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from camunda_ext import BulkSummary, ExternalTaskClient, ExternalTaskQuery, Selection
from camunda_ext.cli._connection import with_client
from camunda_ext.cli._filters import with_query
from camunda_ext.cli._output import refused
from camunda_ext.cli._sections import SectionedCommand

#: What a command does with the selection; the keywords are those of the bulk writes.
_Write = Callable[..., BulkSummary]

#: Some tasks failed, or nobody knows what became of them.
_NOT_ALL: Final = 3


def _careful(function: Callable[..., Any]) -> Callable[..., Any]:
    """
    Give a command the options that say how careful to be, and call it with a function *change* that
    heeds them.
    """

    @wraps(function)
    def called(
        *arguments: Any,
        client: ExternalTaskClient,
        query: ExternalTaskQuery,
        everything: bool,
        dry_run: bool,
        yes: bool,
        at_most: int | None,
        journal: Path | None,
        **given: Any,
    ) -> Any:
        if not (everything or query.narrows()):
            raise click.UsageError("There is no filter: pass --everything if all tasks are meant.")
        if not (dry_run or yes or sys.stdin.isatty()):
            raise click.UsageError("There is nobody to ask: pass --yes, or --dry-run to look.")

        def change(write: Callable[[Selection], _Write]) -> None:
            bound = write(client.select(query))
            caution = {"everything": everything, "at_most": at_most}
            try:
                _change(bound, caution, dry_run=dry_run, yes=yes, journal=journal)
            except (click.Abort, click.exceptions.Exit):
                raise  # which are errors of Python's as well
            except (OSError, RuntimeError, ValueError) as error:
                raise refused(error) from None

        return function(*arguments, change=change, **given)

    decorated: Callable[..., Any] = called
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return with_client(with_query(decorated))


_OPTIONS: Final = (
    click.option("--dry-run", is_flag=True, help="Change nothing: show what would be touched."),
    click.option("-y", "--yes", is_flag=True, help="Do not ask."),
    click.option(
        "--at-most",
        type=click.IntRange(min=0),
        metavar="NUMBER",
        help="Touch none if more tasks match.",
    ),
    click.option("--everything", is_flag=True, help="Touch all tasks, where there is no filter."),
    click.option(
        "--journal",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Keep in this file what was done; the same command goes on there if it was ended.",
    ),
)


@click.command(cls=SectionedCommand)
@_careful
def unlock(change: Callable[[Callable[[Selection], _Write]], None]) -> None:
    """
    Take away the locks of tasks.

    A task whose lock has changed since it was listed is left alone.
    """
    change(lambda selection: selection.unlock)


@click.command(cls=SectionedCommand)
@click.argument("number", type=click.IntRange(0, 2**31 - 1))
@_careful
def retries(change: Callable[[Callable[[Selection], _Write]], None], number: int) -> None:
    """
    Set the retries left of tasks.

    NUMBER is how many are left from now on. 0 opens incidents, more than 0 closes them.
    """
    change(lambda selection: lambda **said: selection.set_retries(number, **said))


# A number below 0 is no option.
@click.command(cls=SectionedCommand, context_settings={"ignore_unknown_options": True})
@click.argument("number", type=click.IntRange(-(2**63), 2**63 - 1))
@_careful
def priority(change: Callable[[Callable[[Selection], _Write]], None], number: int) -> None:
    """
    Set the priority of tasks.

    NUMBER is the priority from now on; a higher one comes first where a worker asks for it.
    """
    change(lambda selection: lambda **said: selection.set_priority(number, **said))


def _change(
    write: _Write, caution: dict[str, Any], *, dry_run: bool, yes: bool, journal: Path | None
) -> None:
    """
    Show what would be touched, ask, and touch it.

    Raises:
        ValueError: It was refused, and nothing was changed.
    """
    if dry_run or not yes:
        looked = write(dry_run=True, **caution)
        click.echo(str(looked), err=not dry_run)
        if dry_run:
            return
        goes_on = journal is not None and journal.exists()
        if goes_on:
            click.echo(f"A run that {journal} knows of goes on with its own tasks.", err=True)
        elif not looked.matched:
            return
        click.confirm("Go on?", abort=True, err=True)
        if caution["at_most"] is None and not goes_on:
            # No more than what was agreed to.
            caution = {**caution, "at_most": looked.matched}
    summary = write(journal=journal, progress=sys.stderr.isatty(), **caution)
    click.echo(str(summary))
    if summary.failed or summary.unknown or summary.left:
        click.get_current_context().exit(_NOT_ALL)
