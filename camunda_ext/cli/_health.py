"""
The health of a worker for those who ask by HTTP, such as Kubernetes.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Final

import click

from camunda_ext.cli._errors import cannot_listen
from camunda_ext.worker import Health

_log: Final = logging.getLogger("camunda_ext.cli")

#: How often the server looks whether it has to end, in seconds.
_TICK: Final = 0.1


class _Server(ThreadingTCPServer):
    """
    Answers each client in a thread of its own, so that a slow one keeps no other waiting.
    """

    allow_reuse_address = os.name == "posix"  # elsewhere, it would take another server's port
    daemon_threads = True

    def __init__(self, host: str, port: int, health: Callable[[], Health]) -> None:
        self.health = health
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Request)

    def handle_error(self, request: object, client_address: object) -> None:
        _log.debug("%s has asked for the health, and gone", client_address, exc_info=True)


class _Request(BaseHTTPRequestHandler):
    server: _Server
    #: How long to wait for each piece of a request, in seconds.
    timeout = 5.0
    server_version, sys_version = "camunda-ext", ""
    error_content_type, error_message_format = "text/plain", "%(code)d %(message)s\n"

    def do_GET(self) -> None:
        health = self.server.health()
        good = {"/live": health.live, "/ready": health.ready}
        path = self.path.partition("?")[0]
        if path not in good:
            self.send_error(404)
            return
        content = json.dumps(
            {"live": health.live, "ready": health.ready, "reasons": health.reasons}
        ).encode()
        self.send_response(200 if good[path] else 503)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    do_HEAD = do_GET  # noqa: N815  # the name that the base class looks for

    def log_message(self, text: str, *values: object) -> None:
        _log.debug(text, *values)


@contextmanager
def health_served(health: Callable[[], Health], host: str, port: int) -> Iterator[None]:
    """
    Serve the health of a worker in a thread.

    Raises:
        ClickException: The port cannot be listened on.
    """
    try:
        server = _Server(host, port, health)
    except OSError as error:
        raise click.ClickException(cannot_listen("--health-port", port, error)) from None
    with server:
        threading.Thread(
            target=server.serve_forever, args=(_TICK,), name="camunda-ext health", daemon=True
        ).start()
        _log.info("health: /live and /ready on %s, port %d", *server.server_address[:2])
        try:
            yield
        finally:
            server.shutdown()
