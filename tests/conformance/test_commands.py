"""
Cases 73 to 114: what workers and operators do to tasks, and what the engine refuses.
"""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import requests

from camunda_ext import (
    BadRequest,
    ExternalTask,
    LockedExternalTask,
    LockLost,
    NotFound,
    NotTheEngine,
    Suspended,
    TaskNotFound,
    VariableValue,
)
from tests.conformance.live import (
    Live,
    Told,
    about,
    answer,
    assert_container_refuses,
    refusal,
    seconds_left,
)


def unknown(task_id: str) -> Told:
    """
    What the client raises for a task that is not there.
    """
    message = f"External task with id {task_id} does not exist"
    return Told(TaskNotFound, 404, "RestException", message)


def not_completed(task: ExternalTask, worker_id: str, holder: str) -> Told:
    """
    What the client raises for a worker that does not hold the lock.
    """
    message = (
        f"External Task {task.id} cannot be completed by worker '{worker_id}'. "
        f"It is locked by worker '{holder}'."
    )
    return Told(LockLost, 400, "RestException", message)


def assert_locked_as(live: Live, task: LockedExternalTask) -> None:
    """
    Assert that nothing has happened to a task since it was fetched.
    """
    same = {field.name: getattr(task, field.name) for field in attrs.fields(ExternalTask)}
    same["lock_expiration_time"] = live.stored(task.lock_expiration_time)
    assert live.client.get(task.id) == ExternalTask(**same)


# ---------------------------------------------------------------------------------------- complete


def test_073_completion_goes_on_with_the_process(live: Live) -> None:
    """
    A completed task is gone, its variables are set, and the process waits at what comes next.
    """
    task = live.locked()

    live.client.complete(task.id, "w1", {"v": "x"})

    instance = task.process_instance_id
    assert live.variables(instance) == {"v": {"type": "String", "value": "x", "valueInfo": {}}}
    assert live.user_tasks(instance) == ["after"]
    assert live.client.list(live.own) == ()


def test_073_completion_has_no_body(live: Live) -> None:
    """
    The engine answers a completion with 204 and nothing.
    """
    task = live.locked()

    response = live.raw("POST", f"/external-task/{task.id}/complete", json={"workerId": "w1"})

    assert (response.status_code, response.content) == (204, b"")


def test_074_a_task_is_completed_once(live: Live) -> None:
    """
    A task that was completed is not there for the second time.
    """
    task = live.locked()
    live.client.complete(task.id, "w1")

    assert refusal(live.client.complete, task.id, "w1") == unknown(task.id)


def test_075_another_worker_cannot_complete(live: Live) -> None:
    """
    Only the worker that holds the lock can complete a task; the error says who that is.
    """
    task = live.locked()

    with pytest.raises(LockLost) as caught:
        live.client.complete(task.id, "w2")

    assert caught.value.worker_id == "w1"
    assert refusal(live.client.complete, task.id, "w2") == not_completed(task, "w2", "w1")
    assert_locked_as(live, task)


def test_076_nobody_completes_an_unlocked_task(live: Live) -> None:
    """
    A task that nobody has locked cannot be completed.
    """
    task = live.task()

    with pytest.raises(LockLost) as caught:
        live.client.complete(task.id, "w1")

    assert caught.value.worker_id is None
    assert refusal(live.client.complete, task.id, "w1") == not_completed(task, "w1", "null")


def test_077_an_expired_lock_still_completes(live: Live) -> None:
    """
    The worker whose lock is over can complete the task as long as nobody else has it.
    """
    task = live.expired()

    live.client.complete(task.id, "w1")

    assert live.user_tasks(task.process_instance_id) == ["after"]


def test_078_a_lock_that_another_worker_took(live: Live) -> None:
    """
    The worker whose lock is over cannot complete what another worker has locked.
    """
    task = live.expired()
    live.fetch("w2")

    assert refusal(live.client.complete, task.id, "w1") == not_completed(task, "w1", "w2")


