"""
Which engine the commands ask, who asks, and where passwords come from.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner, Result

from camunda_ext.cli._commands import camunda_ext as command
from camunda_ext.testing import Engine
from tests.test_cli_tasks import on_a_terminal, terminal

VARIABLES: Final = ("URL", "USER", "ENGINE", "CONTEXT", "PASSWORD", "DATE_ZONE")
URL: Final = "http://localhost:8080/engine-rest"


@pytest.fixture(autouse=True)
def file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """
    The file of the contexts, which does not exist yet.
    """
    for name in VARIABLES:
        monkeypatch.delenv(f"CAMUNDA_EXT_{name}", raising=False)
    path = tmp_path / "camunda-ext" / "config.json"
    monkeypatch.setenv("CAMUNDA_EXT_CONFIG", str(path))
    # No keyring of this machine.
    monkeypatch.setitem(sys.modules, "keyring", None)
    return path


@pytest.fixture
def guarded() -> Iterator[Engine]:
    """
    Serve an engine with two tasks that asks for the password of "kim".
    """
    with Engine(auth=("kim", "pw-1")) as made:
        made.serve()
        for _ in range(2):
            made.create_task("a")
        yield made


@pytest.fixture
def other() -> Iterator[Engine]:
    """
    Serve an engine without tasks, that asks nobody.
    """
    with Engine() as made:
        made.serve()
        yield made


def run(*arguments: str, **env: str) -> Result:
    """
    Run the command in this process, with nobody to answer questions.
    """
    return CliRunner(env=env).invoke(command, arguments, prog_name="camunda-ext")


def said(*arguments: str, **env: str) -> str:
    """
    What a command prints that ends well and has nothing to complain of.
    """
    result = run(*arguments, **env)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return result.stdout


def test_contexts_are_kept_in_a_file_of_the_users_own(file: Path) -> None:
    """
    The first one is used until another one is.
    """
    assert said("context", "add", "local", "--url", URL) == "Kept, and used from now on: local\n"
    added = said("context", "add", "prod", "--url", "https://e/r", "--user", "kim", "--engine", "b")
    assert added == "Kept: prod\n"
    assert said("context", "use", "prod") == "Used from now on: prod\n"

    assert json.loads(file.read_text("utf-8")) == {
        "current": "prod",
        "contexts": {
            "local": {"url": URL},
            "prod": {"url": "https://e/r", "user": "kim", "engine": "b"},
        },
    }
    assert [one.name for one in file.parent.iterdir()] == ["config.json"]
    if os.name != "nt":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert said("context", "ls") == (
        "current  name   url                                user  engine\n"
        "         local  http://localhost:8080/engine-rest\n"
        "*        prod   https://e/r                        kim   b\n"
    )
    assert said("context", "rm", "prod") == "Forgotten: prod; none is used now\n"
    assert said("context", "ls", "-o", "jsonl") == (
        f'{{"current":false,"name":"local","url":"{URL}","user":null,"engine":null,'
        '"date_zone":null}\n'
    )


def test_a_context_knows_the_zone_of_an_old_engine(file: Path) -> None:
    """
    A column says so where any does; a zone that is none is not kept.
    """
    said("context", "add", "old", "--url", URL, "--date-zone", "Europe/Berlin")
    result = run("context", "add", "odd", "--url", URL, "--date-zone", "Europe/Nowhere")

    assert json.loads(file.read_text("utf-8"))["contexts"] == {
        "old": {"url": URL, "date_zone": "Europe/Berlin"}
    }
    assert said("context", "ls").splitlines()[0].endswith("engine  date zone")
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (
        2,
        "Error: there is no zone of the name 'Europe/Nowhere'.",
    )


def test_a_context_is_not_replaced_by_mistake() -> None:
    """
    Nor is one used, or forgotten, that is not there.
    """
    said("context", "add", "local", "--url", URL)
    again = run("context", "add", "local", "--url", "https://e/r")
    missing = run("context", "use", "prod")

    assert (again.exit_code, again.stderr) == (
        1,
        "Error: There is a context 'local' already: pass --overwrite to replace it.\n",
    )
    assert (missing.exit_code, missing.stderr) == (
        1,
        "Error: There is no context 'prod'; there is 'local'.\n",
    )
    assert run("context", "rm", "prod").exit_code == 1
    assert said("context", "add", "local", "--url", "https://e/r", "--overwrite") == (
        "Kept, and used from now on: local\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["local", "--url", "http://kim:canary-7f3a@h/engine-rest"],
        ["local", "--url", "localhost"],
        ["local", "--url", URL, "--user", "a:b"],
        ["lo\x1bcal", "--url", URL],
        ["", "--url", URL],
        ["local"],
    ],
)
def test_a_context_that_no_client_could_be_made_of_is_refused(
    arguments: list[str], file: Path
) -> None:
    """
    A password that was typed by mistake is not repeated.
    """
    result = run("context", "add", *arguments)

    assert result.exit_code == 2
    assert "canary-7f3a" not in result.output
    assert not file.exists()


@pytest.mark.skipif(os.name == "nt", reason="this system has other rights")
def test_a_file_that_others_could_have_written_is_not_trusted(file: Path) -> None:
    """
    It says which engine gets the password.
    """
    said("context", "add", "local", "--url", URL)
    file.chmod(0o622)

    result = run("context", "ls")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"Error: {file} can be written by others: chmod go-w it.\n"


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_stays_one(file: Path, tmp_path: Path) -> None:
    """
    Some keep their settings elsewhere.
    """
    kept = tmp_path / "kept.json"
    kept.write_text('{"contexts": {}}', "utf-8")
    file.parent.mkdir()
    file.symlink_to(kept)

    said("context", "add", "local", "--url", URL)

    assert file.is_symlink()
    assert list(json.loads(kept.read_text("utf-8"))["contexts"]) == ["local"]


def test_what_comes_before_a_context_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Or somebody would believe to be on another engine.
    """
    said("context", "add", "local", "--url", URL)
    monkeypatch.setenv("CAMUNDA_EXT_URL", "http://h/engine-rest")

    for arguments in (["use", "local"], ["ls"]):
        result = run("context", *arguments)
        assert result.exit_code == 0
        assert result.stderr == "Warning: CAMUNDA_EXT_URL is set, and is used instead.\n"


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "[]",
        '{"current": "a", "contexts": {}}',
        '{"contexts": {"a": {}}}',
        '{"contexts": {"a": {"url": "http://h", "password": "canary-7f3a"}}}',
        '{"contexts": {"a": {"url": "http://h", "user": 7}}}',
        '{"contexts": {"a": {"url": "http://kim:canary-7f3a@h/x"}}}',
        '{"contexts": {}, "current": []}',
    ],
)
def test_a_file_of_something_else_is_one_message(text: str, file: Path) -> None:
    """
    And is left as it is.
    """
    file.parent.mkdir()
    file.write_text(text, "utf-8")

    result = run("context", "add", "b", "--url", URL)

    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {file} holds no contexts: ")
    assert result.stderr.count("\n") == 1
    assert "canary-7f3a" not in result.stderr
    assert file.read_text("utf-8") == text


