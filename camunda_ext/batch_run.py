"""
Follow a batch, which the engine executes in the background, until it ends.
"""

import math
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final, Protocol, runtime_checkable

import attrs

from camunda_ext._display.progress import check_progress, show_progress
from camunda_ext._http.messages import Timeout
from camunda_ext._wire import checks
from camunda_ext._wire.text import visible
from camunda_ext._wire.value import Record, TakenAsIs, exported
from camunda_ext.dto import Batch, BatchStatistics
from camunda_ext.errors import CamundaError, NoAnswer, NotSent

#: The pause after the first request, in seconds. Each pause is longer than the one before, by the
#: factor `_GROWTH`, up to `_LONGEST_PAUSE`.
_FIRST_PAUSE: Final = 0.1
_GROWTH: Final = 2
_LONGEST_PAUSE: Final = 5.0
#: The smallest time-out of a request, in seconds, even if less time is left to wait.
_SHORTEST_TIMEOUT: Final = 1.0


@runtime_checkable
class BatchClient(Protocol):
    """
    The part of a client that a `BatchRun` uses.
    """

    @property
    def timeout(self) -> Timeout: ...

    def with_options(self, *, timeout: Timeout | None = None) -> "BatchClient": ...

    def batch_statistics(self, batch_id: str) -> BatchStatistics | None: ...


@exported
@attrs.frozen(kw_only=True, eq=False, repr=False)
class BatchResult(Record):
    """
    The state in which a batch was left.
    """

    #: The id of the batch.
    batch_id: str

    #: Whether all of its jobs are done. If not, jobs have failed, or it is suspended, and it does
    #: not end by itself; or somebody has deleted it.
    finished: bool

    #: Whether the batch no longer exists. The engine deletes finished batches; its answer is the
    #: same for a batch that somebody has deleted.
    gone: bool = False

    #: How many jobs the batch had when it was last seen; ``None`` if it never was.
    total_jobs: int | None = None

    #: How many jobs have no retries left, such as those of tasks that no longer exist.
    failed_jobs: int = 0

    #: How many jobs are neither done nor failed.
    waiting_jobs: int = 0

    #: Whether the batch is suspended.
    suspended: bool = False

    def raise_for_failures(self) -> None:
        """
        Raise an error unless the batch has finished.

        Raises:
            BatchFailed: Jobs have failed, or the batch was suspended or deleted.
        """
        if not self.finished:
            raise BatchFailed(self)

    def __str__(self) -> str:
        text = f"batch {visible(self.batch_id)}: {self._state()}"
        if self.failed_jobs and not self.gone:
            text += (
                ". It does not end by itself: see its incidents, then give its jobs new retries, "
                "or delete the batch"
            )
        if self.suspended and not self.gone:
            text += ". It is suspended until somebody activates it"
        return text

    def _state(self) -> str:
        total = self.total_jobs or 0
        done = f"{total - self.failed_jobs - self.waiting_jobs} of {total} jobs done"
        if self.gone and self.total_jobs is None:
            return "gone before the first look: finished, or deleted"
        if self.gone and self.finished:
            return f"gone, as one that has finished; it had {total} jobs"
        if self.finished:
            return f"finished, {total} jobs done"
        text = f"deleted by somebody, {done}" if self.gone else f"not finished, {done}"
        return f"{text}, {self.failed_jobs} failed" if self.failed_jobs else text


@exported
class BatchFailed(Exception):
    """
    A batch did not finish: jobs have failed, or it was suspended or deleted.
    """

    #: The state in which the batch was left.
    result: BatchResult

    def __init__(self, result: BatchResult) -> None:
        super().__init__(result)
        self.result = result


