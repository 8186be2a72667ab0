"""
What an engine says when it refuses, and what errors are as values.
"""

from __future__ import annotations

import copy
import io
import json
import logging
import pickle
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs
import pytest

import camunda_ext
from camunda_ext import (
    BadRequest,
    CamundaError,
    Conflict,
    EngineBusy,
    EngineFailure,
    ExternalTaskClient,
    Forbidden,
    LockLost,
    NoAnswer,
    NotFound,
    NotSent,
    NotTheEngine,
    OutcomeUnknown,
    Refused,
    Suspended,
    TaskNotFound,
    Topic,
    Unauthorized,
    errors,
)
from camunda_ext.errors import Attempt, MissingAuthorization, Problem, ResourceReport
from tests.stub import (
    Stub,
    error_of,
    html_answer,
    json_answer,
    once,
    operation,
    raw_answer,
    sample,
)

_GONE: Final = "It was completed or cancelled, or never existed."
_NOBODY: Final = "Nobody holds the lock: fetch the task again, or lock it."
_DROP: Final = "Drop the work: the result belongs to whoever holds the lock."
_AGAIN: Final = "It was rolled back: try again soon, after a look at the task."
_WAIT: Final = "Wait, then try again."
_SUPERSEDED: Final = (
    "A later fetch of the same worker id took its place: are there two clients with one id?"
)
_ROLLED_BACK: Final = "The reason is in the engine's log; a command was rolled back."
_NO_BATCH: Final = "There is no such batch: it is finished, deleted, or never existed."
_MALFORMED: Final = "The request is malformed, or too large, for the engine or its server."
_NO_RIGHT: Final = "The user lacks a permission, or a gateway refused the request."


def _lacks(since: str) -> str:
    return f"The engine lacks this operation: it came with {since}. Look at the URL."


@attrs.frozen
class Said:
    """
    What an engine says to an operation, and the error that it is.
    """

    operation: str
    status: int
    java_type: str
    message: str | None
    error: type[CamundaError]
    hint: str
    code: int | None = None


_PERSISTENCE: Final = "An exception occurred in the persistence layer. Please check the server logs"

_NO_ORDER: Final = (
    "You should call any of the orderBy methods first before specifying a direction: "
    "currentOrderingProperty is null"
)
_CANNOT_SORT: Final = (
    "The engine cannot sort by that: createTime came with 7.21, all other criteria with 7.5."
)

