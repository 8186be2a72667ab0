"""
Looks at a task, and at its history, after a command whose outcome is in doubt.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime
from time import monotonic, sleep
from typing import Any, Final, Protocol

import attrs

from camunda_ext import errors
from camunda_ext._call import evidence
from camunda_ext._call.evidence import Evidence
from camunda_ext._call.request import Request
from camunda_ext._http.messages import HttpResponse
from camunda_ext.dto import (
    CompleteExternalTask,
    ExternalTask,
    ExternalTaskFailure,
    HistoricExternalTaskLog,
)

#: The pause between the first two looks at a task that the engine may still be at, in seconds.
_FIRST_PAUSE: Final = 0.1
#: The longest pause between two looks, in seconds.
_LONGEST_PAUSE: Final = 2.0
#: How long to look, in seconds, where a call has no end of its own.
_PATIENCE: Final = 30.0


class Answered(Protocol):
    """
    What a look needs of a result: what the answer says, and the answer itself.
    """

    answer: Any
    response: HttpResponse | None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Looks:
    """
    Finds out what became of a command on a task.
    """

    #: The command.
    request: Request[Any]

    #: Its whole URL.
    url: str

    #: Sends a question within the time of the call.
    ask: Callable[[Request[Any]], Answered]

    #: When the command was sent first, by the monotonic clock.
    began: float

    #: When the call must be over, by the monotonic clock; ``None`` for no such time.
    deadline: float | None

    def at_task(self, *, patient: bool) -> tuple[Evidence, errors.CamundaError | None]:
        """
        What the task shows, and the engine's error if the task is gone.

        Args:
            patient: Whether to wait for an engine that may still execute the command. Sent again,
                it would go through the process behind the task a second time, beside the first.
        """
        until = monotonic() + _PATIENCE
        if self.deadline is not None:
            until = (monotonic() + self.deadline) / 2
        pause = _FIRST_PAUSE
        while True:
            shown, gone = self._at_task_once()
            if not patient or shown is not Evidence.NOT_DONE or monotonic() + pause > until:
                return shown, gone
            sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _at_task_once(self) -> tuple[Evidence, errors.CamundaError | None]:
        if not self._has_time():
            return Evidence.UNCLEAR, None
        endpoint = "GET /external-task/{task_id}"
        try:
            result = self.ask(Request("get", endpoint, ExternalTask, self.request.ids))
        except errors.TaskNotFound as error:
            return Evidence.GONE, errors.for_other_request(error, self.request, self.url)
        except errors.CamundaError:
            return Evidence.UNCLEAR, None
        assert result.response is not None  # noqa: S101  # or there would be no task
        snapshot = evidence.TaskSnapshot(
            task=result.answer,
            now=_server_clock(result.response),
            since=monotonic() - self.began,
        )
        shown = evidence.shown(self.request, snapshot)
        if shown is Evidence.DONE and isinstance(self.request.body, ExternalTaskFailure):
            shown = evidence.reported(self._history(), self.request.body, snapshot)
        return shown, None

    def at_history(self) -> Evidence:
        """
        What the history says of a task that is gone: whether this command has completed it.
        """
        if not isinstance(self.request.body, CompleteExternalTask):
            return Evidence.UNCLEAR
        return evidence.logged(self._history(), self.request.body.worker_id)

    def _history(self) -> tuple[HistoricExternalTaskLog, ...]:
        """
        The latest entries of the task's log; none if the engine does not tell.
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
        return self.deadline is None or monotonic() < self.deadline


def _server_clock(response: HttpResponse) -> datetime | None:
    """
    The server's time in whole seconds; ``None`` if it does not say it.
    """
    try:
        moment = parsedate_to_datetime(response.headers.get("date", ""))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else None
