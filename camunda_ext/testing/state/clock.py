"""
The clock of an engine, for code that is tested against it.
"""

from __future__ import annotations

from collections.abc import Callable


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
