"""
The errors of calls; the class says what happened::

    CamundaError
    ├── NotSent                 the request provably never left: nothing happened
    ├── Refused                 the request was answered, and not executed
    │   ├── NotFound            an operation that the engine lacks, a batch, a log entry
    │   │   └── TaskNotFound    there is no such task (any more)
    │   ├── LockLost            another worker has the lock, or nobody has
    │   ├── Unauthorized        no credentials, or wrong ones
    │   ├── Forbidden           the credentials are right, the permission is missing
    │   ├── BadRequest          the engine does not accept the request as it is
    │   │   └── Suspended       the process instance is suspended
    │   ├── Conflict            somebody changed the same rows; rolled back
    │   ├── EngineBusy          the engine is starting, or has too many requests
    │   ├── EngineFailure       any other failure in the engine; rolled back
    │   └── NotTheEngine        a redirect to a login, a gateway's 404
    └── NoAnswer                no trustworthy answer came: a login page with 200 is none
        └── OutcomeUnknown      ... to a request that may have changed the engine's state

The status alone does not decide the class: a gateway answers 404 too, a starting engine answers
400, and one operation answers 500 for an unknown task. The rules are in `_call/refusals.py`.
"""

from collections.abc import Mapping, Sequence

import attrs

from camunda_ext._wire.text import printable
from camunda_ext._wire.value import Value, exported


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Attempt(Value):
    """
    One attempt of a call that failed.
    """

    #: What went wrong, as text: an exception of the HTTP library would hold the whole request.
    error: str

    #: How long it took, in seconds.
    seconds: float


@attrs.frozen(kw_only=True, eq=False, repr=False)
class MissingAuthorization(Value):
    """
    A permission that the user lacks; having it would have been enough.
    """

    #: The permission, such as ``UPDATE``.
    permission_name: str | None = None

    #: What it is a permission for, such as ``ProcessInstance``.
    resource_name: str | None = None

    #: Id of the one resource that it is for; ``None`` or ``*`` for all resources of that name.
    resource_id: str | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Problem(Value):
    """
    One error or warning about a deployed file.
    """

    #: What is wrong with the file.
    message: str | None = None

    #: Line of the file, from 1.
    line: int | None = None

    #: Column of the line, from 1.
    column: int | None = None

    #: Id of the element with the problem.
    main_element_id: str | None = None

    #: Ids of all elements with the problem.
    element_ids: tuple[str, ...] = ()


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ResourceReport(Value):
    """
    All errors and warnings about one deployed file.
    """

    #: Problems that prevent the deployment.
    errors: tuple[Problem, ...] = ()

    #: Problems that do not prevent the deployment.
    warnings: tuple[Problem, ...] = ()


@exported
class CamundaError(Exception):
    """
    Base class of the errors of calls; the subclass says what happened.
    """

    #: Name of the client's method.
    operation: str
    #: The HTTP method.
    method: str
    #: The whole URL, without user and password.
    url: str
    #: The HTTP status; ``None`` if there was no answer.
    status: int | None
    #: The engine's type of error, a Java class name without package; ``None`` if there is none.
    type: str | None
    #: The engine's message, or the network's error.
    message: str | None
    #: The engine's error code; ``None`` up to 7.14, and where the engine raised no exception.
    code: int | None
    #: The failed attempts, the first one first.
    attempts: tuple[Attempt, ...]
    #: What to do next, in a sentence.
    hint: str
    #: The start of the answer's body, at most 2048 characters; for a person to look at.
    body: str

    def __init__(
        self,
        message: str | None = None,
        *,
        operation: str = "",
        method: str = "",
        url: str = "",
        status: int | None = None,
        type: str | None = None,  # noqa: A002  # the engine's own word
        code: int | None = None,
        attempts: Sequence[Attempt] = (),
        hint: str = "",
        body: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.operation = operation
        self.method = method
        self.url = url
        self.status = status
        self.type = type
        self.code = code
        self.attempts = tuple(attempts)
        self.hint = hint
        self.body = body

    def in_short(self) -> str:
        """
        Status, message and type of the answer, on one line.
        """
        parts = [str(self.status)] if self.status is not None else []
        parts += [printable(self.message)] if self.message else []
        parts += [f"({printable(self.type)})"] if self.type else []
        return " ".join(parts)

    def __str__(self) -> str:
        where = f"{self.method} {self.url}".strip()
        text = ": ".join(filter(None, [self.operation, where, self.in_short()]))
        return f"{text}. {self.hint}" if self.hint else text


@exported
class NotSent(CamundaError):
    """
    The request provably never left, so nothing happened: it can be sent again.
    """


@exported
class Refused(CamundaError):
    """
    The request was answered, and was not executed.
    """


@exported
class NotFound(Refused):
    """
    The engine lacks the operation, or has no such batch or log entry.
    """


@exported
class TaskNotFound(NotFound):
    """
    There is no external task with this id: it was completed or cancelled, or never existed.
    """


@exported
class LockLost(Refused):
    """
    The worker does not hold the lock that the command needs.
    """

    #: The worker that holds the lock; ``None`` if nobody does, or if the lock has just expired.
    worker_id: str | None = None


@exported
class Unauthorized(Refused):
    """
    The credentials are missing or wrong, or the user is locked after a wrong password.
    """


@exported
class Forbidden(Refused):
    """
    The user lacks a permission.
    """

    #: The missing permissions; any one of them would be enough.
    missing_authorizations: tuple[MissingAuthorization, ...] = ()

    #: The user who was refused.
    user_id: str | None = None


@exported
class BadRequest(Refused):
    """
    The engine does not accept the request as it is; sending it again does not help.
    """

    #: Of a refused deployment: the problems of each file, by the file's name.
    details: Mapping[str, ResourceReport] = {}


@exported
class Suspended(BadRequest):
    """
    The process instance is suspended, alone or together with its definition. The task stays locked,
    and the engine accepts the same request once somebody has activated the instance.
    """


@exported
class Conflict(Refused):
    """
    Somebody changed the same rows at the same time; the request was rolled back and can be retried.
    """


@exported
class EngineBusy(Refused):
    """
    The engine is starting, or has too many requests; try again later.
    """


@exported
class EngineFailure(Refused):
    """
    The engine failed; the fault lies in the request or in the process.

    A command was rolled back; but a fetch with ``deserialize_values`` whose values cannot be
    written may have locked its tasks.
    """


@exported
class NotTheEngine(Refused):
    """
    The answer is not an engine's: it comes from a login page, a gateway or another application.
    """


@exported
class NoAnswer(CamundaError):
    """
    There was no trustworthy answer. Unless it is an `OutcomeUnknown`, the request only reads.
    """


@exported
class OutcomeUnknown(NoAnswer):
    """
    There was no trustworthy answer, and the engine may or may not have executed the request.
    """

    #: The whole request as a curl command without credentials, for a person to look at. Its body
    #: may hold what must not be logged: the values of variables.
    curl: str = ""
