"""
The worker: its threads from start to stop.
"""

import atexit
import logging
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from math import inf
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Final, TypeVar

import attrs

from camunda_ext._wire import checks
from camunda_ext._wire.value import Value, exported
from camunda_ext._wire.warn import warn_caller, warn_of_seconds
from camunda_ext.client import ExternalTaskClient
from camunda_ext.dto import FetchExternalTasks, Sorting, Topic
from camunda_ext.worker.calls import stack_of
from camunda_ext.worker.clock import Clock, MonotonicClock
from camunda_ext.worker.events import Stopped, Stopping, WorkerHook
from camunda_ext.worker.handlers import (
    MOST_SLOTS,
    Handlers,
    Middleware,
    check_retries,
    to_middleware,
)
from camunda_ext.worker.keeper import Keeper
from camunda_ext.worker.lane import Lane
from camunda_ext.worker.outcomes import Abandoned, Outcome, Report
from camunda_ext.worker.retries import RetryDecider, TaskRetries
from camunda_ext.worker.shared import Clients, Hooks, Options, Shared, log
from camunda_ext.worker.signals import on_signals
from camunda_ext.worker.sweeps import Sweep
from camunda_ext.worker.task import State, Task

F = TypeVar("F", bound=Callable[..., Any])

#: More lanes than this have a warning: each has threads and a poll of its own.
_MANY_LANES: Final = 8
#: A shorter poll was probably meant in seconds, in milliseconds.
_SHORTEST_POLL: Final = 100
#: How long a stop at the end of the interpreter waits, in seconds.
_EXIT_GRACE: Final = 5.0
#: How much later than planned a poll may begin before the worker counts as dead, in seconds.
_POLL_MARGIN: Final = 20.0
#: How long a stop waits for threads that have nothing to do any more, in seconds.
_LAST_PATIENCE: Final = 0.5
#: The exit code after a failure of the worker itself, as in ``sysexits.h``: EX_SOFTWARE.
_DEAD: Final = 70


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Health(Value):
    """
    How a worker is, without asking the engine.
    """

    #: Whether the worker works, or waits for an engine that is away. If not, restart it.
    live: bool

    #: Whether it can work now: the engine has answered lately, and accepts the credentials.
    ready: bool

    #: Why it is not live or not ready, a sentence each.
    reasons: tuple[str, ...] = ()


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Handled(Value):
    """
    A task that was handled by `~camunda_ext.Worker.run_once()`.
    """

    #: The task.
    task: Task

    #: What was reported: a `~camunda_ext.worker.Completed`, a `~camunda_ext.worker.BpmnError`, a
    #: `~camunda_ext.worker.Failure` with retries, also for a `~camunda_ext.worker.Postpone`, or an
    #: `~camunda_ext.worker.Abandoned` if the task was unlocked.
    outcome: Outcome

    #: What the handler has raised, or a `ValueError` if its result cannot be sent; ``None`` if
    #: there is nothing wrong.
    error: BaseException | None


@attrs.frozen
class _Stop:
    """
    The wish to stop: of a signal, of `~camunda_ext.Worker.stop()`, or of a part of the worker that
    has failed.
    """

    reason: str
    grace: float | None = None
    is_signal: bool = False
    is_death: bool = False


