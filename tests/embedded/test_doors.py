"""
The two servers of an application, which answer alike wherever they can.
"""

from __future__ import annotations

import gc
import io
import json
import logging
import os
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any, Final

import pytest
import requests
import urllib3

from camunda_ext import ExternalTaskClient, NotSent, OutcomeUnknown
from camunda_ext.testing.doors import http
from camunda_ext.testing.doors.http import HttpServer
from camunda_ext.testing.doors.in_process import InProcessAdapter
from camunda_ext.testing.rest.messages import (
    Answer,
    Application,
    ConnectionClosed,
    ConnectionRefused,
    ReadTimedOut,
    Request,
)

#: Seconds after which a test that hangs fails; none takes that long.
_HANGS: Final = 60.0

Open = Callable[[Application], tuple[requests.Session, str]]


def answering(status: int, *headers: tuple[str, str], content: bytes = b"") -> Application:
    """
    An application that always answers the same.
    """
    return lambda request: Answer(status, list(headers), content)


def raising(error: BaseException) -> Application:
    """
    An application that answers nothing.
    """

    def application(request: Request) -> Answer:
        raise error

    return application


def echo(request: Request) -> Answer:
    """
    Answer what was asked.
    """
    asked = {"method": request.method, "target": request.target, **request.headers}
    content = json.dumps({**asked, "body": request.content.decode("latin-1")}).encode()
    return Answer(200, [("Content-Type", "application/json")], content)


class Held:
    """
    An application that answers when it is let go.
    """

    def __init__(self, answer: Answer | None = None) -> None:
        self.answer = answer
        self.asked = threading.Semaphore(0)
        self.is_let_go = threading.Event()
        self.threads: list[threading.Thread] = []

    def __call__(self, request: Request) -> Answer:
        self.threads.append(threading.current_thread())
        self.asked.release()
        assert self.is_let_go.wait(_HANGS)
        if self.answer is None:
            raise ConnectionClosed
        return self.answer


def over_http(stack: ExitStack, application: Application) -> tuple[requests.Session, str]:
    """
    A session, and the base URL for it to use.
    """
    server = stack.enter_context(closing(HttpServer(application)))
    session = stack.enter_context(requests.Session())
    session.trust_env = False
    return session, f"http://127.0.0.1:{server.port}"


def in_process(stack: ExitStack, application: Application) -> tuple[requests.Session, str]:
    """
    A session, and the base URL for it to use.
    """
    session = stack.enter_context(requests.Session())
    session.trust_env = False
    session.mount("http://", InProcessAdapter(application))
    return session, "http://127.0.0.1:8080"


@pytest.fixture(params=[over_http, in_process])
def opened(request: pytest.FixtureRequest) -> Iterator[Open]:
    """
    A server of each kind in turn.
    """
    with ExitStack() as stack:
        yield lambda application: request.param(stack, application)


# ---------------------------------------------------------------------- what the application gets


def generated() -> Iterator[bytes]:
    """
    A body whose length nobody knows beforehand.
    """
    yield b"one, "
    yield b"two"


