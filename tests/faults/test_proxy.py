"""
What the proxy does with each fault, as a plain HTTP client and the engine behind it see it.
"""

from __future__ import annotations

import gc
import http.client
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from urllib.parse import urlsplit

import pytest

from camunda_ext.testing import Engine
from tests.faults import (
    CLOSED_AFTER,
    CLOSED_BEFORE,
    FAR_FUTURE,
    LENGTH_TOO_LONG,
    LENGTH_TOO_SHORT,
    RESET_AFTER,
    RESET_BEFORE,
    Cut,
    Fault,
    FaultProxy,
    GatewayPage,
    LoginPage,
    LoginRedirect,
    OptimisticLocking,
    Part,
    Plan,
    Request,
    Stage,
    Stalled,
    TooManyRequests,
    always,
    every_fault,
    no_faults,
    nth,
    only,
    random_plan,
    sequence,
)
from tests.stub import NO_CONTENT, Connection, Stub, raw_answer, then_close

_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n"
_BODY: Final = b'{"count": 12}'
_ANSWER: Final = raw_answer("200 OK", "Content-Type: application/json", body=_BODY)
_EMPTY: Final = b"HTTP/1.1 204 No Content\r\n\r\n"

#: Longer than any test.
_FOR_EVER: Final = 10_000.0


def connect(proxy: FaultProxy) -> socket.socket:
    """
    Give a new connection to the proxy.
    """
    server = urlsplit(proxy.url)
    return socket.create_connection((str(server.hostname), server.port), timeout=30)


def request(*headers: str, body: bytes = b"") -> bytes:
    """
    Give a request as it goes over the wire.
    """
    lines = (
        "POST /engine-rest/external-task/count?a=%20b HTTP/1.1",
        "Host: engine",
        f"Content-Length: {len(body)}",
        *headers,
    )
    return "\r\n".join((*lines, "", "")).encode("ascii") + body


def received(connection: socket.socket) -> tuple[bytes, str]:
    """
    Give all that comes until the connection ends, and how it does.
    """
    content = b""
    try:
        while piece := connection.recv(65536):
            content += piece
    except ConnectionResetError:
        return content, "reset"
    return content, "closed"


def told(proxy: FaultProxy) -> tuple[bytes, str]:
    """
    Give all that comes for one request, the last of its connection, and how that one ends.
    """
    with connect(proxy) as connection:
        connection.sendall(request("Connection: close"))
        return received(connection)


def asked(proxy: FaultProxy) -> tuple[int, dict[str, str], bytes]:
    """
    Give status, headers and body of the answer to one request.
    """
    connection = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=30)
    try:
        connection.request("POST", "/engine-rest/external-task/count")
        with connection.getresponse() as response:
            return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


# ------------------------------------------------------------------------------ without a fault


def test_request_and_answer_pass_as_they_are() -> None:
    """
    Only what is about the connection is said anew.
    """
    answer = raw_answer("418 Teapot", "X-Any: ä", "Date: now", body=b"\x00\xff")
    with Stub(answer) as stub, FaultProxy(stub.url) as proxy, connect(proxy) as connection:
        connection.sendall(request("X-Own: 1", "x-own: 2", "Connection: close", body=b'{"a": 1}'))
        came = received(connection)

        assert came == (
            b"HTTP/1.1 418 Teapot\r\nX-Any: \xe4\r\nDate: now\r\nContent-Length: 2\r\n\r\n\x00\xff",
            "closed",
        )
        [seen] = stub.seen
        assert (seen.method, seen.target, seen.headers, seen.body) == (
            "POST",
            "/engine-rest/external-task/count?a=%20b",
            {
                "host": f"127.0.0.1:{stub.port}",
                "x-own": "2",
                "content-length": "8",
                "connection": "close",
            },
            b'{"a": 1}',
        )
        assert (proxy.requests, proxy.forwarded, proxy.unanswered, proxy.struck) == (1, 1, 0, {})


def test_url_is_that_of_the_engine_elsewhere() -> None:
    """
    A client takes it as it is.
    """
    with FaultProxy("http://127.0.0.1:1/engine-rest") as proxy:
        parts = urlsplit(proxy.url)

        assert (parts.scheme, parts.hostname, parts.path) == ("http", "127.0.0.1", "/engine-rest")


