"""
Two parts of a worker that meet at one task: each order of what they send and what they are told.

A proxy holds up one of the two until the test lets it go.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

from camunda_ext import ExternalTaskQuery, LockLost
from camunda_ext.worker import Abandoned, Failure, Stopped
from camunda_ext.worker.events import Began, Extended, Lost, Polled, Stopping, Swept
from tests.faults import Fault, FaultProxy, Plan, Request, always, only, sequence
from tests.faults.gates import Edited, Gate
from tests.worker.scene import NEVER, PATIENCE, Call, Job, Scene, after

Proxied = tuple[Scene, FaultProxy]
_FETCH: Final = "/fetchAndLock"


def both(*plans: Plan) -> Plan:
    """
    Let a request meet the first fault of several plans, each of which sees it.
    """

    def plan(request: Request) -> Fault | None:
        return next(filter(None, [one(request) for one in plans]), None)

    return plan


def is_sent(scene: Scene, operation: str) -> bool:
    """
    Tell whether a call of an operation ends in a time in which it could.
    """
    return scene.calls.has_within(NEVER, Call, lambda call: call.operation == operation)


def sent(scene: Scene, *operations: str) -> list[Call]:
    """
    Give what was sent of some operations, in the order of the answers.
    """
    return scene.calls.of(Call, lambda call: call.operation in operations)


def begun(scene: Scene, task_id: str) -> int:
    """
    Give how often a task has begun.
    """
    return len(scene.events.of(Began, lambda event: event.task.id == task_id))


# ------------------------------------------------------------------------ extension and report


def test_a_failure_waits_for_an_extension_under_way(proxied: Proxied) -> None:
    """
    An extension after the failure would put the retry off.
    """
    scene, proxy = proxied
    worker = scene.worker(slots=1, lock_duration=30_000)
    job = Job(Failure("no funds", retries=1, retry_timeout=60_000))
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    gate = Gate()
    proxy.plan = only("/extendLock", sequence(gate))
    with scene.working(worker):
        job.begun()
        scene.engine.advance(10)
        gate.wait()
        job.end()
        assert job.has_ended.wait(PATIENCE)
        was_early = is_sent(scene, "failure")
        gate.open()
        scene.reported()
        task = scene.task(task_id)

    assert not was_early
    assert sent(scene, "extend_lock", "failure") == [
        Call("extend_lock", None),
        Call("failure", None),
    ]
    assert (task.retries, task.lock_expiration_time) == (1, after(70))


def test_an_extension_that_comes_after_its_lock_takes_the_task_again(proxied: Proxied) -> None:
    """
    Nobody else has it, so the handler's work is worth something.
    """
    scene, proxy = proxied
    worker, job = scene.worker(slots=1, lock_duration=30_000), Job()
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    gate = Gate()
    proxy.plan = only("/extendLock", sequence(gate))
    with scene.working(worker):
        job.begun()
        scene.engine.advance(10)
        gate.wait()
        scene.engine.advance(31)
        gate.open()
        scene.events.wait_for(Extended)
        expiration = scene.task(task_id).lock_expiration_time
        job.end()
        scene.reported()

    assert sent(scene, "extend_lock", "lock") == [
        Call("extend_lock", LockLost),
        Call("lock", None),
    ]
    assert expiration == after(71)
    assert not scene.events.of(Lost)
    assert scene.results() == [("Completed", "done")]


def test_an_extension_that_comes_after_its_lock_learns_who_has_the_task(proxied: Proxied) -> None:
    """
    Another worker was quicker, and keeps the task.
    """
    scene, proxy = proxied
    worker, job = scene.worker(slots=1, lock_duration=30_000), Job()
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    gate = Gate()
    proxy.plan = only("/extendLock", sequence(gate))
    with scene.working(worker):
        task = job.begun()
        scene.engine.advance(10)
        gate.wait()
        scene.engine.advance(31)
        scene.take(task_id)
        gate.open()
        scene.events.wait_for(Lost)
        lost = task.lost
        job.end()
        scene.reported()
        theirs = scene.task(task_id)

    assert lost == "taken"
    assert scene.results() == [("Completed", "taken")]
    assert (theirs.worker_id, theirs.lock_expiration_time) == ("other", after(641))


def test_the_answer_to_an_extension_says_nothing_about_a_newer_lock(proxied: Proxied) -> None:
    """
    The worker's own poll has fetched the task again before the answer came.
    """
    scene, proxy = proxied
    worker, job = scene.worker(slots=2, lock_duration=30_000), Job()
    worker.handles("invoice")(job)
    scene.engine.create_task("invoice")
    gate = Gate(is_done=True)
    proxy.plan = only("/extendLock", sequence(gate))
    with scene.working(worker):
        job.begun()
        scene.engine.advance(10)
        gate.wait()
        scene.engine.advance(31)
        scene.events.wait_for(Polled, 2, lambda poll: poll.received == 1)
        scene.wait_for_next_poll()
        gate.open()
        scene.clock.wait_for("keeper", 51)
        extended = len(scene.events.of(Extended))
        job.end()
        scene.reported()

    assert extended == 0
    assert len(job.tasks) == 1
    assert scene.results() == [("Completed", "done")]


def test_an_unlock_waits_for_a_lock_under_way(proxied: Proxied) -> None:
    """
    A lock after the unlock would keep the task from everybody, although nobody handles it.
    """
    scene, proxy = proxied
    worker, job = scene.worker(slots=1, lock_duration=30_000), Job(Abandoned("it can wait"))
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    gate = Gate()
    proxy.plan = only("/lock", sequence(gate))
    with ThreadPoolExecutor() as pool, scene.working(worker):
        job.begun()
        scene.engine.advance(31)
        gate.wait()
        stopped = pool.submit(worker.stop, 600)
        scene.events.wait_for(Stopping)
        job.end()
        assert job.has_ended.wait(PATIENCE)
        was_early = is_sent(scene, "unlock")
        gate.open()
        assert stopped.result(PATIENCE) == Stopped(left=(), exit_code=0)
        unlocked = scene.task(task_id)

    assert not was_early
    assert sent(scene, "lock", "unlock") == [Call("lock", None), Call("unlock", None)]
    assert (unlocked.worker_id, unlocked.lock_expiration_time) == (None, None)


# ------------------------------------------------------------------------------- fetch and stop


def test_a_stop_between_a_fetch_and_its_queue_leaves_nothing(scene: Scene) -> None:
    """
    Each task has begun before the stop, or is unlocked.
    """

    def stop(event: object) -> None:
        if isinstance(event, Polled) and event.received:
            worker.stop()
            scene.events.wait_for(Stopping)

    worker = scene.worker(slots=3, hooks=[stop])
    worker.handles("invoice")(lambda task: None)
    ids = {scene.engine.create_task("invoice") for _ in range(3)}
    with scene.working(worker):
        scene.events.wait_for(Stopping)
        scene.reported(3)
        scene.wait_until(lambda: scene.events.of(Stopped), advance=0.2)

    assert set(scene.results()) <= {("Completed", "done"), ("Abandoned", "unlocked")}
    unlocked = scene.results().count(("Abandoned", "unlocked"))
    assert scene.client.count() == unlocked
    assert {task.id for task in scene.client.list()} <= ids
    assert scene.client.count(ExternalTaskQuery().locked()) == 0


def test_a_stop_waits_for_the_sweep_of_the_fetch_that_it_waits_for(proxied: Proxied) -> None:
    """
    The answer is lost, and what it has locked is found and unlocked.
    """
    scene, proxy = proxied
    worker, job = scene.worker(slots=2), Job()
    worker.handles("invoice")(job)
    gate = Gate(is_done=True, is_lost=True)
    proxy.plan = only(_FETCH, sequence(gate))
    ids = [scene.engine.create_task("invoice") for _ in range(2)]
    with ThreadPoolExecutor() as pool, scene.working(worker):
        gate.wait()
        stopped = pool.submit(worker.stop, 600)
        scene.events.wait_for(Stopping)
        gate.open()
        assert stopped.result(PATIENCE) == Stopped(left=(), exit_code=0)

    assert [sorted(event.task_ids) for event in scene.events.of(Swept)] == [ids]
    assert not job.tasks
    assert scene.client.count(ExternalTaskQuery().locked()) == 0


def test_a_stop_sweeps_for_as_long_as_a_lost_fetch_may_lock(proxied: Proxied) -> None:
    """
    The engine waits for tasks on behalf of a client that has gone.
    """
    scene, proxy = proxied
    worker, job = scene.worker(slots=1, async_response_timeout=5_000), Job()
    worker.handles("invoice")(job)
    with ThreadPoolExecutor() as pool, scene.working(worker):
        scene.wait_for_next_poll()
        stopped = pool.submit(worker.stop, 600)
        scene.events.wait_for(Stopping)
        with proxy.outage():
            scene.calls.wait_for(Call, 1, lambda call: call.operation == "list")
        scene.clock.wait_in("keeper")
        task_id = scene.engine.create_task("invoice")
        scene.wait_until(lambda: scene.task(task_id).worker_id is not None)
        assert not stopped.done()
        scene.engine.advance(1)
        assert stopped.result(PATIENCE) == Stopped(left=(), exit_code=0)

    assert [tuple(event.task_ids) for event in scene.events.of(Swept)] == [(task_id,)]
    assert scene.task(task_id).worker_id is None
    assert not job.tasks


# ------------------------------------------------------------------------------ report and fetch


def at_once() -> Failure:
    """
    Give a failure after which the task can be fetched at once.
    """
    return Failure("no funds", retries=1, retry_timeout=0)


def test_a_task_that_failed_is_fetched_again_when_its_slot_has_finished(proxied: Proxied) -> None:
    """
    The plain order: first the answer to the failure, then the fetch.
    """
    scene, _ = proxied
    worker, job = scene.worker(slots=2), Job(at_once())
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    with scene.working(worker):
        job.begun()
        job.end()
        scene.reported()
        scene.engine.advance(0.1)  # the end of the poll
        job.begun(2)
        job.outcome = None
        job.end()
        scene.reported(2)

    assert scene.results() == [("Failure", "done"), ("Completed", "done")]
    assert scene.is_committed(task_id)


def test_a_task_that_failed_is_fetched_again_before_its_slot_has_finished(
    proxied: Proxied,
) -> None:
    """
    It waits for the answer to the failure, and then begins again.
    """
    scene, proxy = proxied
    worker, job = scene.worker(slots=2), Job(at_once())
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    gate = Gate(is_done=True)
    proxy.plan = only("/failure", sequence(gate))
    with scene.working(worker):
        job.begun()
        scene.wait_for_next_poll()
        job.end()
        gate.wait()
        scene.engine.advance(0.1)
        scene.events.wait_for(Polled, 2, lambda poll: poll.received == 1)
        scene.wait_for_next_poll()
        early = begun(scene, task_id)
        gate.open()
        job.begun(2)
        job.outcome = None
        job.end()
        scene.reported(2)

    assert early == 1
    assert scene.results() == [("Failure", "done"), ("Completed", "done")]
    assert scene.is_committed(task_id)


@pytest.mark.parametrize("is_failure_first", [True, False])
def test_a_fetch_from_before_the_failure_does_not_bring_the_retry_forward(
    proxied: Proxied, is_failure_first: bool
) -> None:
    """
    Somebody unlocked the task, the worker's own poll fetched it again, and only then its failure
    was reported; whichever answer comes first.
    """
    scene, proxy = proxied
    worker = scene.worker(slots=2)
    job = Job(Failure("no funds", retries=1, retry_timeout=600_000))
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    fetch, failure = Gate(is_done=True), Gate(is_done=True)
    proxy.plan = both(only(_FETCH, sequence(None, fetch)), only("/failure", sequence(failure)))
    with scene.working(worker):
        job.begun()
        scene.wait_for_next_poll()
        scene.client.unlock(task_id)
        fetch.wait()
        job.end()
        failure.wait()
        if is_failure_first:
            failure.open()
            scene.reported()
        fetch.open()
        scene.events.wait_for(Polled, 2, lambda poll: poll.received == 1)
        scene.wait_for_next_poll()
        failure.open()
        scene.reported()
        waiting = scene.task(task_id)
        early = begun(scene, task_id)
        scene.engine.advance(601)
        job.begun(2)
        job.outcome = None
        job.end()
        scene.reported(2)

    assert early == 1
    assert waiting.lock_expiration_time == after(600)
    assert scene.results() == [("Failure", "done"), ("Completed", "done")]


def test_a_retry_that_an_operator_brings_forward_begins(scene: Scene) -> None:
    """
    It was unlocked by hand, and the fetch has its lock indeed.
    """
    worker = scene.worker(slots=1)
    job = Job(Failure("no funds", retries=1, retry_timeout=600_000))
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    with scene.working(worker):
        job.begun()
        job.end()
        scene.reported()
        scene.wait_for_next_poll()
        scene.client.unlock(task_id)
        job.begun(2)
        job.outcome = None
        job.end()
        scene.reported(2)

    assert scene.results() == [("Failure", "done"), ("Completed", "done")]


def test_a_task_that_is_given_back_is_fetched_again_before_its_unlock_is_answered(
    proxied: Proxied,
) -> None:
    """
    The unlock wakes the worker's own poll; the task begins when the unlock is settled.
    """
    scene, proxy = proxied
    worker = scene.worker(slots=2)
    job = Job(Abandoned("it can wait"))
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    gate = Gate(is_done=True)
    proxy.plan = only("/unlock", sequence(gate))
    with scene.working(worker):
        job.begun()
        scene.wait_for_next_poll()
        job.end()
        gate.wait()
        scene.events.wait_for(Polled, 2, lambda poll: poll.received == 1)
        scene.wait_for_next_poll()
        early = begun(scene, task_id)
        gate.open()
        job.begun(2)
        job.outcome = None
        job.end()
        scene.reported(2)

    assert early == 1
    assert scene.results() == [("Abandoned", "unlocked"), ("Completed", "done")]
    assert scene.is_committed(task_id)


def test_an_engine_may_round_the_ends_of_locks(proxied: Proxied) -> None:
    """
    MySQL keeps whole seconds, but the answer to a fetch has milliseconds.
    """
    scene, proxy = proxied
    worker = scene.worker(slots=2)
    job = Job(Abandoned("it can wait"))
    worker.handles("invoice")(job)
    scene.engine.advance(0.6)
    task_id = scene.engine.create_task("invoice")
    looks: list[str] = []

    def round_up(task: dict[str, str]) -> dict[str, str]:
        looks.append(task["lockExpirationTime"])
        return {**task, "lockExpirationTime": "2023-11-14T22:13:51.000+0000"}

    gate = Gate(is_done=True)
    proxy.plan = both(
        only("/unlock", sequence(gate)), only(task_id, always(Edited(round_up)), method="GET")
    )
    with scene.working(worker):
        job.begun()
        scene.wait_for_next_poll()
        job.end()
        gate.wait()
        scene.events.wait_for(Polled, 2, lambda poll: poll.received == 1)
        scene.wait_for_next_poll()
        gate.open()
        job.begun(2)
        job.outcome = None
        job.end()
        scene.reported(2)

    assert looks == ["2023-11-14T22:13:50.600+0000"]
    assert scene.results() == [("Abandoned", "unlocked"), ("Completed", "done")]
