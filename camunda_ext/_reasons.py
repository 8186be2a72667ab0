"""
Why no answer came: what an exception of the HTTP library means, in words that hold no secret.

The library's own words may quote headers and URLs with credentials, so that only those are passed
on that are known to be harmless.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Mapping
from http.client import BadStatusLine, HTTPException, InvalidURL, RemoteDisconnected
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import requests
import urllib3
from requests.utils import get_environ_proxies, select_proxy
from urllib3.exceptions import HTTPError
from urllib3.util.ssl_match_hostname import CertificateError

from camunda_ext._tracebacks import LIBRARIES, raised_by


class Told(NamedTuple):
    """
    What is said of an exception.
    """

    #: Why no answer came.
    reason: str

    #: What to do about it; empty if there is no more to say.
    hint: str = ""

    #: Whether it may go better the next time.
    passes: bool = True


#: What says that something went wrong on the way, whoever raises it.
_OF_NETWORKS: Final = (
    requests.RequestException,
    HTTPError,
    HTTPException,
    ConnectionError,
    TimeoutError,
    socket.gaierror,
)
#: What is raised before there is anything to send.
_NEVER_SENT: Final[tuple[type[Exception], ...]] = (
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.URLRequired,
    InvalidURL,
    urllib3.exceptions.LocationParseError,
)

#: What it comes from if there was never a connection.
_NOT_CONNECTED: Final = (
    CertificateError,
    ssl.SSLCertVerificationError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.NewConnectionError,
)


def is_of_the_way(error: Exception) -> bool:
    """
    Tell whether an exception says that something went wrong on the way, and not in code of the
    user's that the HTTP library has called, nor in ours.
    """
    if isinstance(error, _OF_NETWORKS):
        return True
    raising = raised_by(error)
    if raising == "camunda_ext":
        return isinstance(error, OSError)  # from the operating system
    return raising in LIBRARIES


def is_never_sent(error: Exception, proxy: str | None) -> bool:
    """
    Tell whether an exception is raised before there is anything to send.
    """
    return (
        isinstance(error, _NEVER_SENT)
        or isinstance(_innermost(error), _NEVER_SENT)
        or not (proxy is None or _has_host(proxy))
    )


def is_before_connected(error: Exception) -> bool:
    """
    Tell whether an exception says that there was no connection to send anything on.
    """
    return isinstance(error, requests.ConnectTimeout) or isinstance(
        _innermost(error), _NOT_CONNECTED
    )


def is_timeout(error: Exception) -> bool:
    """
    Tell whether an exception says that no answer came in time.
    """
    # Within a body, requests wraps the time-out of urllib3 into something else.
    cause = _innermost(error)
    if isinstance(cause, urllib3.exceptions.NewConnectionError):
        return False  # It is a kind of time-out to urllib3 alone.
    timeouts = (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)
    return isinstance(error, timeouts) or isinstance(cause, timeouts)


def proxy_of(url: str, proxies: Mapping[str, str], *, trust_env: bool) -> str | None:
    """
    Give the URL of the proxy that is asked for a *url*; ``None`` for none.
    """
    of_environment = get_environ_proxies(url) if trust_env else {}
    chosen: str | None = select_proxy(url, {**of_environment, **proxies})
    return chosen


def told_of(error: Exception, url: str, proxy: str | None) -> Told:
    """
    Say why no answer came.

    Args:
        proxy: The URL of the proxy on the way, which may hold credentials.
    """
    name, cause = type(error).__name__, _innermost(error)
    if not (proxy is None or _has_host(proxy)):
        hint = "Look at proxies=, or at the environment: HTTPS_PROXY, HTTP_PROXY and ALL_PROXY."
        return Told(f"{name}: the URL of the proxy is none", hint, passes=False)
    if isinstance(error, requests.exceptions.InvalidSchema) and "SOCKS" in str(error):
        return Told(f"{name}: a SOCKS proxy needs a package of its own", _SOCKS, passes=False)
    if isinstance(error, _NEVER_SENT) or isinstance(cause, (UnicodeError, *_NEVER_SENT)):
        host = urlsplit(url).hostname or ""
        return Told(f"{name}: {host!r:.80} is no name of a host", "Look at the URL.", passes=False)
    if isinstance(cause, (ssl.SSLError, CertificateError)):
        return _told_of_tls(name, cause)
    if isinstance(cause, urllib3.exceptions.NewConnectionError):
        return _told_of_connection(error, cause, proxy)
    if isinstance(cause, OSError) and cause.strerror:
        return Told(f"{name}: {cause.strerror}", _hint_of(cause.strerror))
    if not isinstance(cause, (OSError, HTTPError, HTTPException)):
        return Told(name)  # Its text may quote a header.
    if isinstance(cause, BadStatusLine) and not isinstance(cause, RemoteDisconnected):
        return Told(f"{name}: {_NO_HTTP}")  # The server may have sent back what it was sent.
    # How long it was waited for depends on what was left of the call.
    said = _without_object(str(cause)).partition(" (read timeout=")[0]
    return Told(f"{name}: {said}".rstrip(": "), _hint_of(said))


def _told_of_tls(name: str, cause: ssl.SSLError | CertificateError) -> Told:
    if isinstance(cause, (ssl.SSLCertVerificationError, CertificateError)):
        said = getattr(cause, "verify_message", None) or str(cause)
        return Told(f"{name}: {said.rstrip('.')}", _CERTIFICATE, passes=False)
    hint = next((hint for sign, hint in _OF_TLS.items() if sign in (cause.reason or "")), "")
    return Told(f"{name}: {cause.strerror or cause}", hint, passes=not hint)


_NO_HTTP: Final = "what came is no answer of HTTP"
_CERTIFICATE: Final = (
    "The certificate is not trusted: pass the path of its CA bundle as verify=, or have the "
    "certificate put right."
)
_CLIENT_CERTIFICATE: Final = "If the server asks for a client certificate, pass it as cert=."
_NO_TLS: Final = "The server does not speak TLS there: does its URL begin with http://?"
#: What parts of OpenSSL's own codes say about what is wrong for good.
_OF_TLS: Final = {
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "RECORD_LAYER_FAILURE": _NO_TLS,
    "CERTIFICATE": _CLIENT_CERTIFICATE,
    "HANDSHAKE_FAILURE": _CLIENT_CERTIFICATE,
    "UNKNOWN_CA": _CLIENT_CERTIFICATE,
    "PROTOCOL_VERSION": "The server speaks another version of TLS than this machine's OpenSSL.",
}
_SOCKS: Final = "pip install 'requests[socks]'."
_PROXY_AUTH: Final = "The proxy wants credentials: they belong in its URL, see proxies=."


def _hint_of(said: str) -> str:
    return _PROXY_AUTH if "407" in said else ""


def _has_host(url: str) -> bool:
    try:
        parts = urllib3.util.parse_url(url)
        (parts.host or "").encode("idna")
    except (urllib3.exceptions.LocationParseError, UnicodeError):
        return False
    # Until its version 2.8, urllib3 takes a blank as a part of a host's name.
    return bool(re.fullmatch(r"[^\s\x00-\x1f\x7f]+", parts.host or "")) and parts.scheme in _SCHEMES


_SCHEMES: Final = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")


def _told_of_connection(
    error: Exception, cause: urllib3.exceptions.NewConnectionError, proxy: str | None
) -> Told:
    said = str(cause).rpartition(": ")[2]
    if proxy is None:
        return Told(f"{type(cause).__name__}: {said}")
    # Its credentials come before an "@".
    host = urlsplit(proxy).netloc.rpartition("@")[2] or proxy.rpartition("@")[2]
    return Told(f"{type(error).__name__}: no connection to the proxy {host}: {said}")


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


def _without_object(text: str) -> str:
    return text.rpartition("object at 0x")[2].partition(": ")[2] or text
