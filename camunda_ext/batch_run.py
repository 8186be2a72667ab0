"""
Batches to follow: what the engine does in the background, until it is done.
"""

import math
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final, Protocol, runtime_checkable

import attrs

from camunda_ext._display.progress import check_progress, telling
from camunda_ext._http.messages import Timeout
from camunda_ext._wire import checks
from camunda_ext._wire.text import visible
from camunda_ext._wire.value import Record, TakenAsIs, exported
from camunda_ext.dto import Batch, BatchStatistics
from camunda_ext.errors import CamundaError, NoAnswer, NotSent

#: The pause after the first look, in seconds; each is longer than the one before.
_FIRST_PAUSE: Final = 0.1
_GROWTH: Final = 2
_LONGEST_PAUSE: Final = 5.0
#: How long one look may take at least, in seconds, however little time is left.
_SHORTEST_LOOK: Final = 1.0


@runtime_checkable
class BatchClient(Protocol):
    """
    What is needed of a client to look at a batch.
    """

    @property
    def timeout(self) -> Timeout: ...

    def with_options(self, *, timeout: Timeout | None = None) -> "BatchClient": ...

    def batch_statistics(self, batch_id: str) -> BatchStatistics | None: ...


@exported
class BatchFailed(Exception):
    """
    A batch has not done all of its work.
    """

    #: The state of the batch.
    result: "BatchResult"

    def __init__(self, result: "BatchResult") -> None:
        super().__init__(result)
        self.result = result


@exported
@attrs.frozen(kw_only=True, eq=False, repr=False)
class BatchResult(Record):
    """
    The state in which a batch was left.
    """

    #: Names the batch.
    batch_id: str

    #: Whether all of its jobs are done. If not, it does not end by itself: jobs have failed, or it
    #: is suspended.
    finished: bool

    #: Whether there is no such batch any more. The engine deletes one that has finished, and does
    #: not tell that from one that somebody has deleted.
    gone: bool = False

    #: How many jobs it has, at the last look that saw it; ``None`` if none did.
    total_jobs: int | None = None

    #: Jobs that were given up after all their tries. Those of a task that is gone are among them.
    failed_jobs: int = 0

    #: Jobs that were not done yet.
    waiting_jobs: int = 0

    #: Whether it is suspended.
    suspended: bool = False

    def raise_for_failures(self) -> None:
        """
        Return if all is done.

        Raises:
            BatchFailed: It is not.
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
class BatchRun(TakenAsIs):
    """
    A batch to follow, from `ExternalTaskClient.follow()`.

    In IPython and in a notebook it shows its state, for which the engine is asked. ``repr()`` and
    ``str()`` ask nothing: they show what the last look saw.

    Args:
        batch: The batch, or its id.

        sleep: Waits for some seconds.

        clock: Returns the time, in seconds.
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
        #: What the last look saw.
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
        How many jobs it will have, as far as the last answer told; ``None`` before the first one.
        """
        return self._total

    def __repr__(self) -> str:
        return self._line()

    def __rich__(self) -> str:
        """
        The state as of now, for rich to print.
        """
        from rich.markup import escape

        return escape(self._line_of_now())

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """
        The state as of now, for IPython to show.
        """
        return {"text/plain": self._line_of_now()}

    def _line(self, problem: str = "") -> str:
        state = "" if self._last is None else f": {self._last._state()}"
        return f"<BatchRun {visible(self.id)}{state}{visible(problem)}>"

    def _line_of_now(self) -> str:
        try:
            if self.statistics() is None:
                self._last = self._gone()
        except CamundaError as error:
            return self._line(f" (not seen now: {type(error).__name__}: {error.in_short()})")
        return self._line()

    def statistics(self) -> BatchStatistics | None:
        """
        How far it is now; ``None`` once it is gone: the engine has deleted it, or somebody has.
        """
        return self._look(self._client)

    def _look(self, client: BatchClient) -> BatchStatistics | None:
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
        Wait until all jobs are done, or the batch cannot end by itself: because jobs have failed,
        or because it is suspended.

        Failed jobs are in the result, and not raised: `BatchResult.raise_for_failures()` does that.

        Args:
            timeout: How long to wait, in seconds, or a `timedelta`; ``None`` for as long as it
                takes.

            progress: `True` to show on standard error how far it is, or a function that is called
                with the number of jobs that are done, and of all.

        Raises:
            TimeoutError: It goes on still, or nobody answers. It can be waited for again.
        """
        check_progress(progress)
        seconds = _checked_timeout(timeout)
        with telling(progress, f"<BatchRun {visible(self.id)}>") as tell:
            return self._wait(seconds, tell)

    def _wait(self, seconds: float | None, tell: Callable[[int, int], object]) -> BatchResult:
        until = None if seconds is None else self._clock() + seconds
        pause = _FIRST_PAUSE
        result: BatchResult | None = None
        while True:
            try:
                statistics = self._look(self._client_until(until))
            except (NoAnswer, NotSent) as error:
                if until is None or self._clock() < until:
                    raise
                raise TimeoutError(f"{result or self!r}, after {seconds:g} s: {error}") from None
            result = self._gone() if statistics is None else _result(statistics)
            self._tell(tell, result)
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
        A client whose calls end in time.
        """
        if until is None:
            return self._client
        left = max(_SHORTEST_LOOK, until - self._clock())
        total = self._client.timeout.total
        if total is not None and total <= left:
            return self._client
        return self._client.with_options(timeout=attrs.evolve(self._client.timeout, total=left))

    def _gone(self) -> BatchResult:
        """
        The state of a batch that is gone: one that could not end has been deleted.
        """
        last = self._last
        if last is None:
            return BatchResult(batch_id=self.id, finished=True, gone=True)
        if last.failed_jobs or last.suspended:
            return attrs.evolve(last, gone=True)
        return attrs.evolve(last, finished=True, gone=True, waiting_jobs=0)

    def _tell(self, tell: Callable[[int, int], object], result: BatchResult) -> None:
        total = self._total or 0
        done = total if result.finished else total - result.failed_jobs - result.waiting_jobs
        tell(done, total)


def _result(statistics: BatchStatistics) -> BatchResult:
    failed = min(statistics.failed_jobs, statistics.remaining_jobs)
    return BatchResult(
        batch_id=statistics.id,
        # The engine looks every half minute whether it can delete a batch whose jobs are all done.
        finished=(
            statistics.remaining_jobs == 0 and statistics.jobs_created == statistics.total_jobs
        ),
        total_jobs=statistics.total_jobs,
        failed_jobs=failed,
        waiting_jobs=statistics.remaining_jobs - failed,
        suspended=bool(statistics.suspended),
    )


def _checked_timeout(timeout: float | timedelta | None) -> float | None:
    """
    The *timeout* of `BatchRun.wait()` in seconds.
    """
    if timeout == math.inf:
        raise ValueError("timeout must be finite, not inf: pass None to wait as long as it takes")
    return None if timeout is None else checks.seconds("timeout", timeout, may_be_zero=True)
