"""
All of many tasks, page by page, beside a loop that a good person writes by hand; and the memory.
"""

from __future__ import annotations

import gc
import math
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import Final
from urllib.parse import urlsplit

from camunda_ext import ExternalTask, ExternalTaskClient
from tests.benchmarks import answers, decoding, stub
from tests.benchmarks._rounds import Effort, Took, side_by_side
from tests.benchmarks._table import Row

#: How many tasks are asked for at a time.
PAGE_SIZE: Final = 1_000
_PREFETCH: Final = 4
_LATENCY: Final = 0.02
#: One run takes as long as a dozen turns of the other benchmarks.
_FEWER_ROUNDS: Final = 4
_BOUND: Final = 1.25
_BOUND_OF_PREFETCH: Final = 0.45
#: In MiB, by how many pages are asked for ahead; each of them is in memory as tasks.
_BOUNDS_OF_MEMORY: Final = {0: 6.0, _PREFETCH: 20.0}


def by_hand(connection: HTTPConnection, path: str) -> Iterator[ExternalTask]:
    """
    Give all tasks of an engine that can be trusted, where none is completed meanwhile.
    """
    for first in range(0, sys.maxsize, PAGE_SIZE):
        connection.request(
            "POST",
            f"{path}/external-task?firstResult={first}&maxResults={PAGE_SIZE}",
            b'{"sorting":[{"sortBy":"id","sortOrder":"asc"}]}',
            {"Content-Type": "application/json", "Accept": "application/json"},
        )
        page = decoding.by_hand(connection.getresponse().read())
        yield from page
        if len(page) < PAGE_SIZE:
            return


def _compare(url: str, tasks: int, effort: Effort, prefetch: int = 0) -> Took:
    place = urlsplit(url)
    with (
        closing(HTTPConnection(place.netloc)) as connection,
        ExternalTaskClient(url) as client,
    ):
        # The first answer of all loads what reads it.
        client.list(max_results=1)
        selection = client.select(page_size=PAGE_SIZE, prefetch=prefetch)
        return side_by_side(
            lambda: _timed(selection, tasks),
            lambda: _timed(by_hand(connection, place.path), tasks),
            rounds=math.ceil(effort.rounds / _FEWER_ROUNDS),
        )


def _timed(all_of_them: Iterable[ExternalTask], tasks: int) -> Took:
    # What the other candidate has left behind is not this one's to clear away.
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    count = 0
    for _ in all_of_them:
        count += 1
    took = Took(wall=time.perf_counter() - wall, cpu=time.process_time() - cpu)
    _check(count, tasks)
    return took


def _check(count: int, tasks: int) -> None:
    if count != tasks:
        raise RuntimeError(f"there are {tasks} tasks, and {count} have come")


#: A process that tells how much memory it has needed for all tasks.
_GROWN: Final = """\
import sys
from camunda_ext import ExternalTaskClient

def resident(name):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name)) / 1024

url, page_size, prefetch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with ExternalTaskClient(url) as client:
    # What the first answer loads is there for all others.
    client.list(max_results=1)
    before = resident("VmRSS:")
    count = 0
    for _ in client.select(page_size=page_size, prefetch=prefetch):
        count += 1
    # The most that ever was: what getrusage() tells may be that of the process before.
    print(count, resident("VmHWM:") - before)
"""


def _grown(url: str, tasks: int, prefetch: int) -> float:
    """
    Give the most memory that was resident, beyond what was before the first page, in MiB.
    """
    command = [sys.executable, "-I", "-c", _GROWN, url, str(PAGE_SIZE), str(prefetch)]
    count, mebibytes = subprocess.check_output(command, text=True).split()
    _check(int(count), tasks)
    return float(mebibytes)


def rows(effort: Effort, tasks: int = 100_000) -> Iterator[Row]:
    """
    Measure the way through all tasks: at once, with latency and pages ahead, and its memory.

    The memory is no ratio; it is read from ``/proc``, which only Linux has.
    """
    with stub.running(tasks=answers.each_task(tasks)) as url:
        yield Row(
            what=f"iterate {tasks:,} tasks",
            against="http.client, orjson, by hand",
            ratios=_compare(url, tasks, effort),
            judged="cpu",
            bound=_BOUND,
        )
        for prefetch, bound in _BOUNDS_OF_MEMORY.items():
            yield Row(
                what=f"iterate {tasks:,} tasks, prefetch={prefetch}",
                against="nothing: MiB of memory grown",
                ratios=Took(wall=_grown(url, tasks, prefetch), cpu=math.nan),
                judged="wall",
                bound=bound,
            )
    with stub.running(_LATENCY, answers.each_task(tasks)) as url:
        yield Row(
            what=f"iterate with latency, prefetch={_PREFETCH}",
            against="one after the other, by hand",
            ratios=_compare(url, tasks, effort, _PREFETCH),
            judged="wall",
            bound=_BOUND_OF_PREFETCH,
        )
