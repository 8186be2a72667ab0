"""
Threads that take turns: one runs at a time, until it pauses, and a test says which goes on.

So the parts of a worker meet in any order that a test wants, and in the same one each time.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from typing import Any, Final

import attrs
import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.exceptions import NewConnectionError

from camunda_ext import ExternalTaskClient
from camunda_ext.testing import Engine
from camunda_ext.worker import Clock

#: How long a turn may take, in seconds; only a test that fails needs it.
_PATIENCE: Final = 30.0
_FETCH: Final = "fetchAndLock"


class Turn:
    """
    A thread that runs until it pauses, and then waits for its next turn.
    """

    def __init__(self, name: str, run: Callable[[], object]) -> None:
        self.name = name
        #: Where it has paused, in a word; none while it runs, and when it has ended.
        self.where: str | None = None
        #: Whether it can go on; what it waits for may not have come yet.
        self.is_ready: Callable[[], bool] = lambda: True
        #: What the test tells it.
        self.told: Any = None
        self.has_ended = False
        self._run = run
        self._error: BaseException | None = None
        self._go = threading.Semaphore(0)
        self._back = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._live, name=name, daemon=True)
        _turns[self._thread] = self
        self._thread.start()
        self.go_on()

    def go_on(self, told: Any = None) -> None:
        """
        Let it run until it pauses or ends; raise what it has raised.
        """
        self.told, self.where = told, None
        self._go.release()
        assert self._back.acquire(timeout=_PATIENCE), f"{self.name} neither pauses nor ends"
        if self._error is not None:
            raise self._error

    def pause(self, where: str, is_ready: Callable[[], bool] = lambda: True) -> Any:
        """
        Wait for the next turn, and give what the test tells; called in the thread itself.
        """
        self.where, self.is_ready = where, is_ready
        self._back.release()
        self._go.acquire()
        return self.told

    def _live(self) -> None:
        self._go.acquire()
        try:
            self._run()
        except BaseException as error:  # noqa: BLE001  # raised again by who gives the turns
            self._error = error
        finally:
            del _turns[threading.current_thread()]
            self.has_ended = True
            self._back.release()


_turns: Final[dict[threading.Thread, Turn]] = {}


def current_turn() -> Turn | None:
    """
    Give the turn of this thread; none if it takes none.
    """
    return _turns.get(threading.current_thread())


class TurnClock:
    """
    The clock of an engine, in whose waits a thread pauses until its time has come.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> float:
        """
        Give the engine's time, in seconds since 1970.
        """
        return self._clock.now()

    def wait(self, inbox: SimpleQueue[Any], until: float) -> Any:
        """
        Give the next item of a queue; none if none has come in time.
        """
        turn = current_turn()
        assert turn is not None, "only a thread that takes turns may wait"
        turn.pause("wait", lambda: not inbox.empty() or self.now() >= until)
        try:
            return inbox.get_nowait()
        except Empty:
            return None


@attrs.frozen
class Ghost:
    """
    A poll whose client has hung up, which the engine has not noticed.
    """

    body: Mapping[str, Any]
    #: When it ends, by the engine's clock.
    until: float


class Wire(HTTPAdapter):
    """
    What is between a client and an engine: requests can be refused, answers lost, and a thread can
    pause on either side of the engine.

    Long polls do not wait. One whose answer is lost before it has brought anything is a ghost.

    Args:
        before: Called before the engine is to do something with a task, with the operation and the
            task's id.

        on_done: Called when the engine has done it.
    """

    def __init__(
        self,
        engine: Engine,
        before: Callable[[str, str], object],
        on_done: Callable[[str, str], object],
    ) -> None:
        super().__init__()
        session = engine.session()
        self._engine = engine
        self._inner: Any = session.get_adapter(engine.local_url)
        self._before, self._on_done = before, on_done
        #: What happens to the next requests, by operation, such as ``complete``: ``refused``,
        #: ``lost``, or none.
        self.faults: dict[str, str] = {}
        #: On which sides of the engine a thread that takes turns pauses, by operation.
        self.pauses: dict[str, frozenset[str]] = {}
        self.ghosts: list[Ghost] = []
        #: The worker ids of fetches that the engine has answered, but that have not come back.
        self.on_their_way: list[str] = []
        session.mount("http://engine.invalid", self)
        self.client: Final = ExternalTaskClient(engine.local_url, session=session, retry=False)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        """
        Send a request, unless it is refused; give its answer, unless that is lost.
        """
        parts = str(request.url).partition("/external-task/")[2].partition("?")[0].split("/")
        operation = parts[-1] if len(parts) > 1 or parts[0] == _FETCH else "get"
        fault, turn = self.faults.get(operation), current_turn()
        pauses = self.pauses.get(operation, frozenset())
        if turn is not None and "before" in pauses:
            turn.pause(f"before {operation}")
        if fault == "refused":
            refused = NewConnectionError(HTTPConnection("engine"), "Connection refused")
            raise requests.ConnectionError(refused, request=request)
        body = self._without_poll(request) if operation == _FETCH else {}
        self._before(operation, parts[0])
        answer = self._inner.send(request, *args, **kwargs)
        if answer.status_code == 204:
            self._on_done(operation, parts[0])
        if turn is not None and "after" in pauses:
            worker_id = str(body.get("workerId"))
            self.on_their_way.append(worker_id)
            turn.pause(f"after {operation}")
            self.on_their_way.remove(worker_id)
        if fault == "lost":
            if operation == _FETCH and answer.content == b"[]":
                self._haunt(body)
            raise requests.ConnectionError("Remote end closed connection", request=request)
        return answer

    def _without_poll(self, request: requests.PreparedRequest) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(request.body or b"{}")
        content = {**body, "asyncResponseTimeout": None}
        request.prepare_body(None, None, json=content)
        return body

    def _haunt(self, body: Mapping[str, Any]) -> None:
        until = self._engine.clock.now() + (body["asyncResponseTimeout"] or 0) / 1000
        self.ghosts.append(Ghost({**body, "asyncResponseTimeout": None}, until))

    def let_ghosts_look(self) -> None:
        """
        Let the engine fetch for the polls whose clients have hung up.
        """
        now = self._engine.clock.now()
        client = self._engine.client()
        self.ghosts = [
            ghost
            for ghost in self.ghosts
            if now < ghost.until
            and not client.request("POST", "/external-task/fetchAndLock", json=ghost.body)
        ]
