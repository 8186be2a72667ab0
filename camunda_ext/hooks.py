"""
The protocol of hooks, and the arguments of hooks and retry policies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import attrs

from camunda_ext import errors
from camunda_ext._wire.value import Value
from camunda_ext.errors import CamundaError


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Outgoing(Value):
    """
    An attempt that is about to begin; the argument of a hook.
    """

    #: Name of the client's method.
    operation: str

    #: The HTTP method.
    method: str

    #: The whole URL, without user and password.
    url: str

    #: The path below the engine with ``{name}`` in place of each id, so that it is the same for all
    #: tasks.
    template: str

    #: Number of the attempt, from 1.
    attempt: int

    #: Additional headers of the request; a hook may add some, such as ``traceparent``.
    headers: dict[str, str] = attrs.field(factory=dict, eq=False)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Ended(Value):
    """
    The outcome of an attempt; the argument of the function that a hook returns.
    """

    #: The HTTP status; ``None`` if there was no answer.
    status: int | None

    #: The error; ``None`` if the attempt succeeded, or if another exception ended it, such as
    #: Ctrl-C: then there is no status either.
    error: CamundaError | None

    #: Duration of the attempt, in seconds.
    seconds: float


@runtime_checkable
class Hook(Protocol):
    """
    A function that is called before each attempt; if it returns a function, that is called after
    the attempt.
    """

    def __call__(self, outgoing: Outgoing, /) -> Callable[[Ended], None] | None: ...


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Failed(Value):
    """
    A failed attempt; the argument of a retry policy.
    """

    #: Name of the client's method.
    operation: str

    #: Number of the attempt, from 1.
    attempt: int

    #: The error of the attempt.
    error: errors.CamundaError

    #: How long the server asks to wait (header Retry-After), in seconds; ``None`` if it does not.
    retry_after: float | None = None
