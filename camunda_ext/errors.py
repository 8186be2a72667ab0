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
400, and one operation answers 500 for an unknown task. The table `_ROWS` has the rules.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar, runtime_checkable

import attrs

from camunda_ext._wire.json import loads
from camunda_ext._wire.text import LONGEST_TEXT, printable
from camunda_ext._wire.value import Value, exported

E = TypeVar("E", bound="CamundaError")


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


@runtime_checkable
class RequestLike(Protocol):
    """
    The properties of a request that its errors are built from.
    """

    @property
    def operation(self) -> str:
        """
        Name of the client's method.
        """

    @property
    def method(self) -> str:
        """
        The HTTP method.
        """

    @property
    def task_ids(self) -> tuple[str, ...]:
        """
        Ids of the external tasks in the request; they tell a missing task from a missing page.
        """

    @property
    def since(self) -> str:
        """
        The first engine version that has the operation.
        """

    @property
    def doubt(self) -> str | None:
        """
        How to find out whether the request took effect; ``None`` if it only reads.
        """


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


@attrs.frozen(eq=False, repr=False)
class _Row:
    """
    The error class and hint for answers of the engine that match all conditions of the row.
    """

    error: type[Refused]
    hint: str
    # The conditions; ``None`` matches any answer.
    status: int | None = None
    java_type: str | None = None
    code: int | None = None
    #: A regular expression for the message; its group ``id`` must match a task id of the request.
    message: str | None = None
    operation: str | None = None

    def fits(self, request: RequestLike, status: int, engine_error: "_EngineError") -> bool:
        if self.message is not None:
            # `re` compiles it at the first use and caches it, so that the import stays quick.
            match = re.search(self.message, engine_error.message or "")
            if match is None or match.groupdict().get("id", None) not in (None, *request.task_ids):
                return False
        return (
            self.status in (None, status)
            and self.java_type in (None, engine_error.java_type)
            and self.code in (None, engine_error.code)
            and self.operation in (None, request.operation)
        )


_GONE: Final = "It was completed or cancelled, or never existed."
_RACE: Final = "The task may have been changed by somebody else at the same time: look at it first."
_AGAIN: Final = "It was rolled back: try again soon, after a look at the task."
_WAIT: Final = "Wait, then try again."
_IN_LOG: Final = "The reason is in the engine's log; a command was rolled back."
_NO_SUCH_PATH: Final = (
    "The engine has no such path or method, or nothing of such an id: look at path and ids."
)
_NO_SUCH_ORDER: Final = (
    "The engine cannot sort by that: createTime came with 7.21, all other criteria with 7.5."
)

