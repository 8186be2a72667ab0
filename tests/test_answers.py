"""
Every operation against every answer that is not the one that is due: an error, and the right one.
"""

from __future__ import annotations

import copy
import gzip
import inspect
import pickle
from collections.abc import Mapping
from typing import Any, Final

import attrs
import pytest

from camunda_ext import (
    BadRequest,
    CamundaError,
    EngineBusy,
    EngineFailure,
    ExternalTask,
    ExternalTaskClient,
    FetchedTasks,
    Forbidden,
    LockedExternalTask,
    NoAnswer,
    NotFound,
    NotTheEngine,
    OutcomeUnknown,
    Timeout,
    Topic,
    Unauthorized,
    UnreadableTask,
)
from tests.stub import (
    BROKEN,
    NO_CONTENT,
    OPERATIONS,
    PAGE,
    Answer,
    Operation,
    Stub,
    gzip_answer,
    html_answer,
    json_answer,
    label,
    once,
    operation,
    raw_answer,
    then_close,
)

_MALFORMED: Final = "The request is malformed, or too large, for the engine or its server."
_ROLLED_BACK: Final = "The reason is in the engine's log; a command was rolled back."
_SOMETHING_BEFORE: Final = (
    "Something before the engine answered, or an engine older than {since}: look at the URL."
)
_LACKING: Final = "The engine lacks this operation: it came with {since}. Look at the URL."
_LOGIN: Final = "A redirect is not followed: is there a login before this URL?"
_WAIT: Final = "Wait, then try again."

_PAGE: Final = PAGE.decode("ascii")


@attrs.frozen(kw_only=True)
class Wrong:
    """
    An answer that is not due, and what the error says of it.
    """

    answer: Answer
    status: int | None
    #: The class of the error; ``None`` for no trustworthy answer, which depends on the operation.
    error: type[CamundaError] | None = None
    java_type: str | None = None
    #: The message; a mapping where it depends on what was due instead.
    message: str | Mapping[str, str] | None = None
    #: The advice, with ``{since}`` for a version; ``None`` for that of the operation.
    hint: str | None = None
    body: str = ""


