"""
What is to be asked, and what an answer consists of: values that no socket is tied to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import attrs

from camunda_ext._call.rules import Rule, rule_of

T = TypeVar("T")


@attrs.frozen(eq=False, repr=False)
class Request(Generic[T]):
    """
    One operation with its arguments.
    """

    #: Name of the client's method.
    operation: str

    #: The HTTP method, and the path below the engine with ``{name}`` where an id belongs.
    endpoint: str

    #: What is due: nothing (204), text (also 204), bytes, or else JSON of this shape.
    returns: type[T]

    #: The ids.
    ids: Mapping[str, str] = attrs.field(factory=dict)

    #: The query of the URL.
    params: Mapping[str, str] = attrs.field(kw_only=True, factory=dict)

    #: What to send as JSON; ``None`` to send nothing.
    body: Any = attrs.field(kw_only=True, default=None, repr=False)

    #: How long the engine may think about it besides the usual time, in seconds.
    extra_time: float = attrs.field(kw_only=True, default=0.0)

    #: The first engine version that has the operation.
    since: str = attrs.field(kw_only=True, default="7.5")

    #: Whose lock it is about, where the body does not say it.
    worker_id: str | None = attrs.field(kw_only=True, default=None)

    #: How it is to be sent again.
    rule: Rule = attrs.field(
        kw_only=True, default=attrs.Factory(lambda self: rule_of(self.operation), takes_self=True)
    )
