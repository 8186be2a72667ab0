"""
The way to the network: one attempt, bytes in and bytes out, on `requests`.
"""

from __future__ import annotations

import os
import ssl
import sys
import threading
import weakref
import zlib
from collections.abc import Iterator, Mapping
from time import monotonic
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import attrs
import requests
import urllib3
from requests import Session as Session
from requests.auth import AuthBase
from requests.utils import default_user_agent
from urllib3 import HTTPHeaderDict

from camunda_ext._reach import Reach, check_header, to_reach
from camunda_ext._request import HttpRequest, HttpResponse
from camunda_ext._retry import Came
from camunda_ext._session import FAILURES, LeanSession, is_plain, prepare, stay
from camunda_ext._version import __version__
from camunda_ext.auth import AuthFailed

_PIECE: Final = 64 * 1024
#: How many bytes are read as a whole; where an answer does not state its length, or a wrong one,
#: there has to be room for as many.
_AT_ONCE: Final = 1024 * 1024
#: How many bytes an answer may have, unless a client says otherwise.
LARGEST_ANSWER: Final = 64 * 1024 * 1024
#: What is left to wait, in seconds, when nothing is; none at all would mean not to wait in sockets.
_SHORTEST: Final = 0.001
#: What is shorter may stand in any page by chance.
_SHORTEST_SECRET: Final = 6
#: For zlib: a stream with the head of gzip, of any window.
_GZIP: Final = 31
#: A stream of gzip may have several members; one that has many is made to keep us busy.
_MOST_MEMBERS: Final = 100
#: Tomcat closes a connection without a word when it has rested for 60 seconds.
_LONGEST_REST: Final = 50.0


