"""
Reads the input parameters of external tasks.
"""

from __future__ import annotations

from camunda_ext.testing.bpmn.extensions import called, is_extension
from camunda_ext.testing.bpmn.findings import Findings
from camunda_ext.testing.bpmn.model import Constant, Evaluated
from camunda_ext.testing.bpmn.xml import Element


def inputs(element: Element, findings: Findings) -> dict[str, Constant | Evaluated]:
    """
    The values of the input parameters of a task, by name. Problems are added to the *findings*.
    """
    values: dict[str, Constant | Evaluated] = {}
    holder = findings.extension(element, "inputOutput")
    for each in [] if holder is None else holder.children:
        if not is_input(each):
            continue
        name = each.get("name")
        if name:
            reader = _Reader(f"input parameter '{name}'", element, findings)
            values[name] = reader.nested(each)
        else:
            findings.add(f"An input parameter of {called(element)} has no name", each, element)
    return values


def is_input(element: Element) -> bool:
    """
    Whether an element is an input parameter.
    """
    return is_extension(element) and element.name == "inputParameter"


class _Reader:
    """
    Reads an input parameter.

    Args:
        what: The parameter, as messages name it.

        owner: The task.

        findings: Where problems are added to.
    """

    def __init__(self, what: str, owner: Element, findings: Findings) -> None:
        self._what = what
        self._owner = owner
        self._findings = findings

    def nested(self, element: Element) -> Constant | Evaluated:
        """
        The value in an element: that of its only child, or its own text.
        """
        for another in element.children[1:]:
            message = f"{called(self._owner)} has more than one value in {self._what}"
            self._findings.add(message, another, self._owner)
        return self._value(element.children[0] if element.children else element)

    def _value(self, element: Element) -> Constant | Evaluated:
        # As in Camunda, the namespace does not matter, nor does the name of an element with text.
        if element.name == "list":
            return [self._constant(self._value(child), child) for child in element.children]
        if element.name == "map":
            entries = dict(self._entry(child) for child in element.all("entry"))
            return {key: entries[key] for key in sorted(entries)}  # Java makes a TreeMap of it.
        if element.name == "script":
            self._findings.refuse_in(self._owner, element, f" as {self._what}")
            return None
        text = element.text.strip()
        return self._findings.evaluated(text, self._what, self._owner) or text or None

    def _entry(self, element: Element) -> tuple[str, Constant]:
        key = element.get("key") or ""
        if not key:
            message = f"An entry in {self._what} of {called(self._owner)} has no key"
            self._findings.add(message, element, self._owner)
        self._constant(self._findings.evaluated(key, self._what, self._owner), element)
        return key, self._constant(self.nested(element), element)

    def _constant(self, value: Constant | Evaluated, element: Element) -> Constant:
        if not isinstance(value, Evaluated):
            return value
        what = f"the expression '{value.text}' in a list or map, as {self._what}"
        self._findings.refuse(f"{what} of {called(self._owner)}", element, self._owner)
        return None
