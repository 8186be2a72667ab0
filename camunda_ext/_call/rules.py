"""
When a request is sent again: a table of operations and of what may come of an attempt.

An attempt that failed either provably changed nothing, or leaves in doubt whether it did. What is
safe then depends on the operation: `RULES` says it for each, and nothing here sends or sleeps.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final

import attrs

from camunda_ext import errors
from camunda_ext._http.messages import FailureKind


class Resend(Enum):
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
    after: Mapping[FailureKind, Resend]

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
) -> Mapping[FailureKind, Resend]:
    cells = (not_sent, not_now, rolled_back, database, failed, no_answer, timed_out, too_large)
    return dict(zip(FailureKind, map(Resend, cells), strict=True))


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

_REQUEST_LOOK: Final = "It may have happened: look at what it would have changed."

_READ: Final = Rule(
    after=_row("again", "again", "again", "again", "stop", "again", "again", "stop"),
    settles=(errors.Refused,),
)
#: What may be done twice, for the second time changes nothing.
_TWICE: Final = _row("again", "again", "again", "again", "stop", "again", "again", "again")
#: The same, of a single task.
_SETS: Final[Mapping[FailureKind, Resend]] = {**_TWICE, FailureKind.FAILED: Resend.LAST_LOOK}
#: What would be done a second time.
_ONCE: Final = _row("again", "again", "again", "stop", "stop", "stop", "stop", "stop")
#: What is sent once, whatever comes.
_NEVER_AGAIN: Final[Mapping[FailureKind, Resend]] = dict.fromkeys(FailureKind, Resend.STOP)
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
    "activate_batch": Rule(after=_TWICE, doubt=_BATCH_LOOK),
    "delete_batch": Rule(after=_TWICE, doubt=_BATCH_LOOK),
    # What a path of the engine's does, nobody here knows.
    "request": Rule(after=_NEVER_AGAIN, doubt=_REQUEST_LOOK),
}


def rule_of(operation: str) -> Rule:
    """
    Give the rule for an operation.
    """
    return RULES.get(operation, _READ)


def failure_kind(error: errors.CamundaError, how: FailureKind | None) -> FailureKind | None:
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
            return FailureKind.NOT_NOW
        case errors.Conflict():
            return FailureKind.ROLLED_BACK
        case errors.EngineFailure(type="TransactionSystemException"):
            return FailureKind.DATABASE  # what failed was the commit
        case errors.EngineFailure(type="ProcessEnginePersistenceException"):
            # 10001 and 10002 are broken constraints: a missing key, a text that is too long.
            return FailureKind.FAILED if error.code in (10001, 10002) else FailureKind.DATABASE
        case errors.EngineFailure():
            return FailureKind.FAILED
        case errors.NoAnswer(status=504):
            return FailureKind.TIMED_OUT  # the gateway's patience, not ours
        case errors.NoAnswer():
            return how
    return None


# ------------------------------------------------------------------------------------- how long
