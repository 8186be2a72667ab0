"""
The journal of a bulk write: which tasks it touches, and what became of each.

It is JSON, a line for each event, and each line is handed to the operating system before the next
request leaves. So it is right after Ctrl-C and ``kill -9``. It is not synchronized with the disk:
when the whole machine fails, its last lines may be lost, and their tasks are touched again.
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
#: What every journal begins with, however short it is.
_BEGINNING: Final = b'{"journal":"camunda_ext bulk 1",'
_TARGETS_IN_A_LINE: Final = 500


class TargetState(Enum):
    """
    The state of a task in a bulk write.
    """

    #: Its request is about to be sent; the last word on it if the run was killed just then.
    BEGUN = "begun"

    #: It was changed as asked for.
    DONE = "done"

    #: There is no such task any more.
    GONE = "gone"

    #: It has changed since it was listed, and was left as it is.
    CHANGED = "changed"

    #: It was refused: nothing was done.
    FAILED = "failed"

    #: No answer came, and nobody knows.
    UNKNOWN = "unknown"


#: What needs no second touch in a later run.
_SETTLED: Final = (TargetState.DONE, TargetState.GONE, TargetState.CHANGED)


@attrs.frozen(eq=False, repr=False)
class Target(Value):
    """
    A task that is to be touched, as it was when it was listed.
    """

    #: Names the task.
    id: str

    #: Who had locked it.
    worker_id: str | None = None

    #: When the lock was to expire.
    lock_expiration_time: datetime | None = None

    @classmethod
    def of(cls, task: ExternalTask) -> Target:
        """
        What is to be known of a task.
        """
        return cls(task.id, task.worker_id, task.lock_expiration_time)


class Journal:
    """
    What is known of a run and of those that it continues; in a file, or in nothing at all.

    Args:
        path: The file; it is made if it is not there. ``None`` for none.

        header: What is done, as JSON: a journal belongs to this alone.

        look: Whether to look only: nothing is made, and nothing changed.

    Raises:
        ValueError: The file is no journal, or of something else, or another process writes to it.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        header: Mapping[str, Any],
        *,
        look: bool = False,
    ) -> None:
        #: The tasks to be touched; ``None`` until they are listed.
        self.targets: tuple[Target, ...] | None = None
        #: The state of each task, as the last of the earlier runs has noted it.
        self.states: dict[str, TargetState] = {}
        #: The batch that was made.
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
        Let go of the file.
        """
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def left(self) -> tuple[Target, ...]:
        """
        The tasks that no earlier run has settled. What it was at, or got no answer for, is done
        again: twice is the same as once.
        """
        return tuple(
            target for target in self.targets or () if self.states.get(target.id) not in _SETTLED
        )

    def list(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        """
        Note what is to be touched.
        """
        self.targets = tuple(targets)
        rest = iter(self.targets)
        while part := tuple(islice(rest, _TARGETS_IN_A_LINE)):
            self._write({"tasks": [_to_json(target) for target in part]})
        self._write({"listed": len(self.targets)})
        return self.targets

    def note(self, state: TargetState, targets: Iterable[Target], **details: str) -> None:
        """
        Note the state of some tasks, and what else there is to say of them.
        """
        self._write({state.value: [target.id for target in targets], **details})

    def _write(self, event: Mapping[str, Any]) -> None:
        if self._file < 0:
            return
        _write_all(self._file, _line(event))

    # ------------------------------------------------------------------------------ what is there

    def _read(self, header: dict[str, Any]) -> None:
        with open(self._file, "rb", closefd=False) as file:
            content = file.read()
        # A run that was killed may have left the half of a line.
        whole = content.rfind(b"\n") + 1
        lines = content[:whole].splitlines(keepends=True)
        header_there = self._header_of(lines[0]) if lines else {}
        if not lines and not _BEGINNING.startswith(content[: len(_BEGINNING)]):
            raise self._no_journal()
        for number, line in enumerate(lines[1:], 2):
            try:
                self._take(loads(line))
            except (ValueError, KeyError, TypeError, AttributeError):
                raise ValueError(f"line {number} of the journal {self._path} is broken") from None
        if self._is_listed and self.targets:
            self._check(header_there, header)
            if not self._is_read_only:
                os.ftruncate(self._file, whole)
            return
        # That run ended before it could touch anything, or found nothing to touch.
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

    def _check(self, there: dict[str, Any], header: dict[str, Any]) -> None:
        expected = loads(_line(header))
        for name in {**expected, **there}:
            if expected.get(name) != there.get(name):
                raise ValueError(
                    f"the journal {self._path} is of another run: its {name} is "
                    f"{there.get(name)!r:.200}, not {expected.get(name)!r:.200}. Nothing was "
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
    until = target.lock_expiration_time
    return [target.id, target.worker_id, None if until is None else until.isoformat()]


def _from_json(target: Sequence[str | None]) -> Target:
    id_, worker_id, until = target
    if id_ is None:
        raise ValueError("a task without an id")
    return Target(id_, worker_id, None if until is None else datetime.fromisoformat(until))


def _open(path: str | os.PathLike[str], *, look: bool) -> int:
    """
    Open a file for this process alone, as far as the system can tell; to look, for all.
    """
    # A pipe would wait for somebody else to open it.
    binary = getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    flags = os.O_RDONLY if look else os.O_RDWR | os.O_CREAT | os.O_APPEND
    refuse_shared_folder(path)
    # A query may hold the values of variables.
    file = os.open(path, flags | binary, 0o600)
    try:
        refuse_shared_file(file, path)  # It says which tasks are changed.
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