def test_079_a_suspended_task_is_not_completed(live: Live) -> None:
    """
    A task of a suspended instance cannot be completed.
    """
    task = live.locked()
    live.suspend(task.process_instance_id)

    assert refusal(live.client.complete, task.id, "w1") == Told(
        Suspended,
        400,
        "RestException",
        f"ENGINE-03043 ExternalTask with id '{task.id}' is suspended.",
    )


def test_080_completion_without_a_worker(live: Live) -> None:
    """
    A completion without a worker fails.
    """
    task = live.locked()

    refused = live.raw("POST", f"/external-task/{task.id}/complete", json={})

    assert answer(refused) == live.dialect.error(
        500, "NullValueException", "workerId is null", code=0
    )
    assert_locked_as(live, task)


def complete_with(live: Live, task_id: str, variable: dict[str, Any]) -> requests.Response:
    """
    What the engine answers to a variable ``v`` that is sent as it stands.
    """
    body = {"workerId": "w1", "variables": {"v": variable}}
    return live.raw("POST", f"/external-task/{task_id}/complete", json=body)


def test_081_an_unknown_type_changes_nothing(live: Live) -> None:
    """
    A completion with a variable that the engine does not take is none; the client sends it, for a
    server may have types of its own.
    """
    task = live.locked()
    money = VariableValue(type="Foo", value="x")

    refused = refusal(live.client.complete, task.id, "w1", {"v": money})

    assert refused == Told(BadRequest, 400, "RestException", "Unsupported value type 'Foo'")
    assert_locked_as(live, task)


def test_082_a_value_that_does_not_fit_changes_nothing(live: Live) -> None:
    """
    The client does not even send it.
    """
    task = live.locked()
    with pytest.raises(ValueError, match="must be an int from -2147483648 to 2147483647"):
        live.client.complete(task.id, "w1", {"v": VariableValue(type="Integer", value=2**31)})

    refused = complete_with(live, task.id, {"type": "Integer", "value": 2**31})

    assert answer(refused) == live.dialect.error(
        400,
        "InvalidRequestException",
        "Cannot convert value '2147483648' of type 'Integer' to java type java.lang.Integer",
    )
    assert_locked_as(live, task)


def test_083_an_object_without_a_type_is_javas(live: Live) -> None:
    """
    The engine serializes an object without a type by Java, and does not take that back; the client
    does not send one.
    """
    task, other = live.locked(), live.locked()
    with pytest.raises(ValueError, match="needs a type"):
        live.client.complete(task.id, "w1", {"v": VariableValue(value={"a": 1})})

    body = {"workerId": "w1", "variables": {"v": {"value": {"a": 1}}}}
    live.done("POST", f"/external-task/{task.id}/complete", json=body)

    stored = live.variables(task.process_instance_id)["v"]
    assert (stored["type"], stored["value"][:5]) == ("Object", "rO0AB")
    assert stored["valueInfo"] == {
        "objectTypeName": "java.util.LinkedHashMap",
        "serializationDataFormat": "application/x-java-serialized-object",
    }
    again = VariableValue(value=stored["value"], type="Object", value_info=stored["valueInfo"])
    with pytest.raises(ValueError, match="leave it out, and it stays as it is"):
        live.client.complete(other.id, "w1", {"v": again})
    sent_again = complete_with(live, other.id, stored)
    if live.dialect.refuses_java_objects:
        assert answer(sent_again) == live.dialect.error(
            500,
            "ProcessEngineException",
            "ENGINE-17007 Cannot set variable with name v. Java serialization format is prohibited",
            code=0,
        )
    else:
        assert sent_again.status_code == 204
        assert live.variables(other.process_instance_id)["v"] == stored


