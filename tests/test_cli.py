"""
The commands: what they print, how they end, and what they leave behind.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from click.testing import CliRunner, Result
from rich.console import Console

import camunda_ext
from camunda_ext import BatchRun, CamundaError, ExternalTaskClient
from camunda_ext.cli._commands import camunda_ext as command
from camunda_ext.cli.demo import Page
from camunda_ext.cli.demo.page import code_of
from camunda_ext.cli.demo.story import Story
from camunda_ext.cli.demo.telling import held
from tests.engines.launch import RunningEngine

if TYPE_CHECKING:
    from camunda_ext.testing import Engine

ROOT = Path(camunda_ext.__file__).parents[1]
ORDER = ROOT / "camunda_ext" / "cli" / "demo" / "order.bpmn"
MAIN = "from camunda_ext.cli import main; main()"

#: What the demo could leave behind: the paths of what can be counted.
COUNTED = (
    "deployment",
    "process-instance",
    "incident",
    "batch",
    "history/batch",
    "history/process-instance",
    "history/external-task-log",
)

STEPS = (
    Story.meet,
    Story.start,
    Story.look,
    Story.compare,
    Story.count,
    Story.fetch,
    Story.complete,
    Story.intrude,
    Story.work,
    Story.give_retries,
    Story.follow,
    Story.work_again,
)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """
    Run each test as on a terminal of 80 columns, and give the signals back to pytest.
    """
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("CAMUNDA_EXT_PASSWORD", raising=False)
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    yield
    for one, handler in before.items():
        signal.signal(one, handler)


@pytest.fixture
def embedded() -> Iterator[Engine]:
    """
    Serve an embedded engine that stands for a real one.
    """
    from camunda_ext.testing import Engine

    with Engine() as engine:
        engine.serve()
        yield engine


def run(*arguments: str, **options: Any) -> Result:
    """
    Run the command in this process.
    """
    return CliRunner().invoke(command, arguments, **options)


def in_a_process(*arguments: str, before: str = "") -> subprocess.Popen[str]:
    """
    Start the command in a process of its own.
    """
    return subprocess.Popen(
        [sys.executable, "-c", before + MAIN, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONWARNINGS": "error"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextlib.contextmanager
def served(*arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """
    The URL and the process of `camunda-ext engine`, as soon as it has printed the URL.
    """
    with in_a_process("engine", "--port", "0", *arguments) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), process
        finally:
            process.kill()


def ended(process: subprocess.Popen[str], number: signal.Signals) -> tuple[str, str]:
    """
    What was printed since the URL, after a signal has ended the process.
    """
    process.send_signal(number)
    assert process.stdout is not None
    assert process.stderr is not None
    # Not by communicate(), which would miss what was read along with the first line.
    said = process.stdout.read(), process.stderr.read()
    process.wait(timeout=30)
    return said


# ---------------------------------------------------------------------------- what is not installed


@pytest.mark.parametrize("name", ["click", "rich"])
def test_without_click_or_rich_the_command_names_the_extra(name: str) -> None:
    """
    The script is installed with the library, what it needs is not.
    """
    with in_a_process(before=f"import sys; sys.modules[{name!r}] = None; ") as process:
        said = process.communicate()

    assert said == ("", f'camunda-ext needs {name}: pip install "camunda_ext[cli]"\n')
    assert process.returncode == 2


@pytest.mark.parametrize("arguments", [("demo",), ("engine",)])
def test_without_the_embedded_engine_its_extra_is_named(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    What the engine needs is in an extra of its own.
    """
    monkeypatch.setitem(sys.modules, "camunda_ext.testing", None)

    result = run(*arguments)

    assert result.exit_code == 2
    assert 'pip install "camunda_ext[demo]"' in result.stderr
    assert ("--url" in result.stderr) is (arguments == ("demo",))


def test_the_version_is_the_librarys() -> None:
    """
    It is what a report of a bug needs.
    """
    assert run("--version").output == f"camunda-ext, version {camunda_ext.__version__}\n"


# ----------------------------------------------------------------------------------------- the demo


def test_the_story_has_twelve_steps_and_fits_in_80_columns() -> None:
    """
    It needs no engine, and what a pipe gets has no colours and no spaces at line ends.
    """
    result = run("demo")
    lines = result.output.splitlines()

    assert result.exit_code == 0, result.output
    assert re.findall(r"^ ?(\d+)\. ", result.output, re.MULTILINE) == [
        str(number) for number in range(1, 13)
    ]
    assert [line for line in lines if len(line) > 80 or line != line.rstrip()] == []
    assert "\x1b" not in result.output
    assert "Open incidents: 0" in result.output
    assert "What to try next" in result.output


