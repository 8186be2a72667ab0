"""
`camunda-ext demo`: the client and a worker, shown at work.
"""

from __future__ import annotations

import warnings
from typing import Final

import click
from rich.console import Console

from camunda_ext.cli._connection import PASSWORD_VARIABLE, client_of, password_of
from camunda_ext.cli._contexts import Context
from camunda_ext.cli._engine import engine_class
from camunda_ext.cli.demo import Page, tell

_NEXT: Final = (
    ("camunda-ext engine", "an engine to play with, until Ctrl-C"),
    ("camunda-ext demo --url URL", "this story on a real engine"),
    ("camunda-ext work --help", "a worker for handlers of your own"),
    ("pydoc camunda_ext.client", "everything that a client can do"),
    ("docs/tutorial.rst", "in the source: a first task in ten minutes"),
)


@click.command()
@click.option("--url", help="A real engine, such as http://localhost:8080/engine-rest.")
@click.option(
    "--user",
    help=f"The user, for Basic auth. The password comes from {PASSWORD_VARIABLE} or the keyring, "
    "or you are asked for it.",
)
@click.pass_context
def demo(ctx: click.Context, url: str | None, user: str | None) -> None:
    """
    Tell a story of three orders in a dozen steps.

    The story takes place on an embedded engine, or on a real one. There it changes nothing but its
    own process, and deletes that at the end.
    """
    if user is not None and url is None:
        raise click.UsageError("--user goes with --url: the embedded engine asks nobody.")
    page = Page(Console(highlight=False))
    if url is None:
        with engine_class(", or pass --url for a real engine")() as embedded:
            place = "an embedded engine that lives as long as the story"
            is_clean = tell(page, embedded.serve(), place=place)
    else:
        context = Context(url=url, user=user)
        password = password_of(context)
        client_of(context, password).close()  # which prints warnings
        auth = None if user is None else (user, password)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            is_clean = tell(page, url, auth, place="a real engine")
    if not is_clean:
        ctx.exit(1)
    page.hints("What to try next", _NEXT)
