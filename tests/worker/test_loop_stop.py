"""
How a worker in threads stops, and what it leaves behind.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

from camunda_ext import ExternalTaskQuery
from camunda_ext.testing import Engine
from camunda_ext.worker import Stopped, Task
from camunda_ext.worker.events import Began, Ended, Reported, Stopping
from tests.faults import FaultProxy, only, sequence
from tests.faults.gates import Gate
from tests.worker.scene import PATIENCE, Job, Scene

Proxied = tuple[Scene, FaultProxy]


def results(scene: Scene) -> list[tuple[str, str]]:
    """
    Give what became of all reports, in any order.
    """
    return sorted(scene.results())


def test_nothing_is_left(scene: Scene) -> None:
    """
    Running handlers end and are reported; what has not begun is unlocked before that.
    """
    worker = scene.worker(slots=1)
    quick, job = [1], Job()

    @worker.handles("invoice")
    def charge(task: Task) -> None:
        if quick:
            quick.pop()
            scene.engine.advance(0.001)
        else:
            job(task)

    for _ in range(4):
        scene.engine.create_task("invoice")
    with ThreadPoolExecutor() as pool, scene.working(worker):
        running = job.begun()
        scene.clock.wait_in("poller")
        locked = scene.client.count(ExternalTaskQuery().locked())
        stopped = pool.submit(worker.stop, 600)
        scene.reported(1 + locked - 1)  # the running one is not among them
        left = scene.client.list(ExternalTaskQuery().locked())
        job.end()
        assert stopped.result(PATIENCE) == Stopped(left=(), exit_code=0)

    assert locked > 1
    assert [task.id for task in left] == [running.id]
    assert running.stopping
    assert (
        results(scene) == [("Abandoned", "unlocked")] * (locked - 1) + [("Completed", "done")] * 2
    )
    assert len(scene.events.of(Began)) == 2


def test_what_the_last_poll_brings_is_unlocked(proxied: Proxied) -> None:
    """
    It is waited for and not cut: the engine would lock tasks for it all the same.
    """
    scene, proxy = proxied
    worker, job = scene.worker(slots=2), Job()
    worker.handles("invoice")(job)
    gate = Gate(is_done=True)
    proxy.plan = only("/fetchAndLock", sequence(gate))
    ids = {scene.engine.create_task("invoice") for _ in range(2)}
    with ThreadPoolExecutor() as pool, scene.working(worker):
        gate.wait()
        locked = {task.id for task in scene.client.list(ExternalTaskQuery().locked())}
        stopped = pool.submit(worker.stop, 600)
        scene.events.wait_for(Stopping)
        assert not stopped.done()
        gate.open()
        assert stopped.result(PATIENCE) == Stopped(left=(), exit_code=0)

    assert locked == ids
    assert not job.tasks
    assert results(scene) == [("Abandoned", "unlocked")] * 2
    assert scene.client.count(ExternalTaskQuery().locked()) == 0


def test_what_is_running_when_the_grace_is_over_stays_locked(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Unlocked, it would begin a second time beside the first; the log tells where it is.
    """
    worker, job = scene.worker(slots=2), Job()
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    ends = Stopped(left=(task_id,), exit_code=1)
    with ThreadPoolExecutor() as pool, scene.working(worker, ends=ends):
        job.begun()
        stopped = pool.submit(worker.stop, 10)
        scene.events.wait_for(Stopping)
        scene.engine.advance(9)
        assert not scene.events.has_within(0.05, Stopped, lambda event: True)
        scene.engine.advance(1)
        assert stopped.result(PATIENCE) == ends
        locked = [task.id for task in scene.client.list(ExternalTaskQuery().locked())]
        job.end()
        scene.reported()

    assert locked == [task_id]
    left = [
        m for m in caplog.messages if m.startswith(f"task {task_id} of topic 'invoice' is left")
    ]
    assert len(left) == 1
    assert "in __call__\n    assert self._ending.acquire(" in left[0]


def test_a_handler_may_stop_the_worker(scene: Scene) -> None:
    """
    It cannot wait for that, as the stop waits for it.
    """
    seen = []

    worker = scene.worker(slots=2)

    @worker.handles("invoice")
    def charge(task: Task) -> None:
        before = task.stopping
        stopped = worker.stop()
        seen.append((before, stopped, task.wait(600), task.stopping))

    scene.engine.create_task("invoice")
    with scene.working(worker):
        scene.wait_until(lambda: scene.events.of(Stopped), advance=0.2)

    assert seen == [(False, Stopped(), False, True)]
    assert scene.results() == [("Completed", "done")]


def test_a_handler_that_is_told_to_stop_gives_its_task_back(scene: Scene) -> None:
    """
    With its retries as they were.
    """
    worker = scene.worker(slots=1)

    @worker.handles("invoice")
    def charge(task: Task) -> None:
        task.wait(600)
        task.check()

    task_id = scene.engine.create_task("invoice")
    with scene.working(worker):
        scene.events.wait_for(Began)

    task = scene.task(task_id)
    assert scene.results() == [("Abandoned", "unlocked")]
    assert (task.worker_id, task.retries, task.error_message) == (None, None, None)


def test_several_stops_at_once_are_one(scene: Scene) -> None:
    """
    All of them wait for it, and get the same.
    """
    worker, job = scene.worker(slots=2), Job()
    worker.handles("invoice")(job)
    scene.engine.create_task("invoice")
    with ThreadPoolExecutor(8) as pool, scene.working(worker):
        job.begun()
        stops = [pool.submit(worker.stop, 600) for _ in range(8)]
        scene.events.wait_for(Stopping)
        assert not any(stop.done() for stop in stops)
        job.end()
        scene.wait_until(lambda: all(stop.done() for stop in stops), advance=0.2)

    assert {stop.result() for stop in stops} == {worker.stop()}
    assert len(scene.events.of(Stopping)) == 1


