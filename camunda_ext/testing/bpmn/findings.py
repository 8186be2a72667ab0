"""
The problems of a BPMN file, and the error that lists them.
"""

from __future__ import annotations

import re
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
from camunda_ext.testing.bpmn.model import Evaluated
from camunda_ext.testing.bpmn.xml import Element

#: An expression of a single variable.
_VARIABLE: Final = re.compile(r"[$#]\{\s*([A-Za-z_]\w*)\s*\}", re.ASCII)
#: Names in expressions that are no variables.
_OF_THE_ENGINE: Final = ("execution", "task", "authenticatedUserId", "true", "false", "null")

#: What to do about a problem that a real engine would not have.
_INSTEAD: Final = (
    "The embedded engine runs none start and end events, external tasks, user tasks, parallel "
    "gateways, sequence flows without conditions, and error boundary events on external tasks: "
    "deploy a model of these, or take a real engine"
)


@attrs.frozen
class Problem:
    """
    A problem of a model, and its place in the file.
    """

    message: str
    #: The line of the start tag, from 1.
    line: int
    #: The column of the start tag, from 1.
    column: int
    #: The ids of the element and of the one that contains it; the last is the main one.
    element_ids: tuple[str, ...]


class Findings:
    """
    The problems of a BPMN file: those that Camunda refuses as well, and those that only the
    embedded engine refuses.
    """

    def __init__(self) -> None:
        self._problems: list[Problem] = []
        self._has_refused = False

    def add(self, message: str, element: Element, owner: Element | None = None) -> None:
        """
        Add a problem of an element, or of the *owner* that contains it.
        """
        ids = [each.get("id") for each in (element, owner) if each is not None]
        known = tuple(id_ for id_ in ids if id_)
        self._problems.append(Problem(message, element.line, element.column, known))

    def refuse(self, what: str, element: Element, owner: Element | None = None) -> None:
        """
        Add a problem that a real engine would not have, as it would run *what*.
        """
        self._has_refused = True
        self.add(f"The embedded engine does not run {what}", element, owner)

    def refuse_in(self, owner: Element, element: Element, but: str = "") -> None:
        """
        As `refuse()`, for an element in another one.
        """
        self.refuse(f"{tag(element)}{but} in {called(owner)}", element, owner)

    def refuse_attribute(self, element: Element, name: str) -> None:
        """
        As `refuse()`, for an attribute.
        """
        self.refuse(f"the attribute {name} of {called(element)}", element)

    def evaluated(self, text: str, what: str, element: Element) -> Evaluated | None:
        """
        The expression in a text; ``None`` if the text is constant. An expression that is more than
        a single variable is refused.
        """
        variable = _VARIABLE.fullmatch(text)
        if variable is not None and variable[1] not in _OF_THE_ENGINE:
            return Evaluated(what=what, text=text, variable=variable[1])
        if is_expression(text):
            where = f"{what} of {called(element)}"
            self.refuse(
                f"the expression '{text}' as {where}; it evaluates single variables only", element
            )
        return None

    def only(self, elements: list[Element], owner: Element) -> Element | None:
        """
        The first of several elements of the same name; ``None`` if there is none. Each further one
        is a problem.
        """
        for another in elements[1:]:
            self.add(f"{called(owner)} has more than one {tag(another)}", another, owner)
        return elements[0] if elements else None

    def extension(self, element: Element, name: str) -> Element | None:
        """
        The extension element of a name; ``None`` if there is none. Each further one is a problem.
        """
        return self.only([each for each in extensions(element) if each.name == name], element)

    def priority(self, element: Element, name: str) -> int | Evaluated | None:
        """
        The number in an attribute of Camunda, or its expression; ``None`` if there is none. Any
        other text is a problem.
        """
        text = attribute(element, name)
        number = None if text is None else integer(text)
        if text is None or number is not None:
            return number
        if not is_expression(text):
            self.add(f"camunda:{name} of {called(element)} is no whole number: '{text}'", element)
        elif name == "taskPriority":  # The priority of jobs has no effect here.
            return self.evaluated(text, f"camunda:{name}", element)
        return None

    @property
    def messages(self) -> list[str]:
        """
        The problems, each with its line.
        """
        return [f"{each.message} (line {each.line})" for each in self._problems]

    def ensure_none(self, resource: str) -> None:
        """
        Refuse the file if it has problems.

        Raises:
            EngineError: The file has problems. The error has the form of Camunda's answer, but
                other messages.
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
