"""
Batches to follow: what the engine does in the background, until it is done.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import attrs

from camunda_ext import _check
from camunda_ext._progress import to_progress
from camunda_ext._value import Value
from camunda_ext.dto import Batch, BatchStatistics

if TYPE_CHECKING:
    from camunda_ext.client import ExternalTaskClient

#: The pause after the first look, in seconds; each is longer than the one before.
_FIRST_PAUSE: Final = 0.1
_GROWTH: Final = 2
_LONGEST_PAUSE: Final = 5.0


class BatchFailed(Exception):
    """
    A batch has not done all of its work.
    """

    #: How it stands.
    result: BatchResult

    def __init__(self, result: BatchResult) -> None:
        super().__init__(result)
        self.result = result


@attrs.frozen(kw_only=True, eq=False, repr=False)
class BatchResult(Value):
    """
    What came of a batch.
    """

    #: Names the batch.
    batch_id: str

    #: Whether it is over. If not, it has failed jobs, or rests, and does not end by itself.
    finished: bool

    #: How many jobs it has; ``None`` if it was gone at the first look and nobody knew.
    total_jobs: int | None = None

    #: Jobs that were given up after all their tries. Those of a task that is gone are among them.
    failed_jobs: int = 0

    #: Jobs that were not done yet.
    waiting_jobs: int = 0

    #: Whether it rests.
    suspended: bool = False

    def raise_for_failures(self) -> None:
        """
        Do nothing if all is done.

        Raises:
            BatchFailed: It is not.
        """
        if not self.finished:
            raise BatchFailed(self)

    def __str__(self) -> str:
        if self.finished and self.total_jobs is None:
            return f"batch {self.batch_id}: finished before the first look, or never existed"
        if self.finished:
            return f"batch {self.batch_id}: finished, {self.total_jobs} jobs done"
        total = self.total_jobs or 0
        done = total - self.failed_jobs - self.waiting_jobs
        told = f"batch {self.batch_id}: not finished, {done} of {total} jobs done"
        if self.failed_jobs:
            told += (
                f", {self.failed_jobs} failed. It does not end by itself: see its incidents, "
                "then give its jobs new retries, or delete the batch"
            )
        if self.suspended:
            told += ". It rests until somebody activates it"
        return told


class BatchRun:
    """
    A batch to follow, from `ExternalTaskClient.follow()`.

    Args:
        batch: The batch, or its id.

        sleep: Waits for some seconds.

        clock: Gives the time, in seconds.
    """

    def __init__(
        self,
        client: ExternalTaskClient,
        batch: Batch | str,
        *,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if isinstance(batch, Batch):
            self._total, batch = batch.total_jobs, batch.id
        else:
            self._total = None
        self._id = _check.not_blank("batch", batch)
        self._client = client
        self._sleep = sleep
        self._clock = clock

    @property
    def id(self) -> str:
        """
        The id of the batch.
        """
        return self._id

    def __repr__(self) -> str:
        return f"<BatchRun {self.id}>"

    def statistics(self) -> BatchStatistics | None:
        """
        Give how far it is; ``None`` once it is over: the engine has deleted it, or somebody has.
        """
        statistics = self._client.batch_statistics(self.id)
        if statistics is not None:
            self._total = statistics.total_jobs
        return statistics

    def wait(
        self,
        timeout: float | timedelta | None = None,
        *,
        progress: bool | Callable[[int, int], object] = False,
    ) -> BatchResult:
        """
        Wait until it is over, or cannot end by itself: because jobs have failed, or because it is
        suspended.

        Failed jobs are told, and not raised: `BatchResult.raise_for_failures()` does that.

        Args:
            timeout: How long to wait, in seconds, or a `timedelta`; ``None`` for as long as it
                takes.

            progress: `True` for lines on standard error, or a function that is called with the
                number of jobs that are done, and of all.

        Raises:
            TimeoutError: It goes on still. It can be waited for again.
        """
        tell = to_progress(progress, repr(self))
        seconds = None if timeout is None else _to_seconds(timeout)
        until = None if seconds is None else self._clock() + seconds
        pause = _FIRST_PAUSE
        while True:
            statistics = self.statistics()
            result = self._result(statistics)
            self._tell(tell, statistics)
            is_stuck = result.failed_jobs and not result.waiting_jobs
            if result.finished or result.suspended or is_stuck:
                return result
            left = pause if until is None else until - self._clock()
            if left <= 0:
                raise TimeoutError(f"{result}, after {seconds:g} s; it goes on")
            self._sleep(min(pause, left))
            pause = min(pause * _GROWTH, _LONGEST_PAUSE)

    def _result(self, statistics: BatchStatistics | None) -> BatchResult:
        if statistics is None:
            return BatchResult(batch_id=self.id, finished=True, total_jobs=self._total)
        failed = min(statistics.failed_jobs, statistics.remaining_jobs)
        # The engine looks every half minute whether it can delete a batch whose jobs are all done.
        finished = (
            statistics.remaining_jobs == 0 and statistics.jobs_created == statistics.total_jobs
        )
        return BatchResult(
            batch_id=self.id,
            finished=finished,
            total_jobs=statistics.total_jobs,
            failed_jobs=failed,
            waiting_jobs=statistics.remaining_jobs - failed,
            suspended=bool(statistics.suspended),
        )

    def _tell(self, tell: Callable[[int, int], object], statistics: BatchStatistics | None) -> None:
        total = self._total or 0
        tell(total if statistics is None else statistics.completed_jobs, total)


def _to_seconds(given: float | timedelta) -> float:
    seconds = given.total_seconds() if isinstance(given, timedelta) else given
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise TypeError(f"timeout must be a number of seconds, or a timedelta, not {given!r:.80}")
    if not seconds >= 0:
        raise ValueError(f"timeout must be a number of seconds to wait, not {given!r}")
    return seconds
