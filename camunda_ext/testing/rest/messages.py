"""
What the ways to the engine have in common: the same request, and the same answer, by each.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from time import time
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

#: How many bytes the request line and the headers may have, as Tomcat is set up.
LONGEST_HEAD: Final = 8192


class HangUp(Exception):
    """
    The app gives no answer: the connection is closed without a byte.
    """


class ReadTimedOut(HangUp):
    """
    The client waits no longer, as the app has found by ``camunda_ext.read_timeout``.
    """


class NoConnection(Exception):
    """
    The app has done nothing: it is as if nobody listened.
    """


class Answer(NamedTuple):
    """
    An answer with all its headers, also those of the connection.
    """

    status: int
    reason: str
    headers: list[tuple[str, str]]
    content: bytes
    #: Whether the connection ends with it.
    closes: bool


def to_environ(
    method: str,
    target: str,
    headers: Iterable[tuple[str, str]],
    content: IO[bytes],
    *,
    scheme: str,
    host: str,
    port: int,
) -> WSGIEnvironment:
    """
    Give a request as WSGI wants it.

    Args:
        target: What the request line has between the method and the version. The app gets it
            unchanged as ``REQUEST_URI``: in ``PATH_INFO``, a slash and a ``%2F`` are the same.

        headers: As CGI names them, without ``HTTP_``.
    """
    path, _, query = target.partition("?")
    if not path.startswith("/"):
        path = "/" + path.partition("://")[2].partition("/")[2]
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "REQUEST_URI": target,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path.encode("latin-1")).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.input": content,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in headers:
        environ[name if name in _WITHOUT_PREFIX else "HTTP_" + name] = value
    return environ


def ask(app: WSGIApplication, environ: WSGIEnvironment, *, last: bool = False) -> Answer:
    """
    Have the app answer, and give the answer the headers that Tomcat gives it.

    Args:
        last: Whether the connection ends with this answer, whatever it is.
    """
    begun: list[tuple[str, list[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: object = None, /
    ) -> Any:
        begun.append((status, headers))
        return written.append

    pieces = app(environ, start_response)
    try:
        written.extend(pieces)
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()
    if not begun:
        raise RuntimeError("the app did not call start_response")
    status, headers = begun[-1]
    return _finished(environ, status, headers, b"".join(written), last=last)


def page(status: int, said: str | None = None) -> Answer:
    """
    Give Tomcat's own answer to what never gets as far as the engine, or what is *said* instead.
    """
    title = said or f"HTTP Status {status} \N{EN DASH} {HTTPStatus(status).phrase}"
    content = _PAGE.format(title=title).encode()
    headers = [
        ("Content-Type", "text/html;charset=utf-8"),
        ("Content-Language", "en"),
        ("Content-Length", str(len(content))),
        ("Date", _date(int(time()))),
        ("Connection", "close"),
    ]
    return Answer(status, "", headers, content, closes=True)


def _finished(
    environ: WSGIEnvironment,
    status_line: str,
    given: list[tuple[str, str]],
    content: bytes,
    *,
    last: bool,
) -> Answer:
    code, _, reason = status_line.partition(" ")
    status = int(code)
    headers = list(given)
    if status in _WITHOUT_BODY:
        headers = [pair for pair in headers if pair[0].lower() not in _OF_A_BODY]
        content = b""
    elif environ["REQUEST_METHOD"] != "HEAD":
        headers = [pair for pair in headers if pair[0].lower() != "content-length"]
        headers.append(("Content-Length", str(len(content))))
    else:
        # A HEAD is told how long the body would be, by the app or by the body it made in vain.
        if all(name.lower() != "content-length" for name, _ in headers):
            headers.append(("Content-Length", str(len(content))))
        content = b""
    headers.append(("Date", _date(int(time()))))
    asked = environ.get("HTTP_CONNECTION", "").lower()
    closes = last or status in _CLOSING or asked == "close"
    if closes:
        headers.append(("Connection", "close"))
    elif asked == "keep-alive":
        headers += (("Keep-Alive", "timeout=60"), ("Connection", "keep-alive"))
    return Answer(status, reason, headers, content, closes)


@lru_cache(maxsize=1)
def _date(now: int) -> str:
    return formatdate(now, usegmt=True)


_WITHOUT_PREFIX: Final = frozenset({"CONTENT_TYPE", "CONTENT_LENGTH"})
_WITHOUT_BODY: Final = frozenset({204, 304})
_OF_A_BODY: Final = frozenset({"content-type", "content-length"})

#: After these, Tomcat trusts neither the client nor itself (AbstractProcessor.java).
_CLOSING: Final = frozenset({400, 408, 411, 413, 414, 500, 501, 503})

_PAGE: Final = (
    '<!doctype html><html lang="en"><head><title>{title}</title><style type="text/css">'
    "body {{font-family:Tahoma,Arial,sans-serif;}} "
    "h1, h2, h3, b {{color:white;background-color:#525D76;}} "
    "h1 {{font-size:22px;}} h2 {{font-size:16px;}} h3 {{font-size:14px;}} p {{font-size:12px;}} "
    "a {{color:black;}} .line {{height:1px;background-color:#525D76;border:none;}}"
    "</style></head><body><h1>{title}</h1></body></html>"
)
