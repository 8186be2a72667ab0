"""
How the documentation is built: ``sphinx-build -n -W -b html docs docs/_build/html``.
"""

import doctest
import sys
from pathlib import Path
from typing import Final

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

HERE: Final = Path(__file__).parent
# The checkout goes before an installed package, and what only these pages need is beside this file.
sys.path[:0] = [str(HERE.parent), str(HERE)]

import camunda_ext  # noqa: E402  # it needs the path above

project = "camunda_ext"
author = "The camunda_ext authors"
project_copyright = author
version = release = camunda_ext.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx.ext.napoleon",
    "_filters",
    "_rules",
    "_worker_rules",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"{project} {version}"

# A name in single backticks is one of Python, here and in the docstrings.
default_role = "py:obj"
primary_domain = "py"
add_module_names = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

autodoc_member_order = "bysource"
napoleon_google_docstring = True
napoleon_numpy_docstring = False

# As they are written: `time.time` is no value that Sphinx could show.
autodoc_preserve_defaults = True

nitpicky = True
nitpick_ignore = [
    # Constants, where Sphinx knows the classes alone of what is built in.
    ("py:obj", "True"),
    ("py:obj", "False"),
    # A part of the alias VariablesLike.
    ("py:class", "camunda_ext.variables.AttrsInstance"),
    # The class of the query that a method is called on, and a class that is asked for.
    ("py:class", "builtins.type"),
    ("py:class", "camunda_ext.query.Q"),
    # The class of a selection's results.
    ("py:class", "camunda_ext.selection.R"),
    # The function that a decorator returns as it got it.
    ("py:class", "camunda_ext.worker.handlers.F"),
    ("py:class", "camunda_ext.worker._worker.F"),
    ("py:class", "_queue.SimpleQueue"),
    # How pydantic takes our objects.
    ("py:class", "camunda_ext._wire.value.TakenAsIs"),
    ("py:class", "camunda_ext.variables.T"),
]
nitpick_ignore_regex = [
    # What other projects document: their inventories would have to be fetched for each build.
    ("py:class", r"(attrs|collections\.abc|datetime|pathlib|requests)\..+|timedelta"),
    ("py:obj", r"pathlib\.Path|requests\.Session|datetime|strptime|timedelta|tzinfo"),
]

# No request of the examples leaves this process: it gets a recorded answer, or asks the embedded
# engine.
doctest_global_setup = "import _stub; _stub.install()"
doctest_global_cleanup = "_stub.remove()"
# Expected output may be wrapped to the width of the page, and ids may be left out.
doctest_default_flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
# Only what says so is run: a block of code in another place needs an engine.
doctest_test_doctest_blocks = "default"


_kept: dict[str, list[str]] = {}


def _keep(_: Sphinx, what: str, name: str, __: object, ___: object, lines: list[str]) -> None:
    if what in ("attribute", "data"):
        _kept[name] = lines[:]


def _give_back(_: Sphinx, what: str, name: str, __: object, ___: object, lines: list[str]) -> None:
    if what in ("attribute", "data"):
        lines[:] = _kept.pop(name)


def _name_builtin(_: Sphinx, document: nodes.document) -> None:
    for reference in document.findall(addnodes.pending_xref):
        if reference["reftarget"] == "type" and reference["reftype"] == "class":
            reference["reftarget"] = "builtins.type"


def _send_home(app: Sphinx) -> None:
    # The sentences about fields are found in the source of the module that a class says it is of.
    if app.builder.name != "doctest":
        for name, module in camunda_ext._HOMES.items():
            exported = getattr(camunda_ext, name)
            if isinstance(exported, type):
                exported.__module__ = f"camunda_ext.{module}"


def setup(app: Sphinx) -> None:
    """
    Put right what Sphinx takes for something else.
    """
    app.connect("builder-inited", _send_home)
    # To napoleon, all that stands before a colon in a sentence about an attribute is a type.
    app.connect("autodoc-process-docstring", _keep, priority=400)
    app.connect("autodoc-process-docstring", _give_back, priority=600)
    # The built-in `type` of an annotation would be taken for any attribute of that name.
    app.connect("doctree-read", _name_builtin)
