"""
What a handler can do with its task, and what is reported to the engine for it.

The functions here are pure: they know neither the client nor the clock.
"""

import traceback
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeAlias

import attrs

from camunda_ext._wire import checks
from camunda_ext._wire.value import Value
from camunda_ext.dto import ExternalTask
from camunda_ext.variables import Variables, VariablesLike
from camunda_ext.worker.retries import BadInput, RetryDecider

#: The longest error details that are reported, in bytes of UTF-8.
LONGEST_DETAILS: Final = 64 * 1024
#: The longest text of an exception that is looked at; the client cuts messages to 666 UTF-16 units.
_LONGEST_TEXT: Final = 700
_PACKAGE: Final = str(Path(__file__).parent)


@attrs.frozen(eq=False, repr=False)
class Completed(Value):
    """
    Return it from a handler to complete the task with variables of both scopes.
    """

    #: Variables by name, or an attrs instance for its fields. A variable that exists is set in its
    #: scope, a new one at the process instance.
    variables: VariablesLike | None = None

    #: Variables for the task's own scope, where its output mappings see them.
    local_variables: VariablesLike | None = attrs.field(default=None, kw_only=True)


class Report(Exception):
    """
    Base of the exceptions by which a handler says what to report; equal if their attributes are.
    """

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    __hash__ = Exception.__hash__

    def __repr__(self) -> str:
        fields = ", ".join(
            f"{name}={value!r:.100}" for name, value in vars(self).items() if value is not None
        )
        return f"{type(self).__name__}({fields})"

    __str__ = __repr__

    def __reduce__(self) -> Any:
        return _restore, (type(self), vars(self))


def _restore(kind: type[Report], values: dict[str, Any]) -> Report:
    report = kind.__new__(kind)
    vars(report).update(values)
    return report


class BpmnError(Report):
    """
    Raise it in a handler to report a BPMN error, which the process may catch.

    If nothing catches it, the engine by default ends the execution without an error.

    Args:
        error_code: The code that a boundary event or an event subprocess may catch.

        error_message: What went wrong; not blank. Since 7.10; older engines ignore it.

        variables: Variables by name, or an attrs instance for its fields. Since 7.10; older engines
            ignore them.

    Raises:
        TypeError, ValueError: The code or the message is blank or no text.
    """

    def __init__(
        self,
        error_code: str,
        error_message: str | None = None,
        *,
        variables: VariablesLike | None = None,
    ) -> None:
        super().__init__()
        self.error_code = checks.not_blank("error_code", error_code)
        self.error_message = error_message
        if error_message is not None:
            checks.not_blank("error_message", error_message)
        self.variables = variables


class Failure(Report):
    """
    Raise it in a handler to report a failure in your own words.

    What it does not say is decided by the retries of the handler, see `TaskRetries`. NUL and halves
    of characters, which not all databases can store, are escaped in its texts.

    Args:
        error_message: What went wrong, in short; the engine stores 666 UTF-16 units.

        retries: New number of retries left; 0 opens an incident.

        retry_timeout: How long the task cannot be fetched, in milliseconds, or a `timedelta`.

        error_details: The full text; by default the traceback of the exception that caused this
            one.

        variables, local_variables: As for `Completed`. Since 7.15; older engines ignore them.

    Raises:
        TypeError, ValueError: *retries* or *retry_timeout* is invalid.
    """

    def __init__(
        self,
        error_message: str | None = None,
        *,
        retries: int | None = None,
        retry_timeout: int | timedelta | None = None,
        error_details: str | None = None,
        variables: VariablesLike | None = None,
        local_variables: VariablesLike | None = None,
    ) -> None:
        super().__init__()
        if error_message is not None:
            error_message = _sendable(checks.text("error_message", error_message))
        if error_details is not None:
            error_details = _sendable(checks.text("error_details", error_details))
        if retries is not None:
            checks.integer("retries", retries, low=0, high=checks.INT32)
        if retry_timeout is not None:
            retry_timeout = checks.milliseconds("retry_timeout", retry_timeout, low=0)
        self.error_message = error_message
        self.retries = retries
        self.retry_timeout = retry_timeout
        self.error_details = error_details
        self.variables = variables
        self.local_variables = local_variables


class Postpone(Report):
    """
    Raise it in a handler to have the task again later, without the loss of a retry.

    It is reported as a failure with the retries as they were.

    Args:
        retry_timeout: How long to wait, in milliseconds, or a `timedelta`.

        error_message: Why; people see it in Cockpit.

    Raises:
        TypeError, ValueError: An argument is invalid.
    """

    def __init__(self, retry_timeout: int | timedelta, error_message: str | None = None) -> None:
        super().__init__()
        self.retry_timeout = checks.milliseconds("retry_timeout", retry_timeout, low=0)
        self.error_message = error_message
        if error_message is not None:
            checks.text("error_message", error_message)


class Abandoned(Exception):
    """
    Raised by `Task.check()`: the lock is lost, or the worker stops. A handler lets it pass.

    Nothing is reported for a lost lock; when the worker stops, the task is unlocked with its
    retries as they were.
    """


Outcome: TypeAlias = Completed | BpmnError | Failure | Abandoned


