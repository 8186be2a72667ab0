"""
What an operation of the REST API is: its path, its arguments, its result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from camunda_ext.testing._versions import Version
from camunda_ext.testing.rest.backend import Backend
from camunda_ext.testing.state.conditions import Criteria, Page, QueryType
from camunda_ext.testing.state.store import Transaction
from camunda_ext.testing.values import reading as reading, variable


@attrs.define
class Call:
    """
    A request, as the operations see it.
    """

    backend: Backend
    #: Whether its method is POST.
    is_post: bool
    #: The parameters of the URL, of which only the first of each name counts.
    parameters: Mapping[str, str]
    #: The body, which `Call.body` reads.
    content: bytes
    #: The texts of a form by name, and the contents of its files by their names.
    form: Mapping[str, str]
    files: Mapping[str, bytes]
    #: The URL that precedes the path of an operation.
    base_url: str
    #: The user who asks, if that is one without any rights.
    powerless: str | None = None
    #: The user who asks, if credentials are asked for.
    user: str | None = None
    #: How many transactions had been committed when the request came.
    begun: int = 0
    #: How long the client waits for the answer, in seconds, if that is known.
    read_timeout: float | None = None

    @property
    def version(self) -> Version:
        """
        The version that the engine answers as.
        """
        return self.backend.version

    def body(self, **readers: reading.Reader) -> dict[str, Any]:
        """
        The properties of the body that an operation knows.
        """
        return reading.fields(self.json(), readers)

    def json(self) -> Any:
        """
        The whole body.
        """
        return reading.document(self.content, self.version)

    def variables(self, sent: Any) -> dict[str, variable.Value]:
        """
        Typed variables, from a property of the body.
        """
        return variable.read_all(sent)


@attrs.frozen
class PlainText:
    """
    An answer that is no JSON.
    """

    text: str


@attrs.frozen
class Contents:
    """
    The contents of a variable, with headers of their own.
    """

    content: bytes
    headers: Sequence[tuple[str, str]]


#: JSON, or one of the two above; ``None`` is 204.
Result = Any
Handler = Callable[..., Result]


@attrs.frozen
class Operation:
    """
    An operation of the REST API.
    """

    #: The name of the client's method, where it has one.
    name: str
    method: str
    path: str
    handler: Handler
    #: Whether its handler takes a transaction, rather than beginning its own.
    transactional: bool
    #: The media type that its body must have; ``None`` if no body is read.
    consumes: str | None
    #: The media type of its result.
    produces: str
    #: Whether a version has it.
    exists: Callable[[Version], bool]


class Routes:
    """
    Some of the operations, in the order in which they were added.
    """

    def __init__(self) -> None:
        self.operations: list[Operation] = []

    def operation(
        self,
        name: str,
        method: str,
        path: str,
        *,
        transactional: bool = True,
        consumes: str | None = None,
        produces: str = "application/json",
        exists: Callable[[Version], bool] = lambda version: True,
    ) -> Callable[[Handler], Handler]:
        """
        Make a function the handler of an operation.

        Args:
            consumes: By default JSON where there is a body; ``""`` where none is looked at.
        """
        if consumes is None and method in ("POST", "PUT"):
            consumes = "application/json"

        def register(handler: Handler) -> Handler:
            self.operations.append(
                Operation(
                    name, method, path, handler, transactional, consumes or None, produces, exists
                )
            )
            return handler

        return register

    def query(
        self, query: QueryType, path: str, *, list_as: str, count_as: str, by_post: bool = False
    ) -> None:
        """
        Add the operations that list and count what matches a query.

        Args:
            list_as: The name of the operation that lists; ``count_as`` is that of the other one.

            by_post: Whether the query may also be sent as a body.
        """

        def criteria(call: Call) -> Criteria:
            if call.is_post:
                return query.from_body(call.json(), call.version)
            return query.from_url(call.parameters, call.version)

        def matches(tx: Transaction, call: Call) -> Result:
            page = Page.from_url(call.parameters)
            return query.select(tx, criteria(call), page)

        def count(tx: Transaction, call: Call) -> Result:
            return {"count": query.count(tx, criteria(call))}

        for method in ("GET", "POST") if by_post else ("GET",):
            self.operation(list_as, method, path)(matches)
            self.operation(count_as, method, f"{path}/count")(count)

    def command(
        self, name: str, method: str, path: str, **options: Any
    ) -> Callable[[Handler], Handler]:
        """
        The same for an operation without a result, so that all media types are acceptable.
        """
        return self.operation(name, method, path, produces="*/*", **options)
