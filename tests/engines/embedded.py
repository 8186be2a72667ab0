"""
The engine in Python, as the tests of an engine have it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, TypeVar

import attrs

from camunda_ext.testing import Engine
from tests.engines.launch import ADMIN

T = TypeVar("T")

#: The versions that it answers as, and the real engine of which each does what that does.
EMBEDDED: Final[Mapping[str, str]] = {
    "embedded": "camunda-7.24",
    "embedded-7.18": "camunda-7.18",
    "embedded-7.14": "camunda-7.14",
    "embedded-7.13": "camunda-7.13",
}


@attrs.frozen
class EmbeddedEngine:
    """
    An engine that is served by this process.
    """

    #: The real engine that it answers as.
    name: str
    url: str
    admin: tuple[str, str]
    #: Itself, which has a clock that can be advanced.
    engine: Engine


@contextmanager
def serve(name: str, *, basic_auth: bool = False) -> Iterator[EmbeddedEngine]:
    """
    An engine with an empty database in memory, until the end of the with block.
    """
    admin = (ADMIN, secrets.token_urlsafe(12))
    model = EMBEDDED[name]
    version = model.removeprefix("camunda-")
    with Engine(version=version, auth=admin if basic_auth else None) as engine:
        yield EmbeddedEngine(model, engine.url, admin, engine)


@contextmanager
def with_own_time(engine: T) -> Iterator[T | EmbeddedEngine]:
    """
    Give another engine like *engine* if it is an embedded one: if its clock is advanced, it shows
    another time than this machine. A real engine is given back.
    """
    if not isinstance(engine, EmbeddedEngine):
        yield engine
        return
    [name] = [name for name, model in EMBEDDED.items() if model == engine.name]
    with serve(name) as own:
        yield own
