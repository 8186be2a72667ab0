"""
External tasks: queries, and the commands of workers and administrators.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from camunda_ext.testing._errors import (
    TOO_LONG,
    EngineError,
    failure,
    invalid_request,
    null_value,
    rest_error,
    updated_concurrently,
)
from camunda_ext.testing._versions import Version
from camunda_ext.testing.state import flow, log, scopes, users, variable_queries
from camunda_ext.testing.state.conditions import (
    Criteria,
    Filter,
    Kind,
    QueryType,
    ensure_narrow,
    joined,
    like,
)
from camunda_ext.testing.state.store import Row, Transaction
from camunda_ext.testing.values import dates, variable
from camunda_ext.testing.values.variable import Value

_LONGEST_MESSAGE: Final = 666

_DEFINITION_NAME: Final = "(SELECT name FROM definition WHERE definition.id = task.definition_id)"


def show(row: Row, version: Version) -> dict[str, Any]:
    """
    A task as answers to queries have it.
    """
    return _named(row, version, everywhere=True)


def _named(row: Row, version: Version, *, everywhere: bool) -> dict[str, Any]:
    expires = row["lock_expiration_time"]
    tag_is_told = version.version_tag_everywhere or not everywhere
    shown = {
        "activityId": row["activity_id"],
        "activityInstanceId": row["activity_instance_id"],
        "errorMessage": row["error_message"],
        "executionId": row["execution_id"],
        "id": row["id"],
        "lockExpirationTime": None if expires is None else dates.format(expires),
        "processDefinitionId": row["definition_id"],
        "processDefinitionKey": row["definition_key"],
        "processDefinitionVersionTag": row["version_tag"] if tag_is_told else None,
        "processInstanceId": row["instance_id"],
        "retries": row["retries"],
        "suspended": bool(row["suspended"]),
        "workerId": row["worker_id"],
        "topicName": row["topic_name"],
        "tenantId": row["tenant_id"],
        "priority": row["priority"],
        "businessKey": row["business_key"],
    }
    if version.create_time_everywhere or (version.create_time and not everywhere):
        shown["createTime"] = dates.format(row["create_time"])
    return shown


#: Queries for external tasks, with the filters in the order in which the engine checks them.
QUERY: Final = QueryType(
    table="task",
    filters={
        "externalTaskId": Filter(Kind.TEXT, "id = ?"),
        "externalTaskIdIn": Filter(Kind.ARRAY, "id"),
        "topicName": Filter(Kind.TEXT, "topic_name = ?"),
        "workerId": Filter(Kind.TEXT, "worker_id = ?"),
        "locked": Filter(Kind.FLAG, "lock_expiration_time > ?"),
        "notLocked": Filter(Kind.FLAG, "lock_expiration_time IS NULL OR lock_expiration_time < ?"),
        "withRetriesLeft": Filter(Kind.FLAG, "retries IS NULL OR retries > 0"),
        "noRetriesLeft": Filter(Kind.FLAG, "retries = 0"),
        "lockExpirationBefore": Filter(Kind.DATE, "lock_expiration_time < ?"),
        "lockExpirationAfter": Filter(Kind.DATE, "lock_expiration_time > ?"),
        "activityId": Filter(Kind.TEXT, "activity_id = ?"),
        "activityIdIn": Filter(Kind.LIST, "activity_id", list_name="activityIdIn"),
        "executionId": Filter(Kind.TEXT, "execution_id = ?"),
        "processInstanceId": Filter(Kind.TEXT, "instance_id = ?"),
        "processInstanceIdIn": Filter(Kind.LIST, "instance_id", list_name="processInstanceIdIn"),
        "processDefinitionId": Filter(Kind.TEXT, "definition_id = ?"),
        "processDefinitionKey": Filter(Kind.TEXT, "definition_key = ?", is_newer=True),
        "processDefinitionKeyIn": Filter(Kind.ARRAY, "definition_key", is_newer=True),
        "processDefinitionName": Filter(Kind.TEXT, f"{_DEFINITION_NAME} = ?", is_newer=True),
        "processDefinitionNameLike": Filter(Kind.TEXT, like(_DEFINITION_NAME), is_newer=True),
        "active": Filter(Kind.FLAG, "NOT suspended"),
        "suspended": Filter(Kind.FLAG, "suspended"),
        "priorityHigherThanOrEquals": Filter(Kind.LONG, "priority >= ?"),
        "priorityLowerThanOrEquals": Filter(Kind.LONG, "priority <= ?"),
        "variableNamesIgnoreCase": Filter(Kind.FLAG, "TRUE", is_newer=True),
        "variableValuesIgnoreCase": Filter(Kind.FLAG, "TRUE", is_newer=True),
        "processVariables": Filter(Kind.CONDITIONS, variable_queries.all_of, is_newer=True),
        "tenantIdIn": Filter(Kind.LIST, "tenant_id", list_name="tenantIds"),
    },
    sort_by={
        "id": "id",
        "lockExpirationTime": "lock_expiration_time",
        "processInstanceId": "instance_id",
        "processDefinitionId": "definition_id",
        "processDefinitionKey": "definition_key",
        "tenantId": "tenant_id",
        "taskPriority": "priority",
        "createTime": "create_time",
    },
    show=show,
    overruled={"active": ("suspended",), "withRetriesLeft": ("noRetriesLeft",)},
)


def topic_names(tx: Transaction, *, locked: bool, unlocked: bool, retries_left: bool) -> list[str]:
    """
    The topics of the tasks that match.
    """
    filters = {"locked": locked, "notLocked": unlocked, "withRetriesLeft": retries_left}
    (where, values), _ = QUERY.compile(tx, Criteria(filters))
    return [
        row[0] for row in tx.run(f"SELECT DISTINCT topic_name FROM task WHERE {where}", *values)
    ]


def get(tx: Transaction, task_id: str) -> Row:
    """
    A task by its id.

    Raises:
        EngineError: There is no such task, or the user has no rights.
    """
    task = _find(tx, task_id)
    if task is None or tx.powerless is not None:
        raise _no_such_task(task_id, code=None)
    return task


def error_details(tx: Transaction, task_id: str) -> str | None:
    """
    The error details of the last failure that had any; ``None`` if none had.

    Raises:
        EngineError: There is no such task, or the user has no rights.
    """
    task = _find(tx, task_id)
    if task is None:
        raise null_value(f"No external task found with id {task_id}: externalTask is null")
    _ensure_rights(tx, task)
    details: str | None = task["error_details"]
    return details


def _find(tx: Transaction, task_id: str) -> Row | None:
    return tx.row("SELECT * FROM task WHERE id = ?", task_id)


def _no_such_task(task_id: str, code: int | None = 0) -> EngineError:
    return rest_error(404, f"External task with id {task_id} does not exist", code=code)


def _known(tx: Transaction, task_id: str) -> Row:
    task = _find(tx, task_id)
    if task is None:
        raise _no_such_task(task_id)
    return task


def _existing(tx: Transaction, task_id: str) -> Row:
    task = _known(tx, task_id)
    _ensure_rights(tx, task)
    return task


def _ensure_rights(tx: Transaction, task: Row) -> None:
    if tx.powerless is not None:
        raise users.missing_rights(tx.powerless, task)


# ------------------------------------------------------------------------------ what a worker does


def _ensure_worker(worker_id: str | None) -> None:
    if worker_id is None:
        raise null_value("workerId is null")


def _held(tx: Transaction, task_id: str, worker_id: str | None, what: str) -> Row:
    """
    A task that a worker holds.

    Args:
        what: The beginning of the error if it does not, with places for the task and the worker.

    Raises:
        EngineError: There is no such task, the worker does not hold it, or the user has no rights.
    """
    _ensure_worker(worker_id)
    task = _known(tx, task_id)
    if task["worker_id"] != worker_id:
        raise _wrong_worker(task, what.format(task_id, worker_id))
    _ensure_rights(tx, task)
    return task


def _wrong_worker(task: Row, what: str) -> EngineError:
    owner = "null" if task["worker_id"] is None else task["worker_id"]
    return rest_error(400, f"{what}'. It is locked by worker '{owner}'.")


def _ensure_active(task: Row) -> None:
    if task["suspended"]:
        raise rest_error(400, f"ENGINE-03043 ExternalTask with id '{task['id']}' is suspended.")


def complete(
    tx: Transaction,
    task_id: str,
    worker_id: str | None,
    variables: Mapping[str, Value],
    local_variables: Mapping[str, Value],
    *,
    begun: int,
) -> None:
    """
    Complete a task, after which the process goes on.

    If two tasks of the same instance are completed at the same time, the later command is rolled
    back, as it may be in a real engine, where both change the same rows.

    Args:
        begun: How many transactions had been committed when the request came.
    """
    what = "External Task {} cannot be completed by worker '{}"
    task = _held(tx, task_id, worker_id, what)
    _ensure_active(task)
    if tx.has_moved_on(task["instance_id"], begun):
        raise updated_concurrently("ExecutionEntity")
    tx.moved_on = task["instance_id"]
    scopes.assign(tx, task["instance_id"], task["execution_id"], variables)
    scopes.assign(tx, task["instance_id"], task["execution_id"], local_variables, local=True)
    flow.drop_task(tx, task, "success")
    flow.leave(tx, task)


@attrs.frozen
class Failure:
    """
    The failure that a worker reports.
    """

    message: str | None
    details: str | None

    #: The number of retries left.
    retries: int

    #: How long no worker can fetch the task, in milliseconds.
    retry_timeout: int


def fail(
    tx: Transaction,
    task_id: str,
    worker_id: str | None,
    report: Failure,
    variables: Mapping[str, Value],
    local_variables: Mapping[str, Value],
) -> None:
    """
    Store the failure that a worker reports. If no retries are left, there is an incident.
    """
    _ensure_worker(worker_id)
    _ensure_not_negative("retries", report.retries)
    _ensure_not_negative("retryDuration", report.retry_timeout)
    what = "Failure of External Task {} cannot be reported by worker '{}"
    task = _held(tx, task_id, worker_id, what)
    _ensure_active(task)
    scopes.assign(tx, task["instance_id"], task["execution_id"], variables)
    scopes.assign(tx, task["instance_id"], task["execution_id"], local_variables, local=True)
    tx.run(
        "UPDATE task SET error_message = ?, error_details = coalesce(?, error_details), "
        "lock_expiration_time = ? WHERE id = ?",
        _cut(report.message),
        report.details,
        _later(tx.now, report.retry_timeout),
        task_id,
    )
    log.write(tx, task_id, "failure")
    _set_retries(tx, _known(tx, task_id), report.retries)


def _ensure_not_negative(name: str, number: int) -> None:
    if number < 0:
        message = f"{name} is not greater than or equal to 0"
        raise failure("ProcessEngineException", message)


def _cut(message: str | None) -> str | None:
    """
    A message cut to the width of the engine's column, even within a surrogate pair.
    """
    if message is None or len(message) <= _LONGEST_MESSAGE // 2:
        return message
    units = message.encode("utf-16-le", "surrogatepass")
    return units[: 2 * _LONGEST_MESSAGE].decode("utf-16-le", "surrogatepass")


def _later(now: int, milliseconds: int) -> int:
    """
    The sum of two numbers of 64 bits as in Java, where an overflow becomes negative.
    """
    return (now + milliseconds + 2**63) % 2**64 - 2**63


def bpmn_error(
    tx: Transaction,
    task_id: str,
    worker_id: str | None,
    error_code: str | None,
    error_message: str | None,
    variables: Mapping[str, Value],
) -> None:
    """
    Move the process on where a BPMN error is caught. If it is not, this path of the process ends.
    """
    _ensure_worker(worker_id)
    if error_code is None:
        raise null_value("errorCode is null")
    what = "Bpmn error of External Task {} cannot be reported by worker '{}"
    task = _held(tx, task_id, worker_id, what)
    _ensure_active(task)
    for name, text in (("Error Code", error_code), ("Error Message", error_message)):
        if text is not None and not text.strip():
            raise failure("ProcessEngineException", f"{name} is empty")
    try:
        scopes.assign(tx, task["instance_id"], task["execution_id"], variables)
    except EngineError as error:
        if error.code == TOO_LONG:
            raise
        message = f"ENGINE-13033 Propagation of bpmn error {error_code} failed. "
        raise failure("ProcessEngineException", message) from None
    flow.drop_task(tx, task, "deletion")
    flow.throw(tx, task, error_code, error_message)


def lock(tx: Transaction, task_id: str, worker_id: str | None, duration: int) -> None:
    """
    Lock a task that no other worker holds.
    """
    _ensure_worker(worker_id)
    if duration <= 0:
        raise rest_error(400, "lockDuration is not greater than 0")
    task = _known(tx, task_id)
    expires = task["lock_expiration_time"]
    if task["worker_id"] not in (None, worker_id) and expires is not None and expires >= tx.now:
        raise _wrong_worker(
            task, f"External Task {task_id} cannot be locked by worker '{worker_id}"
        )
    ensure_narrow(tx, worker_id)
    tx.run(
        "UPDATE task SET worker_id = ?, lock_expiration_time = ? WHERE id = ?",
        worker_id,
        _later(tx.now, duration),
        task_id,
    )


def extend_lock(tx: Transaction, task_id: str, worker_id: str | None, duration: int) -> None:
    """
    Change when a lock that has not expired yet expires.
    """
    if duration <= 0:
        raise rest_error(400, "lockTime is not greater than 0")
    what = "The lock of the External Task {} cannot be extended by worker '{}'"
    task = _held(tx, task_id, worker_id, what)
    if task["lock_expiration_time"] < tx.now:
        raise rest_error(
            400,
            "Cannot extend a lock that expired: lockExpirationTime is not greater than or equal "
            f"to {tx.now}",
        )
    _ensure_active(task)
    expires = _later(tx.now, duration)
    tx.run("UPDATE task SET lock_expiration_time = ? WHERE id = ?", expires, task_id)


def unlock(tx: Transaction, task_id: str) -> None:
    """
    Remove the lock of a task, whoever holds it.
    """
    _existing(tx, task_id)
    tx.run("UPDATE task SET worker_id = NULL, lock_expiration_time = NULL WHERE id = ?", task_id)
    tx.wakes_polls = True


def set_priority(tx: Transaction, task_id: str, priority: int) -> None:
    """
    Set the priority of a task.
    """
    _existing(tx, task_id)
    tx.run("UPDATE task SET priority = ? WHERE id = ?", priority, task_id)


# ---------------------------------------------------------------------------------------- retries


def _negative_retries(status_type: str, *, code: int | None) -> EngineError:
    message = "The number of retries cannot be negative: retries is not greater than or equal to 0"
    return EngineError(400, status_type, message, code)


def set_retries(tx: Transaction, task_id: str, retries: int) -> None:
    """
    Set the number of retries left of a task.
    """
    if retries < 0:
        raise _negative_retries("BadUserRequestException", code=0)
    _set_retries(tx, _existing(tx, task_id), retries)


def set_retries_of(tx: Transaction, task_ids: Sequence[str], retries: int) -> None:
    """
    Set the number of retries left of several tasks. If one of them does not exist, none is changed.
    """
    for task_id in task_ids:
        if retries < 0:
            raise _negative_retries("InvalidRequestException", code=None)
        task = _find(tx, task_id)
        if task is None:
            raise invalid_request(
                f"Cannot find external task with id {task_id}: externalTask is null", status=404
            )
        _set_retries(tx, task, retries)


def _set_retries(tx: Transaction, task: Row, retries: int) -> None:
    had_some = task["retries"] is None or task["retries"] > 0
    if had_some and retries <= 0:
        tx.insert(
            "incident",
            id=tx.new_id(),
            type="failedExternalTask",
            configuration=task["id"],
            instance_id=task["instance_id"],
            definition_id=task["definition_id"],
            execution_id=task["execution_id"],
            activity_id=task["activity_id"],
            message=task["error_message"],
            tenant_id=task["tenant_id"],
            time=tx.now,
        )
    elif not had_some and retries > 0:
        tx.run("DELETE FROM incident WHERE configuration = ?", task["id"])
    tx.run("UPDATE task SET retries = ? WHERE id = ?", retries, task["id"])


# ------------------------------------------------------------------------------------------- fetch


@attrs.frozen
class Topic:
    """
    A topic of a fetch: which tasks it selects, and what the fetched tasks contain.
    """

    name: str | None
    #: How long the tasks are locked, in milliseconds.
    lock_duration: int
    #: The conditions in SQL on a task, besides the topic's name.
    where: Sequence[tuple[str, Sequence[Any]]]
    #: Values of variables by name, of which the process instance must have at least one; if empty,
    #: there is no such condition.
    process_variables: Mapping[str, Any]
    #: The names of the variables to return; ``None`` for all.
    variables: Sequence[str | None] | None
    local_variables: bool
    deserialize: bool
    extension_properties: bool


def fetch(
    tx: Transaction,
    worker_id: str | None,
    most: int,
    topics: Mapping[str | None, Topic],
    order: str,
) -> list[dict[str, Any]]:
    """
    Lock tasks for a worker, and return them.

    Args:
        most: How many tasks to lock at most.

        topics: The topics to fetch, by name.

        order: The ORDER BY clause.
    """
    if worker_id is None:
        raise null_value("workerId is null")
    if most < 0:
        raise failure("ProcessEngineException", "maxResults is not greater than or equal to 0")
    # Camunda checks the topic without a name before all others.
    if None in topics:
        raise null_value("topicName is null")
    if any(topic.lock_duration <= 0 for topic in topics.values()):
        raise failure("ProcessEngineException", "lockTime is not greater than 0")
    parts, values = [], []
    for name, topic in topics.items():
        conditions = [("topic_name = ?", [name]), *topic.where]
        if topic.process_variables:
            conditions.append(variable_queries.any_of(topic.process_variables))
        parts.append("(" + " AND ".join(f"({where})" for where, _ in conditions) + ")")
        values += [value for _, needed in conditions for value in needed]
    if not topics or not most or tx.powerless is not None:
        return []
    rows = tx.run(
        "SELECT * FROM task WHERE (lock_expiration_time IS NULL OR lock_expiration_time <= ?) "
        "AND NOT suspended AND (retries IS NULL OR retries > 0) "
        f"AND {joined('OR', parts)} {order} LIMIT ?",
        tx.now,
        *values,
        most,
    ).fetchall()
    if rows:
        ensure_narrow(tx, worker_id)
    return [_lock_and_show(tx, task, worker_id, topics[task["topic_name"]]) for task in rows]


def _lock_and_show(tx: Transaction, task: Row, worker_id: str, topic: Topic) -> dict[str, Any]:
    expires = _later(tx.now, topic.lock_duration)
    tx.run(
        "UPDATE task SET worker_id = ?, lock_expiration_time = ? WHERE id = ?",
        worker_id,
        expires,
        task["id"],
    )
    shown = _named(task, tx.version, everywhere=False)
    shown["workerId"] = worker_id
    shown["lockExpirationTime"] = dates.format(expires)
    shown["suspended"] = False
    shown["errorDetails"] = task["error_details"]
    shown["variables"] = _variables(tx, task, topic)
    if tx.version.extension_properties:
        node = flow.model(tx, task["definition_id"]).nodes[task["activity_id"]]
        shown["extensionProperties"] = dict(node.properties) if topic.extension_properties else {}
    return shown


def _variables(tx: Transaction, task: Row, topic: Topic) -> dict[str, Any]:
    if topic.variables == []:
        return {}
    if topic.local_variables:
        seen = scopes.of_scope(tx, task["execution_id"])
    else:
        seen = scopes.visible(tx, task["instance_id"], task["execution_id"])
    return {
        name: variable.show(value, deserialize=topic.deserialize, name=name)
        for name, value in seen.items()
        if topic.variables is None or name in topic.variables
    }
