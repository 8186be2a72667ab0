"""
All commands; each is in a module of its own, which is imported when the command is called.
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

from camunda_ext import CamundaError, __version__
from camunda_ext.cli._errors import to_message

if find_spec("rich") is None:  # found without importing it, which takes long
    raise ModuleNotFoundError("No module named 'rich'", name="rich")

#: The module of each command, which has a function of its name, and its line in the list. So
#: neither the list nor a command imports what other commands need.
COMMANDS: Final = {
    "completion": ("_completion", "Print the script that makes a shell complete the commands."),
    "context": ("_context", "Keep several engines under names of their own."),
    "count": ("_look", "Print the number of tasks."),
    "demo": ("_demo", "Tell a story of three orders in a dozen steps."),
    "engine": ("_engine", "Serve the embedded engine until Ctrl-C."),
    "errors": ("_problems", "Group tasks by the message of their last failure."),
    "export": ("_look", "Write all tasks to a file."),
    "ls": ("_look", "List tasks."),
    "priority": ("_change", "Set the priority of tasks."),
    "retries": ("_change", "Set the retries left of tasks."),
    "show": ("_problems", "Show all fields of a task, and the details of its last error."),
    "top": ("_topics", "Show the topics again and again, until Ctrl-C."),
    "topics": ("_topics", "Show the number of tasks of each topic."),
    "unlock": ("_change", "Take away the locks of tasks."),
    "work": ("_work", "Have the handlers of a module do tasks, until SIGTERM or Ctrl-C."),
}

#: The exit code of a program that ends because nobody reads its output.
_BROKEN_PIPE: Final = 128 + 13


class _Commands(click.Group):
    """
    A group that imports a command when it is called, and handles the errors of all commands.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """
        The names of all commands.
        """
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """
        The command of a name; ``None`` if there is none.
        """
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"camunda_ext.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """
        List the commands without importing them.
        """
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in sorted(COMMANDS.items())])

    def invoke(self, ctx: click.Context) -> Any:
        """
        Run a command; an error of the library or of the system ends it with a message.
        """
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except (KeyboardInterrupt, click.Abort) as error:
            # A question that was left is not at the end of its line.
            click.echo("\n" * isinstance(error, click.Abort) + "Interrupted.", err=True)
            ctx.exit(128 + signal.SIGINT)  # as a shell says it
        except click.exceptions.Exit:
            raise  # which is a RuntimeError as well
        except BrokenPipeError:
            _drop_output()
            ctx.exit(_BROKEN_PIPE)
        except (CamundaError, OSError, RuntimeError, ValueError) as error:
            if isinstance(error, OSError):
                _drop_output()
            raise to_message(error) from error
        return result


def _drop_output() -> None:
    """
    Drop what is left to be printed, which would raise another error at the end.
    """
    with suppress(OSError):  # in a test, it is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="camunda-ext")
def camunda_ext() -> None:
    """
    External tasks of Camunda 7, Operaton and CIB seven, from the command line.
    """
