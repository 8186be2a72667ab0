"""
Metrics of a worker for Prometheus: ``Worker(client, handlers, hooks=[WorkerMetrics()])``.
"""

import time
from datetime import datetime, timezone
from functools import partial

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from camunda_ext.worker.events import Began, Ended, Event, Lost, Polled, Reported, Stuck

#: In seconds.
BUCKETS = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 600, 3600)


class WorkerMetrics:
    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.tasks = Counter(
            "camunda_tasks", "Tasks by what came of them.", ["topic", "outcome"], registry=registry
        )
        self.seconds = Histogram(
            "camunda_task_seconds",
            "Duration of handlers.",
            ["topic"],
            buckets=BUCKETS,
            registry=registry,
        )
        self.wait_seconds = Histogram(
            "camunda_task_wait_seconds",
            "From the creation of a task to its first handler.",
            ["topic"],
            buckets=BUCKETS,
            registry=registry,
        )
        self.slots = Gauge("camunda_slots", "Slots by state.", ["lane", "state"], registry=registry)
        self.stuck = Counter(
            "camunda_tasks_stuck", "Handlers after their time.", ["topic"], registry=registry
        )
        self.polls = Counter(
            "camunda_polls", "Fetches by result.", ["lane", "result"], registry=registry
        )
        self.poll_age = Gauge(
            "camunda_poll_age_seconds", "Since the last answer.", ["lane"], registry=registry
        )
        self.locks_lost = Counter(
            "camunda_locks_lost", "Lost locks by reason.", ["topic", "reason"], registry=registry
        )
        self._busy: dict[str, set[str]] = {}
        self._answered: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        match event:
            case Polled():
                self._polled(event)
            case Began(task=task):
                self._busy_in(event.lane).add(task.id)
                # Only the first handler of a task, for a retry waits on purpose.
                if task.create_time is not None and task.retries is None:
                    waited = datetime.now(timezone.utc) - task.create_time
                    self.wait_seconds.labels(task.topic_name).observe(waited.total_seconds())
            case Ended(task=task):
                self.seconds.labels(task.topic_name).observe(event.seconds)
            case Reported(task=task):
                self._busy_in(event.lane).discard(task.id)
                is_done = event.result == "done"
                outcome = type(event.outcome).__name__ if is_done else event.result
                self.tasks.labels(task.topic_name, outcome).inc()
            case Stuck(task=task):
                self.stuck.labels(task.topic_name).inc()
            case Lost(task=task):
                self.locks_lost.labels(task.topic_name, task.lost).inc()

    def _polled(self, event: Polled) -> None:
        if event.lane not in self._answered:
            self._answered[event.lane] = time.monotonic()
            self.poll_age.labels(event.lane).set_function(partial(self._age, event.lane))
        if event.error is not None:
            result = type(event.error).__name__
        else:
            self._answered[event.lane] = time.monotonic()
            result = "tasks" if event.received else "empty"
        self.polls.labels(event.lane, result).inc()

    def _age(self, lane: str) -> float:
        return time.monotonic() - self._answered[lane]

    def _busy_in(self, lane: str) -> set[str]:
        if lane not in self._busy:
            busy = self._busy.setdefault(lane, set())
            self.slots.labels(lane, "busy").set_function(busy.__len__)
        return self._busy[lane]
