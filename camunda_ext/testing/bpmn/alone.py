"""
Reads one external task of a BPMN file, whatever else is in the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from camunda_ext.testing.bpmn.errors import ErrorCodes, error_catch, error_codes
from camunda_ext.testing.bpmn.extensions import attribute
from camunda_ext.testing.bpmn.external import external_task, implementation
from camunda_ext.testing.bpmn.findings import Findings
from camunda_ext.testing.bpmn.model import ErrorCatch, Node, Process
from camunda_ext.testing.bpmn.xml import Element, read

#: Elements that contain activities.
_SCOPES: Final = ("process", "subProcess", "transaction")

#: An activity after all the elements that contain it, from its process on.
Chain = tuple[Element, ...]


def parse_alone(resource: str, content: bytes, activity_id: str) -> Process:
    """
    A process that has only one external task of a file, and ends with it.

    Args:
        resource: The name of the file.

        content: The contents of the file.

        activity_id: The id of the task, or of a message event that is one.

    Raises:
        EngineError: The file is no XML.

        ValueError: The file has no such external task, or its topic, priority or input parameters
            are nothing that the embedded engine evaluates.
    """
    root = read(resource, content)
    chain = _chain(resource, root, activity_id)
    process, activity = chain[0], chain[-1]
    findings = Findings()
    key = process.get("id")
    if not key:
        findings.add("Its process has no id", process)
    node = Node(
        id=activity_id,
        kind="external",
        name=activity.get("name"),
        outgoing=(),
        incoming=0,
        catches=tuple(_catches(chain, error_codes(root, Findings()))),
    )
    priority = findings.priority(process, "taskPriority") or 0
    node = external_task(node, activity, findings, process_priority=priority)
    if key and not findings.messages:
        return Process(
            key=key,
            name=process.get("name"),
            version_tag=attribute(process, "versionTag"),
            time_to_live=None,
            nodes={activity_id: node},
            start=activity_id,
        )
    problems = "; ".join(findings.messages)
    raise ValueError(f"{resource}: activity {activity_id!r} cannot be made alone: {problems}")


def _chain(resource: str, root: Element, activity_id: str) -> Chain:
    chains = [(process, *rest) for process in root.all("process") for rest in _below(process)]
    found = [chain for chain in chains if chain[-1].get("id") == activity_id]
    if len(found) == 1 and implementation(found[0][-1]) is not None:
        return found[0]
    tasks = [repr(chain[-1].get("id")) for chain in chains if implementation(chain[-1]) is not None]
    if len(found) > 1:
        problem = f"more than one activity has the id {activity_id!r}"
    elif found:
        problem = f"activity {activity_id!r} is no external task"
    else:
        problem = f"there is no activity {activity_id!r}"
    raise ValueError(f"{resource}: {problem}; external tasks are: {', '.join(tasks) or 'none'}")


def _below(scope: Element) -> Iterator[Chain]:
    for child in scope.children:
        yield (child,)
        if child.name in _SCOPES:
            yield from ((child, *rest) for rest in _below(child))


def _catches(chain: Chain, codes: ErrorCodes) -> Iterator[ErrorCatch]:
    """
    The events that catch the errors of an activity, in the order in which Camunda tries them: from
    the activity outwards; of one scope, event subprocesses before boundary events, and those for
    one code before those for every code.
    """
    around = (None, *chain)
    for parent, scope in reversed(tuple(zip(around, chain, strict=False))):
        # An event subprocess does not catch what is thrown in it.
        within = [
            start
            for child in scope.all("subProcess")
            if child.get("triggeredByEvent") == "true" and child not in chain
            for start in child.all("startEvent")
        ]
        attached = [
            event
            for event in (() if parent is None else parent.all("boundaryEvent"))
            if event.get("attachedToRef") == scope.get("id")
        ]
        for events in (within, attached):
            yield from sorted(_of(events, codes), key=lambda each: each.error_code is None)


def _of(events: Sequence[Element], codes: ErrorCodes) -> Iterator[ErrorCatch]:
    for event in events:
        for definition in event.all("errorEventDefinition"):
            yield error_catch(event.get("id") or "", definition, codes)
