"""
Lazy results: what is asked for, when, and what comes.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from camunda_ext import (
    ExternalTaskClient,
    ExternalTaskQuery,
    HistoricExternalTaskLogQuery,
    LogSelection,
    LogSortBy,
    NoAnswer,
    NotOne,
    Retry,
    Selection,
    SortBy,
    Topic,
)
from camunda_ext.hooks import Outgoing
from camunda_ext.testing import Engine
from tests.stub import Stub, json_answer

TOPIC_A = ExternalTaskQuery().topic("a")
PAGE = "/engine-rest/external-task?firstResult={}&maxResults={}"
COUNT = "/engine-rest/external-task/count"


class Bench:
    """
    A client of an engine with five tasks of topic ``a``, and what it has sent.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.ids = sorted(engine.create_task("a", priority=number) for number in range(5))
        engine.create_task("b")
        self.sent: list[str] = []
        self.client = engine.client(hooks=[self._note])

    def select(self, query: ExternalTaskQuery = TOPIC_A, **options: Any) -> Selection:
        """
        A selection, by default of the five tasks.
        """
        return self.client.select(query, **options)

    def _note(self, outgoing: Outgoing) -> None:
        self.sent.append(outgoing.url.partition("engine.invalid")[2])


@pytest.fixture
def bench() -> Iterator[Bench]:
    """
    A new engine for each test.
    """
    with Engine() as engine:
        made = Bench(engine)
        with made.client:
            yield made


def ids_of(selection: Selection) -> list[str]:
    """
    The ids, by iterating.
    """
    return [task.id for task in selection]


@pytest.mark.parametrize(
    "make",
    [
        repr,
        hash,
        iter,
        lambda selection: selection[1:3],
        lambda selection: selection.ids(),
        lambda selection: selection.chunks(2),
        lambda selection: selection.to_dicts(progress=True),
        lambda selection: selection == selection[1:],
    ],
)
def test_nothing_is_asked_until_it_is_used(bench: Bench, make: Callable[[Selection], Any]) -> None:
    """
    A selection can be made, cut and passed on for free.
    """
    make(bench.select(prefetch=2))

    assert bench.sent == []


@pytest.mark.parametrize("prefetch", [0, 1, 4])
@pytest.mark.parametrize("page_size", [2, 3, 500])
def test_all_tasks_come_in_the_order_of_their_ids(
    bench: Bench, page_size: int, prefetch: int
) -> None:
    """
    Page by page, and again from the beginning for each use.
    """
    selection = bench.select(page_size=page_size, prefetch=prefetch)

    assert ids_of(selection) == bench.ids
    assert list(selection.ids()) == bench.ids
    assert list(selection) == [bench.client.get(one) for one in bench.ids]


def test_nothing_selects_everything(bench: Bench) -> None:
    """
    Without a query, all tasks are meant.
    """
    assert bench.client.select().count() == 6


def test_pages_are_fetched_as_they_are_used(bench: Bench) -> None:
    """
    Each begins with the last task of the one before.
    """
    tasks = iter(bench.select(page_size=2))
    assert bench.sent == []
    next(tasks)
    next(tasks)
    assert bench.sent == [PAGE.format(0, 2)]
    next(tasks)
    assert bench.sent == [PAGE.format(0, 2), PAGE.format(1, 2)]


def test_chunks_are_tuples_of_a_size_of_their_own(bench: Bench) -> None:
    """
    Whatever the size of pages.
    """
    first, second, third, fourth, fifth = (bench.client.get(one) for one in bench.ids)

    assert list(bench.select(page_size=3).chunks(2)) == [
        (first, second),
        (third, fourth),
        (fifth,),
    ]
    assert list(bench.select(ExternalTaskQuery().topic("none")).chunks(2)) == []


@pytest.mark.parametrize("prefetch", [0, 1, 4])
def test_a_consumer_may_complete_what_it_is_given(bench: Bench, prefetch: int) -> None:
    """
    While another creates tasks: each that was there from the beginning comes once.
    """
    bench.client.fetch_and_lock("w", [Topic("a", lock_duration=60_000)], max_tasks=9)
    given_ids = []
    for task in bench.select(page_size=2, prefetch=prefetch):
        given_ids.append(task.id)
        if task.worker_id == "w":
            bench.engine.create_task("a")
            bench.client.complete(task.id, "w")

    assert len(given_ids) == len(set(given_ids))
    assert set(bench.ids) <= set(given_ids)


