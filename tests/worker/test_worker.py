"""
The worker as its users type it, on the embedded engine.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from time import monotonic

import attrs
import pytest

from camunda_ext import ExternalTaskClient, ExternalTaskQuery, Handlers, Worker
from camunda_ext.hooks import Ended, Outgoing
from camunda_ext.testing import Engine
from camunda_ext.worker import (
    BpmnError,
    Completed,
    Failure,
    Postpone,
    Stopped,
    Task,
    TaskRetries,
)
from camunda_ext.worker.events import Event, Lost, Polled, Reported


@attrs.frozen
class Invoice:
    """
    The variables that the handler needs.
    """

    amount: int
    customer: str


@attrs.frozen
class Charged:
    """
    What it returns.
    """

    paid: bool


@pytest.fixture
def engine() -> Iterator[Engine]:
    """
    An embedded engine.
    """
    with Engine() as engine:
        yield engine


def test_a_mapping_completes_the_task(engine: Engine) -> None:
    """
    The shortest worker: one topic, one function.
    """
    worker = Worker(engine.client())

    @worker.handles("invoice")
    def charge(task: Task) -> dict[str, bool]:
        return {"paid": task.variables["amount"] < 1000}

    task_id = engine.create_task("invoice", variables={"amount": 100})
    instance = engine.client().get(task_id).process_instance_id
    (done,) = worker.run_once()

    assert (done.task.id, done.outcome, done.error) == (task_id, Completed({"paid": True}), None)
    assert engine.client().count() == 0
    assert not engine.is_running(instance)


def test_attrs_classes_are_the_input_and_the_output(engine: Engine) -> None:
    """
    Only the fields of the class are fetched.
    """
    handlers = Handlers()
    seen = []

    @handlers.handles("invoice", lock_duration=timedelta(minutes=1))
    def charge(task: Task, invoice: Invoice) -> Charged:
        seen.append((dict(task.variables), invoice))
        return Charged(paid=True)

    engine.create_task("invoice", variables={"amount": 100, "customer": "Ada", "other": "x" * 100})
    (done,) = Worker(engine.client(), handlers).run_once()

    assert seen == [({"amount": 100, "customer": "Ada"}, Invoice(100, "Ada"))]
    assert done.outcome == Completed({"paid": True})


def test_wrong_input_is_an_incident_at_once(engine: Engine) -> None:
    """
    It does not heal, so a retry would be in vain.
    """
    handlers = Handlers()

    @handlers.handles("invoice")
    def charge(invoice: Invoice) -> None:
        raise AssertionError("not called")

    task_id = engine.create_task("invoice", variables={"amount": "much", "customer": "Ada"})
    (done,) = Worker(engine.client(), handlers).run_once(raising=False)

    task = engine.client().get(task_id)
    assert isinstance(done.outcome, Failure)
    assert task.retries == 0
    assert (
        task.error_message
        == "the variables are no Invoice: expected int, not str 'much' @ variables.amount"
    )


def test_bad_input_is_an_ordinary_failure_on_request(engine: Engine) -> None:
    """
    `incident_on` is empty then.
    """
    handlers = Handlers()

    @handlers.handles("invoice", retries=TaskRetries(1000, incident_on=()))
    def charge(invoice: Invoice) -> None:
        raise AssertionError("not called")

    task_id = engine.create_task("invoice", variables={"customer": "Ada"})
    Worker(engine.client(), handlers).run_once(raising=False)

    assert engine.client().get(task_id).retries == 1


def test_bpmn_error_reaches_the_process(engine: Engine) -> None:
    """
    It is a result, and is not raised by `run_once()`.
    """
    worker = Worker(engine.client())

    @worker.handles("invoice")
    def charge(task: Task) -> None:
        raise BpmnError("NO_FUNDS", "too poor", variables={"balance": 3})

    engine.create_task("invoice")
    (done,) = worker.run_once()

    assert done.outcome == BpmnError("NO_FUNDS", "too poor", variables={"balance": 3})
    assert engine.client().count() == 0


def test_retries_count_down_to_an_incident(engine: Engine) -> None:
    """
    Two waits are two retries, so three attempts.
    """
    handlers = Handlers()

    @handlers.handles("invoice", retries=TaskRetries(1000, 2000))
    def charge(task: Task) -> None:
        raise LookupError("no such invoice")

    task_id = engine.create_task("invoice")
    worker = Worker(engine.client(), handlers)
    client = engine.client()
    left = []
    for _ in range(4):
        worker.run_once(raising=False)
        task = client.get(task_id)
        left.append(task.retries)
        engine.advance(3)

    assert left == [2, 1, 0, 0]
    assert task.error_message == "LookupError: no such invoice"
    details = client.error_details(task_id)
    assert details is not None
    assert details.startswith("Traceback (most recent call last):\n")
    assert details.count("File ") == 1  # nothing of the worker itself


def test_what_a_handler_raises_is_reported_and_raised(engine: Engine) -> None:
    """
    A test must not pass because the worker has swallowed the error.
    """
    worker = Worker(engine.client(), retries=TaskRetries(1000))

    @worker.handles("invoice")
    def charge(task: Task) -> None:
        raise LookupError("no such invoice")

    task_id = engine.create_task("invoice")
    with pytest.raises(LookupError, match="no such invoice"):
        worker.run_once()

    assert engine.client().get(task_id).retries == 1


def test_postpone_keeps_the_retries(engine: Engine) -> None:
    """
    Without any yet, it sets those of the policy, not one less.
    """
    worker = Worker(engine.client(), retries=TaskRetries(1000, 2000))

    @worker.handles("invoice")
    def charge(task: Task) -> None:
        raise Postpone(timedelta(minutes=2), "bank says 429")

    task_id = engine.create_task("invoice")
    client = engine.client()
    worker.run_once()
    first = client.get(task_id)
    engine.advance(121)
    worker.run_once()

    assert (first.retries, first.error_message) == (2, "bank says 429")
    assert client.get(task_id).retries == 2


def test_a_result_that_no_variable_holds_is_an_incident(engine: Engine) -> None:
    """
    It is found before anything is sent, and names the variable.
    """
    worker = Worker(engine.client())

    @worker.handles("invoice")
    def charge(task: Task) -> dict[str, object]:
        return {"receipt": object()}

    task_id = engine.create_task("invoice")
    worker.run_once(raising=False)
    task = engine.client().get(task_id)

    assert task.retries == 0
    assert task.error_message is not None
    assert "receipt" in task.error_message


def test_drain_works_until_there_is_nothing(engine: Engine) -> None:
    """
    More tasks than slots take several fetches.
    """
    worker = Worker(engine.client(), slots=2)
    worker.handles("invoice")(lambda task: None)
    for _ in range(5):
        engine.create_task("invoice")

    assert len(worker.drain()) == 5
    assert worker.drain() == []


def test_drain_ends_in_an_endless_process(engine: Engine) -> None:
    """
    A handler whose process brings the next task never leaves an empty fetch.
    """
    worker = Worker(engine.client())

    @worker.handles("invoice")
    def charge(task: Task) -> None:
        engine.create_task("invoice")

    engine.create_task("invoice")
    with pytest.raises(RuntimeError, match="more than 10 tasks"):
        worker.drain(limit=10)


def test_a_started_worker_handles_tasks_in_threads(engine: Engine) -> None:
    """
    As many at the same time as it has slots, and none is left when it has stopped.
    """
    handlers = Handlers()
    together = threading.Barrier(4)

    @handlers.handles("invoice")
    def charge(task: Task) -> None:
        together.wait(10)

    for _ in range(8):
        engine.create_task("invoice")
    done = threading.Semaphore(0)

    def on_event(event: object) -> None:
        if type(event).__name__ == "Reported":
            done.release()

    worker = Worker(
        engine.client(), handlers, slots=4, async_response_timeout=100, hooks=[on_event]
    )
    with worker:
        for _ in range(8):
            assert done.acquire(timeout=10)
    assert engine.client().count() == 0
    assert worker.stop() == Stopped(left=(), exit_code=0)


def test_a_stop_leaves_no_lock(engine: Engine) -> None:
    """
    What has not begun is unlocked; what runs is told, and reported.
    """
    worker = Worker(engine.client(), slots=1, async_response_timeout=100)
    begun = threading.Event()

    @worker.handles("invoice")
    def charge(task: Task) -> dict[str, bool]:
        begun.set()
        return {"in_time": not task.wait(60)}

    for _ in range(3):
        engine.create_task("invoice")
    with worker:
        assert begun.wait(10)

    assert engine.client().count(ExternalTaskQuery().locked()) == 0
    assert engine.client().count() == 2


def test_a_look_that_is_not_answered_draws_out_no_stop(engine: Engine) -> None:
    """
    When the grace is over, the look for the tasks of a lost fetch gets half a second.
    """
    lost = threading.Event()

    def note(event: Event) -> None:
        if isinstance(event, Polled) and event.error is not None:
            lost.set()

    worker = Worker(engine.client(), async_response_timeout=100, hooks=[note])
    worker.handles("invoice")(lambda task: None)
    engine.faults.add("lost answer", operation="fetch_and_lock", nth=1)
    engine.faults.add("slow", operation="list", seconds=60)
    worker.start()
    assert lost.wait(10)

    began = monotonic()
    stopped = worker.stop(grace=0)

    assert monotonic() - began < 5
    assert stopped == Stopped(left=(), exit_code=1)


def test_a_task_that_is_fetched_again_while_it_ends_is_handled(engine: Engine) -> None:
    """
    Also if that happens once more, while the worker asks the engine whether the lock is its own.
    """
    operator = engine.client()
    runs: list[str] = []
    looks: list[str] = []

    def meanwhile(outgoing: Outgoing) -> Callable[[Ended], None] | None:
        if outgoing.operation == "failure":
            return lambda _: fetch()
        if outgoing.operation == "get" and not looks:
            looks.append(outgoing.operation)
            operator.unlock(task_id)
            engine.advance(1)
            fetch()
        return None

    def fetch() -> None:
        assert worker.run_once() == []

    worker = Worker(engine.client(hooks=[meanwhile]))

    @worker.handles("invoice")
    def charge(task: Task) -> None:
        runs.append(task.id)
        if len(runs) == 1:
            raise Failure("at once", retries=1, retry_timeout=0)

    task_id = engine.create_task("invoice")

    assert [handled.outcome for handled in worker.run_once()] == [
        Failure("at once", retries=1, retry_timeout=0),
        Completed(),
    ]
    assert operator.count() == 0


def test_a_handler_cannot_be_registered_after_a_fetch(engine: Engine) -> None:
    """
    Its tasks would never be fetched.
    """
    worker = Worker(engine.client())
    worker.handles("invoice")(lambda task: None)
    worker.run_once()

    with pytest.raises(RuntimeError, match="register handlers before that"):
        worker.handles("receipt")


def test_a_failure_of_an_unlocked_task_counts(engine: Engine) -> None:
    """
    Somebody has unlocked the task by hand, and no worker has it: so it is locked anew.
    """
    client = engine.client()
    events: list[object] = []
    worker = Worker(client, hooks=[events.append])

    @worker.handles("invoice")
    def charge(task: Task) -> None:
        client.unlock(task)
        raise LookupError("no such invoice")

    engine.create_task("invoice")
    (done,) = worker.run_once(raising=False)

    assert done.task.lost is None
    assert [event for event in events if isinstance(event, Lost)] == []
    assert [event.result for event in events if isinstance(event, Reported)] == ["done"]
    assert client.get(done.task.id).retries == 3


def test_refused_credentials_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """
    As an error, and not as a failed fetch besides.
    """
    answered = threading.Event()
    with Engine(auth=("demo", "demo")) as guarded:
        client = ExternalTaskClient(guarded.url, auth=("demo", "wrong"))
        worker = Worker(client, hooks=[lambda event: answered.set()])
        worker.handles("invoice")(lambda task: None)
        with worker:
            assert answered.wait(10)

    told = [record for record in caplog.records if "401" in record.getMessage()]
    assert [(record.levelname, record.getMessage().partition(":")[0]) for record in told] == [
        ("ERROR", "the engine refuses the credentials")
    ]


def test_the_first_failed_fetch_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """
    A wrong URL is seen at once.
    """
    answered = threading.Event()
    with Engine() as engine:
        client = ExternalTaskClient(engine.url.replace("engine-rest", "engine"))
        worker = Worker(client, hooks=[lambda event: answered.set()])
        worker.handles("invoice")(lambda task: None)
        with worker:
            assert answered.wait(10)

    told = [record.getMessage() for record in caplog.records if "404" in record.getMessage()]
    assert told[0].startswith("fetching failed: fetch_and_lock: POST http://")


def test_a_result_that_cannot_be_sent_is_in_the_log(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Like what a handler raises, for it is a mistake of the handler as well.
    """
    worker = Worker(engine.client())
    worker.handles("invoice")(lambda task: "paid")
    task_id = engine.create_task("invoice")
    worker.run_once(raising=False)

    (line,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert line == (
        f"task {task_id} of topic 'invoice' failed:\n"
        "the handler's result cannot be sent: "
        "the result must be a mapping of names to values or an attrs instance, not str"
    )


def test_a_result_that_cannot_be_sent_fails_a_test(engine: Engine) -> None:
    """
    Else it would be green, and production would get incidents.
    """
    worker = Worker(engine.client())
    worker.handles("invoice")(lambda task: "ok")
    engine.create_task("invoice")

    with pytest.raises(ValueError, match="result"):
        worker.run_once()


def test_seconds_in_place_of_milliseconds_are_warned_of(engine: Engine) -> None:
    """
    At the caller's own line.
    """
    with pytest.warns(UserWarning, match="30 as the wait before a retry is 30 milliseconds") as one:
        TaskRetries(timedelta(seconds=10), 30)
    with pytest.warns(UserWarning, match="5 as the time of a poll is 5 milliseconds") as two:
        Worker(engine.client(), async_response_timeout=5)

    assert {warning.filename for warning in (*one, *two)} == {__file__}


def test_a_fork_of_a_handler_reports_nothing(engine: Engine) -> None:
    """
    Its `sys.exit()` ends the child alone, whose task is the parent's.
    """
    worker = Worker(engine.client())
    codes = []

    @worker.handles("invoice")
    def charge(task: Task) -> dict[str, bool]:
        pid = os.fork()
        if pid == 0:
            sys.exit(3)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        return {"paid": True}

    engine.create_task("invoice")
    (done,) = worker.run_once()

    assert (done.outcome, codes) == (Completed({"paid": True}), [3])


def test_lanes_of_long_names_have_ids_of_their_own(engine: Engine) -> None:
    """
    A sweep of one must not unlock what the other one has in hand.
    """
    worker = Worker(engine.client(), name="n" * 200)
    topics = ["t" * 100 + "1", "t" * 100 + "2"]
    ids = []
    for topic in topics:
        worker.handles(topic, slots=1)(lambda task: ids.append(task.worker_id))
        engine.create_task(topic)
    worker.run_once()

    assert len(set(ids)) == 2
    assert {len(one) for one in ids} == {255}


def test_a_hook_cannot_end_the_worker(engine: Engine) -> None:
    """
    Whatever it raises.
    """

    def hook(event: object) -> None:
        raise SystemExit(3)

    worker = Worker(engine.client(), hooks=[hook])
    worker.handles("invoice")(lambda task: None)
    engine.create_task("invoice")

    (done,) = worker.run_once()

    assert done.outcome == Completed()


def test_what_a_handler_raises_is_told_before_the_end_is_missed(engine: Engine) -> None:
    """
    It may be the reason.
    """
    worker = Worker(engine.client(), retries=TaskRetries(0, 0, 0, 0, 0))

    @worker.handles("invoice")
    def charge(task: Task) -> None:
        raise LookupError("no such invoice")

    engine.create_task("invoice")
    with pytest.raises(Exception, match=r"handlers have raised|no such invoice") as raised:
        worker.drain(limit=2)

    assert isinstance(raised.value.__context__, RuntimeError)


def test_a_decorator_without_a_topic_is_told(engine: Engine) -> None:
    """
    Without brackets, the function would be the topic.
    """
    worker = Worker(engine.client())

    def charge(task: Task) -> None:
        pass

    with pytest.raises(TypeError, match=r'needs a topic, as a str or a Topic: @worker.handles\("'):
        worker.handles(charge)  # type: ignore[arg-type]
    worker.handles("invoice")(charge)
    with pytest.raises(ValueError, match=r"'invoice' has a handler already: .*charge"):
        worker.handles("invoice")(charge)
