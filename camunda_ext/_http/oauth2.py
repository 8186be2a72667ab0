"""
Tokens by OAuth 2, for programs: the grant by client credentials.
"""

from __future__ import annotations

import base64
import logging
import os
import re
import threading
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Final, Literal, NoReturn
from urllib.parse import quote_plus, urlencode, urlsplit

import attrs
import requests
from requests.auth import AuthBase

from camunda_ext._http.session import LeanSession, stay
from camunda_ext._http.settings import ConnectionSettings, connection_settings
from camunda_ext._secrets.tracebacks import without_libraries
from camunda_ext._version import __version__
from camunda_ext._wire.json import loads
from camunda_ext._wire.value import TakenAsIs
from camunda_ext.auth import NoCredentials, Secret, header_text, hiding, utf8

_log: Final = logging.getLogger("camunda_ext")

#: Of what RFC 6749 (4.1.2.1 and 5.2) lets a server say, and it is safe to repeat.
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
_LONGEST_ANSWER: Final = 1024 * 1024
_PIECE: Final = 64 * 1024
#: How long a token is used that comes without `expires_in`, in seconds. Some clients use one for
#: ever, others only once; this asks seldom enough, and a 401 renews it before.
_UNTOLD_LIFE: Final = 300.0
#: Longer than any token lives, in seconds; a greater number might be beyond the floats.
_LONGEST_LIFE: Final = 10**9
_NUMBER: Final = re.compile(r"\d{1,15}(\.\d{1,15})?", re.ASCII)
#: How long a token endpoint that failed is left alone while the last token is good, in seconds.
_PAUSE: Final = 5.0