def test_connection_is_kept_for_the_next_request() -> None:
    """
    As an engine keeps it, while the engine gets a new one for each.
    """
    with Stub(_ANSWER) as stub, FaultProxy(stub.url) as proxy, connect(proxy) as connection:
        connection.sendall(request() * 2 + request("Connection: close"))

        assert received(connection) == ((_HEAD + _BODY) * 3, "closed")
        assert (proxy.connections, stub.connections) == (1, 3)


def test_chunks_of_the_engine_become_one_body() -> None:
    """
    So that a fault can say what half of it is.
    """
    chunked = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    with Stub(chunked) as stub, FaultProxy(stub.url) as proxy:
        assert told(proxy) == (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde", "closed")


@pytest.mark.parametrize("broken", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"])
def test_engine_without_an_answer_gives_none(broken: bytes) -> None:
    """
    The proxy invents nothing: it hangs up.
    """
    with Stub(then_close(broken)) as stub, FaultProxy(stub.url) as proxy:
        assert told(proxy) == (b"", "closed")
        assert (proxy.forwarded, proxy.unanswered) == (1, 1)


def test_engine_that_is_not_there_gives_no_answer() -> None:
    """
    And nothing was forwarded.
    """
    with Stub() as stub:
        url = stub.url
    with FaultProxy(url) as proxy:
        assert told(proxy) == (b"", "closed")
        assert (proxy.forwarded, proxy.unanswered) == (0, 1)


@pytest.mark.parametrize(
    "odd",
    [
        b"SSH-2.0\r\n",
        request("Transfer-Encoding: chunked") + b"0\r\n\r\n",
        request("Content-Length: x"),
    ],
)
def test_what_it_does_not_understand_is_not_forwarded(odd: bytes) -> None:
    """
    A request that is read wrongly must not become another one.
    """
    with Stub() as stub, FaultProxy(stub.url) as proxy, connect(proxy) as connection:
        connection.sendall(odd)

        assert received(connection)[0] == b""
        assert stub.seen == []


# --------------------------------------------------------------------------------- each fault

_HALF_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: appl"
_TOO_LONG: Final = _HEAD.replace(b"13", b"23") + _BODY
_TOO_SHORT: Final = _HEAD.replace(b"13", b"6") + _BODY

#: What comes for a fault, how the connection ends, and how many requests the engine saw.
BYTES: Final[dict[Fault, tuple[bytes, str, int]]] = {
    RESET_BEFORE: (b"", "reset", 0),
    RESET_AFTER: (b"", "reset", 1),
    CLOSED_BEFORE: (b"", "closed", 0),
    CLOSED_AFTER: (b"", "closed", 1),
    Cut(Part.STATUS_LINE): (b"HTTP/1.1 2", "closed", 1),
    Cut(Part.HEAD): (_HALF_HEAD, "closed", 1),
    Cut(Part.BODY): (_HEAD + b'{"coun', "closed", 1),
    LENGTH_TOO_LONG: (_TOO_LONG, "closed", 1),
    LENGTH_TOO_SHORT: (_TOO_SHORT, "closed", 1),
    Stalled(Stage.BEFORE_FORWARDING, 0.01): (_HEAD + _BODY, "closed", 1),
    Stalled(Stage.BEFORE_ANSWER, 0.01): (_HEAD + _BODY, "closed", 1),
    Stalled(Stage.IN_HEAD, 0.01): (_HEAD + _BODY, "closed", 1),
    Stalled(Stage.IN_BODY, 0.01): (_HEAD + _BODY, "closed", 1),
}


@pytest.mark.parametrize("fault", BYTES, ids=str)
def test_what_comes_for_a_fault(fault: Fault) -> None:
    """
    Byte by byte, and what the engine saw.
    """
    with Stub(_ANSWER) as stub, FaultProxy(stub.url, always(fault)) as proxy:
        came = told(proxy)

        assert (*came, len(stub.seen)) == BYTES[fault]
        assert (proxy.struck, proxy.forwarded) == ({fault: 1}, len(stub.seen))


@pytest.mark.parametrize("part", Part)
def test_reset_in_an_answer(part: Part) -> None:
    """
    What came before it may be lost, too; what never comes is the rest.
    """
    fault = Cut(part, by_reset=True)
    with Stub(_ANSWER) as stub, FaultProxy(stub.url, always(fault)) as proxy:
        content, ending = told(proxy)

        assert (ending, len(stub.seen)) == ("reset", 1)
        assert BYTES[Cut(part)][0].startswith(content)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Cut(Part.HEAD), b"HTTP/1.1 204 "),
        (Cut(Part.BODY), b"HTTP/1.1 204 "),
        (LENGTH_TOO_LONG, b"HTTP/1.1 204 "),
        (LENGTH_TOO_SHORT, b"HTTP/1.1 204 "),
        (Stalled(Stage.IN_BODY, 0.01), _EMPTY),
    ],
    ids=str,
)
def test_answer_without_a_body_is_met_in_the_head(fault: Fault, expected: bytes) -> None:
    """
    Otherwise it would be no fault at all.
    """
    with Stub(NO_CONTENT) as stub, FaultProxy(stub.url, always(fault)) as proxy:
        assert told(proxy) == (expected, "closed")


