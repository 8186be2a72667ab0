"""
What the tests of a worker in threads run on.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from camunda_ext.testing import Engine
from tests.faults import FaultProxy
from tests.worker.scene import Scene, standing_still


@pytest.fixture
def scene() -> Iterator[Scene]:
    """
    An engine whose time stands still.
    """
    with Engine(clock=standing_still) as engine:
        yield Scene(engine)


@pytest.fixture
def proxied() -> Iterator[tuple[Scene, FaultProxy]]:
    """
    An engine whose time stands still, behind a proxy that only the worker goes through.
    """
    with Engine(clock=standing_still) as engine, FaultProxy(engine.url) as proxy:
        yield Scene(engine, proxy.url), proxy
