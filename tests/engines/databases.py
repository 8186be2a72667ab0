"""
Database servers for process engines, each a process of its own with an empty database.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

from tests.engines.packages import Package, found
from tests.engines.processes import (
    end,
    free_port,
    only_one_process,
    run as run_command,
    start_server,
)

#: Who runs a server where root starts it: database servers refuse to be run by root.
USER: Final = "camunda-ext-tests"


@attrs.frozen
class Database:
    """
    A kind of database server, and what an engine needs for it.
    """

    name: str
    package: Package
    #: The JDBC driver, as ``group:artifact:version``.
    driver: str
    #: A URL for JDBC, with a place for the port.
    url: str
    user: str
    #: What makes the data directory.
    initialize: str
    #: What runs the server in the foreground.
    serve: str
    #: What ends it soon, whoever is connected.
    stop: signal.Signals
    #: Spring's properties, and those of the engine, which follow its prefix.
    spring_properties: Mapping[str, str] = attrs.field(factory=dict, hash=False)
    engine_properties: Mapping[str, str] = attrs.field(factory=dict, hash=False)


POSTGRESQL: Final = Database(
    name="postgresql",
    package=Package("postgresql", ("initdb", "postgres", "setpriv")),
    driver="org.postgresql:postgresql:42.7.7",
    url="jdbc:postgresql://127.0.0.1:{port}/postgres",
    user="camunda",
    initialize="initdb -D {data} -U camunda -A trust -E UTF8 --locale=C.UTF-8 --no-sync",
    serve="postgres -D {data} -p {port} -c listen_addresses=127.0.0.1"
    " -c unix_socket_directories={folder} -c fsync=off",
    stop=signal.SIGINT,
)
MARIADB: Final = Database(
    name="mariadb",
    package=Package("mariadb-server", ("mariadb-install-db", "mariadbd", "setpriv")),
    driver="org.mariadb.jdbc:mariadb-java-client:3.5.5",
    url="jdbc:mariadb://127.0.0.1:{port}/camunda?createDatabaseIfNotExist=true",
    user="root",
    initialize="mariadb-install-db --no-defaults --datadir={data} --skip-test-db"
    " --auth-root-authentication-method=normal",
    serve="mariadbd --no-defaults --datadir={data} --port={port} --bind-address=127.0.0.1"
    " --socket={folder}/socket --pid-file={folder}/pid --innodb-flush-log-at-trx-commit=2",
    # To SIGTERM it listens only after a while; what it has committed outlives this.
    stop=signal.SIGKILL,
    spring_properties={
        "spring.datasource.hikari.transaction-isolation": "TRANSACTION_READ_COMMITTED"
    },
    engine_properties={"database.type": "mysql"},
)


@attrs.define(eq=False)
class RunningDatabase:
    """
    A server that can be taken down and brought back, with what it has stored.
    """

    kind: Database
    folder: Path
    port: int
    _command: tuple[str, ...]
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """
        Where JDBC finds it.
        """
        return self.kind.url.format(port=self.port)

    def start(self) -> None:
        """
        Bring it up, and wait until it takes connections.
        """
        self._process = start_server(
            self._command, port=self.port, folder=self.folder, how=self.kind.stop
        )

    def stop(self) -> None:
        """
        Take it down, if it is up.
        """
        if self._process is not None:
            end(self._process, self.kind.stop)
            self._process = None


@contextmanager
def run(kind: Database) -> Iterator[RunningDatabase]:
    """
    Run a server with an empty database until the end of the with block.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"{kind.name}-"))
    port = free_port()
    places = {"data": folder / "data", "folder": folder, "port": port}
    with only_one_process():
        user = _ordinary_user()
    become: tuple[str, ...] = ()
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
        become = (f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")

    def command(template: str) -> tuple[str, ...]:
        program, *arguments = template.split()
        return (*become, str(found(program)), *(word.format(**places) for word in arguments))

    try:
        run_command("setpriv", *command(kind.initialize), cwd=folder)
        database = RunningDatabase(kind, folder, port, command(kind.serve))
        database.start()
        try:
            yield database
        finally:
            database.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _ordinary_user() -> pwd.struct_passwd | None:
    """
    Give who runs a server if root starts it, made if need be; ``None`` for whoever starts it.
    """
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(USER)
    except KeyError:
        subprocess.run(
            ("useradd", "--system", "--no-create-home", "--shell=/usr/sbin/nologin", USER),
            check=True,
            capture_output=True,
        )
        return pwd.getpwnam(USER)
