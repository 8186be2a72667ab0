"""
XML as a tree whose elements know their place in the file.
"""

from __future__ import annotations

from typing import Final, NoReturn
from xml.parsers import expat

import attrs

from camunda_ext.testing._errors import failure

#: How deep elements may be nested; no person draws so many processes within each other.
_DEEPEST: Final = 200


@attrs.define(eq=False)
class Element:
    """
    An element, its attributes and all that is in it.
    """

    #: The URI of its namespace; empty for none.
    namespace: str
    #: The name without prefix.
    name: str
    #: By namespace and name; an attribute without prefix has no namespace.
    attributes: dict[tuple[str, str], str]
    #: Where the start tag begins, counted from 1.
    line: int
    column: int
    children: list[Element] = attrs.field(factory=list)
    _texts: list[str] = attrs.field(factory=list)

    def get(self, name: str) -> str | None:
        """
        The value of an attribute without namespace.
        """
        return self.attributes.get(("", name))

    def all(self, name: str) -> list[Element]:
        """
        The children of a name, whatever their namespace, as the engine looks for them.
        """
        return [child for child in self.children if child.name == name]

    def add_text(self, text: str) -> None:
        """
        Add what follows of its text.
        """
        self._texts.append(text)

    @property
    def text(self) -> str:
        """
        Its own text, without that of its children.
        """
        return "".join(self._texts)


def read(resource: str, content: bytes) -> Element:
    """
    The root of an XML file.

    Raises:
        EngineError: It is no XML, or has a document type, which could make it endless.
    """
    # The space is no part of a name, so the last one parts it from its namespace.
    parser = expat.ParserCreate(namespace_separator=" ")
    document = Element("", "", {}, 0, 0)
    path = [document]

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(path) > _DEEPEST:
            refuse(f"The embedded engine takes no elements in more than {_DEEPEST} others")
        named = {_split(key): value for key, value in attributes.items()}
        place = parser.CurrentLineNumber, parser.CurrentColumnNumber + 1
        element = Element(*_split(name), named, *place)
        path[-1].children.append(element)
        path.append(element)

    def refuse(reason: str) -> NoReturn:
        raise ValueError(f"{reason}: line {parser.CurrentLineNumber}")

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: path.pop()
    parser.CharacterDataHandler = lambda text: path[-1].add_text(text)
    parser.StartDoctypeDeclHandler = lambda *_: refuse("A document type is not allowed")
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        message = f"ENGINE-09003 Could not parse '{resource}'. {error}"
        raise failure("ProcessEngineException", message) from None
    return document.children[0]


def _split(name: str) -> tuple[str, str]:
    namespace, _, local = name.rpartition(" ")
    return namespace, local