SAID: Final = (
    # ----- sorted by what came later
    Said("list", 400, "NotValidException", _NO_ORDER, BadRequest, _CANNOT_SORT),
    Said("list", 500, "NotValidException", _NO_ORDER, BadRequest, _CANNOT_SORT),
    Said(
        "list",
        400,
        "InvalidRequestException",
        "Cannot set query parameter 'sortBy' to value 'createTime'",
        BadRequest,
        _CANNOT_SORT,
    ),
    # ----- no such task
    Said(
        "complete",
        404,
        "RestException",
        "External task with id t1 does not exist",
        TaskNotFound,
        _GONE,
    ),
    Said(
        "get", 404, "RestException", "External task with id t1 does not exist", TaskNotFound, _GONE
    ),
    Said(
        "set_retries_of",
        404,
        "InvalidRequestException",
        "Cannot find external task with id t1: externalTask is null",
        TaskNotFound,
        _GONE + " Nothing was changed.",
    ),
    Said(
        "error_details",
        500,
        "NullValueException",
        "No external task found with id t1: externalTask is null",
        TaskNotFound,
        _GONE,
        code=0,
    ),
    # ----- something else that is not there
    Said(
        "complete",
        404,
        "RestException",
        "External task with id t2 does not exist",
        NotFound,
        _lacks("7.5"),
    ),
    Said(
        "complete",
        404,
        "RestException",
        "External task with id t1 does not exist\nneither does t2",
        NotFound,
        _lacks("7.5"),
    ),
    Said(
        "set_retries_of",
        404,
        "InvalidRequestException",
        "Cannot find external task with id t2: externalTask is null",
        NotFound,
        "It is finished, deleted, or never existed.",
    ),
    Said(
        "error_details",
        500,
        "NullValueException",
        "No external task found with id t2: externalTask is null",
        EngineFailure,
        _ROLLED_BACK,
    ),
    Said(
        "complete",
        500,
        "NullValueException",
        "No external task found with id t1: externalTask is null",
        EngineFailure,
        _ROLLED_BACK,
    ),
    Said("lock", 404, "NotFoundException", "HTTP 404 Not Found", NotFound, _lacks("7.15")),
    Said("extend_lock", 404, "NotFoundException", "HTTP 404 Not Found", NotFound, _lacks("7.8")),
    Said("topic_names", 404, "NotFoundException", "HTTP 404 Not Found", NotFound, _lacks("7.13")),
    Said(
        "complete",
        405,
        "NotAllowedException",
        "HTTP 405 Method Not Allowed",
        NotFound,
        _lacks("7.5"),
    ),
    Said(
        "complete",
        404,
        "InvalidRequestException",
        "Process engine north not available",
        NotFound,
        "There is no engine of that name: look at engine=.",
    ),
    Said(
        "complete",
        400,
        "InvalidRequestException",
        "No process engine available",
        EngineBusy,
        "No engine of that name, see engine=; or it is starting: wait, then try again.",
    ),
    Said(
        "batch",
        404,
        "InvalidRequestException",
        "Batch with id 'b1' does not exist",
        NotFound,
        "It is finished, deleted, or never existed.",
    ),
    Said(
        "log_get",
        404,
        "InvalidRequestException",
        "Historic external task log with id h1 does not exist",
        NotFound,
        "It is finished, deleted, or never existed.",
    ),
    Said(
        "suspend_batch",
        400,
        "BadUserRequestException",
        "Unable to suspend batch with id 'b1'",
        NotFound,
        _NO_BATCH,
    ),
    Said(
        "activate_batch",
        400,
        "BadUserRequestException",
        "Unable to activate batch with id 'b1'",
        NotFound,
        _NO_BATCH,
    ),
    Said(
        "delete_batch",
        400,
        "InvalidRequestException",
        "Unable to delete batch with id 'b1'",
        NotFound,
        _NO_BATCH,
    ),
    Said(
        "variable_file",
        500,
        "NullValueException",
        "execution p1 doesn't exist: execution is null",
        NotFound,
        "There is no such process instance or execution (any more).",
    ),
    # ----- the lock, see below for whose it is
    Said(
        "extend_lock",
        400,
        "RestException",
        "Cannot extend a lock that expired: lockExpirationTime is not greater than or equal to 17",
        LockLost,
        "The lock has expired. Until another worker takes the task, complete may still work.",
        code=0,
    ),
    # ----- the request
    Said(
        "complete",
        400,
        "RestException",
        "ENGINE-03043 ExternalTask with id 't1' is suspended.",
        Suspended,
        "The process instance is suspended; the lock is kept. Activate it first.",
        code=0,
    ),
    Said(
        "set_retries_of",
        400,
        "InvalidRequestException",
        "externalTaskIds is empty",
        BadRequest,
        "No task was selected, and nothing was changed.",
    ),
    Said(
        "list",
        400,
        "BadUserRequestException",
        "An unbound number of results is forbidden!",
        BadRequest,
        "The engine limits the results of a query: ask for fewer at a time.",
        code=0,
    ),
    Said(
        "set_retries_of",
        400,
        "InvalidRequestException",
        "Max results limit of 3 exceeded!",
        BadRequest,
        "The engine limits the results of a query: ask for fewer at a time.",
    ),
    Said("list", 400, "InvalidRequestException", "", BadRequest, _MALFORMED),
    Said("list", 400, "InvalidRequestException", None, BadRequest, _MALFORMED),
    Said(
        "complete",
        400,
        "RestException",
        "Unsupported value type 'Foo'",
        BadRequest,
        "A variable's type is unknown to the engine, or its value does not fit it.",
    ),
    Said(
        "error_details",
        406,
        "NotAcceptableException",
        "HTTP 406 Not Acceptable",
        BadRequest,
        "The engine does not take the request as it is.",
    ),
    Said(
        "complete",
        415,
        "NotSupportedException",
        "HTTP 415 Unsupported Media Type",
        BadRequest,
        "The engine does not take the request as it is.",
    ),
    # ----- somebody else was quicker
    Said(
        "complete",
        500,
        "OptimisticLockingException",
        "ENGINE-03005 Execution of 'UPDATE ExternalTaskEntity[t1]' failed.",
        Conflict,
        _AGAIN,
        code=1,
    ),
    Said(
        "complete",
        500,
        "OptimisticLockingException",
        "ENGINE-03005 Execution of 'UPDATE ExternalTaskEntity[t1]' failed.",
        Conflict,
        _AGAIN,
    ),
    Said("complete", 500, "ProcessEngineException", "of a subclass", Conflict, _AGAIN, code=1),
    Said(
        "complete", 500, "ProcessEnginePersistenceException", _PERSISTENCE, Conflict, _AGAIN, 10000
    ),
    # ----- the engine has no time
    Said(
        "fetch_and_lock",
        500,
        "InvalidRequestException",
        "At the moment the server has to handle too many requests at the same time. "
        "Please try again later.",
        EngineBusy,
        _WAIT,
    ),
    Said(
        "fetch_and_lock",
        500,
        "RestException",
        "Request rejected due to shutdown of application server.",
        EngineBusy,
        _WAIT,
    ),
    Said("fetch_and_lock", 503, "RestException", "Service Unavailable", EngineBusy, _SUPERSEDED),
    Said("count", 503, "RestException", "Service Unavailable", EngineBusy, _WAIT),
    Said("complete", 429, "TooManyRequests", "slow down", EngineBusy, _WAIT),
    # ----- the engine failed
    Said("complete", 500, "NullValueException", "workerId is null", EngineFailure, _ROLLED_BACK, 0),
    Said(
        "complete",
        500,
        "NullPointerException",
        None,
        EngineFailure,
        "The task may have been changed by somebody else at the same time: look at it first.",
    ),
    Said(
        "complete",
        500,
        "ProcessEnginePersistenceException",
        _PERSISTENCE,
        EngineFailure,
        "A text is too long for its column: a String variable takes 4000 UTF-16 units.",
        10002,
    ),
    Said(
        "complete",
        500,
        "ProcessEnginePersistenceException",
        _PERSISTENCE,
        EngineFailure,
        _ROLLED_BACK,
        10001,
    ),
    Said(
        "complete",
        500,
        "NullValueException",
        "Cannot find execution with id e1 for external task t1: execution is null",
        EngineFailure,
        "The task may have been changed by somebody else at the same time: look at it first.",
        0,
    ),
    Said("complete", 500, "CreditException", "no credit", EngineFailure, _ROLLED_BACK, 20007),
    Said(
        "complete",
        500,
        "ProcessEngineException",
        "ENGINE-13034 Cannot update the process instance 'p1' because it belongs to no "
        "authenticated tenant.",
        EngineFailure,
        _ROLLED_BACK,
        0,
    ),
    # ----- who asks
    Said("complete", 403, "AuthorizationException", "no", Forbidden, _NO_RIGHT, 0),
    Said(
        "complete",
        401,
        "X",
        "no",
        Unauthorized,
        "Look at auth=. After a wrong password the engine refuses the right one too, for seconds.",
    ),
)


