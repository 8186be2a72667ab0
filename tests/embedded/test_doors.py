"""
The two ways to an app, which are the same way wherever they can be.
"""

from __future__ import annotations

import io
import json
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any, Final

import pytest
import requests
import urllib3
from waitress import wasyncore  # type: ignore[import-untyped]  # its stubs say other things

from camunda_ext import ExternalTaskClient, NotSent, OutcomeUnknown
from camunda_ext.testing.doors.http import HttpDoor
from camunda_ext.testing.doors.in_process import InProcessAdapter
from camunda_ext.testing.rest.messages import HangUp, NoConnection, ReadTimedOut

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

#: Seconds after which a test that hangs fails; none takes that long.
_HANGS: Final = 60.0

Begin = Callable[..., Any]
Open = Callable[["WSGIApplication"], tuple[requests.Session, str]]


def answering(status: str, *headers: tuple[str, str], content: bytes = b"") -> WSGIApplication:
    """
    Give an app that always says the same.
    """

    def app(environ: WSGIEnvironment, start_response: Begin) -> list[bytes]:
        start_response(status, list(headers))
        return [content]

    return app


def raising(error: BaseException) -> WSGIApplication:
    """
    Give an app that answers nothing.
    """

    def app(environ: WSGIEnvironment, start_response: Begin) -> list[bytes]:
        raise error

    return app


def echo(environ: WSGIEnvironment, start_response: Begin) -> list[bytes]:
    """
    Answer what was asked.
    """
    asked = {
        name: value
        for name, value in environ.items()
        if isinstance(value, str) and name != "SERVER_PORT"
    }
    asked["body"] = environ["wsgi.input"].read().decode("latin-1")
    start_response("200 ", [("Content-Type", "application/json")])
    return [json.dumps(asked).encode()]


def over_http(stack: ExitStack, app: WSGIApplication) -> tuple[requests.Session, str]:
    """
    Give a session and the base URL for it to use.
    """
    door = stack.enter_context(closing(HttpDoor(app)))
    session = stack.enter_context(requests.Session())
    session.trust_env = False
    return session, f"http://127.0.0.1:{door.port}"


def in_process(stack: ExitStack, app: WSGIApplication) -> tuple[requests.Session, str]:
    """
    Give a session and the base URL for it to use.
    """
    session = stack.enter_context(requests.Session())
    session.trust_env = False
    session.mount("http://", InProcessAdapter(app))
    return session, "http://127.0.0.1:8080"


@pytest.fixture(params=[over_http, in_process])
def opened(request: pytest.FixtureRequest) -> Iterator[Open]:
    """
    Open a door of each kind in turn.
    """
    with ExitStack() as stack:
        yield lambda app: request.param(stack, app)


# ------------------------------------------------------------------------------- what the app gets


def file_like() -> Any:
    """
    Give what is read once.
    """
    return io.BytesIO(b"\x00from a file\xff")


def generated() -> Iterator[bytes]:
    """
    Give a body whose length nobody knows beforehand.
    """
    yield b"one, "
    yield b"two"


