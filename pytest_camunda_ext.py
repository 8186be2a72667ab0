"""
Fixtures for pytest: an embedded engine for each test, and a client for it.

pytest loads this plugin in every run wherever the package is installed. So nothing of the package
is imported until a test uses a fixture. The engine needs the extra ``testing``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from camunda_ext import ExternalTaskClient
    from camunda_ext.testing import Engine

_MARKER = (
    "camunda_engine(db, version, auth, history_time_to_live, seed, clock): "
    "how the fixture's engine is made"
)


def pytest_configure(config: pytest.Config) -> None:
    """
    Register the marker ``camunda_engine``.
    """
    config.addinivalue_line("markers", _MARKER)


def _options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """
    The arguments of a test's markers; those of the nearest marker take precedence.
    """
    options: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers("camunda_engine"))):
        if marker.args:
            pytest.fail(f"name the arguments: {_MARKER}", pytrace=False)
        options.update(marker.kwargs)
    return options


@pytest.fixture
def camunda_engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """
    An empty engine, served over HTTP at its ``url`` until the test ends.

    The marker ``camunda_engine`` sets the arguments of `camunda_ext.testing.Engine`:
    ``@pytest.mark.camunda_engine(version="7.18")``.
    """
    try:
        from camunda_ext.testing import Engine
    except ImportError as missing:
        raise pytest.fail.Exception(
            f"the fixture needs an extra: pip install 'camunda_ext[testing]' ({missing})",
            pytrace=False,
        ) from None
    with Engine(**_options(request)) as engine:
        engine.serve()
        yield engine


@pytest.fixture
def camunda_client(
    request: pytest.FixtureRequest, camunda_engine: Engine
) -> Iterator[ExternalTaskClient]:
    """
    A client for the engine of the same test.
    """
    # Imported only here: pytest loads this file wherever the package is installed.
    from camunda_ext import ExternalTaskClient

    auth = _options(request).get("auth")
    with ExternalTaskClient(camunda_engine.url, auth=auth) as client:
        yield client