def _label(said: Said) -> str:
    return f"{said.operation}-{said.java_type}-{said.message}"[:70]


@pytest.mark.parametrize("said", SAID, ids=_label)
def test_what_an_engine_says_is_the_right_error(said: Said) -> None:
    """
    Status, type, message and code together tell what happened.
    """
    body = {"type": said.java_type, "message": said.message, "code": said.code}
    error = _error_of(said.operation, json_answer(said.status, body))

    assert (type(error), error.status, error.type, error.message, error.code, error.hint) == (
        said.error,
        said.status,
        said.java_type,
        said.message,
        said.code,
        said.hint,
    )


@pytest.mark.parametrize("said", [one for one in SAID if not one.code], ids=_label)
def test_an_engine_that_says_no_code_is_understood_as_well(said: Said) -> None:
    """
    Engines before 7.15 say type and message only.
    """
    body = {"type": said.java_type, "message": said.message}
    error = _error_of(said.operation, json_answer(said.status, body))

    assert (type(error), error.code, error.hint) == (said.error, None, said.hint)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("complete", "External Task t1 cannot be completed by worker '{w}'."),
        ("failure", "Failure of External Task t1 cannot be reported by worker '{w}'."),
        ("bpmn_error", "Bpmn error of External Task t1 cannot be reported by worker '{w}'."),
        ("lock", "External Task t1 cannot be locked by worker '{w}'."),
        (
            "extend_lock",
            "The lock of the External Task t1 cannot be extended by worker '{w}''.",
        ),
        ("extend_lock", "The lock of the External Task t1 cannot be extended by worker '{w}'."),
    ],
)
@pytest.mark.parametrize(
    ("holder", "worker_id"),
    [
        ("w2", "w2"),
        ("null", None),
        ("o'brien", "o'brien"),
        ("'", "'"),
        ("w2'.", "w2'."),
        ("", ""),
        ("a\nb", "a\nb"),
    ],
)
@pytest.mark.parametrize("caller", ["w1", "it is locked by worker 'w3'."])
def test_a_lost_lock_tells_who_holds_it(
    name: str, sentence: str, holder: str, worker_id: str | None, caller: str
) -> None:
    """
    The holder is all that stands between the last "locked by worker" and the end, quotes and all.
    """
    message = f"{sentence.replace('{w}', caller)} It is locked by worker '{holder}'."
    error = _error_of(
        name, json_answer(400, {"type": "RestException", "message": message, "code": 0})
    )

    hint = _NOBODY if holder == "null" else _DROP
    assert (type(error), vars(error).get("worker_id"), error.hint) == (LockLost, worker_id, hint)


