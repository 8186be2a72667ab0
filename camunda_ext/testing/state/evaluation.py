"""
What is evaluated of a user task when it comes to be.
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
    Evaluate what a user task has, and give its name.

    Raises:
        EngineError: There is no such variable, or none of the type that is due.
    """
    name = node.name
    for one in node.evaluated:
        row = tx.row(
            "SELECT type, text FROM variable WHERE scope_id = ? AND name = ?",
            instance_id,
            one.variable,
        )
        if row is None:
            raise failure(
                "ProcessEngineException",
                f"Unknown property used in expression: {one.text}. "
                f"Cause: Cannot resolve identifier '{one.variable}'",
            )
        _refuse_type(one, row)
        if one.what == "name":
            name = row["text"]
    return name


def _refuse_type(one: Evaluated, row: Row) -> None:
    kind, text = row["type"], row["text"]
    said = None
    if one.what == "camunda:priority":
        is_number = kind in ("Integer", "Short", "Long") or integer(text or "") is not None
        said = None if is_number else f"Priority does not resolve to a number: {text}"
    elif one.what in _DATES and kind not in ("Date", "Null"):
        if kind != "String":
            what = _DATES[one.what]
            said = f"{what} expression does not resolve to a Date or Date string: {one.text}"
        elif not is_date(text or ""):
            said = (
                f"ENGINE-09027 Exception while resolving duedate '{text}': "
                f'Invalid format: "{text}"'
            )
    if said is not None:
        raise failure("ProcessEngineException", said)
