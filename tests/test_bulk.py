"""
Bulk writes over a query: what they refuse, what they touch, and how they are resumed.
"""

from __future__ import annotations

import errno
import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest

from camunda_ext import (
    BatchResult,
    BatchRun,
    BulkFailed,
    BulkProblem,
    BulkSummary,
    ExternalTaskClient,
    ExternalTaskQuery,
    OutcomeUnknown,
    Topic,
)
from camunda_ext.hooks import Outgoing
from camunda_ext.testing import Engine
from tests.stub import BROKEN, NO_CONTENT, Stub, html_answer, json_answer, raw_answer
from tests.test_proof import NEWER

_A: Final = ExternalTaskQuery().topic("a")

#: Each bulk write, with something to set.
WRITES: Final[dict[str, Callable[..., Any]]] = {
    "set_retries": lambda selection, **said: selection.set_retries(7, **said),
    "set_retries_async": lambda selection, **said: selection.set_retries_async(7, **said),
    "set_priority": lambda selection, **said: selection.set_priority(7, **said),
    "unlock": lambda selection, **said: selection.unlock(**said),
}
_LOCK: Final = [Topic("a", lock_duration=60_000)]


@pytest.fixture
def engine() -> Iterator[Engine]:
    """
    An engine with five tasks of topic "a", locked by "w1", and one of topic "b".
    """
    with Engine(seed=1) as made:
        for _ in range(5):
            made.create_task("a")
        made.create_task("b")
        made.client().fetch_and_lock("w1", _LOCK, max_tasks=5)
        yield made


def state(engine: Engine) -> list[tuple[str, int | None, int, str | None]]:
    """
    The values of all tasks that bulk writes change.
    """
    return [
        (task.topic_name, task.retries, task.priority, task.worker_id)
        for task in engine.client().iterate()
    ]


def ids(engine: Engine) -> list[str]:
    """
    The ids of the tasks of topic "a".
    """
    return [task.id for task in engine.client().iterate(_A)]


def problems(task_ids: list[str], error: str) -> tuple[BulkProblem, ...]:
    """
    The problems of tasks that have the same error.
    """
    return tuple(BulkProblem(task_id, error) for task_id in task_ids)


def at_first(action: Callable[[], object]) -> Callable[[int, int], None]:
    """
    A progress function that does something after the listing, before the first change.
    """

    def tell(done: int, total: int) -> None:
        if done == 0:
            action()

    return tell


# ------------------------------------------------------------------------------ what they refuse


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize(
    "query",
    [
        ExternalTaskQuery(),
        ExternalTaskQuery().sort_by("id"),
        ExternalTaskQuery().variable_names_ignore_case().variable_values_ignore_case(),
    ],
    ids=["nothing", "sorting", "flags"],
)
@pytest.mark.parametrize("name", WRITES)
def test_a_query_without_a_filter_is_refused(
    name: str, query: ExternalTaskQuery, dry_run: bool
) -> None:
    """
    Sorting is no filter, nor is how conditions would be compared; nothing is asked.
    """
    with Stub() as stub, ExternalTaskClient(stub.url) as client:
        with pytest.raises(ValueError, match="has no filter and would change every task"):
            WRITES[name](client.select(query), dry_run=dry_run)
        assert stub.seen == []


def test_everything_can_be_meant(engine: Engine) -> None:
    """
    Whoever says so may change every task.
    """
    summary = engine.client().select(ExternalTaskQuery()).set_retries(7, everything=True)

    assert summary == BulkSummary(call="set_retries(7)", matched=6, done=6)
    assert {retries for _, retries, _, _ in state(engine)} == {7}


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("newer", [name for name, (_, since) in NEWER.items() if since == "7.24"])
@pytest.mark.parametrize("name", WRITES)
def test_a_filter_that_the_engine_ignores_is_refused(
    name: str, newer: str, dry_run: bool, tmp_path: Path
) -> None:
    """
    An old engine would change all tasks of the topic; it changes none, and the error says why.
    """
    query = ExternalTaskQuery.from_body({"topicName": "a", **NEWER[newer][0].body()})
    with Engine(version="7.14") as old:
        old.create_task("a")
        before = state(old)
        with pytest.raises(ValueError, match="Nothing was changed") as caught:
            WRITES[name](old.client().select(query), dry_run=dry_run, journal=tmp_path / "journal")

        assert str(caught.value) == (
            f"this engine, 7.14.0, ignores the filter {newer}, which came with 7.24: "
            "more tasks would match than the query says. Nothing was changed"
        )
        assert state(old) == before


def test_a_filter_is_proven_where_there_are_no_tasks_to_tell_by() -> None:
    """
    Those that come while the tasks are listed would be touched.
    """
    query = ExternalTaskQuery().process_definition_key("p")
    with (
        Engine(version="7.14") as old,
        pytest.raises(ValueError, match="ignores the filter processDefinitionKey"),
    ):
        old.client().select(query).unlock()


@pytest.mark.parametrize("everything", [False, True])
def test_a_filter_that_leaves_nothing_out_is_refused(everything: bool) -> None:
    """
    Though the engine knows its name, and whatever the caller has agreed to.
    """
    answers = (
        json_answer(200, {"count": 3}),  # of what no engine knows
        json_answer(400, {"type": "InvalidRequestException", "message": "not a list"}),
        json_answer(200, {"count": 3}),  # of a value that no task has
        json_answer(200, {"version": "7.99.0"}),
    )
    query = ExternalTaskQuery().external_task_id_in("a")
    with Stub(*answers) as stub, ExternalTaskClient(stub.url) as client:
        with pytest.raises(ValueError, match=r"this engine, 7\.99\.0, ignores the filter ext"):
            client.select(query).set_priority(7, everything=everything)
        assert [seen.method for seen in stub.seen] == ["POST", "POST", "POST", "GET"]