WRONG: Final[Mapping[str, Wrong]] = {
    "redirect": Wrong(
        answer=raw_answer("302 Found", "Location: /login", body=b"Moved"),
        status=302,
        error=NotTheEngine,
        hint=_LOGIN,
        body="Moved",
    ),
    "redirect that keeps method and body": Wrong(
        answer=raw_answer("308 Permanent Redirect", "Location: /new"),
        status=308,
        error=NotTheEngine,
        hint=_LOGIN,
    ),
    "redirect to nowhere": Wrong(
        answer=raw_answer("302 Found", "Location: http://["),
        status=302,
        error=NotTheEngine,
        hint=_LOGIN,
    ),
    "login page": Wrong(
        answer=html_answer("200 OK"),
        status=200,
        message={
            "list": "expected JSON, not a page",
            "object": "expected JSON, not a page",
            "text": "expected text/plain, not text/html",
            "file": "expected a file, not text/html",
            "nothing": "expected 204",
        },
        body=_PAGE,
    ),
    "empty 200": Wrong(
        answer=raw_answer("200 OK"),
        status=200,
        message={
            "list": "expected JSON, not nothing",
            "object": "expected JSON, not nothing",
            "text": "expected text/plain, not nothing",
            "file": "expected a file, not nothing",
            "nothing": "expected 204",
        },
    ),
    "half a body": Wrong(
        answer=BROKEN["cut in the body"],
        status=200,
        message="ProtocolError: IncompleteRead(12 bytes read, 28 more expected)",
    ),
    "202": Wrong(
        answer=json_answer(202, {"status": "queued"}),
        status=202,
        message={
            "list": "expected 200",
            "object": "expected 200",
            "text": "expected 200",
            "file": "expected 200",
            "nothing": "expected 204",
        },
        body='{"status": "queued"}',
    ),
    "400 of the engine": Wrong(
        answer=json_answer(400, {"type": "RestException", "message": "No", "code": None}),
        status=400,
        error=BadRequest,
        java_type="RestException",
        message="No",
        hint=_MALFORMED,
        body='{"type": "RestException", "message": "No", "code": null}',
    ),
    "400 page": Wrong(
        answer=html_answer("400 Bad Request"),
        status=400,
        error=BadRequest,
        hint=_MALFORMED,
        body=_PAGE,
    ),
    "401": Wrong(
        answer=raw_answer("401 Unauthorized", 'WWW-Authenticate: Basic realm="default"'),
        status=401,
        error=Unauthorized,
        hint=(
            "Look at auth=. After a wrong password the engine refuses the right one too, for "
            "seconds."
        ),
    ),
    "403 page": Wrong(
        answer=html_answer("403 Forbidden"),
        status=403,
        error=Forbidden,
        hint="The user lacks a permission, or a gateway refused the request.",
        body=_PAGE,
    ),
    "404 of the engine for an unknown path": Wrong(
        answer=json_answer(404, {"type": "NotFoundException", "message": "HTTP 404 Not Found"}),
        status=404,
        error=NotFound,
        java_type="NotFoundException",
        message="HTTP 404 Not Found",
        hint=_LACKING,
        body='{"type": "NotFoundException", "message": "HTTP 404 Not Found"}',
    ),
    "404 page": Wrong(
        answer=html_answer("404 Not Found"),
        status=404,
        error=NotTheEngine,
        hint=_SOMETHING_BEFORE,
        body=_PAGE,
    ),
    "405 of the engine for an unknown method": Wrong(
        answer=json_answer(405, {"type": "NotAllowedException", "message": None, "code": None}),
        status=405,
        error=NotFound,
        java_type="NotAllowedException",
        hint=_LACKING,
        body='{"type": "NotAllowedException", "message": null, "code": null}',
    ),
    "405 page": Wrong(
        answer=html_answer("405 Method Not Allowed"),
        status=405,
        error=NotTheEngine,
        hint=_SOMETHING_BEFORE,
        body=_PAGE,
    ),
    "429": Wrong(
        answer=raw_answer("429 Too Many Requests", body=b"slow down"),
        status=429,
        error=EngineBusy,
        hint=_WAIT,
        body="slow down",
    ),
    "500 with a null message": Wrong(
        answer=json_answer(500, {"type": "X", "message": None}),
        status=500,
        error=EngineFailure,
        java_type="X",
        hint=_ROLLED_BACK,
        body='{"type": "X", "message": null}',
    ),
    "empty 500": Wrong(answer=raw_answer("500 Internal Server Error"), status=500),
    "500 in the JSON of something else": Wrong(
        answer=json_answer(500, {"status": 500, "error": "Internal Server Error"}),
        status=500,
        body='{"status": 500, "error": "Internal Server Error"}',
    ),
    "502 page": Wrong(answer=html_answer("502 Bad Gateway"), status=502, body=_PAGE),
    "503 page": Wrong(answer=html_answer("503 Service Unavailable"), status=503, body=_PAGE),
    "504 page": Wrong(answer=html_answer("504 Gateway Timeout"), status=504, body=_PAGE),
    "bad UTF-8": Wrong(
        answer=raw_answer("502 Bad Gateway", body=b"caf\xe9"), status=502, body="caf\ufffd"
    ),
}


@pytest.mark.parametrize("fault", WRONG)
@pytest.mark.parametrize("operation", OPERATIONS, ids=label)
def test_what_is_not_due_is_the_right_error(operation: Operation, fault: str) -> None:
    """
    An answer that an operation does not give is never success, and the error tells all of it.
    """
    wrong = WRONG[fault]
    url, error = _raised(operation, wrong.answer)
    message = wrong.message if isinstance(wrong.message, str) else (wrong.message or {})

    assert (type(error), _told(error)) == (
        wrong.error or _no_answer_to(operation),
        {
            "operation": operation.name,
            "method": operation.method,
            "url": url + operation.path,
            "status": wrong.status,
            "type": wrong.java_type,
            "message": message if isinstance(message, str) else message.get(operation.due),
            "code": None,
            "hint": _doubt(operation)
            if wrong.hint is None
            else wrong.hint.replace("{since}", operation.since),
            "body": wrong.body,
        },
    )


