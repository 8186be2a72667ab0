"""
What the parts of a worker share: its clock, its clients, its hooks, and its options.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

import attrs

from camunda_ext._call.backoff import Retry
from camunda_ext._http.messages import Timeout
from camunda_ext.client import ExternalTaskClient
from camunda_ext.dto import Sorting
from camunda_ext.worker.clock import Clock
from camunda_ext.worker.events import Event, WorkerHook
from camunda_ext.worker.handlers import Middleware
from camunda_ext.worker.retries import RetryDecider

log: Final = logging.getLogger("camunda_ext.worker")

#: The time-outs of a fetch besides the poll's own time, and of a look for lost tasks, in seconds.
_FETCH: Final = Timeout(read=10, total=15)
_SWEEP: Final = Timeout(read=10, total=10)


@attrs.frozen(kw_only=True)
class Options:
    """
    The options of a worker, checked; durations in seconds unless their names say otherwise.
    """

    slots: int
    lock_duration_ms: int
    poll: float
    use_priority: bool | None
    sorting: tuple[Sorting, ...] | None
    retries: RetryDecider
    middleware: tuple[Middleware, ...]
    task_timeout: float | None
    hold_results: float


#: How long an extension may take, in seconds: the report of the task waits for it.
_LONGEST_EXTENSION: Final = 15.0


class Clients:
    """
    Views of the user's client, each with the time-outs and resends of its purpose.
    """

    def __init__(self, client: ExternalTaskClient) -> None:
        #: For reports: the client as it is. An engine that is busy with the process behind the task
        #: must be waited for, and not be sent a second report.
        self.report: Final = client
        #: For fetches: the worker itself decides about the next one.
        self.fetch: Final = client.with_options(timeout=_FETCH, retry=False)
        #: For looks after a lost fetch.
        self.sweep: Final = client.with_options(timeout=_SWEEP, retry=False)
        #: For giving back.
        self.unlock: Final = client.with_options(timeout=_SWEEP, retry=Retry())
        self._keep = lru_cache(maxsize=64)(
            lambda seconds: client.with_options(timeout=seconds, retry=False)
        )

    def keep(self, lock_duration: float) -> ExternalTaskClient:
        """
        For extensions: two more of them fit into the rest of the lock.
        """
        return self._keep(min(lock_duration / 3, _LONGEST_EXTENSION))


class EngineTime:
    """
    The engine's clock, as far as its answers tell it.
    """

    def __init__(self) -> None:
        self._known: tuple[datetime, float] | None = None

    def note(self, answered_at: datetime | None, now: float) -> None:
        """
        Remember when an answer was given, by the engine's clock and by the worker's.
        """
        if answered_at is not None:
            self._known = answered_at, now

    def at(self, now: float) -> datetime | None:
        """
        The engine's time, up to a second early; ``None`` if it is unknown.
        """
        if self._known is None:
            return None
        date, then = self._known
        return date + timedelta(seconds=now - then)


class Hooks:
    """
    Tells events to the worker's hooks. One that raises is logged once, and told on.
    """

    def __init__(self, hooks: Iterable[WorkerHook]) -> None:
        if callable(hooks) or not isinstance(hooks, Iterable):
            raise TypeError("hooks must be an iterable of functions")
        #: The functions; where there are none, no event has to be made.
        self.functions: Sequence[WorkerHook] = tuple(hooks)
        for hook in self.functions:
            if not callable(hook):
                raise TypeError(f"each of hooks must be a function, not {hook!r:.80}")
        self._failed: set[int] = set()

    def tell(self, event: Event) -> None:
        """
        Call all hooks with an event.
        """
        for hook in self.functions:
            try:
                hook(event)
            except (Exception, SystemExit):
                if id(hook) not in self._failed:
                    self._failed.add(id(hook))
                    log.exception("a hook of the worker has failed: %r", hook)


@attrs.frozen(kw_only=True)
class Shared:
    """
    What the parts of a worker share.
    """

    clock: Clock
    clients: Clients
    hooks: Hooks
    options: Options
    #: Whether a worker id is one of this worker's.
    is_own: Callable[[str], bool]
    engine_time: EngineTime = attrs.field(factory=EngineTime)
