"""
What an engine gave out, what workers did with it, and which of it breaks a promise.
"""

from __future__ import annotations

import json
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs

from tests.faults.kinds import Answer
from tests.faults.ledger import Ledger, Said, Success
from tests.faults.proxy import Message

T = TypeVar("T")

#: The engine cuts its times to milliseconds, in seconds.
_CUT: Final = 0.001
#: How far two steps of the engine in one transaction may be apart, in seconds.
_STEP: Final = 0.05

#: What the result of a report to complete a task says, see `camunda_ext.worker.events.Result`; it
#: is empty where the worker was killed before.
_SAID: Final[Mapping[str, Said]] = {
    "done": Said.RETURNED,
    "gone": Said.REFUSED,
    "taken": Said.REFUSED,
    "unproven": Said.UNKNOWN,
    "left": Said.UNKNOWN,
    "": Said.UNKNOWN,
}


# ----------------------------------------------------------------------------- what the engine said


@attrs.frozen
class Lock:
    """
    A lock that the engine has set, by a fetch or by an extension.
    """

    task_id: str
    worker_id: str
    #: When, in seconds since 1970.
    at: float
    #: When it ends.
    until: float


@attrs.frozen
class Unlocked:
    """
    A task that the engine has unlocked.
    """

    task_id: str
    #: When it was asked to, and when it had done so.
    asked_at: float
    done_at: float


@attrs.frozen
class Failed:
    """
    A failure that the engine has recorded.
    """

    task_id: str
    worker_id: str
    at: float


class Watch:
    """
    Writes down what the engine says about locks; for `FaultProxy`.

    Args:
        lock_duration: That of all topics, in seconds.
    """

    def __init__(self, lock_duration: float) -> None:
        self._lock_duration = lock_duration
        self._guard = threading.Lock()
        self.given: Final[list[Lock]] = []
        self.extended: Final[list[Lock]] = []
        self.unlocked: Final[list[Unlocked]] = []

    def __call__(self, message: Message, answer: Answer, given: float, answered: float) -> None:
        """
        Look at a request and its answer.
        """
        *_, task_id, command = message.target.partition("?")[0].split("/")
        with self._guard:
            if command == "fetchAndLock" and answer.status == 200:
                for task in json.loads(answer.body):
                    until = seconds(task["lockExpirationTime"])
                    at = until - self._lock_duration
                    self.given.append(Lock(task["id"], task["workerId"], at, until))
            elif command in ("extendLock", "lock") and answer.status == 204:
                body = json.loads(message.body)
                duration = body.get("newDuration", body.get("lockDuration")) / 1000
                self.extended.append(Lock(task_id, body["workerId"], given, answered + duration))
            elif command == "unlock" and answer.status == 204:
                self.unlocked.append(Unlocked(task_id, given, answered))


