"""
All results, each once, while they vanish.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextvars import ContextVar
from time import monotonic
from typing import Any
from unittest import mock

import attrs
import pytest
from hypothesis import given, strategies as st

from camunda_ext._many import pages, threads


@attrs.frozen
class Result:
    id: str


class Table:
    """
    Results in a fixed order, cut as a database cuts them.
    """

    def __init__(self, ids: Sequence[str]) -> None:
        self.ids = list(ids)
        self.asked: list[tuple[int, int]] = []

    def fetch(self, offset: int, size: int) -> list[Result]:
        """
        A page of the results that exist now.
        """
        self.asked.append((offset, size))
        assert len(self.asked) < 10_000, "it walks in circles"
        return [Result(one) for one in self.ids[offset : offset + size]]

    def walk(
        self,
        size: int,
        *,
        in_id_order: bool,
        meanwhile: Callable[[str], None],
        prefetch: int = 0,
    ) -> list[str]:
        """
        Walk all pages, and do something after each result.
        """
        given_ids = []
        for result in pages.walk(self.fetch, size, in_id_order=in_id_order, prefetch=prefetch):
            given_ids.append(result.id)
            meanwhile(result.id)
        return given_ids


def ids(count: int) -> list[str]:
    """
    Ids in ascending order.
    """
    return [f"{number:08}" for number in range(count)]


@pytest.mark.parametrize("in_id_order", [True, False])
@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 18, 19, 20, 100])
def test_all_results_come_once(count: int, in_id_order: bool) -> None:
    """
    Whether or not the last page is full.
    """
    table = Table(ids(count))

    assert table.walk(10, in_id_order=in_id_order, meanwhile=lambda _: None) == ids(count)


@pytest.mark.parametrize("in_id_order", [True, False])
def test_a_consumer_may_complete_what_it_is_given(in_id_order: bool) -> None:
    """
    What follows moves up by as many, and is not skipped; nor is much asked for twice.
    """
    table = Table(ids(1000))

    assert table.walk(50, in_id_order=in_id_order, meanwhile=table.ids.remove) == ids(1000)
    assert len(table.asked) <= 20 + 5


def test_a_steady_share_of_completed_tasks_costs_few_requests() -> None:
    """
    The walk learns from each page how many of it are left at the next.
    """
    table = Table(ids(1000))

    def every_second(one: str) -> None:
        if int(one) % 2:
            table.ids.remove(one)

    assert table.walk(50, in_id_order=True, meanwhile=every_second) == ids(1000)
    assert len(table.asked) <= 40


@pytest.mark.parametrize("in_id_order", [True, False])
@given(seed=st.integers(), size=st.integers(2, 12), count=st.integers(0, 80))
def test_each_result_that_stays_comes_exactly_once(
    in_id_order: bool, seed: int, size: int, count: int
) -> None:
    """
    Whatever vanishes, and whatever else appears, between any two results.
    """
    chance = random.Random(seed)  # noqa: S311  # a seeded one is wanted
    staying = {one for one in ids(count) if chance.random() < 0.5}
    table = Table(ids(count))
    new = iter(range(40))

    def meanwhile(_: str) -> None:
        for one in table.ids[:]:
            if one not in staying and chance.random() < 0.2:
                table.ids.remove(one)
        if chance.random() < 0.3 and (number := next(new, None)) is not None:
            table.ids.append(f"{chance.randrange(count):08}-{number}")
            table.ids.sort()

    given_ids = table.walk(size, in_id_order=in_id_order, meanwhile=meanwhile)

    assert len(given_ids) == len(set(given_ids))
    assert staying <= set(given_ids)


def test_a_database_that_sorts_otherwise_is_noticed() -> None:
    """
    Where ids do not ascend by Python's rules, all of them are remembered instead.
    """
    by_other_rules = sorted(
        (f"{letter}{number}" for letter in "aBcD" for number in range(9)), key=str.lower
    )
    table = Table(by_other_rules)

    assert table.walk(10, in_id_order=True, meanwhile=table.ids.remove) == by_other_rules


def test_only_pages_are_kept_in_memory() -> None:
    """
    In the order of ids the last one is all that has to be known of what was seen.
    """
    walk = pages.walk(Table(ids(1000)).fetch, 10, in_id_order=True)
    for _ in range(900):
        next(walk)

    frame = walk.gi_frame  # type: ignore[attr-defined]  # a generator, to look into
    assert (
        max(len(value) for value in frame.f_locals.values() if isinstance(value, (list, set))) <= 10
    )


def test_what_was_given_is_known_when_ids_cease_to_ascend() -> None:
    """
    Without having remembered the first pages: what stands before the last of them was given.
    """
    table = Table([*ids(40), *reversed([f"x{one}" for one in ids(40)])])
    expected = table.ids[:]

    def every_third(one: str) -> None:
        if int(one[-2:]) % 3 == 0:
            table.ids.remove(one)

    assert table.walk(7, in_id_order=True, meanwhile=every_third) == expected


@given(seed=st.integers(), size=st.integers(2, 12), turn=st.integers(0, 60))
def test_nothing_comes_twice_or_is_missed_in_any_order(seed: int, size: int, turn: int) -> None:
    """
    Where ids cease to ascend, each result comes once, or an error says that it cannot be told.
    """
    chance = random.Random(seed)  # noqa: S311  # a seeded one is wanted
    table = Table([*ids(turn), *reversed([f"x{one}" for one in ids(60 - turn)])])
    staying = {one for one in table.ids if chance.random() < 0.5}

    def meanwhile(_: str) -> None:
        for one in table.ids[:]:
            if one not in staying and chance.random() < 0.1:
                table.ids.remove(one)

    try:
        given_ids = table.walk(size, in_id_order=True, meanwhile=meanwhile)
    except RuntimeError as refused:
        assert "does not sort ids as Python does" in str(refused)  # noqa: PT017  # either is right
        return
    assert len(given_ids) == len(set(given_ids))
    assert staying <= set(given_ids)


# ------------------------------------------------------------------------------------ pages ahead


class AnyMoment:
    """
    A pool whose tasks run when chance wants it, so that any page may be older than any other.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._waiting: list[tuple[Future[Any], Callable[[], Any]]] = []

    def __call__(self, most: int, name: str) -> AnyMoment:
        """
        Make the threads of a walk.
        """
        assert most
        assert name
        return self

    def submit(self, call: Callable[[], Any]) -> Future[Any]:
        """
        Take a task.
        """
        future = Awaited(self)
        self._waiting.append((future, call))
        return future

    def run_some(self) -> None:
        """
        Run some of what was taken, in any order.
        """
        while self._waiting and self._chance.random() < 0.3:
            self._run(self._chance.randrange(len(self._waiting)))

    def run_until(self, awaited: Future[Any]) -> None:
        """
        Run what was taken, in any order, until one is done.
        """
        while not awaited.done():
            self._run(self._chance.randrange(len(self._waiting)))

    def end(self, patience: float) -> None:
        """
        Forget the rest.
        """
        assert patience

    def _run(self, index: int) -> None:
        future, run = self._waiting.pop(index)
        if future.set_running_or_notify_cancel():
            future.set_result(run())


