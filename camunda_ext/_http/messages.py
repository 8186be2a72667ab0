"""
A request and an answer as values that no socket is tied to.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from enum import Enum
from typing import Any

import attrs

from camunda_ext._wire import checks
from camunda_ext._wire.value import Value, exported


def _to_seconds(value: float | timedelta | None) -> float | None:
    seconds: float | None = checks.to_seconds(value)
    return seconds


def _check_seconds(_: object, field: "attrs.Attribute[Any]", value: object) -> None:
    if value is not None:
        checks.seconds(field.name, value)


@exported
@attrs.frozen(kw_only=True, eq=False, repr=False)
class Timeout(Value):
    """
    How long to wait, in seconds, or a `timedelta`; ``None`` waits for ever.

    A long poll's own time is added to `read` and `total`.
    """

    #: For the connection.
    connect: float | None = attrs.field(
        default=3.0, converter=_to_seconds, validator=_check_seconds
    )

    #: For the next piece of the answer.
    read: float | None = attrs.field(default=60.0, converter=_to_seconds, validator=_check_seconds)

    #: For the whole call: all attempts, the waits between them, and all looks at the task. With a
    #: `requests.Session` of your own, a call may last `read` longer, and as long as a server likes
    #: that sends the head of its answer byte by byte.
    total: float | None = attrs.field(
        default=120.0, converter=_to_seconds, validator=_check_seconds
    )

    @classmethod
    def of(cls, given: "Timeout | float | timedelta | None") -> "Timeout":
        """
        The time-outs that an argument of a user stands for: a duration is the one for the whole
        call.
        """
        if given is None or isinstance(given, Timeout):
            return given or cls()
        seconds = checks.seconds("timeout", given)
        whole = cls(read=seconds, total=seconds)
        return attrs.evolve(whole, connect=min(seconds, whole.connect or seconds))

    def plus(self, seconds: float) -> "Timeout":
        """
        The time-outs of a request that the engine may take *seconds* longer for.
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
    A request as it goes to a transport; credentials are the transport's own business.
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

    #: When the call must be over, by the monotonic clock; ``None`` if it may take any time.
    deadline: float | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class HttpResponse:
    """
    A whole answer.
    """

    #: The HTTP status.
    status: int

    #: The headers; the case of names makes no difference.
    headers: Mapping[str, str]

    #: The body, its content encoding undone.
    content: bytes

    #: Returns what was sent that nobody is to see, such as credentials: a server may repeat it.
    secrets: Callable[[], tuple[str, ...]] = tuple


class FailureKind(Enum):
    """
    In which way an attempt failed that may succeed the next time.
    """

    #: The request provably never left.
    NOT_SENT = "not sent"

    #: It was refused before anything was done: the engine is starting, or has too many requests.
    NOT_NOW = "not now"

    #: The engine rolled it back, because somebody else changed the same rows.
    ROLLED_BACK = "rolled back"

    #: The engine's database failed; it was rolled back, unless what failed was the commit.
    DATABASE = "database"

    #: The engine failed, and would fail again; but it may have stumbled over the end of the task by
    #: another command, for which it has many words.
    FAILED = "failed"

    #: No trustworthy answer came.
    NO_ANSWER = "no answer"

    #: No answer came in time: the engine may still be working on it.
    TIMED_OUT = "timed out"

    #: The answer is larger than it may be.
    TOO_LARGE = "too large"
