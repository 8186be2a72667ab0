"""
All commands; each is in a file of its own, which is read when the command is called.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import click

from camunda_ext import CamundaError, OutcomeUnknown, __version__
from camunda_ext.cli._output import in_options

if find_spec("rich") is None:  # found out without reading it, which takes long
    raise ModuleNotFoundError("No module named 'rich'", name="rich")

#: The file of each command, which has a function of its name, and the line of it in the list. So
#: neither the list nor one command needs what the others need.
COMMANDS: Final = {
    "completion": ("_completion", "Print what makes a shell complete the commands."),
    "context": ("_context", "Keep several engines under names of their own."),
    "count": ("_look", "Print the number of tasks."),
    "demo": ("_demo", "Tell a story of three orders in a dozen steps."),
    "engine": ("_engine", "Serve the embedded engine until Ctrl-C."),
    "errors": ("_problems", "Group tasks by the message of their last failure."),
    "export": ("_look", "Write all tasks to a file."),
    "ls": ("_look", "List tasks."),
    "priority": ("_change", "Set the priority of tasks."),
    "retries": ("_change", "Set the retries left of tasks."),
    "show": ("_problems", "Show all that is known of a task."),
    "top": ("_topics", "Show the topics again and again, until Ctrl-C."),
    "topics": ("_topics", "Show the tasks of each topic in numbers."),
    "unlock": ("_change", "Take away the locks of tasks."),
}


class _Doubtful(click.ClickException):
    """
    Nobody knows what became of a command.
    """

    exit_code = 3


class _Commands(click.Group):
    """
    A group that reads a command when it is called; commands may let errors of the client through.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """
        Give the names of all commands.
        """
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """
        Read a command.
        """
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"camunda_ext.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """
        List the commands without reading them.
        """
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in sorted(COMMANDS.items())])

    def invoke(self, ctx: click.Context) -> Any:
        """
        Run a command, and make an error of the client one message and an exit code.
        """
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except OutcomeUnknown as error:
            raise _Doubtful(in_options(str(error))) from None
        except CamundaError as error:
            raise click.ClickException(in_options(str(error))) from None
        except (KeyboardInterrupt, click.Abort) as error:
            # A question that was left is not at the end of its line.
            click.echo("\n" * isinstance(error, click.Abort) + "Interrupted.", err=True)
            ctx.exit(128 + signal.SIGINT)  # as a shell says it
        except BrokenPipeError:
            _print_no_more()
            ctx.exit(_BROKEN_PIPE)
        except OSError as error:
            _print_no_more()
            raise click.ClickException(f"{error.strerror or error}.") from None
        return result


def _print_no_more() -> None:
    """
    Drop what is left to be printed: it goes nowhere, and would be complained of at the end.
    """
    with suppress(OSError):  # under a test, it is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


#: What a shell says of programs that such a pipe ends.
_BROKEN_PIPE: Final = 128 + 13


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="camunda-ext")
def camunda_ext() -> None:
    """
    External tasks of Camunda 7, Operaton and CIB seven, from the command line.
    """
