"""
Who asks: credentials, which appear in no repr, pickle or traceback.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Final, NoReturn, ParamSpec, TypeVar

import attrs
import requests
from requests.auth import AuthBase

from camunda_ext._secrets.tracebacks import without_libraries
from camunda_ext._wire.value import TakenAsIs

P = ParamSpec("P")
T = TypeVar("T")

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

    def __init__(self, told: str, *, is_temporary: bool) -> None:
        super().__init__(told)
        self.is_temporary = is_temporary


def hiding(function: Callable[P, T]) -> Callable[P, T]:
    """
    Let no error of a function show its arguments to whoever looks at local variables.
    """

    @wraps(function)
    def hidden(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except (TypeError, ValueError) as error:
            raised = error.with_traceback(None)
        del args, kwargs
        raised.__cause__ = raised.__context__ = None
        raise raised

    return hidden


class Secret:
    """
    A text that shows itself to `reveal()` alone.
    """

    __slots__ = ("_text",)

    def __init__(self, text: Any) -> None:
        self._text = text

    def reveal(self) -> Any:
        """
        Give the text.
        """
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __reduce__(self) -> NoReturn:
        raise TypeError("secrets are not pickled")


class Basic(TakenAsIs, AuthBase):
    """
    User and password, in UTF-8 as the engine reads them; requests would send Latin-1.
    """

    @hiding
    def __init__(self, user: str, password: str) -> None:
        if not all(isinstance(one, str) for one in (user, password)):
            raise TypeError("user and password must be str")
        if ":" in user:
            raise ValueError("the user's name must not have a colon: Basic auth parts there")
        encoded = utf8(f"{user}:{password}")
        if encoded is None:
            raise ValueError("user and password must be text that UTF-8 has bytes for")
        encoded = base64.b64encode(encoded)
        self._header = Secret(f"Basic {encoded.decode('ascii')}")

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        r.headers["Authorization"] = self._header.reveal()
        return r

    def __repr__(self) -> str:
        return "Basic(***)"


class Bearer(TakenAsIs, AuthBase):
    """
    A token, or a function that is asked for one before each request.
    """

    @hiding
    def __init__(self, token: str | Callable[[], str]) -> None:
        if callable(token):
            self._token: Secret | Callable[[], str] = token
        else:
            self._token = Secret(header_text(token))

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        r.headers["Authorization"] = f"Bearer {self._current()}"
        return r

    def _current(self) -> str:
        token = self._token if isinstance(self._token, Secret) else Secret(self._token())
        problem = _problem_of_token(token)
        if problem is not None:
            raise NoCredentials(f"what gives tokens gave none: {problem[1]}", is_temporary=False)
        return str(token.reveal())

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
            made = self._auth(r)
        except NoCredentials as error:
            failed: AuthFailed = NoCredentials(str(error), is_temporary=error.is_temporary)
        except Exception as error:  # noqa: BLE001  # it may be the user's own, and raise anything
            failed = AuthFailed(f"the auth object raised {type(error).__name__}")
            failed.cause = error.with_traceback(without_libraries(error.__traceback__))
        else:
            headers = getattr(made, "headers", None)
            if headers is None:
                failed = AuthFailed(
                    "the auth object gave back no request: does it end with return?"
                )
            elif (odd := _odd_header(headers)) is None:
                return made
            else:
                failed = AuthFailed(
                    f"the auth object made a header {odd} that is no text of one line, or has a "
                    "character that headers cannot have"
                )
        raise failed

    def renew(self) -> bool:
        """
        Tell whether a request that was refused is worth another try, with other credentials.
        """
        try:
            renew = getattr(self._auth, "renew", None)
            return callable(renew) and bool(renew())
        except Exception:  # noqa: BLE001  # as above; what was refused then stays so
            return False


def to_auth(given: Any) -> AuthBase | None:
    """
    Make what a user gave for ``auth`` something that requests takes.

    Raises:
        TypeError: It is nothing of the kind; a bare string could be a token or a password.
    """
    if given is None:
        return None
    if isinstance(given, (tuple, list)) and len(given) == 2:
        return Basic(*given)
    if callable(given) and not isinstance(given, type):
        return SafeAuth(given)
    raise TypeError(
        "auth must be (user, password), Bearer(token) or an auth object of requests, "
        f"not {type(given).__name__}"
    )


def to_auth_of(session: requests.Session) -> AuthBase | None:
    """
    Give what signs the requests of a user's own session, if it has any.
    """
    given = session.auth
    if isinstance(given, tuple) and not all(isinstance(part, str) for part in given):
        given = requests.auth.HTTPBasicAuth(*given)  # bytes
    return to_auth(given)


def _odd_header(headers: Mapping[Any, Any]) -> str | None:
    """
    Give the name of a header that cannot be sent; ``None`` if all can.
    """
    for name, value in headers.items():
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        if not isinstance(text, str) or _NO_LINE.search(text):
            return str(name)
    return None


_NO_LINE: Final = re.compile(r"[^\t\x20-\x7e\x80-\xff]")


def utf8(text: str) -> bytes | None:
    """
    Give the bytes of a secret; ``None`` if there are none.
    """
    try:
        return text.encode()
    except UnicodeEncodeError:  # which would hold the text
        return None


def header_text(token: object) -> str:
    """
    Give back a token that a header can hold.
    """
    problem = _problem_of_token(Secret(token))
    if problem is not None:
        kind, said = problem
        raise kind(said)
    return str(token)


def _problem_of_token(secret: Secret) -> tuple[type[Exception], str] | None:
    token: object = secret.reveal()
    if not isinstance(token, str) or not token:
        return TypeError, "a token must be a str, and not empty"
    if not token.isascii() or not token.isprintable() or token != token.strip():
        return ValueError, "a token must be printable ASCII, without spaces around it"
    return None
