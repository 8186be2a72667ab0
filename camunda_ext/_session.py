"""
A `requests.Session` for one engine, which looks nothing up twice.

Half of what `requests` does for a call is to prepare the request, and to find out what is the same
for all calls of a client: the proxy, the certificates, the cookies, the environment. Here all that
is found out with the first call. And each wait for the server ends with the call's own deadline, so
that one that drips, a byte a second, ends as well.
"""

from __future__ import annotations

import io
import socket
from collections.abc import Mapping
from http.client import HTTPException, HTTPResponse
from time import monotonic
from typing import Any, Final

import attrs
import requests
import urllib3
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth
from requests.hooks import dispatch_hook
from requests.structures import CaseInsensitiveDict
from urllib3.connectionpool import HTTPConnectionPool

from camunda_ext._reach import Reach

#: What requests raises for what goes wrong on the way, or lets through from below.
FAILURES: Final = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    HTTPException,
    OSError,
    ValueError,
)


class LeanSession(requests.Session):
    """
    A session that keeps no cookies, follows no redirect, and asks nothing of the environment.
    """

    def __init__(self, reach: Reach, headers: Mapping[str, str]) -> None:
        super().__init__()
        # With it, a netrc entry replaces the credentials, and a CA bundle overrules `verify`.
        self.trust_env = False
        self.verify = reach.verify
        self.cert = reach.cert
        self.proxies = dict(reach.proxies)
        self.headers = CaseInsensitiveDict(headers)  # each one takes its time
        #: The call that is under way.
        self.under_way = UnderWay()
        adapter = _LeanAdapter(self.under_way)
        for scheme in ("https://", "http://"):
            self.mount(scheme, adapter)

    def send(self, request: PreparedRequest, **options: Any) -> Response:
        """
        Send a request, whose credentials may add hooks as those of Digest do.
        """
        options |= {"verify": self.verify, "cert": self.cert, "proxies": self.proxies}
        assert request.url is not None  # noqa: S101  # prepared
        # Libraries for tests replace get_adapter(); what another adapter does, nobody sees.
        adapter = self.get_adapter(request.url)
        self.under_way.is_sent = not isinstance(adapter, _LeanAdapter)
        response = adapter.send(request, **options)
        hooked: Any = dispatch_hook
        answered: Response = hooked("response", request.hooks, response, **options)
        return answered


def is_plain(session: requests.Session) -> bool:
    """
    Tell whether all that a session adds to a request is its headers, credentials and hooks.
    """
    kind = type(session)
    return (
        kind.request is requests.Session.request
        and kind.prepare_request is requests.Session.prepare_request
        and not (session.trust_env or session.params or session.cookies)
    )


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
    prepared.hooks = {event: list(hooks) for event, hooks in session.hooks.items()}
    # Where Digest leaves cookies; they are not sent.
    prepared._cookies = session.cookies
    if content is not None or method != "GET":
        prepared.headers["Content-Length"] = str(len(content or b""))
    given: Any = auth or session.auth
    sign = HTTPBasicAuth(*given) if isinstance(given, tuple) else given
    signed: PreparedRequest = prepared if sign is None else sign(prepared)
    return signed


def stay(response: Response, **_: object) -> None:
    """
    Forget where a redirect leads: to say what comes next, requests would read the whole body.
    """
    response.headers.pop("Location", None)


@attrs.define(eq=False, repr=False)
class UnderWay:
    """
    The call that a session makes, as its connections see it.

    They hold this, and not the adapter: urllib3 keeps connections for as long as their pool is
    there, and with the adapter they would keep the pool.
    """

    #: When the call must be over, by the monotonic clock.
    deadline: float | None = None

    #: How long to wait for the server to take or to give something, in seconds.
    read: float | None = None

    #: Whether the request has begun to leave.
    is_sent: bool = False


def _watched(kind: Any, under_way: UnderWay) -> Any:
    """
    Give connections of a *kind* that keep to the deadline, tell when a request leaves, and send it
    as a whole.
    """

    class Watched(kind):  # type: ignore[misc]  # plain ones and those with TLS alike
        # The parts of a request that is being put together.
        _parts: list[bytes] | None = None

        def request(self, *args: Any, **told: Any) -> None:
            if self.sock is None:
                self.connect()  # to a proxy, and through it, as well
            under_way.is_sent = True
            # urllib3 would send a large body under the time-out for the connection.
            self.timeout = under_way.read
            # Head and body would go in two packets, and wake the server twice.
            self._parts = []
            try:
                super().request(*args, **told)
                whole = b"".join(self._parts)
            finally:
                self._parts = None
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

    def __init__(self, under_way: UnderWay) -> None:
        super().__init__()
        self._under_way = under_way
        self._pool: Any = None

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
        if self._pool is None:
            pool: Any = super().get_connection_with_tls_context(request, verify, proxies, cert)
            HTTPAdapter.cert_verify(self, pool, request.url, verify, cert)  # type: ignore[no-untyped-call]  # it has no types
            pool.ConnectionCls = _watched(pool.ConnectionCls, self._under_way)
            self._pool = pool
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
        response = Response()
        response.request = req
        response.connection = self
        response.status_code = resp.status
        response.headers = resp.headers
        response.raw = resp
        return response


#: Servers send a long answer in chunks of a few KiB, several of which come at a time.
_BUFFER: Final = 64 * 1024


class _Timed:
    """
    A socket whose every piece, of the head of an answer too, has to come before the deadline.
    """

    def __init__(self, sock: socket.socket, under_way: UnderWay) -> None:
        self._sock = sock
        self._under_way = under_way

    def makefile(self, mode: str) -> io.BufferedReader:
        """
        Give the file that an answer is read from.
        """
        return io.BufferedReader(_Pieces(self._sock, self._under_way), _BUFFER)


class _Pieces(io.RawIOBase):
    def __init__(self, sock: socket.socket, under_way: UnderWay) -> None:
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
