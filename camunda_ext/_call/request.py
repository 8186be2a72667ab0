"""
What is to be asked, as a value: nothing in it touches a socket.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Generic, TypeVar

import attrs

from camunda_ext._call.rules import Rule, rule_of
from camunda_ext._http.messages import HttpRequest, Timeout
from camunda_ext._wire.dates import DateFormat
from camunda_ext._wire.encode import encode
from camunda_ext._wire.json import dumps
from camunda_ext._wire.urls import url

T = TypeVar("T")


class AnyAnswer:
    """
    Stands for whatever an operation returns: JSON, a text, bytes, or nothing.
    """


@attrs.frozen(eq=False, repr=False)
class Raw:
    """
    A body that goes as it is.
    """

    #: The body.
    content: bytes

    #: What it is, such as ``multipart/form-data; boundary=...``.
    media_type: str


#: Which media types to ask for, by what is due; JSON where nothing is said.
_ACCEPT: Final[Mapping[Any, str]] = {
    str: "text/plain, application/json",
    bytes: "*/*",
    AnyAnswer: "application/json, */*",
}


@attrs.frozen(eq=False, repr=False)
class Request(Generic[T]):
    """
    One operation with its arguments.
    """

    #: Name of the client's method.
    operation: str

    #: The HTTP method, and the path below the engine with ``{name}`` where an id belongs.
    endpoint: str

    #: What is due: nothing (204), text (also 204), bytes, `AnyAnswer`, or else JSON of this shape.
    returns: type[T]

    #: The ids in the path, by name.
    ids: Mapping[str, str] = attrs.field(factory=dict)

    #: The query of the URL.
    params: Mapping[str, str] = attrs.field(kw_only=True, factory=dict)

    #: What to send as JSON, or a `Raw` body; ``None`` to send nothing.
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

    @property
    def method(self) -> str:
        """
        The HTTP method.
        """
        return self.endpoint.partition(" ")[0]

    @property
    def path(self) -> str:
        """
        The path below the engine, with ``{name}`` where an id belongs.
        """
        return self.endpoint.partition(" ")[2]

    @property
    def doubt(self) -> str | None:
        """
        How to find out whether it took effect; ``None`` for what only reads.
        """
        return self.rule.doubt

    @property
    def task_ids(self) -> tuple[str, ...]:
        """
        The external tasks that it names.
        """
        task_id = self.ids.get("task_id")
        named: tuple[str, ...] = getattr(self.body, "external_task_ids", None) or ()
        return named if task_id is None else (task_id, *named)

    def to_http(
        self, base: str, dates: DateFormat, timeout: Timeout, deadline: float | None
    ) -> HttpRequest:
        """
        The request as it goes over the network.

        Args:
            base: The engine's URL.

            timeout: How long to wait, unless this request needs longer.

            deadline: When all must be over, by the monotonic clock; ``None`` for no such time.
        """
        headers = {"Accept": _ACCEPT.get(self.returns, "application/json")}
        content = None
        if isinstance(self.body, Raw):
            headers["Content-Type"] = self.body.media_type
            content = self.body.content
        elif self.body is not None:
            headers["Content-Type"] = "application/json"
            content = dumps(encode(self.body, dates)).encode("ascii")
        return HttpRequest(
            method=self.method,
            url=url(base, self.path, self.ids, self.params),
            headers=headers,
            content=content,
            timeout=timeout.plus(self.extra_time),
            deadline=deadline,
        )
