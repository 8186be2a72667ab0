"""
What a lane does with a task at the moments in which other threads may look.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from camunda_ext import Handlers
from camunda_ext.testing import Clock, Fault
from camunda_ext.worker import Failure, Task
from camunda_ext.worker.events import Reported
from camunda_ext.worker.lane import Held, Lane
from tests.worker.parts import make_lane, make_shared
from tests.worker.scene import Scene, after


def test_nothing_is_wanted_ahead_from_when_a_task_is_given_back(scene: Scene) -> None:
    """
    The poller, woken by the end of the first unlock, would fetch the same tasks again.
    """
    wanted = []

    def look(event: object) -> None:
        if isinstance(event, Reported) and event.result == "unlocked":
            wanted.append(lane.wanted())

    handlers = Handlers()
    handlers.handles("invoice")(lambda task: scene.engine.advance(0.001))
    lane = make_lane(make_shared(scene.client, scene.engine.clock, [look]), handlers)
    for _ in range(4):
        scene.engine.create_task("invoice")
    lane.fetch(2, 0.0)  # full, and its tasks are short
    while (held := lane.next_queued()) is not None:
        lane.handle(held)
    before = lane.wanted()
    lane.fetch(1, 0.0)
    scene.engine.advance(1)
    lane.keeper.attend_all()

    assert before == 6
    assert wanted == [2]


class Interposed:
    """
    A lock, with something else that happens right before it is taken the next time.
    """

    def __init__(self, lock: Any) -> None:
        self._lock = lock
        self.before: Callable[[], object] | None = None

    def __enter__(self) -> None:
        before, self.before = self.before, None
        if before is not None:
            before()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_a_task_that_is_fetched_again_at_the_end_of_its_report_is_not_forgotten(
    scene: Scene,
) -> None:
    """
    The slot has looked for it already, and has not yet let go of the task.
    """

    def charge(task: Task) -> None:
        lock.before = lambda: lane.fetch(1, 0.0)
        raise Failure("no funds", retries=1, retry_timeout=0)

    handlers = Handlers()
    handlers.handles("invoice")(charge)
    lane = make_lane(make_shared(scene.client, scene.engine.clock), handlers)
    lock = lane._lock = Interposed(lane._lock)  # type: ignore[assignment]  # it does what one does
    task_id = scene.engine.create_task("invoice")
    lane.fetch(1, 0.0)
    first = lane.next_queued()
    assert first is not None
    lane.handle(first)
    again = lane.next_queued()

    assert again is not None
    assert again is not first
    assert lane.held == {task_id: again}


def test_a_lost_task_that_is_fetched_again_when_it_is_dropped_begins_again(scene: Scene) -> None:
    """
    It is a task like any other, and not that of the handler that has ended.
    """

    def fetch() -> None:
        scene.client.unlock(task_id)
        lane.fetch(1, 0.0)

    def charge(task: Task) -> None:
        scene.client.unlock(task)
        scene.take(task.id)
        lock.before = fetch

    handlers = Handlers()
    handlers.handles("invoice")(charge)
    lane = make_lane(make_shared(scene.client, scene.engine.clock), handlers)
    lock = lane._lock = Interposed(lane._lock)  # type: ignore[assignment]  # it does what one does
    task_id = scene.engine.create_task("invoice")
    lane.fetch(1, 0.0)
    first = lane.next_queued()
    assert first is not None
    lane.handle(first)
    again = lane.next_queued()

    assert again is not None
    assert again is not first
    assert lane.held == {task_id: again}
    assert lane.keeper.chores(Held) == [again]


def test_a_stop_finds_a_task_on_its_way_into_the_queue(scene: Scene) -> None:
    """
    It is unlocked like those that are in the queue already, and not a second later.
    """
    lanes: list[Lane] = []

    def now() -> int:
        for lane in lanes:
            if lane.held and not lane.stopping:
                lane.stop()
        return round(scene.engine.clock.now() * 1000)

    handlers = Handlers()
    handlers.handles("invoice")(lambda task: None)
    lanes.append(make_lane(make_shared(scene.client, Clock(now)), handlers))
    task_id = scene.engine.create_task("invoice")
    lanes[0].fetch(1, 0.0)
    lanes[0].keeper.attend_all()

    assert scene.task(task_id).worker_id is None
    assert lanes[0].held == {}


def test_a_slot_does_not_lock_what_was_given_up(scene: Scene) -> None:
    """
    Its lock had run out, and the engine could not be asked who has it; the queue still has it.
    """
    handlers = Handlers()
    handlers.handles("invoice")(lambda task: None)
    lane = make_lane(make_shared(scene.client, scene.engine.clock), handlers)
    task_id = scene.engine.create_task("invoice")
    lane.fetch(1, 0.0)
    scene.engine.advance(31)
    scene.engine.faults.add(Fault.REFUSED, operation="extend_lock", times=1)
    lane.keeper.attend_all()
    given_up = lane.next_queued()
    assert given_up is not None
    lane.handle(given_up)

    assert lane.held == {}
    assert scene.task(task_id).lock_expiration_time == after(30)
