"""
Cases 115 to 120, 127, 128 and 135 to 138: what lies between the client and the engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone

import attrs
import pytest

from camunda_ext import (
    EngineBusy,
    ExternalTaskClient,
    Forbidden,
    NotFound,
    TaskNotFound,
    Topic,
    Unauthorized,
)
from camunda_ext.errors import MissingAuthorization
from tests.conformance.live import Live, Told, answer, assert_container_refuses, ids, refusal

PASSWORD = "correct horse battery staple"


@pytest.fixture
def user(guarded: Live) -> Iterator[str]:
    """
    A user without any rights.
    """
    name = f"user{guarded.key('')[1:]}"
    profile = {"id": name, "firstName": "A", "lastName": "User"}
    body = {"profile": profile, "credentials": {"password": PASSWORD}}
    guarded.done("POST", "/user/create", json=body)
    yield name
    guarded.done("DELETE", f"/user/{name}")


def refused_by_the_filter(client: ExternalTaskClient) -> None:
    """
    Assert that a client is told nothing but to authenticate.
    """
    assert refusal(client.list) == Told(Unauthorized, 401, None, None)
    assert refusal(client.complete, "any", "w1") == Told(Unauthorized, 401, None, None)


@pytest.mark.parametrize("given", [None, "wrong"])
def test_115_credentials_are_asked_for(guarded: Live, user: str, given: str | None) -> None:
    """
    Without the right credentials nothing is answered but a challenge.
    """
    auth = None if given is None else (user, given)

    challenge = guarded.raw("GET", "/external-task", auth=auth or (lambda request: request))
    with guarded.client_with(auth=auth) as client:
        refused_by_the_filter(client)

    assert (challenge.status_code, challenge.content) == (401, b"")
    assert challenge.headers["WWW-Authenticate"] == 'Basic realm="default"'


def test_115_a_wrong_password_locks_the_user(guarded: Live, user: str) -> None:
    """
    After a wrong password the right one is refused too, for seconds.
    """
    assert guarded.raw("GET", "/external-task", auth=(user, PASSWORD)).status_code == 200
    assert guarded.raw("GET", "/external-task", auth=(user, "wrong")).status_code == 401

    with guarded.client_with(auth=(user, PASSWORD)) as client:
        refused_by_the_filter(client)
        guarded.let_pass(3.0)
        guarded.wait_for(
            lambda: guarded.raw("GET", "/external-task", auth=(user, PASSWORD)).status_code == 200
        )
        assert client.list() == ()


def test_116_a_user_without_rights(guarded: Live, user: str) -> None:
    """
    What a user may not see is not there; what a user may not change is refused.
    """
    locked, free = guarded.locked(), guarded.task()
    topics = [Topic(guarded.topic_a, lock_duration=60_000)]

    with guarded.client_with(auth=(user, PASSWORD)) as client:
        assert client.list() == ()
        assert client.fetch_and_lock("w1", topics, max_tasks=10) == ()
        assert refusal(client.get, free.id) == Told(
            TaskNotFound,
            404,
            "RestException",
            f"External task with id {free.id} does not exist",
        )
        with pytest.raises(Forbidden) as caught:
            client.complete(locked.id, "w1")

    assert ids(guarded.fetch("w2")) == [free.id]
    assert (caught.value.status, caught.value.type) == (403, "AuthorizationException")
    assert caught.value.user_id == user
    assert caught.value.missing_authorizations == (
        MissingAuthorization(
            permission_name="UPDATE",
            resource_name="ProcessInstance",
            resource_id=locked.process_instance_id,
        ),
        MissingAuthorization(
            permission_name="UPDATE_INSTANCE",
            resource_name="ProcessDefinition",
            resource_id=guarded.key("P"),
        ),
    )


def test_117_the_engine_by_its_name(live: Live) -> None:
    """
    The default engine is called so, and there is no other.
    """
    task = live.task()

    with live.client_with(engine="default") as client:
        assert client.get(task.id) == task
    with live.client_with(engine="nope") as client:
        assert refusal(client.list) == Told(
            EngineBusy, 400, "InvalidRequestException", "No process engine available"
        )


def test_117_an_unknown_engine_behind_the_filter(guarded: Live) -> None:
    """
    The filter that asks for credentials knows which engines there are.
    """
    with guarded.client_with(engine="nope", auth=guarded.admin) as client:
        assert refusal(client.list) == Told(
            NotFound, 404, "InvalidRequestException", "Process engine nope not available"
        )


def test_118_a_body_is_json(live: Live) -> None:
    """
    A body of any other type is refused.
    """
    response = live.raw("POST", "/external-task", data="{}", headers={"Content-Type": "text/plain"})

    assert_container_refuses(
        live, response, 415, "NotSupportedException", "HTTP 415 Unsupported Media Type"
    )


JSON = {"Content-Type": "application/json"}


def test_119_half_a_body(live: Live) -> None:
    """
    A body that breaks off is refused, in words that differ.
    """
    response = live.raw("POST", "/external-task", data="{", headers=JSON)

    assert response.status_code == 400


def test_120_an_unknown_method(live: Live) -> None:
    """
    A method that the engine does not know is refused.
    """
    response = live.raw("PATCH", "/external-task")

    assert_container_refuses(
        live, response, 405, "NotAllowedException", "HTTP 405 Method Not Allowed"
    )


def test_127_an_id_has_no_slash(live: Live) -> None:
    """
    The container takes no slash in a segment of the path; the client does not send it.
    """
    response = live.raw("GET", "/external-task/a%2Fb")

    assert response.status_code == 400
    is_page = response.headers.get("Content-Type", "").startswith("text/html")
    assert (is_page, bool(response.content)) == (live.dialect.page_for_bad_urls,) * 2
    with pytest.raises(ValueError, match="slash"):
        live.client.get("a/b")


def test_128_an_id_is_something(live: Live) -> None:
    """
    An empty id is another path; the client sends none that a URL would lose.
    """
    task = live.task()

    listed = live.raw("GET", "/external-task/")
    completed = live.raw("POST", "/external-task//complete", json={"workerId": "w1"})

    assert listed.status_code == 200
    assert task.id in [one["id"] for one in listed.json()]
    assert completed.status_code == 404
    for lost in ("", ".", ".."):
        with pytest.raises(ValueError, match="task_id"):
            live.client.get(lost)
        with pytest.raises(ValueError, match="task_id"):
            live.client.complete(lost, "w1")


@pytest.mark.parametrize("depth", [900, 1001])
def test_135_json_is_not_nested_without_end(live: Live, depth: int) -> None:
    """
    The younger engines refuse deep nesting, even in what they ignore.
    """
    body = f'{{"nope": {"[" * depth}{"]" * depth}}}'

    response = live.raw("POST", "/external-task/count", data=body, headers=JSON)

    if live.dialect.nesting_limit and depth > 1000:
        assert (response.status_code, response.json()["type"]) == (
            500,
            "StreamConstraintsException",
        )
    else:
        assert response.status_code == 200


def test_136_of_a_repeated_key_the_last_counts(live: Live) -> None:
    """
    A key that a body has twice means what it says the last time.
    """
    task = live.task()
    body = f'{{"topicName": "nope", "topicName": "{live.topic_a}"}}'

    response = live.raw("POST", "/external-task", data=body, headers=JSON)

    assert [one["id"] for one in response.json()] == [task.id]


def test_137_a_date_has_three_digits_of_a_second(live: Live) -> None:
    """
    The engine counts six digits as milliseconds and moves the time; the client sends three.
    """
    task, other = live.locked(), live.locked()
    moment = datetime(2026, 11, 22, 0, 15, 30, 123_456, tzinfo=timezone.utc)
    sent = {"type": "Date", "value": "2026-11-22T00:15:30.123456+0000"}
    body = {"workerId": "w1", "variables": {"v": sent}}

    live.done("POST", f"/external-task/{task.id}/complete", json=body)
    live.client.complete(other.id, "w1", {"v": moment})

    stored = [live.variables(one.process_instance_id)["v"]["value"] for one in (task, other)]
    if live.dialect.date_options:
        assert stored == ["2026-11-22T00:15:30", "2026-11-22T00:15:30"]
    else:
        assert stored == ["2026-11-22T00:17:33.456+0000", "2026-11-22T00:15:30.123+0000"]


def test_138_a_worker_is_something(live: Live) -> None:
    """
    The engine takes an empty name for a worker's; the client does not.
    """
    task = live.task()

    found = live.raw("POST", "/external-task/fetchAndLock", json=live.fetch_body(workerId=""))
    locked = live.client.get(task.id)
    body = {"workerId": ""}
    completed = live.raw("POST", f"/external-task/{task.id}/complete", json=body)

    assert [one["id"] for one in found.json()] == [task.id]
    assert locked == attrs.evolve(
        task, worker_id="", lock_expiration_time=locked.lock_expiration_time
    )
    assert answer(completed) == (204, None)
    with pytest.raises(ValueError, match="worker_id"):
        live.fetch("")
    with pytest.raises(ValueError, match="worker_id"):
        live.client.complete(task.id, "")
