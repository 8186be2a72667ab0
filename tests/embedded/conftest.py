"""
The real engine that the embedded one is compared with.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engines import launch
from tests.engines.catalog import CATALOG
from tests.engines.wanted import available


@pytest.fixture(scope="session")
def model_engine() -> Iterator[str]:
    """
    The URL of a Camunda 7.24 that nobody else uses, with neither processes nor history.
    """
    with launch.start(CATALOG[available("camunda-7.24")]) as running:
        yield running.url