@exported
class Worker:
    """
    Fetches tasks, has them handled, and reports the results, until it is stopped.

    ::

        worker = Worker(ExternalTaskClient("http://localhost:8080/engine-rest"))

        @worker.handles("invoice")
        def charge(task):
            return {"paid": task.variables["amount"] < 1000}

        worker.run()

    It extends the locks of the tasks in hand, reports until the answer is known, unlocks what a
    lost answer has locked, and stops without leaving a lock behind. A handler can run twice where
    the engine gives a task out again: after a crash, or if a lock could not be extended in time.

    Args:
        client: The client to use, with its credentials and time-outs.

        handlers: The handlers; ``None`` for none yet, see `handles()`.

        slots: How many tasks are handled at the same time, each in a thread.

        lock_duration:
            How long tasks are locked, in milliseconds, or a `timedelta`. Locks are extended when a
            third of them is over; after a crash the task is fetched again when its lock has run
            out.

        async_response_timeout:
            How long a fetch waits for tasks, in milliseconds, or a `timedelta`. A stop waits for it
            too.

        use_priority: Whether tasks of a higher priority come first.

        sorting: The order in which tasks are fetched, as ``[Sorting("createTime", "asc")]``. Since
            7.21; older engines ignore it.

        retries: How often and when failed tasks are tried again: a
            `~camunda_ext.worker.TaskRetries`, or any object with its method ``after()``. By default
            three times: after 10 seconds, a minute, and ten minutes.

        name: The start of the worker's ids; by default the host and the process id. A random part
            follows, so that two workers of one name do not share locks.

        middleware: Functions around each handler, the first one outermost; each gets the task and a
            function that calls the handler, and returns what that returns.

        hooks: Functions that are called with each event, see `camunda_ext.worker.events`.

        task_timeout: How long a handler may take, in seconds, or a `timedelta`; ``None`` for any
            time. After it the failure is reported; the handler is not interrupted.

        hold_results: For how long a result is kept and sent again while the engine does not accept
            it, in seconds, or a `timedelta`.

        clock: Tells the time, for tests: `camunda_ext.testing.Engine.clock`.

    Raises:
        TypeError, ValueError: An argument is invalid.
    """

    def __init__(
        self,
        client: ExternalTaskClient,
        handlers: Handlers | None = None,
        *,
        slots: int = 8,
        lock_duration: int | timedelta = timedelta(seconds=30),
        async_response_timeout: int | timedelta = timedelta(seconds=5),
        use_priority: bool | None = True,
        sorting: Iterable[Sorting] | None = None,
        retries: RetryDecider | None = None,
        name: str | None = None,
        middleware: Iterable[Middleware] = (),
        hooks: Iterable[WorkerHook] = (),
        task_timeout: float | timedelta | None = None,
        hold_results: float | timedelta = timedelta(minutes=10),
        clock: Clock | None = None,
    ) -> None:
        if not isinstance(client, ExternalTaskClient):
            raise TypeError(f"client must be an ExternalTaskClient, not {type(client).__name__}")
        if handlers is not None and not isinstance(handlers, Handlers):
            raise TypeError(f"handlers must be Handlers, not {type(handlers).__name__}")
        if retries is not None:
            check_retries(retries)
        #: The handlers by topic.
        self.handlers: Final = Handlers() if handlers is None else handlers
        warn_of_seconds("the time of a poll", async_response_timeout, below=_SHORTEST_POLL)
        # The topic and the fetch check what they get.
        topic = Topic("topic", lock_duration=lock_duration)
        fetch = FetchExternalTasks(
            worker_id="worker",
            max_tasks=checks.integer("slots", slots, low=1, high=MOST_SLOTS),
            topics=[topic],
            use_priority=use_priority,
            async_response_timeout=async_response_timeout,
            sorting=sorting,
        )
        options = Options(
            slots=slots,
            lock_duration_ms=topic.lock_duration,
            poll=(fetch.async_response_timeout or 0) / 1000,
            use_priority=use_priority,
            sorting=fetch.sorting,
            retries=TaskRetries(10_000, 60_000, 600_000) if retries is None else retries,
            middleware=to_middleware(middleware),
            task_timeout=(
                None if task_timeout is None else checks.seconds("task_timeout", task_timeout)
            ),
            hold_results=checks.seconds("hold_results", hold_results, may_be_zero=True),
        )
        if not options.poll:
            raise ValueError("async_response_timeout must be positive")
        self._name = None if name is None else checks.worker_id("name", name)
        if clock is not None and not isinstance(clock, Clock):
            raise TypeError(f"clock must have now() and wait(), not {clock!r:.80}")
        self._shared = Shared(
            clock=clock or MonotonicClock(),
            clients=Clients(client),
            hooks=Hooks(hooks),
            options=options,
            is_own=lambda worker_id: worker_id.startswith(f"{self._base_id}#"),
        )
        self._base_id = ""
        self._inbox: SimpleQueue[_Stop | bool] = SimpleQueue()
        self._lanes: tuple[Lane, ...] = ()
        self._keeper = Keeper(self._shared, self._start_thread)
        self._threads: list[threading.Thread] = []
        self._pid: int | None = None
        self._lock = threading.Lock()
        self._supervisor: threading.Thread | None = None
        self._supervised_at = -inf
        self._dead: str | None = None
        self._is_stopping = False
        self._has_stopped = threading.Event()
        self._stopped = Stopped()

    def handles(
        self,
        topic: Topic | str,
        *,
        lock_duration: int | timedelta | None = None,
        slots: int | None = None,
        retries: RetryDecider | None = None,
        task_timeout: float | timedelta | None = None,
        middleware: Iterable[Middleware] = (),
    ) -> Callable[[F], F]:
        """
        A decorator that registers a function as the handler of a topic, see
        `~camunda_ext.Handlers.handles()`.

        Raises:
            RuntimeError: The worker was started already, or has fetched in `run_once()`.
        """
        self._check_process()
        if self._pid is not None or self._lanes:
            raise RuntimeError("the worker was started: register handlers before that")
        return self.handlers.handles(
            topic,
            lock_duration=lock_duration,
            slots=slots,
            retries=retries,
            task_timeout=task_timeout,
            middleware=middleware,
        )

    def __repr__(self) -> str:
        return f"<Worker {self.worker_id or 'not started'} {self.handlers!r}>"

    @property
    def worker_id(self) -> str | None:
        """
        The start of all worker ids of this worker; ``None`` before it is started. What follows it
        tells the fetches before and after a lost answer apart.
        """
        return self._base_id or None

    # ------------------------------------------------------------------------------ start and stop

    def run(self, grace: float | timedelta = 25.0) -> int:
        """
        Work until SIGTERM, Ctrl-C or `stop()`.

        A stop unlocks what has not begun, and waits for running handlers and the fetch under way. A
        second signal ends the wait, a third one the process.

        Args:
            grace: How long to wait for running handlers, in seconds, or a `timedelta`. Kubernetes
                kills after 30 seconds by default, Docker after 10.

        Returns:
            The exit code for ``sys.exit()``: 0 if no task is left locked, 1 if some are, 70 after a
            failure of the worker itself.

        Raises:
            RuntimeError: This is not the main thread, or the worker was started already.
        """
        seconds = checks.seconds("grace", grace, may_be_zero=True)
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("run() needs the main thread for signals: use start() and stop()")
        with on_signals(lambda name: self._inbox.put(_Stop(name, is_signal=True))):
            self._start(threading.current_thread())
            return self._supervise(seconds).exit_code

    def start(self) -> None:
        """
        Work in threads of its own until `stop()`; signals are left to the program.

        Raises:
            RuntimeError: The worker was started already, or has no handlers.
        """
        thread = threading.Thread(
            target=self._supervise, args=(_EXIT_GRACE,), name="camunda-ext supervisor", daemon=True
        )
        self._start(thread)
        atexit.register(self._stop_at_exit)
        thread.start()

    def stop(self, grace: float | timedelta = 25.0) -> Stopped:
        """
        Stop, and wait until the worker has stopped; a handler that calls it goes on at once.

        Args:
            grace: How long to wait for running handlers, in seconds, or a `timedelta`. Of several
                calls, the first one counts.

        Returns:
            What is left. In a handler, where it is not known yet, that is nothing.

        Raises:
            RuntimeError: This process is a fork of the one that started the worker.
        """
        seconds = checks.seconds("grace", grace, may_be_zero=True)
        self._check_process()
        if self._pid is None:
            with self._lock:
                self._pid = os.getpid()  # It cannot be started any more.
                self._has_stopped.set()
            return self._stopped
        self._inbox.put(_Stop("stop() was called", grace=seconds))
        if threading.current_thread() not in (*self._threads, self._supervisor):
            self._has_stopped.wait()
        return self._stopped

    def __enter__(self) -> "Worker":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    # ----------------------------------------------------------------------- in the calling thread

    def run_once(self, *, raising: bool = True) -> list[Handled]:
        """
        Fetch once without waiting, and handle the tasks one after the other in this thread.

        For tests, and for programs that do nothing but this. Locks are extended between handlers
        only.

        Args:
            raising: Whether to raise what a handler has raised, after all tasks are reported. A
                `~camunda_ext.worker.BpmnError`, a `~camunda_ext.worker.Failure` and a
                `~camunda_ext.worker.Postpone` are results, and are not raised.

        Returns:
            A result for each task.

        Raises:
            RuntimeError: The worker was started, or has no handlers.

            CamundaError: The fetch failed.
        """
        return self._drain(limit=inf, raising=raising, once=True)

    def drain(self, limit: int = 1000, *, raising: bool = True) -> list[Handled]:
        """
        Repeat `run_once()` until there are no more tasks.

        Args:
            limit: How many tasks at most: a process with a loop never ends.

            raising: As for `run_once()`.

        Raises:
            RuntimeError: There are more tasks than *limit*; the worker was started, or has no
                handlers.

            CamundaError: A fetch failed.
        """
        checks.integer("limit", limit, low=1)
        return self._drain(limit=limit, raising=raising, once=False)

    def _drain(self, *, limit: float, raising: bool, once: bool) -> list[Handled]:
        checks.flag("raising", raising)
        self._check_process()
        if self._pid is not None:
            raise RuntimeError("the worker was started: make another one for this")
        if not self._lanes:
            self._base_id = self._new_base_id()
            self._lanes = self._make_lanes(None)
        handled: list[Handled] = []
        try:
            while True:
                before = len(handled)
                for lane in self._lanes:
                    handled += self._handle_here(lane)
                if once or len(handled) == before:
                    break
                if len(handled) > limit:
                    raise RuntimeError(f"more than {limit} tasks: does a process have a loop?")
        finally:
            if raising:  # What a handler has raised may be why there is no end.
                _raise_first(one.error for one in handled)
        return handled

    def _handle_here(self, lane: Lane) -> list[Handled]:
        self._keeper.attend_all()
        lane.fetch_once()
        handled = []
        while (held := lane.next_queued()) is not None:
            self._keeper.attend_all()
            result = lane.handle(held)
            if result is not None:
                handled.append(Handled(task=held.task, outcome=result[0], error=result[1]))
        return handled

    # ------------------------------------------------------------------------------------- health

    def health(self) -> Health:
        """
        How the worker is; the engine is not asked.

        Raises:
            RuntimeError: This process is a fork of the one that started the worker.
        """
        self._check_process()
        if self._supervisor is None or self._has_stopped.is_set():
            return Health(live=False, ready=False, reasons=("the worker does not run",))
        now = self._shared.clock.now()
        dead = [self._dead] if self._dead else []
        if now - self._supervised_at > _POLL_MARGIN and not self._is_stopping:
            dead.append("its supervisor has stopped")
        longest = self._shared.options.poll + _POLL_MARGIN
        unready = ["it is stopping"] if self._is_stopping else []
        for lane in self._lanes:
            of_lane = f" of lane {lane.name!r}" if lane.name else ""
            if lane.stuck >= lane.slots:
                dead.append(f"all slots{of_lane} are stuck")
            if lane.poll_is_overdue(now, longest):
                dead.append(f"a fetch{of_lane} has not ended in its time")
            if lane.refused is not None:
                unready.append(f"the engine refuses the credentials: {lane.refused}")
            elif not lane.was_answered_since(now - longest):
                unready.append(f"the engine has not answered a fetch{of_lane} lately")
        return Health(live=not dead, ready=not dead and not unready, reasons=(*dead, *unready))

    # ------------------------------------------------------------------------------------- threads

    def _start(self, supervisor: threading.Thread) -> None:
        self._check_process()
        with self._lock:
            if self._pid is not None or self._lanes:
                raise RuntimeError("a worker can be started once: make another one")
            if not len(self.handlers):
                raise RuntimeError("the worker has no handlers: register one with handles()")
            self._pid = os.getpid()
        self._supervisor = supervisor
        self._base_id = self._new_base_id()
        self._supervised_at = self._shared.clock.now()
        self._lanes = self._make_lanes(self._start_thread)
        if len(self._lanes) > _MANY_LANES:
            warn_caller(
                f"{len(self._lanes)} topics have slots of their own, and so many long polls: let "
                "them share the worker's slots"
            )
        log.info("worker %s begins: %r", self._base_id, self.handlers)
        capacity = sum(lane.capacity for lane in self._lanes)
        self._start_thread("keeper", lambda: self._keeper.run(capacity))
        for lane in self._lanes:
            self._start_thread(f"poller {lane.name}".strip(), lane.poll)

    def _new_base_id(self) -> str:
        random_part = secrets.token_hex(4)
        if self._name is not None:
            return f"{self._name[:200]}:{random_part}"
        return f"{socket.gethostname()[:180]}:{os.getpid()}:{random_part}"

    def _make_lanes(
        self, start: Callable[[str, Callable[[], None]], threading.Thread] | None
    ) -> tuple[Lane, ...]:
        if not len(self.handlers):
            raise RuntimeError("the worker has no handlers: register one with handles()")
        shared = [handler for handler in self.handlers if handler.slots is None]
        lanes = [("", self._shared.options.slots, shared)] if shared else []
        lanes += [
            (handler.topic_name, handler.slots, [handler])
            for handler in self.handlers
            if handler.slots is not None
        ]
        return tuple(
            Lane(
                name,
                slots,
                handlers,
                base_id=self._base_id,
                shared=self._shared,
                keeper=self._keeper,
                start=start,
                on_change=lambda: self._inbox.put(True),
                on_death=self._die,
            )
            for name, slots, handlers in lanes
        )

    def _start_thread(self, name: str, run: Callable[[], None]) -> threading.Thread:
        def guarded() -> None:
            try:
                run()
            except BaseException as error:  # noqa: BLE001  # a bug of ours, or of the interpreter
                log.critical("the thread %r of the worker has died", name, exc_info=error)
                self._die(f"its thread {name!r} has died: {error!r}")
            finally:
                self._threads.remove(threading.current_thread())

        thread = threading.Thread(target=guarded, name=f"camunda-ext {name}", daemon=True)
        self._threads.append(thread)
        try:
            thread.start()
        except RuntimeError:  # there are too many, or the interpreter ends
            self._threads.remove(thread)
            raise
        return thread

    def _die(self, reason: str) -> None:
        self._dead = self._dead or reason
        self._inbox.put(_Stop(reason, is_death=True))

    def _check_process(self) -> None:
        if self._pid is not None and self._pid != os.getpid():
            raise RuntimeError(
                f"this process, {os.getpid()}, is a fork of {self._pid}, which started the worker: "
                "start it after the fork"
            )

    def _stop_at_exit(self) -> None:
        if self._pid == os.getpid():
            self.stop(_EXIT_GRACE)

    # ------------------------------------------------------------------------------------ the stop

    def _supervise(self, grace: float) -> Stopped:
        """
        Wait for a reason to stop, and stop.
        """
        clock = self._shared.clock
        while True:
            self._supervised_at = clock.now()
            wish = clock.wait(self._inbox, self._supervised_at + 1.0)
            if isinstance(wish, _Stop):
                break
        try:
            self._stopped = self._stop(wish, grace)
            # Before anybody goes on who waits for the stop, and may end the process.
            self._shared.hooks.tell(self._stopped)
        finally:
            self._has_stopped.set()
            atexit.unregister(self._stop_at_exit)
        return self._stopped

    def _stop(self, wish: _Stop, grace: float) -> Stopped:
        clock = self._shared.clock
        self._is_stopping = True
        until = clock.now() + (grace if wish.grace is None else wish.grace)
        running = sum(lane.running() for lane in self._lanes)
        if wish.is_death:
            log.critical("the worker stops: %s", wish.reason)
        else:
            message = (
                f"{wish.reason}: stopping: {running} running, the fetch under way ends in "
                f"{self._shared.options.poll:g} s at most"
            )
            if wish.is_signal:
                message += "; send it again to stop without waiting"
            log.log(logging.WARNING if wish.is_signal else logging.INFO, "%s", message)
            if wish.reason == "SIGINT" and not _is_heard():
                print(message, file=sys.stderr)  # noqa: T201  # Ctrl-C must not seem to do nothing
        self._shared.hooks.tell(Stopping(reason=wish.reason, running=running))
        for lane in self._lanes:
            lane.stop()
        self._wait(until)
        for sweep in self._keeper.chores(Sweep):
            sweep.hurry()  # one last look
        # In a thread, as an engine that does not answer must not draw out the stop.
        self._start_thread("last look", self._keeper.attend_all)
        self._keeper.end()
        for lane in self._lanes:
            lane.end_slots()
        patience = time.monotonic() + _LAST_PATIENCE
        for thread in list(self._threads):
            if thread is not threading.current_thread():
                thread.join(max(0.0, patience - time.monotonic()))
        return self._what_is_left()

    def _wait(self, until: float) -> None:
        """
        Wait for the fetches under way, the running handlers and the sweeps.
        """
        clock = self._shared.clock
        while not self._is_idle() and clock.now() < until:
            item = clock.wait(self._inbox, min(until, clock.now() + 1.0))
            if isinstance(item, _Stop) and item.is_signal:
                log.warning("%s: not waiting any longer", item.reason)
                until = -inf

    def _is_idle(self) -> bool:
        return all(
            lane.poller_ended and not lane.held for lane in self._lanes
        ) and not self._keeper.chores(Sweep)

    def _what_is_left(self) -> Stopped:
        left = [held for lane in self._lanes for held in list(lane.held.values())]
        for held in left:
            what = "its report" if held.hold.state is State.REPORTING else "its handler"
            log.error(
                "task %s of topic %r is left locked: %s is not ready; it is here:\n%s",
                held.task.id,
                held.task.topic_name,
                what,
                stack_of(held.thread_id),
            )
        ids = [held.task.id for held in left]
        ids += [id_ for lane in self._lanes for id_ in lane.left_locked()]
        is_searched = all(lane.poller_ended for lane in self._lanes) and not self._keeper.chores(
            Sweep
        )
        if not is_searched:
            log.error("a fetch has locked tasks, perhaps, that are fetched again by others later")
        clean = not ids and is_searched
        return Stopped(
            left=tuple(ids),
            exit_code=_DEAD if self._dead else 0 if clean else 1,
        )


def _is_heard() -> bool:
    """
    Whether a program has configured logging, so that somebody may see what is logged.
    """
    logger: logging.Logger | None = log
    while logger is not None:
        if any(not isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            return True
        logger = logger.parent
    return False


def _raise_first(errors: Iterable[BaseException | None]) -> None:
    """
    Raise the errors of handlers that are no results: the first one, or a group of all.
    """
    raised = [
        error
        for error in errors
        if error is not None and not isinstance(error, (Report, Abandoned))
    ]
    if not raised:
        return
    ordinary = [error for error in raised if isinstance(error, Exception)]
    if len(raised) == 1 or sys.version_info < (3, 11) or len(ordinary) < len(raised):
        raise raised[0]
    raise ExceptionGroup(  # noqa: F821  # of Python 3.11
        "handlers have raised", ordinary
    )
