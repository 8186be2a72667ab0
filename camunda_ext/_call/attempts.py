"""
Sends one request: its attempts, the waits between them, and the looks at the task after a failure.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from math import inf
from threading import TIMEOUT_MAX
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs

import camunda_ext
from camunda_ext import errors
from camunda_ext._call import answers
from camunda_ext._call.backoff import Quota, Retry, RetryPolicy, retry_after
from camunda_ext._call.hooks import Hooks
from camunda_ext._call.log import CallLog
from camunda_ext._call.request import Raw, Request
from camunda_ext._call.rules import Resend, failure_kind
from camunda_ext._http.messages import (
    FailureKind,
    HttpRequest,
    HttpResponse,
    Timeout,
    TransportFailure,
)
from camunda_ext._http.transport import Transport
from camunda_ext._wire import checks
from camunda_ext._wire.dates import DateFormat
from camunda_ext._wire.json import loads
from camunda_ext._wire.urls import curl

if TYPE_CHECKING:
    from camunda_ext._call.characters import OddCharacter

T = TypeVar("T")

#: How long to look at a task that a command may still be changing, in seconds, if the call has no
#: deadline.
_PATIENCE: Final = 30.0


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Sender:
    """
    Sends requests to one engine, and sends them again if that is safe and can help.
    """

    #: The engine's URL; paths are appended to it.
    base: str

    #: Sends a single HTTP request.
    transport: Transport

    #: The time-outs of a call; a request may add extra time.
    timeout: Timeout

    #: The engine's format of dates.
    dates: DateFormat

    #: How often and when to send again.
    retry: RetryPolicy

    #: Fetches new credentials after the engine refused the old ones; returns whether there are any.
    renew: Callable[[], bool] = lambda: False

    #: The hooks that are called around each attempt.
    hooks: Hooks = attrs.field(factory=lambda: Hooks(()))

    #: Whether the log shows bodies.
    log_bodies: bool = False

    #: The number of resends that are left to the client.
    quota: Quota = attrs.field(factory=Quota)

    def send(self, request: Request[T]) -> T:
        """
        Send a request, and return its decoded answer. All calls go through here.
        """
        total = self.timeout.plus(request.extra_time).total
        deadline = inf if total is None else monotonic() + total
        answer: T = _Call(self, request, deadline).run().answer
        return answer


@attrs.define(eq=False, repr=False)
class _Result:
    """
    The outcome of an attempt.
    """

    #: The decoded answer.
    answer: Any = None

    #: The error; ``None`` if the attempt succeeded.
    error: errors.CamundaError | None = None

    #: The HTTP response; ``None`` if there was none.
    response: HttpResponse | None = None

    #: The kind of the failure; ``None`` if retrying cannot help.
    kind: FailureKind | None = None


class _Call:
    """
    The call of one request with all its attempts.

    Args:
        deadline: When the call must be over, by the monotonic clock.

        is_question: Whether the request is a question about the failure of another one.
    """

    def __init__(
        self, sender: Sender, request: Request[Any], deadline: float, *, is_question: bool = False
    ) -> None:
        self._sender = sender
        self._request = request
        self._is_question = is_question
        self._deadline = deadline
        self._began = monotonic()
        self._http = request.to_http(sender.base, sender.dates, sender.timeout, deadline)
        self._log = CallLog(request, self._http, bodies=sender.log_bodies)
        self._attempts: list[errors.Attempt] = []
        #: Error of the last attempt that may have taken effect.
        self._doubt: errors.NoAnswer | None = None
        #: Whether the answer to any attempt was lost.
        self._is_lost = False
        #: Whether new credentials were fetched already.
        self._is_renewed = False
        #: How many resends were charged to the quota.
        self._paid = 0

    def run(self) -> _Result:
        """
        Make attempts until one succeeds or no more are allowed, and return the result.

        Raises:
            CamundaError: The call failed.
        """
        result = self._attempt()
        while result.error is not None:
            final = self._prepare_next(result, result.error)
            if final is not None:
                result = final
                break
            result = self._attempt()
        self._log.ended(
            result.error,
            result.response,
            # After a look has shown that a failed attempt took effect, there is no successful one.
            attempts=len(self._attempts) + (result.response is not None and result.error is None),
            seconds=monotonic() - self._began,
        )
        if result.error is None:
            self._sender.quota.give(self._paid)
            return result
        # Raised outside of any `except`: a context would hold the request and its secrets.
        raise result.error

    # -------------------------------------------------------------------------------- one attempt

    def _attempt(self) -> _Result:
        begun = monotonic()
        http, after = self._http, None
        if self._sender.hooks:
            outgoing = camunda_ext.hooks.Outgoing(
                operation=self._request.operation,
                method=http.method,
                url=http.url,
                template=self._request.path,
                attempt=len(self._attempts) + 1,
            )
            after = self._sender.hooks.before(outgoing)
            http = attrs.evolve(http, headers={**http.headers, **outgoing.headers})
        result = None
        try:
            result = self._send_once(http)
        finally:
            # Also after another exception, such as Ctrl-C: a hook may have to clean up.
            seconds = monotonic() - begun
            if after is not None:
                response = None if result is None else result.response
                status = None if response is None else response.status
                error = None if result is None else result.error
                after(camunda_ext.hooks.Ended(status=status, error=error, seconds=seconds))
        if result.error is not None:
            self._note(result.error, result.kind, seconds)
        return result

    def _send_once(self, http: HttpRequest) -> _Result:
        """
        Send the request once, and return the decoded answer or the error.
        """
        request, url = self._request, self._http.url
        response, no_answer = None, None
        try:
            response = self._sender.transport.send(http)
            return _Result(self._read(response), None, response)
        except TransportFailure as failure:
            from camunda_ext._call import refusals  # only now: few attempts fail

            error = refusals.of_failure(request, url, failure)
            if failure.sent:
                no_answer = failure.kind
            elif failure.is_temporary:
                no_answer = FailureKind.NOT_SENT
        except answers.UnexpectedAnswer as problem:
            assert response is not None  # noqa: S101  # only reading a response raises it
            from camunda_ext._call import refusals

            error = refusals.of_answer(request, url, response, problem, self._sender.dates)
            no_answer = FailureKind.NO_ANSWER
        return _Result(None, error, response, failure_kind(error, no_answer))

    def _read(self, response: HttpResponse) -> Any:
        """
        The decoded answer.

        Raises:
            UnexpectedAnswer: It is not what the operation expects.
        """
        returns = self._request.returns
        answers.check(returns, response)
        if returns is bytes and not (answers.is_file(response) or self._is_variable(response)):
            raise answers.UnexpectedAnswer(
                f"expected a file, not {response.headers.get('content-type') or 'nothing'}"
            )
        answer = answers.read(returns, response, self._sender.dates)
        if isinstance(answer, camunda_ext.FetchedTasks):
            self._log.unreadable(answer)
        return answer

    def _is_variable(self, response: HttpResponse) -> bool:
        """
        Whether an answer is the contents of the requested variable: asks the engine for the
        variable's file name and media type, and compares.
        """
        question = Request(
            "variable",
            "GET /process-instance/{scope}/variables/{name}",
            camunda_ext.VariableValue,
            self._request.ids,
            params={"deserializeValue": "false"},
        )
        try:
            # Asked once: if a gateway answers everything with a page, a repetition does not help.
            variable, _ = self._ask(question, once=True)
            return answers.is_contents_of(variable, response)
        except errors.CamundaError:
            return False

    def _note(self, error: errors.CamundaError, kind: FailureKind | None, seconds: float) -> None:
        """
        Record a failed attempt, and whether it may have taken effect.
        """
        summary = f"{type(error).__name__}: {error.in_short()}"
        self._attempts.append(errors.Attempt(error=summary, seconds=seconds))
        if isinstance(error, errors.NoAnswer):
            self._doubt, self._is_lost = error, True
        elif self._request.rule.doubt and kind is FailureKind.DATABASE:
            # The database may have committed, and only its answer to the engine was lost.
            self._doubt = errors.OutcomeUnknown(error.message)
            vars(self._doubt).update(vars(error), hint=self._request.rule.doubt)

    # ---------------------------------------------------------------------------- the next attempt

    def _prepare_next(self, result: _Result, error: errors.CamundaError) -> _Result | None:
        """
        Wait until the next attempt may begin, and return ``None``; or return the final result of
        the call, if there is no next attempt.
        """
        kind = result.kind
        odd = self._odd_character() if kind is FailureKind.DATABASE else None
        if odd is not None and self._is_refused(odd):
            self._doubt = None  # the database has refused all attempts
            error.hint = odd.hint()
            return self._final_error(error)
        step = Resend.STOP if kind is None else self._request.rule.after[kind]
        wait: float | None = None
        if isinstance(error, errors.Unauthorized) and not self._is_renewed:
            # New credentials are fetched once for a call.
            self._is_renewed = self._sender.renew()
            step, wait = (Resend.AGAIN, 0.0) if self._is_renewed else (step, wait)
        elif odd is not None and len(self._attempts) > 1:
            raised = self._doubt or error
            raised.hint += f" The text of {odd.where} has {odd}, which some databases refuse."
        elif step is not Resend.STOP:
            wait = self._wait_after(result, error)
        if wait is None:
            if kind is not None and self._is_worth_a_look(step):
                return self._look(error, kind, last=True)
            return self._final_error(error)
        self._log.will_go_on(error, step, attempt=len(self._attempts), wait=wait)
        sleep(wait)
        final = None
        if step is not Resend.AGAIN:
            final = self._look(error, kind, last=step is Resend.LAST_LOOK)
        # A look or new credentials may have taken all the time.
        return final or (None if self._has_time() else self._final_error(error))

    def _wait_after(self, result: _Result, error: errors.CamundaError) -> float | None:
        """
        How long to wait before a resend, in seconds; ``None`` if the policy, the deadline or the
        quota does not allow one.
        """
        headers = {} if result.response is None else result.response.headers
        failed = camunda_ext.hooks.Failed(
            operation=self._request.operation,
            attempt=len(self._attempts),
            error=error,
            retry_after=retry_after(headers, datetime.now(timezone.utc)),
        )
        try:
            chosen = self._sender.retry.wait(failed)
            wait = None if chosen is None else checks.to_seconds(chosen)
            is_wanted = wait is not None and wait <= TIMEOUT_MAX
        except Exception:  # noqa: BLE001
            # The policy may be the user's; its exception must not hide the error of the request.
            self._log.policy_raised(error, attempt=len(self._attempts))
            return None
        if not is_wanted or wait is None or not self._has_time(wait):
            return None
        if error.type is None:  # The quota is for failures that no engine has reported.
            if not self._sender.quota.take():
                error.hint += " It is not sent again now, as too many calls fail."
                return None
            self._paid += 1
        return max(wait, 0.0)

    def _has_time(self, seconds: float = 0.0) -> bool:
        """
        Whether the deadline is more than some *seconds* away.
        """
        return monotonic() + seconds < self._deadline

    # ------------------------------------------------------------------- questions about a failure

    def _ask(self, question: Request[Any], *, once: bool = False) -> tuple[Any, HttpResponse]:
        """
        Send another request within this call, and return its decoded and its HTTP answer.

        Args:
            once: Whether to send it once, however that fails.
        """
        if not self._has_time():
            raise errors.NotSent("the time of the call is over")
        sender = attrs.evolve(self._sender, retry=Retry(attempts=1)) if once else self._sender
        result = _Call(sender, question, self._deadline, is_question=True).run()
        assert result.response is not None  # noqa: S101  # a question succeeds by its answer alone
        return result.answer, result.response

    def _odd_character(self) -> OddCharacter | None:
        """
        The first character of the request that a database may have refused; ``None`` for none.
        """
        if self._is_question or isinstance(self._request.body, Raw):
            return None
        from camunda_ext._call.characters import first_odd  # only now: few databases fail

        body = None if self._http.content is None else loads(self._http.content)
        return first_odd(body) or first_odd(dict(self._request.params))

    def _is_refused(self, odd: OddCharacter) -> bool:
        """
        Whether the engine's database refuses the character even in a query, but not others.
        """
        return (
            self._failure_with(odd.character) is FailureKind.DATABASE
            and self._failure_with("a") is None
        )

    def _failure_with(self, character: str) -> FailureKind | None:
        """
        The kind of failure of a query with a character in it; ``None`` if the query succeeds.
        """
        path, body = "POST /external-task/count", {"topicName": character}
        try:
            self._ask(Request("count", path, camunda_ext.dto.CountResult, body=body), once=True)
        except errors.CamundaError as error:
            return failure_kind(error, None) or FailureKind.NO_ANSWER
        return None

    # --------------------------------------------------------------------------------------- doubt

    def _is_worth_a_look(self, step: Resend) -> bool:
        """
        Whether a look at the task may show more than the failed attempts did.
        """
        if len(self._attempts) == 1 or "task_id" not in self._request.ids:
            return False
        return step is Resend.LOOK or (
            self._doubt is not None and self._request.rule.doubt is not None
        )

    def _look(
        self, error: errors.CamundaError, kind: FailureKind | None, *, last: bool
    ) -> _Result | None:
        """
        Look at the task, and return the final result of the call, or ``None`` to send again.

        Args:
            last: Whether the request must not be sent again, whatever the look shows.
        """
        from camunda_ext._call.evidence import Evidence  # only now: few answers are lost
        from camunda_ext._call.looks import look_at_task

        until = now = monotonic()
        if kind is FailureKind.TIMED_OUT:
            # The engine may still execute the command. A resend would execute the process behind
            # the task at the same time.
            until += _PATIENCE if self._deadline == inf else (self._deadline - now) / 2
        evidence, not_found = look_at_task(self._request, self._ask, began=self._began, until=until)
        if evidence is Evidence.NOT_DONE and kind is FailureKind.DATABASE and not self._is_lost:
            self._doubt = None  # the engine has answered, so nothing is in progress
        if evidence is Evidence.NOT_DONE and not last:
            return None
        if not_found is not None:  # as the error of the command, not of the look
            not_found.operation, not_found.method = error.operation, error.method
            not_found.url = error.url
        # If the engine refused all attempts, the task had the wanted state before.
        if evidence is Evidence.DONE and not (kind is FailureKind.FAILED and self._doubt is None):
            return _Result()
        return self._final_error(not_found or error)

    def _final_error(self, error: errors.CamundaError) -> _Result:
        """
        The final result of a call whose last attempt failed: *error*, or `OutcomeUnknown` if an
        earlier attempt may have taken effect, or success if the history proves that it did.
        """
        error.attempts = tuple(self._attempts)
        if self._doubt is None or isinstance(error, self._request.rule.settles):
            return _Result(None, error)
        if isinstance(error, errors.TaskNotFound):
            from camunda_ext._call.evidence import Evidence
            from camunda_ext._call.looks import look_at_history

            evidence = look_at_history(self._request, self._ask)
            if evidence is Evidence.DONE:
                return _Result()
            if evidence is Evidence.NOT_DONE:
                return _Result(None, error)
        self._doubt.attempts = error.attempts
        if error.in_short() != self._doubt.in_short():
            self._doubt.hint += f" In the end: {type(error).__name__}: {error.in_short()}."
        if isinstance(self._doubt, errors.OutcomeUnknown) and not isinstance(
            self._request.body, Raw
        ):
            content = self._http.content
            self._doubt.curl = curl(
                self._http.method,
                self._http.url,
                None if content is None else content.decode("ascii"),
            )
        return _Result(None, self._doubt)
