"""
An operation with its arguments, as a value: nothing here touches a socket.
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

#: The oldest supported engine version.
OLDEST: Final = "7.5"


class AnyAnswer:
    """
    Marker for `Request.returns`: the answer may be JSON, text, bytes, or empty.
    """


@attrs.frozen(eq=False, repr=False)
class Raw:
    """
    A body that is sent as it is, without encoding.
    """

    #: The bytes to send.
    content: bytes

    #: The value of the header Content-Type, such as ``multipart/form-data; boundary=...``.
    media_type: str


#: The header Accept for each `Request.returns`; JSON for all others.
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

    #: The type of the expected answer: `NoneType` for 204, `str` for text or 204, `bytes`,
    #: `AnyAnswer`, or else the class that the JSON is decoded to.
    returns: type[T]

    #: The ids in the path, by name.
    ids: Mapping[str, str] = attrs.field(factory=dict)

    #: The query of the URL.
    params: Mapping[str, str] = attrs.field(kw_only=True, factory=dict)

    #: What to send as JSON, or a `Raw` body; ``None`` to send nothing.
    body: Any = attrs.field(kw_only=True, default=None, repr=False)

    #: How much longer than usual the engine may take to answer, in seconds.
    extra_time: float = attrs.field(kw_only=True, default=0.0)

    #: The first engine version that has the operation.
    since: str = attrs.field(kw_only=True, default=OLDEST)

    #: The worker whose lock the command is about, if the body does not have it.
    worker_id: str | None = attrs.field(kw_only=True, default=None)

    #: When the request may be sent again.
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
    def task_ids(self) -> tuple[str, ...]:
        """
        Ids of the external tasks in the path and in the body.
        """
        task_id = self.ids.get("task_id")
        body_ids: tuple[str, ...] = getattr(self.body, "external_task_ids", None) or ()
        return body_ids if task_id is None else (task_id, *body_ids)

    def to_http(
        self, base: str, dates: DateFormat, timeout: Timeout, deadline: float
    ) -> HttpRequest:
        """
        The HTTP request for this operation.

        Args:
            base: The engine's URL.

            dates: The engine's format of dates.

            timeout: The client's time-outs; `extra_time` is added.

            deadline: When the call must be over, by the monotonic clock.
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
