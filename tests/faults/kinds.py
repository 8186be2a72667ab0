"""
What may go wrong with one request on its way to an engine and back, each kind a value.
"""

from __future__ import annotations

import enum
import json
from typing import Final, Protocol

import attrs

_TOO_LONG: Final = 10

#: Reasons of the statuses that gateways invent.
_REASONS: Final = {
    302: "Found",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
_HTML: Final = ("Content-Type", "text/html;charset=utf-8")
_JSON: Final = ("Content-Type", "application/json")

LOGIN: Final = b"<html><head><title>Log in</title></head><body><form></form></body></html>"

#: As Camunda 7.24 says it to the loser of a race, after it has rolled back.
CONFLICT: Final = json.dumps(
    {
        "type": "OptimisticLockingException",
        "message": "ENGINE-03005 Execution of 'UPDATE ExternalTaskEntity' failed. Entity was "
        "updated by another transaction concurrently.",
        "code": 1,
    }
).encode("ascii")


@attrs.frozen
class Answer:
    """
    An answer, whole, which can be put in other words.
    """

    status: int
    reason: str
    #: Without ``Content-Length`` and what is about the connection alone.
    headers: tuple[tuple[str, str], ...]
    body: bytes
    #: Whether it says how long its body is; the answers to HEAD and the 204 are without a body.
    has_length: bool = True

    def head(self, *, length: int | None = None) -> bytes:
        """
        Give the status line, the headers and the empty line; *length* replaces the right one.
        """
        lines = [f"HTTP/1.1 {self.status} {self.reason}"]
        lines += (f"{name}: {value}" for name, value in self.headers)
        if self.has_length:
            lines.append(f"Content-Length: {len(self.body) if length is None else length}")
        return "\r\n".join((*lines, "", "")).encode("latin-1")

    @property
    def content(self) -> bytes:
        """
        All of it as it goes over the wire.
        """
        return self.head() + self.body


class Exchange(Protocol):
    """
    One request, as a fault may treat it.
    """

    def forward(self) -> Answer:
        """
        Have the engine do it, and give the whole answer.
        """

    def send(self, content: bytes) -> None:
        """
        Send bytes to the client at once.
        """

    def wait(self, seconds: float) -> None:
        """
        Say nothing until so many seconds are over, or the client hangs up.
        """

    def close(self) -> None:
        """
        End the client's connection regularly (FIN), after what has been sent.
        """

    def reset(self) -> None:
        """
        End the client's connection so that its next read or write fails (RST).
        """


class Fault(Protocol):
    """
    Something that goes wrong with one request.
    """

    @property
    def reaches_engine(self) -> bool:
        """
        Whether the engine is given the request, early or late.
        """

    def strike(self, exchange: Exchange) -> None:
        """
        Let it go wrong.
        """


# -------------------------------------------------------------------------- without any answer


@attrs.frozen
class Dropped:
    """
    The connection ends in place of an answer.
    """

    #: Whether by a reset (RST), not by a regular end (FIN).
    by_reset: bool
    #: Whether the engine has done it and has answered.
    reaches_engine: bool

    def strike(self, exchange: Exchange) -> None:
        """
        End the connection.
        """
        if self.reaches_engine:
            exchange.forward()
        if self.by_reset:
            exchange.reset()
        else:
            exchange.close()


RESET_BEFORE: Final = Dropped(by_reset=True, reaches_engine=False)
RESET_AFTER: Final = Dropped(by_reset=True, reaches_engine=True)
CLOSED_BEFORE: Final = Dropped(by_reset=False, reaches_engine=False)
CLOSED_AFTER: Final = Dropped(by_reset=False, reaches_engine=True)


# ----------------------------------------------------------------------- with a part of the answer


class Part(enum.Enum):
    """
    Where an answer is cut, or held up.
    """

    STATUS_LINE = "status line"
    HEAD = "head"
    #: Where there is no body, in the head.
    BODY = "body"


@attrs.frozen
class Cut:
    """
    The engine's answer ends in the middle of a part, and so does the connection.
    """

    part: Part
    by_reset: bool = False

    @property
    def reaches_engine(self) -> bool:
        """
        Yes: there was an answer to cut.
        """
        return True

    def strike(self, exchange: Exchange) -> None:
        """
        Send the first half.
        """
        first, _ = _halves(exchange.forward(), self.part)
        exchange.send(first)
        if self.by_reset:
            exchange.reset()
        else:
            exchange.close()


@attrs.frozen
class WrongLength:
    """
    The head promises another body than the one that follows.

    An answer without a body has nothing to promise: it is cut in the head.
    """

    #: Too long: more is promised than comes, and then the connection is closed. Too short: less is
    #: promised, and the rest stays on an open connection, for whoever reads on.
    too_long: bool

    @property
    def reaches_engine(self) -> bool:
        """
        Yes: there was an answer.
        """
        return True

    def strike(self, exchange: Exchange) -> None:
        """
        Send the whole body after the wrong head.
        """
        answer = exchange.forward()
        size = len(answer.body)
        if not size:
            exchange.send(_halves(answer, Part.HEAD)[0])
            exchange.close()
            return
        exchange.send(answer.head(length=size + _TOO_LONG if self.too_long else size // 2))
        exchange.send(answer.body)
        if self.too_long:
            exchange.close()


LENGTH_TOO_LONG: Final = WrongLength(too_long=True)
LENGTH_TOO_SHORT: Final = WrongLength(too_long=False)


def _halves(answer: Answer, part: Part) -> tuple[bytes, bytes]:
    head, content = answer.head(), answer.content
    if part is Part.BODY and answer.body:
        middle = len(head) + len(answer.body) // 2
    elif part is Part.STATUS_LINE:
        middle = len("HTTP/1.1 2")
    else:
        middle = len(head) // 2
    return content[:middle], content[middle:]


# ------------------------------------------------------------------------------------------- late


class Stage(enum.Enum):
    """
    How far a request has come.
    """

    #: The engine has not got it yet. It gets it late: after the client has hung up, too.
    BEFORE_FORWARDING = "before forwarding"
    #: The engine has answered.
    BEFORE_ANSWER = "before the answer"
    IN_HEAD = "in the head"
    #: Where there is no body, in the head.
    IN_BODY = "in the body"


@attrs.frozen
class Stalled:
    """
    Nothing moves at one stage until some seconds are over, or the client hangs up.

    Then all goes on as if nothing had been.
    """

    stage: Stage
    seconds: float

    @property
    def reaches_engine(self) -> bool:
        """
        Yes, late if it stalls before.
        """
        return True

    def strike(self, exchange: Exchange) -> None:
        """
        Wait at the stage.
        """
        if self.stage is Stage.BEFORE_FORWARDING:
            exchange.wait(self.seconds)
        answer = exchange.forward()
        if self.stage in (Stage.IN_HEAD, Stage.IN_BODY):
            part = Part.HEAD if self.stage is Stage.IN_HEAD else Part.BODY
            first, rest = _halves(answer, part)
            exchange.send(first)
        else:
            first, rest = b"", answer.content
        if self.stage is not Stage.BEFORE_FORWARDING:
            exchange.wait(self.seconds)
        exchange.send(rest)


# -------------------------------------------------------------------------- with another's answer


@attrs.frozen
class GatewayPage:
    """
    A gateway answers with a page of its own.
    """

    #: 502, 503 or 504.
    status: int
    #: Whether the engine has done it, and its answer is thrown away.
    reaches_engine: bool

    def strike(self, exchange: Exchange) -> None:
        """
        Answer for the engine.
        """
        if self.reaches_engine:
            exchange.forward()
        exchange.send(_page(self.status).content)


@attrs.frozen
class TooManyRequests:
    """
    A gateway answers 429, and nothing is done.
    """

    #: The header ``Retry-After``: seconds, a date, or garbage; ``None`` for none.
    retry_after: str | None = None

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
        told = () if self.retry_after is None else (("Retry-After", self.retry_after),)
        exchange.send(_page(429, *told).content)


#: A date that nobody can wait for.
FAR_FUTURE: Final = "Thu, 01 Jan 2099 00:00:00 GMT"


@attrs.frozen
class LoginRedirect:
    """
    A login is asked for by a redirect, and nothing is done.
    """

    #: Where to.
    location: str = "/login"

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
        exchange.send(_page(302, ("Location", self.location)).content)


@attrs.frozen
class LoginPage:
    """
    A login is asked for by a page that says 200.
    """

    #: Whether the engine has done it, and its answer is thrown away.
    reaches_engine: bool

    def strike(self, exchange: Exchange) -> None:
        """
        Answer for the engine.
        """
        if self.reaches_engine:
            exchange.forward()
        exchange.send(Answer(200, "OK", (_HTML,), LOGIN).content)


@attrs.frozen
class OptimisticLocking:
    """
    The engine, so it seems, lost a race and has rolled back: nothing is done.
    """

    @property
    def reaches_engine(self) -> bool:
        """
        No.
        """
        return False

    def strike(self, exchange: Exchange) -> None:
        """
        Answer as the engine does.
        """
        exchange.send(Answer(500, _REASONS[500], (_JSON,), CONFLICT).content)


def _page(status: int, *headers: tuple[str, str]) -> Answer:
    title = f"{status} {_REASONS[status]}"
    body = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Answer(status, _REASONS[status], (_HTML, *headers), body.encode("ascii"))


def every_fault(seconds: float) -> tuple[Fault, ...]:
    """
    Give each fault once, in all its forms.

    Args:
        seconds: How long what stalls does so.
    """
    return (
        RESET_BEFORE,
        RESET_AFTER,
        CLOSED_BEFORE,
        CLOSED_AFTER,
        *(Cut(part, by_reset=by_reset) for part in Part for by_reset in (False, True)),
        LENGTH_TOO_LONG,
        LENGTH_TOO_SHORT,
        *(Stalled(stage, seconds) for stage in Stage),
        *(GatewayPage(status, after) for status in (502, 503, 504) for after in (False, True)),
        TooManyRequests(),
        TooManyRequests("1"),
        TooManyRequests("soon"),
        TooManyRequests(FAR_FUTURE),
        LoginRedirect(),
        LoginPage(reaches_engine=False),
        LoginPage(reaches_engine=True),
        OptimisticLocking(),
    )
