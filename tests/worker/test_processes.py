"""
Workers in processes of their own: signals, sudden deaths, freezes, forks, and the ends of programs.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final

import attrs
import pytest

from camunda_ext import ExternalTaskQuery, HistoricExternalTaskLogQuery
from camunda_ext.testing import Engine
from tests.worker.station import Station

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")

ROOT: Final = Path(__file__).parents[2]
#: How long anything may take, in seconds.
_PATIENCE: Final = 30.0
_GRACE: Final = 5.0
_LOCK: Final = 30.0


@attrs.frozen
class Row:
    """
    What a worker has written down: a line of `tests.worker.station.Journal`.
    """

    kind: str
    task_id: str
    worker_id: str
    detail: str


class Process:
    """
    A worker in a process of its own, whose rows are read as they come; a context manager.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._changed = threading.Condition()
        self._rows: list[Row] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            _, *fields = line.rstrip("\n").split("\t")
            with self._changed:
                self._rows.append(Row(*fields))
                self._changed.notify_all()

    @property
    def pid(self) -> int:
        """
        The process id.
        """
        return self._process.pid

    def rows(self, kind: str) -> list[Row]:
        """
        All rows of a kind so far.
        """
        with self._changed:
            return [row for row in self._rows if row.kind == kind]

    def wait_for(self, kind: str, count: int = 1) -> list[Row]:
        """
        The rows of a kind, when there are as many.
        """
        with self._changed:
            is_there = self._changed.wait_for(
                lambda: sum(row.kind == kind for row in self._rows) >= count, _PATIENCE
            )
            assert is_there, (kind, count, self._rows)
        return self.rows(kind)

    def send(self, number: signal.Signals) -> None:
        """
        Send a signal.
        """
        self._process.send_signal(number)

    def say(self, words: int = 1) -> None:
        """
        End so many handlers that wait for it.
        """
        assert self._process.stdin is not None
        self._process.stdin.write("." * words)
        self._process.stdin.flush()

    def ended(self) -> int:
        """
        The exit code, when it has ended and all is read.
        """
        code = self._process.wait(_PATIENCE)
        self._reader.join(_PATIENCE)
        return code


@pytest.fixture
def engine() -> Iterator[Engine]:
    """
    An embedded engine, which other processes reach by its URL.
    """
    with Engine() as engine:
        yield engine


def _station(engine: Engine, name: str, handler: str, *, slots: int = 4) -> Station:
    return Station(
        url=engine.url,
        journal="-",
        name=name,
        topics=("invoice",),
        slots=slots,
        lock_duration=int(_LOCK * 1000),
        poll=300,
        grace=_GRACE,
        handler=handler,
    )


def _worker(engine: Engine, name: str, handler: str, *, slots: int = 4) -> Process:
    return Process(_station(engine, name, handler, slots=slots).command())


def _script(engine: Engine, code: str) -> Process:
    return Process([sys.executable, "-c", code, engine.url])


def _locked(engine: Engine) -> int:
    return engine.client().count(ExternalTaskQuery().locked())


def _completed(engine: Engine) -> Counter[tuple[str, str]]:
    """
    How often the engine's history says that a task was completed, and by whom.
    """
    entries = engine.client().log_list(HistoricExternalTaskLogQuery().success_log())
    return Counter(
        (str(entry.external_task_id), str(entry.worker_id).partition(":")[0]) for entry in entries
    )


# ----------------------------------------------------------------------------------------- signals


def test_a_worker_leaves_nothing_at_whatever_moment_it_is_stopped(engine: Engine) -> None:
    """
    What it has begun is done, what it has not begun is unlocked, and all others can have it.
    """
    for _ in range(400):
        engine.create_task("invoice")
    moments = random.Random()  # noqa: S311  # nobody may know them, but they are no secret
    ends: list[tuple[int, float]] = []
    with ExitStack() as stack:
        workers = [
            stack.enter_context(_worker(engine, f"w{number}", "moment")) for number in range(4)
        ]
        for number, worker in enumerate(workers):
            worker.wait_for("running")
            time.sleep(moments.uniform(0, 0.5))
            asked = time.monotonic()
            worker.send(signal.SIGINT if number % 2 else signal.SIGTERM)
            ends.append((worker.ended(), time.monotonic() - asked))
        begun = [row.task_id for worker in workers for row in worker.rows("began")]
        reported = [row for worker in workers for row in worker.rows("reported")]

    assert [code for code, _ in ends] == [0] * 4
    assert max(seconds for _, seconds in ends) < _GRACE + 1
    assert _locked(engine) == 0
    assert len(begun) == len(set(begun))
    done = [row.task_id for row in reported if row.detail == "Completed done"]
    assert sorted(done) == sorted(begun)
    assert {row.detail for row in reported} <= {"Completed done", "Abandoned unlocked"}
    assert engine.client().count() == 400 - len(begun)


