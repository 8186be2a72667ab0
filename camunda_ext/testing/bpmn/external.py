"""
Reads external tasks from a model.
"""

from __future__ import annotations

from typing import Final

import attrs

from camunda_ext.testing.bpmn.extensions import attribute, called
from camunda_ext.testing.bpmn.findings import Findings
from camunda_ext.testing.bpmn.inputs import inputs
from camunda_ext.testing.bpmn.model import Evaluated, Node
from camunda_ext.testing.bpmn.xml import Element

#: Attributes of Camunda that make a task no external task, whatever its type.
_OTHER_KINDS: Final = ("class", "delegateExpression", "expression")


def external_task(
    node: Node, element: Element, findings: Findings, *, process_priority: int | Evaluated
) -> Node:
    """
    The *node* with the topic, priority, properties and inputs of an external task. If the element
    is no external task, it is refused.

    Args:
        process_priority: The priority of tasks that have none themselves.
    """
    is_external = (attribute(element, "type") or "").lower() == "external"
    is_decision = element.name == "businessRuleTask" and attribute(element, "decisionRef")
    if not is_external or is_decision or any(attribute(element, name) for name in _OTHER_KINDS):
        findings.refuse(f'{called(element)} unless it has camunda:type="external"', element)
        return node
    topic = attribute(element, "topic")
    if topic is None:
        findings.add(f"{called(element)} has no camunda:topic", element)
        topic = ""
    priority = findings.priority(element, "taskPriority")
    return attrs.evolve(
        node,
        topic=findings.evaluated(topic, "camunda:topic", element) or topic,
        priority=process_priority if priority is None else priority,
        properties=_properties(element, findings),
        inputs=inputs(element, findings),
    )


def _properties(element: Element, findings: Findings) -> dict[str, str | None]:
    values: dict[str, str | None] = {}
    holder = findings.extension(element, "properties")
    for each in [] if holder is None else holder.all("property"):
        name = each.get("name")
        if name is None:
            findings.refuse_in(element, each, " without a name")
        else:
            values[name] = each.get("value")  # As in Camunda, no expression is evaluated here.
    return values
