"""
The way to the network: one attempt, bytes in and bytes out, on `requests`.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from functools import partial
from time import monotonic
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import requests
import urllib3
from requests import Session as Session
from requests.auth import AuthBase
from requests.structures import CaseInsensitiveDict
from requests.utils import default_user_agent
from urllib3 import HTTPHeaderDict

from camunda_ext._http.messages import FailureKind, HttpRequest, HttpResponse
from camunda_ext._http.pool import Pool, PoolClosed
from camunda_ext._http.session import LeanSession, hooks_of, is_plain, prepare, stay
from camunda_ext._http.settings import ConnectionSettings, connection_settings
from camunda_ext._secrets.tracebacks import without_libraries
from camunda_ext._version import __version__
from camunda_ext._wire.checks import check_header
from camunda_ext.auth import AuthFailed, to_auth_of

_PIECE: Final = 64 * 1024
#: How many bytes are read as a whole; where an answer does not state its length, or a wrong one,
#: there has to be room for as many.
_AT_ONCE: Final = 1024 * 1024
#: How many bytes an answer may have, unless a client says otherwise.
LARGEST_ANSWER: Final = 64 * 1024 * 1024
#: What is left to wait, in seconds, when nothing is; none at all would mean not to wait in sockets.
_SHORTEST: Final = 0.001
#: For zlib: a stream with the head of gzip, of any window.
_GZIP: Final = 31
#: A stream of gzip may have several members; one that has many is made to keep us busy.
_MOST_MEMBERS: Final = 100
#: How a stream of gzip begins.
_GZIP_MAGIC: Final = b"\x1f\x8b"
#: How many connections a client keeps while nobody uses them, unless it says otherwise.
POOL_SIZE: Final = 32


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
        how: FailureKind = FailureKind.NO_ANSWER,
        status: int | None = None,
        hint: str = "",
        cause: Exception | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        #: Whether the request may have left.
        self.sent = sent
        #: Whether a retry makes sense.
        self.again = again
        #: In which way no answer came.
        self.how = how
        #: The status of an answer that did not come whole.
        self.status = status
        #: What to do about it; empty if there is no more to say.
        self.hint = hint
        #: What a function of the user's has raised, for the user to see.
        self.cause = cause


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


class RequestsTransport:
    """
    A `Transport` with sessions of `requests`, lent to one call at a time, or with the user's own.
    """

    def __init__(
        self,
        *,
        auth: AuthBase | None,
        headers: Mapping[str, str],
        own: requests.Session | ConnectionSettings,
        max_answer: int,
        pool_size: int,
    ) -> None:
        self._auth = auth
        self._headers = headers
        self._max_answer = max_answer
        self._injected = own if isinstance(own, requests.Session) else None
        self._pool = None
        if isinstance(own, ConnectionSettings):
            self._pool = Pool(partial(_open, own, headers), pool_size)
        self._closed = False
        # The scheme and host of all URLs, as they are given and as they are sent.
        self._origin = "", ""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def send(self, request: HttpRequest) -> HttpResponse:
        """
        Make one attempt; redirects are answers like any other.
        """
        if self._closed:
            raise _closed()
        if self._pool is None:
            assert self._injected is not None  # noqa: S101  # one of the two is there
            return self._attempt(self._injected, request)
        try:
            session = self._pool.lend()
        except PoolClosed:
            raise _closed() from None
        try:
            answer = self._attempt(session, request)
        except BaseException:
            # Nobody knows what is still to come on its connection.
            session.close()
            raise
        self._pool.give_back(session)
        return answer

    def _attempt(self, session: requests.Session, request: HttpRequest) -> HttpResponse:
        status: int | None = None
        raised: BaseException
        try:
            response = self._ask(session, request)
            try:
                status = _status_of(response)
                if status < 200:
                    # The real answer is to come, and would be taken for that of the next request.
                    response.connection.close()
                content = self._read(session, response, request.deadline)
            finally:
                response.close()
            headers: Mapping[str, str] = response.headers
            if not isinstance(headers, (HTTPHeaderDict, CaseInsensitiveDict)):
                headers = CaseInsensitiveDict(headers)  # of a mock, such as one of unittest's
            sent = getattr(response, "request", None)
            return HttpResponse(
                status=status,
                headers=headers,
                content=content,
                secrets=partial(self._secrets_of, session, request.url, sent),
            )
        except AuthFailed as error:
            raised = TransportFailure(
                str(error), sent=False, again=error.is_temporary, cause=error.cause
            )
        except _TooLarge as error:
            raised = TransportFailure(str(error), how=FailureKind.TOO_LARGE, status=status)
        except Exception as error:  # noqa: BLE001  # whatever the way to an engine may raise
            raised = self._failure(error, session, request.url, status)
        except BaseException as error:  # noqa: BLE001  # Ctrl-C
            # Frames of the library would show the request to whoever looks at local variables.
            raised = error.with_traceback(without_libraries(error.__traceback__))
        # Raised out here, so that the failure has no context: that one would hold the request.
        raise raised

    def _failure(
        self, error: Exception, session: requests.Session, url: str, status: int | None
    ) -> Exception:
        from camunda_ext._http import reasons  # only now: few calls fail
        from camunda_ext._secrets import masks

        if not reasons.is_of_the_way(error):
            return error.with_traceback(without_libraries(error.__traceback__))
        proxy = reasons.proxy_of(url, session.proxies, trust_env=session.trust_env)
        told = reasons.told_of(error, url, proxy)
        sent = getattr(error, "request", None)
        return TransportFailure(
            masks.without(told.reason, self._secrets_of(session, url, sent)),
            sent=status is not None or self._was_sent(error, session, url, proxy),
            again=told.is_temporary,
            how=FailureKind.TIMED_OUT if reasons.is_timeout(error) else FailureKind.NO_ANSWER,
            status=status,
            hint=told.hint,
        )

    def close(self) -> None:
        """
        Close the connections that nobody uses, and the others when they are given back.
        """
        self._closed = True
        if self._pool is not None:
            self._pool.close()

    def _ask(self, session: requests.Session, request: HttpRequest) -> requests.Response:
        headers, auth = request.headers, self._auth
        if self._pool is None:
            headers = {**self._headers, **headers}
            auth = auth or to_auth_of(session)
        elif isinstance(session, LeanSession):
            session.under_way.begin(request.deadline)
        try:
            if not is_plain(session):
                waits = _within(request, uploads=True)
                if isinstance(session, LeanSession):
                    session.under_way.read = waits[1]
                return session.request(
                    request.method,
                    request.url,
                    data=request.content,
                    headers=headers,
                    auth=auth,
                    timeout=waits,
                    allow_redirects=False,
                    stream=True,
                    hooks={"response": [*hooks_of(session), stay]},
                )
            prepared = prepare(
                session,
                request.method,
                self._to_url(request.url),
                headers,
                request.content,
                auth,
            )
            prepared.hooks["response"].append(stay)
            if request.deadline is not None and monotonic() >= request.deadline:
                # To get credentials may have taken all the time.
                raise requests.ConnectTimeout("the call was to be over before it began")
            waits = _within(request, uploads=self._pool is None)
            if isinstance(session, LeanSession):
                session.under_way.read = waits[1]
            return session.send(
                prepared,
                timeout=waits,
                stream=True,
                allow_redirects=False,
                proxies=session.proxies,
                verify=session.verify,
                cert=session.cert,
            )
        except requests.HTTPError as error:
            # A hook of the user's own session does not like the status: that is for us to judge.
            if error.response is None:
                raise
            return error.response

    def _to_url(self, url: str) -> str:
        """
        Give a URL with its host as requests writes it, such as one with an umlaut.
        """
        end = url.index("/", len("https://"))
        if self._origin[0] != url[:end]:
            prepared = requests.Request("GET", f"{url[:end]}/").prepare()
            self._origin = url[:end], str(prepared.url).rstrip("/")
        return self._origin[1] + url[end:]

    def _read(self, session: requests.Session, response: Any, deadline: float | None) -> bytes:
        encoding = response.headers.get("Content-Encoding", "identity").lower()
        # What the user's own session has asked for besides, urllib3 undoes; but of gzip it takes
        # half a stream for a whole one.
        decode = self._injected is not None and encoding not in ("identity", "gzip")
        is_unread = isinstance(response.raw, urllib3.BaseHTTPResponse)
        if is_unread and not response._content_consumed:
            at_once = isinstance(session, LeanSession) and session.under_way.is_sent is not None
            pieces = _pieces(
                response.raw, deadline, self._max_answer, decode=decode, at_once=at_once
            )
            content = b"".join(pieces)
            # For who looks at it later, such as a library for tests.
            response._content, response._content_consumed = content, True
        else:  # an adapter, a hook or a library for tests has read it, and most unpack it
            content = response.content
            if not isinstance(content, bytes):
                raise TypeError(f"{_NO_RESPONSE}: its content is {type(content).__name__}")
            decode = encoding != "gzip" or not content.startswith(_GZIP_MAGIC)
            if len(content) > self._max_answer:
                raise _TooLarge(self._max_answer)
        if decode or encoding == "identity":
            return content
        if encoding != "gzip":
            raise requests.exceptions.ContentDecodingError(f"{encoding} was not asked for")
        return _gunzip(content, self._max_answer, deadline)

    def _secrets_of(self, session: requests.Session, url: str, sent: Any) -> tuple[str, ...]:
        """
        Give what was sent that nobody is to see.

        Args:
            sent: The request as it was sent, if that is known.
        """
        from camunda_ext._http import reasons
        from camunda_ext._secrets import masks

        proxy = reasons.proxy_of(url, session.proxies, trust_env=session.trust_env)
        return (
            *masks.of_headers(self._headers),
            *masks.of_headers(session.headers),
            *masks.of_headers(getattr(sent, "headers", None) or {}),
            *masks.of_url(str(getattr(sent, "url", None) or ""), url),
            *(str(cookie.value or "") for cookie in session.cookies),
            *masks.of_proxy(proxy),
        )

    def _was_sent(
        self, error: Exception, session: requests.Session, url: str, proxy: str | None
    ) -> bool:
        """
        Tell whether a request may have left.
        """
        if isinstance(session, LeanSession) and session.under_way.is_sent is not None:
            return session.under_way.is_sent
        from camunda_ext._http import reasons

        # Where others send it there are only exceptions to go by, and requests says the same of a
        # reset and a refusal.
        if reasons.is_never_sent(error, proxy):
            return False
        if _retries(session, url):
            return True  # The last of several tries says nothing about the first.
        return not reasons.is_before_connected(error)


def _open(reach: ConnectionSettings, headers: Mapping[str, str]) -> LeanSession:
    return LeanSession(
        reach,
        headers={
            "Accept-Encoding": "gzip",
            "User-Agent": f"camunda_ext/{__version__} {default_user_agent()}",
            **headers,
        },
    )


def _status_of(response: requests.Response) -> int:
    status: object = response.status_code
    if not isinstance(status, int):
        raise TypeError(f"{_NO_RESPONSE}: its status_code is {type(status).__name__}")
    return status


_NO_RESPONSE: Final = "what sends for requests gave no response of requests"


def _closed() -> TransportFailure:
    return TransportFailure("the client is closed", sent=False, again=False, hint="Make a new one.")


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
    pool_size: int = POOL_SIZE,
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
        if pool_size != POOL_SIZE:
            raise ValueError("with session=, pool_size belongs to the adapters of the session")
    own = session or connection_settings(
        base_url,
        verify=verify,
        cert=cert,
        proxies=proxies,
        has_credentials=auth is not None or any(map(_OF_SECRETS.search, headers)),
        stacklevel=4,
    )
    return RequestsTransport(
        auth=auth, headers=headers, own=own, max_answer=max_answer, pool_size=pool_size
    )


#: What the names of headers have in them that hold what nobody else is to know.
_OF_SECRETS: Final = re.compile("key|token|secret|auth|cookie", re.IGNORECASE)


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
        _refuse_late(deadline)


def _gunzip(content: bytes, most: int, deadline: float | None) -> bytes:
    """
    Unpack a body: a small one may hold a thousand times its size.
    """
    unpacked, size, start = [], 0, 0
    whole = memoryview(content)
    for _ in range(_MOST_MEMBERS):
        unpacker = zlib.decompressobj(wbits=_GZIP)
        while not unpacker.eof and start < len(content):
            packed: Any = whole[start : start + _AT_ONCE]
            start += len(packed)
            while packed and not unpacker.eof:
                _refuse_late(deadline)
                try:
                    piece = unpacker.decompress(packed, _AT_ONCE)
                except zlib.error:
                    raise _broken_gzip() from None
                size += len(piece)
                if size > most:
                    raise _TooLarge(most)
                unpacked.append(piece)
                packed = unpacker.unconsumed_tail
        start -= len(unpacker.unused_data)
        if not unpacker.eof:
            break
        if start == len(content):
            return b"".join(unpacked)
    raise _broken_gzip()


def _broken_gzip() -> Exception:
    return requests.exceptions.ContentDecodingError("broken gzip")


def _refuse_late(deadline: float | None) -> None:
    if deadline is not None and monotonic() > deadline:
        raise requests.ReadTimeout("the answer took longer than the whole call may take")