def test_threads_end_with_the_iteration(bench: Bench) -> None:
    """
    Also where the loop is left, over HTTP.
    """
    with ExternalTaskClient(bench.engine.url) as client:
        for _ in client.select(TOPIC_A, page_size=2, prefetch=4):
            break
        assert ids_of(client.select(TOPIC_A, page_size=2, prefetch=4)) == bench.ids

    assert [
        one.name for one in threading.enumerate() if one.name.startswith("camunda_ext pages")
    ] == []


@pytest.mark.parametrize(
    ("query", "sorting"),
    [
        (TOPIC_A, [("id", "asc")]),
        (TOPIC_A.sort_by("taskPriority", "desc"), [("taskPriority", "desc"), ("id", "asc")]),
        (TOPIC_A.sort_by("id", "desc"), [("id", "desc")]),
        (TOPIC_A.sort_by("id").sort_by("tenantId"), [("id", "asc"), ("tenantId", "asc")]),
        (
            TOPIC_A.sort_by("tenantId").sort_by("createTime", "desc"),
            [("tenantId", "asc"), ("createTime", "desc"), ("id", "asc")],
        ),
    ],
)
def test_the_id_decides_where_nothing_else_does(
    bench: Bench, query: ExternalTaskQuery, sorting: list[tuple[str, str]]
) -> None:
    """
    It is added as the last criterion, unless it is one already.
    """
    body = json.loads(bench.select(query).explain().body)

    assert [(one["sortBy"], one["sortOrder"]) for one in body["sorting"]] == sorting


def test_the_query_says_the_order(bench: Bench) -> None:
    """
    Of tasks, of the first one, and of positions.
    """
    selection = bench.select(TOPIC_A.sort_by(SortBy.TASK_PRIORITY, "desc"), page_size=2)
    first = selection.first()

    assert [task.priority for task in selection] == [4, 3, 2, 1, 0]
    assert first is not None
    assert first.priority == 4
    assert selection[1].priority == 3
    assert [task.priority for task in selection[1:4]] == [3, 2, 1]


@pytest.mark.parametrize(
    ("cut", "positions", "sent"),
    [
        (lambda all_: all_[2:4], [2, 3], [PAGE.format(2, 2)]),
        (lambda all_: all_[:3], [0, 1, 2], [PAGE.format(0, 3)]),
        (lambda all_: all_[4:9], [4], [PAGE.format(4, 5)]),
        (lambda all_: all_[3:], [3, 4], [PAGE.format(3, 500)]),
        (lambda all_: all_[:], [0, 1, 2, 3, 4], [PAGE.format(0, 500)]),
        (lambda all_: all_[1:5][1:3], [2, 3], [PAGE.format(2, 2)]),
        (lambda all_: all_[1:3][1:9], [2], [PAGE.format(2, 1)]),
        (lambda all_: all_[3:3], [], []),
        (lambda all_: all_[4:2], [], []),
        (lambda all_: all_[:2][2:], [], []),
        (lambda all_: all_[7:], [], [PAGE.format(7, 500)]),
    ],
)
def test_a_slice_is_a_selection_of_a_window(
    bench: Bench,
    cut: Callable[[Selection], Selection],
    positions: list[int],
    sent: list[str],
) -> None:
    """
    Cut by the engine, and no more is asked for.
    """
    assert ids_of(cut(bench.select())) == [bench.ids[one] for one in positions]
    assert bench.sent == sent


def test_a_window_of_several_pages_begins_where_it_says(bench: Bench) -> None:
    """
    And its last page is as small as what is left.
    """
    assert ids_of(bench.select(page_size=2)[1:4]) == bench.ids[1:4]
    assert bench.sent == [PAGE.format(1, 2), PAGE.format(2, 2)]


def test_a_window_counts_and_looks_at_itself_alone(bench: Bench) -> None:
    """
    Whatever is before or behind it.
    """
    selection = bench.select()

    assert [part.count() for part in (selection, selection[1:3], selection[3:], selection[:9])] == [
        5,
        2,
        2,
        5,
    ]
    assert [part.count() for part in (selection[9:], selection[2:2])] == [0, 0]
    assert [part.exists() for part in (selection[4:], selection[5:], selection[2:2])] == [
        True,
        False,
        False,
    ]
    assert selection[2:4].first() == bench.client.get(bench.ids[2])
    assert selection[2:4][1] == bench.client.get(bench.ids[3])
    assert selection[4:].one() == bench.client.get(bench.ids[4])
    with pytest.raises(IndexError):
        selection[2:4][2]


