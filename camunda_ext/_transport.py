"""
The way to the network: one attempt, bytes in and bytes out, on `requests`.
"""

from __future__ import annotations

import os
import ssl
import threading
import warnings
import weakref
from collections.abc import Iterator, Mapping
from time import monotonic
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import attrs
import requests
import urllib3
from requests.auth import AuthBase
from requests.utils import get_environ_proxies

from camunda_ext._request import HttpRequest, HttpResponse
from camunda_ext._version import __version__
from camunda_ext.auth import TokenUnavailable

_PIECE: Final = 64 * 1024


class TransportFailure(Exception):
    """
    No answer came.
    """

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        #: Whether the request may have left.
        self.sent = sent


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
    _own: requests.Session | None = None
    _verify: bool | str = True
    _cert: str | tuple[str, str] | None = attrs.field(default=None, repr=False)
    _proxies: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    _local: threading.local = attrs.field(factory=threading.local, init=False, repr=False)
    _opened: weakref.WeakSet[requests.Session] = attrs.field(
        factory=weakref.WeakSet, init=False, repr=False
    )
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)
    _closed: bool = attrs.field(default=False, init=False)

    def send(self, request: HttpRequest) -> HttpResponse:
        """
        Make one attempt; redirects are answers like any other.
        """
        if self._closed:
            raise RuntimeError("the client is closed")
        failure: TransportFailure
        try:
            return self._send(request)
        except TokenUnavailable as error:
            failure = TransportFailure(str(error), sent=False)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            failure = TransportFailure(_reason(error), sent=_was_sent(error))
        # Raised out here, so that the failure has no context: that one would hold the request.
        raise failure

    def close(self) -> None:
        """
        Close the sessions of all threads.
        """
        self._closed = True
        with self._lock:
            sessions = list(self._opened)
        for session in sessions:
            session.close()

    def _send(self, request: HttpRequest) -> HttpResponse:
        timeout = request.timeout
        deadline = None if timeout.total is None else monotonic() + timeout.total
        with self._session().request(
            request.method,
            request.url,
            data=request.content,
            headers={**self._headers, **request.headers},
            auth=self._auth,
            timeout=(timeout.connect, timeout.read),
            allow_redirects=False,
            stream=True,
        ) as response:
            return HttpResponse(
                status=response.status_code,
                headers={name.lower(): value for name, value in response.headers.items()},
                content=b"".join(_pieces(response, deadline)),
            )

    def _session(self) -> requests.Session:
        if self._own is not None:
            return self._own
        # A child process that shared its parent's connections would read the parent's answers.
        if getattr(self._local, "process", None) != os.getpid():
            self._local.session = self._open()
            self._local.process = os.getpid()
        session: requests.Session = self._local.session
        return session

    def _open(self) -> requests.Session:
        session = requests.Session()
        # With it, a netrc entry replaces the credentials, and a CA bundle overrules `verify`.
        session.trust_env = False
        session.verify = self._verify
        session.cert = self._cert
        session.proxies = dict(self._proxies)
        session.headers["User-Agent"] = (
            f"camunda_ext/{__version__} {session.headers['User-Agent']!s}"
        )
        with self._lock:
            self._opened.add(session)
        return session


def to_base(base_url: str) -> str:
    """
    Give the URL that the paths of all requests follow.
    """
    parts = urlsplit(base_url)
    if parts.username is not None or parts.password is not None:
        raise ValueError("base_url must not hold credentials: pass auth=(user, password)")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"base_url must begin with http:// or https:// and a host: {base_url!r}")
    if parts.query or parts.fragment:
        raise ValueError(f"base_url must end with its path: {base_url!r}")
    return base_url.rstrip("/")


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
        if verify is not True or cert is not None or proxies is not None:
            raise ValueError("with session=, set verify, cert and proxies on the session itself")
        return RequestsTransport(auth=auth, headers=headers, own=session)
    target = urlsplit(base_url)
    loopback = _is_loopback(target.hostname or "")
    if proxies is None:
        proxies = {} if loopback else get_environ_proxies(base_url)
    if verify is True:
        verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
    if isinstance(verify, str) and not os.path.exists(verify):
        raise ValueError(f"there is no CA bundle {verify!r}")
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
    for name, value in given.items():
        if not (name.isascii() and name.isprintable() and value.isascii() and value.isprintable()):
            raise ValueError(f"header {name!r} must be printable ASCII")
        if name.lower() == "authorization":
            raise ValueError("pass auth= instead of an Authorization header")
    return dict(given)


def _is_loopback(host: str) -> bool:
    return host == "localhost" or host == "::1" or host.startswith("127.")


def _pieces(response: requests.Response, deadline: float | None) -> Iterator[bytes]:
    """
    Read the body in what comes at a time: the read time-out alone does not end a drip.
    """
    if not hasattr(response.raw, "read1"):
        yield response.content  # an adapter of the user's own
        return
    while piece := response.raw.read1(_PIECE, decode_content=True):
        yield piece
        if deadline is not None and monotonic() > deadline:
            raise requests.ReadTimeout("the answer took longer than the whole call may take")


#: What `requests` raises before anything has left. All else may have been sent.
_NOT_SENT: Final[tuple[type[Exception], ...]] = (
    requests.ConnectTimeout,
    requests.exceptions.InvalidHeader,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.ProxyError,
    requests.exceptions.UnrewindableBodyError,
    requests.URLRequired,
)

#: What TLS says while it shakes hands, and never later.
_HANDSHAKE: Final = frozenset(
    {"HTTP_REQUEST", "NO_PROTOCOLS_AVAILABLE", "UNSUPPORTED_PROTOCOL", "WRONG_VERSION_NUMBER"}
)


def _was_sent(error: Exception) -> bool:
    if isinstance(error, _NOT_SENT):
        return False
    cause = _innermost(error)
    if isinstance(cause, urllib3.exceptions.NewConnectionError):
        return False
    if isinstance(cause, ssl.SSLCertVerificationError):
        return False
    return not (isinstance(cause, ssl.SSLError) and cause.reason in _HANDSHAKE)


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
    if isinstance(cause, urllib3.exceptions.NewConnectionError):
        return f"{type(cause).__name__}: {str(cause).rpartition(': ')[2]}"
    if isinstance(cause, OSError) and cause.strerror:
        return f"{type(error).__name__}: {cause.strerror}"
    return f"{type(error).__name__}: {_without_object(str(cause))}"


def _without_object(text: str) -> str:
    return text.rpartition("object at 0x")[2].partition(": ")[2] or text
