"""
The proxy: it hands each request to an engine, unless the plan has a fault for it.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPException
from time import monotonic, time
from types import TracebackType
from typing import BinaryIO, Final, TypeAlias
from urllib.parse import urlsplit

import attrs

from tests.faults.kinds import Answer, Fault
from tests.faults.plan import Plan, Request, no_faults

_LONGEST_LINE: Final = 64 * 1024
_REMEMBERED: Final = 50
#: How long a thread may take to end when all that it could wait for is over, in seconds.
_FAREWELL: Final = 30.0
#: What closes a connection with a reset (RST) in place of a regular end.
_NO_LINGER: Final = struct.pack("ii", 1, 0)
#: What is about one connection, or said anew for the next one.
_NOT_PASSED_ON: Final = frozenset(
    {"connection", "content-length", "host", "keep-alive", "proxy-connection", "te"}
    | {"trailer", "transfer-encoding", "upgrade"}
)
_NO_BODY: Final = frozenset({204, 304})

#: Is told each request that the engine has answered, with the answer, and when it was given the
#: request and had answered, in seconds since 1970.
Watcher: TypeAlias = Callable[["Message", Answer, float, float], object]


class FaultProxy:
    """
    A proxy on a port of 127.0.0.1, as a context manager.

    It has a thread for each connection of a client, and a new connection to the engine for each
    request. It keeps counters, and no more of the requests than the last few.

    Args:
        upstream_url: The engine's REST API.

        plan: Which request meets which fault; it may be another one later.

        patience: How long either side may be silent, in seconds; longer than any long poll.

        watch: Is told what the engine says, whatever becomes of it then.
    """

    def __init__(
        self,
        upstream_url: str,
        plan: Plan = no_faults,
        *,
        patience: float = 120.0,
        watch: Watcher = lambda message, answer, given, answered: None,
    ) -> None:
        parts = urlsplit(upstream_url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"{upstream_url!r} is no URL of plain HTTP")
        self._host, self._port = parts.hostname, parts.port or 80
        self._path = parts.path
        self._patience = patience
        self._watch = watch
        #: Which request meets which fault.
        self.plan = plan
        #: How many requests there were.
        self.requests = 0
        #: How many of them the engine was given.
        self.forwarded = 0
        #: How many of these it did not answer, or not wholly.
        self.unanswered = 0
        #: How many connections there were.
        self.connections = 0
        #: How often each fault struck.
        self.struck: Final[Counter[Fault]] = Counter()
        self._last: Final[deque[str]] = deque(maxlen=_REMEMBERED)
        self._guard = threading.Lock()
        self._stopped = threading.Event()
        self._open: set[_Connection] = set()
        self._threads: set[threading.Thread] = set()
        self._place = _bind(0)
        self._own_port: int = self._place.getsockname()[1]

    @property
    def url(self) -> str:
        """
        Where the engine is, to a client that shall meet the faults.
        """
        return f"http://127.0.0.1:{self._own_port}{self._path}"

    @property
    def story(self) -> str:
        """
        The last requests, each with the fault that it met, a line each; for messages.
        """
        with self._guard:
            return "\n".join(self._last)

    def __enter__(self) -> FaultProxy:
        self._listen(self._place)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._stop_listening()
        for connection in self._snapshot():
            connection.cut(wholly=True)
        deadline = monotonic() + _FAREWELL
        for thread in self._threads:
            thread.join(max(0.0, deadline - monotonic()))
        if any(thread.is_alive() for thread in self._threads):
            raise RuntimeError(f"the proxy did not end; its last requests:\n{self.story}")
        self._threads.clear()

    @contextlib.contextmanager
    def outage(self) -> Iterator[None]:
        """
        Cut all connections and have new ones refused, until the end of the with block.

        What the engine was given before, it does.
        """
        self._stop_listening()
        # A socket that is bound keeps the port for us, and one that does not listen refuses.
        place = _bind(self._own_port)
        for connection in self._snapshot():
            connection.cut()
        try:
            yield
        finally:
            self._listen(place)

    # ------------------------------------------------------------------------------- connections

    def _listen(self, place: socket.socket) -> None:
        place.listen(1024)
        place.setblocking(False)
        self._place = place
        self._waker, sleeper = socket.socketpair()
        self._acceptor = threading.Thread(
            target=self._accept, args=(place, sleeper), name="fault proxy", daemon=True
        )
        self._acceptor.start()

    def _stop_listening(self) -> None:
        self._waker.close()
        self._acceptor.join()

    def _accept(self, place: socket.socket, sleeper: socket.socket) -> None:
        with place, sleeper, selectors.DefaultSelector() as selector:
            selector.register(place, selectors.EVENT_READ)
            selector.register(sleeper, selectors.EVENT_READ)
            while all(key.fileobj is place for key, _ in selector.select()):
                try:
                    raw, _ = place.accept()
                except (BlockingIOError, ConnectionAbortedError):
                    continue  # who wanted to connect has gone already
                self._start(raw)

    def _start(self, raw: socket.socket) -> None:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.settimeout(self._patience)
        connection = _Connection(raw)
        thread = threading.Thread(
            target=self._serve, args=(connection,), name="fault proxy connection", daemon=True
        )
        with self._guard:
            self.connections += 1
            self._open.add(connection)
        self._threads = {one for one in self._threads if one.is_alive()} | {thread}
        thread.start()

    def _snapshot(self) -> list[_Connection]:
        with self._guard:
            return list(self._open)

    def _serve(self, connection: _Connection) -> None:
        try:
            with connection.raw.makefile("rb") as reader:
                while connection.is_open and (message := _read(reader)) is not None:
                    self._treat(_Exchange(self, connection, message))
                    if message.is_last:
                        connection.is_open = False
        except (_NoUpstream, OSError):
            pass  # either side may hang up, be silent for too long, or be cut
        finally:
            with self._guard:
                self._open.discard(connection)
            connection.close()

    # ---------------------------------------------------------------------------------- requests

    def _treat(self, exchange: _Exchange) -> None:
        message = exchange.message
        with self._guard:
            self.requests += 1
            ordinal = self.requests
        path = message.target.partition("?")[0]
        fault = self.plan(
            Request(method=message.method, path=path, body=message.body, ordinal=ordinal)
        )
        with self._guard:
            self._last.append(f"{ordinal} {message.method} {message.target}: {fault or 'passed'}")
            if fault is not None:
                self.struck[fault] += 1
        if fault is None:
            exchange.send(exchange.forward().content)
        else:
            fault.strike(exchange)

    def _forward(self, connection: _Connection, message: Message) -> Answer:
        upstream = HTTPConnection(self._host, self._port, timeout=self._patience)
        try:
            upstream.connect()
            with connection.holding(upstream.sock):
                with self._guard:
                    self.forwarded += 1
                given = time()
                answer = _ask(upstream, message, f"{self._host}:{self._port}")
                self._watch(message, answer, given, time())
                return answer
        except (HTTPException, OSError, ValueError) as error:
            with self._guard:
                self.unanswered += 1
            raise _NoUpstream(str(error)) from None
        finally:
            upstream.close()

    def _wait(self, connection: _Connection, seconds: float) -> None:
        connection.await_end(seconds, self._stopped)
        if self._stopped.is_set():
            raise _NoUpstream("the proxy ends")


class _NoUpstream(Exception):
    """
    There is no answer to pass on.
    """


class _Connection:
    """
    A client's connection, and what its thread has opened to the engine.
    """

    def __init__(self, raw: socket.socket) -> None:
        self.raw = raw
        self.is_open = True
        self._guard = threading.Lock()
        self._upstream: socket.socket | None = None
        self._is_cut = False

    def cut(self, *, wholly: bool = False) -> None:
        """
        End the client's side from another thread; *wholly*, that to the engine, too.
        """
        with self._guard:
            self._is_cut = self._is_cut or wholly
            _hang_up(self.raw)
            if wholly and self._upstream is not None:
                _hang_up(self._upstream)

    def close(self) -> None:
        """
        Let go of the client's side, by its own thread.
        """
        with self._guard:
            self.raw.close()

    @contextlib.contextmanager
    def holding(self, upstream: socket.socket) -> Iterator[None]:
        """
        Let a connection to the engine be cut, too, in the with block.
        """
        with self._guard:
            if self._is_cut:
                raise _NoUpstream("the proxy ends")
            self._upstream = upstream
        try:
            yield
        finally:
            with self._guard:
                self._upstream = None

    def await_end(self, seconds: float, stopped: threading.Event) -> None:
        """
        Return when the client has hung up, or so many seconds are over.
        """
        patience = self.raw.gettimeout()
        deadline = monotonic() + seconds
        self.raw.settimeout(max(seconds, 0.001))
        try:
            said = self.raw.recv(1, socket.MSG_PEEK)
        except OSError:
            return  # the time is over, or a reset came
        finally:
            self.raw.settimeout(patience)
        if said:  # the next request; whether anything comes after it cannot be seen
            stopped.wait(max(0.0, deadline - monotonic()))


@attrs.frozen
class Message:
    """
    A request as it came.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    #: Whether the client wants the connection closed after the answer.
    is_last: bool


