"""
Which task a line of a log is about.
"""

import contextvars
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from camunda_ext.worker.task import Task

#: What `log_context()` tells about the task that is handled; empty outside of handlers.
task_context: Final[contextvars.ContextVar[Mapping[str, str | None]]] = contextvars.ContextVar(
    "camunda_ext_task_context",
    default=MappingProxyType({}),  # it cannot be changed
)


def log_context(task: Task, call_next: Callable[[], Any]) -> Any:
    """
    A middleware that puts the task's ids into the context variable `task_context`, for logs.
    """
    task_context.set(
        {
            "task_id": task.id,
            "topic_name": task.topic_name,
            "process_instance_id": task.process_instance_id,
            "business_key": task.business_key,
        }
    )
    return call_next()
