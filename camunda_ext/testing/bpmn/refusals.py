"""
What stands in an element that the embedded engine runs, and is not run with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from camunda_ext.testing.bpmn.extensions import attribute, extensions
from camunda_ext.testing.bpmn.findings import Findings
from camunda_ext.testing.bpmn.schema import EVENT_DEFINITIONS, LOOPS
from camunda_ext.testing.bpmn.xml import Element

#: What stands in an element and changes what it does; all else that the schema allows does not.
_REFUSED_CHILDREN: Final = EVENT_DEFINITIONS | LOOPS | {"conditionExpression", "eventDefinitionRef"}
#: Camunda's attributes that change what an element does, if they are true.
_REFUSED_FLAGS: Final = ("async", "asyncBefore", "asyncAfter")
#: Camunda's attributes that change what an element does, whatever they say.
_REFUSED_ATTRIBUTES: Final = ("formHandlerClass", "initiator")
#: Extension elements that change nothing: they are about jobs and Java classes, or hold values
#: that only external tasks hand out.
_HARMLESS_EXTENSIONS: Final = frozenset({"properties", "failedJobRetryTimeCycle", "field"})
#: Those that change nothing in elements of one name, or are read elsewhere.
_OTHER_EXTENSIONS: Final[Mapping[str, str]] = {
    "userTask": "formData",
    **dict.fromkeys(("serviceTask", "sendTask", "businessRuleTask"), "inputOutput"),
}
#: Elements for which the engine itself refuses input and output parameters.
_NO_INPUT_OUTPUT: Final = frozenset({"startEvent", "parallelGateway", "boundaryEvent"})


def refuse_what_changes(
    element: Element, findings: Findings, *, but: Element | None = None
) -> None:
    """
    Refuse all in an element that changes what it does, *but* for one child.
    """
    for name in _REFUSED_FLAGS:
        if attribute(element, name) == "true":
            findings.refuse_attribute(element, f"camunda:{name}")
    for name in _REFUSED_ATTRIBUTES:
        if attribute(element, name) is not None:
            findings.refuse_attribute(element, f"camunda:{name}")
    if element.get("default") is not None:
        findings.refuse_attribute(element, "default")
    if element.get("isForCompensation") == "true":
        findings.refuse_attribute(element, "isForCompensation")
    for child in element.children:
        if child.name in _REFUSED_CHILDREN and child is not but:
            findings.refuse_in(element, child)
    refuse_extensions(element, findings)


def refuse_extensions(element: Element, findings: Findings) -> None:
    """
    Refuse the extension elements that change what an element does.
    """
    for each in extensions(element):
        if each.name in _HARMLESS_EXTENSIONS or each.name == _OTHER_EXTENSIONS.get(element.name):
            continue
        if each.name == "inputOutput" and element.name in _NO_INPUT_OUTPUT:
            message = "camunda:inputOutput mapping unsupported for element type"
            findings.add(f"{message} '{element.name}'.", element)
        else:
            findings.refuse_in(element, each)
