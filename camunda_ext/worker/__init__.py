"""
A worker: handlers for topics, and everything around them.
"""

from camunda_ext.worker._worker import Handled, Health, Worker
from camunda_ext.worker.clock import Clock
from camunda_ext.worker.events import Stopped, WorkerHook
from camunda_ext.worker.handlers import Handlers, Middleware
from camunda_ext.worker.log_context import log_context, task_context
from camunda_ext.worker.outcomes import Abandoned, BpmnError, Completed, Failure, Postpone
from camunda_ext.worker.retries import BadInput, Decision, RetryDecider, TaskRetries
from camunda_ext.worker.task import Task, current_task

__all__ = [
    "Abandoned",
    "BadInput",
    "BpmnError",
    "Clock",
    "Completed",
    "Decision",
    "Failure",
    "Handled",
    "Handlers",
    "Health",
    "Middleware",
    "Postpone",
    "RetryDecider",
    "Stopped",
    "Task",
    "TaskRetries",
    "Worker",
    "WorkerHook",
    "current_task",
    "log_context",
    "task_context",
]
