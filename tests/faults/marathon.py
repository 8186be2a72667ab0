"""
Many tasks, threads and faults, and then a look into the engine's own history.

Run by hand: ``python -m tests.faults.marathon --engine camunda-7.24 --tasks 100000``. It ends
with 1 if a call said anything that the history knows better.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import requests

from camunda_ext import (
    CamundaError,
    ExternalTask,
    ExternalTaskClient,
    ExternalTaskQuery,
    LockLost,
    NotSent,
    OutcomeUnknown,
    Refused,
    TaskNotFound,
    Timeout,
    Topic,
)
from tests.benchmarks.embedded import _served
from tests.engines import launch
from tests.engines.catalog import CATALOG
from tests.faults.kinds import Stage, Stalled, every_fault
from tests.faults.ledger import Ledger, Said, Success
from tests.faults.plan import random_plan
from tests.faults.proxy import FaultProxy

_NAME: Final = "marathon"
#: A database looks at all tasks of a topic to give one, so that many in one make it slow.
_TASKS_OF_TOPIC: Final = 500
#: So that they are in each other's way now and then.
_WORKERS_OF_TOPIC: Final = 2
_AT_ONCE: Final = 10
_PAGE: Final = 2000
_LOCK: Final = 5 * 60_000
#: Longer than a lock: what nobody got by then, nobody will.
_NO_PROGRESS: Final = 400.0
_SHORT_STALL: Final = 0.2
_PAUSE: Final = 0.05
#: So many fetches without a task, and a worker looks what it holds unknowingly.
_ENOUGH: Final = 10
#: The history of so many tasks is all in the engine's memory.
_JAVA_MEMORY: Final = "-Xmx3g"
_SHOWN: Final = 20


def model(topics: Sequence[str], width: int) -> str:
    """
    Give a process for each topic, which forks into many tasks, each with an end of its own.
    """
    processes = []
    for topic in topics:
        branches = "".join(
            f'<sequenceFlow id="{topic}to{number}" sourceRef="{topic}fork"'
            f' targetRef="{topic}work{number}"/>'
            f'<serviceTask id="{topic}work{number}" camunda:type="external"'
            f' camunda:topic="{topic}"/>'
            f'<sequenceFlow id="{topic}from{number}" sourceRef="{topic}work{number}"'
            f' targetRef="{topic}end{number}"/>'
            f'<endEvent id="{topic}end{number}"/>'
            for number in range(width)
        )
        processes.append(
            f'<process id="{topic}" isExecutable="true" camunda:historyTimeToLive="1">'
            f'<startEvent id="{topic}start"/><sequenceFlow id="{topic}first"'
            f' sourceRef="{topic}start" targetRef="{topic}fork"/>'
            f'<parallelGateway id="{topic}fork"/>{branches}</process>'
        )
    return (
        '<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" '
        'xmlns:camunda="http://camunda.org/schema/1.0/bpmn" targetNamespace="marathon">'
        + "".join(processes)
        + "</definitions>"
    )


@attrs.frozen
class Direct:
    """
    The engine without a proxy, and without the client that is on trial.
    """

    url: str
    session: requests.Session

    def done(self, path: str, **request: Any) -> Any:
        """
        Give what the engine answers to a POST.
        """
        answer = self.session.post(self.url + path, timeout=300, **request)
        answer.raise_for_status()
        return answer.json()

    def create(self, tasks: int, topics: Sequence[str], width: int) -> list[str]:
        """
        Create at least so many tasks, and give their ids in ascending order.

        Args:
            topics: What the tasks are shared out to.

            width: How many tasks each process instance has at once.
        """
        self.done("/deployment/create", files={"model.bpmn": ("model.bpmn", model(topics, width))})
        for number in range(-(-tasks // width)):
            topic = topics[number % len(topics)]
            self.done(f"/process-definition/key/{topic}/start", json={})
        query = {"sorting": [{"sortBy": "id", "sortOrder": "asc"}]}
        return sorted(task["id"] for task in self.pages("/external-task", query))

    def left(self) -> int:
        """
        Give the number of tasks that the engine has.
        """
        return int(self.done("/external-task/count", json={})["count"])

    def history(self) -> Iterator[Success]:
        """
        Give all entries that a task was completed.
        """
        sorting = [{"sortBy": "externalTaskId", "sortOrder": "asc"}]
        query = {"successLog": True, "sorting": sorting}
        for entry in self.pages("/history/external-task-log", query):
            yield Success(entry["externalTaskId"], str(entry["workerId"]))

    def pages(self, path: str, query: Mapping[str, object]) -> Iterator[Any]:
        first = 0
        while page := self.done(f"{path}?firstResult={first}&maxResults={_PAGE}", json=query):
            yield from page
            first += len(page)


# ----------------------------------------------------------------------------------- the workers


class Crew:
    """
    Workers that share a client, and write down what it says.
    """

    def __init__(
        self,
        client: ExternalTaskClient,
        ledger: Ledger,
        worker_ids: Sequence[str],
        topics: Sequence[str],
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._worker_ids = worker_ids
        self._topics = topics
        groups = -(-len(worker_ids) // _WORKERS_OF_TOPIC)
        # The place of the topic that each worker fetches from.
        self._at = [
            number // _WORKERS_OF_TOPIC * len(topics) // groups for number in range(len(worker_ids))
        ]
        self._guard = threading.Lock()
        self._recover: Callable[..., Iterable[ExternalTask]] = getattr(
            client, "recover", self._still_locked
        )
        self.stopped: Final = threading.Event()
        #: How often an operation said what.
        self.outcomes: Final[Counter[str]] = Counter()
        self.threads: Final = [
            threading.Thread(target=self._work, args=(number,), name=worker_id)
            for number, worker_id in enumerate(worker_ids)
        ]

    def _work(self, number: int) -> None:
        worker_id = self._worker_ids[number]
        while not (self._ledger.is_complete or self.stopped.is_set()):
            task_ids = self._fetched(number)
            # Nothing is in hand now: what is locked comes of a fetch whose answer was lost, this
            # one or an earlier one that came late to the engine.
            for task_id in task_ids or self._recovered(worker_id):
                self._finish(task_id, number)

    def _fetched(self, number: int) -> list[str]:
        """
        Give what a fetch gives; nothing if its answer was lost, or if there was none for long.
        """
        empty = 0
        while not (self._ledger.is_complete or self.stopped.is_set()) and empty < _ENOUGH:
            topic = Topic(self._topics[self._at[number]], lock_duration=_LOCK)
            try:
                tasks = self._client.fetch_and_lock(
                    self._worker_ids[number], [topic], max_tasks=_AT_ONCE
                )
            except OutcomeUnknown as error:
                self._count("fetch_and_lock", type(error).__name__)
                return []
            except CamundaError as error:
                self._count("fetch_and_lock", type(error).__name__)
            else:
                self._count("fetch_and_lock", "returned tasks" if tasks else "returned nothing")
                if tasks:
                    return [task.id for task in tasks]
                empty += 1  # others were quicker, or there is nothing
                self._at[number] = (self._at[number] + 1) % len(self._topics)
            self.stopped.wait(_PAUSE)
        return []

    def _recovered(self, worker_id: str) -> list[str]:
        try:
            tasks = self._recover(worker_id, known=())
        except CamundaError as error:
            self._count("recover", type(error).__name__)
            return []
        task_ids = [task.id for task in tasks]
        self._count("recover", "returned tasks" if task_ids else "returned nothing")
        return task_ids

    def _still_locked(self, worker_id: str, known: Iterable[str] = ()) -> Iterable[ExternalTask]:
        """
        Do what `recover` does, for a client that has none.
        """
        return self._client.list(ExternalTaskQuery().worker_id(worker_id).locked())

    def _finish(self, task_id: str, number: int) -> None:
        """
        Complete a task, until it is gone or somebody else's.
        """
        while not self.stopped.is_set():
            outcome, said, gone, goes_on = self._complete(task_id, number)
            self._count("complete", outcome)
            self._ledger.note(task_id, number, said, gone=gone)
            if not goes_on:
                return
            self.stopped.wait(_PAUSE)

    def _complete(self, task_id: str, number: int) -> tuple[str, Said, bool, bool]:
        try:
            self._client.complete(task_id, self._worker_ids[number], local_variables={"by": number})
        except TaskNotFound as error:
            return type(error).__name__, Said.REFUSED, True, False
        except LockLost as error:
            return type(error).__name__, Said.REFUSED, False, False
        except Refused as error:
            return type(error).__name__, Said.REFUSED, False, True
        except NotSent as error:
            return type(error).__name__, Said.NOT_SENT, False, True
        except OutcomeUnknown as error:
            return type(error).__name__, Said.UNKNOWN, False, True
        return "returned", Said.RETURNED, True, False

    def _count(self, operation: str, outcome: str) -> None:
        with self._guard:
            self.outcomes[f"{operation}: {outcome}"] += 1


# ------------------------------------------------------------------------------------- the course


@contextmanager
def engine(name: str) -> Iterator[str]:
    if name == "embedded":
        with _served() as url:
            yield url
        return
    # The launcher has its own limit on the command line, which only this variable outdoes.
    os.environ.setdefault("_JAVA_OPTIONS", _JAVA_MEMORY)
    with launch.start(CATALOG[name]) as running:
        yield running.url


def memory(pid: int | str = "self") -> float:
    """
    Give how much memory a process has, in MiB.
    """
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


def _look_on(
    crew: Crew, ledger: Ledger, proxy: FaultProxy, tasks: int, outages: int, seconds: float
) -> bool:
    """
    Tell how it goes, and have outages meanwhile; whether all tasks are gone in the end.
    """
    marks = {tasks * step // 10: False for step in range(1, 11)}
    marks |= {tasks * (number + 1) // (outages + 1) + 1: True for number in range(outages)}
    began = time.monotonic()
    for settled, is_outage in sorted(marks.items()):
        before = -1
        while not ledger.wait_for(settled, _NO_PROGRESS):
            if ledger.settled == before:
                return False
            before = ledger.settled
        if is_outage:
            with proxy.outage():
                print(f"an outage after {settled} tasks", flush=True)
                crew.stopped.wait(seconds)
            continue
        print(
            f"{settled:>8} tasks gone after {time.monotonic() - began:6.1f} s, "
            f"{proxy.requests} requests, {proxy.struck.total()} faults, "
            f"{memory():.1f} MiB, {threading.active_count()} threads",
            flush=True,
        )
    return True


def run(arguments: argparse.Namespace) -> list[str]:
    """
    Run a marathon, and give what was said and is not so.
    """
    stalls = (Stalled(stage, 1.5 * arguments.read_timeout) for stage in Stage)
    faults = (*every_fault(_SHORT_STALL), *stalls)
    # A request to complete each task, and one for each fetch.
    requests_due = arguments.tasks * (1 + 1 / _AT_ONCE)
    plan = random_plan(arguments.seed, min(1.0, arguments.faults / requests_due), faults)
    worker_ids = [f"{_NAME}-{number}" for number in range(arguments.threads)]
    topics = [f"{_NAME}{number}" for number in range(-(-arguments.tasks // _TASKS_OF_TOPIC))]
    timeout = Timeout(connect=3.0, read=arguments.read_timeout, total=5 * arguments.read_timeout)
    with ExitStack() as stack:
        direct = Direct(
            stack.enter_context(engine(arguments.engine)),
            stack.enter_context(requests.Session()),
        )
        direct.session.trust_env = False
        task_ids = direct.create(arguments.tasks, topics, arguments.width)
        print(f"{len(task_ids)} tasks, {memory():.1f} MiB", flush=True)
        ledger = Ledger(task_ids, worker_ids)
        with (
            FaultProxy(direct.url, plan) as proxy,
            ExternalTaskClient(proxy.url, timeout=timeout) as client,
        ):
            crew = Crew(client, ledger, worker_ids, topics)
            for thread in crew.threads:
                thread.start()
            try:
                is_over = _look_on(
                    crew,
                    ledger,
                    proxy,
                    len(task_ids),
                    arguments.outages,
                    arguments.outage_seconds,
                )
            finally:
                crew.stopped.set()
                for thread in crew.threads:
                    thread.join()
        found = ledger.contradictions(direct.history())
        if not is_over:
            found.append(f"no progress any more; the last requests:\n{proxy.story}")
        if left := direct.left():
            found.append(f"{left} tasks are left")
    left_threads = [thread for thread in threading.enumerate() if thread.name != "MainThread"]
    found += (f"the thread {thread.name} is left" for thread in left_threads)
    tell("faults", Counter({str(fault): times for fault, times in proxy.struck.items()}))
    tell("outcomes", crew.outcomes)
    print(
        f"\n{proxy.requests} requests, {proxy.forwarded} forwarded, {proxy.unanswered} of them not "
        f"answered by the engine, {proxy.connections} connections, {proxy.struck.total()} faults, "
        f"{memory():.1f} MiB, {len(left_threads)} threads left"
    )
    return found


def tell(title: str, counts: Counter[str]) -> None:
    print(f"\n{title}:")
    for name, times in sorted(counts.items()):
        print(f"{times:>8}  {name}")


def main() -> None:
    """
    Run a marathon, and exit with 1 on any contradiction.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.faults.marathon")
    parser.add_argument("--engine", choices=("embedded", *CATALOG), default="embedded")
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument(
        "--width",
        type=int,
        default=10,
        help="tasks of one process instance at once; the more, the more conflicts",
    )
    parser.add_argument("--faults", type=int, default=100, help="about how many")
    parser.add_argument("--outages", type=int, default=2)
    parser.add_argument("--outage-seconds", type=float, default=3.0)
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--read-timeout", type=float, default=2.0, help="of the client, in seconds")
    parser.add_argument("--seed", type=int, default=1)
    found = run(parser.parse_args())
    for contradiction in found[:_SHOWN]:
        print(contradiction)
    print(f"{len(found)} contradictions")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