@pytest.mark.parametrize("value", ["locked by worker 'w2'", "It is locked by worker 'w2'."])
def test_a_value_that_speaks_of_locks_is_no_lost_lock(value: str) -> None:
    """
    An engine repeats a variable that it cannot convert; whose words these are, the type tells.
    """
    message = f"Cannot convert value '{value}' of type 'Integer' to java type java.lang.Integer"
    body = {"type": "InvalidRequestException", "message": message, "code": None}
    error = _error_of("complete", json_answer(400, body))

    assert (type(error), error.message) == (BadRequest, message)


def test_a_lock_that_expired_is_held_by_nobody() -> None:
    """
    Where no holder is told, there is none.
    """
    message = "Cannot extend a lock that expired: lockExpirationTime is not greater than 17"
    error = _error_of(
        "extend_lock", json_answer(400, {"type": "RestException", "message": message})
    )

    assert isinstance(error, LockLost)
    assert error.worker_id is None


def test_a_recorded_lost_lock() -> None:
    """
    The words of a real engine are understood.
    """
    error = _error_of("complete", json_answer(400, sample("complete/wrong_worker")))

    assert isinstance(error, LockLost)
    assert (error.worker_id, error.message, error.code) == (
        "w1",
        "External Task 0f1b cannot be completed by worker 'w2'. It is locked by worker 'w1'.",
        0,
    )


@pytest.mark.parametrize(
    ("name", "status", "error", "message", "code"),
    [
        ("not_found", 404, TaskNotFound, "External task with id 0f1b does not exist", None),
        (
            "optimistic_lock",
            500,
            Conflict,
            "ENGINE-03005 Execution of 'UPDATE ExternalTaskEntity[0f1b]' failed.",
            1,
        ),
        ("null_value", 500, EngineFailure, "workerId is null", 0),
    ],
)
def test_recorded_answers_to_complete(
    name: str, status: int, error: type[CamundaError], message: str, code: int | None
) -> None:
    """
    The words of a real engine are understood.
    """
    raised = error_of(
        lambda client: client.complete("0f1b", "w1"),
        json_answer(status, sample(f"complete/{name}")),
    )

    assert (type(raised), raised.message, raised.code) == (error, message, code)


def test_an_empty_message_stays_empty() -> None:
    """
    An engine that says "" has said something else than one that says null.
    """
    error = _error_of("list", json_answer(400, sample("list/empty_message")))

    assert (type(error), error.type, error.message) == (BadRequest, "InvalidRequestException", "")


