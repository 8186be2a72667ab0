"""
What happens in the threads of a worker while handlers run, and what if a thread or a handler fails.
"""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable
from typing import Any, Final

import pytest

from camunda_ext import Handlers
from camunda_ext.testing import Clock
from camunda_ext.worker import Health, Stopped, Task, TaskRetries, current_task
from camunda_ext.worker.events import Began, Ended, Polled, Reported, Stopping, Stuck
from tests.worker.scene import Job, Scene, WatchedClock, after

# ---------------------------------------------------------------------------------- stuck handlers


def test_a_handler_that_takes_too_long_is_reported_and_misses_its_slot(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """
    The others go on; the handler is not interrupted, and its result is dropped when it ends.
    """
    worker = scene.worker(slots=4, task_timeout=10, retries=TaskRetries(600_000))
    hanging, job = Job(), Job()
    worker.handles("hang", retries=TaskRetries(600_000))(hanging)
    worker.handles("invoice")(job)
    stuck_id = scene.engine.create_task("hang")
    with scene.working(worker):
        hanging.begun()
        scene.engine.advance(10)
        stuck = scene.events.wait_for(Stuck)
        scene.reported()
        failed = scene.task(stuck_id)
        details = scene.client.error_details(stuck_id)
        for _ in range(3):
            scene.engine.create_task("invoice")
        job.begun(3)
        scene.clock.wait_in("poller")  # three slots are left, and busy
        scene.engine.create_task("invoice")
        health = worker.health()
        hanging.end()
        job.begun(4)
        job.end(4)
        scene.reported(5)

    assert (stuck.lane, stuck.task.id) == ("", stuck_id)
    assert "in __call__\n    assert self._ending.acquire(" in stuck.stack
    assert (failed.retries, failed.error_message) == (
        1,
        "TimeoutError: the handler has not ended after 10 seconds",
    )
    assert details == f"{failed.error_message}\n{stuck.stack}"
    assert health == Health(live=True, ready=True)
    assert scene.results() == [("Failure", "done")] + [("Completed", "done")] * 4
    assert not scene.events.of(Ended, lambda event: event.task.id == stuck_id)
    assert (
        f"task {stuck_id}: its handler has ended after its time; the slot is back"
    ) in caplog.messages


def test_a_worker_whose_handlers_all_hang_ends(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Whoever watches over the process starts it anew.
    """
    healths = []

    def look(event: object) -> None:
        if isinstance(event, Stopping):
            healths.append(worker.health())

    worker = scene.worker(slots=4, retries=TaskRetries(600_000), hooks=[look])
    hanging = Job()
    worker.handles("hang", task_timeout=10)(hanging)
    for _ in range(5):
        scene.engine.create_task("hang")
    with scene.working(worker, ends=Stopped(exit_code=70)):
        hanging.begun(4)
        scene.engine.advance(10)
        scene.wait_until(lambda: scene.events.of(Stopped), advance=0.2)
        hanging.end(4)

    reason = "all slots of lane '' are stuck"
    assert [event.reason for event in scene.events.of(Stopping)] == [reason]
    assert healths == [
        Health(live=False, ready=False, reasons=(reason, "all slots are stuck", "it is stopping"))
    ]
    assert scene.results() == [("Failure", "done")] * 4
    assert [r.getMessage() for r in caplog.records if r.levelno == logging.CRITICAL] == [
        "the worker stops: all slots of lane '' are stuck"
    ]


def test_a_task_knows_when_its_time_is_over(scene: Scene) -> None:
    """
    Only a handler with a time-out has a deadline.
    """
    handlers = Handlers()
    deadlines = {}

    @handlers.handles("invoice", task_timeout=10)
    def charge(task: Task) -> None:
        deadlines["invoice"] = task.deadline is not None

    @handlers.handles("render")
    def render(task: Task) -> None:
        deadlines["render"] = task.deadline is not None

    worker = scene.worker(handlers)
    scene.engine.create_task("invoice")
    scene.engine.create_task("render")
    with scene.working(worker):
        scene.reported(2)

    assert deadlines == {"invoice": True, "render": False}


# ------------------------------------------------------------------------------------ dead threads


class Sabotage(BaseException):
    """
    What nobody foresees in a thread of the worker.
    """


def sabotaged(scene: Scene, victim: str, armed: threading.Event) -> WatchedClock:
    """
    Give a clock that fails in one thread of the worker once it is armed.
    """

    def now() -> int:
        if armed.is_set() and threading.current_thread().name == f"camunda-ext {victim}":
            raise Sabotage(victim)
        return round(scene.engine.clock.now() * 1000)

    return WatchedClock(Clock(now))


@pytest.mark.parametrize("victim", ["poller", "keeper", "slot 1"])
def test_a_worker_one_of_whose_threads_dies_ends(
    scene: Scene, caplog: pytest.LogCaptureFixture, victim: str
) -> None:
    """
    A process that seems healthy and does nothing is worse than one that is started anew.
    """
    armed = threading.Event()
    healths = []

    def look(event: object) -> None:
        if isinstance(event, Stopping):
            healths.append(worker.health())

    clock = sabotaged(scene, victim, armed)
    worker, job = scene.worker(slots=1, clock=clock, hooks=[look]), Job()
    worker.handles("invoice")(job)
    scene.engine.create_task("invoice")
    with scene.working(worker, ends=Stopped(exit_code=70)):
        job.begun()
        job.end(2)
        scene.reported()
        armed.set()
        scene.engine.create_task("invoice")
        scene.wait_until(lambda: scene.events.of(Stopped), advance=0.2)

    reason = f"its thread {victim!r} has died: Sabotage({victim!r})"
    assert [event.reason for event in scene.events.of(Stopping)] == [reason]
    assert healths == [Health(live=False, ready=False, reasons=(reason, "it is stopping"))]
    assert [r.getMessage() for r in caplog.records if r.levelno == logging.CRITICAL] == [
        f"the thread {victim!r} of the worker has died",
        f"the worker stops: {reason}",
    ]


def test_a_worker_whose_poller_dies_does_not_wait_for_it(scene: Scene) -> None:
    """
    Nothing is under way any more, so the stop takes no time.
    """
    armed = threading.Event()
    worker = scene.worker(slots=1, clock=sabotaged(scene, "poller", armed))
    worker.handles("invoice")(Job())
    with scene.working(worker, ends=Stopped(exit_code=70)):
        scene.wait_for_next_poll()
        armed.set()
        scene.engine.advance(0.1)
        scene.events.wait_for(Stopped)
        now = scene.engine.now

    assert now == after(0.1)


# ----------------------------------------------------------------------------- around the handlers


def test_a_hook_that_raises_is_logged_once_and_told_on(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """
    A mistake in somebody's metrics must not stop the work.
    """
    told = []

    def wrong(event: object) -> None:
        told.append(type(event))
        raise LookupError("no such metric")

    worker = scene.worker(slots=1, hooks=[wrong])
    worker.handles("invoice")(lambda task: None)
    for _ in range(3):
        scene.engine.create_task("invoice")
    with scene.working(worker):
        scene.reported(3)

    failed = [r for r in caplog.records if r.getMessage().startswith("a hook of the worker")]
    assert len(failed) == 1
    assert failed[0].exc_info is not None
    assert isinstance(failed[0].exc_info[1], LookupError)
    assert scene.results() == [("Completed", "done")] * 3
    assert told.count(Reported) == 3
    assert told.count(Began) == 3


def test_middleware_is_around_each_handler_in_its_order(scene: Scene) -> None:
    """
    That of the worker is outside of the topic's, the first of each outermost.
    """
    steps: list[str] = []

    def step(name: str) -> Callable[[Task, Callable[[], Any]], Any]:
        def middleware(task: Task, call_next: Callable[[], Any]) -> Any:
            steps.append(f"{name} in")
            result = call_next()
            steps.append(f"{name} out")
            return {**result, name: True}

        return middleware

    handlers = Handlers()

    @handlers.handles("invoice", middleware=[step("c"), step("d")])
    def charge(task: Task) -> dict[str, bool]:
        steps.append("handler")
        return {}

    worker = scene.worker(handlers, slots=1, middleware=[step("a"), step("b")])
    task_id = scene.engine.create_task("invoice")
    instance_id = scene.task(task_id).process_instance_id
    with scene.working(worker):
        scene.reported()

    assert steps == [
        "a in",
        "b in",
        "c in",
        "d in",
        "handler",
        "d out",
        "c out",
        "b out",
        "a out",
    ]
    assert scene.engine.variables(instance_id) == dict.fromkeys("dcba", True)


def test_what_middleware_raises_is_the_handlers_failure(scene: Scene) -> None:
    """
    It is the user's code, as the handler is.
    """

    def broken(task: Task, call_next: Callable[[], Any]) -> Any:
        call_next()
        raise LookupError("no such span")

    worker = scene.worker(slots=1, middleware=[broken])
    worker.handles("invoice")(lambda task: None)
    task_id = scene.engine.create_task("invoice")
    with scene.working(worker):
        scene.reported()

    assert scene.results() == [("Failure", "done")]
    assert scene.task(task_id).error_message == "LookupError: no such span"


_STATE: Final[contextvars.ContextVar[str]] = contextvars.ContextVar("state")


def test_nothing_of_one_task_is_left_for_the_next(scene: Scene) -> None:
    """
    Each handler has a context of its own, though they share a thread.
    """
    seen = []

    def charge(task: Task) -> None:
        seen.append((threading.get_ident(), _STATE.get("nothing"), current_task() is task))
        _STATE.set(task.id)

    worker = scene.worker(slots=1)
    worker.handles("invoice")(charge)
    for _ in range(3):
        scene.engine.create_task("invoice")
    with scene.working(worker):
        scene.reported(3)

    assert len({thread for thread, _, _ in seen}) == 1
    assert [(state, is_current) for _, state, is_current in seen] == [("nothing", True)] * 3
    assert current_task() is None


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_whatever_a_handler_raises_is_a_failure(scene: Scene, error: BaseException) -> None:
    """
    Its slot goes on to the next task.
    """
    worker, job = scene.worker(slots=1, retries=TaskRetries(600_000)), Job(error)
    worker.handles("invoice")(job)
    ids = [scene.engine.create_task("invoice") for _ in range(2)]
    with scene.working(worker):
        job.begun()
        job.end()
        job.begun(2)
        job.outcome = None
        job.end()
        scene.reported(2)

    assert scene.results() == [("Failure", "done"), ("Completed", "done")]
    assert scene.task(ids[0]).retries == 1
    assert {event.asked for event in scene.events.of(Polled)} == {1}