def test_tasks_that_come_while_they_are_listed_are_counted(engine: Engine) -> None:
    """
    None is touched if there are too many by then.
    """
    client = engine.client()

    def one_more(outgoing: Outgoing) -> None:
        if outgoing.operation == "list":
            engine.create_task("a")

    with pytest.raises(ValueError, match="at least 6 tasks are to be touched, and at_most=5"):
        engine.client(hooks=[one_more]).select(_A).set_priority(7, at_most=5)

    assert {task.priority for task in client.list()} == {0}


def test_a_run_that_goes_on_keeps_to_the_limit(engine: Engine, tmp_path: Path) -> None:
    """
    Its tasks were listed before anybody said it.
    """
    selection, journal = engine.client(retry=False).select(_A), tmp_path / "journal"
    engine.faults.add("refused", operation="set_priority", nth=3)
    selection.set_priority(7, journal=journal)

    with pytest.raises(ValueError, match="5 tasks are to be touched, and at_most=4 may be"):
        selection.set_priority(7, journal=journal, at_most=4)


@pytest.mark.skipif(os.name == "nt", reason="this system has other rights")
def test_a_journal_is_private(engine: Engine, tmp_path: Path) -> None:
    """
    The query in it may hold the values of variables.
    """
    journal = tmp_path / "journal"
    engine.client().select(_A).unlock(journal=journal)

    assert journal.stat().st_mode & 0o777 == 0o600


def test_a_newer_filter_works_where_it_is_known(engine: Engine) -> None:
    """
    A condition on variables, which no engine understands in a bulk command of its own, as well.
    """
    one = engine.create_task("a", variables={"v": 5})
    engine.create_task("a", variables={"v": 4})
    query = _A.process_variable("v", "gt", 4)
    summary = engine.client().select(query).set_retries(7)

    assert summary == BulkSummary(call="set_retries(7)", matched=1, done=1)
    assert [task.id for task in engine.client().iterate() if task.retries == 7] == [one]


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("name", WRITES)
def test_more_than_may_be_touched_are_refused(engine: Engine, name: str, dry_run: bool) -> None:
    """
    Then none is.
    """
    before = state(engine)
    with pytest.raises(ValueError, match=r"5 tasks are to be touched, and at_most=4 may be"):
        WRITES[name](engine.client().select(_A), at_most=4, dry_run=dry_run)

    assert state(engine) == before


def test_as_many_as_may_be_touched_are(engine: Engine) -> None:
    """
    The bound is one of the numbers that are allowed.
    """
    assert engine.client().select(_A).set_priority(7, at_most=5).done == 5


@pytest.mark.parametrize(
    "said",
    [
        {"everything": 1},
        {"dry_run": "yes"},
        {"at_most": -1},
        {"at_most": "5"},
        {"journal": 5},
        {"progress": "yes"},
    ],
)
def test_odd_arguments_are_refused(said: dict[str, Any]) -> None:
    """
    Before anything is sent.
    """
    with Stub() as stub, ExternalTaskClient(stub.url) as client:
        with pytest.raises((TypeError, ValueError), match=next(iter(said))):
            client.select(_A).set_retries(7, **said)
        assert stub.seen == []


@pytest.mark.parametrize(
    "call",
    [
        lambda selection: selection.set_retries(-1),
        lambda selection: selection.set_retries("3"),
        lambda selection: selection.set_retries_async(2**31),
        lambda selection: selection.set_priority(None),
        lambda selection: selection.set_priority(2**63),
    ],
)
def test_odd_values_are_refused(call: Callable[[Any], object]) -> None:
    """
    Before anything is sent.
    """
    with Stub() as stub, ExternalTaskClient(stub.url) as client:
        with pytest.raises((TypeError, ValueError)):
            call(client.select(_A))
        assert stub.seen == []


# -------------------------------------------------------------------------------- what they touch


@pytest.mark.parametrize("name", WRITES)
def test_a_dry_run_changes_nothing(engine: Engine, name: str, tmp_path: Path) -> None:
    """
    It tells how many tasks there are, and the first of them, and makes no journal.
    """
    before, client = state(engine), engine.client()
    journal = tmp_path / "journal"
    summary = WRITES[name](client.select(_A), dry_run=True, journal=journal)
    call = "unlock()" if name == "unlock" else f"{name}(7)"
    until = str(client.list(_A)[0].lock_expiration_time).replace(" ", "T")

    assert summary == BulkSummary(call=call, matched=5, dry_run=True, first=client.list(_A))
    assert str(summary).splitlines() == [
        f"dry run of {call}: would touch 5 tasks",
        *[f"  {task_id} a locked by w1 until {until[:19]}+00:00" for task_id in ids(engine)],
    ]
    assert repr(summary) == f"<BulkSummary dry run of {call}: would touch 5 tasks>"
    assert state(engine) == before
    assert not journal.exists()


def test_a_dry_run_shows_the_first_tasks_only(engine: Engine) -> None:
    """
    There may be many.
    """
    engine.create_task("a")
    summary = engine.client().select(_A).unlock(dry_run=True)

    assert (summary.matched, len(summary.first)) == (6, 5)
    assert str(summary).splitlines()[-1] == "  ..."


