"""
The client's own sessions: each has one connection, on which no wait is longer than the call may
last.
"""

from __future__ import annotations

import io
import os
import socket
from collections.abc import Callable, Mapping
from http.client import HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from math import inf
from time import monotonic
from typing import Any, Final
from urllib.parse import urlsplit
from weakref import ref

import attrs
import requests
from requests import PreparedRequest
from requests.structures import CaseInsensitiveDict
from requests.utils import default_user_agent, get_environ_proxies
from urllib3.connectionpool import HTTPConnectionPool

from camunda_ext._http.shortcut import KnownAdapter, Shortcut
from camunda_ext._version import __version__
from camunda_ext._wire.urls import is_loopback
from camunda_ext._wire.warn import warn_caller

#: How many bytes are read from a socket at a time. Servers send a long answer in chunks of a few
#: KiB, several of which arrive together: a call that gets 1,000 tasks in 128 KiB takes 12 % less
#: time than with the 8 KiB of `http.client`.
_BUFFER: Final = 64 * 1024


def session_opener(
    url: str,
    headers: Mapping[str, str],
    *,
    verify: bool | str,
    cert: str | tuple[str, str] | None,
    proxies: Mapping[str, str] | None,
    has_credentials: bool,
) -> Callable[[], OwnSession]:
    """
    A function that opens sessions with a server, with the user's settings and otherwise those of
    the environment.

    Warns of settings that give secrets away.

    Raises:
        TypeError, ValueError: A setting is invalid.
    """
    is_local = is_loopback(url)
    if proxies is None:
        # A proxy of the environment is not for requests that stay on this machine.
        proxies = {} if is_local else get_environ_proxies(url)
    if not isinstance(proxies, Mapping):
        raise TypeError("proxies must be a mapping")
    if verify is True:
        verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
    if isinstance(verify, str) and not os.path.exists(verify):
        raise ValueError(f"verify: there is no CA bundle {verify!r}")
    for path in (cert,) if isinstance(cert, str) else cert or ():
        if not os.path.exists(path):
            raise ValueError(f"cert: there is no file {path!r}")
    if verify is False:
        warn_caller("verify=False: anybody on the way can read and change what is sent")
    target = urlsplit(url)
    if target.scheme == "http" and has_credentials and not is_local:
        warn_caller(
            f"credentials go to {target.hostname} by plain http, for anybody on the way to read"
        )
    own_proxies = dict(proxies)  # a copy: the user may change the mapping

    def open_session() -> OwnSession:
        session = OwnSession(headers)
        session.verify, session.cert, session.proxies = verify, cert, dict(own_proxies)
        return session

    return open_session


class OwnSession(requests.Session):
    """
    A session for one call at a time, which keeps no cookies and reads no settings of the
    environment.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__()
        # If it were set, an entry of netrc would replace the credentials, and the environment's CA
        # bundle would overrule `verify`.
        self.trust_env = False
        agent = f"camunda_ext/{__version__} {default_user_agent()}"
        self.headers = CaseInsensitiveDict(
            {"Accept-Encoding": "gzip", "User-Agent": agent, **headers}
        )
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        #: The call in progress.
        self.call = CallInProgress()
        #: Sends requests by the quick way.
        self.shortcut = Shortcut()
        #: When the session was used last, by the monotonic clock.
        self.used = monotonic()
        adapter = _OwnAdapter(self.call)
        for scheme in ("https://", "http://"):
            self.mount(scheme, adapter)

    def close(self) -> None:
        """
        Close the connection; the next call opens another one.

        Closing the adapters, as requests does, closes only a connection that is not in use.
        """
        super().close()
        connection = self.call.connection()
        if connection is not None:
            connection.close()


@attrs.define(eq=False, repr=False)
class CallInProgress:
    """
    The call that a session is making: what its connection has to know of it, and reports.

    The connection refers to this and not to the adapter. The adapter refers to the pool, and a pool
    whose connections refer to it is never freed.
    """

    #: When the call must be over, by the monotonic clock.
    deadline: float = inf

    #: How long to wait for the server to take or to send the next bytes, in seconds.
    read: float | None = None

    #: Whether any byte of the request may have left; ``None`` if unknown, because no connection of
    #: ours was used: another library sent the request, or it failed before.
    is_sent: bool | None = None

    #: Returns the connection; ``None`` if there is none.
    connection: Callable[[], Any] = lambda: None


class _OwnAdapter(KnownAdapter):
    """
    An adapter for one server, whose connections keep to the deadline of a call.
    """

    def __init__(self, call: CallInProgress) -> None:
        super().__init__(pool_maxsize=1)
        self._call = call
        #: The class of the pool's connections when the pool was made, before ours replaced it.
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

        Overridden because the class of its connections can be replaced only here.
        """
        pool: Any = super().get_connection_with_tls_context(request, verify, proxies, cert)
        kind = type(pool).ConnectionCls
        if self._kind not in (None, kind):
            # A library for tests has replaced the class of urllib3, or has restored it.
            self.close()
            pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
        self._kind = kind
        if "ConnectionCls" not in vars(pool) and kind.__module__ == "urllib3.connection":
            pool.ConnectionCls = _watched(kind, self._call)
        own: HTTPConnectionPool = pool
        return own


