"""
Starts process engines as processes of their own, and ends them again.
"""

import http.client
import json
import os
import secrets
import subprocess
import tempfile
import time
import uuid
from base64 import b64encode
from collections.abc import Mapping
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path
from types import TracebackType

import attrs

from tests.engines import databases
from tests.engines.balancer import HAPROXY, balance
from tests.engines.catalog import Distribution
from tests.engines.databases import RunningDatabase
from tests.engines.packages import Package, install, missing_programs
from tests.engines.preparation import missing_tools, prepare
from tests.engines.processes import BUILD, PreparationFailed, end, only_one_process

__all__ = [
    "EngineDidNotStart",
    "PreparationFailed",
    "RunningEngine",
    "missing",
    "prepare",
    "provide",
    "start",
]

ADMIN = "admin"
LOG_LINES = 40
# Quick to start matters more than quick to run: an engine lives for minutes.
JVM_OPTIONS = (
    "-Xmx768m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dfile.encoding=UTF-8",
)


class EngineDidNotStart(RuntimeError):
    """
    Says why an engine did not become ready, with the end of its log.
    """


@attrs.frozen
class Node:
    """
    One process of an engine, which answers at `url` itself.
    """

    url: str
    process: subprocess.Popen[bytes]


@attrs.frozen
class RunningEngine:
    """
    A process engine that answers at `url` until `stop` or the end of the with block.
    """

    distribution: Distribution
    url: str
    nodes: tuple[Node, ...]
    admin: tuple[str, str]
    #: Its database server; `None` for a database in memory.
    database: RunningDatabase | None
    _owned: ExitStack

    @property
    def name(self) -> str:
        """
        The distribution's name.
        """
        return self.distribution.name

    def wait(self) -> None:
        """
        Return when one of its processes has ended.
        """
        while all(node.process.poll() is None for node in self.nodes):
            time.sleep(0.2)

    def stop(self) -> None:
        """
        Nothing of the engine runs any more, also after the second call.
        """
        self._owned.close()

    def __enter__(self) -> "RunningEngine":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def missing(distribution: Distribution) -> str | None:
    """
    A sentence on what this machine lacks for starting an engine, or None if it has all.
    """
    return missing_tools() or next(
        filter(None, map(missing_programs, _packages(distribution))), None
    )


def provide(distribution: Distribution) -> None:
    """
    Install the Debian packages that an engine needs, where root starts it.
    """
    with only_one_process():
        for package in _packages(distribution):
            install(package)


def _packages(distribution: Distribution) -> list[Package]:
    of_database = [] if distribution.database is None else [distribution.database.package]
    return of_database + ([HAPROXY] if distribution.nodes > 1 else [])


def start(
    distribution: Distribution,
    *,
    basic_auth: bool = False,
    authorization: bool = False,
    time_zone: str = "UTC",
    properties: Mapping[str, str] = {},
    ready_within: float = 180.0,
) -> RunningEngine:
    """
    An engine with an empty database, whose REST API answers.

    `properties` are Spring's, with their full names, and outdo everything else.
    Raises `EngineDidNotStart` when it ends or is not ready within that many seconds.
    """
    prepared = prepare(distribution)
    admin = (ADMIN, secrets.token_urlsafe(12))
    with ExitStack() as owned:
        database = None
        jdbc = f"jdbc:h2:mem:{uuid.uuid4().hex};DB_CLOSE_DELAY=-1;DB_CLOSE_ON_EXIT=FALSE", "sa"
        if distribution.database is not None:
            database = owned.enter_context(databases.run(distribution.database))
            jdbc = database.url, database.kind.user
        settings = {
            **_settings(
                distribution, admin, jdbc, basic_auth=basic_auth, authorization=authorization
            ),
            **properties,
        }
        # One after the other: the first makes the tables.
        nodes = [
            _start_node(owned, distribution, prepared, settings, admin, time_zone, ready_within)
            for _ in range(distribution.nodes)
        ]
        url = nodes[0].url
        if len(nodes) > 1:
            url = owned.enter_context(balance([node.url for node in nodes]))
        return RunningEngine(distribution, url, tuple(nodes), admin, database, owned.pop_all())


