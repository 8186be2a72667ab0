"""
The worker beside a bare loop of the client, and beside the official JavaScript client.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final

from camunda_ext import ExternalTaskClient, Topic, Worker
from camunda_ext.hooks import Outgoing
from tests.benchmarks import javascript, stub
from tests.benchmarks._rounds import Effort, Took, side_by_side
from tests.benchmarks._table import Row

_TOPIC: Final = "invoice.send"
_SLOTS: Final = 32
_LATENCY: Final = 0.005
_TASKS: Final = 3000
#: As a program would fetch that never runs dry.
_IN_HAND: Final = 200
_LONGEST_TURN: Final = 60.0
_MOST_ROUNDS: Final = 7
#: 1 / 0.85: the worker does at least 0.85 times as many tasks in a second.
_BOUND_OF_TIME: Final = 1.18
_BOUND_OF_CPU: Final = 1.15
_BOUND_OF_JAVASCRIPT: Final = 1.0
_BOUND_OF_REQUESTS: Final = 1.05
_BOUND_OF_POLL: Final = 2.0
_MANY_TOPICS: Final = 1000


class _Countdown:
    """
    Counts tasks from many threads, and tells when all are done.
    """

    def __init__(self, tasks: int) -> None:
        self._left = iter(range(tasks - 1))
        self.is_over = threading.Event()

    def __call__(self, _: object) -> None:
        if next(self._left, None) is None:
            self.is_over.set()

    def wait(self) -> None:
        """
        Wait until all tasks are done.
        """
        if not self.is_over.wait(_LONGEST_TURN):
            raise TimeoutError("the tasks are not done")


def _timed(act: Callable[[], object]) -> Took:
    cpu, wall = time.process_time(), time.perf_counter()
    act()
    return Took(wall=time.perf_counter() - wall, cpu=time.process_time() - cpu)


def _by_worker(client: ExternalTaskClient, tasks: int) -> Took:
    """
    Handle tasks by a worker whose handler does nothing.
    """
    count = _Countdown(tasks)
    worker = Worker(client, slots=_SLOTS)
    worker.handles(_TOPIC)(lambda task: count(task))
    worker.start()
    took = _timed(count.wait)
    worker.stop()
    return took


def _by_hand(client: ExternalTaskClient, tasks: int) -> Took:
    """
    Complete as many by threads that share a stock of fetched tasks.
    """
    count = _Countdown(tasks)
    stock: deque[str] = deque()
    topics = [Topic(_TOPIC, lock_duration=timedelta(seconds=30))]
    filling = threading.Lock()

    def fill() -> None:
        if len(stock) < _IN_HAND // 2 and filling.acquire(blocking=False):
            fetched = client.fetch_and_lock("worker", topics, max_tasks=_IN_HAND)
            stock.extend(task.id for task in fetched)
            filling.release()

    def work() -> None:
        while not count.is_over.is_set():
            fill()
            try:
                task_id = stock.popleft()
            except IndexError:
                time.sleep(0.001)
                continue
            client.complete(task_id, "worker")
            count(task_id)

    threads = [threading.Thread(target=work) for _ in range(_SLOTS)]

    def run() -> None:
        for thread in threads:
            thread.start()
        count.wait()

    took = _timed(run)
    for thread in threads:
        thread.join()
    return took


def _requests_per_task(url: str, tasks: int) -> float:
    requests: list[str] = []

    def hook(outgoing: Outgoing) -> None:
        if outgoing.operation != "unlock":  # those of the stop
            requests.append(outgoing.operation)

    with ExternalTaskClient(url, hooks=[hook], pool_size=2 * _SLOTS) as client:
        _by_worker(client, tasks)
    return len(requests) / requests.count("complete")


def _poll_of(client: ExternalTaskClient, topics: int) -> Callable[[], Any]:
    each = [Topic(f"topic {n}", lock_duration=timedelta(seconds=30)) for n in range(topics)]
    return lambda: client.fetch_and_lock("worker", each, max_tasks=1)


def rows(effort: Effort, *, tasks: int = _TASKS, beside_javascript: bool = True) -> Iterator[Row]:
    """
    Measure a worker with a backlog of tasks that take no time.
    """
    rounds = min(effort.rounds, _MOST_ROUNDS)
    with stub.running(_LATENCY) as url, ExternalTaskClient(url, pool_size=2 * _SLOTS) as client:
        ratios = side_by_side(
            lambda: _by_worker(client, tasks), lambda: _by_hand(client, tasks), rounds=rounds
        )
        for judged, bound in (("wall", _BOUND_OF_TIME), ("cpu", _BOUND_OF_CPU)):
            yield Row(
                what=f"{tasks:,} tasks by {_SLOTS} slots",
                against="a bare loop of complete(), 200 in hand",
                ratios=ratios,
                judged=judged,  # type: ignore[arg-type]
                bound=bound,
            )
        missing = javascript.install() if beside_javascript else "it was not asked for"
        if missing is not None:
            print(f"The JavaScript client is left out: {missing}.")
        else:
            yield Row(
                what=f"{tasks:,} tasks by {_SLOTS} slots",
                against="the JavaScript client, as many at the same time",
                ratios=side_by_side(
                    lambda: _by_worker(client, tasks),
                    lambda: javascript.handle(url, _TOPIC, tasks, _SLOTS),
                    rounds=rounds,
                ),
                judged="wall",
                bound=_BOUND_OF_JAVASCRIPT,
            )
        yield Row(
            what="requests for each task of a backlog",
            against="nothing: the number itself",
            ratios=Took(wall=_requests_per_task(url, tasks), cpu=math.nan),
            judged="wall",
            bound=_BOUND_OF_REQUESTS,
        )
    with stub.running() as url, ExternalTaskClient(url) as client:
        one, many = _poll_of(client, 1), _poll_of(client, _MANY_TOPICS)
        one()
        seconds = min(_timed(many).cpu - _timed(one).cpu for _ in range(10))
        yield Row(
            what="a fetch of 1,000 topics: more ms of CPU",
            against="nothing: beside one topic",
            ratios=Took(wall=math.nan, cpu=seconds * 1000),
            judged="cpu",
            bound=_BOUND_OF_POLL,
        )
