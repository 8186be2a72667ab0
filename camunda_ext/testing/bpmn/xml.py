"""
XML as a tree whose elements know their place in the file.
"""

from __future__ import annotations

from typing import Final, NoReturn
from xml.parsers import expat

import attrs

from camunda_ext.testing._errors import failure

#: What the engine's parser says; the rest is said in the words of Python's.
_WORDS: Final = {
    "XML_ERROR_SYNTAX": "Content is not allowed in prolog.",
    "XML_ERROR_MISPLACED_XML_PI": (
        'The processing instruction target matching "[xX][mM][lL]" is not allowed.'
    ),
}
_DOCTYPE: Final = (
    "DOCTYPE is disallowed when the feature "
    '"http://apache.org/xml/features/disallow-doctype-decl" set to true.'
)
#: How deep elements may be nested; no person draws so many processes within each other.
_DEEPEST: Final = 200
_NOTHING: Final = "Premature end of file."
_CUT_OFF: Final = "XML document structures must start and end within the same entity."


@attrs.define(eq=False)
class Element:
    """
    An element, its attributes and all that is in it.
    """

    #: The URI of its namespace; empty for none.
    namespace: str
    #: The name without prefix.
    name: str
    #: The name as it stands in the file.
    qualified: str
    #: By namespace and name; an attribute without prefix has no namespace.
    attributes: dict[tuple[str, str], str]
    #: Where the start tag ends, which is where the engine's parser says that the element is.
    line: int = 0
    column: int = 0
    #: Where the end tag ends.
    end_line: int = 0
    end_column: int = 0
    children: list[Element] = attrs.field(factory=list)
    text: str = ""

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


def read(resource: str, content: bytes) -> Element:
    """
    The root of an XML file.

    Raises:
        EngineError: It is no XML, or has a document type.
    """
    return _Reader(resource).read(content)


class _Reader:
    def __init__(self, resource: str) -> None:
        self._resource = resource
        self._root: Element | None = None
        self._open: list[Element] = []
        #: The pieces of the text of each open element: a line break is a piece of its own.
        self._texts: list[list[str]] = []
        self._started: Element | None = None
        self._ended: Element | None = None
        # The space is no part of a URI or of a name, so it can stand between them.
        self._parser = parser = expat.ParserCreate(namespace_separator=" ")
        parser.namespace_prefixes = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.DefaultHandler = lambda _: self._tag_ends_here()
        parser.StartDoctypeDeclHandler = lambda *_: self._refuse(_DOCTYPE)

    def read(self, content: bytes) -> Element:
        try:
            self._parser.Parse(content, True)
        except expat.ExpatError as error:
            self._refuse(self._reason(error, content))
        except (LookupError, ValueError) as error:  # an encoding that Python does not know
            self._refuse(str(error))
        self._tag_ends_here()
        if self._root is None:
            self._refuse(_NOTHING)
        return self._root

    def _tag_ends_here(self) -> None:
        # expat says where a tag begins. Where it ends is only known when the next thing begins.
        line, column = self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber + 1
        if self._started is not None:
            self._started.line, self._started.column = line, column
        if self._ended is not None:
            self._ended.end_line, self._ended.end_column = line, column
        self._started = self._ended = None

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._tag_ends_here()
        namespace, local, qualified = _split(name)
        element = Element(
            namespace,
            local,
            qualified,
            {_split(key)[:2]: value for key, value in attributes.items()},
        )
        if self._open:
            self._open[-1].children.append(element)
        else:
            self._root = element
        self._open.append(element)
        self._texts.append([])
        self._started = element
        if len(self._open) > _DEEPEST:
            self._refuse(f"The embedded engine takes no elements in more than {_DEEPEST} others.")

    def _end(self, name: str) -> None:
        self._tag_ends_here()
        self._ended = self._open.pop()
        self._ended.text = "".join(self._texts.pop())

    def _characters(self, text: str) -> None:
        self._tag_ends_here()
        self._texts[-1].append(text)

    def _reason(self, error: expat.ExpatError, content: bytes) -> str:
        # The numbers of expat's errors are the order of its list of names.
        code = expat.errors.messages[error.code]
        if code == expat.errors.XML_ERROR_TAG_MISMATCH:
            name = self._open[-1].qualified
            return (
                f'The element type "{name}" must be terminated by the matching end-tag "</{name}>".'
            )
        if code == expat.errors.XML_ERROR_NO_ELEMENTS and self._root is None:
            return _NOTHING
        if code in (expat.errors.XML_ERROR_NO_ELEMENTS, expat.errors.XML_ERROR_UNCLOSED_TOKEN):
            return _CUT_OFF
        if code == expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT:
            if content[self._parser.ErrorByteIndex :].startswith(b"<"):
                return "The markup in the document following the root element must be well-formed."
            return "Content is not allowed in trailing section."
        for known, words in _WORDS.items():
            if code == getattr(expat.errors, known):
                return words
        if code == expat.errors.XML_ERROR_INVALID_TOKEN and self._parser.ErrorByteIndex == 0:
            return _WORDS["XML_ERROR_SYNTAX"]
        return f"{code.capitalize()} in line {error.lineno}, column {error.offset + 1}."

    def _refuse(self, reason: str) -> NoReturn:
        raise failure(
            "ProcessEngineException",
            f"ENGINE-09003 Could not parse '{self._resource}'. {reason}",
        )


def _split(name: str) -> tuple[str, str, str]:
    parts = name.split(" ")
    if len(parts) == 1:
        return "", name, name
    namespace, local, *prefix = parts
    return namespace, local, ":".join([*prefix, local])
