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
    Changes of all tasks of a selection, each once.

    All of them list the tasks first, and then touch those by their ids. They refuse a query without
    a filter, and prove that the engine honours each filter that engines since 7.6 may ignore.
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
        after the other.

        A task that cannot be changed does not keep the others from it. One that was listed is
        touched though it does not match any more when its turn comes, in a run that was resumed on
        another day, too.

        Args:
            retries: Retries left from now on; 0 opens incidents, more than 0 closes them.

            everything: Whether a query without any filter really means everything.

            dry_run:
                Whether to change nothing and to say what would be: how many tasks, and the first of
                them; by the journal of an earlier run, how many are left.

            at_most: How many tasks may match; if more do, none is touched.

            journal:
                A file that keeps what was done, so that a run that was killed goes on where it was
                when it is called again. It holds the ids of the tasks and the query. Without it,
                nothing is written.

            progress:
                `True` to show on standard error how far it is, or a function that is called with
                how many tasks are settled, and how many there are.

        Returns:
            What became of the tasks. What failed is in there, and is raised only by its
            `~BulkSummary.raise_for_failures()`.

        Raises:
            ValueError: The query has no filter, or one that the engine ignores; more tasks match
                than may; or the journal is of something else. Nothing was changed.

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
        Let the engine set the retries left of all tasks in the background. Since 7.8.

        Arguments have the same meaning as for `set_retries()`. A task that is gone by then fails a
        job of the batch.

        Returns:
            The batch, to be waited for; of a dry run, what would be touched. With the journal of
            a run that has made its batch, that batch.

        Raises:
            ValueError: As for `set_retries()`; or no task matches; or an earlier run with this
                journal may have made a batch and did not see it.

            OutcomeUnknown: No answer came; there may be a batch.
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
        Take away the locks of all tasks, one after the other.

        The engine takes away any lock, and does not ask whose it is. So each task is looked at just
        before: if its lock is not the one that it had when it was listed, because the worker has
        extended it or another one has the task, it is left alone and counted in
        `BulkSummary.changed`. In the milliseconds between the look and the command a worker may
        still get the task, and lose it. A task that waits for its retry has a lock, too: without it
        the retry comes forward.

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
            priority: Any integer of 64 bits.
        """
        return self._run(
            "set_priority", (priority,), everything, dry_run, at_most, journal, progress
        )

    def _run(self, operation: str, values: tuple[int, ...], *options: Any) -> BulkSummary:
        from camunda_ext._many import bulk  # only now: most programs change nothing in bulk

        source = self._source()
        change = bulk.CHANGES[operation](source.client, *values)
        return bulk.run(change, source, bulk.BulkOptions(*options))
