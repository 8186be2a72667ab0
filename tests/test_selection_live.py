"""
Selections on each engine, the real ones too, while workers are at the same tasks.
"""

from __future__ import annotations

import csv
import json
import random
import threading
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import pytest
from click.testing import CliRunner

from camunda_ext import HistoricExternalTaskLogQuery, NotTheEngine, SortBy
from camunda_ext.cli._commands import camunda_ext as command
from tests.conformance.live import Live
from tests.conformance.processes import FAN

_TASKS = 120
_WORKERS = ("w1", "w2", "w3", "w4")
#: How each script goes through the tasks: its pages, and those that it asks for ahead.
_SCRIPTS = ((10, 0), (7, 1), (10, 4))

#: So many tasks that are equal by all but their ids, how many of them a page has, and how many are
#: completed during each walk. A database may read many rows in another way than few, the embedded
#: engine does not.
_EQUALS_OF_REAL = (1200, (100, 500), 10)
_EQUALS_OF_EMBEDDED = (400, (35, 170), 3)


def test_tasks_that_stay_come_once_while_others_are_completed(live: Live) -> None:
    """
    Four workers complete tasks at random, and three scripts go through all of them meanwhile.
    """
    for _ in range(_TASKS):
        live.start()
    at_first = set(live.client.select(live.own).ids())

    def work(worker_id: str) -> int:
        chance, completed = random.Random(worker_id), 0  # noqa: S311  # a seeded one is wanted
        for task in live.fetch(worker_id, max_tasks=_TASKS // len(_WORKERS)):
            if chance.random() < 0.5:
                live.client.complete(task.id, worker_id)
                completed += 1
        return completed

    def go_through(page_size: int, prefetch: int) -> list[str]:
        return list(live.client.select(live.own, page_size=page_size, prefetch=prefetch).ids())

    with ThreadPoolExecutor(len(_WORKERS) + len(_SCRIPTS)) as pool:
        scripts = [pool.submit(go_through, *script) for script in _SCRIPTS]
        workers = [pool.submit(work, worker_id) for worker_id in _WORKERS]
        completed = sum(worker.result() for worker in workers)
        given = [script.result() for script in scripts]

    stayed = {task.id for task in live.client.list(live.own)}
    assert len(at_first) == _TASKS
    assert len(stayed) == _TASKS - completed
    assert completed
    for ids in given:
        assert max(Counter(ids).values()) == 1
        assert stayed <= set(ids) <= at_first


def test_tasks_that_are_equal_by_what_they_are_sorted_by_come_once(
    live: Live, tmp_path: Path
) -> None:
    """
    An engine orders equals anew for each page; a walk, an export and a bulk write miss none of
    them, while others are completed.
    """
    equals, page_sizes, completed = _EQUALS_OF_REAL if live.is_real else _EQUALS_OF_EMBEDDED
    for _ in range(equals // FAN):
        live.start("F")
    criteria = [one for one in SortBy if live.dialect.create_time or one is not SortBy.CREATE_TIME]
    walks = [*product(criteria, ("asc", "desc"), page_sizes, (0, 4))]
    vanishing = [task.id for task in live.fetch(max_tasks=len(walks) * completed)]
    staying = set(live.client.select(live.own).ids()) - set(vanishing)

    def complete() -> None:
        for _ in range(completed):
            live.client.complete(vanishing.pop(), "w1")

    wrong = {}
    for criterion, order, page_size, prefetch in walks:
        query = live.own.sort_by(criterion, order)  # type: ignore[arg-type]  # one of the two
        completing = threading.Thread(target=complete)
        completing.start()
        given = Counter(live.client.select(query, page_size=page_size, prefetch=prefetch).ids())
        completing.join()
        twice, missed = {one for one in given if given[one] > 1}, staying - set(given)
        if twice or missed:
            wrong[criterion.value, order, page_size, prefetch] = (len(twice), len(missed))
    by_priority = live.client.select(
        live.own.sort_by(SortBy.TASK_PRIORITY), page_size=page_sizes[0]
    )
    by_priority.to_csv(tmp_path / "tasks.csv")
    with (tmp_path / "tasks.csv").open(encoding="utf-8", newline="") as file:
        exported = [row["id"] for row in csv.DictReader(file)]
    summary = by_priority.set_priority(7)

    assert (len(staying), vanishing) == (equals - len(walks) * completed, [])
    assert wrong == {}
    assert (len(exported), set(exported)) == (len(staying), staying)
    assert (summary.matched, summary.done) == (len(staying), len(staying))
    assert {task.priority for task in live.client.list(live.own)} == {7}


def test_reading_is_as_safe_as_writing(live: Live) -> None:
    """
    An engine that ignores a filter is found out by a selection, and warned of by one request if it
    tells its version.
    """
    first, second = live.tasks(2)
    instance = str(live.client.get(first).process_instance_id)
    dialect = live.dialect
    for query, is_honoured, expected in (
        (live.own.process_variable("v", "eq", 1), dialect.young_filters, 0),
        (live.own.process_definition_key("none"), dialect.young_filters, 0),
        (live.own.external_task_id_in(first), dialect.id_lists, 1),
        (live.own.process_instance_id_in(instance), dialect.id_lists, 1),
    ):
        selection = live.client.select(query)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            listed, counted = len(live.client.list(query)), live.client.count(query)
        if is_honoured:
            assert listed == counted == selection.count() == len(list(selection)) == expected
            assert caught == []
            continue
        assert listed == counted == 2
        assert len(caught) == (0 if dialect.date_options else 1)  # 7.6 tells no version
        for use in (selection.count, selection.exists, lambda: list(selection)):  # noqa: B023  # called here
            with pytest.raises(ValueError, match="ignores the filter"):
                use()
    assert {task.id for task in live.client.list(live.own)} == {first, second}


@pytest.mark.parametrize("prefetch", [0, 4])
def test_the_log_comes_once_while_it_is_written(live: Live, prefetch: int) -> None:
    """
    Each entry that is there from the beginning; a sorting is for one request.
    """
    tasks = live.tasks(20)
    query = HistoricExternalTaskLogQuery().topic(live.topic_a)
    if not live.dialect.bulk_retries:
        # As old an engine has no log either.
        with pytest.raises(NotTheEngine):
            live.client.select(query).first()
        return
    at_first = [entry.id for entry in live.client.log_list(query)]
    locked = iter(live.fetch(max_tasks=20))
    came = []
    for entry in live.client.select(query, page_size=7, prefetch=prefetch):
        came.append(entry.id)
        if (task := next(locked, None)) is not None:
            live.client.complete(task.id, "w1")
    log = live.client.select(query.without_tenant_id())
    latest = live.client.select(query.sort_by("timestamp", "desc"))[:5]

    assert (len(tasks), len(at_first)) == (20, 20)
    assert came[:20] == at_first
    assert max(Counter(came).values()) == 1
    assert Counter(entry.event for entry in log) == {"creation": 20, "success": 20}
    assert log.count() == len(list(log)) == 40
    assert [entry.event for entry in latest] == ["success"] * 5


def test_an_entry_of_a_failure_has_the_retries_before_it(live: Live) -> None:
    """
    None before the first one.
    """
    if not live.dialect.bulk_retries:
        return  # As old an engine has no log.
    task = live.locked()
    for retries in (5, 4):
        live.client.failure(task.id, "w1", retries=retries, retry_timeout=60_000)
    query = HistoricExternalTaskLogQuery().external_task_id(task.id).failure_log()

    assert {entry.retries for entry in live.client.select(query)} == {None, 5}
    assert live.client.get(task.id).retries == 4


def test_the_commands_know_the_topics_of_each_engine(live: Live) -> None:
    """
    Also of one that does not know them itself, has no date of creation, and names no zone.
    """
    live.tasks(2)
    live.fetch(max_tasks=1)
    zone = ("--date-zone", "UTC") if live.dialect.date_options else ()
    shown = CliRunner().invoke(command, ["topics", "-o", "json", "--url", live.url, *zone])
    live_view = CliRunner().invoke(command, ["top", "--url", live.url, *zone])

    assert shown.exit_code == 0, shown.output
    assert shown.stderr == ""
    [row] = [one for one in json.loads(shown.stdout) if one["topic"] == live.topic_a]
    assert (row["total"], row["locked"], row["failed"]) == (2, 1, 0)
    assert (row["oldest"] is not None) == live.dialect.create_time
    assert (live_view.exit_code, live.topic_a[:8] in live_view.stdout) == (0, True)
