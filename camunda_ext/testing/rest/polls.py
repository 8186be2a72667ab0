"""
Fetches that wait for tasks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs

from camunda_ext.testing.rest.messages import ConnectionClosed, ReadTimedOut

#: How often a poll looks again without a reason, in milliseconds of the engine's time.
_INTERVAL: Final = 30_000

Tasks = Sequence[dict[str, Any]]


@attrs.frozen
class _Abandoned:
    """
    A poll whose client waits no longer, which the engine does not notice.
    """

    attempt: Callable[[], Tasks]
    deadline: int
    #: When it looks again without a reason.
    due: int


class Polls:
    """
    The fetches that wait, and what wakes them.

    As in the engine, all that wait look again whenever one of them has a reason to: a new task, a
    task that was unlocked, another poll, the end of one's time, and every 30 seconds. Neither a
    lock that expires nor retries that are raised is a reason.
    """

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        lock = threading.RLock()
        self._changed = threading.Condition(lock)
        self._has_parked = threading.Condition(lock)
        self._passes = 0
        self._closed = False
        #: Those that have found nothing, and rest until there is a reason to look again.
        self._parked: set[object] = set()
        self._abandoned: list[_Abandoned] = []

    def wake(self) -> None:
        """
        Let all that wait look again.
        """
        with self._changed:
            self._passes += 1
            self._rouse()
        self._look_for_others(lambda poll, now: now < poll.deadline)

    def look_at_the_clock(self) -> None:
        """
        Let those look again whose time has come, for the engine's clock has jumped.
        """
        with self._changed:
            self._rouse()
        self._look_for_others(lambda poll, now: now >= poll.due)

    def close(self) -> None:
        """
        Let all that wait hang up.
        """
        with self._changed:
            self._closed = True
            self._abandoned.clear()
            self._rouse()

    def wait(self, attempt: Callable[[], Tasks], timeout: int, read_timeout: float | None) -> Tasks:
        """
        What *attempt* gives as soon as it gives something, or at the end of *timeout* milliseconds.

        Raises:
            ConnectionClosed: The engine is closed.
            ReadTimedOut: The client waits no longer than *read_timeout* seconds. The engine does
                not notice: the next tasks are locked for it all the same.
        """
        deadline = self._now() + timeout
        patience = None if read_timeout is None else time.monotonic() + read_timeout
        self.wake()
        while True:
            with self._changed:
                seen = self._passes
            tasks = attempt()
            now = self._now()
            if tasks or now >= deadline:
                return tasks
            due = min(deadline, now + _INTERVAL)
            if not self._has_a_reason(seen, due, patience):
                self._abandon(_Abandoned(attempt, deadline, due))
                raise ReadTimedOut

    def wait_until_parked(self, count: int, timeout: float) -> bool:
        """
        Wait for so many polls to wait, for at most *timeout* seconds; whether they do.
        """
        with self._changed:
            return self._has_parked.wait_for(lambda: len(self._parked) >= count, timeout)

    def _has_a_reason(self, seen: int, due: int, patience: float | None) -> bool:
        """
        Wait for a reason to look again; none comes before the client's patience ends.
        """
        with self._changed:
            while not self._closed and self._passes == seen and self._now() < due:
                seconds = (due - self._now()) / 1000
                if patience is not None:
                    seconds = min(seconds, patience - time.monotonic())
                    if seconds <= 0:
                        return False
                self._park(max(0.0, seconds))
            if self._closed:
                raise ConnectionClosed
            its_own = self._passes == seen
        if its_own:
            self.wake()
        return True

    def _park(self, seconds: float) -> None:
        itself = object()
        self._parked.add(itself)
        self._has_parked.notify_all()
        self._changed.wait(seconds)
        self._parked.discard(itself)

    def _rouse(self) -> None:
        # None of them is parked again before it has looked.
        self._parked.clear()
        self._changed.notify_all()

    def _abandon(self, poll: _Abandoned) -> None:
        with self._changed:
            if not self._closed:
                self._abandoned.append(poll)

    def _look_for_others(self, looks: Callable[[_Abandoned, int], bool]) -> None:
        """
        Look in the place of those whose clients wait no longer.
        """
        with self._changed:
            abandoned, self._abandoned = self._abandoned, []
        for poll in abandoned:
            now = self._now()
            found = poll.attempt() if looks(poll, now) else ()
            if not found and now < poll.deadline:
                due = poll.due if now < poll.due else min(poll.deadline, now + _INTERVAL)
                self._abandon(attrs.evolve(poll, due=due))
