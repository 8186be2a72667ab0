"""
The way to the engine over HTTP, on waitress.
"""

from __future__ import annotations

import socket
import threading
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

# Its stubs say other things than its code does.
from waitress.adjustments import Adjustments  # type: ignore[import-untyped]
from waitress.channel import (  # type: ignore[import-untyped]
    ClientDisconnected,
    HTTPChannel,
)
from waitress.parser import HTTPRequestParser, ParsingError  # type: ignore[import-untyped]
from waitress.server import TcpWSGIServer  # type: ignore[import-untyped]
from waitress.wasyncore import close_all, loop  # type: ignore[import-untyped]

from camunda_ext.testing.doors.threads import TaskThreads
from camunda_ext.testing.rest.messages import (
    LONGEST_HEAD,
    Answer,
    HangUp,
    NoConnection,
    ask,
    page,
    to_environ,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_NAME: Final = "camunda_ext engine"
#: The answers that Tomcat gives on one connection.
_MOST_ANSWERS: Final = 100
#: More than any body or answer has: waitress then keeps them in memory, and waits for no reader.
_NEVER: Final = 2**62


class HttpDoor:
    """
    An HTTP server that asks an app, from now on until it is closed.

    Args:
        port: Where to listen; 0 for any free port.

        remote: Whether *host* may be one that other machines reach.

        max_body: How many bytes a request's body may have.

    Raises:
        ValueError: Other machines would reach the host.

        OSError: There is no such host here, or the port is taken.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        remote: bool = False,
        max_body: int = 64 * 1024 * 1024,
    ) -> None:
        if not remote and not _is_loopback(host):
            raise ValueError(
                f"other machines may reach {host!r}, and the engine would do what anybody tells "
                "it: listen on 127.0.0.1, or pass remote=True"
            )
        if not 0 <= port <= 65535:
            raise ValueError(f"port must be between 0 and 65535, not {port}")
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family, backlog=1024)
        self.host = host
        self.port: int = listener.getsockname()[1]
        self._closing = threading.Lock()
        self._closed = False
        self._threads = TaskThreads(f"{_NAME} request")
        # Its own map: what else this process does with asyncore's ways is none of its business.
        self._sockets: dict[int, Any] = {}
        self._server = TcpWSGIServer(
            app,
            map=self._sockets,
            _sock=listener,
            dispatcher=self._threads,
            adj=_adjustments(host, max_body),
            sockinfo=(family, socket.SOCK_STREAM, None, address),
            bind_socket=False,
        )
        self._server.channel_class = _Channel
        self._ended = False
        self._loop = threading.Thread(target=self._run, name=_NAME, daemon=True)
        self._loop.start()

    def close(self) -> None:
        """
        Stop listening, and return when all threads have ended and all connections are closed.

        An app that makes requests wait must have been told to let them go.

        Raises:
            RuntimeError: A request is still running after 30 seconds.
        """
        with self._closing:
            if self._closed:
                return
            self._closed = True
            try:
                # The loop goes on meanwhile, for what the last answers need of it.
                self._threads.stop()
            finally:
                # Closed only when nobody is left to write to what a file descriptor once was.
                self._ended = True
                self._server.pull_trigger()
                self._loop.join()
                close_all(self._sockets)

    def _run(self) -> None:
        while not self._ended:
            # Idle connections are looked for as often as it awakes, in seconds.
            loop(timeout=1, use_poll=True, map=self._sockets, count=1)


class _Parser(HTTPRequestParser):  # type: ignore[misc]  # waitress has no types
    """
    Waitress's parser, where it is better not taken at its word.
    """

    def received(self, data: bytes) -> int:
        """
        Wait for no body that is not to come: waitress would after each 100 (Continue).
        """
        consumed: int = super().received(data)
        if self.completed:
            self.expect_continue = False
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """
        Take a target that urllib cannot split for a bad request, and not for a bug.
        """
        try:
            super().parse_header(header_plus)
        except ValueError:
            raise ParsingError("Bad URI") from None


#: Somebody has accepted the connection: what is not done is not pretended.
_NOT_REFUSED: Final = (
    "The fault 'refused' is for clients in process, of Engine.client(): over HTTP use 'closed'"
)


class _Exchange:
    """
    One request and its answer: what waitress calls a task.
    """

    def __init__(self, channel: _Channel, request: Any) -> None:
        self._channel = channel
        self.request = request
        self.close_on_finish = False
        self.wrote_header = False

    def service(self) -> None:
        """
        Answer, or leave the connection to be closed without an answer.
        """
        self._channel.exchanges += 1
        try:
            try:
                answer = self._answer()
            except NoConnection:
                answer = page(501, _NOT_REFUSED)
            self.close_on_finish = answer.closes
            self.wrote_header = True
            self._channel.write_soon(_to_bytes(answer))
        except (HangUp, ClientDisconnected):
            self.close_on_finish = True

    def _answer(self) -> Answer:
        request = self.request
        if request.error is not None:
            # Tomcat has no status of its own for a head that is too long.
            return page(400 if request.error.code == 431 else request.error.code)
        if request.version == "1.1" and "HOST" not in request.headers:
            return page(400)
        server = self._channel.server
        environ = to_environ(
            request.command,
            request.request_uri,
            request.headers.items(),
            request.get_body_stream(),
            scheme="http",
            host=server.server_name,
            port=server.effective_port,
        )
        last = request.connection_close or self._channel.exchanges >= _MOST_ANSWERS
        return ask(server.application, environ, last=last)


class _Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    """
    A connection.
    """

    parser_class = _Parser
    task_class = _Exchange
    error_task_class = _Exchange
    #: How many requests it has brought.
    exchanges = 0

    def cancel(self) -> None:
        """
        Have the connection closed, and at once.
        """
        super().cancel()
        self.server.pull_trigger()


def _adjustments(host: str, max_body: int) -> Any:
    return Adjustments(
        server_name=host,
        max_request_body_size=max_body + 1,  # the first size that waitress refuses
        max_request_header_size=LONGEST_HEAD + 1,
        # As Tomcat has them. Waitress warns when there are no more connections to be had.
        connection_limit=8192,
        channel_timeout=60,
        cleanup_interval=1,
        log_socket_errors=False,
        clear_untrusted_proxy_headers=False,
        inbuf_overflow=_NEVER,
        outbuf_overflow=_NEVER,
        outbuf_high_watermark=_NEVER,
    )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _to_bytes(answer: Answer) -> bytes:
    # In one piece, for each would be a packet of its own.
    lines = [f"HTTP/1.1 {answer.status} {answer.reason}"]
    lines += (f"{name}: {value}" for name, value in answer.headers)
    return "\r\n".join((*lines, "", "")).encode("latin-1") + answer.content
