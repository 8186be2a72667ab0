"""
What is sent again and what is not, what is looked at before, and what the caller is told.
"""

from __future__ import annotations

import json
import logging
import re
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from types import FrameType
from typing import Any, Final

import attrs
import pytest
import requests
from requests.auth import AuthBase

from camunda_ext import (
    Bearer,
    CamundaError,
    ExternalTaskClient,
    ExternalTaskQuery,
    LockLost,
    NoAnswer,
    NotSent,
    OutcomeUnknown,
    TaskNotFound,
    Timeout,
    Topic,
    Unauthorized,
    errors,
)
from camunda_ext._call.backoff import Retry
from camunda_ext._call.characters import first_odd
from camunda_ext._http.credentials import NoCredentials
from camunda_ext.auth import OAuth2ClientCredentials
from camunda_ext.hooks import Ended, Failed, Outgoing
from camunda_ext.testing import Engine, Fault
from tests.stub import (
    NO_CONTENT,
    OPERATIONS,
    Answer,
    Connection,
    Operation,
    Seen,
    Stub,
    html_answer,
    json_answer,
    label,
    once,
    operation,
    raw_answer,
    sample,
    then_close,
    then_reset,
    then_silence,
)

#: Three attempts, and no time between them.
QUICK: Final = Retry(attempts=3, first_delay=0)


def quick(url: str, **options: Any) -> ExternalTaskClient:
    """
    Give a client that makes three attempts, one right after the other.
    """
    return ExternalTaskClient(url, **{"retry": QUICK, **options})


def _said(status: int, java_type: str, message: str, **rest: object) -> bytes:
    return json_answer(status, {"type": java_type, "message": message, **rest})


_STARTING: Final = _said(400, "InvalidRequestException", "No process engine available")
_TOO_MANY: Final = raw_answer("429 Too Many Requests")
_GONE: Final = _said(404, "RestException", "External task with id t1 does not exist")
_ROLLED_BACK: Final = _said(500, "OptimisticLockingException", "ENGINE-03005", code=1)
_DATABASE: Final = _said(500, "ProcessEnginePersistenceException", "ENGINE-03004", code=0)
_OTHERS_LOCK: Final = sample("complete/wrong_worker")
_GATEWAY: Final = html_answer("504 Gateway Timeout")
_HELD: Final = json_answer(200, {"id": "t1", "workerId": "w1"})

#: A good answer for each thing that may be due.
_GOOD: Final = {
    "list": json_answer(200, []),
    "object": json_answer(200, {"id": "t1", "count": 1, "version": "7.24.0"}),
    "text": raw_answer("200 OK", "Content-Type: text/plain", body=b"no printer"),
    "file": raw_answer("200 OK", "Content-Type: application/octet-stream", body=b"%PDF"),
    "nothing": NO_CONTENT,
}

_BULK_BY_QUERY: Final = Operation(
    "set_retries_of by query",
    lambda client: client.set_retries_of(5, external_task_query=ExternalTaskQuery().topic("a")),
    "PUT",
    "/external-task/retries",
    "nothing",
    "7.8",
    "All of it happened, or nothing: look at one of the tasks.",
)
_ALL: Final = (*OPERATIONS, _BULK_BY_QUERY)
#: What would be done twice.
_ONCE: Final = ("fetch_and_lock", "set_retries_async", "set_retries_of by query")
#: What is looked at before.
_LOOKED_AT: Final = ("failure", "unlock")


def _what(stub: Stub) -> list[tuple[str, str]]:
    """
    Give methods and paths of all that was sent, without what is the same for all.
    """
    return [
        (seen.method, seen.target.removeprefix("/engine-rest").partition("?")[0])
        for seen in stub.seen
    ]


def _alike(seen: Iterable[Seen]) -> bool:
    """
    Tell whether requests are the same, byte for byte, on whatever connections.
    """
    first, *others = (attrs.evolve(one, connection=0) for one in seen)
    return all(one == first for one in others)


def _raised(call: Callable[[], object]) -> CamundaError:
    with pytest.raises(CamundaError) as caught:
        call()
    return caught.value


@attrs.define
class Clock:
    """
    A clock that only waits move.
    """

    #: What it shows; begins with the true time, for sockets wait by that.
    now: float = attrs.field(factory=time.monotonic)

    #: The waits so far, in seconds.
    waits: list[float] = attrs.field(factory=list)

    def read(self) -> float:
        """
        Tell the time.
        """
        return self.now

    def sleep(self, seconds: float) -> None:
        """
        Let time go by.
        """
        self.waits.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """
    Let waits between attempts take no time, and be seen.
    """
    made = Clock()
    for module in ("_call.attempts", "_call.looks", "client"):
        monkeypatch.setattr(f"camunda_ext.{module}.monotonic", made.read)
        monkeypatch.setattr(f"camunda_ext.{module}.sleep", made.sleep)
    return made


# -------------------------------------------------------------------------------- provably not done


class Late(Stub):
    """
    A stub that has its port, but refuses connections until it is opened.
    """

    def server_activate(self) -> None:
        """
        Do not listen yet.
        """

    def open(self) -> None:
        """
        Listen.
        """
        super().server_activate()


@attrs.define
class Opens:
    """
    A policy that lets the stub listen before the second attempt.
    """

    stub: Late

    def wait(self, failed: Failed) -> float | None:
        """
        Wait not at all, but once.
        """
        self.stub.open()
        return 0.0 if failed.attempt == 1 else None


@pytest.mark.parametrize("asked", _ALL, ids=label)
def test_what_was_refused_a_connection_is_sent_again(asked: Operation) -> None:
    """
    It never left, whatever it is.
    """
    stub = Late(_GOOD[asked.due])
    with stub, ExternalTaskClient(stub.url, retry=Opens(stub)) as client:
        asked.call(client)

    assert _what(stub) == [(asked.method, asked.path.partition("?")[0])]


@pytest.mark.parametrize("asked", _ALL, ids=label)
def test_what_was_not_done_is_sent_again(asked: Operation) -> None:
    """
    An engine that starts and a gateway that has enough have done nothing, whatever was asked.
    """
    with Stub(_STARTING, _TOO_MANY, _GOOD[asked.due]) as stub, quick(stub.url) as client:
        asked.call(client)

    assert (len(stub.seen), _alike(stub.seen)) == (3, True)


class Locked(AuthBase):
    """
    Credentials that are there with the second request.
    """

    def __init__(self, *, passes: bool) -> None:
        self._passes = passes
        #: How often it was asked.
        self.asked = 0

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        """
        Raise the first time.
        """
        self.asked += 1
        if self.asked == 1:
            raise NoCredentials("no key", is_temporary=self._passes)
        return r


def test_credentials_that_come_later_are_waited_for() -> None:
    """
    A login server may be back soon.
    """
    auth = Locked(passes=True)
    with Stub() as stub, quick(stub.url, auth=auth) as client:
        client.complete("t1", "w1")

    assert (auth.asked, len(stub.seen)) == (2, 1)


def test_credentials_that_never_come_are_not_waited_for() -> None:
    """
    Nothing would be another the next time.
    """
    auth = Locked(passes=False)
    with Stub() as stub, quick(stub.url, auth=auth) as client:
        error = _raised(lambda: client.complete("t1", "w1"))

    assert (type(error), error.message, auth.asked, stub.seen) == (NotSent, "no key", 1, [])


# ----------------------------------------------------------------------------------------- in doubt

