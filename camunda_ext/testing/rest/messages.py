"""
Requests and answers as values, for the HTTP server and the in-process adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from time import time
from typing import Final, NamedTuple

import attrs
from werkzeug.http import parse_set_header

#: How many bytes the request line and the headers may have together; the default of Tomcat.
LONGEST_HEAD: Final = 8192


class ConnectionClosed(Exception):
    """
    No answer: the server closes the connection without sending a byte.
    """


class ReadTimedOut(ConnectionClosed):
    """
    No answer, as the client has stopped waiting.
    """


class ConnectionRefused(Exception):
    """
    No answer: for the client it is to look as if no server listened. Nothing was executed.
    """


@attrs.frozen
class Request:
    """
    A request, with its body.
    """

    #: The HTTP method.
    method: str
    #: The path and the query, as they were sent.
    target: str
    #: The headers, by their names in lower case.
    headers: Mapping[str, str]
    content: bytes
    scheme: str = "http"
    #: How long the client waits for the answer, in seconds; ``None`` if unknown.
    read_timeout: float | None = None


class Answer(NamedTuple):
    """
    An answer, with its body.
    """

    status: int
    headers: list[tuple[str, str]]
    content: bytes

    @property
    def reason(self) -> str:
        """
        The reason phrase of the status.
        """
        return HTTPStatus(self.status).phrase

    @property
    def closes(self) -> bool:
        """
        Whether the server closes the connection after the answer.
        """
        return ("Connection", "close") in self.headers


Application = Callable[[Request], Answer]


def respond(application: Application, request: Request, *, is_last: bool = False) -> Answer:
    """
    The answer of an application, with the headers that Tomcat adds.

    Args:
        is_last: Whether the connection ends with this answer, whatever it is.
    """
    line = f"{request.method} {request.target} HTTP/1.1\r\n"
    headers = request.headers.items()
    head = len(line) + sum(len(f"{name}: {value}\r\n") for name, value in headers) + len("\r\n")
    answer = page(400) if head > LONGEST_HEAD else application(request)
    connection = parse_set_header(request.headers.get("connection"))
    return complete(
        answer,
        is_head=request.method == "HEAD",
        is_last=is_last or "close" in connection,
        keeps_alive="keep-alive" in connection,
    )


def complete(
    answer: Answer, *, is_head: bool = False, is_last: bool = False, keeps_alive: bool = False
) -> Answer:
    """
    An answer with the headers that Tomcat adds: length, date, and whether the connection stays.

    Args:
        is_head: Whether it answers a HEAD request, so that the body is left out.

        is_last: Whether the connection is closed after this answer in any case.

        keeps_alive: Whether the client has asked to keep the connection.
    """
    headers = list(answer.headers)
    if answer.status != HTTPStatus.NO_CONTENT:
        headers.append(("Content-Length", str(len(answer.content))))
    if not any(name == "Date" for name, _ in headers):
        headers.append(date_header(time()))
    if is_last or answer.status in _CLOSING:
        headers.append(("Connection", "close"))
    elif keeps_alive:
        headers += (("Keep-Alive", "timeout=60"), ("Connection", "keep-alive"))
    return Answer(answer.status, headers, b"" if is_head else answer.content)


def page(status: int, title: str | None = None) -> Answer:
    """
    The HTML page with which Tomcat answers requests that do not reach the engine.
    """
    title = title or f"HTTP Status {status} \N{EN DASH} {HTTPStatus(status).phrase}"
    headers = [("Content-Type", "text/html;charset=utf-8"), ("Content-Language", "en")]
    return Answer(status, headers, _PAGE.format(title=title).encode())


def date_header(now: float) -> tuple[str, str]:
    """
    The header with the time of an answer, in seconds since 1970.
    """
    return "Date", _date(int(now))


@lru_cache(maxsize=1)
def _date(now: int) -> str:
    return formatdate(now, usegmt=True)


#: The statuses after which Tomcat closes the connection (AbstractProcessor.java).
_CLOSING: Final = frozenset({400, 408, 411, 413, 414, 500, 501, 503, 505})

_PAGE: Final = (
    '<!doctype html><html lang="en"><head><title>{title}</title></head>'
    "<body><h1>{title}</h1></body></html>"
)
