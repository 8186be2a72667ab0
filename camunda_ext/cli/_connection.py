"""
Which engine, and who asks: options, environment, contexts, and where a password comes from.
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

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from camunda_ext import ExternalTaskClient
from camunda_ext._wire.text import visible
from camunda_ext.cli import _contexts
from camunda_ext.cli._contexts import Context
from camunda_ext.cli._output import in_options
from camunda_ext.cli._sections import ENGINE, SectionOption, seconds

PASSWORD_VARIABLE: Final = "CAMUNDA_EXT_PASSWORD"  # noqa: S105  # its name, not its value


def complete_context(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """
    Give the names of contexts that a shell can complete.
    """
    try:
        names = sorted(_contexts.read().contexts)
    except click.ClickException:
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


_OPTIONS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("--url", {"help": "The engine's REST API, such as http://localhost:8080/engine-rest."}),
    (
        "--user",
        {
            "help": f"Who asks, by Basic auth. The password comes from {PASSWORD_VARIABLE}, from "
            "the keyring, or is asked for."
        },
    ),
    ("--engine", {"help": "Name of the engine, where a server runs several."}),
    (
        "--context",
        {"help": "A context, see camunda-ext context.", "shell_complete": complete_context},
    ),
    (
        "--date-zone",
        {
            "help": "The zone that the clock of an engine before 7.8 runs in, such as "
            "Europe/Berlin: its dates name none."
        },
    ),
)
#: How engines before 7.8 write dates.
_OLD_DATES: Final = "%Y-%m-%dT%H:%M:%S"


def with_client(function: Callable[..., Any]) -> Callable[..., Any]:
    """
    Give a command the options that say which engine, and call it with a *client* of that.

    A password may be asked for: whatever else can be wrong use has to be looked at before.
    """

    @wraps(function)
    def called(*arguments: Any, timeout: float | None, **given: Any) -> Any:
        names = [_name(flag) for flag, _ in _OPTIONS]
        client = client_of(_chosen(**{name: given.pop(name) for name in names}))
        with client:
            return function(*arguments, client=client.with_options(timeout=timeout), **given)

    decorated: Callable[..., Any] = click.option(
        "--timeout",
        cls=SectionOption,
        section=ENGINE,
        type=seconds(threading.TIMEOUT_MAX),
        metavar="SECONDS",
        help="How long one request may take, with all its attempts; 120 by default.",
    )(called)
    for flag, told in reversed(_OPTIONS):
        variable = f"CAMUNDA_EXT_{_name(flag).upper()}"
        option = click.option(
            flag,
            cls=SectionOption,
            section=ENGINE,
            envvar=variable,
            show_envvar=True,
            metavar="URL" if flag == "--url" else "NAME",
            **told,
        )
        decorated = option(decorated)
    return decorated


def _name(flag: str) -> str:
    return flag[2:].replace("-", "_")


def _chosen(
    *,
    url: str | None,
    user: str | None,
    engine: str | None,
    context: str | None,
    date_zone: str | None,
) -> Context:
    """
    Give what the options, the environment and the contexts make up.

    Raises:
        UsageError: They say nothing, or contradict each other.
    """
    given = {"url": url, "user": user, "engine": engine, "context": context, "date-zone": date_zone}
    for option, value in given.items():
        if value == "":
            # It comes of a variable of a script that is not set, and would mean another engine.
            raise click.UsageError(f"--{option} must not be empty.")
    if url and context:
        if _is_typed("url") is _is_typed("context"):
            raise click.UsageError("Either a URL or a context can be given, not both.")
        url, context = (url, None) if _is_typed("url") else (None, context)
    if url:
        return Context(url=url, user=user, engine=engine, date_zone=date_zone)
    contexts = _contexts.read()
    name = context or contexts.current
    if name is None:
        known = "use" if contexts.contexts else "add"
        raise click.UsageError(
            f"Which engine? Pass --url or --context, set CAMUNDA_EXT_URL, or choose one with "
            f"`camunda-ext context {known}`."
        )
    kept = contexts.named(name)
    # The environment says who asks the engine that it names; a context has its own.
    return Context(
        url=kept.url,
        user=(user if _is_typed("user") else None) or kept.user,
        engine=(engine if _is_typed("engine") else None) or kept.engine,
        date_zone=(date_zone if _is_typed("date_zone") else None) or kept.date_zone,
    )


def _is_typed(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source is ParameterSource.COMMANDLINE


def client_of(context: Context) -> ExternalTaskClient:
    """
    Make a client, and say on standard error what it warns of.

    Raises:
        UsageError: No client can be made of it, or there is no password.
    """
    check(context)  # before anybody is asked for a password
    user = context.user
    return client_with(context, None if user is None else (user, password_of(user, context.url)))


def check(context: Context) -> None:
    """
    Do nothing if a client can be made.

    Raises:
        UsageError: None can.
    """
    if _contexts.has_credentials(context.url):
        # What is refused is not repeated: it may hold a password.
        raise click.UsageError("The URL must hold neither user nor password: pass --user NAME.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        auth = None if context.user is None else (context.user, "")
        try:
            _made(context, auth).close()
        except ValueError as error:
            raise click.UsageError(in_options(f"{error}.")) from None


def client_with(context: Context, auth: tuple[str, str] | None) -> ExternalTaskClient:
    """
    Make a client with these credentials, and say on standard error what it warns of.

    Raises:
        UsageError: No client can be made of it.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            client = _made(context, auth)
        except ValueError as error:
            raise click.UsageError(in_options(f"{error}.")) from None
    for warning in caught:
        click.echo(f"Warning: {visible(str(warning.message))}.", err=True)
    return client


def _made(context: Context, auth: tuple[str, str] | None) -> ExternalTaskClient:
    return ExternalTaskClient(
        context.url,
        auth=auth,
        engine=context.engine,
        date_format=None if context.date_zone is None else _OLD_DATES,
        date_zone=context.date_zone,
    )


def password_of(user: str, url: str) -> str:
    """
    Give the password of the environment, of the keyring, or that a person types; never of a command
    line, which others can read.
    """
    given = os.environ.get(PASSWORD_VARIABLE) or _kept_password(user, url)
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise click.UsageError(
            f"There is no password of {visible(user)}: set {PASSWORD_VARIABLE}, or keep it in the "
            "keyring."
        )
    asked: str = click.prompt(f"Password of {visible(user)}", hide_input=True, err=True)
    return asked


def _kept_password(user: str, url: str) -> str | None:
    """
    Give the password of the keyring; ``None`` if there is none, or no keyring.
    """
    try:
        keyring: Any = import_module("keyring")
    except ImportError:  # an optional extra
        return None
    try:
        kept: str | None = keyring.get_password(f"camunda-ext {url}", user)
    except keyring.errors.NoKeyringError:
        return None
    except Exception as error:  # noqa: BLE001  # there are many keyrings, of many authors
        click.echo(f"Warning: the keyring gave no password: {visible(str(error))}.", err=True)
        return None
    return kept