def test_084_json_is_text(live: Live) -> None:
    """
    A Json variable is sent as the text of the document.
    """
    task = live.locked()
    document = VariableValue(type="Json", value={"a": 1})
    with pytest.raises(ValueError, match="must be JSON as text"):
        live.client.complete(task.id, "w1", {"v": document})

    refused = complete_with(live, task.id, {"type": "Json", "value": {"a": 1}})

    if not live.dialect.json_variables:
        message = "Unsupported value type 'Json'"
        assert answer(refused) == live.dialect.error(400, "RestException", message)
        without = Told(BadRequest, 400, "RestException", message)
        assert refusal(live.client.complete, task.id, "w1", {"v": {"a": 1}}) == without
        return
    assert answer(refused) == live.dialect.error(
        400,
        "InvalidRequestException",
        "Must provide 'null' or String value for value of SerializableValue type 'Json'.",
    )
    live.client.complete(task.id, "w1", {"v": {"a": 1}})
    assert live.variables(task.process_instance_id) == {
        "v": {"type": "Json", "value": '{"a":1}', "valueInfo": {}}
    }


# ----------------------------------------------------------------------------------------- failure


def test_085_a_failure_is_kept(live: Live) -> None:
    """
    A failure leaves its message and retries, and the worker's lock until the retry.
    """
    task = live.locked()

    live.client.failure(
        task.id, "w1", retries=2, retry_timeout=5_000, error_message="m", error_details="d"
    )

    failed = live.client.get(task.id)
    assert (failed.retries, failed.error_message, failed.worker_id) == (2, "m", "w1")
    assert seconds_left(failed.lock_expiration_time) == about(5)
    assert live.client.error_details(task.id) == "d"


def test_086_a_failed_task_waits_for_its_retry(timed: Live) -> None:
    """
    Nobody can fetch a failed task before its retry, and anybody after.
    """
    task = timed.locked()
    timed.client.failure(
        task.id, "w1", retries=2, retry_timeout=2_000, error_message="m", error_details="d"
    )

    before = timed.fetch("w2")
    timed.let_pass(2.0)
    [again] = timed.wait_for(lambda: timed.fetch("w2"))

    assert before == ()
    assert (again.id, again.worker_id, again.retries) == (task.id, "w2", 2)
    assert (again.error_message, again.error_details) == ("m", "d")


def test_087_a_failed_task_can_be_completed(live: Live) -> None:
    """
    The worker that reported a failure can complete the task after all.
    """
    task = live.locked()
    live.client.failure(task.id, "w1", retries=2, retry_timeout=5_000)

    live.client.complete(task.id, "w1")

    assert live.user_tasks(task.process_instance_id) == ["after"]


def test_088_no_retries_given_are_none_left(live: Live) -> None:
    """
    A failure that leaves out the retries leaves none, and opens an incident.
    """
    task = live.locked()
    body = {"workerId": "w1", "errorMessage": "m"}

    response = live.raw("POST", f"/external-task/{task.id}/failure", json=body)

    assert answer(response) == (204, None)
    assert live.client.get(task.id).retries == 0
    assert live.incidents(task.id) == [("failedExternalTask", "m")]


def test_089_negative_retries(live: Live) -> None:
    """
    A failure with negative retries fails itself; the client refuses it.
    """
    task = live.locked()
    body = {"workerId": "w1", "retries": -1}

    refused = live.raw("POST", f"/external-task/{task.id}/failure", json=body)

    assert answer(refused) == live.dialect.error(
        500, "ProcessEngineException", "retries is not greater than or equal to 0", code=0
    )
    with pytest.raises(ValueError, match="retries"):
        live.client.failure(task.id, "w1", retries=-1)
    assert_locked_as(live, task)


def test_090_a_long_message_is_cut(live: Live) -> None:
    """
    The engine keeps 666 characters of the message, and all of the details.
    """
    task = live.locked()

    live.client.failure(
        task.id, "w1", retries=1, error_message="m" * 1_000, error_details="d" * 100_000
    )

    assert live.client.get(task.id).error_message == "m" * 666
    assert live.client.error_details(task.id) == "d" * 100_000


