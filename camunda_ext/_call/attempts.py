"""
The way of one request: its attempts, the waits between them, and the look before it is sent again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from functools import partial
from threading import TIMEOUT_MAX
from time import monotonic, sleep
from types import NoneType
from typing import Any, Final, TypeVar

import attrs
from requests.structures import CaseInsensitiveDict

from camunda_ext import errors
from camunda_ext._call import evidence
from camunda_ext._call.backoff import Quota, Retry, RetryPolicy, retry_after
from camunda_ext._call.characters import Odd, first_odd, hint_of
from camunda_ext._call.evidence import Evidence
from camunda_ext._call.hooks import Hooks
from camunda_ext._call.request import Request
from camunda_ext._call.rules import Resend, failure_kind
from camunda_ext._http.messages import FailureKind, HttpRequest, HttpResponse, Timeout
from camunda_ext._http.transport import Transport, TransportFailure
from camunda_ext._wire import checks
from camunda_ext._wire.dates import DateFormat
from camunda_ext._wire.decode import decode, decode_each
from camunda_ext._wire.encode import encode
from camunda_ext._wire.json import dumps, loads
from camunda_ext._wire.text import printable
from camunda_ext._wire.urls import curl, url
from camunda_ext.dto import (
    CompleteExternalTask,
    CountResult,
    ExternalTask,
    ExternalTaskFailure,
    FetchedTasks,
    HistoricExternalTaskLog,
    LockedExternalTask,
    UnreadableTask,
)
from camunda_ext.hooks import Ended, Failed, Outgoing
from camunda_ext.variables import VariableValue

T = TypeVar("T")

_log: Final = logging.getLogger("camunda_ext")

_ACCEPT: Final[Mapping[Any, str]] = {str: "text/plain, application/json", bytes: "*/*"}
#: Seconds between the first two looks at a task that the engine may still be at.
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0
#: How long to look, in seconds, where a call has no end of its own.
_PATIENCE: Final = 30.0
#: What is longer is not looked through for all that was sent.
_LONG_TO_CLEAN: Final = 64 * 1024
_REPEATS: Final = "an answer that repeats what it was sent"


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Sender:
    """
    Sends requests to one engine, each as often as it is safe and of use.
    """

    #: The engine's URL, which all paths follow.
    base: str

    #: The way to the network.
    transport: Transport

    #: How long to wait, unless a request needs longer.
    timeout: Timeout

    #: How the engine writes dates.
    dates: DateFormat

    #: How often and when to send again.
    retry: RetryPolicy

    #: Gets other credentials after some were refused; tells whether there are any.
    renew: Callable[[], bool] = lambda: False

    #: Who sees each attempt.
    hooks: Hooks = attrs.field(factory=lambda: Hooks(()))

    #: Whether bodies are logged, too.
    log_bodies: bool = False

    #: How many resends are left.
    quota: Quota = attrs.field(factory=Quota)

    def send(self, request: Request[T]) -> T:
        """
        Send a request and give what it returns: the one way to the network.
        """
        answer: T = _Exchange(self, request, self._deadline(request)).run().answer
        return answer

    def _deadline(self, request: Request[Any]) -> float | None:
        total = self.timeout.plus(request.extra_time).total
        return None if total is None else monotonic() + total


@attrs.define(eq=False, repr=False)
class _Result:
    """
    What came of an attempt.
    """

    #: What the answer says.
    answer: Any = None

    #: What went wrong instead.
    error: errors.CamundaError | None = None

    #: The answer itself, if there was one.
    response: HttpResponse | None = None

    #: In which way no answer came; ``None`` if none will.
    how: FailureKind | None = FailureKind.NO_ANSWER


class _Exchange:
    """
    All that is done for one request.
    """

    def __init__(
        self,
        sender: Sender,
        request: Request[Any],
        deadline: float | None,
        *,
        asks_for_more: bool = True,
    ) -> None:
        self._sender = sender
        self._request = request
        #: Whether an error is worth a question about it.
        self._asks_for_more = asks_for_more
        self._deadline = deadline
        self._began = monotonic()
        self._call, self._asked = _to_http(sender, request, deadline)
        self._attempts: list[errors.Attempt] = []
        #: The last attempt that may have been done though no answer said so.
        self._doubt: errors.NoAnswer | None = None
        #: Whether there was an attempt that the engine did not answer.
        self._is_lost = False
        self._renewed = False
        #: How many attempts the quota has paid for.
        self._paid = 0

    def run(self) -> _Result:
        """
        Send, until it is done or there is an error to raise.
        """
        result = self._attempt()
        while result.error is not None:
            settled = self._again(result)
            if settled is not None:
                result = settled
                break
            result = self._attempt()
        self._log_call(result)
        if result.error is None:
            self._sender.quota.give(self._paid)
            return result
        # Raised out here, so that it has no context: one would hold the request and its secrets.
        raise result.error

    def _sent_times(self, result: _Result) -> int:
        # A look may have shown in the end that a failed attempt was done.
        return len(self._attempts) + (result.response is not None and result.error is None)

    def _again(self, result: _Result) -> _Result | None:
        """
        Wait for the next attempt; give what to return or to raise if there is to be none.
        """
        assert result.error is not None  # noqa: S101  # the only caller asked
        error, came = result.error, failure_kind(result.error, result.how)
        odd = self._odd_character() if came is FailureKind.DATABASE else None
        if odd is not None and self._refuses(odd):
            self._doubt = None  # no attempt can have been done
            error.hint = hint_of(odd)
            return self._settled(error)
        step = Resend.STOP if came is None else self._request.rule.after[came]
        wait: float | None = 0.0
        if isinstance(error, errors.Unauthorized) and not self._renewed and self._sender.renew():
            self._renewed, step = True, Resend.AGAIN
        elif odd is not None and len(self._attempts) > 1:
            told = self._doubt or error
            told.hint += f" The text of {odd.where} has {odd}, which some databases refuse."
            wait = None
        elif step is not Resend.STOP:
            wait = self._wait(result)
        if step is Resend.STOP or wait is None:
            if came is not None and self._is_worth_a_look(step):
                return self._look(error, came, last=True)
            return self._settled(error)
        _log.warning(
            "%s: attempt %d failed: %s: %s; %s in %.3f s",
            self._call,
            len(self._attempts),
            type(error).__name__,
            error.in_short(),
            "sent again" if step is Resend.AGAIN else "looked at",
            wait,
            extra=self._facts(error, attempt=len(self._attempts), wait=wait),
        )
        sleep(wait)
        settled = None
        if step is not Resend.AGAIN:
            settled = self._look(error, came, last=step is Resend.LAST_LOOK)
        # A look, and to get other credentials, may have taken all the time.
        return settled or (None if self._has_time() else self._settled(error))

    def _is_worth_a_look(self, step: Resend) -> bool:
        """
        Tell whether a look at the task may say more than several attempts.
        """
        if len(self._attempts) == 1 or "task_id" not in self._request.ids:
            return False
        return step is Resend.LOOK or (self._doubt is not None and self._call.doubt is not None)

    def _wait(self, result: _Result) -> float | None:
        """
        Give the seconds to wait; ``None`` if the policy, the time or the quota is at its end.
        """
        assert result.error is not None  # noqa: S101  # the only caller asked
        headers = {} if result.response is None else result.response.headers
        failed = Failed(
            operation=self._request.operation,
            attempt=len(self._attempts),
            error=result.error,
            retry_after=retry_after(headers, datetime.now(timezone.utc)),
        )
        try:
            wait: float | None = checks.to_seconds(self._sender.retry.wait(failed))
            wanted = wait is not None and wait <= TIMEOUT_MAX
        except Exception:  # noqa: BLE001
            # It may be the user's own; what became of the request must be told all the same.
            facts = self._facts(result.error, attempt=len(self._attempts))
            _log.exception("%s: the retry policy raised", self._call, extra=facts)
            return None
        if not wanted or wait is None or not self._has_time(wait):
            return None
        if result.error.type is None:  # No engine that is at work has said so.
            if not self._sender.quota.take():
                result.error.hint += " It is not sent again now, for too many calls fail."
                return None
            self._paid += 1
        return max(wait, 0.0)

    def _odd_character(self) -> Odd | None:
        """
        Give the character that the engine's database may have failed for.
        """
        if not self._asks_for_more:
            return None
        body = None if self._asked.content is None else loads(self._asked.content)
        return first_odd(body) or first_odd(dict(self._request.params))

    def _refuses(self, odd: Odd) -> bool:
        """
        Tell whether the engine's database takes no such character, not even in a question, but
        others.
        """
        return (
            self._asked_with(odd.character) is FailureKind.DATABASE
            and self._asked_with("a") is None
        )

    def _asked_with(self, character: str) -> FailureKind | None:
        """
        Tell what comes of a question that changes nothing; ``None`` for an answer.
        """
        path, body = "POST /external-task/count", {"topicName": character}
        try:
            self._answer_to(Request("count", path, CountResult, body=body))
        except errors.CamundaError as error:
            return failure_kind(error, None) or FailureKind.NO_ANSWER
        return None

    def _answer_to(self, asked: Request[T]) -> T:
        """
        Ask something about the request, once.
        """
        once = attrs.evolve(self._sender, retry=Retry(attempts=1))
        answer: T = _Exchange(once, asked, self._deadline, asks_for_more=False).run().answer
        return answer

    def _has_time(self, seconds: float = 0.0) -> bool:
        return self._deadline is None or monotonic() + seconds < self._deadline

    # ---------------------------------------------------------------------------- one attempt

    def _attempt(self) -> _Result:
        begun = monotonic()
        asked, end = self._asked, None
        if self._sender.hooks:
            outgoing = self._outgoing()
            end = self._sender.hooks.before(outgoing)
            asked = attrs.evolve(asked, headers={**asked.headers, **outgoing.headers})
        result = None
        try:
            result = self._sent(asked)
        finally:
            # Also if something else is raised, such as by Ctrl-C: a hook may have things to undo.
            seconds = monotonic() - begun
            if end is not None:
                end(_ended(result, seconds))
        if result.error is not None:
            self._note(result.error, result.how, seconds)
        return result

    def _note(self, error: errors.CamundaError, how: FailureKind | None, seconds: float) -> None:
        """
        Remember an attempt that failed.
        """
        told = f"{type(error).__name__}: {error.in_short()}"
        self._attempts.append(errors.Attempt(error=told, seconds=seconds))
        if isinstance(error, errors.NoAnswer):
            self._doubt, self._is_lost = error, True
        elif self._call.doubt and failure_kind(error, how) is FailureKind.DATABASE:
            # What failed may have been the answer to the commit: the engine says no more.
            self._doubt = errors.doubted(error, self._call)

    def _sent(self, asked: HttpRequest) -> _Result:
        response = None
        try:
            response = self._sender.transport.send(asked)
            answer = self._answer(response)
        except TransportFailure as failure:
            if failure.sent:
                lost = errors.no_answer(self._call, failure.reason, failure.status, failure.hint)
                return _Result(None, lost, None, failure.how)
            again = FailureKind.NOT_SENT if failure.again else None
            error = errors.not_sent(self._call, failure.reason, failure.hint)
            error.__cause__ = failure.cause
            return _Result(None, error, None, again)
        except _NotDue as problem:
            assert response is not None  # noqa: S101  # there was one to read
            return _Result(None, self._odd(response, problem), response)
        return _Result(answer, None, response)

    def _answer(self, response: HttpResponse) -> Any:
        """
        Give what an answer says.
        """
        returns, dates = self._request.returns, self._sender.dates
        _check(returns, response)
        if returns is bytes and not self._is_file(response):
            raise _NotDue(
                f"a file was due, not {response.headers.get('content-type') or 'nothing'}"
            )
        answer = _read(returns, response, dates)
        if isinstance(answer, FetchedTasks):
            self._log_unreadable(answer)
        return answer

    def _is_file(self, response: HttpResponse) -> bool:
        """
        Tell whether an answer is the contents of the variable that was asked for, and no page.
        """
        kind = response.headers.get("content-type", "")
        if kind.startswith("application/octet-stream"):
            return True
        if "content-disposition" in response.headers:
            return True
        # Tomcat leaves that header out if the file's name is beyond Latin-1. What the engine tells
        # of the variable then has to be what has come.
        asked = Request(
            "variable",
            "GET /process-instance/{scope}/variables/{name}",
            VariableValue,
            self._request.ids,
            params={"deserializeValue": "false"},
        )
        try:
            # Where all that comes is a page, it is asked for often enough.
            variable = self._answer_to(asked)
        except errors.CamundaError:
            return False
        info = variable.value_info or {}
        return (
            variable.type == "File"
            and _is_beyond_latin_1(info.get("filename"))
            and _media_type(kind) == _media_type(info.get("mimeType"))
        )

    def _odd(self, response: HttpResponse, problem: _NotDue) -> errors.CamundaError:
        from camunda_ext._secrets import masks  # only now: few answers are odd

        secrets = response.secrets()
        clean = partial(masks.without, secrets=secrets)
        reason = str(problem)
        if len(response.content) > _LONG_TO_CLEAN:
            if reason and masks.may_be_in(response.content, secrets):
                reason = _REPEATS
        elif reason:
            reason = self._reason(response, reason, clean)
        return errors.from_response(
            self._call, response.status, response.content, reason=reason, clean=clean
        )

    def _reason(self, response: HttpResponse, reason: str, clean: Callable[[str], str]) -> str:
        """
        Say what is wrong with an answer, without what it has repeated: the parts of it that are in
        a reason are cut.
        """
        text = response.content.decode("utf-8", "surrogateescape")
        headers = {name: clean(value) for name, value in response.headers.items()}
        cleaned = clean(text)
        if cleaned == text and headers == dict(response.headers.items()):
            return reason
        shown = HttpResponse(
            status=response.status,
            headers=CaseInsensitiveDict(headers),
            content=cleaned.encode("utf-8", "surrogateescape"),
        )
        returns = self._request.returns
        try:
            _check(returns, shown)
            _read(returns, shown, self._sender.dates)
        except _NotDue as problem:
            return str(problem)
        # What a file should have been is told whole.
        return clean(reason) if returns is bytes else _REPEATS

    def _outgoing(self) -> Outgoing:
        return Outgoing(
            operation=self._request.operation,
            method=self._call.method,
            url=self._call.url,
            template=self._request.endpoint.partition(" ")[2],
            attempt=len(self._attempts) + 1,
        )

    # --------------------------------------------------------------------------------- doubt

    def _look(
        self, error: errors.CamundaError, came: FailureKind | None, *, last: bool = False
    ) -> _Result | None:
        """
        Look at the task; give what to return or to raise, or ``None`` to send again.

        Args:
            last: Whether it is not to be sent again, whatever the look shows.
        """
        shown, gone = self._shown(patient=came is FailureKind.TIMED_OUT)
        if shown is Evidence.NOT_DONE and came is FailureKind.DATABASE and not self._is_lost:
            self._doubt = None  # the engine has answered, so it is not at it any more
        if shown is Evidence.NOT_DONE and not last:
            return None
        # That it is as it should be does not say that what the engine refused was done.
        if shown is Evidence.DONE and not (came is FailureKind.FAILED and self._doubt is None):
            return _Result()
        return self._settled(gone or error)

    def _shown(self, *, patient: bool) -> tuple[Evidence, errors.CamundaError | None]:
        """
        Tell what a look shows, and what the engine says of a task that is gone.

        Args:
            patient: Whether to wait for an engine that may still be at the command. Sent again, it
                would go through the process behind the task a second time, beside the first.
        """
        until = monotonic() + _PATIENCE
        if self._deadline is not None:
            until = (monotonic() + self._deadline) / 2
        pause = _FIRST_PAUSE
        while True:
            shown, gone = self._look_once()
            if not patient or shown is not Evidence.NOT_DONE or monotonic() + pause > until:
                return shown, gone
            sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _look_once(self) -> tuple[Evidence, errors.CamundaError | None]:
        if not self._has_time():
            return Evidence.UNCLEAR, None
        endpoint = "GET /external-task/{task_id}"
        asked = Request("get", endpoint, ExternalTask, self._request.ids)
        try:
            result = _Exchange(self._sender, asked, self._deadline).run()
        except errors.TaskNotFound as error:
            return Evidence.GONE, errors.retold(error, self._call)
        except errors.CamundaError:
            return Evidence.UNCLEAR, None
        assert result.response is not None  # noqa: S101  # or there would be no task
        seen = evidence.TaskSnapshot(
            task=result.answer,
            now=_date(result.response),
            since=monotonic() - self._began,
        )
        shown = evidence.shown(self._request, seen)
        if shown is Evidence.DONE and isinstance(self._request.body, ExternalTaskFailure):
            shown = evidence.reported(self._history(), self._request.body, seen)
        return shown, None

    def _settled(self, error: errors.CamundaError) -> _Result:
        """
        Give what is to be returned or raised in the end: an earlier attempt may have been done.
        """
        error.attempts = tuple(self._attempts)
        if self._doubt is None or isinstance(error, self._request.rule.settles):
            return _Result(None, error)
        if isinstance(error, errors.TaskNotFound):
            proven = self._proven()
            if proven is Evidence.DONE:
                return _Result()
            if proven is Evidence.NOT_DONE:
                return _Result(None, error)
        self._doubt.attempts = error.attempts
        if error.in_short() != self._doubt.in_short():
            self._doubt.hint += f" In the end: {type(error).__name__}: {error.in_short()}."
        if isinstance(self._doubt, errors.OutcomeUnknown):
            content = self._asked.content
            self._doubt.curl = curl(
                self._asked.method,
                self._asked.url,
                None if content is None else content.decode("ascii"),
            )
        return _Result(None, self._doubt)

    def _proven(self) -> Evidence:
        """
        Tell from the history whether a task that is gone was completed by this command.
        """
        if not isinstance(self._request.body, CompleteExternalTask):
            return Evidence.UNCLEAR
        return evidence.logged(self._history(), self._request.body.worker_id)

    def _history(self) -> tuple[HistoricExternalTaskLog, ...]:
        """
        Give the latest that the history knows of the task; nothing if it does not tell.
        """
        if not self._has_time():
            return ()
        asked = Request(
            "log_list",
            "POST /history/external-task-log",
            tuple[HistoricExternalTaskLog, ...],
            params={"maxResults": "10"},
            body={
                "externalTaskId": self._request.ids["task_id"],
                "sorting": [{"sortBy": "timestamp", "sortOrder": "desc"}],
            },
            since="7.7",
        )
        try:
            entries: tuple[HistoricExternalTaskLog, ...] = (
                _Exchange(self._sender, asked, self._deadline).run().answer
            )
        except errors.CamundaError:
            return ()
        return entries

    # ----------------------------------------------------------------------------------- log

    def _log_call(self, result: _Result) -> None:
        if not _log.isEnabledFor(logging.DEBUG):
            return
        response, error = result.response, result.error
        seconds, attempts = monotonic() - self._began, self._sent_times(result)
        _log.debug(
            "%s: %s in %.1f ms, attempts: %d%s",
            self._call,
            type(error).__name__ if error is not None else response.status if response else "done",
            seconds * 1000,
            attempts,
            self._bodies(response) if self._sender.log_bodies else "",
            extra=self._facts(error, response, attempts=attempts, seconds=seconds),
        )

    def _log_unreadable(self, tasks: FetchedTasks) -> None:
        for task in tasks.unreadable:
            facts = {**self._facts(None), "task_id": task.id}
            _log.error(
                "%s: task %s is locked, but cannot be read: %s",
                self._call,
                printable(task.id),
                printable(task.reason),
                extra=facts,
            )

    def _facts(
        self,
        error: errors.CamundaError | None,
        response: HttpResponse | None = None,
        **more: float | None,
    ) -> dict[str, object]:
        """
        Give what a record in the log is about, for programs that read logs.
        """
        status = response.status if response is not None else error.status if error else None
        return {
            "operation": self._call.operation,
            "method": self._call.method,
            "url": self._call.url,
            "task_id": self._request.ids.get("task_id"),
            "worker_id": getattr(self._request.body, "worker_id", self._request.worker_id),
            "error": type(error).__name__ if error is not None else None,
            "status": status,
            **more,
        }

    def _bodies(self, response: HttpResponse | None) -> str:
        sent, got = (
            printable((content or b"").decode("utf-8", "replace"))
            for content in (self._asked.content, response and response.content)
        )
        return f"; sent {sent or 'nothing'}, got {got or 'nothing'}"


def _ended(result: _Result | None, seconds: float) -> Ended:
    if result is None:
        return Ended(status=None, error=None, seconds=seconds)
    status = None if result.response is None else result.response.status
    return Ended(status=status, error=result.error, seconds=seconds)


def _to_http(
    sender: Sender, request: Request[Any], deadline: float | None
) -> tuple[errors.Call, HttpRequest]:
    method, path = request.endpoint.split(" ", 1)
    whole_url = url(sender.base, path, request.ids, request.params)
    headers = {"Accept": _ACCEPT.get(request.returns, "application/json")}
    content = None
    if request.body is not None:
        headers["Content-Type"] = "application/json"
        content = dumps(encode(request.body, sender.dates)).encode("ascii")
    named_tasks = getattr(request.body, "external_task_ids", None) or ()
    task_id = request.ids.get("task_id")
    call = errors.Call(
        operation=request.operation,
        method=method,
        url=whole_url,
        task_ids=named_tasks if task_id is None else (task_id, *named_tasks),
        since=request.since,
        doubt=request.rule.doubt,
    )
    return call, HttpRequest(
        method=method,
        url=whole_url,
        headers=headers,
        content=content,
        timeout=sender.timeout.plus(request.extra_time),
        deadline=deadline,
    )


def _date(response: HttpResponse) -> datetime | None:
    """
    Give the server's clock, in whole seconds.
    """
    try:
        moment = parsedate_to_datetime(response.headers.get("date", ""))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else None


class _NotDue(Exception):
    """
    An answer is not the one that the operation gives; the text is empty if the status says it all.
    """


def _check(returns: Any, response: HttpResponse) -> None:
    """
    Refuse an answer that is not the one that the operation gives: 200 alone proves nothing.
    """
    status, content = response.status, response.content
    if not 200 <= status < 300:
        raise _NotDue
    if status == 204 and not content and returns in (NoneType, str):
        return
    if status != 200 or returns is NoneType:
        raise _NotDue(f"{204 if returns is NoneType else 200} was due")
    kind = response.headers.get("content-type", "")
    headers = response.headers
    if not content and "content-length" not in headers and "transfer-encoding" not in headers:
        raise _NotDue("an empty answer that does not say that it is")  # its head was cut off
    if returns is str:
        if not kind.startswith("text/plain"):
            raise _NotDue(f"text/plain was due, not {kind or 'nothing'}")
    elif returns is bytes:
        return
    elif not content or kind.startswith("text/html"):
        raise _NotDue(f"JSON was due, not {'a page' if content else 'nothing'}")


def _is_beyond_latin_1(text: object) -> bool:
    return isinstance(text, str) and any(character > "\xff" for character in text)


def _media_type(text: object) -> str:
    """
    Give a media type without its parameters.
    """
    return str(text).partition(";")[0].strip().lower()


def _without_secrets(
    odd: Sequence[tuple[str, str]], response: HttpResponse
) -> list[tuple[str, str]]:
    from camunda_ext._secrets import masks  # only now: few answers are odd

    secrets = response.secrets()
    if masks.may_be_in(response.content, secrets):
        return [(id_, _REPEATS) for id_, _ in odd]
    return list(odd)


def _read(returns: Any, response: HttpResponse, dates: DateFormat) -> Any:
    """
    Give what an answer says that has passed all checks.
    """
    content = response.content
    if response.status == 204:
        return None
    if returns is str:
        return content.decode("utf-8", "replace")
    if returns is bytes:
        return content
    try:
        if returns is FetchedTasks:
            tasks, odd = decode_each(content, LockedExternalTask, dates)
            if odd:  # What is told of them shows parts of the answer.
                odd = _without_secrets(odd, response)
            unreadable = [UnreadableTask(id=id_, reason=reason) for id_, reason in odd]
            return FetchedTasks(tasks, unreadable=unreadable)
        return decode(content, returns, dates)
    except ValueError as error:
        raise _NotDue(str(error)) from None
