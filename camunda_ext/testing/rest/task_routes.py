"""
The operations on external tasks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from camunda_ext.testing._errors import invalid_request, null_pointer
from camunda_ext.testing.rest.operations import Call, PlainText, Result, Routes
from camunda_ext.testing.state import batches, instances, tasks
from camunda_ext.testing.state.conditions import (
    SORTING,
    Criteria,
    NoDirection,
    like,
    one_of,
    persistence_error,
)
from camunda_ext.testing.state.store import Transaction
from camunda_ext.testing.values import reading as reading

ROUTES: Final = Routes()

_LONGEST_POLL: Final = 1_800_000


ROUTES.query(tasks.QUERY, "/external-task", list_as="list", count_as="count", by_post=True)


@ROUTES.operation("topic_names", "GET", "/external-task/topic-names")
def _topic_names(tx: Transaction, call: Call) -> Result:
    def is_true(name: str) -> bool:
        return call.parameters.get(name, "").lower() == "true"

    return tasks.topic_names(
        tx,
        locked=is_true("withLockedTasks"),
        unlocked=is_true("withUnlockedTasks"),
        retries_left=is_true("withRetriesLeft"),
    )


@ROUTES.operation("get", "GET", "/external-task/<task_id>")
def _get(tx: Transaction, call: Call, task_id: str) -> Result:
    return tasks.show(tasks.get(tx, task_id), call.version)


@ROUTES.operation(
    "error_details", "GET", "/external-task/<task_id>/errorDetails", produces="text/plain"
)
def _error_details(tx: Transaction, call: Call, task_id: str) -> Result:
    details = tasks.error_details(tx, task_id)
    return None if details is None else PlainText(details)


@ROUTES.command("complete", "POST", "/external-task/<task_id>/complete")
def _complete(tx: Transaction, call: Call, task_id: str) -> Result:
    body = call.body(
        workerId=reading.text, variables=reading.variables, localVariables=reading.variables
    )
    variables = call.variables(body["variables"])
    local = call.variables(body["localVariables"])
    tasks.complete(tx, task_id, body["workerId"], variables, local, begun=call.begun)


@ROUTES.command("failure", "POST", "/external-task/<task_id>/failure")
def _failure(tx: Transaction, call: Call, task_id: str) -> Result:
    body = call.body(
        workerId=reading.text,
        errorMessage=reading.text,
        errorDetails=reading.text,
        retries=reading.count32,
        retryTimeout=reading.count64,
        variables=reading.variables,
        localVariables=reading.variables,
    )
    report = tasks.Failure(
        body["errorMessage"], body["errorDetails"], body["retries"], body["retryTimeout"]
    )
    if not call.version.failure_variables:
        body["variables"] = body["localVariables"] = None
    variables = call.variables(body["variables"])
    local = call.variables(body["localVariables"])
    tasks.fail(tx, task_id, body["workerId"], report, variables, local)


@ROUTES.command("bpmn_error", "POST", "/external-task/<task_id>/bpmnError")
def _bpmn_error(tx: Transaction, call: Call, task_id: str) -> Result:
    body = call.body(
        workerId=reading.text,
        errorCode=reading.text,
        errorMessage=reading.text,
        variables=reading.variables,
    )
    variables = call.variables(body["variables"])
    tasks.bpmn_error(
        tx, task_id, body["workerId"], body["errorCode"], body["errorMessage"], variables
    )


@ROUTES.command(
    "lock", "POST", "/external-task/<task_id>/lock", exists=lambda version: version.lock
)
def _lock(tx: Transaction, call: Call, task_id: str) -> Result:
    body = call.body(workerId=reading.text, lockDuration=reading.count64)
    tasks.lock(tx, task_id, body["workerId"], body["lockDuration"])


@ROUTES.command("extend_lock", "POST", "/external-task/<task_id>/extendLock")
def _extend_lock(tx: Transaction, call: Call, task_id: str) -> Result:
    body = call.body(workerId=reading.text, newDuration=reading.count64)
    tasks.extend_lock(tx, task_id, body["workerId"], body["newDuration"])


@ROUTES.command("unlock", "POST", "/external-task/<task_id>/unlock", consumes="")
def _unlock(tx: Transaction, call: Call, task_id: str) -> Result:
    tasks.unlock(tx, task_id)


@ROUTES.command("set_priority", "PUT", "/external-task/<task_id>/priority")
def _set_priority(tx: Transaction, call: Call, task_id: str) -> Result:
    priority = call.body(priority=reading.int64)["priority"]
    if priority is None:
        raise null_pointer()
    tasks.set_priority(tx, task_id, priority)


@ROUTES.command("set_retries", "PUT", "/external-task/<task_id>/retries")
def _set_retries(tx: Transaction, call: Call, task_id: str) -> Result:
    # The body has a due date as well, which Camunda uses for retries of jobs.
    body = call.body(retries=reading.int32, dueDate=reading.date)
    tasks.set_retries(tx, task_id, _retries_of(body))


def _retries_of(body: Mapping[str, Any]) -> int:
    retries: int | None = body["retries"]
    if retries is None:
        raise invalid_request("The number of retries cannot be null.")
    return retries


# ---------------------------------------------------------------------------------- retries of many


@ROUTES.command("set_retries_of", "PUT", "/external-task/retries")
def _set_retries_of(tx: Transaction, call: Call) -> Result:
    selected, retries = _selected(tx, call)
    tasks.set_retries_of(tx, selected, retries)


@ROUTES.operation("set_retries_async", "POST", "/external-task/retries-async")
def _set_retries_async(tx: Transaction, call: Call) -> Result:
    selected, retries = _selected(tx, call)
    return batches.show(batches.create(tx, selected, retries, call.user), call.version)


_SELECTING: Final = {
    "externalTaskQuery": tasks.QUERY,
    "processInstanceQuery": instances.QUERY,
    "historicProcessInstanceQuery": instances.HISTORIC_QUERY,
}


def _selected(tx: Transaction, call: Call) -> tuple[list[str], int]:
    """
    The ids of the tasks that a body selects, each once, and the number of retries to set.
    """
    body = call.body(
        retries=reading.int32,
        externalTaskIds=reading.texts,
        processInstanceIds=reading.texts,
        externalTaskQuery=reading.mapping,
        processInstanceQuery=reading.mapping,
        historicProcessInstanceQuery=reading.mapping,
    )
    queries = [
        (query, query.from_body(body[name], call.version))
        for name, query in _SELECTING.items()
        if body[name] is not None
    ]
    retries = _retries_of(body)
    task_ids: list[str] = []
    for task_id in body["externalTaskIds"] or ():
        if task_id is None:
            raise invalid_request(
                "External task id cannot be null: externalTaskIds contains null value"
            )
        task_ids.append(task_id)
    instance_ids = list(body["processInstanceIds"] or ())
    try:
        for query, criteria in queries:
            if criteria.filters.get("processVariables"):
                # A fault of Camunda: here these conditions are an error of its database.
                raise persistence_error(call.version, 0)
            (task_ids if query is tasks.QUERY else instance_ids).extend(query.ids(tx, criteria))
    except NoDirection as refusal:
        raise invalid_request(str(refusal.message)) from None
    if instance_ids:
        task_ids += tasks.QUERY.ids(tx, Criteria({"processInstanceIdIn": instance_ids}))
    if not task_ids:
        raise invalid_request("externalTaskIds is empty")
    return list(dict.fromkeys(task_ids)), retries


# ------------------------------------------------------------------------------------------- fetch


@ROUTES.operation("fetch_and_lock", "POST", "/external-task/fetchAndLock", transactional=False)
def _fetch_and_lock(call: Call) -> Result:
    body = call.body(
        workerId=reading.text,
        maxTasks=reading.count32,
        usePriority=reading.flag,
        asyncResponseTimeout=reading.int64,
        topics=lambda topics: reading.each(topics, _TOPIC),
        sorting=lambda sorting: reading.each(sorting, SORTING),
        # Camunda reads it here as well, but uses that of each topic.
        includeExtensionProperties=reading.flag,
    )
    timeout = body["asyncResponseTimeout"]
    if timeout is not None and timeout > _LONGEST_POLL:
        raise invalid_request(
            "The asynchronous response timeout cannot be set to a value greater than "
            f"{_LONGEST_POLL} milliseconds"
        )
    sorting = (body["sorting"] or ()) if call.version.create_time else ()
    order = _fetch_order(body["usePriority"], sorting)
    topics = _topics(body["topics"] or ())
    worker_id, most = body["workerId"], body["maxTasks"]

    def fetch() -> Sequence[dict[str, Any]]:
        with call.backend.transaction() as tx:
            tx.powerless = call.powerless
            return tasks.fetch(tx, worker_id, most, topics, order)

    fetched = fetch()
    if fetched or timeout is None:
        return fetched
    return call.backend.polls.wait(fetch, timeout, call.read_timeout)


_TOPIC: Final[Mapping[str, reading.Reader]] = {
    "topicName": reading.text,
    "lockDuration": reading.count64,
    "variables": reading.texts,
    "localVariables": reading.flag,
    "businessKey": reading.text,
    "processDefinitionId": reading.text,
    "processDefinitionIdIn": reading.texts,
    "processDefinitionKey": reading.text,
    "processDefinitionKeyIn": reading.texts,
    "processDefinitionVersionTag": reading.text,
    "withoutTenantId": reading.flag,
    "tenantIdIn": reading.texts,
    "processVariables": reading.mapping,
    "deserializeValues": reading.flag,
    "includeExtensionProperties": reading.flag,
}
_TOPIC_EQUALS: Final = {
    "businessKey": "business_key",
    "processDefinitionId": "definition_id",
    "processDefinitionKey": "definition_key",
}
_TOPIC_IN: Final = {
    "processDefinitionIdIn": "definition_id",
    "processDefinitionKeyIn": "definition_key",
    "tenantIdIn": "tenant_id",
}


def _topics(topics: Sequence[Mapping[str, Any] | None]) -> dict[str | None, tasks.Topic]:
    """
    The topics by name; if a name is repeated, the last one.
    """
    by_name: dict[str | None, tasks.Topic] = {}
    for each in topics:
        if each is None:
            raise null_pointer()
        by_name[each["topicName"]] = tasks.Topic(
            name=each["topicName"],
            lock_duration=each["lockDuration"],
            where=_topic_conditions(each),
            process_variables=each["processVariables"] or {},
            variables=each["variables"],
            local_variables=each["localVariables"],
            deserialize=each["deserializeValues"],
            extension_properties=each["includeExtensionProperties"],
        )
    return by_name


def _topic_conditions(topic: Mapping[str, Any]) -> list[tuple[str, Sequence[Any]]]:
    where: list[tuple[str, Sequence[Any]]] = [
        (f"{column} = ?", [topic[name]])
        for name, column in _TOPIC_EQUALS.items()
        if topic[name] is not None
    ]
    where += [
        (one_of(column), [json.dumps(topic[name])])
        for name, column in _TOPIC_IN.items()
        if topic[name]
    ]
    if topic["withoutTenantId"] and topic["tenantIdIn"] is None:
        where.append(("tenant_id IS NULL", ()))
    if topic["processDefinitionVersionTag"] is not None:
        where.append(like("version_tag")(topic["processDefinitionVersionTag"]))
    return where


def _fetch_order(use_priority: bool, sorting: Sequence[Mapping[str, Any] | None]) -> str:
    criteria = ["priority DESC"] if use_priority else []
    for each in sorting:
        if each is None:
            raise null_pointer()
        sort_by, sort_order = each["sortBy"], each["sortOrder"]
        if sort_by is None:
            raise null_pointer()
        if sort_by != "createTime":
            raise invalid_request(f"Cannot set query sortBy parameter to value {sort_by}")
        if sort_order not in ("asc", "desc", None):
            raise invalid_request(f"Cannot set query sortOrder parameter to value {sort_order}")
        criteria.append(f"create_time {sort_order}")
    if any(each is not None and each["sortOrder"] is None for each in sorting):
        raise NoDirection
    # Without a sorting, Camunda's order is undefined; here the oldest tasks are first.
    return "ORDER BY " + ", ".join([*criteria, "id"])