def test_091_details_stay_until_there_are_others(live: Live) -> None:
    """
    A failure without details leaves those of the one before; one without a message, none.
    """
    task = live.locked()
    live.client.failure(task.id, "w1", retries=2, error_message="m", error_details="first")

    live.client.failure(task.id, "w1", retries=1)

    assert live.client.error_details(task.id) == "first"
    assert live.client.get(task.id).error_message is None


# -------------------------------------------------------------------------------------- BPMN error


def test_092_a_bpmn_error_is_caught(live: Live) -> None:
    """
    The process goes on where its boundary event leads, with the variables of the error.
    """
    task = live.locked("R")

    live.client.bpmn_error(task.id, "w1", "E1", error_message="m", variables={"v": 1})

    instance = task.process_instance_id
    due = {"v": {"type": "Integer", "value": 1, "valueInfo": {}}}
    assert live.user_tasks(instance) == ["caught"]
    assert live.variables(instance) == (due if live.dialect.bpmn_error_variables else {})


def test_093_a_bpmn_error_that_nobody_catches(live: Live) -> None:
    """
    An error that nobody catches ends the execution without a word.
    """
    task = live.locked("R")

    live.client.bpmn_error(task.id, "w1", "UNKNOWN")

    assert live.is_gone(task.process_instance_id)


@pytest.mark.parametrize(
    ("fields", "java_type", "message"),
    [
        ({}, "NullValueException", "errorCode is null"),
        ({"errorCode": ""}, "ProcessEngineException", "Error Code is empty"),
    ],
)
def test_094_a_bpmn_error_has_a_code(
    live: Live, fields: dict[str, str], java_type: str, message: str
) -> None:
    """
    An error without a code fails; the client refuses it.
    """
    task = live.locked()

    refused = live.raw(
        "POST", f"/external-task/{task.id}/bpmnError", json={"workerId": "w1", **fields}
    )

    assert answer(refused) == live.dialect.error(500, java_type, message, code=0)
    with pytest.raises(ValueError, match="error_code"):
        live.client.bpmn_error(task.id, "w1", "")
    assert_locked_as(live, task)


# ----------------------------------------------------------------------------------- error details


def test_095_no_details(live: Live) -> None:
    """
    A task that has not failed has no details.
    """
    assert live.client.error_details(live.task().id) is None


def test_096_details_of_an_unknown_task(live: Live) -> None:
    """
    The engine fails where there is no task; the client says what it means.
    """
    assert refusal(live.client.error_details, "unknown") == Told(
        TaskNotFound,
        500,
        "NullValueException",
        "No external task found with id unknown: externalTask is null",
    )


def test_097_details_are_utf_8(live: Live) -> None:
    """
    Details are plain text in UTF-8, which the engine does not say.
    """
    task = live.locked()
    live.client.failure(task.id, "w1", retries=1, error_details="äöü€")

    assert live.client.error_details(task.id) == "äöü€"
    response = live.raw(
        "GET", f"/external-task/{task.id}/errorDetails", headers={"Accept": "text/plain"}
    )
    assert (response.headers["Content-Type"], response.content) == (
        "text/plain",
        b"\xc3\xa4\xc3\xb6\xc3\xbc\xe2\x82\xac",
    )


# ------------------------------------------------------------------------------------------- locks


#: What an engine without an operation says of its path, and of its method on another's path.
NO_OPERATION = (404, "NotFoundException", "HTTP 404 Not Found")
NO_METHOD = (405, "NotAllowedException", "HTTP 405 Method Not Allowed")


def absent(live: Live, told: tuple[int, str, str] = NO_OPERATION) -> Told:
    """
    What the client raises for an operation that the engine does not have.
    """
    status, java_type, message = told
    if live.dialect.container_answers_json:
        return Told(NotFound, status, java_type, message)
    return Told(NotTheEngine, status, None, None)


