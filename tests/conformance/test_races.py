"""
Cases 129 to 134: who comes first, and what is left at the edges.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import pytest
import requests

from camunda_ext import (
    CamundaError,
    LockedExternalTask,
    OutcomeUnknown,
    TaskNotFound,
)
from tests.conformance.live import Live, answer, ids

T = TypeVar("T")

WORKERS = tuple(f"w{number}" for number in range(1, 9))


def at_once(calls: Sequence[Callable[[], T]]) -> list[T]:
    """
    The results of calls that threads make at the same moment.
    """
    ready = threading.Barrier(len(calls))

    def wait_and(call: Callable[[], T]) -> T:
        ready.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(wait_and, calls))


def test_129_a_poll_outlives_its_client(live: Live) -> None:
    """
    A poll whose client has gone still locks the next task.
    """
    body = live.fetch_body(asyncResponseTimeout=20_000)
    if not live.dialect.long_polling:
        assert answer(live.raw("POST", "/external-task/fetchAndLock", json=body)) == (200, [])
        assert live.task().worker_id is None
        return

    with pytest.raises(requests.ReadTimeout):
        live.raw("POST", "/external-task/fetchAndLock", json=body, timeout=live.moment)
    task = live.task()

    [locked] = live.wait_for(lambda: live.client.list(live.own.locked()))
    assert (locked.id, locked.worker_id) == (task.id, "w1")


#: What those hear who come too late, by the client's error. Whatever the engine stumbles over, a
#: look shows that the task is gone; where its database failed, that may have been the commit.
TOO_LATE = {
    (TaskNotFound, 404, "RestException"),
    (OutcomeUnknown, 500, "ProcessEnginePersistenceException"),
}


def test_130_one_completes(live: Live) -> None:
    """
    Of those who complete a task at the same time one does, and the others hear that they are late.
    """
    task = live.locked()

    def complete() -> CamundaError | None:
        try:
            live.client.complete(task.id, "w1")
        except CamundaError as error:
            return error
        return None

    heard = at_once([complete] * len(WORKERS))

    late = {(type(error), error.status, error.type) for error in heard if error is not None}
    assert heard.count(None) == 1
    assert late <= TOO_LATE | live.dialect.too_late
    assert live.user_tasks(task.process_instance_id) == ["after"]


def test_those_who_end_a_task_at_once_hear_that_it_is_gone(live: Live) -> None:
    """
    Also where they end it in different ways, or report a failure meanwhile.
    """
    client, heard = live.client, set()
    for _ in range(20):
        task_id = live.locked().id
        calls = (
            lambda task_id: client.complete(task_id, "w1"),
            lambda task_id: client.bpmn_error(task_id, "w1", "e"),
            lambda task_id: client.failure(task_id, "w1", retries=1, retry_timeout=60_000),
        )

        def calling(call: Callable[[str], None], task_id: str) -> CamundaError | None:
            try:
                call(task_id)
            except CamundaError as error:
                return error
            return None

        errors = at_once([partial(calling, call, task_id) for call in calls * 2])
        heard |= {(type(one), one.status, one.type) for one in errors if one is not None}

    assert heard <= TOO_LATE | live.dialect.too_late
    assert heard


def test_131_nobody_shares_a_task(live: Live) -> None:
    """
    Workers that fetch at the same time get different tasks, and have locked what they got.
    """
    started = live.tasks(40)

    def fetching(worker_id: str) -> Callable[[], tuple[LockedExternalTask, ...]]:
        return lambda: live.fetch(worker_id, max_tasks=40)

    found = at_once([fetching(worker_id) for worker_id in WORKERS])

    given = [(task.id, task.worker_id) for tasks in found for task in tasks]
    locked = [(task.id, task.worker_id) for task in live.client.list(live.own.locked())]
    assert sorted(given) == locked
    assert {task_id for task_id, _ in given} <= set(started)
    assert given


def test_132_a_message_may_end_in_half_a_character(live: Live) -> None:
    """
    The engine cuts by UTF-16 units, and the client gives what is left as it is.
    """
    task = live.locked()
    body = {"workerId": "w1", "retries": 1, "errorMessage": "a" + "\U0001f600" * 400}

    cut = live.raw("POST", f"/external-task/{task.id}/failure", json=body)

    failed = live.client.get(task.id)
    half = live.dialect.half_a_character
    if half is None:
        assert (cut.status_code, cut.json()["type"]) == (500, "ProcessEnginePersistenceException")
        assert failed.error_message is None
    else:
        assert failed.error_message == "a" + "\U0001f600" * 332 + half
    [again] = live.client.list(live.own)
    assert again == failed


def test_a_message_is_cut_between_characters(live: Live) -> None:
    """
    By the client, where the engine would halve one.
    """
    task = live.locked()
    if live.dialect.half_a_character is None:
        pytest.skip("this database takes no character that could be halved")

    live.client.failure(task.id, "w1", retries=1, error_message="a" + "\U0001f600" * 400)

    assert live.client.get(task.id).error_message == "a" + "\U0001f600" * 332


def test_133_a_lock_beyond_all_time_is_none(live: Live) -> None:
    """
    The longest duration that an integer holds ends before it begins; the client refuses it.
    """
    task = live.task()
    topics = [{"topicName": live.topic_a, "lockDuration": 2**63 - 1}]
    body = live.fetch_body(topics=topics)

    first, second = (
        live.raw("POST", "/external-task/fetchAndLock", json={**body, "workerId": worker_id})
        for worker_id in ("w1", "w2")
    )

    if live.dialect.endless_locks:
        assert [(one["id"], one["workerId"]) for one in first.json()] == [(task.id, "w1")]
        assert [(one["id"], one["workerId"]) for one in second.json()] == [(task.id, "w2")]
    else:
        assert (first.status_code, second.status_code) == (500, 500)
        assert live.client.get(task.id) == task
    with pytest.raises(ValueError, match="lock_duration"):
        live.fetch(lock_duration=2**63 - 1)


def test_134_empty_details_are_details(live: Live) -> None:
    """
    Details that are an empty text are not the same as none.
    """
    task = live.locked()

    live.client.failure(task.id, "w1", retries=1, error_details="")

    response = live.raw("GET", f"/external-task/{task.id}/errorDetails")
    assert (response.status_code, response.content) == (200, b"")
    assert live.client.error_details(task.id) == ""
    assert ids(live.client.list(live.own)) == [task.id]
