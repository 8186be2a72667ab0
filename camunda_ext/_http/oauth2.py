"""
Tokens of OAuth 2 for programs, by the grant of client credentials.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from time import monotonic
from typing import Any, Final, Literal, NoReturn
from urllib.parse import quote_plus, urlencode

import attrs
import requests
from requests.auth import AuthBase

from camunda_ext._http.credentials import DEADLINE, Basic, NoCredentials
from camunda_ext._http.messages import (
    FailureKind,
    HttpRequest,
    HttpResponse,
    Timeout,
    TransportFailure,
)
from camunda_ext._http.pool import Pool
from camunda_ext._http.session import session_opener
from camunda_ext._http.transport import RequestsTransport
from camunda_ext._secrets.hidden import Secret, hiding, token_problem, utf8
from camunda_ext._wire import checks
from camunda_ext._wire.json import loads
from camunda_ext._wire.urls import checked_url
from camunda_ext._wire.value import TakenAsIs, exported

_log: Final = logging.getLogger("camunda_ext")

#: Error codes of RFC 6749 (4.1.2.1 and 5.2), which are safe to show. Other texts of the server
#: might repeat a secret.
_ERROR_CODES: Final = frozenset(
    {
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "server_error",
        "temporarily_unavailable",
        "unauthorized_client",
        "unsupported_grant_type",
    }
)
#: How many bytes an answer of the login server may have.
_LARGEST_ANSWER: Final = 1024 * 1024
#: How long a token without `expires_in` is used, in seconds: a compromise, as some clients use such
#: a token for ever and others only once. After a 401 it is renewed earlier.
_USUAL_LIFE: Final = 300.0
#: Longest life of a token, in seconds; a larger number may not fit into a float.
_LONGEST_LIFE: Final = 10**9
_NUMBER: Final = re.compile(r"\d{1,15}(\.\d{1,15})?", re.ASCII)
#: How long to wait after a failed renewal while the last token is still valid, in seconds.
_PAUSE: Final = 5.0


@attrs.define(eq=False, repr=False)
class _Token:
    """
    A token, with the times of its renewal and its expiry by the monotonic clock.
    """

    text: Secret
    renew_at: float
    expires_at: float
    is_refused: bool = False

    def is_valid(self, now: float) -> bool:
        """
        Whether the token has neither expired nor been refused by an engine.
        """
        return now < self.expires_at and not self.is_refused


@exported
class OAuth2ClientCredentials(TakenAsIs, AuthBase):
    """
    Tokens from a login server, by the OAuth 2 grant for programs: client credentials.

    The first request fetches a token. It is renewed before it expires, and once after the engine
    has refused it. Threads share it: one of them fetches a new token, and the others go on with the
    old one while it is valid, or else wait for the new one, at most for *timeout*. So an outage of
    the login server is not noticed before the token has expired. Clients can share the object, and
    it can be used after a fork.

    A token whose lifetime the server does not tell is used for 300 seconds.

    Args:
        token_url: The URL of the token endpoint. urllib3 logs its query at level DEBUG.

        client_id: The client's name.

        client_secret: The client's password.

        scope: The scopes of the token, with spaces between them; ``None`` for the server's default.

        audience: The service that the token is for, which some login servers require.

        client_auth:
            How the client's name and password are sent: ``"basic"`` in a header, or ``"body"`` in
            the form.

        leeway:
            How long before it expires a token is renewed, in seconds, or a `timedelta`; but never
            in the first half of its lifetime.

        timeout:
            How long to wait for the login server, in seconds, or a `timedelta`; but never longer
            than the call may take that needs the token.

        verify: As of `ExternalTaskClient`.

        cert: As of `ExternalTaskClient`.

        proxies: As of `ExternalTaskClient`.

    Raises:
        TypeError, ValueError: An argument is invalid; nothing has been sent.
    """

    # For `__repr__`, which an error tracker may call before `__init__` has ended.
    _shown_url = _client_id = ""

    @hiding
    def __init__(
        self,
        token_url: str,
        client_id: str,
        client_secret: str,
        *,
        scope: str | None = None,
        audience: str | None = None,
        client_auth: Literal["basic", "body"] = "basic",
        leeway: float | timedelta = 30.0,
        timeout: float | timedelta = 10.0,
        verify: bool | str = True,
        cert: str | tuple[str, str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> None:
        url = checked_url(
            "token_url", token_url, instead="pass client_id and client_secret", has_query=True
        )
        _check_text("client_id", client_id)
        _check_text("client_secret", client_secret)
        form = {"grant_type": "client_credentials"}
        for name, text in (("scope", scope), ("audience", audience)):
            if text is not None:
                _check_text(name, text)
                form[name] = text
        if client_auth not in ("basic", "body"):
            raise ValueError(f"client_auth must be 'basic' or 'body', not {client_auth!r:.80}")
        leeway = checks.seconds("leeway", leeway, may_be_zero=True)
        timeout = checks.seconds("timeout", timeout)
        auth = None
        if client_auth == "basic":
            # RFC 6749, 2.3.1: form-urlencoded first, so that the name may have a colon.
            auth = Basic(quote_plus(client_id), quote_plus(client_secret))
        else:
            form |= {"client_id": client_id, "client_secret": client_secret}
        open_session = session_opener(
            url, {}, verify=verify, cert=cert, proxies=proxies, has_credentials=True
        )
        # No connection is kept: the server would have closed it before the next token is fetched.
        self._transport = RequestsTransport(
            Pool(open_session, size=0), auth=auth, max_answer=_LARGEST_ANSWER
        )
        self._url, self._form = Secret(url), Secret(urlencode(form))
        # Without its query, which may hold a key.
        self._shown_url = url.partition("?")[0]
        self._client_id = client_id
        self._leeway = leeway
        self._timeout = timeout
        self._clock: Callable[[], float] = monotonic
        self._token: _Token | None = None
        self._not_before = float("-inf")
        # How many fetches have ended that had all the time, and why the last one failed.
        self._fetches = 0
        self._problem: NoCredentials | None = None
        # The token that each thread has used last.
        self._used = threading.local()
        # One lock for each process: after a fork, the parent's may be locked for ever in the child.
        self._locks: dict[int, threading.Lock] = {}

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        token = self._current()
        if isinstance(token, NoCredentials):
            raise NoCredentials(str(token), is_temporary=token.is_temporary)
        self._used.token = token
        r.headers["Authorization"] = f"Bearer {token.text.reveal()}"
        return r

    def renew(self) -> bool:
        """
        Discard the token that this thread has used last, because the engine has refused it.

        Returns:
            Whether a retry makes sense, as it will use another token.
        """
        refused: _Token | None = getattr(self._used, "token", None)
        if refused is None:
            return False
        self._used.token = None
        # Marked and not removed: another thread may have stored a new token meanwhile.
        refused.is_refused = True
        return True

    def __deepcopy__(self, *_: object) -> OAuth2ClientCredentials:
        return self

    __copy__ = __deepcopy__

    def __reduce__(self) -> NoReturn:
        raise TypeError("secrets are not pickled")

    def __repr__(self) -> str:
        return f"OAuth2ClientCredentials({self._shown_url!r}, {self._client_id!r}, ***)"

    def _current(self) -> _Token | NoCredentials:
        """
        The token, or why there is none. That is returned and not raised, as the frames of a
        traceback could show secrets.
        """
        token = self._kept()
        if token is not None:
            return token
        fetches, token = self._fetches, self._token
        is_valid = token is not None and token.is_valid(self._clock())
        lock = self._locks.setdefault(os.getpid(), threading.Lock())
        if not lock.acquire(timeout=0 if is_valid else self._patience()):
            return (is_valid and token) or self._no_token(
                "another thread still waits for its answer", is_temporary=True
            )
        try:
            token = self._kept()
            if token is not None:
                return token
            if self._fetches != fetches and self._problem is not None:
                return self._problem  # of the thread that this one has waited for
            return self._fetch()
        finally:
            lock.release()

    def _patience(self) -> float:
        """
        How long to wait, in seconds; 0 if the call that needs the token has no time left.
        """
        return max(min(self._timeout, DEADLINE.get() - monotonic()), 0.0)

    def _kept(self) -> _Token | None:
        """
        The stored token; ``None`` if a new one has to be fetched.
        """
        token, now = self._token, self._clock()
        if token is None or not token.is_valid(now):
            return None
        return token if now < max(token.renew_at, self._not_before) else None

    def _fetch(self) -> _Token | NoCredentials:
        """
        A new token, or the old one while it is valid, or why there is none.
        """
        asked_at, patience = self._clock(), self._patience()
        outcome = self._ask(asked_at, patience)
        if patience == self._timeout:
            # What a call with less time has missed, others who wait may still get.
            self._fetches += 1
        if isinstance(outcome, _Token):
            life = outcome.expires_at - asked_at
            _log.debug("a token from %s, for %.0f s", self._shown_url, life)
            self._token, self._problem = outcome, None
            return outcome
        now, token = self._clock(), self._token
        self._problem = outcome
        if token is None or not token.is_valid(now):
            return outcome
        _log.warning(
            "%s; the last one is valid for another %.0f s", outcome, token.expires_at - now
        )
        self._not_before = now + _PAUSE
        return token

    def _ask(self, asked_at: float, patience: float) -> _Token | NoCredentials:
        """
        The token in the login server's answer, or why there is none.

        Args:
            asked_at: The beginning of the token's lifetime: the server counts from a later time.

            patience: How long to wait for the answer, in seconds.
        """
        if not patience:
            return self._no_token("the call's time was over", is_temporary=True)
        request = HttpRequest(
            method="POST",
            url=self._url.reveal(),
            headers={
                "Accept": "application/json",
                "Content-Type": "application/x-www-form-urlencoded",
            },
            content=self._form.reveal().encode("ascii"),
            timeout=Timeout(connect=patience, read=patience, total=patience),
            deadline=monotonic() + patience,
        )
        try:
            response = self._transport.send(request)
        except TransportFailure as failure:
            if failure.kind is FailureKind.TOO_LARGE:
                return self._no_token(f"HTTP {failure.status}, with more than 1 MiB")
            if failure.kind is FailureKind.TIMED_OUT:
                reason = f"no answer within {patience:.3g} seconds"
            else:
                reason = f"{failure.reason}. {failure.hint}".rstrip(". ")
            return self._no_token(reason, is_temporary=failure.is_temporary)
        if response.status != 200:
            return self._no_token(
                _refusal(response), is_temporary=response.status == 429 or response.status >= 500
            )
        return self._token_in(_json_object(response), asked_at)

    def _token_in(
        self, answer: Mapping[str, Any] | None, asked_at: float
    ) -> _Token | NoCredentials:
        if answer is None:
            return self._no_token("HTTP 200 without a JSON object")
        kind = answer.get("token_type")
        if kind is not None and (not isinstance(kind, str) or kind.lower() != "bearer"):
            return self._no_token("its token_type is not bearer")
        text = Secret(answer.get("access_token"))
        if token_problem(text) is not None:
            return self._no_token("its access_token is missing, or not text in printable ASCII")
        life = _seconds(answer.get("expires_in"))
        if life is None:
            return self._no_token("its expires_in is not a number above 0")
        renew_at = asked_at + max(life - self._leeway, life / 2)
        return _Token(text, renew_at=renew_at, expires_at=asked_at + life)

    def _no_token(self, problem: str, *, is_temporary: bool = False) -> NoCredentials:
        place = self._shown_url.partition("://")[2]
        return NoCredentials(f"no OAuth 2 token from {place}: {problem}", is_temporary=is_temporary)


def _json_object(response: HttpResponse) -> Mapping[str, Any] | None:
    try:
        answer = loads(response.content)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def _seconds(expires_in: object) -> float | None:
    """
    The lifetime of a token, in seconds; ``None`` if it is invalid.
    """
    if expires_in is None:
        return _USUAL_LIFE
    if isinstance(expires_in, str) and _NUMBER.fullmatch(expires_in):
        expires_in = float(expires_in)
    if isinstance(expires_in, bool) or not isinstance(expires_in, (int, float)) or expires_in <= 0:
        return None
    return float(min(expires_in, _LONGEST_LIFE))


def _refusal(response: HttpResponse) -> str:
    if 300 <= response.status < 400:
        return f"HTTP {response.status}, a redirect, which is not followed"
    code = (_json_object(response) or {}).get("error")
    is_known = isinstance(code, str) and code in _ERROR_CODES
    return f"HTTP {response.status}, {code}" if is_known else f"HTTP {response.status}"


def _check_text(name: str, text: object) -> None:
    if not isinstance(text, str):
        raise TypeError(f"{name} must be a str")
    if not text:
        raise ValueError(f"{name} must not be empty")
    if utf8(text) is None:
        raise ValueError(f"{name} must be text that UTF-8 can encode")
