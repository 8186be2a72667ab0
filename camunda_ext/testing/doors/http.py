"""
A server that answers over HTTP, made of the threaded server of the standard library.
"""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Container, Iterable, Mapping
from contextlib import suppress
from email.errors import (
    FirstHeaderLineIsContinuationDefect,
    MisplacedEnvelopeHeaderDefect,
    MissingHeaderBodySeparatorDefect,
)
from http.client import HTTPException, parse_headers
from http.server import BaseHTTPRequestHandler
from io import BufferedReader, BytesIO
from socketserver import ThreadingTCPServer
from time import monotonic
from typing import Any, Final
from urllib.parse import urlsplit

from werkzeug.http import parse_set_header
from werkzeug.serving import DechunkedInput

from camunda_ext.testing.rest.messages import (
    LONGEST_HEAD,
    Answer,
    Application,
    ConnectionClosed,
    ConnectionRefused,
    Request,
    complete,
    page,
    respond,
)
from camunda_ext.testing.rest.urls import is_loopback

_NAME: Final = "camunda_ext engine"
#: How many answers Tomcat gives on one connection.
_MOST_ANSWERS: Final = 100
#: How long `HttpServer.close()` waits for requests to end, in seconds.
_PATIENCE: Final = 30.0
#: How long a client may take to receive an answer when the server is closed, in seconds.
_LAST_SENDING: Final = 1.0


#: What says of headers that a line of them was dropped, or was no header.
_BROKEN_HEADERS: Final = (
    FirstHeaderLineIsContinuationDefect,
    MisplacedEnvelopeHeaderDefect,
    MissingHeaderBodySeparatorDefect,
)
#: How many bytes of a request line are read at most, as by the base class.
_LONGEST_LINE: Final = 65537
#: The line before a chunk, with extensions.
_SIZE_OF_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;.*)?\r?\n")


