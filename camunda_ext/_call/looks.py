"""
Looks at a task and at its history, to find out whether a command took effect.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep
from typing import Any, Final

from camunda_ext import errors
from camunda_ext._call.backoff import to_date
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

#: Sends a request within the call of a command; returns the decoded and the HTTP answer.
Ask = Callable[[Request[Any]], tuple[Any, HttpResponse]]

#: The pause between the first two looks while the engine may still execute the command, in seconds.
_FIRST_PAUSE: Final = 0.1
#: The longest pause between two looks, in seconds.
_LONGEST_PAUSE: Final = 2.0


def look_at_task(
    command: Request[Any], ask: Ask, *, began: float, until: float
) -> tuple[Evidence, errors.TaskNotFound | None]:
    """
    What the task shows about a command, and the error of the look if the task does not exist.

    Args:
        began: When the first attempt of the command began, by the monotonic clock.

        until: Until when to repeat the look while the task shows no effect.
    """
    pause = _FIRST_PAUSE
    while True:
        evidence, not_found = _look_once(command, ask, began)
        if evidence is not Evidence.NOT_DONE or monotonic() + pause > until:
            return evidence, not_found
        sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _look_once(
    command: Request[Any], ask: Ask, began: float
) -> tuple[Evidence, errors.TaskNotFound | None]:
    question = Request("get", "GET /external-task/{task_id}", ExternalTask, command.ids)
    try:
        task, response = ask(question)
    except errors.TaskNotFound as error:
        return Evidence.GONE, error.with_traceback(None)
    except errors.CamundaError:
        return Evidence.UNCLEAR, None
    now = to_date(response.headers.get("date"))
    snapshot = TaskSnapshot(task=task, now=now, since=monotonic() - began)
    evidence = from_task(command, snapshot)
    if evidence is Evidence.DONE and isinstance(command.body, ExternalTaskFailure):
        evidence = from_failure_log(_history(command, ask), command.body, snapshot)
    return evidence, None


def look_at_history(command: Request[Any], ask: Ask) -> Evidence:
    """
    Whether a command has completed a task that does not exist any more, by its history.
    """
    if not isinstance(command.body, CompleteExternalTask):
        return Evidence.UNCLEAR
    return from_completion_log(_history(command, ask), command.body.worker_id)


def _history(command: Request[Any], ask: Ask) -> tuple[HistoricExternalTaskLog, ...]:
    """
    The latest entries of the task's log; empty if the engine does not return them.
    """
    question = Request(
        "log_list",
        "POST /history/external-task-log",
        tuple[HistoricExternalTaskLog, ...],
        params={"maxResults": "10"},
        body={
            "externalTaskId": command.ids["task_id"],
            "sorting": [{"sortBy": "timestamp", "sortOrder": "desc"}],
        },
        since="7.7",
    )
    try:
        entries: tuple[HistoricExternalTaskLog, ...] = ask(question)[0]
    except errors.CamundaError:
        return ()
    return entries
