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

#: How often a poll looks for tasks without a reason, in milliseconds of the engine's time.
_INTERVAL: Final = 30_000

Tasks = Sequence[dict[str, Any]]


@attrs.frozen
class _Abandoned:
    """
    A poll whose client waits no longer, which the engine does not notice.
    """

    fetch: Callable[[], Tasks]
    #: When the poll ends, in milliseconds of the engine's time.
    deadline: int
    #: When it looks for tasks without a reason, in milliseconds of the engine's time.
    due: int


class Polls:
    """
    The fetches that wait, and what makes them look for tasks again.

    As in the engine, all of them look whenever there is a reason for one: a new task, an unlocked
    task, another poll, the end of a poll's time, and 30 seconds without a reason. A lock that
    expires is none, nor are retries that are raised.

    Args:
        now: A function that returns the engine's time, in milliseconds.
    """

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        lock = threading.RLock()
        self._changed = threading.Condition(lock)
        self._has_parked = threading.Condition(lock)
        #: How often there was a reason to look.
        self._reasons = 0
        self._closed = False
        #: The polls that wait for a reason.
        self._parked: set[object] = set()
        self._abandoned: list[_Abandoned] = []

    def wake(self) -> None:
        """
        Let all polls look for tasks.
        """
        with self._changed:
            self._reasons += 1
            self._rouse()
        self._look_for_abandoned(lambda poll, now: now < poll.deadline)

    def look_at_the_clock(self) -> None:
        """
        Let those polls look whose time has come, after the engine's clock was advanced.
        """
        with self._changed:
            self._rouse()
        self._look_for_abandoned(lambda poll, now: now >= poll.due)

    def close(self) -> None:
        """
        End all polls without an answer.
        """
        with self._changed:
            self._closed = True
            self._abandoned.clear()
            self._rouse()

    def wait(self, fetch: Callable[[], Tasks], timeout: int, read_timeout: float | None) -> Tasks:
        """
        The result of *fetch* as soon as it is not empty, or after *timeout* milliseconds.

        Raises:
            ConnectionClosed: The engine is closed.
            ReadTimedOut: The client waits no longer than *read_timeout* seconds. The engine does
                not notice: the next tasks are locked for it all the same.
        """
        deadline = self._now() + timeout
        gives_up = None if read_timeout is None else time.monotonic() + read_timeout
        self.wake()
        while True:
            with self._changed:
                reasons = self._reasons
            tasks = fetch()
            now = self._now()
            if tasks or now >= deadline:
                return tasks
            due = min(deadline, now + _INTERVAL)
            if not self._wait_for_reason(reasons, due, gives_up):
                self._abandon(_Abandoned(fetch, deadline, due))
                raise ReadTimedOut

    def wait_until_parked(self, count: int, timeout: float) -> bool:
        """
        Whether *count* polls wait at the same time within *timeout* seconds.
        """
        with self._changed:
            return self._has_parked.wait_for(lambda: len(self._parked) >= count, timeout)

    def _wait_for_reason(self, reasons: int, due: int, gives_up: float | None) -> bool:
        """
        Whether a reason to look comes before the client gives up.
        """
        with self._changed:
            while not self._closed and self._reasons == reasons and self._now() < due:
                seconds = (due - self._now()) / 1000
                if gives_up is not None:
                    seconds = min(seconds, gives_up - time.monotonic())
                    if seconds <= 0:
                        return False
                self._park(max(0.0, seconds))
            if self._closed:
                raise ConnectionClosed
            is_own = self._reasons == reasons
        if is_own:
            self.wake()
        return True

    def _park(self, seconds: float) -> None:
        poll = object()
        self._parked.add(poll)
        self._has_parked.notify_all()
        self._changed.wait(seconds)
        self._parked.discard(poll)

    def _rouse(self) -> None:
        # None of them is parked again before it has looked.
        self._parked.clear()
        self._changed.notify_all()

    def _abandon(self, poll: _Abandoned) -> None:
        with self._changed:
            if not self._closed:
                self._abandoned.append(poll)

    def _look_for_abandoned(self, looks: Callable[[_Abandoned, int], bool]) -> None:
        """
        Fetch for those abandoned polls that *looks* chooses.
        """
        with self._changed:
            abandoned, self._abandoned = self._abandoned, []
        for poll in abandoned:
            now = self._now()
            tasks = poll.fetch() if looks(poll, now) else ()
            if not tasks and now < poll.deadline:
                due = poll.due if now < poll.due else min(poll.deadline, now + _INTERVAL)
                self._abandon(attrs.evolve(poll, due=due))