@pytest.mark.parametrize("id_", ["t1", "a: b", "a b", "5", "é", "a'b", "does not exist", "%"])
@pytest.mark.parametrize(
    ("name", "status", "type_", "message"),
    [
        ("get", 404, "RestException", "External task with id {id} does not exist"),
        (
            "set_retries_of",
            404,
            "InvalidRequestException",
            "Cannot find external task with id {id}: externalTask is null",
        ),
        (
            "error_details",
            500,
            "NullValueException",
            "No external task found with id {id}: externalTask is null",
        ),
    ],
)
def test_a_missing_task_is_found_missing_whatever_its_id(
    id_: str, name: str, status: int, type_: str, message: str
) -> None:
    """
    The id in the engine's sentence is taken as a whole and compared with ours.
    """
    calls: Mapping[str, Callable[[ExternalTaskClient], object]] = {
        "get": lambda client: client.get(id_),
        "set_retries_of": lambda client: client.set_retries_of(1, external_task_ids=["t0", id_]),
        "error_details": lambda client: client.error_details(id_),
    }
    answer = json_answer(status, {"type": type_, "message": message.replace("{id}", id_)})

    assert type(error_of(calls[name], answer)) is TaskNotFound


# ------------------------------------------------------------------------------------- particulars


def test_all_missing_authorizations_are_told() -> None:
    """
    The newer form lists every permission of which any one would do.
    """
    error = _error_of("complete", json_answer(403, sample("complete/authorization")))

    assert isinstance(error, Forbidden)
    assert (error.user_id, error.missing_authorizations) == (
        "kim",
        (
            MissingAuthorization(
                permission_name="UPDATE", resource_name="ProcessInstance", resource_id="0f00"
            ),
            MissingAuthorization(
                permission_name="UPDATE_INSTANCE",
                resource_name="ProcessDefinition",
                resource_id="invoice",
            ),
        ),
    )


def test_one_missing_authorization_in_the_old_form_is_told() -> None:
    """
    The older form has room for one permission, beside the message.
    """
    body = {
        "type": "AuthorizationException",
        "message": "no",
        "userId": "kim",
        "permissionName": "UPDATE",
        "resourceName": "ProcessInstance",
        "resourceId": None,
    }
    error = _error_of("complete", json_answer(403, body))

    assert isinstance(error, Forbidden)
    assert (error.user_id, error.missing_authorizations) == (
        "kim",
        (MissingAuthorization(permission_name="UPDATE", resource_name="ProcessInstance"),),
    )


@pytest.mark.parametrize(
    "body",
    [
        {"type": "AuthorizationException", "message": "Required admin authenticated group."},
        {"type": "AuthorizationException", "message": "no", "missingAuthorizations": []},
        {
            "type": "AuthorizationException",
            "message": "no",
            "permissionName": None,
            "resourceName": None,
            "resourceId": None,
            "missingAuthorizations": None,
        },
        {"type": "AuthorizationException", "message": "no", "missingAuthorizations": [1, "a"]},
    ],
)
def test_no_authorization_is_made_up(body: dict[str, object]) -> None:
    """
    Where the engine names no permission, the error names none.
    """
    error = _error_of("complete", json_answer(403, body))

    assert isinstance(error, Forbidden)
    assert error.missing_authorizations == ()


def test_complaints_about_a_file_are_read_in_both_spellings() -> None:
    """
    Camunda and CIB seven spell one key with a Cyrillic letter, Operaton with a Latin one.
    """
    error = _error_of("complete", json_answer(400, sample("deploy/parse")))
    report = ResourceReport(
        errors=(
            Problem(
                message="History Time To Live cannot be null",
                line=3,
                column=40,
                main_element_id="invoice",
                element_ids=("invoice",),
            ),
        ),
        warnings=(),
    )

    assert isinstance(error, BadRequest)
    assert error.details == {"p.bpmn": report, "q.bpmn": report}


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (400, {"details": 5}),
        (400, {"details": {"p.bpmn": None}}),
        (400, {"details": {"p.bpmn": {"errors": 5, "warnings": None}}}),
        (400, {"details": {"p.bpmn": {"errors": [None, {}]}}}),
        (400, {"details": {"p.bpmn": {"errors": [{"elementIds": 5}]}}}),
        (400, {"details": {"p.bpmn": {"errors": [{"line": "x", "message": 5}]}}}),
        (403, {"missingAuthorizations": 5}),
        (403, {"missingAuthorizations": [{"permissionName": 5}]}),
        (403, {"userId": 5}),
        (400, {"code": "1"}),
        (400, {"code": 1.5}),
        (400, {"code": 10**30}),
    ],
)
def test_odd_particulars_do_not_hide_the_error(status: int, told: Mapping[str, object]) -> None:
    """
    What an answer says besides may be of any shape; the error comes all the same.
    """
    body = {"type": "X", "message": "no", **told}
    error = _error_of("complete", json_answer(status, body))

    assert (type(error), error.type, error.message) == (
        {400: BadRequest, 403: Forbidden}[status],
        "X",
        "no",
    )


