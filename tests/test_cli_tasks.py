"""
The commands for tasks: what they print, what they change, and how they end.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

import click
import pytest
from click.testing import CliRunner, Result

import camunda_ext
from camunda_ext import ExternalTask, ExternalTaskQuery, Topic
from camunda_ext.cli._commands import COMMANDS, camunda_ext as command
from camunda_ext.cli._filters import with_query
from camunda_ext.cli._output import age
from camunda_ext.cli._sections import seconds
from camunda_ext.testing import Engine
from tests.stub import Stub, html_answer, json_answer

ROOT: Final = Path(camunda_ext.__file__).parents[1]
MAIN: Final = "from camunda_ext.cli import main; main()"
CTRL_C: Final = "\x03"
VARIABLES: Final = ("URL", "USER", "ENGINE", "CONTEXT", "PASSWORD", "DATE_ZONE")

#: In the name of what is listed: it takes over the clipboard, colours the rest, turns it around.
NASTY: Final = "no\x1b]52;c;QUJD\x07 \x1b[31mstock\u202e\nsecond line"
SHOWN: Final = "no\\x1b]52;c;QUJD\\x07 \\x1b[31mstock\\u202e"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """
    Keep what the user of this machine has set away from the commands.
    """
    for name in VARIABLES:
        monkeypatch.delenv(f"CAMUNDA_EXT_{name}", raising=False)
    monkeypatch.setenv("CAMUNDA_EXT_CONFIG", str(tmp_path / "config.json"))
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """
    Serve an engine that the environment names; by its clock, all was made in three hours.
    """
    with Engine() as made:
        made.advance(timedelta(hours=3, minutes=30))
        monkeypatch.setenv("CAMUNDA_EXT_URL", made.serve())
        yield made


def run(*arguments: str, **options: Any) -> Result:
    """
    Run the command in this process, with nobody to answer questions.
    """
    return CliRunner().invoke(command, arguments, prog_name="camunda-ext", **options)


def said(*arguments: str) -> str:
    """
    What a command prints that ends well and has nothing to complain of.
    """
    result = run(*arguments)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return result.stdout


def fail(engine: Engine, topic: str, message: str, details: str, *, retries: int = 0) -> str:
    """
    Report the failure of a task by worker "w1" and return its id.
    """
    with engine.client() as client:
        [task] = client.fetch_and_lock("w1", [Topic(topic, lock_duration=60_000)], max_tasks=1)
        client.failure(
            task.id,
            "w1",
            error_message=message,
            error_details=details,
            retries=retries,
            retry_timeout=3_600_000,
        )
    return task.id


def tasks_of(engine: Engine, topic: str) -> tuple[ExternalTask, ...]:
    """
    The tasks of a topic as they are now.
    """
    with engine.client() as client:
        return client.list(ExternalTaskQuery().topic(topic))


def on_a_terminal(*arguments: str, typed: tuple[str, str] | None = None, **env: str) -> str:
    """
    All that a terminal of its own gets from the command, and its exit code.

    Args:
        typed: What to type, as soon as some text was seen: the text, and the answer.
    """
    import pty

    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", MAIN, *arguments],
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm", "PYTHONIOENCODING": "utf-8", **env},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        seen = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # as Linux says that it was closed
                break
            if not piece:
                break
            seen += piece
            if typed is not None and typed[0].encode() in seen:
                if typed[1] == CTRL_C:
                    # A signal between the prompt and the wait for the answer would be lost on that.
                    time.sleep(0.5)
                    process.send_signal(signal.SIGINT)
                else:
                    os.write(ours, typed[1].encode())
                typed = None
        code = process.wait(timeout=60)
        watchdog.cancel()
    os.close(ours)
    return f"{seen.decode().replace(chr(13) + chr(10), chr(10))}[{code}]"


terminal = pytest.mark.skipif(os.name == "nt", reason="there are no pseudo-terminals")


# ---------------------------------------------------------------------------------------- the list


def test_the_list_of_commands_is_that_of_the_commands_themselves() -> None:
    """
    It is written by hand, so that it can be shown without reading all of them.
    """
    context = click.Context(command)
    own = {}
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        own[name] = (found.help or "").strip().partition("\n")[0]

    assert own == {name: line for name, (_, line) in COMMANDS.items()}


@pytest.mark.parametrize(
    "arguments", [["--help"], ["ls", "--help"], ["work", "--help"], ["count"], ["ls"]]
)
def test_rich_is_not_read_before_it_is_needed(arguments: list[str], engine: Engine) -> None:
    """
    It takes longer to read than all the rest.
    """
    code = (
        "import sys\nfrom camunda_ext.cli._commands import camunda_ext\n"
        "camunda_ext(sys.argv[1:], standalone_mode=False)\n"
        "sys.exit('rich' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, cwd=ROOT)

    assert (done.returncode, done.stderr) == (0, b"")


# ----------------------------------------------------------------------------------------- filters


@click.command()
@with_query
def compiled(query: ExternalTaskQuery) -> None:
    """
    Print what the options compile to.
    """
    click.echo(json.dumps(query.body()))


def test_each_method_of_the_builder_is_an_option() -> None:
    """
    A new filter is one here as well.
    """
    others = {
        "body",
        "params",
        "from_body",
        "filters",
        "has_filter",
        "unsorted",
        "sorting",
        "explain",
    }
    methods = {name for name in dir(ExternalTaskQuery) if not name.startswith("_")} - others

    options = {option for param in compiled.params for option in param.opts}

    assert options == {f"--{name.replace('_', '-')}" for name in methods}


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        ([], {}),
        (["--topic", "a", "--locked"], {"topicName": "a", "locked": True}),
        (["--activity-id-in", "x", "--activity-id-in", "y"], {"activityIdIn": ["x", "y"]}),
        (["--priority-higher-than-or-equals", "-3"], {"priorityHigherThanOrEquals": -3}),
        (
            ["--lock-expiration-after", "2026-01-31T12:00:00Z"],
            {"lockExpirationAfter": "2026-01-31T12:00:00.000+0000"},
        ),
        (
            ["--lock-expiration-before", "2026-01-31T12:00:00.500+0200"],
            {"lockExpirationBefore": "2026-01-31T12:00:00.500+0200"},
        ),
        (
            ["--process-variable", "n", "gt", "100", "--process-variable", "s", "eq", '"100"'],
            {
                "processVariables": [
                    {"name": "n", "operator": "gt", "value": 100},
                    {"name": "s", "operator": "eq", "value": "100"},
                ]
            },
        ),
        (
            ["--process-variable", "s", "like", "100", "--process-variable", "t", "eq", "NaN"],
            {
                "processVariables": [
                    {"name": "s", "operator": "like", "value": "100"},
                    {"name": "t", "operator": "eq", "value": "NaN"},
                ]
            },
        ),
        (
            ["--process-variable", "due", "lt", "2026-01-31T12:00:00.000+0100"],
            {
                "processVariables": [
                    {"name": "due", "operator": "lt", "value": "2026-01-31T12:00:00.000+0100"}
                ]
            },
        ),
        (
            ["--process-variable", "status", "eq", "null"],
            {"processVariables": [{"name": "status", "operator": "eq"}]},
        ),
        (
            ["--sort-by", "taskPriority:desc", "--sort-by", "id"],
            {
                "sorting": [
                    {"sortBy": "taskPriority", "sortOrder": "desc"},
                    {"sortBy": "id", "sortOrder": "asc"},
                ]
            },
        ),
    ],
)
def test_options_compile_to_what_the_builder_makes(arguments: list[str], body: object) -> None:
    """
    A value is read as JSON if it is a number, true, false, null or in quotes, and is text else.
    """
    assert json.loads(CliRunner().invoke(compiled, arguments).stdout) == body


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--topic", ""], "--topic: "),
        (["--sort-by", "age"], "--sort-by: "),
        (["--sort-by", "id:down"], "--sort-by: "),
        (["--process-variable", "n", "is", "1"], "--process-variable: "),
        (["--process-variable", "n", "eq", '"null"'], "value 'null' is null to the engine"),
        (["--process-variable", "n", "like", "null"], "value 'null' is null to the engine"),
        (["--process-variable", "n", "eq", '" 2026-1-1T0:0:0.0GMT"'], "is a date to the engine"),
        (["--priority-lower-than-or-equals", "1.5"], "'--priority-lower-than-or-equals'"),
        (["--lock-expiration-after", "2026-01-31"], "is no date with a zone, such as 2026-01-31T"),
        (["--lock-expiration-after", "soon\x1b[1m"], "'soon\\x1b[1m' is no date"),
    ],
)
def test_a_value_that_no_filter_could_have_is_wrong_use(arguments: list[str], error: str) -> None:
    """
    The message names the option, and nothing was sent.
    """
    result = CliRunner().invoke(compiled, arguments)

    assert result.exit_code == 2
    assert error in result.stderr


# ---------------------------------------------------------------------------------- ls and count


def test_a_list_is_a_plain_table_that_is_not_cut(engine: Engine) -> None:
    """
    Where it is no terminal, there are no colours, and ids are whole to be copied.
    """
    engine.create_task("a", priority=7, business_key="K-1")
    engine.create_task("b")
    first = tasks_of(engine, "a")[0].id
    second = fail(engine, "b", NASTY, "at line 1")

    shown = said("ls", "--sort-by", "taskPriority:desc")

    assert shown == (
        f"{'id':36}  topic  worker  lock ends  retries  priority  created  business key  error\n"
        f"{'-' * 36}  -----  ------  ---------  -------  --------  -------  ------------"
        f"  {'-' * 42}\n"
        f"{first}  a                                         7  in 3 h   K-1\n"
        f"{second}  b      w1      in 4 h           0            in 3 h                 "
        f"{SHOWN} …\n"
        "2 tasks\n"
    )


def test_a_table_is_short_unless_told_otherwise(engine: Engine) -> None:
    """
    A program gets all tasks, a person 50, and the number of all.
    """
    for _ in range(51):
        engine.create_task("a")

    for arguments, last in ((["ls"], "50"), (["ls", "--first", "2", "-o", "wide"], "2")):
        result = run(*arguments)
        assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, f"{last} of 51 tasks")
        # Or whoever looks through a pipe would miss the others.
        assert result.stderr == "There are 51 tasks: pass --first NUMBER, or another -o.\n"
    assert len(said("ls", "-o", "jsonl").splitlines()) == 51
    assert len(said("ls", "-o", "jsonl", "--first", "2").splitlines()) == 2
    assert said("count", "--topic", "a") == "51\n"
    assert said("count", "--topic", "b") == "0\n"


def test_json_has_the_names_of_the_fields_and_dates_with_their_zone() -> None:
    """
    An array, a line a task; as ``jsonl``, the same lines alone.
    """
    with Engine(clock=lambda: 1_767_225_600.5) as engine:
        url = engine.serve()
        engine.create_task("a", business_key="é\x1b")
        [task] = tasks_of(engine, "a")
        lines = said("ls", "-o", "jsonl", "--url", url)
        array = said("ls", "-o", "json", "--url", url)
        nothing = said("ls", "-o", "json", "--url", url, "--topic", "b")

    assert json.loads(lines) == {
        "id": task.id,
        "topic_name": "a",
        "worker_id": None,
        "lock_expiration_time": None,
        "create_time": "2026-01-01T00:00:00.500+00:00",
        "retries": None,
        "error_message": None,
        "priority": 0,
        "suspended": False,
        "activity_id": "task",
        "activity_instance_id": task.activity_instance_id,
        "execution_id": task.execution_id,
        "process_instance_id": task.process_instance_id,
        "process_definition_id": task.process_definition_id,
        "process_definition_key": "process",
        "process_definition_version_tag": None,
        "tenant_id": None,
        "business_key": "é\x1b",
    }
    assert lines.isascii()
    assert lines[:-1].isprintable()
    assert array == f"[\n{lines}]\n"
    assert nothing == "[]\n"


def test_csv_on_standard_output_obeys_nobody(engine: Engine) -> None:
    """
    Neither a terminal nor a spreadsheet finds anything to run in it.
    """
    engine.create_task("a", business_key="=1+1")
    fail(engine, "a", NASTY, "")

    header, row, end = said("ls", "-o", "csv").split("\n")

    assert header.startswith('"id","topic_name","worker_id",')
    assert row.endswith(',"\'=1+1"')
    assert f'"{SHOWN}\\nsecond line"' in row
    assert row.isprintable()
    assert end == ""


@terminal
def test_a_terminal_gets_colours_and_nothing_of_the_engines(engine: Engine) -> None:
    """
    What is left without the colours of the table has no control character but ends of lines.
    """
    engine.create_task("a")
    fail(engine, "a", NASTY, "")

    shown = on_a_terminal("ls")
    plain = on_a_terminal("ls", NO_COLOR="1")

    assert "\x1b[31m" in shown
    assert "\x1b[31m" not in plain
    for seen in (shown, plain):
        assert all(line.isprintable() for line in re.sub(r"\x1b\[\d*m", "", seen).split("\n"))
        assert seen.endswith("[0]")


# --------------------------------------------------------------------------------- errors and show


def test_errors_are_grouped_by_the_first_line_of_the_message(engine: Engine) -> None:
    """
    The most frequent comes first; the rest of a message is often different each time.
    """
    for topic in ("a", "b", "c", "d"):
        engine.create_task(topic)
    fail(engine, "a", "no stock\nof 17", "")
    fail(engine, "b", "no stock\nof 18", "", retries=2)
    fail(engine, "c", "a timeout", "", retries=1)
    first, third = tasks_of(engine, "a")[0].id, tasks_of(engine, "c")[0].id

    assert said("errors") == (
        f"tasks  failed  topics  {'example':36}  message\n"
        f"    2       1  a, b    {first}  no stock\n"
        f"    1       0  c       {third}  a timeout\n"
    )
    assert said("errors", "--topic", "c", "-o", "jsonl") == (
        f'{{"tasks":1,"failed":0,"topics":["c"],"example":"{third}","message":"a timeout"}}\n'
    )
    assert said("errors", "--topic", "d", "-o", "json") == "[]\n"


def test_a_task_is_shown_with_the_details_of_its_error(engine: Engine) -> None:
    """
    A stack trace keeps its lines, and nothing else of it is obeyed.
    """
    engine.create_task("a", business_key="K-1")
    task_id = fail(engine, "a", NASTY, "Traceback:\n\tline 1\x1b[2J\n")

    shown = said("show", task_id)

    start, message, details = shown.split("\n\n")
    assert f"id                              {task_id}\n" in start
    assert "business key                    K-1" in start
    assert "suspended                       no\n" in start
    assert message == f"error message:\n  {SHOWN}\n  second line"
    assert details == "error details:\n  Traceback:\n      line 1\\x1b[2J\n"
    held = json.loads(said("show", task_id, "-o", "json"))
    assert held["error_message"] == NASTY
    assert held["error_details"] == "Traceback:\n\tline 1\x1b[2J\n"


def test_a_task_that_is_gone_is_one_message_with_a_hint(engine: Engine) -> None:
    """
    And no traceback.
    """
    result = run("show", "4711")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"Error: get: GET {engine.url}/external-task/4711: 404 External task with id 4711 does not "
        "exist (RestException). It was completed or cancelled, or never existed.\n"
    )


def test_what_can_be_no_id_is_wrong_use(engine: Engine) -> None:
    """
    Nothing was sent.
    """
    assert run("show", "../x").exit_code == 2
    assert run("show", "10000004…").stderr.endswith("was cut: -o wide shows it whole.\n")


def test_an_engine_that_is_not_there_is_one_message(unused: str) -> None:
    """
    Which says that nothing has happened.
    """
    result = run("count", "--url", unused)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Error: count: POST {unused}/external-task/count: ")
    assert result.stderr.count("\n") == 1


@pytest.fixture
def unused() -> str:
    """
    The URL of an engine that has ended.
    """
    with Engine() as engine:
        return engine.serve()


# -------------------------------------------------------------------------------- topics and top


@pytest.fixture
def busy(engine: Engine) -> Engine:
    """
    An engine with three tasks of topic "a" and one of "b": one locked, one failed.
    """
    for topic in ("a", "a", "a", "b"):
        engine.create_task(topic)
    with engine.client() as client:
        client.fetch_and_lock("w1", [Topic("a", lock_duration=60_000)], max_tasks=1)
    fail(engine, "b", "no stock", "")
    return engine


NUMBERS: Final = (
    "topic  total  locked  failed  oldest\n"
    "a          3       1       0  in 3:30:00\n"
    "b          1       1       1  in 3:30:00\n"
)


def at_once(shown: str) -> str:
    """
    What a command would print if it took no time.
    """
    return re.sub(r"in 3:29:5\d", "in 3:30:00", shown)


def test_topics_are_shown_in_numbers(busy: Engine) -> None:
    """
    A filter counts for all of the numbers. For the engine, a retry timeout is a lock.
    """
    assert at_once(said("topics")) == NUMBERS
    assert said("topics", "--topic", "b", "-o", "csv").split(",")[:8] == [
        '"topic"',
        '"total"',
        '"locked"',
        '"failed"',
        '"oldest"\n"b"',
        '"1"',
        '"1"',
        '"1"',
    ]
    without_failed = at_once(said("topics", "--with-retries-left"))
    assert without_failed == "".join(NUMBERS.splitlines(True)[:2])
    assert said("topics", "--topic", "c", "-o", "json") == "[]\n"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-552.4, "0:09:12 ago"),
        (-0.2, "0:00:00 ago"),
        (59.6, "in 0:01:00"),
        (-97_200, "1 day, 3:00:00 ago"),
    ],
)
def test_an_age_is_in_days_hours_minutes_and_seconds(seconds: float, shown: str) -> None:
    """
    Past and future, to the second.
    """
    now = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)

    assert age(now + timedelta(seconds=seconds), now) == shown


#: A task as Camunda 7.6 tells of it, but for what is null.
_OLD_TASK: Final = {"id": "t1", "topicName": "a", "lockExpirationTime": "2026-11-22T10:31:00"}


@pytest.mark.parametrize("status", ["404 Not Found", "405 Method Not Allowed"])
def test_an_engine_that_does_not_know_its_topics_lists_them(
    status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Camunda 7.6 does not; it cannot sort by the time of creation either.
    """
    no_sorting = json_answer(
        400, {"type": "InvalidRequestException", "message": "Cannot set query parameter 'sortBy'"}
    )
    counts = [json_answer(200, {"count": one}) for one in (2, 1, 0)]
    answers = (html_answer(status), json_answer(200, [_OLD_TASK]), *counts, no_sorting)
    with Stub(*answers) as stub:
        monkeypatch.setenv("CAMUNDA_EXT_URL", stub.url)
        shown = said("topics", "-o", "jsonl", "--date-zone", "Europe/Berlin")

    assert shown == '{"topic":"a","total":2,"locked":1,"failed":0,"oldest":null}\n'


