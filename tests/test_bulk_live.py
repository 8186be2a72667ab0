"""
Bulk writes on each engine, the real ones too.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from camunda_ext import BulkSummary, ExternalTask, Selection
from tests.conformance.live import Live


def state(tasks: tuple[ExternalTask, ...]) -> list[tuple[str, int | None, int, str | None]]:
    """
    Give what bulk writes change.
    """
    return [(task.id, task.retries, task.priority, task.worker_id) for task in tasks]


def test_all_that_match_are_touched(live: Live) -> None:
    """
    And those that are gone by then are told, also where the engine has no operation for many.
    """
    first, second, third = live.tasks(3)
    selection = live.client.select(live.own)
    live.fetch()

    def meanwhile(done: int, total: int) -> None:
        if (done, total) == (0, 3):
            live.client.complete(second, "w1")

    priority = selection.set_priority(7)
    retries = selection.set_retries(5, progress=meanwhile)
    locks = selection.unlock()

    assert priority == BulkSummary(call="set_priority(7)", matched=3, done=3)
    assert retries == BulkSummary(call="set_retries(5)", matched=3, done=2, gone=1)
    assert locks == BulkSummary(
        call="unlock()", matched=2, done=2, whole_seconds=live.dialect.whole_seconds
    )
    assert state(live.client.list(live.own)) == [(first, 5, 7, None), (third, 5, 7, None)]


@pytest.mark.parametrize(
    "write",
    [
        lambda selection, **said: selection.set_retries(7, **said),
        lambda selection, **said: selection.set_retries_async(7, **said),
        lambda selection, **said: selection.set_priority(7, **said),
        lambda selection, **said: selection.unlock(**said),
    ],
    ids=["set_retries", "set_retries_async", "set_priority", "unlock"],
)
def test_an_engine_that_ignores_a_filter_changes_nothing(
    live: Live, write: Callable[..., Any], tmp_path: Path
) -> None:
    """
    It would have touched the other tasks too, and the error names the filter and its version.
    """
    live.tasks(2)
    live.fetch()
    before = live.client.list(live.own)
    key = live.key("P")
    for query, name in (
        (live.own.process_definition_key(key), "processDefinitionKey, which came with 7.24"),
        (live.own.process_definition_name_like("%"), "processDefinitionNameLike, which came"),
        (live.own.process_variable("v", "eq", 1), "processVariables, which came with 7.24"),
        (live.own.external_task_id_in(before[0].id), "externalTaskIdIn, which came with 7.13"),
        (
            live.own.process_instance_id_in(str(before[0].process_instance_id)),
            "processInstanceIdIn, which came with 7.13",
        ),
    ):
        selection: Selection = live.client.select(query)
        old = not live.dialect.bulk_retries
        if live.dialect.young_filters or (name.endswith("7.13") and not old):
            assert selection.set_retries(7, dry_run=True).dry_run
            continue
        with pytest.raises(ValueError, match=f"ignores the filter {name}"):
            write(selection, journal=tmp_path / "journal")

    assert live.client.list(live.own) == before


def test_variables_choose_what_is_touched(live: Live) -> None:
    """
    Also where the engine fails on such a condition in a bulk command of its own.
    """
    if not live.dialect.young_filters:
        pytest.skip("an engine that ignores the filter changes nothing, as above")
    one = live.task(variables={"v": {"value": "ABC", "type": "String"}})
    other = live.task(variables={"v": {"value": "x", "type": "String"}})
    query = live.own.process_variable("v", "eq", "abc").variable_values_ignore_case()
    summary = live.client.select(query).set_retries(3)

    assert summary == BulkSummary(call="set_retries(3)", matched=1, done=1)
    assert [live.client.get(task.id).retries for task in (one, other)] == [3, None]


def test_a_batch_is_followed(live: Live) -> None:
    """
    Until the engine has done it, and after it has deleted the batch.
    """
    if not live.dialect.bulk_retries:
        pytest.skip("there are no such batches before 7.8")
    live.tasks(3)
    run = live.client.select(live.own).set_retries_async(5)

    result = run.wait(timeout=60)
    assert (result.finished, result.failed_jobs) == (True, 0)
    assert result.total_jobs in (3, None)  # the engine may have deleted it before the first look
    assert {task.retries for task in live.client.list(live.own)} == {5}
    live.wait_for(lambda: live.raw("GET", f"/batch/{run.id}").status_code == 404)
    assert run.wait(timeout=60).finished
