"""
`camunda-ext demo`: the client, shown at work.
"""

from __future__ import annotations

import os
import signal
import sys
import warnings
from typing import Final, NoReturn

import click
from rich.console import Console

from camunda_ext import ExternalTaskClient
from camunda_ext.cli._embedded import engine_class
from camunda_ext.demo import Page, tell

_VARIABLE: Final = "CAMUNDA_EXT_PASSWORD"

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
    f"the environment variable {_VARIABLE}.",
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
            auth = None if user is None else (user, _password(user))
            _check(url, auth)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # They have been said.
                is_clean = tell(page, url, auth, place="a real engine")
    except KeyboardInterrupt:
        click.echo("Interrupted.", err=True)
        ctx.exit(128 + signal.SIGINT)  # as a shell says it
    if not is_clean:
        ctx.exit(1)
    page.hints("What to try next", _NEXT)


def _check(url: str, auth: tuple[str, str] | None) -> None:
    """
    Refuse what no client can be made of, and say what a client warns of.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            ExternalTaskClient(url, auth=auth).close()
        except ValueError as error:
            raise click.UsageError(f"{error}.") from None
    for warning in caught:
        click.echo(f"Warning: {warning.message}.", err=True)


def _password(user: str) -> str:
    given = os.environ.get(_VARIABLE)
    if given is not None:
        return given
    asked: str = click.prompt(f"Password of {user}", hide_input=True, err=True)
    return asked


def _end(number: int, _: object) -> NoReturn:
    sys.exit(128 + number)
