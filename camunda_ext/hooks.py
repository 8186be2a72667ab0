"""
What hooks and policies of a user are called with.
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
    An attempt that is about to be made.
    """

    #: Name of the client's method.
    operation: str

    #: The HTTP method.
    method: str

    #: The whole URL, without user and password.
    url: str

    #: The path below the engine with ``{name}`` where an id belongs; the same for all tasks.
    template: str

    #: Which attempt it is, from 1.
    attempt: int

    #: Headers to send besides; a hook may add some, such as ``traceparent``.
    headers: dict[str, str] = attrs.field(factory=dict, eq=False)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Ended(Value):
    """
    What came of an attempt.
    """

    #: The HTTP status; ``None`` if there was no answer.
    status: int | None

    #: What went wrong; ``None`` if nothing did, or if something else than an error of the engine or
    #: the network ended it, such as Ctrl-C: then there is no status either.
    error: CamundaError | None

    #: How long it took, in seconds.
    seconds: float


@runtime_checkable
class Hook(Protocol):
    """
    Is called before each attempt; what it gives, if anything, is called after it.
    """

    def __call__(self, outgoing: Outgoing, /) -> Callable[[Ended], None] | None: ...


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Failed(Value):
    """
    An attempt that failed, for a policy to look at.
    """

    #: Name of the client's method.
    operation: str

    #: Which attempt it was, from 1.
    attempt: int

    #: What went wrong.
    error: errors.CamundaError

    #: How long the server asked to wait, in seconds; ``None`` if it did not.
    retry_after: float | None = None
