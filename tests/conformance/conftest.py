"""
The engine as the cases have it.
"""

from collections.abc import Iterator

import pytest

from tests.conformance.live import AnyEngine, Live, live_on
from tests.engines.embedded import with_own_time


@pytest.fixture
def timed(engine: AnyEngine) -> Iterator[Live]:
    """
    The same, for tests that let time pass.
    """
    with with_own_time(engine) as own, live_on(own) as live:
        yield live


@pytest.fixture
def guarded(guarded_engine: AnyEngine) -> Iterator[Live]:
    """
    An engine with Basic auth and authorizations, as its administrator sees it.
    """
    with live_on(guarded_engine, auth=guarded_engine.admin) as live:
        yield live
