"""
Database servers for process engines, each a process of its own with an empty database.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

from tests.engines.packages import Package, found

#: Who runs a server where root starts it: database servers refuse to be run by root.
USER: Final = "camunda-ext-tests"
_STOP_WITHIN: Final = 20.0


class DatabaseDidNotStart(RuntimeError):
    """
    Says why a database server did not become ready, with the end of its log.
    """


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

    def start(self, *, ready_within: float = 60.0) -> None:
        """
        Bring it up, and wait until it takes connections.
        """
        log = self.folder / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                # The kernel ends it with this process, however that ends.
                ("setpriv", f"--pdeathsig={self.kind.stop.name[3:]}", *self._command),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for this process, which then ends the server.
                start_new_session=True,
            )
        deadline = time.monotonic() + ready_within
        while not takes_connections(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                said = log.read_text("utf-8", errors="replace").splitlines()[-20:]
                raise DatabaseDidNotStart("\n".join([f"{self.kind.name} did not start.", *said]))
            time.sleep(0.05)

    def stop(self, how: signal.Signals | None = None) -> None:
        """
        Take it down; with ``SIGKILL``, as a machine does that loses its power.
        """
        if self._process is None:
            return
        self._process.send_signal(how or self.kind.stop)
        try:
            self._process.wait(_STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


@contextmanager
def run(kind: Database) -> Iterator[RunningDatabase]:
    """
    Run a server with an empty database until the end of the with block.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"{kind.name}-"))
    port = free_port()
    places = {"data": folder / "data", "folder": folder, "port": port}
    user = _ordinary_user()
    become: tuple[str, ...] = ()
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
        become = (f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")

    def command(template: str) -> tuple[str, ...]:
        program, *arguments = template.split()
        return (*become, str(found(program)), *(word.format(**places) for word in arguments))

    try:
        made = subprocess.run(
            ("setpriv", *command(kind.initialize)),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if made.returncode:
            raise DatabaseDidNotStart(f"{kind.name} has made no data directory:\n{made.stdout}")
        database = RunningDatabase(kind, folder, port, command(kind.serve))
        database.start()
        try:
            yield database
        finally:
            database.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """
    Give a port of loopback that nobody listens on.
    """
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port: int = chosen.getsockname()[1]
        return port


def takes_connections(port: int) -> bool:
    """
    Tell whether somebody listens on a port of loopback.
    """
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return True
    except OSError:
        return False


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
