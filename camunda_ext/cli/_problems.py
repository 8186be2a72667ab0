"""
`camunda-ext errors` and `camunda-ext show`: what went wrong, and with which task.
"""

from __future__ import annotations

from datetime import datetime

import attrs
import click

from camunda_ext import CamundaError, ExternalTaskClient, ExternalTaskQuery
from camunda_ext._display.tables import age
from camunda_ext._wire.text import printable, visible
from camunda_ext.cli._connection import with_client
from camunda_ext.cli._filters import with_query
from camunda_ext.cli._look import honoured, patient
from camunda_ext.cli._output import Row, json_of, now, print_rows, with_output, with_rows
from camunda_ext.cli._sections import SectionedCommand


@attrs.define
class _Group:
    """
    Tasks whose last failures have the same first line.
    """

    example: str
    tasks: int = 0
    failed: int = 0
    topics: set[str] = attrs.field(factory=set)


@click.command(cls=SectionedCommand)
@with_rows
@with_query
@with_client
def errors(client: ExternalTaskClient, query: ExternalTaskQuery, form: str) -> None:
    """
    Group tasks by the message of their last failure.

    The first line of a message counts. "Failed" is how many of the tasks have no retries left, and
    "example" the id of one task. All tasks that match are listed for it.
    """
    groups: dict[str, _Group] = {}
    for task in patient(client.select(honoured(client, query))):
        lines = (task.error_message or "").strip().splitlines()
        # A worker need not give a message.
        if lines or task.retries == 0:
            group = groups.setdefault(lines[0].rstrip() if lines else "", _Group(task.id))
            group.tasks += 1
            group.failed += task.retries == 0
            group.topics.add(task.topic_name)
    rows: list[Row] = [
        {
            "tasks": group.tasks,
            "failed": group.failed,
            "topics": sorted(group.topics),
            "example": group.example,
            "message": message or None,
        }
        for message, group in sorted(groups.items(), key=lambda one: (-one[1].tasks, one[0]))
    ]
    print_rows(
        ("tasks", "failed", "topics", "example", "message"),
        rows,
        form,
        narrowed=(("message", 32), ("topics", 12), ("example", 9), ("message", 16)),
        left_out=("example", "topics"),
    )


@click.command(cls=SectionedCommand)
@click.argument("task_id", metavar="ID")
@with_output("table", "json")
@with_client
def show(client: ExternalTaskClient, task_id: str, form: str) -> None:
    """
    Show all that is known of a task.

    ID is the whole id of the task. With the error of its last failure come the details.
    """
    if "…" in task_id:
        raise click.UsageError("This id was cut: -o wide shows it whole.")
    try:
        task = client.get(task_id)
    except ValueError as error:
        raise click.UsageError(f"{visible(str(error))}.") from None
    has_failed = task.error_message is not None or task.retries is not None
    details, problem = None, None
    if has_failed:
        try:
            details = client.error_details(task_id)
        except CamundaError as error:  # the rest is worth to be shown
            problem = error
    values = {**attrs.asdict(task, recurse=False), "error_details": details or None}
    if problem is not None:
        click.echo(f"Warning: {printable(str(problem))}", err=True)
    if form == "json":
        click.echo(json_of(values))
        return
    moment = now()
    room = max(map(len, values))
    for name, value in values.items():
        if value is not None and name not in ("error_message", "error_details"):
            click.echo(f"{name.replace('_', ' '):{room}}  {_text(value, moment)}")
    for name in ("error_message", "error_details"):
        text = values[name]
        if text:
            click.echo(f"\n{name.replace('_', ' ')}:")
            # A stack trace has lines; whatever else is in it is no more than shown.
            for line in text.rstrip().split("\n"):
                click.echo(f"  {visible(line.expandtabs(4).rstrip())}".rstrip())


def _text(value: object, now: datetime) -> str:
    if isinstance(value, datetime):
        return f"{value.isoformat(timespec='milliseconds')} ({age(value, now)})"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return visible(str(value))