@pytest.mark.parametrize(
    "options",
    [
        lambda: {"method": "GET", "url": "/a"},
        lambda: {"method": "GET", "url": ""},
        lambda: {"method": "GET", "url": "/a?x=1&y=%20", "params": {"z": ["ü", "&"]}},
        lambda: {"method": "GET", "url": "/a#b"},
        lambda: {"method": "GET", "url": "/a%2Fb;c/%C3%A9%3B%25/"},
        lambda: {"method": "HEAD", "url": "/a"},
        lambda: {"method": "OPTIONS", "url": "/a"},
        lambda: {"method": "POST", "url": "/a"},
        lambda: {"method": "POST", "url": "/a", "data": b"\x00\xff"},
        lambda: {"method": "PUT", "url": "/a", "data": "ünï"},
        lambda: {"method": "POST", "url": "/a", "json": {"ü": None}},
        lambda: {"method": "POST", "url": "/a", "data": {"x": "1 2"}},
        lambda: {"method": "POST", "url": "/a", "data": io.BytesIO(b"\x00from a file\xff")},
        lambda: {"method": "POST", "url": "/a", "data": generated()},
        lambda: {"method": "DELETE", "url": "/a"},
        lambda: {
            "method": "GET",
            "url": "/a",
            "headers": {"X-Any": b"bytes \xe9 ", "Host": "other", "X-Empty": ""},
        },
        lambda: {"method": "GET", "url": "/a", "auth": ("kim", "secret")},
        lambda: {"method": "GET", "url": "/a", "cookies": {"one": "1"}},
    ],
)
def test_both_servers_bring_the_same_request(options: Callable[[], dict[str, Any]]) -> None:
    """
    The application cannot tell by which way a request came.
    """
    seen: list[Request] = []

    def application(request: Request) -> Answer:
        port = base.rpartition(":")[2]
        host = request.headers["host"].replace(port, "port")
        headers = {**request.headers, "host": host}
        seen.append(Request(request.method, request.target, headers, request.content))
        return Answer(204, [], b"")

    for way in (over_http, in_process):
        with ExitStack() as stack:
            session, base = way(stack, application)
            asked = options()
            session.request(asked.pop("method"), base + asked.pop("url"), **asked)

    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    "target",
    [
        "/a/b?c=d",
        "/a%2Fb%20c",
        "/a;b=c/d",
        "//a//b/",
        "/a/../b/%2E%2E/c",
        "/a?b=%zz&c=+?/",
        "http://127.0.0.1/a%2Fb?c",
        "/[http://[",
    ],
)
def test_target_arrives_as_it_was_sent(target: str) -> None:
    """
    The application gets what stands in the request line.
    """
    with closing(HttpServer(echo)) as server:
        line = f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        head, _, content = exchange(server, line.encode("latin-1")).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert json.loads(content)["target"] == target


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("/a", "x"),
        ("/http://y/a", "x"),
        ("//y/a", "x"),
        ("http://y/a", "y"),
        ("HTTP://Y:80/a", "Y:80"),
        ("http://x@y/a", "x@y"),
        ("http:///a", ""),
    ],
)
def test_host_of_a_target_counts(target: str, host: str) -> None:
    """
    A header that says otherwise is not passed on.
    """
    with closing(HttpServer(echo)) as server:
        line = f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        _, _, content = exchange(server, line.encode()).partition(b"\r\n\r\n")

    assert json.loads(content)["host"] == host


@pytest.mark.parametrize("path", ["/a%2Fb;c", "/a//b/", "/a/../b/%2E%2E/c?d=%C3%A9"])
def test_prepared_url_is_the_target_of_both_servers(opened: Open, path: str) -> None:
    """
    A URL put together by hand is not mended on its way.
    """
    session, base = opened(echo)
    prepared = session.prepare_request(requests.Request("GET", base))
    prepared.url = base + path

    assert session.send(prepared).json()["target"] == path


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [
        (None, None),
        (5, 5.0),
        ((1, 0.5), 0.5),
        ((1, None), None),
        (urllib3.Timeout(connect=1, read=2), 2.0),
        (urllib3.Timeout(connect=1), None),
    ],
)
def test_application_knows_how_long_the_caller_waits(timeout: Any, seconds: float | None) -> None:
    """
    In process, nothing else ends a wait.
    """
    seen: list[float | None] = []

    def application(request: Request) -> Answer:
        seen.append(request.read_timeout)
        return Answer(204, [], b"")

    with ExitStack() as stack:
        session, base = in_process(stack, application)
        session.get(base, timeout=timeout)

    assert seen == [seconds]


def test_total_timeout_is_a_limit_too() -> None:
    """
    Of urllib3's limits, the nearest counts.
    """

    def application(request: Request) -> Answer:
        return Answer(200, [], str((request.read_timeout or 99) <= 9).encode())

    with ExitStack() as stack:
        session, base = in_process(stack, application)
        limit: Any = urllib3.Timeout(total=9, read=20)

        assert session.get(base, timeout=limit).content == b"True"


@pytest.mark.parametrize("timeout", [0, -1, True, "soon", (1, 2, 3)])
def test_senseless_timeout_is_refused_by_both_servers(opened: Open, timeout: Any) -> None:
    """
    What requests refuses for a server, it refuses here.
    """
    session, base = opened(echo)

    with pytest.raises(ValueError, match=r"imeout|unpack"):
        session.get(base, timeout=timeout)


# ---------------------------------------------------------------------------- what the client gets