#: The rules for answers *of the engine*; the first row that matches is used.
_ROWS: Final = (
    _Row(
        TaskNotFound,
        _GONE,
        404,
        "RestException",
        message=r"(?s)\AExternal task with id (?P<id>.*) does not exist\Z",
    ),
    _Row(
        TaskNotFound,
        _GONE + " Nothing was changed.",
        404,
        "InvalidRequestException",
        message=r"(?s)\ACannot find external task with id (?P<id>.*): \w+ is null\Z",
    ),
    _Row(
        TaskNotFound,
        _GONE,
        500,
        "NullValueException",
        # GetExternalTaskErrorDetailsCmd.java:48 answers 500, where every other command answers 404.
        message=r"(?s)\ANo external task found with id (?P<id>.*): \w+ is null\Z",
        operation="error_details",
    ),
    _Row(NotFound, _NO_SUCH_PATH, 404, operation="request"),
    _Row(NotFound, _NO_SUCH_PATH, 405, operation="request"),
    _Row(
        BadRequest,
        "A variable's type is unknown to the engine, or its value does not fit it.",
        400,
        # The message quotes the value, which may hold the words of any other row.
        message=r"\A(Cannot convert value|Unsupported value type|Must provide 'null' or)",
    ),
    # The messages of POST and of GET; 7.6 answers with status 500.
    _Row(
        BadRequest,
        _NO_SUCH_ORDER,
        operation="list",
        message=r"\A(You should call any of the orderBy methods first before specifying a direction"
        r"|Cannot set query parameter 'sortBy' to value )",
    ),
    _Row(
        LockLost,
        "Nobody holds the lock: fetch the task again, or lock it.",
        400,
        message=r"locked by worker 'null'\.?\Z",
    ),
    _Row(
        LockLost,
        "Drop the work: the result belongs to whoever holds the lock.",
        400,
        # The sentences around it differ between operations, versions and vendors.
        message=r"locked by worker '",
    ),
    _Row(
        LockLost,
        "The lock has expired. Until another worker takes the task, complete may still work.",
        400,
        message=r"\ACannot extend a lock that expired",
    ),
    _Row(
        EngineBusy,
        "No engine of that name, see engine=; or it is starting: wait, then try again.",
        400,
        "InvalidRequestException",
        message=r"\ANo process engine available",
    ),
    _Row(
        NotFound,
        "There is no engine of that name: look at engine=.",
        404,
        "InvalidRequestException",
        message=r"(?s)\AProcess engine .* not available",
    ),
    _Row(
        NotFound,
        "There is no such variable there. Those of a task's own scope need the task: "
        "variable_file(task, name).",
        404,
        "InvalidRequestException",
        operation="variable_file",
    ),
    _Row(NotFound, "It is finished, deleted, or never existed.", 404, "InvalidRequestException"),
    _Row(
        NotFound,
        "There is no such batch: it is finished, deleted, or never existed.",
        400,
        message=r"\AUnable to (suspend|activate|delete) batch with id ",
    ),
    _Row(
        BadRequest,
        "Only variables of type File and Bytes have contents to fetch.",
        400,
        message=r" is not a binary value\.\Z",
    ),
    _Row(
        NotFound,
        "There is no such process instance or execution (any more).",
        500,
        # RuntimeServiceImpl.java answers 500 for an unknown execution, 404 for a missing variable.
        message=r": execution is null\Z",
        operation="variable_file",
    ),
    _Row(NotFound, "The engine lacks this operation: it came with {since}. Look at the URL.", 404),
    _Row(NotFound, "The engine lacks this operation: it came with {since}. Look at the URL.", 405),
    _Row(
        Suspended,
        "The process instance is suspended; the lock is kept. Activate it first.",
        400,
        message=r" is suspended\.\Z",
    ),
    _Row(
        BadRequest,
        "No task was selected, and nothing was changed.",
        400,
        message=r"\AexternalTaskIds is empty",
    ),
    _Row(
        BadRequest,
        "The engine limits the results of a query: ask for fewer at a time.",
        400,
        message=r"\A(An unbound number of results|Max results limit)",
    ),
    _Row(Conflict, _AGAIN, 500, "OptimisticLockingException"),
    _Row(Conflict, _AGAIN, 500, code=1),
    _Row(Conflict, _AGAIN, 500, code=10000),
    _Row(
        EngineBusy,
        _WAIT,
        500,
        message=r"too many requests at the same time",
        operation="fetch_and_lock",
    ),
    _Row(
        EngineBusy,
        _WAIT,
        500,
        message=r"\ARequest rejected due to shutdown",
        operation="fetch_and_lock",
    ),
    _Row(
        EngineBusy,
        "A later fetch of the same worker id took its place: are there two clients with one id?",
        503,
        operation="fetch_and_lock",
    ),
    _Row(
        EngineBusy,
        "The engine cannot reach its database, and has begun nothing.",
        500,
        "CannotCreateTransactionException",
    ),
    _Row(EngineBusy, _WAIT, 503),
    _Row(
        EngineFailure,
        "A text is too long for its column: a String variable takes 4000 UTF-16 units.",
        500,
        code=10002,
    ),
    _Row(EngineFailure, _IN_LOG, 500, operation="request"),
    _Row(
        EngineFailure,
        _RACE,
        500,
        message=r"\ACannot find execution with id ",
    ),
    _Row(
        EngineFailure,
        "There are tasks of another topic whose name is the same to the engine's database, which "
        "compares without case, or without blanks at the end. Each fetch fails until they are "
        "done: topic_names() has both names; fetch both topics at once.",
        500,
        "NullPointerException",
        message=r"TopicFetchInstruction",
        operation="fetch_and_lock",
    ),
    _Row(
        EngineFailure,
        _RACE,
        500,
        "NullPointerException",
    ),
    _Row(EngineFailure, _IN_LOG, 500),
)

