"""
`camunda-ext work`: a worker for the handlers of a module.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta, timezone
from functools import wraps
from operator import attrgetter
from typing import Any

import click

from camunda_ext import ExternalTaskClient, Handlers, Worker
from camunda_ext.cli._connection import with_client
from camunda_ext.cli._health import health_served
from camunda_ext.cli._output import to_json
from camunda_ext.cli._sections import SectionedCommand, seconds
from camunda_ext.safety import visible
from camunda_ext.worker import log_context, task_context


def _with_handlers(function: Callable[..., Any]) -> Callable[..., Any]:
    """
    Set up logging, import the handlers, and call a command with them, before the user is asked for
    a password.
    """

    @wraps(function)
    def called(*, target: str, log_level: str, log_json: bool, **options: Any) -> Any:
        _log_to_stderr(log_level, as_json=log_json)
        return function(handlers=_imported(target), **options)

    return called


@click.command(cls=SectionedCommand)
@click.argument("target", metavar="MODULE:NAME")
@click.option(
    "--slots",
    type=click.IntRange(1, 10_000),
    default=8,
    show_default=True,
    metavar="NUMBER",
    help="How many tasks are handled at the same time, each in a thread.",
)
@click.option(
    "--lock-duration",
    type=seconds(86_400),
    default="30s",
    show_default=True,
    metavar="SECONDS",
    help="How long tasks are locked. Locks are extended; a crash lets go after this time.",
)
@click.option(
    "--poll",
    type=seconds(1_800),
    default="5s",
    show_default=True,
    metavar="SECONDS",
    help="How long a fetch waits for tasks. The end waits for it too.",
)
@click.option(
    "--grace",
    type=seconds(86_400, shortest=0),
    default="25s",
    show_default=True,
    metavar="SECONDS",
    help="How long the end waits for running handlers.",
)
@click.option("--name", help="The start of the worker's ids, by default host and process id.")
@click.option(
    "--health-port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="Serve /live and /ready on this port; 0 is any that is free.",
)
@click.option(
    "--health-host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Where to serve them; 0.0.0.0 lets other machines ask.",
)
@click.option("--log-json", is_flag=True, help="Log one JSON object a line.")
@click.option(
    "--log-level",
    type=click.Choice(("debug", "info", "warning", "error")),
    default="info",
    show_default=True,
    help="The least level that is logged.",
)
@_with_handlers
@with_client
@click.pass_context
def work(
    ctx: click.Context,
    client: ExternalTaskClient,
    handlers: Handlers,
    slots: int,
    lock_duration: float,
    poll: float,
    grace: float,
    name: str | None,
    health_port: int | None,
    health_host: str,
) -> None:
    """
    Have the handlers of a module do tasks, until SIGTERM or Ctrl-C.

    MODULE:NAME are a module, which is also looked for in the current directory, and Handlers in it,
    such as billing.tasks:handlers. The log goes to standard error.
    """
    try:
        worker = Worker(
            client,
            handlers,
            slots=slots,
            lock_duration=timedelta(seconds=lock_duration),
            async_response_timeout=timedelta(seconds=poll),
            name=name,
            middleware=[log_context],
        )
    except ValueError as error:  # the name is not checked yet
        raise click.UsageError(f"--{error}.") from None
    serving: AbstractContextManager[None] = nullcontext()
    if health_port is not None:
        serving = health_served(worker.health, health_host, health_port)
    with serving:
        code = worker.run(grace)
    ctx.exit(code)


# ------------------------------------------------------------------------------------- the handlers


def _imported(target: str) -> Handlers:
    """
    The handlers that *target* names.

    Raises:
        UsageError: There are none.
    """
    module_name, _, name = target.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), *name.split("."))):
        raise click.UsageError(
            f"'{visible(target)}' must be a module and a name, such as billing.tasks:handlers."
        )
    try:
        found = attrgetter(name)(_module(module_name))
    except AttributeError:
        raise click.UsageError(f"The module {module_name!r} has no {name!r}.") from None
    if not isinstance(found, Handlers):
        raise click.UsageError(f"{target} is of the class {type(found).__name__}, not Handlers.")
    if not len(found):
        raise click.UsageError(f"{target} has no handlers: register one with handles().")
    return found


def _module(name: str) -> Any:
    """
    Import a module. What it raises is printed as Python prints it.

    Raises:
        UsageError: There is no such module.

        Exit: It cannot be imported.
    """
    if not getattr(sys.flags, "safe_path", False):  # of Python 3.11
        sys.path.insert(0, os.getcwd())  # as ``python -m`` does
    try:
        __import__(name)
    except Exception as error:  # noqa: BLE001  # a module may raise anything
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is not None and f"{name}.".startswith(f"{missing}."):
            raise click.UsageError(f"{error} (looked for in {os.getcwd()}, too).") from None
        own_frame = error.__traceback__
        assert own_frame is not None  # noqa: S101  # it was raised here
        traceback.print_exception(type(error), error, own_frame.tb_next)
        raise click.exceptions.Exit(1) from None
    return sys.modules[name]


# ------------------------------------------------------------------------------------------ the log


class _Lines(logging.Formatter):
    """
    Records for people. No control character reaches the terminal.
    """

    def format(self, record: logging.LogRecord) -> str:
        lines = super().format(record).split("\n")
        return "\n".join(visible(line.expandtabs(4)) for line in lines)


class _JsonLines(logging.Formatter):
    """
    Records for programs, with the ids of the task that is handled.
    """

    def format(self, record: logging.LogRecord) -> str:
        row: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, timezone.utc),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **task_context.get(),
        }
        if record.exc_info:
            row["exception"] = self.formatException(record.exc_info)
        return to_json(row)


def _log_to_stderr(level: str, *, as_json: bool) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(
        _JsonLines() if as_json else _Lines("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    logging.basicConfig(level=level.upper(), handlers=[handler])
    logging.captureWarnings(True)