def test_answer_is_that_of_a_server(opened: Open) -> None:
    """
    Status, reason, headers and body arrive, and what requests makes of them.
    """
    application = answering(403, ("X-Any", "one"), ("x-any", "two"), content="ü".encode())
    session, base = opened(application)

    answer = session.get(base + "/a")

    assert (answer.status_code, answer.reason, answer.text) == (403, "Forbidden", "ü")
    assert answer.headers["X-ANY"] == "one, two"
    assert set(answer.headers) == {"X-Any", "Content-Length", "Date", "Keep-Alive", "Connection"}
    assert (answer.url, answer.request.method) == (base + "/a", "GET")
    assert answer.elapsed.total_seconds() > 0
    assert answer.connection is session.get_adapter(base)


def test_answer_can_be_read_in_pieces(opened: Open) -> None:
    """
    A streamed answer is there to read, whole or piecemeal, and can be closed unread.
    """
    session, base = opened(answering(200, content=b"abcdef"))

    with session.get(base, stream=True) as answer:
        assert answer.raw.read(2) == b"ab"
        assert answer.raw.read() == b"cdef"
        assert answer.raw.read() == b""
    with session.get(base, stream=True) as answer:
        assert b"".join(answer.iter_content(4)) == b"abcdef"
    session.get(base, stream=True).close()


def test_large_bodies_pass(opened: Open) -> None:
    """
    Nothing is cut or kept back of what is larger than any buffer.
    """
    session, base = opened(lambda request: Answer(200, [], request.content))
    content = bytes(range(250)) * 80_000

    assert session.post(base, data=content).content == content


def test_204_has_neither_type_nor_length(opened: Open) -> None:
    """
    Where there is no body, nothing is told of one.
    """
    session, base = opened(answering(204, ("X-Any", "x")))

    answer = session.get(base)

    assert (answer.status_code, answer.content) == (204, b"")
    assert set(answer.headers) == {"X-Any", "Date", "Keep-Alive", "Connection"}


def test_head_is_told_the_length_alone(opened: Open) -> None:
    """
    A HEAD gets no body, and the connection is good for more.
    """
    session, base = opened(answering(200, content=b"abc"))

    for _ in range(2):
        answer = session.head(base)
        assert (answer.content, answer.headers["Content-Length"]) == (b"", "3")
        assert answer.headers["Connection"] == "keep-alive"


@pytest.mark.parametrize(
    ("status", "closes"),
    [
        (200, False),
        (204, False),
        (403, False),
        (404, False),
        (405, False),
        (415, False),
        (400, True),
        (500, True),
        (503, True),
    ],
)
def test_some_answers_close_the_connection(opened: Open, status: int, closes: bool) -> None:
    """
    After an error that it does not understand, Tomcat starts afresh, and says so.
    """
    session, base = opened(answering(status))

    assert session.get(base).headers["Connection"] == ("close" if closes else "keep-alive")
    assert session.get(base).status_code == status


def test_client_that_asks_to_close_is_obeyed(opened: Open) -> None:
    """
    ``Connection: close`` is answered in kind.
    """
    session, base = opened(echo)

    assert session.get(base, headers={"Connection": "close"}).headers["Connection"] == "close"


def test_head_of_a_request_has_its_limit(opened: Open) -> None:
    """
    8,192 bytes pass, one more does not reach the application.
    """
    session, base = opened(answering(204))
    prepared = session.prepare_request(requests.Request("GET", base + "/a"))
    # What requests and urllib3 send of their own accord, counted on the wire.
    lines = ["GET /a HTTP/1.1", f"Host: {base.rpartition('/')[2]}"]
    lines += [f"{name}: {value!s}" for name, value in prepared.headers.items()]
    room = 8192 - len("\r\n".join([*lines, "X: ", "", ""]))

    assert session.get(base + "/a", headers={"X": "x" * room}).status_code == 204
    answer = session.get(base + "/a", headers={"X": "x" * (room + 1)})
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "text/html;charset=utf-8")


# -------------------------------------------------------------------------------------- no answer


def test_closed_connection_is_a_connection_error(opened: Open) -> None:
    """
    Both servers give the client no more than an end, and requests says the same of it.
    """
    session, base = opened(raising(ConnectionClosed()))

    with pytest.raises(requests.ConnectionError, match="Remote end closed connection") as caught:
        session.post(base, data=b"{}")

    assert type(caught.value) is requests.ConnectionError
    assert caught.value.request is not None


