"""
What a worker does about tasks that a lost answer has locked.
"""

from __future__ import annotations

import threading

import attrs
import pytest

from camunda_ext import ExternalTaskClient, ExternalTaskQuery, OutcomeUnknown, Timeout, Worker
from camunda_ext.testing import Engine
from camunda_ext.worker import Stopped, Task, TaskRetries, shared
from camunda_ext.worker.events import Event, Polled, Reported, Stopping
from tests.faults import Fault, FaultProxy, Request, TooManyRequests
from tests.faults.kinds import Answer, Exchange
from tests.faults.proxy import Message

#: In seconds.
_LOCK = 30


@pytest.mark.parametrize(
    ("grace", "advance", "exit_code", "still_locked"),
    [(0.5, 0, 1, 1), (60, 5, 0, 0)],
    ids=["too short", "enough"],
)
def test_what_cannot_be_unlocked_any_more_is_waited_for(
    grace: float, advance: float, exit_code: int, still_locked: int
) -> None:
    """
    An unlock asks nobody whose lock it is, so one that is about to end is left to itself; a stop
    says so if it cannot wait for its end.
    """
    lost = threading.Event()
    with Engine() as engine:

        def on_event(event: Event) -> None:
            match event:
                case Polled(error=Exception()):
                    lost.set()
                case Stopping():
                    engine.advance(advance)

        worker = Worker(
            engine.client(),
            lock_duration=_LOCK * 1000,
            async_response_timeout=100,
            clock=engine.clock,
            hooks=[on_event],
        )
        worker.handles("invoice")(lambda task: None)
        engine.create_task("invoice")
        engine.faults.add("lost answer", operation="fetch_and_lock", nth=1)
        engine.faults.add("closed", operation="list")  # nobody can look for the task
        worker.start()
        assert lost.wait(10)
        # Less is left of the lock than the five seconds that an unlock may take.
        engine.advance(_LOCK - 4)
        engine.faults.clear()
        stopped = worker.stop(grace)

        assert stopped == Stopped(left=(), exit_code=exit_code)
        assert engine.client().count(ExternalTaskQuery().locked()) == still_locked


def test_a_failure_without_an_answer_is_no_lost_task() -> None:
    """
    The engine may have recorded it: then the task is locked until its retry, which an unlock would
    bring forward.
    """
    with Engine() as engine:
        worker = Worker(engine.client(), retries=TaskRetries(60_000), clock=engine.clock)

        @worker.handles("invoice")
        def charge(task: Task) -> None:
            raise LookupError("no such invoice")

        failed = engine.create_task("invoice")
        for fault, operation in (("lost answer", "failure"), ("closed", "get")):
            engine.faults.add(fault, operation=operation)
        worker.run_once(raising=False)
        engine.faults.clear()
        lost = engine.create_task("invoice")
        engine.faults.add("lost answer", operation="fetch_and_lock", nth=1)
        with pytest.raises(OutcomeUnknown):
            worker.run_once()
        again = worker.run_once(raising=False)

        assert engine.client().get(failed).retries == 1
        assert [handled.task.id for handled in again] == [lost]


def test_a_retry_is_lost_like_any_other_task() -> None:
    """
    Once it is due it does not wait any more: if it is locked then, a lost answer has locked it.
    """
    with Engine() as engine:
        worker = Worker(engine.client(), retries=TaskRetries(10_000), clock=engine.clock)

        @worker.handles("invoice")
        def charge(task: Task) -> None:
            if task.retries is None:
                raise LookupError("no such invoice")

        task_id = engine.create_task("invoice")
        worker.run_once(raising=False)
        engine.advance(12)
        engine.faults.add("lost answer", operation="fetch_and_lock", nth=1)
        with pytest.raises(OutcomeUnknown):
            worker.run_once()
        again = worker.run_once()

        assert [handled.task.id for handled in again] == [task_id]


@attrs.frozen
class Late:
    """
    The engine gets the request after its client has looked for what it may have done.
    """

    looked: threading.Event = attrs.Factory(threading.Event)
    arrived: threading.Event = attrs.Factory(threading.Event)

    @property
    def reaches_engine(self) -> bool:
        """
        Yes, late.
        """
        return True

    def strike(self, exchange: Exchange) -> None:
        """
        Wait for the look.
        """
        self.looked.wait(10)
        exchange.forward()
        self.arrived.set()
        exchange.close()

    def plan(self, request: Request) -> Fault | None:
        """
        Hold the first fetch back, and let no other one take the tasks before it.
        """
        if not request.path.endswith("/fetchAndLock") or self.arrived.is_set():
            return None
        return self if request.ordinal == 1 else TooManyRequests()

    def watch(self, message: Message, answer: Answer, given: float, answered: float) -> None:
        """
        Notice the look.
        """
        if "/external-task?" in message.target:
            self.looked.set()


def test_a_request_that_the_engine_gets_late_is_looked_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    Something on the way has held it back until the worker gave up; then the engine locks tasks.
    """
    # Longer than the poll and the second after it.
    monkeypatch.setattr(shared, "_FETCH", Timeout(total=1.5))
    late, done = Late(), threading.Event()

    def on_event(event: Event) -> None:
        if isinstance(event, Reported):
            done.set()

    with (
        Engine() as engine,
        FaultProxy(engine.url, late.plan, watch=late.watch) as proxy,
        ExternalTaskClient(proxy.url) as client,
    ):
        worker = Worker(client, async_response_timeout=100, hooks=[on_event])
        worker.handles("invoice")(lambda task: None)
        engine.create_task("invoice")
        with worker:
            assert done.wait(10), proxy.story
        assert engine.client().count() == 0
