"""
The house: what imports what, what is exported, and what an import brings along.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import camunda_ext

PACKAGE = Path(camunda_ext.__file__).parent

#: Each file imports only from those above it; those of one wing know nothing of the other.
ORDER = (
    "_version",
    "_value",
    "_json",
    "errors",
    "_check",
    "variables",
    "_objects",
    "_wire",
    "dto",
    "_table",
    "_display",
    "query",
    "history",
    "_reach",
    "_hooks",
    "_retry",
    "_request",
    "_tracebacks",
    "auth",
    "_session",
    "_pool",
    "_secrets",
    "_reasons",
    "_oauth2",
    "_transport",
    "_characters",
    "_doubt",
    "_sending",
    "_threads",
    "_pages",
    "_proof",
    "_progress",
    "batch_run",
    "_summary",
    "_files",
    "_journal",
    "_bulk",
    "_bulk_writes",
    "_export",
    "selection",
    "client",
    "__init__",
)
#: What hangs off the core, which never imports it.
OPTIONAL = {"opentelemetry"}

#: The embedded engine, in the same manner.
TESTING = (
    "_versions",
    "_errors",
    "_dates",
    "_conversions",
    "_typed_values",
    "_deserialized",
    "_contents",
    "_values",
    "_xml",
    "_extensions",
    "_schema",
    "_findings",
    "_model",
    "_external",
    "_refusals",
    "_user_tasks",
    "_bpmn",
    "_reading",
    "_store",
    "_conditions",
    "_variable_queries",
    "_scopes",
    "_evaluation",
    "_log",
    "_flow",
    "_users",
    "_tasks",
    "_batches",
    "_deployments",
    "_instances",
    "_doors",
    "_polls",
    "_faults",
    "_operations",
    "_task_routes",
    "_other_routes",
    "_urls",
    "_app",
    "_threads",
    "_http",
    "_in_process",
    "_engine",
    "__init__",
)
WHAT_IS_SAID = {
    "_check",
    "variables",
    "_objects",
    "_wire",
    "dto",
    "_table",
    "_display",
    "query",
    "history",
}
HOW_IT_TRAVELS = {
    "_hooks",
    "_retry",
    "_request",
    "_reach",
    "_tracebacks",
    "auth",
    "_oauth2",
    "_session",
    "_pool",
    "_secrets",
    "_reasons",
    "_transport",
    "_threads",
    "_pages",
}


def imported_by(path: Path, package: str = "camunda_ext") -> set[str]:
    """
    Give the modules of a package that a file imports, but for its types alone.
    """
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == package:
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{package}."):
            found.add(str(node.module).removeprefix(f"{package}."))
    return found


def test_every_file_has_its_place() -> None:
    """
    A new file is put into the order before it is used.
    """
    assert {path.stem for path in PACKAGE.glob("*.py")} == set(ORDER) | OPTIONAL
    assert {path.stem for path in (PACKAGE / "testing").glob("*.py")} == set(TESTING)


@pytest.mark.parametrize("name", ORDER)
def test_a_file_imports_only_from_above(name: str) -> None:
    """
    One way, no calls back: the query knows no client, and the client knows no socket.
    """
    above = set(ORDER[: ORDER.index(name)])
    if name in HOW_IT_TRAVELS:
        above -= WHAT_IS_SAID

    assert imported_by(PACKAGE / f"{name}.py") <= above


@pytest.mark.parametrize("name", TESTING)
def test_the_embedded_engine_is_in_order(name: str) -> None:
    """
    From what is kept to what is answered, with no calls back.
    """
    above = set(TESTING[: TESTING.index(name)])

    assert imported_by(PACKAGE / "testing" / f"{name}.py", "camunda_ext.testing") <= above


def test_the_embedded_engine_shares_nothing_with_the_client() -> None:
    """
    A wrong rule would cancel itself out; only what makes a client names the client.
    """
    shared = {
        path.stem: {name for name in imported_by(path) if not name.startswith("testing")}
        for path in (PACKAGE / "testing").glob("*.py")
    }

    assert {stem: names for stem, names in shared.items() if names} == {
        "_engine": {"ExternalTaskClient"}
    }


def test_public_names_are_exported_and_sorted() -> None:
    """
    What is exported is there, and what is there and public is exported.
    """
    public = {
        name
        for name, value in vars(camunda_ext).items()
        if name[0] != "_" and getattr(value, "__module__", "").startswith("camunda_ext.")
    }

    assert camunda_ext.__all__ == sorted(camunda_ext.__all__)
    aliases = {"Auth", "Operator", "SortOrder", "VariablesLike", "Via"}
    assert set(camunda_ext.__all__) == public | aliases | {"__version__"}


def in_a_fresh_process(code: str) -> str:
    """
    Run *code* by itself and give what it prints.
    """
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-c",
            f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r})\n{code}",
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def test_an_import_brings_no_optional_part_along() -> None:
    """
    The core imports what it needs, and orjson at most besides.
    """
    heavy = (
        "click",
        "rich",
        "django",
        "flask",
        "pytest",
        "hypothesis",
        "opentelemetry",
        "camunda_ext.testing",
    )

    assert (
        in_a_fresh_process(f"import camunda_ext\nprint({set(heavy)!r} & set(sys.modules))")
        == "set()\n"
    )


def test_an_import_has_no_side_effects() -> None:
    """
    No logging is set up, but for the handler that keeps the library silent.
    """
    code = (
        "import logging, threading\n"
        "before = logging.root.level, list(logging.root.handlers), threading.active_count()\n"
        "import camunda_ext\n"
        "after = logging.root.level, list(logging.root.handlers), threading.active_count()\n"
        "handlers = logging.getLogger('camunda_ext').handlers\n"
        "print(before == after, [type(one).__name__ for one in handlers])"
    )

    assert in_a_fresh_process(code) == "True ['NullHandler']\n"


def test_nothing_is_ever_unpickled_or_evaluated() -> None:
    """
    What comes from the wire is data: no pickle, no eval, no XML parser anywhere in the package.
    """
    dangerous = {"pickle", "marshal", "shelve", "yaml", "xml", "subprocess", "ctypes"}
    for path in PACKAGE.glob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        imported = {
            alias.name.split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        } | {
            str(node.module).split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
        }
        called = {
            node.func.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }

        assert not imported & dangerous
        assert not called & {"eval", "exec", "compile", "__import__"}
