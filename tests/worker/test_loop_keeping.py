"""
How a worker in threads keeps the locks of its tasks, and learns that it has lost one.
"""

from __future__ import annotations

import pytest

from camunda_ext import LockLost, NotSent, Suspended
from camunda_ext.testing import Fault
from camunda_ext.worker import Abandoned, Failure, Task
from camunda_ext.worker.events import Began, Extended, Lost
from tests.worker.scene import Call, Job, Scene, after


def losses(scene: Scene) -> list[tuple[str | None, str | None]]:
    """
    Give why tasks were lost, and who has them.
    """
    return [(e.task.lost, e.worker_id) for e in scene.events.of(Lost)]


def keeping_calls(scene: Scene) -> list[Call]:
    """
    Give what was sent to keep locks.
    """
    return scene.calls.of(Call, lambda call: call.operation in ("extend_lock", "lock"))


def test_a_lock_is_extended_when_a_third_of_it_is_over(scene: Scene) -> None:
    """
    And again after each third; so two more tries fit into the rest of a lock.
    """
    worker, job = scene.worker(slots=1, lock_duration=30_000), Job()
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    expirations = []
    with scene.working(worker):
        job.begun()
        for next_due in (10, 20, 20, 30, 30, 40):
            scene.engine.advance(5)
            scene.clock.wait_for("keeper", next_due)
            expirations.append(scene.task(task_id).lock_expiration_time)
        job.end()
        scene.reported()

    assert expirations == [after(seconds) for seconds in (30, 40, 40, 50, 50, 60)]
    assert [event.seconds for event in scene.events.of(Extended)] == [30.0, 30.0, 30.0]
    assert scene.results() == [("Completed", "done")]


def test_a_handler_shorter_than_a_third_of_its_lock_costs_no_extension(scene: Scene) -> None:
    """
    Its requests are one fetch and one report.
    """
    worker, job = scene.worker(slots=1, lock_duration=30_000), Job()
    worker.handles("invoice")(job)
    scene.engine.create_task("invoice")
    with scene.working(worker):
        job.begun()
        scene.engine.advance(9.9)
        job.end()
        scene.reported()

    assert keeping_calls(scene) == []


def test_a_handler_may_want_longer_extensions(scene: Scene) -> None:
    """
    The lock is extended at once, and each time by the new duration.
    """
    worker, job = scene.worker(slots=1, lock_duration=30_000), Job()
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    with scene.working(worker):
        job.begun().extend_lock(90_000)
        first = scene.task(task_id).lock_expiration_time
        scene.engine.advance(30)
        scene.events.wait_for(Extended, 2)
        second = scene.task(task_id).lock_expiration_time
        job.end()
        scene.reported()

    assert (first, second) == (after(90), after(120))
    assert len(keeping_calls(scene)) == 2


def test_a_lock_that_has_expired_is_taken_again_while_nobody_else_has_it(scene: Scene) -> None:
    """
    Only the engine can say that a lock is lost, and it says that nobody has it.
    """
    worker, job = scene.worker(slots=1, lock_duration=30_000), Job()
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    with scene.working(worker):
        task = job.begun()
        scene.engine.advance(31)
        scene.events.wait_for(Extended)
        again = scene.task(task_id)
        job.end()
        scene.reported()

    assert (again.worker_id, again.lock_expiration_time) == (task.worker_id, after(61))
    assert keeping_calls(scene) == [Call("extend_lock", LockLost), Call("lock", None)]
    assert losses(scene) == []
    assert scene.results() == [("Completed", "done")]
    assert scene.is_committed(task_id)


