"""
Deployments and their process definitions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from camunda_ext.testing._errors import EngineError, failure, invalid_request, rest_error
from camunda_ext.testing.bpmn.alone import parse_alone
from camunda_ext.testing.bpmn.processes import Process, parse
from camunda_ext.testing.state.conditions import Filter, Kind, Page, QueryType, ensure_narrow, like
from camunda_ext.testing.state.store import Row, Transaction
from camunda_ext.testing.values import dates

#: The source that the engine assumes for a deployment without one.
_DEFAULT_SOURCE: Final = "process application"

_MODELS: Final = (".bpmn", ".bpmn20.xml")


def create(
    tx: Transaction,
    resources: Mapping[str, bytes],
    *,
    name: str | None = None,
    source: str | None = None,
    tenant_id: str | None = None,
    skips_duplicates: bool = False,
    changed_only: bool = False,
) -> dict[str, Any]:
    """
    Deploy files, and return the answer to it. Files whose name is that of a BPMN file define
    processes.

    Args:
        resources: The contents of the files, by name.

        name: The name of the deployment.

        source: The source of the deployment.

        tenant_id: The tenant of the deployment.

        skips_duplicates: Whether to deploy nothing if no file has changed since the last deployment
            of that name.

        changed_only: Whether to deploy only the files that have changed since then.

    Raises:
        EngineError: There are no files, or a model is refused.
    """
    if not resources:
        raise invalid_request("No deployment resources contained in the form upload.")
    if skips_duplicates or changed_only:
        changed = _changed(tx, resources, name, source, tenant_id)
        if not changed:
            # As in Camunda, the last deployment of this name, of any tenant.
            same = "SELECT * FROM deployment WHERE name = ? ORDER BY time DESC, id DESC"
            return {**show(tx.one(same, name)), **_deployed(None)}
        resources = changed if changed_only else resources
    deployment_id = _insert(tx, resources, name, source, tenant_id)
    definitions: dict[str, Any] = {}
    required = tx.version.time_to_live_required and tx.history_time_to_live is None
    for resource, content in resources.items():
        if resource.endswith(_MODELS):
            for process in parse(resource, content, requires_time_to_live=required):
                definition = _define(tx, process, deployment_id, resource, tenant_id)
                definitions[definition["id"]] = show_definition(definition)
    return {**show(get(tx, deployment_id)), **_deployed(definitions or None)}


def create_alone(tx: Transaction, resource: str, content: bytes, activity_id: str) -> Row:
    """
    Deploy one external task of a file, whatever else is in the file, and return the definition of
    its process. `latest` does not find it, as the process is not there.

    Raises:
        EngineError: The file is no XML, or the key of the process cannot be stored.

        ValueError: The file has no such external task, or it cannot be without the others.
    """
    process = parse_alone(resource, content, activity_id)
    deployment_id = _insert(tx, {resource: content}, resource, None, None)
    return _define(tx, process, deployment_id, resource, None, alone=activity_id)


def _insert(
    tx: Transaction,
    resources: Mapping[str, bytes],
    name: str | None,
    source: str | None,
    tenant_id: str | None,
) -> str:
    """
    Add a deployment with its files, and return its id.
    """
    ensure_narrow(tx, name, source, tenant_id)
    deployment_id = tx.new_id()
    tx.insert(
        "deployment", id=deployment_id, name=name, source=source, tenant_id=tenant_id, time=tx.now
    )
    for resource, content in resources.items():
        tx.insert("resource", deployment_id=deployment_id, name=resource, content=content)
    return deployment_id


def _define(
    tx: Transaction,
    process: Process,
    deployment_id: str,
    resource: str,
    tenant_id: str | None,
    *,
    alone: str | None = None,
) -> Row:
    """
    Add the next version of a process definition, and return it.

    Args:
        alone: The id of the only activity that is run of it; ``None`` for a whole process.
    """
    ensure_narrow(tx, process.key, process.name)
    version = 1 + tx.value(
        "SELECT coalesce(max(version), 0) FROM definition WHERE key = ? AND tenant_id IS ?",
        process.key,
        tenant_id,
    )
    definition_id = f"{process.key}:{version}:{tx.new_id()}"
    if len(definition_id) > 64:
        definition_id = tx.new_id()
    time_to_live = process.time_to_live
    tx.insert(
        "definition",
        id=definition_id,
        key=process.key,
        version=version,
        name=process.name,
        version_tag=process.version_tag,
        tenant_id=tenant_id,
        deployment_id=deployment_id,
        resource=resource,
        time_to_live=tx.history_time_to_live if time_to_live is None else time_to_live,
        alone=alone,
    )
    return get_definition(tx, definition_id)


def _changed(
    tx: Transaction,
    resources: Mapping[str, bytes],
    name: str | None,
    source: str | None,
    tenant_id: str | None,
) -> dict[str, bytes]:
    """
    The files that have changed since the deployments of that name, or were in none of them.
    """
    rows = tx.run(
        "SELECT resource.name, resource.content FROM resource "
        "JOIN deployment ON deployment.id = resource.deployment_id WHERE deployment.name = ? "
        f"AND coalesce(deployment.source, '{_DEFAULT_SOURCE}') = ? "
        "AND deployment.tenant_id IS ? ORDER BY deployment.time, deployment.id",
        name,
        source or _DEFAULT_SOURCE,
        tenant_id,
    )
    last = {row["name"]: row["content"] for row in rows}
    return {name: content for name, content in resources.items() if last.get(name) != content}


def _deployed(definitions: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        "deployedProcessDefinitions": definitions,
        "deployedCaseDefinitions": None,
        "deployedDecisionDefinitions": None,
        "deployedDecisionRequirementsDefinitions": None,
    }


def get(tx: Transaction, deployment_id: str) -> Row:
    """
    A deployment by its id.

    Raises:
        EngineError: There is no such deployment.
    """
    deployment = tx.row("SELECT * FROM deployment WHERE id = ?", deployment_id)
    if deployment is None:
        raise invalid_request(f"Deployment with id '{deployment_id}' does not exist", status=404)
    return deployment


_QUERY: Final = QueryType(
    table="deployment",
    filters={
        "id": Filter(Kind.TEXT, "id = ?"),
        "name": Filter(Kind.TEXT, "name = ?"),
        "nameLike": Filter(Kind.TEXT, like("name")),
        "source": Filter(Kind.TEXT, "source = ?"),
        "tenantIdIn": Filter(Kind.LIST, "tenant_id", list_name="tenantIds"),
        "withoutTenantId": Filter(Kind.FLAG, "tenant_id IS NULL"),
    },
    sort_by={"id": "id", "name": "name", "deploymentTime": "time", "tenantId": "tenant_id"},
    is_partial=True,
)


def select(tx: Transaction, parameters: Mapping[str, str], page: Page) -> list[dict[str, Any]]:
    """
    The deployments that match.
    """
    return [show(row) for row in _QUERY.rows(tx, _QUERY.from_url(parameters, tx.version), page)]


def show(row: Row) -> dict[str, Any]:
    """
    A deployment as the engine answers it.
    """
    return {
        "links": [],
        "id": row["id"],
        "name": row["name"],
        "source": row["source"],
        "deploymentTime": dates.format(row["time"]),
        "tenantId": row["tenant_id"],
    }


def delete(tx: Transaction, deployment_id: str, *, cascade: bool) -> None:
    """
    Delete a deployment and its definitions; with *cascade*, also their instances and history.

    Raises:
        EngineError: There is no such deployment; or there are instances, and *cascade* is `False`.
    """
    if tx.row("SELECT 1 FROM deployment WHERE id = ?", deployment_id) is None:
        raise invalid_request(f"Deployment with id '{deployment_id}' do not exist", status=404)
    definitions = tx.run("SELECT id FROM definition WHERE deployment_id = ?", deployment_id)
    for (definition_id,) in definitions.fetchall():
        where = "WHERE definition_id = ?"
        running = tx.value(f"SELECT count(*) FROM instance {where}", definition_id)
        if running and not cascade:
            raise failure(
                "ProcessEngineException",
                "ENGINE-03076 Deletion of process definition without cascading failed. Process "
                f"definition with id: {definition_id} can't be deleted, because there are "
                f"{running} dependent process instances.",
            )
        if cascade:
            for instances in ("instance", "ended_instance"):
                of_instances = f"WHERE instance_id IN (SELECT id FROM {instances} {where})"
                for table in ("variable", "user_task", "arrival"):
                    tx.run(f"DELETE FROM {table} {of_instances}", definition_id)
            for table in ("task", "incident", "log", "instance", "ended_instance"):
                tx.run(f"DELETE FROM {table} {where}", definition_id)
        tx.run("DELETE FROM definition WHERE id = ?", definition_id)
        tx.models.pop(definition_id, None)
    tx.run("DELETE FROM resource WHERE deployment_id = ?", deployment_id)
    tx.run("DELETE FROM deployment WHERE id = ?", deployment_id)


def find_definition(tx: Transaction, definition_id: str) -> Row | None:
    """
    A process definition by its id; ``None`` if there is none.
    """
    return tx.row("SELECT * FROM definition WHERE id = ?", definition_id)


def get_definition(tx: Transaction, definition_id: str) -> Row:
    """
    A process definition by its id.

    Raises:
        EngineError: There is no such definition.
    """
    definition = find_definition(tx, definition_id)
    if definition is None:
        message = f"No matching definition with id {definition_id}"
        raise EngineError(404, "InvalidRequestException", message, 0)
    return definition


def latest(tx: Transaction, key: str, tenant_id: str | None) -> Row:
    """
    The latest version of a process definition, of a tenant or without one.

    Raises:
        EngineError: There is no such definition.
    """
    definition = tx.row(
        "SELECT * FROM definition WHERE key = ? AND tenant_id IS ? AND alone IS NULL "
        "ORDER BY version DESC",
        key,
        tenant_id,
    )
    if definition is None:
        whose = "no tenant-id" if tenant_id is None else f"tenant-id: {tenant_id}"
        raise rest_error(
            404, f"No matching process definition with key: {key} and {whose}", code=None
        )
    return definition


def show_definition(row: Row) -> dict[str, Any]:
    """
    A process definition as the engine answers it.
    """
    return {
        "id": row["id"],
        "key": row["key"],
        "category": None,
        "description": None,
        "name": row["name"],
        "version": row["version"],
        "resource": row["resource"],
        "deploymentId": row["deployment_id"],
        "diagram": None,
        "suspended": False,
        "tenantId": row["tenant_id"],
        "versionTag": row["version_tag"],
        "historyTimeToLive": row["time_to_live"],
        "startableInTasklist": True,
    }