@pytest.mark.parametrize(
    "body",
    [
        {"type": 5, "message": "no"},
        {"type": "X", "message": 5},
        {"message": "no"},
        ["type", "message"],
        None,
    ],
)
def test_only_an_engine_speaks_for_the_engine(body: object) -> None:
    """
    JSON without a type as text, and a message as text or null, is no word of an engine.
    """
    error = _error_of("complete", json_answer(500, body))

    assert (type(error), error.type, error.message) == (OutcomeUnknown, None, None)


# ----------------------------------------------------------------------------------------- the text


def test_an_error_says_what_was_asked_what_was_answered_and_what_to_do() -> None:
    """
    The text of an error names operation, request, status, message, type and what to do next.
    """
    message = "External task with id t1 does not exist"
    answer = json_answer(404, {"type": "RestException", "message": message})
    with (
        Stub(answer) as stub,
        ExternalTaskClient(stub.url) as client,
        pytest.raises(TaskNotFound) as caught,
    ):
        client.complete("t1", "w1")

    assert str(caught.value) == (
        f"complete: POST {stub.url}/external-task/t1/complete: 404 External task with id t1 does "
        "not exist (RestException). It was completed or cancelled, or never existed."
    )


_ODD: Final = "a\r\nb\x00\x1b[31m\x7f\x85\u2028\u202e\u2066\ud83d\U000e0001\x9b c"
_ESCAPED: Final = r"a\r\nb\x00\x1b[31m\x7f\x85\u2028\u202e\u2066\ud83d\U000e0001\x9b c"


def test_a_message_is_one_line_without_control_characters() -> None:
    """
    What a log, a terminal or a reader could stumble over is escaped in the text, not in the data.
    """
    error = _error_of("complete", json_answer(500, {"type": "X", "message": _ODD}))

    assert error.message == _ODD
    assert str(error).endswith(f": 500 {_ESCAPED} (X). {_ROLLED_BACK}")
    assert str(error).isprintable()


def test_a_type_is_one_line_without_control_characters() -> None:
    """
    The type is text of the other side as much as the message is.
    """
    error = _error_of("complete", json_answer(500, {"type": _ODD, "message": "no"}))

    assert error.type == _ODD
    assert str(error).endswith(f": 500 no ({_ESCAPED}). {_ROLLED_BACK}")


@pytest.mark.parametrize(
    "answer",
    [
        json_answer(500, {"type": "X", "message": "m" * 100_000}),
        json_answer(500, {"type": "T" * 100_000, "message": "m"}),
        raw_answer("502 Bad Gateway", body=b"b" * 100_000),
    ],
    ids=["message", "type", "body"],
)
def test_an_error_is_short_whatever_was_answered(answer: bytes) -> None:
    """
    The text of an error fits a log line, and of a strange body only the start is kept.
    """
    error = _error_of("complete", answer)

    assert len(str(error)) < 5000
    assert len(error.body) <= 2048


def test_a_long_message_is_cut_in_the_text_alone() -> None:
    """
    The first 2048 characters are told, and that there is more; the data keeps it all.
    """
    error = _error_of("complete", json_answer(500, {"type": "X", "message": "m" * 3000}))

    assert error.message == "m" * 3000
    assert str(error).endswith(f": 500 {'m' * 2048}... (X). {_ROLLED_BACK}")


def test_a_lone_surrogate_can_be_printed_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    """
    An engine cuts messages through emojis; half of one must not break whoever writes it down.
    """
    message = "a" + "\U0001f600" * 332 + "\ud83d"
    error = _error_of("complete", json_answer(500, {"type": "X", "message": message}))
    with io.TextIOWrapper(io.BytesIO(), "utf-8") as written:
        print(error, *error.attempts, file=written)
        written.flush()
    logging.getLogger("tests").warning("%s", error)

    assert error.message == message
    assert caplog.messages[-1].encode("utf-8").decode("utf-8") == str(error)


