"""
The parts of a worker without its threads, for tests that say themselves what happens next.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from camunda_ext import ExternalTaskClient, Handlers
from camunda_ext.worker import Clock, TaskRetries, WorkerHook
from camunda_ext.worker.keeper import Keeper
from camunda_ext.worker.lane import Lane
from camunda_ext.worker.shared import Clients, Hooks, Options, Shared

#: The start of the worker ids.
BASE_ID = "parts"

Start = Callable[[str, Callable[[], None]], Any]


def make_shared(
    client: ExternalTaskClient, clock: Clock, hooks: Iterable[WorkerHook] = (), **options: Any
) -> Shared:
    """
    Make what the parts share, with locks of 30 seconds.
    """
    given = {
        "slots": 2,
        "lock_duration_ms": 30_000,
        "poll": 5.0,
        "use_priority": True,
        "sorting": None,
        "retries": TaskRetries(10_000),
        "middleware": (),
        "task_timeout": None,
        "hold_results": 600.0,
        **options,
    }
    return Shared(
        clock=clock,
        clients=Clients(client),
        hooks=Hooks(hooks),
        options=Options(**given),
        is_own=lambda worker_id: worker_id.startswith(f"{BASE_ID}#"),
    )


def make_lane(shared: Shared, handlers: Handlers, start: Start | None = None) -> Lane:
    """
    Make a lane with a keeper of its own, whose threads are those that *start* makes; by default,
    it makes none.
    """
    start = start or (lambda name, run: threading.current_thread())
    return Lane(
        "",
        shared.options.slots,
        handlers,
        base_id=BASE_ID,
        shared=shared,
        keeper=Keeper(shared, start),
        start=start,
        on_change=lambda: None,
        on_death=lambda reason: None,
    )