ASKED: Final[dict[str, Callable[[], dict[str, Any]]]] = {
    "get": lambda: {"method": "GET", "url": "/a"},
    "no path": lambda: {"method": "GET", "url": ""},
    "query": lambda: {"method": "GET", "url": "/a?x=1&y=%20", "params": {"z": ["ü", "&"]}},
    "fragment": lambda: {"method": "GET", "url": "/a#b"},
    "escapes": lambda: {"method": "GET", "url": "/a%2Fb;c/%C3%A9%3B%25/"},
    "head": lambda: {"method": "HEAD", "url": "/a"},
    "options": lambda: {"method": "OPTIONS", "url": "/a"},
    "nothing posted": lambda: {"method": "POST", "url": "/a"},
    "bytes": lambda: {"method": "POST", "url": "/a", "data": b"\x00\xff"},
    "text": lambda: {"method": "PUT", "url": "/a", "data": "ünï"},
    "json": lambda: {"method": "POST", "url": "/a", "json": {"ü": None}},
    "form": lambda: {"method": "POST", "url": "/a", "data": {"x": "1 2"}},
    "file": lambda: {"method": "POST", "url": "/a", "data": file_like()},
    "upload": lambda: {
        "method": "POST",
        "url": "/a",
        "data": b"--x--",
        "headers": {"Content-Type": "multipart/form-data; boundary=x"},
    },
    "generator": lambda: {"method": "POST", "url": "/a", "data": generated()},
    "delete": lambda: {"method": "DELETE", "url": "/a"},
    "headers": lambda: {
        "method": "GET",
        "url": "/a",
        "headers": {"X-Any": b"bytes \xe9 ", "Host": "other", "X-Empty": ""},
    },
    "no headers": lambda: {
        "method": "GET",
        "url": "/a",
        "headers": dict.fromkeys(("User-Agent", "Accept-Encoding", "Accept", "Connection")),
    },
    "auth": lambda: {"method": "GET", "url": "/a", "auth": ("kim", "secret")},
    "cookies": lambda: {"method": "GET", "url": "/a", "cookies": {"one": "1"}},
}


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED.keys())
def test_both_doors_bring_the_same_request(asked: Callable[[], dict[str, Any]]) -> None:
    """
    The app cannot tell by which door a request came.
    """
    seen = []
    for way in (over_http, in_process):
        with ExitStack() as stack:
            brought: dict[str, Any] = {}

            def app(
                environ: WSGIEnvironment, start_response: Begin, brought: dict[str, Any] = brought
            ) -> list[bytes]:
                brought.update(environ, body=environ["wsgi.input"].read())
                return list(answering("204 ")(environ, start_response))

            session, base = way(stack, app)
            how = asked()
            session.request(how.pop("method"), base + how.pop("url"), **how)
            port = base.rpartition(":")[2]
            assert brought.pop("SERVER_PORT") == port
            brought["HTTP_HOST"] = brought["HTTP_HOST"].replace(port, "port")
            del brought["wsgi.input"]
            seen.append(brought)

    assert seen[0] == seen[1]
    assert None not in seen[0].values()


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/a/b?c=d", "/a/b", "c=d"),
        ("/a%2Fb%20c", "/a/b c", ""),
        ("/a;b=c/d", "/a;b=c/d", ""),
        ("//a//b/", "//a//b/", ""),
        ("/a/../b/./c", "/a/../b/./c", ""),
        ("/a/%2E%2E/b", "/a/../b", ""),
        ("/%C3%A9", "/\xc3\xa9", ""),
        ("/%E9", "/\xe9", ""),
        ("/a?b=%zz&c=+?/", "/a", "b=%zz&c=+?/"),
        ("http://127.0.0.1/a%2Fb?c", "/a/b", "c"),
        ("http://127.0.0.1", "/", ""),
        ("/[http://[", "/[http://[", ""),
    ],
)
def test_target_arrives_as_it_was_sent(target: str, path: str, query: str) -> None:
    """
    The app gets what stands in the request line, and what WSGI makes of it.
    """
    with closing(HttpDoor(echo)) as door:
        line = f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        head, _, content = exchange(door, line.encode("latin-1")).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 200 \r\n")
    environ = json.loads(content)
    assert (environ["REQUEST_URI"], environ["PATH_INFO"], environ["QUERY_STRING"]) == (
        target,
        path,
        query,
    )


@pytest.mark.parametrize("path", ["/a%2Fb;c", "/a//b/", "/a/../b/%2E%2E/c?d=%C3%A9"])
def test_prepared_url_is_the_target_at_both_doors(opened: Open, path: str) -> None:
    """
    A URL put together by hand is not mended on its way.
    """
    session, base = opened(echo)
    prepared = session.prepare_request(requests.Request("GET", base))
    prepared.url = base + path

    assert session.send(prepared).json()["REQUEST_URI"] == path


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (None, None),
        (5, 5.0),
        ((1, 0.5), 0.5),
        ((1, None), None),
        (urllib3.Timeout(connect=1, read=2), 2.0),
        (urllib3.Timeout(connect=1), None),
    ],
)
def test_app_knows_how_long_the_caller_waits(given: Any, seconds: float | None) -> None:
    """
    In process, nothing else ends a wait.
    """
    found: list[Any] = []

    def app(environ: WSGIEnvironment, start_response: Begin) -> list[bytes]:
        found.append(environ.get("camunda_ext.read_timeout"))
        start_response("204 ", [])
        return []

    with ExitStack() as stack:
        session, base = in_process(stack, app)
        session.get(base, timeout=given)

    assert found == [seconds]