def test_dates_of_an_old_engine_are_in_its_own_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    They name none; the option, the environment or the context does.
    """
    with Stub(json_answer(200, [_OLD_TASK])) as stub:
        monkeypatch.setenv("CAMUNDA_EXT_URL", stub.url)
        monkeypatch.setenv("CAMUNDA_EXT_DATE_ZONE", "America/New_York")
        by_environment = json.loads(said("ls", "-o", "jsonl"))
        by_option = json.loads(said("ls", "-o", "jsonl", "--date-zone", "Europe/Berlin"))

    assert by_environment["lock_expiration_time"] == "2026-11-22T10:31:00.000-05:00"
    assert by_option["lock_expiration_time"] == "2026-11-22T10:31:00.000+01:00"


@pytest.mark.parametrize("arguments", [["top", "--once"], ["top"]])
def test_where_it_is_no_terminal_the_live_view_is_one_look(
    arguments: list[str], busy: Engine
) -> None:
    """
    As with ``--once``.
    """
    head, shown = at_once(said(*arguments)).split("\n\n")

    assert re.fullmatch(rf"{re.escape(busy.url)}  \d\d:\d\d:\d\d UTC", head)
    assert shown == (
        "topic  total  locked  failed  oldest\n"
        "all        4       2       1\n"
        "b          1       1       1  in 3:30:00\n"
        "a          3       1       0  in 3:30:00\n"
    )


@terminal
def test_the_live_view_ends_by_ctrl_c_and_leaves_the_terminal_as_it_was(busy: Engine) -> None:
    """
    Which is success: there is no other way to end it.
    """
    shown = on_a_terminal("top", "--interval", "0.1", typed=("all ", CTRL_C))

    assert "\x1b[?1049h" in shown
    assert "\x1b[?1049l" in shown
    assert shown.endswith("[0]")


# ------------------------------------------------------------------------------------------ export


def test_all_tasks_are_written_to_a_file(engine: Engine, tmp_path: Path) -> None:
    """
    The end of its name says in which form; a file that is there is kept.
    """
    task_id = engine.create_task("a", business_key="=1+1")
    lines, cells, raw = tmp_path / "t.jsonl", tmp_path / "t.csv", tmp_path / "raw.csv"

    assert said("export", str(lines)) == f"1 task in {lines}.\n"
    assert said("export", str(cells)) == f"1 task in {cells}.\n"
    assert said("export", str(raw), "--raw-csv", "--topic", "a") == f"1 task in {raw}.\n"
    again = run("export", str(lines))

    assert json.loads(lines.read_text("utf-8"))["id"] == task_id
    assert cells.read_text("utf-8").endswith('"\'=1+1"\n')
    assert raw.read_text("utf-8").endswith('"=1+1"\n')
    assert (again.exit_code, again.stderr) == (
        1,
        f"Error: '{lines}' is there: pass --overwrite to replace it.\n",
    )
    assert said("export", str(lines), "--overwrite", "--topic", "b") == f"0 tasks in {lines}.\n"
    assert lines.read_text("utf-8") == ""


def test_an_export_that_cannot_be_is_refused(engine: Engine, tmp_path: Path) -> None:
    """
    By its name it is wrong use; where it cannot be written it has failed.
    """
    assert run("export", str(tmp_path / "t.xlsx")).exit_code == 2
    assert run("export", str(tmp_path / "t.jsonl"), "--raw-csv").exit_code == 2
    assert run("export", str(tmp_path / "none" / "t.csv")).exit_code == 1


# ----------------------------------------------------------------------------------------- changes


def test_changes_touch_what_matches_and_nothing_else(engine: Engine) -> None:
    """
    And say what became of it.
    """
    for topic in ("a", "a", "b"):
        engine.create_task(topic)
    with engine.client() as client:
        client.fetch_and_lock("w1", [Topic("a", lock_duration=60_000)], max_tasks=2)

    assert said("retries", "3", "--topic", "a", "--yes") == "set_retries(3): 2 of 2 tasks done\n"
    assert said("priority", "-5", "-y", "--topic", "a") == "set_priority(-5): 2 of 2 tasks done\n"
    assert said("unlock", "--topic", "a", "-y") == "unlock(): 2 of 2 tasks done\n"
    assert [(one.retries, one.priority, one.worker_id) for one in tasks_of(engine, "a")] == [
        (3, -5, None),
        (3, -5, None),
    ]
    assert [(one.retries, one.priority) for one in tasks_of(engine, "b")] == [(None, 0)]
    everything = said("retries", "1", "--everything", "-y")
    assert everything == "set_retries(1): 3 of 3 tasks done\n"


def test_a_dry_run_changes_nothing(engine: Engine) -> None:
    """
    It shows how many tasks would be touched, and the first of them.
    """
    task_id = engine.create_task("a")

    assert said("retries", "3", "--topic", "a", "--dry-run") == (
        f"dry run of set_retries(3): would touch 1 task\n  {task_id} a\n"
    )
    looked = json.loads(said("retries", "3", "--topic", "a", "--dry-run", "-o", "json"))
    assert (looked["dry_run"], looked["matched"], len(looked["first"])) == (True, 1, 1)
    assert looked["first"] == json.loads(said("ls", "--topic", "a", "-o", "json"))
    assert [one["id"] for one in looked["first"]] == [task_id]
    assert [one.retries for one in tasks_of(engine, "a")] == [None]


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["--yes"], 2, "There is no filter: pass --everything if all tasks are meant."),
        (["--topic", "a"], 2, "There is nobody to ask: pass --yes, or --dry-run to look."),
        (
            ["--topic", "a", "--yes", "--at-most", "1"],
            1,
            "at least 2 tasks are to be touched, and --at-most 1 may be. Nothing was changed now.",
        ),
        (
            ["--topic", "a", "--dry-run", "--at-most", "1"],
            1,
            "at least 2 tasks are to be touched, and --at-most 1 may be. Nothing was changed now.",
        ),
    ],
)
def test_a_change_that_is_not_safe_is_refused(
    arguments: list[str], code: int, error: str, engine: Engine
) -> None:
    """
    Nothing is changed.
    """
    for _ in range(2):
        engine.create_task("a")

    result = run("priority", "7", *arguments)

    assert (result.exit_code, result.stdout) == (code, "")
    # Versions of click differ in what they say of the usage before.
    assert result.stderr.splitlines()[-1] == f"Error: {error}"
    assert [one.priority for one in tasks_of(engine, "a")] == [0, 0]


@terminal
@pytest.mark.parametrize(
    ("answer", "end", "priority"),
    [
        ("y\n", "y\nset_priority(7): 1 of 1 task done\n[0]", 7),
        ("n\n", "n\nNothing was changed.\n[1]", 0),
        (CTRL_C, "^C\nInterrupted.\n[130]", 0),
    ],
)
def test_a_person_is_asked_before_anything_is_changed(
    answer: str, end: str, priority: int, engine: Engine
) -> None:
    """
    After being shown what would be touched.
    """
    task_id = engine.create_task("a")

    shown = on_a_terminal("priority", "7", "--topic", "a", typed=("[y/N]: ", answer))

    # The bar that tells how far it is is not of interest.
    # Nor whether Ctrl-C came before the question was at its end.
    plain = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown).replace("^C", "")
    seen = re.sub(r"(\n\r*done ━[^\n]*)+", "", plain)
    assert seen.replace(": Interrupted", ": \nInterrupted") == (
        f"{engine.url}: ExternalTaskQuery().topic('a')\n"
        "dry run of set_priority(7): would touch 1 task\n"
        f"  {task_id} a\n"
        f"Go on? [y/N]: {end}".replace("^C", "")
    )
    assert [one.priority for one in tasks_of(engine, "a")] == [priority]


def test_tasks_that_were_not_reached_are_an_exit_code_of_their_own(engine: Engine) -> None:
    """
    A script can tell it from a refusal, where all is as it was.
    """
    engine.create_task("a")
    engine.faults.add("html page", operation="set_priority")

    result = run("priority", "7", "--topic", "a", "--yes")

    assert result.exit_code == 3
    assert result.stdout.startswith("set_priority(7): 0 of 1 task done\n")


def test_a_run_with_a_journal_goes_on_where_it_was(engine: Engine, tmp_path: Path) -> None:
    """
    What is settled is not done again; a journal of something else is refused.
    """
    engine.create_task("a")
    journal = str(tmp_path / "journal")
    again = ("priority", "7", "--topic", "a", "--yes", "--journal", journal)

    assert said(*again) == "set_priority(7): 1 of 1 task done\n"
    assert said(*again).splitlines()[:2] == [
        "set_priority(7): 0 of 1 task done",
        "  1 settled by an earlier run",
    ]
    assert said(*again[:-3], "--dry-run", *again[-2:]).splitlines()[:2] == [
        "dry run of set_priority(7): would touch 0 tasks",
        "  1 settled by an earlier run",
    ]
    other = run("priority", "8", *again[2:])

    assert (other.exit_code, other.stdout) == (1, "")
    assert [one.priority for one in tasks_of(engine, "a")] == [7]


@pytest.mark.parametrize("option", ["--url", "--user", "--engine", "--context"])
def test_an_engine_that_is_not_named_is_not_another(option: str, engine: Engine) -> None:
    """
    A variable of a script that is not set must not lead to the engine that is used otherwise.
    """
    engine.create_task("a")

    result = run("priority", "7", "--topic", "a", "--yes", option, "")

    assert result.exit_code == 2
    assert result.stderr.endswith(f"Error: {option} must not be empty.\n")
    assert [one.priority for one in tasks_of(engine, "a")] == [0]


def test_a_lock_is_taken_from_those_who_have_one(engine: Engine) -> None:
    """
    All others are left out, and need no request.
    """
    for _ in range(3):
        engine.create_task("a")
    with engine.client() as client:
        client.fetch_and_lock("w1", [Topic("a", lock_duration=60_000)], max_tasks=1)

    assert said("unlock", "--topic", "a", "--yes") == "unlock(): 1 of 1 task done\n"
    assert said("unlock", "--everything", "--yes") == "unlock(): 0 of 0 tasks done\n"


def test_retries_are_set_by_the_engine_in_a_batch(engine: Engine) -> None:
    """
    The command waits for it, and says how it ended.
    """
    for _ in range(2):
        engine.create_task("a")

    result = run("retries", "3", "--topic", "a", "--batch", "--yes")

    assert (result.exit_code, result.stdout.count("\n")) == (0, 1)
    assert re.match(r"batch \S+: (finished|gone, as one that has finished)", result.stdout)
    assert re.fullmatch(r"<BatchRun \S+>\n", result.stderr)
    assert [one.retries for one in tasks_of(engine, "a")] == [3, 3]
    assert said("retries", "4", "--topic", "a", "--batch", "--dry-run").startswith(
        "dry run of set_retries_async(4): would touch 2 tasks\n"
    )


def test_what_came_of_a_change_is_json_for_a_program(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Each failure is in it; for a person, each is on standard error.
    """
    for _ in range(2):
        engine.create_task("a")
    ids = [one.id for one in tasks_of(engine, "a")]
    engine.faults.add("optimistic locking", operation="set_priority")
    monkeypatch.setattr("camunda_ext._call.attempts.sleep", lambda _: None)
    call = ("priority", "7", "--topic", "a", "--yes")

    for_program, for_person = run(*call, "-o", "json"), run(*call)

    assert (for_program.exit_code, for_person.exit_code) == (3, 3)
    held = json.loads(for_program.stdout)
    assert (held["call"], held["matched"], held["done"]) == ("set_priority(7)", 2, 0)
    assert [one["task_id"] for one in held["failed"]] == ids
    assert [line.partition(":")[0] for line in for_person.stderr.splitlines()] == ids


