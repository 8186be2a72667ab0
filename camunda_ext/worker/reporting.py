"""
Reports what became of a task, until the engine's answer is known.
"""

import random
from collections.abc import Callable
from typing import Final

import attrs

from camunda_ext.errors import CamundaError, OutcomeUnknown
from camunda_ext.worker.events import Result
from camunda_ext.worker.keeper import extend, lose, unlock
from camunda_ext.worker.outcomes import (
    Abandoned,
    BpmnError,
    Completed,
    Failure,
    Outcome,
    decided,
)
from camunda_ext.worker.retries import RetryDecider
from camunda_ext.worker.rules import AfterReport, Report, after_report, report_wait
from camunda_ext.worker.shared import Shared, log
from camunda_ext.worker.task import Hold, Task

#: What becomes of a report when no more can be done for it.
_RESULTS: Final[dict[AfterReport, Result]] = {
    AfterReport.DONE: "done",
    AfterReport.GONE: "gone",
    AfterReport.TAKEN: "taken",
    AfterReport.UNPROVEN: "unproven",
    AfterReport.LEFT: "left",
}
_FAILURES: Final = frozenset({AfterReport.FAIL, AfterReport.FAIL_AS_IT_WAS, AfterReport.INCIDENT})


@attrs.define
class Reporting:
    """
    The report about one task, on its way.
    """

    task: Task
    hold: Hold
    outcome: Outcome
    shared: Shared
    #: Decides the retries of a failure that takes the place of a result.
    retries: RetryDecider
    #: Has the lock extended again.
    keep: Callable[[], None]
    #: Called when the engine has recorded a failure, perhaps, with the seconds until its retry.
    on_failure: Callable[[float], None]
    _attempts: int = 0
    #: Whether an attempt had no answer.
    _in_doubt: bool = False

    def settle(self) -> Result:
        """
        Report the outcome, and return what became of it.

        The lock is kept between attempts, but not during one: an extension after a failure would
        postpone its retry.
        """
        if isinstance(self.outcome, Abandoned):
            return self._unlock()
        clock, hold = self.shared.clock, self.hold
        give_up_at = clock.now() + self.shared.options.hold_results
        while True:
            hold.end_keeping()
            if hold.lost is not None:  # noticed between the attempts
                return self._dropped(hold.lost)
            error = self._send()
            then = self._after(error)
            if then in _FAILURES:
                self._fail(then, error)
                continue
            if then in _RESULTS:
                return self._settled(then, error)
            now = clock.now()
            wait = report_wait(then, self._attempts, hold.duration, random.random())  # noqa: S311  # to spread, not to hide
            if now + wait > (hold.lease.until if then is AfterReport.AGAIN_IN_LOCK else give_up_at):
                return self._given_up(then, error)
            if self._attempts == 1:
                log.warning(
                    "task %s: not reported yet: %s; so: %s", self.task.id, error, then.value
                )
            if then is not AfterReport.AGAIN_IN_LOCK:
                self.keep()
                if then is not AfterReport.AGAIN:
                    extend(self.task, hold, self.shared)
            clock.wait(hold.bell, now + wait)

    def _send(self) -> Exception | None:
        """
        Send the report; return the error if it has failed.
        """
        self._attempts += 1
        self.hold.may_return = isinstance(self.outcome, Failure)
        client, id_, worker_id = self.shared.clients.report, self.task.id, self.hold.lease.worker_id
        try:
            match self.outcome:
                case Completed() as done:
                    client.complete(
                        id_, worker_id, done.variables, local_variables=done.local_variables
                    )
                case BpmnError() as bpmn:
                    client.bpmn_error(
                        id_,
                        worker_id,
                        bpmn.error_code,
                        error_message=bpmn.error_message,
                        variables=bpmn.variables,
                    )
                case Failure() as failure:
                    client.failure(
                        id_,
                        worker_id,
                        retries=failure.retries or 0,
                        retry_timeout=failure.retry_timeout,
                        error_message=failure.error_message,
                        error_details=failure.error_details,
                        variables=failure.variables,
                        local_variables=failure.local_variables,
                    )
        except CamundaError as error:
            return error
        except Exception as error:  # noqa: BLE001  # not foreseen, so that nobody else would tell it
            log.exception("task %s: the report could not be sent", id_)
            return error
        return None

    def _after(self, error: Exception | None) -> AfterReport:
        if error is None:
            return AfterReport.DONE
        kind = Report.COMPLETE
        if not isinstance(self.outcome, Completed):
            kind = Report.FAILURE if isinstance(self.outcome, Failure) else Report.BPMN_ERROR
        then = after_report(kind, error, in_doubt=self._in_doubt, is_own=self.shared.is_own)
        self._in_doubt = self._in_doubt or isinstance(error, OutcomeUnknown)
        return then

    def _fail(self, then: AfterReport, error: Exception | None) -> None:
        """
        Report a failure in place of a result that the engine does not accept.
        """
        message = getattr(error, "message", None) or str(error)
        failure = Failure(f"the result was not accepted: {message}")
        if then is AfterReport.INCIDENT:
            failure.retries = 0
        elif then is AfterReport.FAIL_AS_IT_WAS:
            failure.retries = self.task.retries
        log.warning("task %s: not accepted: %s; so: %s", self.task.id, error, then.value)
        self.outcome = decided(failure, self.task, failure, self.retries)
        self._attempts, self._in_doubt = 0, False

    def _settled(self, then: AfterReport, error: Exception | None) -> Result:
        result = _RESULTS[then]
        if isinstance(self.outcome, Failure) and result in ("done", "left"):
            # Without an answer, too: if it is recorded, the task must not be taken for a lost one.
            self.on_failure((self.outcome.retry_timeout or 0) / 1000)
        if then is AfterReport.UNPROVEN:
            log.warning(
                "task %s: it has ended, but there was no answer to tell whether by this worker",
                self.task.id,
            )
        elif then is AfterReport.LEFT:
            log.warning("task %s: the report is not proven to be done: %s", self.task.id, error)
        elif then in (AfterReport.GONE, AfterReport.TAKEN):
            lose(self.task, self.hold, "gone" if result == "gone" else "taken", error, self.shared)
        return result

    def _dropped(self, result: Result) -> Result:
        if self._in_doubt and result == "gone":  # The attempt without an answer may have done it.
            return self._settled(AfterReport.UNPROVEN, None)
        log.info("task %s: its result is dropped, as the task is %s", self.task.id, result)
        return result

    def _given_up(self, then: AfterReport, error: Exception | None) -> Result:
        names = getattr(self.outcome, "variables", None) or ()
        log.error(
            "task %s: its result could not be reported in time, and is dropped: %s; it has the "
            "variables %s",
            self.task.id,
            error,
            ", ".join(map(repr, names)) or "(none)",
        )
        if then is AfterReport.HELD:
            self.outcome = Abandoned("the process instance is suspended")
            return self._unlock()
        return "left"

    def _unlock(self) -> Result:
        if self.hold.lost is None and not unlock(self.task, self.hold, self.shared):
            return "left"
        return self.hold.lost or "unlocked"
