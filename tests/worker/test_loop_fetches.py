"""
What a worker in threads asks for, and what becomes of what it gets.
"""

from __future__ import annotations

import logging
from typing import Any, Final

import pytest

from camunda_ext import ExternalTaskQuery, OutcomeUnknown
from camunda_ext.testing import Fault
from camunda_ext.worker import Failure, Handlers, Task
from camunda_ext.worker.events import Began, Lost, Polled, Reported, Swept
from tests.faults import FaultProxy, always, only, sequence
from tests.faults.gates import Edited, Said
from tests.worker.scene import Call, Job, Scene, after

Proxied = tuple[Scene, FaultProxy]
_FETCH: Final = "/fetchAndLock"


def polled(scene: Scene) -> list[tuple[int, int]]:
    """
    Give how many tasks were asked for and came, of all fetches that brought some.
    """
    return [(e.asked, e.received) for e in scene.events.of(Polled) if e.received]


def swept(scene: Scene) -> list[tuple[str, tuple[str, ...]]]:
    """
    Give the generations that were swept, and what was found.
    """
    found = scene.events.of(Swept)
    return [(event.worker_id.rpartition("#")[2], tuple(event.task_ids)) for event in found]


def generation(task: Task) -> str:
    """
    Give the generation of the worker id that has a task.
    """
    return str(task.worker_id).rpartition("#")[2]


# -------------------------------------------------------------------------------- a lost answer


def test_what_a_lost_answer_has_locked_is_unlocked_at_once(scene: Scene) -> None:
    """
    The next poll has another worker id, so the look for lost tasks needs no pause.
    """
    worker, job = scene.worker(slots=2), Job()
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    scene.engine.faults.add(Fault.LOST_ANSWER, operation="fetch_and_lock", times=1)
    with scene.working(worker):
        task = job.begun()
        job.end()
        scene.reported()
        now = scene.engine.now

    assert now == after(0)
    assert scene.calls.of(Call)[0] == Call("fetch_and_lock", OutcomeUnknown)
    assert swept(scene) == [("1", (task_id,))]
    assert generation(task) == "2"
    assert len(job.tasks) == 1
    assert scene.is_committed(task_id)


def test_what_a_poll_locks_after_its_client_has_gone_is_unlocked(proxied: Proxied) -> None:
    """
    The engine does not notice that a client has hung up, and locks tasks for it, once.
    """
    scene, proxy = proxied
    worker, job = scene.worker(slots=2, async_response_timeout=5_000), Job()
    worker.handles("invoice")(job)
    with scene.working(worker):
        scene.wait_for_next_poll()
        with proxy.outage():
            scene.calls.wait_for(Call, 1, lambda call: call.error is OutcomeUnknown)
        # The next one may have been refused, and the first look, too.
        scene.calls.wait_for(Call, 1, lambda call: call.operation == "list")
        scene.wait_until(lambda: scene.has_polls(2), advance=0.02)
        scene.clock.wait_in("keeper")
        ids = {scene.engine.create_task("invoice") for _ in range(3)}
        # The worker has two slots, so one of the three went to nobody at least.
        scene.wait_until(lambda: scene.client.count(ExternalTaskQuery().locked()) == 3)
        job.end(3)
        scene.clock.wait_in("keeper")
        scene.engine.advance(1)
        scene.events.wait_for(Swept)
        job.begun(3)
        scene.reported(3)

    assert {task.id for task in job.tasks} == ids
    assert [number for number, _ in swept(scene)] == ["1"]
    assert {generation(task) for task in job.tasks} == {"2"}
    assert len(job.tasks) == 3


