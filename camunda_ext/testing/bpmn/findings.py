"""
What is found to be wrong with a BPMN file.
"""

from __future__ import annotations

from collections.abc import Sequence

from camunda_ext.testing._errors import EngineError
from camunda_ext.testing.bpmn.extensions import attribute, integer, is_extension
from camunda_ext.testing.bpmn.schema import Problem
from camunda_ext.testing.bpmn.xml import Element


class Findings:
    """
    The problems of a file, as they are found: the engine's own, and what is refused only here.
    """

    def __init__(self, problems: list[Problem]) -> None:
        self._problems = problems
        #: Whether there is something that only this engine refuses.
        self.has_refused = False

    def add(self, message: str, element: Element, owner: str | None = None) -> None:
        """
        A problem with an element, or with the *owner* in which it stands.
        """
        ids = tuple(id_ for id_ in (element.get("id"), owner) if id_)
        main = ids[-1] if ids else None
        self._problems.append(Problem(message, element.line, element.column, main, ids))

    def refuse(self, what: str, element: Element, owner: str | None = None) -> None:
        """
        What a real engine would run.
        """
        self.has_refused = True
        self.add(f"The embedded engine does not run {what}", element, owner)

    def refuse_in(self, owner: Element, element: Element, but: str = "") -> None:
        """
        The same for an element in another one.
        """
        prefix = "camunda:" if is_extension(element) else ""
        what = f"<{prefix}{element.name}>{but} in {called(owner)}"
        self.refuse(what, element, owner.get("id"))

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

    def priority(self, element: Element, name: str) -> int | None:
        """
        The number in an attribute, where it is one.
        """
        given = attribute(element, name)
        if given is None:
            return None
        number = integer(given)
        if number is not None:
            return number
        if not given.strip().startswith(("${", "#{")):
            self.add(f"Value '{given}' for attribute '{name}' is not a valid number", element)
        elif name == "taskPriority":  # That of jobs does not matter: nothing here is a job.
            self.refuse_expression(given, "camunda:taskPriority", element)
        return None


def called(element: Element) -> str:
    """
    An element, as messages call it.
    """
    id_ = element.get("id")
    return f"<{element.name}>" if id_ is None else f"<{element.name}> '{id_}'"


def parse_exception(
    resource: str, problems: Sequence[Problem], instead: str | None = None
) -> EngineError:
    """
    The engine's answer to a file with problems, and what to do *instead*, if that is not plain.
    """
    lines = [
        f"\n* {problem.message} | resource {resource}"
        f" | line {problem.line} | column {problem.column}"
        for problem in problems
    ]
    errors = [
        {
            "message": problem.message,
            "line": problem.line,
            "column": problem.column,
            "mainElementId": problem.main_element_id,
            # The first letter is a Cyrillic one in Camunda's answers, and so it is here.
            "\u0435lementIds": list(problem.element_ids),
        }
        for problem in problems
    ]
    return EngineError(
        400,
        "ParseException",
        f"ENGINE-09005 Could not parse BPMN process. Errors: {''.join(lines)}"
        + (f"\n{instead}" if instead else ""),
        0,
        details={resource: {"errors": errors, "warnings": []}},
    )