def test_098_a_task_is_locked_by_its_id(live: Live) -> None:
    """
    A worker can lock a task that is free or its own, anew from now.
    """
    task = live.task()
    if not live.dialect.lock:
        assert refusal(live.client.lock, task.id, "w1", 60_000) == absent(live)
        return

    live.client.lock(task.id, "w1", 60_000)
    first = live.client.get(task.id)
    live.client.lock(task.id, "w1", 90_000)
    second = live.client.get(task.id)

    assert (first.worker_id, second.worker_id) == ("w1", "w1")
    assert seconds_left(first.lock_expiration_time) == about(60)
    assert seconds_left(second.lock_expiration_time) == about(90)


def test_098_what_lock_refuses(live: Live) -> None:
    """
    A lock is refused for another worker's task, for no time, and for no task.
    """
    if not live.dialect.lock:
        assert refusal(live.client.lock, "unknown", "w1", 60_000) == absent(live)
        return
    task = live.locked()
    body = {"workerId": "w1", "lockDuration": -1}

    assert refusal(live.client.lock, task.id, "w2", 60_000) == Told(
        LockLost,
        400,
        "RestException",
        f"External Task {task.id} cannot be locked by worker 'w2'. It is locked by worker 'w1'.",
    )
    assert answer(live.raw("POST", f"/external-task/{task.id}/lock", json=body)) == (
        live.dialect.error(400, "RestException", "lockDuration is not greater than 0", code=0)
    )
    with pytest.raises(ValueError, match="lock_duration"):
        live.client.lock(task.id, "w1", -1)
    assert refusal(live.client.lock, "unknown", "w1", 60_000) == unknown("unknown")
    assert_locked_as(live, task)


def test_099_a_lock_is_extended_from_now(live: Live) -> None:
    """
    A new duration counts from now, not from the old end.
    """
    task = live.locked(lock_duration=60_000)
    if not live.dialect.extend_lock:
        assert refusal(live.client.extend_lock, task.id, "w1", 100_000) == absent(live)
        return

    live.client.extend_lock(task.id, "w1", 100_000)

    extended = live.client.get(task.id)
    assert seconds_left(extended.lock_expiration_time) == about(100)
    assert extended.worker_id == "w1"


def test_100_an_expired_lock_is_not_extended(live: Live) -> None:
    """
    The worker whose lock is over cannot extend it; the error says that nobody else holds it.
    """
    task = live.expired()
    if not live.dialect.extend_lock:
        assert refusal(live.client.extend_lock, task.id, "w1", 60_000) == absent(live)
        return

    with pytest.raises(LockLost) as caught:
        live.client.extend_lock(task.id, "w1", 60_000)

    assert (caught.value.status, caught.value.type) == (400, "RestException")
    assert str(caught.value.message).startswith(
        "Cannot extend a lock that expired: lockExpirationTime is not greater than or equal to "
    )
    assert caught.value.worker_id is None


@pytest.mark.parametrize("fields", [{"newDuration": 0}, {"newDuration": -1}, {}])
def test_101_a_lock_is_extended_by_something(live: Live, fields: dict[str, int]) -> None:
    """
    A new duration must be given, and more than nothing; the client refuses it.
    """
    task = live.locked()
    body = {"workerId": "w1", **fields}

    refused = live.raw("POST", f"/external-task/{task.id}/extendLock", json=body)

    if live.dialect.extend_lock:
        assert answer(refused) == live.dialect.error(
            400, "RestException", "lockTime is not greater than 0", code=0
        )
    else:
        assert_container_refuses(live, refused, *NO_OPERATION)
    with pytest.raises(ValueError, match="new_duration"):
        live.client.extend_lock(task.id, "w1", fields.get("newDuration", 0))
    assert_locked_as(live, task)


