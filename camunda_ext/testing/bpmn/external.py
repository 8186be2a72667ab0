"""
What a model says about an external task.
"""

from __future__ import annotations

from typing import Final

import attrs

from camunda_ext.testing.bpmn.extensions import attribute, extension, is_expression, is_extension
from camunda_ext.testing.bpmn.findings import Findings, called
from camunda_ext.testing.bpmn.xml import Element

_NO_BEHAVIOUR: Final = (
    "One of the attributes 'class', 'delegateExpression', 'type', or 'expression' is mandatory on "
)
_NO_CONNECTOR: Final = (
    " If you are using a connector, make sure the connect process engine plugin is registered "
    "with the process engine."
)


@attrs.frozen
class External:
    """
    The topic and so on of an external task.
    """

    topic: str
    #: ``None``: that of the process.
    priority: int | None
    properties: dict[str, str | None]
    inputs: dict[str, str | None]


def read_external(element: Element, findings: Findings) -> External | None:
    """
    An external task, if it is one.
    """
    type_ = attribute(element, "type")
    if _is_of_another_kind(element, type_):
        findings.refuse(f'{called(element)} unless it has camunda:type="external"', element)
        return None
    if type_ is None or type_.lower() != "external":
        if type_ is not None:
            findings.add(f"Invalid usage of type attribute on {element.name}: '{type_}'", element)
        hint = "" if type_ is None and element.name == "sendTask" else _NO_CONNECTOR
        findings.add(f"{_NO_BEHAVIOUR}{element.name}.{hint}", element)
        return None
    return External(
        topic=_topic(element, findings),
        priority=findings.priority(element, "taskPriority"),
        properties=_properties(element, findings),
        inputs=_inputs(element, findings),
    )


def _is_of_another_kind(element: Element, type_: str | None) -> bool:
    if element.name == "businessRuleTask" and attribute(element, "decisionRef") is not None:
        return True
    if type_ is not None:
        return type_.lower() in ("mail", "shell")
    return any(attribute(element, name) for name in ("class", "delegateExpression", "expression"))


def _topic(element: Element, findings: Findings) -> str:
    topic = attribute(element, "topic")
    if topic is None:
        findings.add(
            "External tasks must specify a 'topic' attribute in the camunda namespace", element
        )
        return ""
    if is_expression(topic):
        findings.refuse_expression(topic, "camunda:topic", element)
    return topic


def _properties(element: Element, findings: Findings) -> dict[str, str | None]:
    values: dict[str, str | None] = {}
    holder = extension(element, "properties")
    for each in [] if holder is None else holder.all("property"):
        name = each.get("name")
        if name is None:
            findings.refuse_in(element, each, " without a name")
        else:
            values[name] = each.get("value")  # As it is, even if it looks like an expression.
    return values


def _inputs(element: Element, findings: Findings) -> dict[str, str | None]:
    values: dict[str, str | None] = {}
    holder = extension(element, "inputOutput")
    for each in [] if holder is None else holder.children:
        name, text = each.get("name"), each.text.strip()
        if not is_extension(each) or each.name != "inputParameter":
            findings.refuse_in(element, each)
        elif not name:
            findings.add("Missing attribute 'name' for inputParameter", each, element.get("id"))
            return values  # The engine reads none of those that follow.
        elif each.children:
            findings.refuse_in(element, each.children[0], f" as input parameter '{name}'")
        elif is_expression(text):
            findings.refuse_expression(text, f"input parameter '{name}'", element)
        else:
            values[name] = text or None
    return values
