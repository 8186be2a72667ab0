"""
`camunda-ext context`: several engines under names of their own.
"""

from __future__ import annotations

import os

import attrs
import click

from camunda_ext._wire.text import visible
from camunda_ext.cli import _contexts
from camunda_ext.cli._connection import check, complete_context
from camunda_ext.cli._contexts import Context
from camunda_ext.cli._output import WIDE, Row, print_rows, with_rows


@click.group()
def context() -> None:
    """
    Keep several engines under names of their own.

    No password is kept with them: it comes from CAMUNDA_EXT_PASSWORD, from the keyring, or is asked
    for when it is needed.
    """


@context.command()
@click.argument("name")
@click.option("--url", required=True, help="The engine's REST API.")
@click.option("--user", metavar="NAME", help="Who asks, by Basic auth.")
@click.option("--engine", metavar="NAME", help="Name of the engine, where a server runs several.")
@click.option("--date-zone", metavar="NAME", help="The zone of an engine before 7.8.")
@click.option("--overwrite", is_flag=True, help="Replace the context of this name.")
def add(
    name: str,
    url: str,
    user: str | None,
    engine: str | None,
    date_zone: str | None,
    overwrite: bool,
) -> None:
    """
    Keep an engine as NAME. The first one is used from now on.

    Nothing is sent to it.
    """
    if not name or not name.isprintable() or name != name.strip():
        raise click.UsageError("A name must be text that can be printed, without spaces around it.")
    made = Context(url=url, user=user, engine=engine, date_zone=date_zone)
    check(made)
    held = _contexts.read()
    if name in held.contexts and not overwrite:
        raise click.ClickException(
            f"There is a context {name!r} already: pass --overwrite to replace it."
        )
    current = held.current if held.contexts else name
    _contexts.write(_contexts.Contexts(contexts={**held.contexts, name: made}, current=current))
    click.echo(f"Kept{', and used from now on' if current == name else ''}: {name}")


@context.command()
@click.argument("name", shell_complete=complete_context)
def use(name: str) -> None:
    """
    Use the context NAME from now on, where none is named.
    """
    held = _contexts.read()
    held.named(name)
    _contexts.write(attrs.evolve(held, current=name))
    click.echo(f"Used from now on: {name}")
    _warn_of_environment()


@context.command()
@click.argument("name", shell_complete=complete_context)
def rm(name: str) -> None:
    """
    Forget the context NAME.
    """
    held = _contexts.read()
    held.named(name)
    left = {one: kept for one, kept in held.contexts.items() if one != name}
    current = None if held.current == name else held.current
    _contexts.write(_contexts.Contexts(contexts=left, current=current))
    click.echo(f"Forgotten: {name}" + ("" if current or not left else "; none is used now"))


def _warn_of_environment() -> None:
    for name in ("CAMUNDA_EXT_URL", "CAMUNDA_EXT_CONTEXT"):
        if os.environ.get(name):
            click.echo(f"Warning: {name} is set, and comes before that.", err=True)


@context.command()
@with_rows
def ls(form: str) -> None:
    """
    List the contexts; the one that is used has a star.
    """
    held = _contexts.read()
    _warn_of_environment()
    rows: list[Row] = [
        {
            "current": ("*" if name == held.current else "")
            if form in ("table", WIDE)
            else name == held.current,
            "name": name,
            "url": visible(one.url),
            "user": one.user,
            "engine": one.engine,
            "date_zone": one.date_zone,
        }
        for name, one in sorted(held.contexts.items())
    ]
    names = ["current", "name", "url", "user", "engine"]
    if form == "csv" or any(row["date_zone"] for row in rows):
        names.append("date_zone")  # few engines are as old
    print_rows(names, rows, form, narrowed=(("url", 24), ("name", 12)))
