"""
Camunda's own clients, for JavaScript and for Java, beside a worker.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from camunda_ext import HistoricExternalTaskLogQuery, Worker
from camunda_ext.worker import Task
from tests.conformance.live import PATIENCE, Live
from tests.engines.catalog import Distribution
from tests.engines.preparation import MARKER, prepare
from tests.engines.processes import BUILD, only_one_process, run
from tests.engines.wanted import WANTED

_JAVASCRIPT: Final = "camunda-external-task-client-js@3.1.0"
_JAVA: Final = Distribution(
    name="official-client",
    vendor="Camunda",
    version="7.24.0",
    spring_boot="3.5.5",
    dependencies=(
        "org.camunda.bpm:camunda-external-task-client:7.24.0",
        "jakarta.xml.bind:jakarta.xml.bind-api",
        "org.slf4j:slf4j-nop",
    ),
    java_sources=("client/Client.java",),
)
#: How many tasks there are at a time, until each of the clients has had some.
_AT_ONCE: Final = 12


def _javascript() -> Sequence[str]:
    """
    The command of the client for JavaScript, which npm fetches the first time.
    """
    if missing := [tool for tool in ("node", "npm") if shutil.which(tool) is None]:
        problem = f"the client for JavaScript needs {' and '.join(missing)} on the PATH"
        pytest.fail(problem) if WANTED.required else pytest.skip(problem)
    folder = BUILD / _JAVASCRIPT.replace("@", "-")
    with only_one_process():
        if not (folder / MARKER).exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            options = ("--no-audit", "--no-fund", "--ignore-scripts")
            run("npm", "install", *options, "--prefix", str(folder), _JAVASCRIPT)
            (folder / MARKER).touch()
        # Node looks for what a script imports beside the script.
        source = Path(__file__).parent / "official" / "client.mjs"
        shutil.copy(source, folder)
    return ("node", str(folder / source.name))


def _java() -> Sequence[str]:
    """
    The command of the client for Java, which Maven fetches the first time.
    """
    folder = prepare(_JAVA)
    path = f"{folder / 'classes'}{os.pathsep}{folder / 'jars'}{os.sep}*"
    return ("java", "-XX:TieredStopAtLevel=1", "-cp", path, "client.Client")


@contextmanager
def _running(*command: str) -> Iterator[Counter[str]]:
    """
    Run a client, and give at the end how often it has begun each task.
    """
    begun: Counter[str] = Counter()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield begun
            said, _ = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    begun.update(said.split())


@pytest.mark.parametrize("engine", ["camunda-7.24"], indirect=True)
def test_the_official_clients_work_beside_a_worker(live: Live) -> None:
    """
    Each task is begun once, whoever gets it.
    """
    javascript, java = _javascript(), _java()
    log = HistoricExternalTaskLogQuery().topic(live.topic_a)
    ours: Counter[str] = Counter()
    worker = Worker(live.client, slots=2, async_response_timeout=500, name="python")

    @worker.handles(live.topic_a)
    def handle(task: Task) -> None:
        ours[task.id] += 1
        task.wait(0.05)  # so that the others have some, too

    def workers() -> set[str]:
        """
        Who has completed tasks so far.
        """
        entries = live.client.log_list(log.success_log())
        return {str(entry.worker_id).partition(":")[0] for entry in entries}

    everybody = {"python", "javascript", "java"}
    deadline = time.monotonic() + PATIENCE
    with (
        _running(*javascript, live.url, live.topic_a) as of_javascript,
        _running(*java, live.url, live.topic_a) as of_java,
        worker,
    ):
        while workers() < everybody and time.monotonic() < deadline:
            for _ in range(_AT_ONCE):
                live.start()
            live.wait_for(lambda: live.client.count(live.own) == 0)

    created = [str(entry.external_task_id) for entry in live.client.log_list(log.creation_log())]
    assert workers() == everybody
    assert ours + of_javascript + of_java == Counter(created)