def test_102_anybody_unlocks(live: Live) -> None:
    """
    An unlocked task has no worker and no expiry, and can be fetched.
    """
    task = live.locked()

    live.client.unlock(task.id)

    unlocked = live.client.get(task.id)
    assert (unlocked.worker_id, unlocked.lock_expiration_time) == (None, None)
    assert [again.id for again in live.fetch("w2")] == [task.id]


def test_103_an_unknown_task_is_not_unlocked(live: Live) -> None:
    """
    There is nothing to unlock where there is no task.
    """
    assert refusal(live.client.unlock, "unknown") == unknown("unknown")


# ---------------------------------------------------------------------------- priority and retries


@pytest.mark.parametrize("priority", [5, -3, 2**63 - 1, -(2**63)])
def test_104_any_priority(live: Live, priority: int) -> None:
    """
    A priority is any integer of 64 bits.
    """
    task = live.task()

    live.client.set_priority(task.id, priority)

    assert live.client.get(task.id).priority == priority


def test_104_no_priority(live: Live) -> None:
    """
    The engine fails where a priority is left out.
    """
    task = live.task()

    refused = live.raw("PUT", f"/external-task/{task.id}/priority", json={})

    if live.dialect.container_answers_json:
        status, said = answer(refused)
        assert (status, said["type"]) == (500, "NullPointerException")
    else:
        assert_container_refuses(live, refused, 500, "", "")


def test_105_retries_and_incidents(live: Live) -> None:
    """
    Retries of 0 open an incident, more close it.
    """
    task = live.task()

    live.client.set_retries(task.id, 0)
    opened = live.client.get(task.id).retries, live.incidents(task.id)
    live.client.set_retries(task.id, 3)
    closed = live.client.get(task.id).retries, live.incidents(task.id)

    assert opened == (0, [("failedExternalTask", None)])
    assert closed == (3, [])


def test_106_wrong_retries(live: Live) -> None:
    """
    Retries must be given, and not be negative; the client refuses it.
    """
    task = live.task()
    path = f"/external-task/{task.id}/retries"

    missing = live.raw("PUT", path, json={})
    negative = live.raw("PUT", path, json={"retries": -1})

    if live.dialect.retries_are_required:
        assert answer(missing) == live.dialect.error(
            400, "InvalidRequestException", "The number of retries cannot be null."
        )
        assert answer(negative) == live.dialect.error(
            400,
            "BadUserRequestException",
            "The number of retries cannot be negative: retries is not greater than or equal to 0",
            code=0,
        )
    else:
        assert answer(missing) == (204, None)
        assert live.client.get(task.id).retries == 0
        assert answer(negative) == live.dialect.error(
            500, "ProcessEngineException", "retries is not greater than or equal to 0"
        )
    with pytest.raises(ValueError, match="retries"):
        live.client.set_retries(task.id, -1)


def test_107_retries_of_many(live: Live) -> None:
    """
    The retries of several tasks are set by their ids.
    """
    one, two = live.tasks(2)
    if not live.dialect.bulk_retries:
        assert refusal(live.client.set_retries_of, 5, external_task_ids=[one, two]) == (
            absent(live, NO_METHOD)
        )
        return

    live.client.set_retries_of(5, external_task_ids=[one, two])

    assert [task.retries for task in live.client.list(live.own)] == [5, 5]