class OAuth2ClientCredentials(TakenAsIs, AuthBase):
    """
    Tokens from a login server, by the OAuth 2 grant for programs: client credentials.

    A token is asked for when the first request needs one, renewed before it expires, and once after
    the engine refused it. Threads share it: one of them asks, and the others wait at most *timeout*
    for what it gets, or go on with the old token as long as that lives. So an outage of the login
    server is not noticed before the token has expired. It can be shared by clients, and survives a
    fork.

    A token that does not say how long it lives is used for 300 seconds.

    Args:
        token_url: The token endpoint; what its query holds, urllib3 logs at level DEBUG.

        client_id: The client's name.

        client_secret: Its password.

        scope: What the token is to be good for; several scopes have spaces between them.

        audience: Whom the token is meant for; some servers want to know.

        client_auth:
            How the client's name and password are sent: ``"basic"`` as a header, or ``"body"``, for
            servers that look for them in the form.

        leeway:
            How many seconds before it expires a token is renewed, but never in the first half of
            its life.

        timeout: How many seconds to wait for the login server.

        verify: As of `ExternalTaskClient`.

        cert: As of `ExternalTaskClient`.

        proxies: As of `ExternalTaskClient`.

    Raises:
        TypeError, ValueError: An argument cannot be meant as it is; nothing has been sent.
    """

    # A frame that an error tracker shows may have one that is only half made.
    _shown = _client_id = ""

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
        leeway: float = 30.0,
        timeout: float = 10.0,
        verify: bool | str = True,
        cert: str | tuple[str, str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> None:
        url, secret = Secret(token_url), Secret(client_secret)
        # What is raised from here shows this frame's locals to error trackers, and a mistyped URL
        # may hold a password anywhere.
        del token_url, client_secret
        _check_text("client_id", client_id)
        _check_text("client_secret", secret)
        for name, text in (("scope", scope), ("audience", audience)):
            if text is not None:
                _check_text(name, text)
        if client_auth not in ("basic", "body"):
            raise ValueError(f"client_auth must be 'basic' or 'body', not {client_auth!r:.80}")
        _check_seconds("leeway", leeway)
        _check_seconds("timeout", timeout)
        if not timeout:
            raise ValueError("timeout must be more than 0 seconds")
        form = {"grant_type": "client_credentials", "scope": scope, "audience": audience}
        self._endpoint = _to_endpoint(
            url,
            authorization=_to_header(client_id, secret) if client_auth == "basic" else None,
            form=_to_form(form, client_id, None if client_auth == "basic" else secret),
            timeout=timeout,
            verify=verify,
            cert=cert,
            proxies=proxies,
        )
        self._shown, self._client_id = self._endpoint.shown, client_id
        self._leeway = leeway
        self._clock: Callable[[], float] = monotonic
        self._token: _Token | None = None
        self._not_before = float("-inf")
        self._used = threading.local()
        # By process, and without a lock, which a fork could leave locked in the child: of several
        # threads, `setdefault` lets one be the first.
        self._flights: dict[int, _Flight] = {}

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        token = self._current()
        if isinstance(token, _Problem):
            raise NoCredentials(token.told, is_temporary=token.is_temporary)
        self._used.token = token
        r.headers["Authorization"] = f"Bearer {token.text.reveal()}"
        return r

    def renew(self) -> bool:
        """
        Let go of the token that this thread has used last, because the engine has refused it.

        Returns:
            Whether another try makes sense: it will use another token.
        """
        refused: _Token | None = getattr(self._used, "token", None)
        if refused is None:
            return False
        self._used.token = None
        # A mark, for another thread may have put a new token into this one's place meanwhile.
        refused.is_refused = True
        return True

    def __copy__(self) -> OAuth2ClientCredentials:
        return self

    def __deepcopy__(self, memo: object) -> OAuth2ClientCredentials:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("secrets are not pickled")

    def __repr__(self) -> str:
        return f"OAuth2ClientCredentials({self._shown!r}, {self._client_id!r}, ***)"

    def _current(self) -> _Token | _Problem:
        """
        Give a token, or say why there is none: what raises here would show more than words.
        """
        token = self._at_hand()
        if token is not None:
            return token
        process, own = os.getpid(), _Flight()
        flight = self._flights.setdefault(process, own)
        if flight is own:
            try:
                flight.outcome = self._next()
            finally:
                del self._flights[process]
                flight.landed.set()
        else:
            token = self._token
            if token is not None and token.is_good(self._clock()):
                return token
            flight.landed.wait(self._endpoint.timeout)
        return flight.outcome or self._endpoint.no_token(
            "another thread still waits for its answer", is_temporary=True
        )

    def _at_hand(self) -> _Token | None:
        """
        Give the token if there is no need to ask for another one.
        """
        token, now = self._token, self._clock()
        if token is None or not token.is_good(now):
            return None
        return token if now < max(token.renew_at, self._not_before) else None

    def _next(self) -> _Token | _Problem:
        # Another thread may have got one since this one looked.
        token = self._at_hand()
        if token is not None:
            return token
        asked = self._clock()
        granted = self._endpoint.ask()
        if isinstance(granted, _Grant):
            _log.debug("a token from %s, for %.0f s", self._endpoint.place, granted.life)
            self._token = granted.to_token(asked, self._leeway)
            return self._token
        token, now = self._token, self._clock()
        if token is None or not token.is_good(now):
            return granted
        _log.warning("%s; the last one is good for another %.0f s", granted, token.expires_at - now)
        self._not_before = now + _PAUSE
        return token


@attrs.define(eq=False, repr=False)
class _Token:
    """
    A token, and when it is to be used, by the clock of who asked for it.
    """

    text: Secret
    renew_at: float
    expires_at: float
    is_refused: bool = False

    def is_good(self, now: float) -> bool:
        """
        Tell whether an engine may still take it.
        """
        return now < self.expires_at and not self.is_refused


@attrs.frozen(eq=False, repr=False)
class _Grant:
    """
    What a login server gave: a token for some seconds.
    """

    text: Secret
    life: float

    def to_token(self, asked: float, leeway: float) -> _Token:
        """
        Give the token for a clock that showed *asked* before the server can have begun to count.
        """
        unused = max(self.life - leeway, self.life / 2)
        return _Token(self.text, renew_at=asked + unused, expires_at=asked + self.life)


@attrs.frozen(eq=False, repr=False)
class _Problem:
    """
    Why there is no token.
    """

    told: str
    is_temporary: bool

    def __str__(self) -> str:
        return self.told


@attrs.define(eq=False, repr=False)
class _Flight:
    """
    One thread's way to the login server, which others wait for.
    """

    landed: threading.Event = attrs.field(factory=threading.Event)
    outcome: _Token | _Problem | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class _Endpoint:
    """
    A token endpoint, and all that it is told.
    """

    url: str = attrs.field(repr=False)
    #: The URL without its query, which may hold a key.
    shown: str
    #: Host and path.
    place: str
    authorization: Secret | None
    form: Secret
    timeout: float
    reach: ConnectionSettings

    def ask(self) -> _Grant | _Problem:
        """
        Give a token, or say why there is none.
        """
        try:
            status, content = self._post()
        except Exception as error:  # noqa: BLE001  # whatever the way to a server may raise
            return self._failed(error)
        except BaseException as error:  # noqa: BLE001  # Ctrl-C, or a limit of time
            # Its frames would show the request to whoever looks at local variables.
            error.__cause__ = error.__context__ = None
            raise error.with_traceback(None) from None
        if len(content) > _LONGEST_ANSWER:
            return self.no_token(f"HTTP {status}, with more than 1 MiB")
        granted = _read_grant(content) if status == 200 else _refusal(status, content)
        if isinstance(granted, _Grant):
            return granted
        return self.no_token(granted, is_temporary=status == 429 or status >= 500)

    def no_token(self, problem: str, *, is_temporary: bool = False) -> _Problem:
        """
        Say why there is no token, and whether it may go better the next time.
        """
        return _Problem(f"no OAuth 2 token from {self.place}: {problem}", is_temporary)

    def _post(self) -> tuple[int, bytes]:
        deadline = monotonic() + self.timeout
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Content-Type": "application/x-www-form-urlencoded",
            "User-Agent": f"camunda_ext/{__version__} {requests.utils.default_user_agent()}",
        }
        if self.authorization is not None:
            headers["Authorization"] = self.authorization.reveal()
        with LeanSession(self.reach, headers) as session:
            session.under_way.deadline, session.under_way.read = deadline, self.timeout
            with session.request(
                "POST",
                self.url,
                data=self.form.reveal(),
                timeout=self.timeout,
                allow_redirects=False,
                stream=True,
                hooks={"response": [stay]},
            ) as response:
                content = bytearray()
                while piece := response.raw.read1(_PIECE, decode_content=True):
                    content += piece
                    if len(content) > _LONGEST_ANSWER:
                        break
                return response.status_code, bytes(content)

    def _failed(self, error: Exception) -> _Problem:
        from camunda_ext._http import reasons  # only now: few requests fail

        if not reasons.is_of_the_way(error):
            # A mistake of whoever has taken the place of requests.
            raise error.with_traceback(without_libraries(error.__traceback__)) from error.__cause__
        if reasons.is_timeout(error):
            return self.no_token(f"no answer within {self.timeout:g} seconds", is_temporary=True)
        proxy = reasons.proxy_of(self.url, self.reach.proxies, trust_env=False)
        told = reasons.told_of(error, self.url, proxy)
        return self.no_token(
            f"{told.reason}. {told.hint}".rstrip(". "), is_temporary=told.is_temporary
        )


