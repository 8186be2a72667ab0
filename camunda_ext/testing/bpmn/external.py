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

_TASKS: Final = ("serviceTask", "sendTask", "businessRuleTask")
_EVENTS: Final = ("intermediateThrowEvent", "endEvent")


def implementation(element: Element) -> Element | None:
    """
    The element that says topic and priority of an external task: the task itself, or the message
    that an event throws. ``None`` if Camunda makes no external task of the *element*.
    """
    holders = [element] if element.name in _TASKS else []
    if element.name in _EVENTS:
        holders = element.all("messageEventDefinition")
    elif element.name == "businessRuleTask" and attribute(element, "decisionRef"):
        return None
    # As in Camunda, the type comes before a Java class and an expression.
    external = (each for each in holders if (attribute(each, "type") or "").lower() == "external")
    return next(external, None)


def external_task(
    node: Node, element: Element, findings: Findings, *, process_priority: int | Evaluated
) -> Node:
    """
    The *node* with the topic, priority, properties and inputs of an external task. If the element
    is no external task, it is refused.

    Args:
        process_priority: The priority of tasks that have none themselves.
    """
    holder = implementation(element)
    if holder is None:
        findings.refuse(f'{called(element)} unless it has camunda:type="external"', element)
        return node
    topic = attribute(holder, "topic")
    if topic is None:
        findings.add(f"{called(element)} has no camunda:topic", holder)
        topic = ""
    priority = findings.priority(holder, "taskPriority")
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
