"""
Extends locks before they end, and does whatever else has its time.
"""

import math
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from math import inf
from queue import SimpleQueue
from typing import Final, Protocol, TypeVar

from camunda_ext.client import ExternalTaskClient
from camunda_ext.errors import CamundaError, LockLost, TaskNotFound
from camunda_ext.worker.events import Extended, Lost
from camunda_ext.worker.rules import AfterExtension, after_extension
from camunda_ext.worker.shared import Shared, log
from camunda_ext.worker.task import Hold, LossReason, Task

#: How many tasks one thread can keep: an extension takes milliseconds, and locks last for seconds.
_TASKS_PER_THREAD: Final = 200
_MOST_THREADS: Final = 32
#: The shortest time between two looks at all chores, in seconds.
_SHORTEST_REST: Final = 0.02


class Chore(Protocol):
    """
    Something that has to be looked after at certain times.
    """

    def due(self) -> float:
        """
        When, by the worker's clock; infinity for never.
        """

    def attend(self) -> None:
        """
        Do what is due.
        """

    def patience(self) -> float:
        """
        How late it may be, in seconds.
        """


C = TypeVar("C", bound=Chore)


class Keeper:
    """
    Attends to chores when they are due, in threads of its own.

    Args:
        start: Starts a thread: gets its name and what it does.
    """

    def __init__(
        self,
        shared: Shared,
        start: Callable[[str, Callable[[], None]], threading.Thread],
    ) -> None:
        self._clock = shared.clock
        self._start = start
        self._most = 1
        self._lock = threading.Lock()
        self._chores: set[Chore] = set()
        #: Chores that a thread attends to, or will.
        self._taken: set[Chore] = set()
        self._inbox: SimpleQueue[bool] = SimpleQueue()
        self._pause: SimpleQueue[bool] = SimpleQueue()
        self._jobs: SimpleQueue[Chore | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._wakes_at = -inf
        self._ended = False

    def add(self, chore: Chore) -> None:
        """
        Attend to a chore from now on.
        """
        with self._lock:
            self._chores.add(chore)
        # While the keeper is awake it looks at all chores before it sleeps.
        if self._wakes_at > -inf and chore.due() < self._wakes_at:
            self._inbox.put(True)

    def remove(self, chore: Chore) -> None:
        """
        Attend to a chore no more.
        """
        with self._lock:
            self._chores.discard(chore)

    def chores(self, kind: type[C]) -> list[C]:
        """
        The chores of a kind.
        """
        with self._lock:
            return [chore for chore in self._chores if isinstance(chore, kind)]

    def attend_all(self) -> None:
        """
        Attend to all that is due, in the calling thread.
        """
        due, _ = self._take_due()
        self._wakes_at = -inf  # No thread rests that had to be woken.
        for chore in due:
            self._attend(chore)

    def run(self, capacity: int) -> None:
        """
        Attend to chores until `end()`.

        Args:
            capacity: How many tasks the worker can hold.
        """
        self._most = min(_MOST_THREADS, 1 + math.ceil(capacity / _TASKS_PER_THREAD))
        self._threads.append(self._start("keeper", self._work))
        while not self._ended:
            due, until = self._take_due()
            for chore in due:
                self._jobs.put(chore)
                if self._idle < self._jobs.qsize() and len(self._threads) < self._most:
                    # Python 3.12 starts no threads when the interpreter ends, and a worker with it.
                    with suppress(RuntimeError):
                        self._threads.append(self._start("keeper", self._work))
            rest_until = self._clock.now() + _SHORTEST_REST
            self._clock.wait(self._inbox, until)
            self._wakes_at = -inf
            self._clock.wait(self._pause, rest_until)

    def end(self) -> None:
        """
        End the threads, each after the chore that it attends to.
        """
        self._ended = True
        self._inbox.put(True)
        for _ in range(self._most):
            self._jobs.put(None)

    def _take_due(self) -> tuple[list[Chore], float]:
        """
        The chores that are due now, and when the next one is.
        """
        now = self._clock.now()
        until = now + 3600.0
        found = []
        with self._lock:
            for chore in self._chores - self._taken:
                due = chore.due()
                if due <= now:
                    found.append((due, id(chore), chore))
                else:
                    until = min(until, due)
            chores = [chore for _, _, chore in sorted(found)]
            self._taken.update(chores)
            # From now on, whoever adds a chore that is due earlier has to tell it.
            self._wakes_at = until
        return chores, until

    def _work(self) -> None:
        while True:
            self._idle += 1
            chore = self._jobs.get()
            self._idle -= 1
            if chore is None:
                return
            late = self._clock.now() - chore.due()
            if chore.patience() < late < inf and self._most < _MOST_THREADS:
                self._most += 1
                log.warning(
                    "locks are extended %.1f s late: the engine is slow; one more thread does it",
                    late,
                )
            self._attend(chore)
            del chore  # it holds a task, which need not stay in memory

    def _attend(self, chore: Chore) -> None:
        try:
            chore.attend()
        finally:
            with self._lock:
                self._taken.discard(chore)
            if chore.due() < self._wakes_at:
                self._inbox.put(True)


def extend(task: Task, hold: Hold, shared: Shared) -> None:
    """
    Extend the lock of a task now, or lock it anew if nobody has it.
    """
    with hold.mutex:
        if not hold.is_kept:
            return
        lease, duration, now = hold.lease, hold.duration, shared.clock.now
        client = shared.clients.keep(duration)
        new_duration = timedelta(seconds=duration)
        sent = now()
        error = _try(client, "extend_lock", task.id, lease.worker_id, new_duration)
        then = after_extension(error, locking=False, is_own=shared.is_own)
        if then is AfterExtension.LOCK:
            sent = now()
            error = _try(client, "lock", task.id, lease.worker_id, new_duration)
            then = after_extension(error, locking=True, is_own=shared.is_own)
        renewed = lease.again(now())
        if then is AfterExtension.KEPT:
            renewed = lease.extended(duration, sent)
        if not hold.renew(lease, renewed):
            return  # It was fetched again meanwhile, and has a new lock.
        if then is AfterExtension.KEPT:
            if shared.hooks.functions:
                shared.hooks.tell(Extended(task=task, seconds=duration))
        elif then is AfterExtension.AGAIN:
            log.debug("task %s: the lock was not extended: %s", task.id, error)
        elif then is AfterExtension.STOP:
            hold.is_kept = False
            log.warning("task %s: the lock cannot be kept: %s", task.id, error)
        else:
            lose(task, hold, "taken" if then is AfterExtension.TAKEN else "gone", error, shared)


def unlock(task: Task, hold: Hold, shared: Shared) -> bool:
    """
    Give a task back to the engine; whether it is certain that the task is not locked any more.

    The engine removes any lock, whoever holds it. So the lock is proven to be this worker's first,
    unless it cannot have run out.
    """
    if shared.clock.now() >= hold.lease.until:
        extend(task, hold, shared)
    hold.end_keeping()
    if hold.lost is None and shared.clock.now() >= hold.lease.until:
        return False
    hold.may_return = True
    return hold.lost is not None or unlock_by_id(task.id, hold.lease.worker_id, shared)


def unlock_by_id(task_id: str, worker_id: str, shared: Shared) -> bool:
    """
    Unlock a task that this worker has locked for certain; whether it is not locked any more.
    """
    try:
        shared.clients.unlock.unlock(task_id, worker_id=worker_id)
    except TaskNotFound:
        return True
    except CamundaError as error:
        log.warning("task %s: it could not be unlocked: %s", task_id, error)
        return False
    return True


def lose(
    task: Task, hold: Hold, reason: LossReason, error: Exception | None, shared: Shared
) -> None:
    """
    Note that a task is lost, and tell it to the handler, the log and the hooks.
    """
    holder = error.worker_id if isinstance(error, LockLost) else None
    hold.lose(reason)
    if reason == "taken":
        log.warning(
            "task %s: worker %s has taken it from %s, whose lock had run out or was removed",
            task.id,
            holder,
            hold.lease.worker_id,
        )
    else:
        log.info("task %s: it is gone: cancelled, or completed elsewhere", task.id)
    shared.hooks.tell(Lost(task=task, worker_id=holder))


def _try(
    client: ExternalTaskClient, command: str, task_id: str, worker_id: str, duration: timedelta
) -> CamundaError | None:
    try:
        getattr(client, command)(task_id, worker_id, duration)
    except CamundaError as error:
        return error
    return None
