"""
What a worker tells its hooks: one value for each thing that has happened.

A hook is a function of one argument, and is called in the thread in which it has happened. It
should be quick. What it raises is logged once, and changes nothing.
"""

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import attrs

from camunda_ext._wire.value import Value
from camunda_ext.worker.outcomes import Outcome
from camunda_ext.worker.task import Task

#: What became of a report: ``done``, ``gone``, ``taken``, ``unproven``, ``unlocked`` or ``left``.
Result = Literal["done", "gone", "taken", "unproven", "unlocked", "left"]


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Polled(Value):
    """
    A fetch has ended.
    """

    #: Name of the lane; empty for the topics that share the worker's slots.
    lane: str

    #: How many tasks were asked for.
    asked: int

    #: How many tasks came.
    received: int

    #: The error; ``None`` if the fetch succeeded.
    error: Exception | None

    #: Duration of the fetch, in seconds.
    seconds: float


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Began(Value):
    """
    A handler begins.
    """

    #: Name of the lane.
    lane: str

    #: The task.
    task: Task


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Ended(Value):
    """
    A handler has ended.
    """

    #: Name of the lane.
    lane: str

    #: The task.
    task: Task

    #: What will be reported.
    outcome: Outcome

    #: What the handler has raised; ``None`` if it has returned.
    error: BaseException | None

    #: Duration of the handler, in seconds.
    seconds: float


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Reported(Value):
    """
    The report about a task is settled.
    """

    #: Name of the lane.
    lane: str

    #: The task.
    task: Task

    #: What was reported; a failure if the engine has not accepted a result.
    outcome: Outcome

    #: ``done``; ``gone`` if there is no such task any more; ``taken`` if another worker has it;
    #: ``unproven`` if it has ended, but no answer tells by whom; ``unlocked``; or ``left`` if it is
    #: unknown, and the task is fetched again when its lock has run out.
    result: Result

    #: How long it took until the report was settled, in seconds.
    seconds: float


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Extended(Value):
    """
    The lock of a task was extended.
    """

    #: The task.
    task: Task

    #: For how long from now, in seconds.
    seconds: float


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Lost(Value):
    """
    A task that was in hand is lost; its handler is told, and never interrupted.
    """

    #: The task; its ``lost`` says why.
    task: Task

    #: The worker that has it; ``None`` if the task is gone.
    worker_id: str | None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Stuck(Value):
    """
    A handler has taken longer than its ``task_timeout``; its slot is missing until it ends.
    """

    #: Name of the lane.
    lane: str

    #: The task.
    task: Task

    #: Where the handler is: its stack, as text.
    stack: str


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Swept(Value):
    """
    Tasks were unlocked that a lost answer had locked.
    """

    #: The worker id of the lost fetch.
    worker_id: str

    #: Ids of the tasks.
    task_ids: Sequence[str]


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Stopping(Value):
    """
    The worker stops: it fetches nothing more.
    """

    #: Why, in a few words.
    reason: str

    #: How many handlers are running.
    running: int


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Stopped(Value):
    """
    The worker has stopped; the result of `~camunda_ext.Worker.stop()`.
    """

    #: Ids of the tasks that are still locked: their handlers had not ended in time, or their
    #: reports were not settled. They are fetched again when their locks have run out.
    left: tuple[str, ...] = ()

    #: The exit code: 0 if nothing is left, 1 if something is, 70 after a failure of the worker
    #: itself.
    exit_code: int = 0


Event: TypeAlias = (
    Polled | Began | Ended | Reported | Extended | Lost | Stuck | Swept | Stopping | Stopped
)

#: A function that is called with each event.
WorkerHook: TypeAlias = Callable[[Event], object]
