"""
The threads in which requests that came over HTTP are answered.
"""

from __future__ import annotations

import threading
from collections import deque
from time import monotonic
from typing import Final, Protocol

#: How many threads stay when they have nothing to do.
_SPARE: Final = 4
#: Seconds in which requests that run must have come to their end, once told.
_PATIENCE: Final = 30.0


class Task(Protocol):
    """
    A connection with a request to answer.
    """

    def service(self) -> None:
        """
        Answer it.
        """

    def cancel(self) -> None:
        """
        Let it go unanswered.
        """


class TaskThreads:
    """
    A thread for each request that is running, so that none waits for another.

    Most poll for work, and rest for as long as there is none. With a fixed number of threads, as
    waitress has by itself, that many polls would keep everybody else out. No thread starts before
    there is something to do: many an engine is never asked over HTTP.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._changed = threading.Condition()
        self._waiting: deque[Task] = deque()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._stopped = False

    def add_task(self, task: Task) -> None:
        """
        Have a task done at once.
        """
        with self._changed:
            if self._stopped:
                task.cancel()
                return
            self._waiting.append(task)
            if len(self._waiting) <= self._idle:
                self._changed.notify()
                return
            # Only those that have ended are forgotten, so that stop() waits for all others.
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            # Started under the lock, for only what has been started can be waited for.
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """
        Drop what has not begun, and wait for what has.

        Raises:
            RuntimeError: Something will not end.
        """
        with self._changed:
            self._stopped = True
            while self._waiting:
                self._waiting.popleft().cancel()
            self._changed.notify_all()
            threads = [one for one in self._threads if one is not threading.current_thread()]
        deadline = monotonic() + _PATIENCE
        for thread in threads:
            thread.join(max(0.0, deadline - monotonic()))
        running = sum(thread.is_alive() for thread in threads)
        if running:
            raise RuntimeError(f"{running} requests are still running")

    def _work(self) -> None:
        while True:
            task = self._next()
            if task is None:
                return
            try:
                task.service()
            except BaseException:
                # Not an error, but the likes of pytest.fail(): waitress takes care of errors.
                task.cancel()
                raise

    def _next(self) -> Task | None:
        with self._changed:
            while not self._waiting:
                if self._stopped or self._idle >= _SPARE:
                    return None
                self._idle += 1
                self._changed.wait()
                self._idle -= 1
            return self._waiting.popleft()
