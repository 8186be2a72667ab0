"""
Credentials, which appear in no repr, pickle or traceback.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from math import inf
from typing import Any, Final

import attrs
import requests
from requests.auth import AuthBase

from camunda_ext._secrets.hidden import Secret, hiding, token_problem, utf8
from camunda_ext._secrets.tracebacks import without_library_frames
from camunda_ext._wire.value import TakenAsIs, exported

#: The type of ``auth``: user and password, or an auth object of requests.
Auth = tuple[str, str] | Callable[[requests.PreparedRequest], requests.PreparedRequest] | None


#: When the call that needs credentials must be over, by the monotonic clock: its auth object may
#: have to ask a server for them.
DEADLINE: Final = ContextVar("DEADLINE", default=inf)


class AuthFailed(Exception):
    """
    An auth object raised an exception, or did not return a valid request.
    """

    #: Whether a retry makes sense.
    is_temporary: bool = False

    #: The exception of the user's own auth object or token function.
    cause: Exception | None = None


class NoCredentials(AuthFailed):
    """
    An auth object of this package has no credentials; the message holds no secret.
    """

    def __init__(self, reason: str, *, is_temporary: bool) -> None:
        super().__init__(reason)
        self.is_temporary = is_temporary


@exported
class Basic(TakenAsIs, AuthBase):
    """
    User and password for Basic auth, in UTF-8 as engines read them; requests would send Latin-1.
    """

    @hiding
    def __init__(self, user: str, password: str) -> None:
        if not all(isinstance(part, str) for part in (user, password)):
            raise TypeError("user and password must be str")
        if ":" in user:
            raise ValueError("the user's name must not have a colon, where Basic auth splits")
        pair = utf8(f"{user}:{password}")
        if pair is None:
            raise ValueError("user and password must be text that UTF-8 can encode")
        self._header = Secret(f"Basic {base64.b64encode(pair).decode('ascii')}")

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        r.headers["Authorization"] = self._header.reveal()
        return r

    def __repr__(self) -> str:
        return "Basic(***)"


@exported
class Bearer(TakenAsIs, AuthBase):
    """
    A token, or a function that is called for one before each request.
    """

    @hiding
    def __init__(self, token: str | Callable[[], str]) -> None:
        self._token = token if callable(token) else Secret(token)
        problem = None if callable(self._token) else token_problem(self._token)
        if problem is not None:
            raise problem

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        token = Secret(self._token()) if callable(self._token) else self._token
        problem = token_problem(token)
        if problem is not None:
            raise NoCredentials(
                f"the token function returned no valid token: {problem}", is_temporary=False
            )
        r.headers["Authorization"] = f"Bearer {token.reveal()}"
        return r

    def __repr__(self) -> str:
        return "Bearer(***)"


@attrs.frozen(eq=False, repr=False)
class SafeAuth(AuthBase):
    """
    A user's auth object, wrapped: if that one raises an exception, returns no request or sets an
    invalid header, this one raises `AuthFailed`.
    """

    _auth: AuthBase

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        try:
            signed = self._auth(r)
        except NoCredentials as error:
            failed: AuthFailed = NoCredentials(str(error), is_temporary=error.is_temporary)
        except Exception as error:  # noqa: BLE001  # the user's own object may raise anything
            failed = AuthFailed(f"the auth object raised {type(error).__name__}")
            failed.cause = without_library_frames(error)
        else:
            headers = getattr(signed, "headers", None)
            if headers is None:
                failed = AuthFailed("the auth object returned no request: does it end with return?")
            elif (invalid := _invalid_header(headers)) is None:
                return signed
            else:
                failed = AuthFailed(
                    f"the auth object set an invalid header {invalid}: headers have one line, in "
                    "characters of Latin-1"
                )
        raise failed

    def renew(self) -> bool:
        """
        Whether a request that was refused can be sent again with other credentials.
        """
        try:
            renew = getattr(self._auth, "renew", None)
            return callable(renew) and bool(renew())
        except Exception:  # noqa: BLE001  # as above; the call then ends with the refusal
            return False


def to_auth(auth: Any) -> AuthBase | None:
    """
    The auth object of requests for an argument ``auth``; ``None`` for no credentials.

    Raises:
        TypeError: The argument is of another type. A plain str is refused, as it could be a token
            or a password.
    """
    if auth is None:
        return None
    if isinstance(auth, (tuple, list)) and len(auth) == 2:
        return Basic(*auth)
    if callable(auth) and not isinstance(auth, type):
        return SafeAuth(auth)
    raise TypeError(
        "auth must be (user, password), Bearer(token) or an auth object of requests, "
        f"not {type(auth).__name__}"
    )


def to_auth_of(session: requests.Session) -> AuthBase | None:
    """
    The auth object of a user's own session; ``None`` if the session has no credentials.
    """
    auth = session.auth
    if isinstance(auth, tuple) and not all(isinstance(part, str) for part in auth):
        auth = requests.auth.HTTPBasicAuth(*auth)  # bytes
    return to_auth(auth)


def _invalid_header(headers: Mapping[Any, Any]) -> str | None:
    """
    The name of a header that cannot be sent; ``None`` if all can be sent.
    """
    for name, value in headers.items():
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        if not isinstance(text, str) or _INVALID_IN_HEADER.search(text):
            return str(name)
    return None


_INVALID_IN_HEADER: Final = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
