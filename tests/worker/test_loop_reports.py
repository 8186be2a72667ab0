"""
How a worker in threads reports, until it knows the engine's answer or cannot know it.
"""

from __future__ import annotations

from typing import Final

import pytest

from camunda_ext import (
    BadRequest,
    Conflict,
    EngineFailure,
    LockLost,
    NotSent,
    OutcomeUnknown,
    TaskNotFound,
)
from camunda_ext.testing import Fault
from camunda_ext.variables import VariableValue
from camunda_ext.worker import Failure, Stopped, TaskRetries
from camunda_ext.worker.events import Extended, Lost, Reported
from tests.worker.scene import Call, Job, Scene, after

#: A process whose next task has a topic that no engine can find out.
_BROKEN: Final = """\
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"
    xmlns:camunda="http://camunda.org/schema/1.0/bpmn" targetNamespace="testing">
  <process id="order" isExecutable="true" camunda:historyTimeToLive="1">
    <startEvent id="start"/>
    <sequenceFlow id="first" sourceRef="start" targetRef="charge"/>
    <serviceTask id="charge" camunda:type="external" camunda:topic="invoice"/>
    <sequenceFlow id="second" sourceRef="charge" targetRef="next"/>
    <serviceTask id="next" camunda:type="external" camunda:topic="${missing}"/>
    <sequenceFlow id="third" sourceRef="next" targetRef="end"/>
    <endEvent id="end"/>
  </process>
</definitions>
"""


def sent(scene: Scene, *operations: str) -> list[Call]:
    """
    Give what was sent of some operations.
    """
    return scene.calls.of(Call, lambda call: call.operation in operations)


def test_a_result_is_sent_again_while_a_gateway_says_503(scene: Scene) -> None:
    """
    The handler runs once, however often its result is sent.
    """
    worker, job = scene.worker(slots=1), Job({"amount": 1})
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    scene.engine.faults.add(Fault.UNAVAILABLE, operation="complete", times=5)
    with scene.working(worker):
        job.begun()
        job.end()
        for attempt in range(1, 6):
            scene.calls.wait_for(Call, attempt, lambda call: call.operation == "complete")
            scene.clock.wait_in("slot 1")
            scene.engine.advance(2)  # more than the longest wait after five attempts
        scene.reported()

    assert sent(scene, "complete") == [Call("complete", OutcomeUnknown)] * 5 + [
        Call("complete", None)
    ]
    assert scene.results() == [("Completed", "done")]
    assert len(job.tasks) == 1
    assert scene.is_committed(task_id)


def test_the_lock_is_kept_while_a_result_is_sent_again(scene: Scene) -> None:
    """
    An outage may last for many times the lock.
    """
    worker, job = scene.worker(slots=1, lock_duration=30_000), Job()
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    with scene.working(worker):
        job.begun()
        scene.engine.faults.add(Fault.REFUSED, operation="complete")
        job.end()
        for number in range(1, 16):
            scene.clock.wait_in("slot 1")
            scene.engine.advance(10)
            scene.events.wait_for(Extended, number)
        expiration = scene.task(task_id).lock_expiration_time
        scene.engine.faults.clear()
        scene.engine.advance(30)
        scene.reported()

    assert expiration == after(180)
    assert not scene.events.of(Lost)
    assert scene.results() == [("Completed", "done")]
    assert scene.is_committed(task_id)


