"""
Long polls: fetches that wait for tasks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs

from camunda_ext.testing.rest.messages import ConnectionClosed, ReadTimedOut

#: After how long a poll fetches again without a reason, in milliseconds of the engine's time.
_INTERVAL: Final = 30_000

Tasks = Sequence[dict[str, Any]]


@attrs.frozen
class _Abandoned:
    """
    A poll whose client has stopped waiting, which the engine does not notice.
    """

    #: Fetches and locks tasks.
    fetch: Callable[[], Tasks]
    #: When the poll ends, in milliseconds of the engine's time.
    deadline: int
    #: When it fetches again without a reason, in milliseconds of the engine's time.
    due: int


class Polls:
    """
    The long polls of an engine, which fetch again whenever there is a reason.

    As in Camunda, a reason makes all polls fetch again: a new task, an unlocked task, another poll,
    the end of a poll's time, or 30 seconds without a reason. The expiry of a lock is no reason, nor
    is a change of the retries left.

    Args:
        now: A function that returns the engine's time, in milliseconds.
    """

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        lock = threading.RLock()
        self._changed = threading.Condition(lock)
        self._has_parked = threading.Condition(lock)
        #: How many reasons to fetch again there were.
        self._reasons = 0
        self._closed = False
        #: The polls that wait for a reason now.
        self._parked: set[object] = set()
        self._abandoned: list[_Abandoned] = []

    def wake(self) -> None:
        """
        Make all polls fetch again.
        """
        with self._changed:
            self._reasons += 1
            self._rouse()
        self._look_for_abandoned(lambda poll, now: now < poll.deadline)

    def look_at_the_clock(self) -> None:
        """
        Make the polls that are due fetch again, after the engine's clock was advanced.
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

        Args:
            fetch: Fetches and locks tasks.

            timeout: How long to wait for tasks, in milliseconds of the engine's time.

            read_timeout: How long the client waits, in seconds; ``None`` if unknown.

        Raises:
            ConnectionClosed: The engine was closed.

            ReadTimedOut: The client has stopped waiting. As the engine does not notice that, the
                next tasks are still locked for this client.
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
        Whether *count* polls wait at the same time, at the latest after *timeout* seconds.
        """
        with self._changed:
            return self._has_parked.wait_for(lambda: len(self._parked) >= count, timeout)

    def _wait_for_reason(self, reasons: int, due: int, gives_up: float | None) -> bool:
        """
        Wait for a reason to fetch again; whether one came before the client gave up.

        Args:
            reasons: The number of reasons when the poll has fetched last.

            due: When the poll fetches again without a reason, in milliseconds of the engine's time.

            gives_up: When the client stops waiting, by the monotonic clock in seconds; ``None`` if
                unknown.

        Raises:
            ConnectionClosed: The engine was closed.
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
        # A poll is added again only after it has fetched.
        self._parked.clear()
        self._changed.notify_all()

    def _abandon(self, poll: _Abandoned) -> None:
        with self._changed:
            if not self._closed:
                self._abandoned.append(poll)

    def _look_for_abandoned(self, looks: Callable[[_Abandoned, int], bool]) -> None:
        """
        Fetch for the abandoned polls for which *looks*, a function of a poll and the engine's time,
        is true.
        """
        with self._changed:
            abandoned, self._abandoned = self._abandoned, []
        for poll in abandoned:
            now = self._now()
            tasks = poll.fetch() if looks(poll, now) else ()
            if not tasks and now < poll.deadline:
                due = poll.due if now < poll.due else min(poll.deadline, now + _INTERVAL)
                self._abandon(attrs.evolve(poll, due=due))
