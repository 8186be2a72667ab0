"""
One worker for long: whether its memory, its threads and its files stay as they are.
"""

from __future__ import annotations

import signal
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import requests

from camunda_ext import ExternalTaskClient, Worker
from camunda_ext.worker.events import Event, Reported
from tests.faults.marathon import Direct, engine, memory, model
from tests.worker.evidence import read
from tests.worker.station import Station

_TOPICS: Final = ("soak",)
_WIDTH: Final = 10
_BACKLOG: Final = 500
_SAMPLES: Final = 100
#: Until here memory may grow: each thread has not done everything yet.
_WARM_UP: Final = 0.2
#: How much it may grow then, in MiB for 10,000 tasks.
_GROWTH: Final = 1.0
_NO_PROGRESS: Final = 60.0
_STARTS: Final = 100
_GROWTH_OF_STARTS: Final = 5.0
#: What a process has at its end: one thread, its three streams, the journal, and this look itself.
_LEFT_OVER: Final = (1, 5)


def run(tasks: int, engine_name: str) -> list[str]:
    """
    Have one worker handle so many tasks, and start and stop many; give a sentence for each promise
    that was broken.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        direct = Direct(
            stack.enter_context(engine(engine_name)), stack.enter_context(requests.Session())
        )
        direct.session.trust_env = False
        files = {"model.bpmn": ("model.bpmn", model(_TOPICS, _WIDTH))}
        direct.done("/deployment/create", files=files)
        return [*_of_a_long_life(direct, folder, tasks), *_of_many_lives(direct)]


def _start(direct: Direct, tasks: int) -> None:
    for _ in range(tasks // _WIDTH):
        direct.done(f"/process-definition/key/{_TOPICS[0]}/start", json={})


def _of_a_long_life(direct: Direct, folder: Path, tasks: int) -> list[str]:
    journal = folder / "soak"
    station = Station(
        url=direct.url, journal=str(journal), name="soak", topics=_TOPICS, handler="soak"
    )
    samples: list[tuple[int, float]] = []
    began = time.monotonic()
    with subprocess.Popen(station.command(), stderr=subprocess.DEVNULL) as process:
        try:
            started, settled, progress_at = 0, 0, began
            while settled < tasks:
                left = direct.left()
                if started - left > settled:
                    settled, progress_at = started - left, time.monotonic()
                elif time.monotonic() - progress_at > _NO_PROGRESS:
                    return [f"no progress any more after {settled} tasks"]
                if settled * _SAMPLES >= (len(samples) + 1) * tasks:
                    samples.append((settled, memory(process.pid)))
                more = -(-max(0, min(_BACKLOG - left, tasks - started)) // _WIDTH) * _WIDTH
                _start(direct, more)
                started += more
                if not more:
                    time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
            code = process.wait(60)
        finally:
            process.kill()
    seconds = time.monotonic() - began
    story = read("soak", journal)
    warm = [one for one in samples if one[0] >= _WARM_UP * tasks]
    slope = 10_000 * _slope(warm)
    print(
        f"{tasks} tasks in {seconds:.0f} s, {story.counts['began']} runs, "
        f"{story.counts['reported Failure: done']} of them failed; "
        f"{samples[0][1]:.1f} MiB after {samples[0][0]} tasks, {warm[0][1]:.1f} after "
        f"{warm[0][0]}, "
        f"{samples[-1][1]:.1f} at the end: {slope:+.3f} MiB for 10,000 tasks",
        flush=True,
    )
    found = []
    # In a short one, less than this says nothing.
    if slope > _GROWTH and samples[-1][1] - warm[0][1] > _GROWTH:
        found.append(f"memory grows by {slope:.2f} MiB for 10,000 tasks")
    if code or story.left_over != _LEFT_OVER:
        found.append(f"it ended with {code}, and threads and files {story.left_over}")
    return found


def _slope(samples: Sequence[tuple[int, float]]) -> float:
    return statistics.linear_regression(*zip(*samples, strict=True)).slope


def _of_many_lives(direct: Direct) -> list[str]:
    """
    Start and stop many workers in this process, each with some tasks.
    """
    done = threading.Semaphore(0)

    def note(event: Event) -> None:
        if isinstance(event, Reported):
            done.release()

    before, first = _belongings(), 0.0
    with ExternalTaskClient(direct.url) as client:
        for number in range(_STARTS):
            worker = Worker(client, async_response_timeout=100, hooks=[note])
            worker.handles(_TOPICS[0])(lambda task: None)
            with worker:
                _start(direct, _WIDTH)
                for _ in range(_WIDTH):
                    if not done.acquire(timeout=_NO_PROGRESS):
                        return [f"no progress any more in worker {number}"]
            first = first or memory()
        grown = memory() - first
    threads, files = (new - old for new, old in zip(_belongings(), before, strict=True))
    print(
        f"{_STARTS} starts and stops: {threads:+} threads, {files:+} files, {grown:+.1f} MiB",
        flush=True,
    )
    if threads or files or grown > _GROWTH_OF_STARTS:
        return [f"{_STARTS} starts leave {threads} threads, {files} files, {grown:.1f} MiB"]
    return []


def _belongings() -> tuple[int, int]:
    """
    How many threads and open files this process has.
    """
    return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))
