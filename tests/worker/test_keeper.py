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
    A chore that is due once, at a time.
    """

    at: float
    attended: threading.Event = attrs.Factory(threading.Event)

    def due(self) -> float:
        """
        When it is due.
        """
        return float("inf") if self.attended.is_set() else self.at

    def patience(self) -> float:
        """
        It is never late.
        """
        return float("inf")

    def attend(self) -> None:
        """
        Do it.
        """
        self.attended.set()


def test_a_chore_that_comes_before_the_keeper_rests_is_attended_to() -> None:
    """
    The keeper has looked at all others by then, and would sleep for long.
    """
    with Engine() as engine:
        shared = Worker(engine.client())._shared
    first, second = Once(shared.clock.now()), Once(shared.clock.now())
    threads = []

    def start(name: str, run: Callable[[], None]) -> threading.Thread:
        keeper.add(second)
        thread = threading.Thread(target=run, daemon=True)
        threads.append(thread)
        thread.start()
        return thread

    keeper = Keeper(shared, start)
    keeper.add(first)
    threads.append(threading.Thread(target=lambda: keeper.run(8), daemon=True))
    threads[0].start()
    try:
        assert second.attended.wait(10)
    finally:
        keeper.end()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
