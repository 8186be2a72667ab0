"""
The engines that the tests run on, and what switches them.

The embedded engine runs always; :mod:`tests.engines.wanted` says which real ones do.

The monotonic clock begins at 1 second with the tests, as on a machine that has just booted: it
counts from the start of the machine. ``CAMUNDA_EXT_UPTIME`` is for other seconds.
"""

from __future__ import annotations

import gc
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any, Final

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


#: The engine in the name of a test that runs on one; the longest name that fits.
_NAMES: Final = "|".join(map(re.escape, sorted({*EMBEDDED, *CATALOG}, key=len, reverse=True)))
_ENGINE: Final = re.compile(rf"[\[-]({_NAMES})(?=[]-])")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """
    What keeps all tests of one engine in the same worker of pytest-xdist, which alone starts it.

    And all cases of one test: with groups of one, the scheduler itself would take much time. Its
    own ``--dist loadgroup`` finds no group under pytest 9.2.
    """
    from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # it has no types

    class ByEngine(LoadScopeScheduling):  # type: ignore[misc]  # nor has this
        def _split_scope(self, nodeid: str) -> str:
            found = _ENGINE.search(nodeid)
            return nodeid.partition("[")[0] if found is None else found[1]

    return ByEngine(config, log)


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