def test_rest_of_a_body_stays_on_the_connection() -> None:
    """
    Whoever takes it for the next answer has it wrong.
    """
    plan = nth(1, LENGTH_TOO_SHORT)
    with Stub(_ANSWER) as stub, FaultProxy(stub.url, plan) as proxy, connect(proxy) as connection:
        connection.sendall(request() + request("Connection: close"))

        assert received(connection) == (_TOO_SHORT + _HEAD + _BODY, "closed")


_TYPE: Final = "text/html;charset=utf-8"
_BAD_GATEWAY: Final = (
    b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
)
_UNAVAILABLE: Final = _BAD_GATEWAY.replace(b"502 Bad Gateway", b"503 Service Unavailable")
_TOO_LATE: Final = _BAD_GATEWAY.replace(b"502 Bad Gateway", b"504 Gateway Timeout")
_TOO_MANY: Final = _BAD_GATEWAY.replace(b"502 Bad Gateway", b"429 Too Many Requests")
_FOUND: Final = _BAD_GATEWAY.replace(b"502 Bad Gateway", b"302 Found")
_LOG_IN: Final = b"<html><head><title>Log in</title></head><body><form></form></body></html>"
_CONFLICT: Final = (
    b'{"type": "OptimisticLockingException", "message": "ENGINE-03005 Execution of \'UPDATE '
    b"ExternalTaskEntity' failed. Entity was updated by another transaction concurrently.\", "
    b'"code": 1}'
)

#: The answer to a fault, and how many requests the engine saw.
ANSWERS: Final[list[tuple[Fault, int, dict[str, str], bytes, int]]] = [
    (GatewayPage(502, reaches_engine=False), 502, {"Content-Type": _TYPE}, _BAD_GATEWAY, 0),
    (GatewayPage(502, reaches_engine=True), 502, {"Content-Type": _TYPE}, _BAD_GATEWAY, 1),
    (GatewayPage(503, reaches_engine=False), 503, {"Content-Type": _TYPE}, _UNAVAILABLE, 0),
    (GatewayPage(503, reaches_engine=True), 503, {"Content-Type": _TYPE}, _UNAVAILABLE, 1),
    (GatewayPage(504, reaches_engine=False), 504, {"Content-Type": _TYPE}, _TOO_LATE, 0),
    (GatewayPage(504, reaches_engine=True), 504, {"Content-Type": _TYPE}, _TOO_LATE, 1),
    (TooManyRequests(), 429, {"Content-Type": _TYPE}, _TOO_MANY, 0),
    (
        TooManyRequests("1"),
        429,
        {"Content-Type": _TYPE, "Retry-After": "1"},
        _TOO_MANY,
        0,
    ),
    (
        TooManyRequests("soon"),
        429,
        {"Content-Type": _TYPE, "Retry-After": "soon"},
        _TOO_MANY,
        0,
    ),
    (
        TooManyRequests(FAR_FUTURE),
        429,
        {"Content-Type": _TYPE, "Retry-After": "Thu, 01 Jan 2099 00:00:00 GMT"},
        _TOO_MANY,
        0,
    ),
    (LoginRedirect(), 302, {"Content-Type": _TYPE, "Location": "/login"}, _FOUND, 0),
    (LoginPage(reaches_engine=False), 200, {"Content-Type": _TYPE}, _LOG_IN, 0),
    (LoginPage(reaches_engine=True), 200, {"Content-Type": _TYPE}, _LOG_IN, 1),
    (OptimisticLocking(), 500, {"Content-Type": "application/json"}, _CONFLICT, 0),
]


