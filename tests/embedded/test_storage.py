"""
What an engine keeps in a file, and what it leaves behind: nothing else.
"""

from __future__ import annotations

import gc
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import requests

from camunda_ext import (
    CamundaError,
    ExternalTaskClient,
    ExternalTaskQuery,
    HistoricExternalTaskLogQuery,
    Topic,
)
from camunda_ext.testing import Engine

#: An engine on a file, served until its standard input ends.
_SERVE: Final = """\
import sys

from camunda_ext.testing import Engine

with Engine(sys.argv[1]) as engine:
    print(engine.url, flush=True)
    sys.stdin.read()
"""

#: An engine on a file, that locks tasks until there are none, once its standard input ends.
_FETCH: Final = """\
import sys

from camunda_ext import Topic
from camunda_ext.testing import Engine

with Engine(sys.argv[1]) as engine, engine.client() as client:
    print("ready", flush=True)
    sys.stdin.read()
    topics = [Topic("a", lock_duration=60_000)]
    while tasks := client.fetch_and_lock(sys.argv[2], topics, max_tasks=3):
        for task in tasks:
            print(task.id)
"""


@contextmanager
def process(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """
    Run *code* in a process that has ended at the end of the with block.
    """
    started = subprocess.Popen(
        (sys.executable, "-W", "error", "-c", code, *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with started:
        try:
            yield started
        finally:
            started.kill()


def read_line(started: subprocess.Popen[str]) -> str:
    """
    The next line that a process prints.
    """
    assert started.stdout is not None
    return started.stdout.readline().strip()


def go(started: subprocess.Popen[str]) -> None:
    """
    Let a process do what it waits to do.
    """
    assert started.stdin is not None
    started.stdin.close()


# ------------------------------------------------------------------------------------------- files


def test_everything_is_in_the_file(tmp_path: Path) -> None:
    """
    What one engine was told, the next one on the file knows: also the time.
    """
    db = tmp_path / "engine.db"
    with Engine(db, auth=("kim", "x")) as engine:
        engine.advance(86_400)
        engine.create_task("a", variables={"amount": 50, "what": "ünï"}, priority=7)
        failed = engine.create_task("b", business_key="4711")
        with engine.client() as client:
            client.lock(failed, "kim", 60_000)
            client.failure(failed, "kim", error_message="no", error_details="why", retries=0)
            before = client.list(), client.log_list(), client.error_details(failed)
        first = before[0][0].process_instance_id
        variables = engine.variables(str(first))
        now = engine.now
    with Engine(str(db), auth=("kim", "x")) as engine, engine.client() as client:
        assert (client.list(), client.log_list(), client.error_details(failed)) == before
        assert engine.variables(str(first)) == variables
        assert engine.now >= now

    assert len(before[0]) == 2


def test_only_one_file_stays(tmp_path: Path) -> None:
    """
    SQLite's own are gone when the last engine is closed.
    """
    db = tmp_path / "engine.db"
    with Engine(db) as first, Engine(db) as other:
        first.create_task("a")
        other.create_task("a")

    assert [path.name for path in tmp_path.iterdir()] == ["engine.db"]


def test_engine_in_memory_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    It has no file at all.
    """
    monkeypatch.chdir(tmp_path)
    with Engine() as engine:
        engine.create_task("a")
        engine.serve()

        assert list(tmp_path.iterdir()) == []


def no_sqlite(path: Path) -> None:
    """
    Write something else.
    """
    path.write_text("a diary\n" * 1000, "utf-8")


def cut_off(path: Path) -> None:
    """
    Write the beginning of what SQLite writes.
    """
    path.write_bytes(b"SQLite format 3\0")


def of_another(path: Path) -> None:
    """
    Write what belongs to another program.
    """
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE diary (day TEXT)")
        connection.execute("PRAGMA user_version = 1")
        connection.commit()


@pytest.mark.parametrize("write", [no_sqlite, cut_off, of_another])
def test_file_of_something_else_is_left_alone(tmp_path: Path, write: Any) -> None:
    """
    No byte of it is changed, and nothing is put beside it.
    """
    db = tmp_path / "engine.db"
    write(db)
    before = db.read_bytes()

    with pytest.raises(ValueError, match=r"engine\.db is no file of an engine"):
        Engine(db)

    assert db.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["engine.db"]


def test_empty_file_is_as_good_as_none(tmp_path: Path) -> None:
    """
    Somebody may have made it for its name.
    """
    db = tmp_path / "engine.db"
    db.touch()
    with Engine(db) as engine:
        engine.create_task("a")

        assert engine.client().count() == 1


@pytest.mark.parametrize("where", [".", "nothing/engine.db"])
def test_file_that_cannot_be(tmp_path: Path, where: str) -> None:
    """
    The operating system's reason is told as its errors are.
    """
    with pytest.raises(OSError, match=r"Is a directory|No such file"):
        Engine(tmp_path / where)


# ------------------------------------------------------------------------------------ sudden death


class Worker:
    """
    Starts instances and completes their tasks, and remembers what it was told of each.
    """

    def __init__(self, url: str, number: int) -> None:
        self._client = ExternalTaskClient(url)
        self._name = f"worker {number}"
        self._topic = f"topic {number}"
        self.locked: set[str] = set()
        self.completed: set[str] = set()
        #: What it does not know the outcome of.
        self.doubtful: str | None = None

    def work(self, started: subprocess.Popen[str], commands: Iterator[int], kill_at: int) -> None:
        """
        Go on until the engine is gone; whoever comes to the fatal number kills it.
        """
        with self._client:
            try:
                for _ in range(100_000):
                    if next(commands) == kill_at:
                        started.send_signal(signal.SIGKILL)
                    self._step()
            except CamundaError:
                return
        pytest.fail("it was not killed")

    def _step(self) -> None:
        if not self.locked:
            topics = [Topic(self._topic, lock_duration=3_600_000)]
            tasks = self._client.fetch_and_lock(self._name, topics, max_tasks=3)
            self.locked |= {task.id for task in tasks}
            return
        task_id = self.locked.pop()
        self.doubtful = task_id
        self._client.complete(task_id, self._name, variables={"done": task_id})
        self.completed.add(task_id)
        self.doubtful = None


_LINES: Final = """\
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" targetNamespace="t"
    xmlns:camunda="http://camunda.org/schema/1.0/bpmn">
  <process id="two" isExecutable="true" camunda:historyTimeToLive="1">
    <startEvent id="start"/><sequenceFlow id="f1" sourceRef="start" targetRef="one"/>
    <serviceTask id="one" camunda:type="external" camunda:topic="{topic}"/>
    <sequenceFlow id="f2" sourceRef="one" targetRef="user"/>
    <userTask id="user"/>
  </process>
</definitions>
"""


@pytest.mark.parametrize("kill_at", [3, 40, 111])
def test_what_was_answered_outlives_the_process(tmp_path: Path, kill_at: int) -> None:
    """
    Of what was not answered, all has been done or nothing.
    """
    db = tmp_path / "engine.db"
    workers, tasks = 4, 60
    instances: dict[str, str] = {}
    with Engine(db) as engine, engine.client() as client:
        for number in range(workers):
            engine.deploy(_LINES.format(topic=f"topic {number}"))
            for _ in range(tasks):
                engine.start("two")
        instances = {task.id: str(task.process_instance_id) for task in client.iterate()}
    numbers = iter(range(1, 1_000_000))
    with process(_SERVE, str(db)) as started, ThreadPoolExecutor(workers) as pool:
        url = read_line(started)
        working = [Worker(url, number) for number in range(workers)]
        for each in [pool.submit(worker.work, started, numbers, kill_at) for worker in working]:
            each.result()

    with Engine(db) as engine, engine.client() as client, engine.session() as session:
        left = {task.id: task for task in client.iterate()}
        successes = client.log_list(HistoricExternalTaskLogQuery().success_log())
        logged = [str(each.external_task_id) for each in successes]
        completed = instances.keys() - left.keys()
        users = session.get(f"{engine.local_url}/task").json()
        done = {task_id: engine.variables(instances[task_id]) for task_id in instances}

        # What was answered is there.
        assert set().union(*(worker.completed for worker in working)) <= completed
        for number, worker in enumerate(working):
            assert {left[task_id].worker_id for task_id in worker.locked} <= {f"worker {number}"}
        # What was not answered may be there, but nothing else.
        doubtful = {str(worker.doubtful) for worker in working}
        assert completed <= set().union(*(worker.completed for worker in working)) | doubtful
        # And none of it is half done.
        assert sorted(logged) == sorted(completed)
        assert sorted(each["processInstanceId"] for each in users) == sorted(
            instances[task_id] for task_id in completed
        )
        for task_id, variables in done.items():
            assert variables == ({"done": task_id} if task_id in completed else {})
        # It goes on as if nothing had been.
        engine.advance(3601)
        topics = [Topic(f"topic {number}", lock_duration=1000) for number in range(workers)]
        again = client.fetch_and_lock("kim", topics, max_tasks=1000)
        assert {task.id for task in again} == left.keys()


def test_two_processes_share_tasks(tmp_path: Path) -> None:
    """
    Each task is for one of them.
    """
    db = tmp_path / "engine.db"
    with Engine(db) as engine, engine.client() as client:
        created = {engine.create_task("a") for _ in range(120)}
        with ExitStack() as stack:
            started = [
                stack.enter_context(process(_FETCH, str(db), f"worker {number}"))
                for number in range(2)
            ]
            assert [read_line(each) for each in started] == ["ready", "ready"]
            for each in started:
                go(each)
            fetched = [each.stdout.read().split() for each in started if each.stdout is not None]
            codes = [each.wait() for each in started]

        held = [
            [task.id for task in client.list(ExternalTaskQuery().worker_id(f"worker {number}"))]
            for number in range(2)
        ]

    assert codes == [0, 0]
    assert sorted(fetched[0] + fetched[1]) == sorted(created)
    assert [sorted(each) for each in held] == [sorted(each) for each in fetched]


# ----------------------------------------------------------------------------------- what remains


def test_closed_engines_leave_nothing(tmp_path: Path) -> None:
    """
    Neither a thread nor an open file, nor a file at all.
    """
    db = tmp_path / "engine.db"
    session = requests.Session()
    session.trust_env = False

    def use(number: int) -> None:
        with Engine(None if number % 2 else db) as engine:
            engine.create_task("a")
            if number % 5 == 0:
                assert session.get(f"{engine.url}/external-task/count").status_code == 200
                session.close()
            with engine.client() as client:
                client.count()

    use(0)
    gc.collect()
    threads = threading.enumerate()
    files = os.listdir("/proc/self/fd") if sys.platform == "linux" else []
    for number in range(200):
        use(number)
    gc.collect()

    assert threading.enumerate() == threads
    assert sys.platform != "linux" or len(os.listdir("/proc/self/fd")) == len(files)
    assert [path.name for path in tmp_path.iterdir()] == ["engine.db"]


def peak_of_paging(engine: Engine, tasks: int) -> int:
    """
    Create so many tasks, and give how many bytes were in use at most while they were paged.
    """
    with engine._backend.transaction() as tx:
        template = dict(tx.one("SELECT * FROM task"))
        for _ in range(tasks):
            tx.insert("task", **{**template, "id": tx.new_id()})
    with engine.client() as client:
        tracemalloc.start()
        try:
            count = sum(1 for _ in client.iterate(page_size=100))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert count == tasks + 1
    return peak


def test_memory_does_not_grow_with_the_tasks(tmp_path: Path) -> None:
    """
    Who asks for pages of a hundred is served pages of a hundred, however many there are.
    """
    peaks = []
    for tasks in (500, 5000):
        with Engine(tmp_path / f"{tasks}.db") as engine:
            engine.create_task("a")
            engine.client().count()
            peaks.append(peak_of_paging(engine, tasks))

    assert peaks[1] < 1.5 * peaks[0]


@pytest.mark.skipif(os.name == "nt", reason="this system has other rights")
def test_the_files_are_private(tmp_path: Path) -> None:
    """
    All of them, whatever the process makes otherwise.
    """
    before = os.umask(0)
    try:
        with Engine(tmp_path / "engine.db", auth=("kim", "secret")) as engine:
            engine.create_task("a")
            modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    finally:
        os.umask(before)

    assert len(modes) > 1
    assert set(modes.values()) == {0o600}
