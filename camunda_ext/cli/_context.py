"""
`camunda-ext context`: several engines under names of their own.
"""

from __future__ import annotations

import os

import attrs
import click

from camunda_ext.cli import _contexts
from camunda_ext.cli._connection import check, complete_context
from camunda_ext.cli._contexts import Context, Contexts
from camunda_ext.cli._output import WIDE, print_rows, with_rows


@click.group()
def context() -> None:
    """
    Keep several engines under names of their own.

    No password is kept with them: it comes from CAMUNDA_EXT_PASSWORD or the keyring, or you are
    asked for it when it is needed.
    """


@context.command()
@click.argument("name")
@click.option("--url", required=True, help="The engine's REST API.")
@click.option("--user", metavar="NAME", help="The user, for Basic auth.")
@click.option("--engine", metavar="NAME", help="The name of the engine, if a server runs several.")
@click.option("--date-zone", metavar="NAME", help="The time zone of an engine before 7.8.")
@click.option("--overwrite", is_flag=True, help="Replace the context of this name.")
def add(name: str, overwrite: bool, **values: str) -> None:
    """
    Keep an engine as NAME. The first one is used from now on.

    Nothing is sent to it.
    """
    if not name or not name.isprintable() or name != name.strip():
        raise click.UsageError("A name must be text that can be printed, without spaces around it.")
    added = Context(**values)
    check(added)
    before = _contexts.read()
    if name in before.contexts and not overwrite:
        raise click.ClickException(
            f"There is a context {name!r} already: pass --overwrite to replace it."
        )
    current = before.current if before.contexts else name
    _contexts.write(Contexts(contexts={**before.contexts, name: added}, current=current))
    click.echo(f"Kept{', and used from now on' if current == name else ''}: {name}")


@context.command()
@click.argument("name", shell_complete=complete_context)
def use(name: str) -> None:
    """
    Use the context NAME from now on, where none is named.
    """
    contexts = _contexts.read()
    contexts.named(name)
    _contexts.write(attrs.evolve(contexts, current=name))
    click.echo(f"Used from now on: {name}")
    _warn_of_environment()


@context.command()
@click.argument("name", shell_complete=complete_context)
def rm(name: str) -> None:
    """
    Forget the context NAME.
    """
    before = _contexts.read()
    before.named(name)
    left = {key: context for key, context in before.contexts.items() if key != name}
    current = None if before.current == name else before.current
    _contexts.write(Contexts(contexts=left, current=current))
    click.echo(f"Forgotten: {name}" + ("" if current or not left else "; none is used now"))


def _warn_of_environment() -> None:
    for name in ("CAMUNDA_EXT_URL", "CAMUNDA_EXT_CONTEXT"):
        if os.environ.get(name):
            click.echo(f"Warning: {name} is set, and is used instead.", err=True)


@context.command()
@with_rows
def ls(form: str) -> None:
    """
    List the contexts; the one that is used has a star.
    """
    contexts = _contexts.read()
    _warn_of_environment()
    rows = []
    for name, context in sorted(contexts.contexts.items()):
        is_current = name == contexts.current
        star = "*" if is_current else ""
        rows.append(
            {
                "current": star if form in ("table", WIDE) else is_current,
                "name": name,
                **attrs.asdict(context),
            }
        )
    names = ["current", "name", "url", "user", "engine"]
    if form == "csv" or any(row["date_zone"] for row in rows):
        names.append("date_zone")  # few engines are as old
    print_rows(names, rows, form)
