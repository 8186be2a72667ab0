"""
What went wrong, told by class::

    CamundaError
    ├── NotSent                 it provably never left: nothing happened
    ├── Refused                 it was answered, and not done
    │   ├── NotFound            an operation that the engine lacks, a batch, a log entry
    │   │   └── TaskNotFound    there is no such task (any more)
    │   ├── LockLost            another worker has the lock, or nobody has
    │   ├── Unauthorized        no credentials, or wrong ones
    │   ├── Forbidden           the credentials are right, the permission is missing
    │   ├── BadRequest          the engine does not take it as it is
    │   │   └── Suspended       the process instance rests until somebody activates it
    │   ├── Conflict            somebody changed the same rows; rolled back
    │   ├── EngineBusy          starting, or too many requests
    │   ├── EngineFailure       any other failure in the engine; rolled back
    │   └── NotTheEngine        a redirect to a login, a gateway's 404
    └── NoAnswer                no trustworthy answer came: a login page with 200 is none
        └── OutcomeUnknown      ... to something that may have changed the engine's state

Status alone decides nothing: a gateway says 404 too, a starting engine says 400, and an unknown
task is a 500 to one operation. The table `_ROWS` holds all that decides.
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
    One try to get an answer.
    """

    #: What went wrong, as text: an exception of the HTTP library would carry the request along.
    error: str

    #: How long it took, in seconds.
    seconds: float


@attrs.frozen(kw_only=True, eq=False, repr=False)
class MissingAuthorization(Value):
    """
    A permission that would have been enough.
    """

    #: The permission, such as ``UPDATE``.
    permission_name: str | None = None

    #: What it is a permission for, such as ``ProcessInstance``.
    resource_name: str | None = None

    #: Which one of these; ``None`` or ``*`` for all.
    resource_id: str | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Problem(Value):
    """
    One complaint about a deployed file.
    """

    #: What is wrong.
    message: str | None = None

    #: Line of the file, from 1.
    line: int | None = None

    #: Column of the line, from 1.
    column: int | None = None

    #: The element that it is about.
    main_element_id: str | None = None

    #: All elements that it is about.
    element_ids: tuple[str, ...] = ()


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ResourceReport(Value):
    """
    All complaints about one deployed file.
    """

    #: What keeps the file from being deployed.
    errors: tuple[Problem, ...] = ()

    #: What does not.
    warnings: tuple[Problem, ...] = ()


@runtime_checkable
class Asked(Protocol):
    """
    What an error has to know about a request.
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
        The external tasks that it names, to tell a missing task from a missing page.
        """

    @property
    def since(self) -> str:
        """
        The first engine version that has the operation.
        """

    @property
    def doubt(self) -> str | None:
        """
        How to find out whether it took effect; ``None`` for what only reads.
        """