class Awaited(Future[Any]):
    def __init__(self, pool: AnyMoment) -> None:
        super().__init__()
        self._pool = pool

    def result(self, timeout: float | None = None) -> Any:
        """
        Let the pool run until it is there.
        """
        self._pool.run_until(self)
        return super().result(timeout)


@pytest.mark.parametrize("completing", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("in_id_order", [True, False])
@pytest.mark.parametrize("prefetch", [0, 1, 4])
@given(seed=st.integers(), size=st.integers(2, 12), count=st.integers(0, 80))
def test_pages_ahead_keep_the_promise(
    prefetch: int, in_id_order: bool, completing: float, seed: int, size: int, count: int
) -> None:
    """
    While the consumer completes what it is given, and others complete and create, each result that
    stays until it is given comes exactly once, whenever the pages were read.
    """
    chance = random.Random(seed)  # noqa: S311  # a seeded one is wanted
    staying = {one for one in ids(count) if chance.random() < 0.7}
    table = Table(ids(count))
    new = iter(range(40))
    pool = AnyMoment(chance)

    def meanwhile(given_id: str) -> None:
        if chance.random() < completing and given_id in table.ids:
            table.ids.remove(given_id)
        for one in table.ids[:]:
            if one not in staying and chance.random() < 0.1:
                table.ids.remove(one)
        if chance.random() < 0.2 and (number := next(new, None)) is not None:
            table.ids.append(f"{chance.randrange(count):08}-{number}")
            table.ids.sort()
        pool.run_some()

    with mock.patch.object(threads, "Threads", pool):
        given_ids = table.walk(
            size, in_id_order=in_id_order, meanwhile=meanwhile, prefetch=prefetch
        )

    assert len(given_ids) == len(set(given_ids))
    assert staying <= set(given_ids)


@given(seed=st.integers(), size=st.integers(2, 12), turn=st.integers(0, 60))
def test_pages_ahead_keep_the_promise_where_ids_cease_to_ascend(
    seed: int, size: int, turn: int
) -> None:
    """
    Each result comes once, or an error says that it cannot be told.
    """
    chance = random.Random(seed)  # noqa: S311  # a seeded one is wanted
    table = Table([*ids(turn), *reversed([f"x{one}" for one in ids(60 - turn)])])
    staying = {one for one in table.ids if chance.random() < 0.5}
    pool = AnyMoment(chance)

    def meanwhile(_: str) -> None:
        for one in table.ids[:]:
            if one not in staying and chance.random() < 0.1:
                table.ids.remove(one)
        pool.run_some()

    try:
        with mock.patch.object(threads, "Threads", pool):
            given_ids = table.walk(size, in_id_order=True, meanwhile=meanwhile, prefetch=4)
    except RuntimeError as refused:
        assert "does not sort ids as Python does" in str(refused)  # noqa: PT017  # either is right
        return
    assert len(given_ids) == len(set(given_ids))
    assert staying <= set(given_ids)


@pytest.mark.parametrize("prefetch", [1, 4, 32])
@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 18, 19, 20, 1000])
def test_all_results_come_once_from_threads(count: int, prefetch: int) -> None:
    """
    And no thread is left in the end.
    """
    table = Table(ids(count))

    assert table.walk(10, in_id_order=True, meanwhile=lambda _: None, prefetch=prefetch) == ids(
        count
    )
    assert own_threads() == []


