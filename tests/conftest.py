"""
The engines that the tests run on, and what switches them.

The embedded engine runs always. ``CAMUNDA_EXT_ENGINES`` says which real ones do: not set, Camunda
7.24 and Operaton if Java and Maven are there; ``required``, the same, and a failure where they are
not; ``all``, all six, required; ``none``, no other.

The monotonic clock begins at 1 second with the tests, as on a machine that has just booted: it
counts from the start of the machine. ``CAMUNDA_EXT_UPTIME`` is for other seconds.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.conformance.live import AnyEngine
from tests.engines import embedded, launch
from tests.engines.catalog import CATALOG, JUDGES
from tests.engines.embedded import EMBEDDED

_monotonic = time.monotonic
_ahead = float(os.environ.get("CAMUNDA_EXT_UPTIME", "1")) - _monotonic()


def _since_boot() -> float:
    return _monotonic() + _ahead


time.monotonic = _since_boot
# pytest has loaded the package's plugin, and with it the package, before this file.
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

_CHOICES = ("", "required", "all", "none")
_CHOICE = os.environ.get("CAMUNDA_EXT_ENGINES", "")
if _CHOICE not in _CHOICES:
    raise pytest.UsageError(f"CAMUNDA_EXT_ENGINES must be one of {_CHOICES[1:]}, not {_CHOICE!r}")


@pytest.fixture(scope="session", params=(*EMBEDDED, *(CATALOG if _CHOICE == "all" else JUDGES)))
def engine(request: pytest.FixtureRequest) -> Iterator[AnyEngine]:
    """
    Run the tests on each engine in turn, with neither authentication nor authorization.
    """
    if request.param in EMBEDDED:
        with embedded.serve(request.param) as served:
            yield served
        return
    with launch.start(CATALOG[_available(request.param)]) as running:
        yield running


@pytest.fixture(scope="session", params=("embedded", *JUDGES))
def guarded_engine(request: pytest.FixtureRequest) -> Iterator[AnyEngine]:
    """
    Run the tests on an engine with Basic auth and authorizations.
    """
    if request.param in EMBEDDED:
        with embedded.serve(request.param, basic_auth=True) as served:
            yield served
        return
    distribution = CATALOG[_available(request.param)]
    with launch.start(distribution, basic_auth=True, authorization=True) as running:
        yield running


def _available(name: str) -> str:
    """
    Give *name* if engines are wanted here and can be had; skip the test, or fail it, otherwise.
    """
    if _CHOICE == "none":
        pytest.skip("CAMUNDA_EXT_ENGINES=none leaves real engines out")
    missing = launch.missing_tools()
    if missing and _CHOICE:
        pytest.fail(f"real engines are required (CAMUNDA_EXT_ENGINES={_CHOICE}): {missing}")
    if missing:
        pytest.skip(f"no real engine can be had: {missing}")
    return name