def test_retries_are_set_in_chunks(engine: Engine) -> None:
    """
    Each task once, a hundred by one request.
    """
    for _ in range(230):
        engine.create_task("a")
    sent: list[str] = []
    client = engine.client(hooks=[lambda outgoing: sent.append(outgoing.operation)])
    told: list[tuple[int, int]] = []
    summary = client.select(_A).set_retries(
        7, progress=lambda done, total: told.append((done, total))
    )

    assert summary == BulkSummary(call="set_retries(7)", matched=235, done=235)
    assert Counter(sent)["set_retries_of"] == 3
    assert told == [(0, 235), (100, 235), (200, 235), (235, 235)]
    assert Counter(state(engine)) == {
        ("a", 7, 0, "w1"): 5,
        ("a", 7, 0, None): 230,
        ("b", None, 0, None): 1,
    }


def test_priorities_are_set(engine: Engine) -> None:
    """
    Of the tasks that match, and no others.
    """
    summary = engine.client().select(_A).set_priority(-7)

    assert summary == BulkSummary(call="set_priority(-7)", matched=5, done=5)
    assert Counter(state(engine)) == {("a", None, -7, "w1"): 5, ("b", None, 0, None): 1}


def test_locks_are_taken_away(engine: Engine) -> None:
    """
    What has none is as it was to be.
    """
    engine.create_task("a")
    summary = engine.client().select(_A).unlock()

    assert summary == BulkSummary(call="unlock()", matched=6, done=6)
    assert Counter(state(engine)) == {("a", None, 0, None): 6, ("b", None, 0, None): 1}


def test_the_lock_of_another_is_left_alone(engine: Engine) -> None:
    """
    Between the listing and a task's turn, another worker may have it, or the same one anew.
    """
    client, (first, second, third, *_) = engine.client(), ids(engine)

    def meanwhile() -> None:
        client.unlock(first)
        client.lock(first, "w2", 60_000)
        client.extend_lock(second, "w1", 90_000)
        client.unlock(third)
        client.lock(third, "w1", 90_000)

    summary = client.select(_A).unlock(progress=at_first(meanwhile))

    assert summary == BulkSummary(call="unlock()", matched=5, done=2, changed=3)
    assert [worker for _, _, _, worker in state(engine)] == ["w2", "w1", "w1", None, None, None]
    assert str(summary) == ("unlock(): 2 of 5 tasks done\n  3 locked anew meanwhile, left alone")


def test_a_lock_that_came_after_an_unlock_without_an_answer_stays() -> None:
    """
    That another worker has the task shows that the lock was taken away.
    """
    task, anew = ({"id": "t1", "topicName": "a", "workerId": worker} for worker in ("w1", "w2"))
    answers = (
        json_answer(200, [task]),
        json_answer(200, task),
        BROKEN["closed without a word"],
        json_answer(200, anew),
    )
    with Stub(*answers) as stub, ExternalTaskClient(stub.url) as client:
        summary = client.select(_A).unlock()
        asked = [seen.target for seen in stub.seen]

    assert summary == BulkSummary(call="unlock()", matched=1, done=1)
    assert [one.rpartition("/")[2] for one in asked[1:]] == ["t1", "unlock", "t1"]


@pytest.mark.parametrize("name", ["set_retries", "set_priority", "unlock"])
def test_a_task_that_is_gone_is_left_out(engine: Engine, name: str) -> None:
    """
    It was completed after it was listed; the others of its chunk are touched.
    """
    client, (_, second, _, fourth, _) = engine.client(), ids(engine)

    def meanwhile() -> None:
        client.complete(second, "w1")
        client.complete(fourth, "w1")

    summary = WRITES[name](client.select(_A), progress=at_first(meanwhile))
    call = "unlock()" if name == "unlock" else f"{name}(7)"

    assert summary == BulkSummary(call=call, matched=5, done=3, gone=2)
    summary.raise_for_failures()
    assert (
        Counter(state(engine))
        == {
            "set_retries": {("a", 7, 0, "w1"): 3, ("b", None, 0, None): 1},
            "set_priority": {("a", None, 7, "w1"): 3, ("b", None, 0, None): 1},
            "unlock": {("a", None, 0, None): 3, ("b", None, 0, None): 1},
        }[name]
    )


def test_a_chunk_that_is_refused_is_tried_in_parts(engine: Engine) -> None:
    """
    One task that cannot be changed does not keep the others from it.
    """
    once = engine.client(retry=False)
    engine.faults.add("optimistic locking", operation="set_retries_of", times=2)
    summary = once.select(_A).set_retries(7)

    assert summary == BulkSummary(call="set_retries(7)", matched=5, done=5)


@pytest.mark.parametrize("name", ["set_retries", "set_priority", "unlock"])
def test_failures_are_collected(engine: Engine, name: str) -> None:
    """
    None is lost, and none ends the run.
    """
    operation = "set_retries_of" if name == "set_retries" else name
    call = "unlock()" if name == "unlock" else f"{name}(7)"
    engine.faults.add("optimistic locking", operation=operation)
    before, task_ids = state(engine), ids(engine)
    summary = WRITES[name](engine.client(retry=False).select(_A))
    error = summary.failed[0].error

    assert error.startswith("Conflict: 500 ENGINE-03005")
    assert summary == BulkSummary(call=call, matched=5, failed=problems(task_ids, error))
    assert state(engine) == before
    assert str(summary).splitlines() == [
        f"{call}: 0 of 5 tasks done",
        "  5 failed, unchanged",
        f"  failed: {task_ids[0]} and 4 more: {error}",
    ]
    with pytest.raises(BulkFailed, match="0 of 5 tasks done") as caught:
        summary.raise_for_failures()
    assert caught.value.summary == summary


