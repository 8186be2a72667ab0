"""
Who asks: credentials, which appear in no repr, pickle or traceback.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs
import requests
from requests.auth import AuthBase

from camunda_ext._secrets.hidden import Secret, hiding, token_problem, utf8
from camunda_ext._secrets.tracebacks import without_library_frames
from camunda_ext._wire.value import TakenAsIs, exported

#: What a client takes for ``auth``.
Auth = tuple[str, str] | Callable[[requests.PreparedRequest], requests.PreparedRequest] | None


class AuthFailed(Exception):
    """
    An auth object raised something, or made no header.
    """

    #: Whether a retry makes sense.
    is_temporary: bool = False

    #: What a function of the user's has raised.
    cause: Exception | None = None


class NoCredentials(AuthFailed):
    """
    What an auth object of this package raises, in words that hold no secret.
    """

    def __init__(self, reason: str, *, is_temporary: bool) -> None:
        super().__init__(reason)
        self.is_temporary = is_temporary


@exported
class Basic(TakenAsIs, AuthBase):
    """
    User and password, in UTF-8 as the engine reads them; requests would send Latin-1.
    """

    @hiding
    def __init__(self, user: str, password: str) -> None:
        if not all(isinstance(part, str) for part in (user, password)):
            raise TypeError("user and password must be str")
        if ":" in user:
            raise ValueError("the user's name must not have a colon: Basic auth parts there")
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
    A token, or a function that is asked for one before each request.
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


@attrs.frozen
class SafeAuth(AuthBase):
    """
    Any auth object, but that what it raises is the cause of an `AuthFailed`, and no header is
    broken.
    """

    _auth: AuthBase = attrs.field(repr=False)

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        try:
            signed = self._auth(r)
        except NoCredentials as error:
            failed: AuthFailed = NoCredentials(str(error), is_temporary=error.is_temporary)
        except Exception as error:  # noqa: BLE001  # it may be the user's own, and raise anything
            failed = AuthFailed(f"the auth object raised {type(error).__name__}")
            failed.cause = without_library_frames(error)
        else:
            headers = getattr(signed, "headers", None)
            if headers is None:
                failed = AuthFailed("the auth object returned no request: does it end with return?")
            elif (broken := _broken_header(headers)) is None:
                return signed
            else:
                failed = AuthFailed(
                    f"the auth object set an invalid header {broken}: headers have one line, in "
                    "characters of Latin-1"
                )
        raise failed

    def renew(self) -> bool:
        """
        Whether a request that was refused is worth another try, with other credentials.
        """
        try:
            renew = getattr(self._auth, "renew", None)
            return callable(renew) and bool(renew())
        except Exception:  # noqa: BLE001  # as above; what was refused then stays so
            return False


def to_auth(auth: Any) -> AuthBase | None:
    """
    What requests takes for credentials, from what a user passes as ``auth``.

    Raises:
        TypeError: It is nothing of the kind; a bare string could be a token or a password.
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
    What signs the requests of a user's own session, if it has any credentials.
    """
    auth = session.auth
    if isinstance(auth, tuple) and not all(isinstance(part, str) for part in auth):
        auth = requests.auth.HTTPBasicAuth(*auth)  # bytes
    return to_auth(auth)


def _broken_header(headers: Mapping[Any, Any]) -> str | None:
    """
    The name of a header that cannot be sent; ``None`` if all can.
    """
    for name, value in headers.items():
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        if not isinstance(text, str) or _NO_LINE.search(text):
            return str(name)
    return None


_NO_LINE: Final = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