@pytest.mark.parametrize(
    ("status", "kind", "hint"),
    [
        ("407 Proxy Authentication Required", NotTheEngine, "proxies="),
        ("413 Content Too Large", BadRequest, "send less at a time"),
        ("414 URI Too Long", BadRequest, 'via="POST"'),
        ("431 Request Header Fields Too Large", BadRequest, "headers="),
    ],
)
def test_what_is_too_much_for_a_gateway_is_told(
    status: str, kind: type[CamundaError], hint: str
) -> None:
    """
    By what the caller can do about it.
    """
    error = _error_of("complete", html_answer(status))

    assert (type(error), hint in error.hint) == (kind, True)


@pytest.mark.parametrize(
    "answer",
    [
        html_answer("404 Not Found"),
        html_answer("405 Method Not Allowed"),
        json_answer(404, {"timestamp": 1, "status": 404, "error": "Not Found", "path": "/"}),
        html_answer("302 Found", "Location: /login"),
        html_answer("200 OK"),
    ],
)
@pytest.mark.parametrize("path", ["", "/", "/camunda", "/rest", "/engine-rest-old"])
def test_a_url_without_the_usual_path_is_recognised(path: str, answer: bytes) -> None:
    """
    It is what is forgotten first.
    """
    with Stub(answer) as stub:
        place = stub.url.removesuffix("/engine-rest")
        with ExternalTaskClient(place + path, retry=False) as client:
            wrong = _raised_by(client)
        with ExternalTaskClient(stub.url, retry=False) as client:
            right = _raised_by(client)

    assert "/engine-rest, which is not in this URL" in wrong.hint
    assert "/engine-rest" not in right.hint


def _raised_by(client: ExternalTaskClient) -> CamundaError:
    with pytest.raises(CamundaError) as raised:
        client.complete("t1", "w1")
    return raised.value


# ------------------------------------------------------------------------------------- as values


def _tree(error: type[CamundaError]) -> Iterator[type[CamundaError]]:
    yield error
    for one in error.__subclasses__():
        yield from _tree(one)


#: Each class and the one that it is a case of.
_PARENTS: Final[Mapping[str, str]] = {
    "NotSent": "CamundaError",
    "Refused": "CamundaError",
    "NotFound": "Refused",
    "TaskNotFound": "NotFound",
    "LockLost": "Refused",
    "Unauthorized": "Refused",
    "Forbidden": "Refused",
    "BadRequest": "Refused",
    "Suspended": "BadRequest",
    "Conflict": "Refused",
    "EngineBusy": "Refused",
    "EngineFailure": "Refused",
    "NotTheEngine": "Refused",
    "NoAnswer": "CamundaError",
    "OutcomeUnknown": "NoAnswer",
}


def test_the_hierarchy_is_what_it_is() -> None:
    """
    Users catch by class, so each class stays a case of what it is a case of.
    """
    found = {one.__name__: one.__bases__[0].__name__ for one in _tree(CamundaError)}

    assert found == {"CamundaError": "Exception", **_PARENTS}


def test_the_drawing_of_the_hierarchy_is_true() -> None:
    """
    The tree in the docstring of the module has every class, each below its parent.
    """
    drawn, above = {}, ["CamundaError"]
    for indent, name in re.findall(r"^    ([│ ]*)[├└]── (\w+)", errors.__doc__ or "", re.MULTILINE):
        depth = len(indent) // 4 + 1
        above[depth:] = [name]
        drawn[name] = above[depth - 1]

    assert drawn == _PARENTS


def test_every_error_can_be_imported_from_the_package() -> None:
    """
    Users name the errors by ``camunda_ext`` alone.
    """
    assert {name for name in camunda_ext.__all__ if name in {"CamundaError", *_PARENTS}} == {
        "CamundaError",
        *_PARENTS,
    }