@attrs.frozen
class _Exchange:
    """
    One request, as a fault may treat it.
    """

    _proxy: FaultProxy
    _connection: _Connection
    message: Message

    def forward(self) -> Answer:
        """
        Have the engine do it, and give the whole answer.
        """
        return self._proxy._forward(self._connection, self.message)

    def send(self, content: bytes) -> None:
        """
        Send bytes to the client at once.
        """
        self._connection.raw.sendall(content)

    def wait(self, seconds: float) -> None:
        """
        Say nothing until so many seconds are over, or the client hangs up.
        """
        self._proxy._wait(self._connection, seconds)

    def close(self) -> None:
        """
        End the client's connection regularly, after what has been sent.
        """
        self._connection.is_open = False

    def reset(self) -> None:
        """
        End the client's connection so that its next read or write fails.
        """
        self._connection.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._connection.is_open = False


def _bind(port: int) -> socket.socket:
    place = socket.socket()
    try:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.bind(("127.0.0.1", port))
    except OSError:
        place.close()
        raise
    return place


def _hang_up(one: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the other side may have done so
        one.shutdown(socket.SHUT_RDWR)


def _read(reader: BinaryIO) -> Message | None:
    """
    Read a request whose body has a length; none if nothing more comes, or nothing that is one.
    """
    first = reader.readline(_LONGEST_LINE).decode("latin-1").split()
    if len(first) != 3:
        return None
    headers = []
    while line := reader.readline(_LONGEST_LINE).decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers.append((name, value.strip()))
    told = {name.lower(): value for name, value in headers}
    length = told.get("content-length", "0")
    if "transfer-encoding" in told or not length.isdecimal():
        return None
    body = reader.read(int(length))
    if len(body) < int(length):
        return None
    is_last = first[2] != "HTTP/1.1" or told.get("connection", "").lower() == "close"
    return Message(first[0], first[1], tuple(headers), body, is_last)


def _ask(upstream: HTTPConnection, message: Message, host: str) -> Answer:
    upstream.putrequest(message.method, message.target, skip_host=True, skip_accept_encoding=True)
    upstream.putheader("Host", host)
    for name, value in message.headers:
        if name.lower() not in _NOT_PASSED_ON:
            upstream.putheader(name, value)
    if any(name.lower() == "content-length" for name, _ in message.headers):
        upstream.putheader("Content-Length", str(len(message.body)))
    upstream.putheader("Connection", "close")
    upstream.endheaders(message.body or None)
    with upstream.getresponse() as response:
        body = response.read()
        headers = tuple(
            (name, value)
            for name, value in response.getheaders()
            if name.lower() not in _NOT_PASSED_ON
        )
        has_length = message.method != "HEAD" and response.status not in _NO_BODY
        return Answer(response.status, response.reason, headers, body, has_length)