def _start_node(
    owned: ExitStack,
    distribution: Distribution,
    prepared: Path,
    settings: Mapping[str, str],
    admin: tuple[str, str],
    time_zone: str,
    ready_within: float,
) -> Node:
    (BUILD / "runs").mkdir(parents=True, exist_ok=True)
    run = Path(tempfile.mkdtemp(prefix=f"{distribution.name}-", dir=BUILD / "runs"))
    port_file, log = run / "port", run / "engine.log"
    settings = {**settings, "engines.port-file": str(port_file)}
    process = _launch(distribution, prepared, run, log, settings, time_zone)
    owned.callback(end, process)
    deadline = time.monotonic() + ready_within
    try:
        port = _wait_for_port(process, port_file, deadline)
        _wait_for_answer(process, port, f"{distribution.base_path}/engine", admin, deadline)
    except _NotReady as problem:
        raise EngineDidNotStart(f"{distribution.name} {problem}.\n{_end_of(log)}") from None
    return Node(f"http://127.0.0.1:{port}{distribution.base_path}", process)


class _NotReady(Exception):
    pass


def _settings(
    distribution: Distribution,
    admin: tuple[str, str],
    jdbc: tuple[str, str],
    *,
    basic_auth: bool,
    authorization: bool,
) -> dict[str, str]:
    engine = {
        "admin-user.id": admin[0],
        "admin-user.password": admin[1],
        "authorization.enabled": str(authorization).lower(),
        "history-level": "full",
        **distribution.engine_properties,
    }
    return {
        "server.address": "127.0.0.1",
        "server.port": "0",
        "spring.datasource.url": jdbc[0],
        "spring.datasource.username": jdbc[1],
        "spring.datasource.password": "",
        "spring.main.banner-mode": "off",
        # How many milliseconds a command waits for a database that is down.
        "spring.datasource.hikari.connection-timeout": "1000",
        "engines.base-path": distribution.base_path,
        "engines.basic-auth": str(basic_auth).lower(),
        **distribution.spring_properties,
        **{f"{distribution.property_prefix}.{name}": value for name, value in engine.items()},
    }


def _launch(
    distribution: Distribution,
    prepared: Path,
    run: Path,
    log: Path,
    settings: Mapping[str, str],
    time_zone: str,
) -> subprocess.Popen[bytes]:
    command = (
        "java",
        *JVM_OPTIONS,
        f"-Duser.timezone={time_zone}",
        f"-Djava.io.tmpdir={run}",
        *distribution.jvm_options,
        "-cp",
        os.pathsep.join((str(prepared / "classes"), f"{prepared / 'jars'}{os.sep}*")),
        "engines.Engine",
    )
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            cwd=run,
            # The command line would show the password to every user of the machine.
            env={**os.environ, "SPRING_APPLICATION_JSON": json.dumps(dict(settings))},
            # The engine halts at the end of its stdin, so it cannot outlive this process.
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C is for this process, which then ends the engine.
            start_new_session=True,
        )


def _wait_for_port(process: subprocess.Popen[bytes], port_file: Path, deadline: float) -> int:
    while not port_file.exists():
        _still_waiting(process, deadline)
    return int(port_file.read_text("ascii"))


def _wait_for_answer(
    process: subprocess.Popen[bytes],
    port: int,
    path: str,
    admin: tuple[str, str],
    deadline: float,
) -> None:
    credentials = b64encode(":".join(admin).encode()).decode()
    while not _answers(port, path, f"Basic {credentials}", deadline - time.monotonic()):
        _still_waiting(process, deadline)


def _answers(port: int, path: str, authorization: str, within: float) -> bool:
    # This connection, unlike urllib's, asks no proxy of the environment.
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=max(1.0, within))
    try:
        connection.request("GET", path, headers={"Authorization": authorization})
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _still_waiting(process: subprocess.Popen[bytes], deadline: float) -> None:
    if process.poll() is not None:
        raise _NotReady(f"ended with {process.returncode} while starting")
    if time.monotonic() > deadline:
        raise _NotReady("was not ready in time")
    time.sleep(0.05)


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text("utf-8", errors="replace").splitlines()[-LOG_LINES:])
