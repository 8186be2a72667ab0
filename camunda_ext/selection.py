"""
Lazy results of a query: to iterate over, to count, to show, to export and to change.
"""

import sys
from abc import abstractmethod
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Final,
    Generic,
    Literal,
    NoReturn,
    TypeVar,
    overload,
)

import attrs

from camunda_ext._display.explanation import Explanation
from camunda_ext._display.progress import check_progress, show_progress
from camunda_ext._display.shown import TableDisplay
from camunda_ext._display.tables import LOG, TASKS, TableStyle
from camunda_ext._many import pages
from camunda_ext._many.port import TaskClient
from camunda_ext._many.proof import FilterProof
from camunda_ext._many.summary import BulkSummary
from camunda_ext._wire import checks
from camunda_ext._wire.value import Record, Value, exported
from camunda_ext.batch_run import BatchRun
from camunda_ext.dto import ExternalTask, HistoricExternalTaskLog, Sorting
from camunda_ext.history import HistoricExternalTaskLogQuery
from camunda_ext.query import ExternalTaskQuery, SortBy

if TYPE_CHECKING:
    from camunda_ext._many.bulk import BulkWrite

R = TypeVar("R", ExternalTask, HistoricExternalTaskLog)
Q = TypeVar("Q", ExternalTaskQuery, HistoricExternalTaskLogQuery)
S = TypeVar("S", bound="_Results[Any, Any]")

#: How many pages may be fetched ahead at a time; each takes a thread and a connection.
_MOST_AHEAD: Final = 32


@exported
class NotOne(LookupError):
    """
    `Selection.one()` found no result, or more than one.
    """