@pytest.mark.parametrize("operation", OPERATIONS, ids=label)
def test_an_error_tells_of_its_one_attempt(operation: Operation) -> None:
    """
    The attempts of an error say in text what became of each, and how many seconds it took.
    """
    _, error = _raised(operation, html_answer("502 Bad Gateway"))

    assert [attempt.error for attempt in error.attempts] == [f"{type(error).__name__}: 502"]
    assert all(0 <= attempt.seconds < 10 for attempt in error.attempts)


_SHAPES: Final = {
    "the JSON of something else": (b'{"status": "up"}', {"list", "object"}),
    "an empty object": (b"{}", {"list", "object"}),
    "an empty list": (b"[]", {"object"}),
    "null": (b"null", {"list", "object"}),
    "a number": (b"1", {"list", "object"}),
    "a text": (b'"up"', {"list", "object"}),
    "a list of a number": (b"[1]", {"list", "object"}),
    "a list of null": (b"[null]", {"list", "object"}),
    "a list of something else": (b'[{"status": "up"}]', {"list", "object"}),
    "half of it": (b'[{"id": "t1", ', {"list", "object"}),
    "two in one": (b"[][]", {"list", "object"}),
    "a number that is none": (b'[{"id": "t1", "priority": NaN}]', {"list", "object"}),
    "a number beyond the floats": (b'[{"id": "t1", "priority": 1e999}]', {"list", "object"}),
    "more digits than anybody reads": (b"1" * 5000, {"list", "object"}),
    "deeper than anybody reads": (b"[" * 100_000, {"list", "object"}),
    "a text that is not UTF-8": (b'["caf\xe9"]', {"list", "object"}),
    "a byte order mark": (b"\xef\xbb\xbf[]", {"list", "object"}),
    "UTF-16": (b"[\x00]\x00", {"list", "object"}),
}


@pytest.mark.parametrize(
    ("operation", "shape"),
    [
        pytest.param(one, shape, id=f"{label(one)}-{shape}")
        for one in OPERATIONS
        for shape, (_, wrong_for) in _SHAPES.items()
        if one.due in wrong_for
    ],
)
def test_json_of_the_wrong_shape_is_no_answer(operation: Operation, shape: str) -> None:
    """
    A 200 whose JSON is broken, or is not what was asked for, leaves in doubt what happened.
    """
    content, _ = _SHAPES[shape]
    url, error = _raised(operation, json_answer(200, content))

    assert (type(error), error.status, error.type, error.code, error.hint, error.url) == (
        _no_answer_to(operation),
        200,
        None,
        None,
        _doubt(operation),
        url + operation.path,
    )


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("count", {"count": "1"}),
        ("count", {"count": True}),
        ("count", {"count": 1.0}),
        ("count", {"count": None}),
        ("topic_names", ["a", 1]),
        ("get", {"id": 5}),
        ("get", {"id": None, "priority": 1}),
        ("get", {"priority": 1}),
        ("list", [{"id": "t1"}, {"priority": 1}]),
        ("fetch_and_lock", [{"priority": 1}]),
        ("log_get", {"priority": 1}),
        ("batch", {"totalJobs": 12}),
        ("batch", {"type": "ProcessEngineException", "message": None}),
        ("get", {"id": "t1", "retries": "3"}),
        ("get", {"id": "t1", "suspended": "false"}),
        ("get", {"id": "t1", "lockExpirationTime": "yesterday"}),
        ("get", {"id": "t1", "lockExpirationTime": 1795853730250}),
        ("get", {"id": "t1", "lockExpirationTime": "2026-02-30T00:00:00.000+0000"}),
        ("get", {"id": "t1", "lockExpirationTime": "2026-02-03T00:00:00.000+9900"}),
        ("batch", {"id": "b1", "totalJobs": "12"}),
        ("batch_statistics", {"id": "b1", "failedJobs": 0}),
        ("version", {"version": 7.24}),
        ("log_get", {"id": "h1", "failureLog": "true"}),
    ],
)
def test_a_field_that_is_wrong_or_missing_is_no_answer(name: str, body: object) -> None:
    """
    Nothing is bent to fit: a text is no number, 1.0 is not 1, and what has no id is no task.
    """
    asked = operation(name)
    _, error = _raised(asked, json_answer(200, body))

    assert (type(error), error.status) == (_no_answer_to(asked), 200)
    assert (error.message or "").startswith("JSON of the wrong shape: ")


