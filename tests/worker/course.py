"""
Many tasks for workers in processes of their own, with faults between them and the engine, and with
signals; and then a look into the engine's own history.
"""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs
import requests

from tests.faults.kinds import Stage, Stalled, every_fault
from tests.faults.marathon import Direct, engine, memory, model, tell
from tests.faults.plan import Plan, only, random_plan
from tests.faults.proxy import FaultProxy
from tests.worker.evidence import Evidence, Failed, Watch, read, seconds, station_of
from tests.worker.station import RETRIES, Station, is_poison

T = TypeVar("T")

_TOPICS: Final = tuple(f"course{number}" for number in range(8))
#: How many tasks of one process instance there are at once.
_WIDTH: Final = 10
#: A database looks at all tasks of a topic to give one: there are no more than this at a time.
_BACKLOG: Final = 2000
_LOCK: Final = 15.0
_GRACE: Final = 25.0
#: How long a process that was asked to end may take beyond its grace, in seconds.
_MARGIN: Final = 1.0
_READ_TIMEOUT: Final = 2.0
#: How long what stalls does so, in seconds: nobody minds, the client does, and so does a fetch.
_SHORT_STALL: Final = 0.2
_STALL: Final = 1.5 * _READ_TIMEOUT
_LONG_STALL: Final = 17.0
#: Longer than any lock or retry: what is not done by then, nobody will do.
_NO_PROGRESS: Final = 90.0
#: What a process has at its end: one thread, its three streams, the journal, and this look itself.
_LEFT_OVER: Final = (1, 5)
#: How much the memory of a worker may grow in the second half, in MiB.
_GROWTH: Final = 5.0
#: How likely it is that a worker is asked to end, and not killed.
_ASKED: Final = 0.6


@attrs.frozen(kw_only=True)
class Options:
    """
    The options of a course.
    """

    #: The engine's name, see `tests.engines.catalog`, or ``embedded``.
    engine: str
    tasks: int
    #: About how many requests of a hundred meet a fault.
    faults: float
    workers: int
    #: The time from signal to signal, on average, in seconds; 0 for none.
    every: float
    outages: int
    outage_seconds: float
    seed: int


@attrs.define
class _Post:
    """
    A station, and the process that it runs in.
    """

    station: Station
    process: subprocess.Popen[bytes]

    def has_begun(self) -> bool:
        """
        Whether it has begun any task.
        """
        journal = Path(self.station.journal)
        return journal.exists() and "began" in journal.read_text("ascii")


class _Foreman:
    """
    Keeps so many stations running, ends them at random, and looks what they leave.
    """

    def __init__(self, url: str, direct: Direct, folder: Path, options: Options) -> None:
        self._url = url
        self._direct = direct
        self._folder = folder
        self._random = random.Random(options.seed)  # noqa: S311  # to be repeated, not to hide
        self._guard = threading.Lock()
        self._farewells: list[threading.Thread] = []
        #: All stations that there have been.
        self.stations: Final[list[Station]] = []
        #: When each station that was killed died.
        self.died: Final[dict[str, float]] = {}
        #: The tasks that were locked for a station when it had ended.
        self.locked: Final[list[tuple[str, str]]] = []
        #: What is wrong with the ends of stations.
        self.breaches: Final[list[str]] = []
        self.signals: Final[Counter[str]] = Counter()
        #: How much memory the first station had each time, in MiB; it is never disturbed.
        self.memory: Final[list[float]] = []
        self._posts: Final = [self._begin() for _ in range(options.workers)]

    def weigh(self) -> float:
        """
        Look how much memory the first station has now, in MiB.
        """
        self.memory.append(memory(self._posts[0].process.pid))
        return self.memory[-1]

    def disturb(self) -> None:
        """
        End any station but the first one, and begin another.
        """
        place = self._random.randrange(1, len(self._posts))
        if self._random.random() < _ASKED:
            self._end(self._posts[place])
        else:
            self._kill(self._posts[place])
        self._posts[place] = self._begin()

    def close(self) -> None:
        """
        End all stations.
        """
        for post in self._posts:
            self._end(post)
        for thread in self._farewells:
            thread.join()

    def _begin(self) -> _Post:
        name = f"s{len(self.stations)}"
        station = Station(
            url=self._url,
            journal=str(self._folder / name),
            name=name,
            topics=_TOPICS,
            lock_duration=int(_LOCK * 1000),
            grace=_GRACE,
            read_timeout=_READ_TIMEOUT,
        )
        self.stations.append(station)
        with (self._folder / f"{name}.log").open("wb") as log:
            return _Post(station, subprocess.Popen(station.command(), stderr=log))

    def _kill(self, post: _Post) -> None:
        self.signals["SIGKILL"] += 1
        post.process.kill()
        post.process.wait()
        self.died[post.station.name] = time.time()

    def _end(self, post: _Post) -> None:
        self.signals["SIGTERM"] += 1
        post.process.send_signal(signal.SIGTERM)
        thread = threading.Thread(target=self._see_off, args=(post, time.monotonic()))
        thread.start()
        self._farewells.append(thread)

    def _see_off(self, post: _Post, asked: float) -> None:
        name = post.station.name
        try:
            code = post.process.wait(2 * _GRACE)
        except subprocess.TimeoutExpired:
            post.process.kill()
            post.process.wait()
            code = None
        took = time.monotonic() - asked
        query = {"locked": True, "sorting": [{"sortBy": "id", "sortOrder": "asc"}]}
        everything = _patiently(lambda: list(self._direct.pages("/external-task", query)))
        locked = [task["id"] for task in everything if station_of(task["workerId"]) == name]
        with self._guard:
            self.locked.extend((name, task_id) for task_id in locked)
            if took > _GRACE + _MARGIN:
                self.breaches.append(f"{name} took {took:.1f} s to end")
            # Before it listens to signals, it dies of them, and has no lock.
            if code not in (0, 1) and not (code == -signal.SIGTERM and not post.has_begun()):
                self.breaches.append(f"{name} ended with {code}")