@pytest.mark.parametrize("fault", [None, Fault.LOST_ANSWER])
def test_a_retry_that_waits_is_not_brought_forward(scene: Scene, fault: Fault | None) -> None:
    """
    The engine keeps the worker's id and a lock with it, so that it looks like a lost task; also if
    it is not certain that the failure was recorded.
    """
    worker, job = scene.worker(slots=1), Job()
    worker.handles("invoice")(job)
    first = scene.engine.create_task("invoice")
    job.outcome = Failure("no funds", retries=1, retry_timeout=600_000)
    if fault is not None:
        scene.engine.faults.add(fault, operation="failure", times=1)
    with scene.working(worker):
        job.begun()
        job.end()
        scene.reported()
        job.outcome = None
        scene.wait_for_next_poll()
        scene.engine.faults.add(Fault.LOST_ANSWER, operation="fetch_and_lock", times=1)
        scene.engine.advance(0.1)  # the poll ends, and the next one is lost
        scene.wait_for_next_poll()
        second = scene.engine.create_task("invoice")
        assert job.begun(2).id == second
        job.end()
        scene.reported(2)
        waiting = scene.task(first)
        scene.engine.advance(599)
        scene.engine.advance(1)
        assert job.begun(3).id == first
        job.end()
        scene.reported(3)

    assert swept(scene) == [("1", (second,))]
    assert waiting.lock_expiration_time == after(600)


def test_a_lost_answer_without_tasks_is_swept_until_its_poll_would_have_ended(
    scene: Scene,
) -> None:
    """
    And one second more; then nothing can be locked by it any more.
    """
    worker = scene.worker(slots=1, async_response_timeout=3_000)
    worker.handles("invoice")(Job())
    scene.engine.faults.add(Fault.CLOSED, operation="fetch_and_lock", times=1)
    with scene.working(worker):
        for looks in (1, 2, 3, 4, 5):
            scene.calls.wait_for(Call, looks, lambda call: call.operation == "list")
            scene.clock.wait_for("keeper", looks if looks < 5 else 3604)
            scene.engine.advance(1)

    assert len(scene.calls.of(Call, lambda call: call.operation == "list")) == 5
    assert swept(scene) == []


# ------------------------------------------------------------------------------- refused fetches


