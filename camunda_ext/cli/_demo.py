"""
`camunda-ext demo`: the client, shown at work.
"""

from __future__ import annotations

import signal
import sys
import warnings
from typing import Final, NoReturn

import click
from rich.console import Console

from camunda_ext.cli._connection import PASSWORD_VARIABLE, check, client_with, password_of
from camunda_ext.cli._contexts import Context
from camunda_ext.cli._embedded import engine_class
from camunda_ext.cli.demo import Page, tell

_NEXT: Final = (
    ("camunda-ext engine", "an engine to play with, until Ctrl-C"),
    ("camunda-ext demo --url URL", "this story on a real engine"),
    ("pydoc camunda_ext.client", "all that a client can do"),
    ("docs/tutorial.rst", "in the source: a first task in ten minutes"),
)


@click.command()
@click.option("--url", help="A real engine, such as http://localhost:8080/engine-rest.")
@click.option(
    "--user",
    help=f"Who asks, if the engine wants to know; the password is asked for, or taken from "
    f"the environment variable {PASSWORD_VARIABLE}.",
)
@click.pass_context
def demo(ctx: click.Context, url: str | None, user: str | None) -> None:
    """
    Tell a story of three orders in a dozen steps.

    It is told on an embedded engine, or on a real one; there it touches nothing but its own
    process, and deletes that at the end.
    """
    if user is not None and url is None:
        raise click.UsageError("--user goes with --url: the embedded engine asks nobody.")
    signal.signal(signal.SIGTERM, _end)
    page = Page(Console(highlight=False))
    try:
        if url is None:
            with engine_class(", or pass --url for a real engine")() as embedded:
                is_clean = tell(
                    page,
                    embedded.serve(),
                    place="an embedded engine that lives as long as the story",
                )
        else:
            check(Context(url=url, user=user))
            auth = None if user is None else (user, password_of(user, url))
            client_with(Context(url=url), auth).close()  # which says what it warns of
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # They have been said.
                is_clean = tell(page, url, auth, place="a real engine")
    except KeyboardInterrupt:
        click.echo("Interrupted.", err=True)
        ctx.exit(128 + signal.SIGINT)  # as a shell says it
    if not is_clean:
        ctx.exit(1)
    page.hints("What to try next", _NEXT)


def _end(number: int, _: object) -> NoReturn:
    sys.exit(128 + number)