def test_total_timeout_is_a_limit_too() -> None:
    """
    Of urllib3's limits, the nearest counts.
    """

    def app(environ: WSGIEnvironment, start_response: Begin) -> list[bytes]:
        start_response("200 ", [])
        return [repr(environ["camunda_ext.read_timeout"] <= 9).encode()]

    with ExitStack() as stack:
        session, base = in_process(stack, app)
        limit: Any = urllib3.Timeout(total=9, read=20)

        assert session.get(base, timeout=limit).content == b"True"


@pytest.mark.parametrize("timeout", [0, -1, True, "soon", (1, 2, 3)])
def test_senseless_timeout_is_refused_by_both_doors(opened: Open, timeout: Any) -> None:
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
    app = answering("299 Odd", ("X-Any", "one"), ("x-any", "two"), content="ü".encode())
    session, base = opened(app)

    answer = session.get(base + "/a")

    assert (answer.status_code, answer.reason, answer.text) == (299, "Odd", "ü")
    assert answer.headers["X-ANY"] == "one, two"
    assert answer.raw.headers.getlist("X-Any") == ["one", "two"]
    assert set(answer.headers) == {"X-Any", "Content-Length", "Date", "Keep-Alive", "Connection"}
    assert (answer.url, answer.request.method) == (base + "/a", "GET")
    assert answer.raw.version == 11
    assert answer.elapsed.total_seconds() > 0
    assert answer.connection is session.get_adapter(base)


def test_answer_can_be_read_in_pieces(opened: Open) -> None:
    """
    A streamed answer is there to read, whole or piecemeal, and can be closed unread.
    """
    session, base = opened(answering("200 ", content=b"abcdef"))

    with session.get(base, stream=True) as answer:
        assert answer.raw.read(2) == b"ab"
        assert answer.raw.read1(2) == b"cd"
        assert answer.raw.read() == b"ef"
        assert answer.raw.read() == b""
    with session.get(base, stream=True) as answer:
        assert b"".join(answer.iter_content(4)) == b"abcdef"
    with session.get(base, stream=True) as answer:
        assert list(answer.raw.stream(6)) == [b"abcdef"]
    session.get(base, stream=True).close()


def test_large_bodies_pass(opened: Open) -> None:
    """
    Nothing is cut or kept back of what is larger than any buffer.
    """

    def app(environ: WSGIEnvironment, start_response: Begin) -> list[bytes]:
        start_response("200 ", [])
        return [environ["wsgi.input"].read()]

    session, base = opened(app)
    content = bytes(range(250)) * 80_000

    assert session.post(base, data=content).content == content


def test_app_may_write_and_yield(opened: Open) -> None:
    """
    All that WSGI allows makes one answer, and what the app gives is closed.
    """
    closed = []

    class Pieces:
        def __iter__(self) -> Iterator[bytes]:
            yield from (b"b", b"", b"c")

        def close(self) -> None:
            closed.append(True)

    def app(environ: WSGIEnvironment, start_response: Begin) -> Pieces:
        start_response("200 ", [("Content-Length", "77")])(b"a")
        return Pieces()

    session, base = opened(app)
    answer = session.get(base)

    assert (answer.content, answer.headers["Content-Length"], closed) == (b"abc", "3", [True])


def test_204_has_neither_type_nor_length(opened: Open) -> None:
    """
    What the app says of a body that is none goes nowhere.
    """
    headers = [("Content-Type", "application/json"), ("Content-Length", "1"), ("X-Any", "x")]
    session, base = opened(answering("204 ", *headers, content=b"x"))

    answer = session.get(base)

    assert (answer.status_code, answer.content) == (204, b"")
    assert set(answer.headers) == {"X-Any", "Date", "Keep-Alive", "Connection"}


