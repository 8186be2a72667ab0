"""
All results of a query, page by page, each once, though results vanish between two pages.

The engine knows offsets only. When a consumer completes tasks, those that follow move up, and the
next offset would skip as many. So each page has to begin with something that was seen before; where
it does not, results have moved up, and the walk steps back until it does.

When a page was asked for does not matter: one that begins with something that was seen has all that
follows it. So pages can be asked for ahead, at guessed offsets, and be used where they fit.
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
#: How long requests that are under way are waited for when a walk is left, in seconds.
_PATIENCE: Final = 1.0
#: How many requests in a row may look for the place where a walk goes on, and bring nothing new.
#: After thousands of results have vanished at once, it takes fewer; more mean that the order itself
#: changes.
_MOST_FRUITLESS: Final = 20
#: How many pages are asked for ahead at first: who leaves soon needs none of them.
_FIRST_AHEAD: Final = 4


class _Ascending:
    """
    What was seen, of results in ascending order of their ids: all up to one, and the last page.
    """

    def __init__(self) -> None:
        self._floor = self._highest = ""
        self.recent: set[str] = set()

    def known(self, ids: Sequence[str]) -> list[bool]:
        """
        Tell of each of some ascending ids whether it was seen.
        """
        # Most of a page lies behind all that was seen, and need not be looked up one by one.
        count = bisect_right(ids, self._highest)
        known = [one <= self._floor or one in self.recent for one in ids[:count]]
        return known + [False] * (len(ids) - count)

    def update(self, new: Sequence[str]) -> None:
        """
        Add the results of a page; where they ascend, the page before need not be kept.
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
    Where a page is asked for, and when.
    """

    offset: int

    #: How many results to ask for.
    size: int

    #: How many results had been given at the time.
    given: int

    def next(self, size: int, given: int, loss: float) -> _Place:
        """
        Guess where the last result of this page will be, once so many are *given*.

        Args:
            loss: Which share of the results vanishes after they are given.
        """
        vanished = round(loss * (given - self.given))
        # Where some vanish, a few more may: to read them twice costs less than to step back.
        overlap = 1 + self.size // 16 if loss else 1
        return _Place(max(0, self.offset + self.size - overlap - vanished), size, given)


def walk(
    fetch: Callable[[int, int], Sequence[T]],
    page_size: int,
    *,
    in_id_order: bool,
    limit: int | None = None,
    prefetch: int = 0,
) -> Iterator[T]:
    """
    Give each result that is there during the whole walk exactly once.

    Args:
        fetch: Gives the results from an offset on, as many as its second argument at most.

        in_id_order:
            Whether results come in ascending order of their ids, so that the last one tells what
            was seen. Otherwise all ids are remembered.

        limit: How many results to give at most.

        prefetch:
            How many pages to ask for ahead, each in a thread. They end with the walk, however that
            ends; requests that are under way then are waited for, for a second.

    Raises:
        RuntimeError: The ids do not ascend after all, and it cannot be told any more what was seen;
            or the place where it goes on cannot be found.
    """
    seen: _Ascending | set[str] = _Ascending() if in_id_order else set()
    first_step = step = max(1, page_size // 4)
    surviving, given = 0, 0
    # Requests since the last new result. The walk goes on between the offsets, once they are known.
    fruitless = 0
    low: int | None = None
    high: int | None = None
    # Results that may be there still, of those that were given before ids were remembered.
    forgotten = 0
    # How many had vanished by the last time that it could be told, and of how many that were given.
    lost, lost_of, loss = 0, 0, 0.0

    def to_size(expected: int) -> int:
        # All but the first page begin with a result that was seen.
        left = page_size if limit is None else limit - expected + (expected > 0)
        return min(page_size, left)

    def fits(page: Sequence[T]) -> bool:
        return any(_known(seen, [one.id for one in (page if forgotten else page[:1])]))

    place = _Place(0, to_size(0), 0)
    with _Ahead(fetch, prefetch) as ahead:
        while limit is None or given < limit:
            if fruitless == _MOST_FRUITLESS:
                raise RuntimeError(
                    f"{fruitless} requests in a row brought nothing new, though there is more: "
                    "the order changes from page to page, or results vanish faster than they are "
                    "read, and where it goes on cannot be found"
                )
            # While the walk looks for its place, nothing is new to a page that did not fit.
            taken = ahead.take(fits) if high is None else None
            if taken is None:
                page = fetch(place.offset, place.size)
            else:
                place, page = taken
            ids = [one.id for one in page]
            if isinstance(seen, _Ascending) and not _ascend(ids):
                # The database sorts by other rules than Python: from here on, remember.
                seen, forgotten = seen.recent, surviving
                ahead.drop()
                continue
            known = _known(seen, ids)
            if place.offset and not any(known if forgotten else known[:1]):
                # As a whole: what is left to be given says nothing of where it is now.
                fruitless, high = fruitless + 1, place.offset
                if low is not None and low < high - 1:
                    offset = (low + high) // 2
                else:
                    low, offset, step = None, max(0, high - step), step * 4
                place = place._replace(offset=offset, size=page_size)
                continue
            if forgotten and page and not any(known):
                raise RuntimeError(
                    "this database does not sort ids as Python does, and all that was given last "
                    "is gone: sort the query by something else as well, and all ids will be "
                    "remembered"
                )
            if forgotten:
                # What stands before something that was given was given, too.
                known = [any(known[index:]) for index in range(len(known))]
            new = [one for one, was_given in zip(page, known, strict=True) if not was_given]
            is_last = len(page) < place.size
            if high is not None and not new and not is_last:
                # It went back too far: between here and where nothing was known is the place.
                fruitless, low = fruitless + 1, place.offset + len(page) - 1
                offset = max(low, (low + high) // 2)
                place = _Place(offset, page_size, given)
                continue
            surviving = place.offset + len(page) - len(new)
            if place.given > lost_of:
                # What has vanished since the page before is the best guess for the next ones.
                share = (given - surviving - lost) / (place.given - lost_of)
                lost, lost_of, loss = given - surviving, place.given, min(1.0, max(0.0, share))
            if limit is not None:
                del new[limit - given :]
            seen.update([one.id for one in new])
            if not is_last:
                ahead.ask(place, given, len(new), loss, to_size)
            given += (new_count := len(new))
            # What waits for the consumer, or for the next page, is in memory once.
            del page, taken, ids, known
            yield from new
            del new
            if is_last:
                return
            # What brings nothing new is behind what was given, and the rest may be far.
            size = to_size(given) if new_count else page_size
            place, step, low, high = place.next(size, given, loss), first_step, None, None
            if new_count:
                fruitless = 0


class _Asked(Generic[T]):
    """
    A page that was asked for.
    """

    def __init__(self, place: _Place, fetched: Future[Sequence[T]]) -> None:
        self.place = place
        self.fetched = fetched


class _Ahead(Generic[T]):
    """
    Pages that were asked for before the walk needs them, in the order of their offsets.
    """

    def __init__(self, fetch: Callable[[int, int], Sequence[T]], most: int) -> None:
        self._fetch = fetch
        self._most = most
        self._now = min(_FIRST_AHEAD, most)
        self._queue: deque[_Asked[T]] = deque()
        self._threads: Threads | None = None
        self._process = os.getpid()
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
            # Whoever presses Ctrl-C does not want to wait for an engine that is silent.
            is_patient = kind is None or issubclass(kind, (Exception, GeneratorExit))
            self._threads.end(_PATIENCE if is_patient else 0.0)

    def take(self, fits: Callable[[Sequence[T]], bool]) -> tuple[_Place, Sequence[T]] | None:
        """
        Give the first page if it goes on where the last one ended; ``None`` otherwise.

        It may do so once the page between them was fetched. If it does not even then, nothing that
        was asked for is where it was expected, and all is dropped.
        """
        if not self._queue:
            return None
        if os.getpid() != self._process:
            raise RuntimeError(
                "this iteration began in another process, where its threads are: begin a new one"
            )
        asked = self._queue[0]
        if not asked.place.offset or fits(asked.fetched.result()):
            self._queue.popleft()
            self._missed = False
            return asked.place, asked.fetched.result()
        if self._missed:
            self.drop()
        else:
            self._missed = True
        return None

    def ask(
        self,
        place: _Place,
        given: int,
        new: int,
        loss: float,
        to_size: Callable[[int], int],
    ) -> None:
        """
        Ask for the pages after the one of a *place*, while its *new* results are given.
        """
        expected = given + new + sum(one.place.size - 1 for one in self._queue)
        last = self._queue[-1].place if self._queue else place
        while len(self._queue) < self._now and to_size(expected) > 1 and not self._has_end():
            last = last.next(to_size(expected), given, loss)
            self._queue.append(_Asked(last, self._submit(last)))
            expected += last.size - 1
        self._now = min(self._most, self._now * 2)

    def drop(self) -> None:
        """
        Forget all pages.
        """
        for asked in self._queue:
            asked.fetched.cancel()
        self._queue.clear()
        self._missed = False

    def _submit(self, place: _Place) -> Future[Sequence[T]]:
        if self._threads is None:
            from camunda_ext._many.threads import Threads  # only now: few walks need it

            self._threads = Threads(self._most, _NAME)
        # Hooks see the context of whoever iterates, such as a span that is open there.
        fetch = partial(copy_context().run, self._fetch, place.offset, place.size)
        return self._threads.submit(fetch)

    def _has_end(self) -> bool:
        """
        Tell whether the last page is here, and there is nothing behind it.
        """
        if not self._queue or not self._queue[-1].fetched.done():
            return False
        last = self._queue[-1]
        if last.fetched.exception() is not None:
            return True
        return len(last.fetched.result()) < last.place.size


def _known(seen: _Ascending | set[str], ids: Sequence[str]) -> list[bool]:
    if isinstance(seen, _Ascending):
        return seen.known(ids)
    return [one in seen for one in ids]


def _ascend(ids: Sequence[str]) -> bool:
    return all(map(lt, ids, islice(ids, 1, None)))
