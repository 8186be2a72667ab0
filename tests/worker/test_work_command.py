"""
`camunda-ext work`: a worker in a process of its own, from its start to its end.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

import pytest
import requests
from click.testing import CliRunner, Result

import camunda_ext
from camunda_ext import ExternalTaskQuery
from camunda_ext.cli._commands import camunda_ext as command
from camunda_ext.cli._connection import client_of
from camunda_ext.cli._contexts import Context
from camunda_ext.testing import Engine
from tests.stub import Connection, Stub, json_answer

ROOT: Final = Path(camunda_ext.__file__).parents[1]
#: As the script that is installed does it, which does not look into the current directory.
MAIN: Final = "import sys; del sys.path[0]; from camunda_ext.cli import main; main()"
#: Long for a test, and short for whoever waits for one that hangs; in seconds.
LONGEST: Final = 60

MODULE: Final = '''
"""
Handlers of a user.
"""

import logging
import time

from camunda_ext import Handlers

handlers = Handlers()
nothing = Handlers()


@handlers.handles("quick")
def quick(task):
    logging.getLogger("tasks").info("charging %s", task.variables["customer"])


@handlers.handles("failing")
def failing(task):
    raise LookupError("no such invoice")


@handlers.handles("polite")
def polite(task):
    print("begun", flush=True)
    return {"in_time": not task.wait(60)}


@handlers.handles("deaf")
def deaf(task):
    print("begun", flush=True)
    time.sleep(60)
'''


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """
    The directory of a user, which has handlers in a module, and a broken module.
    """
    for name in ("URL", "USER", "ENGINE", "CONTEXT", "PASSWORD", "DATE_ZONE"):
        monkeypatch.delenv(f"CAMUNDA_EXT_{name}", raising=False)
    monkeypatch.setenv("CAMUNDA_EXT_CONFIG", str(tmp_path / "config.json"))
    (tmp_path / "tasks.py").write_text(MODULE, "utf-8")
    (tmp_path / "broken.py").write_text("import tasks\nimport no_such_library\n", "utf-8")
    (tmp_path / "slow.py").write_text(
        "import time\nprint('importing', flush=True)\ntime.sleep(60)\n", "utf-8"
    )
    return tmp_path


@pytest.fixture
def engine() -> Iterator[Engine]:
    """
    Serve an embedded engine to processes.
    """
    with Engine() as engine:
        engine.serve()
        yield engine


@contextlib.contextmanager
def working(
    project: Path, url: str | None, *arguments: str, within: tuple[str, ...] = ()
) -> Iterator[subprocess.Popen[str]]:
    """
    The process of the command, which never lives longer than the test.

    Args:
        within: The command that starts the process.
    """
    call = ("work", "--poll", "0.2", *arguments)
    with subprocess.Popen(
        [*within, sys.executable, "-c", MAIN, *call],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CAMUNDA_EXT_URL": url or ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        watchdog = threading.Timer(LONGEST, process.kill)
        watchdog.start()
        try:
            yield process
        finally:
            watchdog.cancel()
            process.kill()


def line_of(process: subprocess.Popen[str], text: str = "") -> str:
    """
    The next line that the process prints, or the next one of its log that has a text.
    """
    assert process.stdout is not None
    assert process.stderr is not None
    if not text:
        return process.stdout.readline().strip()
    return next((line.strip() for line in process.stderr if text in line), "")


def ended(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    """
    The exit code, and what was logged since it was read last, after a signal.
    """
    process.send_signal(number)
    assert process.stderr is not None
    logged = process.stderr.read()
    return process.wait(LONGEST), logged


def run(*arguments: str) -> Result:
    """
    Run the command in this process, with nobody to answer questions.
    """
    return CliRunner().invoke(command, ["work", *arguments], prog_name="camunda-ext")


# ------------------------------------------------------------------------------------------ the end


def test_sigterm_ends_it_without_a_lock(project: Path, engine: Engine) -> None:
    """
    What runs is reported, what has not begun is free for others.
    """
    for _ in range(3):
        engine.create_task("polite")

    with working(project, engine.url, "tasks:handlers", "--slots", "1") as process:
        assert line_of(process) == "begun"
        code, logged = ended(process, signal.SIGTERM)

    assert code == 0, logged
    with engine.client() as client:
        assert client.count() == 2
        assert client.count(ExternalTaskQuery().locked()) == 0


def test_what_is_not_ready_in_time_is_exit_code_1(project: Path, engine: Engine) -> None:
    """
    It keeps its lock, since its handler may go on until the very end.
    """
    task_id = engine.create_task("deaf")

    with working(project, engine.url, "tasks:handlers", "--grace", "0.1") as process:
        assert line_of(process) == "begun"
        code, logged = ended(process, signal.SIGTERM)

    assert code == 1
    assert f"task {task_id} of topic 'deaf' is left locked" in logged
    with engine.client() as client:
        assert client.count(ExternalTaskQuery().locked()) == 1


def test_ctrl_c_says_what_it_waits_for(project: Path, engine: Engine) -> None:
    """
    And is no failure.
    """
    engine.create_task("polite")

    with working(project, engine.url, "tasks:handlers") as process:
        assert line_of(process) == "begun"
        code, logged = ended(process, signal.SIGINT)

    assert code == 0
    assert (
        "SIGINT: stopping: 1 running, the fetch under way ends in 0.2 s at most; "
        "send it again to stop without waiting\n" in logged
    )
    assert "Interrupted" not in logged


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [(signal.SIGTERM, 143, ""), (signal.SIGINT, 130, "Interrupted.\n")],
)
def test_a_signal_while_the_module_is_imported_ends_the_process(
    number: signal.Signals, code: int, said: str, project: Path
) -> None:
    """
    There is nothing to wait for yet.
    """
    with working(project, "http://127.0.0.1:1/engine-rest", "slow:handlers") as process:
        assert line_of(process) == "importing"

        assert ended(process, number) == (code, said)


#: Starts the first process of a namespace, as a container does it; who may do so differs.
UNSHARE: Final = ("unshare", "--pid", "--fork", "--kill-child")


def test_it_can_be_the_first_process_of_a_container(project: Path, engine: Engine) -> None:
    """
    Such a process gets no signal that it has no handler for.
    """
    if not shutil.which("unshare") or subprocess.run([*UNSHARE, "true"], check=False).returncode:
        pytest.skip("this machine lets nobody make a namespace here")
    engine.create_task("polite")

    with working(project, engine.url, "tasks:handlers", within=UNSHARE) as process:
        assert line_of(process) == "begun"
        worker = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("ascii")
        status = Path(f"/proc/{worker.strip()}/status").read_text("ascii")
        os.kill(int(worker), signal.SIGTERM)
        assert process.stderr is not None
        logged = process.stderr.read()
        code = process.wait(LONGEST)

    assert re.search(r"^NSpid:.*\t1$", status, re.MULTILINE)
    assert code == 0, logged
    with engine.client() as client:
        assert client.count() == 0


# ----------------------------------------------------------------------------------------- the work


def test_options_reach_the_worker(project: Path, engine: Engine) -> None:
    """
    The lock that it takes shows its name and its duration.
    """
    task_id = engine.create_task("polite")
    call = ("tasks:handlers", "--name", "billing-0", "--lock-duration", "2m")

    with working(project, engine.url, *call) as process, engine.client() as client:
        assert line_of(process) == "begun"
        task = client.get(task_id)
        code, _ = ended(process, signal.SIGTERM)

    assert code == 0
    assert task.worker_id is not None
    assert re.fullmatch(r"billing-0:[0-9a-f]{8}#1", task.worker_id)
    assert task.lock_expiration_time is not None
    left = task.lock_expiration_time - datetime.now(timezone.utc)
    assert timedelta(seconds=60) < left <= timedelta(seconds=120)


def test_a_json_log_has_an_object_a_line(project: Path, engine: Engine) -> None:
    """
    What a handler logs has the ids of its task.
    """
    task_id = engine.create_task("quick", variables={"customer": "Ada\n\x1b[31m"})
    with engine.client() as client:
        instance_id = client.get(task_id).process_instance_id

    with working(project, engine.url, "tasks:handlers", "--log-json") as process:
        line = json.loads(line_of(process, "charging"))
        code, logged = ended(process, signal.SIGTERM)
    stopping = json.loads(logged)

    assert code == 0
    assert datetime.fromisoformat(line.pop("time")).tzinfo is not None
    assert line == {
        "level": "INFO",
        "logger": "tasks",
        "message": "charging Ada\n\x1b[31m",
        "task_id": task_id,
        "topic_name": "quick",
        "process_instance_id": instance_id,
        "business_key": None,
    }
    assert stopping.keys() == {"time", "level", "logger", "message"}  # of no task
    assert (stopping["level"], stopping["logger"]) == ("WARNING", "camunda_ext.worker")


def test_a_json_log_has_tracebacks(project: Path, engine: Engine) -> None:
    """
    In the message of the failure, without the frames of the worker.
    """
    task_id = engine.create_task("failing")

    with working(project, engine.url, "tasks:handlers", "--log-json") as process:
        line = json.loads(line_of(process, "LookupError"))
        ended(process, signal.SIGTERM)

    start, _, details = line["message"].partition("\n")
    assert start == f"task {task_id} of topic 'failing' failed:"
    assert details.startswith("Traceback (most recent call last):\n")
    assert details.endswith("\nLookupError: no such invoice\n")
    assert line["task_id"] == task_id


def test_a_log_for_people_does_not_control_the_terminal(project: Path, engine: Engine) -> None:
    """
    What a process has in its variables may be anybody's.
    """
    engine.create_task("quick", variables={"customer": "Ada\x1b[31m"})

    with working(project, engine.url, "tasks:handlers", "--log-level", "debug") as process:
        line = line_of(process, "charging")
        ended(process, signal.SIGTERM)

    assert re.fullmatch(r"[0-9-]+ [0-9:,]+ INFO tasks: charging Ada\\x1b\[31m", line)


def test_a_connection_is_kept_for_each_slot() -> None:
    """
    Else a worker of many slots would open some again and again.
    """
    together = threading.Barrier(40)

    def answer_together(connection: Connection) -> None:
        together.wait(LONGEST)
        connection.send(json_answer(200, {"version": "7.24.0"}))

    with (
        Stub(answer_together) as stub,
        client_of(Context(url=stub.url), "") as client,
        ThreadPoolExecutor(40) as threads,
    ):
        rounds = [set(threads.map(lambda _: client.version(), range(40))) for _ in range(2)]

    assert (rounds, stub.connections) == ([{"7.24.0"}, {"7.24.0"}], 40)


# --------------------------------------------------------------------------------------- its health


def health_of(process: subprocess.Popen[str]) -> str:
    """
    The URL of the health, as the log tells the port.
    """
    found = re.search(r"health: .* on 127\.0\.0\.1, port (\d+)", line_of(process, "health"))
    assert found is not None
    return f"http://127.0.0.1:{found[1]}"


def ask(url: str, method: str = "GET") -> tuple[int, str]:
    """
    The status and the body of an answer.
    """
    answer = requests.request(method, url, timeout=10)
    return answer.status_code, answer.text


def test_a_worker_that_works_is_live_and_ready(project: Path, engine: Engine) -> None:
    """
    Whoever waits for a request that never comes keeps nobody waiting.
    """
    engine.create_task("polite")
    good = '{"live": true, "ready": true, "reasons": []}'

    with working(project, engine.url, "tasks:handlers", "--health-port", "0") as process:
        url = health_of(process)
        assert line_of(process) == "begun"
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as slow:
            slow.sendall(b"GET /live HTTP/1.1\r\n")
            answers = {
                (method, path): ask(url + path, method)
                for method, path in [
                    ("GET", "/live"),
                    ("GET", "/ready?verbose=1"),
                    ("HEAD", "/live"),
                    ("GET", "/"),
                    ("HEAD", "/metrics"),
                    ("POST", "/live"),
                ]
            }
            code, logged = ended(process, signal.SIGTERM)

    assert answers == {
        ("GET", "/live"): (200, good),
        ("GET", "/ready?verbose=1"): (200, good),
        ("HEAD", "/live"): (200, ""),
        ("GET", "/"): (404, "404 Not Found\n"),
        ("HEAD", "/metrics"): (404, ""),
        ("POST", "/live"): (501, "501 Unsupported method ('POST')\n"),
    }
    assert code == 0
    assert "/live" not in logged


def test_a_worker_whose_engine_is_away_is_live_but_not_ready(project: Path) -> None:
    """
    To start it again would not bring the engine back.
    """
    url = "http://127.0.0.1:1/engine-rest"
    body: Any = {
        "live": True,
        "ready": False,
        "reasons": ["the engine has not answered a fetch lately"],
    }

    with working(project, url, "tasks:handlers", "--health-port", "0") as process:
        health = health_of(process)
        assert "worker" in line_of(process, "begins")
        live, ready = ask(f"{health}/live"), ask(f"{health}/ready")
        code, _ = ended(process, signal.SIGTERM)

    assert (live[0], json.loads(live[1])) == (200, body)
    assert (ready[0], json.loads(ready[1])) == (503, body)
    assert code == 0


def test_a_worker_that_stops_is_live_but_not_ready(project: Path, engine: Engine) -> None:
    """
    Nobody shall kill it before its handlers are ready.
    """
    engine.create_task("deaf")

    with working(project, engine.url, "tasks:handlers", "--health-port", "0") as process:
        health = health_of(process)
        assert line_of(process) == "begun"
        process.send_signal(signal.SIGTERM)
        assert "stopping" in line_of(process, "SIGTERM")
        live, ready = ask(f"{health}/live"), ask(f"{health}/ready")
        code, _ = ended(process, signal.SIGTERM)

    assert (live[0], ready[0], json.loads(ready[1])["reasons"]) == (200, 503, ["it is stopping"])
    assert code == 1


def test_a_health_port_in_use_is_one_message(project: Path) -> None:
    """
    Another worker on the machine may have it.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        url = "http://127.0.0.1:1/engine-rest"
        with working(project, url, "tasks:handlers", "--health-port", port) as process:
            said = process.communicate(timeout=LONGEST)

    assert process.returncode == 1
    expected = (
        f"Error: Port {port} is in use: choose another one with --health-port, or --health-port 0 "
        "for any that is free.\n"
    )
    assert said == ("", expected)


