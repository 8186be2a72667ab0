"""
A lane: the topics that share slots, with one long poll for all of them.
"""

import contextvars
import os
import random
import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from functools import partial
from hashlib import sha256
from math import inf
from queue import SimpleQueue
from typing import Any, Final

import attrs

from camunda_ext.dto import FetchedTasks, LockedExternalTask, Topic
from camunda_ext.errors import CamundaError, EngineFailure, TaskNotFound
from camunda_ext.worker.calls import Guarded, compose, end_fork, fail, stack_of
from camunda_ext.worker.events import Began, Ended, Polled, Reported, Result, Stuck
from camunda_ext.worker.handlers import Handler
from camunda_ext.worker.keeper import Keeper, extend, unlock_by_id
from camunda_ext.worker.outcomes import (
    Abandoned,
    Failure,
    Outcome,
    Report,
    details_of,
    message_of,
    outcome_of_error,
    outcome_of_result,
)
from camunda_ext.worker.reporting import Reporting
from camunda_ext.worker.retries import RetryDecider
from camunda_ext.worker.rules import (
    LONGEST_IN_QUEUE,
    NOTHING_AHEAD,
    AfterFetch,
    Lease,
    Waiting,
    after_fetch,
    ahead,
    ask,
    backoff,
    poll_time,
)
from camunda_ext.worker.shared import Shared, log
from camunda_ext.worker.sweeps import Sweep
from camunda_ext.worker.task import Hold, State, Task, adopt, call_with, to_task

#: Shares of the newest value in the moving means of the durations of fetches and of tasks.
_FETCH_SHARE: Final = 1 / 4
_TASK_SHARE: Final = 1 / 20
#: The size of the engine's column for worker ids, in characters.
_LONGEST_ID: Final = 255
#: By how much a database may round the end of a lock.
_ROUNDED: Final = timedelta(seconds=1)
#: For how long a topic is left out whose tasks the engine cannot write, in seconds.
_LEFT_OUT: Final = 60.0


@attrs.define(eq=False)
class Held:
    """
    A task in hand, with all that its handling needs; its lock is a chore of the keeper.
    """

    task: Task
    hold: Hold
    #: Calls the handler inside of its middleware.
    call: Callable[[Task], Any]
    handler: Handler
    lane: "Lane"
    #: The thread of the handler.
    thread_id: int = 0
    #: The same task, fetched again while it may just have been given back to the engine.
    successor: "Held | None" = None

    def due(self) -> float:
        return self.hold.due()

    def patience(self) -> float:
        return self.hold.duration / 6

    def attend(self) -> None:
        hold, now = self.hold, self.lane.shared.clock.now()
        if hold.state is State.QUEUED and now >= hold.give_back_at:
            self.lane.nothing_ahead()  # before the poller is woken, to fetch the same again
            self.lane.give_back(self)
        elif hold.state is State.RUNNING and now >= hold.deadline:
            self.lane.strand(self)
        elif now >= hold.lease.due:
            extend(self.task, hold, self.lane.shared)