def test_a_result_is_dropped_after_so_long(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """
    The log tells which variables are lost, but not their values.
    """
    worker = scene.worker(slots=1, lock_duration=30_000, hold_results=1)
    job = Job({"amount": 271828})
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    scene.engine.faults.add(Fault.REFUSED, operation="complete")
    with scene.working(worker):
        job.begun()
        job.end()
        scene.clock.wait_in("slot 1")
        scene.engine.advance(0.95)
        scene.reported()
        scene.engine.advance(60)  # the lock runs out
        job.begun(2)
        scene.engine.faults.clear()
        job.end()
        scene.reported(2)

    assert sent(scene, "complete") == [Call("complete", NotSent)] * 2 + [Call("complete", None)]
    assert scene.results() == [("Completed", "left"), ("Completed", "done")]
    dropped = [message for message in caplog.messages if "is dropped" in message]
    assert len(dropped) == 1
    assert dropped[0].startswith(f"task {task_id}: its result could not be reported in time")
    assert dropped[0].endswith("it has the variables 'amount'")
    assert "271828" not in caplog.text


def test_a_result_whose_answer_is_lost_is_not_done_twice(scene: Scene) -> None:
    """
    The client finds in the engine's history that the first attempt has done it.
    """
    worker, job = scene.worker(slots=1, retry=True), Job({"amount": 1})
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    scene.engine.faults.add(Fault.LOST_ANSWER, operation="complete", times=1)
    with scene.working(worker):
        job.begun()
        job.end()
        scene.reported()

    assert scene.results() == [("Completed", "done")]
    assert len(job.tasks) == 1
    assert scene.is_committed(task_id)


def test_a_task_that_is_gone_after_a_lost_answer_is_unproven(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """
    It may have been cancelled as well, and a client that does not look cannot tell.
    """
    worker, job = scene.worker(slots=1), Job({"amount": 1})
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    scene.engine.faults.add(Fault.LOST_ANSWER, operation="complete", times=1)
    with scene.working(worker):
        job.begun()
        job.end()
        scene.clock.wait_in("slot 1")
        scene.engine.advance(1)
        scene.reported()

    assert sent(scene, "complete") == [
        Call("complete", OutcomeUnknown),
        Call("complete", TaskNotFound),
    ]
    assert scene.results() == [("Completed", "unproven")]
    assert not scene.events.of(Lost)
    assert (
        f"task {task_id}: it has ended, but there was no answer to tell whether by this worker"
    ) in caplog.messages


def test_it_is_unproven_as_well_if_the_keeper_sees_it_first(scene: Scene) -> None:
    """
    What has no answer and is gone has not been cancelled for certain.
    """
    worker, job = scene.worker(slots=1, lock_duration=30_000), Job({"amount": 1})
    worker.handles("invoice")(job)
    scene.engine.create_task("invoice")
    scene.engine.faults.add(Fault.LOST_ANSWER, operation="complete", times=1)
    with scene.working(worker):
        job.begun()
        scene.engine.faults.add(Fault.REFUSED, operation="extend_lock", times=1)
        scene.engine.advance(10)
        scene.clock.wait_for("keeper", 11)
        scene.engine.advance(0.99)
        job.end()
        scene.clock.wait_in("slot 1")
        scene.engine.advance(0.01)  # the keeper is due, and the report is not
        scene.reported()

    assert scene.results() == [("Completed", "unproven")]
    assert sent(scene, "complete") == [Call("complete", OutcomeUnknown)]


def test_a_task_that_was_cancelled_is_gone(scene: Scene) -> None:
    """
    Without any doubt there is nothing to warn of.
    """
    worker, job = scene.worker(slots=1), Job({"amount": 1})
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    with scene.working(worker):
        job.begun()
        scene.cancel(task_id)
        job.end()
        scene.reported()

    assert scene.results() == [("Completed", "gone")]
    assert [(e.task.lost, e.worker_id) for e in scene.events.of(Lost)] == [("gone", None)]


def test_the_result_of_a_task_that_another_worker_has_is_dropped(scene: Scene) -> None:
    """
    The engine tells who has it.
    """
    worker, job = scene.worker(slots=1), Job({"amount": 1})
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    with scene.working(worker):
        job.begun()
        scene.client.unlock(task_id)
        scene.take(task_id)
        job.end()
        scene.reported()
        theirs = scene.task(task_id)

    assert sent(scene, "complete", "failure", "unlock") == [Call("complete", LockLost)]
    assert scene.results() == [("Completed", "taken")]
    assert [(e.task.lost, e.worker_id) for e in scene.events.of(Lost)] == [("taken", "other")]
    assert (theirs.worker_id, theirs.retries) == ("other", None)


def test_a_task_that_nobody_has_is_locked_again_for_its_result(scene: Scene) -> None:
    """
    Somebody has unlocked it by hand, and no worker has taken it.
    """
    worker, job = scene.worker(slots=1), Job({"amount": 1})
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    with scene.working(worker):
        job.begun()
        scene.client.unlock(task_id)
        job.end()
        scene.reported()

    assert sent(scene, "complete", "extend_lock", "lock") == [
        Call("complete", LockLost),
        Call("extend_lock", LockLost),
        Call("lock", None),
        Call("complete", None),
    ]
    assert scene.results() == [("Completed", "done")]
    assert scene.is_committed(task_id)


def test_a_process_that_cannot_go_on_is_a_failure_with_one_retry_less(scene: Scene) -> None:
    """
    The engine has rolled back, and its message tells the operator why.
    """
    worker = scene.worker(slots=1, retries=TaskRetries(60_000, 60_000))
    job = Job({"amount": 1})
    worker.handles("invoice")(job)
    scene.engine.deploy(_BROKEN)
    scene.engine.start("order")
    (task,) = scene.client.list()
    with scene.working(worker):
        for attempt in (1, 2):
            job.begun(attempt)
            job.end()
            scene.reported(attempt)
            scene.engine.advance(70)
        job.begun(3)
        job.end()
        scene.reported(3)
        left = [event.outcome.retries for event in scene.events.of(Reported)]  # type: ignore[union-attr]  # failures

    assert (
        sent(scene, "complete", "failure")
        == [
            Call("complete", EngineFailure),
            Call("failure", None),
        ]
        * 3
    )
    assert left == [2, 1, 0]
    assert scene.task(task.id).error_message == (
        "the result was not accepted: Unknown property used in expression: ${missing}. Cause: "
        "Cannot resolve identifier 'missing'"
    )


def test_a_result_that_the_engine_cannot_read_is_an_incident(scene: Scene) -> None:
    """
    It is wrong, and a retry would not change that.
    """
    worker = scene.worker(slots=1)
    job = Job({"amount": VariableValue(value="1", type="Roman")})
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    with scene.working(worker):
        job.begun()
        job.end()
        scene.reported()

    task = scene.task(task_id)
    assert sent(scene, "complete", "failure") == [
        Call("complete", BadRequest),
        Call("failure", None),
    ]
    assert task.retries == 0
    assert task.error_message == "the result was not accepted: Unsupported value type 'Roman'"


def test_a_race_in_the_engine_costs_no_retry(scene: Scene) -> None:
    """
    Another part of the process has changed the same rows, again and again.
    """
    worker, job = scene.worker(slots=1), Job()
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice", retries=2)
    scene.engine.faults.add(Fault.OPTIMISTIC_LOCKING, operation="complete", times=1)
    with scene.working(worker):
        job.begun()
        job.end()
        scene.reported()

    assert sent(scene, "complete", "failure") == [Call("complete", Conflict), Call("failure", None)]
    assert scene.results() == [("Failure", "done")]
    assert scene.task(task_id).retries == 2


def test_a_failure_that_was_not_sent_is_sent_again_while_the_lock_lasts(scene: Scene) -> None:
    """
    It is in time as long as nobody else can have the task.
    """
    worker = scene.worker(slots=1, lock_duration=30_000)
    job = Job(Failure("no funds", retries=1, retry_timeout=600_000))
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    scene.engine.faults.add(Fault.REFUSED, operation="failure", times=2)
    with scene.working(worker):
        job.begun()
        job.end()
        for _ in range(2):
            scene.clock.wait_in("slot 1")
            scene.engine.advance(1)
        scene.reported()
        task = scene.task(task_id)

    assert sent(scene, "failure") == [Call("failure", NotSent)] * 2 + [Call("failure", None)]
    assert not sent(scene, "extend_lock", "lock")
    assert scene.results() == [("Failure", "done")]
    assert (task.retries, task.lock_expiration_time) == (1, after(602))


def test_a_failure_is_left_when_the_lock_ends(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """
    The task is fetched again, as if its worker had crashed; only its retries are one too many.
    """
    worker = scene.worker(slots=1, lock_duration=30_000)
    job = Job(Failure("no funds", retries=1, retry_timeout=600_000))
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    scene.engine.faults.add(Fault.REFUSED, operation="failure")
    with scene.working(worker):
        job.begun()
        job.end()
        scene.clock.wait_in("slot 1")
        scene.engine.advance(30)
        scene.reported()
        job.begun(2)
        scene.engine.faults.clear()
        job.end()
        scene.reported(2)

    assert scene.results() == [("Failure", "left"), ("Failure", "done")]
    assert any(
        message.startswith(f"task {task_id}: its result could not be reported in time")
        for message in caplog.messages
    )


def test_a_failure_whose_answer_is_lost_is_left(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Sent again, it might fail the next attempt; not done, the task is fetched again after its lock.
    """
    worker = scene.worker(slots=1)
    job = Job(Failure("no funds", retries=1, retry_timeout=600_000))
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    scene.engine.faults.add(Fault.LOST_ANSWER, operation="failure", times=1)
    with scene.working(worker, ends=Stopped(left=(task_id,), exit_code=1)):
        job.begun()
        job.end()
        scene.reported()

    assert sent(scene, "failure") == [Call("failure", OutcomeUnknown)]
    assert scene.results() == [("Failure", "left")]
    assert any(
        message.startswith(f"task {task_id}: the report is not proven to be done:")
        for message in caplog.messages
    )
