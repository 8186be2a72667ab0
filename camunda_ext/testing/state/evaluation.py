"""
Evaluates the expressions of a task when it is created.
"""

from __future__ import annotations

from collections.abc import Mapping

from camunda_ext.testing._errors import failure
from camunda_ext.testing.bpmn.extensions import integer
from camunda_ext.testing.bpmn.model import Evaluated, Node
from camunda_ext.testing.bpmn.user_tasks import is_date
from camunda_ext.testing.values import variable
from camunda_ext.testing.values.variable import Value

_DATES = {"camunda:dueDate": "Due date", "camunda:followUpDate": "Follow up date"}
_WHOLE = ("Integer", "Short", "Long")

Values = Mapping[str, Value]


def _found(expression: Evaluated, variables: Values) -> Value:
    """
    The variable that an expression names.

    Raises:
        EngineError: There is no such variable.
    """
    value = variables.get(expression.variable)
    if value is None:
        raise failure(
            "ProcessEngineException",
            f"Unknown property used in expression: {expression.text}. "
            f"Cause: Cannot resolve identifier '{expression.variable}'",
        )
    return value


def missing(node: Node, variables: Values) -> list[str]:
    """
    The names of the variables that an external task cannot do without, and that there are not.
    """
    needed = [value.variable for value in node.inputs.values() if isinstance(value, Evaluated)]
    if isinstance(node.topic, Evaluated) and node.topic.variable not in node.inputs:
        needed.append(node.topic.variable)
    return [name for name in dict.fromkeys(needed) if name not in variables]


def inputs(node: Node, variables: Values) -> dict[str, Value]:
    """
    The variables that the input parameters of an external task set.

    Args:
        node: The task.

        variables: The variables that its process sees.

    Raises:
        EngineError: There is no such variable, or its value cannot be read.
    """
    return {
        name: variable.of_expression(_found(value, variables), name=value.variable)
        if isinstance(value, Evaluated)
        else variable.constant(value)
        for name, value in node.inputs.items()
    }


def topic(node: Node, variables: Values) -> str:
    """
    The topic of an external task, from the variables that the task sees.

    Raises:
        EngineError: There is no such variable, or it is no text.
    """
    if isinstance(node.topic, str):
        return node.topic
    value = _found(node.topic, variables)
    if value.type != "String" or value.text is None:
        message = f"The topic {node.topic.text} must be a String, not of type {value.type}"
        raise failure("ClassCastException", message, code=None)
    return value.text


def priority(node: Node, variables: Values) -> int:
    """
    The priority of an external task, from the variables that the task sees.

    Raises:
        EngineError: The variable is no whole number.
    """
    if isinstance(node.priority, int):
        return node.priority
    value = variables.get(node.priority.variable)
    if value is None:
        # DefaultPriorityProvider.java: outside of a process application, this is no error.
        return 0
    if value.type not in _WHOLE or value.long is None:
        is_number = value.type == "Double" and not value.is_null
        wanted = "must be either Short, Integer, or Long" if is_number else "is not an Integer"
        raise failure("ProcessEngineException", f": Priority value {wanted}")
    return value.long


def name_of_user_task(node: Node, variables: Values) -> str | None:
    """
    The name of a user task, after all its expressions were evaluated.

    Raises:
        EngineError: There is no such variable, or its type is wrong.
    """
    name = node.name
    for expression in node.evaluated:
        value = _found(expression, variables)
        _refuse_type(expression, value)
        if expression.what == "name":
            name = value.text
    return name


def _refuse_type(expression: Evaluated, value: Value) -> None:
    kind, text = value.type, value.text
    message = None
    if expression.what == "camunda:priority":
        is_number = kind in _WHOLE or integer(text or "") is not None
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
