"""
The errors that the engine answers with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

#: The code of an error about a text that is too long for its column.
TOO_LONG: Final = 10002


class EngineError(Exception):
    """
    An error that the engine answers with, in Camunda's words.

    The answer contains the name of a Java class, by which clients tell errors apart.
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
        #: The name of the Java class.
        self.type = java_type
        #: The message; ``None`` if the answer has none.
        self.message = message
        #: The engine's code for the error; ``None`` if it has none.
        self.code = code
        #: Further properties of the answer, such as ``details`` of a refused model.
        self.details: Mapping[str, Any] = details

    def __str__(self) -> str:
        return f"{self.status} {self.type}: {self.message}"


def invalid_request(message: str, *, status: int = 400) -> EngineError:
    """
    The error of a request that the REST layer refuses, before the engine executes it.
    """
    return EngineError(status, "InvalidRequestException", message)


def not_readable() -> EngineError:
    """
    The error of a body that is not JSON, or has a value of the wrong JSON type.
    """
    return invalid_request("")


def rest_error(status: int, message: str, *, code: int | None = 0) -> EngineError:
    """
    The error of a command for which the REST layer chooses the status.
    """
    return EngineError(status, "RestException", message, code)


def updated_concurrently(entity: str) -> EngineError:
    """
    The error of a command that was rolled back, as another one has changed the same row meanwhile.
    """
    return failure(
        "OptimisticLockingException",
        f"ENGINE-03005 Execution of 'UPDATE {entity}' failed. Entity was updated by another "
        "transaction concurrently.",
        code=1,
    )


def failure(java_type: str, message: str | None, *, code: int | None = 0) -> EngineError:
    """
    The error of a command that the REST layer answers with 500, as for any unexpected error.
    """
    return EngineError(500, java_type, message, code)


def null_value(message: str) -> EngineError:
    """
    The error of a command whose argument is null.
    """
    return failure("NullValueException", message)


def null_pointer() -> EngineError:
    """
    The error of a command whose argument is null where the engine does not check for that.
    """
    return failure("NullPointerException", None, code=None)
