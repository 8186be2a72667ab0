"""
What HTTP itself makes of a request: the answers are those of Camunda 7.24, recorded.
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import json
import socket
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
import requests

from camunda_ext import ExternalTaskQuery
from camunda_ext.testing import Engine
from camunda_ext.testing.bpmn import xml

_JSON: Final = "application/json"
_COUNT: Final = {"count": 0}
_NOT_FOUND: Final = "NotFoundException: HTTP 404 Not Found"
_NOT_ALLOWED: Final = "NotAllowedException: HTTP 405 Method Not Allowed"
_NOT_SUPPORTED: Final = "NotSupportedException: HTTP 415 Unsupported Media Type"
_NOT_ACCEPTABLE: Final = "NotAcceptableException: HTTP 406 Not Acceptable"
#: Tomcat's own, in HTML.
_PAGE: Final = "page"
#: Which of two readers complains of JSON, and how, differs from start to start.
_UNREADABLE: Final = "unreadable"


def no_task(task_id: str) -> str:
    """
    The error of a task that does not exist.
    """
    return f"RestException: External task with id {task_id} does not exist"


def no_boolean(value: str) -> str:
    """
    The error of a flag that is neither true nor false.
    """
    return (
        f"InvalidRequestException: Cannot set query parameter 'active' to value '{value}': "
        f"Cannot convert value {value} to java type java.lang.Boolean"
    )


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """
    An engine without any task.
    """
    with Engine() as engine:
        yield engine


def send(
    url: str,
    method: str,
    target: str,
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
    *,
    host: str | None = "",
) -> tuple[int, dict[str, str], bytes]:
    """
    Status, headers and body of the answer to a request that is sent as it is.
    """
    server = urlsplit(url)
    lines = [f"{method} {target} HTTP/1.1"]
    if host is not None:
        lines.append(f"Host: {host or server.netloc}")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if content is not None:
        lines.append(f"Content-Length: {len(content)}")
    head = "\r\n".join((*lines, "", "")).encode("latin-1")
    connection = http.client.HTTPConnection(str(server.hostname), server.port, timeout=60)
    connection.connect()
    try:
        connection.sock.sendall(head + (content or b""))
        answer = http.client.HTTPResponse(connection.sock, method=method)
        answer.begin()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def summary(answer: tuple[int, dict[str, str], bytes]) -> tuple[int, Any]:
    """
    The status of an answer, and its content in short.
    """
    status, headers, content = answer
    kind = headers.get("Content-Type", "")
    if kind.startswith("text/html"):
        return status, _PAGE
    if kind != _JSON or not content:
        return status, content
    body = json.loads(content)
    if not isinstance(body, dict) or body.keys() != {"type", "message", "code"}:
        return status, body
    if (body["type"], body["message"]) == ("InvalidRequestException", ""):
        return status, _UNREADABLE
    if body["type"] == "NullPointerException":
        return status, "NullPointerException"
    code = "" if body["code"] is None else f" ({body['code']})"
    return status, f"{body['type']}: {body['message']}{code}"


PATHS: Final[list[tuple[str, str, int, Any]]] = [
    ("GET", "/engine-rest", 404, _NOT_FOUND),
    ("GET", "/engine-rest/", 404, _NOT_FOUND),
    ("GET", "/", 404, _PAGE),
    ("GET", "/engine-restx", 404, _PAGE),
    ("GET", "/engine-rest//external-task/count", 404, _NOT_FOUND),
    ("GET", "/engine-rest/external-task/", 200, []),
    ("GET", "/engine-rest/external-task/count/", 200, _COUNT),
    ("GET", "/engine-rest/external-task/x/", 404, no_task("x")),
    ("GET", "/engine-rest/external-task/a%2Fb", 400, _PAGE),
    ("GET", "/engine-rest/external-task/a%5Cb", 400, _PAGE),
    ("GET", "/engine-rest/external-task/a%00b", 400, _PAGE),
    ("GET", "/engine-rest/external-task/%E9", 400, _PAGE),
    ("GET", "/engine-rest/external-task/%ED%A0%80", 400, _PAGE),
    ("GET", "/engine-rest/external-task/%C0%AF", 400, _PAGE),
    ("GET", "/engine-rest/external-task/%zz", 400, _PAGE),
    ("GET", "/engine-rest/external-task/%2", 400, _PAGE),
    ("GET", "/engine-rest/external-task/a b", 400, _PAGE),
    ("GET", "/engine-rest/external-task/<", 400, _PAGE),
    ("GET", "/engine-rest/external-task/{", 400, _PAGE),
    ("GET", "/engine-rest/external-task/|", 400, _PAGE),
    ("GET", "/engine-rest/external-task/\\", 400, _PAGE),
    ("GET", '/engine-rest/external-task/"', 400, _PAGE),
    ("GET", "/engine-rest/external-task/^", 400, _PAGE),
    ("GET", "/engine-rest/external-task/`", 400, _PAGE),
    ("GET", "/engine-rest/external-task/[", 400, _PAGE),
    ("GET", "/engine-rest/external-task/é", 400, _PAGE),
    ("GET", "/engine-rest/external-task/a%20b", 404, no_task("a b")),
    ("GET", "/engine-rest/external-task/a+b", 404, no_task("a+b")),
    ("GET", "/engine-rest/external-task/a%25b", 404, no_task("a%b")),
    ("GET", "/engine-rest/external-task/%C3%A9", 404, no_task("é")),
    ("GET", "/engine-rest/external-task/%F0%9F%98%80", 404, no_task("😀")),
    ("GET", "/engine-rest/external-task/%3B", 404, no_task(";")),
    ("GET", "/engine-rest/external-task/%3F", 404, no_task("?")),
    ("GET", "/engine-rest/external-task/%23", 404, no_task("#")),
    ("GET", "/engine-rest/external-task/%22", 404, no_task('"')),
    ("GET", "/engine-rest/external-task/%7B", 404, no_task("{")),
    ("GET", "/engine-rest/external-task/%7C", 404, no_task("|")),
    ("GET", "/engine-rest/external-task/a%0Ab", 404, no_task("a\nb")),
    ("GET", "/engine-rest/external-task/%0A", 404, no_task("\n")),
    ("GET", "/engine-rest/external-task/%7F", 404, no_task("\x7f")),
    ("GET", "/engine-rest/external-task/a'()*!$&,=:@~b", 404, no_task("a'()*!$&,=:@~b")),
    ("GET", "/engine-rest/external-task/a;b", 404, no_task("a")),
    (
        "GET",
        "/engine-rest/external-task/a;b/errorDetails",
        500,
        "NullValueException: No external task found with id a: externalTask is null (0)",
    ),
    ("GET", "/engine-rest/external-task;x=1/count;y", 200, _COUNT),
    ("GET", "/engine-rest/external-task/;x", 200, []),
    ("GET", "/engine-rest/external-task/count;x?active=x", 400, no_boolean("x")),
    ("GET", "/engine-rest/external-task/.", 404, no_task(".")),
    ("GET", "/engine-rest/external-task/..", 404, no_task("..")),
    ("GET", "/engine-rest/external-task/%2E%2E", 404, no_task("..")),
    ("GET", "/engine-rest/external-task/../version", 404, _NOT_FOUND),
    ("GET", "/engine-rest/external-task/x/../count", 404, _NOT_FOUND),
    ("GET", "/engine-rest/External-Task/count", 404, _NOT_FOUND),
    ("GET", "/engine-rest/external-task/count#b", 400, _PAGE),
    ("GET", "/engine-rest/engine", 200, [{"name": "default"}]),
    ("GET", "/engine-rest/engine/default", 404, _NOT_FOUND),
    ("GET", "/engine-rest/engine/default/version", 200, {"version": "7.24.0"}),
    ("GET", "/engine-rest/engine/nope/version", 200, {"version": "7.24.0"}),
    ("GET", "/engine-rest/engine/nope", 404, _NOT_FOUND),
    ("GET", "/engine-rest/engine//version", 404, _NOT_FOUND),
    ("GET", "/engine-rest/nope", 404, _NOT_FOUND),
    ("GET", "/engine-rest/external-task/x/nope", 404, _NOT_FOUND),
]
QUERIES: Final[list[tuple[str, str, int, Any]]] = [
    ("GET", "/engine-rest/external-task/count?", 200, _COUNT),
    ("GET", "/engine-rest/external-task/count?&&=&x", 200, _COUNT),
    ("GET", "/engine-rest/external-task/count?x={", 400, _PAGE),
    ("GET", "/engine-rest/external-task/count?x=|", 400, _PAGE),
    ("GET", "/engine-rest/external-task/count?x=[", 400, _PAGE),
    ("GET", '/engine-rest/external-task/count?x="', 400, _PAGE),
    ("GET", "/engine-rest/external-task/count?x=\\", 400, _PAGE),
    ("GET", "/engine-rest/external-task/count?x=^", 400, _PAGE),
    ("GET", "/engine-rest/external-task/count?x=`", 400, _PAGE),
    ("GET", "/engine-rest/external-task/count?x=a#b", 400, _PAGE),
    ("GET", "/engine-rest/external-task/count?x=é", 400, _PAGE),
    ("GET", "/engine-rest/external-task/count?x=a b", 400, _PAGE),
    ("GET", "/engine-rest/external-task/count?x=%zz&topicName=%zz", 200, _COUNT),
    ("GET", "/engine-rest/external-task/count?x=%00%FF", 200, _COUNT),
    ("GET", "/engine-rest/external-task/count?active=tru%65", 200, _COUNT),
    ("GET", "/engine-rest/external-task/count?%61ctive=x", 400, no_boolean("x")),
    ("GET", "/engine-rest/external-task/count?active=x+y", 400, no_boolean("x y")),
    ("GET", "/engine-rest/external-task/count?active=x%2By", 400, no_boolean("x+y")),
    ("GET", "/engine-rest/external-task/count?active=%E9", 400, no_boolean("�")),
    ("GET", "/engine-rest/external-task/count?active=true&active=x", 200, _COUNT),
    ("GET", "/engine-rest/external-task/count?active=x&active=true", 400, no_boolean("x")),
    ("GET", "/engine-rest/external-task/count?active=%zz", 400, no_boolean("%zz")),
]
METHODS: Final[list[tuple[str, str, int, Any]]] = [
    ("PATCH", "/engine-rest/external-task", 405, _NOT_ALLOWED),
    ("DELETE", "/engine-rest/external-task", 405, _NOT_ALLOWED),
    ("PUT", "/engine-rest/external-task/count", 405, _NOT_ALLOWED),
    ("FOO", "/engine-rest/external-task", 405, _NOT_ALLOWED),
    ("OPTIONS", "/engine-rest/external-task", 405, _NOT_ALLOWED),
    ("DELETE", "/engine-rest/external-task/x", 405, _NOT_ALLOWED),
    ("GET", "/engine-rest/external-task/x/complete", 405, _NOT_ALLOWED),
    ("PUT", "/engine-rest/external-task/x/complete", 405, _NOT_ALLOWED),
    ("POST", "/engine-rest/external-task/x", 405, _NOT_ALLOWED),
    ("GET", "/engine-rest/external-task/fetchAndLock", 405, _NOT_ALLOWED),
    ("GET", "/engine-rest/external-task/retries", 405, _NOT_ALLOWED),
    ("GET", "/engine-rest/external-task/retries-async", 405, _NOT_ALLOWED),
    ("PATCH", "/engine-rest/nope", 404, _NOT_FOUND),
    ("HEAD", "/engine-rest/external-task/count", 200, b""),
    ("HEAD", "/engine-rest/external-task/x", 404, b""),
    ("HEAD", "/engine-rest/nope", 404, b""),
    ("HEAD", "/engine-rest/external-task/x/complete", 405, b""),
    ("POST", "/engine-rest/external-task//complete", 404, _NOT_FOUND),
    ("PUT", "/engine-rest/external-task//retries", 404, _NOT_FOUND),
]
BODIES: Final[list[tuple[str | None, bytes, int, Any]]] = [
    ("text/plain", b"{}", 415, _NOT_SUPPORTED),
    (None, b"{}", 415, _NOT_SUPPORTED),
    (None, b"", 500, "NullPointerException"),
    (_JSON, b"", 200, _COUNT),
    ("text/plain", b"", 415, _NOT_SUPPORTED),
    ("application/json; charset=utf-8", b"{}", 200, _COUNT),
    ("Application/JSON", b"{}", 200, _COUNT),
    ("application/hal+json", b"{}", 415, _NOT_SUPPORTED),
    ("application/*", b"{}", 415, _NOT_SUPPORTED),
    ("*/*", b"{}", 415, _NOT_SUPPORTED),
    (_JSON, b"\xff\xfe{\x00}\x00", 200, _COUNT),
    (_JSON, b"{\x00}\x00", 200, _COUNT),
    (_JSON, b"\x00{\x00}", 200, _COUNT),
    (_JSON, b"\xff\xfe\x00\x00{\x00\x00\x00}\x00\x00\x00", 200, _COUNT),
    (_JSON, b"\x00\x00\x00{\x00\x00\x00}", 200, _COUNT),
    (_JSON, b"\xef\xbb\xbf{}", 200, _COUNT),
    (_JSON, b"\xef\xbb\xbf", 400, _UNREADABLE),
    (_JSON, b"\xff", 400, _UNREADABLE),
    (_JSON, b'{"topicName":"\xe9"}', 400, _UNREADABLE),
    (_JSON, b'{"topicName":"a\x00"}', 400, _UNREADABLE),
    (_JSON, b'{"topicName":"\\u0000"}', 200, _COUNT),
    (_JSON, b'{"topicName":"\\ud800"}', 200, _COUNT),
    (_JSON, b'{"topicName":"nope","topicName":null}', 200, _COUNT),
    (_JSON, b"{}{}", 400, _UNREADABLE),
    (_JSON, b"{} x", 400, _UNREADABLE),
    (_JSON, b"{} \n", 200, _COUNT),
    (_JSON, b"null", 500, "NullPointerException"),
    (_JSON, b"[]", 400, _UNREADABLE),
    (_JSON, b"1", 400, _UNREADABLE),
    (_JSON, b'""', 400, _UNREADABLE),
    (_JSON, b"true", 400, _UNREADABLE),
    (_JSON, b"{", 400, _UNREADABLE),
    (_JSON, b'{"a":1,}', 400, _UNREADABLE),
    (_JSON, b"{'a':1}", 400, _UNREADABLE),
    (_JSON, b"{a:1}", 400, _UNREADABLE),
    (_JSON, b'{"a":NaN}', 400, _UNREADABLE),
    (_JSON, b'{"a":01}', 400, _UNREADABLE),
    (_JSON, b'{"a":1.}', 400, _UNREADABLE),
    (_JSON, b'{"a":+1}', 400, _UNREADABLE),
    (_JSON, b'{"a":/**/1}', 400, _UNREADABLE),
    (_JSON, b'{"a":"\t"}', 400, _UNREADABLE),
    (_JSON, b'{"a":"\\x"}', 400, _UNREADABLE),
    (_JSON, b'{"priorityHigherThanOrEquals":9223372036854775807}', 200, _COUNT),
    (_JSON, b'{"priorityHigherThanOrEquals":9223372036854775808}', 400, _UNREADABLE),
    (_JSON, b'{"priorityHigherThanOrEquals":1e3}', 200, _COUNT),
    (_JSON, b'{"priorityHigherThanOrEquals":1e999999999}', 400, _UNREADABLE),
    (_JSON, b'{"a":1e99999999999999999999}', 200, _COUNT),
]


@pytest.mark.parametrize(("method", "target", "status", "expected"), [*PATHS, *QUERIES, *METHODS])
def test_targets(engine: Engine, method: str, target: str, status: int, expected: Any) -> None:
    """
    Some never get to the engine, and of those that do, it takes each character as it is.
    """
    brings = method in ("POST", "PUT", "PATCH")
    headers, content = ({"Content-Type": _JSON}, b"{}") if brings else ({}, None)

    assert summary(send(engine.url, method, target, headers, content)) == (
        status,
        expected,
    )


@pytest.mark.parametrize(("kind", "content", "status", "expected"), BODIES)
def test_bodies(
    engine: Engine, kind: str | None, content: bytes, status: int, expected: Any
) -> None:
    """
    A body is JSON, in whatever encoding JSON may have.
    """
    headers = {} if kind is None else {"Content-Type": kind}
    answer = send(engine.url, "POST", "/engine-rest/external-task/count", headers, content)

    assert summary(answer) == (status, expected)


@pytest.mark.parametrize(
    ("accept", "status", "expected"),
    [
        ("application/json", 200, _COUNT),
        ("application/*", 200, _COUNT),
        ("*/*;q=0.1", 200, _COUNT),
        ("", 200, _COUNT),
        ("text/html, application/json;q=0.5", 200, _COUNT),
        ("application/json;charset=x", 200, _COUNT),
        ("text/html", 406, _NOT_ACCEPTABLE),
        ("application/json;q=0", 200, _COUNT),
    ],
)
def test_what_is_acceptable(engine: Engine, accept: str, status: int, expected: Any) -> None:
    """
    A client gets JSON that takes JSON.
    """
    url = "/engine-rest/external-task/count"

    assert summary(send(engine.url, "GET", url, {"Accept": accept})) == (
        status,
        expected,
    )


def test_unlock_takes_any_body(engine: Engine) -> None:
    """
    It reads none.
    """
    url = "/engine-rest/external-task/x/unlock"
    expected = (404, "RestException: External task with id x does not exist (0)")

    assert summary(send(engine.url, "POST", url)) == expected
    assert summary(send(engine.url, "POST", url, {"Content-Type": "text/plain"}, b"x")) == expected
    assert summary(send(engine.url, "POST", url, {"Content-Type": _JSON}, b"{")) == expected


def nested(depth: int) -> bytes:
    """
    A JSON object with lists in lists, *depth* of them.
    """
    lists = depth - 1
    return b'{"x":' + b"[" * lists + b"]" * lists + b"}"


_DEEP: Final = (
    500,
    (
        "StreamConstraintsException: Document nesting depth (1001) exceeds the maximum allowed "
        "(1000, from `StreamReadConstraints.getMaxNestingDepth()`)"
    ),
)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (nested(1000), (200, _COUNT)),
        (nested(1001), _DEEP),
        (nested(100_000), _DEEP),
        (b'{"a":' * 100_000, _DEEP),
        (b'{"a":' + b"1" * 1000 + b"}", (200, _COUNT)),
    ],
    ids=["deep", "too deep", "far too deep", "without end", "long number"],
)
def test_json_has_limits(engine: Engine, content: bytes, expected: Any) -> None:
    """
    What is too much is refused, and nothing breaks of it.
    """
    url = "/engine-rest/external-task/count"

    assert summary(send(engine.url, "POST", url, {"Content-Type": _JSON}, content)) == expected


@pytest.mark.parametrize("digits", [1001, 100_000])
def test_long_numbers_are_refused(engine: Engine, digits: int) -> None:
    """
    Also those that Python would not read.
    """
    url = "/engine-rest/external-task/count"
    content = b'{"a":' + b"1" * digits + b"}"

    status, error = summary(send(engine.url, "POST", url, {"Content-Type": _JSON}, content))

    assert (status, error.partition(": ")[0]) == (500, "StreamConstraintsException")


@pytest.mark.parametrize("content", [nested(100_000), b'{"a":' * 100_000, b'{"a":' + b"1" * 99_999])
def test_older_versions_survive_what_they_do_not_limit(content: bytes) -> None:
    """
    Their answer is some error, and the next request is answered as ever.
    """
    with Engine(version="7.18") as engine:
        url = "/engine-rest/external-task/count"
        status, _ = summary(send(engine.url, "POST", url, {"Content-Type": _JSON}, content))

        assert status in (400, 500)
        assert summary(send(engine.url, "GET", url)) == (200, _COUNT)


def test_gzip_is_not_read(engine: Engine) -> None:
    """
    Whatever the request says of its encoding, it is taken as it is.
    """
    headers = {"Content-Type": _JSON, "Content-Encoding": "gzip"}
    url = "/engine-rest/external-task/count"

    assert summary(send(engine.url, "POST", url, headers, gzip.compress(b"{}"))) == (
        400,
        _UNREADABLE,
    )
    assert summary(send(engine.url, "POST", url, headers, b"{}")) == (200, _COUNT)


def test_unknown_engine_is_refused(engine: Engine) -> None:
    """
    Only the default one is there; its version is told under any name.
    """
    url = "/engine-rest/engine/nope"

    assert summary(send(engine.url, "GET", f"{url}/external-task/count")) == (
        400,
        "InvalidRequestException: No process engine available",
    )
    assert summary(send(engine.url, "GET", f"{url}/version")) == (
        200,
        {"version": "7.24.0"},
    )


# ------------------------------------------------------------------------------- who may ask at all


_FOREIGN: Final = (403, b"this engine answers to this machine")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.1.evil.example:80",
        "127.0.0.1@evil.example",
        "127-0-0-1.nip.io",
        "localtest.me",
        "192.168.0.1",
        "0.0.0.0",  # noqa: S104  # nobody listens there
        "169.254.169.254",
        "[2001:db8::1]:80",
        None,
    ],
)
def test_foreign_hosts_are_refused(engine: Engine, host: str | None) -> None:
    """
    A web page whose name leads to this machine cannot reach the engine by it.
    """
    assert summary(send(engine.url, "GET", "/engine-rest/version", host=host))[0] in (
        400,
        403,
    )
    if host is not None:
        assert summary(send(engine.url, "GET", "/engine-rest/version", host=host)) == _FOREIGN


@pytest.mark.parametrize(
    "target", ["http://evil.example{}", "http://localhost@evil.example{}", "a/b://evil.example{}"]
)
def test_foreign_hosts_of_targets_are_refused(engine: Engine, target: str) -> None:
    """
    A header that names this machine does not help them.
    """
    answer = send(engine.url, "GET", target.format("/engine-rest/version"), host="localhost")

    assert summary(answer) == _FOREIGN


@pytest.mark.parametrize("line", ["GET {} HTTP/1.0", "GET {}"])
def test_client_without_a_host_is_of_this_machine(engine: Engine, line: str) -> None:
    """
    HTTP/1.0 need not name one, and no browser speaks it.
    """
    server = urlsplit(engine.url)
    address = (str(server.hostname), int(server.port or 0))
    with socket.create_connection(address, timeout=60) as connection:
        line = line.format("/engine-rest/external-task/count")
        connection.sendall(f"{line}\r\n\r\n".encode())
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert (answer.status, json.loads(answer.read())) == (200, _COUNT)


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:1", "127.0.0.1", "127.0.0.1:80", "127.1.2.3", "[::1]:8080"]
)
def test_names_of_this_machine_are_taken(engine: Engine, host: str) -> None:
    """
    Whatever the port: it may have been forwarded.
    """
    answer = send(engine.url, "GET", "/engine-rest/external-task/count", host=host)

    assert summary(answer) == (200, _COUNT)


def test_engine_for_other_machines_takes_any_name() -> None:
    """
    Who serves it to others knows why.
    """
    with Engine() as engine:
        engine.serve(remote=True)
        answer = send(
            engine.url, "GET", "/engine-rest/external-task/count", host="engine.example:80"
        )

        assert summary(answer) == (200, _COUNT)


def test_web_pages_are_told_nothing(engine: Engine) -> None:
    """
    No header lets a browser hand an answer to a page of somebody else.
    """
    headers = {
        "Origin": "https://evil.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    answers = [
        send(engine.url, method, "/engine-rest/external-task/count", headers)[1]
        for method in ("GET", "OPTIONS")
    ]

    assert [name for each in answers for name in each if name.lower().startswith("access-")] == []


# -------------------------------------------------------------------------------------- credentials


def basic(credentials: bytes | str, *, scheme: str = "Basic ") -> str:
    """
    The header that proves who asks.
    """
    encoded = credentials if isinstance(credentials, bytes) else credentials.encode()
    return scheme + b64encode(encoded).decode()


_GOOD: Final = basic("kim:pässword:")
_ENCODED: Final = _GOOD.removeprefix("Basic ")


@pytest.fixture
def guarded() -> Iterator[Engine]:
    """
    An engine that knows one user.
    """
    with Engine(auth=("kim", "pässword:")) as engine:
        yield engine


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 401),
        ("", 401),
        ("Basic", 401),
        ("Basic ", 401),
        (_GOOD, 200),
        (f"{_GOOD} ", 200),
        (f"Basic  {_ENCODED}", 200),
        (basic("kim:pässword:", scheme="basic "), 401),
        (basic("kim:pässword:", scheme="BASIC "), 401),
        (basic("kim:pässword:", scheme="Bearer "), 401),
        (basic("kim:pässword:", scheme="Basic"), 401),
        (basic("kim:pässword:", scheme="Basic\t"), 401),
        (_ENCODED, 401),
        # What is no base64 is skipped, and what follows the end of it.
        (f"Basic {_ENCODED[:8]}!{_ENCODED[8:]}", 200),
        (f"Basic {_ENCODED[:8]} {_ENCODED[8:]}", 200),
        (f"Basic {_ENCODED.rstrip('=')}", 200),
        (f"{_GOOD}=", 200),
        ("Basic !!!!", 401),
        (basic("kim"), 401),
        (basic(":"), 401),
        (basic("pat:pässword:"), 401),
        (basic(b"pat:\xe9"), 401),
    ],
)
def test_credentials(guarded: Engine, authorization: str | None, status: int) -> None:
    """
    The header is read as the engine reads it; who does not prove to be somebody is told so.
    """
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = send(guarded.url, "GET", "/engine-rest/version", headers)

    assert answer[0] == status
    if status == 401:
        assert answer[1].pop("Date") != ""
        assert answer[1:] == (
            {"WWW-Authenticate": 'Basic realm="default"', "Content-Length": "0"},
            b"",
        )


def login(engine: Engine, credentials: str) -> int:
    """
    The status that a user gets.
    """
    with requests.Session() as session:
        session.mount("http://", engine.session().get_adapter(engine.local_url))
        session.headers["Authorization"] = basic(credentials)
        return session.get(f"{engine.local_url}/version").status_code


@pytest.mark.parametrize("failures", range(1, 8))
def test_wrong_password_locks_the_user(guarded: Engine, failures: int) -> None:
    """
    For 3 seconds at first, and twice as long each time, up to a minute; the right one resets it.
    """
    seconds = [3, 6, 12, 24, 48, 60, 60]
    for each in seconds[: failures - 1]:
        assert login(guarded, "kim:wrong") == 401
        guarded.advance(each)

    assert login(guarded, "kim:wrong") == 401
    guarded.advance(seconds[failures - 1] - 1)
    # What is tried meanwhile is of no use, and does not count.
    assert [login(guarded, "kim:wrong"), login(guarded, "kim:pässword:")] == [401, 401]
    guarded.advance(1)
    assert login(guarded, "kim:pässword:") == 200

    assert login(guarded, "kim:wrong") == 401
    guarded.advance(3)
    assert login(guarded, "kim:pässword:") == 200


def test_tenth_wrong_password_locks_for_good(guarded: Engine) -> None:
    """
    No time is long enough then.
    """
    for _ in range(10):
        assert login(guarded, "kim:wrong") == 401
        guarded.advance(60)
    guarded.advance(86_400)

    assert login(guarded, "kim:pässword:") == 401


def test_lock_is_of_one_user(guarded: Engine) -> None:
    """
    Others know nothing of it, and who is nobody cannot be locked.
    """
    guarded.session().post(
        f"{guarded.local_url}/user/create",
        json={"profile": {"id": "pat"}, "credentials": {"password": "x"}},
    )
    for _ in range(3):
        assert [login(guarded, "kim:wrong"), login(guarded, "nobody:x")] == [401, 401]

    assert login(guarded, "pat:x") == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_engines_are_told_to_anybody(guarded: Engine, method: str) -> None:
    """
    It is the only thing that needs no credentials.
    """
    assert send(guarded.url, method, "/engine-rest/engine")[0] == 200
    assert send(guarded.url, method, "/engine-rest/engine/default")[0] == 401
    assert send(guarded.url, method, "/engine-rest/version")[0] == 401
    assert send(guarded.url, method, "/engine-rest/nope")[0] == 401


def test_password_is_not_in_the_file(tmp_path: Path) -> None:
    """
    Nor is it in what the engine says of itself.
    """
    with Engine(tmp_path / "engine.db", auth=("kim", "a secret password")) as engine:
        engine.create_task("a")
        engine.serve()
        shown = repr(engine)
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())

    assert "secret" not in shown
    assert b"secret" not in content
    for kind in ("md5", "sha1", "sha256", "sha512"):  # what tables of passwords are of
        assert hashlib.new(kind, b"a secret password").hexdigest().encode() not in content
    assert b"kim" in content


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://evil.example", 403),
        ("null", 403),
        ("http://localhost:3000", 200),
        ("http://127.0.0.1:8080", 200),
    ],
)
def test_a_page_of_elsewhere_may_not_ask(origin: str, status: int) -> None:
    """
    Its forms need nobody's consent to be sent, so the engine does not do what they say.
    """
    with Engine() as engine, requests.Session() as session:
        session.trust_env = False
        answer = session.get(f"{engine.url}/version", headers={"Origin": origin}, timeout=60)

    assert answer.status_code == status


def test_lists_may_be_long() -> None:
    """
    The real engine's database follows conditions that SQLite would not.
    """
    topics = [{"topicName": f"t{number}", "lockDuration": 5} for number in range(1200)]
    topics[7]["processVariables"] = {f"v{number}": number for number in range(1500)}
    sorting = [{"sortBy": "id", "sortOrder": "asc"}] * 3000
    with Engine() as engine, engine.session() as session:
        task = engine.create_task("t7", variables={"v3": 3})
        fetch = {"workerId": "w1", "maxTasks": 1, "topics": topics}
        fetched = session.post(f"{engine.local_url}/external-task/fetchAndLock", json=fetch)
        listed = session.post(f"{engine.local_url}/external-task", json={"sorting": sorting})

    assert [each["id"] for each in fetched.json()] == [task]
    assert [each["id"] for each in listed.json()] == [task]


@pytest.mark.parametrize(
    "body",
    [
        {"lockExpirationBefore": 99999999999999999999},
        {"priorityHigherThanOrEquals": "9" * 5000},
    ],
)
def test_a_number_beyond_64_bits_is_no_number(body: dict[str, Any]) -> None:
    """
    However many digits it has.
    """
    with Engine() as engine, engine.session() as session:
        answer = session.post(f"{engine.local_url}/external-task", json=body)

    assert (answer.status_code, answer.json()) == (
        400,
        {"type": "InvalidRequestException", "message": "", "code": None},
    )


# ------------------------------------------------------------------------------------- large bodies

_MODEL: Final = (
    '<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" targetNamespace="x" '
    'xmlns:camunda="http://camunda.org/schema/1.0/bpmn">'
    '<process id="p" isExecutable="true" camunda:historyTimeToLive="1">{}</process></definitions>'
)


def _conditions(count: int) -> dict[str, Any]:
    conditions = [{"name": "n", "operator": "neq", "value": f"{n}"} for n in range(count)]
    return {"processVariables": conditions}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/external-task", {"externalTaskIdIn": [str(number) for number in range(300_000)]}),
        ("/external-task/count", {"tenantIdIn": [str(number) for number in range(300_000)]}),
        ("/external-task", _conditions(2_000)),
        ("/external-task", _conditions(5_000)),
    ],
    ids=["ids", "tenants", "conditions", "more conditions"],
)
def test_a_large_query_is_one_like_others(path: str, body: dict[str, Any]) -> None:
    """
    However many parts it has.
    """
    with Engine() as engine, requests.Session() as session:
        engine.create_task("a", variables={"n": "x"})
        engine.serve()
        answer = session.post(engine.url + path, json=body, timeout=60)

    assert answer.status_code == 200
    assert len(answer.json()) == (0 if "externalTaskIdIn" in body else 1)


def test_elements_may_not_be_nested_without_end() -> None:
    """
    What nobody draws is refused, and not met by an exception.
    """
    depth = 1_500
    nested = "".join(f'<subProcess id="s{n}">' for n in range(depth)) + "</subProcess>" * depth
    with Engine() as engine, requests.Session() as session:
        engine.serve()
        answer = session.post(
            f"{engine.url}/deployment/create",
            files={"data": ("a.bpmn", _MODEL.format(nested))},
            timeout=60,
        )

    assert answer.headers["Content-Type"] == "application/json"
    assert "no elements in more than 200 others" in answer.json()["message"]


def test_a_text_without_an_end_is_looked_at_once() -> None:
    """
    Beside a number that is too long, which is told only outside of texts.
    """
    quotes = b'\\"' * 200_000
    with Engine() as engine, requests.Session() as session:
        engine.serve()
        answers = [
            session.post(
                f"{engine.url}/external-task",
                data=body,
                headers={"Content-Type": _JSON},
                timeout=60,
            ).json()["type"]
            for body in (b'{"a": "' + quotes + b"1" * 1001, b'{"a": ' + b"1" * 1001)
        ]

    assert answers == ["InvalidRequestException", "StreamConstraintsException"]


def test_each_line_of_a_text_is_kept() -> None:
    """
    Each is a piece of its own to the parser.
    """
    root = xml.read("a", b"<a>x" + b"\n" * 100_000 + b"<b/>y</a>")

    assert root.text == "x" + "\n" * 100_000 + "y"


# --------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("query", "is_taken"),
    [
        ("priorityHigherThanOrEquals=5", True),
        ("priorityHigherThanOrEquals=5%20x", False),
        ("priorityHigherThanOrEquals=5x", False),
        ("priorityHigherThanOrEquals=05", False),
        ("priorityHigherThanOrEquals=5,", False),
        ("locked=true", True),
        ("locked=truex", False),
        ("locked=true%20x", False),
        ("locked=2026-01-01", False),
    ],
)
def test_a_value_in_a_url_ends_where_it_ends(query: str, is_taken: bool) -> None:
    """
    The engine would take what has a blank and something else behind it.
    """
    with Engine() as engine, requests.Session() as session:
        engine.serve()
        answer = session.get(f"{engine.url}/external-task?{query}")

    assert answer.status_code == (200 if is_taken else 400)
    assert is_taken or "Cannot set query parameter" in answer.json()["message"]


def test_an_instance_starts_at_the_start_alone() -> None:
    """
    What would start it elsewhere is refused, not ignored.
    """
    with Engine() as engine, requests.Session() as session:
        engine.deploy(_MODEL.format('<startEvent id="s"/>'))
        engine.serve()
        url = f"{engine.url}/process-definition/key/p/start"
        instructions = [{"type": "startBeforeActivity", "activityId": "s"}]
        refused = session.post(url, json={"startInstructions": instructions})
        started = session.post(url, json={"startInstructions": []})

    assert (refused.status_code, started.status_code) == (400, 200)
    assert "runs no startInstructions" in refused.json()["message"]


@pytest.mark.parametrize("own", [None, 5])
def test_history_may_have_a_time_to_live_by_default(own: int | None) -> None:
    """
    Without which newer versions refuse a model that says none.
    """
    attribute = "" if own is None else f'camunda:historyTimeToLive="{own}"'
    model = _MODEL.replace('camunda:historyTimeToLive="1"', attribute)
    with Engine(history_time_to_live=180) as engine, requests.Session() as session:
        engine.deploy(model.format('<startEvent id="s"/>'))
        engine.serve()
        definition = session.get(f"{engine.url}/process-definition/key/p").json()

    assert definition["historyTimeToLive"] == (own or 180)
    with pytest.raises(ValueError, match="history_time_to_live"):
        Engine(history_time_to_live=-1)
    with pytest.raises(TypeError, match="history_time_to_live"):
        Engine(history_time_to_live="P1D")  # type: ignore[arg-type]  # no number


@pytest.mark.parametrize(
    ("text", "pattern", "is_like"),
    [
        ("a" * 3000, "%a%a%a%b", False),
        ("a" * 3000 + "b", "%a%a%a%b", True),
        ("abcabd", "%ab%d", True),
        ("abc", "a%b%c", True),
        ("aXbYb", "a%b", True),
        ("ab", "a%b%b", False),
        ("abab", "ab%ab%", True),
        ("aba", "ab%ba", False),
        ("a.c", "a_c%", True),
        ("a%b", "a\\%b", True),
        ("axb", "a\\%b", False),
    ],
)
def test_a_pattern_is_looked_for_piece_by_piece(text: str, pattern: str, is_like: bool) -> None:
    """
    Each piece where it comes first, and the last one at the end.
    """
    with Engine() as engine, engine.client() as client:
        engine.create_task("a", variables={"v": text})
        matches = client.count(ExternalTaskQuery().process_variable("v", "like", pattern))

    assert matches == int(is_like)


def test_a_value_that_is_nested_deeply_is_refused() -> None:
    """
    In the engine's form, and not by an exception; since 3.13, Python itself follows it.
    """
    nested: Any = "x"
    for _ in range(900):
        nested = [nested]
    with Engine() as engine, requests.Session() as session:
        engine.deploy(_MODEL.format('<startEvent id="s"/>'))
        engine.serve()
        answer = session.post(
            f"{engine.url}/process-definition/key/p/start",
            json={"variables": {"v": {"value": nested, "type": "String"}}},
        )

    assert (answer.status_code, answer.json()["type"]) == (400, "InvalidRequestException")
