"""
The way to the network: one attempt, bytes in and bytes out, on `requests`.
"""

from __future__ import annotations

import gzip
import os
import re
import ssl
import threading
import warnings
import weakref
import zlib
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from time import monotonic
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import attrs
import requests
import urllib3
from requests import Session as Session
from requests.auth import AuthBase
from requests.utils import get_environ_proxies

from camunda_ext._request import HttpRequest, HttpResponse
from camunda_ext._version import __version__
from camunda_ext.auth import AuthFailed

_PIECE: Final = 64 * 1024
#: Tomcat closes a connection without a word when it has rested for 60 seconds.
_LONGEST_REST: Final = 50.0


class TransportFailure(Exception):
    """
    No answer came.
    """

    def __init__(self, reason: str, *, sent: bool, status: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        #: Whether the request may have left.
        self.sent = sent
        #: The status of an answer that did not come whole.
        self.status = status


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


class _Session(requests.Session):
    """
    A session that takes a redirect for an answer, and does not even look where it leads.
    """

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """
        Give no target: to say what comes next, requests would read the body and parse the target.
        """
        return None


@attrs.define(eq=False)
class RequestsTransport:
    """
    A `Transport` with a `requests.Session` for each thread and process, or the user's own.
    """

    _auth: AuthBase | None = attrs.field(repr=False)
    _headers: Mapping[str, str] = attrs.field(repr=False)
    _injected: requests.Session | None = None
    _verify: bool | str = True
    _cert: str | tuple[str, str] | None = attrs.field(default=None, repr=False)
    _proxies: Mapping[str, str] = attrs.field(factory=dict, repr=False)
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
            raise RuntimeError("the client is closed")
        timeout = request.timeout
        deadline = None if timeout.total is None else monotonic() + timeout.total
        status: int | None = None
        try:
            with self._ask(request) as response:
                status = response.status_code
                if status < 200:
                    # The real answer is to come, and would be taken for that of the next request.
                    response.connection.close()
                return HttpResponse(
                    status=status,
                    headers={name.lower(): value for name, value in response.headers.items()},
                    content=self._read(response, deadline),
                )
        except AuthFailed as error:
            failure = TransportFailure(str(error), sent=False)
        except _FAILURES as error:
            sent = status is not None or self._was_sent(error, request.url)
            failure = TransportFailure(_reason(error), sent=sent, status=status)
        # Raised out here, so that the failure has no context: that one would hold the request.
        raise failure

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
        timeout = request.timeout
        connect, read = (
            min(filter(None, (one, timeout.total)), default=None)
            for one in (timeout.connect, timeout.read)
        )
        return self._session().request(
            request.method,
            request.url,
            data=request.content,
            headers={**self._headers, **request.headers},
            auth=self._auth,
            timeout=(connect, read),
            allow_redirects=False,
            stream=True,
        )

    def _read(self, response: requests.Response, deadline: float | None) -> bytes:
        injected = self._injected is not None
        if (injected and response.is_redirect) or not hasattr(response.raw, "read1"):
            # Requests has read it, to say what comes next; or an adapter of the user's own will.
            return response.content
        content = b"".join(_pieces(response.raw, deadline, decode=injected))
        encoding = response.headers.get("Content-Encoding", "identity").lower()
        if injected or encoding == "identity":
            return content
        if encoding != "gzip":
            raise requests.exceptions.ContentDecodingError(f"{encoding} was not asked for")
        try:
            return gzip.decompress(content)  # urllib3 takes half a stream for a whole one
        except (EOFError, OSError, zlib.error):
            raise requests.exceptions.ContentDecodingError("broken gzip") from None

    def _was_sent(self, error: Exception, url: str) -> bool:
        """
        Tell whether a request may have left; requests says the same of a reset and a refusal.
        """
        if isinstance(error, _NEVER_SENT):
            return False
        if self._injected is not None and _retries(self._injected, url):
            return True  # The last of several tries says nothing about the first.
        if isinstance(error, requests.exceptions.ProxyError) and url.startswith("https:"):
            return False  # TLS begins when the proxy has connected.
        cause = _innermost(error)
        if isinstance(error, requests.ConnectTimeout) or isinstance(cause, _NOT_CONNECTED):
            return False
        return not (isinstance(cause, ssl.SSLError) and cause.reason in _HANDSHAKE)

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
        session = _Session()
        # With it, a netrc entry replaces the credentials, and a CA bundle overrules `verify`.
        session.trust_env = False
        session.verify = self._verify
        session.cert = self._cert
        session.proxies = dict(self._proxies)
        session.headers["Accept-Encoding"] = "gzip"
        session.headers["User-Agent"] = (
            f"camunda_ext/{__version__} {session.headers['User-Agent']!s}"
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
        return RequestsTransport(auth=auth, headers=headers, injected=session)
    target = urlsplit(base_url)
    loopback = _is_loopback(target.hostname or "")
    if proxies is None:
        proxies = {} if loopback else get_environ_proxies(base_url)
    if verify is True:
        verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
    if isinstance(verify, str) and not os.path.exists(verify):
        raise ValueError(f"verify: there is no CA bundle {verify!r}")
    for path in (cert,) if isinstance(cert, str) else cert or ():
        if not os.path.exists(path):
            raise ValueError(f"cert: there is no file {path!r}")
    if verify is False:
        warnings.warn(
            "verify=False: anybody on the way can read and change what is sent", stacklevel=3
        )
    if target.scheme == "http" and auth is not None and not loopback:
        warnings.warn(
            f"credentials go to {target.hostname} by plain http, for anybody on the way to read",
            stacklevel=3,
        )
    return RequestsTransport(auth=auth, headers=headers, verify=verify, cert=cert, proxies=proxies)


def _to_headers(given: Mapping[str, str]) -> dict[str, str]:
    if not isinstance(given, Mapping):
        raise TypeError("headers must be a mapping")
    if not all(isinstance(one, str) for pair in given.items() for one in pair):
        raise TypeError("names and values of headers must be str")
    for name, value in given.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a header")
        if not (value.isascii() and value.isprintable() and value == value.strip()):
            raise ValueError(
                f"the header {name!r} must be printable ASCII, without spaces around it"
            )
        if name.lower() == "authorization":
            raise ValueError("pass auth= instead of an Authorization header")
    return dict(given)


_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _retries(session: requests.Session, url: str) -> bool:
    retries = getattr(session.get_adapter(url), "max_retries", None)
    return getattr(retries, "total", None) != 0


def _pieces(raw: Any, deadline: float | None, *, decode: bool) -> Iterator[bytes]:
    """
    Read the body in what comes at a time: the read time-out alone does not end a drip.
    """
    while piece := raw.read1(_PIECE, decode_content=decode):
        yield piece
        if deadline is not None and monotonic() > deadline:
            raise requests.ReadTimeout("the answer took longer than the whole call may take")


#: What requests raises, or lets through from below.
_FAILURES: Final = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    OSError,
    ValueError,
)

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

#: What TLS says while it shakes hands, and never later.
_HANDSHAKE: Final = frozenset(
    {"HTTP_REQUEST", "NO_PROTOCOLS_AVAILABLE", "UNSUPPORTED_PROTOCOL", "WRONG_VERSION_NUMBER"}
)


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
    return f"{type(error).__name__}: {_without_object(str(cause))}"


def _without_object(text: str) -> str:
    return text.rpartition("object at 0x")[2].partition(": ")[2] or text
