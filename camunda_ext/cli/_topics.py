"""
`camunda-ext topics` and `camunda-ext top`: the topics in numbers, once or live.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

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
from camunda_ext._display.layout import cut
from camunda_ext._wire.text import visible
from camunda_ext.cli._connection import with_client
from camunda_ext.cli._filters import with_query
from camunda_ext.cli._look import honoured, patient
from camunda_ext.cli._output import (
    Row,
    now,
    print_rows,
    table,
    terminal_size,
    terminal_width,
    with_rows,
)
from camunda_ext.cli._sections import SectionedCommand, seconds

_NAMES: Final = ("topic", "total", "locked", "failed", "oldest")
#: Whatever a topic is called, the numbers are seen.
_FITTING: Final[dict[str, Any]] = {"narrowed": (("topic", 8),), "left_out": ("oldest",)}
#: Lines of the live view besides the topics: two of the head, three of the table, one of the rest.
_OTHER_LINES: Final = 6


@click.command(cls=SectionedCommand)
@with_rows
@with_query
@with_client
def topics(client: ExternalTaskClient, query: ExternalTaskQuery, form: str) -> None:
    """
    Show the tasks of each topic in numbers.

    "Locked" is how many of them a worker holds, "failed" how many have no retries left, and
    "oldest" when the first of them came to be, which engines before 7.21 do not say. The engine
    counts them one after the other, while others may change them. One before 7.13 does not know its
    topics: all tasks that match are listed for it.
    """
    print_rows(_NAMES, counted(client, query), form, **_FITTING)


@click.command(cls=SectionedCommand)
@click.option(
    "--interval",
    type=seconds(86_400),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait before the next look.",
)
@click.option("--once", is_flag=True, help="Look once, as where standard output is no terminal.")
@with_query
@with_client
def top(client: ExternalTaskClient, query: ExternalTaskQuery, interval: float, once: bool) -> None:
    """
    Show the topics again and again, until Ctrl-C.

    The numbers are those of camunda-ext topics; the topics with most failures come first. An engine
    that does not answer is asked again.
    """
    look = _Look(client, query)  # an error at first is one to end with
    if once or not sys.stdout.isatty():
        click.echo(look.page())
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console()
    wait = threading.Event().wait
    try:
        if console.is_dumb_terminal:
            while True:
                click.echo(f"{look.page()}\n")
                wait(interval)
                look.again()
        # The terminal is given back as it was. `Text` is never read as markup.
        with Live(console=console, auto_refresh=False, screen=True) as live:
            while True:
                # Windows change. While it lives, standard output is no terminal.
                live.update(Text(look.page(terminal_size())), refresh=True)
                wait(interval)
                look.again()
    except KeyboardInterrupt:
        pass  # the way to end it


class _Look:
    """
    The numbers of a moment, and what has gone wrong since.
    """

    def __init__(self, client: ExternalTaskClient, query: ExternalTaskQuery) -> None:
        self._client = client
        self._query = query
        self._rows = counted(client, query)
        self._moment = now()
        self._problem: CamundaError | None = None

    def again(self) -> None:
        """
        Count anew, if the engine answers.
        """
        try:
            self._rows = counted(self._client, self._query)
        except CamundaError as error:
            self._problem = error
        else:
            self._moment, self._problem = now(), None

    def page(self, size: os.terminal_size | None = None) -> str:
        """
        Give what is shown.

        Args:
            size: The room that there is; ``None`` for all lines.
        """
        width = terminal_width() if size is None else size.columns
        moment = now()
        head = f"{visible(self._client.url)}  {self._moment:%H:%M:%S} UTC"
        if self._problem is not None:
            said = visible(str(self._problem))
            head = f"{head}, no answer at {moment:%H:%M:%S}\n{said}"
        names = ("total", "locked", "failed")
        totals: Row = {
            "topic": "all",
            **{name: sum(int(str(row[name])) for row in self._rows) for name in names},
            "oldest": None,
        }
        rows = sorted(self._rows, key=lambda row: (-int(str(row["failed"])), str(row["topic"])))
        room = len(rows)
        if size is not None:
            room = max(1, size.lines - _OTHER_LINES - head.count("\n"))
        lines = [*head.split("\n"), ""]
        lines += table(_NAMES, [totals, *rows[:room]], now=moment, width=width, **_FITTING)
        if len(rows) > room:
            left = len(rows) - room
            lines.append(f"... and {left} more {'topic' if left == 1 else 'topics'}")
        return "\n".join(lines if width is None else (cut(line, width) for line in lines))


def counted(client: ExternalTaskClient, query: ExternalTaskQuery) -> Sequence[Row]:
    """
    Give the numbers of each topic that has tasks that match.
    """
    body = honoured(client, query).body()
    chosen = body.get("topicName")
    names = _names(client, query) if chosen is None else [str(chosen)]
    # For the engine, the one filter would overrule the other.
    none_failed = bool(body.get("withRetriesLeft"))
    rows: list[Row] = []
    for name in names:
        topic = query.topic(name)
        total = client.count(topic)
        if total:
            rows.append(
                {
                    "topic": name,
                    "total": total,
                    "locked": client.count(topic.locked()),
                    "failed": 0 if none_failed else client.count(topic.no_retries_left()),
                    "oldest": _oldest(client, topic),
                }
            )
    return rows


def _names(client: ExternalTaskClient, query: ExternalTaskQuery) -> list[str]:
    try:
        return sorted(client.topic_names())
    except (NotFound, NotTheEngine):  # it came with 7.13
        return sorted({task.topic_name for task in patient(client.select(query.unsorted()))})


def _oldest(client: ExternalTaskClient, topic: ExternalTaskQuery) -> datetime | None:
    by_age = topic.unsorted().sort_by(SortBy.CREATE_TIME)
    try:
        first = client.list(by_age, max_results=1)
    except BadRequest:  # the engine cannot sort by it
        return None
    return first[0].create_time if first else None