@pytest.mark.parametrize(
    ("headers", "content", "length"),
    [([], b"abc", "3"), ([("content-length", "7")], b"", "7"), ([], b"", "0")],
)
def test_head_is_told_the_length_alone(
    opened: Open, headers: list[tuple[str, str]], content: bytes, length: str
) -> None:
    """
    A HEAD gets no body, whatever the app makes, and the connection is good for more.
    """
    session, base = opened(answering("200 ", *headers, content=content))

    for _ in range(2):
        answer = session.head(base)
        assert (answer.content, answer.headers["Content-Length"]) == (b"", length)
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
    session, base = opened(answering(f"{status} "))

    assert session.get(base).headers["Connection"] == ("close" if closes else "keep-alive")
    assert session.get(base).status_code == status


def test_client_that_asks_to_close_is_obeyed(opened: Open) -> None:
    """
    ``Connection: close`` is answered in kind.
    """
    session, base = opened(echo)

    assert session.get(base, headers={"Connection": "close"}).headers["Connection"] == "close"


def test_cookies_and_redirects_work(opened: Open) -> None:
    """
    All that sessions do around an adapter is done.
    """

    def app(environ: WSGIEnvironment, start_response: Begin) -> list[bytes]:
        if environ["PATH_INFO"] == "/":
            cookies = [("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2; Path=/")]
            start_response("302 ", [("Location", "/there"), *cookies])
            return [b""]
        return echo(environ, start_response)

    session, base = opened(app)
    answer = session.get(base)

    assert answer.json()["REQUEST_URI"] == "/there"
    assert answer.json()["HTTP_COOKIE"] == "a=1; b=2"
    assert answer.history[0].cookies.get_dict() == {"a": "1", "b": "2"}
    assert session.cookies.get_dict() == {"a": "1", "b": "2"}


def test_head_of_a_request_has_its_limit(opened: Open) -> None:
    """
    8,192 bytes pass, one more does not reach the app.
    """
    session, base = opened(answering("204 "))
    prepared = session.prepare_request(requests.Request("GET", base + "/a"))
    # What requests and urllib3 send of their own accord, counted on the wire.
    lines = ["GET /a HTTP/1.1", f"Host: {base.rpartition('/')[2]}"]
    lines += [f"{name}: {value!s}" for name, value in prepared.headers.items()]
    room = 8192 - len("\r\n".join([*lines, "X: ", "", ""]))

    assert session.get(base + "/a", headers={"X": "x" * room}).status_code == 204
    answer = session.get(base + "/a", headers={"X": "x" * (room + 1)})
    assert (answer.status_code, answer.headers["Content-Type"], len(answer.content)) == (
        400,
        "text/html;charset=utf-8",
        435,
    )


# -------------------------------------------------------------------------------------- no answer


def chain(error: Any) -> list[tuple[type, str]]:
    """
    Give an exception and what it was made of, with its text.
    """
    found = []
    for _ in range(10):
        text = str(error).rpartition("object at 0x")[2].partition(": ")[2] or str(error)
        found.append((type(error), text))
        inner = getattr(error, "reason", None) or next(
            (one for one in error.args if isinstance(one, Exception)), None
        )
        if inner is None:
            break
        error = inner
    return found


def test_hang_up_is_a_connection_that_ends(opened: Open) -> None:
    """
    Both doors give the client no more than an end, and requests says the same of it.
    """
    session, base = opened(raising(HangUp()))

    with pytest.raises(requests.ConnectionError) as caught:
        session.post(base, data=b"{}")

    assert [kind.__name__ for kind, _ in chain(caught.value)] == [
        "ConnectionError",
        "ProtocolError",
        "RemoteDisconnected",
    ]
    assert caught.value.request is not None
    said = "Remote end closed connection without response"
    assert str(caught.value) == f"('Connection aborted.', RemoteDisconnected('{said}'))"


def test_no_connection_is_one_refused() -> None:
    """
    In process, an engine that is not there looks like a port where nobody listens.
    """
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    caught = []
    with ExitStack() as stack:
        real = stack.enter_context(requests.Session())
        real.trust_env = False
        toy, _ = in_process(stack, raising(NoConnection()))
        for session in (real, toy):
            with pytest.raises(requests.ConnectionError) as error:
                session.get(f"http://127.0.0.1:{port}/a?b")
            caught.append(error.value)

    assert chain(caught[0]) == chain(caught[1])
    assert len(chain(caught[0])) == 3


