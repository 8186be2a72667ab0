"""
How many external tasks an engine gets through: the embedded one, and a real one beside it.

Run by hand: ``python -m tests.benchmarks.embedded``. What counts are the ratios, which a busy
machine changes less than the figures.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import attrs
import requests

from camunda_ext import ExternalTaskClient, Topic
from camunda_ext.testing import Engine
from tests.engines import launch
from tests.engines.catalog import CATALOG

_MODEL: Final = """\
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"
    xmlns:camunda="http://camunda.org/schema/1.0/bpmn" targetNamespace="benchmark">
  <process id="benchmark" isExecutable="true" camunda:historyTimeToLive="1">
    <startEvent id="start"/>
    <sequenceFlow id="first" sourceRef="start" targetRef="work"/>
    <serviceTask id="work" camunda:type="external" camunda:topic="benchmark"/>
    <sequenceFlow id="last" sourceRef="work" targetRef="end"/>
    <endEvent id="end"/>
  </process>
</definitions>
"""
_TOPICS: Final = (Topic("benchmark", lock_duration=600_000),)
_AT_ONCE: Final = 10
_BOUNDS: Final = {"embedded, in process": 10.0, "embedded, by HTTP": 1.0}


@attrs.frozen
class Candidate:
    """
    An engine, and the ways to it.
    """

    name: str
    url: str
    session: requests.Session
    client: ExternalTaskClient

    def tasks_per_second(self, tasks: int) -> float:
        """
        Start instances one by one, fetch their tasks ten at a time, complete each.
        """
        start = f"{self.url}/process-definition/key/benchmark/start"
        body = {"variables": {"amount": {"value": 1, "type": "Integer"}}}
        began = time.perf_counter()
        for _ in range(tasks):
            self.session.post(start, json=body, timeout=60).raise_for_status()
        left = tasks
        while left:
            locked = self.client.fetch_and_lock("worker", _TOPICS, max_tasks=_AT_ONCE)
            if not locked:
                raise RuntimeError(f"{self.name} has lost {left} tasks")
            for task in locked:
                self.client.complete(task.id, "worker", {"done": True})
            left -= len(locked)
        return tasks / (time.perf_counter() - began)


def _candidate(name: str, url: str, session: requests.Session) -> Candidate:
    session.trust_env = False
    files = {"model.bpmn": ("model.bpmn", _MODEL)}
    session.post(f"{url}/deployment/create", files=files, timeout=60).raise_for_status()
    return Candidate(name, url, session, ExternalTaskClient(url, session=session))


@contextmanager
def _served() -> Iterator[str]:
    """
    An embedded engine in a process of its own, as a real one is.
    """
    code = (
        "import sys\n"
        "from camunda_ext.testing import Engine\n"
        "with Engine() as engine:\n"
        "    print(engine.url, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


def _ready_after() -> float:
    began = time.perf_counter()
    with Engine():
        return time.perf_counter() - began


def compare(tasks: int, rounds: int, tell: Callable[[str], None]) -> bool:
    """
    Let the engines take turns, and tell the medians; whether the embedded one is quick enough.
    """
    with ExitStack() as stack:
        engine = stack.enter_context(Engine())
        served = stack.enter_context(_served())
        real = stack.enter_context(launch.start(CATALOG["camunda-7.24"]))
        candidates = (
            _candidate("Camunda 7.24", real.url, stack.enter_context(requests.Session())),
            _candidate("embedded, by HTTP", served, stack.enter_context(requests.Session())),
            _candidate("embedded, in process", engine.local_url, engine.session()),
        )
        for candidate in candidates:
            # A virtual machine needs some time to find its pace.
            candidate.tasks_per_second(tasks)
        seen: dict[str, list[float]] = {candidate.name: [] for candidate in candidates}
        for _ in range(rounds):
            for candidate in candidates:
                seen[candidate.name].append(candidate.tasks_per_second(tasks))
    medians = {name: statistics.median(figures) for name, figures in seen.items()}
    yardstick = medians["Camunda 7.24"]
    good = True
    for name, median in medians.items():
        bound = _BOUNDS.get(name)
        wanted = "" if bound is None else f", at least {bound:.0f} wanted"
        good = good and (bound is None or median / yardstick >= bound)
        tell(f"{name:<22}{median:>9.0f} tasks/s{median / yardstick:>8.1f} times{wanted}")
    ready = statistics.median(_ready_after() for _ in range(20))
    tell(f"Engine() is ready after {ready * 1000:.1f} ms, 50 at most wanted")
    return good and ready < 0.05


def main() -> None:
    """
    Compare, and exit with 1 if the embedded engine is too slow.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.embedded")
    parser.add_argument("--tasks", type=int, default=300, help="how many in a round")
    parser.add_argument("--rounds", type=int, default=5, help="how many rounds each")
    arguments = parser.parse_args()
    sys.exit(0 if compare(arguments.tasks, arguments.rounds, print) else 1)


if __name__ == "__main__":
    main()