def test_the_last_event_is_told_before_the_stop_returns(scene: Scene) -> None:
    """
    After it the program may end, and the hook's thread with it.
    """
    returned = threading.Event()
    in_time = []

    def slow(event: object) -> None:
        if isinstance(event, Stopped):
            in_time.append(not returned.wait(0.1))

    worker = scene.worker(hooks=[slow])
    worker.handles("invoice")(Job())
    with scene.working(worker):
        pass
    returned.set()

    assert in_time == [True]


def test_a_worker_may_stop_before_its_first_fetch(scene: Scene) -> None:
    """
    And before it starts; then it cannot start any more.
    """
    worker = scene.worker()
    worker.handles("invoice")(Job())
    assert worker.stop() == Stopped(left=(), exit_code=0)
    with pytest.raises(RuntimeError, match="can be started once: make another one"):
        worker.start()
    with pytest.raises(RuntimeError, match="can be started once: make another one"):
        worker.run()

    quick = scene.worker()
    quick.handles("invoice")(Job())
    with scene.working(quick):
        pass


def test_a_worker_starts_once(scene: Scene) -> None:
    """
    A second start would share ids and threads with the first.
    """
    worker = scene.worker()
    worker.handles("invoice")(Job())
    with scene.working(worker):
        with pytest.raises(RuntimeError, match="can be started once: make another one"):
            worker.start()
        with pytest.raises(RuntimeError, match="make another one for this"):
            worker.run_once()
        with pytest.raises(RuntimeError, match="register handlers before that"):
            worker.handles("render")
    with pytest.raises(RuntimeError, match="can be started once: make another one"):
        worker.start()


def test_run_ends_with_a_stop_from_a_handler(scene: Scene) -> None:
    """
    Its result is the exit code of the process.
    """
    worker = scene.worker(slots=1)

    @worker.handles("invoice")
    def charge(task: Task) -> None:
        worker.stop()

    scene.engine.create_task("invoice")
    with ThreadPoolExecutor() as pool:
        going_on = pool.submit(scene.wait_until, lambda: scene.events.of(Stopped), advance=0.2)
        assert worker.run() == 0
        going_on.result(PATIENCE)

    assert scene.results() == [("Completed", "done")]


def test_run_needs_the_main_thread(scene: Scene) -> None:
    """
    Only there can it get signals.
    """
    worker = scene.worker()
    worker.handles("invoice")(Job())
    with (
        ThreadPoolExecutor() as pool,
        pytest.raises(RuntimeError, match="needs the main thread"),
    ):
        pool.submit(worker.run).result(PATIENCE)


# ------------------------------------------------------------------------------- other processes

_AT_EXIT: Final = """
import sys, threading
from camunda_ext import ExternalTaskClient, Worker

begun = threading.Event()
worker = Worker(ExternalTaskClient(sys.argv[1]), async_response_timeout=200)

@worker.handles("invoice")
def charge(task):
    begun.set()
    return {"in_time": not task.wait(60)}

worker.start()
assert begun.wait(20)
"""


def run_program(program: str, engine: Engine) -> str:
    """
    Run a program that gets the engine's URL, and give what it has printed.
    """
    finished = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program, engine.url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    return finished.stdout


def test_a_program_that_ends_stops_its_worker() -> None:
    """
    The handler is told, and its result is reported before the process ends.
    """
    with Engine() as engine:
        task_id = engine.create_task("invoice")
        instance_id = engine.client().get(task_id).process_instance_id
        run_program(_AT_EXIT, engine)

        assert engine.variables(instance_id) == {"in_time": True}
        assert not engine.is_running(instance_id)


_FORK: Final = """
import os, sys
from camunda_ext import ExternalTaskClient, Worker

worker = Worker(ExternalTaskClient(sys.argv[1]), async_response_timeout=200)
worker.handles("invoice")(lambda task: None)
worker.start()
child = os.fork()
if not child:
    try:
        for call in (worker.start, worker.run, worker.stop, worker.health, worker.run_once,
                     worker.drain, lambda: worker.handles("render"), worker.__enter__):
            try:
                call()
            except RuntimeError as error:
                text = str(error).replace(str(os.getpid()), "CHILD")
                print(text.replace(str(os.getppid()), "PARENT"), flush=True)
            else:
                print("no error", flush=True)
    finally:
        os._exit(0)
os.waitpid(child, 0)
print(worker.stop(), flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_cannot_use_its_parents_worker() -> None:
    """
    The threads are in the parent alone, and the locks are the parent's.
    """
    with Engine() as engine:
        told = run_program(_FORK, engine).splitlines()

    refusal = (
        "this process, CHILD, is a fork of PARENT, which started the worker: start it after the "
        "fork"
    )
    assert told == [refusal] * 8 + ["Stopped(left=())"]


def test_reports_are_told_after_the_handlers_end(scene: Scene) -> None:
    """
    The events of one task come in their order.
    """
    worker = scene.worker(slots=1)
    worker.handles("invoice")(lambda task: None)
    scene.engine.create_task("invoice")
    with scene.working(worker):
        scene.reported()

    kinds = (Began, Ended, Reported)
    assert [type(e) for e in scene.events.of(object) if isinstance(e, kinds)] == list(kinds)