@pytest.mark.parametrize(("fault", "status", "headers", "body", "seen"), ANSWERS, ids=str)
def test_what_is_answered_for_the_engine(
    fault: Fault, status: int, headers: dict[str, str], body: bytes, seen: int
) -> None:
    """
    Whole answers, after which the connection could go on.
    """
    with Stub(_ANSWER) as stub, FaultProxy(stub.url, always(fault)) as proxy:
        answer = asked(proxy)

        assert answer == (status, {**headers, "Content-Length": str(len(body))}, body)
        assert (len(stub.seen), proxy.forwarded, proxy.struck) == (seen, seen, {fault: 1})


def test_every_fault_is_tried_here() -> None:
    """
    None is forgotten, and none is there twice.
    """
    resets = {Cut(part, by_reset=True) for part in Part}
    faults = every_fault(0.01)

    assert {*faults} == {*BYTES, *(row[0] for row in ANSWERS), *resets}
    assert len(faults) == 30


@pytest.mark.parametrize("fault", every_fault(0.01), ids=str)
def test_fault_says_whether_it_reaches_the_engine(fault: Fault) -> None:
    """
    A judge relies on it: the task is gone then, and only then.
    """
    with (
        Engine() as engine,
        FaultProxy(engine.url, always(fault)) as proxy,
        engine.session() as direct,
    ):
        task_id = engine.create_task("a")
        task = f"{engine.local_url}/external-task/{task_id}"
        direct.post(f"{task}/lock", json={"workerId": "w1", "lockDuration": 60_000})
        with connect(proxy) as connection:
            connection.sendall(
                f"POST /engine-rest/external-task/{task_id}/complete HTTP/1.1\r\n"
                "Content-Type: application/json\r\nContent-Length: 18\r\n"
                'Connection: close\r\n\r\n{"workerId": "w1"}'.encode("ascii")
            )
            received(connection)

        assert direct.get(task).status_code == (404 if fault.reaches_engine else 200)


# ---------------------------------------------------------------------------------------- stalls


def test_late_request_is_executed_after_the_client_has_gone() -> None:
    """
    The worst that a network can do to a command.
    """
    arrived = threading.Event()

    def answer(connection: Connection) -> None:
        arrived.set()
        connection.send(NO_CONTENT)

    plan = always(Stalled(Stage.BEFORE_FORWARDING, _FOR_EVER))
    with Stub(answer) as stub, FaultProxy(stub.url, plan) as proxy:
        with connect(proxy) as connection:
            connection.sendall(request())
            before = len(stub.seen)

        assert (before, arrived.wait(30)) == (0, True)


@pytest.mark.parametrize(
    ("stage", "first"), [(Stage.IN_HEAD, _HALF_HEAD), (Stage.IN_BODY, _HEAD + b'{"coun')]
)
def test_half_is_there_while_the_other_half_is_not(stage: Stage, first: bytes) -> None:
    """
    A client whose time-out is over has read so much; that it hangs up ends the wait.
    """
    with Stub(_ANSWER) as stub, FaultProxy(stub.url, always(Stalled(stage, _FOR_EVER))) as proxy:
        with connect(proxy) as connection:
            connection.sendall(request())
            came = b""
            while len(came) < len(first):
                came += connection.recv(65536)
        again = told_half(proxy, len(first))

        assert (came, again) == (first, first)


def told_half(proxy: FaultProxy, size: int) -> bytes:
    """
    Give the first so many bytes that come for one request.
    """
    with connect(proxy) as connection, connection.makefile("rb") as reader:
        connection.sendall(request())
        return reader.read(size)


