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
_BOUND: Final = 0.6


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
