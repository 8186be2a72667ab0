"""
Validates BPMN files by the part of the XML schema of BPMN 2.0 that the embedded engine needs.

Elements that the engine refuses anyway, and those of diagrams, are not validated.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

import attrs

from camunda_ext.testing.bpmn.extensions import called, tag
from camunda_ext.testing.bpmn.findings import Findings
from camunda_ext.testing.bpmn.xml import Element

BPMN: Final = "http://www.omg.org/spec/BPMN/20100524/MODEL"
#: Namespaces of diagrams, and of the shapes and lines in them.
_DIAGRAM: Final = frozenset(
    {
        "http://www.omg.org/spec/BPMN/20100524/DI",
        "http://www.omg.org/spec/DD/20100524/DI",
        "http://www.omg.org/spec/DD/20100524/DC",
    }
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


EVENT_DEFINITIONS: Final = _words(
    """
    cancelEventDefinition compensateEventDefinition conditionalEventDefinition errorEventDefinition
    escalationEventDefinition linkEventDefinition messageEventDefinition signalEventDefinition
    terminateEventDefinition timerEventDefinition
    """
)
LOOPS: Final = _words("multiInstanceLoopCharacteristics standardLoopCharacteristics")
FLOW_ELEMENTS: Final = _words(
    """
    adHocSubProcess boundaryEvent businessRuleTask callActivity callChoreography choreographyTask
    complexGateway dataObject dataObjectReference dataStoreReference endEvent event
    eventBasedGateway exclusiveGateway implicitThrowEvent inclusiveGateway intermediateCatchEvent
    intermediateThrowEvent manualTask parallelGateway receiveTask scriptTask sendTask sequenceFlow
    serviceTask startEvent subChoreography subProcess task transaction userTask
    """
)
_ROOT_ELEMENTS: Final = EVENT_DEFINITIONS | _words(
    """
    category choreography collaboration correlationProperty dataStore endPoint error escalation
    globalBusinessRuleTask globalChoreographyTask globalConversation globalManualTask
    globalScriptTask globalTask globalUserTask interface itemDefinition message partnerEntity
    partnerRole process resource signal
    """
)

#: The elements of each group in the schema.
_GROUPS: Final[Mapping[str, frozenset[str]]] = {
    "artifact": _words("association group textAnnotation"),
    "eventDefinition": EVENT_DEFINITIONS,
    "flowElement": FLOW_ELEMENTS,
    "loopCharacteristics": LOOPS,
    "resourceRole": _words("resourceRole performer humanPerformer potentialOwner"),
    "rootElement": _ROOT_ELEMENTS,
}

# The content of an element, in order; "*" is any number, "?" is at most one.
_BASE: Final = "documentation* extensionElements?"
_FLOW: Final = f"{_BASE} auditing? monitoring? categoryValueRef*"
_NODE: Final = f"{_FLOW} incoming* outgoing*"
_TASK: Final = (
    f"{_NODE} ioSpecification? property* dataInputAssociation* dataOutputAssociation* "
    "resourceRole* loopCharacteristics?"
)
_EVENT: Final = "eventDefinition* eventDefinitionRef*"
_CATCH: Final = f"{_NODE} property* dataOutput* dataOutputAssociation* outputSet? {_EVENT}"
_THROW: Final = f"{_NODE} property* dataInput* dataInputAssociation* inputSet? {_EVENT}"

# Attributes and their types; "!" is one that must be there.
_TASK_ATTRIBUTES: Final = (
    "name:string isForCompensation:boolean startQuantity:integer completionQuantity:integer "
    "default:IDREF implementation:string"
)
_SERVICE_ATTRIBUTES: Final = f"{_TASK_ATTRIBUTES} operationRef:QName"


@attrs.frozen
class _Type:
    content: str
    attributes: str


#: The type of each element that is validated; all of them may have an id.
_ELEMENTS: Final[Mapping[str, _Type]] = {
    "association": _Type(
        _BASE,
        # Any names for the schema; but the engine refuses ids that do not exist.
        "sourceRef:IDREF! targetRef:IDREF! associationDirection:tAssociationDirection",
    ),
    "boundaryEvent": _Type(
        _CATCH,
        "name:string parallelMultiple:boolean cancelActivity:boolean attachedToRef:QName!",
    ),
    "businessRuleTask": _Type(_TASK, _TASK_ATTRIBUTES),
    "category": _Type(f"{_BASE} categoryValue*", "name:string"),
    "categoryValue": _Type(_BASE, "value:string"),
    "childLaneSet": _Type(f"{_BASE} lane*", "name:string"),
    "collaboration": _Type(
        f"{_BASE} participant* messageFlow* artifact* conversationNode* conversationAssociation* "
        "participantAssociation* messageFlowAssociation* correlationKey* choreographyRef* "
        "conversationLink*",
        "name:string isClosed:boolean",
    ),
    "definitions": _Type(
        "import* extension* rootElement* BPMNDiagram* relationship*",
        "name:string targetNamespace:string! expressionLanguage:string typeLanguage:string "
        "exporter:string exporterVersion:string",
    ),
    "endEvent": _Type(_THROW, "name:string"),
    "error": _Type(_BASE, "name:string errorCode:string structureRef:QName"),
    "errorEventDefinition": _Type(_BASE, "errorRef:QName"),
    "group": _Type(_BASE, "categoryValueRef:QName"),
    "lane": _Type(
        f"{_BASE} partitionElement? flowNodeRef* childLaneSet?",
        "name:string partitionElementRef:QName",
    ),
    "laneSet": _Type(f"{_BASE} lane*", "name:string"),
    "parallelGateway": _Type(_NODE, "name:string gatewayDirection:tGatewayDirection"),
    "participant": _Type(
        f"{_BASE} interfaceRef* endPointRef* participantMultiplicity?",
        "name:string processRef:QName",
    ),
    "process": _Type(
        f"{_BASE} supportedInterfaceRef* ioSpecification? ioBinding* auditing? monitoring? "
        "property* laneSet* flowElement* artifact* resourceRole* correlationSubscription* "
        "supports*",
        "name:string processType:tProcessType isClosed:boolean isExecutable:boolean "
        "definitionalCollaborationRef:QName",
    ),
    "sendTask": _Type(_TASK, f"{_SERVICE_ATTRIBUTES} messageRef:QName"),
    "sequenceFlow": _Type(
        f"{_FLOW} conditionExpression?",
        "name:string sourceRef:IDREF! targetRef:IDREF! isImmediate:boolean",
    ),
    "serviceTask": _Type(_TASK, _SERVICE_ATTRIBUTES),
    "startEvent": _Type(_CATCH, "name:string parallelMultiple:boolean isInterrupting:boolean"),
    "textAnnotation": _Type(f"{_BASE} text?", "textFormat:string"),
    "userTask": _Type(f"{_TASK} rendering*", _TASK_ATTRIBUTES),
}

_NAME: Final = r"[^\W\d][\w.\-·]*"
#: For each type, the form of a value as a regular expression, and in words for messages.
_FORMS: Final[Mapping[str, tuple[str, str]]] = {
    "ID": (_NAME, "a name without blanks"),
    "IDREF": (_NAME, "a name without blanks"),
    "QName": (f"({_NAME}:)?{_NAME}", "a name without blanks"),
    "boolean": ("true|false|1|0", "true or false"),
    "integer": (r"[+-]?[0-9]+", "a whole number"),
    "tAssociationDirection": ("None|One|Both", "None, One or Both"),
    "tGatewayDirection": (
        "Unspecified|Converging|Diverging|Mixed",
        "Unspecified, Converging, Diverging or Mixed",
    ),
    "tProcessType": ("None|Public|Private", "None, Public or Private"),
}
#: The types of elements that contain only text.
_TEXTS: Final = {"flowNodeRef": "IDREF", "incoming": "QName", "outgoing": "QName"}


def validate(root: Element, findings: Findings) -> Collection[str]:
    """
    Validate a file, and return all ids in it. Problems are added to the *findings*.

    As by a parser that knows the schema, white space around values such as ids and references is
    removed from the tree.
    """
    if (root.namespace, root.name) != (BPMN, "definitions"):
        findings.add(f"The root must be <definitions> of the namespace {BPMN}", root)
        return ()
    validator = _Validator(findings)
    validator.check(root)
    validator.check_references()
    return validator.ids


class _Validator:
    """
    Validates the elements of a file.
    """

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        #: The ids in the elements that were checked.
        self.ids: set[str] = set()
        self._references: list[tuple[str, Element]] = []

    def check(self, element: Element) -> None:
        """
        Check an element and all elements in it.
        """
        is_bpmn = element.namespace == BPMN
        if is_bpmn and element.name == "extensionElements":
            for child in element.children:
                if child.namespace in ("", BPMN):
                    self._findings.add(f"{called(child)} is no extension of BPMN", child)
            return
        declared = _ELEMENTS.get(element.name) if is_bpmn else None
        self._check_attributes(element, declared)
        if is_bpmn and element.name in _TEXTS:
            self._checked(element, tag(element), element.text, _TEXTS[element.name])
        if declared is not None:
            self._check_content(element, declared.content)
        for child in element.children:
            self.check(child)

    def check_references(self) -> None:
        """
        Check that all ids that elements refer to exist in the file.
        """
        for reference, element in self._references:
            if reference not in self.ids:
                self._findings.add(
                    f"{called(element)} refers to '{reference}', which is no id in this file",
                    element,
                )

    def _check_attributes(self, element: Element, declared: _Type | None) -> None:
        types = {"id": "ID"} if element.namespace in {BPMN, *_DIAGRAM} else {}
        for entry in () if declared is None else declared.attributes.split():
            name, type_ = entry.rstrip("!").split(":")
            types[name] = type_
            if entry.endswith("!") and element.get(name) is None:
                self._findings.add(f"{called(element)} has no attribute {name}", element)
        for (namespace, name), value in element.attributes.items():
            if namespace:
                continue
            if name in types:
                what = f"The attribute {name} of {called(element)}"
                element.attributes["", name] = self._checked(element, what, value, types[name])
            elif declared is not None:
                message = f"{called(element)} has an attribute that BPMN does not know: {name}"
                self._findings.add(message, element)

    def _checked(self, element: Element, what: str, value: str, type_: str) -> str:
        if type_ == "string":
            return value
        value = " ".join(value.split())
        form, description = _FORMS[type_]
        if not re.fullmatch(form, value):
            self._findings.add(f"{what} must be {description}, not '{value}'", element)
        elif type_ == "ID" and value in self.ids:
            self._findings.add(f"The id '{value}' is not the only one in this file", element)
        elif type_ == "ID":
            self.ids.add(value)
        elif type_ == "IDREF":
            self._references.append((value, element))
        return value

    def _check_content(self, parent: Element, content: str) -> None:
        # The content is a sequence of particles, each of which may be absent. So after a child, its
        # own particle is allowed again if it may repeat, and all particles after it.
        particles = content.split()
        for child in parent.children:
            fitting = (at for at, each in enumerate(particles) if _fits(child, each))
            at = next(fitting, None)
            if at is None:
                message = f"{called(child)} may not stand at this place in {called(parent)}"
                self._findings.add(message, child)
                break
            particles = particles[at if particles[at].endswith("*") else at + 1 :]
        if parent.text.strip():
            self._findings.add(f"{called(parent)} has text between its elements", parent)


def _fits(child: Element, particle: str) -> bool:
    name = particle[:-1]
    if name == "BPMNDiagram":
        return child.name == name and child.namespace in _DIAGRAM
    return child.namespace == BPMN and child.name in _GROUPS.get(name, {name})
