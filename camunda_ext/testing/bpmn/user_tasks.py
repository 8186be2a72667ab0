"""
Checks of user tasks: their forms, which the engine checks at the deployment, and their expressions,
which it evaluates when the task is created. An error of an expression fails the command that has
completed the task before. Expressions of a single variable are evaluated here as well; all others
are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final

from camunda_ext.testing.bpmn.extensions import (
    attribute,
    called,
    integer,
    is_extension,
)
from camunda_ext.testing.bpmn.findings import Findings
from camunda_ext.testing.bpmn.model import Evaluated
from camunda_ext.testing.bpmn.xml import Element

_TYPES: Final = ("string", "long", "date", "boolean", "enum")
_VALIDATORS: Final = ("validator", "required", "readonly", "min", "max", "minlength", "maxlength")
_BINDINGS: Final = ("deployment", "latest", "version")
#: Camunda's attributes that may have expressions.
_EVALUATED: Final = (
    "assignee",
    "candidateUsers",
    "candidateGroups",
    "dueDate",
    "followUpDate",
    "priority",
)
#: The letters that a pattern for dates may have.
_PATTERN: Final = "GyYMLwWDdFEuaHkKhmsSzZX"
_DURATION: Final = re.compile(
    r"P(?=.)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?"
)


def is_date(text: str) -> bool:
    """
    Whether a text is a date or a duration in ISO 8601, as the due date of a task must be.
    """
    if _DURATION.fullmatch(text):
        return True
    try:
        datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return False
    return True


#: The attributes to check if they have no expression: name, what it must be, and the check.
_CONSTANTS: Final[Sequence[tuple[str, str, Callable[[str], bool]]]] = (
    ("dueDate", "date", is_date),
    ("followUpDate", "date", is_date),
    ("priority", "whole number", lambda text: integer(text) is not None),
)


def check(element: Element, findings: Findings) -> tuple[Evaluated, ...]:
    """
    The expressions of a user task. Its problems are added to the *findings*.
    """
    _check_form(element, findings)
    expressions = [findings.evaluated(text, what, element) for what, text in _evaluated(element)]
    for name, kind, is_valid in _CONSTANTS:
        constant = attribute(element, name)
        if constant is not None and "{" not in constant and not is_valid(constant):
            what = f"{called(element)} with camunda:{name} '{constant}', which is no {kind}"
            findings.refuse(what, element)
    return tuple(expression for expression in expressions if expression is not None)


def _evaluated(element: Element) -> Iterator[tuple[str, str]]:
    yield "name", element.get("name") or ""
    for name in _EVALUATED:
        yield f"camunda:{name}", attribute(element, name) or ""
    for child in element.children:
        if child.name == "documentation":
            yield "documentation", child.text
        if child.name in ("humanPerformer", "potentialOwner"):
            for expression in _within(child, "formalExpression"):
                yield child.name, expression.text


def _within(element: Element, name: str) -> Iterator[Element]:
    for child in element.children:
        if child.name == name:
            yield child
        yield from _within(child, name)


def _check_form(element: Element, findings: Findings) -> None:
    reference, binding = attribute(element, "formRef"), attribute(element, "formRefBinding")
    task = called(element)
    if reference is not None:
        if attribute(element, "formKey") is not None:
            findings.add(f"{task} has both camunda:formKey and camunda:formRef", element)
        if binding not in _BINDINGS:
            message = f"{task} needs a camunda:formRefBinding of {', '.join(_BINDINGS)}"
            findings.add(message, element)
        if binding == "version" and attribute(element, "formRefVersion") is None:
            findings.add(f"{task} has no camunda:formRefVersion", element)
    form = findings.extension(element, "formData")
    for field in form.children if form is not None else ():
        if field.name == "formField" and is_extension(field):
            _check_field(field, findings)


def _check_field(field: Element, findings: Findings) -> None:
    if not field.get("id"):
        findings.add(f"{called(field)} has no id", field)
    kind = field.get("type")
    if kind not in _TYPES:
        findings.add(f"{called(field)} needs a type of {', '.join(_TYPES)}", field)
    unquoted = re.sub("'[^']*'", "", field.get("datePattern") or "")
    if kind == "date" and any(each.isalpha() and each not in _PATTERN for each in unquoted):
        findings.add(f"The datePattern of {called(field)} is none of dates", field)
    for constraint in _within(field, "constraint"):
        if constraint.get("name") not in _VALIDATORS:
            names = ", ".join(_VALIDATORS)
            findings.add(f"A constraint of {called(field)} needs a name of {names}", constraint)
        elif constraint.get("name") == "validator" and not constraint.get("config"):
            findings.add(f"The validator of {called(field)} has no config", constraint)