@exported
class BatchRun(TakenAsIs):
    """
    A batch to follow, from `ExternalTaskClient.follow()`.

    IPython and notebooks show its current state, which takes a request to the engine. ``repr()``
    and ``str()`` send nothing: they show the state that the last request returned.

    Args:
        client: The client of the engine that has the batch, usually an `ExternalTaskClient`. Its
            options, such as time-outs and retries, hold for each request.

        batch: The batch, or its id.

        sleep: Called with the seconds to pause between two requests.

        clock: Returns the current time in seconds, from any starting point.
    """

    def __init__(
        self,
        client: BatchClient,
        batch: "Batch | BatchRun | str",
        *,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = batch.total_jobs if isinstance(batch, Batch) else None
        batch_id = batch.id if isinstance(batch, (Batch, BatchRun)) else batch
        self._id = checks.not_blank("batch", batch_id)
        #: The state that the last request returned.
        self._last: BatchResult | None = None
        self._client = client
        self._sleep = sleep
        self._clock = clock

    @property
    def id(self) -> str:
        """
        The id of the batch.
        """
        return self._id

    @property
    def total_jobs(self) -> int | None:
        """
        How many jobs the batch has in total, by the last answer; ``None`` before the first answer.
        """
        return self._total

    def __repr__(self) -> str:
        return self._line()

    def __rich__(self) -> str:
        """
        The current state, for rich to print.
        """
        from rich.markup import escape

        return escape(self._current_line())

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """
        The current state, for IPython to show.
        """
        return {"text/plain": self._current_line()}

    def _line(self, problem: str = "") -> str:
        state = "" if self._last is None else f": {self._last._state()}"
        return f"<BatchRun {visible(self.id)}{state}{visible(problem)}>"

    def _current_line(self) -> str:
        try:
            if self.statistics() is None:
                self._last = self._gone()
        except CamundaError as error:
            return self._line(f" (not seen now: {type(error).__name__}: {error.in_short()})")
        return self._line()

    def statistics(self) -> BatchStatistics | None:
        """
        The current numbers of jobs; ``None`` if the batch no longer exists, because the engine has
        deleted it as finished, or somebody has deleted it.

        Raises:
            CamundaError: The engine could not be asked.
        """
        return self._request(self._client)

    def _request(self, client: BatchClient) -> BatchStatistics | None:
        statistics = client.batch_statistics(self.id)
        if statistics is not None:
            self._total = statistics.total_jobs
            self._last = _result(statistics)
        return statistics

    def wait(
        self,
        timeout: float | timedelta | None = None,
        *,
        progress: bool | Callable[[int, int], object] = False,
    ) -> BatchResult:
        """
        Wait until the batch has finished, was deleted, or cannot end by itself, because jobs have
        failed or because it is suspended.

        Failed jobs raise no error here: `BatchResult.raise_for_failures()` does that.

        Args:
            timeout: How long to wait, in seconds, or a `timedelta`; ``None`` to wait as long as it
                takes.

            progress: `True` to show the progress on standard error, or a function that is called
                with the number of jobs that are done and the number of all jobs.

        Returns:
            The state in which the batch was left.

        Raises:
            TypeError: An argument has the wrong type.

            ValueError: The timeout is negative, infinite, or not a number.

            TimeoutError: The batch was still running when the time was over, or the engine did not
                answer in time. Call it again to go on waiting.

            CamundaError: The engine could not be asked.
        """
        check_progress(progress)
        if timeout == math.inf:
            raise ValueError(
                "timeout must be finite, not inf: pass None to wait as long as it takes"
            )
        seconds = None
        if timeout is not None:
            seconds = checks.seconds("timeout", timeout, may_be_zero=True)
        with show_progress(progress, f"<BatchRun {visible(self.id)}>") as report:
            return self._wait(seconds, report)

    def _wait(self, seconds: float | None, report: Callable[[int, int], object]) -> BatchResult:
        until = None if seconds is None else self._clock() + seconds
        pause = _FIRST_PAUSE
        result: BatchResult | None = None
        while True:
            try:
                statistics = self._request(self._client_until(until))
            except (NoAnswer, NotSent) as error:
                if until is None or self._clock() < until:
                    raise
                raise TimeoutError(f"{result or self!r}, after {seconds:g} s: {error}") from None
            result = self._last = self._gone() if statistics is None else _result(statistics)
            total = self._total or 0
            report(total - result.failed_jobs - result.waiting_jobs, total)
            is_stuck = result.failed_jobs and not result.waiting_jobs
            if result.finished or result.gone or result.suspended or is_stuck:
                return result
            left = pause if until is None else until - self._clock()
            if left <= 0:
                raise TimeoutError(f"{result}, after {seconds:g} s; it goes on")
            self._sleep(min(pause, left))
            pause = min(pause * _GROWTH, _LONGEST_PAUSE)

    def _client_until(self, until: float | None) -> BatchClient:
        """
        The client, with a time-out that ends each call when the wait ends; ``None`` for no end.
        """
        if until is None:
            return self._client
        left = max(_SHORTEST_TIMEOUT, until - self._clock())
        total = self._client.timeout.total
        if total is not None and total <= left:
            return self._client
        return self._client.with_options(timeout=attrs.evolve(self._client.timeout, total=left))

    def _gone(self) -> BatchResult:
        """
        The state of a batch that no longer exists. If it could not end by itself when it was last
        seen, somebody has deleted it; otherwise it counts as finished.
        """
        last = self._last
        if last is None:
            return BatchResult(batch_id=self.id, finished=True, gone=True)
        if last.failed_jobs or last.suspended:
            return attrs.evolve(last, gone=True)
        return attrs.evolve(last, finished=True, gone=True, waiting_jobs=0)


def _result(statistics: BatchStatistics) -> BatchResult:
    failed = min(statistics.failed_jobs, statistics.remaining_jobs)
    return BatchResult(
        batch_id=statistics.id,
        # The engine deletes a finished batch up to half a minute after its last job was done.
        finished=(
            statistics.remaining_jobs == 0 and statistics.jobs_created == statistics.total_jobs
        ),
        total_jobs=statistics.total_jobs,
        failed_jobs=failed,
        waiting_jobs=statistics.remaining_jobs - failed,
        suspended=bool(statistics.suspended),
    )