def outcome_of_result(result: object) -> Completed | Failure:
    """
    The outcome of a handler that has returned.

    Returns:
        A `Completed` with mappings of variables; or a `Failure` with 0 retries if the result is no
        mapping, attrs instance or ``None``, or has a value that no variable can hold.
    """
    if result is None:
        return Completed()
    if not isinstance(result, Completed):
        result = Completed(result)  # type: ignore[arg-type]  # checked in the next step
    try:
        return Completed(
            _held("the result", result.variables),
            local_variables=_held("local_variables", result.local_variables),
        )
    except (TypeError, ValueError) as error:
        return _unholdable(error)


def outcome_of_error(error: BaseException, task: ExternalTask, retries: RetryDecider) -> Outcome:
    """
    The outcome of a handler that has raised.

    Args:
        task: The task as it was fetched.

        retries: Decides what a failure does not say.
    """
    if isinstance(error, Abandoned):
        return error
    try:
        if isinstance(error, (BpmnError, Failure)):
            error.variables = _held("variables", error.variables)
        if isinstance(error, Failure):
            error.local_variables = _held("local_variables", error.local_variables)
    except (TypeError, ValueError) as unholdable:
        return _unholdable(unholdable)
    if isinstance(error, BpmnError):
        return error
    if isinstance(error, Postpone):
        return _postponed(error, task, retries)
    if isinstance(error, Failure):
        return decided(error, task, error.__cause__ or error, retries)
    return decided(Failure(), task, error, retries)


def decided(
    failure: Failure, task: ExternalTask, error: BaseException, decider: RetryDecider
) -> Failure:
    """
    A failure with all that *failure* leaves open.
    """
    left, retry_timeout = failure.retries, failure.retry_timeout
    if left is None or (retry_timeout is None and left > 0):
        decision = decider.after(task, error)
        left = decision.retries if left is None else left
        if retry_timeout is None and left > 0:
            retry_timeout = checks.to_milliseconds(decision.retry_timeout)
    message, details = failure.error_message, failure.error_details
    if error is not failure:  # else the failure is all that there is
        message = message_of(error) if message is None else message
        details = details_of(error) if details is None else details
    return Failure(
        message,
        retries=left,
        retry_timeout=retry_timeout,
        error_details=details,
        variables=failure.variables,
        local_variables=failure.local_variables,
    )


def _postponed(postpone: Postpone, task: ExternalTask, decider: RetryDecider) -> Failure:
    left = task.retries
    if left is None:
        left = decider.after(task, postpone).retries
    return Failure(
        postpone.error_message or "postponed",
        retries=max(1, left),
        retry_timeout=postpone.retry_timeout,
    )


def _unholdable(error: Exception) -> Failure:
    return Failure(f"the handler's result cannot be sent: {error}", retries=0)


def _held(name: str, values: VariablesLike | None) -> Mapping[str, Any] | None:
    """
    Variables as a mapping, of which it is certain that the engine can hold them.

    Raises:
        TypeError, ValueError: No variable can hold a value; the message has its name. Or the values
            cannot be read.
    """
    if values is None:
        return None
    try:
        if not isinstance(values, (Mapping, type)) and attrs.has(type(values)):
            values = attrs.asdict(values, recurse=False)
        Variables.of(values, name=name)
    except (TypeError, ValueError):
        raise
    except Exception as error:  # noqa: BLE001  # a mapping or a class of a user may raise anything
        raise ValueError(f"{name} cannot be read: {message_of(error)}") from None
    return values  # type: ignore[return-value]  # `Variables.of()` accepts nothing else


def message_of(error: BaseException) -> str:
    """
    An exception in a sentence, whatever its own text does.
    """
    try:
        text = str(error)[:_LONGEST_TEXT]
    except BaseException:  # noqa: BLE001  # a `__str__` of a user may raise anything
        text = "(its text cannot be read)"
    name = type(error).__name__
    if isinstance(error, BadInput):
        return _sendable(text or name)
    return _sendable(f"{name}: {text}" if text else name)


def details_of(error: BaseException) -> str:
    """
    The traceback of an exception, without the frames of the worker, at most 64 KiB.

    Of a longer one the middle is left out: how it began and how it ended tell the most.
    """
    try:
        trace = _without_worker(error.__traceback__)
        text = "".join(traceback.format_exception(type(error), error, trace))
    except BaseException:  # noqa: BLE001  # what is raised by users may break anything
        return message_of(error)
    content = _sendable(text).encode("utf-8")
    if len(content) <= LONGEST_DETAILS:
        return content.decode("utf-8")
    left_out = "\n[...]\n"
    start = LONGEST_DETAILS // 4
    end = LONGEST_DETAILS - start - len(left_out)
    return (
        content[:start].decode("utf-8", "ignore")
        + left_out
        + content[-end:].decode("utf-8", "ignore")
    )


def _sendable(text: str) -> str:
    """
    A text with escapes in place of half characters, which have no form in UTF-8, and of NUL, which
    PostgreSQL cannot store.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


def _without_worker(trace: TracebackType | None) -> TracebackType | None:
    """
    A traceback from the first frame of the handler; ``None`` if it has none.
    """
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        trace = trace.tb_next
    return trace