def test_pages_ahead_cost_few_requests() -> None:
    """
    Where nothing vanishes, no page is asked for twice, and few are beyond the end.
    """
    table = Table(ids(1000))

    table.walk(50, in_id_order=True, meanwhile=lambda _: None, prefetch=4)
    assert len(table.asked) <= 21 + 4
    assert sorted(table.asked)[:21] == [(49 * page, 50) for page in range(21)]


@pytest.mark.parametrize(("prefetch", "first"), [(4, 1), (8, 5)])
def test_pages_ahead_are_on_their_way_together(prefetch: int, first: int) -> None:
    """
    While the consumer has a page, as many of the next ones as it wished are asked for at a time.

    The first is asked for alone, and no more than four behind it.
    """
    table = Table(ids(1000))
    together = threading.Barrier(prefetch)

    def fetch(offset: int, size: int) -> list[Result]:
        if offset >= 9 * first:
            together.wait(30)
        return table.fetch(offset, size)

    count = 10 + 9 * (first + prefetch - 1)
    walk = pages.walk(fetch, 10, in_id_order=True, prefetch=prefetch, limit=count)

    assert [one.id for one in walk] == ids(count)


def test_who_leaves_soon_has_asked_for_few() -> None:
    """
    However many pages ahead are wished.
    """
    table = Table(ids(1000))
    walk = pages.walk(table.fetch, 10, in_id_order=True, prefetch=32)
    next(walk)
    close(walk)

    assert len(table.asked) <= 1 + 4


