"""
A worker as a process of its own, which writes down what it does: ``python -m tests.worker.station``
with a `Station` as JSON.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import attrs

from camunda_ext import ExternalTaskClient, Timeout, Worker
from camunda_ext.worker import Failure, Postpone, Task, TaskRetries
from camunda_ext.worker.events import (
    Began,
    Ended,
    Event,
    Extended,
    Lost,
    Reported,
    Stopped,
    Stopping,
    Swept,
)

#: How likely the handlers of a course do what, in thousandths; else they are short.
_POISON: Final = 5
_FAILS_ONCE: Final = 50
_POSTPONES_ONCE: Final = 10
_LONG: Final = 3
_LONG_AND_DEAF: Final = 3

#: The waits after the failures of a course, in milliseconds.
RETRIES: Final = (9000, 700)


@attrs.frozen(kw_only=True)
class Station:
    """
    What a worker is to do, and where it writes it down.
    """

    url: str
    #: The file for its rows; ``-`` for its output.
    journal: str
    name: str
    topics: tuple[str, ...]
    slots: int = 8
    #: How long locks are, in milliseconds.
    lock_duration: int = 30_000
    #: How long polls are, in milliseconds.
    poll: int = 5_000
    #: How long a stop waits, in seconds.
    grace: float = 25.0
    #: The read time-out of the client, in seconds.
    read_timeout: float = 60.0
    #: What its handlers do, see `HANDLERS`.
    handler: str = "course"

    def command(self) -> list[str]:
        """
        The command that runs it.
        """
        return [sys.executable, "-m", "tests.worker.station", json.dumps(attrs.asdict(self))]


def is_poison(task_id: str) -> bool:
    """
    Tell whether the handler of a course fails each time.
    """
    return _lot(task_id) < _POISON


def _lot(task_id: str) -> int:
    return zlib.crc32(task_id.encode("ascii")) % 1000


def work(task: Task) -> dict[str, object] | None:
    """
    Handle a task of a course, as its id decides.
    """
    lot = _lot(task.id)
    for count, act in (
        (_POISON, _fail),
        (_FAILS_ONCE, _fail_once),
        (_POSTPONES_ONCE, _postpone_once),
        (_LONG, _take_long),
        (_LONG_AND_DEAF, _take_long_deaf),
    ):
        if lot < count:
            act(task)
            return {"by": task.worker_id}
        lot -= count
    time.sleep(lot % 20 / 1000)
    return None


def _fail(task: Task) -> None:
    raise LookupError(f"task {task.id} cannot be done")


def _fail_once(task: Task) -> None:
    if task.retries is None:
        raise Failure("not at the first time")


def _postpone_once(task: Task) -> None:
    if task.retries is None:
        raise Postpone(1000, "later")


def _take_long(task: Task) -> None:
    # More than a third of the lock, so that it is extended.
    for _ in range(60):
        task.wait(0.1)
        task.check()


def _take_long_deaf(task: Task) -> None:
    time.sleep(6.0)


def wait_for_word(task: Task) -> None:
    """
    Handle a task until the process is told to go on, by a byte for each.
    """
    os.read(sys.stdin.fileno(), 1)  # not by a buffer, in which one thread has what is another's


def soak(task: Task) -> None:
    """
    Handle a task, or fail the first time with much in memory, as its id decides.
    """
    if task.retries is None and _lot(task.id) % 10 == 0:
        ballast = bytearray(1024 * 1024)
        raise LookupError(f"task {task.id} has failed with {len(ballast)} bytes in hand")


#: What a station's handlers do.
HANDLERS: Final[Mapping[str, Callable[[Task], object]]] = {
    "course": work,
    "moment": lambda task: time.sleep(0.05),
    "second": lambda task: time.sleep(1.0),
    "soak": soak,
    "word": wait_for_word,
}


class Journal:
    """
    Writes what a worker does into a file, at once: it may be killed at any time.
    """

    def __init__(self, path: str) -> None:
        flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY
        self._file: Final = sys.stdout.fileno() if path == "-" else os.open(path, flags)

    def write(self, kind: str, task_id: str = "", worker_id: str = "", detail: str = "") -> None:
        """
        Write a row.
        """
        row = "\t".join((f"{time.time():.6f}", kind, task_id, worker_id, detail))
        os.write(self._file, f"{row}\n".encode())

    def note(self, event: Event) -> None:
        """
        Write down what matters of an event.
        """
        match event:
            case Began(task=task):
                self.write("began", task.id, task.worker_id or "")
            case Ended(task=task, outcome=outcome):
                self.write("ended", task.id, task.worker_id or "", type(outcome).__name__)
            case Reported(task=task, outcome=outcome, result=result):
                told = f"{type(outcome).__name__} {result}"
                if isinstance(outcome, Failure):
                    told += f" {outcome.retries} {outcome.retry_timeout or 0}"
                self.write("reported", task.id, task.worker_id or "", told)
            case Extended(task=task):
                self.write("extended", task.id, task.worker_id or "")
            case Lost(task=task, worker_id=worker_id):
                self.write("lost", task.id, task.worker_id or "", f"{task.lost} {worker_id}")
            case Swept(worker_id=worker_id, task_ids=task_ids):
                self.write("swept", "", worker_id, " ".join(task_ids))
            case Stopping(reason=reason):
                self.write("stopping", "", "", reason)
            case Stopped(left=left, exit_code=code):
                self.write("stopped", "", "", f"{code} {' '.join(left)}")


def run(station: Station) -> int:
    """
    Work until a signal comes, and give the exit code.
    """
    logging.basicConfig(format="%(asctime)s %(threadName)s %(levelname)s %(message)s", level="INFO")
    journal = Journal(station.journal)
    timeout = Timeout(connect=3.0, read=station.read_timeout, total=5 * station.read_timeout)
    with ExternalTaskClient(station.url, timeout=timeout) as client:
        worker = Worker(
            client,
            slots=station.slots,
            lock_duration=station.lock_duration,
            async_response_timeout=station.poll,
            retries=TaskRetries(*RETRIES),
            name=station.name,
            hooks=[journal.note],
        )
        for topic in station.topics:
            worker.handles(topic)(HANDLERS[station.handler])
        journal.write("running")
        code = worker.run(station.grace)
    fds = len(list(Path("/proc/self/fd").iterdir()))
    journal.write("over", "", "", f"{threading.active_count()} {fds}")
    return code


def main() -> None:
    """
    Run what the first argument says, and exit with the worker's code.
    """
    options = json.loads(sys.argv[1])
    sys.exit(run(Station(**{**options, "topics": tuple(options["topics"])})))


if __name__ == "__main__":
    main()