def test_a_task_that_another_worker_has_is_lost(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """
    The handler is told, and its result is dropped without a request.
    """
    worker = scene.worker(slots=1, lock_duration=30_000)
    waited = []

    @worker.handles("invoice")
    def charge(task: Task) -> dict[str, int]:
        waited.append(task.wait(600))
        return {"amount": 1}

    task_id = scene.engine.create_task("invoice")
    with scene.working(worker):
        task = scene.events.wait_for(Began).task
        scene.client.unlock(task_id)
        scene.take(task_id)
        scene.engine.advance(10)
        scene.reported()
        theirs = scene.task(task_id)

    assert waited == [False]
    assert losses(scene) == [("taken", "other")]
    assert scene.results() == [("Completed", "taken")]
    assert (theirs.worker_id, theirs.lock_expiration_time) == ("other", after(600))
    assert not scene.calls.of(Call, lambda call: call.operation == "complete")
    with pytest.raises(Abandoned, match="the task is lost: taken"):
        task.check()
    taken = f"task {task_id}: worker other has taken it from {task.worker_id}"
    assert [m for m in caplog.messages if m.startswith(taken)] == [
        f"{taken}, whose lock had run out or was removed"
    ]


def test_a_cancelled_task_is_gone(scene: Scene) -> None:
    """
    The extension of its lock is the way to learn of it.
    """
    worker = scene.worker(slots=1, lock_duration=30_000)
    waited = []

    @worker.handles("invoice")
    def charge(task: Task) -> None:
        waited.append(task.wait(600))
        task.check()

    task_id = scene.engine.create_task("invoice")
    with scene.working(worker):
        scene.events.wait_for(Began)
        scene.cancel(task_id)
        scene.engine.advance(10)
        scene.reported()

    assert waited == [False]
    assert losses(scene) == [("gone", None)]
    assert scene.results() == [("Abandoned", "gone")]
    assert not scene.calls.of(Call, lambda call: call.operation == "unlock")


def test_a_suspended_task_is_kept_and_its_result_is_held(scene: Scene) -> None:
    """
    The engine refuses extensions and results then, but not a new lock.
    """
    worker, job = scene.worker(slots=1, lock_duration=30_000), Job({"amount": 1})
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    with scene.working(worker):
        job.begun()
        scene.suspend(task_id)
        scene.engine.advance(10)
        scene.events.wait_for(Extended)
        kept = scene.task(task_id).lock_expiration_time
        job.end()
        scene.events.wait_for(Extended, 2)  # once the result is refused
        scene.suspend(task_id, suspended=False)
        scene.engine.advance(5)
        scene.reported()

    assert kept == after(40)
    assert keeping_calls(scene) == [Call("extend_lock", Suspended), Call("lock", None)] * 2
    assert scene.results() == [("Completed", "done")]
    assert len(job.tasks) == 1
    assert scene.is_committed(task_id)


def test_a_result_is_held_for_so_long_and_then_the_suspended_task_is_unlocked(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """
    The log tells which variables are lost, but not their values.
    """
    worker = scene.worker(slots=1, lock_duration=30_000, hold_results=12)
    job = Job({"amount": 271828})
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    with scene.working(worker):
        job.begun()
        scene.suspend(task_id)
        job.end()
        for attempt in (1, 2):
            scene.events.wait_for(Extended, attempt)
            scene.engine.advance(5)
        scene.reported()
        left = scene.task(task_id)

    assert (
        scene.calls.of(Call, lambda call: call.operation == "complete")
        == [Call("complete", Suspended)] * 3
    )
    assert scene.results() == [("Abandoned", "unlocked")]
    assert (left.worker_id, left.lock_expiration_time, left.retries) == (None, None, None)
    dropped = [message for message in caplog.messages if "is dropped" in message]
    assert len(dropped) == 1
    assert dropped[0].startswith(f"task {task_id}: its result could not be reported in time")
    assert dropped[0].endswith("it has the variables 'amount'")
    assert "271828" not in caplog.text


def test_a_failure_of_a_suspended_task_is_held_like_a_result(scene: Scene) -> None:
    """
    It is reported when the process instance goes on.
    """
    worker = scene.worker(slots=1, lock_duration=30_000)
    job = Job(Failure("no funds", retries=1, retry_timeout=60_000))
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    with scene.working(worker):
        job.begun()
        scene.suspend(task_id)
        job.end()
        scene.events.wait_for(Extended)
        scene.suspend(task_id, suspended=False)
        scene.engine.advance(5)
        scene.reported()
        task = scene.task(task_id)

    assert scene.results() == [("Failure", "done")]
    assert (task.retries, task.lock_expiration_time) == (1, after(65))


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.LOST_ANSWER, Fault.UNAVAILABLE])
def test_an_extension_that_fails_is_tried_again_soon(scene: Scene, fault: Fault) -> None:
    """
    After a second, which is long before the lock ends.
    """
    worker, job = scene.worker(slots=1, lock_duration=30_000), Job()
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    with scene.working(worker):
        job.begun()
        scene.engine.faults.add(fault, operation="extend_lock", times=2)
        scene.engine.advance(10)
        for due in (11, 12):
            scene.clock.wait_for("keeper", due)
            scene.engine.advance(1)
        scene.events.wait_for(Extended)
        expiration = scene.task(task_id).lock_expiration_time
        job.end()
        scene.reported()

    assert expiration == after(42)
    assert losses(scene) == []
    assert scene.results() == [("Completed", "done")]


def test_an_engine_without_lock_gets_the_result_nevertheless(scene: Scene) -> None:
    """
    7.14 cannot lock a task anew, but it takes the result while nobody else has the task.
    """
    worker, job = scene.worker(slots=1, lock_duration=30_000), Job()
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    with scene.working(worker):
        job.begun()
        scene.engine.faults.add(Fault.REFUSED, operation="lock")
        scene.engine.advance(31)
        scene.calls.wait_for(Call, 1, lambda call: call == Call("lock", NotSent))
        job.end()
        scene.reported()

    assert losses(scene) == []
    assert scene.results() == [("Completed", "done")]
    assert scene.is_committed(task_id)
