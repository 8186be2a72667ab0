"""
Secrets as values that show themselves to nobody, and the checks of them, which repeat nothing.
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
    A text that shows itself to `reveal()` alone.
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
    A function whose exceptions do not show its arguments to whoever looks at local variables.
    """

    @wraps(function)
    def hidden(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001  # whatever it is, its frames hold the arguments
            raised = without_library_frames(error)
        del args, kwargs
        raise raised

    return hidden


def utf8(text: str) -> bytes | None:
    """
    The bytes of a secret; ``None`` if there are none.
    """
    try:
        return text.encode()
    except UnicodeEncodeError:  # which would hold the text
        return None


def token_problem(token: Secret) -> TypeError | ValueError | None:
    """
    Why a header cannot hold a token; ``None`` if it can.
    """
    text: object = token.reveal()
    if not isinstance(text, str) or not text:
        return TypeError("a token must be a str, and not empty")
    if not text.isascii() or not text.isprintable() or text != text.strip():
        return ValueError("a token must be printable ASCII, without spaces around it")
    return None
