"""
The operations of the REST API: what each reads, does, and answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import attrs

from camunda_ext.testing import (
    _batches,
    _deployments,
    _flow,
    _instances,
    _log,
    _tasks,
    _users,
    _values,
    _variable_queries,
)
from camunda_ext.testing import _reading as reading
from camunda_ext.testing._conditions import Given, NoDirection, Page, persistence_error
from camunda_ext.testing._errors import (
    EngineError,
    invalid_request,
    not_readable,
    null_pointer,
)
from camunda_ext.testing._store import Transaction
from camunda_ext.testing._versions import Version

if TYPE_CHECKING:
    from camunda_ext.testing._engine import Engine

_LONGEST_POLL: Final = 1_800_000


@attrs.define
class Call:
    """
    A request, as the operations see it.
    """

    engine: Engine
    #: The parameters of the URL, of which only the first of each name counts.
    parameters: Mapping[str, str]
    #: What the body is; it is read by `Call.body`.
    content: bytes
    #: The parts of a form, by name: text, or a file's name and content.
    form: Mapping[str, str]
    files: Mapping[str, bytes]
    #: What precedes the path of an operation.
    base_url: str
    #: The user without any rights who asks, if it is one.
    powerless: str | None = None
    #: The user who asks, if credentials are asked for.
    user: str | None = None
    #: How long the client waits for the answer, in seconds, if that is known.
    read_timeout: float | None = None

    @property
    def version(self) -> Version:
        """
        The version that the engine answers as.
        """
        return self.engine.features

    def body(self, **readers: reading.Reader) -> dict[str, Any]:
        """
        The properties of the body that an operation knows.
        """
        return reading.fields(self.json(), readers)

    def json(self) -> Any:
        """
        The whole body.
        """
        return reading.document(self.content, self.version)

    def variables(self, given: Any) -> dict[str, _values.Value]:
        """
        Typed variables, as a property of the body has them.
        """
        upper_case = self.version.reads_upper_case_booleans
        return _values.read_all(given, upper_case_booleans=upper_case)


@attrs.frozen
class PlainText:
    """
    An answer that is no JSON.
    """

    text: str


@attrs.frozen
class Contents:
    """
    The contents of a variable, with headers of their own.
    """

    content: bytes
    headers: Sequence[tuple[str, str]]


#: JSON, or one of the two above; ``None`` is 204.
Answer = Any
Handler = Callable[..., Answer]


@attrs.frozen
class Operation:
    """
    One operation: where it is, and what it does.
    """

    #: As the client's method is called, where it has one.
    name: str
    method: str
    path: str
    handler: Handler
    #: Whether its handler is given a transaction, rather than making its own.
    transactional: bool
    #: What its body must be, if it has one.
    consumes: str | None
    #: What it answers.
    produces: str
    #: Whether a version has it.
    exists: Callable[[Version], bool]


ROUTES: Final[list[Operation]] = []


def _operation(
    name: str,
    method: str,
    path: str,
    *,
    transactional: bool = True,
    consumes: str | None = None,
    produces: str = "application/json",
    exists: Callable[[Version], bool] = lambda version: True,
) -> Callable[[Handler], Handler]:
    if consumes is None and method in ("POST", "PUT"):
        consumes = "application/json"

    def register(handler: Handler) -> Handler:
        ROUTES.append(
            Operation(
                name, method, path, handler, transactional, consumes or None, produces, exists
            )
        )
        return handler

    return register


#: An operation that has nothing to say, and so does not mind what the client would understand.
_command = partial(_operation, produces="*/*")


# ---------------------------------------------------------------------------------- external tasks


def _page_of_tasks(tx: Transaction, call: Call, given: Given) -> Answer:
    page = Page.from_url(call.parameters)
    return _tasks.select(tx, given, page)


@_operation("list", "GET", "/external-task")
def _list_by_url(tx: Transaction, call: Call) -> Answer:
    Page.from_url(call.parameters)
    return _page_of_tasks(tx, call, _tasks.QUERY.from_url(call.parameters, call.version))


@_operation("list", "POST", "/external-task")
def _list(tx: Transaction, call: Call) -> Answer:
    Page.from_url(call.parameters)
    return _page_of_tasks(tx, call, _tasks.QUERY.from_body(call.json(), call.version))


@_operation("count", "GET", "/external-task/count")
def _count_by_url(tx: Transaction, call: Call) -> Answer:
    given = _tasks.QUERY.from_url(call.parameters, call.version)
    return {"count": _tasks.count(tx, given)}


@_operation("count", "POST", "/external-task/count")
def _count(tx: Transaction, call: Call) -> Answer:
    given = _tasks.QUERY.from_body(call.json(), call.version)
    return {"count": _tasks.count(tx, given)}


@_operation("topic_names", "GET", "/external-task/topic-names")
def _topic_names(tx: Transaction, call: Call) -> Answer:
    def is_true(name: str) -> bool:
        return call.parameters.get(name, "").lower() == "true"

    return _tasks.topic_names(
        tx,
        locked=is_true("withLockedTasks"),
        unlocked=is_true("withUnlockedTasks"),
        retries_left=is_true("withRetriesLeft"),
    )


@_operation("get", "GET", "/external-task/<task_id>")
def _get(tx: Transaction, call: Call, task_id: str) -> Answer:
    return _tasks.show(_tasks.get(tx, task_id), call.version)


@_operation("error_details", "GET", "/external-task/<task_id>/errorDetails", produces="text/plain")
def _error_details(tx: Transaction, call: Call, task_id: str) -> Answer:
    details = _tasks.error_details(tx, task_id)
    return None if details is None else PlainText(details)


@_command("complete", "POST", "/external-task/<task_id>/complete")
def _complete(tx: Transaction, call: Call, task_id: str) -> Answer:
    body = call.body(
        workerId=reading.text, variables=reading.anything, localVariables=reading.anything
    )
    variables = call.variables(body["variables"])
    local = call.variables(body["localVariables"])
    _tasks.complete(tx, task_id, body["workerId"], variables, local)


@_command("failure", "POST", "/external-task/<task_id>/failure")
def _failure(tx: Transaction, call: Call, task_id: str) -> Answer:
    body = call.body(
        workerId=reading.text,
        errorMessage=reading.text,
        errorDetails=reading.text,
        retries=reading.count32,
        retryTimeout=reading.count64,
        variables=reading.anything,
        localVariables=reading.anything,
    )
    report = _tasks.Failure(
        body["errorMessage"], body["errorDetails"], body["retries"], body["retryTimeout"]
    )
    if not call.version.failure_variables:
        body["variables"] = body["localVariables"] = None
    variables = call.variables(body["variables"])
    local = call.variables(body["localVariables"])
    _tasks.fail(tx, task_id, body["workerId"], report, variables, local)


@_command("bpmn_error", "POST", "/external-task/<task_id>/bpmnError")
def _bpmn_error(tx: Transaction, call: Call, task_id: str) -> Answer:
    body = call.body(
        workerId=reading.text,
        errorCode=reading.text,
        errorMessage=reading.text,
        variables=reading.anything,
    )
    variables = call.variables(body["variables"])
    _tasks.bpmn_error(
        tx, task_id, body["workerId"], body["errorCode"], body["errorMessage"], variables
    )


@_command("lock", "POST", "/external-task/<task_id>/lock", exists=lambda version: version.lock)
def _lock(tx: Transaction, call: Call, task_id: str) -> Answer:
    body = call.body(workerId=reading.text, lockDuration=reading.count64)
    _tasks.lock(tx, task_id, body["workerId"], body["lockDuration"])


@_command("extend_lock", "POST", "/external-task/<task_id>/extendLock")
def _extend_lock(tx: Transaction, call: Call, task_id: str) -> Answer:
    body = call.body(workerId=reading.text, newDuration=reading.count64)
    _tasks.extend_lock(tx, task_id, body["workerId"], body["newDuration"])


@_command("unlock", "POST", "/external-task/<task_id>/unlock", consumes="")
def _unlock(tx: Transaction, call: Call, task_id: str) -> Answer:
    _tasks.unlock(tx, task_id)


@_command("set_priority", "PUT", "/external-task/<task_id>/priority")
def _set_priority(tx: Transaction, call: Call, task_id: str) -> Answer:
    priority = call.body(priority=reading.int64)["priority"]
    if priority is None:
        raise null_pointer()
    _tasks.set_priority(tx, task_id, priority)


@_command("set_retries", "PUT", "/external-task/<task_id>/retries")
def _set_retries(tx: Transaction, call: Call, task_id: str) -> Answer:
    _tasks.set_retries(tx, task_id, _given_retries(call.body(retries=reading.int32)))


def _given_retries(body: Mapping[str, Any]) -> int:
    retries: int | None = body["retries"]
    if retries is None:
        raise invalid_request("The number of retries cannot be null.")
    return retries


# ---------------------------------------------------------------------------------- retries of many


@_command("set_retries_of", "PUT", "/external-task/retries")
def _set_retries_of(tx: Transaction, call: Call) -> Answer:
    selected, retries = _selected(tx, call)
    _tasks.set_retries_of(tx, selected, retries)


@_operation("set_retries_async", "POST", "/external-task/retries-async")
def _set_retries_async(tx: Transaction, call: Call) -> Answer:
    selected, retries = _selected(tx, call)
    return _batches.show(_batches.create(tx, selected, retries, call.user), call.version)


def _selected(tx: Transaction, call: Call) -> tuple[list[str], int]:
    """
    The ids of the tasks that a body selects, each once, and the retries that they get.
    """
    body = call.body(
        retries=reading.int32,
        externalTaskIds=reading.texts,
        processInstanceIds=reading.texts,
        externalTaskQuery=reading.mapping,
        processInstanceQuery=reading.mapping,
        historicProcessInstanceQuery=reading.mapping,
    )
    version = call.version
    task_query = body["externalTaskQuery"]
    given = None if task_query is None else _tasks.QUERY.from_body(task_query, version)
    if given is not None and given.filters.get("processVariables"):
        # The engine forgets to prepare these conditions here, and stumbles over them.
        raise persistence_error(version, 0)
    queries = [body["processInstanceQuery"], body["historicProcessInstanceQuery"]]
    instance_queries = [
        _instances.QUERY.from_body(query, version) for query in queries if query is not None
    ]
    try:
        if given is not None:
            _tasks.QUERY.compile(tx, given)
        retries = _given_retries(body)
    except NoDirection as refusal:
        # Noticed when the query is run, which is within this operation here.
        retries = _given_retries(body)
        raise invalid_request(str(refusal.message)) from None
    task_ids: list[str] = []
    for task_id in body["externalTaskIds"] or ():
        if task_id is None:
            raise invalid_request(
                "External task id cannot be null: externalTaskIds contains null value"
            )
        task_ids.append(task_id)
    if given is not None:
        task_ids += _tasks.ids(tx, given)
    instance_ids = list(body["processInstanceIds"] or ())
    for query in instance_queries:
        instance_ids += _instances.ids(tx, query)
    if instance_ids:
        of_instances = Given({"processInstanceIdIn": instance_ids}, None, None, ())
        task_ids += _tasks.ids(tx, of_instances)
    if not task_ids:
        raise invalid_request("externalTaskIds is empty")
    return list(dict.fromkeys(task_ids)), retries


# ------------------------------------------------------------------------------------------- fetch


@_operation("fetch_and_lock", "POST", "/external-task/fetchAndLock", transactional=False)
def _fetch_and_lock(call: Call) -> Answer:
    body = call.body(
        workerId=reading.text,
        maxTasks=reading.count32,
        usePriority=reading.flag,
        asyncResponseTimeout=reading.int64,
        topics=reading.objects,
        sorting=reading.objects,
    )
    timeout = body["asyncResponseTimeout"]
    if timeout is not None and timeout > _LONGEST_POLL:
        raise invalid_request(
            "The asynchronous response timeout cannot be set to a value greater than "
            f"{_LONGEST_POLL} milliseconds"
        )
    topics = _topics(body["topics"] or ())
    sorting = (body["sorting"] or ()) if call.version.create_time else ()
    order = _fetch_order(body["usePriority"], sorting)
    worker_id, most = body["workerId"], body["maxTasks"]

    def attempt() -> Sequence[dict[str, Any]]:
        with call.engine.transaction() as tx:
            tx.powerless = call.powerless
            return _tasks.fetch(tx, worker_id, most, topics, order)

    tasks = attempt()
    if tasks or timeout is None:
        return tasks
    return call.engine.polls.wait(attempt, timeout, call.read_timeout)


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


def _topics(given: Sequence[Mapping[str, Any] | None]) -> dict[str | None, _tasks.Topic]:
    """
    The topics by name; of two with the same name the later one counts.
    """
    topics = {}
    for each in given:
        if each is None:
            raise null_pointer()
        topic = reading.fields(each, _TOPIC)
        topics[topic["topicName"]] = _tasks.Topic(
            name=topic["topicName"],
            lock_duration=topic["lockDuration"],
            where=_topic_conditions(topic),
            variables=topic["variables"],
            local_variables=topic["localVariables"],
            deserialize=topic["deserializeValues"],
            extension_properties=topic["includeExtensionProperties"],
        )
    return topics


def _topic_conditions(topic: Mapping[str, Any]) -> list[tuple[str, Sequence[Any]]]:
    where: list[tuple[str, Sequence[Any]]] = [
        (f"{column} = ?", [topic[name]])
        for name, column in _TOPIC_EQUALS.items()
        if topic[name] is not None
    ]
    where += [
        (f"{column} IN ({','.join('?' * len(topic[name]))})", topic[name])
        for name, column in _TOPIC_IN.items()
        if topic[name]
    ]
    if topic["withoutTenantId"] and topic["tenantIdIn"] is None:
        where.append(("tenant_id IS NULL", ()))
    if topic["processDefinitionVersionTag"] is not None:
        like = "version_tag LIKE ? ESCAPE '\\'"
        where.append((like, [topic["processDefinitionVersionTag"]]))
    if topic["processVariables"]:
        where.append(_variable_queries.any_of(topic["processVariables"]))
    return where


def _fetch_order(use_priority: bool, sorting: Sequence[Mapping[str, Any] | None]) -> str:
    criteria = ["priority DESC"] if use_priority else []
    for each in sorting:
        if each is None:
            raise null_pointer()
        sort_by, sort_order = reading.text(each.get("sortBy")), reading.text(each.get("sortOrder"))
        if sort_by is None:
            raise null_pointer()
        if sort_by != "createTime":
            raise invalid_request(f"Cannot set query sortBy parameter to value {sort_by}")
        if sort_order is None:
            raise NoDirection
        if sort_order not in ("asc", "desc"):
            raise invalid_request(f"Cannot set query sortOrder parameter to value {sort_order}")
        criteria.append(f"create_time {sort_order}")
    # Without any wish the engine gives them in no order; the oldest first is as good as any.
    return "ORDER BY " + ", ".join([*criteria, "id"])


# --------------------------------------------------------------------------------------------- log


@_operation("log_list", "GET", "/history/external-task-log")
def _log_list_by_url(tx: Transaction, call: Call) -> Answer:
    page = Page.from_url(call.parameters)
    given = _log.QUERY.from_url(call.parameters, call.version)
    return _log.select(tx, given, page)


@_operation("log_list", "POST", "/history/external-task-log")
def _log_list(tx: Transaction, call: Call) -> Answer:
    page = Page.from_url(call.parameters)
    given = _log.QUERY.from_body(call.json(), call.version)
    return _log.select(tx, given, page)


@_operation("log_count", "GET", "/history/external-task-log/count")
def _log_count_by_url(tx: Transaction, call: Call) -> Answer:
    given = _log.QUERY.from_url(call.parameters, call.version)
    return {"count": _log.count(tx, given)}


@_operation("log_count", "POST", "/history/external-task-log/count")
def _log_count(tx: Transaction, call: Call) -> Answer:
    given = _log.QUERY.from_body(call.json(), call.version)
    return {"count": _log.count(tx, given)}


@_operation("log_get", "GET", "/history/external-task-log/<log_id>")
def _log_get(tx: Transaction, call: Call, log_id: str) -> Answer:
    return _log.get(tx, log_id)


@_operation(
    "log_error_details",
    "GET",
    "/history/external-task-log/<log_id>/error-details",
    produces="text/plain",
)
def _log_error_details(tx: Transaction, call: Call, log_id: str) -> Answer:
    details = _log.error_details(tx, log_id)
    return None if details is None else PlainText(details)


# ----------------------------------------------------------------------------------------- batches


@_operation("batch", "GET", "/batch/<batch_id>")
def _batch(tx: Transaction, call: Call, batch_id: str) -> Answer:
    return _batches.show(_batches.get(tx, batch_id), call.version)


@_operation("batches", "GET", "/batch")
def _batch_list(tx: Transaction, call: Call) -> Answer:
    page, given = Page.from_url(call.parameters), _batches.from_url(call.parameters, call.version)
    return _batches.select(tx, given, page)


@_operation("batch_count", "GET", "/batch/count")
def _batch_count(tx: Transaction, call: Call) -> Answer:
    given = _batches.from_url(call.parameters, call.version)
    return {"count": _batches.count(tx, given)}


@_operation("batch_statistics", "GET", "/batch/statistics")
def _batch_statistics(tx: Transaction, call: Call) -> Answer:
    page, given = Page.from_url(call.parameters), _batches.from_url(call.parameters, call.version)
    return _batches.statistics(tx, given, page)


@_command("suspend_batch", "PUT", "/batch/<batch_id>/suspended")
def _suspend_batch(tx: Transaction, call: Call, batch_id: str) -> Answer:
    _batches.set_suspended(tx, batch_id, call.body(suspended=reading.flag)["suspended"])


@_command("delete_batch", "DELETE", "/batch/<batch_id>")
def _delete_batch(tx: Transaction, call: Call, batch_id: str) -> Answer:
    _batches.delete(tx, batch_id, with_history=call.parameters.get("cascade", "").lower() == "true")


@_operation("historic_batch", "GET", "/history/batch/<batch_id>")
def _historic_batch(tx: Transaction, call: Call, batch_id: str) -> Answer:
    return _batches.history(tx, batch_id)


@_command("forget_batch", "DELETE", "/history/batch/<batch_id>")
def _forget_batch(tx: Transaction, call: Call, batch_id: str) -> Answer:
    _batches.forget(tx, batch_id)


# ----------------------------------------------------------------------- what feeds external tasks


@_operation("deploy", "POST", "/deployment/create", consumes="multipart/form-data")
def _deploy(tx: Transaction, call: Call) -> Answer:
    deployed = _deployments.create(
        tx,
        call.files,
        name=call.form.get("deployment-name"),
        source=call.form.get("deployment-source"),
        tenant_id=call.form.get("tenant-id"),
        skips_duplicates="true"
        in (call.form.get("enable-duplicate-filtering"), call.form.get("deploy-changed-only")),
    )
    return {**deployed, "links": [_link(call, f"/deployment/{deployed['id']}")]}


def _link(call: Call, path: str) -> dict[str, str]:
    return {"method": "GET", "href": call.base_url + path, "rel": "self"}


@_operation("deployments", "GET", "/deployment")
def _deployment_list(tx: Transaction, call: Call) -> Answer:
    page = Page.from_url(call.parameters)
    return _deployments.select(tx, call.parameters, page)


@_operation("get_deployment", "GET", "/deployment/<deployment_id>")
def _get_deployment(tx: Transaction, call: Call, deployment_id: str) -> Answer:
    return _deployments.show(_deployments.get(tx, deployment_id))


@_command("delete_deployment", "DELETE", "/deployment/<deployment_id>")
def _delete_deployment(tx: Transaction, call: Call, deployment_id: str) -> Answer:
    cascade = call.parameters.get("cascade", "").lower() == "true"
    _deployments.delete(tx, deployment_id, cascade=cascade)


@_operation("get_definition", "GET", "/process-definition/<definition_id>")
def _get_definition(tx: Transaction, call: Call, definition_id: str) -> Answer:
    return _deployments.show_definition(_deployments.get_definition(tx, definition_id))


@_operation("get_definition", "GET", "/process-definition/key/<key>")
def _get_definition_by_key(tx: Transaction, call: Call, key: str) -> Answer:
    return _deployments.show_definition(_deployments.latest(tx, key, None))


@_operation("start", "POST", "/process-definition/key/<key>/start")
def _start_by_key(tx: Transaction, call: Call, key: str) -> Answer:
    return _start(tx, call, _deployments.latest(tx, key, None))


@_operation("start", "POST", "/process-definition/key/<key>/tenant-id/<tenant_id>/start")
def _start_by_tenant(tx: Transaction, call: Call, key: str, tenant_id: str) -> Answer:
    return _start(tx, call, _deployments.latest(tx, key, tenant_id))


@_operation("start", "POST", "/process-definition/<definition_id>/start")
def _start_by_id(tx: Transaction, call: Call, definition_id: str) -> Answer:
    definition = _deployments.find_definition(tx, definition_id)
    if definition is None:
        raise EngineError(
            500,
            "RestException",
            f"Cannot instantiate process definition {definition_id}: no deployed process "
            f"definition found with id '{definition_id}': processDefinition is null",
            0,
        )
    return _start(tx, call, definition)


def _start(tx: Transaction, call: Call, definition: Any) -> Answer:
    body = call.body(
        variables=reading.anything, businessKey=reading.text, withVariablesInReturn=reading.flag
    )
    variables = call.variables(body["variables"])
    instance, runs = _flow.start(tx, definition, body["businessKey"], variables)
    started = {**attrs.asdict(instance), "suspended": False}
    shown = _instances.show(started, call.version, definition["key"], ended=not runs)
    shown["links"] = [_link(call, f"/process-instance/{instance.id}")]
    if body["withVariablesInReturn"]:
        shown["variables"] = {name: _values.show(value) for name, value in variables.items()}
    return shown


@_operation("get_instance", "GET", "/process-instance/<instance_id>")
def _get_instance(tx: Transaction, call: Call, instance_id: str) -> Answer:
    instance = _instances.get(tx, instance_id)
    definition = _deployments.get_definition(tx, instance["definition_id"])
    return _instances.show(instance, call.version, definition["key"])


@_command("delete_instance", "DELETE", "/process-instance/<instance_id>")
def _delete_instance(tx: Transaction, call: Call, instance_id: str) -> Answer:
    _instances.delete(tx, instance_id)


@_command("suspend_instance", "PUT", "/process-instance/<instance_id>/suspended")
def _suspend_instance(tx: Transaction, call: Call, instance_id: str) -> Answer:
    _instances.set_suspended(tx, instance_id, call.body(suspended=reading.flag)["suspended"])


@_operation("activity_instances", "GET", "/process-instance/<instance_id>/activity-instances")
def _activity_instances(tx: Transaction, call: Call, instance_id: str) -> Answer:
    return _instances.activity_instances(tx, instance_id)


def _deserializes(call: Call) -> bool:
    return call.parameters.get("deserializeValues", "true").lower() == "true"


@_operation("variables", "GET", "/process-instance/<instance_id>/variables")
def _variables(tx: Transaction, call: Call, instance_id: str) -> Answer:
    found = _instances.variables(tx, instance_id)
    deserialize = _deserializes(call)
    return {
        name: _values.show(value, deserialize=deserialize, name=name)
        for name, value in found.items()
    }


@_operation("variable", "GET", "/process-instance/<instance_id>/variables/<name>")
def _variable(tx: Transaction, call: Call, instance_id: str, name: str) -> Answer:
    found = _instances.variable(tx, instance_id, name)
    return _values.show(found, deserialize=_deserializes(call), name=name)


@_command("set_variable", "PUT", "/process-instance/<instance_id>/variables/<name>")
def _set_variable(tx: Transaction, call: Call, instance_id: str, name: str) -> Answer:
    _instances.set_variables(tx, instance_id, call.variables({name: call.json()}))


@_operation(
    "variable_file", "GET", "/process-instance/<instance_id>/variables/<name>/data", produces="*/*"
)
def _variable_file(tx: Transaction, call: Call, instance_id: str, name: str) -> Answer:
    content, headers = _values.file_answer(_instances.variable(tx, instance_id, name), instance_id)
    return Contents(content, headers)


@_operation("user_tasks", "GET", "/task")
def _user_tasks(tx: Transaction, call: Call) -> Answer:
    page = Page.from_url(call.parameters)
    return _instances.user_tasks(tx, call.parameters, page)


@_operation("complete_user_task", "POST", "/task/<task_id>/complete")
def _complete_user_task(tx: Transaction, call: Call, task_id: str) -> Answer:
    values = call.variables(call.body(variables=reading.anything)["variables"])
    _instances.complete_user_task(tx, task_id, values)


@_operation("incidents", "GET", "/incident")
def _incidents(tx: Transaction, call: Call) -> Answer:
    page = Page.from_url(call.parameters)
    return _instances.incidents(tx, call.parameters, page)


@_operation("incident_count", "GET", "/incident/count")
def _incident_count(tx: Transaction, call: Call) -> Answer:
    return {"count": _instances.count_incidents(tx, call.parameters)}


@_command("create_user", "POST", "/user/create")
def _create_user(tx: Transaction, call: Call) -> Answer:
    body = call.body(profile=reading.mapping, credentials=reading.mapping)
    name = reading.text((body["profile"] or {}).get("id"))
    password = reading.text((body["credentials"] or {}).get("password"))
    if name is None or password is None:
        raise not_readable()
    _users.create(tx, name, password, all_rights=False)


@_command("delete_user", "DELETE", "/user/<user_id>")
def _delete_user(tx: Transaction, call: Call, user_id: str) -> Answer:
    _users.delete(tx, user_id)


@_operation("version", "GET", "/version")
def _version(tx: Transaction, call: Call) -> Answer:
    return {"version": str(call.version)}


@_operation("engines", "GET", "/engine")
def _engines(tx: Transaction, call: Call) -> Answer:
    return [{"name": "default"}]


#: The names of all operations; the client's methods are among them.
OPERATIONS: Final = frozenset(operation.name for operation in ROUTES)
