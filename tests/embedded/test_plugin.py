"""
The fixtures that pytest finds by itself, in projects of other people.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import camunda_ext
from camunda_ext import ExternalTaskClient, Topic
from camunda_ext.testing import Engine

_PACKAGE: Final = Path(camunda_ext.__file__).parent.parent

#: Plugins that have no say here, and take longer to load than pytest itself.
_WITHOUT_OTHERS: Final = (
    "-p",
    "no:hypothesispytest",
    "-p",
    "no:xdist",
    "-p",
    "no:xdist.looponfail",
)

#: As if the extra were not installed.
_WITHOUT_WERKZEUG: Final = """\
import sys


class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "werkzeug":
            raise ModuleNotFoundError(f"No module named {name!r}")


sys.meta_path.insert(0, Missing())
"""


def run(folder: Path, tests: str, *options: str, **files: str) -> tuple[int, str]:
    """
    The exit code and the output of pytest in a project that has nothing but these files.
    """
    for name, content in {"test_project": tests, **files}.items():
        (folder / f"{name}.py").write_text(content, "utf-8")
    done = subprocess.run(
        (
            *(sys.executable, "-W", "error", "-m", "pytest", "-p", "no:cacheprovider"),
            *(*_WITHOUT_OTHERS, *options),
        ),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(_PACKAGE), "PYTEST_ADDOPTS": "", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


def outcomes(output: str) -> str:
    """
    The last line of pytest's output, without the time.
    """
    return output.strip().splitlines()[-1].strip("= ").partition(" in ")[0]


# ------------------------------------------------------------------------------------ the fixtures


def test_engine_is_served(camunda_engine: Engine) -> None:
    """
    It is empty, and has a URL from the beginning.
    """
    where = f"<Engine 7.24.0, {camunda_engine.url}>"

    assert repr(camunda_engine) == where
    assert camunda_engine.client().count() == 0


def test_client_is_one_of_the_engine(
    camunda_engine: Engine, camunda_client: ExternalTaskClient
) -> None:
    """
    Whatever the engine has, the client finds.
    """
    task_id = camunda_engine.create_task("charge", variables={"amount": 50})

    [task] = camunda_client.fetch_and_lock(
        "kim", [Topic("charge", lock_duration=60_000)], max_tasks=9
    )

    assert (task.id, dict(task.variables)) == (task_id, {"amount": 50})


@pytest.mark.parametrize("times", ["once", "twice"])
def test_engine_is_new_for_each_test(camunda_engine: Engine, times: str) -> None:
    """
    What one test left, the next does not find.
    """
    before = camunda_engine.client().count()
    camunda_engine.create_task("a")
    camunda_engine.faults.add("refused")
    camunda_engine.advance(3600)

    assert before == 0


@pytest.mark.camunda_engine(version="7.18", auth=("kim", "sécret:"))
def test_marker_says_how_it_is_made(
    camunda_engine: Engine, camunda_client: ExternalTaskClient
) -> None:
    """
    It takes what the engine takes; the client knows the password.
    """
    with (
        ExternalTaskClient(camunda_engine.url) as stranger,
        pytest.raises(camunda_ext.Unauthorized),
    ):
        stranger.count()

    assert (camunda_client.version(), camunda_client.count()) == ("7.18.0", 0)


@pytest.mark.camunda_engine(version="7.18", seed=1)
class TestNearestMarker:
    """
    A marker of a class, and one of a method.
    """

    @pytest.mark.camunda_engine(version="7.20")
    def test_nearest_marker_wins(self, camunda_engine: Engine) -> None:
        """
        What it says counts, and the rest is still there.
        """
        with Engine(seed=1) as other:
            twin = other.create_task("a")

        assert str(camunda_engine.version) == "7.20.0"
        assert camunda_engine.create_task("a") == twin


# ------------------------------------------------------------------------------ in another project


def test_fixtures_need_no_import(tmp_path: Path) -> None:
    """
    A project has them by having the package, and does not pay for them before.
    """
    tests = """\
import sys
import threading

import pytest


def test_engine_is_not_imported_before_it_is_asked_for():
    heavy = ("camunda_ext.testing", "werkzeug", "sqlite3")
    assert [name for name in heavy if name in sys.modules] == []


@pytest.mark.camunda_engine(version="7.13")
def test_it(camunda_engine, camunda_client):
    camunda_engine.create_task("a")
    assert camunda_client.count() == 1
    assert camunda_client.version() == "7.13.0"


def test_closed(camunda_engine, camunda_client):
    camunda_client.count()
    camunda_engine.close()


def test_nothing_stays():
    assert [thread.name for thread in threading.enumerate()] == ["MainThread"]
"""
    code, output = run(tmp_path, tests, "--strict-markers")

    assert (code, outcomes(output)) == (0, "4 passed"), output


def test_missing_extra_is_named(tmp_path: Path) -> None:
    """
    Without a traceback; tests that need no engine pass as ever.
    """
    tests = """\
def test_other():
    pass


def test_it(camunda_client):
    pass
"""
    code, output = run(tmp_path, tests, conftest=_WITHOUT_WERKZEUG)

    assert (code, outcomes(output)) == (1, "1 passed, 1 error"), output
    [_, error] = output.split("ERROR at setup of test_it")
    assert error.splitlines()[1] == (
        "the fixture needs an extra: pip install 'camunda_ext[testing]' "
        "(No module named 'werkzeug')"
    )


def test_wrong_marker_is_an_error(tmp_path: Path) -> None:
    """
    It is not passed over, as a test of the wrong version might succeed.
    """
    tests = """\
import pytest


@pytest.mark.camunda_engine("7.18")
def test_without_name(camunda_engine):
    pass


@pytest.mark.camunda_engine(version="8.0")
def test_version(camunda_engine):
    pass


@pytest.mark.camunda_engine(versoin="7.18")
def test_typo(camunda_client):
    pass
"""
    code, output = run(tmp_path, tests)

    assert (code, outcomes(output)) == (1, "3 errors"), output
    assert (
        "name the arguments: camunda_engine(db, version, auth, history_time_to_live, seed, clock): "
        "how the fixture's engine is made\n"
    ) in output
    assert "ValueError: version must be between 7.13 and 7.24, not '8.0'\n" in output
    assert "unexpected keyword argument 'versoin'" in output


def test_marker_is_explained(tmp_path: Path) -> None:
    """
    Where pytest lists all markers.
    """
    _, output = run(tmp_path, "", "--markers")

    assert (
        "@pytest.mark.camunda_engine(db, version, auth, history_time_to_live, seed, clock): "
        "how the fixture's engine is made\n"
    ) in output


def test_project_may_override_a_fixture(tmp_path: Path) -> None:
    """
    The client then is one of the project's own engine.
    """
    own = """\
import pytest

from camunda_ext.testing import Engine


@pytest.fixture(scope="module")
def camunda_engine():
    with Engine(version="7.19") as engine:
        yield engine
"""
    tests = """\
def test_it(camunda_client):
    assert camunda_client.version() == "7.19.0"
"""
    code, output = run(tmp_path, tests, conftest=own)

    assert (code, outcomes(output)) == (0, "1 passed"), output


def test_the_plugin_loads_nothing_of_the_package() -> None:
    """
    It is imported in each run of whoever has it installed, for tests of anything.
    """
    script = "import sys, pytest_camunda_ext; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )

    loaded = done.stdout.split()
    assert "pytest_camunda_ext" in loaded
    assert [name for name in loaded if name.partition(".")[0] in ("camunda_ext", "requests")] == []