@attrs.frozen(kw_only=True, eq=False, repr=False)
class _Results(TableDisplay, Value, Generic[R, Q]):
    """
    The results of a query, which are requested from the engine when they are used.
    """

    _table_style: ClassVar[TableStyle]

    #: The class of the results.
    _kind: ClassVar[type[Record]]

    _client: TaskClient
    _proof: FilterProof = attrs.field(eq=False)
    query: Q
    _page_size: int = 500
    _prefetch: int = 0
    _start: int = 0
    _stop: int | None = None

    def __attrs_post_init__(self) -> None:
        checks.integer("page_size", self._page_size, low=2, high=checks.INT32)
        checks.integer("prefetch", self._prefetch, low=0, high=_MOST_AHEAD)

    # ----------------------------------------------------------------------- to be implemented

    @abstractmethod
    def _fetch(self, first_result: int, max_results: int) -> tuple[R, ...]:
        """
        At most *max_results* results from position *first_result* on, by one request.
        """

    @abstractmethod
    def _count(self) -> int:
        """
        The number of all results of the query, without regard to the slice.
        """

    @abstractmethod
    def _ordered(self) -> tuple[Q, bool]:
        """
        The query to send, and whether its results are in ascending order of their ids.
        """

    # ---------------------------------------------------------------------------- special methods

    def __iter__(self) -> Iterator[R]:
        return self._walk()

    @overload
    def __getitem__(self, index: int) -> R: ...

    @overload
    def __getitem__(self: S, index: slice) -> S: ...

    def __getitem__(self: Any, index: int | slice) -> Any:
        """
        The result at a position; or for a slice, a selection of the results at its positions.

        A slice sends no request yet. When it is iterated over, it begins at its start as positions
        are then. If results before the start vanish during the iteration, as many results move to
        positions before it, and are missed.

        Raises:
            IndexError: There is no result at the position.

            ValueError: The position counts from the end, or the slice has a step.
        """
        if not isinstance(index, slice):
            results = self._some(1, at=_position("index", index))
            if not results:
                raise IndexError(f"{self!r} has no {self._table_style.noun} at position {index}")
            return results[0]
        if index.step is not None:
            raise ValueError("a slice of a selection has no step: use itertools.islice()")
        start = self._start + (0 if index.start is None else _position("start", index.start))
        stop = self._stop
        if index.stop is not None:
            # As for lists, the slice may end after the last result.
            wanted = min(checks.INT32, self._start + _position("stop", index.stop, high=None))
            stop = wanted if stop is None else min(stop, wanted)
        checks.integer("start", start, high=checks.INT32)
        return attrs.evolve(self, start=start, stop=stop)

    def __bool__(self) -> NoReturn:
        noun = self._table_style.noun
        raise TypeError(f"whether there is any {noun} has to be asked for: use .exists()")

    def __contains__(self, _: object) -> NoReturn:
        raise TypeError(
            f"a selection would have to ask for all its {self._table_style.plural}: select one by "
            "its id, and use .exists()"
        )

    # --------------------------------------------------------------------------------- some results

    def count(self) -> int:
        """
        The number of results.
        """
        limit = self._limit()
        if limit == 0:
            return 0
        self._proof.prove_known(self.query)
        left = max(0, self._count() - self._start)
        return left if limit is None else min(left, limit)

    def exists(self) -> bool:
        """
        Whether there is any result.
        """
        return bool(self._some(1))

    def first(self) -> R | None:
        """
        The first result, in the order of ids unless the query has a sorting; ``None`` if there is
        none.
        """
        return next(iter(self._some(1)), None)

    def one(self) -> R:
        """
        The only result, such as the task with a certain business key.

        Raises:
            NotOne: There is no result, or more than one.
        """
        results = self._some(2)
        noun = self._table_style.noun
        if not results:
            raise NotOne(f"there is no {noun} in {self!r}")
        if len(results) > 1:
            ids = ", ".join(repr(result.id) for result in results)
            raise NotOne(f"there is more than one {noun} in {self!r}: {ids}")
        return results[0]

    def explain(self) -> Explanation:
        """
        The request that would list the results, for a person to read. Nothing is sent.

        It is that of the whole query, also for a slice.
        """
        return self._ordered()[0].explain(self._client.url)

    # --------------------------------------------------------------------------------- all results

    def ids(self) -> Iterator[str]:
        """
        The ids of all results, in pages as for iterating.
        """
        return (result.id for result in self)

    def chunks(self, size: int) -> Iterator[tuple[R, ...]]:
        """
        All results in tuples of *size* results each; the last tuple may be shorter.

        The size of the pages that are fetched does not depend on *size*.
        """
        checks.integer("size", size, low=1)
        results = iter(self)
        return iter(lambda: tuple(islice(results, size)), ())

    # -------------------------------------------------------------------------------------- export

    def to_dicts(
        self, *, progress: bool | Callable[[int, int], object] = False
    ) -> Iterator[dict[str, Any]]:
        """
        All results as dicts that ``json.dumps`` accepts, made by their method ``to_dict()``.

        Args:
            progress:
                `True` to show the progress on standard error, or a function that is called with the
                number of results so far and the number of all results, as counted at the beginning.
        """
        return (result.to_dict() for result in self._counted(progress))

    def to_jsonl(
        self,
        path: str | Path,
        *,
        overwrite: bool = False,
        progress: bool | Callable[[int, int], object] = False,
    ) -> int:
        """
        Write all results to a file of JSON lines: a JSON object on each line.

        The file gets its name only when it is complete. The objects are those of `to_dicts()`, in
        ASCII; other characters are escaped.

        Args:
            path: The path of the file.

            overwrite: Whether to replace the file if it exists.

            progress: As for `to_dicts()`.

        Returns:
            The number of results.

        Raises:
            FileExistsError: The file exists, and *overwrite* is `False`.
        """
        from camunda_ext._many import export  # only now: most programs export nothing

        counted = self._counted(progress)
        with export.new_file(path, overwrite=overwrite) as file, closing(counted) as results:
            return export.write_jsonl(results, file)

    def to_csv(
        self,
        path: str | Path,
        *,
        raw: bool = False,
        overwrite: bool = False,
        progress: bool | Callable[[int, int], object] = False,
    ) -> int:
        """
        Write all results to a CSV file in UTF-8, with a header.

        The file gets its name only when it is complete. All cells are quoted, and ``None`` is an
        empty cell. Half an emoji, which has no form in UTF-8, is written as an escape.

        Args:
            path: The path of the file.

            raw:
                Whether to write texts unchanged. By default, a text that a spreadsheet could take
                for a formula gets a ``'`` before it.

            overwrite: Whether to replace the file if it exists.

            progress: As for `to_dicts()`.

        Returns:
            The number of results.

        Raises:
            FileExistsError: The file exists, and *overwrite* is `False`.
        """
        from camunda_ext._many import export

        checks.flag("raw", raw)
        counted = self._counted(progress)
        with export.new_file(path, overwrite=overwrite) as file, closing(counted) as results:
            return export.write_csv(results, file, raw=raw, kind=self._kind)

    def to_dataframe(
        self,
        library: Literal["pandas", "polars"] | None = None,
        *,
        progress: bool | Callable[[int, int], object] = False,
    ) -> Any:
        """
        All results in a data frame, with a column for each key in `to_dicts()`.

        Dates are in UTC. Half an emoji, which has no form in UTF-8, becomes an escape.

        Args:
            library: ``"pandas"`` or ``"polars"``; ``None`` for pandas if it is installed, otherwise
                polars.

            progress: As for `to_dicts()`.

        Raises:
            ImportError: The library is not installed.

            ValueError: The library is none of the two.
        """
        from camunda_ext._many import export

        to_frame = export.frame_maker(library, self._kind)
        with closing(self._counted(progress)) as results:
            return to_frame(results)

    # -------------------------------------------------------------------------------------- private

    def _line(self) -> str:
        window = ""
        if self._start or self._stop is not None:
            stop = "" if self._stop is None else self._stop
            window = f"[{self._start or ''}:{stop}]"
        return f"<{type(self).__name__} of {self.query!r}{window}>"

    def _first_and_total(self, first: int) -> tuple[list[Any], int]:
        rows = list(self[:first])
        return rows, len(rows) if len(rows) < first else self.count()

    def _limit(self) -> int | None:
        return None if self._stop is None else max(0, self._stop - self._start)

    def _walk(self) -> Iterator[R]:
        self._proof.prove_known(self.query)
        yield from pages.walk(
            lambda offset, size: self._fetch(self._start + offset, size),
            self._page_size,
            in_id_order=self._ordered()[1],
            limit=self._limit(),
            prefetch=self._prefetch,
        )

    def _some(self, most: int, *, at: int = 0) -> tuple[R, ...]:
        limit = self._limit()
        wanted = most if limit is None else min(most, limit - at)
        if wanted <= 0:
            return ()
        self._proof.prove_known(self.query)
        return self._fetch(self._start + at, wanted)

    def _counted(self, progress: bool | Callable[[int, int], object]) -> Generator[R, None, None]:
        """
        All results, with the progress shown after each page.
        """
        check_progress(progress)
        return self._reporting(iter(self), progress)

    def _reporting(
        self, results: Iterator[R], progress: bool | Callable[[int, int], object]
    ) -> Generator[R, None, None]:
        if progress is False:
            yield from results
            return
        total, done = self.count(), 0
        with show_progress(progress, self._table_style.plural) as report:
            report(0, total)
            for done, result in enumerate(results, 1):
                yield result
                if not done % self._page_size:
                    report(done, total)
            if done % self._page_size:
                report(done, total)