def test_what_all_would_meet_ends_the_run(engine: Engine, tmp_path: Path) -> None:
    """
    Nobody is there: the rest is left, and comes with the next run.
    """
    selection = engine.client(retry=False).select(_A)
    journal = tmp_path / "journal"
    engine.faults.add("refused", operation="set_priority", nth=3)
    summary = selection.set_priority(7, journal=journal)

    assert summary == BulkSummary(
        call="set_priority(7)", matched=5, done=2, left=3, stopped=summary.stopped
    )
    assert (summary.stopped or "").startswith("set_priority: PUT http://engine.invalid/")
    with pytest.raises(BulkFailed):
        summary.raise_for_failures()
    assert selection.set_priority(7, journal=journal) == BulkSummary(
        call="set_priority(7)", matched=5, done=3, skipped=2
    )


@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("401 Unauthorized", {"type": "AuthenticationException", "message": "no"}),
        ("429 Too Many Requests", {"type": "RestException", "message": "slow down"}),
    ],
)
def test_what_is_no_fault_of_a_task_ends_the_run(status: str, body: dict[str, str]) -> None:
    """
    All others would meet it, and be counted as failed.
    """
    answer = raw_answer(
        status, "Content-Type: application/json", body=json.dumps(body).encode("ascii")
    )
    page = [
        {"id": "t1", "topicName": "a"},
        {"id": "t2", "topicName": "a"},
        {"id": "t3", "topicName": "a"},
    ]
    with Stub(json_answer(200, page), answer) as stub:
        with ExternalTaskClient(stub.url, retry=False) as client:
            summary = client.select(_A).set_priority(7)
        assert len(stub.seen) == 2

    assert (summary.matched, summary.failed, summary.left) == (3, (), 3)
    assert status[:3] in (summary.stopped or "")


def test_a_task_is_gone_only_if_the_engine_names_it() -> None:
    """
    The id of one may be in that of another.
    """
    gone = {
        "type": "InvalidRequestException",
        "message": "Cannot find external task with id 11: externalTask is null",
        "code": 0,
    }
    answers = (
        json_answer(
            200,
            [
                {"id": "1", "topicName": "a"},
                {"id": "11", "topicName": "a"},
                {"id": "2", "topicName": "a"},
            ],
        ),
        json_answer(404, gone),
        raw_answer("204 No Content"),
    )
    with Stub(*answers) as stub, ExternalTaskClient(stub.url) as client:
        summary = client.select(_A).set_retries(7)
        sent = [json.loads(seen.body)["externalTaskIds"] for seen in stub.seen[1:]]

    assert sent == [["1", "11", "2"], ["1", "2"]]
    assert (summary.done, summary.gone) == (2, 1)


def test_a_run_of_answers_begins_anew_with_each_that_comes() -> None:
    """
    Three requests without an answer end a run only in a row.
    """
    page = [{"id": f"t{number}", "topicName": "a"} for number in range(6)]
    lost, done = html_answer("502 Bad Gateway"), raw_answer("204 No Content")
    answers = (json_answer(200, page), lost, lost, done, lost, lost, done)
    with Stub(*answers) as stub, ExternalTaskClient(stub.url, retry=False) as client:
        summary = client.select(_A).set_priority(7)

    assert (summary.done, len(summary.unknown), summary.left, summary.stopped) == (2, 4, 0, None)


@pytest.mark.parametrize("status", ["405 Method Not Allowed", "404 Not Found"])
def test_without_an_operation_for_many_each_task_is_changed_by_itself(
    status: str, tmp_path: Path
) -> None:
    """
    Engines before 7.8 have none; the journal knows what was done.
    """
    journal = tmp_path / "journal"
    answers = (
        json_answer(
            200,
            [
                {"id": "t1", "topicName": "a"},
                {"id": "t2", "topicName": "a"},
                {"id": "t3", "topicName": "a"},
            ],
        ),
        html_answer(status),
        NO_CONTENT,
        json_answer(500, {"type": "ProcessEngineException", "message": "no"}),
        NO_CONTENT,
    )
    with Stub(*answers) as stub, ExternalTaskClient(stub.url, retry=False) as client:
        summary = client.select(_A).set_retries(7, journal=journal)
        seen = [(one.method, one.target.partition("/external-task")[2]) for one in stub.seen[-4:]]
        again = client.select(_A).set_retries(7, journal=journal)

    assert (summary.matched, summary.done, summary.left, summary.stopped) == (3, 2, 0, None)
    assert [problem.task_id for problem in summary.failed] == ["t2"]
    assert seen == [("PUT", f"/{name}retries") for name in ("", "t1/", "t2/", "t3/")]
    assert (again.done, again.skipped) == (1, 2)


def test_what_the_engine_lacks_ends_the_run() -> None:
    """
    All tasks would meet it.
    """
    page = [{"id": "t1", "topicName": "a"}, {"id": "t2", "topicName": "a"}]
    answers = (
        json_answer(200, page),
        html_answer("405 Method Not Allowed"),
    )
    with Stub(*answers) as stub, ExternalTaskClient(stub.url) as client:
        summary = client.select(_A).set_retries(7)

    assert (summary.matched, summary.done, summary.left, summary.failed) == (2, 0, 2, ())
    assert "look at the URL" in (summary.stopped or "")
    assert len(stub.seen) == 3


def test_what_is_unknown_is_told_and_done_again_by_the_next_run(
    engine: Engine, tmp_path: Path
) -> None:
    """
    It may have been done; twice is the same as once.
    """
    selection = engine.client(retry=False).select(_A)
    journal = tmp_path / "journal"
    engine.faults.add("lost answer", operation="set_priority", nth=2)
    [second] = ids(engine)[1:2]
    summary = selection.set_priority(7, journal=journal)
    unknown = problems(
        [second], "OutcomeUnknown: ConnectionError: Remote end closed connection without response"
    )

    assert summary == BulkSummary(call="set_priority(7)", matched=5, done=4, unknown=unknown)
    with pytest.raises(BulkFailed):
        summary.raise_for_failures()
    again = selection.set_priority(7, journal=journal)
    assert again == BulkSummary(call="set_priority(7)", matched=5, done=1, repeated=1, skipped=4)
    again.raise_for_failures()


