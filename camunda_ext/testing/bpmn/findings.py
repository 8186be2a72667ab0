"""
What is found to be wrong with a BPMN file.
"""

from __future__ import annotations

from typing import Final

import attrs

from camunda_ext.testing._errors import EngineError
from camunda_ext.testing.bpmn.extensions import (
    attribute,
    called,
    extensions,
    integer,
    is_expression,
    tag,
)
from camunda_ext.testing.bpmn.xml import Element

#: What to do about what only the embedded engine refuses.
_INSTEAD: Final = (
    "The embedded engine runs none start and end events, external tasks, user tasks, parallel "
    "gateways, sequence flows without conditions, and error boundary events on external tasks: "
    "deploy a model of these, or take a real engine"
)


@attrs.frozen
class Problem:
    """
    What is wrong with a model, and where.
    """

    message: str
    line: int
    column: int
    #: The ids of the element and of the one in which it stands; the last is the main one.
    element_ids: tuple[str, ...]


class Findings:
    """
    The problems of a file: what Camunda refuses as well, and what only the embedded engine does.
    """

    def __init__(self) -> None:
        self._problems: list[Problem] = []
        self._has_refused = False

    def add(self, message: str, element: Element, owner: Element | None = None) -> None:
        """
        Note a problem with an element, or with the *owner* in which it stands.
        """
        ids = [each.get("id") for each in (element, owner) if each is not None]
        known = tuple(id_ for id_ in ids if id_)
        self._problems.append(Problem(message, element.line, element.column, known))

    def refuse(self, what: str, element: Element, owner: Element | None = None) -> None:
        """
        Note something that a real engine would run.
        """
        self._has_refused = True
        self.add(f"The embedded engine does not run {what}", element, owner)

    def refuse_in(self, owner: Element, element: Element, but: str = "") -> None:
        """
        The same for an element that stands in another one.
        """
        self.refuse(f"{tag(element)}{but} in {called(owner)}", element, owner)

    def refuse_attribute(self, element: Element, name: str) -> None:
        """
        The same for an attribute.
        """
        self.refuse(f"the attribute {name} of {called(element)}", element)

    def refuse_expression(self, text: str, what: str, element: Element) -> None:
        """
        The same for a value that is known only when the process runs.
        """
        where = f"{what} of {called(element)}"
        self.refuse(f"the expression '{text}' as {where}; it runs constant text only", element)

    def only(self, elements: list[Element], owner: Element) -> Element | None:
        """
        The only one of elements of the same name, if there is one.
        """
        for another in elements[1:]:
            self.add(f"{called(owner)} has more than one {tag(another)}", another, owner)
        return elements[0] if elements else None

    def extension(self, element: Element, name: str) -> Element | None:
        """
        The only extension element of a name, if there is one.
        """
        return self.only([each for each in extensions(element) if each.name == name], element)

    def priority(self, element: Element, name: str) -> int | None:
        """
        The number in an attribute of Camunda, if it is one.
        """
        text = attribute(element, name)
        number = None if text is None else integer(text)
        if text is None or number is not None:
            return number
        if not is_expression(text):
            self.add(f"camunda:{name} of {called(element)} is no whole number: '{text}'", element)
        elif name == "taskPriority":  # That of jobs does not matter: nothing here is a job.
            self.refuse_expression(text, f"camunda:{name}", element)
        return None

    def ensure_none(self, resource: str) -> None:
        """
        Refuse the file, if there are problems with it.

        Raises:
            EngineError: There are. It has the form of Camunda's answer, and words of its own.
        """
        if not self._problems:
            return
        rows = [
            f"\n* {each.message} | resource {resource} | line {each.line} | column {each.column}"
            for each in self._problems
        ]
        errors = [
            {
                "message": each.message,
                "line": each.line,
                "column": each.column,
                "mainElementId": each.element_ids[-1] if each.element_ids else None,
                # The first letter is a Cyrillic one in Camunda's answers, and so it is here.
                "\u0435lementIds": list(each.element_ids),
            }
            for each in self._problems
        ]
        raise EngineError(
            400,
            "ParseException",
            f"ENGINE-09005 Could not parse BPMN process. Errors: {''.join(rows)}"
            + (f"\n{_INSTEAD}" if self._has_refused else ""),
            0,
            details={resource: {"errors": errors, "warnings": []}},
        )
