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
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextvars import copy_context
from functools import partial
from operator import lt
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


class _Seen:
    """
    The ids of the results that were yielded.

    Args:
        in_order: Whether ids ascend. Then it is enough to keep the highest id of all pages but the
            latest, and the ids of that; otherwise all ids are kept.
    """

    def __init__(self, *, in_order: bool) -> None:
        self.in_order = in_order
        #: Whether results may still exist whose ids were kept by order alone, which failed.
        self.has_forgotten = False
        self._floor = self._highest = ""
        self._kept: set[str] = set()

    def known(self, ids: Sequence[str]) -> list[bool]:
        """
        Whether each result of a page was yielded, by their *ids*. The first one was if the page
        overlaps with the earlier ones.
        """
        floor, kept = self._floor, self._kept
        known = [id_ <= floor or id_ in kept for id_ in ids]
        if self.has_forgotten and True in known:
            # Everything listed before an already yielded result was yielded as well.
            last = len(known) - known[::-1].index(True)
            known[:last] = [True] * last
        return known

    def add(self, ids: Sequence[str]) -> None:
        """
        Add the *ids* of a page that are not known.
        """
        if not ids:
            return
        if self.in_order and ids[0] > self._highest:
            self._floor, self._kept = self._highest, set()
        self._kept.update(ids)
        self._highest = max(self._highest, ids[-1])

    def keep_all(self, *, has_forgotten: bool) -> None:
        """
        Keep all ids from now on, as ids do not ascend after all.
        """
        self.in_order, self.has_forgotten, self._floor = False, has_forgotten, ""


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
        The guessed position of the next page, which overlaps with this one. *loss* is the share of
        results that vanish after they were yielded, from 0 to 1.
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
    seen = _Seen(in_order=in_id_order)
    first_step = step = max(1, page_size // 4)
    # How many of the yielded results still exist, as far as known.
    surviving, yielded = 0, 0
    # How many requests have returned nothing new since the last new result.
    fruitless = 0
    # While the walk searches for the offset to continue at, it is between these two.
    low: int | None = None
    high: int | None = None
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
        return any(seen.known([result.id for result in page])[:1])

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
            if seen.in_order and not all(map(lt, ids, ids[1:])):
                # The database sorts ids by other rules than Python.
                seen.keep_all(has_forgotten=surviving > 0)
                ahead.drop()
                continue
            known = seen.known(ids)
            if place.offset and not any(known[:1]):
                # The page does not overlap: search before it. Request a whole page, as the number
                # of missing results does not show where they are.
                fruitless, high = fruitless + 1, place.offset
                if low is not None and low < high - 1:
                    offset = (low + high) // 2
                else:
                    low, offset, step = None, max(0, high - step), step * 4
                place = place._replace(offset=offset, size=page_size)
                continue
            if seen.has_forgotten and page and not known[0]:
                raise RuntimeError(
                    "this database does not sort ids as Python does, and the results that were "
                    "returned last are gone: add a sorting to the query, so that all ids are "
                    "remembered"
                )
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
            seen.add([result.id for result in new])
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


class _Ahead(Generic[T]):
    """
    Up to *most* pages that are fetched before the walk needs them, in the order of their offsets.
    """

    def __init__(self, fetch: Callable[[int, int], Sequence[T]], most: int) -> None:
        self._fetch = fetch
        self._most = most
        self._now = min(_FIRST_AHEAD, most)
        self._queue: deque[tuple[_Place, Future[Sequence[T]]]] = deque()
        self._threads: Threads | None = None
        self._process = os.getpid()
        #: Whether the first page of the queue did not overlap when it was last tried.
        self._missed = False

    def __enter__(self) -> _Ahead[T]:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
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
        """
        if not self._queue:
            return None
        if os.getpid() != self._process:
            raise RuntimeError(
                "this iteration began in another process, which has its threads: begin a new one"
            )
        place, page = self._queue[0]
        if not place.offset or fits(page.result()):
            self._queue.popleft()
            self._missed = False
            return place, page.result()
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
        Start to fetch the pages that follow the one at *place*, whose *new* results come after
        those that were *yielded*.

        Args:
            to_size: The size of a page, by the number of results that will have been yielded.
        """
        expected = yielded + new + sum(place.size - 1 for place, _ in self._queue)
        last = self._queue[-1][0] if self._queue else place
        while len(self._queue) < self._now and to_size(expected) > 1 and not self._has_end():
            last = last.next(to_size(expected), yielded, loss)
            self._queue.append((last, self._submit(last)))
            expected += last.size - 1
        self._now = min(self._most, self._now * 2)

    def drop(self) -> None:
        for _, page in self._queue:
            page.cancel()
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
        if not self._queue:
            return False
        place, page = self._queue[-1]
        return page.done() and (page.exception() is not None or len(page.result()) < place.size)
