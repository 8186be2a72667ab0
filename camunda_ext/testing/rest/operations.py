"""
Operations of the REST API: their paths, arguments and results.
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
    #: The texts of a form, by the names of the fields.
    form: Mapping[str, str]
    #: The contents of a form's files, by their file names.
    files: Mapping[str, bytes]
    #: The URL of the REST API, without the path of an operation.
    base_url: str
    #: The user of the request, if that user has no rights; otherwise ``None``.
    powerless: str | None = None
    #: The user of the request; ``None`` if the engine needs no credentials.
    user: str | None = None
    #: How many transactions had been committed when the request came.
    begun: int = 0
    #: How long the client waits for the answer, in seconds; ``None`` if unknown.
    read_timeout: float | None = None

    @property
    def version(self) -> Version:
        """
        The version of Camunda that the engine answers as.
        """
        return self.backend.version

    def body(self, **readers: reading.Reader) -> dict[str, Any]:
        """
        The properties of the body for which there is a reader, each as its reader returns it.

        Raises:
            EngineError: The body is no JSON object, or a property has a wrong type.
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
    A result that is answered as plain text.
    """

    text: str


@attrs.frozen
class Contents:
    """
    A result that is the contents of a variable, with the headers that describe them.
    """

    content: bytes
    headers: Sequence[tuple[str, str]]


#: What JSON can be made of, or one of the two classes above; ``None`` for a 204 without a body.
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
    #: Whether its handler takes a transaction; otherwise the handler begins one itself.
    transactional: bool
    #: The media type that its body must have; ``None`` if no body is read.
    consumes: str | None
    #: The media type of its result.
    produces: str
    #: Whether a version has it.
    exists: Callable[[Version], bool]


class Routes:
    """
    A list of operations, to which decorators add their functions.
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
        A decorator that makes a function the handler of an operation.

        Args:
            consumes: The media type that the body must have; by default JSON for POST and PUT, and
                ``""`` if the body is not read.
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
        The decorator for an operation without a result, which accepts every ``Accept`` header.
        """
        return self.operation(name, method, path, produces="*/*", **options)
