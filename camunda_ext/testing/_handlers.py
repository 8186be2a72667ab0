"""
Tasks for the tests of handlers, without an engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Final, Literal, get_args
from uuid import uuid4

import attrs

from camunda_ext import LockedExternalTask, Variables, VariablesLike
from camunda_ext.worker import Task
from camunda_ext.worker.task import LossReason, hold_of

#: The types of the fields by name.
_TYPES: Final = {field.name: field.type for field in attrs.fields(LockedExternalTask)}


@attrs.frozen(kw_only=True, eq=False, repr=False, slots=False)
class TaskInHand(Task):
    """
    A `~camunda_ext.worker.Task` that no engine knows, made by `task()`.

    Its ``extend_lock()`` changes nothing, and raises where it would in a worker.
    """

    def lose(self, reason: Literal["taken", "gone"]) -> None:
        """
        Let the handler see that the lock is lost: ``lost`` is the *reason*, ``check()`` raises, and
        ``wait()`` ends at once, in any thread.

        Raises:
            ValueError: It is another reason.
        """
        if reason not in get_args(LossReason):
            raise ValueError(f"the reason is 'taken' or 'gone', not {reason!r:.80}")
        hold_of(self).lose(reason)

    def stop(self) -> None:
        """
        Let the handler see that the worker stops: ``stopping`` is true, ``check()`` raises, and
        ``wait()`` ends at once, in any thread.
        """
        hold_of(self).stop()


def task(topic: str, *, variables: VariablesLike | None = None, **fields: Any) -> TaskInHand:
    """
    A task as a handler gets it, without an engine.

    Args:
        topic: Name of the topic.

        variables: Python values by name, or an attrs instance for its fields. The task has them as
            an engine would give them back: a ``Decimal`` as text, for example.

        fields: Other fields of a `~camunda_ext.LockedExternalTask`. By default the task is the
            activity ``task`` of the process ``process``, was created now, and is locked for 30
            seconds for the worker ``worker``; its ids are new, in the form of the engine's. All
            else is as in a new process instance: no business key, retries ``None``, priority 0.

    Raises:
        TypeError: There is no such field, or it has another type; or the engine has no type for a
            variable.

        ValueError: The topic is blank, a date has no zone, or a variable does not fit its type.
    """
    _check("topic", topic, str)
    if not topic.strip():
        raise ValueError("topic must not be empty")
    for name, value in fields.items():
        if name not in _TYPES:
            raise TypeError(f"a task has no field {name!r}; it has {', '.join(_TYPES)}")
        _check(name, value, Mapping if name == "extension_properties" else _TYPES[name])
    now = datetime.now(timezone.utc)
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)  # as exact as the engine's dates
    defaults = {
        "id": str(uuid4()),
        "worker_id": "worker",
        "lock_expiration_time": now + timedelta(seconds=30),
        "create_time": now,
        "activity_id": "task",
        "activity_instance_id": f"task:{uuid4()}",
        "execution_id": str(uuid4()),
        "process_instance_id": str(uuid4()),
        "process_definition_id": f"process:1:{uuid4()}",
        "process_definition_key": "process",
    }
    if not isinstance(variables, Variables):
        variables = Variables.of({} if variables is None else variables)
    return TaskInHand(topic_name=topic, variables=variables, **{**defaults, **fields})


def _check(name: str, value: object, kind: Any) -> None:
    # `bool` is an `int` for Python alone.
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"{name} must be {getattr(kind, '__name__', kind)}, not {value!r:.80}")
    if isinstance(value, datetime) and value.utcoffset() is None:
        raise ValueError(f"{name} must be an aware datetime, not {value!r}")