#: How many bytes the server must take within the time-out for a piece.
_SENT_AT_ONCE: Final = 64 * 1024


def _watched(kind: Any, call: CallInProgress) -> Any:
    """
    A class of connections that keep to the deadline of the *call*, note when a request leaves, and
    send it as a whole; derived from a class of urllib3, for plain or for TLS connections.
    """

    class Watched(kind):  # type: ignore[misc]  # plain ones and those with TLS alike
        # The parts of the request that `request()` is putting together.
        _parts: list[bytes] | None = None

        def connect(self) -> None:
            """
            Connect, after noting that nothing has left: what fails here is safe to send again.
            """
            call.is_sent = False
            call.connection = ref(self)
            super().connect()

        def request(self, *args: Any, **options: Any) -> None:
            """
            Send head and body in one packet, which saves 6 % of a warm call with a body, and note
            when the first byte may leave.
            """
            call.is_sent = False
            if self.sock is None:
                self.connect()  # through a proxy as well
            # urllib3 would send a large body under the time-out for the connection.
            self.timeout = call.read
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
            """
            Keep a part of a request for `request()` to join, and send anything else.
            """
            if self._parts is not None:
                self._parts.append(part)
                return
            # In pieces, for a socket's time-out is for all that is sent at once.
            whole = memoryview(part)
            for start in range(0, len(whole), _SENT_AT_ONCE):
                if monotonic() > call.deadline:
                    raise TimeoutError("the request took longer than the whole call may take")
                super().send(whole[start : start + _SENT_AT_ONCE])

        def response_class(self, sock: socket.socket, *args: Any, **options: Any) -> HTTPResponse:
            """
            An answer that must arrive before the deadline: a socket's own time-out begins anew with
            each byte.
            """
            timed: Any = _TimedReader(sock, call)
            return HTTPResponse(timed, *args, **options)

    return Watched


class _TimedReader(io.RawIOBase):
    """
    The bytes of an answer, as a file: each read, also of the head, must end before the deadline.
    """

    def __init__(self, sock: socket.socket, call: CallInProgress) -> None:
        super().__init__()
        self._sock = sock
        self._call = call
        # The socket is not closed before this file, which the last answer on a connection needs.
        self._file = sock.makefile("rb", buffering=0)

    def makefile(self, mode: str) -> io.BufferedReader:
        """
        The file that `http.client` reads the answer from.
        """
        return io.BufferedReader(self, _BUFFER)

    def readable(self) -> bool:
        """
        Always true, as `io.BufferedReader` demands.
        """
        return True

    def readinto(self, buffer: Any) -> int | None:
        """
        Read the bytes that arrive next, and return how many they are.

        Raises:
            TimeoutError: The deadline has passed, or nothing came within the time-out.
        """
        left = self._call.deadline - monotonic()
        if left <= 0:
            raise TimeoutError("the answer took longer than the whole call may take")
        longest = self._sock.gettimeout()
        if left < (inf if longest is None else longest):
            self._sock.settimeout(left)
        return self._sock.recv_into(buffer)

    def close(self) -> None:
        """
        Close this file; the socket stays open for the next answer.
        """
        self._file.close()
        super().close()
