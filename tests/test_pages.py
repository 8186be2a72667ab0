"""
All results, each once, while they vanish.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camunda_ext import _pages


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
        Give a page of what is there now.
        """
        self.asked.append((offset, size))
        assert len(self.asked) < 10_000, "it walks in circles"
        return [Result(one) for one in self.ids[offset : offset + size]]

    def walk(self, size: int, *, in_id_order: bool, meanwhile: Callable[[str], None]) -> list[str]:
        """
        Walk all pages, and do something after each result.
        """
        given_ids = []
        for result in _pages.walk(self.fetch, size, in_id_order=in_id_order):
            given_ids.append(result.id)
            meanwhile(result.id)
        return given_ids


def ids(count: int) -> list[str]:
    """
    Give ids in ascending order.
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
    walk = _pages.walk(Table(ids(1000)).fetch, 10, in_id_order=True)
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
