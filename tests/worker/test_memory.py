"""
What a handler had in its hands is gone with it.
"""

from __future__ import annotations

import gc
import threading
import weakref

import pytest

from camunda_ext import Worker
from camunda_ext.testing import Engine
from camunda_ext.worker import Abandoned, BpmnError, Failure, Postpone, Task
from camunda_ext.worker.events import Event, Reported


class Ballast:
    """
    Something large.
    """


@pytest.mark.parametrize(
    "error",
    [LookupError, Abandoned, Failure, lambda: BpmnError("NO_FUNDS"), lambda: Postpone(600_000)],
    ids=["LookupError", "Abandoned", "Failure", "BpmnError", "Postpone"],
)
def test_what_a_handler_raises_keeps_nothing_in_memory(error: type[Exception]) -> None:
    """
    The garbage collector comes seldom, and a worker with large tasks would grow until then.
    """
    ballast: list[weakref.ref[Ballast]] = []
    done = threading.Event()

    def on_event(event: Event) -> None:
        if isinstance(event, Reported):
            done.set()

    gc.disable()
    try:
        with Engine() as engine:
            worker = Worker(engine.client(), async_response_timeout=100, hooks=[on_event])

            @worker.handles("invoice")
            def charge(task: Task) -> None:
                in_hand = Ballast()
                ballast.append(weakref.ref(in_hand))
                raise error()

            engine.create_task("invoice")
            with worker:
                assert done.wait(10)
        assert [one() for one in ballast] == [None] * len(ballast)
    finally:
        gc.enable()
