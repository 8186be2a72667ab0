"""
What stands before the nodes of an engine.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tests.engines.databases import free_port, takes_connections
from tests.engines.packages import Package, found

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


class BalancerDidNotStart(RuntimeError):
    """
    Says why, with what it has printed.
    """


@contextmanager
def balance(urls: Sequence[str]) -> Iterator[str]:
    """
    Give each request to the next of the *urls* in turn, and another one's URL to whoever asks.
    """
    port = free_port()
    lines = [f"    server node{n} {urlsplit(url).netloc}\n" for n, url in enumerate(urls)]
    with tempfile.TemporaryDirectory(prefix="balancer-") as folder:
        configuration, log = Path(folder) / "haproxy.cfg", Path(folder) / "log"
        configuration.write_text(_CONFIGURATION.format(port=port) + "".join(lines))
        command = ("setpriv", "--pdeathsig=TERM", str(found("haproxy")), "-db", "-f", configuration)
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            deadline = time.monotonic() + 30.0
            while not takes_connections(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise BalancerDidNotStart(log.read_text("utf-8", errors="replace"))
                time.sleep(0.05)
            yield urlsplit(urls[0])._replace(netloc=f"127.0.0.1:{port}").geturl()
        finally:
            process.kill()
            process.wait()
