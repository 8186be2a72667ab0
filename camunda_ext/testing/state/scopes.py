"""
The variables of process instances, and of the scopes of external tasks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from camunda_ext.testing.state.store import Row, Transaction
from camunda_ext.testing.values import variable
from camunda_ext.testing.values.variable import Value

Values = Mapping[str, Value]


def assign(
    tx: Transaction, instance_id: str, scope_id: str, values: Values, *, local: bool = False
) -> None:
    """
    Set variables: those that a scope has in that scope, and all others in the process instance.

    Args:
        local: Whether to set all variables in the scope.

    Raises:
        EngineError: A variable cannot be stored.
    """
    if values:
        variable.check_all(values, error_type=tx.version.persistence_error)
    for name, value in values.items():
        is_here = local or (scope_id != instance_id and _has(tx, scope_id, name))
        _put(tx, instance_id, scope_id if is_here else instance_id, name, value)


def _has(tx: Transaction, scope_id: str, name: str) -> bool:
    query = "SELECT 1 FROM variable WHERE scope_id = ? AND name = ?"
    return tx.row(query, scope_id, name) is not None


def _put(tx: Transaction, instance_id: str, scope_id: str, name: str, value: Value) -> None:
    if value.transient:
        return  # Transient variables exist only within a transaction.
    tx.run(
        "INSERT OR REPLACE INTO variable (scope_id, name, instance_id, type, text, long, double, "
        "data, info) VALUES (?,?,?,?,?,?,?,?,?)",
        scope_id,
        name,
        instance_id,
        value.type,
        value.text,
        value.long,
        value.double,
        value.data,
        json.dumps(dict(value.info)) if value.info else None,
    )


def of_scope(tx: Transaction, scope_id: str) -> dict[str, Value]:
    """
    The variables of a scope itself, by name.
    """
    rows = tx.run("SELECT * FROM variable WHERE scope_id = ? ORDER BY name", scope_id)
    return {row["name"]: _value(row) for row in rows}


def visible(tx: Transaction, instance_id: str, scope_id: str) -> dict[str, Value]:
    """
    The variables that are visible from a scope, by name: its own, and those of the instance.
    """
    return {**of_scope(tx, instance_id), **of_scope(tx, scope_id)}


def remove(tx: Transaction, scope_id: str) -> None:
    """
    Delete the variables of a scope.
    """
    tx.run("DELETE FROM variable WHERE scope_id = ?", scope_id)


def _value(row: Row) -> Value:
    info = row["info"]
    return Value(
        type=row["type"],
        text=row["text"],
        long=row["long"],
        double=row["double"],
        data=row["data"],
        info={} if info is None else json.loads(info),
    )
