"""
What stands before the nodes of an engine.
"""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tests.engines.packages import Package, found
from tests.engines.processes import end, free_port, start_server

HAPROXY: Final = Package("haproxy", ("haproxy", "setpriv"))
_CONFIGURATION: Final = """
defaults
    mode http
    timeout connect 2s
    timeout client 180s
    timeout server 180s
    option redispatch
listen engine
    bind 127.0.0.1:{port}
    balance roundrobin
"""


@contextmanager
def balance(urls: Sequence[str]) -> Iterator[str]:
    """
    Give each request to the next of the *urls* in turn, and another one's URL to whoever asks.
    """
    port = free_port()
    lines = [f"    server node{n} {urlsplit(url).netloc}\n" for n, url in enumerate(urls)]
    with tempfile.TemporaryDirectory(prefix="balancer-") as folder:
        configuration = Path(folder) / "haproxy.cfg"
        configuration.write_text(_CONFIGURATION.format(port=port) + "".join(lines))
        command = (str(found("haproxy")), "-db", "-f", str(configuration))
        process = start_server(command, port=port, folder=Path(folder), how=signal.SIGTERM)
        try:
            yield urlsplit(urls[0])._replace(netloc=f"127.0.0.1:{port}").geturl()
        finally:
            end(process, signal.SIGKILL)
