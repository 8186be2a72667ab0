"""
Faults that a test holds in its hand: a request that is held up until the test lets it go, and
answers that the test has written or changed.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any, Final

import attrs

from tests.faults.kinds import Answer, Exchange

#: How long a request is held up at most, in seconds: longer than any test that succeeds.
_LONGEST: Final = 30.0


class Gate:
    """
    One request is held up until the test opens the gate.

    Args:
        is_done: Whether the engine has done it already, so that its answer is held up.

        is_lost: Whether the answer is lost when the gate opens.
    """

    def __init__(self, *, is_done: bool = False, is_lost: bool = False) -> None:
        self.reaches_engine: Final = True
        self._is_done = is_done
        self._is_lost = is_lost
        self._reached = threading.Event()
        self._opened = threading.Event()

    def strike(self, exchange: Exchange) -> None:
        """
        Wait for the test, before or after the engine has done it.
        """
        answer = exchange.forward() if self._is_done else None
        self._reached.set()
        self._opened.wait(_LONGEST)
        answer = answer or exchange.forward()
        if self._is_lost:
            exchange.reset()
        else:
            exchange.send(answer.content)

    def wait(self) -> None:
        """
        Wait until the request is held up.
        """
        assert self._reached.wait(_LONGEST), "no request has come to the gate"

    def is_reached_within(self, seconds: float) -> bool:
        """
        Tell whether the request is held up, at the latest after some seconds.
        """
        return self._reached.wait(seconds)

    def open(self) -> None:
        """
        Let the request go on.
        """
        self._opened.set()


@attrs.frozen(eq=False)
class Said:
    """
    A test answers in place of the engine.
    """

    status: int
    #: The body, as JSON; none for none.
    body: Any = None

    @property
    def reaches_engine(self) -> bool:
        """
        No.
        """
        return False

    def strike(self, exchange: Exchange) -> None:
        """
        Answer for the engine.
        """
        exchange.send(_json(self.status, self.body).content)


@attrs.frozen(eq=False)
class Edited:
    """
    A test changes the engine's answer, which is JSON.
    """

    edit: Callable[[Any], Any]

    @property
    def reaches_engine(self) -> bool:
        """
        Yes: there was an answer to change.
        """
        return True

    def strike(self, exchange: Exchange) -> None:
        """
        Send the changed answer, with the engine's own headers.
        """
        answer = exchange.forward()
        body = json.dumps(self.edit(json.loads(answer.body))).encode("utf-8")
        exchange.send(attrs.evolve(answer, body=body).content)


def _json(status: int, body: Any) -> Answer:
    content = b"" if body is None else json.dumps(body).encode("utf-8")
    return Answer(status, "Said", (("Content-Type", "application/json"),), content)