#: The error and hint for a status, whether an engine or a gateway answered; used if no row of
#: `_ROWS` matches.
_BY_STATUS: Final[Mapping[int, tuple[type[Refused], str]]] = {
    400: (BadRequest, "The request is malformed, or too large, for the engine or its server."),
    407: (NotTheEngine, "A proxy wants credentials: they belong in its URL, see proxies=."),
    413: (BadRequest, "The body is larger than a server on the way accepts: send less at a time."),
    414: (BadRequest, 'The URL is longer than a server on the way accepts: pass via="POST".'),
    431: (
        BadRequest,
        "The headers are larger than a server on the way accepts: look at auth= and headers=.",
    ),
    401: (
        Unauthorized,
        "Look at auth=. After a wrong password the engine refuses the right one too, for seconds.",
    ),
    403: (Forbidden, "The user lacks a permission, or a gateway refused the request."),
    429: (EngineBusy, _WAIT),
}


#: Statuses of gateways that gave up waiting; the request may have reached the engine.
_GATEWAY_GAVE_UP: Final = (408, 499)


@attrs.frozen(eq=False, repr=False)
class _EngineError:
    """
    The JSON body of an engine's error answer.
    """

    java_type: str | None = None
    message: str | None = None
    code: int | None = None
    #: The whole body.
    body: Mapping[str, Any] = {}


def from_response(
    request: RequestLike,
    url: str,
    status: int,
    content: bytes,
    reason: str = "",
    clean: Callable[[str], str] = str,
) -> CamundaError:
    """
    The error for an answer that is not the one the operation expects.

    Args:
        reason: What is wrong with an answer whose status means success.

        clean: Removes secrets from a text.
    """
    engine_error = _read_engine_error(content)
    message = engine_error.message if engine_error else None
    error_type, hint = _classify(request, status, engine_error)
    if (
        engine_error is None
        and (error_type is NotTheEngine or status == 200)
        and not _has_usual_path(url)
    ):
        hint += " Most engines answer below /engine-rest, which is not in this URL."
    error = _error(
        error_type,
        request,
        url,
        reason or (None if message is None else clean(message)),
        status=status,
        type=clean(engine_error.java_type or "") if engine_error else None,
        code=engine_error.code if engine_error else None,
        hint=hint.replace("{since}", request.since),
        # Cleaned before it is cut: half of a secret would not be recognized.
        body=clean(content[: 8 * LONGEST_TEXT].decode("utf-8", "replace"))[:LONGEST_TEXT],
    )
    if engine_error is not None:
        _add_particulars(error, engine_error, clean)
    return error


def for_other_request(error: CamundaError, request: RequestLike, url: str) -> CamundaError:
    """
    The error of one request, as the error of another *request*.
    """
    answer = _answer_of(error)
    return _error(type(error), request, url, error.message, hint=error.hint, **answer)


def to_outcome_unknown(error: CamundaError, request: RequestLike, url: str) -> OutcomeUnknown:
    """
    An `OutcomeUnknown` with the answer of another error, which does not prove that the request
    was rolled back.
    """
    answer = _answer_of(error)
    return _error(OutcomeUnknown, request, url, error.message, hint=request.doubt or "", **answer)


def _answer_of(error: CamundaError) -> dict[str, Any]:
    return {name: getattr(error, name) for name in ("status", "type", "code", "body")}


def not_sent(request: RequestLike, url: str, reason: str, *, hint: str = "") -> NotSent:
    """
    The error of a request that never left.

    Args:
        hint: What to do before sending it again; empty for nothing.
    """
    hint = f"Nothing happened. {hint}" if hint else "Nothing happened: it can be sent again."
    return _error(NotSent, request, url, reason, hint=hint)


def no_answer(
    request: RequestLike, url: str, reason: str, *, status: int | None = None, hint: str = ""
) -> NoAnswer:
    """
    The error of a request that may have left, and got no trustworthy or complete answer.

    Args:
        hint: What to do about the reason; follows the hint how to find out the outcome.
    """
    error_type, doubt = _without_answer(request)
    return _error(error_type, request, url, reason, status=status, hint=f"{doubt} {hint}".strip())


def _error(
    error_type: type[E], request: RequestLike, url: str, message: str | None, **more: Any
) -> E:
    return error_type(message, operation=request.operation, method=request.method, url=url, **more)