def test_refused_connection_is_one_error_among_others() -> None:
    """
    In process, an engine that is not there looks like a port where nobody listens.
    """
    with ExitStack() as stack:
        session, base = in_process(stack, raising(ConnectionRefused()))

        with pytest.raises(requests.ConnectionError, match="Connection refused") as caught:
            session.get(base)

    assert isinstance(caught.value.args[0], urllib3.exceptions.NewConnectionError)


def test_refused_connection_over_http_is_told() -> None:
    """
    A server that can be reached cannot seem absent.
    """
    with ExitStack() as stack:
        session, base = over_http(stack, raising(ConnectionRefused()))

        answer = session.get(base)

    assert answer.status_code == 501
    assert "over HTTP use 'closed'" in answer.text


def test_read_timeout_is_that_of_requests() -> None:
    """
    An application that gives up for the caller leaves it with what a silent server would.
    """
    with ExitStack() as stack:
        session, base = in_process(stack, raising(ReadTimedOut()))

        with pytest.raises(requests.ReadTimeout, match=re.escape("(read timeout=0.001)")):
            session.get(base, timeout=0.001)


def test_bug_in_process_reaches_the_caller() -> None:
    """
    What is no answer at all shows with its traceback.
    """
    with ExitStack() as stack:
        session, base = in_process(stack, raising(KeyError("bug")))

        with pytest.raises(KeyError, match="bug"):
            session.get(base)


def test_bug_over_http_is_shown_and_answered(capsys: pytest.CaptureFixture[str]) -> None:
    """
    The client gets the 500 that Tomcat has for bugs, and the traceback is printed.
    """
    with ExitStack() as stack:
        session, base = over_http(stack, raising(OSError("bug")))
        answer = session.get(base)

    assert (answer.status_code, answer.headers["Connection"]) == (500, "close")
    assert "HTTP Status 500" in answer.text
    assert "\nOSError: bug\n" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_failed_test_in_the_application_leaves_no_client_waiting() -> None:
    """
    An exception that is no error ends the request, not the server.
    """
    errors: list[BaseException] = [BaseException("out")]

    def application(request: Request) -> Answer:
        if errors:
            raise errors.pop()
        return echo(request)

    with ExitStack() as stack:
        session, base = over_http(stack, application)

        with pytest.raises(requests.ConnectionError):
            session.get(base)
        assert session.get(base).status_code == 200


# --------------------------------------------------------------------------------- the client's own


def test_client_works_with_both_servers(opened: Open) -> None:
    """
    A client reads the answers of an application as those of an engine.
    """

    def application(request: Request) -> Answer:
        if request.target.endswith("/complete"):
            return Answer(204, [], b"")
        return Answer(200, [("Content-Type", "application/json")], b'{"count":3}')

    session, base = opened(application)
    with ExternalTaskClient(base + "/engine-rest", session=session) as client:
        assert client.count() == 3
        client.complete("4711", "worker")
        assert client.count() == 3


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionRefused(), NotSent),
        (ConnectionClosed(), OutcomeUnknown),
        (ReadTimedOut(), OutcomeUnknown),
    ],
)
def test_client_tells_lost_answers_from_engines_that_are_not_there(
    error: Exception, expected: type[Exception]
) -> None:
    """
    Only of the latter it knows that nothing happened.
    """
    with ExitStack() as stack:
        session, base = in_process(stack, raising(error))
        client = ExternalTaskClient(base + "/engine-rest", session=session)

        with pytest.raises(expected):
            client.complete("4711", "worker")


# ------------------------------------------------------------------------------------- HTTP alone


def connected(server: HttpServer) -> socket.socket:
    """
    A connection to a server.
    """
    return socket.create_connection((server.host, server.port), timeout=_HANGS)


def exchange(server: HttpServer, sent: bytes) -> bytes:
    """
    All that comes on a connection on which something was sent, until it ends.
    """
    with connected(server) as connection:
        connection.sendall(sent)
        return connection.makefile("rb").read()


def read_answer(connection: socket.socket) -> bytes:
    """
    One answer without a body.
    """
    head = b""
    for _ in range(10_000):
        if head.endswith(b"\r\n\r\n"):
            break
        head += connection.recv(1)
    return head


GET: Final = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"


