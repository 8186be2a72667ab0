"""
All results of a query, page by page, each once, though results vanish between two pages.

The engine knows offsets only. When a consumer completes tasks, those that follow move up, and the
next offset would skip as many. So each page has to begin with something that was seen before; where
it does not, results have moved up, and the walk steps back until it does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Protocol, TypeVar


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=_HasId)


class _Ascending:
    """
    What was seen, of results in ascending order of their ids: all up to one, and the last page.
    """

    def __init__(self) -> None:
        self._floor = ""
        self.recent: set[str] = set()

    def __contains__(self, one: str) -> bool:
        return one <= self._floor or one in self.recent

    def update(self, new: Sequence[str]) -> None:
        """
        Add the results of a page; where they ascend, the page before need not be kept.
        """
        if self.recent and new and min(new) > (highest := max(self.recent)):
            self._floor, self.recent = highest, set(new)
        else:
            self.recent.update(new)


def walk(
    fetch: Callable[[int, int], Sequence[T]], page_size: int, *, in_id_order: bool
) -> Iterator[T]:
    """
    Give each result that is there during the whole walk exactly once.

    Args:
        fetch: Gives the results from an offset on, as many as its second argument at most.

        in_id_order:
            Whether results come in ascending order of their ids, so that the last one tells what
            was seen. Otherwise all ids are remembered.

    Raises:
        RuntimeError: The ids do not ascend after all, and it cannot be told any more what was seen.
    """
    seen: _Ascending | set[str] = _Ascending() if in_id_order else set()
    offset, step, surviving, survival, given = 0, _first_step(page_size), 0, 1.0, 0
    # Results that may be there still, of those that were given before ids were remembered.
    forgotten = 0
    while True:
        page = fetch(offset, page_size)
        known = [one.id in seen for one in page]
        if isinstance(seen, _Ascending) and not _ascend(page):
            # The database sorts by other rules than Python: from here on, remember.
            seen, forgotten = seen.recent, surviving
            continue
        if offset and not any(known if forgotten else known[:1]):
            offset, step = max(0, offset - step), step * 2
            continue
        if forgotten and page and not any(known):
            raise RuntimeError(
                "this database does not sort ids as Python does, and all that was given last is "
                "gone: sort the query by something else as well, and all ids will be remembered"
            )
        if forgotten:
            # What stands before something that was given was given, too.
            known = [any(known[index:]) for index in range(len(known))]
        new = [one for one, was_given in zip(page, known, strict=True) if not was_given]
        left = offset + len(page) - len(new)
        if given:
            # How many of the page before are still there is the best guess for this one.
            survival = min(1.0, max(0.0, (left - surviving) / given))
        seen.update([one.id for one in new])
        yield from new
        if len(page) < page_size:
            return
        surviving, given, step = left, len(new), _first_step(page_size)
        offset = max(0, left + round(len(new) * survival) - 1)


def _first_step(page_size: int) -> int:
    return max(1, page_size // 4)


def _ascend(page: Sequence[_HasId]) -> bool:
    return all(one.id < other.id for one, other in pairwise(page))