def _without_answer(request: RequestLike) -> tuple[type[NoAnswer], str]:
    """
    The error class and hint for a request without an answer: whether it only reads decides.
    """
    if request.doubt is None:
        return NoAnswer, "Nothing was changed: ask again."
    return OutcomeUnknown, request.doubt


def _read_engine_error(content: bytes) -> _EngineError | None:
    """
    The error in an answer's body; ``None`` if no engine has written the body.
    """
    try:
        body = loads(content)
    except ValueError:
        return None
    # The type is the name of a Java class; in a gateway's answer by RFC 9457 it is a URL.
    if not isinstance(body, dict) or not _is_java_name(body.get("type")) or "message" not in body:
        return None
    message, code = body["message"], body.get("code")
    if message is not None and not isinstance(message, str):
        return None
    return _EngineError(body["type"], message, code if isinstance(code, int) else None, body)


def _is_java_name(value: object) -> bool:
    return isinstance(value, str) and not set(value) & {":", "/"}


def _has_usual_path(url: str) -> bool:
    return "/engine-rest/" in url


def _classify(
    request: RequestLike, status: int, engine_error: _EngineError | None
) -> tuple[type[CamundaError], str]:
    """
    The error class and hint for an answer.
    """
    if status == 401:
        # Only a filter before the engine answers 401, and its body may have any form.
        return _BY_STATUS[status]
    if engine_error is not None:
        for row in _ROWS:
            if row.fits(request, status, engine_error):
                return row.error, row.hint
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if 300 <= status < 400:
        return NotTheEngine, "A redirect is not followed: is there a login before this URL?"
    if engine_error is None and status in _GATEWAY_GAVE_UP:
        return _without_answer(request)
    if 400 <= status < 500:
        if engine_error is not None:
            return BadRequest, "The engine does not take the request as it is."
        return NotTheEngine, (
            "Something before the engine answered, or an engine older than {since}: "
            "look at the URL."
        )
    return _without_answer(request)


def _add_particulars(
    error: CamundaError, engine_error: _EngineError, clean: Callable[[str], str]
) -> None:
    """
    Set the attributes that only some classes of errors have.
    """
    body = (
        _cleaned(engine_error.body, clean)
        if isinstance(error, (Forbidden, BadRequest))
        else engine_error.body
    )
    if isinstance(error, LockLost):
        _, separator, end = (engine_error.message or "").rpartition("locked by worker '")
        holder = end.removesuffix(".").removesuffix("'")
        error.worker_id = clean(holder) if separator and holder != "null" else None
    elif isinstance(error, Forbidden):
        error.user_id = _text(body.get("userId"))
        # Old engines write a single missing permission beside the list, or instead of it.
        authorizations = _dicts(body.get("missingAuthorizations")) or (body,)
        error.missing_authorizations = tuple(
            MissingAuthorization(
                permission_name=_text(authorization.get("permissionName")),
                resource_name=_text(authorization.get("resourceName")),
                resource_id=_text(authorization.get("resourceId")),
            )
            for authorization in authorizations
            if isinstance(authorization.get("permissionName"), str)
        )
    elif isinstance(error, BadRequest) and isinstance(body.get("details"), dict):
        error.details = {
            file: ResourceReport(
                errors=_problems(report.get("errors")), warnings=_problems(report.get("warnings"))
            )
            for file, report in body["details"].items()
            if isinstance(report, dict)
        }


def _cleaned(value: Any, clean: Callable[[str], str]) -> Any:
    match value:
        case str():
            return clean(value)
        case dict():
            return {_cleaned(name, clean): _cleaned(field, clean) for name, field in value.items()}
        case list():
            return [_cleaned(item, clean) for item in value]
    return value


def _problems(value: object) -> tuple[Problem, ...]:
    return tuple(
        Problem(
            message=_text(problem.get("message")),
            line=_number(problem.get("line")),
            column=_number(problem.get("column")),
            main_element_id=_text(problem.get("mainElementId")),
            # Camunda and CIB seven spell the first letter in Cyrillic, Operaton in Latin.
            element_ids=_texts(problem.get("elementIds")) or _texts(problem.get("\u0435lementIds")),
        )
        for problem in _dicts(value)
    )


def _dicts(value: object) -> tuple[Mapping[str, Any], ...]:
    items = value if isinstance(value, list) else ()
    return tuple(item for item in items if isinstance(item, dict))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else ()
    return tuple(item for item in items if isinstance(item, str))


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None
