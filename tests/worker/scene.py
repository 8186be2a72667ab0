"""
What the tests of a worker in threads have in common: an engine whose time stands still, and eyes on
all that the worker does, so that a test waits for what happens and never for time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from queue import SimpleQueue
from typing import Any, Final, TypeVar

import attrs

from camunda_ext import (
    ExternalTask,
    ExternalTaskClient,
    ExternalTaskQuery,
    Handlers,
    Topic,
    Worker,
)
from camunda_ext.hooks import Ended as AttemptEnded, Outgoing
from camunda_ext.testing import Clock, Engine
from camunda_ext.worker import Stopped, Task
from camunda_ext.worker.events import Reported

E = TypeVar("E")

#: How long a test waits for what must happen, in seconds. Only a test that fails needs it.
PATIENCE: Final = 20.0
#: How long a test waits for what must not happen, in seconds.
NEVER: Final = 0.3
#: No longer waits of the keeper are rests, in seconds.
_REST: Final = 0.021
#: The time at which all tests begin, as an engine tells it, and in seconds since 1970.
BEGIN: Final = datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc)
_BEGIN: Final = BEGIN.timestamp()


def after(seconds: float) -> datetime:
    """
    Give the moment so many seconds after the begin.
    """
    return BEGIN + timedelta(seconds=seconds)


def standing_still() -> float:
    """
    Give the time of an engine that stands still, but for `Engine.advance()`.
    """
    return _BEGIN


class Notes:
    """
    What has happened, in its order, for a test to wait for.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._all: list[Any] = []

    def add(self, item: object) -> None:
        """
        Note that something has happened.
        """
        with self._changed:
            self._all.append(item)
            self._changed.notify_all()

    def of(self, kind: type[E], where: Callable[[E], object] = lambda _: True) -> list[E]:
        """
        Give all of one kind that fit.
        """
        with self._changed:
            return [one for one in self._all if isinstance(one, kind) and where(one)]

    def wait_for(
        self, kind: type[E], number: int = 1, where: Callable[[E], object] = lambda _: True
    ) -> E:
        """
        Wait until there are so many of one kind that fit, and give the last of them.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.of(kind, where)) >= number, PATIENCE):
                raise AssertionError(f"not {number} of {kind.__name__} in {self._all}")
            return self.of(kind, where)[number - 1]

    def has_within(self, seconds: float, kind: type[E], where: Callable[[E], object]) -> bool:
        """
        Tell whether there is one that fits, at the latest after some seconds.
        """
        with self._changed:
            return self._changed.wait_for(lambda: bool(self.of(kind, where)), seconds)


class WatchedClock:
    """
    The clock of an engine, which tells who waits until when.

    The short rests of the keeper are over at once: as the time stands still, they would never end.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: dict[int, tuple[str, float]] = {}

    def now(self) -> float:
        """
        Give the engine's time, in seconds since 1970.
        """
        return self._clock.now()

    def wait(self, inbox: SimpleQueue[Any], until: float) -> Any:
        """
        Give the next item of a queue; none if none has come in time.
        """
        thread = threading.current_thread()
        if thread.name == "camunda-ext keeper" and until - self.now() <= _REST:
            until = 0.0
        with self._changed:
            self._waiting[thread.native_id or 0] = thread.name, until
            self._changed.notify_all()
        try:
            return self._clock.wait(inbox, until)
        finally:
            with self._changed:
                del self._waiting[thread.native_id or 0]

    def wait_for(self, thread: str, until: float) -> None:
        """
        Wait until a thread of the worker waits until so many seconds after the begin.
        """
        self._wait_for(thread, lambda moment: abs(moment - until) < 0.001)

    def wait_in(self, thread: str) -> None:
        """
        Wait until a thread of the worker waits until any time that has not come yet.
        """
        self._wait_for(thread, lambda moment: moment > self.now() - _BEGIN)

    def _wait_for(self, thread: str, fits: Callable[[float], bool]) -> None:
        def is_there() -> bool:
            return any(
                name == f"camunda-ext {thread}" and fits(until - _BEGIN)
                for name, until in self._waiting.values()
            )

        with self._changed:
            in_time = self._changed.wait_for(is_there, PATIENCE)
            assert in_time, f"{thread} does not wait so long: {list(self._waiting.values())}"


@attrs.frozen
class Call:
    """
    An attempt of a call that has ended.
    """

    operation: str
    #: The error's class; none if it succeeded.
    error: type[Exception] | None


class Job:
    """
    A handler that says that it has begun, and ends when the test says so.

    Args:
        outcome: What it returns, or raises; or a function of the task that does so.
    """

    def __init__(self, outcome: Any = None) -> None:
        self.outcome = outcome
        #: The tasks that it has begun, in their order.
        self.tasks: list[Task] = []
        #: Whether the test has let any of them end.
        self.has_ended = threading.Event()
        self._begun = threading.Condition()
        self._ending = threading.Semaphore(0)

    def __call__(self, task: Task) -> Any:
        """
        Handle a task.
        """
        with self._begun:
            self.tasks.append(task)
            self._begun.notify_all()
        assert self._ending.acquire(timeout=PATIENCE), "no test has ended this handler"
        self.has_ended.set()
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome(task) if callable(self.outcome) else self.outcome

    def begun(self, number: int = 1) -> Task:
        """
        Wait until so many tasks have begun, and give the last of them.
        """
        with self._begun:
            in_time = self._begun.wait_for(lambda: len(self.tasks) >= number, PATIENCE)
            assert in_time, f"{len(self.tasks)} have begun, not {number}"
            return self.tasks[number - 1]

    def end(self, number: int = 1) -> None:
        """
        Let some handlers end, now or when they have begun.
        """
        self._ending.release(number)