def test_no_connection_over_http_is_told() -> None:
    """
    A server that can be reached cannot seem absent.
    """
    with ExitStack() as stack:
        session, base = over_http(stack, raising(NoConnection()))

        answer = session.get(base)

    assert answer.status_code == 501
    assert "over HTTP use 'closed'" in answer.text


def test_read_timeout_is_that_of_requests() -> None:
    """
    An app that gives up for the caller leaves it with what a silent server would.
    """
    caught = []
    with ExitStack() as stack:
        silent = stack.enter_context(closing(socket.create_server(("127.0.0.1", 0))))
        real = stack.enter_context(requests.Session())
        real.trust_env = False
        toy, _ = in_process(stack, raising(ReadTimedOut()))
        for session in (real, toy):
            with pytest.raises(requests.ReadTimeout) as error:
                session.get(f"http://127.0.0.1:{silent.getsockname()[1]}/a", timeout=0.001)
            caught.append(error.value)

    assert chain(caught[0]) == chain(caught[1])
    assert len(chain(caught[0])) == 2


def test_bug_in_process_reaches_the_caller() -> None:
    """
    What is no answer at all shows with its traceback.
    """
    with ExitStack() as stack:
        session, base = in_process(stack, raising(KeyError("bug")))

        with pytest.raises(KeyError, match="bug"):
            session.get(base)


def test_bug_over_http_is_logged_and_answered(caplog: pytest.LogCaptureFixture) -> None:
    """
    The client gets the 500 that Tomcat has for bugs, and the log gets the traceback.
    """
    with ExitStack() as stack:
        session, base = over_http(stack, raising(OSError("bug")))
        answer = session.get(base)

    assert (answer.status_code, answer.headers["Connection"]) == (500, "close")
    assert "HTTP Status 500" in answer.text
    assert [str(record.exc_info and record.exc_info[1]) for record in caplog.records] == ["bug"]


@pytest.mark.parametrize("app", [lambda environ, start_response: []])
def test_app_must_begin_an_answer(app: WSGIApplication) -> None:
    """
    An app that is none is a bug too.
    """
    with ExitStack() as stack:
        session, base = in_process(stack, app)

        with pytest.raises(RuntimeError, match="start_response"):
            session.get(base)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_failed_test_in_the_app_leaves_no_client_waiting() -> None:
    """
    An exception that is no error ends the request, not the server.
    """
    errors: list[BaseException] = [BaseException("out")]

    def app(environ: WSGIEnvironment, start_response: Begin) -> list[bytes]:
        if errors:
            raise errors.pop()
        return echo(environ, start_response)

    with ExitStack() as stack:
        session, base = over_http(stack, app)

        with pytest.raises(requests.ConnectionError):
            session.get(base)
        assert session.get(base).status_code == 200


# --------------------------------------------------------------------------------- the client's own


def test_client_works_through_both_doors(opened: Open) -> None:
    """
    A client reads the answers of an app as those of an engine.
    """

    def app(environ: WSGIEnvironment, start_response: Begin) -> list[bytes]:
        if environ["PATH_INFO"].endswith("/complete"):
            start_response("204 ", [])
            return []
        start_response("200 ", [("Content-Type", "application/json")])
        return [b'{"count":3}']

    session, base = opened(app)
    with ExternalTaskClient(base + "/engine-rest", session=session) as client:
        assert client.count() == 3
        client.complete("4711", "worker")
        assert client.count() == 3


def test_client_tells_lost_answers_from_engines_that_are_not_there() -> None:
    """
    Only of the latter it knows that nothing happened.
    """
    for error, expected in ((NoConnection(), NotSent), (HangUp(), OutcomeUnknown)):
        with ExitStack() as stack:
            session, base = in_process(stack, raising(error))
            client = ExternalTaskClient(base + "/engine-rest", session=session)

            with pytest.raises(expected):
                client.complete("4711", "worker")