def test_what_is_typed_comes_before_the_environment_and_that_before_the_file(
    guarded: Engine, other: Engine
) -> None:
    """
    A context says as a whole who asks: the user of the environment is that of its URL.
    """
    password = {"CAMUNDA_EXT_PASSWORD": "pw-1"}
    there = {"CAMUNDA_EXT_URL": guarded.url, "CAMUNDA_EXT_USER": "kim", **password}
    said("context", "add", "other", "--url", other.url)
    said("context", "add", "guarded", "--url", guarded.url, "--user", "kim")

    assert said("count") == "0\n"
    assert said("count", **there) == "2\n"
    assert said("count", "--context", "other", **there) == "0\n"
    assert said("count", "--context", "guarded", **password) == "2\n"
    assert said("count", CAMUNDA_EXT_CONTEXT="guarded", **password) == "2\n"
    assert said("count", "--url", other.url, CAMUNDA_EXT_CONTEXT="guarded") == "0\n"
    assert run("count", "--context", "guarded", "--user", "al", **password).exit_code == 1
    assert run("count", "--context", "other", "--url", other.url).exit_code == 2
    assert run("count", CAMUNDA_EXT_CONTEXT="other", **there).exit_code == 2
    assert run("count", "--context", "none").exit_code == 1


def test_without_any_engine_it_is_said_how_to_name_one() -> None:
    """
    None is guessed.
    """
    result = run("count")

    assert result.exit_code == 2
    assert result.stderr.endswith(
        "Error: Which engine? Pass --url or --context, set CAMUNDA_EXT_URL, or choose one with "
        "`camunda-ext context add`.\n"
    )


