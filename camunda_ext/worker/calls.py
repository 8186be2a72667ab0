"""
Calls of what users write: handlers inside of their middleware, and deciders about retries.
"""

import os
import sys
import traceback
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NoReturn

import attrs

from camunda_ext.dto import ExternalTask
from camunda_ext.worker.handlers import Middleware
from camunda_ext.worker.outcomes import Failure
from camunda_ext.worker.retries import Decision, RetryDecider
from camunda_ext.worker.shared import log
from camunda_ext.worker.task import Task


@attrs.frozen
class Guarded:
    """
    A decider of a user, which may raise anything, or decide nothing: the task gets an incident.
    """

    decider: RetryDecider

    def after(self, task: ExternalTask, error: BaseException, /) -> Decision:
        """
        What the decider says; 0 retries if it cannot.
        """
        try:
            decision: object = self.decider.after(task, error)
            if not isinstance(decision, Decision):
                raise TypeError(f"after() must return a Decision, not {decision!r:.80}")
        except (Exception, SystemExit):  # noqa: BLE001  # it must not end the slot's thread
            log.exception(
                "task %s: %r cannot decide about retries, and gives none", task.id, self.decider
            )
            return Decision(0)
        return decision


def compose(call: Callable[[Task], Any], middleware: Iterable[Middleware]) -> Callable[[Task], Any]:
    """
    A handler inside of functions, the first one outermost.
    """
    for function in reversed(tuple(middleware)):
        call = partial(_around, function, call)
    return call


def _around(function: Middleware, call: Callable[[Task], Any], task: Task) -> Any:
    return function(task, lambda: call(task))


def end_fork(pid: int, error: BaseException | None) -> None:
    """
    End this process if a handler has forked it: the report and the threads are the parent's.

    Args:
        pid: The process in which the handler began.

        error: What the handler has raised here.
    """
    if os.getpid() == pid:
        return
    code: object = 0 if error is None else 1
    if isinstance(error, SystemExit):
        code = error.code or 0
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)


def fail(reason: str, _: Task) -> NoReturn:
    """
    Fail a task that cannot be read, in place of its handler.
    """
    raise Failure(f"the task cannot be read: {reason}", retries=0)


def stack_of(thread_id: int) -> str:
    """
    Where a thread is, as text.
    """
    frame = sys._current_frames().get(thread_id)
    return "".join(traceback.format_stack(frame)) if frame else "(its thread has ended)"
