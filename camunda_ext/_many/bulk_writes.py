"""
The bulk writes of a selection.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from camunda_ext._many.summary import BulkSummary
from camunda_ext.batch_run import BatchRun

if TYPE_CHECKING:
    from camunda_ext._many.bulk import TaskSource


class BulkWrites(ABC):
    """
    Methods that change all tasks of a selection, each once.

    Each method lists the tasks first, and then changes these tasks by their ids. It refuses a query
    without a filter, and proves that the engine honours each filter that is newer than 7.5.
    """

    __slots__ = ()

    @abstractmethod
    def _source(self) -> TaskSource:
        """
        The tasks, and the client that changes them.
        """

    def set_retries(
        self,
        retries: int,
        *,
        everything: bool = False,
        dry_run: bool = False,
        at_most: int | None = None,
        journal: str | Path | None = None,
        progress: bool | Callable[[int, int], object] = False,
    ) -> BulkSummary:
        """
        Set the retries left of all tasks, a hundred in one transaction; on engines before 7.8, one
        task after the other.

        If a task cannot be changed, the others still are. A task that was listed is changed even if
        it no longer matches when its turn comes; also in a run that is resumed on another day.

        Args:
            retries: The number of retries left; 0 opens incidents, more than 0 closes them.

            everything: Whether a query without any filter is allowed, which changes every task of
                the engine.

            dry_run:
                Whether to change nothing, and return what would be changed: the number of tasks,
                and the first of them. With the journal of an earlier run, it is the number of tasks
                that are left.

            at_most: How many tasks may match; if more do, none is changed. ``None`` for any number.

            journal:
                The path of a file to write the state of each task to. If the run is killed, the
                same call with the same file goes on where it was. The file contains the query and
                the ids of the tasks. ``None`` to write nothing.

            progress:
                `True` to show the progress on standard error, or a function that is called with the
                number of tasks that are settled and the number of all tasks.

        Returns:
            How many tasks were changed, and which were not. Failures of single tasks are in it;
            its `~BulkSummary.raise_for_failures()` raises an error for them.

        Raises:
            TypeError: An argument has the wrong type.

            ValueError: The query has no filter, or one that the engine ignores; more than *at_most*
                tasks match; or the journal is that of another bulk write. Nothing was changed.

            CamundaError: The tasks could not be listed. Nothing was changed.
        """
        return self._run("set_retries", (retries,), everything, dry_run, at_most, journal, progress)

    @overload
    def set_retries_async(
        self,
        retries: int,
        *,
        everything: bool = ...,
        dry_run: Literal[False] = ...,
        at_most: int | None = ...,
        journal: str | Path | None = ...,
    ) -> BatchRun: ...

    @overload
    def set_retries_async(
        self,
        retries: int,
        *,
        everything: bool = ...,
        dry_run: Literal[True],
        at_most: int | None = ...,
        journal: str | Path | None = ...,
    ) -> BulkSummary: ...

    def set_retries_async(
        self,
        retries: int,
        *,
        everything: bool = False,
        dry_run: bool = False,
        at_most: int | None = None,
        journal: str | Path | None = None,
    ) -> BatchRun | BulkSummary:
        """
        Create a batch, by which the engine sets the retries left of all tasks in the background.
        Since 7.8.

        Arguments have the same meaning as for `set_retries()`. If a task no longer exists when the
        batch comes to it, a job of the batch fails.

        Returns:
            The batch, to wait for; for a dry run, a summary of what would be changed. With the
            journal of an earlier run that has created its batch, that batch.

        Raises:
            ValueError: As for `set_retries()`; or no task matches; or an earlier run with this
                journal got no answer, and may have created a batch.

            OutcomeUnknown: No answer came; the engine may have created the batch.
        """
        from camunda_ext._many import bulk

        options = bulk.BulkOptions(everything, dry_run, at_most, journal)
        return bulk.run_async(retries, self._source(), options)

    def unlock(
        self,
        *,
        everything: bool = False,
        dry_run: bool = False,
        at_most: int | None = None,
        journal: str | Path | None = None,
        progress: bool | Callable[[int, int], object] = False,
    ) -> BulkSummary:
        """
        Remove the locks of all tasks, one task after the other.

        The engine removes any lock, whoever holds it. So each task is read again just before: if
        its lock has changed since the listing, as the worker has extended it or another worker has
        locked the task, it is not changed and counted in `BulkSummary.changed`. A worker that locks
        the task in the milliseconds between the two requests loses its lock. A task that waits for
        its next retry is locked as well: without the lock, it is tried again at once.

        Arguments, returned value and errors have the same meaning as for `set_retries()`.
        """
        return self._run("unlock", (), everything, dry_run, at_most, journal, progress)

    def set_priority(
        self,
        priority: int,
        *,
        everything: bool = False,
        dry_run: bool = False,
        at_most: int | None = None,
        journal: str | Path | None = None,
        progress: bool | Callable[[int, int], object] = False,
    ) -> BulkSummary:
        """
        Set the priority of all tasks, one after the other.

        The other arguments, the returned value and the errors have the same meaning as for
        `set_retries()`.

        Args:
            priority: The priority, an integer of 64 bits.
        """
        return self._run(
            "set_priority", (priority,), everything, dry_run, at_most, journal, progress
        )

    def _run(self, operation: str, values: tuple[int, ...], *options: Any) -> BulkSummary:
        from camunda_ext._many import bulk  # only now: most programs change nothing in bulk

        source = self._source()
        change = bulk.CHANGES[operation](source.client, *values)
        return bulk.run(change, source, bulk.BulkOptions(*options))