_LOST: Final[Mapping[str, Answer]] = {
    "reset": then_reset(),
    "closed": then_close(b""),
    "half": then_close(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n["),
    "page": html_answer("200 OK"),
    "gateway": html_answer("502 Bad Gateway"),
}


@pytest.mark.parametrize("lost", _LOST)
@pytest.mark.parametrize(
    "asked", [one for one in _ALL if one.name not in (*_ONCE, *_LOOKED_AT)], ids=label
)
def test_what_may_be_done_twice_is_sent_again(asked: Operation, lost: str) -> None:
    """
    The same bytes go out once more when an answer was lost.
    """
    with Stub(_LOST[lost], _GOOD[asked.due]) as stub, quick(stub.url) as client:
        asked.call(client)

    # A page in place of a file could be one: the engine is asked what it knows of it.
    sent = [one for one in stub.seen if "deserializeValue" not in one.target]
    assert (len(sent), _alike(sent)) == (2, True)


@pytest.mark.parametrize("lost", _LOST)
@pytest.mark.parametrize("asked", [one for one in _ALL if one.name in _ONCE], ids=label)
def test_what_would_be_done_twice_is_not_sent_again(asked: Operation, lost: str) -> None:
    """
    Nobody can tell what came of it; the hint says where to look.
    """
    with Stub(_LOST[lost], _GOOD[asked.due]) as stub, quick(stub.url) as client:
        error = _raised(lambda: asked.call(client))

    assert (type(error), error.hint, len(stub.seen)) == (OutcomeUnknown, asked.doubt, 1)


@pytest.mark.parametrize("asked", [one for one in _ALL if one.name in _ONCE], ids=label)
def test_a_rollback_is_certain(asked: Operation) -> None:
    """
    What the engine has rolled back can be done again, whatever it is.
    """
    with Stub(_ROLLED_BACK, _GOOD[asked.due]) as stub, quick(stub.url) as client:
        asked.call(client)

    assert (len(stub.seen), _alike(stub.seen)) == (2, True)


@pytest.mark.parametrize("asked", [one for one in _ALL if not one.changes], ids=label)
def test_a_reading_call_is_told_what_came_last(asked: Operation) -> None:
    """
    With an answer of the engine in the end, it does not matter that an earlier one was lost.
    """
    refused = _said(403, "AuthorizationException", "no permission")
    with Stub(then_reset(), refused) as stub, quick(stub.url) as client:
        error = _raised(lambda: asked.call(client))

    assert (type(error), len(stub.seen)) == (errors.Forbidden, 2)
    assert [one.error for one in error.attempts] == [
        "NoAnswer: ConnectionError: Connection reset by peer",
        "Forbidden: 403 no permission (AuthorizationException)",
    ]


def test_no_more_attempts_are_made_than_the_policy_wants() -> None:
    """
    In the end there is the error of the last attempt, with all of them.
    """
    with Stub(html_answer("502 Bad Gateway")) as stub, quick(stub.url) as client:
        error = _raised(client.count)

    assert (type(error), len(stub.seen)) == (NoAnswer, 3)
    assert [one.error for one in error.attempts] == ["NoAnswer: 502"] * 3
    assert all(one.seconds >= 0 for one in error.attempts)


def test_a_command_in_doubt_says_so_though_the_end_was_certain() -> None:
    """
    That the second attempt was refused says nothing about the first.
    """
    with (
        Stub(then_reset(), _said(400, "RestException", "no")) as stub,
        quick(stub.url) as client,
    ):
        error = _raised(lambda: client.set_priority("t1", 5))

    assert isinstance(error, OutcomeUnknown)
    assert error.hint == (
        "It may have happened: look whether the task is gone, or as it should be. "
        "In the end: BadRequest: 400 no (RestException)."
    )
    assert [one.error for one in error.attempts] == [
        "OutcomeUnknown: ConnectionError: Connection reset by peer",
        "BadRequest: 400 no (RestException)",
    ]
    assert error.curl == (
        f"curl -X PUT {stub.url}/external-task/t1/priority \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        """  --data-raw '{"priority":5}'"""
    )


def test_an_error_has_no_other_one_behind_it() -> None:
    """
    An exception of the HTTP library would carry the request along, and its secrets.
    """
    with Stub(then_reset()) as stub, quick(stub.url, auth=("user", "canary")) as client:
        error = _raised(lambda: client.complete("t1", "w1"))

    assert (error.__cause__, error.__context__) == (None, None)
    assert "canary" not in repr(vars(error))


@pytest.mark.parametrize("operation_", ["lock", "extend_lock"])
@pytest.mark.parametrize(
    ("answer", "error"), [(_OTHERS_LOCK, LockLost), (_GONE, TaskNotFound)], ids=["lost", "gone"]
)
def test_a_lock_that_is_lost_is_lost(
    operation_: str, answer: bytes, error: type[CamundaError]
) -> None:
    """
    Whether it was held for a moment does not matter to who wants it now.
    """
    refused = answer if answer is _GONE else json_answer(400, answer)
    with Stub(then_reset(), refused) as stub, quick(stub.url) as client:
        raised = _raised(lambda: operation(operation_).call(client))

    assert (type(raised), len(stub.seen)) == (error, 2)


# -------------------------------------------------------------------------------- completed, or not

_COMPLETE: Final = ("POST", "/external-task/t1/complete")
_LOOK: Final = ("GET", "/external-task/t1")
_HISTORY: Final = ("POST", "/history/external-task-log")


def _log(*entries: Mapping[str, object]) -> bytes:
    return json_answer(200, [{"id": f"h{number}", **one} for number, one in enumerate(entries)])


def test_a_task_that_the_log_says_we_completed_is_completed() -> None:
    """
    The first attempt did it, and its answer was lost.
    """
    answers = (then_reset(), _GONE, _log({"workerId": "w1", "successLog": True}))
    with Stub(*answers) as stub, quick(stub.url) as client:
        client.complete("t1", "w1", {"total": 5})

    assert _what(stub) == [_COMPLETE, _COMPLETE, _HISTORY]
    assert stub.seen[2].target == "/engine-rest/history/external-task-log?maxResults=10"
    assert json.loads(stub.seen[2].body) == {
        "externalTaskId": "t1",
        "sorting": [{"sortBy": "timestamp", "sortOrder": "desc"}],
    }


@pytest.mark.parametrize(
    "entry",
    [{"workerId": "w2", "successLog": True}, {"workerId": "w1", "deletionLog": True}],
    ids=["another worker", "cancelled"],
)
def test_a_task_that_the_log_says_ended_otherwise_is_gone(entry: Mapping[str, object]) -> None:
    """
    Then no attempt of ours has done it.
    """
    with Stub(then_reset(), _GONE, _log(entry)) as stub, quick(stub.url) as client:
        error = _raised(lambda: client.complete("t1", "w1"))

    assert (type(error), error.operation, error.url) == (
        TaskNotFound,
        "complete",
        f"{stub.url}/external-task/t1/complete",
    )
    assert [one.error for one in error.attempts] == [
        "OutcomeUnknown: ConnectionError: Connection reset by peer",
        "TaskNotFound: 404 External task with id t1 does not exist (RestException)",
    ]


@pytest.mark.parametrize(
    "history",
    [
        _log(),
        _log({"creationLog": True}),
        _said(403, "AuthorizationException", "no permission"),
        _said(404, "NotFoundException", "no such path"),
        html_answer("404 Not Found"),
        html_answer("200 OK"),
        then_close(b""),
    ],
    ids=["empty", "creation alone", "forbidden", "missing", "page 404", "page 200", "lost"],
)
def test_a_task_that_is_gone_without_a_log_is_in_doubt(history: Answer) -> None:
    """
    It may be completed by us, by another worker, or cancelled.
    """
    with Stub(then_reset(), _GONE, history) as stub, quick(stub.url) as client:
        error = _raised(lambda: client.complete("t1", "w1", {"total": 5}))

    assert isinstance(error, OutcomeUnknown)
    assert error.hint == (
        "It may have happened: look whether the task is gone, or as it should be. In the end: "
        "TaskNotFound: 404 External task with id t1 does not exist (RestException)."
    )
    assert error.curl == (
        f"curl -X POST {stub.url}/external-task/t1/complete \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        """  --data-raw '{"workerId":"w1","variables":{"total":{"value":5,"type":"Integer"}}}'"""
    )
    assert len(error.attempts) == 2


def test_a_first_answer_that_a_task_is_gone_needs_no_log() -> None:
    """
    Nothing of ours was on the way.
    """
    with Stub(_GONE) as stub, quick(stub.url) as client:
        error = _raised(lambda: client.complete("t1", "w1"))

    assert (type(error), _what(stub)) == (TaskNotFound, [_COMPLETE])


def test_a_gateways_404_after_doubt_is_no_proof() -> None:
    """
    It is not the engine that says so, and the history is not even asked.
    """
    with Stub(then_reset(), html_answer("404 Not Found")) as stub, quick(stub.url) as client:
        error = _raised(lambda: client.complete("t1", "w1"))

    assert (type(error), _what(stub)) == (OutcomeUnknown, [_COMPLETE, _COMPLETE])


@pytest.mark.parametrize("name", ["complete", "bpmn_error"])
def test_a_lost_lock_proves_that_a_task_was_not_ended(name: str) -> None:
    """
    The task is there, so no attempt has ended it.
    """
    refused = json_answer(400, _OTHERS_LOCK)
    with Stub(then_reset(), refused) as stub, quick(stub.url) as client:
        error = _raised(lambda: operation(name).call(client))

    assert (type(error), len(stub.seen), len(error.attempts)) == (LockLost, 2, 2)


def test_a_bpmn_error_on_a_task_that_is_gone_is_in_doubt() -> None:
    """
    The history has the same entry after a cancellation, so it is not asked.
    """
    with Stub(then_reset(), _GONE) as stub, quick(stub.url) as client:
        error = _raised(lambda: client.bpmn_error("t1", "w1", "E1"))

    assert (type(error), len(stub.seen)) == (OutcomeUnknown, 2)


@pytest.mark.parametrize("failed", [_ROLLED_BACK, _DATABASE], ids=["conflict", "database"])
def test_a_task_is_looked_at_before_it_is_completed_again(failed: bytes) -> None:
    """
    The loser of a race need not lose to a process that still has the task.
    """
    with Stub(failed, _HELD, NO_CONTENT) as stub, quick(stub.url) as client:
        client.complete("t1", "w1")

    assert _what(stub) == [_COMPLETE, _LOOK, _COMPLETE]


def test_a_task_that_is_gone_after_a_rollback_was_not_completed_by_us() -> None:
    """
    The winner of the race has ended it.
    """
    with Stub(_ROLLED_BACK, _GONE) as stub, quick(stub.url) as client:
        error = _raised(lambda: client.complete("t1", "w1"))

    assert (type(error), error.operation, _what(stub)) == (
        TaskNotFound,
        "complete",
        [_COMPLETE, _LOOK],
    )


def test_a_task_that_is_gone_after_a_database_failure_is_asked_the_log_for() -> None:
    """
    It may have been the answer to the commit that failed.
    """
    answers = (_DATABASE, _GONE, _log({"workerId": "w1", "successLog": True}))
    with Stub(*answers) as stub, quick(stub.url) as client:
        client.complete("t1", "w1")

    assert _what(stub) == [_COMPLETE, _LOOK, _HISTORY]


def test_a_task_that_is_there_after_a_database_failure_was_not_completed() -> None:
    """
    If it is gone with the next attempt, that one was refused, and no other is in doubt.
    """
    with Stub(_DATABASE, _HELD, _GONE) as stub, quick(stub.url) as client:
        error = _raised(lambda: client.complete("t1", "w1"))

    assert (type(error), _what(stub)) == (TaskNotFound, [_COMPLETE, _LOOK, _COMPLETE])


@pytest.mark.parametrize("asked", [one for one in _ALL if one.name in _ONCE], ids=label)
def test_a_database_failure_leaves_in_doubt_what_cannot_be_looked_at(asked: Operation) -> None:
    """
    The engine says that it failed, and not whether that was before the commit or in it.
    """
    with Stub(_DATABASE, _GOOD[asked.due]) as stub, quick(stub.url) as client:
        error = _raised(lambda: asked.call(client))

    assert (type(error), error.status, error.type, error.hint, len(stub.seen)) == (
        OutcomeUnknown,
        500,
        "ProcessEnginePersistenceException",
        asked.doubt,
        1,
    )


@pytest.mark.parametrize(
    ("last", "expected"),
    [(_HELD, errors.Conflict), (_GONE, TaskNotFound), (html_answer("200 OK"), errors.Conflict)],
    ids=["there", "gone", "page"],
)
def test_after_the_last_attempt_the_task_is_looked_at_once_more(
    last: bytes, expected: type[CamundaError]
) -> None:
    """
    It may tell more than the last error; nothing is sent again for it.
    """
    answers = (_ROLLED_BACK, _HELD, _ROLLED_BACK, _HELD, _ROLLED_BACK, last)
    three = Retry(attempts=3, rollback_attempts=3, first_delay=0)
    with Stub(*answers) as stub, ExternalTaskClient(stub.url, retry=three) as client:
        error = _raised(lambda: client.complete("t1", "w1"))

    assert (type(error), len(error.attempts)) == (expected, 3)
    assert _what(stub)[:6] == [_COMPLETE, _LOOK] * 3
    assert _what(stub).count(_COMPLETE) == 3


def test_a_failure_in_the_process_is_not_sent_again() -> None:
    """
    What follows the task would fail again.
    """
    failed = _said(500, "ProcessEngineException", "Unknown property used in expression", code=0)
    with Stub(failed, _HELD) as stub, quick(stub.url) as client:
        error = _raised(lambda: client.complete("t1", "w1"))

    assert (type(error), len(error.attempts)) == (errors.EngineFailure, 1)
    assert _what(stub) == [_COMPLETE, _LOOK]


#: What those hear who come too late, besides that there is no such task.
_TOO_LATE: Final = (
    _said(500, "NullValueException", "Cannot find execution with id e1 for ...", code=0),
    _said(500, "NullPointerException", 'Cannot read field "rootProcessInstanceId"', code=0),
    _said(500, "ProcessEngineException", "ENGINE-13033 Propagation of bpmn error e failed. "),
    _said(500, "ProcessEngineException", "An exception occurred in the persistence layer."),
    _said(500, "ProcessEnginePersistenceException", "ENGINE-03083", code=10001),
)


@pytest.mark.parametrize("late", _TOO_LATE, ids=range(len(_TOO_LATE)))
@pytest.mark.parametrize(
    "asked", [one for one in OPERATIONS if one.changes and "/t1/" in one.path], ids=label
)
def test_who_comes_too_late_is_told_that_the_task_is_gone(asked: Operation, late: bytes) -> None:
    """
    The engine stumbles over what another command has just taken away, and calls it a failure.
    """
    with Stub(late, _GONE) as stub, quick(stub.url) as client:
        error = _raised(lambda: asked.call(client))

    assert (type(error), len(error.attempts)) == (TaskNotFound, 1)
    assert _what(stub)[1:] == [_LOOK]


def test_a_failure_that_no_look_explains_stays_one() -> None:
    """
    Who may complete a task need not be allowed to see it.
    """
    with Stub(_TOO_LATE[1], html_answer("200 OK")) as stub, quick(stub.url) as client:
        error = _raised(lambda: client.complete("t1", "w1"))

    assert (type(error), error.type) == (errors.EngineFailure, "NullPointerException")
    assert _what(stub).count(_COMPLETE) == 1


def test_a_look_that_shows_nothing_leaves_the_first_error() -> None:
    """
    Who may complete a task need not be allowed to see it.
    """
    forbidden = _said(403, "AuthorizationException", "no permission")
    with Stub(_ROLLED_BACK, forbidden) as stub, quick(stub.url) as client:
        error = _raised(lambda: client.complete("t1", "w1"))

    assert (type(error), error.code, _what(stub)) == (errors.Conflict, 1, [_COMPLETE, _LOOK])


#: The task as each command leaves it, where that can be seen.
_AS_IT_SHOULD_BE: Final[Mapping[str, Mapping[str, object]]] = {
    "set_priority": {"priority": 7},
    "set_retries": {"retries": 5},
    "lock": {"workerId": "w1", "lockExpirationTime": "2026-11-22T13:01:00.000+0000"},
    "extend_lock": {"workerId": "w1", "lockExpirationTime": "2026-11-22T13:01:00.000+0000"},
}
_LAST_CALLS: Final[Mapping[str, Callable[[ExternalTaskClient], None]]] = {
    "set_priority": lambda client: client.set_priority("t1", 7),
    "set_retries": lambda client: client.set_retries("t1", 5),
    "lock": lambda client: client.lock("t1", "w1", 60_000),
    "extend_lock": lambda client: client.extend_lock("t1", "w1", 60_000),
}


@pytest.mark.parametrize("lost", _LOST)
@pytest.mark.parametrize("name", _AS_IT_SHOULD_BE)
def test_where_every_answer_is_lost_a_look_tells(name: str, lost: str) -> None:
    """
    If the task is as it should be, that is all there was to do.
    """
    answers = (*[_LOST[lost]] * 3, _shown(**_AS_IT_SHOULD_BE[name]))
    with Stub(*answers) as stub, quick(stub.url) as client:
        _LAST_CALLS[name](client)

    assert _what(stub)[3:] == [_LOOK]
    assert _alike(stub.seen[:3])


@pytest.mark.parametrize("name", _AS_IT_SHOULD_BE)
def test_where_every_answer_is_lost_a_look_may_tell_nothing(name: str) -> None:
    """
    What is not as it should be may still be on its way.
    """
    with Stub(*[then_reset()] * 3, _shown()) as stub, quick(stub.url) as client:
        error = _raised(lambda: _LAST_CALLS[name](client))

    assert (type(error), len(error.attempts)) == (OutcomeUnknown, 3)
    assert _what(stub)[3:] == [_LOOK]


@pytest.mark.parametrize("lost", _LOST)
def test_where_every_answer_to_a_completion_is_lost_the_history_tells(lost: str) -> None:
    """
    A task that is gone was completed by its worker.
    """
    log = _log({"workerId": "w1", "successLog": True})
    with Stub(*[_LOST[lost]] * 3, _GONE, log) as stub, quick(stub.url) as client:
        client.complete("t1", "w1")

    assert _what(stub) == [*[_COMPLETE] * 3, _LOOK, _HISTORY]


def test_where_every_answer_to_a_completion_is_lost_a_task_that_is_there_is_no_proof() -> None:
    """
    The engine may still be at it.
    """
    with Stub(*[then_reset()] * 3, _HELD) as stub, quick(stub.url) as client:
        error = _raised(lambda: client.complete("t1", "w1"))

    assert (type(error), _what(stub)) == (OutcomeUnknown, [*[_COMPLETE] * 3, _LOOK])


def test_who_sends_once_does_not_look() -> None:
    """
    That is one request, and no more.
    """
    with Stub(then_reset()) as stub, quick(stub.url, retry=False) as client:
        error = _raised(lambda: client.set_priority("t1", 7))

    assert (type(error), len(stub.seen)) == (OutcomeUnknown, 1)


def test_an_engine_that_may_be_at_it_still_is_watched(clock: Clock) -> None:
    """
    Sent again at once, the process behind the task would go on twice.
    """
    log = _log({"workerId": "w1", "successLog": True})
    with Stub(_GATEWAY, _HELD, _HELD, _GONE, log) as stub, quick(stub.url) as client:
        client.complete("t1", "w1")

    assert _what(stub) == [_COMPLETE, _LOOK, _LOOK, _LOOK, _HISTORY]
    assert clock.waits == [0.0, 0.1, 0.2]


def test_after_a_read_timeout_the_task_is_looked_at() -> None:
    """
    It is the engine that was slow, and it may be done by now.
    """
    silent = then_silence(seconds=10.0)
    log = _log({"workerId": "w1", "successLog": True})
    timeout = Timeout(read=0.5, total=60.0)
    with Stub(silent, _GONE, log) as stub, quick(stub.url, timeout=timeout) as client:
        client.complete("t1", "w1")

    assert _what(stub) == [_COMPLETE, _LOOK, _HISTORY]


@pytest.mark.parametrize(
    ("total", "looks"),
    [
        # Half of 60 s: 0.1, 0.2, 0.4, 0.8 and 1.6 s, and then 13 times 2 s.
        (60.0, 19),
        # Without an end of the call, 30 s: the same.
        (None, 19),
        # Half of 4 s: 0.1, 0.2, 0.4 and 0.8 s; another 1.6 s would be too much.
        (4.0, 5),
    ],
)
def test_the_task_is_watched_for_half_of_what_is_left(
    clock: Clock, total: float | None, looks: int
) -> None:
    """
    Then the command is sent again, while there is time for that.
    """

    def answer(connection: Connection) -> None:
        tries = _what(stub).count(_COMPLETE)
        if stub.seen[-1].method == "GET":
            connection.send(_HELD)
        else:
            connection.send(_GATEWAY if tries == 1 else NO_CONTENT)

    timeout = Timeout(total=total)
    with Stub(answer) as stub, quick(stub.url, timeout=timeout) as client:
        client.complete("t1", "w1")

    assert _what(stub) == [_COMPLETE, *([_LOOK] * looks), _COMPLETE]
    assert len(clock.waits) == looks


# ------------------------------------------------------------------------------- failure and unlock


def _shown(**task: object) -> bytes:
    return raw_answer(
        "200 OK",
        "Content-Type: application/json",
        "Date: Sun, 22 Nov 2026 13:00:00 GMT",
        body=json.dumps({"id": "t1", **task}).encode(),
    )


def _fail(client: ExternalTaskClient) -> None:
    client.failure("t1", "w1", retries=2, retry_timeout=60_000, error_message="no printer")


_FAILED: Final = {
    "workerId": "w1",
    "retries": 2,
    "errorMessage": "no printer",
    "lockExpirationTime": "2026-11-22T13:01:00.000+0000",
}
_FAILURE: Final = ("POST", "/external-task/t1/failure")
_UNLOCK: Final = ("POST", "/external-task/t1/unlock")


def test_a_failure_that_the_task_shows_is_reported() -> None:
    """
    Its retries, its message and the new end of its lock are those of the report.
    """
    none = json_answer(200, [])
    with Stub(then_reset(), _shown(**_FAILED), none) as stub, quick(stub.url) as client:
        _fail(client)

    assert _what(stub) == [_FAILURE, _LOOK, _HISTORY]


def test_a_failure_that_was_shown_before_is_reported_again() -> None:
    """
    A worker may say the same each time; the history tells when it did.
    """
    earlier = {
        "id": "h1",
        "externalTaskId": "t1",
        "timestamp": "2026-11-22T12:50:00.000+0000",
        "failureLog": True,
        "workerId": "w1",
        "errorMessage": "no printer",
    }
    history = json_answer(200, [earlier])
    with (
        Stub(then_reset(), _shown(**_FAILED), history, NO_CONTENT) as stub,
        quick(stub.url) as client,
    ):
        _fail(client)

    assert _what(stub) == [_FAILURE, _LOOK, _HISTORY, _FAILURE]


def test_a_failure_that_the_task_does_not_show_is_reported_again() -> None:
    """
    The lock is ours still, so nobody else's work is failed.
    """
    untouched = _shown(workerId="w1")
    with Stub(then_reset(), untouched, NO_CONTENT) as stub, quick(stub.url) as client:
        _fail(client)

    assert _what(stub) == [_FAILURE, _LOOK, _FAILURE]
    assert _alike((stub.seen[0], stub.seen[2]))


def test_a_failure_that_the_task_shows_in_the_end_is_reported() -> None:
    """
    The last attempt may have been the one that arrived.
    """
    untouched, failed = _shown(workerId="w1"), _shown(**_FAILED)
    answers = (then_reset(), untouched, then_reset(), untouched, then_reset(), failed)
    with Stub(*answers, json_answer(200, [])) as stub, quick(stub.url) as client:
        _fail(client)

    assert _what(stub) == [*([_FAILURE, _LOOK] * 3), _HISTORY]


@pytest.mark.parametrize(
    "look",
    [
        _shown(workerId="w2"),
        _shown(**{**_FAILED, "lockExpirationTime": "2026-11-22T13:10:00.000+0000"}),
        json_answer(200, _FAILED | {"id": "t1"}),
        _GONE,
        html_answer("200 OK"),
        _said(403, "AuthorizationException", "no permission"),
    ],
    ids=["another worker", "fetched again", "no clock", "gone", "page", "forbidden"],
)
def test_a_failure_that_nobody_can_tell_is_not_reported_again(look: bytes) -> None:
    """
    A second report could fail a task that somebody works on.
    """
    with Stub(then_reset(), look) as stub, quick(stub.url) as client:
        error = _raised(lambda: _fail(client))

    assert (type(error), _what(stub).count(_FAILURE)) == (OutcomeUnknown, 1)
    assert error.hint.startswith(
        "It may have happened: look whether the task is gone, or as it should be."
    )


@pytest.mark.parametrize(
    ("known", "look"),
    [(None, _shown()), ("w1", _shown()), ("w1", _shown(workerId="w2"))],
    ids=["free", "free, ours before", "another's"],
)
def test_an_unlock_that_the_task_shows_is_done(known: str | None, look: bytes) -> None:
    """
    A lock of another worker is a new one, and must stay.
    """
    with Stub(then_reset(), look) as stub, quick(stub.url) as client:
        client.unlock("t1", worker_id=known)

    assert _what(stub) == [_UNLOCK, _LOOK]


def test_a_lock_that_is_still_there_is_taken_away_again() -> None:
    """
    The caller has said whose it is.
    """
    with Stub(then_reset(), _HELD, NO_CONTENT) as stub, quick(stub.url) as client:
        client.unlock("t1", worker_id="w1")

    assert _what(stub) == [_UNLOCK, _LOOK, _UNLOCK]


def test_a_lock_that_may_be_a_new_one_stays() -> None:
    """
    Without the name of its worker, the old one looks like a new one.
    """
    with Stub(then_reset(), _HELD) as stub, quick(stub.url) as client:
        error = _raised(lambda: client.unlock("t1"))

    assert (type(error), _what(stub)) == (OutcomeUnknown, [_UNLOCK, _LOOK])


def test_a_workers_name_is_not_sent_with_an_unlock() -> None:
    """
    The engine does not ask for it.
    """
    with Stub() as stub, quick(stub.url) as client:
        client.unlock("t1", worker_id="w1")

    assert [(seen.target, seen.body) for seen in stub.seen] == [
        ("/engine-rest/external-task/t1/unlock", b"")
    ]


@pytest.mark.parametrize("worker_id", ["", 5, "x" * 256])
def test_a_workers_name_is_looked_at(worker_id: Any) -> None:
    """
    What is none is told before anything is sent.
    """
    with (
        Stub() as stub,
        quick(stub.url) as client,
        pytest.raises((TypeError, ValueError), match="worker_id"),
    ):
        client.unlock("t1", worker_id=worker_id)

    assert stub.seen == []


# ------------------------------------------------------------------------------------- the deadline


@attrs.define
class Every:
    """
    A policy that always waits for the same time, and remembers what it was asked.
    """

    seconds: float | None
    asked: list[Failed] = attrs.field(factory=list)

    def wait(self, failed: Failed) -> float | None:
        """
        Give always the same time.
        """
        self.asked.append(failed)
        return self.seconds


def test_no_attempt_begins_after_the_end_of_the_call(clock: Clock) -> None:
    """
    At 0, 50 and 100 seconds of 120; a wait for the fourth would be too long.
    """
    with (
        Stub(_TOO_MANY) as stub,
        ExternalTaskClient(stub.url, retry=Every(50.0)) as client,
    ):
        error = _raised(client.count)

    assert (type(error), len(stub.seen), clock.waits) == (errors.EngineBusy, 3, [50.0, 50.0])


def test_without_an_end_the_policy_decides_alone(clock: Clock) -> None:
    """
    Some jobs have a night.
    """
    with (
        Stub(*[_TOO_MANY] * 9, _GOOD["object"]) as stub,
        ExternalTaskClient(stub.url, retry=Every(50.0), timeout=Timeout(total=None)) as client,
    ):
        assert client.count() == 1

    assert clock.waits == [50.0] * 9


@pytest.mark.parametrize(
    "answer",
    [
        raw_answer("429 Too Many Requests", "Retry-After: 7"),
        raw_answer("429 Too Many Requests", "retry-after:   7  "),
        html_answer("503 Service Unavailable", "Retry-After: 7"),
        raw_answer(
            "503 No", "Content-Type: application/json", "Retry-After: 7", body=b'{"type": "A"}'
        ),
    ],
    ids=["429", "429 in lower case", "503 of a gateway", "503 of an engine"],
)
def test_a_servers_wish_to_wait_is_heard(clock: Clock, answer: bytes) -> None:
    """
    Whoever asks for seven seconds gets them.
    """
    with Stub(answer, _GOOD["object"]) as stub, quick(stub.url) as client:
        assert client.count() == 1

    assert clock.waits == [7.0]


@pytest.mark.parametrize("asked", ["120", "999999999", "Thu, 31 Dec 2099 23:59:59 GMT"])
def test_a_wish_for_more_than_is_left_is_not_waited_for(clock: Clock, asked: str) -> None:
    """
    A date in 2099 must not park anybody.
    """
    with (
        Stub(raw_answer("429 Too Many Requests", f"Retry-After: {asked}")) as stub,
        quick(stub.url) as client,
    ):
        error = _raised(client.count)

    assert (type(error), len(stub.seen), clock.waits) == (errors.EngineBusy, 1, [])


@pytest.mark.parametrize("asked", ["soon", "-5", "", "1.5", "Sun, 22 Nov 2026 25:00:00 GMT"])
def test_a_wish_that_is_none_is_not_heard(clock: Clock, asked: str) -> None:
    """
    A gateway may write what it likes there.
    """
    refused = raw_answer("429 Too Many Requests", f"Retry-After: {asked}")
    with Stub(refused, _GOOD["object"]) as stub, quick(stub.url) as client:
        assert client.count() == 1

    assert clock.waits == [0.0]


# ---------------------------------------------------------------------------------------- the quota


def test_where_all_calls_fail_resends_stop() -> None:
    """
    A hundred of them; then an engine that is down has each call once.
    """
    with (
        Stub(_TOO_MANY) as stub,
        ExternalTaskClient(stub.url, retry=Retry(attempts=2, first_delay=0)) as client,
    ):
        other = client.with_options(timeout=60)
        for one in [client, other] * 75:
            _raised(one.version)

    assert len(stub.seen) == 250


def test_calls_that_succeed_allow_resends_again() -> None:
    """
    Five of them pay for one.
    """
    answers = [_TOO_MANY] * 201 + [_GOOD["object"]] * 5 + [_TOO_MANY] * 3
    with (
        Stub(*answers) as stub,
        ExternalTaskClient(stub.url, retry=Retry(attempts=2, first_delay=0)) as client,
    ):
        for _ in range(101):
            _raised(client.version)
        for _ in range(5):
            client.version()
        sent = len(stub.seen)
        for _ in range(2):
            _raised(client.version)

    assert (sent, len(stub.seen)) == (206, 209)


def test_what_the_engine_has_answered_takes_no_quota() -> None:
    """
    An engine that fails for one kind of call is there for the others.
    """
    failed = _said(500, "ProcessEngineException", "Unknown property used in expression", code=0)
    answers = [failed, _HELD] * 120 + [_ROLLED_BACK] * 600 + [_TOO_MANY]
    retry = Retry(attempts=3, rollback_attempts=3, first_delay=0)
    with Stub(*answers) as stub, ExternalTaskClient(stub.url, retry=retry) as client:
        hints = {_raised(lambda: client.complete("t1", "w1")).hint for _ in range(120)}
        for _ in range(200):
            _raised(lambda: client.set_retries_of(1, external_task_ids=["t1"]))
        sent = len(stub.seen)
        _raised(client.version)

    assert (sent, len(stub.seen)) == (840, 843)
    assert not any("too many calls" in hint for hint in hints)


@pytest.mark.parametrize(("attempts", "sent"), [(1, 1), (2, 20), (30, 30)])
def test_what_was_rolled_back_has_more_attempts(attempts: int, sent: int) -> None:
    """
    It provably changed nothing, and passes when the others are done.
    """
    retry = Retry(attempts=attempts, first_delay=0)
    with Stub(_ROLLED_BACK) as stub, ExternalTaskClient(stub.url, retry=retry) as client:
        error = _raised(lambda: client.set_retries_of(1, external_task_ids=["t1"]))

    assert (type(error), len(stub.seen)) == (errors.Conflict, sent)


# ------------------------------------------------------------------------------------- the policies


@pytest.mark.parametrize("asked", _ALL, ids=label)
def test_false_sends_once(asked: Operation) -> None:
    """
    Whoever has a policy of their own around the client wants none in it.
    """
    with Stub(_TOO_MANY, _GOOD[asked.due]) as stub, once(stub.url) as client:
        error = _raised(lambda: asked.call(client))

    assert (type(error), len(error.attempts), len(stub.seen)) == (errors.EngineBusy, 1, 1)


def test_a_policy_sees_what_failed() -> None:
    """
    The operation, the attempt, the error and the server's wish.
    """
    policy = Every(None)
    with (
        Stub(raw_answer("429 Too Many Requests", "Retry-After: 7")) as stub,
        ExternalTaskClient(stub.url, retry=policy) as client,
    ):
        error = _raised(client.count)

    assert policy.asked == [Failed(operation="count", attempt=1, error=error, retry_after=7.0)]
    assert len(stub.seen) == 1


def test_a_policy_is_not_asked_about_what_is_not_safe() -> None:
    """
    It says how often and when, and not what.
    """
    policy = Every(0.0)
    with Stub(then_reset()) as stub, ExternalTaskClient(stub.url, retry=policy) as client:
        error = _raised(lambda: operation("fetch_and_lock").call(client))

    assert (type(error), policy.asked, len(stub.seen)) == (OutcomeUnknown, [], 1)


def test_a_policy_may_wait_for_less_than_nothing(clock: Clock) -> None:
    """
    Then there is no wait.
    """
    with (
        Stub(_TOO_MANY, _GOOD["object"]) as stub,
        ExternalTaskClient(stub.url, retry=Every(-5.0)) as client,
    ):
        assert client.count() == 1

    assert clock.waits == [0.0]


def test_options_are_those_of_the_new_client_alone() -> None:
    """
    The old one goes on as it was, on the same connection.
    """
    with Stub(_TOO_MANY, _TOO_MANY, _GOOD["object"]) as stub, quick(stub.url) as client:
        error = _raised(client.with_options(retry=False).count)
        found = client.count()

    assert (type(error), found, len(stub.seen), stub.connections) == (errors.EngineBusy, 1, 3, 1)


def test_a_timeout_can_be_an_option(clock: Clock) -> None:
    """
    Of 60 seconds, with waits of 50, two attempts have the time.
    """
    with (
        Stub(_TOO_MANY) as stub,
        ExternalTaskClient(stub.url, retry=Every(50.0)) as client,
    ):
        _raised(client.with_options(timeout=60).count)
        sent = len(stub.seen)
        _raised(client.count)

    assert (sent, len(stub.seen)) == (2, 5)


def test_options_are_looked_at() -> None:
    """
    As those of the client are.
    """
    client = quick("http://127.0.0.1:1/engine-rest")
    wrong: Any = 3

    with pytest.raises(TypeError, match="retry must be"):
        client.with_options(retry=wrong)
    with pytest.raises(ValueError, match="timeout must be"):
        client.with_options(timeout=-1)


def test_a_client_with_options_is_closed_with_the_other_one() -> None:
    """
    They share their connections.
    """
    with Stub() as stub, quick(stub.url) as client:
        with client.with_options(retry=False) as other:
            other.unlock("t1")
        with pytest.raises(NotSent, match="the client is closed"):
            client.unlock("t1")


# ------------------------------------------------------------------------------------------ the log


def _records(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """
    Give what our own logger was told, with the times that differ left out.
    """
    return [
        (record.levelname, re.sub(r"in \d+\.\d ms", "in 1.0 ms", record.getMessage()))
        for record in caplog.records
        if record.name == "camunda_ext"
    ]


def test_a_resend_is_one_warning_and_a_call_one_record(caplog: pytest.LogCaptureFixture) -> None:
    """
    What was asked, what went wrong, and what is done about it.
    """
    caplog.set_level(logging.DEBUG)
    with Stub(then_reset(), _TOO_MANY, NO_CONTENT) as stub, quick(stub.url) as client:
        client.set_priority("t1", 5)

    call = f"set_priority: PUT {stub.url}/external-task/t1/priority"
    assert _records(caplog) == [
        (
            "WARNING",
            (
                f"{call}: attempt 1 failed: OutcomeUnknown: ConnectionError: Connection reset by "
                "peer; sent again in 0.000 s"
            ),
        ),
        ("WARNING", f"{call}: attempt 2 failed: EngineBusy: 429; sent again in 0.000 s"),
        ("DEBUG", f"{call}: 204 in 1.0 ms, attempts: 3"),
    ]


def test_records_carry_their_facts(caplog: pytest.LogCaptureFixture) -> None:
    """
    A program that reads the log asks for all about one task.
    """
    caplog.set_level(logging.DEBUG, logger="camunda_ext")
    with Stub(then_reset(), NO_CONTENT) as stub, quick(stub.url) as client:
        client.complete("t1", "w1")
        client.unlock("t2", worker_id="w2")
        place = stub.url
    facts = [
        (record.operation, record.method, record.task_id, record.worker_id, record.error)  # type: ignore[attr-defined]  # ours
        for record in caplog.records
        if record.name == "camunda_ext"
    ]
    resent, completed, _ = (record.__dict__ for record in caplog.records)

    assert facts == [
        ("complete", "POST", "t1", "w1", "OutcomeUnknown"),
        ("complete", "POST", "t1", "w1", None),
        ("unlock", "POST", "t2", "w2", None),
    ]
    assert (resent["attempt"], resent["wait"], resent["status"]) == (1, 0.0, None)
    assert (completed["attempts"], completed["status"]) == (2, 204)
    assert completed["url"] == f"{place}/external-task/t1/complete"
    assert completed["seconds"] > 0


def test_a_look_is_a_call_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    """
    So that what goes over the wire is all there.
    """
    caplog.set_level(logging.DEBUG)
    with Stub(_ROLLED_BACK, _HELD, NO_CONTENT) as stub, quick(stub.url) as client:
        client.complete("t1", "w1")

    call = f"complete: POST {stub.url}/external-task/t1/complete"
    assert _records(caplog) == [
        (
            "WARNING",
            (
                f"{call}: attempt 1 failed: Conflict: 500 ENGINE-03005 "
                "(OptimisticLockingException); looked at in 0.000 s"
            ),
        ),
        ("DEBUG", f"get: GET {stub.url}/external-task/t1: 200 in 1.0 ms, attempts: 1"),
        ("DEBUG", f"{call}: 204 in 1.0 ms, attempts: 2"),
    ]


def test_a_call_that_fails_is_one_record(caplog: pytest.LogCaptureFixture) -> None:
    """
    Without a warning, for the caller is told.
    """
    caplog.set_level(logging.DEBUG)
    with Stub(_GONE) as stub, quick(stub.url) as client:
        _raised(lambda: client.complete("t1", "w1", {"secret": "canary"}))

    call = f"complete: POST {stub.url}/external-task/t1/complete"
    assert _records(caplog) == [("DEBUG", f"{call}: TaskNotFound in 1.0 ms, attempts: 1")]


def test_bodies_are_logged_where_that_is_wanted(caplog: pytest.LogCaptureFixture) -> None:
    """
    On one line, whatever they hold.
    """
    caplog.set_level(logging.DEBUG)
    answer = raw_answer("200 OK", "Content-Type: application/json", body=b'{"count":\n1}\x1b'[:-1])
    with Stub(answer) as stub, quick(stub.url, log_bodies=True) as client:
        client.count(ExternalTaskQuery().topic("a"))
        client.count(via="GET")

    url = f"{stub.url}/external-task/count"
    assert _records(caplog) == [
        (
            "DEBUG",
            (
                f"count: POST {url}: 200 in 1.0 ms, attempts: 1; "
                r"""sent {"topicName":"a"}, got {"count":\n1}"""
            ),
        ),
        (
            "DEBUG",
            (
                f"count: GET {url}: 200 in 1.0 ms, attempts: 1; "
                r"""sent nothing, got {"count":\n1}"""
            ),
        ),
    ]


def test_a_logged_body_repeats_no_credentials(caplog: pytest.LogCaptureFixture) -> None:
    """
    A wrong URL may lead to a server that answers with the request.
    """
    caplog.set_level(logging.DEBUG)
    answer = raw_answer(
        "200 OK",
        "Content-Type: application/json",
        body=b'{"count": 1, "headers": ["Bearer canary\\u002dtoken", "Accept: */*"]}',
    )
    with (
        Stub(answer) as stub,
        quick(stub.url, log_bodies=True, auth=Bearer("canary-token")) as client,
    ):
        client.count(via="GET")

    assert _records(caplog) == [
        (
            "DEBUG",
            (
                f"count: GET {stub.url}/external-task/count: 200 in 1.0 ms, attempts: 1; "
                'sent nothing, got {"count": 1, "headers": ["***", "Accept: */*"]}'
            ),
        )
    ]


def test_an_engines_words_stay_on_their_line(caplog: pytest.LogCaptureFixture) -> None:
    """
    A message can hold what a user wrote, and that may look like a record of its own.
    """
    caplog.set_level(logging.DEBUG)
    message = "slow down\nERROR root: \x1b[31mpwned"
    with (
        Stub(_said(429, "RestException", message), _GOOD["object"]) as stub,
        quick(stub.url) as client,
    ):
        client.count()

    assert [text for level, text in _records(caplog) if level == "WARNING"] == [
        (
            f"count: POST {stub.url}/external-task/count: attempt 1 failed: EngineBusy: 429 "
            r"slow down\nERROR root: \x1b[31mpwned (RestException); "
            "sent again in 0.000 s"
        )
    ]


def test_log_bodies_is_a_flag() -> None:
    """
    A word such as "no" would be taken for a yes.
    """
    wrong: Any = "no"
    with pytest.raises(TypeError, match="log_bodies"):
        quick("http://127.0.0.1:1/engine-rest", log_bodies=wrong)


# ---------------------------------------------------------------------------------------- the hooks


class Watching:
    """
    A hook that remembers what it was told.
    """

    def __init__(self) -> None:
        #: What was about to be sent.
        self.begun: list[Outgoing] = []
        #: What came of it: status, class of the error.
        self.ended: list[tuple[int | None, type[Exception] | None]] = []

    def __call__(self, outgoing: Outgoing) -> Callable[[Ended], None]:
        """
        Remember an attempt.
        """
        self.begun.append(outgoing)
        return self._end

    def _end(self, ended: Ended) -> None:
        assert ended.seconds >= 0
        self.ended.append((ended.status, type(ended.error) if ended.error else None))


def test_a_hook_is_called_for_each_attempt() -> None:
    """
    With its number; and so for the look at a task.
    """
    hook = Watching()
    answers = (then_reset(), _TOO_MANY, _ROLLED_BACK, _HELD, NO_CONTENT)
    policy = Retry(attempts=5, first_delay=0)
    with Stub(*answers) as stub, quick(stub.url, hooks=[hook], retry=policy) as client:
        client.complete("t1", "w1")

    def sent(attempt: int) -> Outgoing:
        return Outgoing(
            operation="complete",
            method="POST",
            url=f"{stub.url}/external-task/t1/complete",
            template="/external-task/{task_id}/complete",
            attempt=attempt,
        )

    look = Outgoing(
        operation="get",
        method="GET",
        url=f"{stub.url}/external-task/t1",
        template="/external-task/{task_id}",
        attempt=1,
    )
    assert hook.begun == [sent(1), sent(2), sent(3), look, sent(4)]
    assert hook.ended == [
        (None, OutcomeUnknown),
        (429, errors.EngineBusy),
        (500, errors.Conflict),
        (200, None),
        (204, None),
    ]


def test_headers_of_hooks_are_sent() -> None:
    """
    A trace goes through; and each attempt may have other ones.
    """

    def trace(outgoing: Outgoing) -> None:
        outgoing.headers["traceparent"] = f"00-{outgoing.attempt}"

    with Stub(_TOO_MANY, NO_CONTENT) as stub, quick(stub.url, hooks=[trace]) as client:
        client.complete("t1", "w1")
        client.complete("t1", "w1")

    assert [seen.headers["traceparent"] for seen in stub.seen] == ["00-1", "00-2", "00-1"]
    assert {seen.headers["content-type"] for seen in stub.seen} == {"application/json"}


def test_hooks_end_in_the_other_order() -> None:
    """
    As contexts do: the last one that began is the first to end.
    """
    told: list[str] = []

    def named(name: str) -> Callable[[Outgoing], Callable[[Ended], None]]:
        def begin(_: Outgoing) -> Callable[[Ended], None]:
            told.append(f"{name} begins")
            return lambda _: told.append(f"{name} ends")

        return begin

    with Stub() as stub, quick(stub.url, hooks=[named("a"), named("b")]) as client:
        client.unlock("t1")

    assert told == ["a begins", "b begins", "b ends", "a ends"]


def test_what_a_hook_raises_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """
    It is logged once; and the other hooks are called.
    """

    def before(_: Outgoing) -> None:
        raise RuntimeError("before")

    def after(_: Outgoing) -> Callable[[Ended], None]:
        def end(_: Ended) -> None:
            raise RuntimeError("after")

        return end

    hook = Watching()
    with Stub() as stub, quick(stub.url, hooks=[before, hook, after]) as client:
        for _ in range(3):
            client.unlock("t1")

    logged = [record for record in caplog.records if record.name == "camunda_ext"]
    assert (len(hook.begun), len(hook.ended), len(stub.seen)) == (3, 3, 3)
    assert [(one.levelname, str(one.exc_info and one.exc_info[1])) for one in logged] == [
        ("WARNING", "before"),
        ("WARNING", "after"),
    ]


def test_a_hook_is_told_of_the_end_of_an_attempt_that_was_interrupted() -> None:
    """
    It may have something to undo, such as a span to close.
    """

    def interrupt(_: requests.PreparedRequest) -> requests.PreparedRequest:
        raise KeyboardInterrupt

    hook = Watching()
    with (
        Stub() as stub,
        quick(stub.url, hooks=[hook], auth=interrupt) as client,
        pytest.raises(KeyboardInterrupt),
    ):
        client.unlock("t1")

    assert (len(hook.begun), hook.ended, stub.seen) == (1, [(None, None)], [])


def test_a_hook_is_a_function() -> None:
    """
    A mistake is told where it is made.
    """
    wrong: Any = "trace"
    with pytest.raises(TypeError, match="each of hooks must be callable"):
        quick("http://127.0.0.1:1/engine-rest", hooks=[wrong])


def test_an_interrupt_in_a_hook_is_the_callers() -> None:
    """
    Whoever presses Ctrl-C wants an end.
    """

    def interrupt(outgoing: Outgoing) -> None:
        if outgoing.operation == "unlock":
            raise KeyboardInterrupt

    with Stub(_GOOD["object"]) as stub, quick(stub.url, hooks=[interrupt]) as client:
        with pytest.raises(KeyboardInterrupt):
            client.unlock("t1")
        assert client.version() == "7.24.0"

    assert len(stub.seen) == 1


# ---------------------------------------------------------------------------------- a refused token


@attrs.define
class Login:
    """
    Answers a login server's requests with one token after the other.
    """

    given: int = 0

    def __call__(self, connection: Connection) -> None:
        """
        Give the next token.
        """
        self.given += 1
        token = {"access_token": f"token{self.given}", "token_type": "Bearer", "expires_in": 600}
        connection.send(json_answer(200, token))


_REFUSED: Final = raw_answer("401 Unauthorized")


@pytest.mark.parametrize("retry", [QUICK, False], ids=["retry", "once"])
@pytest.mark.parametrize("asked", _ALL, ids=label)
def test_a_refused_token_is_renewed_once(asked: Operation, retry: Retry | bool) -> None:
    """
    The filter before the engine has let nothing through, so all can be sent again.
    """
    with Stub(Login()) as login, Stub(_REFUSED, _GOOD[asked.due]) as stub:
        auth = OAuth2ClientCredentials(f"{login.url}/token", "worker", "canary")
        with ExternalTaskClient(stub.url, auth=auth, retry=retry) as client:
            asked.call(client)

    assert [seen.headers["authorization"] for seen in stub.seen] == [
        "Bearer token1",
        "Bearer token2",
    ]


def test_a_new_token_that_is_refused_too_is_the_end() -> None:
    """
    More tries would only lock the user.
    """
    with Stub(Login()) as login, Stub(_REFUSED) as stub:
        auth = OAuth2ClientCredentials(f"{login.url}/token", "worker", "canary")
        with quick(stub.url, auth=auth) as client:
            error = _raised(lambda: client.complete("t1", "w1"))

    assert (type(error), len(stub.seen), len(login.seen)) == (Unauthorized, 2, 2)
    assert [one.error for one in error.attempts] == ["Unauthorized: 401"] * 2


def test_a_wrong_password_is_sent_once() -> None:
    """
    Each try makes the engine refuse the right one for longer.
    """
    with Stub(_REFUSED) as stub, quick(stub.url, auth=("demo", "wrong")) as client:
        error = _raised(lambda: client.complete("t1", "w1"))

    assert (type(error), len(stub.seen)) == (Unauthorized, 1)


# ------------------------------------------------------------------------------------- an interrupt


def _interrupting(before: bytes, after: bytes) -> Answer:
    """
    Send the start of an answer, interrupt the main thread, then send the rest of it.
    """
    main = threading.main_thread()

    def answer(connection: Connection) -> None:
        connection.send(before)
        assert main.ident is not None
        signal.pthread_kill(main.ident, signal.SIGINT)
        connection.wait(0.05)
        connection.send(after)

    return answer


_STALE: Final = json_answer(200, {"version": "of the call before"})


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="this system has no such signals")
@pytest.mark.parametrize("own_session", [False, True], ids=["ours", "injected"])
@pytest.mark.parametrize("sent", [0, 20, len(_STALE) - 5], ids=["silence", "head", "body"])
def test_after_an_interrupt_each_call_has_its_own_answer(own_session: bool, sent: int) -> None:
    """
    The answer of a call that was left must not be taken for that of the next.
    """
    interrupting = _interrupting(_STALE[:sent], _STALE[sent:])
    session = requests.Session() if own_session else None
    with (
        Stub(interrupting, _GOOD["object"]) as stub,
        quick(stub.url, session=session) as client,
    ):
        with pytest.raises(KeyboardInterrupt) as caught:
            client.version()
        versions = [client.version() for _ in range(3)]

    assert versions == ["7.24.0"] * 3
    assert (len(stub.seen), caught.value.__context__) == (4, None)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="this system has no such signals")
def test_any_exception_of_a_signal_leaves_the_client_usable() -> None:
    """
    A handler of signals may raise what it likes, in the middle of a call.
    """

    class Stopped(Exception):
        pass

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped

    usual = signal.signal(signal.SIGINT, stop)
    try:
        interrupting = _interrupting(_STALE[:20], _STALE[20:])
        with Stub(interrupting, _GOOD["object"]) as stub, quick(stub.url) as client:
            with pytest.raises(Stopped):
                client.version()
            versions = [client.version() for _ in range(3)]
    finally:
        signal.signal(signal.SIGINT, usual)

    assert versions == ["7.24.0"] * 3


# ------------------------------------------------------------------------------------- a lost fetch


def _tasks(*ids: str) -> bytes:
    return json_answer(200, [{"id": one, "workerId": "w1"} for one in ids])


def test_tasks_that_nobody_has_in_hand_are_found() -> None:
    """
    All that are locked for the worker, but for those it knows.
    """
    with Stub(_tasks("t1", "t2", "t3")) as stub, quick(stub.url) as client:
        found = client.recover("w1", known=["t2"])

    assert [task.id for task in found] == ["t1", "t3"]
    assert [json.loads(seen.body) for seen in stub.seen] == [
        {
            "workerId": "w1",
            "locked": True,
            "sorting": [{"sortBy": "id", "sortOrder": "asc"}],
        }
    ]


def test_tasks_that_have_failed_before_may_wait_for_their_retry() -> None:
    """
    The engine does not tell them from those that were fetched again, so they come when asked for.
    """
    tasks = [
        {"id": "t1", "workerId": "w1", "retries": None},
        {"id": "t2", "workerId": "w1", "retries": 2},
        {"id": "t3", "workerId": "w1", "retries": 0},
    ]
    with Stub(json_answer(200, tasks)) as stub, quick(stub.url) as client:
        found = client.recover("w1")
        failed = client.recover("w1", failed=True, known=["t2"])

    assert [task.id for task in found] == ["t1"]
    assert [task.id for task in failed] == ["t1", "t3"]


def test_without_a_long_poll_one_look_is_enough(clock: Clock) -> None:
    """
    What the engine has not locked by now, it never will.
    """
    with Stub(_tasks("t1")) as stub, quick(stub.url) as client:
        found = client.recover("w1", known=["t1"])

    assert (found, clock.waits, len(stub.seen)) == ((), [], 1)


def test_a_task_that_is_locked_late_is_waited_for(clock: Clock) -> None:
    """
    An engine does not notice that its client has gone, and locks what comes.
    """
    answers = (_tasks("t1"), _tasks("t1"), _tasks("t1", "t2"))
    with Stub(*answers) as stub, quick(stub.url) as client:
        found = client.recover("w1", known=["t1"], async_response_timeout=20_000)

    assert [task.id for task in found] == ["t2"]
    assert clock.waits == [1.0, 1.0]


def test_a_long_poll_comes_to_its_end(clock: Clock) -> None:
    """
    And with one second more, all is certain.
    """
    with Stub(_tasks()) as stub, quick(stub.url) as client:
        found = client.recover("w1", async_response_timeout=2500)

    assert found == ()
    assert clock.waits == pytest.approx([1.0, 1.0, 1.0, 0.5])
    assert len(stub.seen) == 5


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ({"worker_id": ""}, "worker_id"),
        ({"worker_id": 5}, "worker_id"),
        ({"worker_id": "w1", "known": "t1"}, "known"),
        ({"worker_id": "w1", "known": [5]}, "known"),
        ({"worker_id": "w1", "failed": 1}, "failed"),
        ({"worker_id": "w1", "async_response_timeout": -1}, "async_response_timeout"),
    ],
    ids=repr,
)
def test_what_is_to_be_recovered_is_looked_at(told: dict[str, Any], name: str) -> None:
    """
    A mistake is told before anything is sent.
    """
    with (
        Stub() as stub,
        quick(stub.url) as client,
        pytest.raises((TypeError, ValueError), match=name),
    ):
        client.recover(**told)

    assert stub.seen == []


# ----------------------------------------------------------------------------------- with an engine


def _fetch(client: ExternalTaskClient, worker_id: str = "w1") -> list[str]:
    topic = Topic("print", lock_duration=60_000)
    return [task.id for task in client.fetch_and_lock(worker_id, [topic], max_tasks=10)]


def test_a_fetch_whose_answer_was_lost_is_recovered() -> None:
    """
    The tasks are locked, and nobody else would get them.
    """
    with Engine() as engine:
        engine.serve()
        created = {engine.create_task("print") for _ in range(3)}
        engine.faults.add(Fault.LOST_ANSWER, operation="fetch_and_lock", times=1)
        with quick(engine.url) as client:
            error = _raised(lambda: _fetch(client))
            again = _fetch(client)
            found = client.recover("w1")
            for task in found:
                client.complete(task.id, "w1")

    assert (type(error), again) == (OutcomeUnknown, [])
    assert {task.id for task in found} == created


def test_to_recover_does_not_bring_a_retry_forward() -> None:
    """
    A worker that unlocks all that it is given leaves its own failed task to wait.
    """
    with Engine() as engine:
        engine.serve()
        failing, other = engine.create_task("print"), engine.create_task("print")
        with quick(engine.url) as client:
            _fetch(client)
            client.failure(failing, "w1", retries=2, retry_timeout=600_000)
            for task in client.recover("w1"):
                client.unlock(task.id, worker_id="w1")
            again = _fetch(client)

    assert again == [other]


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.OPTIMISTIC_LOCKING, Fault.REFUSED])
def test_each_command_is_done_once_whatever_is_lost(fault: Fault) -> None:
    """
    An engine that did it, one that rolled it back, and one that was not reached.
    """
    with Engine() as engine:
        engine.serve()
        task_id = engine.create_task("print")
        with quick(engine.url) as client:
            for worker_id in ("w1", "w2"):
                assert _fetch(client, worker_id) == [task_id]
                engine.faults.add(fault, operation="unlock", times=1)
                client.unlock(task_id, worker_id=worker_id)
            assert _fetch(client) == [task_id]
            engine.faults.add(fault, operation="failure", times=1)
            client.failure(task_id, "w1", retries=2, error_message="no printer", retry_timeout=0)
            failed = client.get(task_id)
            engine.faults.add(fault, operation="complete", times=1)
            client.complete(task_id, "w1")
            log = client.log_list()

    kinds = [(one.creation_log, one.failure_log, one.success_log, one.deletion_log) for one in log]
    assert (failed.retries, failed.error_message) == (2, "no printer")
    assert sorted(kinds, reverse=True) == [
        (True, False, False, False),
        (False, True, False, False),
        (False, False, True, False),
    ]


# ------------------------------------------------------------------------ what others may get wrong


def test_a_policy_that_raises_hides_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """
    What became of a command that was sent is told, whatever the user's own policy does.
    """

    class Broken:
        """
        A policy with a mistake in it.
        """

        def wait(self, failed: Failed) -> float | None:
            """
            Make the mistake.
            """
            raise LookupError("oops")

    with (
        Stub(then_reset()) as stub,
        ExternalTaskClient(stub.url, retry=Broken()) as client,
        pytest.raises(OutcomeUnknown),
    ):
        client.complete("t1", "w1")

    assert [record.message.endswith("the retry policy raised") for record in caplog.records] == [
        True
    ]
    assert len(stub.seen) == 1


@pytest.mark.parametrize("wait", [float("nan"), float("inf"), 1e12])
def test_a_policy_cannot_ask_to_wait_for_ever(wait: float) -> None:
    """
    Such a wait could not be slept; it is none.
    """

    class Odd:
        """
        A policy that counts badly.
        """

        def wait(self, failed: Failed) -> float | None:
            """
            Give the odd number.
            """
            return wait

    with (
        Stub(then_reset()) as stub,
        ExternalTaskClient(stub.url, retry=Odd(), timeout=Timeout(total=None)) as client,
        pytest.raises(OutcomeUnknown),
    ):
        client.complete("t1", "w1")

    assert len(stub.seen) == 1


@pytest.mark.parametrize("value", ["a\r\nX-Injected: 1", "пр", None])
def test_a_bad_header_of_a_hook_is_left_out(value: Any, caplog: pytest.LogCaptureFixture) -> None:
    """
    The call goes on without it, and the log says so.
    """

    def hook(outgoing: Outgoing) -> None:
        outgoing.headers["X-Bad"] = value
        outgoing.headers["X-Good"] = "1"

    with Stub(NO_CONTENT) as stub, ExternalTaskClient(stub.url, hooks=[hook]) as client:
        client.unlock("t1")

    assert [(seen.headers.get("x-bad"), seen.headers.get("x-good")) for seen in stub.seen] == [
        (None, "1")
    ]
    assert [record.message.startswith("a header of a hook") for record in caplog.records] == [True]


def test_a_hook_need_not_be_hashable(caplog: pytest.LogCaptureFixture) -> None:
    """
    A class with `__eq__` and `__call__` is a hook like any other.
    """

    @attrs.define
    class Broken:
        """
        A hook with a mistake in it.
        """

        def __call__(self, outgoing: Outgoing) -> None:
            raise LookupError("oops")

    with Stub(NO_CONTENT) as stub, ExternalTaskClient(stub.url, hooks=[Broken()]) as client:
        client.unlock("t1")
        client.unlock("t1")

    assert len(caplog.records) == 1


def test_a_failure_with_a_timeout_beyond_all_years_is_unclear() -> None:
    """
    What Python has no date for is no reason to raise anything else.
    """
    held = json_answer(
        200,
        {
            "id": "t1",
            "workerId": "w1",
            "topicName": "a",
            "retries": 3,
            "lockExpirationTime": "33715-01-01T00:00:00.000+0000",
        },
    )
    with (
        Stub(
            then_reset(),
            held.replace(b"\r\n\r\n", b"\r\nDate: Sun, 22 Nov 2026 13:00:00 GMT\r\n\r\n"),
        ) as stub,
        quick(stub.url) as client,
        pytest.raises(OutcomeUnknown),
    ):
        client.failure("t1", "w1", retries=3, retry_timeout=10**15)


# ------------------------------------------------------------------- what the database refuses


@pytest.mark.parametrize("is_lost", [False, True], ids=["at once", "after a lost answer"])
@pytest.mark.parametrize("asked", ["failure", "complete", "lock", "fetch_and_lock", "count"])
def test_a_character_that_the_database_refuses_is_no_doubt(asked: str, is_lost: bool) -> None:
    """
    A question with it fails as well, so no attempt has done anything; and no quota is taken.
    """
    text = "a \U0001f600"
    calls: dict[str, Callable[[ExternalTaskClient], object]] = {
        "failure": lambda client: client.failure("t1", "w1", retries=1, error_message=text),
        "complete": lambda client: client.complete("t1", "w1", {"v": text}),
        "lock": lambda client: client.lock("t1", text, 10_000),
        "fetch_and_lock": lambda client: client.fetch_and_lock(
            text, [Topic("a", lock_duration=10_000)], max_tasks=1
        ),
        "count": lambda client: client.count(ExternalTaskQuery().topic(text)),
    }
    again = is_lost and asked not in ("failure", "fetch_and_lock")
    count = json_answer(200, {"count": 0})
    lost = [then_reset()] if again else []
    with Stub(*lost, _DATABASE, _DATABASE, count) as stub, quick(stub.url) as client:
        error = _raised(lambda: calls[asked](client))
        quota = client._sender.quota

    assert type(error) is errors.EngineFailure
    assert "U+1F600 (\U0001f600)" in error.hint
    assert [json.loads(seen.body) for seen in stub.seen[1 + again :]] == [
        {"topicName": "\U0001f600"},
        {"topicName": "a"},
    ]
    # One attempt without an answer takes 5; a question that is answered gives 1.
    assert quota.left == quota.FULL - (4 if again else 0)


def test_a_database_that_fails_for_everything_says_nothing_of_a_character() -> None:
    """
    The command may have been done: it was perhaps the commit that failed.
    """
    with Stub(_DATABASE) as stub, quick(stub.url) as client:
        error = _raised(lambda: client.complete("t1", "w1", {"v": "a \U0001f600"}))

    assert type(error) is OutcomeUnknown


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"variables": {"v": {"type": "String", "value": "\0"}}}, "v"),
        ({"variables": {"v": {"type": "Json", "value": "\0"}}}, None),
        ({"v": {"type": "File", "valueInfo": {"filename": "\U0001f600"}}}, "filename"),
        ({"variables": {"errorDetails": {"type": "String", "value": "\ud83d"}}}, "errorDetails"),
        ({"errorDetails": "\0", "errorMessage": "x"}, None),
        ({"topics": [{"topicName": "a"}, {"topicName": "\U0001f600"}]}, "topicName"),
        ({"variables": {"\0": {"type": "Long", "value": 1}}}, "the name '\\x00'"),
        (None, None),
    ],
)
def test_where_a_character_is_that_a_database_may_refuse(body: Any, where: str | None) -> None:
    """
    Anything that is stored as text.
    """
    odd = first_odd(body)

    assert (None if odd is None else odd.where) == where


def test_a_database_that_takes_the_character_may_have_failed_otherwise() -> None:
    """
    Then it is sent again once, and what came of it stays in doubt.
    """
    count = json_answer(200, {"count": 0})
    with Stub(_DATABASE, count, _DATABASE, count) as stub, quick(stub.url) as client:
        error = _raised(lambda: client.set_retries_of(1, external_task_ids=["a\U0001f600"]))

    assert (type(error), len(stub.seen)) == (OutcomeUnknown, 4)
    assert "externalTaskIds has U+1F600" in error.hint
