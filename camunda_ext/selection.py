"""
Lazy results of a query: iterate, look at some, export all.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, overload

import attrs

from camunda_ext._display.explanation import Explanation
from camunda_ext._display.shown import Shown
from camunda_ext._many import pages
from camunda_ext._many.bulk_writes import BulkWrites
from camunda_ext._wire import checks
from camunda_ext._wire.value import Value
from camunda_ext.dto import ExternalTask, Sorting
from camunda_ext.query import ExternalTaskQuery, SortBy

if TYPE_CHECKING:
    from camunda_ext.client import ExternalTaskClient

#: How many pages may be on their way at a time; each needs a thread and a connection.
_MOST_AHEAD: Final = 32


class NotOne(LookupError):
    """
    There is no such task, or more than one, where `Selection.one()` was to give one.
    """


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Selection(Shown, BulkWrites, Value):
    """
    The tasks that match a query, asked for when they are used; `ExternalTaskClient.select()` makes
    one.

    Each use asks the engine anew. A selection never changes, and nothing is kept in it. Before the
    first request the engine shows that it honours each filter, see `ExternalTaskClient.check()`; a
    filter that it is too old for is a `ValueError`.

    Iterating gives all tasks that match, page by page, each once. Tasks may be completed meanwhile,
    by the consumer or by others: each one that matches during the whole run comes exactly once.
    Only a page is kept in memory, and those that are fetched ahead. For a query with a sorting of
    its own, to which ``id`` is added as the last criterion, all ids are; and where what it sorts by
    changes meanwhile, tasks can be missed.
    """

    _client: ExternalTaskClient

    #: What the tasks match.
    query: ExternalTaskQuery

    _page_size: int = attrs.field(default=500)
    _prefetch: int = attrs.field(default=0)
    _start: int = 0
    _stop: int | None = None

    @_page_size.validator
    def _pages_overlap(self, _: attrs.Attribute[int], value: object) -> None:
        checks.integer("page_size", value, low=2, high=checks.INT32)

    @_prefetch.validator
    def _few_threads(self, _: attrs.Attribute[int], value: object) -> None:
        checks.integer("prefetch", value, low=0, high=_MOST_AHEAD)

    # --------------------------------------------------------------------------- what Python calls

    def __iter__(self) -> Iterator[ExternalTask]:
        self._client.check(self.query)
        asked, by_id = self._ordered()
        yield from pages.walk(
            lambda offset, size: self._client.list(
                asked, first_result=self._start + offset, max_results=size
            ),
            self._page_size,
            in_id_order=by_id,
            limit=self._limit(),
            prefetch=self._prefetch,
        )

    @overload
    def __getitem__(self, index: int) -> ExternalTask: ...

    @overload
    def __getitem__(self, index: slice) -> Selection: ...

    def __getitem__(self, index: int | slice) -> ExternalTask | Selection:
        """
        Give the task at a position, or the selection of those at some positions.

        A slice asks nothing yet. Iterating over it begins at that position of the moment: where
        tasks before it vanish meanwhile, those that move up to before it are missed.

        Raises:
            IndexError: There are not as many tasks.

            ValueError: The position counts from the end, or the slice has a step.
        """
        if not isinstance(index, slice):
            found = self._some(1, at=_position("index", index))
            if not found:
                raise IndexError(f"{self!r} has no task at position {index}")
            return found[0]
        if index.step is not None:
            raise ValueError("a slice of a selection has no step: use itertools.islice()")
        start = self._start + (0 if index.start is None else _position("start", index.start))
        stop = self._stop
        if index.stop is not None:
            # As in Python, there need not be as many.
            wanted = min(checks.INT32, self._start + _position("stop", index.stop, high=None))
            stop = wanted if stop is None else min(stop, wanted)
        return attrs.evolve(
            self, start=checks.integer("start", start, high=checks.INT32), stop=stop
        )

    def __bool__(self) -> NoReturn:
        raise TypeError("whether there is any task has to be asked for: use .exists()")

    def __contains__(self, _: object) -> NoReturn:
        raise TypeError(
            "a selection would have to ask for all its tasks: use "
            "client.select(query.external_task_id(...)).exists()"
        )

    def _line(self) -> str:
        window = ""
        if self._start or self._stop is not None:
            stop = "" if self._stop is None else self._stop
            window = f"[{self._start or ''}:{stop}]"
        return f"<Selection of {self.query!r}{window}>"

    # ------------------------------------------------------------------------------- to look at it

    def count(self) -> int:
        """
        Give the number of tasks.
        """
        limit = self._limit()
        if limit == 0:
            return 0
        self._client.check(self.query)
        left = max(0, self._client.count(self.query) - self._start)
        return left if limit is None else min(left, limit)

    def exists(self) -> bool:
        """
        Tell whether there is any task.
        """
        return bool(self._some(1))

    def first(self) -> ExternalTask | None:
        """
        Give the first task, by id if the query does not say otherwise; ``None`` if there is none.
        """
        return next(iter(self._some(1)), None)

    def one(self) -> ExternalTask:
        """
        Give the only task.

        Raises:
            NotOne: There is none, or more than one.
        """
        found = self._some(2)
        if not found:
            raise NotOne(f"there is no task in {self!r}")
        if len(found) > 1:
            raise NotOne(
                f"there is more than one task in {self!r}: {found[0].id!r}, {found[1].id!r}"
            )
        return found[0]

    def explain(self) -> Explanation:
        """
        Give what asks this engine for the tasks, for a person to read. Nothing is sent.

        It is the query as it is asked, with ``id`` as the last criterion of its sorting; a slice is
        not seen.
        """
        return self._ordered()[0].explain(self._client.url)

    # ---------------------------------------------------------------------------- to work through

    def ids(self) -> Iterator[str]:
        """
        Give the ids of all tasks, in the manner of iterating.
        """
        return (task.id for task in self)

    def chunks(self, size: int) -> Iterator[tuple[ExternalTask, ...]]:
        """
        Give all tasks in tuples of a *size*, the last one of what is left.

        Pages are fetched as for iterating, whatever the size.
        """
        checks.integer("size", size, low=1)
        tasks = iter(self)
        return iter(lambda: tuple(islice(tasks, size)), ())

    # ---------------------------------------------------------------------------------- to export

    def to_dicts(
        self, *, progress: bool | Callable[[int, int], object] = False
    ) -> Iterator[dict[str, Any]]:
        """
        Give all tasks as dicts of Python values, by the names of the fields of `ExternalTask`.

        Args:
            progress:
                `True` to show on standard error how far it is, or a function that is called with
                the number of tasks so far, and with that of all as it was at the beginning.
        """
        from camunda_ext._many import export  # only now: most programs export nothing

        return map(export.to_dict, self._counted(progress))

    def to_jsonl(
        self,
        path: str | Path,
        *,
        overwrite: bool = False,
        progress: bool | Callable[[int, int], object] = False,
    ) -> int:
        """
        Write all tasks to a file, a JSON object a line, and give their number.

        The file appears when all is in it. Names are those of the fields of `ExternalTask`, dates
        are in ISO 8601 with their zone, and all is ASCII: other characters are escaped.

        Args:
            overwrite: Whether a file that is there already is replaced.

            progress: As for `to_dicts()`.

        Raises:
            FileExistsError: There is such a file.
        """
        from camunda_ext._many import export

        counted = self._counted(progress)
        with export.new_file(path, overwrite=overwrite) as file, closing(counted) as tasks:
            return export.write_jsonl(tasks, file)

    def to_csv(
        self,
        path: str | Path,
        *,
        raw: bool = False,
        overwrite: bool = False,
        progress: bool | Callable[[int, int], object] = False,
    ) -> int:
        """
        Write all tasks to a CSV file in UTF-8, with a header, and give their number.

        The file appears when all is in it. All cells are quoted; ``None`` is empty. Half an emoji
        is written as an escape.

        Args:
            raw:
                Whether texts are written as they are. Otherwise one that a spreadsheet could take
                for a formula gets a ``'`` before it.

            overwrite: Whether a file that is there already is replaced.

            progress: As for `to_dicts()`.

        Raises:
            FileExistsError: There is such a file.
        """
        from camunda_ext._many import export

        checks.flag("raw", raw)
        counted = self._counted(progress)
        with export.new_file(path, overwrite=overwrite) as file, closing(counted) as tasks:
            return export.write_csv(tasks, file, raw=raw)

    def to_dataframe(
        self,
        library: Literal["pandas", "polars"] | None = None,
        *,
        progress: bool | Callable[[int, int], object] = False,
    ) -> Any:
        """
        Give all tasks in a data frame, a column for each field of `ExternalTask`.

        Dates are in UTC. Half an emoji is written as an escape.

        Args:
            library: Whose data frame; ``None`` for pandas if it is installed, or else polars.

            progress: As for `to_dicts()`.

        Raises:
            ImportError: The library is not installed.
        """
        from camunda_ext._many import export

        to_frame = export.frame_maker(library)
        with closing(self._counted(progress)) as tasks:
            return to_frame(tasks)

    # ------------------------------------------------------------------------------ how it is done

    def _ordered(self) -> tuple[ExternalTaskQuery, bool]:
        """
        Give the query as it is asked, and whether its results are in ascending order of ids.
        """
        sorting = self.query.sorting
        # The engine orders what is equal by all criteria anew for each page: without the id, which
        # is never equal, tasks would come twice, and others not at all.
        has_id = any(one.sort_by == SortBy.ID for one in sorting)
        query = self.query if has_id else self.query.sort_by(SortBy.ID)
        return query, query.sorting[0] == Sorting(SortBy.ID.value)

    def _limit(self) -> int | None:
        return None if self._stop is None else max(0, self._stop - self._start)

    def _some(self, most: int, *, at: int = 0) -> tuple[ExternalTask, ...]:
        limit = self._limit()
        wanted = most if limit is None else min(most, limit - at)
        if wanted <= 0:
            return ()
        self._client.check(self.query)
        return self._client.list(
            self._ordered()[0], first_result=self._start + at, max_results=wanted
        )

    def _counted(
        self, progress: bool | Callable[[int, int], object]
    ) -> Generator[ExternalTask, None, None]:
        from camunda_ext._many import export

        return export.counted(self, progress, self.count, self._page_size)


def _position(name: str, value: object, *, high: int | None = checks.INT32) -> int:
    if isinstance(value, int) and value < 0:
        raise ValueError(
            f"{name} must count from the beginning, not {value!r}: for the end, sort the other way"
        )
    return checks.integer(name, value, low=0, high=sys.maxsize if high is None else high)
