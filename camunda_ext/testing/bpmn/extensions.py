"""
What Camunda adds to BPMN, in attributes and in extension elements.
"""

from __future__ import annotations

import re
from typing import Final

from camunda_ext.testing.bpmn.xml import Element

#: All of them mean the same; the last is what Camunda's predecessor used.
_NAMESPACES: Final = (
    "http://camunda.org/schema/1.0/bpmn",
    "http://operaton.org/schema/1.0/bpmn",
    "http://activiti.org/bpmn",
)


def attribute(element: Element, name: str) -> str | None:
    """
    The value of an attribute that Camunda added.
    """
    values = (element.attributes.get((namespace, name)) for namespace in _NAMESPACES)
    return next((value for value in values if value is not None), None)


def is_extension(element: Element) -> bool:
    """
    Whether Camunda added the element to BPMN.
    """
    return element.namespace in _NAMESPACES


def extensions(element: Element) -> list[Element]:
    """
    What Camunda added to an element, without that of others, which has no meaning here.
    """
    holders = element.all("extensionElements")
    return [child for holder in holders for child in holder.children if is_extension(child)]


def tag(element: Element) -> str:
    """
    The start tag of an element without its attributes, as messages name it.
    """
    return f"<camunda:{element.name}>" if is_extension(element) else f"<{element.name}>"


def called(element: Element) -> str:
    """
    The tag of an element with its id, if it has one, as messages name it.
    """
    id_ = element.get("id")
    return tag(element) if id_ is None else f"{tag(element)} '{id_}'"


def is_expression(text: str) -> bool:
    """
    Whether the engine would evaluate a text, or a part of it, when a process runs.
    """
    return "${" in text or "#{" in text


def integer(text: str) -> int | None:
    """
    A number of 32 bits, read as Java reads it: no white space, but any digits of Unicode.
    """
    if not re.fullmatch(r"[+-]?\d{1,100}", text):
        return None
    number = int(text)
    return number if -(2**31) <= number < 2**31 else None
