"""
The clock of an engine, for code that is tested against it.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Final

#: How long a wait sleeps before it looks again whether the clock was put forward, in seconds.
_LONGEST_NAP: Final = 0.01


class Clock:
    """
    The clock of an engine, which `Engine.advance` puts forward.

    Args:
        now: A function that returns the engine's time, in milliseconds since 1970.
    """

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now

    def now(self) -> float:
        """
        The engine's time, in seconds since 1970, to the millisecond.

        It can be asked at any time, also of an engine that is closed. Of an engine that shares a
        file with others, it is the time that was known at its last request or call.
        """
        return self._now() / 1000

    def wait(self, inbox: SimpleQueue[Any], until: float) -> Any:
        """
        The next item of a queue; ``None`` if none has come when the engine's time is *until*.
        """
        while (left := until - self.now()) > 0:
            try:
                return inbox.get(timeout=min(left, _LONGEST_NAP))
            except Empty:
                continue
        try:
            return inbox.get_nowait()
        except Empty:
            return None
