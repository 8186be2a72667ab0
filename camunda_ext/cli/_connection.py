"""
Which engine, as which user: options, environment, contexts, and where a password comes from.
"""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any, Final

import attrs
import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from camunda_ext import ExternalTaskClient
from camunda_ext.cli import _contexts
from camunda_ext.cli._contexts import Context
from camunda_ext.cli._errors import in_options
from camunda_ext.cli._sections import ENGINE, SectionOption, seconds
from camunda_ext.safety import visible

PASSWORD_VARIABLE: Final = "CAMUNDA_EXT_PASSWORD"  # noqa: S105  # its name, not its value


def complete_context(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """
    The names of contexts that begin with *incomplete*.
    """
    try:
        names = sorted(_contexts.read().contexts)
    except (OSError, ValueError):
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _option(name: str, text: str, **attributes: Any) -> Callable[..., Any]:
    return click.option(
        f"--{name.replace('_', '-')}",
        cls=SectionOption,
        section=ENGINE,
        help=text,
        envvar=f"CAMUNDA_EXT_{name.upper()}",
        show_envvar=True,
        **{"metavar": "NAME", **attributes},
    )


_OPTIONS: Final = {
    "url": _option(
        "url", "The engine's REST API, such as http://localhost:8080/engine-rest.", metavar="URL"
    ),
    "user": _option(
        "user",
        f"The user, for Basic auth. The password comes from {PASSWORD_VARIABLE} or the keyring, or "
        "you are asked for it.",
    ),
    "engine": _option("engine", "The name of the engine, if the server runs several."),
    "context": _option(
        "context", "A context, see camunda-ext context.", shell_complete=complete_context
    ),
    "date_zone": _option(
        "date_zone",
        "The time zone of an engine before 7.8, such as Europe/Berlin: its dates have none.",
    ),
}

#: How many idle connections are kept: one for each slot that a worker can have.
_CONNECTIONS: Final = 10_000

#: How engines before 7.8 write dates.
_OLD_DATES: Final = "%Y-%m-%dT%H:%M:%S"


def with_client(function: Callable[..., Any]) -> Callable[..., Any]:
    """
    Add the options that say which engine to a command, and call it with a *client* for that.

    The user may be asked for a password, so check everything else before.
    """

    @wraps(function)
    def called(*, timeout: float | None, **options: Any) -> Any:
        context = _chosen({name: options.pop(name) for name in _OPTIONS})
        with client_of(context, password_of(context)) as client:
            return function(client=client.with_options(timeout=timeout), **options)

    decorated: Callable[..., Any] = click.option(
        "--timeout",
        cls=SectionOption,
        section=ENGINE,
        type=seconds(threading.TIMEOUT_MAX),
        metavar="SECONDS",
        help="How long one call may take, with all its attempts; 120 by default.",
    )(called)
    for option in reversed(_OPTIONS.values()):
        decorated = option(decorated)
    return decorated


def _chosen(options: dict[str, str | None]) -> Context:
    """
    The engine and the user that options, environment and contexts say.

    Raises:
        UsageError: They say nothing, or contradict each other.
    """
    for name, value in options.items():
        if value == "":
            # A variable of a script that is not set, and would mean another engine.
            raise click.UsageError(f"--{name.replace('_', '-')} must not be empty.")
    url, context_name = options.pop("url"), options.pop("context")
    if url and context_name:
        if _is_typed("url") is _is_typed("context"):
            raise click.UsageError("Pass a URL or a context, not both.")
        url, context_name = (url, None) if _is_typed("url") else (None, context_name)
    if url:
        return Context(url=url, **options)
    contexts = _contexts.read()
    context_name = context_name or contexts.current
    if context_name is None:
        command = "use" if contexts.contexts else "add"
        raise click.UsageError(
            f"Which engine? Pass --url or --context, set CAMUNDA_EXT_URL, or choose one with "
            f"`camunda-ext context {command}`."
        )
    # The environment says who asks the engine that it names; a context has its own user.
    typed = {name: value for name, value in options.items() if value and _is_typed(name)}
    return attrs.evolve(contexts.named(context_name), **typed)


def _is_typed(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source is ParameterSource.COMMANDLINE


def client_of(context: Context, password: str) -> ExternalTaskClient:
    """
    A client for a context; its warnings are printed on standard error.

    Raises:
        UsageError: The URL, the user or another value cannot be used.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        client = _new_client(context, password)
    for warning in caught:
        click.echo(f"Warning: {visible(str(warning.message))}.", err=True)
    return client


def check(context: Context) -> None:
    """
    Refuse a context that no client can be made of.

    Raises:
        UsageError: As `client_of()`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are for those who use it
        _new_client(context, "").close()


def _new_client(context: Context, password: str) -> ExternalTaskClient:
    try:
        return ExternalTaskClient(
            context.url,
            auth=None if context.user is None else (context.user, password),
            engine=context.engine,
            date_format=None if context.date_zone is None else _OLD_DATES,
            date_zone=context.date_zone,
            pool_size=_CONNECTIONS,
        )
    except ValueError as error:
        raise click.UsageError(in_options(f"{error}.")) from None


def password_of(context: Context) -> str:
    """
    The password of the context's user; empty if there is no user.

    It comes from the environment, from the keyring, or is asked for. It is never an option: others
    can read the command lines of a machine.

    Raises:
        UsageError: There is nobody to ask, or no client can be made of the context.
    """
    check(context)  # before anybody is asked
    user = context.user
    if user is None:
        return ""
    password = os.environ.get(PASSWORD_VARIABLE) or _kept_password(user, context.url)
    if password is None:
        if not sys.stdin.isatty():
            raise click.UsageError(
                f"There is no password of {visible(user)}: set {PASSWORD_VARIABLE}, or keep it in "
                "the keyring."
            )
        password = click.prompt(f"Password of {visible(user)}", hide_input=True, err=True)
    return str(password)


def _kept_password(user: str, url: str) -> str | None:
    """
    The password in the keyring; ``None`` if there is none, or no keyring.
    """
    try:
        keyring: Any = import_module("keyring")
    except ImportError:  # an optional extra
        return None
    try:
        password: str | None = keyring.get_password(f"camunda-ext {url}", user)
    except keyring.errors.NoKeyringError:
        return None
    except Exception as error:  # noqa: BLE001  # there are many keyrings, of many authors
        click.echo(f"Warning: the keyring gave no password: {visible(str(error))}.", err=True)
        return None
    return password
