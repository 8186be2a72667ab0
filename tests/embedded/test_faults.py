"""
What goes wrong on demand, as the client sees it and as the engine remembers it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any, Final

import pytest
import requests

from camunda_ext import (
    CamundaError,
    Conflict,
    ExternalTaskClient,
    NoAnswer,
    NotSent,
    OutcomeUnknown,
    Topic,
)
from camunda_ext.testing import Engine, Fault

_TOPICS: Final = [Topic("a", lock_duration=60_000)]

_BUSY: Final = (NoAnswer, 503)

Client = Callable[..., ExternalTaskClient]


@pytest.fixture
def engine() -> Iterator[Engine]:
    """
    An engine of the test's own.
    """
    with Engine() as engine:
        yield engine


@pytest.fixture(params=["over HTTP", "in process"])
def client(request: pytest.FixtureRequest, engine: Engine) -> Iterator[Client]:
    """
    Make clients, by each door in turn.
    """
    with ExitStack() as stack:

        def make(**options: Any) -> ExternalTaskClient:
            if request.param == "in process":
                return stack.enter_context(engine.client(retry=False, **options))
            return stack.enter_context(ExternalTaskClient(engine.url, retry=False, **options))

        yield make


def met(ask: Callable[[], object]) -> tuple[type[CamundaError], int | None] | None:
    """
    The class and the status of the error that a call raises; ``None`` if it raises none.
    """
    try:
        ask()
    except CamundaError as error:
        return type(error), error.status
    return None


#: What a query and a command meet, and whether the command has been done.
MET: Final[dict[tuple[Fault, str], Any]] = {
    (Fault.REFUSED, "in process"): ((NotSent, None), (NotSent, None), False),
    # Over HTTP, somebody does accept the connection, and says that it is not refused.
    (Fault.REFUSED, "over HTTP"): ((NoAnswer, 501), (OutcomeUnknown, 501), False),
    (Fault.CLOSED, "in process"): ((NoAnswer, None), (OutcomeUnknown, None), False),
    (Fault.CLOSED, "over HTTP"): ((NoAnswer, None), (OutcomeUnknown, None), False),
    (Fault.LOST_ANSWER, "in process"): ((NoAnswer, None), (OutcomeUnknown, None), True),
    (Fault.LOST_ANSWER, "over HTTP"): ((NoAnswer, None), (OutcomeUnknown, None), True),
    (Fault.SLOW, "in process"): ((NoAnswer, None), (OutcomeUnknown, None), True),
    (Fault.SLOW, "over HTTP"): ((NoAnswer, None), (OutcomeUnknown, None), True),
    # It is a gateway who says so, and the client cannot know what is behind it.
    (Fault.UNAVAILABLE, "in process"): ((NoAnswer, 503), (OutcomeUnknown, 503), False),
    (Fault.UNAVAILABLE, "over HTTP"): ((NoAnswer, 503), (OutcomeUnknown, 503), False),
    (Fault.HTML_PAGE, "in process"): ((NoAnswer, 200), (OutcomeUnknown, 200), False),
    (Fault.HTML_PAGE, "over HTTP"): ((NoAnswer, 200), (OutcomeUnknown, 200), False),
    (Fault.OPTIMISTIC_LOCKING, "in process"): ((Conflict, 500), (Conflict, 500), False),
    (Fault.OPTIMISTIC_LOCKING, "over HTTP"): ((Conflict, 500), (Conflict, 500), False),
}


def test_each_fault_is_met_by_both_doors() -> None:
    """
    None is forgotten here.
    """
    assert {fault for fault, _ in MET} == {*Fault}
    assert len(MET) == 2 * len(Fault)


@pytest.mark.parametrize(("fault", "door"), MET)
def test_what_the_client_raises(engine: Engine, fault: Fault, door: str) -> None:
    """
    And only when the answer is lost, or late, has anything been done.
    """
    task_id = engine.create_task("a")
    quick = engine.client(retry=False)
    quick.lock(task_id, "kim", 60_000)
    with ExitStack() as stack:
        over_http = door == "over HTTP"
        patient = 0.05 if fault is Fault.SLOW else 60
        options: dict[str, Any] = {"timeout": patient, "retry": False}
        client = stack.enter_context(
            ExternalTaskClient(engine.url, **options) if over_http else engine.client(**options)
        )
        engine.faults.add(fault, operation="count", times=1, seconds=60)
        engine.faults.add(fault, operation="complete", times=1, seconds=60)

        query = met(client.count)
        command = met(lambda: client.complete(task_id, "kim"))
        left = quick.count()
    engine.close()

    assert (query, command, left == 0) == MET[fault, door]


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, "lost answer"])
def test_lost_answer_of_a_fetch_keeps_the_lock(
    engine: Engine, client: Client, fault: Fault | str
) -> None:
    """
    The worker must wait until it expires, as for any other.
    """
    task_id = engine.create_task("a")
    engine.faults.add(fault, operation="fetch_and_lock", nth=1)
    worker = client()

    lost = met(lambda: worker.fetch_and_lock("kim", _TOPICS, max_tasks=1))
    held = worker.get(task_id).worker_id
    again = worker.fetch_and_lock("kim", _TOPICS, max_tasks=1)
    engine.advance(60)
    [later] = worker.fetch_and_lock("pat", _TOPICS, max_tasks=1)

    assert (lost, held, again, later.id) == ((OutcomeUnknown, None), "kim", (), task_id)


def test_refused_fetch_locks_nothing(engine: Engine, client: Client) -> None:
    """
    Whoever asks next has the task.
    """
    task_id = engine.create_task("a")
    engine.faults.add(Fault.OPTIMISTIC_LOCKING, operation="fetch_and_lock", times=1)
    worker = client()

    first = met(lambda: worker.fetch_and_lock("kim", _TOPICS, max_tasks=1))
    [task] = worker.fetch_and_lock("pat", _TOPICS, max_tasks=1)

    assert (first, task.id, task.worker_id) == ((Conflict, 500), task_id, "pat")


def test_late_answer_is_an_answer(engine: Engine, client: Client) -> None:
    """
    Who waits long enough gets it.
    """
    engine.create_task("a")
    engine.faults.add(Fault.SLOW, seconds=0.01)

    assert client().count() == 1


def test_delay_may_be_a_timedelta(engine: Engine) -> None:
    """
    It is as long as the number of its seconds.
    """
    engine.faults.add(Fault.SLOW, operation="count", times=1, seconds=timedelta(hours=1))
    engine.faults.add(Fault.SLOW, operation="count", times=1, seconds=timedelta(milliseconds=1))
    client = engine.client(timeout=0.05, retry=False)

    assert met(client.count) == (NoAnswer, None)
    assert client.with_options(timeout=60).count() == 0


def test_late_answer_ends_with_the_engine() -> None:
    """
    An engine that is closed keeps nobody waiting.
    """
    engine = Engine()
    engine.faults.add(Fault.SLOW, seconds=10_000)
    client = engine.client(retry=False)
    engine.faults.close()

    assert met(client.count) == (NoAnswer, None)
    engine.close()


def test_fault_says_what_a_race_says(engine: Engine) -> None:
    """
    The answer is that of the real engine, but for the name of the entity.
    """
    engine.faults.add(Fault.OPTIMISTIC_LOCKING)

    answer = engine.session().get(engine.local_url + "/external-task/count")

    assert (answer.status_code, answer.json()) == (
        500,
        {
            "type": "OptimisticLockingException",
            "message": "ENGINE-03005 Execution of 'UPDATE ExternalTaskEntity' failed. Entity was "
            "updated by another transaction concurrently.",
            "code": 1,
        },
    )


@pytest.mark.parametrize(
    ("fault", "status", "title"),
    [
        (Fault.UNAVAILABLE, 503, "<title>503 Service Temporarily Unavailable</title>"),
        (Fault.HTML_PAGE, 200, "<title>Log in</title>"),
    ],
)
def test_pages_are_pages(engine: Engine, fault: Fault, status: int, title: str) -> None:
    """
    A browser would show them.
    """
    engine.faults.add(fault)
    for url, session in ((engine.url, requests.Session()), (engine.local_url, engine.session())):
        with session:
            session.trust_env = False
            answer = session.get(url + "/external-task/count")

        assert (answer.status_code, answer.headers["Content-Type"], title in answer.text) == (
            status,
            "text/html;charset=utf-8",
            True,
        )


# ----------------------------------------------------------------------------------- which it meets


def series(client: ExternalTaskClient, requests: int) -> str:
    """
    Count so often, and give a letter for what became of each request.
    """
    letters: dict[Any, str] = {None: ".", _BUSY: "b", (Conflict, 500): "c", (NoAnswer, 200): "h"}
    return "".join(letters[met(client.count)] for _ in range(requests))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "bbbbbbbb"),
        ({"nth": 1}, "b......."),
        ({"nth": 3}, "..b....."),
        ({"times": 2}, "bb......"),
        ({"nth": 2, "times": 5}, ".b......"),
        ({"probability": 0}, "........"),
        ({"probability": 1}, "bbbbbbbb"),
        ({"probability": 0.5}, "..bb.b.b"),
        ({"probability": 0.5, "seed": 1}, "b..bbb.."),
        ({"probability": 0.5, "times": 2}, "..bb...."),
        ({"operation": "list"}, "........"),
        ({"operation": "count"}, "bbbbbbbb"),
    ],
)
def test_which_requests_meet_it(
    engine: Engine, client: Client, options: dict[str, Any], expected: str
) -> None:
    """
    What is said of a fault must hold all at once; the same seed gives the same series.
    """
    engine.faults.add(Fault.UNAVAILABLE, **options)

    assert series(client(), 8) == expected


def test_requests_of_an_operation_are_counted(engine: Engine, client: Client) -> None:
    """
    The second count is the second whatever is asked between.
    """
    engine.faults.add(Fault.UNAVAILABLE, operation="count", nth=2)
    asked = client()

    errors = [met(each) for each in (asked.count, asked.list, asked.list, asked.count, asked.count)]

    assert errors == [None, None, None, _BUSY, None]


def test_both_forms_of_a_query_are_one_operation(engine: Engine, client: Client) -> None:
    """
    An operation is what the client calls so, by GET as by POST.
    """
    engine.faults.add(Fault.UNAVAILABLE, operation="count", times=2)
    asked = client()

    errors = [met(lambda via=via: asked.count(via=via)) for via in ("GET", "POST", "GET")]  # type: ignore[misc]  # no type is inferred for via

    assert errors == [_BUSY, _BUSY, None]


def test_first_fault_is_met_and_the_others_are_not_used_up(engine: Engine, client: Client) -> None:
    """
    One after the other, in the order in which they were planned.
    """
    engine.faults.add(Fault.UNAVAILABLE, times=2)
    engine.faults.add(Fault.OPTIMISTIC_LOCKING, times=1)
    engine.faults.add(Fault.HTML_PAGE, nth=5)

    assert series(client(), 6) == "bbc.h."


def test_cleared_faults_are_met_no_more(engine: Engine, client: Client) -> None:
    """
    And new ones are, counted from the beginning.
    """
    asked = client()
    engine.faults.add(Fault.UNAVAILABLE)
    before = series(asked, 2)
    engine.faults.clear()
    between = series(asked, 2)
    engine.faults.add(Fault.UNAVAILABLE, nth=2)

    assert (before, between, series(asked, 3)) == ("bb", "..", ".b.")


def test_faults_are_of_one_engine(engine: Engine) -> None:
    """
    Another one knows nothing of them.
    """
    engine.faults.add(Fault.UNAVAILABLE)

    with Engine() as other:
        assert (met(engine.client(retry=False).count), met(other.client(retry=False).count)) == (
            _BUSY,
            None,
        )


def test_what_no_operation_is_meets_no_fault(engine: Engine) -> None:
    """
    The wrong path stays the wrong path.
    """
    engine.faults.add(Fault.UNAVAILABLE)

    assert engine.session().get(engine.local_url + "/nothing").status_code == 404


@pytest.mark.parametrize(
    ("fault", "options", "message"),
    [
        (
            "no such",
            {},
            (
                "no fault 'no such'; there are: refused, closed, lost answer, slow, unavailable, "
                "html page, optimistic locking"
            ),
        ),
        ("slow", {"nth": 0}, "nth counts from 1, not from 0"),
        ("slow", {"times": 0}, "times must be at least 1, not 0"),
        ("slow", {"probability": 1.01}, "probability must be between 0 and 1, not 1.01"),
        ("slow", {"probability": -1}, "probability must be between 0 and 1, not -1"),
        ("slow", {"probability": float("nan")}, "probability must be between 0 and 1, not nan"),
        ("slow", {"seconds": -1}, "seconds must be a number from 0 on, not -1"),
        ("slow", {"seconds": float("nan")}, "seconds must be a number from 0 on, not nan"),
        ("slow", {"seconds": float("inf")}, "seconds must be a number from 0 on, not inf"),
        (
            "slow",
            {"seconds": timedelta(milliseconds=-500)},
            "seconds must be a number from 0 on, not -0.5",
        ),
    ],
)
def test_wrong_plans_are_refused(
    engine: Engine, fault: str, options: dict[str, Any], message: str
) -> None:
    """
    At once, and not when the first request comes.
    """
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        engine.faults.add(fault, **options)

    assert met(engine.client(retry=False).count) is None


def test_unknown_operation_is_refused_with_the_known_ones(engine: Engine) -> None:
    """
    All that the client has is among them.
    """
    with pytest.raises(ValueError, match="no operation") as caught:
        engine.faults.add(Fault.SLOW, operation="fetchAndLock")

    message, _, known = str(caught.value).partition("; there are: ")
    assert message == "no operation 'fetchAndLock'"
    assert {
        "batch", "batch_statistics", "bpmn_error", "complete", "count", "delete_batch",
        "error_details", "extend_lock", "failure", "fetch_and_lock", "get", "list", "lock",
        "log_count", "log_error_details", "log_get", "log_list", "set_priority", "set_retries",
        "set_retries_async", "set_retries_of", "suspend_batch", "topic_names", "unlock",
        "variable_file", "version",
    } <= {*known.split(", ")}  # fmt: skip
