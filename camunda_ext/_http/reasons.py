"""
Why no answer came: what an exception of the HTTP library means, in a text without secrets.

The messages of the library may quote headers and URLs with credentials, so only those are passed on
that are known to be harmless.
"""

from __future__ import annotations

import re
import socket
import ssl
from http.client import BadStatusLine, HTTPException, InvalidURL, RemoteDisconnected
from typing import Any, Final
from urllib.parse import urlsplit

import requests
import urllib3
from requests.utils import get_environ_proxies, prepend_scheme_if_needed, select_proxy
from urllib3.exceptions import HTTPError
from urllib3.util.ssl_match_hostname import CertificateError

from camunda_ext._http.messages import FailureKind, TransportFailure
from camunda_ext._secrets.tracebacks import LIBRARIES, is_from_hook, raised_by

#: Exceptions about the network, whatever package raises them.
_ABOUT_NETWORK: Final = (
    requests.RequestException,
    HTTPError,
    HTTPException,
    ConnectionError,
    TimeoutError,
    socket.gaierror,
)
#: Exceptions about an invalid URL, raised before anything is sent.
_ABOUT_URLS: Final[tuple[type[Exception], ...]] = (
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.URLRequired,
    InvalidURL,
    urllib3.exceptions.LocationParseError,
    urllib3.exceptions.ProxySchemeUnknown,
    UnicodeError,
)

#: Exceptions of urllib3 about a connection that was not established.
_CONNECT_ERRORS: Final = (
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.NewConnectionError,
)
#: The innermost exceptions if no connection was established.
_NOT_CONNECTED: Final = (CertificateError, ssl.SSLCertVerificationError, *_CONNECT_ERRORS)


def is_about_connection(error: Exception) -> bool:
    """
    Whether an exception is about the connection to the engine, rather than from user code that the
    HTTP library has called, or from this package.
    """
    raising = raised_by(error)
    if raising not in LIBRARIES and is_from_hook(error):
        return False  # The hook may have used another connection.
    if isinstance(error, _ABOUT_NETWORK):
        return True
    if raising == "camunda_ext":
        return isinstance(error, OSError)  # from the operating system
    return raising in LIBRARIES


def proxy_of(url: str, session: requests.Session) -> str | None:
    """
    The URL of the proxy for a *url*, which may hold credentials; ``None`` if there is none.
    """
    of_environment = get_environ_proxies(url) if session.trust_env else {}
    proxy: str | None = select_proxy(url, {**of_environment, **session.proxies})
    return proxy


def failure_of(error: Exception, session: requests.Session, url: str) -> TransportFailure:
    """
    Why no answer came, and whether the request was sent, as far as the exception tells.
    """
    name, cause = type(error).__name__, _innermost(error)
    proxy = proxy_of(url, session)
    wrong = _wrong_setting(error, cause, url, proxy)
    if wrong is not None:
        text, hint = wrong
        return TransportFailure(f"{name}: {text}", sent=False, is_temporary=False, hint=hint)
    hint, is_temporary = "", True
    if isinstance(cause, (ssl.SSLError, CertificateError)):
        asked = "proxy" if isinstance(error, requests.exceptions.ProxyError) else "server"
        text, hint = _reason_of_tls(cause, asked)
        is_temporary = not hint
    elif isinstance(cause, _CONNECT_ERRORS) and proxy is not None:
        # Its credentials come before an "@".
        host = urlsplit(proxy).netloc.rpartition("@")[2] or proxy.rpartition("@")[2]
        text = f"no connection to the proxy {host}: {_text_of(cause).rpartition(': ')[2]}"
    elif isinstance(cause, urllib3.exceptions.NewConnectionError):
        name, text = type(cause).__name__, _text_of(cause).rpartition(": ")[2]
    elif isinstance(cause, OSError) and cause.strerror:
        text = cause.strerror
    elif not isinstance(cause, (OSError, HTTPError, HTTPException)):
        text = ""  # The message may quote a header.
    elif isinstance(cause, BadStatusLine) and not isinstance(cause, RemoteDisconnected):
        text = "the answer is not HTTP"  # The message may repeat the request.
    else:
        # The time-out is left out, as it depends on how much time was left for the call.
        text = _text_of(cause).partition(" (read timeout=")[0]
        if "407" in text:
            hint = "The proxy wants credentials: they belong in its URL, see proxies=."
    return TransportFailure(
        f"{name}: {text}".rstrip(": "),
        sent=_is_sent(error, cause, session, url),
        is_temporary=is_temporary,
        kind=FailureKind.TIMED_OUT if _is_timeout(error, cause) else FailureKind.NO_ANSWER,
        hint=hint,
    )


def _is_sent(error: Exception, cause: Exception, session: requests.Session, url: str) -> bool:
    """
    Whether the request may have been sent. The exception of requests is the same for a connection
    that was reset as for one that was refused; and if the adapter sends again, the last one says
    nothing about the first try.
    """
    retries = getattr(session.get_adapter(url), "max_retries", None)
    is_before_connected = isinstance(error, requests.ConnectTimeout) or isinstance(
        cause, _NOT_CONNECTED
    )
    return getattr(retries, "total", None) != 0 or not is_before_connected


