"""
`camunda-ext engine`: the embedded engine, to play with by hand.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from urllib3.filepost import encode_multipart_formdata

from camunda_ext import CamundaError, ExternalTaskClient
from camunda_ext.cli._errors import cannot_listen
from camunda_ext.safety import visible

if TYPE_CHECKING:
    from camunda_ext.testing import Engine


def engine_class(otherwise: str = "") -> type[Engine]:
    """
    The class of the embedded engine, which is an optional part.

    Args:
        otherwise: What can be done without it, as the end of the message.

    Raises:
        UsageError: What it needs is not installed.
    """
    try:
        from camunda_ext.testing import Engine
    except ImportError as error:
        missing = f", {error.name} is missing" if error.name else ""
        raise click.UsageError(
            f'The embedded engine is not installed{missing}: pip install "camunda_ext[demo]"'
            f"{otherwise}."
        ) from None
    return Engine


def _user_and_password(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[str, str] | None:
    if value is None:
        return None
    user, colon, password = value.partition(":")
    if not (user and colon and password):
        # The value is not repeated: it may be a password.
        raise click.BadParameter("must be USER:PASSWORD.")
    return user, password


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="The port on the loopback address; 0 for any that is free.",
)
@click.option(
    "--db",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file that keeps the state; without it, the state is lost at the end.",
)
@click.option(
    "--deploy",
    "files",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="A BPMN file to deploy. May be repeated.",
)
@click.option(
    "--auth",
    metavar="USER:PASSWORD",
    callback=_user_and_password,
    help="The user and password that clients must send by Basic auth. Other users of this machine "
    "can read them in the list of processes.",
)
@click.option(
    "--version",
    default="7.24",
    show_default=True,
    metavar="VERSION",
    help="The version of Camunda to answer as, from 7.13 on.",
)
@click.option(
    "--history-time-to-live",
    "days",
    type=click.IntRange(0, 2**31 - 1),
    metavar="DAYS",
    help="The history time to live of processes whose models have none; the engine would refuse "
    "them.",
)
def engine(
    port: int,
    db: Path | None,
    files: Sequence[Path],
    auth: tuple[str, str] | None,
    version: str,
    days: int | None,
) -> None:
    """
    Serve the embedded engine until Ctrl-C.

    The first line that is printed is the URL of its REST API.
    """
    new_engine = engine_class()
    ended = threading.Event()
    # To be ended is success: exit code 0, for SIGTERM of an init system too.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with new_engine(db=db, version=version, auth=auth, history_time_to_live=days) as running:
        try:
            url = running.serve(port=port)
        except OSError as error:
            raise click.ClickException(cannot_listen("--port", port, error)) from None
        deployed = [(file, _deploy(url, auth, file)) for file in files]
        _introduce(url, db, deployed, asks=auth is not None)
        # A wait without an end would not hear Ctrl-C on Windows.
        while not ended.wait(1):
            pass
    click.echo("Ended.")


def deploy(
    client: ExternalTaskClient, name: str, file_name: str, content: bytes
) -> tuple[str, list[str]]:
    """
    Deploy one file; return the id of the deployment, and the keys of the processes in it.
    """
    body, content_type = encode_multipart_formdata(
        {"deployment-name": name, "data": (file_name, content, "application/octet-stream")}
    )
    answer = client.request("POST", "/deployment/create", content=body, content_type=content_type)
    # Engines before 7.6 do not say it.
    processes = answer.get("deployedProcessDefinitions") or {}
    return str(answer["id"]), [str(process["key"]) for process in processes.values()]


def _deploy(url: str, auth: tuple[str, str] | None, file: Path) -> str:
    """
    Deploy a file and return the keys of the processes in it, parted by commas.
    """
    try:
        with ExternalTaskClient(url, auth=auth) as client:
            _, keys = deploy(client, file.name, file.name, file.read_bytes())
    except CamundaError as error:
        lines = (error.message or str(error)).splitlines()
        raise click.ClickException(f"{file}: " + "\n".join(map(visible, lines))) from None
    if not keys:
        raise click.ClickException(
            f"{file}: there is no process in it, or its name does not end in .bpmn as it must."
        )
    return ", ".join(keys)


def _introduce(
    url: str, db: Path | None, deployed: Sequence[tuple[Path, str]], *, asks: bool
) -> None:
    # The URL has a line of its own, for scripts to read.
    click.echo(
        f"{url}\n\n"
        "It listens on this machine only"
        + (", and asks for the user and password." if asks else ", and asks for no password.")
    )
    for file, keys in deployed:
        click.echo(f"Deployed: {visible(keys)} (of {file})")
    if db is None:
        click.echo("The state is lost when the engine ends; --db FILE would keep it.")
    else:
        click.echo(f"The state is kept in {db}.")
    click.echo("Ctrl-C ends it.")
