"""
What the client looks at before it sends anything, and what it sends then.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import requests

from camunda_ext import (
    ExternalTask,
    ExternalTaskClient,
    ExternalTaskQuery,
    HistoricExternalTaskLogQuery,
    LockedExternalTask,
    NoAnswer,
    TaskNotFound,
    UnreadableTask,
)
from tests.stub import Stub, json_answer, raw_answer

NO_CONTENT = raw_answer("204 No Content")
ZERO = json_answer(200, {"count": 0})
WRONG_TYPE = json_answer(400, {"type": "InvalidRequestException", "message": "", "code": None})


def sent(stub: Stub) -> list[tuple[str, str, Any]]:
    """
    Give method, target and JSON of each request.
    """
    return [
        (one.method, one.target, json.loads(one.body) if one.body else None) for one in stub.seen
    ]


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.set_retries_of(3),
        lambda client: client.set_retries_of(3, external_task_ids=[]),
        lambda client: client.set_retries_of(3, process_instance_ids=[]),
        lambda client: client.set_retries_of(3, external_task_query=ExternalTaskQuery()),
        lambda client: client.set_retries_async(3, external_task_query=ExternalTaskQuery()),
        lambda client: client.set_retries_of(
            3, external_task_query=ExternalTaskQuery().sort_by("id").variable_names_ignore_case()
        ),
        lambda client: client.set_retries_of(3, process_instance_query={}),
        lambda client: client.set_retries_of(
            3, process_instance_query={"processInstanceIds": [], "active": False, "sorting": [1]}
        ),
        lambda client: client.set_retries_of(3, process_instance_query={"processInstanceIds": ()}),
        lambda client: client.set_retries_of(3, process_instance_query={"orQueries": [{}]}),
        lambda client: client.set_retries_async(3, historic_process_instance_query={}),
        lambda client: client.set_retries_of(
            3, external_task_ids=["t"], external_task_query=ExternalTaskQuery()
        ),
        lambda client: client.set_retries_of(-1, external_task_ids=["t"]),
        lambda client: client.list(max_results=-1),
        lambda client: client.list(first_result=-1),
        lambda client: client.list(max_results=2**31),
        lambda client: client.list(via="PUT"),
        lambda client: client.iterate(page_size=1),
        lambda client: client.list(ExternalTaskQuery().sort_by("id").sort_by("id"), via="GET"),
        lambda client: client.fetch_and_lock("w", [], max_tasks=1),
        lambda client: client.complete("t", ""),
        lambda client: client.complete("count", "w"),
        lambda client: client.complete("t", "w", {"v": 2**63}),
        lambda client: client.batch_statistics(""),
    ],
)
def test_what_would_do_more_or_other_than_meant_is_refused(
    call: Callable[[ExternalTaskClient], object],
) -> None:
    """
    A bulk command without a filter, an empty list, a negative page: nothing is sent.
    """
    with Stub() as stub, ExternalTaskClient(stub.url) as client:
        with pytest.raises(ValueError):  # noqa: PT011  # each has its own sentence
            call(client)
        assert stub.seen == []


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.list("invoice"),
        lambda client: client.list({"topicName": "invoice"}),
        lambda client: client.list(HistoricExternalTaskLogQuery()),
        lambda client: client.count(ExternalTaskQuery),
        lambda client: client.log_list(ExternalTaskQuery()),
        lambda client: client.set_retries_of(3, external_task_query={"topicName": "a"}),
        lambda client: client.set_retries_of(3, external_task_ids="abc"),
        lambda client: client.set_retries_of(3, process_instance_query="invoice"),
        lambda client: client.set_retries_of(3, process_instance_query={"a": {"b"}}),
        lambda client: client.iterate("invoice"),
        lambda client: client.topic_names(with_locked_tasks="yes"),
        lambda client: client.delete_batch("b", cascade="yes"),
        lambda client: client.fetch_and_lock("w", ["invoice"], max_tasks=1),
        lambda client: client.complete("t", "w", ["v"]),
        lambda client: client.get(None),
    ],
)
def test_what_is_of_the_wrong_type_is_refused(call: Callable[[Any], object]) -> None:
    """
    A query of another kind would match everything, for the engine ignores what it does not know.
    """
    with Stub() as stub, ExternalTaskClient(stub.url) as client:
        with pytest.raises(TypeError):
            call(client)
        assert stub.seen == []


TASK = LockedExternalTask(id="t", worker_id="w")
UNREADABLE = UnreadableTask(id="t", reason="a date in an unknown format")


@pytest.mark.parametrize(
    ("with_task", "with_ids"),
    [
        (
            lambda client: client.complete(TASK, variables={"paid": True}),
            lambda client: client.complete("t", "w", {"paid": True}),
        ),
        (
            lambda client: client.complete(TASK, "v"),
            lambda client: client.complete("t", "v"),
        ),
        (
            lambda client: client.failure(TASK, retries=2),
            lambda client: client.failure("t", "w", retries=2),
        ),
        (
            lambda client: client.bpmn_error(TASK, error_code="E1"),
            lambda client: client.bpmn_error("t", "w", "E1"),
        ),
        (
            lambda client: client.lock(TASK, lock_duration=60_000),
            lambda client: client.lock("t", "w", 60_000),
        ),
        (
            lambda client: client.extend_lock(TASK, new_duration=timedelta(minutes=1)),
            lambda client: client.extend_lock("t", "w", 60_000),
        ),
        (lambda client: client.unlock(TASK), lambda client: client.unlock("t", worker_id="w")),
        (lambda client: client.unlock(UNREADABLE), lambda client: client.unlock("t")),
        (
            lambda client: client.failure(UNREADABLE, "w", retries=0),
            lambda client: client.failure("t", "w", retries=0),
        ),
        (lambda client: client.set_priority(TASK, 5), lambda client: client.set_priority("t", 5)),
        (lambda client: client.set_retries(TASK, 5), lambda client: client.set_retries("t", 5)),
        (
            lambda client: client.set_retries_of(3, external_task_ids=[TASK, "u"]),
            lambda client: client.set_retries_of(3, external_task_ids=["t", "u"]),
        ),
    ],
)
def test_a_task_stands_for_its_ids(
    with_task: Callable[[ExternalTaskClient], object],
    with_ids: Callable[[ExternalTaskClient], object],
) -> None:
    """
    Its own id, and that of the worker that has locked it, unless another is passed.
    """
    with Stub(NO_CONTENT, NO_CONTENT) as stub, ExternalTaskClient(stub.url) as client:
        with_task(client)
        with_ids(client)
        of_task, of_ids = sent(stub)

    assert of_task == of_ids


def test_questions_take_a_task_as_well() -> None:
    """
    To look at it again, or at the details of its failure.
    """
    answers = (json_answer(200, {"id": "t", "topicName": "a"}), NO_CONTENT, json_answer(200, []))
    with Stub(*answers) as stub, ExternalTaskClient(stub.url) as client:
        client.get(TASK)
        client.error_details(TASK)
        client.recover("w", known=[TASK])

        assert [one.target for one in stub.seen] == [
            "/engine-rest/external-task/t",
            "/engine-rest/external-task/t/errorDetails",
            "/engine-rest/external-task?firstResult=0&maxResults=500",
        ]


def test_tasks_that_the_worker_has_are_not_stranded() -> None:
    """
    Whether they are named by themselves or by their ids.
    """
    page = json_answer(200, [{"id": one, "topicName": "a", "workerId": "w"} for one in "tuv"])
    with Stub(page) as stub, ExternalTaskClient(stub.url) as client:
        stranded = client.recover("w", known=[TASK, "u"])

    assert [one.id for one in stranded] == ["v"]


@pytest.mark.parametrize(
    ("call", "refused", "said"),
    [
        (
            lambda client: client.complete("w", TASK),
            TypeError,
            "worker_id must be a str: the task comes first, then the worker's id",
        ),
        (
            lambda client: client.complete("t"),
            TypeError,
            "worker_id is missing: only a fetched task names the worker that has it",
        ),
        (
            lambda client: client.failure(UNREADABLE, retries=0),
            TypeError,
            "worker_id is missing: only a fetched task names the worker that has it",
        ),
        (
            lambda client: client.complete(ExternalTask(id="t", worker_id="w")),
            TypeError,
            "worker_id is missing: only a fetched task names the worker that has it",
        ),
        (
            lambda client: client.complete(LockedExternalTask(id="t")),
            ValueError,
            "worker_id is missing: the task 't' names none",
        ),
        (
            lambda client: client.bpmn_error(TASK, "E1"),
            TypeError,
            "error_code is missing: with a task alone, pass it by name",
        ),
        (
            lambda client: client.lock(TASK),
            TypeError,
            "lock_duration is missing: with a task alone, pass it by name",
        ),
        (
            lambda client: client.extend_lock(TASK),
            TypeError,
            "new_duration is missing: with a task alone, pass it by name",
        ),
        (
            lambda client: client.complete(TASK, {"a": 1}),
            TypeError,
            "worker_id must be a str, not dict: with a task alone, pass the rest by name",
        ),
        (
            lambda client: client.complete((TASK,), "w"),
            TypeError,
            "task must be a task or its id, not tuple",
        ),
        (
            lambda client: client.set_retries_of(3, external_task_ids=client.select()),
            TypeError,
            "external_task_ids must not be a Selection: its own methods refuse one of everything",
        ),
        (
            lambda client: client.set_retries_of(3, external_task_ids=TASK),
            TypeError,
            "external_task_ids must be an iterable of tasks or of their ids, not ",
        ),
    ],
)
def test_what_a_task_does_not_say_is_missing(
    call: Callable[[Any], object], refused: type[Exception], said: str
) -> None:
    """
    A task in its place, an id alone, and a task that was listed: whoever holds that may be another.
    """
    with Stub() as stub, ExternalTaskClient(stub.url) as client:
        with pytest.raises(refused) as caught:
            call(client)
        assert str(caught.value).startswith(said)
        assert stub.seen == []


UUID = "8b4e5f7a-c9a1-11ef-8d2b-0242ac110002"


@pytest.mark.parametrize(
    ("task_id", "worker_id", "is_noticed"),
    [
        ("worker-1", UUID, True),
        ("worker-1", "4711", True),
        (UUID, "worker-1", False),
        (UUID, UUID, False),
        ("worker-1", "worker-2", False),
    ],
)
def test_ids_in_the_wrong_order_are_noticed(task_id: str, worker_id: str, is_noticed: bool) -> None:
    """
    Where an engine knows no such task, and only the worker's id looks like one of a task.
    """
    gone = json_answer(
        404,
        {
            "type": "RestException",
            "message": f"External task with id {task_id} does not exist",
            "code": None,
        },
    )
    with (
        Stub(gone) as stub,
        ExternalTaskClient(stub.url) as client,
        pytest.raises(TaskNotFound) as caught,
    ):
        client.complete(task_id, worker_id)

    assert ("is the worker's id where the task's belongs?" in caught.value.hint) is is_noticed


def test_everything_can_be_meant() -> None:
    """
    Whoever says so may change every task.
    """
    with Stub(NO_CONTENT) as stub, ExternalTaskClient(stub.url) as client:
        client.set_retries_of(3, external_task_query=ExternalTaskQuery(), everything=True)
        assert sent(stub) == [
            ("PUT", "/engine-rest/external-task/retries", {"retries": 3, "externalTaskQuery": {}})
        ]


def count_request(body: Mapping[str, object]) -> tuple[str, str, Any]:
    """
    Give the request that counts by a body.
    """
    return "POST", "/engine-rest/external-task/count", body


CONTROL = count_request({"noSuchFilter": {}, "noSuchFilters": "not a list"})


def test_young_filters_are_proven_before_a_bulk_command() -> None:
    """
    A value of the wrong type is refused by an engine that knows the filter; it is asked once.
    """
    query = ExternalTaskQuery().topic("a").external_task_id_in("t").process_definition_key("k")
    answers = (ZERO, WRONG_TYPE, WRONG_TYPE, NO_CONTENT, NO_CONTENT)
    with Stub(*answers) as stub, ExternalTaskClient(stub.url) as client:
        client.set_retries_of(3, external_task_query=query)
        client.set_retries_of(4, external_task_query=query)
        requests = sent(stub)

    assert requests[:3] == [
        CONTROL,
        count_request({"externalTaskIdIn": "not a list"}),
        count_request({"processDefinitionKey": {}}),
    ]
    assert [(method, body["retries"]) for method, _, body in requests[3:]] == [
        ("PUT", 3),
        ("PUT", 4),
    ]


def test_a_filter_that_is_ignored_stops_a_bulk_command() -> None:
    """
    The engine that counts with a value of the wrong type has not looked at it.
    """
    query = ExternalTaskQuery().topic("a").process_definition_key("k")
    version = json_answer(200, {"version": "7.14.0"})
    with Stub(ZERO, ZERO, version) as stub, ExternalTaskClient(stub.url) as client:
        with pytest.raises(ValueError, match=r"7\.14\.0, ignores the filter processDefinitionKey"):
            client.set_retries_async(3, external_task_query=query)
        *asked, (_, last, _) = sent(stub)
    assert asked == [CONTROL, count_request({"processDefinitionKey": {}})]
    assert last.endswith("/version")


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ((WRONG_TYPE,), Exception),
        ((raw_answer("400 Bad Request"),), Exception),
        ((ZERO, raw_answer("503 Service Unavailable")), NoAnswer),
    ],
)
def test_what_proves_nothing_stops_a_bulk_command(
    answers: tuple[bytes, ...], error: type[Exception]
) -> None:
    """
    Where something refuses such values anyway, a refusal says nothing about the filter.
    """
    query = ExternalTaskQuery().process_definition_key("k")
    with Stub(*answers) as stub, ExternalTaskClient(stub.url) as client:
        with pytest.raises(error):
            client.set_retries_of(3, external_task_query=query)
        assert {method for method, _, _ in sent(stub)} == {"POST"}


def test_pages_are_asked_for_in_the_order_of_ids() -> None:
    """
    The order that shows what was seen is asked for by name, with an offset and a size.
    """
    page = json_answer(200, [{"id": "1"}, {"id": "2"}])
    rest = json_answer(200, [{"id": "2"}])
    with Stub(page, rest) as stub, ExternalTaskClient(stub.url) as client:
        tasks = client.iterate(ExternalTaskQuery().topic("a"), page_size=2)
        assert [task.id for task in tasks] == ["1", "2"]
        body = {"topicName": "a", "sorting": [{"sortBy": "id", "sortOrder": "asc"}]}
        assert sent(stub) == [
            ("POST", "/engine-rest/external-task?firstResult=0&maxResults=2", body),
            ("POST", "/engine-rest/external-task?firstResult=1&maxResults=2", body),
        ]


def test_dates_go_out_in_the_format_that_the_client_was_told() -> None:
    """
    In queries by POST and by GET, and in variables.
    """
    moment = datetime(2015, 10, 6, 14, 34, 42, 5000, timezone.utc)
    query = ExternalTaskQuery().lock_expiration_after(moment)
    with (
        Stub(ZERO, ZERO, NO_CONTENT) as stub,
        ExternalTaskClient(
            stub.url, date_format="%Y-%m-%dT%H:%M:%S", date_zone="Europe/Berlin"
        ) as client,
    ):
        client.count(query)
        client.count(query, via="GET")
        client.complete("t", "w", {"at": moment})
        assert sent(stub) == [
            count_request({"lockExpirationAfter": "2015-10-06T16:34:42"}),
            (
                "GET",
                "/engine-rest/external-task/count?lockExpirationAfter=2015-10-06T16%3A34%3A42",
                None,
            ),
            (
                "POST",
                "/engine-rest/external-task/t/complete",
                {
                    "workerId": "w",
                    "variables": {"at": {"value": "2015-10-06T16:34:42", "type": "Date"}},
                },
            ),
        ]


@pytest.mark.parametrize(
    ("told", "error"),
    [
        ({"date_format": "%Y-%m-%dT%H:%M:%S"}, ValueError),
        ({"date_zone": "UTC"}, ValueError),
        ({"date_format": "%Y-%m-%dT%H:%M:%S", "date_zone": "Nowhere/Bad"}, ValueError),
        ({"date_format": "%Y-%m-%dT%H:%M:%S", "date_zone": 5}, TypeError),
        ({"date_format": "nonsense %z"}, ValueError),
        ({"date_format": 5}, TypeError),
    ],
    ids=repr,
)
def test_a_format_of_dates_that_is_none_is_refused(
    told: dict[str, Any], error: type[Exception]
) -> None:
    """
    A client that reads dates, but writes them as the server does not, would be off by hours.
    """
    with pytest.raises(error, match=r"date_format|zone"):
        ExternalTaskClient("http://127.0.0.1:1/engine-rest", **told)


def test_json_in_a_page_is_no_answer() -> None:
    """
    What says that it is HTML is not the engine's, though it can be read.
    """
    page = raw_answer("200 OK", "Content-Type: text/html", body=b"[]")
    with (
        Stub(page) as stub,
        ExternalTaskClient(stub.url) as client,
        pytest.raises(NoAnswer, match="expected JSON, not a page"),
    ):
        client.list()


def test_an_offset_alone_brings_a_size_along() -> None:
    """
    Without one, 7.6 cuts before it sorts; the size is the one that stands for none.
    """
    with Stub(json_answer(200, [])) as stub, ExternalTaskClient(stub.url) as client:
        client.list(first_result=1)
        assert stub.seen[0].target == (
            "/engine-rest/external-task?firstResult=1&maxResults=2147483647"
        )


def test_encodings_are_those_that_the_session_asks_for() -> None:
    """
    Half a gzip stream can be told from a whole one; a session of the user's own asks as it does.
    """
    session = requests.Session()
    session.headers["Accept-Encoding"] = "identity"
    with session, Stub(ZERO, ZERO) as stub:
        for own in (None, session):
            with ExternalTaskClient(stub.url, session=own) as client:
                client.count()
        assert [one.headers["accept-encoding"] for one in stub.seen] == ["gzip", "identity"]


def test_a_function_can_be_auth() -> None:
    """
    As requests has it: it is given the request, and gives it back.
    """

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["X-Signature"] = "s"
        return request

    with Stub(ZERO) as stub, ExternalTaskClient(stub.url, auth=sign) as client:
        client.count()
        assert stub.seen[0].headers["x-signature"] == "s"
