"""
Batches, which set the retries left of tasks in the background.
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

#: How long after its creation a batch is executed, in milliseconds of the engine's time.
_DELAY: Final = 150

_JOBS: Final = "(SELECT count(*) FROM batch_job WHERE batch_id = batch.id)"
#: As in Camunda, a batch of which no job has succeeded has no start of execution.
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


#: Queries for batches that have not finished.
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
    Create a batch that sets the retries left of tasks a moment later. If a task does not exist, a
    job of the batch fails then.
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
    Execute the jobs of all batches that are due.
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
            # Camunda tries three times, with the same result.
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
    A batch that has not finished, by its id.

    Raises:
        EngineError: There is no such batch.
    """
    batch = _find(tx, batch_id)
    if batch is None:
        raise invalid_request(f"Batch with id '{batch_id}' does not exist", status=404)
    return batch


def _find(tx: Transaction, batch_id: str) -> Row | None:
    return tx.row(f"SELECT * FROM {_BATCHES} WHERE id = ? AND end_time IS NULL", batch_id)


def statistics(tx: Transaction, criteria: Criteria, page: Page) -> list[dict[str, Any]]:
    """
    The matching batches that have not finished, with the numbers of their jobs.
    """
    return [
        {
            **show(row, tx.version),
            "remainingJobs": row["remaining"],
            "completedJobs": row["total"] - row["remaining"],
            # After the execution, the remaining jobs are those that have failed.
            "failedJobs": 0 if row["execution_time"] is None else row["remaining"],
        }
        for row in QUERY.rows(tx, criteria, page)
    ]


def set_suspended(tx: Transaction, batch_id: str, suspended: bool) -> None:
    """
    Suspend or activate a batch.

    Raises:
        EngineError: There is no such batch, or it has finished.
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
    Delete a batch that has not finished, and its remaining jobs.

    Args:
        with_history: Whether to delete its entry in the history as well.

    Raises:
        EngineError: There is no such batch, or it has finished.
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
    Delete a finished batch from the history.

    Raises:
        EngineError: There is no such batch.
    """
    if tx.row("SELECT 1 FROM batch WHERE id = ?", batch_id) is None:
        message = f"Unable to delete historic batch with id '{batch_id}'"
        raise EngineError(400, "InvalidRequestException", message, 0)
    tx.run("DELETE FROM batch WHERE id = ? AND end_time IS NOT NULL", batch_id)


def history(tx: Transaction, batch_id: str) -> dict[str, Any]:
    """
    A batch as the history has it, finished or not.

    Raises:
        EngineError: There is no such batch.
    """
    batch = tx.row(f"SELECT * FROM {_BATCHES} WHERE id = ?", batch_id)
    if batch is None:
        raise invalid_request(f"Historic batch with id '{batch_id}' does not exist", status=404)
    shown = show(batch, tx.version)
    del shown["jobsCreated"], shown["suspended"]
    times = _times(batch, "start_time", "end_time", "success_time")
    return {**shown, **times, "removalTime": None}
