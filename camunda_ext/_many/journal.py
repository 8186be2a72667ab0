"""
The journal of a bulk write: a file that lists the tasks to change, and the state of each.

It has a JSON object on each line, one for each event. Each line is handed to the operating system
before the next request is sent, so the journal is complete after Ctrl-C and ``kill -9``. It is not
synchronized with the disk: if the machine crashes, the last lines may be lost, and their tasks are
changed again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from enum import Enum
from itertools import islice
from typing import Any, Final

import attrs

from camunda_ext._many.files import refuse_shared_file, refuse_shared_folder
from camunda_ext._wire.json import dumps, loads
from camunda_ext._wire.value import Value
from camunda_ext.dto import ExternalTask

_KIND: Final = "camunda_ext bulk 1"
#: The first bytes of every journal. A run that was killed at once may have left only some of them.
_BEGINNING: Final = b'{"journal":"camunda_ext bulk 1",'
_TARGETS_IN_A_LINE: Final = 500


class TargetState(Enum):
    """
    The state of a task in a bulk write.
    """

    #: Its request is about to be sent, or was sent when the run was killed.
    BEGUN = "begun"

    #: It was changed as asked for.
    DONE = "done"

    #: It no longer exists.
    GONE = "gone"

    #: Its lock has changed since it was listed, so it was not changed.
    CHANGED = "changed"

    #: The change was refused; the task is as it was.
    FAILED = "failed"

    #: No answer came, so it is unknown whether the task was changed.
    UNKNOWN = "unknown"


#: The states of tasks that a later run skips.
_SETTLED: Final = (TargetState.DONE, TargetState.GONE, TargetState.CHANGED)


@attrs.frozen(eq=False, repr=False)
class Target(Value):
    """
    A task to change, as it was when it was listed.
    """

    #: The id of the task.
    id: str

    #: The worker that held the lock; ``None`` if none did.
    worker_id: str | None = None

    #: When the lock expires; ``None`` if the task was not locked.
    lock_expiration_time: datetime | None = None

    @classmethod
    def of(cls, task: ExternalTask) -> Target:
        """
        The target for a task that was just listed.
        """
        return cls(task.id, task.worker_id, task.lock_expiration_time)


class Journal:
    """
    The tasks and states of a run and of the earlier runs that it continues, kept in a file.

    Args:
        path: The file, which is created if it does not exist; ``None`` to keep nothing.

        header: Describes the bulk write, as JSON. A journal with another header is refused.

        look: Whether to read only: no file is created or changed.

    Raises:
        ValueError: The file is no journal, or that of another bulk write, or another process
            writes to it.

        OSError: The file cannot be opened.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        header: Mapping[str, Any],
        *,
        look: bool = False,
    ) -> None:
        #: The tasks to change; ``None`` until they are listed.
        self.targets: tuple[Target, ...] | None = None
        #: The state of each task after the earlier runs, by id.
        self.states: dict[str, TargetState] = {}
        #: The id of the batch that an earlier run has created; ``None`` if none did.
        self.batch_id: str | None = None
        self._is_listed = False
        self._path = path
        self._file = -1
        self._is_read_only = look
        if path is not None and not (look and not os.path.exists(path)):
            self._file = _open(path, look=look)
            try:
                self._read(dict(header))
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """
        Close the file, which other runs may use from now on.
        """
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def left(self) -> tuple[Target, ...]:
        """
        The tasks that no earlier run has settled. Among them are those whose request was in
        progress or got no answer: they are changed again, which has no further effect.
        """
        return tuple(
            target for target in self.targets or () if self.states.get(target.id) not in _SETTLED
        )

    def list(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        """
        Write down the tasks to change, and return them.
        """
        self.targets = tuple(targets)
        rest = iter(self.targets)
        while part := tuple(islice(rest, _TARGETS_IN_A_LINE)):
            self._write({"tasks": [_to_json(target) for target in part]})
        self._write({"listed": len(self.targets)})
        return self.targets

    def note(self, state: TargetState, targets: Iterable[Target], **details: str) -> None:
        """
        Write down the state of some tasks.

        Args:
            details: More to write on the same line, such as the error or the id of the batch.

        Raises:
            OSError: The file cannot be written.
        """
        self._write({state.value: [target.id for target in targets], **details})

    def _write(self, event: Mapping[str, Any]) -> None:
        if self._file < 0:
            return
        _write_all(self._file, _line(event))

    # ------------------------------------------------------------------------------- earlier runs

    def _read(self, header: dict[str, Any]) -> None:
        with open(self._file, "rb", closefd=False) as file:
            content = file.read()
        # A run that was killed may have written only a part of the last line.
        whole = content.rfind(b"\n") + 1
        lines = content[:whole].splitlines(keepends=True)
        found_header = self._header_of(lines[0]) if lines else {}
        if not lines and not _BEGINNING.startswith(content[: len(_BEGINNING)]):
            raise self._no_journal()
        for number, line in enumerate(lines[1:], 2):
            try:
                self._take(loads(line))
            except (ValueError, KeyError, TypeError, AttributeError):
                raise ValueError(f"line {number} of the journal {self._path} is broken") from None
        if self._is_listed and self.targets:
            self._check(found_header, header)
            if not self._is_read_only:
                os.ftruncate(self._file, whole)
            return
        # The earlier run ended before it had changed a task, or no task matched: list them again.
        self.targets = None
        if not self._is_read_only:
            os.ftruncate(self._file, 0)
            _write_all(self._file, _line({"journal": _KIND, **header}))

    def _header_of(self, line: bytes) -> dict[str, Any]:
        header: Any = None
        with suppress(ValueError):
            header = loads(line)
        if not isinstance(header, dict) or header.pop("journal", None) != _KIND:
            raise self._no_journal()
        return header

    def _no_journal(self) -> ValueError:
        return ValueError(f"{self._path} is there, and is no journal of a bulk write")

    def _check(self, found: dict[str, Any], header: dict[str, Any]) -> None:
        expected = loads(_line(header))
        for name in {**expected, **found}:
            if expected.get(name) != found.get(name):
                raise ValueError(
                    f"the journal {self._path} is of another run: its {name} is "
                    f"{found.get(name)!r:.200}, not {expected.get(name)!r:.200}. Nothing was "
                    "changed"
                )

    def _take(self, event: dict[str, Any]) -> None:
        if "tasks" in event:
            self.targets = (self.targets or ()) + tuple(map(_from_json, event["tasks"]))
        elif "listed" in event:
            self.targets = self.targets or ()
            if event["listed"] != len(self.targets):
                raise ValueError("tasks are missing")
            self._is_listed = True
        else:
            [state] = [state for state in TargetState if state.value in event]
            self.states.update(dict.fromkeys(event[state.value], state))
            self.batch_id = event.get("batch", self.batch_id)


def _write_all(file: int, content: bytes) -> None:
    while content:
        content = content[os.write(file, content) :]


def _line(event: Mapping[str, Any]) -> bytes:
    return dumps(event).encode("ascii") + b"\n"


def _to_json(target: Target) -> list[str | None]:
    lock_end = target.lock_expiration_time
    return [target.id, target.worker_id, None if lock_end is None else lock_end.isoformat()]


def _from_json(target: Sequence[str | None]) -> Target:
    id_, worker_id, lock_end = target
    if id_ is None:
        raise ValueError("a task without an id")
    return Target(id_, worker_id, None if lock_end is None else datetime.fromisoformat(lock_end))


def _open(path: str | os.PathLike[str], *, look: bool) -> int:
    """
    Open a journal and lock it against other processes; to read only, without a lock.
    """
    # Without O_NONBLOCK, opening a pipe would wait until another process opens it as well.
    binary = getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    flags = os.O_RDONLY if look else os.O_RDWR | os.O_CREAT | os.O_APPEND
    refuse_shared_folder(path)
    # Readable by this user only, as the query in it may contain the values of variables.
    file = os.open(path, flags | binary, 0o600)
    try:
        refuse_shared_file(file, path)  # or others could choose which tasks are changed
        if not look:
            _lock(file, path)
    except BaseException:
        os.close(file)
        raise
    return file


def _lock(file: int, path: str | os.PathLike[str]) -> None:
    if sys.platform == "win32":
        return
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ValueError(f"another run writes to the journal {path}") from None