_STOPPED_AT_ONCE: Final = """
import logging, os, signal, sys
from camunda_ext import ExternalTaskClient, Worker

class Term(logging.Handler):
    def emit(self, record):
        if "begins" in record.getMessage():
            os.kill(os.getpid(), signal.SIGTERM)

logging.getLogger("camunda_ext.worker").addHandler(Term())
logging.getLogger("camunda_ext.worker").setLevel("INFO")
worker = Worker(ExternalTaskClient(sys.argv[1]), async_response_timeout=300)
worker.handles("invoice")(lambda task: None)
sys.exit(worker.run())
"""


def test_a_signal_before_the_first_fetch_is_heard(engine: Engine) -> None:
    """
    It comes while the worker starts: the first thing that it does is to stop.
    """
    with _script(engine, _STOPPED_AT_ONCE) as worker:
        assert worker.ended() == 0
    assert _locked(engine) == 0


def test_a_second_signal_ends_the_wait_for_handlers(engine: Engine) -> None:
    """
    What has begun stays locked, so that nobody begins it beside the handler that still runs; the
    worker says so.
    """
    task_id = engine.create_task("invoice")
    with _worker(engine, "w", "word") as worker:
        worker.wait_for("began")
        worker.send(signal.SIGTERM)
        worker.wait_for("stopping")
        worker.send(signal.SIGTERM)
        code = worker.ended()
        [stopped] = worker.rows("stopped")

    assert (code, stopped.detail) == (1, f"1 {task_id}")
    assert _locked(engine) == 1


_HANGS_AT_THE_END: Final = """
import sys, threading
from camunda_ext import ExternalTaskClient, Worker
from camunda_ext.worker.events import Stopped, Stopping
from tests.worker.station import Journal

journal = Journal("-")

def hang(event):
    if isinstance(event, (Stopping, Stopped)):
        journal.write(type(event).__name__)
    if isinstance(event, Stopped):
        threading.Event().wait()

worker = Worker(ExternalTaskClient(sys.argv[1]), async_response_timeout=300, hooks=[hang])
worker.handles("invoice")(lambda task: None)
journal.write("running")
sys.exit(worker.run())
"""


def test_a_third_signal_ends_the_process(engine: Engine) -> None:
    """
    Whatever hangs there.
    """
    with _script(engine, _HANGS_AT_THE_END) as worker:
        worker.wait_for("running")
        engine.wait_for_polls()
        worker.send(signal.SIGTERM)
        worker.wait_for("Stopping")
        worker.send(signal.SIGTERM)
        worker.wait_for("Stopped")
        worker.send(signal.SIGTERM)

        assert worker.ended() == 1


# --------------------------------------------------------------------------------- deaths, freezes


def test_what_a_killed_worker_had_is_done_by_the_next_one(engine: Engine) -> None:
    """
    When the locks have run out; each task is completed once.
    """
    task_ids = [engine.create_task("invoice") for _ in range(6)]
    with _worker(engine, "killed", "word") as killed:
        killed.wait_for("began", 4)
        killed.send(signal.SIGKILL)
        assert killed.ended() == -signal.SIGKILL
    with _worker(engine, "next", "moment") as following:
        before = following.wait_for("reported", 2)
        engine.wait_for_polls()
        engine.advance(_LOCK + 1)
        following.wait_for("reported", 6)
        following.send(signal.SIGTERM)
        assert following.ended() == 0

    assert len(before) == 2
    assert _completed(engine) == Counter((task_id, "next") for task_id in task_ids)