def test_answer_on_the_wire() -> None:
    """
    No server gives its name.
    """
    headers = [("Cache-Control", "no-cache"), ("Content-Type", "a/b")]
    with closing(HttpServer(answering(200, *headers, content=b"{}"))) as server:
        sent = exchange(server, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

    head, _, content = sent.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[4].startswith(b"Date: ")
    assert [*lines[:4], *lines[5:], content] == [
        b"HTTP/1.1 200 OK",
        b"Cache-Control: no-cache",
        b"Content-Type: a/b",
        b"Content-Length: 2",
        b"Connection: close",
        b"{}",
    ]


def test_connection_ends_with_its_100th_answer() -> None:
    """
    The 99th says nothing of it.
    """
    with closing(HttpServer(answering(204))) as server:
        sent = exchange(server, GET * 101)

    answers = sent.split(b"HTTP/1.1 204 No Content\r\n")[1:]
    assert len(answers) == 100
    assert [b"Connection: close" in answer for answer in answers] == [False] * 99 + [True]


def test_connection_ends_with_an_error() -> None:
    """
    What a client sent behind a request that failed is not answered.
    """
    with closing(HttpServer(answering(500))) as server:
        assert exchange(server, GET * 2).count(b"HTTP/1.1") == 1


def test_connection_that_rests_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    After a while, and not while its request runs.
    """
    monkeypatch.setattr("camunda_ext.testing.doors.http._Connection.timeout", 0.05)
    application = Held(Answer(204, [], b""))
    with closing(HttpServer(application)) as server, connected(server) as connection:
        connection.sendall(GET)
        assert application.asked.acquire(timeout=_HANGS)
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(_HANGS)
        application.is_let_go.set()

        assert read_answer(connection).startswith(b"HTTP/1.1 204 ")
        assert connection.recv(1) == b""


def test_body_has_its_limit() -> None:
    """
    What is as long as allowed passes; what is longer is refused before it came.
    """
    head = b"POST /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    with closing(HttpServer(echo, max_body=10)) as server:
        for good in (
            b"Content-Length: 10\r\n\r\n0123456789",
            b"Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n",
        ):
            assert b'"body": "0123456789"' in exchange(server, head + good)
        for more in (
            b"Content-Length: 11\r\n\r\n",
            b"Content-Length: 111111111111\r\n\r\n",
            b"Transfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n0\r\n\r\n",
        ):
            sent = exchange(server, head + more)
            assert sent.startswith(b"HTTP/1.1 413 ")
            assert b"\r\nConnection: close\r\n" in sent


@pytest.mark.parametrize(
    "chunks",
    [
        b"2\r\n{}\r\n0\r\n\r\n",
        b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
        b"002 \r\n{}\r\n000\r\n\r\n",
        b"2;a=b\r\n{}\r\n0;c\r\n\r\n",
        b'2 ; a="b;c"\r\n{}\r\n0\r\n\r\n',
        b"2\r\n{}\r\n0\r\nX: y\r\nContent-Length: 7\r\n\r\n",
    ],
)
def test_body_comes_in_chunks(chunks: bytes) -> None:
    """
    Extensions and trailers are read over; what comes behind them is the next request.
    """
    head = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    last = b"GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with closing(HttpServer(echo)) as server:
        received = exchange(server, head + chunks + last)

    assert received.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert received.count(b'"body": "{}"') == 1
    assert received.count(b'"target": "/b"') == 1


def test_client_is_told_to_continue() -> None:
    """
    A body that waits to be asked for is asked for.
    """
    with closing(HttpServer(echo)) as server, connected(server) as connection:
        head = b"POST /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        connection.sendall(head + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert read_answer(connection).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"{}")
        assert b'"body": "{}"' in connection.makefile("rb").read()


@pytest.mark.parametrize(
    "sent",
    [
        b"POST /a HT",
        b"POST /a HTTP/1.1\r\n",
        b"POST /a HTTP/1.1\r\nHost: x",
        b"POST /a HTTP/1.1\r\nHost: x\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\n\r",
        b"POST /a HTTP/1.0\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{}",
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n9",
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{}",
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}",
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n",
    ],
)
def test_half_a_request_is_not_passed_on(capsys: pytest.CaptureFixture[str], sent: bytes) -> None:
    """
    The client has gone, and what it wanted to say is unknown.
    """
    asked: list[Request] = []

    def application(request: Request) -> Answer:
        asked.append(request)
        return Answer(204, [], b"")

    with closing(HttpServer(application)) as server, connected(server) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""

    assert not asked
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /a HTTP/1.1\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: x\r\nno header\r\n\r\n",
        b"GET /a HTTP/1.1\r\n X: y\r\nHost: x\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: x\r\nFrom y\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: x\r\nFrom y\r\nX: y\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: x\r\n\rContent-Length: 9\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET /a HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET http://x/a HTTP/1.1\r\n\r\n",
        b"GET http://[/a HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 0\r\n\r\n{}",
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-0\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n;a\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
        + b"X: y\r\n" * 200
        + b"\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\r\n\r\n",
    ],
)
def test_what_is_no_request_gets_tomcats_page(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], sent: bytes
) -> None:
    """
    Such a thing does not reach the application, and nobody logs it.
    """
    caplog.set_level(logging.DEBUG)
    with closing(HttpServer(raising(KeyError("never")))) as server:
        received = exchange(server, sent)

    assert received.startswith(
        b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html;charset=utf-8\r\n"
    )
    assert received.endswith("HTTP Status 400 \N{EN DASH} Bad Request</h1></body></html>".encode())
    assert not caplog.records
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"Transfer-Encoding: gzip, chunked", b"501 Not Implemented"),
        (b"Transfer-Encoding: chunked, gzip", b"501 Not Implemented"),
        (b"Transfer-Encoding: chunked, chunked", b"501 Not Implemented"),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip", b"501 Not Implemented"),
        (b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", b"501 Not Implemented"),
        (b"Transfer-Encoding: identity", b"501 Not Implemented"),
        (b"Transfer-Encoding: any", b"501 Not Implemented"),
        (b"Transfer-Encoding:", b"501 Not Implemented"),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 5", b"400 Bad Request"),
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"400 Bad Request"),
    ],
)
def test_body_whose_end_is_in_doubt_is_refused(headers: bytes, status: bytes) -> None:
    """
    The application gets no request without its body, and none that was a part of the body.
    """
    application = raising(KeyError("never"))
    head = b"POST /a HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n\r\n"
    with closing(HttpServer(application)) as server:
        received = exchange(server, head + b"0\r\n\r\n" + GET)

    assert received.startswith(b"HTTP/1.1 " + status + b"\r\n")
    assert b"\r\nConnection: close\r\n" in received
    assert received.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    "headers",
    [
        b"Connection: x, Close",
        b"Connection: close,x",
        b"Connection: keep-alive, close",
        b"Connection: x\r\nConnection: close",
        b"Connection: close\r\nConnection: x",
    ],
)
def test_wish_to_close_is_one_among_others(headers: bytes) -> None:
    """
    A client may say more of its connection; what it sends after that is not answered.
    """
    with closing(HttpServer(answering(204))) as server:
        received = exchange(server, GET.replace(b"Host", headers + b"\r\nHost") + GET)

    assert received.count(b"HTTP/1.1 204 ") == 1
    assert b"\r\nConnection: close\r\n" in received


def test_wish_to_keep_the_connection_is_one_among_others() -> None:
    """
    The same goes for a client of HTTP/1.0.
    """
    kept = b"GET / HTTP/1.0\r\nConnection: x, Keep-Alive\r\n\r\n"
    with closing(HttpServer(answering(204))) as server:
        received = exchange(server, kept + b"GET / HTTP/1.0\r\n\r\n")

    assert received.count(b"HTTP/1.1 204 ") == 2
    assert received.count(b"\r\nConnection: keep-alive\r\n") == 1


@pytest.mark.parametrize("line", [b"\r\n", b"\n", b"\r\n\r\n"])
def test_empty_lines_before_a_request_are_skipped(line: bytes) -> None:
    """
    Some clients send one behind a body.
    """
    with closing(HttpServer(answering(204))) as server:
        received = exchange(server, (line + GET) * 2 + line + GET.replace(b"1.1", b"1.0"))

    assert received.count(b"HTTP/1.1 204 ") == 3


@pytest.mark.parametrize(
    ("application", "sent", "status"),
    [
        (answering(400, content=b"abc"), b"", b"400 Bad Request"),
        (raising(ConnectionRefused()), b"", b"501 Not Implemented"),
        (echo, b"Host: y\r\n", b"400 Bad Request"),
        (echo, b"Transfer-Encoding: any\r\n", b"501 Not Implemented"),
        (echo, b"Content-Length: 99999999999\r\n", b"413 "),
        (echo, b"X: " + b"a" * 70_000 + b"\r\n", b"400 Bad Request"),
    ],
)
def test_head_that_is_refused_gets_no_body(
    application: Application, sent: bytes, status: bytes
) -> None:
    """
    A client would take the page for the next answer.
    """
    with closing(HttpServer(application)) as server:
        received = exchange(server, b"HEAD /a HTTP/1.1\r\nHost: x\r\n" + sent + b"\r\n")

    assert received.startswith(b"HTTP/1.1 " + status)
    assert received.index(b"\r\n\r\n") == len(received) - 4


def test_http_1_0_is_understood() -> None:
    """
    The connection ends after the answer, unless the client wants to keep it.
    """
    with closing(HttpServer(answering(204))) as server:
        assert b"\r\nConnection: close\r\n" in exchange(server, b"GET / HTTP/1.0\r\n\r\n")
        kept = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
        sent = exchange(server, kept + b"GET / HTTP/1.0\r\n\r\n")

    assert sent.count(b"HTTP/1.1 204 ") == 2
    assert sent.count(b"\r\nConnection: keep-alive\r\n") == 1


def test_nothing_is_said_of_clients_that_come_and_go(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Neither of lost answers, nor of clients that were lost themselves.
    """
    caplog.set_level(logging.DEBUG)
    held = Held(Answer(200, [], bytes(10_000_000)))

    def application(request: Request) -> Answer:
        if request.target == "/lost":
            raise ConnectionClosed
        return held(request)

    with closing(HttpServer(application)) as server:
        assert exchange(server, GET.replace(b"/a", b"/lost")) == b""
        with connected(server) as connection:
            connection.sendall(GET)
            assert held.asked.acquire(timeout=_HANGS)
        held.is_let_go.set()
        assert exchange(server, GET.replace(b"/a", b"/lost")) == b""

    assert not caplog.records
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("polls", [50, 300])
def test_polls_keep_nobody_waiting(polls: int) -> None:
    """
    However many requests rest in the application, the next one is answered; and closing waits for
    none.
    """
    held = Held()

    def application(request: Request) -> Answer:
        return held(request) if request.target == "/a" else echo(request)

    before = set(threading.enumerate())
    with ExitStack() as stack:
        session = stack.enter_context(requests.Session())
        session.trust_env = False
        server = HttpServer(application)
        stack.callback(server.close)
        stack.callback(held.is_let_go.set)
        connections = [stack.enter_context(connected(server)) for _ in range(polls)]
        for connection in connections:
            connection.sendall(GET)
        for _ in range(polls):
            assert held.asked.acquire(timeout=_HANGS)
        assert session.get(f"http://127.0.0.1:{server.port}/b").status_code == 200
        held.is_let_go.set()
        server.close()
        assert set(threading.enumerate()) == before
        assert [connection.recv(1) for connection in connections] == [b""] * polls


def test_threads_start_when_somebody_connects() -> None:
    """
    A server that nobody uses has one thread, and the names of all say whose they are.
    """
    before = set(threading.enumerate())
    with closing(HttpServer(answering(204))) as server:
        assert [each.name for each in set(threading.enumerate()) - before] == ["camunda_ext engine"]
        with connected(server) as connection:
            connection.sendall(GET)
            read_answer(connection)
            names = sorted(each.name for each in set(threading.enumerate()) - before)
            assert names == ["camunda_ext engine", "camunda_ext engine request"]


def test_request_that_does_not_end_is_complained_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The server closes all the same, but for the thread, which does no harm when it ends at last.
    """
    monkeypatch.setattr(http, "_PATIENCE", 0.0)
    monkeypatch.setattr(http, "_LAST_SENDING", 0.0)
    application = Held(Answer(204, [], b""))
    before = open_files()
    server = HttpServer(application)
    with connected(server) as connection:
        connection.sendall(GET)
        assert application.asked.acquire(timeout=_HANGS)
        with pytest.raises(RuntimeError, match="1 requests are still running"):
            server.close()
        assert connection.recv(1) == b""
    application.is_let_go.set()
    [thread] = application.threads
    thread.join(_HANGS)
    assert not thread.is_alive()
    assert open_files() == before


def test_clients_that_receive_nothing_do_not_keep_the_server(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Neither one to whom an answer is being sent, nor one whose answer is ready only later.
    """
    monkeypatch.setattr(http, "_LAST_SENDING", 0.1)
    large = Answer(200, [], bytes(50_000_000))  # More than all buffers on the way take.
    held = Held(large)
    before = set(threading.enumerate())

    def application(request: Request) -> Answer:
        return large if request.target == "/a" else held(request)

    with ExitStack() as stack:
        server = HttpServer(application)
        stack.callback(server.close)
        stack.callback(held.is_let_go.set)
        stuck = stack.enter_context(connected(server))
        stuck.sendall(GET * 20)
        assert stuck.recv(1) == b"H"
        [sending] = [each for each in set(threading.enumerate()) - before if "request" in each.name]
        late = stack.enter_context(connected(server))
        late.sendall(GET.replace(b"/a", b"/b"))
        assert held.asked.acquire(timeout=_HANGS)
        closer = threading.Thread(target=server.close)
        closer.start()
        sending.join(_HANGS / 6)
        assert not sending.is_alive()
        assert closer.is_alive()  # The other request still runs.
        held.is_let_go.set()
        closer.join(_HANGS / 6)
        assert set(threading.enumerate()) == before
        for connection in (stuck, late):
            with connection.makefile("rb") as stream:
                assert len(stream.read()) < len(large.content)

    assert capsys.readouterr().err == ""


def open_files() -> int:
    """
    How many file descriptors this process has, where they can be counted.
    """
    return len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0


def test_nothing_stays_of_servers_that_were_closed() -> None:
    """
    Neither threads nor file descriptors, used or not.
    """
    gc.collect()  # what earlier tests have left would be collected, and closed, meanwhile
    before = open_files(), set(threading.enumerate())
    for number in range(200):
        server = HttpServer(answering(500))
        if number % 4 == 0:
            exchange(server, GET)
        server.close()

    assert (open_files(), set(threading.enumerate())) == before


def test_closed_server_listens_no_more() -> None:
    """
    Closing twice is closing once; who was connected finds the end, and the port is free again.
    """
    server = HttpServer(answering(204))
    with connected(server) as connection:
        connection.sendall(GET)
        assert read_answer(connection).startswith(b"HTTP/1.1 204 ")
        server.close()
        server.close()
        assert connection.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        connected(server)
    with closing(HttpServer(answering(204), port=server.port)) as again:
        assert again.port == server.port


def test_request_that_runs_is_answered_before_the_end() -> None:
    """
    It is the last one of its connection, whatever the client has sent behind it.
    """
    application = Held(Answer(204, [], b""))
    server = HttpServer(application)
    with connected(server) as connection:
        connection.sendall(GET * 2)
        assert application.asked.acquire(timeout=_HANGS)
        closer = threading.Thread(target=server.close)
        closer.start()
        while server._accepting.is_alive():
            server._accepting.join(_HANGS)
        application.is_let_go.set()
        closer.join(_HANGS)

        assert connection.makefile("rb").read().count(b"HTTP/1.1 204 ") == 1


def test_application_may_close_its_own_server() -> None:
    """
    A request does not wait for itself.
    """
    closed = threading.Event()

    def application(request: Request) -> Answer:
        server.close()
        closed.set()
        raise ConnectionClosed

    server = HttpServer(application)
    assert exchange(server, GET) == b""
    assert closed.wait(_HANGS)


def test_port_that_is_taken_is_refused() -> None:
    """
    The error is that of the operating system, and leaves nothing open.
    """
    with closing(HttpServer(echo)) as server, pytest.raises(OSError, match="in use"):
        HttpServer(echo, port=server.port)


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "192.0.2.1", "example.org", "127.1"])  # noqa: S104  # it is refused
def test_host_that_others_reach_is_refused(host: str) -> None:
    """
    An engine that does what anybody tells it is for this machine alone.
    """
    with pytest.raises(ValueError, match="remote=True"):
        HttpServer(echo, host=host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "LOCALHOST", "::1"])
def test_host_of_this_machine_is_taken(host: str) -> None:
    """
    All names of the loopback will do.
    """
    try:
        server = HttpServer(answering(204), host=host)
    except OSError:
        pytest.skip(f"{host} is not to be had here")
    with closing(server), connected(server) as connection:
        connection.sendall(GET)
        assert read_answer(connection).startswith(b"HTTP/1.1 204 ")
        assert server.host == host


def test_host_that_others_reach_is_taken_if_wished() -> None:
    """
    Who says so may have it.
    """
    with closing(HttpServer(echo, host="0.0.0.0", remote=True)) as server:  # noqa: S104  # as wished
        assert exchange(server, GET.replace(b"/a HTTP/1.1", b"/a HTTP/1.0"))
