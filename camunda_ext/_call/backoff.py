"""
How long to wait before the next attempt, and how many there may be.
"""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, Protocol, runtime_checkable

import attrs

from camunda_ext import errors
from camunda_ext._wire import checks
from camunda_ext._wire.value import Value, exported
from camunda_ext.hooks import Failed


@exported
@runtime_checkable
class RetryPolicy(Protocol):
    """
    Who says how often and when to send again what may be sent again.
    """

    def wait(self, failed: Failed) -> float | timedelta | None:
        """
        How long to wait before the next attempt, in seconds; ``None`` to make none.
        """


def _to_seconds(value: float | timedelta) -> float:
    seconds: float = checks.to_seconds(value)
    return seconds


#: The longest time before an attempt after a `Conflict`, in seconds.
_LONGEST_CONFLICT: Final = 0.5


@exported
@attrs.frozen(kw_only=True, eq=False, repr=False)
class Retry(Value):
    """
    Send again after a random time, up to one that doubles with each attempt.

    What is never safe to send again is not, whatever this says; and no attempt begins after the
    ``total`` of the `Timeout`.
    """

    #: How many attempts at most, the first one included; 1 never sends again.
    attempts: int = attrs.field(default=5)

    #: How many attempts at most, unless `attempts` is 1, of what the engine says it has rolled
    #: back, for others changed the same rows (a `Conflict`), or not begun, for it cannot reach its
    #: database. After a `Conflict` they are half a second apart at most.
    rollback_attempts: int = attrs.field(default=20)

    #: The longest time before the second attempt, in seconds, or a `timedelta`.
    first_delay: float = attrs.field(default=0.05, converter=_to_seconds)

    #: The longest time before any attempt, in seconds, or a `timedelta`; a server may ask for more.
    longest_delay: float = attrs.field(default=5.0, converter=_to_seconds)

    def __attrs_post_init__(self) -> None:
        for name in ("attempts", "rollback_attempts"):
            number = getattr(self, name)
            if isinstance(number, bool) or not isinstance(number, int):
                raise TypeError(f"{name} must be an int, not {number!r:.80}")
            if number < 1:
                raise ValueError(f"{name} must be at least 1, not {number}")
        for name in ("first_delay", "longest_delay"):
            checks.seconds(name, getattr(self, name), may_be_zero=True)

    def wait(self, failed: Failed) -> float | None:
        """
        How long to wait before the next attempt, in seconds; ``None`` to make none.
        """
        most, longest = self.attempts, self.longest_delay
        if most > 1 and _has_changed_nothing(failed.error):
            most = max(most, self.rollback_attempts)
        if isinstance(failed.error, errors.Conflict):
            longest = min(longest, _LONGEST_CONFLICT)  # The others are at work, and done soon.
        if failed.attempt >= most:
            return None
        chosen = delay(failed.attempt, self.first_delay, longest, random.random())  # noqa: S311  # to spread, not to hide
        return max(chosen, failed.retry_after or 0.0)


def _has_changed_nothing(error: errors.CamundaError) -> bool:
    """
    Tell whether the engine itself says so, and that it may go better the next time.
    """
    return isinstance(error, errors.Conflict) or (
        isinstance(error, errors.EngineBusy) and error.type == "CannotCreateTransactionException"
    )


def delay(attempt: int, first: float, longest: float, chance: float) -> float:
    """
    Give the seconds to wait after an *attempt*, from 1 on: any part of a time that doubles.

    Args:
        chance: A random number from 0 to 1. With less than all of it left to chance, clients that
            failed together would come back together.
    """
    return min(longest, first * 2.0 ** min(attempt - 1, 64)) * chance


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """
    Give the seconds that a server asks to wait, from a header that may hold anything.

    Args:
        headers: Those of the answer, their names in lower case.
    """
    asked = headers.get("retry-after", "").strip()
    if asked.isascii() and asked.isdigit():
        return min(float(asked), _LONGEST_ASKED)
    try:
        moment = parsedate_to_datetime(asked)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        return None
    return min(max(0.0, (moment - now).total_seconds()), _LONGEST_ASKED)


#: What a server may ask for in seconds; a date of the year 2099 must not park a worker.
_LONGEST_ASKED: Final = 300.0


class Quota:
    """
    How many resends a client has left: where most calls fail, sending each again makes it worse.

    No lock guards it, which a fork could leave locked; a race makes it inexact by one.
    """

    FULL: Final = 500
    _COST: Final = 5

    def __init__(self) -> None:
        self.left = self.FULL

    def take(self) -> bool:
        """
        Take what one resend costs; tell whether there was enough.
        """
        if self.left < self._COST:
            return False
        self.left -= self._COST
        return True

    def give(self, resends: int) -> None:
        """
        Give back what a call took that succeeded after all, or a little for one that took nothing.
        """
        self.left = min(self.FULL, self.left + (resends * self._COST or 1))
