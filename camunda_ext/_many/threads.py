"""
Threads that end with their owner, and keep nobody waiting for an engine that is silent.

Those of `concurrent.futures` are waited for at the end of the program, however long they take.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from time import monotonic
from typing import Any


class Threads:
    """
    A number of threads, started when there is something to do.

    Args:
        most: The number of threads.

        name: Begins the name of each.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._tasks: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, call: Callable[[], Any]) -> Future[Any]:
        """
        Let a thread make a call, as soon as one is free.
        """
        future: Future[Any] = Future()
        self._tasks.put((future, call))
        if len(self._threads) < self._most:
            thread = threading.Thread(
                target=_work, args=(self._tasks,), name=self._name, daemon=True
            )
            thread.start()
            self._threads.append(thread)
        return future

    def end(self, patience: float) -> None:
        """
        Begin nothing any more, and wait for what is under way; it ends by itself later.

        Args:
            patience: How long to wait, in seconds.
        """
        until = monotonic() + patience
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            # One of them may clear away what somebody has forgotten, and cannot wait for itself.
            if thread is not threading.current_thread():
                thread.join(max(0.0, until - monotonic()))


def _work(tasks: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None]) -> None:
    while (task := tasks.get()) is not None:
        future, call = task
        if not future.set_running_or_notify_cancel():
            continue
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001  # whoever asks for the result meets it
            future.set_exception(error)
        else:
            future.set_result(result)
            del result
        del task, future, call  # which may hold a page, while the next one is waited for
