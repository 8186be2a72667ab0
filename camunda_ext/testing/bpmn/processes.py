"""
Parses a BPMN file into the processes that the embedded engine runs.

The engine runs a part of BPMN. Elements that are only documentation or drawing are ignored. All
others are refused at the deployment, so that no process runs differently than in a real engine.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from typing import Final

from camunda_ext.testing.bpmn import schema, user_tasks
from camunda_ext.testing.bpmn.errors import ErrorCodes, error_catch, error_codes
from camunda_ext.testing.bpmn.extensions import attribute, called, integer
from camunda_ext.testing.bpmn.external import external_task
from camunda_ext.testing.bpmn.findings import Findings
from camunda_ext.testing.bpmn.model import ErrorCatch, Evaluated, Kind, Node, Process
from camunda_ext.testing.bpmn.refusals import refuse_extensions, refuse_what_changes
from camunda_ext.testing.bpmn.xml import Element, read

__all__ = ["ErrorCatch", "Node", "Process", "parse"]

_KINDS: Final[Mapping[str, Kind]] = {
    "startEvent": "start",
    "endEvent": "end",
    "userTask": "user",
    "parallelGateway": "parallel",
    "serviceTask": "external",
    "sendTask": "external",
    "businessRuleTask": "external",
}
_BETWEEN_STEPS: Final = frozenset({"boundaryEvent", "sequenceFlow"})
_DATA: Final = frozenset({"dataObject", "dataObjectReference", "dataStoreReference"})
#: Flow elements that sequence flows may lead to, whether the engine runs or refuses them.
_STEPS: Final = schema.FLOW_ELEMENTS - _BETWEEN_STEPS - _DATA


def parse(
    resource: str, content: bytes, *, requires_time_to_live: bool = True
) -> tuple[Process, ...]:
    """
    The executable processes of a BPMN file.

    Args:
        resource: The name of the file.

        content: The contents of the file.

        requires_time_to_live: Whether a process must say for how long its history is kept.

    Raises:
        EngineError: The file is no XML, no BPMN, or has elements that the embedded engine does not
            run. The error lists all problems.
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
    codes = error_codes(root, findings)
    read_processes = [
        _Reader(element, findings, codes, ids).process(requires_time_to_live)
        for element in root.all("process")
        # "1" is true for the schema, but not for the engine.
        if element.get("isExecutable") == "true"
    ]
    return tuple(process for process in read_processes if process is not None)


class _Reader:
    """
    Reads a process of a file.
    """

    def __init__(
        self,
        element: Element,
        findings: Findings,
        codes: ErrorCodes,
        ids: Collection[str],
    ) -> None:
        self._element = element
        self._findings = findings
        self._codes = codes
        self._ids = ids
        #: The steps by id, also those that are refused, so that flows to them are no problem.
        self._steps = {child.get("id"): child for child in element.children if child.name in _STEPS}
        self._catches = {boundary.get("id") for boundary in element.all("boundaryEvent")}
        self._caught: dict[str, list[ErrorCatch]] = defaultdict(list)
        #: The targets of the sequence flows, by the id of their source.
        self._targets: dict[str | None, list[str]] = defaultdict(list)
        for flow in element.all("sequenceFlow"):
            self._targets[flow.get("sourceRef")].append(flow.get("targetRef") or "")
        self._incoming = Counter(flow.get("targetRef") for flow in element.all("sequenceFlow"))

    def process(self, requires_time_to_live: bool) -> Process | None:
        """
        The process; ``None`` if it has no id or no start event. Problems are added to the findings.
        """
        element, findings = self._element, self._findings
        findings.priority(element, "jobPriority")
        priority = findings.priority(element, "taskPriority") or 0
        time_to_live = self._time_to_live(requires_time_to_live)
        key = self._id(element)
        start = self._start_event()
        for boundary in element.all("boundaryEvent"):
            self._read_boundary(boundary)
        nodes = self._nodes(element, priority)
        for flow in element.all("sequenceFlow"):
            self._check_flow(flow)
        refuse_extensions(element, findings)
        if not key or start is None:
            return None
        return Process(
            key=key,
            name=element.get("name"),
            version_tag=attribute(element, "versionTag"),
            time_to_live=time_to_live,
            nodes={node.id: node for node in nodes},
            start=start,
        )

    def _id(self, element: Element) -> str:
        id_ = element.get("id")
        if id_ is None:
            self._findings.refuse(f"{called(element)} without an id", element)
        return id_ or ""

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

    def _nodes(self, scope: Element, priority: int | Evaluated) -> list[Node]:
        """
        The nodes of the process. Subprocesses are refused, but their elements are checked as well,
        so that a user who moves them out of the subprocess knows all problems at once.
        """
        nodes = []
        for child in scope.children:
            if child.name in _KINDS:
                nodes.append(self._node(child, priority))
            elif child.name in _STEPS:
                self._findings.refuse(called(child), child)
                self._nodes(child, priority)
            elif child.name in _BETWEEN_STEPS and scope is not self._element:
                caught = child.all("errorEventDefinition")
                refuse_what_changes(child, self._findings, but=caught)
        return nodes

    def _node(self, element: Element, process_priority: int | Evaluated) -> Node:
        findings, id_, kind = self._findings, self._id(element), _KINDS[element.name]
        findings.priority(element, "jobPriority")
        refuse_what_changes(element, findings)
        # The engine tries those for one code first, whatever their order in the file.
        catches = sorted(self._caught[id_], key=lambda each: each.error_code is None)
        node = Node(
            id=id_,
            kind=kind,
            name=element.get("name"),
            # Flows from an end event have no effect.
            outgoing=() if kind == "end" else tuple(self._targets[id_]),
            incoming=self._incoming[id_],
            evaluated=user_tasks.check(element, findings) if kind == "user" else (),
            catches=tuple(catches),
        )
        if kind != "external":
            return node
        return external_task(node, element, findings, process_priority=process_priority)

    def _read_boundary(self, element: Element) -> None:
        findings, id_ = self._findings, self._id(element)
        definitions = element.all("errorEventDefinition")
        definition = findings.only(definitions, element)
        findings.priority(element, "jobPriority")
        host = element.get("attachedToRef") or ""
        step = self._steps.get(host)
        if step is None:
            message = f"{called(element)} is attached to no step of its process, but to '{host}'"
            findings.add(message, element)
        elif _KINDS.get(step.name, "external") != "external":
            findings.refuse(f"{called(element)} on {called(step)}", element)
        refuse_what_changes(element, findings, but=definitions)
        if not any(child.name in schema.EVENT_DEFINITIONS for child in element.children):
            findings.add(f"{called(element)} has no event definition", element)
        if definition is None:
            return
        outgoing = tuple(self._targets[id_])
        self._caught[host].append(error_catch(id_, definition, self._codes, outgoing=outgoing))

    def _check_flow(self, element: Element) -> None:
        findings = self._findings
        for name, end in (("sourceRef", "source"), ("targetRef", "target")):
            reference = element.get(name)
            is_known = reference in self._steps or reference in self._catches
            # That a reference is no id of the file is a problem that was found before.
            if not is_known and reference in self._ids:
                message = f"The {end} of {called(element)} is no step of its process: "
                findings.add(f"{message}'{reference}'", element)
        if element.get("targetRef") in self._catches:
            target = element.get("targetRef")
            findings.refuse(f"{called(element)} to boundary event '{target}'", element)
        refuse_what_changes(element, findings)