def test_a_dry_run_tells_what_a_journal_has_left(engine: Engine, tmp_path: Path) -> None:
    """
    And changes neither the tasks nor the journal; one of another run is refused.
    """
    selection = engine.client(retry=False).select(_A)
    journal = tmp_path / "journal"
    engine.faults.add("refused", operation="set_priority", nth=3)
    selection.set_priority(7, journal=journal)
    written, before = journal.read_bytes(), state(engine)

    looked = selection.set_priority(7, journal=journal, dry_run=True)

    assert looked == BulkSummary(call="set_priority(7)", matched=5, skipped=2, dry_run=True)
    assert str(looked).splitlines() == [
        "dry run of set_priority(7): would touch 3 tasks",
        "  2 settled by an earlier run",
    ]
    with pytest.raises(ValueError, match="its value is 7, not 8"):
        selection.set_priority(8, journal=journal, dry_run=True)
    assert (journal.read_bytes(), state(engine)) == (written, before)


def test_parts_of_a_chunk_that_was_refused_are_not_done_again(
    engine: Engine, tmp_path: Path
) -> None:
    """
    The engine has rolled all of it back: only the part that was under way may be done twice.
    """
    journal = tmp_path / "journal"
    client = engine.client(retry=False)
    engine.faults.add("optimistic locking", operation="set_retries_of", nth=1)
    engine.faults.add("lost answer", operation="set_retries_of", nth=2)
    engine.faults.add("refused", operation="set_retries_of", nth=3)

    first = client.select(_A).set_retries(7, journal=journal)
    second = client.select(_A).set_retries(7, journal=journal)

    assert (first.done, len(first.unknown), first.left) == (0, 2, 3)
    assert (second.done, second.repeated) == (5, 2)


def test_an_id_that_can_be_in_no_url_is_a_failure_among_others() -> None:
    """
    It keeps no other task from being touched, and the errors before it are not lost.
    """
    page = [
        {"id": "a1", "topicName": "a"},
        {"id": "b/2", "topicName": "a"},
        {"id": "c3", "topicName": "a"},
    ]
    answers = (json_answer(200, page), raw_answer("204 No Content"), raw_answer("204 No Content"))
    with Stub(*answers) as stub, ExternalTaskClient(stub.url) as client:
        summary = client.select(_A).set_priority(7)

    assert (summary.matched, summary.done) == (3, 2)
    [failed] = summary.failed
    assert (failed.task_id, failed.error.partition(":")[0]) == ("b/2", "ValueError")