def test_an_index_gives_the_task_at_that_position(bench: Bench) -> None:
    """
    By one request for one task.
    """
    assert bench.select()[3].id == bench.ids[3]
    assert bench.sent == [PAGE.format(3, 1)]
    with pytest.raises(IndexError) as caught:
        bench.select()[5]
    assert str(caught.value) == (
        "<Selection of ExternalTaskQuery().topic('a')> has no task at position 5"
    )


def test_a_slice_may_end_behind_all_tasks(bench: Bench) -> None:
    """
    However far, as in Python.
    """
    assert list(bench.select()[: sys.maxsize]) == list(bench.select())
    assert list(bench.select()[1 : 2**31]) == list(bench.select())[1:]


@pytest.mark.parametrize(
    ("cut", "error", "message"),
    [
        (
            lambda all_: all_[-1],
            ValueError,
            "index must count from the beginning, not -1: for the end, sort the other way",
        ),
        (
            lambda all_: all_[-5:],
            ValueError,
            "start must count from the beginning, not -5: for the end, sort the other way",
        ),
        (
            lambda all_: all_[:-1],
            ValueError,
            "stop must count from the beginning, not -1: for the end, sort the other way",
        ),
        (
            lambda all_: all_[::2],
            ValueError,
            "a slice of a selection has no step: use itertools.islice()",
        ),
        (lambda all_: all_["1"], TypeError, "index must be an int, not str '1'"),
        (lambda all_: all_[1.0:], TypeError, "start must be an int, not float 1.0"),
        (lambda all_: all_[:True], TypeError, "stop must be an int, not bool True"),
        (
            bool,
            TypeError,
            "whether there is any task has to be asked for: use .exists()",
        ),
        (
            lambda all_: "4711" in all_,
            TypeError,
            (
                "a selection would have to ask for all its tasks: select one by its id, and use "
                ".exists()"
            ),
        ),
        (len, TypeError, "object of type 'Selection' has no len()"),
        (lambda all_: all_.chunks(0), ValueError, None),
        (lambda all_: all_.chunks("2"), TypeError, "size must be an int, not str '2'"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    bench: Bench, cut: Callable[[Any], object], error: type[Exception], message: str | None
) -> None:
    """
    At the call, before anything is asked.
    """
    with pytest.raises(error) as caught:
        cut(bench.select())

    assert message is None or str(caught.value) == message
    assert bench.sent == []


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"query": "a"}, TypeError),
        ({"query": {"topicName": "a"}}, TypeError),
        ({"page_size": 1}, ValueError),
        ({"page_size": "2"}, TypeError),
        ({"prefetch": -1}, ValueError),
        ({"prefetch": 33}, ValueError),
        ({"prefetch": True}, TypeError),
    ],
)
def test_a_selection_is_checked_when_it_is_made(
    bench: Bench, arguments: dict[str, Any], error: type[Exception]
) -> None:
    """
    Not when it is used, which may be far from there.
    """
    with pytest.raises(error):
        bench.client.select(**arguments)


def test_the_first_one_is_asked_for_alone(bench: Bench) -> None:
    """
    ``None`` where there is none; whether there is any costs as little.
    """
    none = bench.select(ExternalTaskQuery().topic("none"))

    assert bench.select().first() == bench.client.get(bench.ids[0])
    assert none.first() is None
    assert bench.select().exists() is True
    assert none.exists() is False
    page = PAGE.format(0, 1)
    assert [one for one in bench.sent if one != f"/engine-rest/external-task/{bench.ids[0]}"] == [
        page,
        page,
        page,
        page,
    ]


def test_the_only_one_is_given_or_it_is_said_why_not(bench: Bench) -> None:
    """
    Two are asked for at most.
    """
    assert bench.select(ExternalTaskQuery().external_task_id(bench.ids[2])).one().id == bench.ids[2]
    with pytest.raises(NotOne) as none:
        bench.select(ExternalTaskQuery().topic("none")).one()
    with pytest.raises(NotOne) as several:
        bench.select().one()

    assert str(none.value) == (
        "there is no task in <Selection of ExternalTaskQuery().topic('none')>"
    )
    assert str(several.value) == (
        "there is more than one task in <Selection of ExternalTaskQuery().topic('a')>: "
        f"'{bench.ids[0]}', '{bench.ids[1]}'"
    )
    assert bench.sent == [PAGE.format(0, 2)] * 3


def test_the_count_is_asked_for(bench: Bench) -> None:
    """
    Each time anew.
    """
    selection = bench.select()

    assert selection.count() == 5
    bench.engine.create_task("a")
    assert selection.count() == 6
    assert bench.sent == [COUNT, COUNT]