class Lane:
    """
    Topics that share slots: a poller, a queue, and a thread for each slot.

    Args:
        name: Empty for the topics that share the worker's slots; else the topic.

        slots: How many tasks are handled at the same time.

        base_id: The start of the lane's worker ids.

        keeper: Extends the locks.

        start: Starts a thread: gets its name and what it does. ``None`` if the caller handles the
            tasks itself.

        on_change: Called after anything that a stop may wait for.

        on_death: Called with the reason why the worker has to end.
    """

    def __init__(
        self,
        name: str,
        slots: int,
        handlers: Iterable[Handler],
        *,
        base_id: str,
        shared: Shared,
        keeper: Keeper,
        start: Callable[[str, Callable[[], None]], threading.Thread] | None,
        on_change: Callable[[], None],
        on_death: Callable[[str], None],
    ) -> None:
        self.name = name
        self.slots = slots
        self.shared = shared
        self.keeper = keeper
        self.on_change = on_change
        self._on_death = on_death
        self._start = start
        self._base_id = base_id
        self._generation = 1
        self._handlers = {handler.topic_name: handler for handler in handlers}
        options = shared.options
        self._topics = {
            handler.topic_name: handler.to_topic(options.lock_duration_ms)
            for handler in self._handlers.values()
        }
        self._calls = {
            handler.topic_name: compose(handler.call, (*options.middleware, *handler.middleware))
            for handler in self._handlers.values()
        }
        self.held: dict[str, Held] = {}
        #: The tasks that were in hand when the last fetch began, and are not any more. Its answer
        #: may have been given before their reports.
        self._ended: set[str] = set()
        self.waiting = Waiting()
        self.stopping = False
        self.poller_ended = False
        self.stuck = 0
        #: The tasks whose reports are not proven, and until when they are locked at least.
        self.left: dict[str, float] = {}
        self.is_polling = False
        self.poll_began_at = inf
        self.answered_at = -inf
        #: Why the credentials were refused last; ``None`` if they are good.
        self.refused: str | None = None
        self._lock = threading.Lock()
        self._queue: SimpleQueue[Held | None] = SimpleQueue()
        self._inbox: SimpleQueue[bool] = SimpleQueue()
        self._slot_threads = 0
        self._poller_waits = False
        self._was_full = False
        self._nothing_ahead_until = -inf
        self._fetch_time = 0.01
        self._task_time = inf
        self._streak = 0
        self._has_warned_of_early_answers = False
        self._most_tasks: float = inf
        self._left_out: dict[str, float] = {}

    @property
    def worker_id(self) -> str:
        """
        The worker id of the next fetch. After a lost fetch it is another one, so that what the lost
        answer has locked can be told from what the next one locks.
        """
        start = f"{self._base_id}#{self._generation}"
        return f"{start}/{self._id_part(_LONGEST_ID - len(start) - 1)}" if self.name else start

    def _id_part(self, longest: int) -> str:
        """
        The lane's name for worker ids; of a long one the start, with a hash that tells it apart.
        """
        if len(self.name) <= longest:
            return self.name
        digest = sha256(self.name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        return f"{self.name[: longest - 9]}~{digest}"

    # ------------------------------------------------------------------------------------- polling

    def poll(self) -> None:
        """
        Fetch tasks until the lane stops.
        """
        try:
            while not self.stopping:
                number = self.wanted()
                if number:
                    self._rest(self.fetch(number, self.shared.options.poll))
                else:
                    self._wait_for_slot()
        finally:
            self.poller_ended = True
            self.on_change()

    def _wait_for_slot(self) -> None:
        self._poller_waits = True
        # It may have changed before the line above.
        if self.wanted() == 0 and not self.stopping:
            self.shared.clock.wait(self._inbox, self.shared.clock.now() + 1.0)
        self._poller_waits = False

    def _rest(self, seconds: float) -> None:
        """
        Wait before the next fetch, unless the lane stops.
        """
        until = self.shared.clock.now() + seconds
        while not self.stopping and self.shared.clock.now() < until:
            self.shared.clock.wait(self._inbox, until)

    @property
    def capacity(self) -> int:
        """
        How many tasks the lane holds at most.
        """
        return 3 * self.slots

    def wanted(self) -> int:
        """
        How many tasks to ask for now; 0 to wait.
        """
        slots = self.slots - self.stuck
        is_full = self._was_full and self.shared.clock.now() >= self._nothing_ahead_until
        more = ahead(slots, self._task_time, self._fetch_time, was_full=is_full)
        return int(min(ask(slots, len(self.held), more), self._most_tasks))

    def nothing_ahead(self) -> None:
        """
        Fetch nothing ahead for a while.
        """
        self._nothing_ahead_until = self.shared.clock.now() + NOTHING_AHEAD

    def fetch(self, number: int, longest: float) -> float:
        """
        Fetch tasks and hold them.

        Args:
            number: How many at most.

            longest: How long the engine may wait for tasks, in seconds; 0 not to wait.

        Returns:
            How long to wait before the next fetch, in seconds.
        """
        clock = self.shared.clock
        began = self.poll_began_at = clock.now()
        with self._lock:
            due = self.waiting.next_due(began)
        seconds = poll_time(longest, due, began) if longest else 0.0
        topics = self._topics_now(began)
        if not topics:
            return 1.0
        worker_id = self.worker_id
        self.is_polling = True
        try:
            fetched = self._request(worker_id, topics, number, seconds)
        except CamundaError as error:
            self._tell_poll(number, 0, error, began)
            return self._after_error(error, worker_id, topics, began, seconds)
        finally:
            self.is_polling = False
        now = clock.now()
        self.shared.engine_time.note(fetched.answered_at, now)
        self._streak, self._most_tasks = 0, inf
        if self.refused is not None:
            log.warning("the engine accepts the credentials again")
            self.refused = None
        self.answered_at = now
        received = len(fetched) + len(fetched.unreadable)
        self._was_full = received >= number
        if self._was_full:
            self._fetch_time += (now - began - self._fetch_time) * _FETCH_SHARE
        self._tell_poll(number, received, None, began)
        self._take_in(fetched, worker_id, number, now)
        if not received and seconds >= 1.0 and now - began < seconds / 2:
            if not self._has_warned_of_early_answers:
                self._has_warned_of_early_answers = True
                log.warning(
                    "the server answers long polls at once, so that the worker asks once a second: "
                    "does it lack asynchronous servlets?"
                )
            return 1.0
        return 0.0

    def fetch_once(self) -> None:
        """
        Fetch tasks without waiting, for a caller that handles them by itself.

        Raises:
            CamundaError: The fetch failed.
        """
        worker_id, began = self.worker_id, self.shared.clock.now()
        topics = self._topics_now(began)
        try:
            fetched = self._request(worker_id, topics, self.slots, 0.0)
        except CamundaError as error:
            self._after_error(error, worker_id, topics, began, 0.0)
            raise
        self._take_in(fetched, worker_id, self.slots, self.shared.clock.now())

    def _request(
        self, worker_id: str, topics: Iterable[Topic], number: int, seconds: float
    ) -> FetchedTasks:
        options = self.shared.options
        with self._lock:
            self._ended.clear()
        return self.shared.clients.fetch.fetch_and_lock(
            worker_id,
            topics,
            max_tasks=number,
            use_priority=options.use_priority,
            async_response_timeout=timedelta(seconds=seconds) if seconds else None,
            sorting=options.sorting,
        )

    def _topics_now(self, now: float) -> tuple[Topic, ...]:
        self._left_out = {name: until for name, until in self._left_out.items() if until > now}
        return tuple(t for name, t in self._topics.items() if name not in self._left_out)

    def _tell_poll(
        self, asked: int, received: int, error: CamundaError | None, began: float
    ) -> None:
        if self.shared.hooks.functions:
            seconds = self.shared.clock.now() - began
            self.shared.hooks.tell(
                Polled(lane=self.name, asked=asked, received=received, error=error, seconds=seconds)
            )

    def _after_error(
        self,
        error: CamundaError,
        worker_id: str,
        topics: tuple[Topic, ...],
        began: float,
        seconds: float,
    ) -> float:
        """
        Do what follows a failed fetch, and return how long to wait before the next one.
        """
        deserializes = any(topic.deserialize_values for topic in topics)
        then = after_fetch(error, deserializes=deserializes)
        self._streak += 1
        self._was_full = False
        if then is AfterFetch.CREDENTIALS:
            if self.refused != str(error):
                log.error("the engine refuses the credentials: %s", error)
            self.refused = str(error)
        elif then is AfterFetch.ID_IN_USE:
            log.warning("somebody else polls as %s: %s", worker_id, error)
            self._generation += 1
        elif then is AfterFetch.LOST:
            self._generation += 1
            self._look_after(worker_id, began, seconds)
        if self._streak == 1:
            # Refused credentials are in the log already.
            if then is not AfterFetch.CREDENTIALS:
                log.warning("fetching failed: %s", error)
        elif self._streak == 10 or self._streak % 100 == 0:
            log.warning("fetching failed %d times in a row: %s", self._streak, error)
        if isinstance(error, EngineFailure) and deserializes and self._streak > 1:
            self._isolate(topics)
        return backoff(then, self._streak, random.random())  # noqa: S311  # to spread, not to hide

    def _look_after(self, worker_id: str, began: float, seconds: float) -> None:
        """
        Look for the tasks of a lost fetch.
        """
        self.keeper.add(
            Sweep(
                worker_id=worker_id,
                shared=self.shared,
                sent_at=began,
                poll=seconds,
                known_ids=self._known_ids,
                lock_duration=self._lock_duration,
                on_end=self._end_sweep,
            )
        )

    def _isolate(self, topics: tuple[Topic, ...]) -> None:
        """
        Find the topic with a task that the engine cannot write: ask for fewer tasks, down to one,
        then for one topic at a time.
        """
        most = min(self._most_tasks, self.slots)
        if most > 1:
            self._most_tasks = most // 2
            return
        failed: dict[str, EngineFailure] = {}
        for topic in topics:
            if self.stopping:
                return
            began, worker_id = self.shared.clock.now(), self.worker_id
            try:
                fetched = self._request(worker_id, [topic], 1, 0.0)
            except EngineFailure as error:
                failed[topic.topic_name] = error
                self._generation += 1
                self._look_after(worker_id, began, 0.0)
            except CamundaError as error:
                self._after_error(error, worker_id, (), began, 0.0)
                return
            else:
                self._take_in(fetched, worker_id, 1, self.shared.clock.now())
        if len(failed) == len(topics):
            return  # It may be the engine: all that helps is to wait.
        for name, failure in failed.items():
            log.error(
                "topic %r is left out for a minute: the engine cannot write one of its tasks, "
                "which probably has an object of an unknown class: %s",
                name,
                failure,
            )
            self._left_out[name] = self.shared.clock.now() + _LEFT_OUT

    # -------------------------------------------------------------------------------- what has come

    def _take_in(self, fetched: FetchedTasks, worker_id: str, number: int, now: float) -> None:
        for index, locked in enumerate(fetched):
            if locked.worker_id != worker_id:
                log.warning(
                    "task %s: it was fetched as %s, but is locked for %s: it is ignored",
                    locked.id,
                    worker_id,
                    locked.worker_id,
                )
            elif index >= number or locked.topic_name not in self._handlers:
                log.warning(
                    "task %s of topic %r: nobody asked for it: it is unlocked",
                    locked.id,
                    locked.topic_name,
                )
                unlock_by_id(locked.id, worker_id, self.shared)
            else:
                name = locked.topic_name
                call, handler = self._calls[name], self._handlers[name]
                self._take(locked, call, handler, fetched.answered_at, now)
        for unreadable in fetched.unreadable:
            # Its topic may be what cannot be read; any handler's options will do for a failure.
            handler = next(iter(self._handlers.values()))
            locked = LockedExternalTask(id=unreadable.id, worker_id=worker_id)
            call = partial(fail, unreadable.reason)
            self._take(locked, call, handler, fetched.answered_at, now)

    def _take(
        self,
        locked: LockedExternalTask,
        call: Callable[[Task], Any],
        handler: Handler,
        answered_at: datetime | None,
        now: float,
    ) -> None:
        """
        Hold one task, and put it into the queue.
        """
        topic = self._topics[handler.topic_name]
        left = None
        if locked.lock_expiration_time is not None and answered_at is not None:
            left = (locked.lock_expiration_time - answered_at).total_seconds()
        lease = Lease.fetched(locked.worker_id or "", topic.lock_duration / 1000, left, now)
        hold = Hold(lease, self.shared.clock, self._extend)
        held = Held(to_task(locked, hold), hold, call, handler, self)
        with self._lock:
            known = self.held.get(locked.id)
            has_ended = known is None and locked.id in self._ended
            if known is None:
                if not has_ended:
                    self._hold(held)
            elif known.hold.may_return or known.hold.state is State.ENDED:
                known.successor = held
                return
            else:
                adopt(known.task, lease)
        if known is not None:
            log.info("task %s: its lock was lost, and fetched again while it is in hand", locked.id)
            self.keeper.add(known)
            return
        if has_ended:
            if not self._has_lock(held):
                return
            with self._lock:
                self._hold(held)
        self._enqueue(held)

    def _hold(self, held: Held) -> None:
        """
        Hold a task that is not in hand. The caller has the lock.
        """
        self.held[held.task.id] = held
        self.waiting.discard(held.task.id)
        self.left.pop(held.task.id, None)

    def _enqueue(self, held: Held) -> None:
        if self._start is not None:
            held.hold.give_back_at = self.shared.clock.now() + LONGEST_IN_QUEUE
        self._queue.put(held)
        self.keeper.add(held)
        if self.stopping:  # also if the stop has come a moment ago, and with it another time
            self.give_back(held)
            return
        # A thread whose handler is stuck serves no other task.
        needed = min(self.slots, len(self.held) + self.stuck)
        if self._start is not None and self._slot_threads < needed:
            self._slot_threads += 1
            self._start(f"slot {self._slot_threads}", self._serve)

    def _extend(self, task: Task, hold: Hold) -> None:
        extend(task, hold, self.shared)

    # -------------------------------------------------------------------------------- in the slots

    def _serve(self) -> None:
        """
        Handle tasks, one after the other; the life of a slot's thread.
        """
        while self._handle_next():
            pass

    def _handle_next(self) -> bool:
        held = self._queue.get()
        if held is None:
            return False
        self.handle(held)
        return True

    def next_queued(self) -> Held | None:
        """
        The next task of the queue, for a caller that handles it by itself; ``None`` for none.
        """
        return None if self._queue.empty() else self._queue.get()

    def handle(self, held: Held) -> tuple[Outcome, BaseException | None] | None:
        """
        Handle one task and report it.

        Returns:
            What was reported, and what the handler has raised; ``None`` if the task was given back
            or lost before it has begun, or was reported as stuck.
        """
        hold, task, shared = held.hold, held.task, self.shared
        if self.stopping:
            self.give_back(held)
            return None
        if shared.clock.now() >= hold.lease.until:  # as after a sleep of the machine
            extend(task, hold, shared)
        if not hold.move(State.QUEUED, State.RUNNING):
            return None
        if hold.lost is not None:
            log.info("task %s: it was lost before it has begun", task.id)
            self._finish(held)
            return None
        began = shared.clock.now()
        held.thread_id = threading.get_ident()
        self._set_deadline(held, began)
        if shared.hooks.functions:
            shared.hooks.tell(Began(lane=self.name, task=task))
        error, outcome = self._call(held)
        try:
            return self._conclude(held, error, outcome, began)
        finally:
            # The traceback of the error has this frame. If this frame had the error, both would
            # stay, with all that the handler had in its hands, until the garbage collector comes.
            del error, outcome

    def _conclude(
        self, held: Held, error: BaseException | None, outcome: Outcome, began: float
    ) -> tuple[Outcome, BaseException | None] | None:
        """
        Report what a handler has done; see `handle()`.
        """
        hold, task, shared = held.hold, held.task, self.shared
        now = shared.clock.now()
        if not hold.move(State.RUNNING, State.REPORTING):
            with self._lock:
                self.stuck -= 1
            log.warning("task %s: its handler has ended after its time; the slot is back", task.id)
            self.on_change()
            self._wake_poller()
            return None
        if shared.hooks.functions:
            shared.hooks.tell(
                Ended(lane=self.name, task=task, outcome=outcome, error=error, seconds=now - began)
            )
        outcome = self._report(held, outcome)
        seconds = shared.clock.now() - began
        known = self._task_time if self._task_time < inf else seconds
        self._task_time = known + (seconds - known) * _TASK_SHARE
        return outcome, error

    def _set_deadline(self, held: Held, began: float) -> None:
        timeout = held.handler.task_timeout or self.shared.options.task_timeout
        if timeout is None:
            return
        held.hold.deadline = began + timeout
        held.hold.deadline_date = datetime.now(timezone.utc) + timedelta(seconds=timeout)
        self.keeper.add(held)  # it is due earlier now

    def _call(self, held: Held) -> tuple[BaseException | None, Outcome]:
        """
        Call the handler, and return what it has raised, and its outcome. A result that cannot be
        sent counts as a `ValueError`.
        """
        # A context of its own, so that nothing of one task is left for the next.
        context, task, pid = contextvars.copy_context(), held.task, os.getpid()
        failed = "task %s of topic %r failed:\n%s"
        try:
            result = context.run(call_with, task, held.call)
        except BaseException as error:  # noqa: BLE001  # whatever a handler raises is a failure
            end_fork(pid, error)
            if not isinstance(error, (Report, Abandoned)):
                # In its context, so that the line of the log has what middleware has put there.
                context.run(log.warning, failed, task.id, task.topic_name, details_of(error))
            # No variable may hold the outcome: it may be the error, whose traceback has this frame.
            return error, self._outcome_of(error, held)
        end_fork(pid, None)
        outcome = outcome_of_result(result)
        if isinstance(outcome, Failure):
            context.run(log.warning, failed, task.id, task.topic_name, outcome.error_message)
            return ValueError(outcome.error_message), outcome
        return None, outcome

    def _outcome_of(self, error: BaseException, held: Held) -> Outcome:
        try:
            return outcome_of_error(error, held.task, self._retries_of(held))
        except Exception as unusable:  # noqa: BLE001  # as of an own `Failure` that calls no `super()`
            return Failure(
                f"what the handler has raised cannot be reported: {message_of(unusable)}", retries=0
            )

    def _retries_of(self, held: Held) -> RetryDecider:
        return Guarded(held.handler.retries or self.shared.options.retries)

    def _report(self, held: Held, outcome: Outcome) -> Outcome:
        """
        Report an outcome, and return what was reported in the end.
        """
        shared, began = self.shared, self.shared.clock.now()
        reporting = Reporting(
            held.task,
            held.hold,
            outcome,
            shared,
            retries=self._retries_of(held),
            on_failure=lambda seconds: self._wait_for_retry(held.task.id, seconds),
            keep=lambda: self._keep(held),
        )
        result = reporting.settle()
        if result == "left":
            with self._lock:
                # Only those whose locks may last are of interest.
                self.left = {id_: self.left[id_] for id_ in self.left_locked()}
                self.left[held.task.id] = held.hold.lease.until
        self._finish(held)
        kind = type(reporting.outcome).__name__
        log.debug("task %s of topic %r: %s: %s", held.task.id, held.task.topic_name, kind, result)
        self._tell_report(held, reporting.outcome, result, began)
        return reporting.outcome

    def _wait_for_retry(self, task_id: str, seconds: float) -> None:
        if seconds > 0:
            with self._lock:
                self.waiting.add(task_id, self.shared.clock.now() + seconds)

    def _keep(self, held: Held) -> None:
        held.hold.resume_keeping()
        self.keeper.add(held)

    def _tell_report(self, held: Held, outcome: Outcome, result: Result, began: float) -> None:
        if self.shared.hooks.functions:
            self.shared.hooks.tell(
                Reported(
                    lane=self.name,
                    task=held.task,
                    outcome=outcome,
                    result=result,
                    seconds=self.shared.clock.now() - began,
                )
            )

    def _finish(self, held: Held) -> None:
        """
        Hold a task no more.
        """
        held.hold.state = State.ENDED
        self.keeper.remove(held)
        successor, has_lock = None, False
        while True:
            with self._lock:
                # It may be fetched again until this very moment.
                if held.successor is successor:
                    del self.held[held.task.id]
                    self._ended.add(held.task.id)
                    if successor is not None and has_lock:
                        self._hold(successor)
                    break
                successor = held.successor
            has_lock = successor is not None and self._has_lock(successor)
        if successor is not None and has_lock:
            self._enqueue(successor)
        if self.stopping:
            self.on_change()
        self._wake_poller()

    def _has_lock(self, held: Held) -> bool:
        """
        Whether a task has the lock with which it was fetched. Between the fetch and its answer, a
        report on what was in hand before may have removed that.
        """
        fetched = held.task
        try:
            task = self.shared.clients.sweep.get(fetched.id)
        except TaskNotFound:
            return False
        except CamundaError as error:
            log.warning(
                "task %s: it may be locked for %s: %s", fetched.id, fetched.worker_id, error
            )
            with self._lock:
                self.left[fetched.id] = held.hold.lease.until
            return False
        if task.lock_expiration_time is None or fetched.lock_expiration_time is None:
            return False
        moved = abs(task.lock_expiration_time - fetched.lock_expiration_time)
        return moved <= _ROUNDED and (task.worker_id, task.retries, task.error_message) == (
            fetched.worker_id,
            fetched.retries,
            fetched.error_message,
        )

    def _wake_poller(self) -> None:
        if self._poller_waits and (self.stopping or self.wanted()):
            self._poller_waits = False
            self._inbox.put(True)

    # ----------------------------------------------------------------------- beside and at the end

    def give_back(self, held: Held) -> None:
        """
        Unlock a task that has not begun; nothing if it has.
        """
        if not held.hold.move(State.QUEUED, State.ENDED):
            return
        self._report(held, Abandoned("it has not begun"))

    def strand(self, held: Held) -> None:
        """
        Report a task whose handler takes too long as a failure. Its slot is missing until it ends.
        """
        if self._start is None or not held.hold.move(State.RUNNING, State.STUCK):
            return
        held.hold.end_keeping()
        stack = stack_of(held.thread_id)
        timeout = held.handler.task_timeout or self.shared.options.task_timeout
        error = TimeoutError(f"the handler has not ended after {timeout} seconds")
        log.error("task %s: %s; it is here:\n%s", held.task.id, error, stack)
        self.shared.hooks.tell(Stuck(lane=self.name, task=held.task, stack=stack))
        with self._lock:
            self.stuck += 1
        outcome = self._outcome_of(error, held)
        if isinstance(outcome, Failure):
            outcome.error_details = f"{outcome.error_message}\n{stack}"
        self._start("report of a stuck task", lambda: self._report_stuck(held, outcome))
        if self.stuck >= self.slots:
            self._on_death(f"all slots of lane {self.name!r} are stuck")

    def _report_stuck(self, held: Held, outcome: Outcome) -> None:
        self._report(held, outcome)

    def _known_ids(self) -> set[str]:
        """
        The ids of the tasks that are in hand, or wait for their retry: failed tasks keep the
        worker's id, and look like those of a lost answer.
        """
        with self._lock:
            return {*self.held, *self.waiting.ids(self.shared.clock.now())}

    def _end_sweep(self, sweep: Sweep) -> None:
        self.keeper.remove(sweep)
        self.on_change()

    def _lock_duration(self, topic_name: str) -> float:
        """
        The duration of the locks of a topic, in seconds; of an unknown one, the longest.
        """
        topic = self._topics.get(topic_name)
        return topic.lock_duration / 1000 if topic else self._longest_lock()

    def _longest_lock(self) -> float:
        return max(topic.lock_duration for topic in self._topics.values()) / 1000

    def running(self) -> int:
        """
        How many handlers are running.
        """
        return sum(held.hold.state is State.RUNNING for held in list(self.held.values()))

    def poll_is_overdue(self, now: float, longest: float) -> bool:
        """
        Whether the last fetch has not ended after the longest time that it may take, in seconds.
        """
        return self.is_polling and now - self.poll_began_at > longest

    def was_answered_since(self, moment: float) -> bool:
        """
        Whether a fetch was answered after a moment; a lane with all slots busy fetches nothing.
        """
        is_busy = not self.is_polling and self._streak == 0
        return self.answered_at >= moment or (is_busy and self.answered_at > -inf)

    def left_locked(self) -> tuple[str, ...]:
        """
        The ids of tasks that may be locked although nobody has them in hand.
        """
        now = self.shared.clock.now()
        return tuple(id_ for id_, until in list(self.left.items()) if until > now)

    def stop(self) -> None:
        """
        Fetch nothing more, tell the handlers, and unlock what has not begun.
        """
        self.stopping = True
        self._inbox.put(True)
        for held in list(self.held.values()):
            held.hold.stop()
            held.hold.give_back_at = -inf
            self.keeper.add(held)

    def end_slots(self) -> None:
        """
        End the threads of the slots, each after its task.
        """
        for _ in range(self.slots):
            self._queue.put(None)
