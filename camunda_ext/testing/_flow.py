"""
How a process instance goes from element to element, until it waits or ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

from camunda_ext.testing import _log, _scopes
from camunda_ext.testing._bpmn import Boundary, Node, Process, parse
from camunda_ext.testing._errors import failure
from camunda_ext.testing._store import Row, Transaction
from camunda_ext.testing._values import Value

#: How many elements may be passed without waiting; a circle without a wait state passes more.
_MOST_STEPS: Final = 10_000


def model(tx: Transaction, definition_id: str) -> Process:
    """
    The model behind a process definition.
    """
    found: Process | None = tx.models.get(definition_id)
    if found is None:
        row = tx.one("SELECT * FROM definition WHERE id = ?", definition_id)
        processes = parse(row["resource"], row["content"], requires_time_to_live=False)
        found = next(process for process in processes if process.key == row["key"])
        tx.models[definition_id] = found
    return found


def start(
    tx: Transaction,
    definition: Row,
    *,
    business_key: str | None = None,
    variables: Mapping[str, Value] | None = None,
) -> str:
    """
    Start an instance, and let it go as far as it does by itself.
    """
    instance_id = tx.new_id()
    tx.insert(
        "instance",
        id=instance_id,
        definition_id=definition["id"],
        business_key=business_key,
        tenant_id=definition["tenant_id"],
    )
    _scopes.assign_local(tx, instance_id, instance_id, variables or {})
    process = model(tx, definition["id"])
    _go(tx, instance_id, [process.start])
    return instance_id


def leave(tx: Transaction, task: Row) -> None:
    """
    Go on from an external task that is done.
    """
    node = model(tx, task["definition_id"]).nodes[task["activity_id"]]
    _go(tx, task["instance_id"], node.outgoing)


def leave_user_task(tx: Transaction, user_task: Row) -> None:
    """
    Go on from a user task that is done.
    """
    instance = tx.one("SELECT * FROM instance WHERE id = ?", user_task["instance_id"])
    node = model(tx, instance["definition_id"]).nodes[user_task["node"]]
    tx.run("DELETE FROM user_task WHERE id = ?", user_task["id"])
    _go(tx, instance["id"], node.outgoing)


def throw(tx: Transaction, task: Row, error_code: str, error_message: str | None) -> None:
    """
    Go on from an external task along the boundary event that catches an error.

    Where none does, this path of the process ends.
    """
    node = model(tx, task["definition_id"]).nodes[task["activity_id"]]
    caught = _catching(node, error_code)
    if caught is None:
        _go(tx, task["instance_id"], ())
        return
    told = {caught.code_variable: error_code, caught.message_variable: error_message}
    values = {name: _text(said) for name, said in told.items() if name is not None}
    _scopes.assign(tx, task["instance_id"], task["instance_id"], values)
    _go(tx, task["instance_id"], caught.outgoing)


def _text(text: str | None) -> Value:
    return Value(type="Null" if text is None else "String", text=text)


def _catching(node: Node, error_code: str) -> Boundary | None:
    for boundary in node.boundaries:
        if boundary.error_code in (None, error_code):
            return boundary
    return None


def _go(tx: Transaction, instance_id: str, targets: Iterable[str]) -> None:
    instance = tx.one("SELECT * FROM instance WHERE id = ?", instance_id)
    process = model(tx, instance["definition_id"])
    pending = deque(targets)
    steps = 0
    while pending:
        steps += 1
        if steps > _MOST_STEPS:
            raise failure("StackOverflowError", None, code=None)
        node = process.nodes[pending.popleft()]
        if node.kind == "external":
            _create_task(tx, instance, process, node)
        elif node.kind == "user":
            _create_user_task(tx, instance_id, node)
        elif node.kind == "parallel":
            if _all_have_arrived(tx, instance_id, node):
                pending.extend(node.outgoing)
        else:  # A start event leads on, an end event leads nowhere.
            pending.extend(node.outgoing)
    if not _waits(tx, instance_id):
        forget(tx, instance_id)


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


def _create_task(tx: Transaction, instance: Row, process: Process, node: Node) -> None:
    execution_id, task_id = tx.new_id(), tx.new_id()
    tx.insert(
        "task",
        id=task_id,
        topic_name=node.topic,
        create_time=tx.now,
        priority=node.priority,
        activity_id=node.id,
        activity_instance_id=f"{node.id}:{tx.new_id()}",
        execution_id=execution_id,
        instance_id=instance["id"],
        definition_id=instance["definition_id"],
        definition_key=process.key,
        version_tag=process.version_tag,
        tenant_id=instance["tenant_id"],
        business_key=instance["business_key"],
    )
    inputs = {name: _text(text) for name, text in node.inputs.items()}
    _scopes.assign_local(tx, instance["id"], execution_id, inputs)
    _log.write(tx, tx.one("SELECT * FROM task WHERE id = ?", task_id), "creation")
    tx.wakes_polls = True


def _create_user_task(tx: Transaction, instance_id: str, node: Node) -> None:
    tx.insert(
        "user_task",
        id=tx.new_id(),
        instance_id=instance_id,
        execution_id=instance_id,
        node=node.id,
        name=node.name,
        create_time=tx.now,
    )


def drop_task(tx: Transaction, task: Row, why: str) -> None:
    """
    Delete an external task with its scope and incidents, and write down why.
    """
    _log.write(tx, task, why)
    tx.run("DELETE FROM task WHERE id = ?", task["id"])
    tx.run("DELETE FROM incident WHERE configuration = ?", task["id"])
    _scopes.remove(tx, task["execution_id"])


def cancel(tx: Transaction, instance_id: str) -> None:
    """
    Delete a running instance with all that waits in it.
    """
    for task in tx.run("SELECT * FROM task WHERE instance_id = ?", instance_id).fetchall():
        drop_task(tx, task, "deletion")
    tx.run("DELETE FROM user_task WHERE instance_id = ?", instance_id)
    tx.run("DELETE FROM arrival WHERE instance_id = ?", instance_id)
    forget(tx, instance_id)


def forget(tx: Transaction, instance_id: str) -> None:
    """
    Delete an instance in which nothing waits.
    """
    tx.run("DELETE FROM variable WHERE instance_id = ?", instance_id)
    tx.run("DELETE FROM instance WHERE id = ?", instance_id)
