"""
The engine's state: a SQLite database, with a transaction for each command.
"""

from __future__ import annotations

import fnmatch
import os
import random
import re
import sqlite3
import threading
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from zlib import crc32

from camunda_ext.testing._versions import Version

_SCHEMA: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO meta VALUES ('next_id', 0x10000000), ('clock_offset', 0);

CREATE TABLE deployment (
    id TEXT PRIMARY KEY, name TEXT, source TEXT, tenant_id TEXT, time INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE resource (
    deployment_id TEXT NOT NULL, name TEXT NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (deployment_id, name)
);

CREATE TABLE definition (
    id TEXT PRIMARY KEY, key TEXT NOT NULL, version INTEGER NOT NULL, name TEXT, version_tag TEXT,
    tenant_id TEXT, deployment_id TEXT NOT NULL, resource TEXT NOT NULL, time_to_live INTEGER,
    alone TEXT
) WITHOUT ROWID;
CREATE INDEX definition_key ON definition (key, version);
CREATE INDEX definition_deployment ON definition (deployment_id);

CREATE TABLE instance (
    id TEXT PRIMARY KEY, definition_id TEXT NOT NULL, business_key TEXT, tenant_id TEXT,
    suspended INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX instance_definition ON instance (definition_id);

CREATE TABLE ended_instance (id TEXT PRIMARY KEY, definition_id TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX ended_instance_definition ON ended_instance (definition_id);

CREATE TABLE arrival (
    instance_id TEXT NOT NULL, node TEXT NOT NULL, id INTEGER PRIMARY KEY
);
CREATE INDEX arrival_instance ON arrival (instance_id, node);

CREATE TABLE user_task (
    id TEXT PRIMARY KEY, instance_id TEXT NOT NULL, execution_id TEXT NOT NULL,
    node TEXT NOT NULL, name TEXT, create_time INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX user_task_instance ON user_task (instance_id);

CREATE TABLE task (
    id TEXT PRIMARY KEY, topic_name TEXT NOT NULL, worker_id TEXT, lock_expiration_time INTEGER,
    create_time INTEGER NOT NULL, retries INTEGER, error_message TEXT, error_details TEXT,
    priority INTEGER NOT NULL, suspended INTEGER NOT NULL DEFAULT 0, activity_id TEXT NOT NULL,
    activity_instance_id TEXT NOT NULL, execution_id TEXT NOT NULL, instance_id TEXT NOT NULL,
    definition_id TEXT NOT NULL, definition_key TEXT NOT NULL, version_tag TEXT, tenant_id TEXT,
    business_key TEXT
) WITHOUT ROWID;
CREATE INDEX task_topic ON task (topic_name, lock_expiration_time);
CREATE INDEX task_instance ON task (instance_id);

CREATE TABLE variable (
    scope_id TEXT NOT NULL, name TEXT NOT NULL, instance_id TEXT NOT NULL, type TEXT NOT NULL,
    text TEXT, long INTEGER, double REAL, data BLOB, info TEXT, PRIMARY KEY (scope_id, name)
) WITHOUT ROWID;
CREATE INDEX variable_instance ON variable (instance_id, name);

CREATE TABLE incident (
    id TEXT PRIMARY KEY, type TEXT NOT NULL, configuration TEXT NOT NULL, instance_id TEXT,
    definition_id TEXT, execution_id TEXT, activity_id TEXT, job_definition_id TEXT,
    message TEXT, tenant_id TEXT, time INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX incident_configuration ON incident (configuration);
CREATE INDEX incident_instance ON incident (instance_id);

CREATE TABLE log (
    id TEXT PRIMARY KEY, time INTEGER NOT NULL, kind TEXT NOT NULL, task_id TEXT NOT NULL,
    topic_name TEXT, worker_id TEXT, priority INTEGER, retries INTEGER, error_message TEXT,
    error_details TEXT, activity_id TEXT, activity_instance_id TEXT, execution_id TEXT,
    instance_id TEXT, definition_id TEXT, definition_key TEXT, tenant_id TEXT
) WITHOUT ROWID;
CREATE INDEX log_task ON log (task_id);
CREATE INDEX log_definition ON log (definition_id);

CREATE TABLE batch (
    id TEXT PRIMARY KEY, retries INTEGER NOT NULL, total INTEGER NOT NULL,
    seed_id TEXT NOT NULL, monitor_id TEXT NOT NULL, job_id TEXT NOT NULL,
    suspended INTEGER NOT NULL DEFAULT 0, create_user TEXT, start_time INTEGER NOT NULL,
    execution_time INTEGER, end_time INTEGER
) WITHOUT ROWID;
CREATE INDEX batch_due ON batch (start_time) WHERE execution_time IS NULL;
CREATE TABLE batch_job (
    batch_id TEXT NOT NULL, task_id TEXT NOT NULL, failed INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (batch_id, task_id)
) WITHOUT ROWID;

CREATE TABLE user (
    id TEXT PRIMARY KEY, password TEXT NOT NULL, all_rights INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, locked_until INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
"""

#: The version of the schema, which each file contains. A file with another one is refused.
_LAYOUT: Final = 0x63616D03
#: For how many instances the last completion of a task is remembered.
_MOST_MOVES: Final = 1_000

#: How many ids an engine reserves in the database at a time.
_IDS_AT_ONCE: Final = 1000

#: How long a command waits for the transaction of another process, in seconds.
_PATIENCE: Final = 60.0

Row = sqlite3.Row


class Transaction:
    """
    The transaction of a command, of which everything is stored or nothing.
    """

    def __init__(self, store: Store, connection: sqlite3.Connection, now: int) -> None:
        self._store = store
        self._connection = connection
        #: The engine's time when the command began, in milliseconds since 1970.
        self.now = now
        #: Whether the command has created or unlocked a task, so that long polls fetch again.
        self.wakes_polls = False
        #: The models that were parsed so far, by the ids of their definitions.
        self.models = store.models
        #: The user of the command, if that user has no rights; otherwise ``None``.
        self.powerless: str | None = None
        #: The version of Camunda that the engine answers as.
        self.version = store.version
        #: The instance of the task that the command has completed; ``None`` for other commands.
        self.moved_on: str | None = None
        #: For how many days to keep the history of a process whose model does not say so.
        self.history_time_to_live = store.history_time_to_live

    def has_moved_on(self, instance_id: str, since: int) -> bool:
        """
        Whether a task of an instance was completed after the commit number *since*.
        """
        return self._store.moves.get(instance_id, 0) > since

    def run(self, sql: str, *values: Any) -> sqlite3.Cursor:
        """
        Execute a statement, and return its cursor.
        """
        try:
            return self._connection.execute(sql, values)
        except UnicodeEncodeError:
            return self._connection.execute(*_without_surrogates(sql, values))

    def row(self, sql: str, *values: Any) -> Row | None:
        """
        The first row of a query; ``None`` if there is none.
        """
        row: Row | None = self.run(sql, *values).fetchone()
        return row

    def one(self, sql: str, *values: Any) -> Row:
        """
        The first row of a query that always has one.
        """
        row: Row = self.run(sql, *values).fetchone()
        return row

    def value(self, sql: str, *values: Any) -> Any:
        """
        The first value of the first row of a query that always has one.
        """
        return self.one(sql, *values)[0]

    def insert(self, table: str, **columns: Any) -> None:
        """
        Insert a row.
        """
        self.run(
            f"INSERT INTO {table} ({','.join(columns)}) VALUES ({','.join('?' * len(columns))})",
            *columns.values(),
        )

    def new_id(self) -> str:
        """
        A new id, which sorts after all earlier ones.
        """
        return self._store.next_id(self)


def _without_surrogates(sql: str, values: Sequence[Any]) -> tuple[str, list[Any]]:
    # SQLite stores any bytes as text, but Python passes only valid UTF-8. Half a surrogate pair,
    # from a user or from the engine's cut of a message, must be returned as it was stored.
    pieces = sql.split("?")
    bound: list[Any] = []
    rewritten = pieces[0]
    for piece, value in zip(pieces[1:], values, strict=True):
        place = "?"
        if isinstance(value, str):
            value = value.encode("utf-8", "surrogatepass")
            place = "CAST(? AS TEXT)"
        bound.append(value)
        rewritten += place + piece
    return rewritten, bound


# Functions for SQL take texts as bytes, as a text may contain half an emoji.


def _utf16(text: bytes | None) -> bytes | None:
    """
    A key that sorts texts as Java does, by UTF-16 units.
    """
    return None if text is None else _decoded(text).encode("utf-16-be", "surrogatepass")


def _upper(text: bytes | None) -> bytes | None:
    return None if text is None else _decoded(text).upper().encode("utf-8", "surrogatepass")


def _is_like(text: bytes | None, pattern: bytes | None) -> bool:
    """
    Whether a text matches a pattern with the wildcards of SQL, which a backslash escapes.
    """
    if text is None or pattern is None:
        return False
    return _compiled(pattern).match(_units(text)) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: bytes) -> re.Pattern[str]:
    # A pattern that ends with a backslash matches no text.
    wildcards = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}
    glob = ""
    for literal, bare in re.findall(r"\\(.)|(.)", _units(pattern), re.DOTALL):
        if bare == "\\":
            return re.compile("(?!)")
        glob += wildcards.get(bare, bare) or (f"[{literal}]" if literal in "*?[" else literal)
    return re.compile(fnmatch.translate(glob))


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "surrogatepass")


def _units(text: bytes) -> str:
    """
    A text with each UTF-16 unit as a character of its own, as Java has it.
    """
    units = _decoded(text).encode("utf-16", "surrogatepass")[2:]
    return "".join(map(chr, array("H", units)))


class Store:
    """
    The database of an engine, in memory or in a file, for all threads of a process.

    Args:
        path: The path of the file; ``None`` to keep the state in memory.

        version: The version of Camunda that the engine answers as.

        history_time_to_live: For how many days to keep the history of a process whose model does
            not say so. With ``None``, newer versions refuse such a model.

        clock: Returns the time, in seconds since 1970.

        seed: Makes ids and the order of equal results repeatable.

    Raises:
        OSError: The file cannot be opened.

        ValueError: The file is not that of an engine, or has another schema.
    """

    def __init__(
        self,
        path: str | Path | None,
        version: Version,
        *,
        history_time_to_live: int | None,
        clock: Callable[[], float],
        seed: int | None,
    ) -> None:
        self.version = version
        self.history_time_to_live = history_time_to_live
        self._path = None if path is None else Path(path)
        self._clock = clock
        self._lock = threading.RLock()
        self._offset = 0
        self.models: dict[str, Any] = {}
        numbers = random.Random(seed)  # with None, from the system's entropy
        middle, clock_sequence = numbers.getrandbits(16), 0x8000 | numbers.getrandbits(14)
        node = numbers.getrandbits(47) | 1 << 40
        self._id_tail = f"-{middle:04x}-11f1-{clock_sequence:04x}-{node:012x}"
        self._numbers = numbers
        #: Decides the order of equal results; a new number for each transaction.
        self._salt = 0
        self._ids: Iterator[int] = iter(())
        self._ids_are_fresh = False
        self._is_closed = False
        #: How many transactions were committed so far.
        self.commits = 0
        #: The instances of which tasks were completed last, each with the number of the commit.
        self.moves: dict[str, int] = {}
        self._process = os.getpid()
        self._connection = self._open()

    def _open(self) -> sqlite3.Connection:
        where = ":memory:" if self._path is None else self._path
        try:
            if self._path is not None:
                # Readable by this user only, as variables may contain secrets. SQLite creates its
                # other files with the same permissions.
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            connection = sqlite3.connect(
                where,
                timeout=_PATIENCE,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=512,
            )
        except (OSError, sqlite3.OperationalError) as error:
            raise OSError(f"{where}: {getattr(error, 'strerror', None) or error}") from None
        try:
            self._lay_out(connection)
        except sqlite3.DatabaseError as error:
            connection.close()
            raise ValueError(f"{where} is no file of an engine: {error}") from None
        except BaseException:
            connection.close()
            raise
        connection.row_factory = sqlite3.Row
        connection.text_factory = lambda content: str(content, "utf-8", "surrogatepass")
        for name, count, function in (
            ("upper", 1, _upper),
            ("utf16", 1, _utf16),
            ("is_like", 2, _is_like),
        ):
            connection.create_function(name, count, function, deterministic=True)
        connection.create_function("dice", 1, lambda text: crc32(text.encode(), self._salt))
        return connection

    def _lay_out(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        [layout] = connection.execute("PRAGMA user_version").fetchone()
        [tables] = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables == 0:
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_LAYOUT}")
        elif layout != _LAYOUT:
            raise ValueError(f"{self._path} is no file of an engine, or of another version's")
        connection.execute("COMMIT")
        if self._path is not None:
            # What was answered survives a crash of the process, but perhaps not of the machine.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """
        A transaction, which is committed at the end of the block, or rolled back if the block
        raises an error.

        Raises:
            RuntimeError: The engine is closed, or its state is in the memory of the parent process
                of this one.
        """
        if os.getpid() != self._process:
            self._begin_anew()
        with self._lock:
            if self._is_closed:
                raise RuntimeError("the engine is closed")
            connection = self._connection
            connection.execute("BEGIN IMMEDIATE")
            try:
                if self._path is not None:
                    self._look_at_the_clock(connection)
                tx = Transaction(self, connection, self.now())
                self._salt = self._numbers.getrandbits(32)
                yield tx
                connection.execute("COMMIT")
                self._note(tx)
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                if self._ids_are_fresh:
                    # The reservation of these ids was rolled back, and definitions that had them.
                    self._ids = iter(())
                    self.models.clear()
                raise
            finally:
                self._ids_are_fresh = False

    def _note(self, tx: Transaction) -> None:
        self.commits += 1
        if tx.moved_on is not None:
            self.moves.pop(tx.moved_on, None)
            self.moves[tx.moved_on] = self.commits
            if len(self.moves) > _MOST_MOVES:
                del self.moves[next(iter(self.moves))]

    def _begin_anew(self) -> None:
        if self._path is None:
            raise RuntimeError("an engine in memory cannot be used after a fork: use its URL")
        # A connection of SQLite must not be used after a fork, not even to close it. And another
        # thread may have held the lock at the time of the fork.
        self._inherited = self._connection
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._connection = self._open()
        self._ids = iter(())

    def _look_at_the_clock(self, connection: sqlite3.Connection) -> None:
        # Another process may have advanced the clock.
        query = "SELECT value FROM meta WHERE key = 'clock_offset'"
        [self._offset] = connection.execute(query).fetchone()

    def now(self) -> int:
        """
        The engine's time, in milliseconds since 1970.
        """
        return int(self._clock() * 1000) + self._offset

    def advance(self, milliseconds: int) -> None:
        """
        Advance the engine's clock, for all engines with this database.
        """
        with self._lock, self.transaction() as tx:
            tx.run("UPDATE meta SET value = value + ? WHERE key = 'clock_offset'", milliseconds)
            self._offset += milliseconds

    def next_id(self, tx: Transaction) -> str:
        """
        The next id of the block that this process has reserved.
        """
        number = next(self._ids, None)
        if number is None:
            last = tx.value(
                "UPDATE meta SET value = value + ? WHERE key = 'next_id' RETURNING value",
                _IDS_AT_ONCE,
            )
            self._ids = iter(range(last - _IDS_AT_ONCE, last))
            self._ids_are_fresh = True
            number = next(self._ids)
        return f"{number:08x}{self._id_tail}"

    def close(self) -> None:
        """
        Close the database. A state in memory is lost.
        """
        with self._lock:
            self._is_closed = True
            if os.getpid() == self._process:
                self._connection.close()
