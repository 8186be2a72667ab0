"""
`camunda-ext errors` and `camunda-ext show`: what went wrong, and with which task.
"""

from __future__ import annotations

from datetime import datetime, timezone

import attrs
import click

from camunda_ext import CamundaError, ExternalTaskClient, ExternalTaskQuery
from camunda_ext.cli._connection import with_client
from camunda_ext.cli._filters import with_query
from camunda_ext.cli._output import age, print_rows, to_json, with_output, with_rows
from camunda_ext.cli._sections import SectionedCommand
from camunda_ext.safety import visible


@attrs.define
class _Group:
    """
    Tasks whose error messages have the same first line.
    """

    #: The id of one of them.
    example: str

    #: The number of tasks.
    tasks: int = 0

    #: The number of tasks without retries left.
    failed: int = 0

    topics: set[str] = attrs.field(factory=set)


@click.command(cls=SectionedCommand)
@with_rows
@with_query
@with_client
def errors(client: ExternalTaskClient, query: ExternalTaskQuery, form: str) -> None:
    """
    Group tasks by the message of their last failure.

    Tasks are in one group if the first lines of their messages are equal. "Failed" is the number of
    tasks without retries left, and "example" the id of one task. To count, all tasks that match are
    fetched.
    """
    groups: dict[str, _Group] = {}
    for task in client.select(query):
        lines = (task.error_message or "").strip().splitlines()
        # A worker need not give a message.
        if lines or task.retries == 0:
            group = groups.setdefault(lines[0].rstrip() if lines else "", _Group(task.id))
            group.tasks += 1
            group.failed += task.retries == 0
            group.topics.add(task.topic_name)
    by_size = sorted(groups.items(), key=lambda item: (-item[1].tasks, item[0]))
    print_rows(
        ("tasks", "failed", "topics", "example", "message"),
        [
            {
                "tasks": group.tasks,
                "failed": group.failed,
                "topics": sorted(group.topics),
                "example": group.example,
                "message": message or None,
            }
            for message, group in by_size
        ],
        form,
    )


@click.command(cls=SectionedCommand)
@click.argument("task_id", metavar="ID")
@with_output("table", "json")
@with_client
def show(client: ExternalTaskClient, task_id: str, form: str) -> None:
    """
    Show all fields of a task, and the details of its last error.

    ID is the whole id of the task.
    """
    if "…" in task_id:
        raise click.UsageError("This id was cut: -o wide shows it whole.")
    try:
        task = client.get(task_id)
    except ValueError as error:
        raise click.UsageError(f"{visible(str(error))}.") from None
    details = None
    if task.error_message is not None or task.retries is not None:
        try:
            details = client.error_details(task) or None
        except CamundaError as error:  # the task is worth showing without them
            click.echo(f"Warning: {visible(str(error))}", err=True)
    if form == "json":
        click.echo(to_json({**task.to_dict(), "error_details": details}))
        return
    now = datetime.now(timezone.utc)
    texts = {"error_message": task.error_message, "error_details": details}
    fields = task.to_dict()
    width = max(map(len, fields))
    for name, value in fields.items():
        if value is not None and name not in texts:
            moment = getattr(task, name)
            if isinstance(moment, datetime):
                value = f"{value} ({age(moment, now)})"
            elif isinstance(value, bool):
                value = "yes" if value else "no"
            click.echo(f"{name.replace('_', ' '):{width}}  {visible(str(value))}")
    for name, text in texts.items():
        if text:
            click.echo(f"\n{name.replace('_', ' ')}:")
            for line in text.rstrip().split("\n"):
                click.echo(f"  {visible(line.expandtabs(4).rstrip())}".rstrip())
