"""
Iterates over all results of a query, page by page, each result once, even if results vanish
between two pages.

The engine pages by offset. When a consumer completes tasks, the later tasks move up, and the next
offset would skip as many of them. So each page must overlap: its first result must be one that was
seen before. If it is not, results have moved up, and the walk requests an earlier offset, until the
page overlaps.

It does not matter when a page was fetched: a page whose first result was seen continues the walk
without a gap. So pages can be fetched ahead, at guessed offsets, and are used if they overlap.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextvars import copy_context
from functools import partial
from itertools import islice
from operator import lt
from types import TracebackType
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

    from camunda_ext._many.threads import Threads


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=_HasId)

_NAME: Final = "camunda_ext pages"
#: How long the end of a walk waits for requests in progress, in seconds.
_PATIENCE: Final = 1.0
#: How many requests in a row may return no new result while the walk searches for the offset to
#: continue at. After thousands of results have vanished at once it needs fewer; if it needs more,
#: the order itself changes.
_MOST_FRUITLESS: Final = 20
#: How many pages are fetched ahead at first: a consumer that stops soon needs none of them.
_FIRST_AHEAD: Final = 4


class _Ascending:
    """
    The ids that were seen, if they ascend: all ids up to some id, and those of the latest page.
    """

    def __init__(self) -> None:
        self._floor = self._highest = ""
        self.recent: set[str] = set()

    def known(self, ids: Sequence[str]) -> list[bool]:
        """
        Whether each of some ascending *ids* was seen.
        """
        # Most ids of a page are higher than all that were seen, and need no lookup.
        count = bisect_right(ids, self._highest)
        known = [id_ <= self._floor or id_ in self.recent for id_ in ids[:count]]
        return known + [False] * (len(ids) - count)

    def update(self, new: Sequence[str]) -> None:
        """
        Add the *new* ids of a page. If they are higher than all before, only the highest id of the
        previous page is kept.
        """
        if not new:
            return
        if self.recent and new[0] > self._highest:
            self._floor, self.recent = self._highest, set(new)
        else:
            self.recent.update(new)
        self._highest = max(self._highest, new[-1])


class _Place(NamedTuple):
    """
    The position of a requested page in the results of the query.
    """

    offset: int

    #: How many results are requested.
    size: int

    #: How many results the walk had yielded at the time of the request.
    yielded: int

    def next(self, size: int, yielded: int, loss: float) -> _Place:
        """
        The guessed position of the next page, which overlaps with this one.

        Args:
            size: Size of the next page.

            yielded: How many results the walk has yielded by now.

            loss: The share of results that vanish after they were yielded, from 0 to 1.
        """
        vanished = round(loss * (yielded - self.yielded))
        # If results vanish, overlap more: it costs less to read some twice than to step back.
        overlap = 1 + self.size // 16 if loss else 1
        return _Place(max(0, self.offset + self.size - overlap - vanished), size, yielded)


def walk(
    fetch: Callable[[int, int], Sequence[T]],
    page_size: int,
    *,
    in_id_order: bool,
    limit: int | None = None,
    prefetch: int = 0,
) -> Iterator[T]:
    """
    Yield each result that exists during the whole walk exactly once.

    Args:
        fetch: Returns the results from an offset (first argument) on, at most as many as the second
            argument.

        page_size: How many results to fetch with each request.

        in_id_order:
            Whether results are in ascending order of their ids, so that the highest id shows which
            results were seen. Otherwise all ids are remembered.

        limit: How many results to yield at most; ``None`` for all.

        prefetch:
            How many pages to fetch ahead, each in a thread. The threads end with the walk, however
            that ends; it waits up to a second for requests in progress.

    Raises:
        RuntimeError: The ids do not ascend after all, and it is unknown which results were seen; or
            the offset to continue at cannot be found.
    """
    seen: _Ascending | set[str] = _Ascending() if in_id_order else set()
    first_step = step = max(1, page_size // 4)
    # How many of the yielded results still exist, as far as known.
    surviving, yielded = 0, 0
    # How many requests have returned nothing new since the last new result.
    fruitless = 0
    # While the walk searches for the offset to continue at, it is between these two.
    low: int | None = None
    high: int | None = None
    # How many results may still exist that were yielded before their ids were remembered.
    forgotten = 0
    # How many results had vanished when it was last measured, out of how many, and their share.
    lost, lost_of, loss = 0, 0, 0.0

    def to_size(expected: int) -> int:
        """
        The size of a page, once the *expected* number of results was yielded.
        """
        # All pages but the first overlap with a result that was seen.
        missing = page_size if limit is None else limit - expected + (expected > 0)
        return min(page_size, missing)

    def fits(page: Sequence[T]) -> bool:
        """
        Whether a page overlaps with the results that were seen.
        """
        return any(_known(seen, [result.id for result in (page if forgotten else page[:1])]))

    place = _Place(0, to_size(0), 0)
    with _Ahead(fetch, prefetch) as ahead:
        while limit is None or yielded < limit:
            if fruitless == _MOST_FRUITLESS:
                raise RuntimeError(
                    f"{fruitless} requests in a row returned no new result, though there are more: "
                    "their order changes from page to page, or they vanish faster than they are "
                    "read, so that the place to continue at cannot be found"
                )
            # During a search, pages that were fetched ahead cannot help: they did not overlap.
            prefetched = ahead.take(fits) if high is None else None
            if prefetched is None:
                page = fetch(place.offset, place.size)
            else:
                place, page = prefetched
            ids = [result.id for result in page]
            if isinstance(seen, _Ascending) and not _ascend(ids):
                # The database sorts ids by other rules than Python: remember all ids from now on.
                seen, forgotten = seen.recent, surviving
                ahead.drop()
                continue
            known = _known(seen, ids)
            if place.offset and not any(known if forgotten else known[:1]):
                # The page does not overlap: search before it. Request a whole page, as the number
                # of missing results does not show where they are.
                fruitless, high = fruitless + 1, place.offset
                if low is not None and low < high - 1:
                    offset = (low + high) // 2
                else:
                    low, offset, step = None, max(0, high - step), step * 4
                place = place._replace(offset=offset, size=page_size)
                continue
            if forgotten and page and not any(known):
                raise RuntimeError(
                    "this database does not sort ids as Python does, and the results that were "
                    "returned last are gone: add a sorting to the query, so that all ids are "
                    "remembered"
                )
            if forgotten:
                # Everything listed before an already yielded result was yielded as well.
                known = [any(known[index:]) for index in range(len(known))]
            new = [result for result, is_known in zip(page, known, strict=True) if not is_known]
            is_last = len(page) < place.size
            if high is not None and not new and not is_last:
                # The search went back too far: continue between here and the page without overlap.
                fruitless, low = fruitless + 1, place.offset + len(page) - 1
                offset = max(low, (low + high) // 2)
                place = _Place(offset, page_size, yielded)
                continue
            surviving = place.offset + len(page) - len(new)
            if place.yielded > lost_of:
                # The loss since the previous page is the best guess for the next pages.
                share = (yielded - surviving - lost) / (place.yielded - lost_of)
                lost, lost_of, loss = yielded - surviving, place.yielded, min(1.0, max(0.0, share))
            if limit is not None:
                del new[limit - yielded :]
            seen.update([result.id for result in new])
            if not is_last:
                ahead.ask(place, yielded, len(new), loss, to_size)
            yielded += (new_count := len(new))
            # Only `new` keeps the page in memory while the consumer works.
            del page, prefetched, ids, known
            yield from new
            del new
            if is_last:
                return
            # If the page had no new results, the next one may be far away: request a whole page.
            size = to_size(yielded) if new_count else page_size
            place, step, low, high = place.next(size, yielded, loss), first_step, None, None
            if new_count:
                fruitless = 0


class _Prefetch(Generic[T]):
    """
    A page that is being fetched, or was fetched, in a thread.
    """

    def __init__(self, place: _Place, page: Future[Sequence[T]]) -> None:
        self.place = place
        self.page = page


class _Ahead(Generic[T]):
    """
    Pages that are fetched before the walk needs them, in the order of their offsets.

    Args:
        fetch: Fetches a page, see `walk()`.

        most: How many pages to fetch ahead; 0 for none.
    """

    def __init__(self, fetch: Callable[[int, int], Sequence[T]], most: int) -> None:
        self._fetch = fetch
        self._most = most
        self._now = min(_FIRST_AHEAD, most)
        self._queue: deque[_Prefetch[T]] = deque()
        self._threads: Threads | None = None
        self._process = os.getpid()
        #: Whether the first page of the queue did not overlap when it was last tried.
        self._missed = False

    def __enter__(self) -> _Ahead[T]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.drop()
        if self._threads is not None:
            # After Ctrl-C, do not wait for an engine that does not answer.
            is_patient = kind is None or issubclass(kind, (Exception, GeneratorExit))
            self._threads.end(_PATIENCE if is_patient else 0.0)

    def take(self, fits: Callable[[Sequence[T]], bool]) -> tuple[_Place, Sequence[T]] | None:
        """
        Remove the first page of the queue and return it, if it overlaps with the seen results;
        ``None`` otherwise.

        A page that does not overlap is tried once more, after the walk has fetched the page before
        it. If it does not overlap then, the guessed offsets are wrong, and all pages are dropped.

        Args:
            fits: Whether a page overlaps.
        """
        if not self._queue:
            return None
        if os.getpid() != self._process:
            raise RuntimeError(
                "this iteration began in another process, which has its threads: begin a new one"
            )
        first = self._queue[0]
        if not first.place.offset or fits(first.page.result()):
            self._queue.popleft()
            self._missed = False
            return first.place, first.page.result()
        if self._missed:
            self.drop()
        else:
            self._missed = True
        return None

    def ask(
        self,
        place: _Place,
        yielded: int,
        new: int,
        loss: float,
        to_size: Callable[[int], int],
    ) -> None:
        """
        Start to fetch the pages that follow a page.

        Args:
            place: Position of the page.

            yielded: How many results were yielded before those of the page.

            new: How many new results the page has.

            loss: The share of results that vanish after they were yielded, from 0 to 1.

            to_size: The size of a page, by the number of results that will have been yielded.
        """
        expected = yielded + new + sum(prefetch.place.size - 1 for prefetch in self._queue)
        last = self._queue[-1].place if self._queue else place
        while len(self._queue) < self._now and to_size(expected) > 1 and not self._has_end():
            last = last.next(to_size(expected), yielded, loss)
            self._queue.append(_Prefetch(last, self._submit(last)))
            expected += last.size - 1
        self._now = min(self._most, self._now * 2)

    def drop(self) -> None:
        """
        Drop all pages of the queue.
        """
        for prefetch in self._queue:
            prefetch.page.cancel()
        self._queue.clear()
        self._missed = False

    def _submit(self, place: _Place) -> Future[Sequence[T]]:
        if self._threads is None:
            from camunda_ext._many.threads import Threads  # only now: few walks fetch ahead

            self._threads = Threads(self._most, _NAME)
        # Hooks run in the context of the consumer, with its current span, for example.
        fetch = partial(copy_context().run, self._fetch, place.offset, place.size)
        return self._threads.submit(fetch)

    def _has_end(self) -> bool:
        """
        Whether the last page of the queue was fetched and is the last page of the results, or has
        failed.
        """
        if not self._queue or not self._queue[-1].page.done():
            return False
        last = self._queue[-1]
        if last.page.exception() is not None:
            return True
        return len(last.page.result()) < last.place.size


def _known(seen: _Ascending | set[str], ids: Sequence[str]) -> list[bool]:
    """
    Whether each of some *ids* was seen.
    """
    if isinstance(seen, _Ascending):
        return seen.known(ids)
    return [id_ in seen for id_ in ids]


def _ascend(ids: Sequence[str]) -> bool:
    return all(map(lt, ids, islice(ids, 1, None)))
