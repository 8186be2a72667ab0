"""
Many threads that share one client, beside as many that have a plain Session each.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

import requests

from camunda_ext import ExternalTaskClient
from tests.benchmarks import stub
from tests.benchmarks._rounds import Effort, compare
from tests.benchmarks._table import Row
from tests.benchmarks.calls import TASK, get_plainly

_THREADS: Final = 32
_CALLS: Final = 5
_LATENCY: Final = 0.005
_BOUND: Final = 0.55
#: Between two machines; as much as matters beside a thread that is made anew.
_FAR: Final = 0.02
_BOUND_OF_NEW_THREADS: Final = 1.05


def _in_new_thread(call: Callable[[], object]) -> None:
    """
    Make a call as servers do that make a thread for each request.
    """
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


def _volley(pool: ThreadPoolExecutor, call: Callable[[], object]) -> None:
    """
    Let each thread of a pool make some calls.
    """
    # Nobody begins before all are there, or a quick thread would do the work of two.
    together = threading.Barrier(_THREADS)

    def calls() -> None:
        together.wait()
        for _ in range(_CALLS):
            call()

    for done in [pool.submit(calls) for _ in range(_THREADS)]:
        done.result()


def rows(effort: Effort) -> Iterator[Row]:
    """
    Measure ``get`` by a crew of threads that live as long as the measuring.
    """
    local = threading.local()
    sessions: list[requests.Session] = []

    def open_session() -> None:
        local.session = requests.Session()
        sessions.append(local.session)

    with (
        stub.running(_LATENCY) as url,
        ExternalTaskClient(url) as client,
        ThreadPoolExecutor(_THREADS) as crew,
        ThreadPoolExecutor(_THREADS, initializer=open_session) as plain_crew,
    ):
        ratios = compare(
            lambda: _volley(crew, partial(client.get, TASK)),
            lambda: _volley(plain_crew, lambda: get_plainly(local.session, url)),
            effort,
        )
        for session in sessions:
            session.close()
    yield Row(
        what=f"get by {_THREADS} threads, one client",
        against=f"{_THREADS} plain requests.Sessions",
        ratios=ratios,
        judged="cpu",
        bound=_BOUND,
    )
    with (
        stub.running(_FAR, handshake=_FAR) as url,
        requests.Session() as plain,
        ExternalTaskClient(url) as client,
    ):
        ratios = compare(
            partial(_in_new_thread, partial(client.get, TASK)),
            partial(_in_new_thread, partial(get_plainly, plain, url)),
            effort,
        )
    yield Row(
        what="get by a new thread, 20 ms latency",
        against="one shared plain requests.Session",
        ratios=ratios,
        judged="wall",
        bound=_BOUND_OF_NEW_THREADS,
    )
