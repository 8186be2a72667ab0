"""
The house: which room knows which, what is exported, and what an import brings along.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import pytest

import camunda_ext

PACKAGE = Path(camunda_ext.__file__).parent

#: The rooms of the package, and the public modules, from the ground up: each knows only what stands
#: before it.
ROOMS = (
    "_version",
    "_wire",
    "_secrets",
    "errors",
    "hooks",
    "variables",
    "dto",
    "safety",
    "_display",
    "query",
    "history",
    "_http",
    "auth",
    "_call",
    "batch_run",
    "_many",
    "selection",
    "client",
    "worker",
    "",  # the package itself: what ``import camunda_ext`` gives
    "opentelemetry",
    "testing",
    "cli",
)
#: What each optional part knows of the package.
OPTIONAL = {
    "opentelemetry": {"", "hooks", "worker"},
    "testing": {"", "worker"},
    "cli": {"", "testing", "safety", "worker"},
}
#: The rooms of the embedded engine, in the same manner.
ENGINE_ROOMS = (
    "_versions",
    "_errors",
    "values",
    "bpmn",
    "state",
    "rest",
    "doors",
    "_engine",
    "_handlers",
    "",
)


def modules() -> dict[str, Path]:
    """
    The modules of the package, by their dotted names below it.
    """
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = path
    return found


MODULES = modules()


def imports(name: str) -> set[str]:
    """
    The modules of the package that a module imports, wherever in it, or looks names up in.
    """
    found = set()
    for node in nodes(name):
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "camunda_ext":
            base = str(node.module).removeprefix("camunda_ext").removeprefix(".")
            for alias in node.names:
                inner = f"{base}.{alias.name}".removeprefix(".")
                found.add(inner if inner in MODULES else base)
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "camunda_ext":
            # `import camunda_ext` is known below it as well: a name is loaded when it is looked up.
            found.add(camunda_ext._HOMES.get(node.attr, node.attr))
    return found


def nodes(name: str) -> Iterator[ast.AST]:
    """
    All that a module is made of, quoted annotations too.
    """
    for node in ast.walk(ast.parse(MODULES[name].read_text("utf-8"))):
        yield node
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
                yield from ast.walk(ast.parse(annotation.value))


def room(name: str) -> str:
    """
    The room that a module is in.
    """
    return name.split(".")[0]


def test_every_module_is_in_a_room() -> None:
    """
    The top folder has the public modules alone; whatever else there is stands in a room.
    """
    assert {room(name) for name in MODULES} == set(ROOMS)
    top = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "_version"}
    assert not {name for name in top if name.startswith("_")}


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_room_knows_only_those_before_it(name: str) -> None:
    """
    One way, no calls back: the query knows no client, and the client knows no socket.
    """
    known = {room(one) for one in imports(name)} - {room(name)}

    assert known <= OPTIONAL.get(room(name), set(ROOMS[: ROOMS.index(room(name))]))


@pytest.mark.parametrize("name", sorted(n for n in MODULES if n.startswith("testing.")))
def test_the_rooms_of_the_embedded_engine_are_in_order(name: str) -> None:
    """
    From what is kept to what is answered, with no calls back.
    """
    own = name.split(".")[1]
    known = {[*one.split("."), ""][1] for one in imports(name) if room(one) == "testing"} - {own}

    assert known <= set(ENGINE_ROOMS[: ENGINE_ROOMS.index(own)])


def test_no_module_imports_one_that_imports_it() -> None:
    """
    Whoever reads a module needs to read only those that it stands on.
    """
    left = {name: imports(name) - {name} for name in MODULES}
    while free := {name for name, needed in left.items() if not needed & left.keys()}:
        for name in free:
            del left[name]

    assert not left


@pytest.mark.parametrize("name", sorted(MODULES))
def test_nobody_reaches_into_another_module(name: str) -> None:
    """
    What begins with an underscore is used by its own module alone.
    """
    tree = ast.parse(MODULES[name].read_text("utf-8"))
    own = {
        *(node.attr for node in ast.walk(tree) if is_of_self(node)),
        *(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)),
        *(
            node.target.id
            for node in ast.walk(tree)
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        ),
        *(
            target.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        ),
    }
    reached = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and is_private(node.attr) and not is_of_self(node)
    }
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("camunda_ext.")
        for alias in node.names
        if is_private(alias.name)
        and f"{node.module}.{alias.name}".removeprefix("camunda_ext.") not in MODULES
    }

    assert reached - own - OTHERS_PRIVATE == set()
    assert imported == set()


#: Private names of other libraries that there is no public name for.
OTHERS_PRIVATE: frozenset[str] = frozenset(
    {
        "_content",  # of a response of requests
        "_content_consumed",
        "_cookies",  # of a prepared request of requests
        "_getframe",  # of sys
        "_current_frames",  # of sys
        "_exit",  # of os
        "_replace",  # of a named tuple
    }
)


def is_of_self(node: ast.AST) -> TypeGuard[ast.Attribute]:
    """
    Whether a node is an attribute of ``self`` or ``cls``.
    """
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("self", "cls")
    )


def is_private(name: str) -> bool:
    """
    Whether a name begins with an underscore, and is none of Python's own.
    """
    return name.startswith("_") and not name.startswith("__")


def test_the_embedded_engine_shares_nothing_with_the_client() -> None:
    """
    A wrong rule would cancel itself out; only what makes a client or a task of it names the client.
    """
    shared = {
        name: {one for one in imports(name) if room(one) != "testing"}
        for name in MODULES
        if room(name) == "testing"
    }

    assert {name: known for name, known in shared.items() if known} == {
        "testing._engine": {""},
        "testing._handlers": {"", "worker", "worker.task"},
    }


def test_type_checkers_see_the_names_that_are_exported() -> None:
    """
    Each from the module that it is loaded from, and under its own name.
    """
    tree = ast.parse(MODULES[""].read_text("utf-8"))
    [block] = [
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    seen = {
        (alias.name, alias.asname, str(node.module))
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }

    assert seen == {
        *((name, name, f"camunda_ext.{module}") for name, module in camunda_ext._HOMES.items()),
        *((name, name, "camunda_ext") for name in camunda_ext._MODULES),
    }


def test_exported_classes_are_of_the_package() -> None:
    """
    In a repr, a traceback or a pickle they are named as users import them.
    """
    exported = {name: getattr(camunda_ext, name) for name in camunda_ext.__all__}
    classes = {name: value for name, value in exported.items() if isinstance(value, type)}

    assert len(classes) > 50
    assert {value.__module__ for value in classes.values()} == {"camunda_ext"}


def test_each_exported_name_is_there() -> None:
    """
    Loaded when it is asked for, and offered for completion before.
    """
    assert camunda_ext.__all__ == sorted({*camunda_ext._HOMES, "__version__"})
    assert dir(camunda_ext) == sorted({*camunda_ext.__all__, "dto", "errors", "hooks", "worker"})
    assert all(getattr(camunda_ext, name) is not None for name in camunda_ext.__all__)
    with pytest.raises(AttributeError, match="module 'camunda_ext' has no attribute 'Clinet'"):
        getattr(camunda_ext, "Clinet")  # noqa: B009  # a type checker refuses to read it


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


def test_a_client_is_made_without_what_few_programs_use() -> None:
    """
    Queries, selections, batches, hooks and the like are loaded when they are used.
    """
    code = (
        "import sys\n"
        "from camunda_ext import ExternalTaskClient\n"
        "ExternalTaskClient('http://engine.invalid')\n"
        "names = [name.split('.') for name in sys.modules if name.startswith('camunda_ext.')]\n"
        "print(sorted({name[1] for name in names}), 'cattrs' in sys.modules)"
    )
    rooms = ["_call", "_http", "_many", "_secrets", "_version", "_wire", "client", "errors"]

    assert in_a_fresh_process(code) == f"{rooms} False\n"


def test_the_modules_for_users_are_there_without_an_import() -> None:
    """
    As the names of the package are.
    """
    code = (
        "import camunda_ext\n"
        "print(camunda_ext.dto.Priority(priority=1), camunda_ext.hooks.Hook.__name__,\n"
        "      camunda_ext.errors.NotFound is camunda_ext.NotFound)"
    )

    assert in_a_fresh_process(code) == "Priority(priority=1) Hook True\n"


def test_threads_can_use_a_client_at_once() -> None:
    """
    Each of them finds whole modules, though all of them load the same ones.
    """
    code = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from threading import Barrier\n"
        "from camunda_ext import ExternalTaskClient\n"
        "client, barrier = ExternalTaskClient('http://engine.invalid'), Barrier(16)\n"
        "def use(number):\n"
        "    barrier.wait()\n"
        "    query = client.select().query\n"
        "    return query.topic('a').body()['topicName'], client.follow('b').id\n"
        "with ThreadPoolExecutor(16) as pool:\n"
        "    print(set(pool.map(use, range(16))))"
    )

    assert in_a_fresh_process(code) == "{('a', 'b')}\n"


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


#: Functions are made of the names of our own fields, as attrs makes ``__init__``.
EVALUATED = {"_wire.objects": {"compile", "exec"}}


def test_nothing_is_ever_unpickled_or_evaluated() -> None:
    """
    What comes from the wire is data: no pickle, no eval, no XML parser anywhere in the package.
    """
    dangerous = {"pickle", "marshal", "shelve", "yaml", "xml", "subprocess", "ctypes"}
    for name in MODULES.keys() - {one for one in MODULES if room(one) in ("testing", "cli")}:
        path = MODULES[name]
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
        assert called & {"eval", "exec", "compile", "__import__"} <= EVALUATED.get(name, set())