def _read_grant(content: bytes) -> _Grant | str:
    try:
        answer = loads(content)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        return "HTTP 200 without a JSON object"
    kind = answer.get("token_type")
    if kind is not None and (not isinstance(kind, str) or kind.lower() != "bearer"):
        return "its token_type is not bearer"
    try:
        text = Secret(header_text(answer.get("access_token")))
    except (TypeError, ValueError):
        return "its access_token is missing, or is no text in printable ASCII"
    told = answer.get("expires_in")
    life = _UNTOLD_LIFE if told is None else _seconds_of(told)
    return "its expires_in is no number above 0" if life is None else _Grant(text, life)


def _seconds_of(told: object) -> float | None:
    if isinstance(told, str) and _NUMBER.fullmatch(told):
        told = float(told)
    if isinstance(told, bool) or not isinstance(told, (int, float)) or told <= 0:
        return None
    return float(min(told, _LONGEST_LIFE))


def _refusal(status: int, content: bytes) -> str:
    if 300 <= status < 400:
        return f"HTTP {status}, a redirect, which is not followed"
    try:
        answer = loads(content)
    except ValueError:
        answer = None
    code = answer.get("error") if isinstance(answer, dict) else None
    known = isinstance(code, str) and code in _ERROR_CODES
    return f"HTTP {status}, {code}" if known else f"HTTP {status}"


