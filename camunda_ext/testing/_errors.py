"""
What the engine answers when it does not do what it was told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

#: The code of an error about a text that is too long for its column.
TOO_LONG: Final = 10002


class EngineError(Exception):
    """
    An answer other than success, in the engine's own words.

    The class names of Java are part of the answer: clients tell errors apart by them.
    """

    def __init__(
        self,
        status: int,
        java_type: str,
        message: str | None,
        code: int | None = None,
        **details: Any,
    ) -> None:
        super().__init__(status, java_type, message, code)
        #: The HTTP status of the answer.
        self.status = status
        #: The name of Java's class.
        self.type = java_type
        #: The engine's words.
        self.message = message
        #: The engine's number for the error, if it has one.
        self.code = code
        #: What the answer has besides, as ``details`` of a model that is refused.
        self.details: Mapping[str, Any] = details

    def __str__(self) -> str:
        return f"{self.status} {self.type}: {self.message}"


def invalid_request(message: str, *, status: int = 400) -> EngineError:
    """
    A request that the REST layer refuses by itself; such an answer has no code.
    """
    return EngineError(status, "InvalidRequestException", message)


def not_readable() -> EngineError:
    """
    A body that is no JSON, or has a value of the wrong JSON type; the engine says no more.
    """
    return invalid_request("")


def rest_error(status: int, message: str, *, code: int | None = 0) -> EngineError:
    """
    An exception of the engine that the REST layer gives a status of its own.
    """
    return EngineError(status, "RestException", message, code)


def updated_concurrently(entity: str) -> EngineError:
    """
    The loser of two commands that change the same row.
    """
    return failure(
        "OptimisticLockingException",
        f"ENGINE-03005 Execution of 'UPDATE {entity}' failed. Entity was updated by another "
        "transaction concurrently.",
        code=1,
    )


def failure(java_type: str, message: str | None, *, code: int | None = 0) -> EngineError:
    """
    An exception that the REST layer does not expect: whatever it is, it is a 500.
    """
    return EngineError(500, java_type, message, code)


def null_value(message: str) -> EngineError:
    """
    What must be given is missing, and only the engine's innards noticed.
    """
    return failure("NullValueException", message)


def null_pointer() -> EngineError:
    """
    What must be given is missing, and not even the innards expected that.
    """
    return failure("NullPointerException", None, code=None)
