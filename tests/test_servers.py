"""
Servers as users run them, in processes of their own: how many connections a client opens there.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
import requests

from tests.stub import Connection, Stub, json_answer

ROOT: Final = Path(__file__).parents[1]
_REQUESTS: Final = 50
_AT_A_TIME: Final = 10
#: How long the engine takes to answer, in seconds: so that calls overlap.
_LATENCY: Final = 0.02

#: The command of each server; it listens on a socket that it is given.
_SERVERS: Final = {
    "uvicorn, Django": (
        *("uvicorn", "--fd", "{socket}", "--log-level", "warning"),
        "tests.servers.django_asgi:application",
    ),
    "gunicorn, gevent": (
        *("gunicorn", "--worker-class", "gevent", "--bind", "fd://{socket}"),
        *("--log-level", "warning", "tests.servers.wsgi:application"),
    ),
    "gunicorn, threads": (
        *("gunicorn", "--threads", "10", "--bind", "fd://{socket}"),
        *("--log-level", "warning", "tests.servers.wsgi:application"),
    ),
}

pytestmark = pytest.mark.skipif(os.name == "nt", reason="gunicorn is not for Windows")


@contextmanager
def _serving(command: tuple[str, ...], engine_url: str) -> Iterator[str]:
    """
    The URL of an application that asks an engine, until the end of the with block.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        listener.set_inheritable(True)
        given = [part.format(socket=listener.fileno()) for part in command]
        with subprocess.Popen(
            [sys.executable, "-m", *given],
            cwd=ROOT,
            env={**os.environ, "ENGINE_URL": engine_url},
            pass_fds=[listener.fileno()],
        ) as process:
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
            finally:
                process.terminate()
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    process.kill()


@pytest.mark.parametrize("server", _SERVERS)
def test_a_server_opens_as_many_connections_as_it_makes_calls_at_a_time(server: str) -> None:
    """
    Though each of its requests has a thread, or a greenlet, of its own.
    """

    def slowly(connection: Connection) -> None:
        time.sleep(_LATENCY)
        connection.send(json_answer(200, {"count": 1}))

    def ask(_: int) -> str:
        return requests.get(url, timeout=60).text

    with (
        Stub(slowly) as stub,
        _serving(_SERVERS[server], stub.url) as url,
        ThreadPoolExecutor(_AT_A_TIME) as pool,
    ):
        answers = list(pool.map(ask, range(_REQUESTS)))
        connections = stub.connections

    assert answers == ["1"] * _REQUESTS
    assert 0 < connections <= _AT_A_TIME
