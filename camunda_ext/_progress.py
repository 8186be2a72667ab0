"""
How far something is, told while it runs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable


def to_progress(
    given: bool | Callable[[int, int], object], what: str
) -> Callable[[int, int], object]:
    """
    Give the function to call with how many are done, and how many there are.

    Args:
        given: `True` for lines on standard error, `False` for nothing, or the function itself.

        what: Begins each line.
    """
    if callable(given):
        return given
    if not isinstance(given, bool):
        raise TypeError(f"progress must be True, False or a function, not {given!r:.80}")
    return _Lines(what) if given else _tell_nobody


def _tell_nobody(done: int, total: int) -> None:
    pass


class _Lines:
    """
    Writes a line for each tenth that is done, so that a log is not flooded.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._tenth = -1

    def __call__(self, done: int, total: int) -> None:
        tenth = 10 * done // total if total else 10
        if tenth > self._tenth:
            self._tenth = tenth
            sys.stderr.write(f"{self._what}: {done} of {total}\n")
            sys.stderr.flush()
