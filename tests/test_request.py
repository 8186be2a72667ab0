"""
Any other path of the engine's, and the health check.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from urllib3.filepost import encode_multipart_formdata

from camunda_ext import (
    BadRequest,
    EngineFailure,
    ExternalTaskClient,
    NoAnswer,
    NotFound,
    NotSent,
    NotTheEngine,
    OutcomeUnknown,
    Unauthorized,
    Variables,
)
from camunda_ext.testing import Engine
from tests.stub import Stub, html_answer, json_answer, raw_answer, then_close

NO_CONTENT = raw_answer("204 No Content")
AT = datetime(2026, 11, 22, 13, 14, 15, 678901, tzinfo=timezone.utc)


# ------------------------------------------------------------------------------- what is sent


def test_a_process_is_started_by_it() -> None:
    """
    Ids are segments of the path, and variables and dates go as the engine reads them.
    """
    with (
        Stub(json_answer(200, {"id": "p1"})) as stub,
        ExternalTaskClient(stub.url, auth=("demo", "secret")) as client,
    ):
        started = client.request(
            "POST",
            "/process-definition/key/{key}/start",
            {"key": "order"},
            json={
                "businessKey": "4711",
                "variables": Variables.of({"amount": 1250, "at": AT}),
            },
        )
        [seen] = stub.seen

    assert started == {"id": "p1"}
    assert (seen.method, seen.target) == (
        "POST",
        "/engine-rest/process-definition/key/order/start",
    )
    assert seen.headers["authorization"] == "Basic ZGVtbzpzZWNyZXQ="
    assert json.loads(seen.body) == {
        "businessKey": "4711",
        "variables": {
            "amount": {"value": 1250, "type": "Integer"},
            "at": {"value": "2026-11-22T13:14:15.678+0000", "type": "Date"},
        },
    }


def test_the_query_of_the_url_is_as_the_engine_reads_it() -> None:
    """
    A list has commas, `True` is in lower case, a date keeps its offset, and ``None`` is left out.
    """
    with (
        Stub(json_answer(200, [])) as stub,
        ExternalTaskClient(stub.url, engine="second") as client,
    ):
        params = {
            "active": True,
            "startedAfter": AT,
            "tenantIdIn": ["a", "b"],
            "name": None,
            "processVariables": ["a_eq_b"],
            "priorities": [1, 2],
        }
        assert client.request("GET", "/process-instance", params=params) == []
        [seen] = stub.seen

    assert (seen.method, seen.target, seen.body) == (
        "GET",
        (
            "/engine-rest/engine/second/process-instance?active=true"
            "&startedAfter=2026-11-22T13%3A14%3A15.678%2B0000&tenantIdIn=a%2Cb"
            "&processVariables=a_eq_b&priorities=1%2C2"
        ),
        b"",
    )


def test_a_body_goes_as_it_is() -> None:
    """
    Such as a file to deploy, which goes in several parts.
    """
    body, content_type = encode_multipart_formdata({"data": ("a.bpmn", b"\x00<xml>")})
    with Stub(json_answer(200, {"id": "d1"})) as stub, ExternalTaskClient(stub.url) as client:
        client.request("POST", "/deployment/create", content=body, content_type=content_type)
        [seen] = stub.seen

    assert (seen.body, seen.headers["content-type"]) == (body, content_type)


@pytest.mark.parametrize(
    ("call", "refused", "said"),
    [
        (lambda c: c.request("PATCH", "/task"), ValueError, "method must be one of 'GET', "),
        (lambda c: c.request("GET", "task"), ValueError, "path must be one below the engine"),
        (lambda c: c.request("GET", ""), ValueError, "path must be one below the engine"),
        (lambda c: c.request("GET", "/"), ValueError, "path must be one below the engine"),
        (lambda c: c.request("GET", "//task"), ValueError, "path must be one below the engine"),
        (lambda c: c.request("GET", "/task?a=b"), ValueError, "path must be one below the engine"),
        (lambda c: c.request("GET", "/a/../b"), ValueError, "path must be one below the engine"),
        (lambda c: c.request("GET", "/a/."), ValueError, "path must be one below the engine"),
        (lambda c: c.request("GET", "/a b"), ValueError, "path must be one below the engine"),
        (lambda c: c.request("GET", "/a%2fb"), ValueError, "path must be one below the engine"),
        (lambda c: c.request("GET", "/{a.b}", {"a": "1"}), ValueError, "path must be one below"),
        (lambda c: c.request("GET", "https://x/task"), ValueError, "path must be one below"),
        (lambda c: c.request("GET", 7), TypeError, "path must be a str"),
        (lambda c: c.request("GET", "/task/{id}"), ValueError, "path has ['id'] in braces, and "),
        (lambda c: c.request("GET", "/task", {"id": "a"}), ValueError, "path has no names in "),
        (lambda c: c.request("GET", "/task/{id}", {"id": ""}), ValueError, "id must not be ''"),
        (lambda c: c.request("GET", "/task/{id}", {"id": "a/b"}), ValueError, "id must have no "),
        (lambda c: c.request("GET", "/task/{id}", "a"), TypeError, "ids must be a mapping"),
        (lambda c: c.request("POST", "/a", json={"a": {1}}), TypeError, "set {1} has no form in "),
        (lambda c: c.request("GET", "/a", params="a=b"), TypeError, "params must be a mapping"),
        (lambda c: c.request("GET", "/a", params={"a": {}}), TypeError, "params: 'a' must be a "),
        (
            lambda c: c.request("GET", "/a", params={"a": ["b,c"]}),
            ValueError,
            "params: 'a' must have ",
        ),
        (
            lambda c: c.request("GET", "/a", params={"a": []}),
            ValueError,
            "params: 'a' must have some values",
        ),
        (lambda c: c.request("POST", "/a", json=1, content=b""), ValueError, "pass json or "),
        (lambda c: c.request("POST", "/a", content="a"), TypeError, "content must be bytes"),
        (
            lambda c: c.request("POST", "/a", content=b"", content_type="a\nb"),
            ValueError,
            "the header 'Content-Type' must be ",
        ),
    ],
)
def test_what_would_ask_for_something_else_is_refused(
    call: Callable[[Any], object], refused: type[Exception], said: str
) -> None:
    """
    Before anything is sent.
    """
    with Stub() as stub, ExternalTaskClient(stub.url) as client:
        with pytest.raises(refused) as caught:
            call(client)
        assert str(caught.value).startswith(said)
        assert stub.seen == []


# ------------------------------------------------------------------------------ what is answered


@pytest.mark.parametrize(
    ("answer", "answered"),
    [
        (NO_CONTENT, None),
        (json_answer(200, {"a": [1, None]}), {"a": [1, None]}),
        (json_answer(201, {"id": "x"}), {"id": "x"}),
        (raw_answer("200 OK", "Content-Type: application/hal+json", body=b"[1]"), [1]),
        (raw_answer("200 OK", "Content-Type: text/plain;charset=UTF-8", body=b"\xc3\xa4"), "ä"),
        (raw_answer("200 OK", "Content-Type: image/png", body=b"\x89PNG"), b"\x89PNG"),
        (raw_answer("200 OK", "Content-Type: text/plain", body=b""), None),
        (raw_answer("201 Created", "Content-Type: application/json", body=b""), None),
    ],
)
def test_an_answer_is_what_its_media_type_says(answer: bytes, answered: object) -> None:
    """
    JSON, a text, bytes, or nothing.
    """
    with Stub(answer) as stub, ExternalTaskClient(stub.url) as client:
        assert client.request("GET", "/task") == answered


@pytest.mark.parametrize(
    ("answer", "error", "hint"),
    [
        (
            json_answer(404, {"type": "InvalidRequestException", "message": "no", "code": 0}),
            NotFound,
            (
                "The engine has no such path or method, or nothing of such an id: look at path and "
                "ids."
            ),
        ),
        (
            json_answer(400, {"type": "InvalidRequestException", "message": "no", "code": 0}),
            BadRequest,
            "The request is malformed, or too large, for the engine or its server.",
        ),
        (
            json_answer(500, {"type": "ProcessEngineException", "message": "no", "code": 0}),
            EngineFailure,
            "The reason is in the engine's log; a command was rolled back.",
        ),
        (
            html_answer("200 OK"),
            OutcomeUnknown,
            "It may have happened: look at what it would have changed.",
        ),
        (
            raw_answer("200 OK", "Content-Type: application/json", body=b"[1"),
            OutcomeUnknown,
            "It may have happened: look at what it would have changed.",
        ),
        (
            html_answer("404 Not Found"),
            NotTheEngine,
            "Something before the engine answered, or an engine older than 7.5: look at the URL.",
        ),
    ],
)
def test_errors_are_those_of_all_operations(
    answer: bytes, error: type[Exception], hint: str
) -> None:
    """
    Only what is said of a missing thing is of paths in general; and it is sent once.
    """
    with Stub(answer, NO_CONTENT) as stub, ExternalTaskClient(stub.url) as client:
        with pytest.raises(error) as caught:
            client.request("POST", "/process-instance/{id}/modification", {"id": "p"}, json={})
        problem: Any = caught.value

        assert (type(problem), problem.hint, problem.operation) == (error, hint, "request")
        assert len(stub.seen) == 1


@pytest.mark.parametrize(
    ("method", "error"),
    [
        ("GET", NoAnswer),
        ("POST", OutcomeUnknown),
        ("PUT", OutcomeUnknown),
        ("DELETE", OutcomeUnknown),
    ],
)
def test_a_lost_answer_is_told_and_nothing_is_sent_again(
    method: Any, error: type[Exception]
) -> None:
    """
    What reads may be asked again, by the caller.
    """
    with Stub(then_close(b""), NO_CONTENT) as stub, ExternalTaskClient(stub.url) as client:
        with pytest.raises(error) as caught:
            client.request(method, "/task")
        assert type(caught.value) is error
        assert len(stub.seen) == 1


def test_credentials_that_are_renewed_are_tried() -> None:
    """
    What was refused with the old ones was not done.
    """

    class Login:
        token = "old"

        def __call__(self, request: Any) -> Any:
            request.headers["Authorization"] = f"Bearer {self.token}"
            return request

        def renew(self) -> bool:
            self.token = "new"
            return True

    with (
        Stub(raw_answer("401 Unauthorized"), NO_CONTENT) as stub,
        ExternalTaskClient(stub.url, auth=Login()) as client,
    ):
        client.request("POST", "/message", json={})

        assert [one.headers["authorization"] for one in stub.seen] == ["Bearer old", "Bearer new"]


def test_a_body_that_is_no_json_is_not_told_as_a_command() -> None:
    """
    A shell could not hold it; and no character of it is looked at.
    """
    with (
        Stub(then_close(b"")) as stub,
        ExternalTaskClient(stub.url) as client,
        pytest.raises(OutcomeUnknown) as caught,
    ):
        client.request("POST", "/deployment/create", content=b"\xff\x00")

    assert caught.value.curl == ""


def test_it_works_on_an_engine() -> None:
    """
    A process is deployed, started, and looked at.
    """
    model = (
        b'<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" '
        b'xmlns:camunda="http://camunda.org/schema/1.0/bpmn" targetNamespace="t">'
        b'<process id="p" isExecutable="true" camunda:historyTimeToLive="1">'
        b'<startEvent id="s"/><sequenceFlow id="f" sourceRef="s" targetRef="t"/>'
        b'<serviceTask id="t" camunda:type="external" camunda:topic="pay"/>'
        b"</process></definitions>"
    )
    body, content_type = encode_multipart_formdata({"data": ("p.bpmn", model)})
    with Engine() as engine, engine.client() as client:
        client.request("POST", "/deployment/create", content=body, content_type=content_type)
        started = client.request(
            "POST",
            "/process-definition/key/{key}/start",
            {"key": "p"},
            json={"variables": Variables.of({"amount": 1250})},
        )
        variables = client.request("GET", "/process-instance/{id}/variables", {"id": started["id"]})
        [task] = client.list()

    assert task.process_instance_id == started["id"]
    assert variables["amount"] == {"type": "Integer", "value": 1250, "valueInfo": {}}


# ---------------------------------------------------------------------------------- health check


def test_a_ping_asks_the_named_engine_for_something_in_its_database() -> None:
    """
    And for its version, with credentials.
    """
    answers = (json_answer(200, {"count": 0}), json_answer(200, {"version": "7.24.0"}))
    with (
        Stub(*answers) as stub,
        ExternalTaskClient(stub.url, engine="second", auth=("demo", "demo")) as client,
    ):
        ping = client.ping()
        seen = [(one.method, one.target, one.body) for one in stub.seen]
        asked = {one.headers.get("authorization") for one in stub.seen}

    assert ping.version == "7.24.0"
    assert 0 < ping.milliseconds < 60_000
    assert seen == [
        ("POST", "/engine-rest/engine/second/external-task/count", b'{"externalTaskId":"ping"}'),
        ("GET", "/engine-rest/engine/second/version", b""),
    ]
    assert asked == {"Basic ZGVtbzpkZW1v"}


def test_an_engine_that_does_not_tell_its_version_is_well() -> None:
    """
    The operation came with 7.8, and a gateway may hide it.
    """
    missing = json_answer(404, {"type": "NotFoundException", "message": "HTTP 404 Not Found"})
    with (
        Stub(json_answer(200, {"count": 0}), missing) as stub,
        ExternalTaskClient(stub.url) as client,
    ):
        assert client.ping().version is None


@pytest.mark.parametrize(
    "answer",
    [
        html_answer("404 Not Found"),
        raw_answer("403 Forbidden"),
        html_answer("503 Service Unavailable"),
    ],
)
def test_a_gateway_may_hide_the_version(answer: bytes) -> None:
    """
    The engine has shown by its count that it is well.
    """
    with (
        Stub(json_answer(200, {"count": 0}), answer) as stub,
        ExternalTaskClient(stub.url) as client,
    ):
        assert client.ping().version is None


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (raw_answer("401 Unauthorized"), Unauthorized),
        (html_answer("200 OK"), NoAnswer),
        (html_answer("503 Service Unavailable"), Exception),
        (then_close(b""), NoAnswer),
    ],
)
def test_a_ping_that_fails_is_not_sent_again(answer: Any, error: type[Exception]) -> None:
    """
    Whoever watches the engine asks again soon.
    """
    with (
        Stub(answer, json_answer(200, {"count": 0})) as stub,
        ExternalTaskClient(stub.url) as client,
    ):
        with pytest.raises(error) as caught:
            client.ping()
        assert len(stub.seen) == 1
        assert vars(caught.value)["operation"] == "ping"


def test_a_ping_has_a_time_of_its_own() -> None:
    """
    However patient the client is.
    """
    with (
        Stub(lambda connection: connection.wait(2)) as stub,
        ExternalTaskClient(stub.url, timeout=600) as client,
        pytest.raises(NoAnswer, match="ping"),
    ):
        client.ping(timeout=timedelta(milliseconds=100))


@pytest.mark.parametrize("timeout", [0, -1, "5", True])
def test_a_ping_needs_some_time(timeout: Any) -> None:
    """
    A time-out is a number of seconds, or a `timedelta`.
    """
    with ExternalTaskClient("http://127.0.0.1:1/engine-rest") as client:
        with pytest.raises((TypeError, ValueError), match="timeout must be "):
            client.ping(timeout=timeout)
        with pytest.raises(NotSent):
            client.ping()
