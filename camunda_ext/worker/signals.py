"""
Signals that stop a worker.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

#: What ends a process in containers and services, and what Ctrl-C sends.
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def on_signals(call: Callable[[str], object]) -> Iterator[None]:
    """
    Call a function with the name of each signal that asks the process to end; at the end, restore
    what was there before. The third signal ends the process at once.

    The function is called in the main thread between any two steps of it. So it must not take a
    lock, which that step may hold.
    """

    count = 0

    def handle(number: int, _: Any) -> None:
        nonlocal count
        count += 1
        if count > 2:
            os._exit(1)
        call(signal.Signals(number).name)

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            # ``None`` is a handler that was not set from Python, and cannot be set again.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