def test_nothing_is_asked_for_behind_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Once the last page is there.
    """

    def at_once(ahead: Any, place: Any) -> Future[Sequence[Result]]:
        fetched: Future[Sequence[Result]] = Future()
        fetched.set_result(ahead._fetch(place.offset, place.size))
        return fetched

    monkeypatch.setattr(pages._Ahead, "_submit", at_once)
    table = Table(ids(28))

    assert table.walk(10, in_id_order=True, meanwhile=lambda _: None, prefetch=4) == ids(28)
    assert table.asked == [(9 * page, 10) for page in range(4)]


def test_no_more_pages_are_asked_for_than_wished() -> None:
    """
    However long the consumer takes, what is in memory is bounded.
    """
    table = Table(ids(1000))
    walk = pages.walk(table.fetch, 10, in_id_order=True, prefetch=4)
    for _ in range(500):
        next(walk)
    close(walk)

    # 500 results are 56 pages: one of ten, and then nine new ones each.
    assert len(table.asked) <= 56 + 4


def test_a_walk_that_is_left_leaves_no_thread() -> None:
    """
    Closed by name, or forgotten.
    """
    walk = pages.walk(Table(ids(1000)).fetch, 10, in_id_order=True, prefetch=4)
    next(walk)
    assert own_threads() != []
    close(walk)
    assert own_threads() == []

    for one in pages.walk(Table(ids(1000)).fetch, 10, in_id_order=True, prefetch=4):
        if one.id == "00000100":
            break
    assert own_threads() == []


def test_an_engine_that_is_silent_holds_up_nobody_who_leaves() -> None:
    """
    After Ctrl-C at once, after a break for a second; the threads end when they can.
    """
    silence = threading.Event()
    table = Table(ids(1000))

    def fetch(offset: int, size: int) -> Sequence[Any]:
        if offset:
            silence.wait(60)
        return table.fetch(offset, size)

    began = monotonic()
    walk = pages.walk(fetch, 10, in_id_order=True, prefetch=4)
    next(walk)
    with pytest.raises(KeyboardInterrupt):
        walk.throw(KeyboardInterrupt())  # type: ignore[attr-defined]  # it is a generator
    other = pages.walk(fetch, 10, in_id_order=True, prefetch=4)
    next(other)
    close(other)

    assert monotonic() - began < 30
    assert own_threads() != []
    silence.set()
    for thread in own_threads():
        thread.join(30)
    assert own_threads() == []


def test_one_walk_may_be_within_the_other() -> None:
    """
    A thread that asks for a page may walk, too, such as in a hook.
    """

    def fetch(offset: int, size: int) -> list[Result]:
        table = Table(ids(100))
        inner = pages.walk(table.fetch, 10, in_id_order=True, prefetch=2)
        assert [one.id for one in inner] == ids(100)
        return table.fetch(offset, size)

    walked: Future[list[str]] = Future()

    def walk() -> None:
        outer = pages.walk(fetch, 10, in_id_order=True, prefetch=2)
        walked.set_result([one.id for one in outer])

    threading.Thread(target=walk, daemon=True).start()

    assert walked.result(30) == ids(100)


def test_a_slice_costs_few_requests_though_results_vanish() -> None:
    """
    What is left to be given says nothing of how far it is.
    """
    table = Table(ids(1000))

    def complete_at_first(one: str) -> None:
        if one == ids(1000)[0]:
            del table.ids[:200]

    given_ids = []
    for result in pages.walk(table.fetch, 500, in_id_order=True, limit=501):
        given_ids.append(result.id)
        complete_at_first(result.id)

    assert given_ids == ids(1000)[:501]
    assert len(table.asked) < 10


def test_an_error_comes_after_the_results_before_it() -> None:
    """
    As without threads; and it ends them.
    """
    table = Table(ids(1000))

    def fetch(offset: int, size: int) -> list[Result]:
        if offset + size > 55:
            raise ConnectionError(f"page at {offset}")
        return table.fetch(offset, size)

    given_ids = []
    with pytest.raises(ConnectionError, match=r"^page at 54$"):  # noqa: PT012  # a loop
        for one in pages.walk(fetch, 10, in_id_order=True, prefetch=4):
            given_ids.append(one.id)

    assert given_ids == ids(55)
    assert own_threads() == []


def test_an_error_behind_the_last_page_is_none() -> None:
    """
    What was asked for in vain is not missed.
    """
    table = Table(ids(30))

    def fetch(offset: int, size: int) -> list[Result]:
        if offset > 30:
            raise ConnectionError(f"page at {offset}")
        return table.fetch(offset, size)

    walk = pages.walk(fetch, 10, in_id_order=True, prefetch=4)

    assert [one.id for one in walk] == ids(30)


def test_threads_see_the_context_of_the_consumer() -> None:
    """
    Such as the span that is open there.
    """
    span = ContextVar("span", default="none")
    seen = set()

    def fetch(offset: int, size: int) -> list[Result]:
        seen.add(span.get())
        return Table(ids(100)).fetch(offset, size)

    token = span.set("mine")
    assert [one.id for one in pages.walk(fetch, 10, in_id_order=True, prefetch=4)] == ids(100)
    span.reset(token)

    assert seen == {"mine"}


@pytest.mark.parametrize("prefetch", [0, 4])
@pytest.mark.parametrize("limit", [0, 1, 2, 9, 10, 11, 19, 20, 55, 100, 101])
def test_a_limit_ends_the_walk(limit: int, prefetch: int) -> None:
    """
    And nothing is asked for beyond it.
    """
    table = Table(ids(100))
    walk = pages.walk(table.fetch, 10, in_id_order=True, limit=limit, prefetch=prefetch)

    assert [one.id for one in walk] == ids(100)[:limit]
    assert all(offset + size <= limit for offset, size in table.asked)


@given(seed=st.integers(), size=st.integers(2, 12), limit=st.integers(0, 60))
def test_a_limit_counts_what_was_given(seed: int, size: int, limit: int) -> None:
    """
    Also where that has vanished.
    """
    chance = random.Random(seed)  # noqa: S311  # a seeded one is wanted
    table = Table(ids(80))
    given_ids = []
    for one in pages.walk(table.fetch, size, in_id_order=True, limit=limit):
        given_ids.append(one.id)
        if chance.random() < 0.8:
            table.ids.remove(one.id)

    assert given_ids == ids(80)[:limit]


def own_threads() -> list[threading.Thread]:
    """
    The threads of walks.
    """
    return [one for one in threading.enumerate() if one.name.startswith("camunda_ext pages")]


def close(walk: Iterator[Result]) -> None:
    """
    End a walk early.
    """
    walk.close()  # type: ignore[attr-defined]  # a generator


# ----------------------------------------------------------------------------- where it goes on


@pytest.mark.parametrize("prefetch", [0, 4])
@pytest.mark.parametrize("in_id_order", [True, False])
@pytest.mark.parametrize("gone", [1, 99, 5_000, 60_000])
def test_the_place_is_found_though_thousands_vanish_at_once(
    gone: int, in_id_order: bool, prefetch: int
) -> None:
    """
    By ever longer steps back, and then by halves.
    """
    table = Table(ids(70_000))
    given_ids = []
    for one in pages.walk(table.fetch, 100, in_id_order=in_id_order, prefetch=prefetch):
        given_ids.append(one.id)
        if len(given_ids) == 65_000:
            asked = len(table.asked)
            del table.ids[:gone]

    assert given_ids == ids(70_000)
    assert len(table.asked) - asked < 5_000 // 99 + 30


def test_a_walk_that_finds_its_place_nowhere_ends() -> None:
    """
    As it may on a database that orders anew what is equal, for any offset.
    """
    first, asked = [Result(f"{n:03}") for n in range(10)], []

    def fetch(offset: int, size: int) -> list[Result]:
        asked.append(offset)
        assert len(asked) < 100
        return (
            first[offset:] if offset < 3 else [Result(f"new {len(asked)} {n}") for n in range(size)]
        )

    with pytest.raises(RuntimeError, match="20 requests in a row"):
        list(pages.walk(fetch, 10, in_id_order=False))

    assert len(asked) == 21
