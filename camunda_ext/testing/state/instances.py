"""
Process instances, their user tasks and incidents.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from camunda_ext.testing._errors import TOO_LONG, EngineError, failure, invalid_request, null_value
from camunda_ext.testing._versions import Version
from camunda_ext.testing.state import flow, scopes
from camunda_ext.testing.state.conditions import Filter, Kind, QueryType, like
from camunda_ext.testing.state.store import Row, Transaction
from camunda_ext.testing.values import dates
from camunda_ext.testing.values.variable import Value

_BUSINESS_KEY: Final = Filter(Kind.TEXT, "business_key = ?")
_BUSINESS_KEY_LIKE: Final = Filter(Kind.TEXT, like("business_key"))

QUERY: Final = QueryType(
    table="(SELECT instance.*, definition.key AS definition_key FROM instance "
    "JOIN definition ON definition.id = instance.definition_id)",
    filters={
        "processInstanceIds": Filter(Kind.ARRAY, "id", never_empty="Set of process instance ids"),
        "businessKey": _BUSINESS_KEY,
        "businessKeyLike": _BUSINESS_KEY_LIKE,
        "processDefinitionId": Filter(Kind.TEXT, "definition_id = ?"),
        "processDefinitionKey": Filter(Kind.TEXT, "definition_key = ?"),
        "processDefinitionKeyIn": Filter(
            Kind.ARRAY, "definition_key", list_name="processDefinitionKeys"
        ),
        "active": Filter(Kind.FLAG, "NOT suspended"),
        "suspended": Filter(Kind.FLAG, "suspended"),
        "tenantIdIn": Filter(Kind.LIST, "tenant_id", list_name="tenantIds"),
        "withoutTenantId": Filter(Kind.FLAG, "tenant_id IS NULL"),
    },
    sort_by={
        "instanceId": "id",
        "definitionKey": "definition_key",
        "definitionId": "definition_id",
        "tenantId": "tenant_id",
        "businessKey": "business_key",
    },
    overruled={"tenantIdIn": ("withoutTenantId",), "active": ("suspended",)},
    is_partial=True,
)

#: The same for historic process instances, whose filters have other names. Only running instances
#: are searched, as others have no tasks.
HISTORIC_QUERY: Final = attrs.evolve(
    QUERY,
    filters={
        **{name: QUERY.filters[name] for name in QUERY.filters if "usinessKey" not in name},
        "processInstanceId": Filter(Kind.TEXT, "id = ?"),
        "processInstanceBusinessKey": _BUSINESS_KEY,
        "processInstanceBusinessKeyLike": _BUSINESS_KEY_LIKE,
        "unfinished": Filter(Kind.FLAG, "TRUE"),
        "finished": Filter(Kind.FLAG, "FALSE"),
    },
)


def _show_incident(row: Row, version: Version) -> dict[str, Any]:
    shown = {
        "id": row["id"],
        "processDefinitionId": row["definition_id"],
        "processInstanceId": row["instance_id"],
        "executionId": row["execution_id"],
        "incidentTimestamp": dates.format(row["time"]),
        "incidentType": row["type"],
        "activityId": row["activity_id"],
        "failedActivityId": None,
        "causeIncidentId": row["id"],
        "rootCauseIncidentId": row["id"],
        "configuration": row["configuration"],
        "incidentMessage": row["message"],
        "tenantId": row["tenant_id"],
        "jobDefinitionId": row["job_definition_id"],
    }
    return shown | ({"annotation": None} if version.batch_times else {})


INCIDENTS: Final = QueryType(
    table="incident",
    filters={
        "incidentId": Filter(Kind.TEXT, "id = ?"),
        "incidentType": Filter(Kind.TEXT, "type = ?"),
        "incidentMessage": Filter(Kind.TEXT, "message = ?"),
        "processDefinitionId": Filter(Kind.TEXT, "definition_id = ?"),
        "processInstanceId": Filter(Kind.TEXT, "instance_id = ?"),
        "executionId": Filter(Kind.TEXT, "execution_id = ?"),
        "activityId": Filter(Kind.TEXT, "activity_id = ?"),
        "configuration": Filter(Kind.TEXT, "configuration = ?"),
        "jobDefinitionIdIn": Filter(Kind.ARRAY, "job_definition_id"),
        "tenantIdIn": Filter(Kind.LIST, "tenant_id", list_name="tenantIds"),
    },
    sort_by={"incidentId": "id", "incidentTimestamp": "time", "configuration": "configuration"},
    is_partial=True,
    show=_show_incident,
)


def _show_user_task(row: Row, version: Version) -> dict[str, Any]:
    return {
        "id": row["id"],
        "name": row["name"],
        "created": dates.format(row["create_time"]),
        "executionId": row["execution_id"],
        "priority": 50,
        "processDefinitionId": row["definition_id"],
        "processInstanceId": row["instance_id"],
        "taskDefinitionKey": row["node"],
        "suspended": bool(row["suspended"]),
        "tenantId": row["tenant_id"],
        "taskState": "Created",
        **dict.fromkeys(_NOT_KEPT),
    }


#: The properties of user tasks that the embedded engine does not store.
_NOT_KEPT: Final = (
    *("assignee", "due", "followUp", "lastUpdated", "delegationState", "description", "owner"),
    *("parentTaskId", "caseExecutionId", "caseInstanceId", "caseDefinitionId", "formKey"),
    "camundaFormRef",
)

USER_TASKS: Final = QueryType(
    table="(SELECT user_task.*, instance.definition_id, instance.tenant_id, instance.suspended "
    "FROM user_task JOIN instance ON instance.id = user_task.instance_id)",
    filters={
        "taskId": Filter(Kind.TEXT, "id = ?"),
        "processInstanceId": Filter(Kind.TEXT, "instance_id = ?"),
        "taskDefinitionKey": Filter(Kind.TEXT, "node = ?"),
    },
    sort_by={"id": "id", "created": "create_time"},
    is_partial=True,
    show=_show_user_task,
)


def get(tx: Transaction, instance_id: str) -> Row:
    """
    A running instance by its id.

    Raises:
        EngineError: No such instance is running.
    """
    instance = _find(tx, instance_id)
    if instance is None:
        raise _no_such_instance(instance_id)
    return instance


def _find(tx: Transaction, instance_id: str) -> Row | None:
    return tx.row(f"SELECT * FROM {QUERY.table} WHERE id = ?", instance_id)


def _no_such_instance(instance_id: str) -> EngineError:
    message = f"Process instance with id {instance_id} does not exist"
    return invalid_request(message, status=404)


def is_running(tx: Transaction, instance_id: str) -> bool:
    """
    Whether an instance is running.
    """
    return _find(tx, instance_id) is not None


def has_been(tx: Transaction, instance_id: str) -> bool:
    """
    Whether an instance is running, or has ended.
    """
    return is_running(tx, instance_id) or bool(
        tx.row("SELECT 1 FROM ended_instance WHERE id = ?", instance_id)
    )


def show(
    instance: Row | Mapping[str, Any], version: Version, *, ended: bool = False
) -> dict[str, Any]:
    """
    An instance as the engine answers it.
    """
    shown = {
        "links": [],
        "id": instance["id"],
        "definitionId": instance["definition_id"],
        "businessKey": instance["business_key"],
        "caseInstanceId": None,
        "ended": ended,
        "suspended": bool(instance["suspended"]),
        "tenantId": instance["tenant_id"],
    }
    if version.definition_key_of_instances:
        shown["definitionKey"] = instance["definition_key"]
    return shown


def delete(tx: Transaction, instance_id: str) -> None:
    """
    Cancel a running instance.

    Raises:
        EngineError: No such instance is running.
    """
    if _find(tx, instance_id) is None:
        if not tx.version.error_code:
            raise _no_such_instance(instance_id)
        message = f"No process instance found for id '{instance_id}': processInstance is null"
        raise EngineError(404, "InvalidRequestException", message, 0)
    flow.cancel(tx, instance_id)


def set_suspended(tx: Transaction, instance_id: str, suspended: bool) -> None:
    """
    Suspend or activate an instance. If it does not exist, nothing happens, as in Camunda.
    """
    tx.run("UPDATE instance SET suspended = ? WHERE id = ?", suspended, instance_id)
    tx.run("UPDATE task SET suspended = ? WHERE instance_id = ?", suspended, instance_id)


def activity_instances(tx: Transaction, instance_id: str) -> dict[str, Any]:
    """
    The activities in which an instance waits, as a tree of one level.

    Raises:
        EngineError: No such instance is running.
    """
    instance = get(tx, instance_id)
    process = flow.model(tx, instance["definition_id"])

    def node(
        node_id: str, activity_id: str, kind: str, name: str | None, execution_id: str
    ) -> dict[str, Any]:
        is_whole = node_id == instance_id
        return {
            "id": node_id,
            "parentActivityInstanceId": None if is_whole else instance_id,
            "activityId": activity_id,
            "activityType": kind,
            "processInstanceId": instance_id,
            "processDefinitionId": instance["definition_id"],
            "childActivityInstances": [],
            "childTransitionInstances": [],
            "executionIds": [execution_id],
            "activityName": name,
            "incidentIds": [],
            "incidents": [],
            "name": name,
        }

    children = []
    for task in tx.run("SELECT * FROM task WHERE instance_id = ?", instance_id).fetchall():
        activity_id = task["activity_id"]
        name = process.nodes[activity_id].name
        child = node(
            task["activity_instance_id"], activity_id, "serviceTask", name, task["execution_id"]
        )
        for (incident_id,) in tx.run("SELECT id FROM incident WHERE configuration = ?", task["id"]):
            child["incidentIds"].append(incident_id)
            child["incidents"].append({"id": incident_id, "activityId": activity_id})
        children.append(child)
    for task in tx.run("SELECT * FROM user_task WHERE instance_id = ?", instance_id):
        node_id = f"{task['node']}:{task['id']}"
        children.append(node(node_id, task["node"], "userTask", task["name"], task["execution_id"]))
    definition_id = instance["definition_id"]
    whole = node(instance_id, definition_id, "processDefinition", process.name, instance_id)
    whole["childActivityInstances"] = children
    return whole


# --------------------------------------------------------------------------------------- variables


def variables(tx: Transaction, execution_id: str, *, local: bool = False) -> dict[str, Value]:
    """
    The variables that an execution sees, or those of its own scope alone.

    Args:
        execution_id: The id of an execution, or of a process instance, which is one as well.

        local: Whether to return only those of its own scope.

    Raises:
        EngineError: There is no such execution.
    """
    instance_id = _instance_of(tx, execution_id)
    if local:
        return scopes.of_scope(tx, execution_id)
    return scopes.visible(tx, instance_id, execution_id)


def set_variables(
    tx: Transaction, execution_id: str, values: Mapping[str, Value], *, local: bool = False
) -> None:
    """
    Set variables in the scopes where an execution sees them; with *local*, in its own scope.

    Raises:
        EngineError: There is no such execution, or a variable cannot be stored.
    """
    instance_id = _instance_of(tx, execution_id)
    try:
        scopes.assign(tx, instance_id, execution_id, values, local=local)
    except EngineError as error:
        if error.code != TOO_LONG:
            raise
        message = "Variable value is too long"
        raise EngineError(400, "BadUserRequestException", message, 0) from None


def _instance_of(tx: Transaction, execution_id: str) -> str:
    """
    The id of the process instance of an execution, which may be the instance itself.
    """
    if _find(tx, execution_id) is not None:
        return execution_id
    row = tx.row("SELECT instance_id FROM task WHERE execution_id = ?", execution_id)
    if row is None:
        raise null_value(f"execution {execution_id} doesn't exist: execution is null")
    return str(row["instance_id"])


# -------------------------------------------------------------------------------------- user tasks


def complete_user_task(tx: Transaction, task_id: str, values: Mapping[str, Value]) -> None:
    """
    Complete a user task, after which the process goes on.

    Raises:
        EngineError: There is no such task, or it is suspended.
    """
    user_task = tx.row("SELECT * FROM user_task WHERE id = ?", task_id)
    if user_task is None:
        raise null_value(f"Cannot find task with id {task_id}: task is null")
    if tx.value("SELECT suspended FROM instance WHERE id = ?", user_task["instance_id"]):
        raise failure(
            "SuspendedEntityInteractionException",
            f"ENGINE-03043 task with id '{task_id}' is suspended.",
        )
    scopes.assign(tx, user_task["instance_id"], user_task["instance_id"], values)
    flow.leave_user_task(tx, user_task)