def test_a_selection_says_what_it_selects(bench: Bench) -> None:
    """
    On one line, and without a request.
    """
    selection = bench.select()

    assert [repr(part) for part in (selection, selection[2:5], selection[2:], selection[:5])] == [
        "<Selection of ExternalTaskQuery().topic('a')>",
        "<Selection of ExternalTaskQuery().topic('a')[2:5]>",
        "<Selection of ExternalTaskQuery().topic('a')[2:]>",
        "<Selection of ExternalTaskQuery().topic('a')[:5]>",
    ]


def test_a_selection_never_changes(bench: Bench) -> None:
    """
    So it can be compared, and be a key.
    """
    selection = bench.select()

    with pytest.raises(AttributeError):
        selection.query = ExternalTaskQuery()  # type: ignore[misc]  # that is the point
    assert selection == bench.select()
    assert selection != selection[1:]
    assert len({selection, bench.select(), selection[1:], bench.select()[1:]}) == 2


def test_pages_are_fetched_ahead_if_wished(bench: Bench) -> None:
    """
    While the consumer has the first tasks in hand, others are on their way, in threads.
    """
    threads = set()

    def note(_: Outgoing) -> None:
        threads.add(threading.current_thread().name)

    with bench.engine.client(hooks=[note]) as client:
        assert [one.id for one in client.select(TOPIC_A, page_size=2, prefetch=2)] == bench.ids
        assert threads == {threading.current_thread().name, "camunda_ext pages"}
        threads.clear()
        assert [one.id for one in client.select(TOPIC_A, page_size=2)] == bench.ids
        assert threads == {threading.current_thread().name}


def _page(*numbers: int, **wrong: object) -> bytes:
    tasks: list[dict[str, object]] = [{"id": f"{number:03}"} for number in numbers]
    return json_answer(200, [*tasks[:-1], tasks[-1] | wrong])


@pytest.mark.parametrize("prefetch", [0, 1])
def test_a_page_that_is_odd_is_asked_for_again(prefetch: int) -> None:
    """
    As any other answer to a query is, whichever thread reads it.
    """
    odd = _page(*range(99, 199), retries="three")
    with (
        Stub(_page(*range(100)), odd, _page(99, 100)) as stub,
        ExternalTaskClient(stub.url, retry=Retry(first_delay=0)) as client,
    ):
        selection = client.select(page_size=100, prefetch=prefetch)
        assert ids_of(selection) == [f"{number:03}" for number in range(101)]

    assert [seen.target for seen in stub.seen] == [
        PAGE.format(0, 100),
        PAGE.format(99, 100),
        PAGE.format(99, 100),
    ]


@pytest.mark.parametrize("prefetch", [0, 1])
def test_a_page_that_stays_odd_is_told_after_the_tasks_before_it(prefetch: int) -> None:
    """
    With each attempt.
    """
    odd = _page(*range(99, 199), retries="three")
    given: list[str] = []
    with (
        Stub(_page(*range(100)), odd) as stub,
        ExternalTaskClient(stub.url, retry=Retry(attempts=2, first_delay=0)) as client,
        pytest.raises(NoAnswer, match=r"expected int, not str 'three' @ .*retries") as caught,
    ):
        given.extend(client.select(page_size=100, prefetch=prefetch).ids())

    assert given == [f"{number:03}" for number in range(100)]
    assert ["retries" in one.error for one in caught.value.attempts] == [True, True]
    assert len(stub.seen) == 3
    assert caught.value.__context__ is None


def test_a_page_that_is_odd_gives_no_resend_back() -> None:
    """
    Only what succeeded in the end does.
    """
    busy = json_answer(503, {})
    odd = _page(*range(100), retries="three")
    with (
        Stub(busy, odd, busy, odd) as stub,
        ExternalTaskClient(stub.url, retry=Retry(attempts=4, first_delay=0)) as client,
    ):
        before = client._sender.quota.left
        with pytest.raises(NoAnswer):
            list(client.select(page_size=100, prefetch=1))
        left = client._sender.quota.left

    assert before - left == 3 * 5


def test_tasks_in_an_order_of_ones_own_come_once_though_some_vanish(bench: Bench) -> None:
    """
    Their ids do not ascend, and so all of them are remembered.
    """
    by_priority = TOPIC_A.sort_by(SortBy.TASK_PRIORITY, "desc")
    given = []
    for task in bench.select(by_priority, page_size=2):
        given.append(task.priority)
        if task.priority == 3:
            bench.client.lock(task.id, "w1", 60_000)
            bench.client.complete(task.id, "w1")

    assert given == [4, 3, 2, 1, 0]