@pytest.mark.parametrize("stage", Stage)
def test_end_of_the_proxy_ends_a_stall(stage: Stage) -> None:
    """
    It does not keep a test waiting; what the engine has not got, it does not get.
    """
    struck = threading.Event()

    def plan(request: Request) -> Fault:
        struck.set()
        return Stalled(stage, _FOR_EVER)

    with Stub(_ANSWER) as stub:
        with FaultProxy(stub.url, plan) as proxy:
            connection = connect(proxy)
            connection.sendall(request())
            assert struck.wait(30)
        with connection:
            content, _ = received(connection)

        assert (_HEAD + _BODY).startswith(content)
        assert content != _HEAD + _BODY
        assert stage is not Stage.BEFORE_FORWARDING or stub.seen == []


def test_end_of_the_proxy_ends_a_long_poll() -> None:
    """
    An engine that is silent does not keep a test waiting.
    """
    arrived = threading.Event()

    def silence(connection: Connection) -> None:
        arrived.set()
        connection.wait(_FOR_EVER)

    with Stub(silence) as stub:
        with FaultProxy(stub.url) as proxy:
            connection = connect(proxy)
            connection.sendall(request())
            assert arrived.wait(30)
        with connection:
            assert received(connection)[0] == b""


# --------------------------------------------------------------------------------------- outages


def test_outage_refuses_at_the_same_port_and_ends() -> None:
    """
    Connections that were there are cut, idle ones too; after it, all is as before.
    """
    with Stub(_ANSWER) as stub, FaultProxy(stub.url) as proxy:
        url = proxy.url
        with connect(proxy) as idle:
            idle.sendall(request())
            assert idle.recv(65536) != b""
            for _ in range(3):
                with proxy.outage():
                    for _ in range(3):
                        with pytest.raises(ConnectionRefusedError):
                            connect(proxy)
                assert told(proxy) == (_HEAD + _BODY, "closed")
            rest, _ = received(idle)

        assert (rest, proxy.url, len(stub.seen)) == (b"", url, 4)


def test_outage_does_not_undo_what_the_engine_was_given() -> None:
    """
    The client does not hear of it any more.
    """
    arrived, let_go = threading.Event(), threading.Event()

    def answer(connection: Connection) -> None:
        arrived.set()
        let_go.wait(30)
        connection.send(_ANSWER)

    with Stub(answer) as stub, FaultProxy(stub.url) as proxy, connect(proxy) as connection:
        connection.sendall(request())
        assert arrived.wait(30)
        with proxy.outage():
            content, _ = received(connection)
        let_go.set()

        assert (content, len(stub.seen)) == (b"", 1)


# ------------------------------------------------------------------------------------- many, ends


def test_many_threads_get_their_own_answers() -> None:
    """
    The counters are right, and only the last requests are remembered.
    """
    threads, rounds = 64, 20

    def ask(proxy: FaultProxy, ready: threading.Barrier) -> list[tuple[int, bytes]]:
        connection = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=60)
        connection.connect()
        ready.wait(60)
        answers = []
        for _ in range(rounds):
            connection.request("GET", "/engine-rest/external-task/count")
            with connection.getresponse() as response:
                answers.append((response.status, response.read()))
        connection.close()
        return answers

    plan = only("/count", lambda request: OptimisticLocking() if request.ordinal % 2 else None)
    with (
        Engine() as engine,
        FaultProxy(engine.url, plan) as proxy,
        ThreadPoolExecutor(threads) as pool,
    ):
        ready = threading.Barrier(threads)
        asked = [pool.submit(ask, proxy, ready) for _ in range(threads)]
        answers = [answer for one in asked for answer in one.result()]

        assert sorted(answers) == [(200, b'{"count":0}')] * 640 + [(500, _CONFLICT)] * 640
        assert (proxy.requests, proxy.forwarded, proxy.connections) == (1280, 640, 64)
        assert proxy.struck == {OptimisticLocking(): 640}
        assert len(proxy.story.splitlines()) == 50


def test_story_tells_the_last_requests() -> None:
    """
    With the fault that each met.
    """
    with Stub(_ANSWER) as stub, FaultProxy(stub.url, nth(2, LoginRedirect())) as proxy:
        told(proxy)
        told(proxy)

        assert proxy.story == (
            "1 POST /engine-rest/external-task/count?a=%20b: passed\n"
            "2 POST /engine-rest/external-task/count?a=%20b: LoginRedirect(location='/login')"
        )


