"""
Shows the progress of a long operation while it runs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

#: The argument *progress*: `True` to show the progress on standard error, `False` to show nothing,
#: or a function to call with the number of finished items and the number of all items.
Progress: TypeAlias = "bool | Callable[[int, int], object]"


def check_progress(progress: Any) -> None:
    """
    Check that an argument *progress* is valid.

    Raises:
        TypeError: It is neither a bool nor a function.
    """
    if not isinstance(progress, bool) and not callable(progress):
        raise TypeError(f"progress must be True, False or a function, not {progress!r:.80}")


@contextmanager
def show_progress(progress: Progress, what: str) -> Iterator[Callable[[int, int], object]]:
    """
    A function to call with the number of finished items and the number of all items.

    If *progress* is `True`, a terminal shows a bar if rich is installed. Otherwise lines of text
    are written to standard error.

    Args:
        progress: Whether to show the progress, or the user's own function.

        what: What the progress is of; shown before the numbers.
    """
    if progress is not True:
        yield progress or _ignore
        return
    bars = _bars()
    if bars is None:
        yield _Lines(what)
        return
    with bars:
        # rich reads the description as markup.
        bar = bars.add_task(what.replace("[", r"\["), total=None)
        yield lambda done, total: bars.update(bar, completed=done, total=total)


def _ignore(done: int, total: int) -> None:
    pass


def _bars() -> Any:
    """
    The progress display of rich on standard error; ``None`` if rich is not installed, or standard
    error is no terminal that can draw it.
    """
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
    except ImportError:  # an optional extra
        return None
    console = Console(stderr=True)
    if not console.is_terminal or console.is_jupyter or console.is_dumb_terminal:
        return None
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console)


class _Lines:
    """
    Writes a line to standard error for each tenth of the items, so that logs stay short.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._tenth = -1

    def __call__(self, done: int, total: int) -> None:
        tenth = 10 * done // total if total else 10
        if tenth > self._tenth and sys.stderr is not None:
            self._tenth = tenth
            sys.stderr.write(f"{self._what}: {done} of {total}\n")
            sys.stderr.flush()
