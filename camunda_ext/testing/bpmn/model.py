"""
The model of a process, with all that the embedded engine needs to run it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import attrs

Kind = Literal["start", "end", "external", "user", "parallel"]

#: A constant value of an input parameter. ``None`` is the value of a parameter without text.
Constant: TypeAlias = "str | list[Constant] | dict[str, Constant] | None"


@attrs.frozen(kw_only=True)
class ErrorCatch:
    """
    An event that catches BPMN errors of an external task: a boundary event, or the start event of
    an event subprocess.
    """

    id: str
    #: The error code that it catches; ``None`` for every code.
    error_code: str | None
    #: The variable to set to the code of a caught error; ``None`` for none.
    code_variable: str | None
    #: The variable to set to the message of a caught error; ``None`` for none.
    message_variable: str | None
    #: The ids of the nodes that come next, one for each sequence flow.
    outgoing: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Evaluated:
    """
    An expression of a single variable, which is evaluated when the task is created.
    """

    #: The part of the task that the expression is for, as errors name it.
    what: str
    #: The expression as it is in the model.
    text: str
    #: The name of the variable whose value it is.
    variable: str


@attrs.frozen(kw_only=True)
class Node:
    """
    One step of a process.
    """

    id: str
    kind: Kind
    name: str | None
    #: The ids of the nodes that come next, one for each sequence flow; all of them are taken.
    outgoing: tuple[str, ...]
    #: How many sequence flows end here.
    incoming: int

    #: The expressions of a user task.
    evaluated: tuple[Evaluated, ...] = ()

    # The following fields are for external tasks only.

    topic: str | Evaluated = ""
    priority: int | Evaluated = 0
    #: The extension properties; ``None`` for one without a value.
    properties: Mapping[str, str | None] = attrs.field(factory=dict)
    #: The values of the input parameters, by name.
    inputs: Mapping[str, Constant | Evaluated] = attrs.field(factory=dict)
    #: The events that catch its errors, in the order in which they are tried.
    catches: tuple[ErrorCatch, ...] = ()


@attrs.frozen(kw_only=True)
class Process:
    """
    A process that can be started.
    """

    key: str
    name: str | None
    version_tag: str | None
    #: For how many days to keep the history; ``None`` if the model does not say so.
    time_to_live: int | None
    #: The nodes by id.
    nodes: Mapping[str, Node]
    #: The id of the start event.
    start: str
