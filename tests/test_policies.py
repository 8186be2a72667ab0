"""
That the documentation promises what the package's metadata asks for, and what the tests can start.
"""

from __future__ import annotations

import re
from importlib.metadata import metadata, requires
from pathlib import Path
from typing import Final

import pytest

from tests.engines.catalog import CATALOG

_POLICIES: Final = (Path(__file__).parent.parent / "docs" / "policies.rst").read_text("utf-8")
_TABLE: Final = dict(re.findall(r"^   \* - (.+)\n     - (.+)\n", _POLICIES, re.MULTILINE))


def _required() -> list[tuple[str, str]]:
    """
    The dependencies without an extra, with their lower bounds.
    """
    return [
        (name, bound)
        for line in requires("camunda_ext") or ()
        if "extra ==" not in line
        for name, bound in [line.split(">=")]
    ]


def test_each_dependency_is_in_the_table() -> None:
    """
    With the lower bound that an installation holds to.
    """
    promised = {name.strip("`"): words for name, words in _TABLE.items() if name[0] == "`"}

    assert promised == {name: f"{bound} or later" for name, bound in _required()}


def test_each_python_is_in_the_table() -> None:
    """
    None is promised in one place alone.
    """
    named = "Programming Language :: Python :: 3."
    minors = sorted(
        int(classifier.removeprefix(named))
        for classifier in metadata("camunda_ext").get_all("Classifier") or ()
        if classifier.startswith(named)
    )

    assert minors == list(range(minors[0], minors[-1] + 1))
    assert _TABLE["CPython"] == f"3.{minors[0]} to 3.{minors[-1]}"
    assert metadata("camunda_ext")["Requires-Python"] == f">=3.{minors[0]}"


@pytest.mark.parametrize("name", CATALOG)
def test_each_engine_is_in_the_table(name: str) -> None:
    """
    With the release that the tests start.
    """
    distribution = CATALOG[name]

    assert any(
        distribution.vendor in engine and distribution.version in versions
        for engine, versions in _TABLE.items()
    )