@exported
@attrs.frozen(kw_only=True, eq=False, repr=False)
class Selection(_Results[ExternalTask, ExternalTaskQuery]):
    """
    The tasks that match a query, from `ExternalTaskClient.select()`. They are requested from the
    engine when they are used.

    Each use sends new requests. A selection never changes, and keeps no results. Before its first
    request, the client makes sure that the engine honours each filter of the query, see
    `ExternalTaskClient.check()`; if the engine is too old for a filter, it is a `ValueError`.

    Iterating yields all tasks that match, page by page. Tasks may be completed meanwhile, by the
    consumer or by others: each task that matches during the whole iteration is yielded exactly
    once. Only the current page and those that are fetched ahead are kept in memory. If the query
    has a sorting, ``id`` is added as its last criterion, and all ids are remembered; if the values
    that it sorts by change during the iteration, tasks can be missed.
    """

    _table_style: ClassVar[TableStyle] = TASKS
    _kind: ClassVar[type[Record]] = ExternalTask

    #: The query that the tasks match.
    query: ExternalTaskQuery

    def _fetch(self, first_result: int, max_results: int) -> tuple[ExternalTask, ...]:
        query, _ = self._ordered()
        return self._client.list(query, first_result=first_result, max_results=max_results)

    def _count(self) -> int:
        return self._client.count(self.query)

    def _ordered(self) -> tuple[ExternalTaskQuery, bool]:
        sorting = self.query.sorting
        # For each page, the engine orders tasks anew that are equal by all criteria: without the id
        # as a criterion, some tasks would be yielded twice, and others not at all.
        has_id = any(criterion.sort_by == SortBy.ID for criterion in sorting)
        query = self.query if has_id else self.query.sort_by(SortBy.ID)
        return query, query.sorting[0] == Sorting(SortBy.ID.value)

    # --------------------------------------------------------------------------------- bulk writes

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
        options = (everything, dry_run, at_most, journal, progress)
        return self._bulk("set_retries", _checked_retries(retries), *options).run()

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
        options = (everything, dry_run, at_most, journal)
        return self._bulk("set_retries_async", _checked_retries(retries), *options).run_async()

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
        options = (everything, dry_run, at_most, journal, progress)
        return self._bulk("unlock", None, *options).run()

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
        options = (everything, dry_run, at_most, journal, progress)
        return self._bulk("set_priority", checks.integer("priority", priority), *options).run()

    def _bulk(self, operation: str, value: int | None, *options: Any) -> "BulkWrite":
        from camunda_ext._many.bulk import BulkWrite  # only now: most programs change nothing

        # A slice and the whole query have different tasks, so their journals must differ.
        window = [self._start, self._stop]
        part = {} if window == [0, None] else {"slice": window}
        tasks = (self.query, self.__iter__, self.count, part)
        return BulkWrite(self._client, self._proof, *tasks, operation, value, *options)