class Scene:
    """
    An engine, a client of it, and what both the worker and the client tell.

    Args:
        url: Where the worker's client finds the engine; none for the engine itself.
    """

    def __init__(self, engine: Engine, url: str | None = None) -> None:
        self.engine = engine
        #: The clock of the worker.
        self.clock = WatchedClock(engine.clock)
        #: What the worker tells its hooks.
        self.events = Notes()
        #: What the worker's client sends.
        self.calls = Notes()
        #: A client that is not the worker's.
        self.client = engine.client()
        self._url = url
        self._clients: list[ExternalTaskClient] = []

    # --------------------------------------------------------------------------- the worker's part

    def worker(
        self, handlers: Handlers | None = None, *, retry: bool = False, **options: Any
    ) -> Worker:
        """
        Make a worker whose client sends everything once, unless *retry* is true.
        """
        if self._url is None:
            client = self.engine.client(retry=retry, hooks=[self._note_call])
        else:
            client = ExternalTaskClient(self._url, retry=retry, hooks=[self._note_call])
        self._clients.append(client)
        hooks = (self.events.add, *options.pop("hooks", ()))
        given = {"async_response_timeout": 100, "clock": self.clock, **options}
        return Worker(client, handlers, hooks=hooks, **given)

    def _note_call(self, outgoing: Outgoing) -> Callable[[AttemptEnded], None]:
        def ended(result: AttemptEnded) -> None:
            error = None if result.error is None else type(result.error)
            self.calls.add(Call(outgoing.operation, error))

        return ended

    @contextmanager
    def working(self, worker: Worker, *, ends: Stopped = Stopped()) -> Iterator[Worker]:  # noqa: B008  # frozen
        """
        Let a worker work in the with block; check how it stops, and that it tells of all the locks
        that it leaves behind, but those of failures that wait for their retry.
        """
        worker.start()
        try:
            yield worker
        finally:
            stopped = self.stop(worker, grace=100 * PATIENCE)
            for client in self._clients:
                client.close()
        assert (stopped.left, stopped.exit_code) == (ends.left, ends.exit_code)
        locked = {
            task.id
            for task in self.client.list(ExternalTaskQuery().locked())
            if (task.worker_id or "").startswith(f"{worker.worker_id}#")
            and task.error_message is None
        }
        assert locked <= set(stopped.left) or ends.exit_code == 70

    def stop(self, worker: Worker, grace: float) -> Stopped:
        """
        Stop a worker, and let the time go on until it has stopped.
        """
        stopped = []
        thread = threading.Thread(target=lambda: stopped.append(worker.stop(grace=grace)))
        thread.start()
        self.wait_until(lambda: not thread.is_alive(), advance=0.2)
        return stopped[0]

    def reported(self, number: int = 1) -> Reported:
        """
        Wait until so many reports are settled, and give the last of them.
        """
        return self.events.wait_for(Reported, number)

    def results(self) -> list[tuple[str, str]]:
        """
        Give what became of all reports: the outcome's class, and the result.
        """
        return [(type(e.outcome).__name__, e.result) for e in self.events.of(Reported)]

    # --------------------------------------------------------------------------- the engine's part

    def task(self, task_id: str) -> ExternalTask:
        """
        Give a task as the engine has it.
        """
        return self.client.get(task_id)

    def is_committed(self, task_id: str) -> bool:
        """
        Tell whether a task was completed, which the engine's history says.
        """
        entries = self.client.log_list()
        return [e.external_task_id for e in entries if e.event == "success"].count(task_id) == 1

    def take(self, task_id: str, worker_id: str = "other") -> None:
        """
        Have another worker fetch a task, which is the only one that nobody has locked.
        """
        topic = self.task(task_id).topic_name
        taken = self.client.fetch_and_lock(
            worker_id, [Topic(topic, lock_duration=600_000)], max_tasks=1
        )
        assert [task.id for task in taken] == [task_id]

    def suspend(self, task_id: str, *, suspended: bool = True) -> None:
        """
        Suspend the process instance of a task, or activate it.
        """
        self.client.request(
            "PUT",
            "/process-instance/{id}/suspended",
            {"id": self.task(task_id).process_instance_id},
            json={"suspended": suspended},
        )

    def cancel(self, task_id: str) -> None:
        """
        Cancel the process instance of a task.
        """
        instance_id = self.task(task_id).process_instance_id
        self.client.request("DELETE", "/process-instance/{id}", {"id": instance_id})

    def wait_until(self, is_so: Callable[[], object], *, advance: float = 0.0) -> None:
        """
        Wait until something is so that nobody tells, and let the time go on meanwhile by so many
        seconds at a time.
        """
        patience = time.monotonic() + PATIENCE
        while not is_so():
            assert time.monotonic() < patience, "it has not become so"
            self.engine.advance(advance)
            time.sleep(0.005)

    def wait_for_next_poll(self) -> None:
        """
        Wait until a poll waits for tasks; what earlier ones have brought is in hand then.
        """
        self.engine.wait_for_polls(timeout=PATIENCE)

    def has_polls(self, number: int) -> bool:
        """
        Tell whether so many polls wait for tasks.
        """
        try:
            self.engine.wait_for_polls(number, timeout=0.02)
        except TimeoutError:
            return False
        return True
