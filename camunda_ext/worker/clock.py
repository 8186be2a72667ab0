"""
The one way in which a worker waits, so that tests can replace the time.
"""

from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Final, Protocol, runtime_checkable


@runtime_checkable
class Clock(Protocol):
    """
    Tells the time, and waits for it; ``camunda_ext.testing.Engine.clock`` is one.
    """

    def now(self) -> float:
        """
        The time in seconds, which never runs backwards.
        """

    def wait(self, inbox: SimpleQueue[Any], until: float) -> Any:
        """
        Wait for the next item of a queue.

        Args:
            until: When to stop waiting, by this clock.

        Returns:
            The item; ``None`` if none has come in time.
        """


#: The longest wait in one go, in seconds; a lock cannot wait much longer than this.
_LONGEST_WAIT: Final = 3600.0


class MonotonicClock:
    """
    The machine's own clock.
    """

    #: The time in seconds, since some moment in the past.
    now = staticmethod(monotonic)

    def wait(self, inbox: SimpleQueue[Any], until: float) -> Any:
        """
        The next item of a queue; ``None`` if none has come in time.
        """
        try:
            return inbox.get(timeout=min(_LONGEST_WAIT, max(0.0, until - self.now())))
        except Empty:
            return None