class TransportFailure(Exception):
    """
    No answer came, or not all of it.
    """

    def __init__(
        self,
        reason: str,
        *,
        sent: bool = True,
        again: bool = True,
        how: Came = Came.NO_ANSWER,
        status: int | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        #: Whether the request may have left.
        self.sent = sent
        #: Whether it may go better the next time.
        self.again = again
        #: In which way no answer came.
        self.how = how
        #: The status of an answer that did not come whole.
        self.status = status


class Closed(RuntimeError):
    """
    The client is closed, and sends nothing any more.
    """


class Transport(Protocol):
    """
    What a client needs of the network.
    """

    def send(self, request: HttpRequest) -> HttpResponse:
        """
        Make one attempt.

        Raises:
            TransportFailure: No answer came, or not all of it.
        """


@attrs.define(eq=False)
class RequestsTransport:
    """
    A `Transport` with a `requests.Session` for each thread and process, or the user's own.
    """

    _auth: AuthBase | None = attrs.field(repr=False)
    _headers: Mapping[str, str] = attrs.field(repr=False)
    _injected: requests.Session | None = None
    _reach: Reach | None = None
    _max_answer: int = LARGEST_ANSWER
    # The scheme and host of all URLs, as they are given and as they are sent.
    _origin: tuple[str, str] = attrs.field(default=("", ""), init=False)
    _local: threading.local = attrs.field(factory=threading.local, init=False, repr=False)
    # By id, for all threads; without a lock, which a fork could leave locked in the child.
    _opened: weakref.WeakValueDictionary[int, requests.Session] = attrs.field(
        factory=weakref.WeakValueDictionary, init=False, repr=False
    )
    _closed: bool = attrs.field(default=False, init=False)

    def send(self, request: HttpRequest) -> HttpResponse:
        """
        Make one attempt; redirects are answers like any other.
        """
        if self._closed:
            raise Closed("the client is closed")
        status: int | None = None
        raised: BaseException
        try:
            with self._ask(request) as response:
                status = response.status_code
                if status < 200:
                    # The real answer is to come, and would be taken for that of the next request.
                    response.connection.close()
                content = self._read(response, request.deadline)
                if status >= 300 or "html" in response.headers.get("Content-Type", ""):
                    content = self._without_secrets(content, response)
                headers = _lower(response.headers)
                answer = HttpResponse(status=status, headers=headers, content=content)
            self._local.used = monotonic()
            return answer
        except AuthFailed as error:
            raised = TransportFailure(str(error), sent=False, again=error.passes)
        except _TooLarge as error:
            raised = TransportFailure(str(error), how=Came.TOO_LARGE, status=status)
        except FAILURES as error:
            raised = TransportFailure(
                _reason(error),
                sent=status is not None or self._was_sent(error, request.url),
                again=not isinstance(error, _NEVER_SENT)
                and not isinstance(_innermost(error), ssl.SSLCertVerificationError),
                how=Came.TIMED_OUT if _is_timeout(error) else Came.NO_ANSWER,
                status=status,
            )
        except BaseException as error:  # noqa: BLE001  # Ctrl-C, a limit of time, a mistake
            # Its frames would show the request to whoever looks at local variables.
            raised = error.with_traceback(None)
            raised.__cause__ = raised.__context__ = None
        # Raised out here, so that the failure has no context: that one would hold the request.
        raise raised

    def close(self) -> None:
        """
        Close the sessions of all threads.
        """
        self._closed = True
        for opened in self._opened.valuerefs():
            session = opened()
            if session is not None:
                session.close()

    def _ask(self, request: HttpRequest) -> requests.Response:
        session = self._session()
        headers = request.headers
        if self._injected is not None:
            headers = {**self._headers, **headers}
        if not isinstance(session, LeanSession) and not is_plain(session):
            return session.request(
                request.method,
                request.url,
                data=request.content,
                headers=headers,
                auth=self._auth,
                timeout=_within(request, uploads=True),
                allow_redirects=False,
                stream=True,
                hooks={"response": [*session.hooks["response"], stay]},
            )
        if isinstance(session, LeanSession):
            session.under_way.is_sent = False
            session.under_way.deadline = request.deadline
        prepared = prepare(
            session, request.method, self._to_url(request.url), headers, request.content, self._auth
        )
        if request.deadline is not None and monotonic() >= request.deadline:
            # To get credentials may have taken all the time.
            raise requests.ConnectTimeout("the call was to be over before it began")
        if isinstance(session, LeanSession):
            waits = _within(request)
            session.under_way.read = waits[1]
            return session.send(prepared, timeout=waits, stream=True)
        prepared.hooks["response"].append(stay)
        return session.send(
            prepared,
            timeout=_within(request, uploads=True),
            stream=True,
            allow_redirects=False,
            proxies=session.proxies,
            verify=session.verify,
            cert=session.cert,
        )

    def _to_url(self, url: str) -> str:
        """
        Give a URL with its host as requests writes it, such as one with an umlaut.
        """
        end = url.index("/", len("https://"))
        if self._origin[0] != url[:end]:
            prepared = requests.Request("GET", f"{url[:end]}/").prepare()
            self._origin = url[:end], str(prepared.url).rstrip("/")
        return self._origin[1] + url[end:]

    def _read(self, response: requests.Response, deadline: float | None) -> bytes:
        if not hasattr(response.raw, "read1"):  # an adapter of the user's own has read it
            if len(response.content) > self._max_answer:
                raise _TooLarge(self._max_answer)
            return response.content
        encoding = response.headers.get("Content-Encoding", "identity").lower()
        # What the user's own session has asked for besides, urllib3 undoes; but of gzip it takes
        # half a stream for a whole one.
        decode = self._injected is not None and encoding not in ("identity", "gzip")
        at_once = self._injected is None
        pieces = _pieces(response.raw, deadline, self._max_answer, decode=decode, at_once=at_once)
        content = b"".join(pieces)
        if decode or encoding == "identity":
            return content
        if encoding != "gzip":
            raise requests.exceptions.ContentDecodingError(f"{encoding} was not asked for")
        return _gunzip(content, self._max_answer)

    def _without_secrets(self, content: bytes, response: requests.Response) -> bytes:
        """
        Give a page without the credentials of the request: some show what they were asked.
        """
        signed = response.request.headers.get("Authorization") or ""
        for value in (signed, *self._headers.values()):
            for shown in (value, str(value).rpartition(" ")[2]):
                hidden = str(shown).encode("latin-1", "replace")
                if len(hidden) >= _SHORTEST_SECRET:
                    content = content.replace(hidden, b"***")
        return content

    def _was_sent(self, error: Exception, url: str) -> bool:
        """
        Tell whether a request may have left.
        """
        if self._injected is None:
            session: LeanSession = self._local.session
            return session.under_way.is_sent
        # Of the user's own session there are only exceptions to go by, and requests says the same
        # of a reset and a refusal.
        if isinstance(error, _NEVER_SENT):
            return False
        if _retries(self._injected, url):
            return True  # The last of several tries says nothing about the first.
        if isinstance(error, requests.ConnectTimeout):
            return False
        return not isinstance(_innermost(error), _NOT_CONNECTED)

    def _session(self) -> requests.Session:
        if self._injected is not None:
            return self._injected
        # A child process that shared its parent's connections would read the parent's answers.
        if getattr(self._local, "process", None) != os.getpid():
            self._local.session = self._open()
            self._local.process = os.getpid()
        elif monotonic() - self._local.used > _LONGEST_REST:
            self._local.session.close()  # its connections; it opens new ones
        self._local.used = monotonic()
        session: requests.Session = self._local.session
        return session

    def _open(self) -> requests.Session:
        assert self._reach is not None  # noqa: S101  # for the sessions that are opened here
        session = LeanSession(
            self._reach,
            headers={
                "Accept-Encoding": "gzip",
                "User-Agent": f"camunda_ext/{__version__} {default_user_agent()}",
                **self._headers,
            },
        )
        self._opened[id(session)] = session
        return session


def to_base(base_url: object) -> str:
    """
    Give the URL that the paths of all requests follow.

    Raises:
        TypeError, ValueError: It is none. It is not repeated, for a mistyped URL may hold a
            password anywhere.
    """
    if not isinstance(base_url, str):
        raise TypeError(f"base_url must be a str, not {type(base_url).__name__}")
    problem = _problem_of(base_url)
    if problem is not None:
        raise ValueError(f"base_url {problem}")
    return base_url.rstrip("/")


def _problem_of(base_url: str) -> str | None:
    try:
        parts = urlsplit(base_url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is no URL: look at its host and port"
    if "@" in parts.netloc:
        return "must not hold credentials: pass auth=(user, password)"
    if parts.scheme not in ("http", "https") or not host:
        return "must begin with http:// or https:// and a host"
    if parts.query or parts.fragment or "?" in base_url or "#" in base_url:
        return "must end with its path"
    if not base_url.isprintable() or " " in base_url or "\\" in base_url:
        return "must have no space, backslash or control character"
    return None


def to_transport(
    base_url: str,
    *,
    auth: AuthBase | None,
    headers: Mapping[str, str],
    session: requests.Session | None,
    verify: bool | str,
    cert: str | tuple[str, str] | None,
    proxies: Mapping[str, str] | None,
    max_answer: int = LARGEST_ANSWER,
) -> RequestsTransport:
    """
    Make the transport of a client for one engine, and warn of what would give secrets away.
    """
    headers = _to_headers(headers)
    if session is not None:
        if not isinstance(session, requests.Session):
            raise TypeError(f"session must be a requests.Session, not {type(session).__name__}")
        if verify is not True or cert is not None or proxies is not None:
            raise ValueError("with session=, set verify, cert and proxies on the session itself")
        return RequestsTransport(
            auth=auth, headers=headers, injected=session, max_answer=max_answer
        )
    reach = to_reach(
        base_url,
        verify=verify,
        cert=cert,
        proxies=proxies,
        has_credentials=auth is not None,
        stacklevel=4,
    )
    return RequestsTransport(auth=auth, headers=headers, reach=reach, max_answer=max_answer)


def _to_headers(given: Mapping[str, str]) -> dict[str, str]:
    if not isinstance(given, Mapping):
        raise TypeError("headers must be a mapping")
    for name, value in given.items():
        check_header(name, value)
        if name.lower() == "authorization":
            raise ValueError("pass auth= instead of an Authorization header")
    return dict(given)


def _retries(session: requests.Session, url: str) -> bool:
    retries = getattr(session.get_adapter(url), "max_retries", None)
    return getattr(retries, "total", None) != 0


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    # A header that came twice is one with both values.
    pairs = headers.itermerged() if isinstance(headers, HTTPHeaderDict) else headers.items()
    return {name.lower(): value for name, value in pairs}


def _within(request: HttpRequest, *, uploads: bool = False) -> tuple[float | None, float | None]:
    """
    Give how long to wait for a connection and for a piece of the answer, before all must be over.

    Args:
        uploads: Whether the body, if it is large, is sent under the time-out for the connection.
    """
    connect, read = request.timeout.connect, request.timeout.read
    if uploads and len(request.content or b"") > _PIECE and connect is not None:
        connect = read if read is None else max(connect, read)
    if request.deadline is None:
        return connect, read
    left = max(request.deadline - monotonic(), _SHORTEST)
    return (
        left if connect is None else min(connect, left),
        left if read is None else min(read, left),
    )


class _TooLarge(requests.RequestException):
    """
    More came than an answer may have.
    """

    def __init__(self, most: int) -> None:
        super().__init__(f"the answer has more than {most} bytes: see max_answer=")


def _pieces(
    raw: Any, deadline: float | None, most: int, *, decode: bool, at_once: bool
) -> Iterator[bytes]:
    """
    Read the body in what comes at a time: the read time-out alone does not end a drip.

    Args:
        at_once: Whether it is read as a whole, from a connection that keeps to the deadline itself.
    """
    got = 0
    while piece := (
        raw.read(min(most + 1 - got, _AT_ONCE), decode_content=False)
        if at_once
        else raw.read1(_PIECE, decode_content=decode)
    ):
        got += len(piece)
        if got > most:
            raise _TooLarge(most)
        yield piece
        if not decode and raw.length_remaining == 0:
            return
        if deadline is not None and monotonic() > deadline:
            raise requests.ReadTimeout("the answer took longer than the whole call may take")


def _gunzip(content: bytes, most: int) -> bytes:
    """
    Unpack a body: a small one may hold a thousand times its size.
    """
    unpacked = b""
    for _ in range(_MOST_MEMBERS):
        unpacker = zlib.decompressobj(wbits=_GZIP)
        try:
            left = min(most + 1 - len(unpacked), sys.maxsize)
            unpacked += unpacker.decompress(content, left)
        except zlib.error:
            break
        if len(unpacked) > most:
            raise _TooLarge(most)
        content = unpacker.unused_data
        if unpacker.eof and not content:
            return unpacked
        if not unpacker.eof:
            break
    raise requests.exceptions.ContentDecodingError("broken gzip")


#: What is raised before there is anything to send.
_NEVER_SENT: Final[tuple[type[Exception], ...]] = (
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.URLRequired,
    urllib3.exceptions.LocationParseError,
)

#: What it comes from if there was never a connection.
_NOT_CONNECTED: Final = (
    ssl.SSLCertVerificationError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.NewConnectionError,
)


def _is_timeout(error: Exception) -> bool:
    # Within a body, requests wraps the time-out of urllib3 into something else.
    timeouts = (requests.ReadTimeout, urllib3.exceptions.TimeoutError, TimeoutError)
    return isinstance(error, timeouts) or isinstance(_innermost(error), timeouts)


def _innermost(error: Any) -> Any:
    """
    Give what a chain of wrapped exceptions started with.
    """
    for _ in range(10):
        inner = getattr(error, "reason", None)
        if not isinstance(inner, Exception):
            inner = next((one for one in error.args if isinstance(one, Exception)), None)
        if inner is None or isinstance(error, urllib3.exceptions.NewConnectionError):
            break
        error = inner
    return error


def _reason(error: Exception) -> str:
    """
    Say what went wrong, without the URL and the objects that the exception's own text shows.
    """
    cause = _innermost(error)
    if isinstance(cause, ValueError):
        return type(error).__name__  # Its text may quote a header.
    if isinstance(cause, urllib3.exceptions.NewConnectionError):
        return f"{type(cause).__name__}: {str(cause).rpartition(': ')[2]}"
    if isinstance(cause, OSError) and cause.strerror:
        return f"{type(error).__name__}: {cause.strerror}"
    # How long it was waited for depends on what was left of the call.
    told = _without_object(str(cause)).partition(" (read timeout=")[0]
    return f"{type(error).__name__}: {told}"


def _without_object(text: str) -> str:
    return text.rpartition("object at 0x")[2].partition(": ")[2] or text
