"""
Log records about calls.
"""

from __future__ import annotations

import logging
from typing import Any, Final

import camunda_ext
from camunda_ext import errors
from camunda_ext._call.request import Request
from camunda_ext._call.rules import Resend
from camunda_ext._http.messages import HttpRequest, HttpResponse
from camunda_ext._wire.text import LONGEST_TEXT, printable

log: Final = logging.getLogger("camunda_ext")


class CallLog:
    """
    Writes the log records of one call, each with extra attributes for programs that read logs.
    """

    def __init__(self, request: Request[Any], http: HttpRequest, *, bodies: bool) -> None:
        self._request = request
        self._http = http
        self._has_bodies = bodies

    def __str__(self) -> str:
        return f"{self._request.operation}: {self._http.method} {self._http.url}"

    def ended(
        self,
        error: errors.CamundaError | None,
        response: HttpResponse | None,
        *,
        attempts: int,
        seconds: float,
    ) -> None:
        """
        Log the end of a call at level DEBUG: how it ended, how many attempts there were, and how
        long they took.
        """
        if not log.isEnabledFor(logging.DEBUG):
            return
        log.debug(
            "%s: %s in %.1f ms, attempts: %d%s",
            self,
            type(error).__name__ if error is not None else response.status if response else "done",
            seconds * 1000,
            attempts,
            self._bodies(response) if self._has_bodies else "",
            extra=self._facts(error, response, attempts=attempts, seconds=seconds),
        )

    def will_go_on(
        self, error: errors.CamundaError, step: Resend, *, attempt: int, wait: float
    ) -> None:
        """
        Log a failed attempt, and what the client does after a wait of some seconds.
        """
        log.warning(
            "%s: attempt %d failed: %s: %s; %s in %.3f s",
            self,
            attempt,
            type(error).__name__,
            error.in_short(),
            "sent again" if step is Resend.AGAIN else "looked at",
            wait,
            extra=self._facts(error, attempt=attempt, wait=wait),
        )

    def policy_raised(self, error: errors.CamundaError, *, attempt: int) -> None:
        """
        Log the current exception, which the user's retry policy has raised.
        """
        log.exception(
            "%s: the retry policy raised", self, extra=self._facts(error, attempt=attempt)
        )

    def unreadable(self, tasks: camunda_ext.FetchedTasks) -> None:
        """
        Log the tasks that were locked, but could not be read.
        """
        for task in tasks.unreadable:
            log.error(
                "%s: task %s is locked, but cannot be read: %s",
                self,
                printable(task.id),
                printable(task.reason),
                extra={**self._facts(None), "task_id": task.id},
            )

    def _facts(
        self,
        error: errors.CamundaError | None,
        response: HttpResponse | None = None,
        **more: float | None,
    ) -> dict[str, object]:
        """
        The extra attributes of a log record.
        """
        status = response.status if response is not None else error.status if error else None
        return {
            "operation": self._request.operation,
            "method": self._http.method,
            "url": self._http.url,
            "task_id": self._request.ids.get("task_id"),
            "worker_id": getattr(self._request.body, "worker_id", self._request.worker_id),
            "error": type(error).__name__ if error is not None else None,
            "status": status,
            **more,
        }

    def _bodies(self, response: HttpResponse | None) -> str:
        from camunda_ext._secrets import masks  # only now: few programs log bodies

        sent, received = self._http.content or b"", ""
        if response is not None:
            # A server may repeat credentials. They are removed before the text is cut: half of a
            # secret would not be recognized.
            text = response.content[: 8 * LONGEST_TEXT].decode("utf-8", "replace")
            received = masks.without(text, response.secrets())
        return (
            f"; sent {printable(sent.decode('utf-8', 'replace')) or 'nothing'}, "
            f"got {printable(received) or 'nothing'}"
        )
