"""
The operations on what stands around external tasks: the log, batches, and what brings them about.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import attrs

from camunda_ext.testing._errors import (
    EngineError,
    invalid_request,
    not_readable,
    null_value,
    rest_error,
)
from camunda_ext.testing.rest.operations import Answer, Call, Contents, PlainText, Routes
from camunda_ext.testing.state import batches, deployments, flow, instances, log, users
from camunda_ext.testing.state.conditions import Page
from camunda_ext.testing.state.store import Row, Transaction
from camunda_ext.testing.values import reading as reading, variable

ROUTES: Final = Routes()


# --------------------------------------------------------------------------------------------- log


@ROUTES.operation("log_list", "GET", "/history/external-task-log")
def _log_list_by_url(tx: Transaction, call: Call) -> Answer:
    page = Page.from_url(call.parameters)
    given = log.QUERY.from_url(call.parameters, call.version)
    return log.select(tx, given, page)


@ROUTES.operation("log_list", "POST", "/history/external-task-log")
def _log_list(tx: Transaction, call: Call) -> Answer:
    page = Page.from_url(call.parameters)
    given = log.QUERY.from_body(call.json(), call.version)
    return log.select(tx, given, page)


@ROUTES.operation("log_count", "GET", "/history/external-task-log/count")
def _log_count_by_url(tx: Transaction, call: Call) -> Answer:
    given = log.QUERY.from_url(call.parameters, call.version)
    return {"count": log.count(tx, given)}


@ROUTES.operation("log_count", "POST", "/history/external-task-log/count")
def _log_count(tx: Transaction, call: Call) -> Answer:
    given = log.QUERY.from_body(call.json(), call.version)
    return {"count": log.count(tx, given)}


@ROUTES.operation("log_get", "GET", "/history/external-task-log/<log_id>")
def _log_get(tx: Transaction, call: Call, log_id: str) -> Answer:
    return log.get(tx, log_id)


@ROUTES.operation(
    "log_error_details",
    "GET",
    "/history/external-task-log/<log_id>/error-details",
    produces="text/plain",
)
def _log_error_details(tx: Transaction, call: Call, log_id: str) -> Answer:
    details = log.error_details(tx, log_id)
    return None if details is None else PlainText(details)


# ----------------------------------------------------------------------------------------- batches


@ROUTES.operation("batch", "GET", "/batch/<batch_id>")
def _batch(tx: Transaction, call: Call, batch_id: str) -> Answer:
    return batches.show(batches.get(tx, batch_id), call.version)


@ROUTES.operation("batches", "GET", "/batch")
def _batch_list(tx: Transaction, call: Call) -> Answer:
    page, given = Page.from_url(call.parameters), batches.from_url(call.parameters, call.version)
    return batches.select(tx, given, page)


@ROUTES.operation("batch_count", "GET", "/batch/count")
def _batch_count(tx: Transaction, call: Call) -> Answer:
    given = batches.from_url(call.parameters, call.version)
    return {"count": batches.count(tx, given)}


@ROUTES.operation("batch_statistics", "GET", "/batch/statistics")
def _batch_statistics(tx: Transaction, call: Call) -> Answer:
    page, given = Page.from_url(call.parameters), batches.from_url(call.parameters, call.version)
    return batches.statistics(tx, given, page)


@ROUTES.command("suspend_batch", "PUT", "/batch/<batch_id>/suspended")
def _suspend_batch(tx: Transaction, call: Call, batch_id: str) -> Answer:
    batches.set_suspended(tx, batch_id, call.body(suspended=reading.flag)["suspended"])


@ROUTES.command("delete_batch", "DELETE", "/batch/<batch_id>")
def _delete_batch(tx: Transaction, call: Call, batch_id: str) -> Answer:
    batches.delete(tx, batch_id, with_history=call.parameters.get("cascade", "").lower() == "true")


@ROUTES.operation("historic_batch", "GET", "/history/batch/<batch_id>")
def _historic_batch(tx: Transaction, call: Call, batch_id: str) -> Answer:
    return batches.history(tx, batch_id)


@ROUTES.command("forget_batch", "DELETE", "/history/batch/<batch_id>")
def _forget_batch(tx: Transaction, call: Call, batch_id: str) -> Answer:
    batches.forget(tx, batch_id)


# ----------------------------------------------------------------------- what feeds external tasks


@ROUTES.operation("deploy", "POST", "/deployment/create", consumes="multipart/form-data")
def _deploy(tx: Transaction, call: Call) -> Answer:
    deployed = deployments.create(
        tx,
        call.files,
        name=call.form.get("deployment-name"),
        source=call.form.get("deployment-source"),
        tenant_id=call.form.get("tenant-id"),
        skips_duplicates=call.form.get("enable-duplicate-filtering", "").lower() == "true",
        changed_only=call.form.get("deploy-changed-only", "").lower() == "true",
    )
    return {**deployed, "links": [_link(call, f"/deployment/{deployed['id']}")]}


def _link(call: Call, path: str) -> dict[str, str]:
    return {"method": "GET", "href": call.base_url + path, "rel": "self"}


@ROUTES.operation("deployments", "GET", "/deployment")
def _deployment_list(tx: Transaction, call: Call) -> Answer:
    page = Page.from_url(call.parameters)
    return deployments.select(tx, call.parameters, page)


@ROUTES.operation("get_deployment", "GET", "/deployment/<deployment_id>")
def _get_deployment(tx: Transaction, call: Call, deployment_id: str) -> Answer:
    return deployments.show(deployments.get(tx, deployment_id))


@ROUTES.command("delete_deployment", "DELETE", "/deployment/<deployment_id>")
def _delete_deployment(tx: Transaction, call: Call, deployment_id: str) -> Answer:
    cascade = call.parameters.get("cascade", "").lower() == "true"
    deployments.delete(tx, deployment_id, cascade=cascade)


@ROUTES.operation("get_definition", "GET", "/process-definition/<definition_id>")
def _get_definition(tx: Transaction, call: Call, definition_id: str) -> Answer:
    return deployments.show_definition(deployments.get_definition(tx, definition_id))


@ROUTES.operation("get_definition", "GET", "/process-definition/key/<key>")
def _get_definition_by_key(tx: Transaction, call: Call, key: str) -> Answer:
    return deployments.show_definition(deployments.latest(tx, key, None))


@ROUTES.operation("get_definition", "GET", "/process-definition/key/<key>/tenant-id/<tenant_id>")
def _get_definition_by_tenant(tx: Transaction, call: Call, key: str, tenant_id: str) -> Answer:
    return deployments.show_definition(deployments.latest(tx, key, tenant_id))


@ROUTES.operation("start", "POST", "/process-definition/key/<key>/start")
def _start_by_key(tx: Transaction, call: Call, key: str) -> Answer:
    return _start(tx, call, deployments.latest(tx, key, None))


@ROUTES.operation("start", "POST", "/process-definition/key/<key>/tenant-id/<tenant_id>/start")
def _start_by_tenant(tx: Transaction, call: Call, key: str, tenant_id: str) -> Answer:
    return _start(tx, call, deployments.latest(tx, key, tenant_id))


@ROUTES.operation("start", "POST", "/process-definition/<definition_id>/start")
def _start_by_id(tx: Transaction, call: Call, definition_id: str) -> Answer:
    definition = deployments.find_definition(tx, definition_id)
    if definition is None:
        with _saying(f"Cannot instantiate process definition {definition_id}"):
            raise null_value(
                f"no deployed process definition found with id '{definition_id}': "
                "processDefinition is null"
            )
    return _start(tx, call, definition)


def _start(tx: Transaction, call: Call, definition: Row) -> Answer:
    body = call.body(
        variables=reading.variables,
        businessKey=reading.text,
        withVariablesInReturn=reading.flag,
        startInstructions=reading.anything,
    )
    if body["startInstructions"]:
        raise invalid_request(
            "The embedded engine starts a process at its start event, and runs no "
            "startInstructions: deploy a model that starts where the test is to begin"
        )
    with _saying(f"Cannot instantiate process definition {definition['id']}"):
        variables = call.variables(body["variables"])
        instance, runs = flow.start(tx, definition, body["businessKey"], variables)
    started = {**attrs.asdict(instance), "suspended": False}
    shown = instances.show(started, call.version, definition["key"], ended=not runs)
    shown["links"] = [_link(call, f"/process-instance/{instance.id}")]
    if body["withVariablesInReturn"]:
        shown["variables"] = {name: variable.show(value) for name, value in variables.items()}
    return shown


@contextmanager
def _saying(what: str) -> Iterator[None]:
    """
    Have an error say first what could not be done, as some operations of the engine do.
    """
    try:
        yield
    except EngineError as error:
        message = f"{what}: {error.message}"
        if error.type in ("RestException", "InvalidRequestException"):
            raise invalid_request(message, status=error.status) from None
        if error.code is None:  # It is none of the engine's own.
            raise
        raise rest_error(error.status, message, code=error.code) from None


@ROUTES.operation("get_instance", "GET", "/process-instance/<instance_id>")
def _get_instance(tx: Transaction, call: Call, instance_id: str) -> Answer:
    instance = instances.get(tx, instance_id)
    definition = deployments.get_definition(tx, instance["definition_id"])
    return instances.show(instance, call.version, definition["key"])


@ROUTES.command("delete_instance", "DELETE", "/process-instance/<instance_id>")
def _delete_instance(tx: Transaction, call: Call, instance_id: str) -> Answer:
    instances.delete(tx, instance_id)


@ROUTES.command("suspend_instance", "PUT", "/process-instance/<instance_id>/suspended")
def _suspend_instance(tx: Transaction, call: Call, instance_id: str) -> Answer:
    instances.set_suspended(tx, instance_id, call.body(suspended=reading.flag)["suspended"])


@ROUTES.operation("activity_instances", "GET", "/process-instance/<instance_id>/activity-instances")
def _activity_instances(tx: Transaction, call: Call, instance_id: str) -> Answer:
    return instances.activity_instances(tx, instance_id)


def _is_not_false(call: Call, name: str) -> bool:
    return call.parameters.get(name, "true").lower() == "true"


@attrs.frozen
class _Variables:
    """
    The routes to the variables of an execution: all that it sees, or those of its own scope.
    """

    prefix: str
    path: str
    #: What the engine calls their owner.
    owner: str
    local: bool

    def add(self) -> None:
        """
        Add them to all routes.
        """
        path, one = self.path, f"{self.path}/<name>"
        ROUTES.operation(f"{self.prefix}variables", "GET", path)(self._all)
        ROUTES.operation(f"{self.prefix}variable", "GET", one)(self._one)
        ROUTES.command(f"set_{self.prefix}variable", "PUT", one)(self._set)
        file = ROUTES.operation(f"{self.prefix}variable_file", "GET", f"{one}/data", produces="*/*")
        file(self._file)

    def _all(self, tx: Transaction, call: Call, execution_id: str) -> Answer:
        found = instances.variables(tx, execution_id, local=self.local)
        deserialize = _is_not_false(call, "deserializeValues")
        return {
            name: variable.show(value, deserialize=deserialize, name=name)
            for name, value in found.items()
        }

    def _one(self, tx: Transaction, call: Call, execution_id: str, name: str) -> Answer:
        found = self._existing(tx, execution_id, name)
        with _saying(f"Cannot get {self.owner} variable {name}"):
            deserialize = _is_not_false(call, "deserializeValue")
            return variable.show(found, deserialize=deserialize, name=name)

    def _existing(self, tx: Transaction, execution_id: str, name: str) -> variable.Value:
        with _saying(f"Cannot get {self.owner} variable {name}"):
            found = instances.variables(tx, execution_id, local=self.local).get(name)
        if found is None:
            message = f"{self.owner} variable with name {name} does not exist"
            raise invalid_request(message, status=404)
        return found

    def _set(self, tx: Transaction, call: Call, execution_id: str, name: str) -> Answer:
        variable = reading.variable(call.json())
        with _saying(f"Cannot put {self.owner} variable {name}"):
            values = call.variables({name: variable})
            instances.set_variables(tx, execution_id, values, local=self.local)

    def _file(self, tx: Transaction, call: Call, execution_id: str, name: str) -> Answer:
        found = self._existing(tx, execution_id, name)
        content, headers = variable.file_answer(found, execution_id)
        return Contents(content, headers)


_Variables(
    prefix="",
    path="/process-instance/<execution_id>/variables",
    owner="process instance",
    local=False,
).add()
_Variables(
    prefix="local_", path="/execution/<execution_id>/localVariables", owner="execution", local=True
).add()


@ROUTES.operation("user_tasks", "GET", "/task")
def _user_tasks(tx: Transaction, call: Call) -> Answer:
    page = Page.from_url(call.parameters)
    return instances.user_tasks(tx, call.parameters, page)


@ROUTES.operation("complete_user_task", "POST", "/task/<task_id>/complete")
def _complete_user_task(tx: Transaction, call: Call, task_id: str) -> Answer:
    given = call.body(variables=reading.variables)["variables"]
    with _saying(f"Cannot complete task {task_id}"):
        instances.complete_user_task(tx, task_id, call.variables(given))


@ROUTES.operation("incidents", "GET", "/incident")
def _incidents(tx: Transaction, call: Call) -> Answer:
    page = Page.from_url(call.parameters)
    return instances.incidents(tx, call.parameters, page)


@ROUTES.operation("incident_count", "GET", "/incident/count")
def _incident_count(tx: Transaction, call: Call) -> Answer:
    return {"count": instances.count_incidents(tx, call.parameters)}


@ROUTES.command("create_user", "POST", "/user/create")
def _create_user(tx: Transaction, call: Call) -> Answer:
    body = call.body(profile=reading.mapping, credentials=reading.mapping)
    name = reading.text((body["profile"] or {}).get("id"))
    password = reading.text((body["credentials"] or {}).get("password"))
    if name is None or password is None:
        raise not_readable()
    users.create(tx, name, password, all_rights=False)


@ROUTES.command("delete_user", "DELETE", "/user/<user_id>")
def _delete_user(tx: Transaction, call: Call, user_id: str) -> Answer:
    users.delete(tx, user_id)


@ROUTES.operation("version", "GET", "/version")
def _version(tx: Transaction, call: Call) -> Answer:
    return {"version": str(call.version)}


@ROUTES.operation("engines", "GET", "/engine")
def _engines(tx: Transaction, call: Call) -> Answer:
    return [{"name": "default"}]
