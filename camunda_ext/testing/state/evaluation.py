"""
Evaluates the expressions of a user task when it is created.
"""

from __future__ import annotations

from camunda_ext.testing._errors import failure
from camunda_ext.testing.bpmn.extensions import integer
from camunda_ext.testing.bpmn.model import Evaluated, Node
from camunda_ext.testing.bpmn.user_tasks import is_date
from camunda_ext.testing.state.store import Row, Transaction

_DATES = {"camunda:dueDate": "Due date", "camunda:followUpDate": "Follow up date"}


def evaluate(tx: Transaction, instance_id: str, node: Node) -> str | None:
    """
    Evaluate all expressions of a user task, and return its name.

    Raises:
        EngineError: There is no such variable, or its type is wrong.
    """
    name = node.name
    for expression in node.evaluated:
        row = tx.row(
            "SELECT type, text FROM variable WHERE scope_id = ? AND name = ?",
            instance_id,
            expression.variable,
        )
        if row is None:
            raise failure(
                "ProcessEngineException",
                f"Unknown property used in expression: {expression.text}. "
                f"Cause: Cannot resolve identifier '{expression.variable}'",
            )
        _refuse_type(expression, row)
        if expression.what == "name":
            name = row["text"]
    return name


def _refuse_type(expression: Evaluated, row: Row) -> None:
    kind, text = row["type"], row["text"]
    message = None
    if expression.what == "camunda:priority":
        is_number = kind in ("Integer", "Short", "Long") or integer(text or "") is not None
        message = None if is_number else f"Priority does not resolve to a number: {text}"
    elif expression.what in _DATES and kind not in ("Date", "Null"):
        if kind != "String":
            what = _DATES[expression.what]
            message = (
                f"{what} expression does not resolve to a Date or Date string: {expression.text}"
            )
        elif not is_date(text or ""):
            message = (
                f"ENGINE-09027 Exception while resolving duedate '{text}': "
                f'Invalid format: "{text}"'
            )
    if message is not None:
        raise failure("ProcessEngineException", message)
