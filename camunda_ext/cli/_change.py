"""
`camunda-ext unlock`, `retries` and `priority`: change many tasks, with care.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Any, Final

import attrs
import click

from camunda_ext import (
    BatchResult,
    BatchRun,
    BulkSummary,
    ExternalTaskClient,
    ExternalTaskQuery,
    Selection,
)
from camunda_ext._display.progress import telling
from camunda_ext._wire.json import dumps
from camunda_ext._wire.text import printable
from camunda_ext.cli._connection import with_client
from camunda_ext.cli._filters import with_query
from camunda_ext.cli._output import refused, with_output
from camunda_ext.cli._sections import SectionedCommand

#: What a command does with the selection; the keywords are those of the bulk writes.
_Write = Callable[..., "BulkSummary | BatchResult"]

#: Some tasks failed, or nobody knows what became of them.
_NOT_ALL: Final = 3


def _careful(function: Callable[..., Any]) -> Callable[..., Any]:
    """
    Give a command the options that say how careful to be, and call it with a function *change* that
    heeds them.
    """

    @wraps(function)
    def connected(
        *arguments: Any,
        client: ExternalTaskClient,
        query: ExternalTaskQuery,
        caution: _Caution,
        **given: Any,
    ) -> Any:
        def change(write: Callable[[Selection], _Write]) -> None:
            _change(client, query, write(client.select(query)), caution)

        return function(*arguments, change=change, **given)

    call = with_client(connected)

    @wraps(call)
    def called(*arguments: Any, query: ExternalTaskQuery, **given: Any) -> Any:
        caution = _Caution(
            **{field.name: given.pop(field.name) for field in attrs.fields(_Caution)}
        )
        if not (caution.everything or query.has_filter()):
            raise click.UsageError("There is no filter: pass --everything if all tasks are meant.")
        if not (caution.dry_run or caution.yes or sys.stdin.isatty()):
            raise click.UsageError("There is nobody to ask: pass --yes, or --dry-run to look.")
        return call(*arguments, query=query, caution=caution, **given)

    decorated: Callable[..., Any] = called
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return with_query(decorated)


@attrs.frozen(kw_only=True)
class _Caution:
    """
    How careful to be, and what to print.
    """

    everything: bool
    dry_run: bool
    yes: bool
    at_most: int | None
    journal: Path | None
    form: str


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
    with_output("table", "json"),
)


@click.command(cls=SectionedCommand)
@_careful
def unlock(change: Callable[[Callable[[Selection], _Write]], None]) -> None:
    """
    Take away the locks of tasks.

    Tasks that are not locked are left out. One whose lock has changed since it was listed is left
    alone.
    """
    change(lambda selection: attrs.evolve(selection, query=selection.query.locked()).unlock)


@click.command(cls=SectionedCommand)
@click.argument("number", type=click.IntRange(0, 2**31 - 1))
@click.option("--batch", is_flag=True, help="Let the engine do it in the background, and wait.")
@_careful
def retries(
    change: Callable[[Callable[[Selection], _Write]], None], number: int, batch: bool
) -> None:
    """
    Set the retries left of tasks.

    NUMBER is how many are left from now on. 0 opens incidents, more than 0 closes them.
    """
    change(
        lambda selection: (
            partial(_in_a_batch, selection, number)
            if batch
            else partial(selection.set_retries, number)
        )
    )


def _in_a_batch(
    selection: Selection,
    number: int,
    *,
    dry_run: bool = False,
    progress: Callable[[int, int], object] | None = None,
    **said: Any,
) -> BulkSummary | BatchResult:
    if dry_run:
        looked: BulkSummary = selection.set_retries_async(number, dry_run=True, **said)
        return looked
    run: BatchRun = selection.set_retries_async(number, **said)
    click.echo(f"{run!r}", err=True)  # by which it is found, whatever ends this
    return run.wait(progress=progress or False)


@click.command(cls=SectionedCommand)
@click.argument("number", type=click.IntRange(-(2**63), 2**63 - 1))
@_careful
def priority(change: Callable[[Callable[[Selection], _Write]], None], number: int) -> None:
    """
    Set the priority of tasks.

    NUMBER is the priority from now on; a higher one comes first where a worker asks for it.
    """
    change(lambda selection: partial(selection.set_priority, number))


def _change(
    client: ExternalTaskClient, query: ExternalTaskQuery, write: _Write, caution: _Caution
) -> None:
    """
    Show what would be touched, ask, and touch it.
    """
    said: dict[str, Any] = {
        "everything": caution.everything,
        "at_most": caution.at_most,
        "journal": caution.journal,
    }
    try:
        if caution.dry_run or not caution.yes:
            looked = write(dry_run=True, **said)
            if caution.dry_run:
                _print(looked, caution.form)
                return
            click.echo(printable(f"{client.url}: {query!r}"), err=True)
            click.echo(str(looked), err=True)
            assert isinstance(looked, BulkSummary)  # noqa: S101  # as of every dry run
            if looked.matched > looked.skipped and not click.confirm("Go on?", err=True):
                click.echo("Nothing was changed.", err=True)
                raise click.exceptions.Exit(1)
            # No more than what was agreed to.
            said["at_most"] = looked.matched
        summary = _written(write, said)
    except (click.Abort, click.exceptions.Exit):
        raise  # which are errors of Python's as well
    except (OSError, RuntimeError, ValueError) as error:
        raise refused(error) from None
    try:
        _print(summary, caution.form)
    except OSError:
        click.echo(str(summary), err=True)  # what was done has to be known somewhere
        raise
    if not _is_whole(summary):
        click.get_current_context().exit(_NOT_ALL)


def _is_whole(summary: BulkSummary | BatchResult) -> bool:
    if isinstance(summary, BatchResult):
        return summary.finished
    return not (summary.failed or summary.unknown or summary.left or summary.changed)


def _written(write: _Write, said: dict[str, Any]) -> BulkSummary | BatchResult:
    """
    Touch the tasks, and tell how far it was if something ends the program.
    """
    far = (0, 0)
    try:
        with telling(sys.stderr.isatty(), "done") as show:

            def tell(done: int, total: int) -> None:
                nonlocal far
                far = (done, total)
                show(done, total)

            summary = write(progress=tell, **said)
    except (KeyboardInterrupt, SystemExit):
        done, total = far
        told = f"Ended at {done:,} of {total:,}; what was under way may be done all the same."
        if said["journal"] is not None:
            told += " The same command goes on."
        click.echo(told, err=True)
        raise
    return summary


def _print(summary: BulkSummary | BatchResult, form: str) -> None:
    if form == "json":
        click.echo(dumps(summary.to_dict()))
        return
    click.echo(str(summary))
    if isinstance(summary, BulkSummary):
        # The lines above have an example of each error.
        for problem in (*summary.failed, *summary.unknown):
            click.echo(printable(f"{problem.task_id}: {problem.error}"), err=True)
