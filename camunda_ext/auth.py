"""
Who asks: credentials, which appear in no repr, pickle or traceback.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, NoReturn

import requests
from requests.auth import AuthBase

#: What a client takes for ``auth``.
Auth = tuple[str, str] | AuthBase | None


class TokenUnavailable(Exception):
    """
    The user's function gave no token; its own words are left out, they may hold secrets.
    """


class Secret:
    """
    A text that shows itself to `reveal()` alone.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """
        Give the text.
        """
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __reduce__(self) -> NoReturn:
        raise TypeError("secrets are not pickled")


class Basic(AuthBase):
    """
    User and password, in UTF-8 as the engine reads them; requests would send Latin-1.
    """

    def __init__(self, user: str, password: str) -> None:
        if not all(isinstance(one, str) for one in (user, password)):
            raise TypeError("user and password must be str")
        if ":" in user:
            raise ValueError("the user's name must not have a colon: Basic auth parts there")
        encoded = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
        self._header = Secret(f"Basic {encoded}")

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        r.headers["Authorization"] = self._header.reveal()
        return r

    def __repr__(self) -> str:
        return "Basic(***)"


class Bearer(AuthBase):
    """
    A token, or a function that is asked for one before each request.
    """

    def __init__(self, token: str | Callable[[], str]) -> None:
        if callable(token):
            self._token: Secret | Callable[[], str] = token
        else:
            self._token = Secret(_header_text(token))

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        r.headers["Authorization"] = f"Bearer {self._current()}"
        return r

    def _current(self) -> str:
        if isinstance(self._token, Secret):
            return self._token.reveal()
        try:
            return _header_text(self._token())
        except Exception as error:  # noqa: BLE001  # the user's own function may raise anything
            problem = type(error).__name__
        raise TokenUnavailable(f"the function that gives the token raised {problem}")

    def __repr__(self) -> str:
        return "Bearer(***)"


def to_auth(given: Any) -> AuthBase | None:
    """
    Make what a user gave for ``auth`` something that requests takes.

    Raises:
        TypeError: It is nothing of the kind; a bare string could be a token or a password.
    """
    if given is None or (callable(given) and not isinstance(given, type)):
        made: AuthBase | None = given
        return made
    if isinstance(given, (tuple, list)) and len(given) == 2:
        return Basic(*given)
    raise TypeError(
        "auth must be (user, password), Bearer(token) or an auth object of requests, "
        f"not {type(given).__name__}"
    )


def _header_text(token: object) -> str:
    if not isinstance(token, str) or not token:
        raise TypeError("a token must be a str, and not empty")
    if not token.isascii() or not token.isprintable() or token != token.strip():
        raise ValueError("a token must be printable ASCII, without spaces around it")
    return token
