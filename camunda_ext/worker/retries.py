"""
How often, and after which waits, a task is tried again.
"""

import random
import re
from datetime import timedelta
from typing import Any, Final, Protocol, runtime_checkable

import attrs

from camunda_ext._wire import checks
from camunda_ext._wire.value import Value
from camunda_ext._wire.warn import warn_of_seconds
from camunda_ext.dto import ExternalTask


class BadInput(ValueError):
    """
    The variables of a task are not those that its handler needs.
    """


@attrs.frozen(eq=False, repr=False)
class Decision(Value):
    """
    What to report for a failure.
    """

    #: New number of retries left; 0 opens an incident.
    retries: int = attrs.field()

    #: How long the task cannot be fetched, in milliseconds, or a `timedelta`.
    retry_timeout: int | timedelta = attrs.field(default=0)

    @retries.validator
    def _countable(self, field: "attrs.Attribute[int]", value: object) -> None:
        checks.integer(field.name, value, low=0, high=checks.INT32)

    @retry_timeout.validator
    def _duration(self, field: "attrs.Attribute[int]", value: object) -> None:
        checks.milliseconds(field.name, value, low=0)


@runtime_checkable
class RetryDecider(Protocol):
    """
    Decides how often a task is tried again; `TaskRetries` is one.
    """

    def after(self, task: ExternalTask, error: BaseException, /) -> Decision:
        """
        What to report for a failure.

        Args:
            task: The task; its ``retries`` are ``None`` until a failure was reported.

            error: What the handler has raised.
        """


#: The part by which a wait may be longer or shorter, so that tasks that failed together do not
#: return together.
_CHANCE: Final = 0.1

#: A shorter wait was probably meant in seconds, in milliseconds.
_SHORTEST_WAIT: Final = 100

_TIMES: Final = re.compile(r"R(\d+)/(.+)", re.ASCII)
_DURATION: Final = re.compile(
    r"P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?",
    re.ASCII,
)


class TaskRetries(Value):
    """
    One wait for each retry: with three waits there are three retries, so four attempts.

    The first failure sets the retries to the number of waits, each later one to one less than the
    task has; the last sets 0, which opens an incident. If an operator sets more retries, they count
    down from there, with the first wait.

    Args:
        retry_timeouts: The waits in milliseconds, or as `timedelta`, the first one first. Each is
            used with up to 10 % more or less, so that tasks that failed together do not return
            together. Without any, the first failure opens an incident.

        incident_on: Types of exceptions that open an incident at once. By default that is
            `BadInput`: variables that are missing or of a wrong type do not heal.

    Raises:
        TypeError, ValueError: An argument is invalid.
    """

    def __init__(
        self,
        *retry_timeouts: int | timedelta,
        incident_on: tuple[type[BaseException], ...] = (BadInput,),
    ) -> None:
        for timeout in retry_timeouts:
            warn_of_seconds("the wait before a retry", timeout, below=_SHORTEST_WAIT)
        self.retry_timeouts = tuple(
            checks.milliseconds("each of retry_timeouts", timeout, low=0)
            for timeout in retry_timeouts
        )
        self.incident_on = _exception_types(incident_on)

    @classmethod
    def of(
        cls, notation: str, *, incident_on: tuple[type[BaseException], ...] = (BadInput,)
    ) -> "TaskRetries":
        """
        Retries in the notation of Camunda's ``failedJobRetryTimeCycle``: ``"R3/PT10M"`` are three
        retries after ten minutes each, ``"PT10S,PT1M"`` two with a wait for each.

        Raises:
            ValueError: It is not written so; years and months have no fixed length and are refused.
        """
        checks.text("notation", notation)
        repeated = _TIMES.fullmatch(notation.strip())
        if repeated is not None:
            count = checks.integer("the number of retries", int(repeated[1]), low=0, high=1000)
            return cls(*[_to_duration(repeated[2])] * count, incident_on=incident_on)
        return cls(*map(_to_duration, notation.split(",")), incident_on=incident_on)

    def after(self, task: ExternalTask, error: BaseException, /) -> Decision:
        """
        What to report for a failure of a task.
        """
        count = len(self.retry_timeouts)
        left = count if task.retries is None else max(0, task.retries - 1)
        if left == 0 or isinstance(error, self.incident_on):
            return Decision(0)
        if not self.retry_timeouts:  # an operator has set some
            return Decision(left)
        timeout = self.retry_timeouts[max(0, count - left)]
        chance = random.uniform(1 - _CHANCE, 1 + _CHANCE)  # noqa: S311  # to spread, not to hide
        return Decision(left, round(timeout * chance))

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash((self.retry_timeouts, self.incident_on))

    def __repr__(self) -> str:
        waits = ", ".join(map(str, self.retry_timeouts))
        return f"TaskRetries({waits})"


def _exception_types(kinds: Any) -> tuple[type[BaseException], ...]:
    if not isinstance(kinds, tuple) or not all(
        isinstance(kind, type) and issubclass(kind, BaseException) for kind in kinds
    ):
        raise TypeError(f"incident_on must be a tuple of exception types, not {kinds!r:.80}")
    return kinds


def _to_duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text.strip())
    parts = {name: float(part) for name, part in match.groupdict().items() if part} if match else {}
    try:
        if parts:
            return timedelta(**parts)
    except OverflowError:  # of millions of years
        pass
    raise ValueError(f"{text!r:.80} is no duration such as PT10S, PT5M, PT1H30M or P1D")