def test_a_selection_says_how_it_asks(bench: Bench) -> None:
    """
    By id, of the client's own engine; nothing is sent.
    """
    explained = bench.select().explain()

    assert str(explained).startswith(f"POST {bench.client.url}/external-task\n")
    assert '"sortBy": "id"' in str(explained)
    assert bench.sent == []


# ---------------------------------------------------------------------------------------- the log

LOG: Final = HistoricExternalTaskLogQuery().topic("a")
LOG_PAGE: Final = "/engine-rest/history/external-task-log?firstResult={}&maxResults={}"


@pytest.mark.parametrize("prefetch", [0, 4])
@pytest.mark.parametrize("page_size", [2, 3, 500])
def test_all_entries_of_the_log_come_in_the_order_of_their_ids(
    bench: Bench, page_size: int, prefetch: int
) -> None:
    """
    Also those that are written meanwhile, or not: each comes once at most.
    """
    ids = [entry.id for entry in bench.client.log_list(LOG)]
    came = []
    for entry in bench.client.select(LOG, page_size=page_size, prefetch=prefetch):
        came.append(entry.id)
        if entry.id == ids[1]:
            bench.engine.create_task("a")

    assert len(ids) == 5
    assert came[:5] == ids
    assert len(set(came)) == len(came)


def test_the_log_is_looked_at_like_tasks(bench: Bench) -> None:
    """
    By the same methods.
    """
    entries = bench.client.log_list(LOG)
    log = bench.client.select(LOG)

    assert (log.count(), log.exists(), log[2:4].count()) == (5, True, 2)
    assert (log.first(), log[3], log[1:2].one()) == (entries[0], entries[3], entries[1])
    assert [*map(len, log.chunks(2))] == [2, 2, 1]
    assert list(log.ids()) == [entry.id for entry in entries]
    assert repr(log[2:]) == "<LogSelection of HistoricExternalTaskLogQuery().topic('a')[2:]>"
    assert log == bench.client.select(LOG) != log[1:]
    with pytest.raises(IndexError, match="has no entry at position 5"):
        log[5]
    with pytest.raises(NotOne, match="there is more than one entry in <LogSelection of"):
        log.one()
    with pytest.raises(TypeError, match="whether there is any entry"):
        bool(log)
    assert str(log.explain()).startswith(f"POST {bench.client.url}/history/external-task-log\n")
    assert not hasattr(log, "set_retries")


#: What takes several requests, or might.
MANY_PAGES: Final[dict[str, Callable[[LogSelection, Path], Any]]] = {
    "iterate": lambda log, _: iter(log),
    "long slice": lambda log, _: iter(log[1:4]),
    "ids": lambda log, _: log.ids(),
    "chunks": lambda log, _: log.chunks(2),
    "to_dicts": lambda log, _: log.to_dicts(progress=True),
    "to_jsonl": lambda log, path: log.to_jsonl(path, progress=True),
    "to_csv": lambda log, path: log.to_csv(path),
    "to_dataframe": lambda log, _: log.to_dataframe(),
    "table": lambda log, _: log.table(3),
}


@pytest.mark.parametrize("name", MANY_PAGES)
def test_a_sorting_of_the_log_is_not_cut_into_pages(
    bench: Bench, tmp_path: Path, name: str
) -> None:
    """
    Equal entries come in another order with each request; that is said before anything is sent.
    """
    log = bench.client.select(LOG.sort_by("timestamp", "desc"), page_size=2)
    with pytest.raises(ValueError, match="leave the sorting out, and sort in Python; or take a"):
        MANY_PAGES[name](log, tmp_path / "log")

    assert bench.sent == []
    assert list(tmp_path.iterdir()) == []


def test_what_fits_into_one_request_may_be_sorted(bench: Bench) -> None:
    """
    Such as the last few entries.
    """
    by_priority = LOG.sort_by(LogSortBy.PRIORITY, "desc")
    log = bench.client.select(by_priority, page_size=3, prefetch=2)
    first = log.first()

    assert first is not None
    assert (first.priority, log[1].priority) == (4, 3)
    assert [entry.priority for entry in log[:3]] == [4, 3, 2]
    assert [entry.priority for entry in log[3:5]] == [1, 0]
    assert len(log.table(3, width=80).splitlines()) == 6
    assert log.count() == 5
    assert bench.sent[2:4] == [LOG_PAGE.format(0, 3), LOG_PAGE.format(3, 2)]
