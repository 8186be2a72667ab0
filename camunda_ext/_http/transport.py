"""
The transport of a client: makes one attempt of a request with `requests`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from math import inf
from time import monotonic
from types import MappingProxyType
from typing import Final, Protocol

import requests
from requests import PreparedRequest, Session as Session
from requests.auth import AuthBase

from camunda_ext._http.body import Incoming, TooLarge
from camunda_ext._http.credentials import DEADLINE, AuthFailed, to_auth_of
from camunda_ext._http.messages import FailureKind, HttpRequest, HttpResponse, TransportFailure
from camunda_ext._http.pool import Pool
from camunda_ext._http.session import OwnSession, session_opener
from camunda_ext._http.shortcut import (
    Shortcut,
    hooks_of,
    is_plain,
    plain_adapter,
    prepared_request,
)
from camunda_ext._secrets.tracebacks import without_library_frames
from camunda_ext._wire.checks import check_header

#: Default of ``max_answer``: how many bytes an answer may have.
LARGEST_ANSWER: Final = 64 * 1024 * 1024
#: Default of ``pool_size``: how many unused connections a client keeps open.
POOL_SIZE: Final = 32
#: Smallest time-out of a socket, in seconds; 0 would make it non-blocking.
_SHORTEST: Final = 0.001
#: How many bytes an operating system accepts at least before the server has read any.
_SMALL_BODY: Final = 64 * 1024


class Transport(Protocol):
    """
    Makes the attempts of a client.
    """

    def send(self, request: HttpRequest) -> HttpResponse:
        """
        Make one attempt, and return the answer.

        Raises:
            TransportFailure: The attempt ended without a complete answer.
        """


class RequestsTransport:
    """
    A `Transport` with a pool of own sessions, each for one call at a time, or with the user's.

    Args:
        auth: Signs each request; ``None`` for no credentials, or those of the user's session.

        headers: The headers of each request; those of own sessions are set already.

        max_answer: How many bytes an answer may have.
    """

    def __init__(
        self,
        sessions: Pool | requests.Session,
        *,
        auth: AuthBase | None,
        headers: Mapping[str, str] = MappingProxyType({}),
        max_answer: int,
    ) -> None:
        self._auth = auth
        self._sessions = sessions
        self._headers = headers
        self._max_answer = max_answer
        self._shortcut = Shortcut()
        self._closed = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def send(self, request: HttpRequest) -> HttpResponse:
        """
        Make one attempt, and return the answer; a redirect is not followed.
        """
        if self._closed:
            raise TransportFailure(
                "the client is closed", sent=False, is_temporary=False, hint="Make a new one."
            )
        if isinstance(self._sessions, requests.Session):
            return self._attempt(self._sessions, request)
        session = self._sessions.lend()
        try:
            answer = self._attempt(session, request)
        except BaseException:
            # The rest of an answer may still arrive on its connection.
            session.close()
            raise
        self._sessions.give_back(session)
        return answer

    def close(self) -> None:
        """
        Close all connections; those in use are closed when they are given back.
        """
        self._closed = True
        if isinstance(self._sessions, Pool):
            self._sessions.close()

    def _attempt(self, session: requests.Session, request: HttpRequest) -> HttpResponse:
        status: int | None = None
        raised: BaseException
        try:
            before = DEADLINE.set(request.deadline)
            try:
                incoming = self._ask(session, request)
            finally:
                DEADLINE.reset(before)
            try:
                status = incoming.status
                content = incoming.read(
                    self._max_answer,
                    request.deadline,
                    any_encoding=not isinstance(session, OwnSession),
                )
            finally:
                incoming.close()
            return HttpResponse(
                status=status,
                headers=incoming.headers,
                content=content,
                secrets=partial(self._secrets_of, session, request.url, incoming.sent),
            )
        except AuthFailed as error:
            raised = TransportFailure(
                str(error), sent=False, is_temporary=error.is_temporary, cause=error.cause
            )
        except TooLarge as error:
            raised = TransportFailure(str(error), kind=FailureKind.TOO_LARGE, status=status)
        except Exception as error:  # noqa: BLE001  # libraries and hooks may raise anything
            raised = self._failure(error, session, request.url, status)
        except BaseException as error:  # noqa: BLE001  # Ctrl-C
            raised = without_library_frames(error)
        # Raised outside of any `except`: a context would hold the request and its secrets.
        raise raised

    def _ask(self, session: requests.Session, request: HttpRequest) -> Incoming:
        """
        The answer to a request, its body still to be read.

        It is sent by the quick way, or by requests if that would do more.
        """
        headers, auth, shortcut = request.headers, self._auth, self._shortcut
        if isinstance(session, OwnSession):
            shortcut = session.shortcut
            session.call.deadline, session.call.is_sent = request.deadline, None
        else:
            headers = {**self._headers, **headers}
            auth = auth or to_auth_of(session)
        try:
            if not is_plain(session):
                response = session.request(
                    request.method,
                    request.url,
                    data=request.content,
                    headers=headers,
                    auth=auth,
                    timeout=_waits(session, request),
                    hooks={"response": [*hooks_of(session), _forget_location]},
                    allow_redirects=False,
                    stream=True,
                )
                return Incoming.of(response)
            prepared = prepared_request(session, request, headers, auth)
            if monotonic() >= request.deadline:
                # To get credentials may have taken all the time.
                raise requests.ConnectTimeout("the call's time was over before it was sent")
            waits = _waits(session, request)
            adapter = plain_adapter(session, prepared)
            if adapter is not None:
                return shortcut.send(session, adapter, prepared, waits)
            prepared.hooks["response"].append(_forget_location)
            response = session.send(prepared, timeout=waits, allow_redirects=False, stream=True)
        except requests.HTTPError as error:
            # A hook of the user's session has called raise_for_status(); the status is read later.
            if error.response is None:
                raise
            response = error.response
        return Incoming.of(response)

    def _failure(
        self, error: Exception, session: requests.Session, url: str, status: int | None
    ) -> Exception:
        from camunda_ext._http import reasons  # only now: few calls fail
        from camunda_ext._secrets import masks

        if not reasons.is_about_connection(error):
            return without_library_frames(error)
        failure = reasons.failure_of(error, session, url)
        sent = getattr(error, "request", None)
        failure.reason = masks.without(failure.reason, self._secrets_of(session, url, sent))
        if isinstance(session, OwnSession) and session.call.is_sent is not None:
            failure.sent = session.call.is_sent
        if status is not None:
            failure.sent, failure.status = True, status
        return failure

    def _secrets_of(
        self, session: requests.Session, url: str, sent: PreparedRequest | None
    ) -> tuple[str, ...]:
        """
        The secrets in a request.

        Args:
            sent: The request as it was sent; ``None`` if unknown.
        """
        from camunda_ext._http import reasons
        from camunda_ext._secrets import masks

        return (
            *masks.of_headers(self._headers),
            *masks.of_headers(session.headers),
            *masks.of_headers(getattr(sent, "headers", None) or {}),
            *masks.of_url(str(getattr(sent, "url", None) or ""), url),
            *(str(cookie.value or "") for cookie in session.cookies),
            *masks.of_proxy(reasons.proxy_of(url, session)),
        )


def _forget_location(response: requests.Response, **_: object) -> None:
    """
    Remove the target of a redirect: with it, requests would read the body without a limit.
    """
    response.headers.pop("Location", None)


def _waits(session: requests.Session, request: HttpRequest) -> tuple[float | None, float | None]:
    """
    How long to wait for a connection and for a piece of the answer, in seconds; neither is longer
    than what is left of the call.
    """
    connect, read = request.timeout.connect, request.timeout.read
    is_own = isinstance(session, OwnSession)
    if not is_own and len(request.content or b"") > _SMALL_BODY and connect is not None:
        # Connections other than ours send a body under the time-out for the connection.
        connect = read if read is None else max(connect, read)
    if request.deadline != inf:
        left = max(request.deadline - monotonic(), _SHORTEST)
        connect = left if connect is None else min(connect, left)
        read = left if read is None else min(read, left)
    if isinstance(session, OwnSession):
        session.call.read = read
    return connect, read


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
    The transport of a client for one engine; warns of settings that give secrets away.
    """
    headers = _to_headers(headers)
    if session is not None:
        if not isinstance(session, requests.Session):
            raise TypeError(f"session must be a requests.Session, not {type(session).__name__}")
        if verify is not True or cert is not None or proxies is not None:
            raise ValueError("with session=, set verify, cert and proxies on the session itself")
        if pool_size != POOL_SIZE:
            raise ValueError("with session=, pool_size belongs to the adapters of the session")
        return RequestsTransport(session, auth=auth, headers=headers, max_answer=max_answer)
    open_session = session_opener(
        base_url,
        headers,
        verify=verify,
        cert=cert,
        proxies=proxies,
        has_credentials=auth is not None or any(map(_is_secret, headers)),
    )
    return RequestsTransport(Pool(open_session, pool_size), auth=auth, max_answer=max_answer)


def _is_secret(name: str) -> bool:
    """
    Whether a header of this name holds a secret.
    """
    return re.search("key|token|secret|auth|cookie", name, re.IGNORECASE) is not None


def _to_headers(headers: Mapping[str, str]) -> dict[str, str]:
    if not isinstance(headers, Mapping):
        raise TypeError("headers must be a mapping")
    for name, value in headers.items():
        check_header(name, value)
        if name.lower() == "authorization":
            raise ValueError("pass auth= instead of an Authorization header")
    return dict(headers)
