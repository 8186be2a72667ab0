"""
A BPMN file as the processes that the embedded engine runs.

It runs a part of BPMN. What is only there to be read or drawn is ignored; everything else is
refused when it is deployed, so that no process runs otherwise than it would in a real engine.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

import attrs

from camunda_ext.testing.bpmn import schema, user_tasks
from camunda_ext.testing.bpmn.extensions import attribute, called, integer
from camunda_ext.testing.bpmn.external import External, read_external
from camunda_ext.testing.bpmn.findings import Findings
from camunda_ext.testing.bpmn.model import Boundary, Evaluated, Kind, Node, Process
from camunda_ext.testing.bpmn.refusals import refuse_extensions, refuse_what_changes
from camunda_ext.testing.bpmn.xml import Element, read

__all__ = ["Boundary", "Node", "Process", "parse"]

_KINDS: Final[Mapping[str, Kind]] = {
    "startEvent": "start",
    "endEvent": "end",
    "userTask": "user",
    "parallelGateway": "parallel",
    "serviceTask": "external",
    "sendTask": "external",
    "businessRuleTask": "external",
}
#: Flow elements that are read after the steps.
_BETWEEN_STEPS: Final = ("boundaryEvent", "sequenceFlow")
#: Flow elements that nothing flows through.
_DATA: Final = ("dataObject", "dataObjectReference", "dataStoreReference")


def parse(
    resource: str, content: bytes, *, requires_time_to_live: bool = True
) -> tuple[Process, ...]:
    """
    The executable processes of a BPMN file.

    Args:
        resource: The name of the file.

        requires_time_to_live: Whether a process must say how long its history is kept.

    Raises:
        EngineError: The file is no XML, no BPMN, or no BPMN that the embedded engine runs.
            It tells all problems at once.
    """
    root = read(resource, content)
    findings = Findings()
    ids = schema.validate(root, findings)
    processes = _processes(root, ids, findings, requires_time_to_live)
    findings.ensure_none(resource)
    return processes


def _processes(
    root: Element, ids: Collection[str], findings: Findings, requires_time_to_live: bool
) -> tuple[Process, ...]:
    if root.name != "definitions":
        return ()
    for element in root.all("import"):
        findings.refuse_in(root, element)
    error_codes: dict[str, str | None] = {}
    for element in root.all("error"):
        id_ = element.get("id")
        if id_ is None:
            findings.add("<error> has no id", element)
        else:
            error_codes[id_] = element.get("errorCode")
    read_processes = [
        _Reader(element, findings, error_codes, ids).process(requires_time_to_live)
        for element in root.all("process")
        # "1" is true for the schema, but not for the engine.
        if element.get("isExecutable") == "true"
    ]
    return tuple(process for process in read_processes if process is not None)


@attrs.define(eq=False)
class _Step:
    """
    A node whose sequence flows are not all known yet.
    """

    element: Element
    external: External | None
    evaluated: tuple[Evaluated, ...]
    outgoing: list[str] = attrs.field(factory=list)
    incoming: int = 0


@attrs.define(eq=False)
class _Catch:
    """
    A boundary event whose sequence flows are not all known yet.
    """

    host: str
    definition: Element
    outgoing: list[str] = attrs.field(factory=list)


class _Reader:
    """
    Reads one process.
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
        """
        The process, unless it can have none for what is wrong with it.
        """
        element, findings = self._element, self._findings
        findings.priority(element, "jobPriority")
        priority = findings.priority(element, "taskPriority") or 0
        time_to_live = self._time_to_live(requires_time_to_live)
        key = self._id(element)
        start = self._start_event()
        self._read_steps(element, is_run=True)
        for boundary in element.all("boundaryEvent"):
            self._read_boundary(boundary)
        for flow in element.all("sequenceFlow"):
            self._read_flow(flow)
        refuse_extensions(element, findings)
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

    def _id(self, element: Element) -> str | None:
        id_ = element.get("id")
        if id_ is None:
            self._findings.refuse(f"{called(element)} without an id", element)
        return id_

    def _time_to_live(self, required: bool) -> int | None:
        text = attribute(self._element, "historyTimeToLive")
        named = f"camunda:historyTimeToLive of {called(self._element)}"
        if text:
            iso = re.search("^P([0-9]+)D$", text)
            days = integer(iso[1] if iso else text)
            if days is not None and days >= 0:
                return days
            self._findings.add(f"{named} is no number of days: '{text}'", self._element)
        elif required:
            self._findings.add(
                f'{named} is missing: say how long the history is kept, such as "P180D", or make '
                "the engine with history_time_to_live",
                self._element,
            )
        return None

    def _start_event(self) -> str | None:
        starts = self._element.all("startEvent")
        if not starts:
            self._findings.add(f"{called(self._element)} has no start event", self._element)
        for another in starts[1:]:
            message = f"{called(self._element)} has more than one start event"
            self._findings.add(message, another, self._element)
        return starts[0].get("id") if starts else None

    def _read_steps(self, scope: Element, *, is_run: bool) -> None:
        """
        Read the steps of the process, or of a sub process: it is refused, but whoever takes it out
        is to know all at once.
        """
        for child in scope.children:
            if child.name in _KINDS:
                self._read_step(child, is_run=is_run)
            elif child.name in _BETWEEN_STEPS:
                if not is_run:
                    caught = child.all("errorEventDefinition")
                    refuse_what_changes(child, self._findings, but=caught)
            elif child.name in schema.FLOW_ELEMENTS and child.name not in _DATA:
                self._findings.refuse(called(child), child)
                self._refused.add(child.get("id") or "")
                self._read_steps(child, is_run=False)

    def _read_step(self, element: Element, *, is_run: bool) -> None:
        findings, id_ = self._findings, self._id(element)
        kind = _KINDS[element.name]
        findings.priority(element, "jobPriority")
        external = read_external(element, findings) if kind == "external" else None
        evaluated = user_tasks.check(element, findings) if kind == "user" else ()
        refuse_what_changes(element, findings)
        if is_run and id_ is not None:
            self._steps[id_] = _Step(element, external, evaluated)

    def _read_boundary(self, element: Element) -> None:
        findings, id_ = self._findings, self._id(element)
        definitions = element.all("errorEventDefinition")
        definition = findings.only(definitions, element)
        host = element.get("attachedToRef") or ""
        findings.priority(element, "jobPriority")
        if host in self._steps:
            hosting = self._steps[host].element
            if _KINDS[hosting.name] != "external":
                findings.refuse(f"{called(element)} on {called(hosting)}", element)
        elif host not in self._refused:
            message = f"{called(element)} is attached to no step of its process, but to '{host}'"
            findings.add(message, element)
        refuse_what_changes(element, findings, but=definitions)
        if not any(child.name in schema.EVENT_DEFINITIONS for child in element.children):
            findings.add(f"{called(element)} has no event definition", element)
        if id_ is not None and definition is not None:
            self._catches[id_] = _Catch(host, definition)
        elif id_ is not None:
            self._refused.add(id_)

    def _read_flow(self, element: Element) -> None:
        findings = self._findings
        known = {*self._steps, *self._catches, *self._refused}
        source, target = (element.get(name) or "" for name in ("sourceRef", "targetRef"))
        for name, reference in (("source", source), ("target", target)):
            # What is no id at all has been found already.
            if reference not in known and reference in self._ids:
                message = f"The {name} of {called(element)} is no step of its process: "
                findings.add(f"{message}'{reference}'", element)
        if target in self._catches:
            findings.refuse(f"{called(element)} to boundary event '{target}'", element)
        leaving = self._steps.get(source) or self._catches.get(source)
        if leaving is not None:
            leaving.outgoing.append(target)
        if target in self._steps:
            self._steps[target].incoming += 1
        refuse_what_changes(element, findings)

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
        boundaries = [
            self._boundary(id_, catch) for id_, catch in self._catches.items() if catch.host == host
        ]
        # The engine asks those for one code first, wherever they stand in the file.
        return tuple(sorted(boundaries, key=lambda boundary: boundary.error_code is None))

    def _boundary(self, id_: str, catch: _Catch) -> Boundary:
        reference = catch.definition.get("errorRef")
        return Boundary(
            id=id_,
            # A reference to no error of the file is itself the code.
            error_code=None if reference is None else self._error_codes.get(reference, reference),
            code_variable=attribute(catch.definition, "errorCodeVariable"),
            message_variable=attribute(catch.definition, "errorMessageVariable"),
            outgoing=tuple(catch.outgoing),
        )