def _is_timeout(error: Exception, cause: Exception) -> bool:
    if isinstance(cause, urllib3.exceptions.NewConnectionError):
        return False  # urllib3 derives it from its time-out, but it may be a refusal.
    # Within a body, requests wraps the time-out of urllib3 into something else.
    timeouts = (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)
    return isinstance(error, timeouts) or isinstance(cause, timeouts)


def _wrong_setting(
    error: Exception, cause: Exception, url: str, proxy: str | None
) -> tuple[str, str] | None:
    """
    Which setting is invalid, so that nothing was sent, and what to do; ``None`` if there is none.
    """
    # An exception about decoding is about an answer.
    is_about_url = any(
        isinstance(candidate, _ABOUT_URLS) and not isinstance(candidate, UnicodeDecodeError)
        for candidate in (error, cause)
    )
    # With a proxy without a host, requests goes on with None, which may end in a TypeError.
    if (
        (is_about_url or isinstance(error, TypeError))
        and proxy is not None
        and not _has_host(proxy)
    ):
        return "the proxy URL is invalid", _PROXY
    if isinstance(error, requests.exceptions.InvalidSchema) and "SOCKS" in str(error):
        return "a SOCKS proxy needs a package of its own", _SOCKS
    if (
        # Where this is not the innermost exception, it is about the headers of an answer.
        isinstance(cause, requests.exceptions.InvalidHeader)
        or (isinstance(cause, UnicodeEncodeError) and cause.encoding == "latin-1")
        or (type(cause) is ValueError and str(cause).startswith("Invalid header"))
    ):
        return "a header is invalid", _HEADER
    if is_about_url:
        return f"{urlsplit(url).hostname or ''!r:.80} is no valid host name", "Look at the URL."
    is_about_files = (
        cause.reason in _FILE_CODES or "PEM lib" in str(cause)
        if isinstance(cause, ssl.SSLError)
        # If a file does not exist, requests raises an OSError without an errno.
        else type(error) is OSError and str(error).startswith("Could not find")
    )
    if is_about_files:
        return getattr(cause, "strerror", None) or str(cause), _TLS_FILES
    return None


def _reason_of_tls(cause: ssl.SSLError | CertificateError, asked: str) -> tuple[str, str]:
    if isinstance(cause, (ssl.SSLCertVerificationError, CertificateError)):
        text = getattr(cause, "verify_message", None) or str(cause)
        return text.rstrip("."), _CERTIFICATE
    code = cause.reason or ""
    hint = next((hint for codes, hint in _TLS_HINTS if re.search(codes, code)), "")
    return cause.strerror or str(cause), hint.format(asked=asked)


_CERTIFICATE: Final = (
    "The certificate is not trusted: pass the path of its CA bundle as verify=, or have the "
    "certificate put right."
)
#: Hints for errors that a retry cannot mend, by OpenSSL's codes.
_TLS_HINTS: Final = (
    (
        "WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE",
        "The {asked} does not speak TLS there: does its URL begin with http://?",
    ),
    (
        "ALERT_(BAD_CERTIFICATE|CERTIFICATE|HANDSHAKE_FAILURE|UNKNOWN_CA|UNSUPPORTED_CERTIFICATE)",
        "If the server asks for a client certificate, pass it as cert=.",
    ),
    (
        "PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL",
        "The {asked} speaks another version of TLS than this machine's OpenSSL.",
    ),
)
#: OpenSSL's codes for files with other contents than expected.
_FILE_CODES: Final = ("NO_CERTIFICATE_OR_CRL_FOUND", "KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH")
_TLS_FILES: Final = "Look at the files of verify= and cert=, or at REQUESTS_CA_BUNDLE."
_HEADER: Final = (
    "Headers and credentials have one line, in characters of Latin-1, and do not begin with a "
    "blank."
)
_PROXY: Final = "Look at proxies=, or at the environment: HTTPS_PROXY, HTTP_PROXY and ALL_PROXY."
_SOCKS: Final = "pip install 'requests[socks]'."


def _has_host(url: str) -> bool:
    try:
        # requests accepts a URL without a scheme, but fails at one without a host.
        whole: str = prepend_scheme_if_needed(url, "http")  # type: ignore[no-untyped-call]
        parts = urllib3.util.parse_url(whole)
        (parts.host or "").encode("idna")
    except (urllib3.exceptions.LocationParseError, TypeError, UnicodeError):
        return False
    # Until its version 2.8, urllib3 accepts a blank in a host name.
    return bool(re.fullmatch(r"[^\s\x00-\x1f\x7f]+", parts.host or "")) and parts.scheme in _SCHEMES


_SCHEMES: Final = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")


def _innermost(error: Any) -> Any:
    """
    The innermost of the exceptions that wrap each other.
    """
    for _ in range(10):
        inner = getattr(error, "reason", None)
        if not isinstance(inner, Exception):
            inner = next((part for part in error.args if isinstance(part, Exception)), None)
        if inner is None or isinstance(error, urllib3.exceptions.NewConnectionError):
            break
        error = inner
    return error


def _text_of(error: Exception) -> str:
    """
    The text of an exception without the object that urllib3 puts before it.
    """
    texts = [part for part in error.args if isinstance(part, str)]
    return _OBJECT.sub("", texts[-1] if texts else str(error))


_OBJECT: Final = re.compile(r"^(\S* object at 0x\w+>?|\w+\(host=[^)]*\)): ")