def test_108_all_or_none(live: Live) -> None:
    """
    An unknown id among others leaves all of them as they are.
    """
    task = live.task()
    refused = refusal(live.client.set_retries_of, 5, external_task_ids=[task.id, "unknown"])

    if live.dialect.bulk_retries:
        assert refused == Told(
            TaskNotFound,
            404,
            "InvalidRequestException",
            "Cannot find external task with id unknown: externalTask is null",
        )
    else:
        assert refused == absent(live, NO_METHOD)
    assert live.client.get(task.id) == task


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({}, "externalTaskIds is empty", id="109"),
        pytest.param(
            {"externalTaskIds": [None]},
            "External task id cannot be null: externalTaskIds contains null value",
            id="110",
        ),
    ],
)
def test_109_110_retries_of_no_task(live: Live, fields: dict[str, Any], message: str) -> None:
    """
    Retries that are set must be those of some task; the client refuses it.
    """
    refused = live.raw("PUT", "/external-task/retries", json={"retries": 5, **fields})

    if live.dialect.bulk_retries:
        assert answer(refused) == live.dialect.error(400, "InvalidRequestException", message)
    else:
        assert_container_refuses(live, refused, *NO_METHOD)
    with pytest.raises((TypeError, ValueError)):
        live.client.set_retries_of(5, external_task_ids=fields.get("externalTaskIds"))


def test_111_retries_of_an_instance(live: Live) -> None:
    """
    The retries of all tasks of a process instance are set by its id.
    """
    instance, other = live.start("Q"), live.task()

    if not live.dialect.bulk_retries:
        assert refusal(live.client.set_retries_of, 5, process_instance_ids=[instance]) == (
            absent(live, NO_METHOD)
        )
        return

    live.client.set_retries_of(5, process_instance_ids=[instance])

    tasks = live.client.list(live.own) + live.client.list(live.own.topic(live.topic_b))
    due = {instance: 5, other.process_instance_id: None}
    assert [task.retries for task in tasks] == [due[task.process_instance_id] for task in tasks]
    assert len(tasks) == 3


def test_112_retries_in_the_background(live: Live) -> None:
    """
    A batch sets the retries of the tasks that a query finds, and is gone when it is done.
    """
    live.tasks(2)
    if not live.dialect.bulk_retries:
        assert refusal(live.client.set_retries_async, 5, external_task_query=live.own) == (
            absent(live, NO_METHOD)
        )
        return

    batch = live.client.set_retries_async(5, external_task_query=live.own)
    # Not by its statistics: H2 1.4 fails where they are read while the jobs are deleted.
    live.wait_for(lambda: live.raw("GET", f"/batch/{batch.id}").status_code == 404)

    assert batch.total_jobs == 2
    assert [task.retries for task in live.client.list(live.own)] == [5, 5]
    with pytest.raises(NotFound):
        live.client.batch(batch.id)
    assert live.client.batch_statistics(batch.id) is None


def test_113_a_batch_that_fails(live: Live) -> None:
    """
    Negative retries make a batch whose job fails; the client refuses them.
    """
    task = live.task()
    body = {"retries": -1, "externalTaskIds": [task.id]}

    response = live.raw("POST", "/external-task/retries-async", json=body)

    with pytest.raises(ValueError, match="retries"):
        live.client.set_retries_async(-1, external_task_ids=[task.id])
    if not live.dialect.bulk_retries:
        assert_container_refuses(live, response, *NO_METHOD)
        return
    assert response.status_code == 200
    batch_id = response.json()["id"]
    job = live.done("GET", f"/batch/{batch_id}")["batchJobDefinitionId"]
    live.wait_for(lambda: live.done("GET", f"/incident?jobDefinitionIdIn={job}"), every=0.2)
    statistics = live.client.batch_statistics(batch_id)
    assert statistics is not None
    assert (statistics.total_jobs, statistics.failed_jobs, statistics.completed_jobs) == (1, 1, 0)
    assert live.client.get(task.id) == task
    live.client.delete_batch(batch_id, cascade=True)


def test_114_no_retries_in_the_background(live: Live) -> None:
    """
    There is no batch without retries to set.
    """
    body = {"retries": None, "externalTaskIds": [live.task().id]}

    refused = live.raw("POST", "/external-task/retries-async", json=body)

    if live.dialect.bulk_retries:
        assert answer(refused) == live.dialect.error(
            400, "InvalidRequestException", "The number of retries cannot be null."
        )
    else:
        assert_container_refuses(live, refused, *NO_METHOD)