def _to_header(client_id: str, client_secret: Secret) -> Secret:
    # RFC 6749, 2.3.1: each is form-urlencoded first, so that a colon does not part the name.
    pair = f"{quote_plus(client_id)}:{quote_plus(client_secret.reveal())}"
    return Secret(f"Basic {base64.b64encode(pair.encode('ascii')).decode('ascii')}")


def _to_form(
    fields: Mapping[str, str | None], client_id: str, client_secret: Secret | None
) -> Secret:
    told = {name: value for name, value in fields.items() if value is not None}
    if client_secret is not None:
        told |= {"client_id": client_id, "client_secret": client_secret.reveal()}
    return Secret(urlencode(told))


def _to_endpoint(
    url: Secret,
    *,
    authorization: Secret | None,
    form: Secret,
    timeout: float,
    verify: bool | str,
    cert: str | tuple[str, str] | None,
    proxies: Mapping[str, str] | None,
) -> _Endpoint:
    """
    Make the way to a token endpoint, and warn of what would give secrets away.
    """
    if not isinstance(url.reveal(), str):
        raise TypeError("token_url must be a str")
    problem = _problem_of_url(url)
    if problem is not None:
        raise ValueError(f"token_url {problem}")
    reach = connection_settings(
        url.reveal(),
        verify=verify,
        cert=cert,
        proxies=proxies,
        has_credentials=True,
        stacklevel=4,
    )
    target = urlsplit(url.reveal())
    return _Endpoint(
        url=url.reveal(),
        shown=f"{target.scheme}://{target.netloc}{target.path}",
        place=f"{target.netloc}{target.path}",
        authorization=authorization,
        form=form,
        timeout=timeout,
        reach=reach,
    )


def _problem_of_url(hidden: Secret) -> str | None:
    url = hidden.reveal()
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is no URL: look at its host and port"
    if "@" in parts.netloc:
        return "must not hold credentials: pass client_id and client_secret"
    if parts.scheme not in ("http", "https") or not host:
        return "must begin with http:// or https:// and a host"
    if "#" in url:
        return "must not have a fragment"
    if not url.isprintable() or " " in url or "\\" in url:
        return "must have no space, backslash or control character"
    return None


def _check_text(name: str, given: str | Secret) -> None:
    text = given if isinstance(given, Secret) else Secret(given)
    if not isinstance(text.reveal(), str):
        raise TypeError(f"{name} must be a str")
    if not text.reveal():
        raise ValueError(f"{name} must not be empty")
    if utf8(text.reveal()) is None:
        raise ValueError(f"{name} must be text that UTF-8 has bytes for")


def _check_seconds(name: str, given: float) -> None:
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        raise TypeError(f"{name} must be seconds as a number, not {given!r:.80}")
    if not 0 <= given <= threading.TIMEOUT_MAX:
        raise ValueError(f"{name} must be a number of seconds, not {given}")
