"""
Lazy results of a query: iterate, look at some, export all.
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
from camunda_ext._display.shown import TableDisplay
from camunda_ext._display.tables import LOG, TASKS, TableStyle
from camunda_ext._many import pages
from camunda_ext._many.bulk_writes import BulkWrites
from camunda_ext._many.port import TaskClient
from camunda_ext._many.proof import FilterProof
from camunda_ext._wire import checks
from camunda_ext._wire.value import Record, Value, exported
from camunda_ext.dto import ExternalTask, HistoricExternalTaskLog, Sorting
from camunda_ext.history import HistoricExternalTaskLogQuery
from camunda_ext.query import ExternalTaskQuery, SortBy

if TYPE_CHECKING:
    from camunda_ext._many.bulk import TaskSource

R = TypeVar("R", ExternalTask, HistoricExternalTaskLog)
Q = TypeVar("Q", ExternalTaskQuery, HistoricExternalTaskLogQuery)
S = TypeVar("S", bound="_Results[Any, Any]")

#: How many pages may be on their way at a time; each needs a thread and a connection.
_MOST_AHEAD: Final = 32


@exported
class NotOne(LookupError):
    """
    There is no result, or more than one, where `Selection.one()` was to return the only one.
    """


@attrs.frozen(kw_only=True, eq=False, repr=False)
class _Results(TableDisplay, Value, Generic[R, Q]):
    """
    The results of a query, asked for when they are used.
    """

    _table_style: ClassVar[TableStyle]

    #: The class of the results.
    _kind: ClassVar[type[Record]]

    _client: TaskClient
    _proof: FilterProof = attrs.field(eq=False)
    query: Q
    _page_size: int = attrs.field(default=500)
    _prefetch: int = attrs.field(default=0)
    _start: int = 0
    _stop: int | None = None

    @_page_size.validator
    def _pages_overlap(self, _: "attrs.Attribute[int]", value: object) -> None:
        checks.integer("page_size", value, low=2, high=checks.INT32)

    @_prefetch.validator
    def _few_threads(self, _: "attrs.Attribute[int]", value: object) -> None:
        checks.integer("prefetch", value, low=0, high=_MOST_AHEAD)

    # ------------------------------------------------------------------- what the two differ in

    @abstractmethod
    def _fetch(self, first_result: int, max_results: int) -> tuple[R, ...]:
        """
        Some results, by one request.
        """

    @abstractmethod
    def _count(self) -> int:
        """
        The number of all results of the query.
        """

    @abstractmethod
    def _ordered(self) -> tuple[Q, bool]:
        """
        The query as it is sent, and whether its results are in ascending order of ids.
        """

    # --------------------------------------------------------------------------- what Python calls

    def __iter__(self) -> Iterator[R]:
        return self._walk()

    @overload
    def __getitem__(self, index: int) -> R: ...

    @overload
    def __getitem__(self: S, index: slice) -> S: ...

    def __getitem__(self: Any, index: int | slice) -> Any:
        """
        The result at a position, or the selection of those at some positions.

        A slice asks nothing yet. Iterating over it begins at that position of the moment: where
        results before it vanish meanwhile, those that move up to before it are missed.

        Raises:
            IndexError: There are not as many results.

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
            # As in Python, there need not be as many.
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

    # ------------------------------------------------------------------------------- to look at it

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
        The first result, by id if the query does not say otherwise; ``None`` if there is none.
        """
        return next(iter(self._some(1)), None)

    def one(self) -> R:
        """
        The only result.

        Raises:
            NotOne: There is none, or more than one.
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
        The request that asks this engine for the results, for a person to read. Nothing is sent.

        It is the query as it is sent; a slice is not seen.
        """
        return self._ordered()[0].explain(self._client.url)

    # ---------------------------------------------------------------------------- to work through

    def ids(self) -> Iterator[str]:
        """
        The ids of all results, asked for as by iterating.
        """
        return (result.id for result in self)

    def chunks(self, size: int) -> Iterator[tuple[R, ...]]:
        """
        All results in tuples of a *size*, the last one of what is left.

        Pages are fetched as for iterating, whatever the size.
        """
        checks.integer("size", size, low=1)
        results = iter(self)
        return iter(lambda: tuple(islice(results, size)), ())

    # ---------------------------------------------------------------------------------- to export

    def to_dicts(
        self, *, progress: bool | Callable[[int, int], object] = False
    ) -> Iterator[dict[str, Any]]:
        """
        All results as ``json.dumps`` takes them, by their method ``to_dict()``.

        Args:
            progress:
                `True` to show on standard error how far it is, or a function that is called with
                the number of results so far, and with that of all as it was at the beginning.
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
        Write all results to a file, a JSON object a line.

        The file appears when all is in it. The objects are those of `to_dicts()`, and all is ASCII:
        other characters are escaped.

        Args:
            overwrite: Whether a file that is there already is replaced.

            progress: As for `to_dicts()`.

        Returns:
            The number of results.

        Raises:
            FileExistsError: There is such a file.
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

        The file appears when all is in it. All cells are quoted; ``None`` is empty. Half an emoji
        is written as an escape.

        Args:
            raw:
                Whether texts are written as they are. Otherwise one that a spreadsheet could take
                for a formula gets a ``'`` before it.

            overwrite: Whether a file that is there already is replaced.

            progress: As for `to_dicts()`.

        Returns:
            The number of results.

        Raises:
            FileExistsError: There is such a file.
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
        All results in a data frame, a column for each name in `to_dicts()`.

        Dates are in UTC. Half an emoji is written as an escape.

        Args:
            library: Whose data frame; ``None`` for pandas if it is installed, or else polars.

            progress: As for `to_dicts()`.

        Raises:
            ImportError: The library is not installed.
        """
        from camunda_ext._many import export

        to_frame = export.frame_maker(library, self._kind)
        with closing(self._counted(progress)) as results:
            return to_frame(results)

    # ------------------------------------------------------------------------------ how it is done

    def _line(self) -> str:
        window = ""
        if self._start or self._stop is not None:
            stop = "" if self._stop is None else self._stop
            window = f"[{self._start or ''}:{stop}]"
        return f"<{type(self).__name__} of {self.query!r}{window}>"

    def _look(self, first: int) -> tuple[list[Any], int]:
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
        from camunda_ext._many import export

        noun = self._table_style.plural
        return export.counted(iter(self), progress, self.count, every=self._page_size, noun=noun)


@exported
@attrs.frozen(kw_only=True, eq=False, repr=False)
class Selection(_Results[ExternalTask, ExternalTaskQuery], BulkWrites):
    """
    The tasks that match a query, asked for when they are used; `ExternalTaskClient.select()` makes
    one.

    Each use asks the engine anew. A selection never changes, and nothing is kept in it. Before the
    first request the engine shows that it honours each filter, see `ExternalTaskClient.check()`; a
    filter that it is too old for is a `ValueError`.

    Iterating yields all tasks that match, page by page, each once. Tasks may be completed
    meanwhile, by the consumer or by others: each one that matches during the whole run comes
    exactly once. Only a page is kept in memory, and those that are fetched ahead. For a query with
    a sorting of its own, to which ``id`` is added as the last criterion, all ids are; and where
    what it sorts by changes meanwhile, tasks can be missed.
    """

    _table_style: ClassVar[TableStyle] = TASKS
    _kind: ClassVar[type[Record]] = ExternalTask

    #: What the tasks match.
    query: ExternalTaskQuery

    def _fetch(self, first_result: int, max_results: int) -> tuple[ExternalTask, ...]:
        query, _ = self._ordered()
        return self._client.list(query, first_result=first_result, max_results=max_results)

    def _count(self) -> int:
        return self._client.count(self.query)

    def _ordered(self) -> tuple[ExternalTaskQuery, bool]:
        sorting = self.query.sorting
        # The engine orders what is equal by all criteria anew for each page: without the id, which
        # is never equal, tasks would come twice, and others not at all.
        has_id = any(criterion.sort_by == SortBy.ID for criterion in sorting)
        query = self.query if has_id else self.query.sort_by(SortBy.ID)
        return query, query.sorting[0] == Sorting(SortBy.ID.value)

    def _source(self) -> "TaskSource":
        from camunda_ext._many.bulk import TaskSource

        # Which tasks a slice has depends on what else matches: its journal has to be told apart.
        window = [self._start, self._stop]
        return TaskSource(
            client=self._client,
            proof=self._proof,
            query=self.query,
            tasks=self.__iter__,
            count=self.count,
            part={} if window == [0, None] else {"slice": window},
        )


@exported
@attrs.frozen(kw_only=True, eq=False, repr=False)
class LogSelection(_Results[HistoricExternalTaskLog, HistoricExternalTaskLogQuery]):
    """
    The entries of the historic external task log that match a query, asked for when they are used;
    `ExternalTaskClient.select()` makes one. Since 7.7, at history level full.

    Each use asks the engine anew. A selection never changes, and nothing is kept in it. Before the
    first request the engine shows that it honours each filter, see `ExternalTaskClient.check()`; a
    filter that it is too old for is a `ValueError`.

    Iterating yields all entries that match, page by page, by id, each once. Entries may be written
    and deleted meanwhile: each one that is there during the whole run comes exactly once. Only a
    page is kept in memory, and those that are fetched ahead.

    A query with a sorting is for a look at some entries: what takes more than one request is a
    `ValueError`. The engine orders entries that are equal by the sorting anew for each request, and
    has no criterion that tells them all apart.
    """

    _table_style: ClassVar[TableStyle] = LOG
    _kind: ClassVar[type[Record]] = HistoricExternalTaskLog

    #: What the entries match.
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
        # Without a sorting the engine sorts by id; it can in no other way be told to.
        return self.query, not self.query.sorting


def _position(name: str, value: object, *, high: int | None = checks.INT32) -> int:
    if isinstance(value, int) and value < 0:
        raise ValueError(
            f"{name} must count from the beginning, not {value!r}: for the end, sort the other way"
        )
    return checks.integer(name, value, low=0, high=sys.maxsize if high is None else high)
