"""
What databases do otherwise, and what happens when one of them, or a node before it, goes down.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest

from camunda_ext import (
    CamundaError,
    EngineFailure,
    LockLost,
    NoAnswer,
    Retry,
    TaskNotFound,
    Topic,
)
from tests.conformance.live import AnyEngine, Live, live_on
from tests.conformance.processes import FAN
from tests.engines import launch
from tests.engines.catalog import CATALOG
from tests.engines.launch import RunningEngine
from tests.engines.wanted import available

_THREADS: Final = 8
_CHARACTERS: Final = ("\0", "\U0001f600")


# ------------------------------------------------------------------------------------- conflicts


def test_siblings_are_completed_together(live: Live) -> None:
    """
    Those that wait for each other in the process conflict, and nobody hears of it.
    """
    live.start("F")
    tasks = live.fetch(max_tasks=FAN)

    with ThreadPoolExecutor(_THREADS) as threads:
        list(threads.map(lambda task: live.client.complete(task.id, "w1"), tasks))

    assert len(tasks) == FAN
    assert live.is_gone(tasks[0].process_instance_id)


def test_retries_of_the_same_tasks_are_set_together(live: Live) -> None:
    """
    By six threads at once, each of which is told that it did.
    """
    if not live.dialect.bulk_retries:
        pytest.skip("an engine without this operation")
    live.start("F")
    wanted = [task.id for task in live.client.list(live.own)]

    with ThreadPoolExecutor(6) as threads:
        list(
            threads.map(
                lambda retries: live.client.set_retries_of(retries, external_task_ids=wanted),
                range(1, 7),
            )
        )

    assert len({task.retries for task in live.client.list(live.own)}) == 1


# ------------------------------------------------------------------------------------ characters


class Attempts:
    """
    Counts the attempts of each operation.
    """

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()

    def __call__(self, outgoing: Any) -> None:
        """
        Count one.
        """
        self.seen[outgoing.operation] += 1


def _fail(live: Live, text: str) -> Callable[[Any], None]:
    task = live.locked()
    return lambda client: client.failure(task.id, "w1", retries=1, error_message=text)


def _complete(live: Live, text: str) -> Callable[[Any], None]:
    task = live.locked()
    return lambda client: client.complete(task.id, "w1", {"note": text})


def _lock(live: Live, text: str) -> Callable[[Any], None]:
    task = live.task()
    if not live.dialect.lock:
        pytest.skip("an engine without this operation")
    return lambda client: client.lock(task.id, text, 10_000)


def _fetch(live: Live, text: str) -> Callable[[Any], None]:
    live.start()
    topics = [Topic(live.topic_a, lock_duration=10_000)]
    return lambda client: client.fetch_and_lock(text, topics, max_tasks=1)


def _count(live: Live, text: str) -> Callable[[Any], None]:
    return lambda client: client.count(live.own.worker_id(text))


@pytest.mark.parametrize("character", _CHARACTERS, ids=["NUL", "emoji"])
@pytest.mark.parametrize("prepare", [_fail, _complete, _lock, _fetch, _count])
def test_a_character_that_the_database_refuses_is_named(
    live: Live, prepare: Callable[[Live, str], Callable[[Any], None]], character: str
) -> None:
    """
    After one attempt, or two; and no call of anybody else has fewer for it.
    """
    call = prepare(live, f"a {character} b")
    attempts = Attempts()
    with live.client_with(hooks=[attempts]) as client:
        if character not in live.dialect.refused_characters:
            call(client)
            return
        with pytest.raises(EngineFailure, match=f"U\\+{ord(character):04X}") as raised:
            call(client)
        quota = client._sender.quota

    operation = raised.value.operation
    # The questions about the character are counts, too.
    assert attempts.seen[operation or ""] <= (3 if operation == "count" else 2)
    assert quota.left == quota.FULL
    assert raised.value.type == "ProcessEnginePersistenceException"


def test_what_is_stored_as_bytes_has_any_character(live: Live) -> None:
    """
    Details of errors, and variables of the type Json.
    """
    if not live.dialect.json_variables:
        pytest.skip("an engine without this type")
    first, second = live.locked(), live.task()
    live.client.failure(first.id, "w1", retries=0, error_details="\U0001f600")
    [task] = live.fetch()

    live.client.complete(task.id, "w1", {"note": {"said": "\U0001f600"}})

    assert task.id == second.id
    assert live.client.error_details(first.id) == "\U0001f600"


# ------------------------------------------------------------------------------- what is the same


def test_a_padded_topic_is_told(live: Live) -> None:
    """
    Where the database takes it for the same, nobody can fetch from the other until it is done.
    """
    live.start("P_of_a_padded_topic")
    plain, padded = (Topic(f"{live.topic_a}{end}", lock_duration=1_000) for end in ("", " "))

    if live.dialect.pads_texts:
        with pytest.raises(EngineFailure, match="blanks at the end"):
            live.client.fetch_and_lock("w1", [plain], max_tasks=1)
        found = live.client.fetch_and_lock("w1", [plain, padded], max_tasks=1)
    else:
        assert live.client.fetch_and_lock("w1", [plain], max_tasks=1) == ()
        found = live.client.fetch_and_lock("w1", [padded], max_tasks=1)

    assert [task.topic_name for task in found] == [padded.topic_name]


def test_another_workers_tasks_are_not_recovered(live: Live) -> None:
    """
    Nor those of another topic changed.
    """
    live.start()
    [task] = live.fetch("w ")
    live.start("P_of_a_padded_topic")

    assert live.client.recover("w") == ()
    assert [one.id for one in live.client.recover("w ")] == [task.id]

    summary = live.client.select(live.own).set_priority(7)

    assert (summary.matched, summary.done) == (1, 1)
    assert summary.unlike == int(live.dialect.pads_texts)
    assert [one.priority for one in live.client.list(live.own) if one.id == task.id] == [7]


def test_locks_that_end_at_whole_seconds_are_told(live: Live) -> None:
    """
    By the summary of what took them away.
    """
    live.locked()

    summary = live.client.select(live.own).unlock()

    assert (summary.done, summary.whole_seconds) == (1, live.dialect.whole_seconds)


# ------------------------------------------------------------------------------- what goes down


@pytest.fixture
def database_engine(engine: AnyEngine) -> RunningEngine:
    """
    An engine whose database is a server that this machine runs.
    """
    if not isinstance(engine, RunningEngine) or engine.database is None:
        pytest.skip("its database cannot be taken down")
    return engine


def test_a_call_outlives_its_database(database_engine: RunningEngine, live: Live) -> None:
    """
    What could not begin is sent again, until the database is back.
    """
    task, database = live.locked(), database_engine.database
    assert database is not None
    attempts = Attempts()
    database.stop()
    with (
        live.client_with(hooks=[attempts], retry=Retry(attempts=100)) as client,
        ThreadPoolExecutor(1) as threads,
    ):
        call = threads.submit(client.complete, task.id, "w1")
        try:
            live.wait_for(lambda: attempts.seen["complete"] + attempts.seen["get"] > 2)
        finally:
            database.start()
        call.result()

    assert attempts.seen["complete"] > 1
    assert live.user_tasks(task.process_instance_id) == ["after"]


def test_each_task_is_done_once_though_a_node_dies() -> None:
    """
    Of two nodes behind a balancer one is killed while workers are at work.
    """
    count, done, doubtful = 60, Counter[str](), set[str]()
    guard = threading.Lock()
    with launch.start(CATALOG[available("two-nodes")]) as engine, live_on(engine) as live:
        for _ in range(count):
            live.start()

        def work(worker_id: str) -> None:
            topics = [Topic(live.topic_a, lock_duration=3_000)]
            for _ in range(500):
                try:
                    tasks = live.client.fetch_and_lock(worker_id, topics, max_tasks=2)
                except CamundaError:
                    continue  # locked or not: they come back
                if not tasks and not live.client.count(live.own):
                    return
                for task in tasks:
                    try:
                        live.client.complete(task.id, worker_id)
                    except NoAnswer:
                        doubtful.add(task.process_instance_id)
                    except (LockLost, TaskNotFound):
                        pass
                    else:
                        with guard:
                            done[task.process_instance_id] += 1

        with ThreadPoolExecutor(4) as threads:
            workers = [threads.submit(work, f"w{number}") for number in range(4)]
            while sum(done.values()) < count // 4 and not all(one.done() for one in workers):
                threading.Event().wait(0.01)
            engine.nodes[0].process.kill()
            for worker in workers:
                worker.result()

        after = Counter(
            task["processInstanceId"]
            for task in live.done("GET", f"/task?processDefinitionKey={live.key('P')}")
        )
        assert len(after) == count
        assert set(after.values()) == {1}
        assert set(done) | doubtful == set(after)
        assert set(done.values()) == {1}
