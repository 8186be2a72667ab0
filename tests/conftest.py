"""
The engines that the tests run on, and what switches them.

The embedded engine runs always; :mod:`tests.engines.wanted` says which real ones do.

The monotonic clock begins at 1 second with the tests, as on a machine that has just booted: it
counts from the start of the machine. ``CAMUNDA_EXT_UPTIME`` is for other seconds.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from collections.abc import Iterator

import attrs
import pytest
from hypothesis import HealthCheck, settings

from tests.conformance.live import AnyEngine, Live, live_on
from tests.engines import embedded, launch
from tests.engines.catalog import CATALOG
from tests.engines.embedded import EMBEDDED
from tests.engines.wanted import WANTED, available

_monotonic = time.monotonic
_ahead = float(os.environ.get("CAMUNDA_EXT_UPTIME", "1")) - _monotonic()


def _since_boot() -> float:
    return _monotonic() + _ahead


time.monotonic = _since_boot
# What is imported above has taken the other one.
for _module in list(sys.modules.values()):
    if getattr(_module, "monotonic", None) is _monotonic:
        setattr(_module, "monotonic", _since_boot)  # noqa: B010  # of any module

# How long an example takes says more about the machine than about the code.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

# Shells have what they run in the background ignore Ctrl-C, and its children after it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _unmeasured_subprocesses() -> None:
    """
    Keep coverage out of what tests start: some look at what such a process imports and prints.

    It is in the processes that run tests by now, the workers of pytest-xdist among them.
    """
    os.environ.pop("COVERAGE_PROCESS_CONFIG", None)


def pytest_collection_finish() -> None:
    """
    Exempt all that has been imported and collected from garbage collection.

    Tests that make many objects would have it gone through again and again.
    """
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """
    Keep all tests of one engine in the same worker of pytest-xdist, which alone starts it.

    And all cases of one test: its scheduler takes the square of the number of groups in time.
    """
    if not config.pluginmanager.hasplugin("xdist"):
        return
    for item in items:
        if (group := _group_of(item)) is not None:
            item.add_marker(pytest.mark.xdist_group(group))


def _group_of(item: pytest.Item) -> str | None:
    """
    Fixture and name of the engine that a test runs on, or else which test it is a case of; ``None``
    if it may run anywhere.
    """
    if not isinstance(item, pytest.Function):
        return None
    if "model_engine" in item.fixturenames:
        return "model_engine"
    if not hasattr(item, "callspec"):
        return None
    for fixture in ("engine", "guarded_engine"):
        if fixture in item.callspec.params:
            return f"{fixture}-{item.callspec.params[fixture]}"
    return item.originalname


@attrs.frozen
class GivenEngine:
    """
    An engine that somebody else has started.
    """

    name: str
    url: str
    admin: tuple[str, str] = (launch.ADMIN, "")


@pytest.fixture(scope="session", params=(*EMBEDDED, *WANTED.engines))
def engine(request: pytest.FixtureRequest) -> Iterator[AnyEngine]:
    """
    Run the tests on each engine in turn, with neither authentication nor authorization.
    """
    if request.param in EMBEDDED:
        with embedded.serve(request.param) as served:
            yield served
        return
    if url := WANTED.engines.get(request.param):
        yield GivenEngine(request.param, url)
        return
    with launch.start(CATALOG[available(request.param)]) as running:
        yield running


@pytest.fixture
def live(engine: AnyEngine) -> Iterator[Live]:
    """
    Give an engine without authentication, and processes of the test's own.
    """
    with live_on(engine) as live:
        yield live


@pytest.fixture(scope="session", params=("embedded", "camunda-7.24", "operaton-1.0"))
def guarded_engine(request: pytest.FixtureRequest) -> Iterator[AnyEngine]:
    """
    Run the tests on an engine with Basic auth and authorizations.
    """
    if request.param in EMBEDDED:
        with embedded.serve(request.param, basic_auth=True) as served:
            yield served
        return
    distribution = CATALOG[available(request.param)]
    with launch.start(distribution, basic_auth=True, authorization=True) as running:
        yield running
