"""
Which real engines the tests run on: ``CAMUNDA_EXT_ENGINES`` says it.

Not set, it is Camunda 7.24 on H2 and on PostgreSQL, and Operaton, each if this machine has what it
takes. ``required`` is the same, and a failure where that is missing; ``all`` is every engine of the
catalog, required; ``none`` is none. Names of engines, with commas between them, are these engines,
required; ``NAME=URL`` is one that runs already, which is used as it is and left running.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Final

import attrs
import pytest

from tests.engines import launch
from tests.engines.catalog import CATALOG, JUDGES

_VARIABLE: Final = "CAMUNDA_EXT_ENGINES"
_SETS: Final[Mapping[str, Iterable[str]]] = {"required": JUDGES, "all": CATALOG, "none": ()}


@attrs.frozen
class Wanted:
    """
    The engines by their names, each with its URL if it runs already.
    """

    engines: Mapping[str, str | None]

    #: Whether a test fails where its engine cannot be had, instead of being skipped.
    required: bool

    @classmethod
    def of(cls, choice: str) -> Wanted:
        """
        Read the variable's value.
        """
        engines: dict[str, str | None] = {}
        for word in filter(None, map(str.strip, choice.split(","))):
            name, _, url = word.partition("=")
            if name in _SETS and not url:
                engines = {**dict.fromkeys(_SETS[name]), **engines}
            elif name in CATALOG:
                engines[name] = url.rstrip("/") or None
            else:
                raise pytest.UsageError(
                    f"{_VARIABLE}={choice}: {word!r} is none of {', '.join(_SETS)}, no engine "
                    f"({', '.join(CATALOG)}) and no NAME=URL of one"
                )
        return cls(engines if choice else dict.fromkeys(JUDGES), required=bool(choice))


WANTED: Final = Wanted.of(os.environ.get(_VARIABLE, ""))


def available(name: str) -> str:
    """
    Give *name* if that engine is wanted, and can be started; skip the test, or fail it, otherwise.
    """
    if WANTED.engines.get(name, "left out") is not None:
        pytest.skip(f"{_VARIABLE} has no {name} started")
    if WANTED.required:
        launch.provide(CATALOG[name])
    missing = launch.missing(CATALOG[name])
    if missing and WANTED.required:
        pytest.fail(f"{name} is required ({_VARIABLE}): {missing}")
    if missing:
        pytest.skip(f"{name} cannot be had: {missing}")
    return name
