"""
A pool of daemon threads, so that a program can end while an engine does not answer.

At the end of a program, Python waits for the threads of `concurrent.futures`, however long they
take.
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
    A pool of up to *most* threads, each started when it is first needed.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._tasks: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, call: Callable[[], Any]) -> Future[Any]:
        """
        Execute a call in a thread as soon as one is free, and return its future.
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
        End the threads, each after the calls that are queued or in progress.

        Args:
            patience: How long to wait for them, in seconds; they end in the background after that.
        """
        until = monotonic() + patience
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            # Garbage collection may call this in one of the threads, which cannot join itself.
            if thread is not threading.current_thread():
                thread.join(max(0.0, until - monotonic()))


def _work(tasks: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None]) -> None:
    while (task := tasks.get()) is not None:
        future, call = task
        if not future.set_running_or_notify_cancel():
            continue
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001  # `Future.result()` raises it
            future.set_exception(error)
        else:
            future.set_result(result)
            del result
        del task, future, call  # they may hold a page, which need not stay in memory