def test_a_journal_that_cannot_be_written_ends_the_run(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Nothing is touched that it would not know of, and what was done is told.
    """
    write, written = os.write, []

    def full(file: int, content: bytes) -> int:
        written.append(content)
        if len(written) == 8:  # three lines of a listing, two for each task
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, content)

    monkeypatch.setattr("camunda_ext._many.journal.os.write", full)
    journal = tmp_path / "journal"
    summary = engine.client().select(_A).set_priority(7, journal=journal)

    assert summary == BulkSummary(
        call="set_priority(7)",
        matched=5,
        done=2,
        left=3,
        stopped="the journal cannot be written: No space left on device",
    )
    assert [task.priority for task in engine.client().iterate(_A)] == [7, 7, 0, 0, 0]


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="this system has no such device")
def test_a_journal_is_in_a_file(engine: Engine) -> None:
    """
    What has no end is not read.
    """
    with pytest.raises(ValueError, match=r"/dev/zero is no file$"):
        engine.client().select(_A).set_priority(7, journal="/dev/zero")


def test_the_order_of_ids_does_not_matter_to_a_journal(engine: Engine, tmp_path: Path) -> None:
    """
    It does not to the engine either, and a set gives another one each time.
    """
    client, journal, listed = engine.client(), tmp_path / "journal", ids(engine)

    client.select(ExternalTaskQuery().external_task_id_in(*listed)).unlock(journal=journal)
    again = client.select(ExternalTaskQuery().external_task_id_in(*listed[::-1]))

    assert again.unlock(journal=journal).skipped == 5


def test_a_journal_of_no_tasks_holds_nobody_up(engine: Engine, tmp_path: Path) -> None:
    """
    Those that come later are listed anew.
    """
    selection, journal = engine.client().select(ExternalTaskQuery().topic("c")), tmp_path / "j"

    assert selection.set_priority(7, journal=journal).matched == 0
    engine.create_task("c")
    assert selection.set_priority(7, journal=journal).done == 1


@pytest.mark.parametrize("name", ["set_priority", "unlock"])
def test_an_engine_that_does_not_answer_is_left(engine: Engine, name: str) -> None:
    """
    After three requests in a row without an answer, the others would get none either.
    """
    operation = "get" if name == "unlock" else name
    engine.faults.add("unavailable", operation=operation)
    summary = WRITES[name](engine.client(retry=False).select(_A))

    assert (len(summary.unknown) + len(summary.failed), summary.left) == (3, 2)
    assert "503" in (summary.stopped or "")


def test_no_task_is_nothing_to_do(engine: Engine) -> None:
    """
    There is no error in it; but of nothing the engine makes no batch.
    """
    nobodys = engine.client().select(ExternalTaskQuery().topic("nobody's"))

    assert nobodys.set_retries(7) == BulkSummary(call="set_retries(7)", matched=0)
    with pytest.raises(ValueError, match="no task matches"):
        nobodys.set_retries_async(7)


def test_progress_in_lines(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    """
    A line for each tenth goes to standard error.
    """
    engine.client().select(_A).set_priority(7, progress=True)

    assert capsys.readouterr().err == "".join(
        f"set_priority(7): {done} of 5\n" for done in range(6)
    )


# ----------------------------------------------------------------------------------- the journal


def test_a_journal_is_lines_of_json(engine: Engine, tmp_path: Path) -> None:
    """
    What is to be done, with which tasks, and what became of each.
    """
    client, (first, second, *_) = engine.client(), ids(engine)
    query = _A.external_task_id_in(first, second)
    journal = tmp_path / "journal"
    client.select(query).set_priority(
        7, journal=journal, progress=at_first(lambda: client.complete(second, "w1"))
    )
    events = [json.loads(line) for line in journal.read_text("ascii").splitlines()]
    listed = events[1]["tasks"]
    for target in listed:
        assert datetime.fromisoformat(target[2]).tzinfo is not None
        target[2] = "then"

    assert events == [
        {
            "journal": "camunda_ext bulk 1",
            "operation": "set_priority",
            "value": 7,
            "query": {"externalTaskIdIn": [first, second], "topicName": "a"},
            "engine": "http://engine.invalid/engine-rest",
        },
        {"tasks": [[first, "w1", "then"], [second, "w1", "then"]]},
        {"listed": 2},
        {"begun": [first]},
        {"done": [first]},
        {"begun": [second]},
        {"gone": [second]},
    ]


@pytest.mark.parametrize("name", ["set_retries", "set_priority", "unlock"])
def test_a_journal_of_a_whole_run_leaves_nothing_to_do(
    engine: Engine, name: str, tmp_path: Path
) -> None:
    """
    Not for tasks that match by now, either.
    """
    journal = tmp_path / "journal"
    WRITES[name](engine.client().select(_A), journal=str(journal))
    engine.create_task("a")
    written = journal.read_bytes()
    again = WRITES[name](engine.client().select(_A), journal=str(journal))
    call = "unlock()" if name == "unlock" else f"{name}(7)"

    assert again == BulkSummary(call=call, matched=5, skipped=5)
    assert str(again).splitlines() == [
        f"{call}: 0 of 5 tasks done",
        "  5 settled by an earlier run",
        "  that run was at its end; for tasks that match since then, take a new journal",
    ]
    assert journal.read_bytes() == written


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda client: client.select(_A).set_priority(8, journal="j"), "value is 7, not 8"),
        (
            lambda client: client.select(_A).set_retries(7, journal="j"),
            "operation is 'set_priority', not 'set_retries'",
        ),
        (
            lambda client: client.select(_A.locked()).set_priority(7, journal="j"),
            "query is {'topicName': 'a'}, not {'topicName': 'a', 'locked': True}",
        ),
        (
            lambda client: (
                ExternalTaskClient("http://other.invalid/engine-rest", session=client)
                .select(_A)
                .set_priority(7, journal="j")
            ),
            "engine is 'http://engine.invalid/engine-rest', not 'http://other.invalid/engine-rest'",
        ),
    ],
    ids=["value", "operation", "query", "engine"],
)
def test_the_journal_of_another_run_is_refused(
    engine: Engine,
    other: Callable[[Any], object],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    Nothing is changed, neither at the engine nor in the journal.
    """
    monkeypatch.chdir(tmp_path)
    client = engine.client()
    client.select(_A).set_priority(7, journal="j")
    before, written = state(engine), Path("j").read_bytes()
    with pytest.raises(ValueError, match="the journal j is of another run: its ") as caught:
        other(engine.session() if "engine" in message else client)

    assert message in str(caught.value)
    assert (state(engine), Path("j").read_bytes()) == (before, written)


@pytest.mark.parametrize(
    "content",
    [
        b'{"id": "t1", "topicName": "a"}\n',
        b"id,topic\nt1,a\n",
        b"some text",
        b"\xff\n",
        b"[]\n",
        b"\n",
    ],
)
def test_what_is_no_journal_is_left_alone(engine: Engine, content: bytes, tmp_path: Path) -> None:
    """
    A path may be mistaken for another.
    """
    journal = tmp_path / "journal"
    journal.write_bytes(content)
    with pytest.raises(ValueError, match="is there, and is no journal of a bulk write"):
        engine.client().select(_A).set_priority(7, journal=journal)

    assert journal.read_bytes() == content


def test_a_journal_of_nothing_is_anybodys(engine: Engine, tmp_path: Path) -> None:
    """
    A run that was refused has touched nothing, and the next one may ask for something else.
    """
    journal = tmp_path / "journal"
    with pytest.raises(ValueError, match="at_most"):
        engine.client().select(_A).set_priority(7, at_most=1, journal=journal)
    query = _A.activity_id("task")

    assert engine.client().select(query).set_priority(7, journal=journal).done == 5
    assert engine.client().select(query).set_priority(7, journal=journal).skipped == 5


def test_a_slice_is_touched_and_no_more(engine: Engine, tmp_path: Path) -> None:
    """
    And its journal is not that of the whole.
    """
    selection = engine.client().select(_A)
    journal = tmp_path / "journal"
    summary = selection[1:3].set_priority(7, journal=journal)

    assert summary == BulkSummary(call="set_priority(7)", matched=2, done=2)
    assert [priority for _, _, priority, _ in state(engine)] == [0, 7, 7, 0, 0, 0]
    with pytest.raises(ValueError, match=r"its slice is \[1, 3\], not None"):
        selection.set_priority(7, journal=journal)


def test_a_broken_line_is_refused(engine: Engine, tmp_path: Path) -> None:
    """
    Only the last line may be half of one.
    """
    journal = tmp_path / "journal"
    engine.client().select(_A).set_priority(7, journal=journal)
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:4], b'{"do\n', *lines[5:]]))
    with pytest.raises(ValueError, match=r"line 5 of the journal .* is broken"):
        engine.client().select(_A).set_priority(7, journal=journal)


