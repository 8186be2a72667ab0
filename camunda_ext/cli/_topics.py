"""
`camunda-ext topics` and `camunda-ext top`: the number of tasks of each topic, once or live.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

import click

from camunda_ext import (
    BadRequest,
    CamundaError,
    ExternalTaskClient,
    ExternalTaskQuery,
    NotFound,
    NotTheEngine,
    SortBy,
)
from camunda_ext.cli._connection import with_client
from camunda_ext.cli._filters import with_query
from camunda_ext.cli._output import Row, print_rich, print_rows, table, with_rows
from camunda_ext.cli._sections import SectionedCommand, seconds
from camunda_ext.safety import visible

if TYPE_CHECKING:
    from rich.console import RenderableType

_NAMES: Final = ("topic", "total", "locked", "failed", "oldest")

#: Lines of the live view besides the topics: two of the head, two of the table, one of the rest.
_OTHER_LINES: Final = 5


@click.command(cls=SectionedCommand)
@with_rows
@with_query
@with_client
def topics(client: ExternalTaskClient, query: ExternalTaskQuery, form: str) -> None:
    """
    Show the number of tasks of each topic.

    "Locked" is how many of them a worker holds, "failed" how many have no retries left, and
    "oldest" when the first of them was created, which is empty for engines before 7.21. The engine
    counts one number after the other, while tasks may change. Engines before 7.13 do not list their
    topics, so all tasks that match are fetched to find them.
    """
    print_rows(_NAMES, numbers(client, query), form)


@click.command(cls=SectionedCommand)
@click.option(
    "--interval",
    type=seconds(86_400),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="The pause between two looks.",
)
@click.option("--once", is_flag=True, help="Look once, as for output to a file or a pipe.")
@with_query
@with_client
def top(client: ExternalTaskClient, query: ExternalTaskQuery, interval: float, once: bool) -> None:
    """
    Show the topics again and again, until Ctrl-C.

    The numbers are those of camunda-ext topics; the topics with most failures come first. An engine
    that does not answer is asked again.
    """
    view = _View(client, query)  # an error of the first look ends the command
    if once or not sys.stdout.isatty():
        print_rich(view.page())
        return
    from rich.console import Console
    from rich.live import Live

    console = Console()
    pause = threading.Event().wait
    try:
        while console.is_dumb_terminal:  # such as an editor's shell: page below page
            print_rich(view.page())
            click.echo()
            pause(interval)
            view.refresh()
        # On the alternate screen, so that the terminal looks as before at the end.
        with Live(console=console, auto_refresh=False, screen=True) as live:
            while True:
                live.update(view.page(console.height), refresh=True)
                pause(interval)
                view.refresh()
    except KeyboardInterrupt:
        pass  # the only way to end it


class _View:
    """
    The numbers of the last look that was answered, and the error of a later one.
    """

    def __init__(self, client: ExternalTaskClient, query: ExternalTaskQuery) -> None:
        self._client = client
        self._query = query
        self._rows = numbers(client, query)
        self._counted_at = datetime.now(timezone.utc)
        self._problem: CamundaError | None = None

    def refresh(self) -> None:
        """
        Count again; the numbers stay if the engine does not answer.
        """
        try:
            self._rows = numbers(self._client, self._query)
        except CamundaError as error:
            self._problem = error
        else:
            self._counted_at, self._problem = datetime.now(timezone.utc), None

    def page(self, height: int | None = None) -> RenderableType:
        """
        What is shown.

        Args:
            height: The number of lines on the terminal; ``None`` for all topics.
        """
        from rich.console import Group
        from rich.text import Text

        head = f"{visible(self._client.url)}  {self._counted_at:%H:%M:%S} UTC"
        if self._problem is not None:
            now = datetime.now(timezone.utc)
            head += f", no answer at {now:%H:%M:%S}\n{visible(str(self._problem))}"
        rows = sorted(self._rows, key=lambda row: (-row["failed"], row["topic"]))
        room = len(rows)
        if height is not None:
            room = max(1, height - _OTHER_LINES - head.count("\n"))
        total: Row = {
            name: sum(row[name] for row in rows) for name in ("total", "locked", "failed")
        }
        left = len(rows) - room
        rest = [f"... and {left} more {'topic' if left == 1 else 'topics'}"] if left > 0 else []
        return Group(
            Text(f"{head}\n", no_wrap=True, overflow="ellipsis"),
            table(_NAMES, [{"topic": "all", "oldest": None, **total}, *rows[:room]]),
            *rest,
        )


def numbers(client: ExternalTaskClient, query: ExternalTaskQuery) -> Sequence[Row]:
    """
    The numbers of each topic that has tasks that match.
    """
    client.check(query)
    body = query.body()
    names = [body["topicName"]] if "topicName" in body else _topic_names(client, query)
    rows: list[Row] = []
    for name in names:
        of_topic = query.topic(name)
        if total := client.count(of_topic):
            row: dict[str, Any] = {"topic": name, "total": total}
            row["locked"] = client.count(of_topic.locked())
            # For the engine, `no_retries_left` would overrule `with_retries_left`.
            none_failed = "withRetriesLeft" in body
            row["failed"] = 0 if none_failed else client.count(of_topic.no_retries_left())
            row["oldest"] = _oldest(client, of_topic)
            rows.append(row)
    return rows


def _topic_names(client: ExternalTaskClient, query: ExternalTaskQuery) -> list[str]:
    try:
        return sorted(client.topic_names())
    except (NotFound, NotTheEngine):  # it came with 7.13
        return sorted({task.topic_name for task in client.select(query.unsorted())})


def _oldest(client: ExternalTaskClient, of_topic: ExternalTaskQuery) -> datetime | None:
    by_age = of_topic.unsorted().sort_by(SortBy.CREATE_TIME)
    try:
        first = client.list(by_age, max_results=1)
    except BadRequest:  # the engine cannot sort by it
        return None
    return first[0].create_time if first else None
