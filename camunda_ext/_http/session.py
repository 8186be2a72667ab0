"""
The client's own sessions: each has one connection, and no wait is longer than the call may last.
"""

from __future__ import annotations

import io
import socket
from collections.abc import Callable, Mapping
from http.client import HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from time import monotonic
from typing import Any, Final
from weakref import ref

import attrs
import requests
from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connectionpool import HTTPConnectionPool

from camunda_ext._http.settings import ConnectionSettings
from camunda_ext._http.shortcut import Shortcut

#: Servers send a long answer in chunks of a few KiB, several of which come at a time.
_BUFFER: Final = 64 * 1024


class OwnSession(requests.Session):
    """
    A session that keeps no cookies and asks nothing of the environment, for one call at a time.
    """

    def __init__(self, settings: ConnectionSettings, headers: Mapping[str, str]) -> None:
        super().__init__()
        # With it, a netrc entry replaces the credentials, and a CA bundle overrules `verify`.
        self.trust_env = False
        self.verify = settings.verify
        self.cert = settings.cert
        self.proxies = dict(settings.proxies)
        self.headers = CaseInsensitiveDict(headers)
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        #: The call that is under way.
        self.call = CallInProgress()
        #: The quick way to its connection.
        self.shortcut = Shortcut()
        #: When it was used last, by the monotonic clock.
        self.used = monotonic()
        adapter = _OwnAdapter(self.call)
        for scheme in ("https://", "http://"):
            self.mount(scheme, adapter)

    def close(self) -> None:
        """
        Close the connection, though an answer may be under way on it; the next call opens another.
        """
        super().close()
        connection = self.call.connection()
        if connection is not None:
            connection.close()


@attrs.define(eq=False, repr=False)
class CallInProgress:
    """
    The call that a session makes, as its connection sees it.

    The connection holds this, and not the adapter: urllib3 keeps connections for as long as their
    pool is there, and with the adapter they would keep the pool.
    """

    #: When the call must be over, by the monotonic clock.
    deadline: float | None = None

    #: How long to wait for the server to take or to give something, in seconds.
    read: float | None = None

    #: Whether the request has begun to leave; ``None`` as long as no connection of ours is asked,
    #: because others have replaced what sends the request, or because it came to nothing before.
    is_sent: bool | None = None

    #: Returns the connection, as long as there is one.
    connection: Callable[[], Any] = lambda: None


class _OwnAdapter(HTTPAdapter):
    """
    An adapter for one server, with connections that keep to the deadline of a call.
    """

    def __init__(self, call: CallInProgress) -> None:
        super().__init__(pool_maxsize=1)
        self._call = call
        #: What urllib3 made connections of when its pool was made.
        self._kind: Any = None

    def get_connection_with_tls_context(
        self,
        request: PreparedRequest,
        verify: Any,
        proxies: Any = None,
        cert: Any = None,
    ) -> HTTPConnectionPool:
        """
        The pool of connections to the server, or to the proxy before it.

        Saves no time: it is where the pool can be told what to make connections of.
        """
        pool: Any = super().get_connection_with_tls_context(request, verify, proxies, cert)
        kind = type(pool).ConnectionCls
        if self._kind not in (None, kind):
            # A library for tests has put its own in the place of urllib3's, or has taken it back.
            self.close()
            pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
        self._kind = kind
        if "ConnectionCls" not in vars(pool) and kind.__module__ == "urllib3.connection":
            pool.ConnectionCls = _watched(kind, self._call)
        own: HTTPConnectionPool = pool
        return own


def _watched(kind: Any, call: CallInProgress) -> Any:
    """
    A class of connections that keep to the deadline, tell when a request leaves, and send it as a
    whole.
    """

    class Watched(kind):  # type: ignore[misc]  # plain ones and those with TLS alike
        # The parts of a request that is being put together.
        _parts: list[bytes] | None = None

        def connect(self) -> None:
            call.is_sent = False
            call.connection = ref(self)
            super().connect()

        def request(self, *args: Any, **options: Any) -> None:
            call.is_sent = False
            if self.sock is None:
                self.connect()  # to a proxy, and through it, as well
            # urllib3 would send a large body under the time-out for the connection.
            self.timeout = call.read
            # Head and body would go in two packets, and wake the server twice: to join them saves
            # 6 % of a warm call with a body.
            self._parts = []
            try:
                super().request(*args, **options)
                whole = b"".join(self._parts)
            finally:
                self._parts = None
            call.is_sent = True
            if whole:
                self.send(whole)

        def send(self, part: bytes) -> None:
            if self._parts is None:
                super().send(part)
            else:
                self._parts.append(part)

        def response_class(self, sock: socket.socket, *args: Any, **options: Any) -> HTTPResponse:
            timed: Any = _TimedReader(sock, call)
            return HTTPResponse(timed, *args, **options)

    return Watched


class _TimedReader(io.RawIOBase):
    """
    What an answer is read from: each piece, of its head too, has to come before the deadline.
    """

    def __init__(self, sock: socket.socket, call: CallInProgress) -> None:
        super().__init__()
        self._sock = sock
        self._call = call
        self._file = sock.makefile("rb", buffering=0)

    def makefile(self, mode: str) -> io.BufferedReader:
        """
        The file that `http.client` asks a socket for.
        """
        return io.BufferedReader(self, _BUFFER)

    def readable(self) -> bool:
        """
        Whether it can be read from: it is for nothing else.
        """
        return True

    def readinto(self, buffer: Any) -> int | None:
        """
        Read what comes next, and return how many bytes it has.

        Raises:
            TimeoutError: The call is over.
        """
        deadline = self._call.deadline
        if deadline is not None:
            left = deadline - monotonic()
            if left <= 0:
                raise TimeoutError("the answer took longer than the whole call may take")
            longest = self._sock.gettimeout()
            if longest is None or left < longest:
                self._sock.settimeout(left)
        return self._sock.recv_into(buffer)

    def close(self) -> None:
        """
        Let go of the socket.
        """
        self._file.close()
        super().close()