def test_a_journal_may_end_anywhere(engine: Engine, tmp_path: Path) -> None:
    """
    Whatever of it was written when a run was killed, the next one touches each task once; but what
    was begun then may have been done, and is done again.
    """
    client = engine.client()
    journal = tmp_path / "journal"
    client.select(_A).set_priority(7, journal=journal)
    whole = journal.read_bytes()
    task_ids = ids(engine)
    ends = [0, *(at + 1 for at, byte in enumerate(whole[:-1]) if byte == ord("\n"))]
    for length in sorted({at for end in ends for at in (end, end + 1, end + 9)}):
        journal.write_bytes(whole[:length])
        lines = whole[:length].splitlines(keepends=True)
        events = [json.loads(line) for line in lines if line.endswith(b"\n")]
        done = sum("done" in event for event in events)
        begun = sum("begun" in event for event in events)
        for task_id in task_ids[done:]:
            client.set_priority(task_id, 0)
        summary = client.select(_A).set_priority(7, journal=journal)

        assert summary == BulkSummary(
            call="set_priority(7)", matched=5, done=5 - done, repeated=begun - done, skipped=done
        )
        assert {task.priority for task in client.list(_A)} == {7}
        # What was written to it since can be read, too.
        again = client.select(_A).set_priority(7, journal=journal)
        assert (again.done, again.skipped) == (0, 5)


def test_two_runs_do_not_share_a_journal(engine: Engine, tmp_path: Path) -> None:
    """
    They would touch everything twice.
    """
    if sys.platform == "win32":
        pytest.skip("files are not locked there")
    selection = engine.client().select(_A)
    journal = tmp_path / "journal"

    def second() -> None:
        with pytest.raises(ValueError, match="another run writes to the journal"):
            selection.set_priority(7, journal=journal)

    assert selection.set_priority(7, journal=journal, progress=at_first(second)).done == 5


@pytest.mark.parametrize("operation", ["list", "set_priority"])
def test_ctrl_c_comes_through(engine: Engine, operation: str, tmp_path: Path) -> None:
    """
    And the journal is right: a run that was interrupted goes on where it was.
    """
    seen: list[str] = []

    def interrupt(outgoing: Outgoing) -> None:
        seen.append(outgoing.operation)
        if seen.count(operation) == (1 if operation == "list" else 3):
            raise KeyboardInterrupt

    journal = tmp_path / "journal"
    with pytest.raises(KeyboardInterrupt):
        engine.client(hooks=[interrupt]).select(_A).set_priority(7, journal=journal)
    done = 0 if operation == "list" else 2

    assert engine.client().select(_A).set_priority(7, journal=journal) == BulkSummary(
        call="set_priority(7)",
        matched=5,
        done=5 - done,
        repeated=0 if operation == "list" else 1,
        skipped=done,
    )


# ----------------------------------------------------------------------------------------- killed

_SCRIPT: Final = """
import sys
from camunda_ext import ExternalTaskClient, ExternalTaskQuery

url, journal, name, *value = sys.argv[1:]

def tell(outgoing):
    print(outgoing.operation, outgoing.url.split("/")[-2], flush=True)

with ExternalTaskClient(url, hooks=[tell]) as client:
    stuck = client.select(ExternalTaskQuery().topic("a"))
    print("end", getattr(stuck, name)(*map(int, value), journal=journal), flush=True)
"""


