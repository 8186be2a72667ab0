"""
A request and its answer as plain values, the time-outs of a call, and the kinds of failure.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from enum import Enum
from math import inf
from typing import Any

import attrs

from camunda_ext._wire import checks
from camunda_ext._wire.value import Value, exported


def _to_seconds(value: float | timedelta | None) -> float | None:
    return None if value is None else checks.to_seconds(value)


def _check_wait(_: object, field: "attrs.Attribute[Any]", value: object) -> None:
    if value is not None:
        checks.seconds(field.name, value)


@exported
@attrs.frozen(kw_only=True, eq=False, repr=False)
class Timeout(Value):
    """
    How long to wait, in seconds, or a `timedelta`; ``None`` waits for ever.

    A long poll's own time is added to `read` and `total`.
    """

    #: For connecting.
    connect: float | None = attrs.field(default=3.0, converter=_to_seconds, validator=_check_wait)

    #: For the next piece of the answer.
    read: float | None = attrs.field(default=60.0, converter=_to_seconds, validator=_check_wait)

    #: For the whole call: all attempts, the waits between them, and all looks at the task. With a
    #: `requests.Session` of your own, a call may last `read` longer; and a server that sends the
    #: head of its answer byte by byte can make it last for any time.
    total: float | None = attrs.field(default=120.0, converter=_to_seconds, validator=_check_wait)

    @classmethod
    def of(cls, timeout: "Timeout | float | timedelta | None") -> "Timeout":
        """
        The time-outs for the argument ``timeout`` of a client: a duration limits the whole call.
        """
        if timeout is None or isinstance(timeout, Timeout):
            return timeout or cls()
        seconds = checks.seconds("timeout", timeout)
        whole = cls(read=seconds, total=seconds)
        return attrs.evolve(whole, connect=min(seconds, whole.connect or seconds))

    def plus(self, seconds: float) -> "Timeout":
        """
        The time-outs of a request that the engine may answer *seconds* later than others.
        """
        if not seconds:
            return self
        return Timeout(
            connect=self.connect,
            read=None if self.read is None else self.read + seconds,
            total=None if self.total is None else self.total + seconds,
        )


@attrs.frozen(kw_only=True, eq=False, repr=False)
class HttpRequest:
    """
    A request as it goes to a transport, which adds the credentials.
    """

    #: The HTTP method.
    method: str

    #: The whole URL, encoded.
    url: str

    #: The headers.
    headers: Mapping[str, str]

    #: The body; ``None`` for none.
    content: bytes | None = attrs.field(repr=False)

    #: How long to wait.
    timeout: Timeout

    #: When the call must be over, by the monotonic clock.
    deadline: float = inf


@attrs.frozen(kw_only=True, eq=False, repr=False)
class HttpResponse:
    """
    An answer that was read to its end.
    """

    #: The HTTP status.
    status: int

    #: The headers; the case of names makes no difference.
    headers: Mapping[str, str]

    #: The body, its content encoding undone.
    content: bytes

    #: Returns the secrets that were sent, such as credentials: the answer may repeat them.
    secrets: Callable[[], tuple[str, ...]] = tuple


class FailureKind(Enum):
    """
    How an attempt failed, for the choice whether to send the request again.
    """

    #: The request provably never left.
    NOT_SENT = "not sent"

    #: It was refused before it changed anything: the engine is starting, or has too many requests.
    NOT_NOW = "not now"

    #: The engine rolled it back, because another transaction changed the same rows.
    ROLLED_BACK = "rolled back"

    #: The engine's database failed; it was rolled back, unless what failed was the commit.
    DATABASE = "database"

    #: The engine failed, and a resend would fail as well. The cause may be that another command has
    #: ended the task meanwhile: engines report that in many ways, so only a look at the task tells.
    FAILED = "failed"

    #: No trustworthy answer came.
    NO_ANSWER = "no answer"

    #: No answer came in time: the engine may still be working on it.
    TIMED_OUT = "timed out"

    #: The answer is larger than it may be.
    TOO_LARGE = "too large"


@attrs.define(eq=False)
class TransportFailure(Exception):
    """
    An attempt ended without a complete answer.
    """

    #: What happened.
    reason: str

    #: Whether the request may have been sent.
    sent: bool = attrs.field(default=True, kw_only=True)

    #: Whether a retry makes sense.
    is_temporary: bool = attrs.field(default=True, kw_only=True)

    #: Why there was no answer.
    kind: FailureKind = attrs.field(default=FailureKind.NO_ANSWER, kw_only=True)

    #: The status of an answer that came in part.
    status: int | None = attrs.field(default=None, kw_only=True)

    #: What the user can do about it; may be empty.
    hint: str = attrs.field(default="", kw_only=True)

    #: The exception of a user's own function; ``None`` if there is none.
    cause: Exception | None = attrs.field(default=None, kw_only=True)