class _Feeder(threading.Thread):
    """
    Starts process instances, as long as there are not too many tasks.
    """

    def __init__(self, direct: Direct, tasks: int) -> None:
        super().__init__(name="feeder")
        self._direct = direct
        self._tasks = tasks
        self.settled = 0
        self.stopped: Final = threading.Event()

    def run(self) -> None:
        """
        Start all of them, and return when they are gone.
        """
        started = 0
        while not self.stopped.is_set():
            # Those that always fail stay, without retries.
            left = _patiently(self._count)
            self.settled = started - left
            if started >= self._tasks and not left:
                return
            room = max(0, min(_BACKLOG - left, self._tasks - started))
            for _ in range(-(-room // _WIDTH)):
                _patiently(partial(self._start, _TOPICS[started // _WIDTH % len(_TOPICS)]))
                started += _WIDTH
            self.stopped.wait(0.5)

    def _count(self) -> int:
        counted = self._direct.done("/external-task/count", json={"withRetriesLeft": True})
        return int(counted["count"])

    def _start(self, topic: str) -> None:
        self._direct.done(f"/process-definition/key/{topic}/start", json={})


def _patiently(ask: Callable[[], T]) -> T:
    """
    Ask the engine, also if it has too much to do at first: its database has few connections.
    """
    deadline = time.monotonic() + _NO_PROGRESS
    while True:
        try:
            return ask()
        except requests.HTTPError:
            if time.monotonic() > deadline:
                raise


def _plan(options: Options) -> Plan:
    chance = options.faults / 100
    kinds = (*every_fault(_SHORT_STALL), *(Stalled(stage, _STALL) for stage in Stage))
    lost = [Stalled(stage, _LONG_STALL) for stage in Stage]
    of_all = random_plan(options.seed, chance, kinds)
    # There are fewer of them, and more depends on them.
    of_fetches = random_plan(options.seed + 1, chance, kinds)
    too_late = random_plan(options.seed + 2, chance / 10, lost)
    fetches = only("/fetchAndLock", lambda request: too_late(request) or of_fetches(request))
    return lambda request: fetches(request) or of_all(request)


def _look_on(feeder: _Feeder, foreman: _Foreman, proxy: FaultProxy, options: Options) -> bool:
    """
    Tell how it goes, and disturb it meanwhile; whether all tasks are gone in the end.
    """
    tasks, parts = options.tasks, options.outages + 1
    outages = [tasks * number // parts for number in range(1, parts)]
    marks = [tasks * step // 10 for step in range(1, 11)]
    pace = random.Random(options.seed)  # noqa: S311  # to be repeated, not to hide
    began = progress_at = time.monotonic()
    signal_at = began + options.every
    most = 0
    while feeder.is_alive():
        feeder.join(0.5)
        now, settled = time.monotonic(), feeder.settled
        if settled > most:
            most, progress_at = settled, now
        elif now - progress_at > _NO_PROGRESS:
            return False
        if outages and settled >= outages[0]:
            del outages[0]
            print(f"an outage after {settled} tasks", flush=True)
            with proxy.outage():
                time.sleep(options.outage_seconds)
        if options.every and now >= signal_at:
            foreman.disturb()
            signal_at = now + pace.uniform(0.5, 1.5) * options.every
        if marks and settled >= marks[0]:
            marks = [mark for mark in marks if mark > settled]
            print(
                f"{settled:>8} tasks gone after {now - began:6.1f} s, {proxy.requests} requests, "
                f"{proxy.struck.total()} faults, {foreman.signals['SIGTERM']} SIGTERM, "
                f"{foreman.signals['SIGKILL']} SIGKILL, {foreman.weigh():.1f} MiB in a worker",
                flush=True,
            )
    return True


def run(options: Options) -> list[str]:
    """
    Run a course, and give a sentence for each promise that was broken.
    """
    folder = Path(tempfile.mkdtemp(prefix="course-"))
    with ExitStack() as stack:
        direct = Direct(
            stack.enter_context(engine(options.engine)), stack.enter_context(requests.Session())
        )
        direct.session.trust_env = False
        files = {"model.bpmn": ("model.bpmn", model(_TOPICS, _WIDTH))}
        direct.done("/deployment/create", files=files)
        watch = Watch(_LOCK)
        feeder = _Feeder(direct, options.tasks)
        with FaultProxy(direct.url, _plan(options), watch=watch) as proxy:
            foreman = _Foreman(proxy.url, direct, folder, options)
            feeder.start()
            try:
                is_over = _look_on(feeder, foreman, proxy, options)
            finally:
                feeder.stopped.set()
                foreman.close()
                feeder.join()
        found = [*foreman.breaches, *_judge(direct, foreman, watch, folder)]
        if not is_over:
            found.append(f"no progress any more; the last requests:\n{proxy.story}")
    tell("faults", Counter({str(fault): times for fault, times in proxy.struck.items()}))
    print(
        f"\n{proxy.requests} requests, {proxy.forwarded} forwarded, {proxy.unanswered} of them not "
        f"answered by the engine, {proxy.connections} connections, {proxy.struck.total()} faults, "
        f"{foreman.signals['SIGTERM']} SIGTERM, {foreman.signals['SIGKILL']} SIGKILL"
    )
    if found:
        locks = [*watch.given, *watch.extended, *watch.unlocked]
        (folder / "locks").write_text("".join(f"{lock}\n" for lock in locks))
        print(f"what workers and the engine did is in {folder}")
    else:
        shutil.rmtree(folder)
    return found


def _judge(direct: Direct, foreman: _Foreman, watch: Watch, folder: Path) -> Iterator[str]:
    created, failed, completed = (
        list(direct.pages("/history/external-task-log", {kind: True, "sorting": _BY_TASK}))
        for kind in ("creationLog", "failureLog", "successLog")
    )
    evidence = Evidence(
        given=watch.given,
        extended=watch.extended,
        unlocked=watch.unlocked,
        failures=[
            Failed(entry["externalTaskId"], entry["workerId"], seconds(entry["timestamp"]))
            for entry in failed
        ],
        stories=[
            read(station.name, Path(station.journal))
            for station in foreman.stations
            if Path(station.journal).exists()
        ],
        died=foreman.died,
    )
    counts: Counter[str] = Counter()
    for story in evidence.stories:
        counts += story.counts
    yield from evidence.breaches(counts)
    task_ids = sorted(entry["externalTaskId"] for entry in created)
    yield from evidence.contradictions(
        [task_id for task_id in task_ids if not is_poison(task_id)],
        ((entry["externalTaskId"], entry["workerId"]) for entry in completed),
    )
    poison: dict[str, list[int | None]] = {
        task_id: [] for task_id in task_ids if is_poison(task_id)
    }
    yield from _of_poison(poison, failed, list(direct.pages("/external-task", {})))
    # At first, not all of its threads have begun.
    if foreman.memory and foreman.memory[-1] - foreman.memory[len(foreman.memory) // 2] > _GROWTH:
        yield f"the memory of a worker has grown: {foreman.memory}"
    for name, task_id in foreman.locked:
        yield from evidence.left_locked(name, task_id)
    for story in evidence.stories:
        if story.stopped is not None and story.stopped[0] and not story.stopped[1]:
            counts["stopped with 1, and no task left"] += 1
        if story.left_over not in (None, _LEFT_OVER):
            yield f"{story.station} has left threads and files: {story.left_over}"
    tell("events", counts)


_BY_TASK: Final = [
    {"sortBy": "externalTaskId", "sortOrder": "asc"},
    {"sortBy": "timestamp", "sortOrder": "asc"},
]


def _of_poison(
    poison: dict[str, list[int | None]],
    failed: Sequence[Mapping[str, Any]],
    left: Sequence[Mapping[str, Any]],
) -> Iterator[str]:
    """
    See that the tasks that always fail have used up their retries one by one, and alone are left.
    """
    for entry in failed:
        if entry["externalTaskId"] in poison:
            poison[entry["externalTaskId"]].append(entry["retries"])
    # The engine writes down those before the failure.
    expected = [None, *range(len(RETRIES), 0, -1)]
    for task_id, seen in poison.items():
        if seen != expected:
            yield f"the retries of {task_id} were {seen}"
    if {(task["id"], task["retries"]) for task in left} != {(task_id, 0) for task_id in poison}:
        yield f"not only those are left that always fail: {[task['id'] for task in left]}"