# ---------------------------------------------------------------------------------------- wrong use


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("tasks", "'tasks' must be a module and a name, such as billing.tasks:handlers."),
        ("./tasks.py:handlers", "'./tasks.py:handlers' must be a module and a name"),
        ("tasks:", "'tasks:' must be a module and a name"),
        ("no_tasks:handlers", "No module named 'no_tasks' (looked for in "),
        ("no_tasks.here:handlers", "No module named 'no_tasks' (looked for in "),
        ("tasks:handler", "The module 'tasks' has no 'handler'."),
        ("tasks:quick", "tasks:quick is of the class function, not Handlers."),
        ("tasks:nothing", "tasks:nothing has no handlers: register one with handles()."),
    ],
)
def test_what_names_no_handlers_is_wrong_use(target: str, said: str, project: Path) -> None:
    """
    It is said before anybody is asked for a password.
    """
    call = (target, "--user", "kim")
    with working(project, "http://127.0.0.1:1/engine-rest", *call) as process:
        _, error = process.communicate(timeout=LONGEST)

    assert process.returncode == 2
    assert f"Error: {said}" in error
    assert "Traceback" not in error


def test_what_a_module_raises_is_shown_as_python_shows_it(project: Path) -> None:
    """
    A library that it needs is not the module that was named.
    """
    with working(project, "http://127.0.0.1:1/engine-rest", "broken:handlers") as process:
        said = process.communicate(timeout=LONGEST)

    assert process.returncode == 1
    expected = (
        "Traceback (most recent call last):\n"
        f'  File "{project / "broken.py"}", line 2, in <module>\n'
        "    import no_such_library\n"
        "ModuleNotFoundError: No module named 'no_such_library'\n"
    )
    assert said == ("", expected)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--slots", "0"), "0 is not in the range"),
        (("--grace", "25x"), "'25x' is not a number of seconds from 0 to 86,400."),
        (("--poll", "31m"), "'31m' is not a number of seconds from 0.1 to 1,800."),
        (("--lock-duration", "0"), "'0' is not a number of seconds from 0.1 to 86,400."),
        (("--health-port", "70000"), "70000 is not in the range"),
        (("--log-level", "loud"), "'loud' is not one of"),
    ],
)
def test_an_option_that_cannot_be_is_wrong_use(options: tuple[str, str], said: str) -> None:
    """
    Nothing is imported for it.
    """
    result = run("no_tasks:handlers", "--url", "http://127.0.0.1:1/engine-rest", *options)

    assert result.exit_code == 2
    assert said in result.stderr


def test_a_name_that_no_worker_can_have_is_wrong_use(project: Path) -> None:
    """
    It comes from a variable of a script that is not set.
    """
    call = ("tasks:handlers", "--name", "")
    with working(project, "http://127.0.0.1:1/engine-rest", *call) as process:
        _, error = process.communicate(timeout=LONGEST)

    assert process.returncode == 2
    assert "Error: --name must not be empty" in error
