"""
Fetches that wait: what wakes them, what does not, and what ends them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import timedelta
from typing import Any, Final

import pytest
import requests

from camunda_ext import NoAnswer, OutcomeUnknown, Topic
from camunda_ext.testing import Engine

#: Seconds after which a test that hangs fails; none takes that long.
_HANGS: Final = 60.0

#: A worker, and a task of its own.
Ask = Callable[..., "Future[Any]"]


class Clock:
    """
    Time that stands still, until somebody moves it.
    """

    def __init__(self) -> None:
        self.seconds = 1_700_000_000.0

    def __call__(self) -> float:
        """
        The time.
        """
        return self.seconds


@pytest.fixture
def engine() -> Iterator[Engine]:
    """
    An engine whose time stands still until it is advanced.
    """
    with Engine(clock=Clock()) as engine:
        yield engine


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """
    Threads that end with the test.
    """
    with ThreadPoolExecutor(64) as pool:
        yield pool


def fetch(
    session: requests.Session,
    url: str,
    worker_id: str,
    milliseconds: int | None,
    *,
    topic: str = "a",
    timeout: float | None = _HANGS,
) -> tuple[int, Any]:
    """
    The status of a fetch and the ids of its tasks, or another answer.
    """
    body: dict[str, Any] = {
        "workerId": worker_id,
        "maxTasks": 1,
        "topics": [{"topicName": topic, "lockDuration": 60_000}],
    }
    if milliseconds is not None:
        body["asyncResponseTimeout"] = milliseconds
    answer = session.post(f"{url}/external-task/fetchAndLock", json=body, timeout=timeout)
    content = answer.json()
    if answer.status_code == 200:
        content = [task["id"] for task in content]
    return answer.status_code, content


@pytest.fixture(params=["over HTTP", "in process"])
def poll(request: pytest.FixtureRequest, engine: Engine, pool: ThreadPoolExecutor) -> Iterator[Ask]:
    """
    Let a worker wait for a task, by each door in turn.
    """
    url = engine.url if request.param == "over HTTP" else engine.local_url
    sessions: list[requests.Session] = []

    def ask(worker_id: str, milliseconds: int | None = 1_800_000, **kwargs: Any) -> Future[Any]:
        session = requests.Session() if url == engine.url else engine.session()
        session.trust_env = False
        sessions.append(session)
        return pool.submit(fetch, session, url, worker_id, milliseconds, **kwargs)

    yield ask
    engine.close()
    for session in sessions:
        session.close()


def locked(engine: Engine, worker_id: str, topic: str = "a") -> str:
    """
    The id of a new task that a worker holds for a minute.
    """
    task_id = engine.create_task(topic)
    engine.client().lock(task_id, worker_id, 60_000)
    return task_id


def test_new_task_wakes(engine: Engine, poll: Ask) -> None:
    """
    Whoever waits for its topic has it at once.
    """
    waiting = poll("kim")
    engine.wait_for_polls()

    task_id = engine.create_task("a")

    assert waiting.result(_HANGS) == (200, [task_id])


def test_unlocked_task_wakes(engine: Engine, poll: Ask) -> None:
    """
    Whoever waits has what another gives back.
    """
    task_id = locked(engine, "pat")
    waiting = poll("kim")
    engine.wait_for_polls()

    engine.client().unlock(task_id)

    assert waiting.result(_HANGS) == (200, [task_id])


def test_task_that_a_command_leads_to_wakes(engine: Engine, poll: Ask) -> None:
    """
    A task is new also when another one was completed for it.
    """
    engine.deploy(
        '<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" targetNamespace="t" '
        'xmlns:camunda="http://camunda.org/schema/1.0/bpmn">'
        '<process id="two" isExecutable="true" camunda:historyTimeToLive="1">'
        '<startEvent id="s"/><sequenceFlow id="f" sourceRef="s" targetRef="one"/>'
        '<serviceTask id="one" camunda:type="external" camunda:topic="first"/>'
        '<sequenceFlow id="g" sourceRef="one" targetRef="two_"/>'
        '<serviceTask id="two_" camunda:type="external" camunda:topic="a"/>'
        "</process></definitions>"
    )
    engine.start("two")
    waiting = poll("kim")
    engine.wait_for_polls()

    client = engine.client()
    [first] = client.fetch_and_lock("pat", [Topic("first", lock_duration=1000)], max_tasks=1)
    client.complete(first.id, "pat")

    assert waiting.result(_HANGS) == (200, [client.list()[0].id])


def test_task_of_another_topic_is_not_for_all(engine: Engine, poll: Ask) -> None:
    """
    Who waits for something else goes on waiting.
    """
    waiting = poll("kim")
    engine.wait_for_polls()

    engine.create_task("other")
    task_id = engine.create_task("a")

    assert waiting.result(_HANGS) == (200, [task_id])


def test_expired_lock_wakes_nobody(engine: Engine, poll: Ask) -> None:
    """
    It is found only when the engine looks again by itself, half a minute after it last did.
    """
    task_id = locked(engine, "pat")
    engine.advance(55)
    waiting = poll("kim")
    engine.wait_for_polls()

    engine.advance(29)
    engine.wait_for_polls()
    before = engine.client().get(task_id).worker_id
    engine.advance(1)

    assert waiting.result(_HANGS) == (200, [task_id])
    assert before == "pat"


def test_raised_retries_wake_nobody(engine: Engine, poll: Ask) -> None:
    """
    They are found only when the engine looks again by itself.
    """
    task_id = engine.create_task("a", retries=0)
    waiting = poll("kim")
    engine.wait_for_polls()

    client = engine.client()
    client.set_retries(task_id, 1)
    engine.advance(29)
    engine.wait_for_polls()
    before = client.get(task_id).worker_id
    engine.advance(1)

    assert waiting.result(_HANGS) == (200, [task_id])
    assert before is None


def test_another_poll_lets_all_look(engine: Engine, poll: Ask) -> None:
    """
    What nobody was told of is found when somebody begins to wait.
    """
    task_id = engine.create_task("a", retries=0)
    waiting = poll("kim")
    engine.wait_for_polls()
    engine.client().set_retries(task_id, 1)

    poll("pat", topic="other")

    assert waiting.result(_HANGS) == (200, [task_id])


def test_plain_fetch_wakes_nobody(engine: Engine, poll: Ask) -> None:
    """
    Only who waits makes others look.
    """
    task_id = engine.create_task("a", retries=0)
    waiting = poll("kim")
    engine.wait_for_polls()
    engine.client().set_retries(task_id, 1)

    assert poll("pat", None, topic="other").result(_HANGS) == (200, [])
    engine.wait_for_polls()
    assert engine.client().get(task_id).worker_id is None

    engine.advance(30)
    assert waiting.result(_HANGS) == (200, [task_id])


def test_end_of_a_poll_lets_all_look(engine: Engine, poll: Ask) -> None:
    """
    When one's time is over, the others look too.
    """
    task_id = engine.create_task("a", retries=0)
    waiting = poll("kim")
    ending = poll("pat", 1000, topic="other")
    engine.wait_for_polls(2)
    engine.client().set_retries(task_id, 1)

    engine.advance(1)

    assert ending.result(_HANGS) == (200, [])
    assert waiting.result(_HANGS) == (200, [task_id])


def test_last_look_is_at_the_end(engine: Engine, poll: Ask) -> None:
    """
    A poll whose time is over may have found something even then.
    """
    task_id = engine.create_task("a", retries=0)
    waiting = poll("kim", 1000)
    engine.wait_for_polls()
    engine.client().set_retries(task_id, 1)

    engine.advance(1)

    assert waiting.result(_HANGS) == (200, [task_id])


def test_poll_ends_with_its_time(engine: Engine, poll: Ask) -> None:
    """
    It is a matter of the engine's time, to the millisecond.
    """
    waiting = poll("kim", 10_000)
    engine.wait_for_polls()

    engine.advance(9.999)
    engine.wait_for_polls()
    ended_before = waiting.done()
    engine.advance(0.001)

    assert waiting.result(_HANGS) == (200, [])
    assert not ended_before


@pytest.mark.parametrize("milliseconds", [None, 0, -1, -(2**63)])
def test_time_of_nothing_is_no_wait(poll: Ask, milliseconds: int | None) -> None:
    """
    Who waits no time is answered at once.
    """
    assert poll("kim", milliseconds).result(_HANGS) == (200, [])


def test_longest_poll(engine: Engine, poll: Ask) -> None:
    """
    Half an hour is granted, and no millisecond more.
    """
    waiting = poll("kim", 1_800_000)
    refused = poll("kim", 1_800_001).result(_HANGS)
    engine.wait_for_polls()
    engine.advance(1800)

    assert waiting.result(_HANGS) == (200, [])
    assert refused == (
        400,
        {
            "type": "InvalidRequestException",
            "message": "The asynchronous response timeout cannot be set to a value greater than "
            "1800000 milliseconds",
            "code": None,
        },
    )


def test_error_is_told_at_once(engine: Engine) -> None:
    """
    A fetch that cannot be does not wait first.
    """
    answer = engine.session().post(
        engine.local_url + "/external-task/fetchAndLock",
        json={"maxTasks": 1, "topics": [], "asyncResponseTimeout": 1_800_000},
    )

    assert (answer.status_code, answer.json()) == (
        500,
        {"type": "NullValueException", "message": "workerId is null", "code": 0},
    )


def test_many_polls_keep_no_command_waiting(engine: Engine, poll: Ask) -> None:
    """
    Fifty wait, and the engine does what it is told; then all are answered.
    """
    waiting = [poll(f"worker {number}", 10_000) for number in range(50)]
    engine.wait_for_polls(50)

    client = engine.client()
    other = engine.create_task("other")
    client.lock(other, "pat", 1000)
    client.complete(other, "pat")
    first = engine.create_task("a")
    done, _ = wait(waiting, _HANGS, FIRST_COMPLETED)
    engine.advance(10)
    answers = [each.result(_HANGS) for each in waiting]

    holder = f"worker {answers.index((200, [first]))}"
    assert [waiting.index(each) for each in done] == [answers.index((200, [first]))]
    assert sorted(answers) == [*[(200, [])] * 49, (200, [first])]
    assert client.get(first).worker_id == holder


def test_each_task_is_for_one_poll(engine: Engine, poll: Ask) -> None:
    """
    As many tasks as polls, and everybody has one.
    """
    waiting = [poll(f"worker {number}") for number in range(20)]
    engine.wait_for_polls(20)

    created = {engine.create_task("a") for _ in range(20)}
    answers = [each.result(_HANGS) for each in waiting]

    assert {status for status, _ in answers} == {200}
    assert {task_id for _, ids in answers for task_id in ids} == created


def test_close_ends_polls(engine: Engine, poll: Ask) -> None:
    """
    They get no answer, as from an engine that is killed.
    """
    waiting = poll("kim")
    engine.wait_for_polls()

    engine.close()

    with pytest.raises(requests.ConnectionError) as caught:
        waiting.result(_HANGS)
    assert "Remote end closed connection without response" in str(caught.value)


def test_client_that_waits_no_longer(engine: Engine) -> None:
    """
    It does not know whether something was locked for it.
    """
    client = engine.client(timeout=0.01)
    topics = [Topic("a", lock_duration=60_000)]

    with pytest.raises(OutcomeUnknown) as caught:
        client.fetch_and_lock("kim", topics, max_tasks=1, async_response_timeout=1)
    assert isinstance(caught.value, NoAnswer)


def given_up(poll: Ask) -> None:
    """
    Let a worker wait for a hundredth of a second, and no longer.
    """
    waiting = poll("kim", timeout=0.01)
    with pytest.raises(requests.ReadTimeout):
        waiting.result(_HANGS)


def test_poll_that_was_given_up_locks_the_next_task(engine: Engine, poll: Ask) -> None:
    """
    The engine does not notice that nobody is there any more; but it locks only one.
    """
    given_up(poll)

    task_id = engine.create_task("a")
    second = engine.create_task("a")
    client = engine.client()
    held_for(engine, task_id, "kim")

    assert client.get(second).worker_id is None


def held_for(engine: Engine, task_id: str, worker_id: str) -> None:
    """
    Wait until a task is locked for a worker; over HTTP, a thread of the engine's does it.
    """
    deadline = time.monotonic() + _HANGS
    while engine.client().get(task_id).worker_id != worker_id:
        assert time.monotonic() < deadline, "it is not locked"
        time.sleep(0.001)


def test_poll_that_was_given_up_ends_too(engine: Engine) -> None:
    """
    What comes after its time is for others.
    """
    session, url = engine.session(), engine.local_url
    for topic, milliseconds in (("a", 10_000), ("other", 5_000)):
        with pytest.raises(requests.ReadTimeout):
            fetch(session, url, "kim", milliseconds, topic=topic, timeout=0.01)

    engine.advance(10)
    task_id = engine.create_task("a")
    other = engine.create_task("other")

    assert fetch(session, url, "pat", 0) == (200, [task_id])
    assert fetch(session, url, "pat", 0, topic="other") == (200, [other])


def test_poll_that_was_given_up_ends_without_being_told() -> None:
    """
    The time may be over without anybody having told the engine that it went on.
    """
    clock = Clock()
    with Engine(clock=clock) as engine:
        with pytest.raises(requests.ReadTimeout):
            fetch(engine.session(), engine.local_url, "kim", 10_000, timeout=0.01)

        clock.seconds += 10
        task_id = engine.create_task("a")

        assert engine.client().get(task_id).worker_id is None


def test_poll_that_was_given_up_looks_again_by_itself(engine: Engine, poll: Ask) -> None:
    """
    Every half minute, as any other, and not before.
    """
    task_id = engine.create_task("a", retries=0)
    given_up(poll)
    engine.client().set_retries(task_id, 1)

    engine.advance(29)
    before = engine.client().get(task_id).worker_id
    engine.advance(1)
    held_for(engine, task_id, "kim")

    assert before is None


def test_polls_that_wait_are_counted(engine: Engine, poll: Ask) -> None:
    """
    Too few are complained of; what was told to look again counts when it has looked.
    """
    with pytest.raises(TimeoutError, match=r"^fewer than 1 long polls wait after 0\.01 seconds$"):
        engine.wait_for_polls(timeout=0.01)

    waiting = [poll("kim"), poll("pat")]
    engine.wait_for_polls(2)
    engine.create_task("a")
    done, _ = wait(waiting, _HANGS, FIRST_COMPLETED)
    engine.wait_for_polls(1)
    with pytest.raises(TimeoutError, match=r"^fewer than 2 long polls wait after 0\.02 seconds$"):
        engine.wait_for_polls(2, timeout=timedelta(milliseconds=20))

    assert len(done) == 1
