"""
Turns failed attempts into errors: answers by a table of what engines say, and missing answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeVar

import attrs

from camunda_ext._call.answers import UnexpectedAnswer, reason_without_secrets
from camunda_ext._call.request import Request
from camunda_ext._http.messages import HttpResponse
from camunda_ext._http.transport import TransportFailure
from camunda_ext._wire.dates import DateFormat
from camunda_ext._wire.json import loads
from camunda_ext._wire.text import LONGEST_TEXT
from camunda_ext.errors import (
    BadRequest,
    CamundaError,
    Conflict,
    EngineBusy,
    EngineFailure,
    Forbidden,
    LockLost,
    MissingAuthorization,
    NoAnswer,
    NotFound,
    NotSent,
    NotTheEngine,
    OutcomeUnknown,
    Problem,
    Refused,
    ResourceReport,
    Suspended,
    TaskNotFound,
    Unauthorized,
)

T = TypeVar("T")


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

    def fits(self, request: Request[Any], status: int, engine_error: _EngineError) -> bool:
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
_NO_OPERATION: Final = "The engine lacks this operation: it came with {since}. Look at the URL."
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
    _Row(NotFound, _NO_OPERATION, 404),
    _Row(NotFound, _NO_OPERATION, 405),
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
        message=r"too many requests at the same time|\ARequest rejected due to shutdown",
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
    _Row(EngineFailure, _RACE, 500, message=r"\ACannot find execution with id "),
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
    _Row(EngineFailure, _RACE, 500, "NullPointerException"),
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


def of_answer(
    request: Request[Any],
    url: str,
    response: HttpResponse,
    problem: UnexpectedAnswer,
    dates: DateFormat,
) -> CamundaError:
    """
    The error for an unexpected answer.

    It holds none of the secrets that were sent, even if the server repeats them in its answer.
    """
    from camunda_ext._secrets import masks  # only now: few answers are unexpected

    status, content = response.status, response.content
    clean = partial(masks.without, secrets=response.secrets())
    engine_error = _read_engine_error(content)
    error_type, hint = _classify(request, status, engine_error)
    is_elsewhere = error_type is NotTheEngine or status == 200
    if engine_error is None and is_elsewhere and "/engine-rest/" not in url:
        hint += " Most engines answer below /engine-rest, which is not in this URL."
    reason = reason_without_secrets(request.returns, response, problem, clean, dates)
    said = engine_error or _EngineError()
    error = error_type(
        reason or (None if said.message is None else clean(said.message)),
        operation=request.operation,
        method=request.method,
        url=url,
        status=status,
        type=None if said.java_type is None else clean(said.java_type),
        code=said.code,
        hint=hint.replace("{since}", request.since),
        # Cleaned before it is cut: half of a secret would not be recognized.
        body=clean(content[: 8 * LONGEST_TEXT].decode("utf-8", "replace"))[:LONGEST_TEXT],
    )
    _add_particulars(error, said, clean)
    return error


def of_failure(request: Request[Any], url: str, failure: TransportFailure) -> CamundaError:
    """
    The error for an attempt without a complete answer.
    """
    error_type: type[CamundaError] = NotSent
    hint = failure.hint and f"Nothing happened. {failure.hint}"
    if failure.sent:
        error_type, doubt = _without_answer(request)
        hint = f"{doubt} {failure.hint}".strip()
    error = error_type(
        failure.reason,
        operation=request.operation,
        method=request.method,
        url=url,
        status=failure.status,
        hint=hint or "Nothing happened: it can be sent again.",
    )
    error.__cause__ = failure.cause
    return error


def _without_answer(request: Request[Any]) -> tuple[type[NoAnswer], str]:
    """
    The error class and hint for a request without an answer: whether it only reads decides.
    """
    if request.rule.doubt is None:
        return NoAnswer, "Nothing was changed: ask again."
    return OutcomeUnknown, request.rule.doubt


def _read_engine_error(content: bytes) -> _EngineError | None:
    """
    The error in an answer's body; ``None`` if no engine has written the body.
    """
    try:
        body = loads(content)
    except ValueError:
        return None
    match body:
        # The type is the name of a Java class; in a gateway's answer by RFC 9457 it is a URL.
        case {"type": str(kind), "message": str() | None as message} if not {*kind} & {":", "/"}:
            return _EngineError(kind, message, _if_int(body.get("code")), body)
    return None


def _classify(
    request: Request[Any], status: int, engine_error: _EngineError | None
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
    body = engine_error.body

    def text(value: object) -> str | None:
        return clean(value) if isinstance(value, str) else None

    def problems(value: object) -> tuple[Problem, ...]:
        return tuple(
            Problem(
                message=text(problem.get("message")),
                line=_if_int(problem.get("line")),
                column=_if_int(problem.get("column")),
                main_element_id=text(problem.get("mainElementId")),
                # Camunda and CIB seven spell the first letter in Cyrillic, Operaton in Latin.
                element_ids=tuple(
                    map(
                        clean,
                        _each(str, problem.get("elementIds"))
                        or _each(str, problem.get("\u0435lementIds")),
                    )
                ),
            )
            for problem in _each(dict, value)
        )

    if isinstance(error, LockLost):
        _, separator, end = (engine_error.message or "").rpartition("locked by worker '")
        holder = end.removesuffix(".").removesuffix("'")
        error.worker_id = clean(holder) if separator and holder != "null" else None
    elif isinstance(error, Forbidden):
        error.user_id = text(body.get("userId"))
        # Old engines write a single missing permission beside the list, or instead of it.
        error.missing_authorizations = tuple(
            MissingAuthorization(
                permission_name=text(authorization.get("permissionName")),
                resource_name=text(authorization.get("resourceName")),
                resource_id=text(authorization.get("resourceId")),
            )
            for authorization in _each(dict, body.get("missingAuthorizations")) or (body,)
            if isinstance(authorization.get("permissionName"), str)
        )
    elif isinstance(error, BadRequest) and isinstance(body.get("details"), dict):
        error.details = {
            clean(file): ResourceReport(
                errors=problems(report.get("errors")), warnings=problems(report.get("warnings"))
            )
            for file, report in body["details"].items()
            if isinstance(report, dict)
        }


def _if_int(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _each(kind: type[T], value: object) -> tuple[T, ...]:
    """
    The items of a JSON list that have the expected type.
    """
    return tuple(item for item in value if isinstance(item, kind)) if type(value) is list else ()
