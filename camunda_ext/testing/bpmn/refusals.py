"""
Refuses attributes and children that would change what an element does, and that the embedded engine
does not run.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from camunda_ext.testing.bpmn.extensions import attribute, extensions
from camunda_ext.testing.bpmn.findings import Findings
from camunda_ext.testing.bpmn.inputs import is_input
from camunda_ext.testing.bpmn.schema import EVENT_DEFINITIONS, LOOPS
from camunda_ext.testing.bpmn.xml import Element

#: Children that change what an element does; all others that the schema allows do not.
_REFUSED_CHILDREN: Final = EVENT_DEFINITIONS | LOOPS | {"conditionExpression", "eventDefinitionRef"}
#: Camunda's attributes that change what an element does if they are true.
_REFUSED_FLAGS: Final = ("async", "asyncBefore", "asyncAfter")
#: Camunda's attributes that change what an element does, whatever their value.
_REFUSED_ATTRIBUTES: Final = ("formHandlerClass", "initiator")
#: Extension elements without effect here: they are for jobs and Java classes, or have values that
#: only external tasks return.
_HARMLESS_EXTENSIONS: Final = frozenset({"properties", "failedJobRetryTimeCycle", "field"})
#: Further extension elements that are allowed in elements of a name, as other modules read them.
_OTHER_EXTENSIONS: Final[Mapping[str, str]] = {
    "userTask": "formData",
    **dict.fromkeys(("serviceTask", "sendTask", "businessRuleTask"), "inputOutput"),
}


def refuse_what_changes(
    element: Element, findings: Findings, *, but: Collection[Element] = ()
) -> None:
    """
    Refuse attributes and children of an element that change what it does, except children in *but*.
    """
    changing = [f"camunda:{name}" for name in _REFUSED_FLAGS if attribute(element, name) == "true"]
    changing += [
        f"camunda:{name}" for name in _REFUSED_ATTRIBUTES if attribute(element, name) is not None
    ]
    changing += ["default"] if element.get("default") is not None else []
    changing += ["isForCompensation"] if element.get("isForCompensation") == "true" else []
    for name in changing:
        findings.refuse_attribute(element, name)
    for child in element.children:
        if child.name in _REFUSED_CHILDREN and child not in but:
            findings.refuse_in(element, child)
    refuse_extensions(element, findings)


def refuse_extensions(element: Element, findings: Findings) -> None:
    """
    Refuse the extension elements that change what an element does.
    """
    harmless = _HARMLESS_EXTENSIONS | {_OTHER_EXTENSIONS.get(element.name)}
    for each in extensions(element):
        if each.name not in harmless:
            findings.refuse_in(element, each)
        elif each.name == "inputOutput":
            for parameter in each.children:
                if not is_input(parameter):
                    findings.refuse_in(element, parameter)