_PARTICULARS: Final[Mapping[type[CamundaError], Mapping[str, object]]] = {
    LockLost: {"by": "o'brien"},
    Forbidden: {
        "user_id": "kim",
        "missing_authorizations": (MissingAuthorization(permission_name="UPDATE"),),
    },
    BadRequest: {"details": {"p.bpmn": ResourceReport(errors=(Problem(line=3),))}},
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", list(_tree(CamundaError)), ids=lambda kind: kind.__name__)
def test_an_error_survives_a_pickle(kind: type[CamundaError], protocol: int) -> None:
    """
    Errors cross processes with all that they tell.
    """
    error = kind(
        "a\ud83d",
        operation="complete",
        method="POST",
        url="http://engine/engine-rest/external-task/t1/complete",
        status=500,
        type="X",
        code=7,
        attempts=[Attempt(error="no", seconds=0.25)],
        hint="Wait.",
        body="{}",
    )
    for name, value in _PARTICULARS.get(kind, {}).items():
        setattr(error, name, value)
    again = pickle.loads(pickle.dumps(error, protocol))  # noqa: S301  # it is our own

    assert (type(again), again.args, vars(again), str(again)) == (
        kind,
        error.args,
        {
            "message": "a\ud83d",
            "operation": "complete",
            "method": "POST",
            "url": "http://engine/engine-rest/external-task/t1/complete",
            "status": 500,
            "type": "X",
            "code": 7,
            "attempts": (Attempt(error="no", seconds=0.25),),
            "hint": "Wait.",
            "body": "{}",
            **_PARTICULARS.get(kind, {}),
        },
        (
            "complete: POST http://engine/engine-rest/external-task/t1/complete: "
            r"500 a\ud83d (X). Wait."
        ),
    )


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, sample("complete/authorization")),
        (400, sample("complete/wrong_worker")),
        (400, sample("deploy/parse")),
        (502, b"<html>"),
    ],
)
def test_a_raised_error_survives_pickle_and_copy(status: int, body: bytes) -> None:
    """
    What was raised is a value as well, and not tied to a connection.
    """
    error = _error_of("complete", json_answer(status, body))

    for again in (
        pickle.loads(pickle.dumps(error)),  # noqa: S301  # it is our own
        copy.copy(error),
        copy.deepcopy(error),
    ):
        assert (type(again), vars(again), str(again)) == (type(error), vars(error), str(error))


def test_an_error_can_be_made_by_hand() -> None:
    """
    Users' tests raise errors as well, with as much as they care to tell.
    """
    error = LockLost("mine")

    assert (str(error), error.status, error.attempts, error.worker_id) == ("mine", None, (), None)


@pytest.mark.parametrize(
    ("kind", "caught_by"),
    [
        (TaskNotFound, (TaskNotFound, NotFound, Refused)),
        (NotTheEngine, (NotTheEngine, Refused)),
        (OutcomeUnknown, (OutcomeUnknown, NoAnswer)),
        (NotSent, (NotSent,)),
    ],
)
def test_what_catches_an_error(
    kind: type[CamundaError], caught_by: tuple[type[CamundaError], ...]
) -> None:
    """
    An error is caught by its own class, by those above it, and by no other.
    """
    assert {one for one in _tree(CamundaError) if issubclass(kind, one)} == {
        CamundaError,
        *caught_by,
    }


def test_a_refused_fetch_is_not_in_doubt() -> None:
    """
    An engine that says no has locked nothing.
    """
    error = error_of(
        lambda client: client.fetch_and_lock("w1", [Topic("a", lock_duration=1000)], max_tasks=1),
        json_answer(500, {"type": "NullValueException", "message": "workerId is null", "code": 0}),
    )

    assert type(error) is EngineFailure


def test_an_error_shows_the_json_that_it_was_made_of() -> None:
    """
    The start of the body is kept as it came, for a person to look at.
    """
    body: dict[str, Any] = {"type": "X", "message": None, "extra": ["kept"]}

    assert json.loads(_error_of("complete", json_answer(500, body)).body) == body


def _error_of(name: str, answer: bytes) -> CamundaError:
    return error_of(operation(name).call, answer)


@pytest.mark.parametrize(
    ("status", "expected"), [(500, OutcomeUnknown), (404, NotTheEngine), (400, BadRequest)]
)
@pytest.mark.parametrize("kind", ["about:blank", "https://gateway.example/errors/timeout"])
def test_a_gateways_problem_is_no_word_of_the_engines(
    status: int, expected: type[CamundaError], kind: str
) -> None:
    """
    RFC 9457 has a type too, which is a URL.
    """
    problem = json_answer(status, {"type": kind, "title": "upstream timed out", "status": status})
    with Stub(problem) as stub, once(stub.url) as client, pytest.raises(CamundaError) as raised:
        client.complete("t1", "w1")

    assert (type(raised.value), raised.value.type) == (expected, None)