@exported
@attrs.frozen(kw_only=True, eq=False, repr=False)
class LogSelection(_Results[HistoricExternalTaskLog, HistoricExternalTaskLogQuery]):
    """
    The entries of the historic external task log that match a query, from
    `ExternalTaskClient.select()`. They are requested from the engine when they are used, with the
    same checks as those of a `Selection`. Since 7.7, at history level full.

    Iterating yields all entries that match, page by page, in the order of ids. Entries may be
    written and deleted meanwhile: each entry that exists during the whole iteration is yielded
    exactly once. Only the current page and those that are fetched ahead are kept in memory.

    With a sorting, only as many entries can be read as fit into one page; more are a `ValueError`.
    For each request, the engine orders entries anew that are equal by the sorting, and it has no
    criterion that is different for all entries.
    """

    _table_style: ClassVar[TableStyle] = LOG
    _kind: ClassVar[type[Record]] = HistoricExternalTaskLog

    #: The query that the entries match.
    query: HistoricExternalTaskLogQuery

    def __iter__(self) -> Iterator[HistoricExternalTaskLog]:
        limit = self._limit()
        if self.query.sorting and (limit is None or limit > self._page_size):
            raise ValueError(
                "entries of the log that are equal by a sorting come in another order with each "
                "request, so several pages could lack some: leave the sorting out, and sort in "
                f"Python; or take a slice of at most {self._page_size} entries, or a larger "
                "page_size"
            )
        return self._walk()

    def _fetch(self, first_result: int, max_results: int) -> tuple[HistoricExternalTaskLog, ...]:
        page = {"first_result": first_result, "max_results": max_results}
        return self._client.log_list(self.query, **page)

    def _count(self) -> int:
        return self._client.log_count(self.query)

    def _ordered(self) -> tuple[HistoricExternalTaskLogQuery, bool]:
        # Without a sorting the engine sorts by id; it has no criterion of that name.
        return self.query, not self.query.sorting


def _position(name: str, value: object, *, high: int | None = checks.INT32) -> int:
    if isinstance(value, int) and value < 0:
        raise ValueError(
            f"{name} must count from the beginning, not {value!r}: for the end, sort the other way"
        )
    return checks.integer(name, value, low=0, high=sys.maxsize if high is None else high)


def _checked_retries(retries: object) -> int:
    return checks.integer("retries", retries, low=0, high=checks.INT32)