@pytest.mark.parametrize("fault", BROKEN)
@pytest.mark.parametrize("operation", OPERATIONS, ids=label)
def test_half_an_answer_is_no_answer(operation: Operation, fault: str) -> None:
    """
    However a connection ends, half an answer says nothing, and the request is not sent again.
    """
    with Stub(BROKEN[fault]) as stub, once(stub.url) as client:
        error = _error(client, operation)

    assert (type(error), error.hint) == (_no_answer_to(operation), _doubt(operation))
    assert [(seen.method, seen.target) for seen in stub.seen] == [
        (operation.method, "/engine-rest" + operation.path)
    ]


@pytest.mark.parametrize("name", ["error_details", "log_error_details", "variable_file", "count"])
def test_half_of_a_compressed_answer_is_no_answer(name: str) -> None:
    """
    A text or file that stops in the middle of its compression is cut off, whatever its length says.
    """
    answer = raw_answer(
        "200 OK",
        "Content-Type: text/plain",
        "Content-Disposition: attachment",
        "Content-Encoding: gzip",
        body=gzip.compress(b"hello world")[:-12],
    )
    _, error = _raised(operation(name), answer)

    assert type(error) is NoAnswer


@pytest.mark.parametrize("name", ["error_details", "log_error_details", "variable_file", "count"])
def test_a_head_that_is_cut_off_is_no_answer(name: str) -> None:
    """
    A head without its end is half an answer too, and not an empty text or file.
    """
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Disposition: attachment\r\n"
    _, error = _raised(operation(name), then_close(head))

    assert type(error) is NoAnswer


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.due != "text"], ids=label)
def test_a_text_in_place_of_anything_else_is_no_answer(operation: Operation) -> None:
    """
    A text is an answer to those operations alone that give one.
    """
    _, error = _raised(operation, raw_answer("200 OK", "Content-Type: text/plain", body=b"up"))

    assert (type(error), error.body) == (_no_answer_to(operation), "up")


@pytest.mark.parametrize("operation", OPERATIONS, ids=label)
def test_an_answer_without_content_is_due_where_nothing_or_a_text_is(operation: Operation) -> None:
    """
    204 means done to a command and "none" to a text, and nothing at all to the others.
    """
    with Stub(NO_CONTENT) as stub, once(stub.url) as client:
        if operation.due in ("nothing", "text"):
            assert operation.call(client) is None
            return
        error = _error(client, operation)

    assert (type(error), error.status, error.message) == (
        _no_answer_to(operation),
        204,
        "expected 200",
    )


@pytest.mark.parametrize(
    ("name", "answer", "given"),
    [
        ("error_details", raw_answer("200 OK", "Content-Type: text/plain"), ""),
        (
            "error_details",
            raw_answer("200 OK", "Content-Type: text/plain", body="äöü€".encode()),
            "äöü€",
        ),
        (
            "log_error_details",
            raw_answer("200 OK", "Content-Type: text/plain;charset=UTF-8", body=b"caf\xe9"),
            "caf\ufffd",
        ),
        ("variable_file", raw_answer("200 OK", "Content-Type: application/octet-stream"), b""),
        (
            "variable_file",
            raw_answer(
                "200 OK",
                "Content-Type: text/html",
                'Content-Disposition: attachment; filename="page.html"',
                body=b"\x00\xff",
            ),
            b"\x00\xff",
        ),
        ("count", gzip_answer({"count": 42}), 42),
        ("topic_names", json_answer(200, []), ()),
        ("batch_statistics", json_answer(200, []), None),
        ("version", json_answer(200, {"version": None}), None),
    ],
)
def test_odd_answers_that_are_due(name: str, answer: bytes, given: object) -> None:
    """
    Texts are UTF-8 whatever the head says, may be empty, and any encoding of the content is undone.
    """
    with Stub(answer) as stub, once(stub.url) as client:
        assert operation(name).call(client) == given


