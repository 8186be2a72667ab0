"""
An adapter for sessions of `requests` that calls the engine without a socket.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.exceptions import NewConnectionError

from camunda_ext.testing.rest.messages import (
    Application,
    ConnectionClosed,
    ConnectionRefused,
    ReadTimedOut,
    Request,
    respond,
)


class InProcessAdapter(HTTPAdapter):
    """
    An adapter that passes requests to an application instead of a server.

    The application runs in the thread of the caller, where nothing can interrupt it when the
    caller's time-out ends. So it gets the time-out as `Request.read_timeout`, and ends by itself.
    Unexpected errors of the application reach the caller unchanged.

    Args:
        application: Answers the requests.
    """

    def __init__(self, application: Application) -> None:
        super().__init__()
        self._application = application

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
        The answer of the application.

        Raises:
            ValueError: The time-out is invalid.

            requests.ConnectionError: The connection was refused, or closed without an answer.

            requests.ReadTimeout: The application did not answer within the time-out.
        """
        read_timeout = _read_timeout(timeout)
        url = urlsplit(request.url or "")
        headers = {"host": url.netloc.rpartition("@")[2]}
        sent: Mapping[str, str | bytes] = request.headers
        for name, value in sent.items():
            text = value if isinstance(value, str) else value.decode("latin-1")
            headers[name.lower()] = text.strip()
        asked = Request(
            request.method or "GET",
            (url.path or "/") + (f"?{url.query}" if url.query else ""),
            headers,
            _content(request.body),
            url.scheme,
            read_timeout,
        )
        try:
            answer = respond(self._application, asked)
        except ConnectionRefused:
            # Without this cause, no client could tell that nothing has reached the engine: in a
            # ConnectionError of requests, urllib3's exception alone says so.
            refused = NewConnectionError(HTTPConnection(str(url.hostname)), "Connection refused")
            raise requests.ConnectionError(refused, request=request) from None
        except ReadTimedOut:
            late = f"Read timed out. (read timeout={read_timeout})"
            raise requests.ReadTimeout(late, request=request) from None
        except ConnectionClosed:
            closed = "Remote end closed connection without response"
            raise requests.ConnectionError(closed, request=request) from None
        raw = urllib3.HTTPResponse(
            BytesIO(answer.content),
            headers=urllib3.HTTPHeaderDict(answer.headers),
            status=answer.status,
            version=11,
            reason=answer.reason,
            preload_content=False,
            request_method=request.method,
        )
        return self.build_response(request, raw)


def _read_timeout(timeout: Any) -> float | None:
    """
    The time-out for the answer, in seconds; ``None`` if there is none.

    Raises:
        ValueError: The time-out is one that requests would refuse.
    """
    if timeout is None:
        return None
    if isinstance(timeout, urllib3.Timeout):
        limits = timeout.clone()
    else:
        connect, read = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        limits = urllib3.Timeout(connect=connect, read=read)
    limits.start_connect()
    return limits.read_timeout


def _content(body: Any) -> bytes:
    """
    The bytes of a body as requests would send them.
    """
    if isinstance(body, str | bytes | None):
        pieces = [body or b""]
    else:
        pieces = [body.read()] if hasattr(body, "read") else body
    return b"".join(each.encode() if isinstance(each, str) else each for each in pieces)
