"""
Camunda's extensions of BPMN: attributes and extension elements.
"""

from __future__ import annotations

import re
from typing import Final

from camunda_ext.testing.bpmn.xml import Element

#: The namespaces of the extensions, which all mean the same; the last is of Camunda's predecessor.
_NAMESPACES: Final = (
    "http://camunda.org/schema/1.0/bpmn",
    "http://operaton.org/schema/1.0/bpmn",
    "http://activiti.org/bpmn",
)


def attribute(element: Element, name: str) -> str | None:
    """
    The value of an attribute of Camunda; ``None`` if it is absent.
    """
    values = (element.attributes.get((namespace, name)) for namespace in _NAMESPACES)
    return next((value for value in values if value is not None), None)


def is_extension(element: Element) -> bool:
    """
    Whether an element is one of Camunda.
    """
    return element.namespace in _NAMESPACES


def extensions(element: Element) -> list[Element]:
    """
    The extension elements of Camunda in an element. Those of other vendors have no effect.
    """
    holders = element.all("extensionElements")
    return [child for holder in holders for child in holder.children if is_extension(child)]


def tag(element: Element) -> str:
    """
    The start tag of an element without its attributes, for messages.
    """
    return f"<camunda:{element.name}>" if is_extension(element) else f"<{element.name}>"


def called(element: Element) -> str:
    """
    The start tag of an element and its id, if it has one, for messages.
    """
    id_ = element.get("id")
    return tag(element) if id_ is None else f"{tag(element)} '{id_}'"


def is_expression(text: str) -> bool:
    """
    Whether a text contains an expression, which the engine would evaluate when a process runs.
    """
    return "${" in text or "#{" in text


def integer(text: str) -> int | None:
    """
    The number of 32 bits in a text, read as in Java, without white space, but with any digits of
    Unicode; ``None`` if the text is no such number.
    """
    if not re.fullmatch(r"[+-]?\d{1,100}", text):
        return None
    number = int(text)
    return number if -(2**31) <= number < 2**31 else None
