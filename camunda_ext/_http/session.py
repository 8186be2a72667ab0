"""
A `requests.Session` for one engine, which looks nothing up twice.

Half of what `requests` does for a call is to prepare the request, and to find out what is the same
for all calls of a client: the proxy, the certificates, the cookies, the environment. Here all that
is found out with the first call. And each wait for the server ends with the call's own deadline, so
that one that drips, a byte a second, ends as well.

Each request still goes through `requests.Session.send`, the ``send`` of an adapter, and the
``urlopen`` of a pool of urllib3, as they are at the time: libraries for tests and for tracing
replace these, on clients that have been at work for long, too.
"""

from __future__ import annotations

import io
import socket
from collections.abc import Callable, Mapping
from datetime import timedelta
from http.client import HTTPResponse
from time import monotonic
from types import FunctionType
from typing import Any, Final
from weakref import ref

import attrs
import requests
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.cookies import RequestsCookieJar
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPHeaderDict
from urllib3.connectionpool import HTTPConnectionPool

from camunda_ext._http.settings import ConnectionSettings


class LeanSession(requests.Session):
    """
    A session that keeps no cookies, follows no redirect, and asks nothing of the environment.

    It has one connection, and is for one call at a time.
    """

    def __init__(self, reach: ConnectionSettings, headers: Mapping[str, str]) -> None:
        super().__init__()
        # With it, a netrc entry replaces the credentials, and a CA bundle overrules `verify`.
        self.trust_env = False
        self.verify = reach.verify
        self.cert = reach.cert
        self.proxies = dict(reach.proxies)
        self.headers = CaseInsensitiveDict(headers)  # each one takes its time
        self.cookies = _NoCookies()
        #: The call that is under way.
        self.under_way = CallInProgress()
        #: When it was used last, by the monotonic clock.
        self.used = monotonic()
        adapter = _LeanAdapter(self.under_way)
        for scheme in ("https://", "http://"):
            self.mount(scheme, adapter)

    def close(self) -> None:
        """
        Close the connection, though an answer may be under way on it; the next call opens another.
        """
        super().close()
        connection = self.under_way.connection()
        if connection is not None:
            connection.close()


class _NoCookies(RequestsCookieJar):
    """
    A jar that takes no cookie out of an answer.
    """

    def extract_cookies(self, response: Any, request: Any) -> None:
        """
        Do nothing.
        """


def is_plain(session: requests.Session) -> bool:
    """
    Tell whether all that a session does before it sends is known: it adds its headers, credentials
    and hooks.

    It is not where somebody has replaced a method that prepares requests.
    """
    kind = type(session)
    if (
        kind.request is not _REQUEST
        or kind.prepare_request is not _PREPARE_REQUEST
        or "request" in session.__dict__
        or "prepare_request" in session.__dict__
    ):
        return False
    return kind is LeanSession or not (session.trust_env or session.params or session.cookies)


def _as_requests_has_it(method: Any) -> Any:
    """
    Give back a method if requests has brought it along, and no library has replaced it before this
    module was loaded.
    """
    is_its_own = type(method) is FunctionType and method.__globals__ is vars(requests.sessions)
    return method if is_its_own else None


_REQUEST: Final = _as_requests_has_it(requests.Session.request)
_PREPARE_REQUEST: Final = _as_requests_has_it(requests.Session.prepare_request)


def prepare(
    session: requests.Session,
    method: str,
    url: str,
    headers: Mapping[str, str],
    content: bytes | None,
    auth: AuthBase | None,
) -> PreparedRequest:
    """
    Prepare a request whose URL is encoded and whose headers are checked already.
    """
    prepared: Any = PreparedRequest()
    prepared.method = method
    prepared.url = url
    # With None a session leaves out a header that requests would send.
    merged: Any = (*session.headers.items(), *headers.items())
    prepared.headers = CaseInsensitiveDict(
        (name, value) for name, value in merged if value is not None
    )
    prepared.body = content
    prepared.hooks = {"response": hooks_of(session)}
    # Where Digest leaves cookies; they are not sent.
    prepared._cookies = session.cookies
    if content is not None or method != "GET":
        prepared.headers["Content-Length"] = str(len(content or b""))
    signed: PreparedRequest = prepared if auth is None else auth(prepared)
    return signed


def hooks_of(session: requests.Session) -> list[Any]:
    """
    Give the hooks of a session for answers: requests takes a single one too, or none at all.
    """
    hooks = (session.hooks or {}).get("response") or []
    return [hooks] if callable(hooks) else list(hooks)


def stay(response: Response, **_: object) -> None:
    """
    Forget where a redirect leads: to say what comes next, requests would read the whole body.
    """
    response.headers.pop("Location", None)


@attrs.define(eq=False, repr=False)
class CallInProgress:
    """
    The call that a session makes, as its connections see it.

    They hold this, and not the adapter: urllib3 keeps connections for as long as their pool is
    there, and with the adapter they would keep the pool.
    """

    #: When the call must be over, by the monotonic clock.
    deadline: float | None = None

    #: How long to wait for the server to take or to give something, in seconds.
    read: float | None = None

    #: Whether the request has begun to leave; ``None`` where others have replaced what sends it.
    is_sent: bool | None = None

    #: Gives the connection, as long as there is one.
    connection: Callable[[], Any] = lambda: None

    def begin(self, deadline: float | None) -> None:
        """
        Forget the call before.
        """
        self.deadline, self.is_sent = deadline, None


