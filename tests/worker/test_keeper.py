"""
The keeper attends to each chore in time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import attrs

from camunda_ext import Worker
from camunda_ext.testing import Engine
from camunda_ext.worker.keeper import Keeper


@attrs.define(eq=False)
class Once:
    """
    A chore that is due once, and takes until something else has happened.
    """

    at: float
    until: threading.Event
    begun: threading.Event = attrs.Factory(threading.Event)

    def due(self) -> float:
        """
        When it is due.
        """
        return float("inf") if self.begun.is_set() else self.at

    def patience(self) -> float:
        """
        It is never late.
        """
        return float("inf")

    def attend(self) -> None:
        """
        Do it.
        """
        self.begun.set()
        self.until.wait(10)


def test_a_chore_that_comes_before_the_keeper_rests_is_attended_to() -> None:
    """
    The keeper has looked at all others by then, and would sleep for long.
    """
    with Engine() as engine:
        shared = Worker(engine.client())._shared
    now, over = shared.clock.now(), threading.Event()
    late = Once(now, over)
    threads: list[threading.Thread] = []

    def start(name: str, run: Callable[[], None]) -> threading.Thread:
        if threads[1:]:  # one more thread is needed for what is due
            keeper.add(late)
        thread = threading.Thread(target=run, daemon=True)
        threads.append(thread)
        thread.start()
        return thread

    keeper = Keeper(shared, start)
    for _ in range(2):
        keeper.add(Once(now, late.begun))
    threads.append(threading.Thread(target=lambda: keeper.run(1000), daemon=True))
    threads[0].start()
    try:
        assert late.begun.wait(5)
    finally:
        over.set()
        keeper.end()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