def test_a_worker_whose_id_is_in_use_takes_another(
    proxied: Proxied, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Some engines answer 503 to the older of two polls with one id.
    """
    scene, proxy = proxied
    worker, job = scene.worker(slots=1), Job()
    worker.handles("invoice")(job)
    refused = Said(503, {"type": "RestException", "message": "Service Unavailable", "code": None})
    proxy.plan = only(_FETCH, sequence(refused))
    scene.engine.create_task("invoice")
    with scene.working(worker):
        scene.clock.wait_in("poller")
        scene.engine.advance(0.1)
        task = job.begun()
        job.end()
        scene.reported()

    assert generation(task) == "2"
    assert swept(scene) == []
    warned = [m for m in caplog.messages if m.startswith("somebody else polls as")]
    assert [message.partition(": fetch")[0] for message in warned] == [
        f"somebody else polls as {worker.worker_id}#1"
    ]


def test_refused_credentials_are_tried_again_slowly_and_told_once_for_each_reason(
    proxied: Proxied, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Passwords come back, so the worker never gives up; meanwhile it is live and not ready.
    """
    scene, proxy = proxied
    worker, job = scene.worker(slots=1), Job()
    worker.handles("invoice")(job)
    proxy.plan = only(_FETCH, sequence(Said(401), Said(401), Said(403)))
    healths = []
    with scene.working(worker):
        for polls in (1, 2, 3):
            scene.calls.wait_for(Call, polls, lambda call: call.operation == "fetch_and_lock")
            scene.clock.wait_in("poller")
            scene.clock.wait_in("supervisor")
            healths.append(worker.health())
            scene.engine.advance(60)
        scene.wait_for_next_poll()
        scene.engine.create_task("invoice")
        job.begun()
        healths.append(worker.health())
        job.end()
        scene.reported()

    assert [(health.live, health.ready) for health in healths] == [
        (True, False),
        (True, False),
        (True, False),
        (True, True),
    ]
    assert [health.reasons[0].partition(": fetch")[0] for health in healths[:3]] == [
        "the engine refuses the credentials"
    ] * 3
    errors = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    assert [message.partition("Lock: ")[2][:3] for message in errors] == ["401", "403"]
    assert caplog.messages.count("the engine accepts the credentials again") == 1


def test_an_engine_that_is_away_is_asked_again_with_the_same_id(scene: Scene) -> None:
    """
    Nothing can be locked by a request that was never sent.
    """
    worker, job = scene.worker(slots=1), Job()
    worker.handles("invoice")(job)
    scene.engine.faults.add(Fault.REFUSED, operation="fetch_and_lock", times=3)
    scene.engine.create_task("invoice")
    with scene.working(worker):
        for polls in (1, 2, 3):
            scene.calls.wait_for(Call, polls, lambda call: call.operation == "fetch_and_lock")
            scene.clock.wait_in("poller")
            scene.engine.advance(1)
        task = job.begun()
        job.end()
        scene.reported()

    assert generation(task) == "1"
    assert not scene.calls.of(Call, lambda call: call.operation == "list")


def test_a_server_that_cannot_wait_is_asked_once_a_second(
    proxied: Proxied, caplog: pytest.LogCaptureFixture
) -> None:
    """
    It answers long polls at once, and the worker warns of that once.
    """
    scene, proxy = proxied
    worker = scene.worker(slots=1, async_response_timeout=5_000)
    worker.handles("invoice")(Job())
    proxy.plan = only(_FETCH, always(Said(200, [])))
    with scene.working(worker):
        for second in range(1, 5):
            scene.clock.wait_for("poller", second)
            scene.engine.advance(1)
        scene.clock.wait_for("poller", 5)
        fetches = len(scene.calls.of(Call))

    assert fetches == 5
    assert [m.partition(",")[0] for m in caplog.messages if "long polls at once" in m] == [
        "the server answers long polls at once"
    ]


# ------------------------------------------------------------------------------- odd answers


def test_tasks_that_nobody_asked_for_are_not_handled(
    proxied: Proxied, caplog: pytest.LogCaptureFixture
) -> None:
    """
    What is locked for this worker is unlocked: a task too many, and one of another topic. What is
    locked for another worker is that one's.
    """
    scene, proxy = proxied
    worker, job = scene.worker(slots=2), Job()
    worker.handles("invoice")(job)
    first = scene.engine.create_task("invoice")
    too_many = scene.engine.create_task("invoice", priority=-1)
    unknown = scene.engine.create_task("render")
    theirs = scene.engine.create_task("invoice", priority=-2)

    def add(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        assert [task["id"] for task in tasks] == [first, too_many]
        own = tasks[0]["workerId"]
        scene.client.lock(unknown, own, 30_000)
        scene.client.lock(theirs, "other", 30_000)
        return [
            {**tasks[0], "id": unknown, "topicName": "render"},
            {**tasks[0], "id": theirs, "workerId": "other"},
            *tasks,
        ]

    proxy.plan = only(_FETCH, sequence(Edited(add)))
    with scene.working(worker):
        # One of another topic and one of another worker take the two places.
        scene.events.wait_for(Polled)
        task = job.begun()
        job.end(2)
        scene.reported(2)
        locked_by = scene.task(theirs).worker_id

    assert polled(scene)[0] == (2, 4)
    assert {task.id, job.tasks[1].id} == {first, too_many}
    assert locked_by == "other"
    assert scene.task(unknown).worker_id is None
    unasked = [m for m in caplog.messages if "nobody asked for it: it is unlocked" in m]
    assert [message.partition(":")[0] for message in unasked] == [
        f"task {unknown} of topic 'render'",
        f"task {first} of topic 'invoice'",
        f"task {too_many} of topic 'invoice'",
    ]
    assert (
        len([m for m in caplog.messages if m.startswith(f"task {theirs}: it was fetched as")]) == 1
    )


def test_of_ten_tasks_one_cannot_be_read(proxied: Proxied) -> None:
    """
    It is an incident, and its siblings are handled.
    """
    scene, proxy = proxied
    worker, job = scene.worker(slots=10), Job()
    worker.handles("invoice")(job)
    ids = [scene.engine.create_task("invoice") for _ in range(10)]

    def spoil(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**t, "retries": "many"} if t["id"] == ids[3] else t for t in tasks]

    proxy.plan = only(_FETCH, sequence(Edited(spoil)))
    with scene.working(worker):
        job.begun(9)
        job.end(9)
        scene.reported(10)

    task = scene.task(ids[3])
    assert {task.id for task in job.tasks} == set(ids) - {ids[3]}
    assert task.retries == 0
    assert task.error_message is not None
    assert task.error_message.startswith("the task cannot be read: ")
    assert sorted(scene.results()) == [("Completed", "done")] * 9 + [("Failure", "done")]


# ------------------------------------------------------------------------------- a task in hand


def test_a_task_in_hand_that_was_unlocked_by_hand_is_not_begun_again(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """
    The unlock wakes the worker's own poll, which fetches it again.
    """
    caplog.set_level(logging.INFO, "camunda_ext.worker")
    worker, job = scene.worker(slots=2), Job()
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    with scene.working(worker):
        job.begun()
        scene.wait_for_next_poll()
        scene.client.unlock(task_id)
        scene.events.wait_for(Polled, 2, lambda poll: poll.received == 1)
        scene.wait_for_next_poll()
        job.end()
        scene.reported()

    assert len(job.tasks) == 1
    assert not scene.events.of(Lost)
    assert scene.results() == [("Completed", "done")]
    assert (
        f"task {task_id}: its lock was lost, and fetched again while it is in hand"
    ) in caplog.messages


def test_a_task_in_hand_follows_the_worker_id_that_has_it(scene: Scene) -> None:
    """
    What is reported names the generation that has fetched it last.
    """
    worker, job = scene.worker(slots=2), Job()
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    with scene.working(worker):
        task = job.begun()
        before = generation(task)
        scene.wait_for_next_poll()
        scene.engine.faults.add(Fault.CLOSED, operation="fetch_and_lock", times=1)
        scene.engine.advance(0.1)
        scene.calls.wait_for(Call, 1, lambda call: call.error is OutcomeUnknown)
        scene.wait_for_next_poll()
        scene.client.unlock(task_id)
        scene.events.wait_for(Polled, 2, lambda poll: poll.received == 1)
        scene.wait_for_next_poll()
        held_by = scene.task(task_id).worker_id
        job.end()
        scene.reported()

    assert (before, generation(task)) == ("1", "2")
    assert task.worker_id == held_by
    assert [call.error for call in scene.calls.of(Call, lambda c: c.operation == "complete")] == [
        None
    ]
    assert scene.results() == [("Completed", "done")]


def test_a_task_in_hand_whose_lock_has_run_out_is_not_begun_again(scene: Scene) -> None:
    """
    The keeper could not reach the engine for longer than the lock, and the poller was quicker.
    """
    worker, job = scene.worker(slots=2, lock_duration=30_000), Job()
    worker.handles("invoice")(job)
    task_id = scene.engine.create_task("invoice")
    for operation in ("extend_lock", "lock"):
        scene.engine.faults.add(Fault.REFUSED, operation=operation)
    with scene.working(worker):
        task = job.begun()
        scene.wait_for_next_poll()
        scene.engine.advance(31)
        scene.events.wait_for(Polled, 2, lambda poll: poll.received == 1)
        scene.wait_for_next_poll()
        lost = task.lost
        job.end()
        scene.reported()

    assert lost is None
    assert len(job.tasks) == 1
    assert scene.results() == [("Completed", "done")]
    assert scene.is_committed(task_id)


# ------------------------------------------------------------------------------------ own retries


def test_own_retries_are_fetched_when_they_are_due(scene: Scene) -> None:
    """
    Nothing wakes a poll then, so it ends by itself at that time.
    """
    worker = scene.worker(slots=1, async_response_timeout=5_000)
    job = Job(Failure("no funds", retries=1, retry_timeout=2_000))
    worker.handles("invoice")(job)
    scene.engine.create_task("invoice")
    with scene.working(worker):
        job.begun()
        job.end()
        scene.reported()
        scene.wait_for_next_poll()
        scene.engine.advance(2.03)
        job.begun(2)
        job.outcome = None
        job.end()
        scene.reported(2)

    assert scene.results() == [("Failure", "done"), ("Completed", "done")]


# ------------------------------------------------------------------------------------ how many


def busy_then_waiting(scene: Scene, job: Job, quick: int, seconds: float) -> Any:
    """
    Give a handler whose first tasks take so many seconds, and whose others wait for the test.
    """
    begun: list[Task] = []

    def charge(task: Task) -> None:
        begun.append(task)
        if len(begun) <= quick:
            scene.engine.advance(seconds)
        else:
            job(task)

    return charge


def test_short_tasks_are_fetched_ahead_and_given_back_after_a_second(scene: Scene) -> None:
    """
    A slot that is free soon needs work at once; but what has to wait may be another worker's work.
    """
    worker, job = scene.worker(slots=2), Job()
    worker.handles("invoice")(busy_then_waiting(scene, job, 2, 0.001))
    for _ in range(20):
        scene.engine.create_task("invoice")
    with scene.working(worker):
        job.begun(2)
        scene.clock.wait_in("poller")
        held = sum(received for _, received in polled(scene)) - 2
        scene.engine.advance(1)
        scene.reported(2 + held - 2)
        scene.clock.wait_in("poller")
        locked = [task.id for task in scene.client.list() if task.worker_id is not None]
        job.end(1)
        job.begun(3)
        scene.clock.wait_in("poller")
        last = polled(scene)[-1]
        job.end(20)
        scene.reported(18 + held)

    assert held > 2
    assert held <= 6
    assert polled(scene)[0] == (2, 2)
    assert sorted(locked) == sorted(task.id for task in job.tasks[:2])
    assert scene.results().count(("Abandoned", "unlocked")) == held - 2
    assert last == (1, 1)  # nothing ahead, for some seconds
    assert len(scene.events.of(Began)) == 20


def test_long_tasks_are_not_fetched_ahead(scene: Scene) -> None:
    """
    A fetch is short beside them, so no slot would be idle for long.
    """
    worker, job = scene.worker(slots=2), Job()
    worker.handles("invoice")(busy_then_waiting(scene, job, 4, 3.0))
    for _ in range(8):
        scene.engine.create_task("invoice")
    with scene.working(worker):
        job.begun(2)
        scene.clock.wait_in("poller")
        asked = [number for number, _ in polled(scene)]
        brought = sum(received for _, received in polled(scene))
        job.end(4)
        scene.reported(8)

    assert brought == 6
    assert max(asked) <= 2


def test_nothing_is_fetched_ahead_where_there_is_no_more(scene: Scene) -> None:
    """
    A fetch that brings less than it asked for has brought all.
    """
    worker = scene.worker(slots=4)
    worker.handles("invoice")(busy_then_waiting(scene, Job(), 100, 0.001))
    with scene.working(worker):
        for number in range(1, 11):
            scene.engine.create_task("invoice")
            scene.reported(number)

    assert {asked for asked, _ in polled(scene)} <= {3, 4}
    assert max(event.asked for event in scene.events.of(Polled)) == 4


def test_each_topic_with_slots_of_its_own_has_a_lane(scene: Scene) -> None:
    """
    It neither takes slots from the others, nor waits for them.
    """
    handlers = Handlers()
    job, drawing = Job(), Job()
    handlers.handles("invoice")(job)
    handlers.handles("render", slots=1)(drawing)
    worker = scene.worker(handlers, slots=2)
    for topic in ("render", "invoice"):
        for _ in range(3):
            scene.engine.create_task(topic)
    with scene.working(worker):
        drawing.begun(1)
        job.begun(2)
        scene.clock.wait_in("poller")
        scene.clock.wait_in("poller render")
        begun = [(e.lane, e.task.topic_name) for e in scene.events.of(Began)]
        job.end(3)
        job.begun(3)
        in_drawing = len(drawing.tasks)
        drawing.end(3)
        drawing.begun(3)
        scene.reported(6)

    assert sorted(begun) == [("", "invoice"), ("", "invoice"), ("render", "render")]
    assert in_drawing == 1
    assert {str(task.worker_id).partition("#")[2] for task in drawing.tasks} == {"1/render"}
    assert {str(task.worker_id).partition("#")[2] for task in job.tasks} == {"1"}
    assert {e.asked for e in scene.events.of(Polled, lambda e: e.lane == "render")} == {1}
    assert scene.events.of(Reported)[-1].result == "done"
