"""
Moves process instances from element to element, until they wait or end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from camunda_ext.testing._errors import failure
from camunda_ext.testing.bpmn.alone import parse_alone
from camunda_ext.testing.bpmn.processes import ErrorCatch, Node, Process, parse
from camunda_ext.testing.state import evaluation, log, scopes
from camunda_ext.testing.state.conditions import ensure_narrow
from camunda_ext.testing.state.store import Row, Transaction
from camunda_ext.testing.values.variable import Value

#: How many elements an instance may pass without waiting. More mean an endless loop.
_MOST_STEPS: Final = 10_000


def model(tx: Transaction, definition_id: str) -> Process:
    """
    The model of a process definition.
    """
    process: Process | None = tx.models.get(definition_id)
    if process is None:
        row = tx.one(
            "SELECT key, alone, resource.name, resource.content FROM definition "
            "JOIN resource ON resource.deployment_id = definition.deployment_id "
            "AND resource.name = definition.resource WHERE definition.id = ?",
            definition_id,
        )
        if row["alone"] is not None:
            process = parse_alone(row["name"], row["content"], row["alone"])
        else:
            processes = parse(row["name"], row["content"], requires_time_to_live=False)
            process = next(each for each in processes if each.key == row["key"])
        tx.models[definition_id] = process
    return process


@attrs.frozen
class Instance:
    """
    The part of a process instance that its tasks need.
    """

    id: str
    definition_id: str
    business_key: str | None
    tenant_id: str | None

    @classmethod
    def of(cls, task: Row) -> Instance:
        """
        The instance of an external task.
        """
        return cls(
            task["instance_id"], task["definition_id"], task["business_key"], task["tenant_id"]
        )


def start(
    tx: Transaction, definition: Row, business_key: str | None, variables: Mapping[str, Value]
) -> tuple[Instance, bool]:
    """
    Start an instance and move it on until all its paths wait or end.

    Returns:
        The instance, and whether it is still running.

    Raises:
        EngineError: The business key or a variable cannot be stored, or the process is endless.
    """
    instance = Instance(tx.new_id(), definition["id"], business_key, definition["tenant_id"])
    ensure_narrow(tx, business_key)
    tx.insert("instance", **attrs.asdict(instance))
    scopes.assign(tx, instance.id, instance.id, variables)
    process = model(tx, instance.definition_id)
    return instance, _go(tx, instance, [process.start])


def leave(tx: Transaction, task: Row) -> None:
    """
    Move an instance on from an external task that was completed.
    """
    node = model(tx, task["definition_id"]).nodes[task["activity_id"]]
    _go(tx, Instance.of(task), node.outgoing)


def leave_user_task(tx: Transaction, user_task: Row) -> None:
    """
    Delete a user task that was completed, and move its instance on.
    """
    row = tx.one(
        "SELECT id, definition_id, business_key, tenant_id FROM instance WHERE id = ?",
        user_task["instance_id"],
    )
    instance = Instance(*row)
    node = model(tx, instance.definition_id).nodes[user_task["node"]]
    tx.run("DELETE FROM user_task WHERE id = ?", user_task["id"])
    _go(tx, instance, node.outgoing)


def throw(tx: Transaction, task: Row, error_code: str, error_message: str | None) -> None:
    """
    Move an instance on from an external task along the boundary event that catches a BPMN error.

    If no event catches it, this path of the process ends.
    """
    node = model(tx, task["definition_id"]).nodes[task["activity_id"]]
    caught = _catching(node, error_code)
    if caught is None:
        _go(tx, Instance.of(task), ())
        return
    texts = {caught.code_variable: error_code, caught.message_variable: error_message}
    values = {name: _text(text) for name, text in texts.items() if name is not None}
    scopes.assign(tx, task["instance_id"], task["instance_id"], values)
    _go(tx, Instance.of(task), caught.outgoing)


def _text(text: str | None) -> Value:
    return Value(type="Null" if text is None else "String", text=text)


def _catching(node: Node, error_code: str) -> ErrorCatch | None:
    for each in node.catches:
        if each.error_code in (None, error_code):
            return each
    return None


def _go(tx: Transaction, instance: Instance, targets: Iterable[str]) -> bool:
    """
    Move an instance on from some nodes until all paths wait or end; whether it is still running.
    """
    process = model(tx, instance.definition_id)
    pending = deque(targets)
    waits = False
    steps = 0
    while pending:
        steps += 1
        if steps > _MOST_STEPS:
            raise failure("StackOverflowError", None, code=None)
        node = process.nodes[pending.popleft()]
        if node.kind == "external":
            _create_task(tx, instance, process, node)
            waits = True
        elif node.kind == "user":
            _create_user_task(tx, instance.id, node)
            waits = True
        elif node.kind == "parallel":
            if _all_have_arrived(tx, instance.id, node):
                pending.extend(node.outgoing)
        else:  # a start event, or an end event, which has no outgoing flows
            pending.extend(node.outgoing)
    if waits or _waits(tx, instance.id):
        return True
    forget(tx, instance.id)
    return False


def _waits(tx: Transaction, instance_id: str) -> bool:
    return bool(
        tx.value(
            "SELECT EXISTS (SELECT 1 FROM task WHERE instance_id = ?) "
            "OR EXISTS (SELECT 1 FROM user_task WHERE instance_id = ?) "
            "OR EXISTS (SELECT 1 FROM arrival WHERE instance_id = ?)",
            instance_id,
            instance_id,
            instance_id,
        )
    )


def _all_have_arrived(tx: Transaction, instance_id: str, gateway: Node) -> bool:
    if gateway.incoming < 2:
        return True
    tx.insert("arrival", instance_id=instance_id, node=gateway.id)
    here = "FROM arrival WHERE instance_id = ? AND node = ?"
    if tx.value(f"SELECT count(*) {here}", instance_id, gateway.id) < gateway.incoming:
        return False
    tx.run(f"DELETE {here}", instance_id, gateway.id)
    return True


def _create_task(tx: Transaction, instance: Instance, process: Process, node: Node) -> None:
    outer = scopes.of_scope(tx, instance.id)
    inputs = evaluation.inputs(node, outer)
    seen = {**outer, **inputs}
    priority, topic = evaluation.priority(node, seen), evaluation.topic(node, seen)
    ensure_narrow(tx, topic, node.id)
    execution_id, task_id = tx.new_id(), tx.new_id()
    tx.insert(
        "task",
        id=task_id,
        topic_name=topic,
        create_time=tx.now,
        priority=priority,
        activity_id=node.id,
        activity_instance_id=f"{node.id}:{tx.new_id()}",
        execution_id=execution_id,
        instance_id=instance.id,
        definition_id=instance.definition_id,
        definition_key=process.key,
        version_tag=process.version_tag,
        tenant_id=instance.tenant_id,
        business_key=instance.business_key,
    )
    scopes.assign(tx, instance.id, execution_id, inputs, local=True)
    log.write(tx, task_id, "creation")
    tx.wakes_polls = True


def _create_user_task(tx: Transaction, instance_id: str, node: Node) -> None:
    tx.insert(
        "user_task",
        id=tx.new_id(),
        instance_id=instance_id,
        execution_id=instance_id,
        node=node.id,
        name=evaluation.name_of_user_task(node, scopes.of_scope(tx, instance_id)),
        create_time=tx.now,
    )


def drop_task(tx: Transaction, task: Row, why: str) -> None:
    """
    Delete an external task with its variables and incidents, and add an entry to the log.

    Args:
        why: The event for the log: ``success`` or ``deletion``.
    """
    log.write(tx, task["id"], why)
    tx.run("DELETE FROM task WHERE id = ?", task["id"])
    if task["retries"] == 0:
        tx.run("DELETE FROM incident WHERE configuration = ?", task["id"])
    scopes.remove(tx, task["execution_id"])


def cancel(tx: Transaction, instance_id: str) -> None:
    """
    End a running instance, and delete all its tasks.
    """
    for task in tx.run("SELECT * FROM task WHERE instance_id = ?", instance_id).fetchall():
        drop_task(tx, task, "deletion")
    tx.run("DELETE FROM user_task WHERE instance_id = ?", instance_id)
    tx.run("DELETE FROM arrival WHERE instance_id = ?", instance_id)
    forget(tx, instance_id)


def forget(tx: Transaction, instance_id: str) -> None:
    """
    End an instance that has no tasks left. Only its variables are kept.
    """
    tx.run(
        "INSERT INTO ended_instance (id, definition_id) SELECT id, definition_id FROM instance "
        "WHERE id = ?",
        instance_id,
    )
    tx.run("DELETE FROM instance WHERE id = ?", instance_id)