def sent_until(lines: int | None, *arguments: str) -> list[str]:
    """
    Run the script, kill it when it has announced so many requests, and give all that it announced.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    )
    with process:
        assert process.stdout is not None
        told = [line.strip() for _, line in zip(range(lines or 0), process.stdout, strict=False)]
        if lines is not None:
            process.kill()
        told += [line.strip() for line in process.stdout]
    return told


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("operation", "requests", "arguments"),
    [
        ("set_priority", 40, ("set_priority", "7")),
        ("unlock", 40, ("unlock",)),
        ("set_retries_of", 5, ("set_retries", "7")),
    ],
)
def test_a_run_that_is_killed_goes_on(
    operation: str, requests: int, arguments: tuple[str, ...], seed: int, tmp_path: Path
) -> None:
    """
    At whatever moment: each task is touched once, but for the request that was under way.
    """
    with Engine(seed=seed) as engine:
        for _ in range(500 if operation == "set_retries_of" else requests):
            engine.create_task("a")
        engine.client().fetch_and_lock("w1", _LOCK, max_tasks=500)
        journal = str(tmp_path / "journal")
        most = requests * (2 if operation == "unlock" else 1)
        lines = random.Random(seed).randrange(1, most)  # noqa: S311  # a moment, not a secret
        killed = sent_until(lines, engine.url, journal, *arguments)
        resumed = sent_until(None, engine.url, journal, *arguments)
        left = state(engine)

    assert any(line.startswith("end ") for line in resumed)
    sent = Counter(line for line in [*killed, *resumed] if line.startswith(operation))
    if operation == "set_retries_of":
        (number,) = sent.values()
        assert requests <= number <= requests + 1
    else:
        assert len(sent) == requests
        assert requests <= sum(sent.values()) <= requests + 1
    assert (
        set(left)
        == {
            "set_priority": {("a", None, 7, "w1")},
            "unlock": {("a", None, 0, None)},
            "set_retries_of": {("a", 7, 0, "w1")},
        }[operation]
    )


# ------------------------------------------------------------------------------ in the background


def test_a_batch_of_a_selection(engine: Engine) -> None:
    """
    It is made of the ids, and can be waited for.
    """
    run = engine.client().select(_A).set_retries_async(7)
    followed = BatchRun(engine.client(), run.id, sleep=engine.advance)

    result = BatchResult(batch_id=run.id, finished=True, gone=True, total_jobs=5)
    assert followed.wait() == result
    assert [retries for _, retries, _, _ in state(engine)] == [7, 7, 7, 7, 7, None]


def test_a_journal_knows_its_batch(engine: Engine, tmp_path: Path) -> None:
    """
    A second one is not made.
    """
    selection = engine.client().select(_A)
    journal = tmp_path / "journal"
    run = selection.set_retries_async(7, journal=journal)
    again = selection.set_retries_async(7, journal=journal)

    assert again.id == run.id
    assert engine.session().get(f"{engine.local_url}/batch/count").json() == {"count": 1}


@pytest.mark.parametrize("cut", [True, False])
def test_no_second_batch_is_made_where_there_may_be_one(
    engine: Engine, cut: bool, tmp_path: Path
) -> None:
    """
    No answer came, or the run was killed before it could note it: a person has to look.
    """
    selection = engine.client(retry=False).select(_A)
    journal = tmp_path / "journal"
    engine.faults.add("lost answer", operation="set_retries_async", nth=1)
    with pytest.raises(OutcomeUnknown):
        selection.set_retries_async(7, journal=journal)
    if cut:
        journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(ValueError, match="look in the engine for a batch"):
        selection.set_retries_async(7, journal=journal)

    assert engine.session().get(f"{engine.local_url}/batch/count").json() == {"count": 1}


def test_a_batch_that_was_refused_is_asked_for_again(engine: Engine, tmp_path: Path) -> None:
    """
    Nothing was done then.
    """
    selection = engine.client(retry=False).select(_A)
    journal = tmp_path / "journal"
    engine.faults.add("optimistic locking", operation="set_retries_async", nth=1)
    with pytest.raises(Exception, match="500"):
        selection.set_retries_async(7, journal=journal)
    selection.set_retries_async(7, journal=journal)

    assert engine.session().get(f"{engine.local_url}/batch/count").json() == {"count": 1}


# ----------------------------------------------------------------------------------- whose journal


@pytest.mark.skipif(os.name == "nt", reason="this system has other rights")
@pytest.mark.parametrize(
    ("of_file", "of_folder", "is_taken"),
    [
        (0o600, 0o700, True),
        (0o644, 0o755, True),
        (0o660, 0o700, False),
        (0o602, 0o700, False),
        (0o600, 0o770, False),
        (0o600, 0o707, False),
        (0o600, 0o1777, True),
    ],
)
def test_a_journal_that_others_may_write_is_refused(
    engine: Engine, tmp_path: Path, of_file: int, of_folder: int, is_taken: bool
) -> None:
    """
    It says which tasks are changed: nothing is, where somebody else may have said it.
    """
    folder = tmp_path / "jobs"
    folder.mkdir()
    journal = folder / "journal"
    journal.touch()
    journal.chmod(of_file)
    folder.chmod(of_folder)
    with engine.client() as client:
        selection = client.select(ExternalTaskQuery().topic("a"))
        if is_taken:
            assert selection.set_retries(7, journal=journal).matched == 5
            return
        for dry_run in (False, True):
            with pytest.raises(ValueError, match="can be written by others"):
                selection.set_retries(7, journal=journal, dry_run=dry_run)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root gives files away")
def test_a_journal_of_somebody_elses_is_refused(engine: Engine, tmp_path: Path) -> None:
    """
    As is one in somebody else's directory.
    """
    journal = tmp_path / "journal"
    journal.touch(mode=0o600)
    os.chown(journal, 1, 1)
    with engine.client() as client:
        selection = client.select(ExternalTaskQuery().topic("a"))
        with pytest.raises(ValueError, match="belongs to somebody else"):
            selection.set_retries(7, journal=journal)


@pytest.mark.skipif(os.name == "nt", reason="this system has other rights")
def test_a_link_of_somebody_elses_leads_to_no_journal(engine: Engine, tmp_path: Path) -> None:
    """
    Though what it leads to is nobody else's; and what is refused leaves nothing behind.
    """
    private, shared = tmp_path / "private", tmp_path / "shared"
    for folder in (private, shared):
        folder.mkdir(mode=0o700)
    (shared / "link").symlink_to(private / "journal")
    shared.chmod(0o777)
    with engine.client() as client:
        selection = client.select(ExternalTaskQuery().topic("a"))
        for name in ("link", "file"):
            with pytest.raises(ValueError, match="can be written by others"):
                selection.set_retries(7, journal=shared / name)

    assert os.listdir(shared) == ["link"]
    assert os.listdir(private) == []


@pytest.mark.skipif(os.name == "nt", reason="this system has no such pipes")
def test_a_pipe_is_no_journal(engine: Engine, tmp_path: Path) -> None:
    """
    Nor is waited for.
    """
    os.mkfifo(tmp_path / "pipe", 0o600)
    with engine.client() as client:
        selection = client.select(ExternalTaskQuery().topic("a"))
        for dry_run in (True, False):
            with pytest.raises(ValueError, match="no file"):
                selection.set_retries(7, journal=tmp_path / "pipe", dry_run=dry_run)
