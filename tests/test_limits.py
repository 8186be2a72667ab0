"""
Answers that are too large, too deep, too slow, or no answers at all: an error of ours, and in time.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import tracemalloc
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache
from time import monotonic
from types import GenericAlias
from typing import Any, Final
from unittest import mock

import attrs
import pytest
import requests
from hypothesis import HealthCheck, given, settings, strategies as st

from camunda_ext import (
    CamundaError,
    EngineFailure,
    ExternalTask,
    ExternalTaskClient,
    FetchedTasks,
    LockedExternalTask,
    NoAnswer,
    NotTheEngine,
    OutcomeUnknown,
    Timeout,
)
from camunda_ext._call.backoff import Retry
from camunda_ext._http.body import gunzip
from camunda_ext._wire import json as own_json
from camunda_ext._wire.decode import decode, decode_each
from camunda_ext.dto import CountResult
from tests.stub import (
    CERTIFICATE,
    NO_CONTENT,
    OPERATIONS,
    PAGE,
    Answer,
    Connection,
    Operation,
    Stub,
    drip,
    gzip_answer,
    json_answer,
    once,
    operation,
    raw_answer,
    then_close,
)

_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_COUNT: Final = b'{"count": 1}'
_LENGTH: Final = b"Content-Length: 12\r\n\r\n"
_CHUNKED: Final = b"Transfer-Encoding: chunked\r\n\r\n"
_TYPE: Final = "Content-Type: application/json"

_SESSIONS: Final = pytest.mark.parametrize("own", [False, True], ids=["ours", "injected"])


def _client(url: str, *, own: bool = False, **options: Any) -> ExternalTaskClient:
    """
    Give a client that sends once, with a session of the user's own if wanted.
    """
    if own:
        session = requests.Session()
        session.trust_env = False
        options["session"] = session
    return once(url, **options)


def _came(client: ExternalTaskClient) -> int | type[CamundaError]:
    """
    Give the count that was answered, or what was raised instead.
    """
    try:
        return client.count()
    except CamundaError as error:
        return type(error)


def _endless(head: bytes, piece: bytes) -> Answer:
    """
    Send *head*, and *piece* again and again until the client hangs up.
    """

    def answer(connection: Connection) -> None:
        connection.send(head)
        while True:  # to send to nobody is an OSError, which the stub takes for the end
            connection.send(piece)

    return answer


# ---------------------------------------------------------------------------------------- too large


def _body_of(size: int) -> bytes:
    return _COUNT + b" " * (size - len(_COUNT))


def _chunks(body: bytes, size: int) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return _HEAD + _CHUNKED + framed + b"0\r\n\r\n"


_SIZED: Final[Mapping[str, Callable[[bytes], Answer]]] = {
    "length": lambda body: raw_answer("200 OK", _TYPE, body=body),
    "chunks": lambda body: _chunks(body, 100),
    "until the end": lambda body: then_close(_HEAD + b"Connection: close\r\n\r\n" + body),
    "gzip": lambda body: raw_answer(
        "200 OK", _TYPE, "Content-Encoding: gzip", body=gzip.compress(body)
    ),
    "gzip in parts": lambda body: raw_answer(
        "200 OK",
        _TYPE,
        "Content-Encoding: gzip",
        body=gzip.compress(body[:500]) + gzip.compress(b"") + gzip.compress(body[500:]),
    ),
}


@_SESSIONS
@pytest.mark.parametrize("way", [one for one in _SIZED if one != "until the end"])
@pytest.mark.parametrize(
    ("size", "came"), [(999, 1), (1000, 1), (1001, NoAnswer), (2000, NoAnswer)]
)
def test_an_answer_may_have_so_many_bytes_and_no_more(
    way: str, size: int, came: int | type[CamundaError], own: bool
) -> None:
    """
    Counted when it is unpacked, in whatever way it comes.
    """
    answer = _SIZED[way](_body_of(size))
    with Stub(answer) as stub, _client(stub.url, own=own, max_answer=1000) as client:
        assert _came(client) == came


@pytest.mark.parametrize("way", _SIZED)
def test_any_limit_may_be_set(way: str) -> None:
    """
    No room is made for as much, where an answer does not say how long it is.
    """
    with Stub(_SIZED[way](_body_of(20))) as stub, _client(stub.url, max_answer=2**63 - 1) as client:
        assert _came(client) == 1


def test_what_is_too_large_says_what_to_do() -> None:
    """
    The limit can be another one.
    """
    answer = _SIZED["length"](_body_of(1001))
    with (
        Stub(answer) as stub,
        _client(stub.url, max_answer=1000) as client,
        pytest.raises(NoAnswer) as caught,
    ):
        client.count()

    assert (caught.value.status, caught.value.message) == (
        200,
        "the answer has more than 1000 bytes: see max_answer=",
    )


_TOO_LARGE: Final[Mapping[str, Answer]] = {
    "a length": _endless(_HEAD + b"Content-Length: 10000000000\r\n\r\n", b" " * 65536),
    "chunks": _endless(_HEAD + _CHUNKED, b"10000\r\n" + b" " * 65536 + b"\r\n"),
    "one chunk": _endless(_HEAD + _CHUNKED + b"fffffffff\r\n", b" " * 65536),
    "until the end": _endless(_HEAD + b"\r\n", b" " * 65536),
    "a failure": _endless(b"HTTP/1.1 500 No\r\n\r\n", b" " * 65536),
    "a page": _endless(b"HTTP/1.1 404 No\r\nContent-Type: text/html\r\n\r\n", PAGE * 1000),
}


@_SESSIONS
@pytest.mark.parametrize("way", _TOO_LARGE)
def test_a_body_without_end_has_one(way: str, own: bool) -> None:
    """
    Memory does not grow with what a server sends, and the connection is let go.
    """
    with (
        Stub(_TOO_LARGE[way]) as stub,
        _client(stub.url, own=own, max_answer=100_000) as client,
    ):
        came = _came(client)
        left = stub.is_left()

    assert (came, left) == (NoAnswer, True)


def test_what_is_too_large_is_not_asked_for_again() -> None:
    """
    It would be as large the next time.
    """
    answer = _SIZED["length"](_body_of(1001))
    policy = Retry(attempts=3, first_delay=0)
    with (
        Stub(answer) as stub,
        ExternalTaskClient(stub.url, retry=policy, max_answer=1000) as client,
    ):
        came = _came(client)

    assert (came, len(stub.seen)) == (NoAnswer, 1)


def test_a_command_whose_answer_is_too_large_is_in_doubt() -> None:
    """
    There was an answer, but nobody knows which.
    """
    answer = raw_answer("200 OK", body=b" " * 1001)
    with (
        Stub(answer) as stub,
        _client(stub.url, max_answer=1000) as client,
        pytest.raises(OutcomeUnknown, match="more than 1000 bytes"),
    ):
        client.set_priority("t1", 5)


@lru_cache(maxsize=1)
def _bomb() -> bytes:
    """
    Give 200 KB of gzip that hold 200 MB.
    """
    packer = zlib.compressobj(wbits=31)
    megabyte = b" " * 1_000_000
    pieces = [packer.compress(megabyte) for _ in range(200)]
    return b"".join([*pieces, packer.flush()])


@_SESSIONS
def test_a_small_body_may_not_hold_a_large_one(own: bool) -> None:
    """
    It is unpacked up to the limit, and memory stays small.
    """
    answer = raw_answer("200 OK", _TYPE, "Content-Encoding: gzip", body=_bomb())
    with Stub(answer) as stub, _client(stub.url, own=own, max_answer=2_000_000) as client:
        tracemalloc.start()
        try:
            came = _came(client)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert len(_bomb()) < 250_000
    assert came is NoAnswer
    assert peak < 20_000_000


@pytest.mark.parametrize(
    ("given_", "error"),
    [(0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError), ("1", TypeError)],
    ids=repr,
)
def test_a_limit_is_a_number_of_bytes(given_: Any, error: type[Exception]) -> None:
    """
    A mistake is told where it is made.
    """
    with pytest.raises(error, match="max_answer"):
        once("http://127.0.0.1:1/engine-rest", max_answer=given_)


# ----------------------------------------------------------------------------------------- too deep


@pytest.fixture(params=["orjson", "without"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """
    Read with the fast reader, if it is there, and without it.
    """
    name: str = request.param
    if name == "without":
        monkeypatch.setattr(own_json, "fast_reader", lambda: None)
    return name


_NESTED: Final[Mapping[str, Callable[[int], bytes]]] = {
    "lists": lambda levels: b"[" * levels + b"]" * levels,
    "objects": lambda levels: b'{"a":' * levels + b"1" + b"}" * levels,
    "open lists": lambda levels: b"[" * levels,
    "open objects": lambda levels: b'{"a":' * levels,
}


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("kind", _NESTED)
@pytest.mark.parametrize("levels", [1024, 1025, 100_000])
@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_that_is_nested_too_deeply_is_none(kind: str, levels: int, status: int) -> None:
    """
    With the object around it, the first of them has 1,025 levels.
    """
    body = b'{"count": 1, "type": "A", "message": "m", "other": ' + _NESTED[kind](levels) + b"}"
    with Stub(json_answer(status, body)) as stub, _client(stub.url) as client:
        assert _came(client) is NoAnswer


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("kind", ["lists", "objects"])
@pytest.mark.parametrize(("status", "came"), [(200, 1), (500, EngineFailure)])
def test_an_answer_may_have_1024_levels(
    kind: str, status: int, came: int | type[CamundaError]
) -> None:
    """
    More than any engine sends, and all that every reader takes.
    """
    body = b'{"count": 1, "type": "A", "message": "m", "other": ' + _NESTED[kind](900) + b"}"
    with Stub(json_answer(status, body)) as stub, _client(stub.url) as client:
        assert _came(client) == came


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("where", ["value", "valueInfo"])
def test_a_variable_may_be_nested_as_deeply(where: str) -> None:
    """
    A value that a process has put there does not break the tasks around it.
    """
    variable = b'{"type": "Object", "%b": {"a": %b}}' % (where.encode(), _NESTED["lists"](900))
    body = b'[{"id": "t1", "variables": {"v": %b}}, {"id": "t2"}]' % variable
    with Stub(json_answer(200, body)) as stub, _client(stub.url) as client:
        found: Any = operation("fetch_and_lock").call(client)

    assert [task.id for task in found] == ["t1", "t2"]


# ----------------------------------------------------------------------------------------- too slow

#: Drips for 30 seconds.
_DRIPS: Final[Mapping[str, Answer]] = {
    "status line": drip(b"HTTP/1.1 2", [b"0"] * 600, pause=0.05),
    "header": drip(_HEAD + b"X-A: ", [b"a"] * 600, pause=0.05),
    "headers": drip(_HEAD, [b"A: b\r\n"] * 600, pause=0.05),
    "interim answers": drip(b"", [b"HTTP/1.1 100 Continue\r\n\r\n"] * 600, pause=0.05),
    "body": drip(_HEAD + b"Content-Length: 600\r\n\r\n", [b" "] * 600, pause=0.05),
    "body until the end": drip(_HEAD + b"\r\n", [b" "] * 600, pause=0.05),
    "chunks": drip(_HEAD + _CHUNKED, [b"1\r\n \r\n"] * 600, pause=0.05),
    "length of a chunk": drip(_HEAD + _CHUNKED, [b"0"] * 600, pause=0.05),
    "words about a chunk": drip(_HEAD + _CHUNKED + b"1;", [b"a"] * 600, pause=0.05),
    "trailers": drip(_HEAD + _CHUNKED + b"0\r\n", [b"A: b\r\n"] * 600, pause=0.05),
    "empty gzip": drip(
        _HEAD + b"Content-Encoding: gzip\r\n\r\n", [gzip.compress(b"")] * 600, pause=0.05
    ),
    "failure": drip(b"HTTP/1.1 500 No\r\n\r\n", [b" "] * 600, pause=0.05),
}


@pytest.mark.parametrize("where", _DRIPS)
def test_a_drip_ends_with_the_call(where: str) -> None:
    """
    Wherever in an answer it is; and the server is left.
    """
    timeout = Timeout(read=10.0, total=0.3)
    with (
        Stub(_DRIPS[where]) as stub,
        _client(stub.url, timeout=timeout) as client,
        pytest.raises(NoAnswer) as caught,
    ):
        client.count()
    # The text is that of a time-out, and not of a drip that has come to its end.
    assert (caught.value.message or "").startswith("ReadTimeout")
    assert stub.is_left()


@pytest.mark.parametrize("where", ["body", "body until the end", "chunks", "failure"])
def test_a_drip_of_the_body_ends_with_any_session(where: str) -> None:
    """
    A session of one's own knows nothing of calls, but the body is read piece by piece.
    """
    timeout = Timeout(read=10.0, total=0.3)
    with (
        Stub(_DRIPS[where]) as stub,
        _client(stub.url, own=True, timeout=timeout) as client,
        pytest.raises(NoAnswer) as caught,
    ):
        client.count()

    assert (caught.value.message or "").startswith("ReadTimeout")


@pytest.mark.parametrize("where", ["status line", "headers", "body", "chunks"])
def test_a_drip_ends_with_the_call_by_tls_as_well(where: str) -> None:
    """
    The pieces are those of another kind of socket there.
    """
    timeout = Timeout(read=10.0, total=1.0)
    with (
        Stub(_DRIPS[where], tls=True) as stub,
        _client(stub.url, timeout=timeout, verify=str(CERTIFICATE)) as client,
        pytest.raises(NoAnswer) as caught,
    ):
        client.count()

    assert (caught.value.message or "").startswith("ReadTimeout")
    assert stub.is_left()


def test_after_a_drip_the_next_call_has_its_own_answer() -> None:
    """
    And its own time.
    """
    timeout = Timeout(read=10.0, total=0.3)
    slow, good = _DRIPS["headers"], json_answer(200, {"count": 2})
    with Stub(slow, good) as stub, _client(stub.url, timeout=timeout) as client:
        came = [_came(client), *[_came(client.with_options(timeout=60)) for _ in range(2)]]

    assert (came, stub.connections) == ([NoAnswer, 2, 2], 2)


# -------------------------------------------------------------------------------------- odd answers

_ODD: Final[Mapping[str, tuple[bytes, int | type[CamundaError]]]] = {
    "10,000 headers": (_HEAD + b"A: b\r\n" * 10_000 + _LENGTH + _COUNT, NoAnswer),
    "90 headers": (_HEAD + b"A: b\r\n" * 90 + _LENGTH + _COUNT, 1),
    "a header of 1 MB": (_HEAD + b"A: " + b"b" * 1_000_000 + b"\r\n" + _LENGTH, NoAnswer),
    "a status line of 1 MB": (b"HTTP/1.1 200 " + b"b" * 1_000_000 + b"\r\n\r\n", NoAnswer),
    "a reason of 10 KB": (b"HTTP/1.1 200 %b\r\n%b" % (b"b" * 10_000, _LENGTH + _COUNT), 1),
    "a length below zero": (_HEAD + b"Content-Length: -1\r\n\r\n" + _COUNT, 1),
    "a length beyond all": (
        _HEAD + b"Content-Length: %b\r\n\r\n" % (b"9" * 40) + _COUNT,
        NoAnswer,
    ),
    "a length of 5,000 digits": (
        _HEAD + b"Content-Length: %b\r\n\r\n" % (b"9" * 5000) + _COUNT,
        1,
    ),
    "a length that is none": (_HEAD + b"Content-Length: twelve\r\n\r\n" + _COUNT, 1),
    "a length of a superscript": (_HEAD + b"Content-Length: \xb2\r\n\r\n" + _COUNT, 1),
    "two lengths": (_HEAD + b"Content-Length: 11\r\n" + _LENGTH + _COUNT, NoAnswer),
    "one length twice": (_HEAD + b"Content-Length: 12\r\n" + _LENGTH + _COUNT, 1),
    "a length and chunks": (
        _HEAD + b"Content-Length: 3\r\n" + _CHUNKED + b"c\r\n" + _COUNT + b"\r\n0\r\n\r\n",
        1,
    ),
    "chunks in gzip": (
        _HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\nc\r\n" + _COUNT + b"\r\n0\r\n\r\n",
        NoAnswer,
    ),
    "a chunk below zero": (_HEAD + _CHUNKED + b"-c\r\n" + _COUNT, NoAnswer),
    "a chunk beyond all": (_HEAD + _CHUNKED + b"f" * 100 + b"\r\n" + _COUNT, NoAnswer),
    "HTTP/0.9": (_COUNT, NoAnswer),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\n" + _LENGTH + _COUNT, 1),
    "HTTP/2.0": (b"HTTP/2.0 200 OK\r\n" + _LENGTH + _COUNT, NoAnswer),
    "HTTP/1.999": (b"HTTP/1.999 200 OK\r\n" + _LENGTH + _COUNT, 1),
    "100 and the answer": (b"HTTP/1.1 100 Continue\r\n\r\n" * 50 + _HEAD + _LENGTH + _COUNT, 1),
    "103 and the answer": (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + _HEAD + _LENGTH + _COUNT,
        NoAnswer,
    ),
    "status 101": (b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + _COUNT, NoAnswer),
    "status 999": (b"HTTP/1.1 999 No\r\n" + _LENGTH + _COUNT, NoAnswer),
    "status 1000": (b"HTTP/1.1 1000 No\r\n" + _LENGTH + _COUNT, NoAnswer),
    "status 20": (b"HTTP/1.1 20 No\r\n" + _LENGTH + _COUNT, NoAnswer),
    "status -200": (b"HTTP/1.1 -200 No\r\n" + _LENGTH + _COUNT, NoAnswer),
    "no status": (b"HTTP/1.1 OK\r\n" + _LENGTH + _COUNT, NoAnswer),
    "NUL in a header": (_HEAD + b"A: \0\r\n" + _LENGTH + _COUNT, 1),
    "NUL in a name": (_HEAD + b"A\0: b\r\n" + _LENGTH + _COUNT, 1),
    "NUL in the body": (_HEAD + b"Content-Length: 13\r\n\r\n" + _COUNT + b"\0", NoAnswer),
    "NUL alone": (b"\0" * 1000, NoAnswer),
    "lone LF": ((_HEAD + _LENGTH).replace(b"\r\n", b"\n") + _COUNT, 1),
    "lone CR": ((_HEAD + _LENGTH).replace(b"\r\n", b"\r") + _COUNT, NoAnswer),
    "no end of the head": (_HEAD, NoAnswer),
    "bytes before it": (b"\r\n" + _HEAD + _LENGTH + _COUNT, NoAnswer),
    "bytes after it": (_HEAD + _LENGTH + _COUNT + _HEAD + _LENGTH + _COUNT, 1),
    "a BOM": (_HEAD + b"Content-Length: 15\r\n\r\n\xef\xbb\xbf" + _COUNT, NoAnswer),
    "UTF-16": (
        _HEAD + b"Content-Length: 24\r\n\r\n" + _COUNT.decode().encode("utf-16-le"),
        NoAnswer,
    ),
    "5,000 digits": (
        _HEAD + b"Content-Length: 5011\r\n\r\n" + b'{"count": ' + b"1" * 5000 + b"}",
        NoAnswer,
    ),
    "an infinity": (_HEAD + b"Content-Length: 16\r\n\r\n" + b'{"count": 1e999}', NoAnswer),
    "not a number": (_HEAD + b"Content-Length: 14\r\n\r\n" + b'{"count": NaN}', NoAnswer),
    "a redirect to itself": (
        b"HTTP/1.1 307 No\r\nLocation: /engine-rest/external-task/count\r\n\r\n",
        NotTheEngine,
    ),
}


@_SESSIONS
@pytest.mark.parametrize("kind", _ODD)
def test_an_odd_answer_is_read_right_or_is_none(kind: str, own: bool) -> None:
    """
    Never another exception than ours, and never a wait without end.
    """
    content, expected = _ODD[kind]
    with Stub(then_close(content)) as stub, _client(stub.url, own=own) as client:
        assert _came(client) == expected


@pytest.mark.parametrize("location", [b"http://[", b"\xff\xfe\0", b"", b"/" * 60_000])
def test_it_does_not_matter_where_a_redirect_leads(location: bytes) -> None:
    """
    It is not followed, so nobody looks.
    """
    answer = b"HTTP/1.1 302 Found\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % location
    with Stub(answer) as stub, _client(stub.url) as client:
        assert _came(client) is NotTheEngine


@_SESSIONS
@pytest.mark.parametrize("kind", _ODD)
def test_an_odd_answer_to_a_command_is_no_success(kind: str, own: bool) -> None:
    """
    Whatever it is: a 204 was due, and none of them is one.
    """
    content, _ = _ODD[kind]
    with (
        Stub(then_close(content)) as stub,
        _client(stub.url, own=own) as client,
        pytest.raises(CamundaError) as caught,
    ):
        client.complete("t1", "w1")

    assert caught.value.operation == "complete"


@_SESSIONS
def test_what_follows_an_answer_is_not_the_next_one(own: bool) -> None:
    """
    A second answer that nobody has asked for is dropped with its connection, or with its bytes.
    """
    twice = json_answer(200, {"count": 1}) + json_answer(200, {"count": 13})
    with (
        Stub(twice, json_answer(200, {"count": 2})) as stub,
        _client(stub.url, own=own) as client,
    ):
        assert [_came(client), _came(client)] == [1, 2]


# ---------------------------------------------------------------------------------------- encodings


def _packed(encoding: str, body: bytes) -> bytes:
    return raw_answer("200 OK", _TYPE, f"Content-Encoding: {encoding}", body=body)


_GZIPPED: Final = gzip.compress(_COUNT)


@pytest.mark.parametrize(
    ("answer", "came"),
    [
        (gzip_answer({"count": 1}), 1),
        (_packed("GZIP", _GZIPPED), 1),
        (_packed("identity", _COUNT), 1),
        (_packed("Identity", _COUNT), 1),
        (_packed("gzip", gzip.compress(_COUNT[:5]) + gzip.compress(_COUNT[5:])), 1),
        (_packed("x-gzip", _GZIPPED), NoAnswer),
        (_packed("gzip, gzip", gzip.compress(_GZIPPED)), NoAnswer),
        (_packed("gzip,gzip,gzip", gzip.compress(gzip.compress(_GZIPPED))), NoAnswer),
        (_packed("deflate", zlib.compress(_COUNT)), NoAnswer),
        (_packed("br", b"\x0b\x05\x80" + _COUNT + b"\x03"), NoAnswer),
        (_packed("zstd", b"\x28\xb5\x2f\xfd"), NoAnswer),
        (_packed("compress", _COUNT), NoAnswer),
        (_packed("no such", _COUNT), NoAnswer),
        (_packed("gzip", _COUNT), NoAnswer),
        (_packed("gzip", _GZIPPED[:-1]), NoAnswer),
        (_packed("gzip", _GZIPPED[:-9]), NoAnswer),
        (_packed("gzip", _GZIPPED[:5]), NoAnswer),
        (_packed("gzip", _GZIPPED + b"\0"), NoAnswer),
        (_packed("gzip", _GZIPPED[:-8] + b"\0" * 8), NoAnswer),
        (_packed("gzip", zlib.compress(_COUNT)), NoAnswer),
        (_packed("gzip", b""), NoAnswer),
    ],
    ids=range(21),
)
def test_gzip_alone_was_asked_for(answer: bytes, came: int | type[CamundaError]) -> None:
    """
    What comes otherwise is nothing that an engine sent.
    """
    with Stub(answer) as stub, _client(stub.url) as client:
        found = _came(client)

    assert found == came
    assert [seen.headers["accept-encoding"] for seen in stub.seen] == ["gzip"]


@pytest.mark.parametrize(
    ("answer", "came"),
    [
        (gzip_answer({"count": 1}), 1),
        (_packed("x-gzip", _GZIPPED), 1),
        (_packed("gzip, gzip", gzip.compress(_GZIPPED)), 1),
        (_packed("deflate", zlib.compress(_COUNT)), 1),
        (_packed("deflate", _COUNT), NoAnswer),
        (_packed("gzip", _COUNT), NoAnswer),
        (_packed("gzip", _GZIPPED[:5]), NoAnswer),
        (_packed(", ".join(["gzip"] * 50), _GZIPPED), NoAnswer),
    ],
    ids=range(8),
)
def test_a_session_of_ones_own_may_ask_for_more(
    answer: bytes, came: int | type[CamundaError]
) -> None:
    """
    What requests can unpack is unpacked, and what it cannot is an error of ours.
    """
    with Stub(answer) as stub, _client(stub.url, own=True) as client:
        assert _came(client) == came


# --------------------------------------------------------------------------------- broken at random

_TASK: Final = {
    "id": "t1",
    "workerId": "w1",
    "topicName": "print",
    "retries": 2,
    "priority": 5,
    "suspended": False,
    "lockExpirationTime": "2026-11-22T13:14:15.016+0000",
    "errorMessage": "no \ud83d printer",
    "variables": {"v": {"type": "Date", "value": "2026-11-22T13:14:15.016+0000"}},
    "extensionProperties": {"a": "b"},
    "count": 1,
    "version": "7.24.0",
}
_REFUSED: Final = {
    "type": "AuthorizationException",
    "message": "no",
    "code": 1,
    "missingAuthorizations": [{"permissionName": "UPDATE"}],
    "details": {"a.bpmn": {"errors": [{"message": "no", "line": 1, "elementIds": ["a"]}]}},
}
_GOOD: Final[Mapping[str, bytes]] = {
    "list": json_answer(200, [_TASK, _TASK]),
    "object": gzip_answer(_TASK),
    "text": raw_answer("200 OK", "Content-Type: text/plain", body="no prünter".encode()),
    "file": raw_answer("200 OK", "Content-Type: application/octet-stream", body=b"%PDF"),
    "nothing": NO_CONTENT,
}


def _answers_of(asked: Operation) -> list[bytes]:
    good = _GOOD[asked.due]
    return [good, good, json_answer(403, _REFUSED), json_answer(400, _REFUSED)]


_EDITS: Final = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "insert", "put"]),
        st.floats(0, 1, exclude_max=True),
        st.binary(min_size=1, max_size=8) | st.sampled_from([b"\r\n", b"\n", b":", b"[", b"9" * 8]),
    ),
    min_size=1,
    max_size=4,
)


def _edited(content: bytes, edits: list[tuple[str, float, bytes]]) -> bytes:
    """
    Give an answer that was damaged on its way.
    """
    for kind, where, piece in edits:
        start = int(where * len(content))
        rest = content[start:]
        match kind:
            case "flip" if rest:
                rest = bytes([rest[0] ^ piece[0]]) + rest[1:]
            case "cut":
                rest = rest[1 + piece[0] % 16 :]
            case "insert":
                rest = piece + rest
            case _:
                rest = piece + rest[len(piece) :]
        content = content[:start] + rest
    return content


class Damaged:
    """
    A stub and clients of it, which get what a test puts into `content`.
    """

    def __init__(self) -> None:
        #: What is answered next; then the connection is closed.
        self.content = b""
        self.stub = Stub(self._answer)

    def _answer(self, connection: Connection) -> None:
        connection.send(self.content)
        connection.close()


@pytest.fixture(scope="module")
def damaged() -> Iterator[Damaged]:
    """
    Serve damaged answers, to all examples of a test.
    """
    made = Damaged()
    with made.stub:
        yield made


@_SESSIONS
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(choice=st.data(), edits=_EDITS)
@pytest.mark.filterwarnings("ignore:the server sends dates without a zone")
def test_a_damaged_answer_is_a_value_or_an_error_of_ours(
    damaged: Damaged, own: bool, choice: st.DataObject, edits: list[tuple[str, float, bytes]]
) -> None:
    """
    Whatever bytes are flipped, cut or put in, of its head as well.
    """
    asked = choice.draw(st.sampled_from(OPERATIONS), label="operation")
    good = choice.draw(st.sampled_from(_answers_of(asked)), label="answer")
    damaged.content = _edited(good, edits)
    with (
        _client(damaged.stub.url, own=own, timeout=30) as client,
        contextlib.suppress(CamundaError),
    ):
        asked.call(client)


# ------------------------------------------------------------------------------- of the wrong shape

_ONE: Final = b'{"id": "x", "topicName": "t", "priority": 1}'
_WRONG: Final[Mapping[str, Callable[[int], bytes]]] = {
    "lists": lambda size: b"[%b[]]" % (b"[]," * (size // 3)),
    "objects": lambda size: b"[%b{}]" % (b"{}," * (size // 3)),
    "numbers": lambda size: b"[%b1]" % (b"1," * (size // 2)),
    "texts": lambda size: b'[%b"a"]' % (b'"a",' * (size // 4)),
    "odd tasks": lambda size: b"[%b{}]" % (b'{"id": "x", "topicName": 5},' * (size // 28)),
    "the last is odd": lambda size: b"[%b5]" % ((_ONE + b",") * (size // (len(_ONE) + 1))),
    "one object": lambda size: b'{"a": [%b1]}' % (b"[]," * (size // 3)),
    "one text": lambda size: b'"%b"' % (b"a" * size),
    "a count": lambda size: b'{"count": [%b1]}' % (b"1," * (size // 2)),
    # More than is left to orjson.
    "many numbers": lambda size: b"[%b1]" % (b"12345678," * size),
}
#: Size of most of them.
_SIZE: Final = 2**18


@pytest.mark.parametrize("due", [tuple[ExternalTask, ...], CountResult, FetchedTasks], ids=str)
@pytest.mark.parametrize("shape", _WRONG)
def test_the_wrong_shape_takes_little_memory(shape: str, due: Any) -> None:
    """
    No more than 16 MiB besides twice what the standard library takes to read it.
    """
    content = _WRONG[shape](_SIZE)

    def read() -> object:
        if due is FetchedTasks:
            return decode_each(content, LockedExternalTask)
        return decode(content, due)

    def refuse() -> None:
        with pytest.raises(ValueError, match="wrong shape"):
            read()

    assert _peak(refuse) < 2 * _peak_of_json(shape) + 16 * 2**20


@cache
def _peak_of_json(shape: str) -> int:
    content = _WRONG[shape](_SIZE)
    return _peak(lambda: json.loads(content))


def _peak(act: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_three_faults_are_told_and_no_more_looked_for() -> None:
    """
    An answer may have millions.
    """
    looked_at = mock.Mock(side_effect=ValueError("odd"))
    kind: Any = attrs.make_class("Refused", {"id": attrs.field(type=str, validator=looked_at)})
    page: Any = GenericAlias(tuple, (kind, ...))

    with pytest.raises(ValueError, match="wrong shape") as raised:
        decode(b"[%b]" % b",".join([b'{"id": "a"}'] * 1000), page)

    assert str(raised.value).count("odd @ answer") == 3
    assert looked_at.call_count == 3


def test_a_deadline_holds_while_it_is_unpacked() -> None:
    """
    Whatever comes out of it.
    """
    packed = gzip.compress(b" " * 10_000_000) * 5

    assert gunzip(packed, 10**8, monotonic() + 60.0) == b" " * 50_000_000
    with pytest.raises(requests.ReadTimeout):
        gunzip(packed, 10**8, monotonic())
