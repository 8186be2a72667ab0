"""
What a change must pass, session by session: ``nox --list`` names them, ``.ci/run`` runs the most.

Each session makes an environment of its own, by uv, which also finds out what the oldest
dependencies are that ``setup.cfg`` promises.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Sequence
from configparser import ConfigParser
from pathlib import Path
from typing import Final

import nox

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "uv"
nox.options.error_on_external_run = True
nox.options.download_python = "never"
# What takes a minute; the tests and the release are asked for by name.
nox.options.sessions = ["lint", "types", "docs", "wheel"]

_SETUP: Final = ConfigParser()
_SETUP.read("setup.cfg", "utf-8")
#: Those of the classifiers.
_PYTHONS: Final = re.findall(r"(?m)Python :: (3\.\d+)$", _SETUP["metadata"]["classifiers"])
#: The extras of the library; the others are for those who work on it.
_EXTRAS: Final = sorted(_SETUP["options.extras_require"].keys() - {"demo", "dev", "docs", "test"})
_DEV: Final = _SETUP["options.extras_require"]["dev"].split("\n")
#: These have parts in C or Rust, so their sources would need a compiler.
_COMPILED: Final = ("orjson", "pandas", "polars")
_IN_PARALLEL: Final = ("-n", "auto")
#: Tests of what Python and its libraries may do differently from version to version, in seconds.
_QUICK: Final = (
    *("auth", "client", "display", "dto", "errors", "export", "json", "layers", "query"),
    *("reasons", "retry", "runtime_types", "tools", "value", "variables", "wire"),
)


def _pins(session: nox.Session, resolution: str) -> Sequence[str]:
    """
    The options that hold an installation to the oldest dependencies, or to whatever is newest.

    Where the oldest version has no wheel for the session's Python, it is the oldest one that has.
    """
    if resolution == "newest":
        return ()
    pins = Path(session.create_tmp()) / "oldest.txt"
    session.run_install(
        *("uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--no-deps"),
        *("--resolution", "lowest-direct", "--output-file", str(pins)),
        *(f"--extra={extra}" for extra in _EXTRAS),
        *(f"--only-binary={name}" for name in _COMPILED),
        *(f"--python={session.virtualenv.location}", "setup.cfg"),
    )
    session.log(" ".join(pins.read_text().split()))
    return ("--constraint", str(pins))


@nox.session(python=_PYTHONS)
@nox.parametrize("dependencies", [nox.param(each, id=each) for each in ("oldest", "newest")])
def tests(session: nox.Session, dependencies: str) -> None:
    """
    All tests, and how much of the package they run; arguments go to pytest.
    """
    session.install("-e", ".[test]", *_pins(session, dependencies))
    measured = {"COVERAGE_FILE": str(Path(session.create_tmp()) / "coverage")}
    # The plugin is imported before pytest could begin to measure.
    arguments = session.posargs or ("-q", "-rfE", *_IN_PARALLEL)
    session.run("coverage", "erase", env=measured)
    session.run("coverage", "run", "-m", "pytest", *arguments, env=measured)
    if not session.posargs:
        session.run("coverage", "combine", "-q", env=measured)
        session.run("coverage", "report", "--fail-under=95", env=measured)


@nox.session(python=_PYTHONS)
def examples(session: nox.Session) -> None:
    """
    The examples of the documentation, and the tests that look at one thing and are quick.
    """
    session.install("-e", ".[test,docs]")
    files = session.posargs or (f"tests/test_{name}.py" for name in _QUICK)
    session.run("pytest", "-q", *_IN_PARALLEL, *files)
    built = Path(session.create_tmp()) / "doctest"
    session.run("sphinx-build", "-q", "-n", "-W", "-b", "doctest", "docs", str(built))


@nox.session
def lint(session: nox.Session) -> None:
    """
    Mistakes and form, by ruff.
    """
    session.install(*(tool for tool in _DEV if tool.startswith("ruff")))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """
    The types of all Python files, by mypy.
    """
    session.install("-e", ".[dev]")
    session.run("mypy", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """
    The documentation in ``docs/_build/html``, its warnings errors, and its examples.
    """
    session.install("-e", ".[test,docs]")
    shutil.rmtree("docs/_build", ignore_errors=True)
    for builder in ("html", "doctest"):
        session.run(
            *("sphinx-build", "-q", "-n", "-W", "-b", builder),
            *("docs", f"docs/_build/{builder}"),
        )


@nox.session
def wheel(session: nox.Session) -> None:
    """
    The wheel of this tree: alone, with its extras, and in a project that tests its own code.
    """
    folder = Path(session.create_tmp()).resolve()
    shutil.rmtree(folder)
    folder.mkdir()
    # From the sdist, so that nothing gets in that an earlier build has left in `build`.
    session.run_install("uv", "build", "--quiet", "--out-dir", str(folder))
    (built,) = folder.glob("*.whl")
    imports = Path("tests/imports.py").resolve()
    project = shutil.copy("tests/embedded/a_project.py", folder / "test_project.py")

    session.install(str(built))
    with session.chdir(folder):
        session.run("python", "-I", str(imports), "cli", "opentelemetry", "testing")
        hint = session.run("camunda-ext", "demo", success_codes=[2], silent=True)
        if 'pip install "camunda_ext[cli]"' not in str(hint):
            session.error(f"the command does not say which extra it lacks: {hint}")

    session.install(f"{built}[demo,opentelemetry]", "pytest")
    with session.chdir(folder):
        session.run("python", "-I", str(imports))
        story = session.run("camunda-ext", "demo", silent=True)
        session.log("\n".join(str(story).splitlines()[-12:]))
        session.run("python", "-I", "-m", "pytest", "-q", "-p", "no:cacheprovider", str(project))


def _build(session: nox.Session, checkout: Path, umask: int) -> dict[str, bytes]:
    """
    The files that are built of the last commit, in a clone of it, with its time for all times.
    """
    before = os.umask(umask)
    try:
        session.run("git", "clone", "--quiet", ".", str(checkout), external=True)
        seconds = session.run(
            *("git", "-C", str(checkout), "log", "-1", "--format=%ct"), external=True, silent=True
        )
        session.run(
            *("python", "-m", "build", "--installer=uv", "--outdir", str(checkout / "dist")),
            str(checkout),
            env={"SOURCE_DATE_EPOCH": str(seconds).strip()},
            silent=True,
        )
    finally:
        os.umask(before)
    return {file.name: file.read_bytes() for file in (checkout / "dist").iterdir()}


@nox.session
def release(session: nox.Session) -> None:
    """
    What is published, in ``dist``: of the last commit, built twice, and the same both times.

    Beside the sdist and the wheel are the list of what the wheel brings along, and checksums.
    """
    session.install("build[uv]", "twine", "cyclonedx-bom")
    folder = Path(session.create_tmp()).resolve()
    shutil.rmtree(folder)
    folder.mkdir()
    files = _build(session, folder / "once", umask=0o022)
    again = _build(session, folder / "another time, elsewhere", umask=0o077)
    if files != again:
        session.error(f"the files of two builds differ; they are in {folder}")

    dist = Path("dist")
    shutil.rmtree(dist, ignore_errors=True)
    dist.mkdir()
    for name, content in files.items():
        (dist / name).write_bytes(content)
    session.run("twine", "check", "--strict", *(str(dist / name) for name in files))
    _write_sbom(session, dist)
    listed = (
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n"
        for file in sorted(dist.iterdir())
    )
    (dist / "SHA256SUMS").write_text("".join(listed), encoding="ascii")
    session.log((dist / "SHA256SUMS").read_text(encoding="ascii"))


def _write_sbom(session: nox.Session, dist: Path) -> None:
    """
    Write what an installation of the wheel consists of today, as CycloneDX.
    """
    (built,) = dist.glob("*.whl")
    folder = Path(session.create_tmp()).resolve()
    installed = folder / "installed"
    session.run("uv", "venv", "--quiet", str(installed))
    session.run("uv", "pip", "install", "--quiet", f"--python={installed}", str(built))
    # What the list is about; cyclonedx-py reads it nowhere else.
    package = {
        **{key: _SETUP["metadata"][key] for key in ("name", "description", "license")},
        "version": built.name.split("-")[1],
        "dependencies": _SETUP["options"]["install_requires"].split(),
    }
    described = folder / "pyproject.toml"
    # Each value is the same in JSON and in TOML.
    lines = (f"{key} = {json.dumps(value)}\n" for key, value in package.items())
    described.write_text("[project]\n" + "".join(lines), "utf-8")
    session.run(
        *("cyclonedx-py", "environment", "--output-reproducible", f"--pyproject={described}"),
        *("--mc-type=library", f"--output-file={dist / built.stem}.cdx.json", str(installed)),
    )


@nox.session
def benchmarks(session: nox.Session) -> None:
    """
    Whether the client is as quick as the documentation says; on a machine that does nothing else.
    """
    session.install("-e", ".[test]")
    session.run("python", "-m", "tests.benchmarks", *session.posargs)
