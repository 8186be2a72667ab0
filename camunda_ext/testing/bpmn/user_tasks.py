"""
What stands in a user task: forms, which the engine looks at when it deploys, and what it evaluates
only when the task comes to be. A failure then is one of whoever completes the task before. What is
a variable and nothing else is evaluated here, too; any other expression is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from camunda_ext.testing.bpmn.extensions import (
    Unforeseen,
    attribute,
    extension,
    integer,
    is_extension,
)
from camunda_ext.testing.bpmn.findings import Findings, called
from camunda_ext.testing.bpmn.model import Evaluated
from camunda_ext.testing.bpmn.xml import Element

_TYPES: Final = ("string", "long", "date", "boolean", "enum")
_VALIDATORS: Final = (
    "validator",
    "required",
    "readonly",
    "min",
    "max",
    "minlength",
    "maxlength",
)
_NO_VALIDATOR: Final = (
    "validator configuration needs to provide either a fully qualified classname or an expression "
    "resolving to a custom FormFieldValidator implementation."
)
_BINDINGS: Final = ("deployment", "latest", "version")
#: A variable and nothing else.
_VARIABLE: Final = re.compile(r"[$#]\{\s*([A-Za-z_]\w*)\s*\}", re.ASCII)
#: Names that are none of variables.
_OF_THE_ENGINE: Final = ("execution", "task", "authenticatedUserId", "true", "false", "null")
#: Camunda's attributes that are evaluated.
_EVALUATED: Final = (
    "assignee",
    "candidateUsers",
    "candidateGroups",
    "dueDate",
    "followUpDate",
    "priority",
)
#: The letters of a pattern for dates.
_PATTERN: Final = "GyYMLwWDdFEuaHkKhmsSzZX"
_DURATION: Final = re.compile(
    r"P(?=.)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?"
)


def check(element: Element, findings: Findings) -> tuple[Evaluated, ...]:
    """
    Tell what is wrong with a user task, and give what is to be evaluated.
    """
    _check_form(element, findings)
    evaluated = []
    for what, text in _evaluated(element):
        variable = _VARIABLE.fullmatch(text)
        if variable is not None and variable[1] not in _OF_THE_ENGINE:
            evaluated.append(Evaluated(what=what, text=text, variable=variable[1]))
        elif "${" in text or "#{" in text:
            findings.refuse_expression(text, what, element)
    for name in ("dueDate", "followUpDate"):
        given = attribute(element, name)
        if given is not None and "{" not in given and not is_date(given):
            findings.refuse(
                f"{called(element)} with camunda:{name} '{given}', which is no date", element
            )
    priority = attribute(element, "priority")
    if priority is not None and "{" not in priority and integer(priority) is None:
        findings.refuse(
            f"{called(element)} with camunda:priority '{priority}', which is no whole number",
            element,
        )
    return tuple(evaluated)


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


def is_date(text: str) -> bool:
    """
    Tell whether a text is a moment or a duration, as the due date of a task may be.
    """
    if _DURATION.fullmatch(text):
        return True
    try:
        datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return False
    return True


def _check_form(element: Element, findings: Findings) -> None:
    reference, binding = attribute(element, "formRef"), attribute(element, "formRefBinding")
    if attribute(element, "formKey") is not None and reference is not None:
        findings.add(
            "Invalid element definition: only one of the attributes formKey and formRef is "
            "allowed.",
            element,
        )
    if reference is not None and binding not in _BINDINGS:
        findings.add(
            "Invalid element definition: value for formRefBinding attribute has to be one of "
            f"[{', '.join(_BINDINGS)}] but was {'null' if binding is None else binding}",
            element,
        )
    if binding == "version" and reference and attribute(element, "formRefVersion") is None:
        raise Unforeseen('Cannot invoke "String.length()" because "this.input" is null')
    form = extension(element, "formData")
    for field in form.children if form is not None else ():
        if field.name == "formField" and is_extension(field):
            _check_field(field, findings)


def _check_field(field: Element, findings: Findings) -> None:
    if not field.get("id"):
        findings.add(
            "attribute id must be set for FormFieldGroup and must have a non-empty value", field
        )
    kind = field.get("type")
    if kind is None:
        findings.add("form field must have a 'type' attribute", field)
    elif kind not in _TYPES:
        findings.add(f"unknown type '{kind}'", field)
    if kind == "date":
        unquoted = re.sub("'[^']*'", "", field.get("datePattern") or "")
        odd = next((one for one in unquoted if one.isalpha() and one not in _PATTERN), None)
        if odd is not None:
            raise Unforeseen(f"Illegal pattern character '{odd}'")
    for constraint in _within(field, "constraint"):
        name = constraint.get("name")
        if name not in _VALIDATORS:
            shown = "null" if name is None else name
            findings.add(f"Cannot find validator implementation for name '{shown}'.", constraint)
        elif name == "validator" and not constraint.get("config"):
            findings.add(_NO_VALIDATOR, constraint)