def test_no_option_takes_a_password() -> None:
    """
    Others can read the command lines of a machine, and shells keep them.
    """
    for name in ("ls", "count", "unlock", "export"):
        assert run(name, "--password", "pw-1").exit_code == 2
    assert run("context", "add", "a", "--url", URL, "--password", "pw-1").exit_code == 2


def test_without_a_password_nobody_waits_where_nobody_is(guarded: Engine) -> None:
    """
    A job that runs at night ends and says what to set.
    """
    result = run("count", "--url", guarded.url, "--user", "kim")

    assert result.exit_code == 2
    assert result.stderr.endswith(
        "Error: There is no password of kim: set CAMUNDA_EXT_PASSWORD, or keep it in the keyring.\n"
    )


def test_a_password_comes_from_the_keyring(
    guarded: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Where it is kept by the URL and the user; that of the environment comes before it.
    """
    monkeypatch.delitem(sys.modules, "keyring")
    keyring: Any = pytest.importorskip("keyring")
    backend: Any = import_module("keyring.backend")

    class Kept(backend.KeyringBackend):  # type: ignore[misc]  # it is imported as it is used
        """
        A keyring with one password in it.
        """

        priority = 1

        def get_password(self, service: str, username: str) -> str | None:
            """
            That password.
            """
            return "pw-1" if (service, username) == (f"camunda-ext {guarded.url}", "kim") else None

        def set_password(self, service: str, username: str, password: str) -> None:
            """
            Keep nothing.
            """

    before = keyring.get_keyring()
    keyring.set_keyring(Kept())
    try:
        assert said("count", "--url", guarded.url, "--user", "kim") == "2\n"
        assert run("count", "--url", guarded.url, "--user", "al").exit_code == 2
        wrong = run("count", "--url", guarded.url, "--user", "kim", CAMUNDA_EXT_PASSWORD="no")
        assert wrong.exit_code == 1
    finally:
        keyring.set_keyring(before)


@terminal
def test_a_person_is_asked_for_the_password(guarded: Engine) -> None:
    """
    And it is not shown.
    """
    shown = on_a_terminal(
        "count",
        "--url",
        guarded.url,
        "--user",
        "kim",
        typed=("Password of kim: ", "pw-1\n"),
        PYTHON_KEYRING_BACKEND="keyring.backends.null.Keyring",
    )

    assert shown == "Password of kim: \n2\n[0]"


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_a_shell_can_complete_the_commands(shell: str) -> None:
    """
    What is printed calls the command for its completions.
    """
    script = said("completion", shell)

    assert f"_CAMUNDA_EXT_COMPLETE={shell}_complete" in script


def test_a_shell_completes_criteria_of_sorting() -> None:
    """
    Which are a short list.
    """
    completed = run(
        _CAMUNDA_EXT_COMPLETE="fish_complete",
        COMP_WORDS="camunda-ext ls --sort-by taskP",
        COMP_CWORD="taskP",
    )

    assert "taskPriority" in completed.stdout
    assert "taskPriority:desc" in completed.stdout
    assert "createTime" not in completed.stdout


def test_a_shell_completes_the_names_of_contexts() -> None:
    """
    Out of the file.
    """
    said("context", "add", "prod-1", "--url", URL)
    said("context", "add", "local", "--url", URL)

    completed = run(
        _CAMUNDA_EXT_COMPLETE="fish_complete",
        COMP_WORDS="camunda-ext ls --context pr",
        COMP_CWORD="pr",
    )

    # How the shell is told differs between versions of click.
    assert "prod-1" in completed.stdout
    assert "local" not in completed.stdout