# ------------------------------------------------------------------------------------- HTTP alone


def exchange(door: HttpDoor, sent: bytes) -> bytes:
    """
    Send bytes on a connection of their own, and give all that comes until it ends.
    """
    with socket.create_connection(("127.0.0.1", door.port), timeout=_HANGS) as connection:
        connection.sendall(sent)
        return connection.makefile("rb").read()


def read_answer(connection: socket.socket) -> bytes:
    """
    Read one answer without a body.
    """
    found = b""
    for _ in range(10_000):
        if found.endswith(b"\r\n\r\n"):
            break
        found += connection.recv(1)
    return found


GET: Final = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"


def test_answer_on_the_wire() -> None:
    """
    The status has no reason phrase, and no server gives its name.
    """
    app = answering("200 ", ("Cache-Control", "no-cache"), ("Content-Type", "a/b"), content=b"{}")
    with closing(HttpDoor(app)) as door:
        found = exchange(door, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

    head, _, content = found.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[4].startswith(b"Date: ")
    assert [*lines[:4], *lines[5:], content] == [
        b"HTTP/1.1 200 ",
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
    with closing(HttpDoor(answering("204 "))) as door:
        found = exchange(door, GET * 101)

    answers = found.split(b"HTTP/1.1 204 \r\n")[1:]
    assert len(answers) == 100
    assert [b"Connection: close" in one for one in answers] == [False] * 99 + [True]


def test_connection_ends_with_an_error() -> None:
    """
    What a client sent behind a request that failed is not answered.
    """
    with closing(HttpDoor(answering("500 "))) as door:
        assert exchange(door, GET * 2).count(b"HTTP/1.1") == 1


def test_connection_that_rests_is_closed() -> None:
    """
    After 60 seconds, and not while its request runs.
    """
    asked, told = threading.Event(), threading.Event()

    def app(environ: WSGIEnvironment, start_response: Begin) -> list[bytes]:
        asked.set()
        assert told.wait(_HANGS)
        start_response("204 ", [])
        return []

    with closing(HttpDoor(app)) as door:
        address = ("127.0.0.1", door.port)
        with socket.create_connection(address, timeout=_HANGS) as connection:
            connection.sendall(GET)
            assert asked.wait(_HANGS)
            door._server.maintenance(time.time() + 3600)
            told.set()
            assert read_answer(connection).startswith(b"HTTP/1.1 204 ")
            connection.sendall(GET)
            assert read_answer(connection).startswith(b"HTTP/1.1 204 ")
            (channel,) = door._server.active_channels.values()
            door._server.maintenance(channel.last_activity + 60)
            assert not channel.will_close
            # From now on, time goes by for the loop, whenever it looks.
            door._server.adj.channel_timeout = -3600
            door._server.next_channel_cleanup = 0
            door._server.pull_trigger()
            assert connection.recv(1) == b""


def test_body_has_its_limit() -> None:
    """
    What is as long as allowed passes; what is longer is refused before it came.
    """
    head = b"POST /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    with closing(HttpDoor(echo, max_body=10)) as door:
        assert b'"body": "0123456789"' in exchange(
            door, head + b"Content-Length: 10\r\n\r\n0123456789"
        )
        for more in (
            b"Content-Length: 11\r\n\r\n",
            b"Content-Length: 11\r\nExpect: 100-continue\r\n\r\n",
            b"Transfer-Encoding: chunked\r\n\r\nb\r\n0123456789a",
        ):
            found = exchange(door, head + more)
            assert found.startswith(b"HTTP/1.1 413 \r\n")
            assert b"\r\nConnection: close\r\n" in found


@pytest.mark.parametrize("length", [b"", b"Content-Length: 0\r\n"])
def test_body_that_does_not_come_is_not_waited_for(length: bytes) -> None:
    """
    A client that expects to be told to continue may have nothing to continue with.
    """
    with closing(HttpDoor(answering("204 "))) as door:
        head = b"POST /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\n"

        assert b"HTTP/1.1 204 \r\n" in exchange(door, head + length + b"\r\n")


def test_client_is_told_to_continue() -> None:
    """
    A body that waits to be asked for is asked for.
    """
    with closing(HttpDoor(echo)) as door:
        address = ("127.0.0.1", door.port)
        with socket.create_connection(address, timeout=_HANGS) as connection:
            head = b"POST /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            connection.sendall(head + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
            assert read_answer(connection).startswith(b"HTTP/1.1 100 ")
            connection.sendall(b"{}")
            assert b'"body": "{}"' in connection.makefile("rb").read()


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /a HTTP/1.1\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://[/a HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: x\r\nno header\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /\xe9 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\r\n\r\n",
    ],
)
def test_what_is_no_request_gets_tomcats_page(
    caplog: pytest.LogCaptureFixture, sent: bytes
) -> None:
    """
    Such a thing does not reach the app, and nobody logs it.
    """
    caplog.set_level(logging.DEBUG)
    with closing(HttpDoor(raising(KeyError("never")))) as door:
        found = exchange(door, sent)

    assert found.startswith(b"HTTP/1.1 400 \r\nContent-Type: text/html;charset=utf-8\r\n")
    assert found.endswith("HTTP Status 400 \N{EN DASH} Bad Request</h1></body></html>".encode())
    assert not caplog.records