def test_a_frozen_worker_offers_its_results_and_the_engine_judges(engine: Engine) -> None:
    """
    Of two tasks whose locks have run out, another worker has taken one: that result is dropped, and
    the other one is as good as if nothing had been.
    """
    task_ids = {engine.create_task("invoice") for _ in range(2)}
    with ExitStack() as stack:
        frozen = stack.enter_context(_worker(engine, "frozen", "word", slots=2))
        frozen.wait_for("began", 2)
        frozen.send(signal.SIGSTOP)
        engine.advance(3 * _LOCK)
        other = stack.enter_context(_worker(engine, "other", "word", slots=1))
        [taken] = other.wait_for("began")
        frozen.say(2)
        frozen.send(signal.SIGCONT)
        results = {row.task_id: row.detail for row in frozen.wait_for("reported", 2)}
        other.say()
        other.wait_for("reported")
        for worker in (frozen, other):
            worker.send(signal.SIGTERM)
            assert worker.ended() == 0

    [untaken] = task_ids - {taken.task_id}
    assert results == {taken.task_id: "Completed taken", untaken: "Completed done"}
    assert _completed(engine) == Counter([(taken.task_id, "other"), (untaken, "frozen")])


# ------------------------------------------------------------------------------- forks and the ends


_FORKS: Final = """
import os, sys
from camunda_ext import ExternalTaskClient, Worker

worker = Worker(ExternalTaskClient(sys.argv[1]), async_response_timeout=300)
worker.handles("invoice")(lambda task: None)
worker.start()
parent = os.getpid()
if not (child := os.fork()):
    for name in ("start", "run", "stop", "run_once", "drain", "health"):
        try:
            getattr(worker, name)()
        except RuntimeError as error:
            assert str(os.getpid()) in str(error) and str(parent) in str(error), error
        else:
            os._exit(2)
    os._exit(0)
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status) or worker.stop().exit_code)
"""


def test_a_fork_has_no_worker(engine: Engine) -> None:
    """
    Its threads stay in the process that has started it, where it works on.
    """
    with _script(engine, _FORKS) as process:
        assert process.ended() == 0
    assert _locked(engine) == 0


_NEVER_STOPS: Final = """
import sys, threading
from camunda_ext import ExternalTaskClient, Worker
from tests.worker.station import Journal, wait_for_word

journal = Journal("-")
begun = threading.Event()
worker = Worker(
    ExternalTaskClient(sys.argv[1]),
    slots=2,
    lock_duration=1000,
    async_response_timeout=300,
    hooks=[journal.note],
)

@worker.handles("invoice")
def charge(task):
    begun.set()
    wait_for_word(task)

worker.start()
begun.wait()
"""


def test_a_program_that_ends_without_a_stop_leaves_nothing(engine: Engine) -> None:
    """
    The interpreter's end waits for the handlers for a moment, and their locks are kept meanwhile.
    """
    for _ in range(5):
        engine.create_task("invoice")
    with _script(engine, _NEVER_STOPS) as process:
        process.wait_for("stopping")
        process.wait_for("extended", 4)
        process.say(2)
        code = process.ended()
        [stopped] = process.rows("stopped")
        done = {row.detail for row in process.rows("reported")}

    assert (code, stopped.detail) == (0, "0 ")
    assert done <= {"Completed done", "Abandoned unlocked"}
    assert _locked(engine) == 0


# ------------------------------------------------------------------------------------------- gevent


def test_a_worker_runs_keeps_and_stops_as_greenlets(engine: Engine) -> None:
    """
    After gevent has replaced threads, locks and sockets, all is as before.
    """
    pytest.importorskip("gevent")
    code = (
        "from gevent import monkey; monkey.patch_all();"
        "from tests.worker.station import main; main()"
    )
    station = attrs.evolve(_station(engine, "w", "second"), lock_duration=1500)
    command = station.command()
    task_ids = [engine.create_task("invoice") for _ in range(8)]
    with Process([command[0], "-c", code, command[-1]]) as worker:
        worker.wait_for("reported", 8)
        worker.send(signal.SIGTERM)
        code_of_exit = worker.ended()
        extended = {row.task_id for row in worker.rows("extended")}

    assert code_of_exit == 0
    assert extended == set(task_ids)
    assert _completed(engine) == Counter((task_id, "w") for task_id in task_ids)
