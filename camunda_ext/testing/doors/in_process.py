"""
The way to the engine without a socket: an adapter for the sessions of `requests`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from functools import lru_cache
from http.client import RemoteDisconnected
from importlib.metadata import version
from io import BytesIO
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, urlsplit

import requests
import urllib3
from requests.adapters import BaseAdapter
from requests.cookies import extract_cookies_to_jar
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers
from urllib3 import HTTPHeaderDict, Retry, Timeout
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError, ReadTimeoutError

from camunda_ext.testing.rest.messages import (
    LONGEST_HEAD,
    Answer,
    HangUp,
    NoConnection,
    ReadTimedOut,
    ask,
    page,
    to_environ,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class InProcessAdapter(BaseAdapter):
    """
    What asks an app where other adapters ask a server, and answers and raises as they do.

    The app runs in the thread of the caller. Nothing can stop it there when the caller's patience
    ends, so it finds that in ``environ["camunda_ext.read_timeout"]``, in seconds, if there is any
    such limit, and raises `ReadTimedOut` then. What else it raises, apart from `HangUp` and
    `NoConnection`, reaches the caller as it is: it is a bug.
    """

    def __init__(self, app: WSGIApplication) -> None:
        super().__init__()
        self._app = app
        #: As that of other adapters: nothing is tried twice, and a client may want to know.
        self.max_retries = Retry(0, read=False)

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """
        Ask the app.

        Raises:
            ValueError: The timeout is none.

            requests.ConnectionError: The app hung up, or was not there.

            requests.ReadTimeout: The app found that the caller waits no longer.
        """
        limit = _read_timeout(timeout)
        url = urlsplit(request.url or "")
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        try:
            answer = self._ask(request, url, target, limit)
        except ReadTimedOut:
            pool = HTTPConnectionPool(url.hostname or "", url.port)
            late = ReadTimeoutError(pool, target, f"Read timed out. (read timeout={limit})")
            raise requests.ReadTimeout(late, request=request) from None
        except HangUp:
            cut = RemoteDisconnected("Remote end closed connection without response")
            gone = ProtocolError("Connection aborted.", cut)
            raise requests.ConnectionError(gone, request=request) from None
        except NoConnection:
            refused = _refusal(url.hostname or "", url.port, target)
            raise requests.ConnectionError(refused, request=request) from None
        return self._to_response(request, target, answer)

    def close(self) -> None:
        """
        Do nothing: no connection is open.
        """

    def _ask(
        self, request: requests.PreparedRequest, url: SplitResult, target: str, limit: float | None
    ) -> Answer:
        method = request.method or "GET"
        host, port, authority = _origin(url.scheme, url.netloc)
        headers, size = _to_cgi(request.headers, authority)
        if len(f"{method} {target} HTTP/1.1\r\n\r\n") + size > LONGEST_HEAD:
            return page(400)
        content = _to_bytes(request.body)
        chunked = headers.pop("TRANSFER_ENCODING", None)
        if content or chunked:
            headers["CONTENT_LENGTH"] = str(len(content))
        environ = to_environ(
            method,
            target,
            headers.items(),
            BytesIO(content),
            scheme=url.scheme,
            host=host,
            port=port,
        )
        if limit is not None:
            environ["camunda_ext.read_timeout"] = limit
        return ask(self._app, environ)

    def _to_response(
        self, request: requests.PreparedRequest, target: str, answer: Answer
    ) -> requests.Response:
        headers = HTTPHeaderDict(answer.headers)
        response = requests.Response()
        response.status_code = answer.status
        response.reason = answer.reason
        response.url = request.url or ""
        response.request = request
        response.connection = self  # type: ignore[assignment]  # the stubs know no other adapters
        response.headers = CaseInsensitiveDict(headers.itermerged())
        response.encoding = get_encoding_from_headers(response.headers)
        response.raw = urllib3.HTTPResponse(
            BytesIO(answer.content),
            headers=headers,
            status=answer.status,
            version=11,
            version_string="HTTP/1.1",
            reason=answer.reason,
            preload_content=False,
            decode_content=False,
            # Requests looks for cookies there, and nowhere else; they are rare.
            original_response=_original(headers) if "Set-Cookie" in headers else None,
            retries=self.max_retries,
            request_method=request.method,
            request_url=target,
        )
        extract_cookies_to_jar(  # type: ignore[no-untyped-call]  # its stub says nothing
            response.cookies, request, response.raw
        )
        return response


def _read_timeout(timeout: Any) -> float | None:
    """
    Give the seconds that requests would wait for an answer, or refuse what it would refuse.
    """
    if timeout is None:
        return None
    if isinstance(timeout, Timeout):
        limits = timeout.clone()
    elif isinstance(timeout, tuple):
        connect, read = timeout
        limits = Timeout(connect=connect, read=read)
    else:
        limits = Timeout(connect=timeout, read=timeout)
    limits.start_connect()
    return limits.read_timeout


@lru_cache(maxsize=64)
def _origin(scheme: str, netloc: str) -> tuple[str, int, str]:
    """
    Give host and port, and what the header Host says of them.
    """
    usual = 443 if scheme == "https" else 80
    parts = urlsplit(f"{scheme}://{netloc}")
    host = parts.hostname or ""
    port = parts.port or usual
    authority = f"[{host}]" if ":" in host else host
    return host, port, authority if port == usual else f"{authority}:{port}"


def _to_cgi(given: Mapping[str, str | bytes], authority: str) -> tuple[dict[str, str], int]:
    """
    Give the headers that would be sent, those that urllib3 adds included, as CGI names them.

    Returns:
        The headers, and how many bytes they would take.
    """
    headers = {"HOST": authority, "ACCEPT_ENCODING": "identity", "USER_AGENT": _USER_AGENT}
    for name, value in given.items():
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        headers[_cgi_name(name)] = text.strip(" \t")
    return headers, sum(map(len, headers)) + sum(map(len, headers.values())) + 4 * len(headers)


@lru_cache(maxsize=256)
def _cgi_name(name: str) -> str:
    return name.upper().replace("-", "_")


def _to_bytes(body: Any) -> bytes:
    """
    Read a body as urllib3 would to send it.
    """
    if body is None:
        return b""
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode()
    if hasattr(body, "read"):
        body = (body.read(),)
    elif isinstance(body, bytearray | memoryview):
        return bytes(body)
    return b"".join(one.encode() if isinstance(one, str) else one for one in body)


def _refusal(host: str, port: int | None, target: str) -> MaxRetryError:
    """
    Give what urllib3 raises where nobody listens, with all that it grew from.
    """
    refused = ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
    failed = NewConnectionError(
        HTTPConnection(host, port), f"Failed to establish a new connection: {refused}"
    )
    failed.__cause__ = refused
    exhausted = MaxRetryError(HTTPConnectionPool(host, port), target, failed)
    exhausted.__cause__ = failed
    return exhausted


def _original(headers: HTTPHeaderDict) -> Any:
    """
    Give as much of a response of `http.client` as anybody looks at.
    """
    return SimpleNamespace(msg=headers, isclosed=lambda: True, close=lambda: None)


_USER_AGENT: Final = f"python-urllib3/{version('urllib3')}"
