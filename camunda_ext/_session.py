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
from http.client import HTTPResponse
from time import monotonic
from typing import Any

import requests
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth
from requests.hooks import dispatch_hook
from requests.structures import CaseInsensitiveDict
from urllib3.connectionpool import HTTPConnectionPool

from camunda_ext._reach import Reach


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
        self.headers.update(headers)
        #: The one way out.
        self.adapter = _LeanAdapter()
        for scheme in ("https://", "http://"):
            self.mount(scheme, self.adapter)

    def send(self, request: PreparedRequest, **options: Any) -> Response:
        """
        Send a request, whose credentials may add hooks as those of Digest do.
        """
        options |= {"verify": self.verify, "cert": self.cert, "proxies": self.proxies}
        response = self.adapter.send(request, **options)
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


class _LeanAdapter(HTTPAdapter):
    """
    An adapter for one server: all that depends on the server alone is looked up once.
    """

    #: When the call that is under way must be over, by the monotonic clock.
    deadline: float | None = None

    _pool: Any = None

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
            connect = pool.ConnectionCls

            def connection(*args: Any, **told: Any) -> Any:
                made = connect(*args, **told)
                made.response_class = self._answer
                return made

            pool.ConnectionCls = connection
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

    def _answer(self, sock: socket.socket, *args: Any, **told: Any) -> HTTPResponse:
        return HTTPResponse(_Timed(sock, self), *args, **told)  # type: ignore[arg-type]  # it asks for makefile() alone


class _Timed:
    """
    A socket whose every piece, of the head of an answer too, has to come before the deadline.
    """

    def __init__(self, sock: socket.socket, adapter: _LeanAdapter) -> None:
        self._sock = sock
        self._adapter = adapter

    def makefile(self, mode: str) -> io.BufferedReader:
        """
        Give the file that an answer is read from.
        """
        return io.BufferedReader(_Pieces(self._sock, self._adapter))


class _Pieces(io.RawIOBase):
    def __init__(self, sock: socket.socket, adapter: _LeanAdapter) -> None:
        super().__init__()
        self._sock = sock
        self._adapter = adapter
        self._file = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        deadline = self._adapter.deadline
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
