"""
Cases 44 to 72: what a worker gets, and for how long.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any

import attrs
import pytest

from camunda_ext import (
    ExternalTask,
    File,
    LockedExternalTask,
    Sorting,
    Topic,
    VariableValue,
)
from tests.conformance.live import Live, about, answer, ids, seconds_left

A_AND_B = {
    "a": {"value": "1", "type": "String"},
    "b": {"value": "2", "type": "String"},
}


def test_044_a_fetched_task_is_locked(live: Live) -> None:
    """
    A fetch locks the task for the worker, and gives all that a query gives, and more.
    """
    started = live.task()

    [task] = live.fetch("w1", 60_000)

    assert seconds_left(task.lock_expiration_time) == about(60)
    asked = live.client.get(started.id)
    assert asked == attrs.evolve(
        started, worker_id="w1", lock_expiration_time=live.stored(task.lock_expiration_time)
    )
    fields = {field.name: getattr(asked, field.name) for field in attrs.fields(ExternalTask)}
    fields["lock_expiration_time"] = task.lock_expiration_time
    assert task == LockedExternalTask(**fields)


@pytest.mark.parametrize("worker_id", ["w1", "w2"])
def test_045_a_locked_task_is_not_fetched(live: Live, worker_id: str) -> None:
    """
    Nobody can fetch a locked task, not even the worker that holds it.
    """
    live.locked()

    assert live.fetch(worker_id) == ()


def test_046_an_expired_lock_is_none(live: Live) -> None:
    """
    Another worker can fetch the task when the lock is over.
    """
    task = live.expired()

    [again] = live.fetch("w2")

    assert (again.id, again.worker_id) == (task.id, "w2")


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        pytest.param(["a", "zzz"], {"a": "1"}, id="047"),
        pytest.param([], {}, id="048"),
        pytest.param(None, {"a": "1", "b": "2"}, id="049"),
    ],
)
def test_047_048_049_variables_are_those_asked_for(
    live: Live, asked: list[str] | None, given: dict[str, str]
) -> None:
    """
    A fetch gives the variables that it names, all if it names none, none for an empty list.
    """
    live.start(variables=A_AND_B)

    [task] = live.fetch(variables=asked)

    assert task.variables == given


def test_050_local_variables(live: Live) -> None:
    """
    A fetch of local variables gives those of the task's own scope alone.
    """
    live.start("P_with_input", variables={"g": {"value": "global", "type": "String"}})

    [task] = live.fetch(local_variables=True)

    given = {"l": "local"} | ({} if live.dialect.topic_filters else {"g": "global"})
    assert task.variables == given


def test_inputs_are_made_anew_from_what_they_are_evaluated_to(live: Live) -> None:
    """
    They keep type and value, but neither the name of a file nor the format of an object; and the
    topic and the priority see them.
    """
    java = "application/x-java-serialized-object"
    info = {"objectTypeName": "java.util.ArrayList", "serializationDataFormat": "application/json"}
    live.start(
        "P_with_expressions",
        variables={
            "number": {"value": 7, "type": "Short"},
            "nothing": {"value": None, "type": "String"},
            "file": {"value": "AAEC", "type": "File", "valueInfo": {"filename": "a.bin"}},
            "json_list": {"value": "[1]", "type": "Object", "valueInfo": info},
        },
    )

    [task] = live.fetch()

    assert (task.topic_name, task.priority) == (live.topic_a, 7)
    typed = {
        name: (value.type, value.value_info, None if value.type == "Object" else value.value)
        for name, value in ((name, task.variables.typed(name)) for name in task.variables)
        if name not in ("file", "json_list")
    }
    assert typed == {
        "number": ("Short", {}, 7),
        "nothing": ("Null", {}, None),
        "contents": ("Bytes", {}, "AAEC"),
        "object": ("Object", info | {"serializationDataFormat": java}, None),
        "list": ("Object", info | {"serializationDataFormat": java}, None),
        "map": (
            "Object",
            {"objectTypeName": "java.util.TreeMap", "serializationDataFormat": java},
            None,
        ),
        "topic": ("String", {}, live.topic_a),
    }


def test_051_tasks_are_counted_over_all_topics(live: Live) -> None:
    """
    A fetch gives no more tasks than it asks for, whatever their topics.
    """
    live.start("Q")
    topics = [Topic(name, lock_duration=60_000) for name in (live.topic_a, live.topic_b)]

    first, second, third = (live.client.fetch_and_lock("w1", topics, max_tasks=1) for _ in range(3))

    assert (len(first), len(second), third) == (1, 1, ())
    assert {task.topic_name for task in first + second} == {live.topic_a, live.topic_b}


def test_052_no_number_is_none(live: Live) -> None:
    """
    A fetch that does not say how many gets nothing; the client makes one say it.
    """
    live.task()
    body = live.fetch_body()
    del body["maxTasks"]

    assert answer(live.raw("POST", "/external-task/fetchAndLock", json=body)) == (200, [])


def test_053_no_worker(live: Live) -> None:
    """
    A fetch without a worker fails.
    """
    refused = live.raw("POST", "/external-task/fetchAndLock", json=live.fetch_body(workerId=None))

    assert answer(refused) == live.dialect.error(
        500, "NullValueException", "workerId is null", code=0
    )


def test_054_a_negative_number(live: Live) -> None:
    """
    A fetch of a negative number of tasks fails; the client refuses it.
    """
    refused = live.raw("POST", "/external-task/fetchAndLock", json=live.fetch_body(maxTasks=-1))

    assert answer(refused) == live.dialect.error(
        500, "ProcessEngineException", "maxResults is not greater than or equal to 0", code=0
    )
    with pytest.raises(ValueError, match="max_tasks"):
        live.fetch(max_tasks=-1)


def test_055_no_duration(live: Live) -> None:
    """
    A lock that lasts no time fails; the client refuses it.
    """
    body = live.fetch_body(topics=[{"topicName": live.topic_a, "lockDuration": 0}])
    refused = live.raw("POST", "/external-task/fetchAndLock", json=body)

    assert answer(refused) == live.dialect.error(
        500, "ProcessEngineException", "lockTime is not greater than 0", code=0
    )
    with pytest.raises(ValueError, match="lock_duration"):
        live.fetch(lock_duration=0)


def test_056_no_topics(live: Live) -> None:
    """
    A fetch without topics gets nothing; the client refuses it.
    """
    live.task()
    response = live.raw("POST", "/external-task/fetchAndLock", json=live.fetch_body(topics=[]))

    assert answer(response) == (200, [])
    with pytest.raises(ValueError, match="topics"):
        live.client.fetch_and_lock("w1", [], max_tasks=1)


@pytest.mark.parametrize("preferred", [0, 1])
def test_057_a_higher_priority_comes_first(live: Live, preferred: int) -> None:
    """
    A fetch by priority gives the task with the highest one, were it started first or last.
    """
    started = [live.task().id, live.task().id]
    live.client.set_priority(started[preferred], 7)
    topics = [Topic(live.topic_a, lock_duration=60_000)]

    found = live.client.fetch_and_lock("w1", topics, max_tasks=1, use_priority=True)

    assert ids(found) == [started[preferred]]


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_058_tasks_by_age(live: Live, order: Any) -> None:
    """
    A fetch can be sorted by the time at which tasks came to be; older engines sort by nothing.
    """
    old = live.task().id
    live.next_time()
    new = live.task().id
    topics = [Topic(live.topic_a, lock_duration=60_000)]

    found = live.client.fetch_and_lock(
        "w1", topics, max_tasks=2, sorting=[Sorting("createTime", order)]
    )

    if live.dialect.create_time:
        assert ids(found) == ([old, new] if order == "asc" else [new, old])
    else:
        assert set(ids(found)) == {old, new}


@pytest.mark.parametrize(
    ("sorting", "java_type", "message", "code"),
    [
        pytest.param(
            {"sortBy": "createTime", "sortOrder": "DESC"},
            "InvalidRequestException",
            "Cannot set query sortOrder parameter to value DESC",
            None,
            id="059",
        ),
        pytest.param(
            {"sortBy": "id", "sortOrder": "asc"},
            "InvalidRequestException",
            "Cannot set query sortBy parameter to value id",
            None,
            id="060",
        ),
        pytest.param(
            {"sortBy": "createTime"},
            "NotValidException",
            "Invalid query: call asc() or desc() after using orderByXX(): direction is null",
            0,
            id="061",
        ),
    ],
)
def test_059_060_061_a_wrong_sorting(
    live: Live, sorting: dict[str, str], java_type: str, message: str, code: int | None
) -> None:
    """
    An engine that sorts what it fetches refuses a wrong sorting; others do not look at it.
    """
    body = live.fetch_body(sorting=[sorting])

    response = live.raw("POST", "/external-task/fetchAndLock", json=body)

    refused = live.dialect.error(400, java_type, message, code)
    assert answer(response) == (refused if live.dialect.create_time else (200, []))


def test_062_any_of_the_process_variables(live: Live) -> None:
    """
    A fetch by process variables gives tasks that have any one of them.
    """
    one = live.task(variables={"k1": {"value": "v1", "type": "String"}}).id
    two = live.task(variables={"k2": {"value": "v2", "type": "String"}}).id
    other = live.task(variables={"k1": {"value": "v2", "type": "String"}}).id

    found = ids(live.fetch(process_variables={"k1": "v1", "k2": "v2"}))

    ignored = set() if live.dialect.topic_filters else {other}
    assert set(found) == {one, two} | ignored


def test_063_one_business_key(live: Live) -> None:
    """
    A fetch by business key gives the tasks of the instances that have it.
    """
    live.start(business_key="b1")
    live.start(business_key="b2")

    found = {task.business_key for task in live.fetch(business_key="b1")}

    if live.dialect.topic_filters:
        assert found == {"b1"}
    else:
        assert found == {None}


def test_064_extension_properties(live: Live) -> None:
    """
    Extension properties come if the topic asks for them; that the fetch does has no effect.
    """
    first, second = live.task().id, live.task().id
    body = live.fetch_body(includeExtensionProperties=True, maxTasks=1)

    [without] = live.raw("POST", "/external-task/fetchAndLock", json=body).json()
    [task] = live.fetch(include_extension_properties=True)

    assert {without["id"], task.id} == {first, second}
    if live.dialect.extension_properties:
        assert (without["extensionProperties"], task.extension_properties) == ({}, {"k": "v"})
    else:
        assert "extensionProperties" not in without
        assert task.extension_properties == {}


def test_065_the_last_entry_of_a_topic_counts(live: Live) -> None:
    """
    A topic that is named twice is locked as the last one says; the client refuses it.
    """
    task = live.task()
    durations = (1_000, 99_000)
    topics = [{"topicName": live.topic_a, "lockDuration": one} for one in durations]

    found = live.raw("POST", "/external-task/fetchAndLock", json=live.fetch_body(topics=topics))

    assert [one["id"] for one in found.json()] == [task.id]
    assert seconds_left(live.client.get(task.id).lock_expiration_time) == about(99)
    with pytest.raises(ValueError, match="twice"):
        live.client.fetch_and_lock(
            "w1", [Topic(live.topic_a, lock_duration=one) for one in durations], max_tasks=1
        )


@contextmanager
def taking(live: Live, least: float, most: float) -> Iterator[None]:
    """
    Assert that what is inside takes so many seconds of the engine's time.
    """
    started = live.clock()
    yield
    assert least <= live.clock() - started <= most


def test_066_a_long_poll_ends(timed: Live) -> None:
    """
    A fetch that may wait and finds nothing ends empty when its time is over.
    """
    if not timed.dialect.long_polling:
        with taking(timed, 0.0, 1.9):
            assert timed.fetch(async_response_timeout=2_000) == ()
        return
    with ThreadPoolExecutor(1) as worker, taking(timed, 2.0, 10.0):
        poll = worker.submit(timed.fetch, async_response_timeout=2_000)
        timed.wait_for_poll()
        assert not poll.done()
        timed.let_pass(2.0)
        assert poll.result() == ()


def test_067_a_long_poll_wakes_up(timed: Live) -> None:
    """
    A fetch that waits gets a task as soon as there is one.
    """
    timed.client.complete(timed.locked().id, "w1")

    with ThreadPoolExecutor(1) as worker:
        poll = worker.submit(timed.fetch, async_response_timeout=20_000)
        timed.wait_for_poll()
        with taking(timed, 0.0, 10.0):
            instance = timed.start()
            found = [task.process_instance_id for task in poll.result()]

    assert found == ([instance] if timed.dialect.long_polling else [])


def test_068_a_long_poll_looks_again_at_its_end(timed: Live) -> None:
    """
    The end of a retry timeout wakes no poll, but a poll's last try finds the task.
    """
    task = timed.locked()
    timed.client.failure(task.id, "w1", retries=1, retry_timeout=2_000)
    if not timed.dialect.long_polling:
        assert timed.fetch("w2", async_response_timeout=2_000) == ()
        return

    with ThreadPoolExecutor(1) as worker, taking(timed, 1.0, 10.0):
        poll = worker.submit(timed.fetch, "w2", async_response_timeout=3_000)
        timed.wait_for_poll()
        timed.let_pass(3.0)
        assert ids(poll.result()) == [task.id]


def test_069_the_longest_poll(live: Live) -> None:
    """
    A fetch may wait for half an hour, and not a millisecond more; the client refuses that.
    """
    body = live.fetch_body(asyncResponseTimeout=1_800_001)
    refused = live.dialect.error(
        400,
        "InvalidRequestException",
        "The asynchronous response timeout cannot be set to a value greater than "
        "1800000 milliseconds",
    )

    response = live.raw("POST", "/external-task/fetchAndLock", json=body)

    assert answer(response) == (refused if live.dialect.long_polling else (200, []))
    with pytest.raises(ValueError, match="async_response_timeout"):
        live.fetch(async_response_timeout=1_800_001)


def test_070_a_suspended_task_is_not_fetched(live: Live) -> None:
    """
    A fetch leaves out the tasks of suspended instances.
    """
    active, suspended = live.task(), live.task()
    live.suspend(suspended.process_instance_id)

    assert ids(live.fetch()) == [active.id]


#: Values as they are sent, and as they come; case 72.
EVERY_TYPE: dict[str, tuple[dict[str, Any], Any]] = {
    "bytes": ({"type": "Bytes", "value": "AP8="}, b"\x00\xff"),
    "date": (
        {"type": "Date", "value": "2026-11-22T00:15:30.250+0000"},
        datetime(2026, 11, 22, 0, 15, 30, 250_000, tzinfo=timezone.utc),
    ),
    "file": (
        {"type": "File", "value": "AP8=", "valueInfo": {"filename": "a.bin"}},
        File(filename="a.bin"),
    ),
    "json": ({"type": "Json", "value": '{"a":[1,2.5,null]}'}, {"a": [1, 2.5, None]}),
    "long": ({"type": "Long", "value": 2**53 + 1}, 9007199254740993),
    "null": ({"type": "Null", "value": None}, None),
}


def test_072_variables_of_every_type(live: Live) -> None:
    """
    Variables come as they were, but for a file, whose contents must be asked for.
    """
    sent = {name: one for name, (one, _) in EVERY_TYPE.items()}
    due = {name: one for name, (_, one) in EVERY_TYPE.items()}
    if not live.dialect.json_variables:
        del sent["json"], due["json"]
    if live.dialect.date_options:
        due["date"] = datetime(2026, 11, 22, 0, 15, 30, tzinfo=timezone.utc)
    instance = live.start(variables=sent)

    [task] = live.fetch()

    assert task.variables == due
    types = {name: task.variables.typed(name).type for name in due}
    assert types == {name: one["type"] for name, one in sent.items()}
    assert task.variables.typed("file") == VariableValue(
        type="File", value=None, value_info={"filename": "a.bin"}
    )
    assert live.client.variable_file(instance, "file") == b"\x00\xff"