def test_nothing_is_left_of_it() -> None:
    """
    Neither threads nor sockets; nobody listens at the port any more.
    """
    before = threading.enumerate()
    with Stub(_ANSWER) as stub:
        with FaultProxy(stub.url, nth(2, Stalled(Stage.IN_BODY, _FOR_EVER))) as proxy:
            told(proxy)
            told_half(proxy, 1)
            idle, silent = connect(proxy), connect(proxy)
            silent.sendall(b"POST /engine-rest")
        with idle, silent, pytest.raises(ConnectionRefusedError):
            connect(proxy)
    del proxy
    gc.collect()  # a socket that nobody closed would warn now

    assert threading.enumerate() == before


def test_what_is_no_url_is_refused() -> None:
    """
    At once, and not when the first request comes.
    """
    with pytest.raises(ValueError, match=r"^'https://a/b' is no URL of plain HTTP$"):
        FaultProxy("https://a/b")


# ----------------------------------------------------------------------------------------- plans


def met(plan: Plan, *paths: str) -> str:
    """
    Give a letter for each request: ``x`` for a closed connection, ``r`` for a reset, or ``.``.
    """
    letters = {CLOSED_BEFORE: "x", RESET_BEFORE: "r", None: "."}
    requests = (
        Request(method="POST", path=path, ordinal=ordinal) for ordinal, path in enumerate(paths, 1)
    )
    return "".join(letters[plan(request)] for request in requests)  # type: ignore[index]  # no other faults are planned here


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: no_faults, "......"),
        (lambda: always(CLOSED_BEFORE), "xxxxxx"),
        (lambda: nth(3, CLOSED_BEFORE), "..x..."),
        (lambda: sequence(CLOSED_BEFORE, None, RESET_BEFORE), "x.r..."),
        (lambda: sequence(), "......"),
        (lambda: random_plan(1, 0, [CLOSED_BEFORE]), "......"),
        (lambda: random_plan(1, 1, [CLOSED_BEFORE]), "xxxxxx"),
        (lambda: only("/b", always(CLOSED_BEFORE)), ".x.x.x"),
        (lambda: only("/b", nth(2, CLOSED_BEFORE)), "...x.."),
        (lambda: only("/a", sequence(RESET_BEFORE, CLOSED_BEFORE)), "r.x..."),
        (lambda: only("/a", always(RESET_BEFORE), method="POST"), "r.r.r."),
        (lambda: only("/a", always(RESET_BEFORE), method="GET"), "......"),
    ],
)
def test_which_requests_meet_a_fault(make: Callable[[], Plan], expected: str) -> None:
    """
    All plans count from 1; one for an operation counts its requests alone.
    """
    assert met(make(), "/x/a", "/x/b", "/x/a", "/x/b", "/x/a", "/x/b") == expected


def test_random_plan_depends_on_seed_and_ordinal_alone() -> None:
    """
    In whatever order threads ask, and with about as many faults as wished.
    """
    faults = (CLOSED_BEFORE, RESET_BEFORE)
    requests = [Request(method="GET", path="/", ordinal=ordinal) for ordinal in range(1, 10_001)]
    plan, other = random_plan(7, 0.2, faults), random_plan(8, 0.2, faults)

    forwards = [plan(request) for request in requests]
    backwards = [plan(request) for request in reversed(requests)]

    assert forwards == backwards[::-1]
    assert forwards != [other(request) for request in requests]
    assert 850 < forwards.count(CLOSED_BEFORE) < 1150
    assert 850 < forwards.count(RESET_BEFORE) < 1150


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nth(0, CLOSED_BEFORE), "requests are counted from 1, not from 0"),
        (lambda: random_plan(1, 1.5, [CLOSED_BEFORE]), "chance must be between 0 and 1, not 1.5"),
        (lambda: random_plan(1, 0.5, []), "there must be a fault to choose"),
    ],
)
def test_wrong_plans_are_refused(make: Callable[[], Plan], message: str) -> None:
    """
    At once.
    """
    with pytest.raises(ValueError, match=f"^{message}$"):
        make()