def test_the_story_leaves_nothing_on_a_real_engine(engine: RunningEngine) -> None:
    """
    It is told on engines that others work on.
    """
    before = counts(engine.url)

    result = run("demo", "--url", engine.url)

    assert result.exit_code == 0, result.output
    assert "Cleaned up. Deleted: the batch, the process" in result.output
    assert counts(engine.url) == before


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
        (CamundaError("no more"), 1, "Error: no more.\n"),
    ],
)
def test_a_story_that_is_broken_off_leaves_nothing(
    raised: BaseException,
    code: int,
    said: str,
    embedded: Engine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    Ctrl-C and errors clean up too, here while the batch is running.
    """

    def break_off(self: BatchRun, **_: object) -> None:
        raise raised

    monkeypatch.setattr(BatchRun, "wait", break_off)

    result = run("demo", "--url", embedded.url)

    assert (result.exit_code, result.stderr) == (code, said)
    assert "Cleaned up. Deleted: the batch, the process" in result.output
    assert nothing_is_left(embedded.url)


def test_what_cannot_be_cleaned_up_is_said(
    embedded: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Then the story has not ended well.
    """

    def refuse(self: Story) -> bool:
        raise CamundaError("not allowed")

    monkeypatch.setattr(Story, "_delete_batch", refuse)

    result = run("demo", "--url", embedded.url)

    assert result.exit_code == 1
    assert re.search(r"Not cleaned up, look for [0-9a-f]{6}: not allowed", result.output)
    assert nothing_is_left(embedded.url)


def test_an_engine_that_cannot_be_reached_is_one_message() -> None:
    """
    No traceback, and nothing to clean up.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    result = run("demo", "--url", f"http://127.0.0.1:{port}/engine-rest")

    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: ping: POST http://127.0.0.1:{port}/engine-rest/")
    assert result.stderr.count("\n") == 1
    assert "leaned up" not in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--user", "demo"), "--user goes with --url"),
        (("--url", "localhost:8080"), "--url must begin with http:// or https://"),
        (("--url", "http://demo:hidden@localhost/"), "--url must not hold credentials"),
        (("--url", "http://localhost/", "--user", "a:hidden"), "must not have a colon"),
    ],
)
def test_what_the_demo_cannot_do_is_wrong_use(arguments: tuple[str, ...], said: str) -> None:
    """
    It is said before anything is sent, and without the password.
    """
    result = run("demo", *arguments, env={"CAMUNDA_EXT_PASSWORD": "hidden"})

    assert result.exit_code == 2
    assert said in result.stderr
    assert "hidden" not in result.output


def test_the_password_comes_from_the_environment() -> None:
    """
    On the command line, others could read it. Where nobody is, nobody is asked.
    """
    from camunda_ext.testing import Engine

    with Engine(auth=("demo", "open sesame")) as engine:
        call = ("demo", "--url", engine.serve(), "--user", "demo")
        result = run(*call, env={"CAMUNDA_EXT_PASSWORD": "open sesame"})
        without = run(*call)

    assert result.exit_code == 0, result.output
    assert "open sesame" not in result.output
    assert (without.exit_code, without.stdout) == (2, "")


# ------------------------------------------------------------------------------------ how it prints


@pytest.mark.parametrize("step", STEPS)
def test_the_code_that_is_shown_is_python(step: Callable[[Story], None]) -> None:
    """
    It is the code that runs, without its ``self``, in lines that fit.
    """
    shown = code_of(step)  # type: ignore[arg-type]  # unbound, for want of a story

    assert max(map(len, shown.splitlines())) <= 76
    assert "self" not in shown
    compile("\n".join(line[4:] for line in shown.splitlines()), "shown", "exec")


def printed(print_: Callable[[Page], None], **options: Any) -> str:
    """
    The output of a page.
    """
    file = io.StringIO()
    print_(Page(Console(file=file, width=80, highlight=False, **options)))
    return file.getvalue()


def test_nothing_from_an_engine_controls_the_terminal() -> None:
    """
    A message can be anybody's, and a name as well.
    """
    evil = "\x1b[2J\x9b1m\r\n[bold]x[/bold][/nope] :boom: \u202e"
    shown = r"\x1b[2J\x9b1m\r\n[bold]x[/bold][/nope] :boom: \u202e"

    def print_all(page: Page) -> None:
        page.say(evil)
        page.table((evil,), [(evil,)])
        page.side_by_side((evil, evil), ("", ""))

    for text in (printed(print_all), printed(print_all, force_terminal=True, color_system=None)):
        assert not set(text) & {"\x9b", "\r", "\u202e"}
        assert not re.search(r"\x1b\[(?!0?m|1m|2m)", text)
        assert text.count("[bold]x[/bold][/nope] :boom:") >= 3
    assert shown in printed(lambda page: page.table((evil,), []))


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    As by https://no-color.org.
    """
    monkeypatch.setenv("NO_COLOR", "1")

    text = printed(lambda page: page.say("red", "red"), force_terminal=True)

    assert "\x1b[31m" not in text


def test_a_terminal_without_lines_gets_other_ones() -> None:
    """
    ASCII is enough to read the story.
    """
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    page = Page(Console(file=file, width=80))
    page.figure("┌─ a ─┐")
    page.table(("a",), [("b",)])
    page.side_by_side(("a", "b"), ("c", "d"))
    page.rule()
    file.seek(0)

    assert "+- a -+" in file.read()


def test_a_signal_that_is_held_comes_when_the_block_is_done() -> None:
    """
    Neither the making of a batch nor the cleaning up may be broken off.
    """
    done = []

    def work() -> None:
        with held(signal.SIGINT):
            signal.raise_signal(signal.SIGINT)
            done.append("all")

    with pytest.raises(KeyboardInterrupt):
        work()

    assert done == ["all"]


# --------------------------------------------------------------------------------------- the engine


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_engine_serves_until_it_is_told_to_end(number: signal.Signals) -> None:
    """
    To end is what it is told, so it is no failure.
    """
    with served("--deploy", str(ORDER)) as (url, process):
        assert url.startswith("http://127.0.0.1:")
        assert url.endswith("/engine-rest")
        assert requests.get(f"{url}/version", timeout=10).json() == {"version": "7.24.0"}
        out, err = ended(process, number)

    assert (process.returncode, err) == (0, "")
    assert "order-demo" in out
    assert "lost" in out
    assert "Ctrl-C" in out


def test_the_engine_answers_as_another_version(tmp_path: Path) -> None:
    """
    And takes a model that says nothing of its history.
    """
    model = tmp_path / "a.bpmn"
    model.write_text(
        '<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" targetNamespace="x">'
        '<process id="p" isExecutable="true"><startEvent id="s"/></process></definitions>'
    )
    deploy = ("--deploy", str(model))
    with served("--version", "7.18") as (url, _), ExternalTaskClient(url) as client:
        version = client.version()
    with served("--history-time-to-live", "180", *deploy) as (url, _):
        kept = requests.get(f"{url}/process-definition/key/p", timeout=10).json()

    assert version == "7.18.0"
    assert kept["historyTimeToLive"] == 180
    assert run("engine", "--port", "0", "--version", "6.0").exit_code == 1


def test_the_engine_keeps_its_state_in_a_file(tmp_path: Path) -> None:
    """
    Without a file there would be nothing the second time.
    """
    db = tmp_path / "orders.db"
    with served("--db", str(db), "--deploy", str(ORDER)) as (url, process):
        before = requests.get(f"{url}/process-definition/key/order-demo", timeout=10).json()
        out, _ = ended(process, signal.SIGINT)
    with served("--db", str(db)) as (url, _):
        after = requests.get(f"{url}/process-definition/key/order-demo", timeout=10).json()

    assert str(db) in out
    assert before["version"] == 1
    assert after == before


def test_the_engine_asks_for_the_password() -> None:
    """
    As a real one does it.
    """
    with served("--auth", "demo:open:sesame") as (url, process):
        refused = requests.get(f"{url}/external-task", timeout=10)
        taken = requests.get(f"{url}/external-task", auth=("demo", "open:sesame"), timeout=10)
        out, err = ended(process, signal.SIGINT)

    assert (refused.status_code, taken.status_code) == (401, 200)
    assert "sesame" not in out + err


@pytest.mark.parametrize("value", ["hidden", "hidden:", ":hidden"])
def test_half_of_a_user_and_password_is_wrong_use(value: str) -> None:
    """
    What it is, is not repeated.
    """
    result = run("engine", "--auth", value)

    assert result.exit_code == 2
    assert "must be USER:PASSWORD" in result.stderr
    assert "hidden" not in result.output


def test_a_port_in_use_is_one_message() -> None:
    """
    A real engine may have the port already.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        result = run("engine", "--port", str(port))

    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: Port {port} is in use: choose another one with --port, or --port 0 for any that "
        "is free.\n"
    )


def test_a_file_that_the_engine_does_not_run_is_one_message(tmp_path: Path) -> None:
    """
    It names the file and what is wrong with it.
    """
    file = tmp_path / "broken.bpmn"
    file.write_text("<definitions", "utf-8")

    result = run("engine", "--port", "0", "--deploy", str(ORDER), "--deploy", str(file))

    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {file}: ")
    assert "Traceback" not in result.output


def test_a_db_that_is_none_is_one_message(tmp_path: Path) -> None:
    """
    It is not overwritten.
    """
    file = tmp_path / "letter.txt"
    file.write_text("Dear Mother, " * 100, "utf-8")

    result = run("engine", "--port", "0", "--db", str(file))

    assert result.exit_code == 1
    assert result.stderr == f"Error: {file} is no file of an engine: file is not a database.\n"
    assert file.read_text("utf-8") == "Dear Mother, " * 100


def test_a_db_where_nothing_can_be_is_one_message(tmp_path: Path) -> None:
    """
    The message says where, and why not.
    """
    file = tmp_path / "nowhere" / "tasks.db"

    result = run("engine", "--port", "0", "--db", str(file))

    assert result.exit_code == 1
    assert result.stderr == f"Error: {file}: No such file or directory.\n"


def counts(url: str) -> dict[str, int]:
    """
    The number of objects that an engine has of each kind that the demo makes.
    """
    return {path: requests.get(f"{url}/{path}/count", timeout=30).json() for path in COUNTED}


def nothing_is_left(url: str) -> bool:
    """
    Tell whether an engine has neither tasks nor a log of any, and no batch.
    """
    with ExternalTaskClient(url) as client:
        tasks = client.count() + client.log_count()
    batches: int = requests.get(f"{url}/batch/count", timeout=10).json()["count"]
    return tasks + batches == 0
