"""
Parses XML into a tree of elements that have their line and column in the file.
"""

from __future__ import annotations

from typing import Final, NoReturn
from xml.parsers import expat

import attrs

from camunda_ext.testing._errors import failure

#: How deep elements may be nested. Real models are far from it.
_DEEPEST: Final = 200


@attrs.define(eq=False)
class Element:
    """
    An element with its attributes, children and text.
    """

    #: The URI of its namespace; empty for none.
    namespace: str
    #: The name without prefix.
    name: str
    #: The attributes by namespace and name; the namespace of one without prefix is empty.
    attributes: dict[tuple[str, str], str]
    #: The line of the start tag, from 1.
    line: int
    #: The column of the start tag, from 1.
    column: int
    children: list[Element] = attrs.field(factory=list)
    _texts: list[str] = attrs.field(factory=list)

    def get(self, name: str) -> str | None:
        """
        The value of an attribute without namespace; ``None`` if it is absent.
        """
        return self.attributes.get(("", name))

    def all(self, name: str) -> list[Element]:
        """
        The children of a name, in any namespace, as in Camunda.
        """
        return [child for child in self.children if child.name == name]

    def add_text(self, text: str) -> None:
        """
        Add a further piece of its text.
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
        EngineError: The file is no XML, or has a document type, whose entities could be endless.
    """
    # A name has no spaces, so that the last one separates it from its namespace.
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