def test_http_1_0_is_understood() -> None:
    """
    The connection ends after the answer, unless the client wants to keep it.
    """
    with closing(HttpDoor(answering("204 "))) as door:
        assert b"\r\nConnection: close\r\n" in exchange(door, b"GET / HTTP/1.0\r\n\r\n")
        kept = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
        found = exchange(door, kept + b"GET / HTTP/1.0\r\n\r\n")

    assert found.count(b"HTTP/1.1 204 \r\n") == 2
    assert found.count(b"\r\nConnection: keep-alive\r\n") == 1


def test_nothing_is_logged_of_clients_that_come_and_go(caplog: pytest.LogCaptureFixture) -> None:
    """
    Neither of lost answers, nor of clients that were lost themselves.
    """
    caplog.set_level(logging.DEBUG)
    asked, told = threading.Event(), threading.Event()

    def app(environ: WSGIEnvironment, start_response: Begin) -> list[bytes]:
        if environ["PATH_INFO"] == "/lost":
            raise HangUp
        asked.set()
        assert told.wait(_HANGS)
        start_response("200 ", [])
        return [bytes(10_000_000)]

    with closing(HttpDoor(app)) as door:
        assert exchange(door, GET.replace(b"/a", b"/lost")) == b""
        with socket.create_connection(("127.0.0.1", door.port), timeout=_HANGS) as connection:
            connection.sendall(GET)
            assert asked.wait(_HANGS)
        told.set()
        assert exchange(door, GET.replace(b"/a", b"/lost")) == b""

    assert not caplog.records


@pytest.mark.parametrize("polls", [50, 300])
def test_polls_keep_nobody_waiting(polls: int) -> None:
    """
    However many requests rest in the app, the next one is answered; and closing waits for none.
    """
    arrived, told = threading.Semaphore(0), threading.Event()

    def app(environ: WSGIEnvironment, start_response: Begin) -> list[bytes]:
        if environ["PATH_INFO"] == "/a":
            arrived.release()
            assert told.wait(_HANGS)
            raise HangUp
        return echo(environ, start_response)

    before = set(threading.enumerate())
    with ExitStack() as stack:
        session = stack.enter_context(requests.Session())
        session.trust_env = False
        door = HttpDoor(app)
        stack.callback(door.close)
        stack.callback(told.set)
        connections = [
            stack.enter_context(socket.create_connection(("127.0.0.1", door.port), timeout=_HANGS))
            for _ in range(polls)
        ]
        for connection in connections:
            connection.sendall(GET)
        for _ in range(polls):
            assert arrived.acquire(timeout=_HANGS)
        assert session.get(f"http://127.0.0.1:{door.port}/b").status_code == 200
        told.set()
        door.close()
        assert set(threading.enumerate()) == before
        assert [connection.recv(1) for connection in connections] == [b""] * polls


