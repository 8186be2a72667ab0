"""
A process as the embedded engine runs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs

Kind = Literal["start", "end", "external", "user", "parallel"]


@attrs.frozen(kw_only=True)
class Boundary:
    """
    What catches BPMN errors of an external task.
    """

    id: str
    #: The code that it catches; ``None`` catches every code.
    error_code: str | None
    #: The variables that get the code and the message of a caught error.
    code_variable: str | None
    message_variable: str | None
    outgoing: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Evaluated:
    """
    A part of a user task that is the value of a variable.
    """

    #: Which part, as a message calls it.
    what: str
    #: The expression.
    text: str
    variable: str


@attrs.frozen(kw_only=True)
class Node:
    """
    One step of a process.
    """

    id: str
    kind: Kind
    name: str | None
    #: Ids of the nodes that come next, one for each sequence flow; all of them come.
    outgoing: tuple[str, ...]
    #: How many sequence flows end here.
    incoming: int

    #: Of a user task: what is evaluated when it comes to be.
    evaluated: tuple[Evaluated, ...] = ()

    # The following is about external tasks only.

    topic: str = ""
    priority: int = 0
    #: Extension properties; one without a value is ``None``.
    properties: Mapping[str, str | None] = attrs.field(factory=dict)
    #: Texts of the input parameters; an empty one is ``None``, and its variable null.
    inputs: Mapping[str, str | None] = attrs.field(factory=dict)
    #: In the order in which they are asked: one for all codes comes last.
    boundaries: tuple[Boundary, ...] = ()


@attrs.frozen(kw_only=True)
class Process:
    """
    A process that can be started.
    """

    key: str
    name: str | None
    version_tag: str | None
    #: How long the history is kept, in days.
    time_to_live: int | None
    #: By id.
    nodes: Mapping[str, Node]
    #: The id of the start event.
    start: str
