"""
All commands; each is in a file of its own.
"""

from __future__ import annotations

from typing import Any

import click

from camunda_ext import CamundaError, __version__
from camunda_ext.cli._demo import demo
from camunda_ext.cli._engine import engine
from camunda_ext.errors import printable


class _Commands(click.Group):
    """
    A group whose commands may let the errors of the client through.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """
        Run a command, and make an error of the client one message and exit code 1.
        """
        try:
            return super().invoke(ctx)
        except CamundaError as error:
            raise click.ClickException(printable(str(error))) from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="camunda-ext")
def camunda_ext() -> None:
    """
    External tasks of Camunda 7, Operaton and CIB seven, from the command line.
    """


camunda_ext.add_command(demo)
camunda_ext.add_command(engine)
