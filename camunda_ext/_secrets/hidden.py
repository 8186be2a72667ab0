"""
Secrets as values that no repr or pickle shows, and checks whose error messages do not repeat them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, NoReturn, ParamSpec, TypeVar

from camunda_ext._secrets.tracebacks import without_library_frames

P = ParamSpec("P")
T = TypeVar("T")


class Secret:
    """
    A text that only `reveal()` returns.
    """

    __slots__ = ("_text",)

    def __init__(self, text: Any) -> None:
        self._text = text

    def reveal(self) -> Any:
        """
        The text.
        """
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __reduce__(self) -> NoReturn:
        raise TypeError("secrets are not pickled")


def hiding(function: Callable[P, T]) -> Callable[P, T]:
    """
    The function, changed so that tracebacks of its exceptions do not hold its arguments: error
    trackers show the local variables of frames.
    """

    @wraps(function)
    def hidden(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001  # the frames of any of them hold the arguments
            raised = without_library_frames(error)
        del args, kwargs
        raise raised

    return hidden


def utf8(text: str) -> bytes | None:
    """
    The bytes of a secret text; ``None`` if UTF-8 cannot encode it.
    """
    try:
        return text.encode()
    except UnicodeEncodeError:  # not passed on, as it holds the text
        return None


def token_problem(token: Secret) -> TypeError | ValueError | None:
    """
    Why a token is invalid in a header; ``None`` if it is valid.
    """
    text: object = token.reveal()
    if not isinstance(text, str) or not text:
        return TypeError("a token must be a str, and not empty")
    if not text.isascii() or not text.isprintable() or text != text.strip():
        return ValueError("a token must be printable ASCII, without spaces around it")
    return None
