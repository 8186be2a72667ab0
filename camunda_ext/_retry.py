"""
When a request is sent again: a table of operations and of what may come of an attempt.

An attempt that failed either provably changed nothing, or leaves in doubt whether it did. What is
safe then depends on the operation: `RULES` says it for each, and nothing here sends or sleeps.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from threading import TIMEOUT_MAX
from typing import Final, Protocol, runtime_checkable

import attrs

from camunda_ext import errors
from camunda_ext._value import Value


class Came(Enum):
    """
    What came of an attempt that failed, and might not the next time.
    """

    #: It provably never left.
    NOT_SENT = "not sent"

    #: It was refused before anything was done: the engine starts, or has too many requests.
    NOT_NOW = "not now"

    #: The engine rolled it back, for somebody else changed the same rows.
    ROLLED_BACK = "rolled back"

    #: The engine's database failed; it was rolled back, unless what failed was the commit.
    DATABASE = "database"

    #: The engine failed, and would fail again; but it may have stumbled over the end of the task by
    #: another command, for which it has many words.
    FAILED = "failed"

    #: No trustworthy answer came.
    NO_ANSWER = "no answer"

    #: No answer came in time: the engine may be at it still.
    TIMED_OUT = "timed out"

    #: More came than an answer may have.
    TOO_LARGE = "too large"


class Next(Enum):
    """
    What to do next.
    """

    #: Send it again.
    AGAIN = "again"

    #: Look at the task, and send it again only if that shows that it is not done.
    LOOK = "look"

    #: Look at the task, and raise the error, or what the look shows.
    LAST_LOOK = "last look"

    #: Raise the error.
    STOP = "stop"


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Rule:
    """
    How one operation is to be sent again.
    """

    #: What to do next, by what came.
    after: Mapping[Came, Next]

    #: Refusals that say all there is to know, though an earlier attempt may have been done.
    settles: tuple[type[errors.Refused], ...] = ()

    #: Of what changes the engine's state: what a person can do who does not know whether it did.
    doubt: str | None = None


def _row(
    not_sent: str,
    not_now: str,
    rolled_back: str,
    database: str,
    failed: str,
    no_answer: str,
    timed_out: str,
    too_large: str,
) -> Mapping[Came, Next]:
    cells = (not_sent, not_now, rolled_back, database, failed, no_answer, timed_out, too_large)
    return dict(zip(Came, map(Next, cells), strict=True))


_LOOK_AT_TASK: Final = "It may have happened: look whether the task is gone, or as it should be."
_LOCKED_MAYBE: Final = (
    "Tasks may be locked, now or until a long poll would have ended: recover(worker_id, known=...) "
    "finds them. Unlock them, or let the locks expire."
)
_BULK_MAYBE: Final = "All of it happened, or nothing: look at one of the tasks."
_BATCH_MAYBE: Final = (
    "There may be a batch: look for a new one of type set-external-task-retries in the engine "
    "before you ask for another."
)
_BATCH_LOOK: Final = "Look at the batch."

_READ: Final = Rule(
    after=_row("again", "again", "again", "again", "stop", "again", "again", "stop"),
    settles=(errors.Refused,),
)
#: What may be done twice, for the second time changes nothing.
_TWICE: Final = _row("again", "again", "again", "again", "stop", "again", "again", "again")
#: The same, of a single task.
_SETS: Final[Mapping[Came, Next]] = {**_TWICE, Came.FAILED: Next.LAST_LOOK}
#: What would be done a second time.
_ONCE: Final = _row("again", "again", "again", "stop", "stop", "stop", "stop", "stop")
_LOOK_FIRST: Final = _row("again", "again", "look", "look", "last look", "look", "look", "look")
#: A second commit is impossible: the first one deletes the task. But while the first is under way,
#: the process would go on twice, and only one of the two be rolled back.
_ENDS_TASK: Final = _row("again", "again", "look", "look", "last look", "again", "look", "again")

#: The rule for each operation; one that is not here only reads.
RULES: Final[Mapping[str, Rule]] = {
    # Its tasks would stay locked, and the next answer bring others.
    "fetch_and_lock": Rule(after=_ONCE, doubt=_LOCKED_MAYBE),
    # "locked by" proves that the task is there still; that it is gone proves nothing.
    "complete": Rule(after=_ENDS_TASK, settles=(errors.LockLost,), doubt=_LOOK_AT_TASK),
    "bpmn_error": Rule(after=_ENDS_TASK, settles=(errors.LockLost,), doubt=_LOOK_AT_TASK),
    # Whoever fetched the task meanwhile would be failed, or lose the lock.
    "failure": Rule(after=_LOOK_FIRST, doubt=_LOOK_AT_TASK),
    "unlock": Rule(after=_LOOK_FIRST, doubt=_LOOK_AT_TASK),
    # A lock that is lost is lost, whether or not it was held for a moment.
    "lock": Rule(after=_SETS, settles=(errors.LockLost, errors.TaskNotFound), doubt=_LOOK_AT_TASK),
    "extend_lock": Rule(
        after=_SETS, settles=(errors.LockLost, errors.TaskNotFound), doubt=_LOOK_AT_TASK
    ),
    "set_priority": Rule(after=_SETS, doubt=_LOOK_AT_TASK),
    "set_retries": Rule(after=_SETS, doubt=_LOOK_AT_TASK),
    "set_retries_of": Rule(after=_TWICE, doubt=_BULK_MAYBE),
    # The second time, a query may match others, or nothing any more.
    "set_retries_of by query": Rule(after=_ONCE, doubt=_BULK_MAYBE),
    # Each makes a batch.
    "set_retries_async": Rule(after=_ONCE, doubt=_BATCH_MAYBE),
    "suspend_batch": Rule(after=_TWICE, doubt=_BATCH_LOOK),
    "delete_batch": Rule(after=_TWICE, doubt=_BATCH_LOOK),
}


def rule_of(operation: str) -> Rule:
    """
    Give the rule for an operation.
    """
    return RULES.get(operation, _READ)


def came_of(error: errors.CamundaError, how: Came | None) -> Came | None:
    """
    Tell what came of an attempt; ``None`` if it would come again.

    Args:
        how: In which way no answer came, if none did; ``None`` if none would the next time.
    """
    match error:
        case errors.NotSent():
            return how
        case errors.EngineBusy(status=503, operation="fetch_and_lock"):
            return None  # the next one would supersede the other client's, and that one's this
        case errors.EngineBusy():
            return Came.NOT_NOW
        case errors.Conflict():
            return Came.ROLLED_BACK
        case errors.EngineFailure(type="TransactionSystemException"):
            return Came.DATABASE  # what failed was the commit
        case errors.EngineFailure(type="ProcessEnginePersistenceException"):
            # 10001 and 10002 are broken constraints: a missing key, a text that is too long.
            return Came.FAILED if error.code in (10001, 10002) else Came.DATABASE
        case errors.EngineFailure():
            return Came.FAILED
        case errors.NoAnswer(status=504):
            return Came.TIMED_OUT  # the gateway's patience, not ours
        case errors.NoAnswer():
            return how
    return None


# ------------------------------------------------------------------------------------- how long


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


@runtime_checkable
class RetryPolicy(Protocol):
    """
    Who says how often and when to send again what may be sent again.
    """

    def wait(self, failed: Failed) -> float | None:
        """
        Give the seconds to wait before the next attempt; ``None`` to make none.
        """


#: The longest time before an attempt after a `Conflict`, in seconds.
_LONGEST_CONFLICT: Final = 0.5


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

    #: The longest time before the second attempt, in seconds.
    first_delay: float = attrs.field(default=0.05)

    #: The longest time before any attempt, in seconds; a server may ask for more.
    longest_delay: float = attrs.field(default=5.0)

    def __attrs_post_init__(self) -> None:
        for name in ("attempts", "rollback_attempts"):
            number = getattr(self, name)
            if isinstance(number, bool) or not isinstance(number, int):
                raise TypeError(f"{name} must be an int, not {number!r:.80}")
            if number < 1:
                raise ValueError(f"{name} must be at least 1, not {number}")
        for name in ("first_delay", "longest_delay"):
            seconds = getattr(self, name)
            if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
                raise TypeError(f"{name} must be seconds as a number, not {seconds!r:.80}")
            if not 0 <= seconds <= TIMEOUT_MAX:
                raise ValueError(f"{name} must be a number of seconds to wait, not {seconds}")

    def wait(self, failed: Failed) -> float | None:
        """
        Give the seconds to wait before the next attempt; ``None`` to make none.
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