@exported
class CamundaError(Exception):
    """
    A call that did not do what it was to do; the subclass says what happened instead.
    """

    #: Name of the client's method.
    operation: str
    #: The HTTP method.
    method: str
    #: The whole URL, without user and password.
    url: str
    #: The HTTP status; ``None`` if there was no answer.
    status: int | None
    #: The engine's type of error, a simple Java class name; ``None`` if the engine did not say one.
    type: str | None
    #: The engine's message, or what the network said.
    message: str | None
    #: The engine's code; ``None`` up to 7.14, and where no engine exception is behind the answer.
    code: int | None
    #: Each try and what became of it.
    attempts: tuple[Attempt, ...]
    #: What to do next, in a sentence.
    hint: str
    #: The start of the answer as it came, at most 2048 characters; for a person to look at.
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
        Give what was answered, on one line: status, message and type.
        """
        said = [str(self.status)] if self.status is not None else []
        said += [printable(self.message)] if self.message else []
        said += [f"({printable(self.type)})"] if self.type else []
        return " ".join(said)

    def __str__(self) -> str:
        where = f"{self.method} {self.url}".strip()
        told = ": ".join(filter(None, [self.operation, where, self.in_short()]))
        return f"{told}. {self.hint}" if self.hint else told


@exported
class NotSent(CamundaError):
    """
    The request provably never left, so nothing happened: it can be sent again.
    """


@exported
class Refused(CamundaError):
    """
    The request was answered, and was not done.
    """


@exported
class NotFound(Refused):
    """
    The engine lacks the operation, or has no such batch or log entry.
    """


@exported
class TaskNotFound(NotFound):
    """
    There is no external task of this id: completed, cancelled, or never there.
    """


@exported
class LockLost(Refused):
    """
    The worker does not hold the lock that the command needs.
    """

    #: The worker that holds it; ``None`` if nobody does, or if the lock has just expired.
    worker_id: str | None = None


@exported
class Unauthorized(Refused):
    """
    The credentials are missing or wrong, or the user is locked after a wrong try.
    """


@exported
class Forbidden(Refused):
    """
    The user lacks a permission.
    """

    #: The permissions of which any one would do.
    missing_authorizations: tuple[MissingAuthorization, ...] = ()

    #: The user who was refused.
    user_id: str | None = None


@exported
class BadRequest(Refused):
    """
    The engine does not take the request as it is; sending it again does not help.
    """

    #: For a file that could not be deployed: its name, and what is wrong with it.
    details: Mapping[str, ResourceReport] = {}


@exported
class Suspended(BadRequest):
    """
    The process instance is suspended, alone or together with its definition. The lock is kept, and
    when somebody has activated it, the same request is taken.
    """


@exported
class Conflict(Refused):
    """
    Somebody changed the same rows at the same time; rolled back, so try again soon.
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
    Something else than an engine refused: a redirect to a login, a gateway, another application.
    """


@exported
class NoAnswer(CamundaError):
    """
    No trustworthy answer came; to a request that only reads, unless it is an `OutcomeUnknown`.
    """


@exported
class OutcomeUnknown(NoAnswer):
    """
    No trustworthy answer came, and the engine may or may not have done it.
    """

    #: The request as a command for a person to look at, whole and without credentials. Its body may
    #: hold what must not be logged: the values of variables.
    curl: str = ""


@attrs.frozen(eq=False, repr=False)
class _Row:
    """
    An error for the answers that fit all that is given.
    """

    error: type[Refused]
    hint: str
    status: int | None = None
    java_type: str | None = None
    code: int | None = None
    #: Searched in the message; a group ``id`` must be one of the tasks that were asked for.
    message: str | None = None
    operation: str | None = None

    def fits(self, request: Asked, status: int, said: "_Said") -> bool:
        if self.message is not None:
            # Compiled when needed, and kept by `re`: an import compiles none.
            found = re.search(self.message, said.message or "")
            if found is None or found.groupdict().get("id", None) not in (None, *request.task_ids):
                return False
        return (
            self.status in (None, status)
            and self.java_type in (None, said.java_type)
            and self.code in (None, said.code)
            and self.operation in (None, request.operation)
        )


_GONE: Final = "It was completed or cancelled, or never existed."
_RACE: Final = "The task may have been changed by somebody else at the same time: look at it first."
_AGAIN: Final = "It was rolled back: try again soon, after a look at the task."
_WAIT: Final = "Wait, then try again."
_NO_SUCH_PATH: Final = (
    "The engine has no such path or method, or nothing of such an id: look at path and ids."
)
_NO_SUCH_ORDER: Final = (
    "The engine cannot sort by that: createTime came with 7.21, all other criteria with 7.5."
)

#: The first row that fits an answer *of the engine* is its error.
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
        # GetExternalTaskErrorDetailsCmd.java:48 answers so, where every other command says 404.
        message=r"(?s)\ANo external task found with id (?P<id>.*): \w+ is null\Z",
        operation="error_details",
    ),
    _Row(NotFound, _NO_SUCH_PATH, 404, operation="request"),
    _Row(NotFound, _NO_SUCH_PATH, 405, operation="request"),
    _Row(
        BadRequest,
        "A variable's type is unknown to the engine, or its value does not fit it.",
        400,
        # It quotes the value, which may hold the words of any other row.
        message=r"\A(Cannot convert value|Unsupported value type|Must provide 'null' or)",
    ),
    # By POST and by GET; 7.6 says it with status 500.
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
        "There is no such variable there. One of a task's own scope is found by the task alone: "
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
        # RuntimeServiceImpl.java fails on an unknown execution, where a variable is just missing.
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
    _Row(
        EngineFailure,
        _RACE,
        500,
        message=r"\ACannot find execution with id ",
    ),
    _Row(
        EngineFailure,
        "There are tasks of a topic that is another one only to the engine, and not to its "
        "database, which compares without case, or without blanks at the end. Each fetch fails "
        "until they are done: topic_names() shows both; fetch both at once.",
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
    _Row(EngineFailure, "The reason is in the engine's log; a command was rolled back.", 500),
)

#: What a status means whoever said it; looked at after the engine's own words.
_ANYBODYS: Final[Mapping[int, tuple[type[Refused], str]]] = {
    400: (BadRequest, "The request is malformed, or too large, for the engine or its server."),
    407: (NotTheEngine, "A proxy wants credentials: they belong in its URL, see proxies=."),
    413: (BadRequest, "The body is larger than a server on the way takes: send less at a time."),
    414: (BadRequest, 'The URL is longer than a server on the way takes: pass via="POST".'),
    431: (
        BadRequest,
        "The headers are larger than a server on the way takes: look at auth= and headers=.",
    ),
    401: (
        Unauthorized,
        "Look at auth=. After a wrong password the engine refuses the right one too, for seconds.",
    ),
    403: (Forbidden, "The user lacks a permission, or something before the engine says no."),
    429: (EngineBusy, _WAIT),
}


#: What gateways say that have waited for long enough, and may have passed the request on.
_GIVEN_UP: Final = (408, 499)


@attrs.frozen(eq=False, repr=False)
class _Said:
    """
    The body of an engine's error.
    """

    java_type: str | None = None
    message: str | None = None
    code: int | None = None
    rest: Mapping[str, Any] = {}


def from_response(
    request: Asked,
    url: str,
    status: int,
    content: bytes,
    reason: str = "",
    clean: Callable[[str], str] = str,
) -> CamundaError:
    """
    The error that an answer stands for which is not the one that was due.

    Args:
        reason: What is wrong with an answer that looked like success.

        clean: Takes out of a text what nobody is to see.
    """
    said = _engine_said(content)
    error, hint = _classify(request, status, said)
    if said is None and (error is NotTheEngine or status == 200) and not _is_usual(url):
        hint += " Most engines answer below /engine-rest, which is not in this URL."
    raised = _error(
        error,
        request,
        url,
        reason or (None if said is None or said.message is None else clean(said.message)),
        status=status,
        type=clean(said.java_type or "") if said else None,
        code=said.code if said else None,
        hint=hint.replace("{since}", request.since),
        # More than is shown: what is cut could not be found.
        body=clean(content[: 8 * LONGEST_TEXT].decode("utf-8", "replace"))[:LONGEST_TEXT],
    )
    if said is not None:
        _add_particulars(raised, said, clean)
    return raised


def retold(error: CamundaError, request: Asked, url: str) -> CamundaError:
    """
    An error that one request met, as what became of another.
    """
    return _error(type(error), request, url, error.message, hint=error.hint, **_as_answered(error))


def doubted(error: CamundaError, request: Asked, url: str) -> OutcomeUnknown:
    """
    An error of the engine, as one that does not say whether the request took effect.
    """
    said = _as_answered(error)
    return _error(OutcomeUnknown, request, url, error.message, hint=request.doubt or "", **said)


def _as_answered(error: CamundaError) -> dict[str, Any]:
    return {name: getattr(error, name) for name in ("status", "type", "code", "body")}


def not_sent(request: Asked, url: str, reason: str, *, hint: str = "") -> NotSent:
    """
    The error of a request that never left.

    Args:
        hint: What to do about it; empty if there is nothing but to send it again.
    """
    told = f"Nothing happened. {hint}" if hint else "Nothing happened: it can be sent again."
    return _error(NotSent, request, url, reason, hint=told)


def no_answer(
    request: Asked, url: str, reason: str, *, status: int | None = None, hint: str = ""
) -> NoAnswer:
    """
    The error of a request that may have left, and got no trustworthy answer, or not all of one.

    Args:
        hint: What to do about the reason, besides what is to be done about the doubt.
    """
    error, own = _doubt(request)
    return _error(error, request, url, reason, status=status, hint=f"{own} {hint}".strip())


def _error(error: type[E], request: Asked, url: str, message: str | None, **more: Any) -> E:
    return error(message, operation=request.operation, method=request.method, url=url, **more)


def _doubt(request: Asked) -> tuple[type[NoAnswer], str]:
    if request.doubt is None:
        return NoAnswer, "Nothing was changed: ask again."
    return OutcomeUnknown, request.doubt


def _engine_said(content: bytes) -> _Said | None:
    """
    Read the body of an error; ``None`` if no engine has written it.
    """
    try:
        body = loads(content)
    except ValueError:
        return None
    # A type is the name of a Java class; what a gateway writes by RFC 9457 has a URL there.
    if not isinstance(body, dict) or not _is_java_name(body.get("type")) or "message" not in body:
        return None
    message, code = body["message"], body.get("code")
    if message is not None and not isinstance(message, str):
        return None
    return _Said(body["type"], message, code if isinstance(code, int) else None, body)


def _is_java_name(value: object) -> bool:
    return isinstance(value, str) and not set(value) & {":", "/"}


def _is_usual(url: str) -> bool:
    return "/engine-rest/" in url


def _classify(request: Asked, status: int, said: _Said | None) -> tuple[type[CamundaError], str]:
    if status == 401:
        # A filter before the engine says so, in any form; the engine never does.
        return _ANYBODYS[status]
    if said is not None:
        for row in _ROWS:
            if row.fits(request, status, said):
                return row.error, row.hint
    if status in _ANYBODYS:
        return _ANYBODYS[status]
    if 300 <= status < 400:
        return NotTheEngine, "A redirect is not followed: is there a login before this URL?"
    if said is None and status in _GIVEN_UP:
        return _doubt(request)
    if 400 <= status < 500:
        if said is not None:
            return BadRequest, "The engine does not take the request as it is."
        return NotTheEngine, (
            "Something before the engine answered, or an engine older than {since}: "
            "look at the URL."
        )
    return _doubt(request)


def _add_particulars(error: CamundaError, said: _Said, clean: Callable[[str], str]) -> None:
    rest = _cleaned(said.rest, clean) if isinstance(error, (Forbidden, BadRequest)) else said.rest
    if isinstance(error, LockLost):
        _, marked, last = (said.message or "").rpartition("locked by worker '")
        holder = last.removesuffix(".").removesuffix("'")
        error.worker_id = clean(holder) if marked and holder != "null" else None
    elif isinstance(error, Forbidden):
        error.user_id = _text(rest.get("userId"))
        # Where a single one is missing, old engines say so beside the list, or instead of it.
        missing = _dicts(rest.get("missingAuthorizations")) or (rest,)
        error.missing_authorizations = tuple(
            MissingAuthorization(
                permission_name=_text(one.get("permissionName")),
                resource_name=_text(one.get("resourceName")),
                resource_id=_text(one.get("resourceId")),
            )
            for one in missing
            if isinstance(one.get("permissionName"), str)
        )
    elif isinstance(error, BadRequest) and isinstance(rest.get("details"), dict):
        error.details = {
            file: ResourceReport(
                errors=_problems(report.get("errors")), warnings=_problems(report.get("warnings"))
            )
            for file, report in rest["details"].items()
            if isinstance(report, dict)
        }


def _cleaned(value: Any, clean: Callable[[str], str]) -> Any:
    match value:
        case str():
            return clean(value)
        case dict():
            return {_cleaned(name, clean): _cleaned(one, clean) for name, one in value.items()}
        case list():
            return [_cleaned(one, clean) for one in value]
    return value


def _problems(given: object) -> tuple[Problem, ...]:
    return tuple(
        Problem(
            message=_text(one.get("message")),
            line=_number(one.get("line")),
            column=_number(one.get("column")),
            main_element_id=_text(one.get("mainElementId")),
            # Camunda and CIB seven spell the first letter in Cyrillic, Operaton in Latin.
            element_ids=_texts(one.get("elementIds")) or _texts(one.get("\u0435lementIds")),
        )
        for one in _dicts(given)
    )


def _dicts(given: object) -> tuple[Mapping[str, Any], ...]:
    return tuple(one for one in given if isinstance(one, dict)) if isinstance(given, list) else ()


def _text(given: object) -> str | None:
    return given if isinstance(given, str) else None


def _texts(given: object) -> tuple[str, ...]:
    return tuple(one for one in given if isinstance(one, str)) if isinstance(given, list) else ()


def _number(given: object) -> int | None:
    return given if isinstance(given, int) else None
