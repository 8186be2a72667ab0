"""
The other operations: the log, batches, deployments, process instances, user tasks, users.
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
from camunda_ext.testing.rest.operations import Call, Contents, PlainText, Result, Routes
from camunda_ext.testing.state import batches, deployments, flow, instances, log, users
from camunda_ext.testing.state.conditions import Page
from camunda_ext.testing.state.store import Row, Transaction
from camunda_ext.testing.values import reading as reading, variable

ROUTES: Final = Routes()


# --------------------------------------------------------------------------------------------- log


ROUTES.query(
    log.QUERY,
    "/history/external-task-log",
    list_as="log_list",
    count_as="log_count",
    by_post=True,
)


@ROUTES.operation("log_get", "GET", "/history/external-task-log/<log_id>")
def _log_get(tx: Transaction, call: Call, log_id: str) -> Result:
    return log.get(tx, log_id)


@ROUTES.operation(
    "log_error_details",
    "GET",
    "/history/external-task-log/<log_id>/error-details",
    produces="text/plain",
)
def _log_error_details(tx: Transaction, call: Call, log_id: str) -> Result:
    details = log.error_details(tx, log_id)
    return None if details is None else PlainText(details)


# ----------------------------------------------------------------------------------------- batches


ROUTES.query(batches.QUERY, "/batch", list_as="batches", count_as="batch_count")


@ROUTES.operation("batch", "GET", "/batch/<batch_id>")
def _batch(tx: Transaction, call: Call, batch_id: str) -> Result:
    return batches.show(batches.get(tx, batch_id), call.version)


@ROUTES.operation("batch_statistics", "GET", "/batch/statistics")
def _batch_statistics(tx: Transaction, call: Call) -> Result:
    page = Page.from_url(call.parameters)
    return batches.statistics(tx, batches.QUERY.from_url(call.parameters, call.version), page)


@ROUTES.command("suspend_batch", "PUT", "/batch/<batch_id>/suspended")
def _suspend_batch(tx: Transaction, call: Call, batch_id: str) -> Result:
    batches.set_suspended(tx, batch_id, call.body(suspended=reading.flag)["suspended"])


@ROUTES.command("delete_batch", "DELETE", "/batch/<batch_id>")
def _delete_batch(tx: Transaction, call: Call, batch_id: str) -> Result:
    batches.delete(tx, batch_id, with_history=call.parameters.get("cascade", "").lower() == "true")


@ROUTES.operation("historic_batch", "GET", "/history/batch/<batch_id>")
def _historic_batch(tx: Transaction, call: Call, batch_id: str) -> Result:
    return batches.history(tx, batch_id)


@ROUTES.command("forget_batch", "DELETE", "/history/batch/<batch_id>")
def _forget_batch(tx: Transaction, call: Call, batch_id: str) -> Result:
    batches.forget(tx, batch_id)


# -------------------------------------------------------------- deployments and process instances


@ROUTES.operation("deploy", "POST", "/deployment/create", consumes="multipart/form-data")
def _deploy(tx: Transaction, call: Call) -> Result:
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
def _deployment_list(tx: Transaction, call: Call) -> Result:
    page = Page.from_url(call.parameters)
    return deployments.select(tx, call.parameters, page)


@ROUTES.operation("get_deployment", "GET", "/deployment/<deployment_id>")
def _get_deployment(tx: Transaction, call: Call, deployment_id: str) -> Result:
    return deployments.show(deployments.get(tx, deployment_id))


@ROUTES.command("delete_deployment", "DELETE", "/deployment/<deployment_id>")
def _delete_deployment(tx: Transaction, call: Call, deployment_id: str) -> Result:
    cascade = call.parameters.get("cascade", "").lower() == "true"
    deployments.delete(tx, deployment_id, cascade=cascade)


@ROUTES.operation("get_definition", "GET", "/process-definition/<definition_id>")
def _get_definition(tx: Transaction, call: Call, definition_id: str) -> Result:
    return deployments.show_definition(deployments.get_definition(tx, definition_id))


@ROUTES.operation("get_definition", "GET", "/process-definition/key/<key>")
@ROUTES.operation("get_definition", "GET", "/process-definition/key/<key>/tenant-id/<tenant_id>")
def _get_definition_by_key(
    tx: Transaction, call: Call, key: str, tenant_id: str | None = None
) -> Result:
    return deployments.show_definition(deployments.latest(tx, key, tenant_id))


@ROUTES.operation("start", "POST", "/process-definition/key/<key>/start")
@ROUTES.operation("start", "POST", "/process-definition/key/<key>/tenant-id/<tenant_id>/start")
def _start_by_key(tx: Transaction, call: Call, key: str, tenant_id: str | None = None) -> Result:
    return _start(tx, call, deployments.latest(tx, key, tenant_id))


@ROUTES.operation("start", "POST", "/process-definition/<definition_id>/start")
def _start_by_id(tx: Transaction, call: Call, definition_id: str) -> Result:
    definition = deployments.find_definition(tx, definition_id)
    if definition is None:
        with _with_prefix(f"Cannot instantiate process definition {definition_id}"):
            raise null_value(
                f"no deployed process definition found with id '{definition_id}': "
                "processDefinition is null"
            )
    return _start(tx, call, definition)


def _start(tx: Transaction, call: Call, definition: Row) -> Result:
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
    with _with_prefix(f"Cannot instantiate process definition {definition['id']}"):
        variables = call.variables(body["variables"])
        instance, runs = flow.start(tx, definition, body["businessKey"], variables)
    started = {**attrs.asdict(instance), "suspended": False, "definition_key": definition["key"]}
    shown = instances.show(started, call.version, ended=not runs)
    shown["links"] = [_link(call, f"/process-instance/{instance.id}")]
    if body["withVariablesInReturn"]:
        shown["variables"] = {name: variable.show(value) for name, value in variables.items()}
    return shown


@contextmanager
def _with_prefix(prefix: str) -> Iterator[None]:
    """
    Put a prefix before the message of an error, as some operations of the engine do.
    """
    try:
        yield
    except EngineError as error:
        message = f"{prefix}: {error.message}"
        if error.type in ("RestException", "InvalidRequestException"):
            raise invalid_request(message, status=error.status) from None
        if error.code is None:  # It does not come from the engine itself.
            raise
        raise rest_error(error.status, message, code=error.code) from None


@ROUTES.operation("get_instance", "GET", "/process-instance/<instance_id>")
def _get_instance(tx: Transaction, call: Call, instance_id: str) -> Result:
    return instances.show(instances.get(tx, instance_id), call.version)


@ROUTES.command("delete_instance", "DELETE", "/process-instance/<instance_id>")
def _delete_instance(tx: Transaction, call: Call, instance_id: str) -> Result:
    instances.delete(tx, instance_id)


@ROUTES.command("suspend_instance", "PUT", "/process-instance/<instance_id>/suspended")
def _suspend_instance(tx: Transaction, call: Call, instance_id: str) -> Result:
    instances.set_suspended(tx, instance_id, call.body(suspended=reading.flag)["suspended"])


@ROUTES.operation("activity_instances", "GET", "/process-instance/<instance_id>/activity-instances")
def _activity_instances(tx: Transaction, call: Call, instance_id: str) -> Result:
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
        path, variable_path = self.path, f"{self.path}/<name>"
        ROUTES.operation(f"{self.prefix}variables", "GET", path)(self._all)
        ROUTES.operation(f"{self.prefix}variable", "GET", variable_path)(self._get)
        ROUTES.command(f"set_{self.prefix}variable", "PUT", variable_path)(self._set)
        ROUTES.operation(
            f"{self.prefix}variable_file", "GET", f"{variable_path}/data", produces="*/*"
        )(self._file)

    def _all(self, tx: Transaction, call: Call, execution_id: str) -> Result:
        values = instances.variables(tx, execution_id, local=self.local)
        deserialize = _is_not_false(call, "deserializeValues")
        return {
            name: variable.show(value, deserialize=deserialize, name=name)
            for name, value in values.items()
        }

    def _get(self, tx: Transaction, call: Call, execution_id: str, name: str) -> Result:
        value = self._existing(tx, execution_id, name)
        with _with_prefix(f"Cannot get {self.owner} variable {name}"):
            deserialize = _is_not_false(call, "deserializeValue")
            return variable.show(value, deserialize=deserialize, name=name)

    def _existing(self, tx: Transaction, execution_id: str, name: str) -> variable.Value:
        with _with_prefix(f"Cannot get {self.owner} variable {name}"):
            value = instances.variables(tx, execution_id, local=self.local).get(name)
        if value is None:
            message = f"{self.owner} variable with name {name} does not exist"
            raise invalid_request(message, status=404)
        return value

    def _set(self, tx: Transaction, call: Call, execution_id: str, name: str) -> Result:
        variable = reading.variable(call.json())
        with _with_prefix(f"Cannot put {self.owner} variable {name}"):
            values = call.variables({name: variable})
            instances.set_variables(tx, execution_id, values, local=self.local)

    def _file(self, tx: Transaction, call: Call, execution_id: str, name: str) -> Result:
        value = self._existing(tx, execution_id, name)
        content, headers = variable.file_answer(value, execution_id)
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


ROUTES.query(instances.USER_TASKS, "/task", list_as="user_tasks", count_as="user_task_count")
ROUTES.query(instances.INCIDENTS, "/incident", list_as="incidents", count_as="incident_count")


@ROUTES.operation("complete_user_task", "POST", "/task/<task_id>/complete")
def _complete_user_task(tx: Transaction, call: Call, task_id: str) -> Result:
    sent = call.body(variables=reading.variables)["variables"]
    with _with_prefix(f"Cannot complete task {task_id}"):
        instances.complete_user_task(tx, task_id, call.variables(sent))


@ROUTES.command("create_user", "POST", "/user/create")
def _create_user(tx: Transaction, call: Call) -> Result:
    body = call.body(profile=reading.mapping, credentials=reading.mapping)
    name = reading.text((body["profile"] or {}).get("id"))
    password = reading.text((body["credentials"] or {}).get("password"))
    if name is None or password is None:
        raise not_readable()
    users.create(tx, name, password, all_rights=False)


@ROUTES.command("delete_user", "DELETE", "/user/<user_id>")
def _delete_user(tx: Transaction, call: Call, user_id: str) -> Result:
    users.delete(tx, user_id)


@ROUTES.operation("version", "GET", "/version")
def _version(tx: Transaction, call: Call) -> Result:
    return {"version": str(call.version)}


@ROUTES.operation("engines", "GET", "/engine")
def _engines(tx: Transaction, call: Call) -> Result:
    return [{"name": "default"}]