def test_threads_start_when_something_is_asked() -> None:
    """
    A door that nobody uses has one thread, and the names of all say whose they are.
    """
    before = set(threading.enumerate())
    with closing(HttpDoor(answering("204 "))) as door:
        assert [one.name for one in set(threading.enumerate()) - before] == ["camunda_ext engine"]
        exchange(door, GET * 100)
        names = {one.name for one in set(threading.enumerate()) - before}
        assert names <= {"camunda_ext engine", "camunda_ext engine request"}


def test_request_that_does_not_end_is_complained_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The door closes all the same, but for the thread, which does no harm when it ends at last.
    """
    monkeypatch.setattr("camunda_ext.testing.doors.threads._PATIENCE", 0.0)
    asked, told = threading.Event(), threading.Event()
    running = []

    def app(environ: WSGIEnvironment, start_response: Begin) -> list[bytes]:
        running.append(threading.current_thread())
        asked.set()
        assert told.wait(_HANGS)
        start_response("204 ", [])
        return []

    before = open_files()
    door = HttpDoor(app)
    with socket.create_connection(("127.0.0.1", door.port), timeout=_HANGS) as connection:
        connection.sendall(GET)
        assert asked.wait(_HANGS)
        with pytest.raises(RuntimeError, match="1 requests are still running"):
            door.close()
        assert connection.recv(1) == b""
    told.set()
    running[0].join(_HANGS)
    assert not running[0].is_alive()
    assert open_files() == before


def open_files() -> int:
    """
    Count this process's file descriptors, where they can be seen.
    """
    return len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0


def test_nothing_stays_of_doors_that_were_closed() -> None:
    """
    Neither threads nor file descriptors, used or not.
    """
    before = open_files(), set(threading.enumerate())
    for number in range(200):
        door = HttpDoor(answering("500 "))
        if number % 4 == 0:
            exchange(door, GET)
        door.close()

    assert (open_files(), set(threading.enumerate())) == before
    assert wasyncore.socket_map == {}


def test_closed_door_listens_no_more() -> None:
    """
    Closing twice is closing once; who was connected finds the end, and the port is free again.
    """
    door = HttpDoor(answering("204 "))
    with socket.create_connection(("127.0.0.1", door.port), timeout=_HANGS) as connection:
        connection.sendall(GET)
        assert read_answer(connection).startswith(b"HTTP/1.1 204 ")
        door.close()
        door.close()
        assert connection.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", door.port))
    with closing(HttpDoor(answering("204 "), port=door.port)) as again:
        assert again.port == door.port


def test_app_may_close_its_own_door() -> None:
    """
    A request does not wait for itself.
    """
    closed = threading.Event()

    def app(environ: WSGIEnvironment, start_response: Begin) -> list[bytes]:
        door.close()
        closed.set()
        raise HangUp

    door = HttpDoor(app)
    assert exchange(door, GET) == b""
    assert closed.wait(_HANGS)


def test_port_that_is_taken_is_refused() -> None:
    """
    The error is that of the operating system, and leaves nothing open.
    """
    with closing(HttpDoor(echo)) as door, pytest.raises(OSError, match="in use"):
        HttpDoor(echo, port=door.port)


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "192.0.2.1", "example.org", "127.1"])  # noqa: S104  # it is refused
def test_host_that_others_reach_is_refused(host: str) -> None:
    """
    An engine that does what anybody tells it is for this machine alone.
    """
    with pytest.raises(ValueError, match="remote=True"):
        HttpDoor(echo, host=host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "LOCALHOST", "::1"])
def test_host_of_this_machine_is_taken(host: str) -> None:
    """
    All names of the loopback will do.
    """
    try:
        door = HttpDoor(answering("204 "), host=host)
    except OSError:
        pytest.skip(f"{host} is not to be had here")
    with closing(door), socket.create_connection((host, door.port), timeout=_HANGS) as connection:
        connection.sendall(GET)
        assert read_answer(connection).startswith(b"HTTP/1.1 204 ")
        assert door.host == host


def test_host_that_others_reach_is_taken_if_wished() -> None:
    """
    Who says so may have it.
    """
    with closing(HttpDoor(echo, host="0.0.0.0", remote=True)) as door:  # noqa: S104  # as wished
        assert exchange(door, GET.replace(b"/a HTTP/1.1", b"/a HTTP/1.0"))