class HttpServer(ThreadingTCPServer):
    """
    A server that passes requests to an application, from its creation until it is closed.

    Each connection has a thread, so that long polls, which wait until there are tasks, do not delay
    other requests.

    Args:
        application: Answers the requests.

        host: The address to listen on.

        port: The port to listen on; 0 for any free port.

        remote: Whether *host* may be an address that other machines can reach.

        max_body: How many bytes the body of a request may have.

    Raises:
        ValueError: Other machines could reach *host*, and *remote* is `False`.

        OSError: There is no such host on this machine, or the port is taken.
    """

    allow_reuse_address = os.name != "nt"  # Windows would let another program take the port.
    request_queue_size = 1024
    #: After how many seconds without a connection `handle_request` returns.
    timeout = 1.0

    def __init__(
        self,
        application: Application,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        remote: bool = False,
        max_body: int = 64 * 1024 * 1024,
    ) -> None:
        if not remote and not is_loopback(host):
            raise ValueError(
                f"other machines may reach {host!r}, and the engine would do what anybody tells "
                "it: listen on 127.0.0.1, or pass remote=True"
            )
        if not 0 <= port <= 65535:
            raise ValueError(f"port must be between 0 and 65535, not {port}")
        self.application = application
        self.max_body = max_body
        self.is_closing = False
        self._closing = threading.Lock()
        self._connections: dict[threading.Thread, socket.socket] = {}
        #: The threads that `close` waits for: no client keeps them.
        self._in_application: set[threading.Thread] = set()
        self.address_family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[
            0
        ]
        where: Any = address[:2]
        super().__init__(where, _Connection)
        self.host = host
        self.port: int = self.server_address[1]
        #: What clients without a ``Host`` must have meant.
        self.authority = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        self._accepting = threading.Thread(target=self._accept, name=_NAME, daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        while not self.is_closing:
            self.handle_request()

    def close(self) -> None:
        """
        Stop listening, close all connections, and wait until their threads have ended.

        An application that makes requests wait must have been told to let them go. A client that
        does not receive its answers within a second loses them.

        Raises:
            RuntimeError: A request is still running after 30 seconds.
        """
        where: Any = self.server_address[:2]
        with self._closing:
            if self.is_closing:
                return
            self.is_closing = True
            try:
                if self._accepting.is_alive():  # It is not in a forked process.
                    with suppress(OSError):  # A connection wakes the thread that accepts them.
                        socket.create_connection(where, 1.0).close()
                    self._accepting.join()
                    self._end_connections()
            finally:
                self.server_close()

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """
        Whether to answer a new connection.
        """
        return not self.is_closing

    def process_request(self, request: Any, client_address: Any) -> None:
        """
        Answer a connection in a thread that is remembered until it ends.
        """
        for ended in [thread for thread in self._connections if not thread.is_alive()]:
            del self._connections[ended]
        thread = threading.Thread(
            target=self.process_request_thread,
            args=(request, client_address),
            name=f"{_NAME} request",
            daemon=True,
        )
        thread.start()
        self._connections[thread] = request

    def _end_connections(self) -> None:
        # Requests in progress are still answered, and no further ones.
        own = threading.current_thread()
        others = {thread: each for thread, each in self._connections.items() if thread is not own}
        for connection in others.values():
            with suppress(OSError):  # It may be closed already.
                connection.shutdown(socket.SHUT_RD)
        now = monotonic()
        _join(others, now + _LAST_SENDING)
        _break_off(others, but=self._in_application)
        _join(others, now + _PATIENCE)
        running = _break_off(others)
        if running:
            raise RuntimeError(f"{running} requests are still running")

    def respond(self, request: Request, *, is_last: bool) -> Answer:
        """
        The answer of the application, which closing the server waits for.
        """
        thread = threading.current_thread()
        self._in_application.add(thread)
        try:
            return respond(self.application, request, is_last=is_last)
        finally:
            if not self.is_closing:  # From then on, sending has a limit of its own.
                self._in_application.discard(thread)


def _join(threads: Iterable[threading.Thread], deadline: float) -> None:
    for thread in threads:
        thread.join(max(0.0, deadline - monotonic()))


def _break_off(
    connections: Mapping[threading.Thread, socket.socket], *, but: Container[threading.Thread] = ()
) -> int:
    """
    How many connections had threads that were alive, and have been shut down in both directions.
    """
    alive = [
        each for thread, each in connections.items() if thread.is_alive() and thread not in but
    ]
    for connection in alive:
        with suppress(OSError):  # It may be closed meanwhile.
            connection.shutdown(socket.SHUT_RDWR)
    return len(alive)


class _Stream(BufferedReader):
    """
    What a client sends, where less than was asked for is an error.

    The base class of the connection would take the end of the stream for that of the headers.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        """
        As many bytes as asked for.

        Raises:
            ConnectionResetError: There are not so many.
        """
        content = super().read(size)
        if size is not None and len(content) < size:
            raise ConnectionResetError
        return content

    def readline(self, size: int | None = -1, /) -> bytes:
        """
        A line with its end, or as much of it as asked for.

        Raises:
            ConnectionResetError: The stream ends before the line does.
        """
        line = super().readline(size)
        if not line.endswith(b"\n") and len(line) != size:
            raise ConnectionResetError
        return line


class _Chunks(DechunkedInput):
    """
    The body in chunks, which may have extensions and trailers: nobody here asks for them.
    """

    def read_chunk_len(self) -> int:
        """
        How many bytes the next chunk has.

        Raises:
            OSError: There is no such chunk.

            HTTPException: There are too many trailers.
        """
        # The base class knows no extensions, and takes "-0", "0x2" and "1_0" as well.
        match = _SIZE_OF_CHUNK.fullmatch(self._rfile.readline(LONGEST_HEAD))
        if match is None:
            raise OSError("no size of a chunk")
        size = int(match[1], 16)
        if size == 0:
            parse_headers(self._rfile)
            self._rfile = BytesIO(b"\r\n")  # The base class reads the end of the trailers itself.
        return size


class _Connection(BaseHTTPRequestHandler):
    """
    A connection to a client, with one request after the other.
    """

    server: HttpServer
    protocol_version = "HTTP/1.1"
    #: After how many seconds without a request a connection is closed, as in Tomcat.
    timeout = 60
    disable_nagle_algorithm = True
    raw_requestline: bytes
    _answers = 0

    def __getattr__(self, name: str) -> Any:
        # The base class calls a method `do_...` for each HTTP method.
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def setup(self) -> None:
        """
        Have reading fail where the client ends the connection too early.
        """
        super().setup()
        self.rfile = _Stream(self.rfile.detach())

    def handle(self) -> None:
        """
        Answer requests until the connection ends. It is no error if the client closes it.
        """
        with suppress(ConnectionError):
            super().handle()

    def parse_request(self) -> bool:
        """
        Whether there is a request to answer: an empty line before it is none (RFC 9112, 2.2).
        """
        while self.raw_requestline in (b"\r\n", b"\n"):
            self.raw_requestline = self.rfile.readline(_LONGEST_LINE)
        if not super().parse_request():
            return False
        # The base class hears of one word only.
        connection = parse_set_header(", ".join(self.headers.get_all("Connection", [])))
        if "close" in connection:
            self.close_connection = True
        elif "keep-alive" in connection:
            self.close_connection = False
        return True

    def _answer(self) -> None:
        # In `self.path`, several slashes at the start are one.
        target = self.requestline.split()[1]
        host = self._host(target)
        # The base class parses the headers as those of a mail, and finds this and that missing. For
        # a mail, a line that is no header may be the text.
        text = self.headers.get_payload()
        is_broken = any(isinstance(defect, _BROKEN_HEADERS) for defect in self.headers.defects)
        is_broken |= isinstance(text, str) and text != ""
        if is_broken or host is None or len(self.headers.get_all("Content-Length", [])) > 1:
            self.send_error(400)
            return
        content = self._body()
        if content is None:
            return
        headers = {name.lower(): value.strip() for name, value in self.headers.items()}
        request = Request(self.command, target, {**headers, "host": host}, content)
        self._answers += 1
        is_last = self.close_connection or self._answers >= _MOST_ANSWERS
        try:
            answer = self.server.respond(request, is_last=is_last)
        except ConnectionRefused:
            answer = complete(page(501, _NOT_REFUSED), is_head=self.command == "HEAD")
        except ConnectionClosed:
            self.close_connection = True
            return
        except Exception:
            self.send_error(500)
            raise
        self._send(answer)

    def _host(self, target: str) -> str | None:
        """
        The host that the request is for; ``None`` if that cannot be told.
        """
        hosts = self.headers.get_all("Host", [])
        if len(hosts) > 1 or (not hosts and self.request_version >= "HTTP/1.1"):
            return None
        if "://" in target and not target.startswith("/"):
            with suppress(ValueError):
                return urlsplit(target).netloc  # It counts, and no header (RFC 9112, 3.2.2).
            return None
        return hosts[0].strip() if hosts else self.server.authority

    def _body(self) -> bytes | None:
        """
        The body of the request; ``None`` if it has been refused.
        """
        length = self.headers.get("Content-Length", "0")
        limit = self.server.max_body
        stream: Any = self.rfile
        codings = self.headers.get_all("Transfer-Encoding", [])
        if codings and "Content-Length" in self.headers:
            self.send_error(400)  # Another server on the way may have read the other of the two.
            return None
        if codings:
            if [coding.strip().lower() for coding in codings] != ["chunked"]:
                self.send_error(501)
                return None
            chunks: Any = _Chunks(stream)
            try:
                content = BufferedReader(chunks).read(limit + 1)
            except (ConnectionError, TimeoutError):
                raise
            except (OSError, HTTPException):  # It is said so of what is no chunk.
                self.send_error(400)
                return None
            size = len(content)
        elif length.isdecimal() and len(length) < 20:
            size = int(length)
            content = self.rfile.read(size) if size <= limit else b""
        else:
            self.send_error(400)
            return None
        if size > limit:
            self.send_error(413)
            return None
        return content

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """
        Answer with Tomcat's page for an error. Like Tomcat, it answers headers that are too long
        with 400 instead of 431.
        """
        answer = page(400 if code == 431 else code)
        self._send(complete(answer, is_head=self.command == "HEAD", is_last=True))

    def _send(self, answer: Answer) -> None:
        lines = [f"HTTP/1.1 {answer.status} {answer.reason}"]
        lines += (f"{name}: {value}" for name, value in answer.headers)
        if self.server.is_closing:
            self.connection.settimeout(_LAST_SENDING)
        # In one piece, for each would be a packet of its own.
        self.wfile.write("\r\n".join((*lines, "", "")).encode("latin-1") + answer.content)
        self.close_connection = answer.closes or self.server.is_closing

    def log_message(self, *_: Any) -> None:
        """
        Log nothing, as tests send thousands of requests.
        """


#: Answers `Fault.REFUSED` over HTTP, where the client is connected already.
_NOT_REFUSED: Final = (
    "The fault 'refused' is for clients in process, of Engine.client(): over HTTP use 'closed'"
)
