"""
Selections on each engine, the real ones too, while workers are at the same tasks.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conformance.live import AnyEngine, Live, live_on

_TASKS = 120
_WORKERS = ("w1", "w2", "w3", "w4")
#: How each script goes through the tasks: its pages, and those that it asks for ahead.
_SCRIPTS = ((10, 0), (7, 1), (10, 4))


@pytest.fixture
def live(engine: AnyEngine) -> Iterator[Live]:
    """
    An engine without authentication, and processes of the test's own.
    """
    with live_on(engine) as live:
        yield live


def test_tasks_that_stay_come_once_while_others_are_completed(live: Live) -> None:
    """
    Four workers complete tasks at random, and three scripts go through all of them meanwhile.
    """
    for _ in range(_TASKS):
        live.start()
    at_first = set(live.client.select(live.own).ids())

    def work(worker_id: str) -> int:
        chance, completed = random.Random(worker_id), 0  # noqa: S311  # a seeded one is wanted
        for task in live.fetch(worker_id, max_tasks=_TASKS // len(_WORKERS)):
            if chance.random() < 0.5:
                live.client.complete(task.id, worker_id)
                completed += 1
        return completed

    def go_through(page_size: int, prefetch: int) -> list[str]:
        return list(live.client.select(live.own, page_size=page_size, prefetch=prefetch).ids())

    with ThreadPoolExecutor(len(_WORKERS) + len(_SCRIPTS)) as pool:
        scripts = [pool.submit(go_through, *script) for script in _SCRIPTS]
        workers = [pool.submit(work, worker_id) for worker_id in _WORKERS]
        completed = sum(worker.result() for worker in workers)
        given = [script.result() for script in scripts]

    stayed = {task.id for task in live.client.list(live.own)}
    assert len(at_first) == _TASKS
    assert len(stayed) == _TASKS - completed
    assert completed
    for ids in given:
        assert max(Counter(ids).values()) == 1
        assert stayed <= set(ids) <= at_first
