"""
`camunda-ext topics` and `camunda-ext top`: the topics in numbers, once or live.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import click

from camunda_ext import BadRequest, CamundaError, ExternalTaskClient, ExternalTaskQuery, SortBy
from camunda_ext._display import visible
from camunda_ext.cli._connection import with_client
from camunda_ext.cli._filters import with_query
from camunda_ext.cli._output import Row, now, print_rows, table, terminal_width, with_output
from camunda_ext.cli._sections import SectionedCommand

_NAMES: Final = ("topic", "total", "locked", "failed", "oldest")


@click.command(cls=SectionedCommand)
@with_output
@with_client
@with_query
def topics(client: ExternalTaskClient, query: ExternalTaskQuery, form: str) -> None:
    """
    Show the tasks of each topic in numbers.

    "Locked" is how many of them a worker holds, "failed" how many have no retries left, and
    "oldest" when the first of them came to be, which engines before 7.21 do not say. The engine
    counts them one after the other, while others may change them.
    """
    print_rows(_NAMES, counted(client, query), form)


@click.command(cls=SectionedCommand)
@click.option(
    "--interval",
    type=click.FloatRange(min=0.1),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait before the next look.",
)
@click.option("--once", is_flag=True, help="Look once, as where standard output is no terminal.")
@with_client
@with_query
def top(client: ExternalTaskClient, query: ExternalTaskQuery, interval: float, once: bool) -> None:
    """
    Show the topics again and again, until Ctrl-C.

    The numbers are those of camunda-ext topics. An engine that does not answer is asked again.
    """
    if once or not sys.stdout.isatty():
        click.echo(_page(client, counted(client, query), now()))
        return
    from rich.live import Live
    from rich.text import Text

    rows = counted(client, query)  # an error at first is one to end with
    wait = threading.Event().wait
    # The terminal is given back as it was.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    # `Text` is never read as markup.
    live = Live(Text(_page(client, rows, now())), auto_refresh=False, screen=True)
    try:
        live.start(refresh=True)
        while True:
            wait(interval)
            said = ""
            try:
                rows = counted(client, query)
            except CamundaError as error:
                said = f"\n\n{visible(str(error))}"
            live.update(Text(_page(client, rows, now()) + said), refresh=True)
    except KeyboardInterrupt:
        pass  # the way to end it
    finally:
        live.stop()


def counted(client: ExternalTaskClient, query: ExternalTaskQuery) -> list[Row]:
    """
    Give the numbers of each topic that has tasks that match.
    """
    body = query.body()
    chosen = body.get("topicName")
    names = sorted(client.topic_names()) if chosen is None else [str(chosen)]
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


def _oldest(client: ExternalTaskClient, topic: ExternalTaskQuery) -> datetime | None:
    by_age = topic.unsorted().sort_by(SortBy.CREATE_TIME)
    try:
        first = client.list(by_age, max_results=1)
    except BadRequest:  # the engine cannot sort by it
        return None
    return first[0].create_time if first else None


def _page(client: ExternalTaskClient, rows: Sequence[Row], moment: datetime) -> str:
    """
    Give what is shown at a time.
    """
    base = visible(client._sender.base)
    totals: Row = {
        "topic": "all",
        **{
            name: sum(int(str(row[name])) for row in rows) for name in ("total", "locked", "failed")
        },
        "oldest": None,
    }
    said = table(_NAMES, [*rows, totals], now=moment, width=terminal_width())
    return f"{base}  {moment:%H:%M:%S} UTC\n\n{said}"
