"""
What the XML schema of BPMN 2.0 says about the elements that the embedded engine reads.

Elements that it refuses anyway, and what is only drawn, are not looked into.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from camunda_ext.testing.bpmn.xml import Element

BPMN: Final = "http://www.omg.org/spec/BPMN/20100524/MODEL"
#: Namespaces of what is only drawn: diagrams, and the bounds and lines in them.
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

#: What may stand where the schema has only a name for a group.
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


#: Each element that is looked into; all of them may have an id.
_ELEMENTS: Final[Mapping[str, _Type]] = {
    "association": _Type(
        _BASE,
        "sourceRef:QName! targetRef:QName! associationDirection:tAssociationDirection",
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
#: What a value must look like, and what the schema calls it when it does not.
_PATTERNS: Final[Mapping[str, tuple[str, str]]] = {
    "ID": (_NAME, "NCName"),
    "IDREF": (_NAME, "NCName"),
    "QName": (f"({_NAME}:)?{_NAME}", "QName"),
    "boolean": ("true|false|1|0", "boolean"),
    "integer": (r"[+-]?[0-9]+", "integer"),
}
_ENUMERATIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "tAssociationDirection": ("None", "One", "Both"),
    "tGatewayDirection": ("Unspecified", "Converging", "Diverging", "Mixed"),
    "tProcessType": ("None", "Public", "Private"),
}


@attrs.frozen
class Problem:
    """
    What is wrong with a model, and where.
    """

    message: str
    line: int
    column: int
    main_element_id: str | None = None
    element_ids: tuple[str, ...] = ()


def validate(root: Element) -> list[Problem]:
    """
    What the schema does not allow, in the engine's words and order.

    White space around ids, references and the like is removed from the tree on the way,
    which is what a parser does that knows the schema.
    """
    return list(_Validator().problems(root))


class _Validator:
    def __init__(self) -> None:
        self._ids: set[str] = set()
        # A dictionary keeps the order, and names each missing id once.
        self._references: dict[str, None] = {}

    def problems(self, root: Element) -> Iterator[Problem]:
        if (root.namespace, root.name) != (BPMN, "definitions"):
            yield _at_start(
                root, f"cvc-elt.1.a: Cannot find the declaration of element '{root.qualified}'."
            )
            return
        yield from self._element(root)
        for reference in self._references:
            if reference not in self._ids:
                yield _at_end(
                    root, f"cvc-id.1: There is no ID/IDREF binding for IDREF '{reference}'."
                )

    def _element(self, element: Element) -> Iterator[Problem]:
        known = _ELEMENTS.get(element.name) if element.namespace == BPMN else None
        yield from self._attributes(element, known)
        if element.namespace == BPMN and element.name == "extensionElements":
            yield from _extension_elements(element)
            return
        misfit = None if known is None else _first_misfit(element, known.content)
        for child in element.children:
            if misfit is not None and child is misfit[0]:
                yield misfit[1]
            yield from self._element(child)
        if known is not None and element.text.strip():
            yield _at_end(
                element,
                f"cvc-complex-type.2.3: Element '{element.qualified}' cannot have character "
                "[children], because the type's content type is element-only.",
            )
        if element.namespace == BPMN:
            yield from self._text(element)

    def _text(self, element: Element) -> Iterator[Problem]:
        text = " ".join(element.text.split())
        if element.name == "flowNodeRef":
            self._references[text] = None
        elif element.name in ("incoming", "outgoing"):
            wrong = _wrong(text, "QName")
            if wrong is not None:
                yield _at_end(element, wrong)
                yield _at_end(
                    element,
                    f"cvc-type.3.1.3: The value '{text}' of element '{element.qualified}' is not "
                    "valid.",
                )

    def _attributes(self, element: Element, known: _Type | None) -> Iterator[Problem]:
        declared = "" if known is None else known.attributes
        types = {"id": "ID"} if element.namespace in {BPMN, *_DIAGRAM} else {}
        for entry in declared.split():
            name, type_ = entry.rstrip("!").split(":")
            types[name] = type_
        for (namespace, name), value in tuple(element.attributes.items()):
            if namespace:
                continue
            if name in types:
                yield from self._value(element, name, value, types[name])
            elif known is not None:
                yield _at_start(
                    element,
                    f"cvc-complex-type.3.2.2: Attribute '{name}' is not allowed to appear in "
                    f"element '{element.qualified}'.",
                )
        for entry in declared.split():
            name = entry.split(":")[0]
            if entry.endswith("!") and element.get(name) is None:
                yield _at_start(
                    element,
                    f"cvc-complex-type.4: Attribute '{name}' must appear on element "
                    f"'{element.qualified}'.",
                )

    def _value(self, element: Element, name: str, value: str, type_: str) -> Iterator[Problem]:
        if type_ == "string":
            return
        value = " ".join(value.split())
        element.attributes["", name] = value
        wrong = _wrong(value, type_)
        if wrong is None and type_ == "ID":
            if value in self._ids:
                wrong = f"cvc-id.2: There are multiple occurrences of ID value '{value}'."
            self._ids.add(value)
        elif wrong is None and type_ == "IDREF":
            self._references[value] = None
        if wrong is not None:
            yield _at_start(element, wrong)
            yield _at_start(
                element,
                f"cvc-attribute.3: The value '{value}' of attribute '{name}' on element "
                f"'{element.qualified}' is not valid with respect to its type, '{type_}'.",
            )


def _wrong(value: str, type_: str) -> str | None:
    if type_ in _ENUMERATIONS:
        allowed = _ENUMERATIONS[type_]
        if value not in allowed:
            return (
                f"cvc-enumeration-valid: Value '{value}' is not facet-valid with respect to "
                f"enumeration '[{', '.join(allowed)}]'. It must be a value from the enumeration."
            )
        return None
    pattern, name = _PATTERNS[type_]
    if not re.fullmatch(pattern, value):
        return f"cvc-datatype-valid.1.2.1: '{value}' is not a valid value for '{name}'."
    return None


def _first_misfit(parent: Element, content: str) -> tuple[Element, Problem] | None:
    # The schema's content is a sequence of things that may all be absent. So what is expected
    # after a child is the same again if it may repeat, and all that follows in the sequence.
    particles = content.split()
    for child in parent.children:
        found = next((at for at, each in enumerate(particles) if _fits(child, each)), None)
        if found is None:
            return child, _unexpected(child, [_expected_name(each) for each in particles])
        particles = particles[found if particles[found].endswith("*") else found + 1 :]
    return None


def _fits(child: Element, particle: str) -> bool:
    name = particle[:-1]
    if name == "BPMNDiagram":
        return child.name == name and child.namespace in _DIAGRAM
    return child.namespace == BPMN and child.name in _GROUPS.get(name, {name})


def _expected_name(particle: str) -> str:
    name = particle[:-1]
    namespace = "http://www.omg.org/spec/BPMN/20100524/DI" if name == "BPMNDiagram" else BPMN
    return f'"{namespace}":{name}'


def _extension_elements(element: Element) -> Iterator[Problem]:
    for child in element.children:
        if child.namespace in ("", BPMN):
            yield _unexpected(child, [f'WC[##other:"{BPMN}"]'])
            return


def _unexpected(child: Element, expected: list[str]) -> Problem:
    if not expected:
        return _at_start(
            child,
            "cvc-complex-type.2.4.d: Invalid content was found starting with element "
            f"'{child.qualified}'. No child element is expected at this point.",
        )
    name = f'{{"{child.namespace}":{child.name}}}' if child.namespace else child.name
    return _at_start(
        child,
        f"cvc-complex-type.2.4.a: Invalid content was found starting with element '{name}'. "
        f"One of '{{{', '.join(expected)}}}' is expected.",
    )


def _at_start(element: Element, message: str) -> Problem:
    return Problem(message, element.line, element.column)


def _at_end(element: Element, message: str) -> Problem:
    return Problem(message, element.end_line, element.end_column)
