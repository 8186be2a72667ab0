"""
A BPMN file as the processes that the embedded engine runs.

It runs a part of BPMN. What is only there to be read or drawn is ignored; everything else is
refused when it is deployed, so that no process runs otherwise than it would in a real engine.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final

import attrs

from camunda_ext.testing._errors import failure
from camunda_ext.testing.bpmn import schema, user_tasks
from camunda_ext.testing.bpmn.extensions import Unforeseen, attribute, integer, only
from camunda_ext.testing.bpmn.external import External, read_external
from camunda_ext.testing.bpmn.findings import Findings, called, parse_exception
from camunda_ext.testing.bpmn.model import Boundary, Evaluated, Kind, Node, Process
from camunda_ext.testing.bpmn.refusals import refuse_extensions, refuse_what_changes
from camunda_ext.testing.bpmn.xml import Element, read

__all__ = ["Boundary", "Node", "Process", "parse"]

#: What to do about what is refused.
_INSTEAD: Final = (
    "The embedded engine runs none start and end events, external tasks, user tasks, parallel "
    "gateways, sequence flows without conditions, and error boundary events on external tasks: "
    "deploy a model of these, or take a real engine"
)
_BOUNDARY: Final = "boundaryEvent"
_KINDS: Final[Mapping[str, Kind]] = {
    "startEvent": "start",
    "endEvent": "end",
    "userTask": "user",
    "parallelGateway": "parallel",
    "serviceTask": "external",
    "sendTask": "external",
    "businessRuleTask": "external",
}
#: Flow elements that are read after the others, or that nothing flows through.
_NO_ACTIVITIES: Final = frozenset(
    {
        *("startEvent", "endEvent", "boundaryEvent", "sequenceFlow"),
        *("dataObject", "dataObjectReference", "dataStoreReference"),
    }
)

_NO_TIME_TO_LIVE: Final = (
    "ENGINE-12018 History Time To Live (TTL) cannot be null. TTL is necessary for the History "
    "Cleanup to work. The following options are possible:\n"
    "* Set historyTimeToLive in the model\n"
    "* Set a default historyTimeToLive as a global process engine configuration\n"
    "* (Not recommended) Deactivate the enforceTTL config to disable this check"
)


def parse(
    resource: str, content: bytes, *, requires_time_to_live: bool = True
) -> tuple[Process, ...]:
    """
    Read the executable processes of a BPMN file.

    Args:
        resource: The name of the file.

        requires_time_to_live: Whether a process must say how long its history is kept.

    Raises:
        EngineError: The file is no XML, no BPMN, or no BPMN that the embedded engine runs.
            All problems are told at once.
    """
    root = read(resource, content)
    problems = schema.validate(root)
    processes: tuple[Process, ...] = ()
    findings = Findings(problems)
    try:
        processes = _processes(root, findings, requires_time_to_live)
    except Unforeseen as unforeseen:
        # What was found before is told, and hides what the engine stumbled over.
        if not problems:
            message = f"ENGINE-01009 Error while parsing process. {unforeseen}."
            raise failure("ProcessEngineException", message) from None
    if problems:
        raise parse_exception(resource, problems, _INSTEAD if findings.has_refused else None)
    return processes


def _processes(
    root: Element, findings: Findings, requires_time_to_live: bool
) -> tuple[Process, ...]:
    if root.name != "definitions":
        return ()
    for element in root.all("import"):
        findings.refuse_in(root, element)
    error_codes: dict[str, str | None] = {}
    for element in root.all("error"):
        id_ = element.get("id")
        if id_ is None:
            findings.add("'id' is mandatory on error definition", element)
        else:
            error_codes[id_] = element.get("errorCode")
    ids = frozenset(_ids(root))
    found = [
        _Reader(element, findings, error_codes, ids).process(requires_time_to_live)
        for element in root.all("process")
        # "1" is true for the schema, but not for the engine.
        if element.get("isExecutable") == "true"
    ]
    return tuple(process for process in found if process is not None)


def _ids(element: Element) -> Iterable[str]:
    id_ = element.get("id")
    if id_ is not None:
        yield id_
    for child in element.children:
        yield from _ids(child)


@attrs.define(eq=False)
class _Step:
    """
    A node whose sequence flows are not all known yet.
    """

    element: Element
    external: External | None = None
    evaluated: tuple[Evaluated, ...] = ()
    outgoing: list[str] = attrs.field(factory=list)
    incoming: int = 0


@attrs.define(eq=False)
class _Catch:
    """
    The same for a boundary event.
    """

    host: str
    definition: Element
    outgoing: list[str] = attrs.field(factory=list)


class _Reader:
    """
    Reads one process, in the order in which the engine does: problems are told in that order.
    """

    def __init__(
        self,
        element: Element,
        findings: Findings,
        error_codes: Mapping[str, str | None],
        ids: Collection[str],
    ) -> None:
        self._element = element
        self._findings = findings
        self._error_codes = error_codes
        self._ids = ids
        self._steps: dict[str, _Step] = {}
        self._catches: dict[str, _Catch] = {}
        # Known so that a flow to a step that is refused is not refused once more.
        self._refused: set[str] = set()

    def process(self, requires_time_to_live: bool) -> Process | None:
        element, findings = self._element, self._findings
        findings.priority(element, "jobPriority")
        priority = findings.priority(element, "taskPriority") or 0
        time_to_live = self._time_to_live(requires_time_to_live)
        key = self._id(element)
        start = self._start_event()
        for child in element.children:
            self._activity(child)
        for end in element.all("endEvent"):
            self._step(end)
        for boundary in element.all("boundaryEvent"):
            self._boundary(boundary)
        for flow in element.all("sequenceFlow"):
            self._flow(flow)
        refuse_extensions(element, findings)
        for association in element.all("association"):
            self._association(association)
        if key is None or start is None:
            return None
        return Process(
            key=key,
            name=element.get("name"),
            version_tag=attribute(element, "versionTag"),
            time_to_live=time_to_live,
            nodes={id_: self._node(id_, step, priority) for id_, step in self._steps.items()},
            start=start,
        )

    def _time_to_live(self, required: bool) -> int | None:
        given = attribute(self._element, "historyTimeToLive")
        days = None
        message = None
        if given:
            iso = re.search("^P([0-9]+)D$", given)
            number = iso[1] if iso else given
            days = integer(number)
            if days is None:
                message = f'Cannot parse historyTimeToLive: For input string: "{number}"'
            elif days < 0:
                message = "Cannot parse historyTimeToLive: negative value is not allowed"
        elif required:
            message = _NO_TIME_TO_LIVE
        if message is not None:
            # The engine adds the message of the cause, which is the same.
            self._findings.add(f"{message}: {message}", self._element)
        return days

    def _start_event(self) -> str | None:
        starts = self._element.all("startEvent")
        if not starts:
            self._findings.add("process must define a startEvent element", self._element)
        for start in starts:
            self._step(start)
        for start in starts[1:]:
            self._findings.add(
                "multiple none start events or timer start events not supported on process "
                "definition",
                self._element,
                start.get("id"),
            )
        return starts[0].get("id") if starts else None

    def _activity(self, element: Element) -> None:
        if element.name not in schema.FLOW_ELEMENTS - _NO_ACTIVITIES:
            return
        if element.name in _KINDS:
            self._step(element)
        else:
            self._findings.refuse(called(element), element)
            self._refused.add(element.get("id") or "")
            self._look_into(element)

    def _look_into(self, element: Element) -> None:
        """
        Refuse what a sub process has in it, too: whoever takes it out is to know all at once.
        """
        for child in element.children:
            if child.name not in schema.FLOW_ELEMENTS:
                continue
            kind = _KINDS.get(child.name)
            if kind is None and child.name not in _NO_ACTIVITIES:
                self._findings.refuse(called(child), child)
                self._look_into(child)
                continue
            if kind == "external":
                read_external(child, self._findings)
            caught = only(child.all("errorEventDefinition")) if child.name == _BOUNDARY else None
            refuse_what_changes(child, self._findings, but=caught)

    def _id(self, element: Element) -> str | None:
        id_ = element.get("id")
        if id_ is None:
            self._findings.refuse(f"<{element.name}> without an id", element)
        return id_

    def _step(self, element: Element) -> None:
        id_ = self._id(element)
        self._findings.priority(element, "jobPriority")
        step = _Step(element)
        if _KINDS[element.name] == "external":
            step.external = read_external(element, self._findings)
        if element.name == "userTask":
            step.evaluated = user_tasks.check(element, self._findings)
        refuse_what_changes(element, self._findings)
        if id_ is not None:
            self._steps[id_] = step

    def _boundary(self, element: Element) -> None:
        findings = self._findings
        definition = only(element.all("errorEventDefinition"))
        host = element.get("attachedToRef") or ""
        if not host:
            findings.add("AttachedToRef is required when using a timerEventDefinition", element)
        id_ = self._id(element)
        findings.priority(element, "jobPriority")
        if host not in self._steps and host not in self._refused:
            findings.add(
                "Invalid reference in boundary event. Make sure that the referenced activity is "
                "defined in the same scope as the boundary event",
                element,
            )
            raise Unforeseen("a null pointer")
        refuse_what_changes(element, findings, but=definition)
        if not any(child.name in schema.EVENT_DEFINITIONS for child in element.children):
            findings.add("Unsupported boundary event type", element)
        if host in self._steps and _KINDS[self._steps[host].element.name] != "external":
            hosted = f"{called(element)} on {called(self._steps[host].element)}"
            findings.refuse(hosted, element)
        if id_ is not None and definition is not None:
            self._catches[id_] = _Catch(host, definition)
        elif id_ is not None:
            self._refused.add(id_)

    def _flow(self, element: Element) -> None:
        findings, id_ = self._findings, element.get("id") or "null"
        source, target = element.get("sourceRef"), element.get("targetRef")
        known = {*self._steps, *self._catches, *self._refused}
        if source not in known:
            findings.add(f"Invalid source '{source or 'null'}' of sequence flow '{id_}'", element)
        elif target not in known:
            findings.add(
                f"Invalid destination '{target or 'null'}' of sequence flow '{id_}'", element
            )
        elif target in self._catches:
            findings.refuse(f"{called(element)} to boundary event '{target}'", element)
        else:
            if source in self._steps:
                self._steps[source].outgoing.append(target)
            elif source in self._catches:
                self._catches[source].outgoing.append(target)
            if target in self._steps:
                self._steps[target].incoming += 1
        refuse_what_changes(element, findings)

    def _association(self, element: Element) -> None:
        ends = [(name, element.get(name)) for name in ("sourceRef", "targetRef")]
        for name, reference in ends:
            if reference is None:
                self._findings.add(f"association element missing attribute '{name}'", element)
        for name, reference in ends:
            if reference is not None and reference not in self._ids:
                self._findings.add(
                    f"Invalid reference {name} '{reference}' of association element ", element
                )
                return

    def _node(self, id_: str, step: _Step, default_priority: int) -> Node:
        kind, external = _KINDS[step.element.name], step.external
        node = Node(
            id=id_,
            kind=kind,
            name=step.element.get("name"),
            # Whatever flows from an end event, an end event ends.
            outgoing=() if kind == "end" else tuple(step.outgoing),
            incoming=step.incoming,
            evaluated=step.evaluated,
        )
        if external is None:
            return node
        return attrs.evolve(
            node,
            topic=external.topic,
            priority=default_priority if external.priority is None else external.priority,
            properties=external.properties,
            inputs=external.inputs,
            boundaries=self._boundaries_of(id_),
        )

    def _boundaries_of(self, host: str) -> tuple[Boundary, ...]:
        found = [
            self._boundary_of(id_, catch)
            for id_, catch in self._catches.items()
            if catch.host == host
        ]
        # The engine asks those for one code first, wherever they stand in the file.
        return tuple(sorted(found, key=lambda boundary: boundary.error_code is None))

    def _boundary_of(self, id_: str, catch: _Catch) -> Boundary:
        reference = catch.definition.get("errorRef")
        return Boundary(
            id=id_,
            # A reference to no error of the file is itself the code.
            error_code=None if reference is None else self._error_codes.get(reference, reference),
            code_variable=attribute(catch.definition, "errorCodeVariable"),
            message_variable=attribute(catch.definition, "errorMessageVariable"),
            outgoing=tuple(catch.outgoing),
        )
