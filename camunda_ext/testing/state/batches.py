"""
Batches: retries that are set later, task by task.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from camunda_ext.testing._errors import EngineError, invalid_request
from camunda_ext.testing._versions import Version
from camunda_ext.testing.state import tasks
from camunda_ext.testing.state.conditions import Criteria, Filter, Kind, Page, QueryType
from camunda_ext.testing.state.store import Row, Transaction
from camunda_ext.testing.values import dates

_TYPE: Final = "set-external-task-retries"

#: How long the engine takes to come to a batch, in milliseconds of its own time.
_DELAY: Final = 150

_JOBS: Final = "(SELECT count(*) FROM batch_job WHERE batch_id = batch.id)"
#: The engine takes back that a batch has begun when a job of it fails.
_BATCHES: Final = (
    f"(SELECT batch.*, {_JOBS} AS remaining, "
    f"CASE WHEN {_JOBS} < total THEN execution_time END AS success_time FROM batch)"
)


def show(batch: Row, version: Version) -> dict[str, Any]:
    """
    A batch as the engine answers it.
    """
    return {
        "id": batch["id"],
        "type": _TYPE,
        "totalJobs": batch["total"],
        "jobsCreated": 0 if batch["execution_time"] is None else batch["total"],
        "batchJobsPerSeed": 100,
        "invocationsPerBatchJob": 1,
        "seedJobDefinitionId": batch["seed_id"],
        "monitorJobDefinitionId": batch["monitor_id"],
        "batchJobDefinitionId": batch["job_id"],
        "suspended": bool(batch["suspended"]),
        "tenantId": None,
        "createUserId": batch["create_user"],
        **(_times(batch, "start_time", "success_time") if version.batch_times else {}),
    }


_SHOWN_TIMES: Final = {
    "start_time": "startTime",
    "success_time": "executionStartTime",
    "end_time": "endTime",
}


def _times(batch: Row, *columns: str) -> dict[str, str | None]:
    return {
        _SHOWN_TIMES[column]: None if batch[column] is None else dates.format(batch[column])
        for column in columns
    }


#: The batches that are not finished.
QUERY: Final = QueryType(
    table=f"(SELECT * FROM {_BATCHES} WHERE end_time IS NULL)",
    filters={
        "batchId": Filter(Kind.TEXT, "id = ?"),
        "type": Filter(Kind.TEXT, f"'{_TYPE}' = ?"),
        "suspended": Filter(Kind.FLAG, "suspended"),
    },
    sort_by={"batchId": "id"},
    is_partial=True,
    show=show,
)


def create(tx: Transaction, task_ids: Sequence[str], retries: int, user: str | None) -> Row:
    """
    Set the retries of tasks, a moment later; a task that cannot be found is noticed then.
    """
    batch_id = tx.new_id()
    tx.insert(
        "batch",
        id=batch_id,
        retries=retries,
        total=len(task_ids),
        seed_id=tx.new_id(),
        monitor_id=tx.new_id(),
        job_id=tx.new_id(),
        create_user=user,
        start_time=tx.now,
    )
    for task_id in task_ids:
        tx.insert("batch_job", batch_id=batch_id, task_id=task_id)
    return get(tx, batch_id)


def run_due(tx: Transaction) -> None:
    """
    Run the jobs of the batches whose time has come.
    """
    due = tx.run(
        "SELECT * FROM batch WHERE execution_time IS NULL AND end_time IS NULL AND NOT suspended "
        "AND start_time <= ?",
        tx.now - _DELAY,
    ).fetchall()
    for batch in due:
        _run(tx, batch)


def _run(tx: Transaction, batch: Row) -> None:
    batch_id = batch["id"]
    jobs = tx.run("SELECT task_id FROM batch_job WHERE batch_id = ?", batch_id).fetchall()
    for (task_id,) in jobs:
        where = "WHERE batch_id = ? AND task_id = ?"
        try:
            tasks.set_retries_of(tx, [task_id], batch["retries"])
        except EngineError as error:
            # The engine tries three times; nothing changes in between.
            tx.run(f"UPDATE batch_job SET failed = 1 {where}", batch_id, task_id)
            tx.insert(
                "incident",
                id=tx.new_id(),
                type="failedJob",
                configuration=tx.new_id(),
                job_definition_id=batch["job_id"],
                message=error.message,
                time=tx.now,
            )
        else:
            tx.run(f"DELETE FROM batch_job {where}", batch_id, task_id)
    left = tx.value("SELECT count(*) FROM batch_job WHERE batch_id = ?", batch_id)
    tx.run(
        "UPDATE batch SET execution_time = ?, end_time = ? WHERE id = ?",
        tx.now,
        None if left else tx.now,
        batch_id,
    )


def get(tx: Transaction, batch_id: str) -> Row:
    """
    A batch that is not finished.
    """
    batch = _find(tx, batch_id)
    if batch is None:
        raise invalid_request(f"Batch with id '{batch_id}' does not exist", status=404)
    return batch


def _find(tx: Transaction, batch_id: str) -> Row | None:
    return tx.row(f"SELECT * FROM {_BATCHES} WHERE id = ? AND end_time IS NULL", batch_id)


def statistics(tx: Transaction, criteria: Criteria, page: Page) -> list[dict[str, Any]]:
    """
    The batches that match and are not finished, with the numbers of their jobs.
    """
    return [
        {
            **show(row, tx.version),
            "remainingJobs": row["remaining"],
            "completedJobs": row["total"] - row["remaining"],
            # What is left has failed, once it was tried.
            "failedJobs": 0 if row["execution_time"] is None else row["remaining"],
        }
        for row in QUERY.rows(tx, criteria, page)
    ]


def set_suspended(tx: Transaction, batch_id: str, suspended: bool) -> None:
    """
    Stop a batch, or let it go on.
    """
    if _find(tx, batch_id) is None:
        what = "suspend" if suspended else "activate"
        raise _unable(what, batch_id)
    tx.run("UPDATE batch SET suspended = ? WHERE id = ?", suspended, batch_id)


def _unable(what: str, batch_id: str) -> EngineError:
    message = f"Unable to {what} batch with id '{batch_id}'"
    return EngineError(400, "InvalidRequestException", message, 0)


def delete(tx: Transaction, batch_id: str, *, with_history: bool) -> None:
    """
    Delete a batch that is not finished, with the jobs that are left.
    """
    batch = _find(tx, batch_id)
    if batch is None:
        raise _unable("delete", batch_id)
    tx.run("DELETE FROM batch_job WHERE batch_id = ?", batch_id)
    tx.run("DELETE FROM incident WHERE job_definition_id = ?", batch["job_id"])
    if with_history:
        tx.run("DELETE FROM batch WHERE id = ?", batch_id)
    else:
        tx.run(
            "UPDATE batch SET end_time = ?, execution_time = ? WHERE id = ?",
            tx.now,
            batch["success_time"],
            batch_id,
        )


def forget(tx: Transaction, batch_id: str) -> None:
    """
    Delete what is left of a batch that is finished.
    """
    if tx.row("SELECT 1 FROM batch WHERE id = ?", batch_id) is None:
        message = f"Unable to delete historic batch with id '{batch_id}'"
        raise EngineError(400, "InvalidRequestException", message, 0)
    tx.run("DELETE FROM batch WHERE id = ? AND end_time IS NOT NULL", batch_id)


def history(tx: Transaction, batch_id: str) -> dict[str, Any]:
    """
    A batch that may be finished.
    """
    batch = tx.row(f"SELECT * FROM {_BATCHES} WHERE id = ?", batch_id)
    if batch is None:
        raise invalid_request(f"Historic batch with id '{batch_id}' does not exist", status=404)
    shown = show(batch, tx.version)
    del shown["jobsCreated"], shown["suspended"]
    times = _times(batch, "start_time", "end_time", "success_time")
    return {**shown, **times, "removalTime": None}
