"""
How long to wait before the next attempt, and how many attempts to make.
"""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, Protocol, runtime_checkable

import attrs

import camunda_ext
from camunda_ext import errors
from camunda_ext._wire import checks
from camunda_ext._wire.value import Value, exported


@exported
@runtime_checkable
class RetryPolicy(Protocol):
    """
    Decides how often and when to repeat requests that are safe to repeat.
    """

    def wait(self, failed: "camunda_ext.hooks.Failed") -> float | timedelta | None:
        """
        How long to wait before the next attempt, in seconds; ``None`` to make none.
        """


#: The longest wait after a `Conflict`, in seconds.
_LONGEST_CONFLICT: Final = 0.5


@exported
@attrs.frozen(kw_only=True, eq=False, repr=False)
class Retry(Value):
    """
    Exponential backoff: wait a random time, whose upper limit doubles with each attempt.

    Requests that are not safe to repeat are never repeated, and no attempt begins after the
    ``total`` of the `Timeout`.
    """

    #: How many attempts at most, the first one included; 1 never sends again.
    attempts: int = attrs.field(default=5)

    #: How many attempts at most if the engine has rolled back the request, because others changed
    #: the same rows (a `Conflict`), or could not begin it, because it cannot reach its database.
    #: After a `Conflict` they are half a second apart at most. Not used if `attempts` is 1.
    rollback_attempts: int = attrs.field(default=20)

    #: The longest wait before the second attempt, in seconds, or a `timedelta`.
    first_delay: float = attrs.field(default=0.05, converter=checks.to_seconds)

    #: The longest wait before any attempt, in seconds, or a `timedelta`; a server may ask for more.
    longest_delay: float = attrs.field(default=5.0, converter=checks.to_seconds)

    def __attrs_post_init__(self) -> None:
        for name in ("attempts", "rollback_attempts"):
            number = getattr(self, name)
            if isinstance(number, bool) or not isinstance(number, int):
                raise TypeError(f"{name} must be an int, not {number!r:.80}")
            if number < 1:
                raise ValueError(f"{name} must be at least 1, not {number}")
        for name in ("first_delay", "longest_delay"):
            checks.seconds(name, getattr(self, name), may_be_zero=True)

    def wait(self, failed: "camunda_ext.hooks.Failed") -> float | None:
        """
        How long to wait before the next attempt, in seconds; ``None`` to make none.
        """
        most, longest = self.attempts, self.longest_delay
        if most > 1 and _has_changed_nothing(failed.error):
            most = max(most, self.rollback_attempts)
        if isinstance(failed.error, errors.Conflict):
            longest = min(longest, _LONGEST_CONFLICT)  # The other transaction commits soon.
        if failed.attempt >= most:
            return None
        seconds = delay(failed.attempt, self.first_delay, longest, random.random())  # noqa: S311  # to spread, not to hide
        return max(seconds, failed.retry_after or 0.0)


def _has_changed_nothing(error: errors.CamundaError) -> bool:
    """
    Whether the engine states that it changed nothing, and a retry makes sense.
    """
    return isinstance(error, errors.Conflict) or (
        isinstance(error, errors.EngineBusy) and error.type == "CannotCreateTransactionException"
    )


def delay(attempt: int, first: float, longest: float, chance: float) -> float:
    """
    The seconds to wait after an *attempt*, the first of which is 1: a random part of *first*,
    doubled with each attempt up to *longest*.

    Args:
        chance: A random number from 0 to 1. The whole wait is random, so that clients that failed
            at the same time do not return at the same time.
    """
    return min(longest, first * 2.0 ** min(attempt - 1, 64)) * chance


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """
    The seconds that a server asks to wait in its header Retry-After, at most 300; ``None`` if the
    header is missing or malformed.

    Args:
        headers: The headers of the answer, with names in lower case.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), _LONGEST_RETRY_AFTER)
    moment = to_date(value)
    if moment is None:
        return None
    return min(max(0.0, (moment - now).total_seconds()), _LONGEST_RETRY_AFTER)


def to_date(value: str | None) -> datetime | None:
    """
    The aware date in a header; ``None`` if the header is missing or malformed.
    """
    try:
        date = parsedate_to_datetime(value or "")
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return None if date.tzinfo is None else date


#: The longest accepted Retry-After, in seconds; a date in the year 2099 must not block a worker.
_LONGEST_RETRY_AFTER: Final = 300.0


class Quota:
    """
    Limits the resends of a client: if most calls fail, sending each one again makes it worse.

    It has no lock, which a fork could leave locked; a race between threads makes it inexact by one.
    """

    FULL: Final = 500
    _COST: Final = 5

    def __init__(self) -> None:
        self.left = self.FULL

    def take(self) -> bool:
        """
        Pay for one resend, and return whether the quota was large enough.
        """
        if self.left < self._COST:
            return False
        self.left -= self._COST
        return True

    def give(self, resends: int) -> None:
        """
        Refund the resends of a call that succeeded, or add 1 for a call without resends.
        """
        self.left = min(self.FULL, self.left + (resends * self._COST or 1))