@terminal
def test_ctrl_c_says_how_far_it_was(engine: Engine) -> None:
    """
    And that the journal goes on from there.
    """
    for _ in range(4):
        engine.create_task("a")
    engine.faults.add("slow", operation="set_priority", nth=3, seconds=20)
    call = ("priority", "7", "--topic", "a", "--yes")

    shown = on_a_terminal(*call, typed=("2/4", CTRL_C))

    assert shown.endswith(
        "Ended at 2 of 4; requests under way may take effect all the same.\nInterrupted.\n[130]"
    )


def started(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    """
    Run the command in a process of its own.
    """
    # Without a buffer, Python drops what a pipe takes no more of.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.Popen(
        [sys.executable, "-c", MAIN, *arguments],
        cwd=ROOT,
        env=env,
        stderr=subprocess.PIPE,
        **options,
    )


@pytest.mark.parametrize("form", ["jsonl", "table"])
def test_a_reader_that_has_gone_is_no_error(form: str, engine: Engine) -> None:
    """
    The command ends as a shell says it of programs that such a pipe ends, and complains of nothing.
    """
    for _ in range(300):  # more than a pipe holds
        engine.create_task("a", business_key="x" * 250)
    with started("ls", "--first", "300", "-o", form, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr is not None
        complaint = process.stderr.read()

    assert (process.returncode, complaint) == (141, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no full disk to offer")
def test_what_was_done_is_told_where_nothing_can_be_printed(engine: Engine) -> None:
    """
    The tasks are changed by then. A list that nobody gets is one message.
    """
    engine.create_task("a")
    with open("/dev/full", "wb") as full:
        with started("priority", "7", "--topic", "a", "--yes", stdout=full) as change:
            _, said_of_change = change.communicate(timeout=60)
        with started("count", stdout=full) as look:
            _, said_of_look = look.communicate(timeout=60)

    assert b"set_priority(7): 1 of 1 task done" in said_of_change
    assert said_of_look == b"Error: No space left on device.\n"
    assert (change.returncode, look.returncode) == (1, 1)


def test_a_filter_that_the_engine_ignores_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What comes would not be what was asked for.
    """
    with Engine(version="7.14") as old:
        monkeypatch.setenv("CAMUNDA_EXT_URL", old.serve())
        for arguments in (["ls"], ["count"], ["errors"], ["topics"], ["export", "x.csv"]):
            result = run(*arguments, "--process-definition-key", "p")
            assert (result.exit_code, result.stdout) == (1, "")
            assert "ignores the filter processDefinitionKey" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["count", "--topic", "a", "--topic", "b"], "--topic: can have one value only"),
        (["count", "--process-variable", "n", "eq", ""], "--process-variable: must not be empty"),
        (["count", "--timeout", "nan"], "is not a number of seconds"),
        (["top", "--interval", "nan"], "is not a number of seconds"),
        (["top", "--interval", "inf"], "is not a number of seconds"),
        (["priority", "7", "--topc", "a"], "No such option"),
    ],
)
def test_wrong_use_is_told_before_anything_is_sent(arguments: list[str], error: str) -> None:
    """
    There is nobody to be asked here.
    """
    result = run(*arguments, "--url", "http://127.0.0.1:1/engine-rest")

    assert result.exit_code == 2
    assert error in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("text", "duration"),
    [("25", 25.0), ("25s", 25.0), ("0.5", 0.5), ("2m", 120.0), ("0.5m", 30.0), (2.0, 2.0)],
)
def test_durations_are_seconds_or_minutes(text: str | float, duration: float) -> None:
    """
    A number alone is seconds, as ever.
    """
    assert seconds(86_400)(text) == duration


@pytest.mark.parametrize("text", ["", "s", "m", "25ms", "1h", "nan", "nanm", "infm", "25 s m", "0"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """
    Milliseconds too, which nobody has to wait for.
    """
    with pytest.raises(click.BadParameter, match=r"is not a number of seconds from 0\.1 to 86,400"):
        seconds(86_400)(text)


def test_a_request_takes_no_longer_than_it_may(engine: Engine) -> None:
    """
    Two minutes are long for a person.
    """
    engine.faults.add("slow", operation="count", seconds=20)

    result = run("count", "--timeout", "0.2")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "timed out" in result.stderr.lower()


def test_tasks_that_failed_without_a_message_are_counted(engine: Engine) -> None:
    """
    A worker need not say why.
    """
    engine.create_task("a", retries=0)

    [held] = json.loads(said("errors", "-o", "json"))

    assert (held["tasks"], held["failed"], held["message"]) == (1, 1, None)


@terminal
def test_numbers_and_messages_are_seen_beside_long_names(engine: Engine) -> None:
    """
    Whoever names a topic must not hide how all others are.
    """
    name = "com.example.billing.invoice-service.charge-credit-card-v2-" + "x" * 60
    engine.create_task(name)
    fail(engine, name, "no such account", "")

    topics = on_a_terminal("topics", COLUMNS="60").splitlines()
    errors = on_a_terminal("errors", COLUMNS="60").splitlines()
    wide = on_a_terminal("topics", "-o", "wide", COLUMNS="60").splitlines()

    assert re.fullmatch(r"com\.example\.\S*…      1       1       1  in 3:\d\d:\d\d", topics[-2])
    assert "no such account" in errors[-2]
    assert max(len(re.sub(r"\x1b\[\d*m", "", line)) for line in topics + errors) <= 60
    assert wide[-2].startswith(name)


@terminal
def test_a_terminal_that_cannot_be_drawn_on_gets_line_after_line(busy: Engine) -> None:
    """
    As an editor's shell may be.
    """
    shown = on_a_terminal("top", "--interval", "0.1", typed=("all ", CTRL_C), TERM="dumb")

    assert "\x1b" not in shown
    assert "all        4       2       1" in shown


@terminal
def test_the_live_view_says_of_when_its_numbers_are(busy: Engine) -> None:
    """
    An engine that does not answer any more must not look alive; topics without room are counted.
    """
    for number in range(20):
        busy.create_task(f"t{number:02}")
    for nth in range(2, 8):  # all attempts of a call
        busy.faults.add("html page", operation="topic_names", nth=nth)

    shown = on_a_terminal(
        "top", "--interval", "0.1", typed=("no answer at", CTRL_C), COLUMNS="80", LINES="16"
    )

    plain = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown)
    assert re.search(r"/engine-rest  \d\d:\d\d:\d\d UTC, no answer at \d\d:\d\d:\d\d", plain)
    assert "... and 12 more topics" in plain
    assert plain.index("\nb  ") < plain.index("\na  ") < plain.index("\nt00")