def test_a_compressed_answer_may_come_in_small_pieces() -> None:
    """
    A piece of a compressed body that gives no text by itself is not the end of it.
    """
    body = gzip.compress(b'{"count": 42}')
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )

    def byte_by_byte(connection: Any) -> None:
        connection.send(head.encode("ascii"))
        for one in body:
            connection.wait(0.001)
            connection.send(bytes([one]))

    with Stub(byte_by_byte) as stub, once(stub.url) as client:
        assert client.count() == 42


#: What may be odd about a task that is locked, and how it is told.
_ODD: Final[tuple[tuple[dict[str, Any], str], ...]] = (
    ({"priority": "high"}, "expected int, not str 'high'"),
    ({"lockExpirationTime": "+33715-01-01T00:00:00.000+0000"}, "+33715"),
    ({"suspended": 0}, "expected bool, not int 0"),
    ({"variables": []}, "expected dict, not list []"),
    ({"retries": 1.5}, "expected int, not float 1.5"),
)


@pytest.mark.parametrize(("odd", "reason"), _ODD, ids=[one[1] for one in _ODD])
@pytest.mark.parametrize("others", [0, 2, 20])
def test_an_odd_task_does_not_keep_the_others_away(
    odd: dict[str, Any], reason: str, others: int, caplog: pytest.LogCaptureFixture
) -> None:
    """
    All of them are locked: those that can be read are given, and of the others ids and reasons.
    """
    good = [{"id": f"g{index}", "workerId": "w1", "priority": 1} for index in range(others)]
    page = [*good[1:], {"id": "t1", **odd}, *good[:1], {"id": "t2", **odd}]
    with Stub(json_answer(200, page)) as stub, ExternalTaskClient(stub.url) as client:
        tasks = client.fetch_and_lock("w1", [Topic("a", lock_duration=1000)], max_tasks=100)

    assert sorted(task.id for task in tasks) == sorted(str(one["id"]) for one in good)
    assert all(type(task) is LockedExternalTask for task in tasks)
    assert [task.id for task in tasks.unreadable] == ["t1", "t2"]
    assert all(reason in task.reason for task in tasks.unreadable)
    assert [record.__dict__["task_id"] for record in caplog.records] == ["t1", "t2"]
    assert all(reason in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(
    "page", [[{"id": "t1"}, {"priority": "high"}], [{"id": "t1"}, 5], [{"id": 5}], {"id": "t1"}]
)
def test_what_has_no_id_is_no_task_and_the_answer_none(page: object) -> None:
    """
    Nobody could do anything with it.
    """
    with (
        Stub(json_answer(200, page)) as stub,
        ExternalTaskClient(stub.url) as client,
        pytest.raises(OutcomeUnknown, match="wrong shape"),
    ):
        client.fetch_and_lock("w1", [Topic("a", lock_duration=1000)], max_tasks=100)


def test_what_a_fetch_gives_is_a_tuple() -> None:
    """
    Also in a pickle and in a copy.
    """
    task = LockedExternalTask(id="t1")
    odd = UnreadableTask(id="t2", reason="its priority is text")
    tasks = FetchedTasks([task], unreadable=[odd])

    assert (*tasks,) == (task,)
    assert (tasks.unreadable, FetchedTasks().unreadable, FetchedTasks()) == ((odd,), (), ())
    assert repr(FetchedTasks([task])) == repr((task,))
    assert "its priority is text" in repr(tasks)
    for made in (copy.copy(tasks), copy.deepcopy(tasks), pickle.loads(pickle.dumps(tasks))):  # noqa: S301  # ours
        assert (made, made.unreadable) == ((task,), (odd,))


def _metadata(filename: str | None, mime_type: str | None, kind: str = "File") -> bytes:
    info = {"filename": filename, "mimeType": mime_type}
    return json_answer(200, {"type": kind, "value": None, "valueInfo": info})


@pytest.mark.parametrize(
    ("metadata", "is_file"),
    [
        (_metadata("Report — final.html", "text/html"), True),
        (_metadata("Report — final.html", "Text/HTML; charset=utf-8"), True),
        (_metadata("Report — final.html", "text/plain"), False),
        (_metadata("Report — final.html", None), False),
        (_metadata("Übersicht.html", "text/html"), False),
        (_metadata(None, "text/html"), False),
        (_metadata("Report — final.html", "text/html", "Bytes"), False),
        (json_answer(200, {"type": "File", "value": None, "valueInfo": None}), False),
        (html_answer("200 OK"), False),
        (raw_answer("404 Not Found"), False),
    ],
)
def test_a_file_without_its_header_is_what_the_engine_tells_of_it(
    metadata: bytes, is_file: bool
) -> None:
    """
    Tomcat drops the header with a name that it cannot say; a login page never had one.
    """
    page = raw_answer("200 OK", "Content-Type: text/html;charset=UTF-8", body=b"<html>")
    with Stub(page, metadata) as stub, ExternalTaskClient(stub.url, retry=False) as client:
        if is_file:
            assert client.variable_file("p1", "v") == b"<html>"
        else:
            with pytest.raises(NoAnswer, match="expected a file, not text/html"):
                client.variable_file("p1", "v")

    assert [one.target for one in stub.seen] == [
        "/engine-rest/process-instance/p1/variables/v/data",
        "/engine-rest/process-instance/p1/variables/v?deserializeValue=false",
    ]


def test_the_file_of_a_task_is_asked_for_in_its_own_scope() -> None:
    """
    Or in that of its process instance, if no more is known of the task.
    """
    content = raw_answer("200 OK", "Content-Type: application/octet-stream", body=b"x")
    with Stub(content) as stub, ExternalTaskClient(stub.url) as client:
        for task in (
            ExternalTask(id="t1", process_instance_id="p1", execution_id="e1"),
            LockedExternalTask(id="t1", process_instance_id="p1", execution_id="e1"),
            ExternalTask(id="t1", process_instance_id="p1"),
        ):
            client.variable_file(task, "v")
        with pytest.raises(ValueError, match="scope"):
            client.variable_file(ExternalTask(id="t1"), "v")

    assert [one.target.split("/")[3] for one in stub.seen] == ["e1", "e1", "p1"]


def test_the_table_of_operations_is_complete() -> None:
    """
    These tests meet every public method of the client that goes to the network by itself.
    """
    methods = {
        name
        for name, _ in inspect.getmembers(ExternalTaskClient, inspect.isfunction)
        if not name.startswith("_")
    }

    assert {one.name for one in OPERATIONS} == methods - {
        "check",
        "close",
        "follow",
        "iterate",
        "ping",
        "recover",
        "request",
        "select",
        "with_options",
    }


def _raised(asked: Operation, answer: Answer) -> tuple[str, CamundaError]:
    """
    Give the engine's URL, and what an operation raises that is answered so.
    """
    with (
        Stub(answer) as stub,
        once(stub.url, timeout=Timeout(read=5.0)) as client,
    ):
        return stub.url, _error(client, asked)


def _error(client: ExternalTaskClient, asked: Operation) -> CamundaError:
    with pytest.raises(CamundaError) as caught:
        asked.call(client)
    return caught.value


def _told(error: CamundaError) -> dict[str, object]:
    return {
        name: getattr(error, name)
        for name in (
            "operation",
            "method",
            "url",
            "status",
            "type",
            "message",
            "code",
            "hint",
            "body",
        )
    }


def _no_answer_to(asked: Operation) -> type[CamundaError]:
    return OutcomeUnknown if asked.changes else NoAnswer


def _doubt(asked: Operation) -> str:
    return asked.doubt or "Nothing was changed: ask again."
