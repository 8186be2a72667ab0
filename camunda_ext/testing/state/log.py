"""
The historic external task log: what happened to each task, and when.
"""

from __future__ import annotations

from typing import Any, Final

from camunda_ext.testing._errors import invalid_request
from camunda_ext.testing._versions import Version
from camunda_ext.testing.state.conditions import Filter, Kind, QueryType
from camunda_ext.testing.state.store import Row, Transaction
from camunda_ext.testing.values import dates

_KINDS: Final = ("creation", "failure", "success", "deletion")


#: The columns that an entry copies from its task, and those that it copies after a failure as well.
_OF_THE_TASK: Final = (
    "topic_name, worker_id, priority, retries, activity_id, activity_instance_id, execution_id, "
    "instance_id, definition_id, definition_key, tenant_id"
)
_OF_THE_FAILURE: Final = ", error_message, error_details"


def write(tx: Transaction, task_id: str, kind: str) -> None:
    """
    Add an entry about an event of a task, with the task as it is now.

    Args:
        kind: The event: ``creation``, ``failure``, ``success`` or ``deletion``.
    """
    columns = _OF_THE_TASK + (_OF_THE_FAILURE if kind == "failure" else "")
    tx.run(
        f"INSERT INTO log (id, time, kind, task_id, {columns}) "
        f"SELECT ?, ?, ?, id, {columns} FROM task WHERE id = ?",
        tx.new_id(),
        tx.now,
        kind,
        task_id,
    )


def _show(row: Row, version: Version) -> dict[str, Any]:
    return {
        "id": row["id"],
        "timestamp": dates.format(row["time"]),
        "removalTime": None,
        "externalTaskId": row["task_id"],
        "topicName": row["topic_name"],
        "workerId": row["worker_id"],
        "priority": row["priority"],
        "retries": row["retries"],
        "errorMessage": row["error_message"],
        "activityId": row["activity_id"],
        "activityInstanceId": row["activity_instance_id"],
        "executionId": row["execution_id"],
        "processInstanceId": row["instance_id"],
        "processDefinitionId": row["definition_id"],
        "processDefinitionKey": row["definition_key"],
        "tenantId": row["tenant_id"],
        "rootProcessInstanceId": row["instance_id"],
        **{f"{kind}Log": row["kind"] == kind for kind in _KINDS},
    }


def _ids(column: str, strict_name: str) -> Filter:
    # A fault of Camunda: its error about a null names activity ids for each of these lists.
    return Filter(Kind.ARRAY, column, list_name="activityIds", strict_name=strict_name)


QUERY: Final = QueryType(
    table="log",
    filters={
        "logId": Filter(Kind.TEXT, "id = ?"),
        "externalTaskId": Filter(Kind.TEXT, "task_id = ?"),
        "topicName": Filter(Kind.TEXT, "topic_name = ?"),
        "workerId": Filter(Kind.TEXT, "worker_id = ?"),
        "errorMessage": Filter(Kind.TEXT, "error_message = ?"),
        "activityIdIn": _ids("activity_id", "activityIds"),
        "activityInstanceIdIn": _ids("activity_instance_id", "activityInstanceIds"),
        "executionIdIn": _ids("execution_id", "executionIds"),
        "processInstanceId": Filter(Kind.TEXT, "instance_id = ?"),
        "processDefinitionId": Filter(Kind.TEXT, "definition_id = ?"),
        "processDefinitionKey": Filter(Kind.TEXT, "definition_key = ?"),
        "priorityHigherThanOrEquals": Filter(Kind.LONG, "priority >= ?"),
        "priorityLowerThanOrEquals": Filter(Kind.LONG, "priority <= ?"),
        "tenantIdIn": Filter(Kind.ARRAY, "tenant_id", list_name="tenantIds"),
        "withoutTenantId": Filter(Kind.FLAG, "tenant_id IS NULL"),
        **{f"{kind}Log": Filter(Kind.FLAG, f"kind = '{kind}'") for kind in _KINDS},
    },
    sort_by={
        "timestamp": "time",
        "externalTaskId": "task_id",
        "retries": "retries",
        "priority": "priority",
        "topicName": "topic_name",
        "workerId": "worker_id",
        "activityId": "activity_id",
        "activityInstanceId": "activity_instance_id",
        "executionId": "execution_id",
        "processInstanceId": "instance_id",
        "processDefinitionId": "definition_id",
        "processDefinitionKey": "definition_key",
        "tenantId": "tenant_id",
    },
    show=_show,
    overruled={
        "tenantIdIn": ("withoutTenantId",),
        "creationLog": ("failureLog", "successLog", "deletionLog"),
        "failureLog": ("successLog", "deletionLog"),
        "successLog": ("deletionLog",),
    },
)


def get(tx: Transaction, log_id: str) -> dict[str, Any]:
    """
    An entry by its id, as the engine's answer has it.

    Raises:
        EngineError: There is no such entry.
    """
    row = tx.row("SELECT * FROM log WHERE id = ?", log_id)
    if row is None:
        raise invalid_request(
            f"Historic external task log with id {log_id} does not exist", status=404
        )
    return _show(row, tx.version)


def error_details(tx: Transaction, log_id: str) -> str | None:
    """
    The error details of an entry about a failure; ``None`` if it has none.

    Raises:
        EngineError: There is no such entry.
    """
    row = tx.row("SELECT error_details FROM log WHERE id = ?", log_id)
    if row is None:
        raise invalid_request(
            f"No historic external task log found with id {log_id}: "
            "historicExternalTaskLog is null",
            status=404,
        )
    details: str | None = row["error_details"]
    return details
