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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any, Final, NamedTuple

from camunda_ext._wire.json import dumps, loads
from camunda_ext._wire.value import to_json
from camunda_ext.dto import ExternalTask
from camunda_ext.safety import refuse_shared_file, refuse_shared_folder

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


class Target(NamedTuple):
    """
    A task to change, as it was when it was listed.
    """

    #: The id of the task.
    id: str

    #: The worker that held the lock; ``None`` if none did.
    worker_id: str | None

    #: When the lock expires; ``None`` if the task was not locked.
    lock_expiration_time: datetime | None

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
        #: The tasks to change; ``None`` until all of them are listed.
        self.targets: tuple[Target, ...] | None = None
        #: The state of each task after the earlier runs, by id.
        self.states: dict[str, TargetState] = {}
        #: The id of the batch that an earlier run has created; ``None`` if none did.
        self.batch_id: str | None = None
        self._path = path
        self._file = -1
        if path is not None and not (look and not os.path.exists(path)):
            self._file = _open(path, look=look)
            try:
                whole = self._read(header)
                if not look:
                    os.ftruncate(self._file, whole)
                    if not whole:
                        self._write({"journal": _KIND, **header})
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

    def list(self, targets: tuple[Target, ...]) -> None:
        """
        Write down the tasks to change.
        """
        self.targets = targets
        for part in in_parts(targets, _TARGETS_IN_A_LINE):
            self._write({"tasks": part})
        self._write({"listed": len(targets)})

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
        line = _line(event)
        while line and self._file >= 0:
            line = line[os.write(self._file, line) :]

    # ------------------------------------------------------------------------------- earlier runs

    def _read(self, header: Mapping[str, Any]) -> int:
        """
        Read what earlier runs have written, and return how many bytes of it this run continues: 0
        if no earlier run has changed a task.
        """
        with open(self._file, "rb", closefd=False) as file:
            content = file.read()
        if not _BEGINNING.startswith(content[: len(_BEGINNING)]):
            raise ValueError(f"{self._path} is there, and is no journal of a bulk write")
        # A run that was killed may have written only a part of the last line.
        whole = content.rfind(b"\n") + 1
        found = self._read_events(content[:whole])
        if not self.targets:
            # The earlier run ended before it had changed a task, or no task matched.
            self.targets = None
            return 0
        expected = loads(_line({"journal": _KIND, **header}))
        for name in {**expected, **found}:
            if expected.get(name) != found.get(name):
                raise ValueError(
                    f"the journal {self._path} is of another run: its {name} is "
                    f"{found.get(name)!r:.200}, not {expected.get(name)!r:.200}. Nothing was "
                    "changed"
                )
        return whole

    def _read_events(self, content: bytes) -> dict[str, Any]:
        """
        Read all whole lines of the journal, and return its header.
        """
        header: dict[str, Any] = {}
        targets: list[Target] = []
        for number, line in enumerate(content.splitlines(), 1):
            try:
                event = loads(line)
                if "journal" in event:
                    header = event
                elif "tasks" in event:
                    targets += map(_to_target, event["tasks"])
                elif "listed" in event:
                    if event["listed"] != len(targets):
                        raise ValueError("tasks are missing")
                    self.targets = tuple(targets)
                else:
                    [state] = [state for state in TargetState if state.value in event]
                    self.states.update(dict.fromkeys(event[state.value], state))
                    self.batch_id = event.get("batch", self.batch_id)
            except (ValueError, KeyError, TypeError, AttributeError):
                raise ValueError(f"line {number} of the journal {self._path} is broken") from None
        return header


def in_parts(targets: Sequence[Target], size: int) -> Iterator[Sequence[Target]]:
    """
    All *targets* in parts of *size* targets each; the last part may be shorter.
    """
    return (targets[start : start + size] for start in range(0, len(targets), size))


def _line(event: Mapping[str, Any]) -> bytes:
    return dumps(to_json(event)).encode("ascii") + b"\n"


def _to_target(item: Sequence[Any]) -> Target:
    task_id, worker_id, lock_end = item
    return Target(task_id, worker_id, lock_end and datetime.fromisoformat(lock_end))


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