def seconds(date: str) -> float:
    """
    Give a date of the engine in seconds since 1970.
    """
    return datetime.strptime(date, "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()


# ------------------------------------------------------------------------------ what workers wrote


@attrs.define(kw_only=True)
class Run:
    """
    A handler's run, as its process has written it down.
    """

    station: str
    task_id: str
    worker_id: str
    began: float
    #: When it ended, and how; nothing if the process was killed before.
    ended: float | None = None
    outcome: str = ""
    #: What was reported in the end, and the result; nothing if the process was killed before.
    report: str = ""
    result: str = ""
    #: Of a failure, in seconds.
    retry_timeout: float = 0.0


@attrs.define
class Story:
    """
    What one worker has written down.
    """

    station: str
    runs: list[Run] = attrs.Factory(list)
    counts: Counter[str] = attrs.Factory(Counter)
    #: The exit code and the tasks left, as the worker itself says; nothing if it was killed.
    stopped: tuple[int, tuple[str, ...]] | None = None
    #: The threads and files that were left at the end.
    left_over: tuple[int, int] | None = None


def read(station: str, path: Path) -> Story:
    """
    Read the journal of a worker, see `tests.worker.station.Journal`.
    """
    story = Story(station)
    latest: dict[str, Run] = {}
    for line in path.read_text("ascii").splitlines():
        time, kind, task_id, worker_id, detail = line.split("\t")
        story.counts[kind] += 1
        match kind:
            case "began":
                latest[task_id] = Run(
                    station=station, task_id=task_id, worker_id=worker_id, began=float(time)
                )
                story.runs.append(latest[task_id])
            case "ended":
                latest[task_id].ended, latest[task_id].outcome = float(time), detail
            case "reported":
                report, result, *retries = detail.split()
                story.counts[f"reported {report}: {result}"] += 1
                # What has not begun may be reported, too: as given back.
                if (run := latest.get(task_id)) is not None and not run.result:
                    run.report, run.result = report, result
                    run.retry_timeout = int(retries[1]) / 1000 if retries else 0.0
            case "stopped":
                code, *left = detail.split()
                story.stopped = int(code), tuple(left)
                story.counts[f"stopped with {code}"] += 1
            case "over":
                threads, files = detail.split()
                story.left_over = int(threads), int(files)
    return story


def station_of(worker_id: str) -> str:
    """
    Give the name of the station that has a worker id.
    """
    return worker_id.partition(":")[0]


# --------------------------------------------------------------------------------- what it comes to


@attrs.frozen(kw_only=True)
class _Trace:
    """
    All that has happened to one task, each in the order of time.
    """

    task_id: str
    given: Sequence[Lock]
    extended: Sequence[Lock]
    unlocked: Sequence[Unlocked]
    failures: Sequence[Failed]
    runs: Sequence[Run]


@attrs.frozen(kw_only=True)
class Evidence:
    """
    All that is known of what workers and an engine did.
    """

    given: Sequence[Lock]
    extended: Sequence[Lock]
    unlocked: Sequence[Unlocked]
    failures: Sequence[Failed]
    #: In the order of their stations' numbers.
    stories: Sequence[Story]
    #: When each station that was killed died.
    died: Mapping[str, float]

    def breaches(self, counts: Counter[str]) -> Iterator[str]:
        """
        Give a sentence for each promise about locks and runs that was broken.

        Args:
            counts: Is told how often what was seen.
        """
        for trace in self._traces():
            counts["begun again"] += max(0, len(trace.runs) - 1)
            yield from _begun_too_often(trace)
            yield from self._overlaps(trace)
            for first, second in pairwise(trace.given):
                reason, breaches = self._why_again(trace, first, second)
                counts[f"given out again: {reason}"] += 1
                yield from breaches

    def contradictions(
        self, task_ids: Sequence[str], history: Iterable[tuple[str, str]]
    ) -> list[str]:
        """
        Compare what workers were told with the engine's history.

        Args:
            task_ids: All tasks that can be completed, in ascending order.

            history: The task and the worker id of each entry that a task was completed.
        """
        names = [story.station for story in self.stories]
        ledger = Ledger(task_ids, names)
        for place, story in enumerate(self.stories):
            for run in story.runs:
                if run.outcome == "Completed" and run.report in ("", "Completed"):
                    ledger.note(run.task_id, place, _SAID[run.result])
        return ledger.contradictions(Success(task, station_of(by)) for task, by in history)

    def left_locked(self, name: str, task_id: str) -> Iterator[str]:
        """
        Give a sentence about a task that was locked for a station when that had stopped, unless it
        waits for its retry, or the worker itself has said that it is left.
        """
        [story] = (story for story in self.stories if story.station == name)
        if story.stopped is not None and task_id in story.stopped[1]:
            return
        began = max((run.began for run in story.runs if run.task_id == task_id), default=None)
        if began is None or not any(
            one.task_id == task_id and station_of(one.worker_id) == name and one.at >= began - _CUT
            for one in self.failures
        ):
            yield f"{name} has stopped, and {task_id} is locked for it"

    def _traces(self) -> Iterator[_Trace]:
        given = _by_task(sorted(self.given, key=lambda one: one.at))
        extended, unlocked = _by_task(self.extended), _by_task(self.unlocked)
        failures = _by_task(sorted(self.failures, key=lambda one: one.at))
        runs = _by_task(
            sorted((run for one in self.stories for run in one.runs), key=lambda run: run.began)
        )
        for task_id in given.keys() | runs.keys():
            yield _Trace(
                task_id=task_id,
                given=given[task_id],
                extended=extended[task_id],
                unlocked=unlocked[task_id],
                failures=failures[task_id],
                runs=runs[task_id],
            )

    def _overlaps(self, trace: _Trace) -> Iterator[str]:
        for first, second in pairwise(trace.runs):
            ended = first.ended or self.died.get(first.station)
            if ended is None or second.began < ended:
                yield f"{trace.task_id} ran twice at a time: {first} and {second}"

    def _why_again(self, trace: _Trace, first: Lock, second: Lock) -> tuple[str, Sequence[str]]:
        """
        Give the reason why the engine gave a task out again, and what is wrong with it.
        """
        name = station_of(first.worker_id)
        runs = [
            run
            for run in trace.runs
            if run.station == name and first.at - _CUT <= run.began <= second.at + _CUT
        ]
        failures = [one for one in trace.failures if first.at <= one.at < second.at]
        if failures:
            return "a failure was reported", _too_early(failures[-1], runs, second)
        unlocked = [
            one
            for one in trace.unlocked
            if first.at <= one.done_at and one.asked_at <= second.at + _CUT
        ]
        if unlocked:
            return "it was unlocked", [
                f"{trace.task_id} was unlocked though {run.worker_id} had begun it"
                for run in runs
                if run.outcome != "Abandoned"
                and run.result != "left"
                and run.began <= unlocked[-1].done_at
            ]
        died = self.died.get(name)
        if died is not None and died <= second.at:
            return "its worker was killed", ()
        if not runs:
            return "it was lost, and its lock ran out", ()
        if runs[-1].result == "left":
            return "its report was left", ()
        until = max(
            one.until
            for one in (first, *trace.extended)
            if one.worker_id == first.worker_id and one.at <= second.at
        )
        late = second.at - until
        return "its lock ran out", [
            (
                f"{trace.task_id} was given out again {late:.3f} s after the end of its lock, "
                f"though its worker was alive: {runs[-1]}"
            )
        ]


def _begun_too_often(trace: _Trace) -> Iterator[str]:
    given = Counter(one.worker_id for one in trace.given)
    for worker_id, times in Counter(run.worker_id for run in trace.runs).items():
        if times > given[worker_id]:
            yield (
                f"{trace.task_id} was begun {times} times by {worker_id}, and given out to it "
                f"{given[worker_id]} times"
            )


def _too_early(failure: Failed, runs: Sequence[Run], again: Lock) -> Sequence[str]:
    """
    See that the wait for a retry was not cut short.
    """
    timeouts = [run.retry_timeout for run in runs if run.report == "Failure"]
    if not timeouts or again.at >= failure.at + timeouts[-1] - _STEP:
        return ()
    early = failure.at + timeouts[-1] - again.at
    return (f"the retry of {failure.task_id} was given out {early:.3f} s early",)


def _by_task(items: Iterable[Any]) -> defaultdict[str, list[Any]]:
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for item in items:
        found[item.task_id].append(item)
    return found
