"""
When a request is sent again: a table of operations and of kinds of failure.

A failed attempt either provably changed nothing, or may have taken effect. Whether a resend is safe
then depends on the operation: `RULES` has the rule for each. Nothing here sends or sleeps.
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
    What to do after a failed attempt.
    """

    #: Send the request again.
    AGAIN = "again"

    #: Look at the task, and send the request again only if the task shows that it is not done.
    LOOK = "look"

    #: Look at the task, then return if it shows that the request is done, or raise the error.
    LAST_LOOK = "last look"

    #: Raise the error.
    STOP = "stop"


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Rule:
    """
    When the requests of one operation are sent again.
    """

    #: What to do after each kind of failure.
    after: Mapping[FailureKind, Resend]

    #: Errors that are raised as they are, even if an earlier attempt may have taken effect.
    settles: tuple[type[errors.Refused], ...] = ()

    #: Hint of `OutcomeUnknown`: how to find out whether a command took effect; ``None`` for reads.
    doubt: str | None = None


def _row(resends: str) -> Mapping[FailureKind, Resend]:
    """
    What to do after each `FailureKind`, in its order: not sent, not now, rolled back, database,
    failed, no answer, timed out, too large.
    """
    return dict(zip(FailureKind, map(Resend, resends.split(", ")), strict=True))


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
    after=_row("again, again, again, again, stop, again, again, stop"),
    settles=(errors.Refused,),
)
#: Of operations that may be repeated, as the second time changes nothing.
_TWICE: Final = _row("again, again, again, again, stop, again, again, again")
#: Of operations on a single task that may be repeated.
_SETS: Final[Mapping[FailureKind, Resend]] = {**_TWICE, FailureKind.FAILED: Resend.LAST_LOOK}
#: Of operations whose repetition would have a second effect.
_ONCE: Final = _row("again, again, again, stop, stop, stop, stop, stop")
#: Of requests that are sent once, however they fail.
_NEVER_AGAIN: Final[Mapping[FailureKind, Resend]] = dict.fromkeys(FailureKind, Resend.STOP)
#: Of commands that are repeated only after a look at the task.
_LOOK_FIRST: Final = _row("again, again, look, look, last look, look, look, look")
#: Of commands that end the task. A second commit is impossible, as the first one deletes the task;
#: but while the first is in progress, a second one would execute the process behind the task at the
#: same time, until one of the two is rolled back.
_ENDS_TASK: Final = _row("again, again, look, look, last look, again, look, again")

#: The rule for each operation; an operation without a rule only reads.
RULES: Final[Mapping[str, Rule]] = {
    # The first tasks would stay locked, and the second answer would have others.
    "fetch_and_lock": Rule(after=_ONCE, doubt=_LOCKED_MAYBE),
    # `LockLost` proves that the task still exists; `TaskNotFound` proves nothing, as the first
    # attempt or somebody else may have ended the task.
    "complete": Rule(after=_ENDS_TASK, settles=(errors.LockLost,), doubt=_LOOK_AT_TASK),
    "bpmn_error": Rule(after=_ENDS_TASK, settles=(errors.LockLost,), doubt=_LOOK_AT_TASK),
    # A resend could hit a worker that fetched the task meanwhile.
    "failure": Rule(after=_LOOK_FIRST, doubt=_LOOK_AT_TASK),
    "unlock": Rule(after=_LOOK_FIRST, doubt=_LOOK_AT_TASK),
    # The lock is lost, whether or not an earlier attempt set it for a moment.
    "lock": Rule(after=_SETS, settles=(errors.LockLost, errors.TaskNotFound), doubt=_LOOK_AT_TASK),
    "extend_lock": Rule(
        after=_SETS, settles=(errors.LockLost, errors.TaskNotFound), doubt=_LOOK_AT_TASK
    ),
    "set_priority": Rule(after=_SETS, doubt=_LOOK_AT_TASK),
    "set_retries": Rule(after=_SETS, doubt=_LOOK_AT_TASK),
    "set_retries_of": Rule(after=_TWICE, doubt=_BULK_MAYBE),
    # The second time, the query may match other tasks, or none.
    "set_retries_of by query": Rule(after=_ONCE, doubt=_BULK_MAYBE),
    # Each attempt creates a batch.
    "set_retries_async": Rule(after=_ONCE, doubt=_BATCH_MAYBE),
    "suspend_batch": Rule(after=_TWICE, doubt=_BATCH_LOOK),
    "activate_batch": Rule(after=_TWICE, doubt=_BATCH_LOOK),
    "delete_batch": Rule(after=_TWICE, doubt=_BATCH_LOOK),
    # The client does not know what the path does.
    "request": Rule(after=_NEVER_AGAIN, doubt=_REQUEST_LOOK),
}


def rule_of(operation: str) -> Rule:
    """
    The rule for an operation.
    """
    return RULES.get(operation, _READ)


def failure_kind(error: errors.CamundaError, no_answer: FailureKind | None) -> FailureKind | None:
    """
    The kind of an attempt's failure; ``None`` if retrying cannot help.

    Args:
        no_answer: The kind if there was no answer; ``None`` if retrying cannot help.
    """
    match error:
        case errors.NotSent():
            return no_answer
        case errors.EngineBusy(status=503, operation="fetch_and_lock"):
            return None  # two clients with one worker id would supersede each other for ever
        case errors.EngineBusy():
            return FailureKind.NOT_NOW
        case errors.Conflict():
            return FailureKind.ROLLED_BACK
        case errors.EngineFailure(type="TransactionSystemException"):
            return FailureKind.DATABASE  # the commit failed
        case errors.EngineFailure(type="ProcessEnginePersistenceException"):
            # 10001 and 10002 are violated constraints: a missing key, a text that is too long.
            return FailureKind.FAILED if error.code in (10001, 10002) else FailureKind.DATABASE
        case errors.EngineFailure():
            return FailureKind.FAILED
        case errors.NoAnswer(status=504):
            return FailureKind.TIMED_OUT  # the gateway gave up
        case errors.NoAnswer():
            return no_answer
    return None