def _watched(kind: Any, under_way: CallInProgress) -> Any:
    """
    Give connections of a *kind* that keep to the deadline, tell when a request leaves, and send it
    as a whole.
    """

    class Watched(kind):  # type: ignore[misc]  # plain ones and those with TLS alike
        # The parts of a request that is being put together.
        _parts: list[bytes] | None = None

        def connect(self) -> None:
            under_way.connection = ref(self)
            super().connect()

        def request(self, *args: Any, **told: Any) -> None:
            if self.sock is None:
                self.connect()  # to a proxy, and through it, as well
            # urllib3 would send a large body under the time-out for the connection.
            self.timeout = under_way.read
            # Head and body would go in two packets, and wake the server twice.
            self._parts = []
            try:
                super().request(*args, **told)
                whole = b"".join(self._parts)
            finally:
                self._parts = None
            under_way.is_sent = True
            if whole:
                self.send(whole)

        def send(self, part: bytes) -> None:
            if self._parts is None:
                super().send(part)
            else:
                self._parts.append(part)

        def response_class(self, sock: socket.socket, *args: Any, **told: Any) -> HTTPResponse:
            timed: Any = _Timed(sock, under_way)
            return HTTPResponse(timed, *args, **told)

    return Watched


class _LeanAdapter(HTTPAdapter):
    """
    An adapter for one server: all that depends on the server alone is looked up once.
    """

    def __init__(self, under_way: CallInProgress) -> None:
        super().__init__(pool_maxsize=1)
        self._under_way = under_way
        self._pool: Any = None
        #: What urllib3 made connections of when the pool was made.
        self._kind: Any = None
        #: Whether it makes them of ours, and not of a library's for tests.
        self._is_watched = False

    def get_connection_with_tls_context(
        self,
        request: PreparedRequest,
        verify: Any,
        proxies: Any = None,
        cert: Any = None,
    ) -> HTTPConnectionPool:
        """
        Give the pool of connections to the server, or to the proxy before it.
        """
        if self._pool is not None and type(self._pool).ConnectionCls is not self._kind:
            self.close()  # somebody has replaced it meanwhile
        if self._pool is None:
            pool: Any = super().get_connection_with_tls_context(request, verify, proxies, cert)
            HTTPAdapter.cert_verify(self, pool, request.url, verify, cert)  # type: ignore[no-untyped-call]  # it has no types
            self._kind = pool.ConnectionCls
            self._is_watched = self._kind.__module__ == "urllib3.connection"
            if self._is_watched:
                pool.ConnectionCls = _watched(self._kind, self._under_way)
            self._pool = pool
        if self._is_watched:
            self._under_way.is_sent = False
        pool_of_all: HTTPConnectionPool = self._pool
        return pool_of_all

    def close(self) -> None:
        """
        Close all connections; the next request opens another one.
        """
        if self._pool is not None:
            self._pool.close()
            self._pool = None
        super().close()

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """
        Do nothing: the pool knows.
        """

    def request_url(self, request: PreparedRequest, proxies: Any) -> str:
        """
        Give what stands in the first line: the path, but for a proxy of plain http.
        """
        assert request.url is not None  # noqa: S101  # prepared
        if proxies:
            return super().request_url(request, proxies)
        return request.url[request.url.index("/", len("https://")) :]

    def build_response(self, req: PreparedRequest, resp: Any) -> Response:
        """
        Give an answer without its cookies, its headers as they are.
        """
        response = _LeanResponse()
        response.request = req
        response.connection = self
        response.status_code = resp.status
        response.reason = resp.reason
        headers = resp.headers
        # An answer that was recorded may have others: of the standard library, in vcrpy before 9.
        lean = isinstance(headers, HTTPHeaderDict)
        response.headers = headers if lean else CaseInsensitiveDict(headers)
        response.raw = resp
        response.url = req.url or ""
        return response


class _LeanResponse(Response):
    """
    An answer without the jar of cookies and the dictionary of headers that each one has at first.
    """

    def __init__(self) -> None:
        self._content: Any = False
        self._content_consumed = False
        self._next = None
        self.encoding = None
        self.history = []
        self.cookies = _NO_COOKIES
        self.elapsed = timedelta(0)


_NO_COOKIES: Final = _NoCookies()

#: Servers send a long answer in chunks of a few KiB, several of which come at a time.
_BUFFER: Final = 64 * 1024


class _Timed:
    """
    A socket whose every piece, of the head of an answer too, has to come before the deadline.
    """

    def __init__(self, sock: socket.socket, under_way: CallInProgress) -> None:
        self._sock = sock
        self._under_way = under_way

    def makefile(self, mode: str) -> io.BufferedReader:
        """
        Give the file that an answer is read from.
        """
        return io.BufferedReader(_Pieces(self._sock, self._under_way), _BUFFER)


class _Pieces(io.RawIOBase):
    def __init__(self, sock: socket.socket, under_way: CallInProgress) -> None:
        super().__init__()
        self._sock = sock
        self._under_way = under_way
        self._file = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        deadline = self._under_way.deadline
        if deadline is not None:
            left = deadline - monotonic()
            if left <= 0:
                raise TimeoutError("the answer took longer than the whole call may take")
            longest = self._sock.gettimeout()
            if longest is None or left < longest:
                self._sock.settimeout(left)
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()
