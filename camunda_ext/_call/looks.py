"""
Looks at a task and at its history, to find out whether a command took effect.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime
from math import inf
from time import monotonic, sleep
from typing import Any, Final, Protocol

import attrs

from camunda_ext import errors
from camunda_ext._call.evidence import (
    Evidence,
    TaskSnapshot,
    from_completion_log,
    from_failure_log,
    from_task,
)
from camunda_ext._call.request import Request
from camunda_ext._http.messages import HttpResponse
from camunda_ext.dto import (
    CompleteExternalTask,
    ExternalTask,
    ExternalTaskFailure,
    HistoricExternalTaskLog,
)

#: The pause between the first two looks while the engine may still execute the command, in seconds.
_FIRST_PAUSE: Final = 0.1
#: The longest pause between two looks, in seconds.
_LONGEST_PAUSE: Final = 2.0
#: How long to look, in seconds, if the call has no deadline.
_PATIENCE: Final = 30.0


class QuestionResult(Protocol):
    """
    The result of a question to the engine.
    """

    #: The decoded answer.
    answer: Any
    #: The HTTP response; ``None`` if there was none.
    response: HttpResponse | None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Looks:
    """
    Finds out whether a command on a task took effect.
    """

    #: The command.
    request: Request[Any]

    #: Sends a request within the deadline of the call, and returns its result.
    ask: Callable[[Request[Any]], QuestionResult]

    #: When the first attempt of the command began, by the monotonic clock.
    began: float

    #: When the call must be over, by the monotonic clock.
    deadline: float

    def at_task(self, *, patient: bool) -> tuple[Evidence, errors.CamundaError | None]:
        """
        What the task shows about the command, and the error to raise if the task does not exist.

        Args:
            patient: Whether to repeat the look while the task shows no effect, as the engine may
                still execute the command. A resend would execute the process behind the task at the
                same time.
        """
        now = monotonic()
        until = now + _PATIENCE if self.deadline == inf else (now + self.deadline) / 2
        pause = _FIRST_PAUSE
        while True:
            evidence, not_found = self._at_task_once()
            if not patient or evidence is not Evidence.NOT_DONE or monotonic() + pause > until:
                return evidence, not_found
            sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _at_task_once(self) -> tuple[Evidence, errors.CamundaError | None]:
        if not self._has_time():
            return Evidence.UNCLEAR, None
        endpoint = "GET /external-task/{task_id}"
        try:
            result = self.ask(Request("get", endpoint, ExternalTask, self.request.ids))
        except errors.TaskNotFound as error:
            return Evidence.GONE, error.with_traceback(None)
        except errors.CamundaError:
            return Evidence.UNCLEAR, None
        assert result.response is not None  # noqa: S101  # a task comes in a response
        snapshot = TaskSnapshot(
            task=result.answer,
            now=_server_clock(result.response),
            since=monotonic() - self.began,
        )
        evidence = from_task(self.request, snapshot)
        if evidence is Evidence.DONE and isinstance(self.request.body, ExternalTaskFailure):
            evidence = from_failure_log(self._history(), self.request.body, snapshot)
        return evidence, None

    def at_history(self) -> Evidence:
        """
        Whether this command has completed a task that does not exist any more, by its history.
        """
        if not isinstance(self.request.body, CompleteExternalTask):
            return Evidence.UNCLEAR
        return from_completion_log(self._history(), self.request.body.worker_id)

    def _history(self) -> tuple[HistoricExternalTaskLog, ...]:
        """
        The latest entries of the task's log; empty if the engine does not return them.
        """
        if not self._has_time():
            return ()
        question = Request(
            "log_list",
            "POST /history/external-task-log",
            tuple[HistoricExternalTaskLog, ...],
            params={"maxResults": "10"},
            body={
                "externalTaskId": self.request.ids["task_id"],
                "sorting": [{"sortBy": "timestamp", "sortOrder": "desc"}],
            },
            since="7.7",
        )
        try:
            entries: tuple[HistoricExternalTaskLog, ...] = self.ask(question).answer
        except errors.CamundaError:
            return ()
        return entries

    def _has_time(self) -> bool:
        return monotonic() < self.deadline


def _server_clock(response: HttpResponse) -> datetime | None:
    """
    The server's time in the header Date, in whole seconds; ``None`` if missing or malformed.
    """
    try:
        moment = parsedate_to_datetime(response.headers.get("date", ""))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else None
