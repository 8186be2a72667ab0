"""
Turns failed attempts into errors: answers by rules of what engines say, and missing answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeVar

import attrs

from camunda_ext._call.answers import UnexpectedAnswer, reason_without_secrets
from camunda_ext._call.request import Request
from camunda_ext._http.messages import HttpResponse, TransportFailure
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
    ResourceReport,
    Suspended,
    TaskNotFound,
    Unauthorized,
)

T = TypeVar("T")


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

    def says(self, pattern: str) -> bool:
        """
        Whether a regular expression is found in the message.
        """
        # `re` compiles it at the first use and caches it, so that the import stays quick.
        return re.search(pattern, self.message or "") is not None

    def misses_task(self, request: Request[Any], pattern: str) -> bool:
        """
        Whether the message is that a task of the request does not exist; the *pattern* has a group
        for the id.
        """
        match = re.fullmatch(pattern, self.message or "", re.DOTALL)
        return match is not None and match[1] in request.task_ids


#: The class of an error, and its hint.
Refusal = tuple[type[CamundaError], str]

_GONE: Final = "It was completed or cancelled, or never existed."
_WAIT: Final = "Wait, then try again."
_IN_LOG: Final = "The reason is in the engine's log; a command was rolled back."


def _of_engine(request: Request[Any], status: int, said: _EngineError) -> Refusal | None:
    """
    The error and hint for an answer *of the engine*; ``None`` if no rule fits.

    The rules for each status stand in an order: the first that fits is used.
    """
    match status:
        # The messages of POST and of GET; 7.6 answers with status 500.
        case 400 | 500 if request.operation == "list" and said.says(
            r"\A(You should call any of the orderBy methods first before specifying a direction"
            r"|Cannot set query parameter 'sortBy' to value )"
        ):
            return BadRequest, (
                "The engine cannot sort by that: createTime came with 7.21, all other criteria "
                "with 7.5."
            )
        case 400:
            return _of_400(said)
        case 404:
            return _of_404(request, said)
        case 405:
            return _no_operation(request)
        case 500:
            return _of_500(request, said)
        case 503 if request.operation == "fetch_and_lock":
            return EngineBusy, (
                "A later fetch of the same worker id took its place: are there two clients with "
                "one id?"
            )
        case 503:
            return EngineBusy, _WAIT
    return None


def _of_400(said: _EngineError) -> Refusal | None:
    says = said.says
    # The message quotes the value, which may hold the words of any other rule.
    if says(r"\A(Cannot convert value|Unsupported value type|Must provide 'null' or)"):
        return BadRequest, (
            "A variable's type is unknown to the engine, or its value does not fit it."
        )
    if says(r"locked by worker 'null'\.?\Z"):
        return LockLost, "Nobody holds the lock: fetch the task again, or lock it."
    # The sentences around it differ between operations, versions and vendors.
    if says(r"locked by worker '"):
        return LockLost, "Drop the work: the result belongs to whoever holds the lock."
    if says(r"\ACannot extend a lock that expired"):
        return LockLost, (
            "The lock has expired. Until another worker takes the task, complete may still work."
        )
    if said.java_type == "InvalidRequestException" and says(r"\ANo process engine available"):
        return EngineBusy, (
            "No engine of that name, see engine=; or it is starting: wait, then try again."
        )
    if says(r"\AUnable to (suspend|activate|delete) batch with id "):
        return NotFound, "There is no such batch: it is finished, deleted, or never existed."
    if says(r" is not a binary value\.\Z"):
        return BadRequest, "Only variables of type File and Bytes have contents to fetch."
    if says(r" is suspended\.\Z"):
        return Suspended, "The process instance is suspended; the lock is kept. Activate it first."
    if says(r"\AexternalTaskIds is empty"):
        return BadRequest, "No task was selected, and nothing was changed."
    if says(r"\A(An unbound number of results|Max results limit)"):
        return BadRequest, "The engine limits the results of a query: ask for fewer at a time."
    return None


def _of_404(request: Request[Any], said: _EngineError) -> Refusal:
    java_type = said.java_type
    if java_type == "RestException" and said.misses_task(
        request, "External task with id (.*) does not exist"
    ):
        return TaskNotFound, _GONE
    if java_type == "InvalidRequestException" and said.misses_task(
        request, r"Cannot find external task with id (.*): \w+ is null"
    ):
        return TaskNotFound, f"{_GONE} Nothing was changed."
    if request.operation == "request" or java_type != "InvalidRequestException":
        return _no_operation(request)
    if said.says(r"(?s)\AProcess engine .* not available"):
        return NotFound, "There is no engine of that name: look at engine=."
    if request.operation == "variable_file":
        return NotFound, (
            "There is no such variable there. Those of a task's own scope need the task: "
            "variable_file(task, name)."
        )
    return NotFound, "It is finished, deleted, or never existed."


def _no_operation(request: Request[Any]) -> Refusal:
    if request.operation == "request":
        return NotFound, (
            "The engine has no such path or method, or nothing of such an id: look at path and ids."
        )
    return NotFound, "The engine lacks this operation: it came with {since}. Look at the URL."


def _of_500(request: Request[Any], said: _EngineError) -> Refusal:
    operation, java_type, says = request.operation, said.java_type, said.says
    # GetExternalTaskErrorDetailsCmd.java:48 answers 500, where every other command answers 404.
    if (operation, java_type) == ("error_details", "NullValueException") and said.misses_task(
        request, r"No external task found with id (.*): \w+ is null"
    ):
        return TaskNotFound, _GONE
    # RuntimeServiceImpl.java answers 500 for an unknown execution, 404 for a missing variable.
    if operation == "variable_file" and says(r": execution is null\Z"):
        return NotFound, "There is no such process instance or execution (any more)."
    if java_type == "OptimisticLockingException" or said.code in (1, 10000):
        return Conflict, "It was rolled back: try again soon, after a look at the task."
    if operation == "fetch_and_lock" and says(
        r"too many requests at the same time|\ARequest rejected due to shutdown"
    ):
        return EngineBusy, _WAIT
    if java_type == "CannotCreateTransactionException":
        return EngineBusy, "The engine cannot reach its database, and has begun nothing."
    if said.code == 10002:
        return EngineFailure, (
            "A text is too long for its column: a String variable takes 4000 UTF-16 units."
        )
    if operation == "request":
        return EngineFailure, _IN_LOG
    if (
        java_type == "NullPointerException"
        and operation == "fetch_and_lock"
        and says("TopicFetchInstruction")
    ):
        return EngineFailure, (
            "There are tasks of another topic whose name is the same to the engine's database, "
            "which compares without case, or without blanks at the end. Each fetch fails until "
            "they are done: topic_names() has both names; fetch both topics at once."
        )
    if java_type == "NullPointerException" or says(r"\ACannot find execution with id "):
        return EngineFailure, (
            "The task may have been changed by somebody else at the same time: look at it first."
        )
    return EngineFailure, _IN_LOG


#: The error and hint for a status, whether an engine or a gateway answered; used if no rule fits.
_BY_STATUS: Final[Mapping[int, Refusal]] = {
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
        # Only a filter before the engine answers 401, and its body may have any form.
        "Look at auth=. After a wrong password the engine refuses the right one too, for seconds.",
    ),
    403: (Forbidden, "The user lacks a permission, or a gateway refused the request."),
    429: (EngineBusy, _WAIT),
}


#: Statuses of gateways that gave up waiting; the request may have reached the engine.
_GATEWAY_GAVE_UP: Final = (408, 499)


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


def _without_answer(request: Request[Any]) -> Refusal:
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


def _classify(request: Request[Any], status: int, engine_error: _EngineError | None) -> Refusal:
    refusal = None if engine_error is None else _of_engine(request, status, engine_error)
    if refusal is not None:
        return refusal
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
