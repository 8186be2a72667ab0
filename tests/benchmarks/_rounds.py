"""
Two candidates side by side, in short rounds, so that a busy machine troubles both alike.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from typing import Final

import attrs

#: Most calls in one turn, however short they are.
_MOST_CALLS: Final = 1_000_000


@attrs.frozen
class Effort:
    """
    How much is measured.
    """

    #: How many turns each candidate has.
    rounds: int = 31

    #: How long a turn lasts, about, in seconds; 0 for a single call.
    turn: float = 0.05


@attrs.frozen
class Took:
    """
    What a turn took, in seconds; or the ratios of two candidates.
    """

    #: By the clock on the wall.
    wall: float

    #: Of the processor, by all threads of this process.
    cpu: float


def compare(ours: Callable[[], object], theirs: Callable[[], object], effort: Effort) -> Took:
    """
    Give how many times as long *ours* takes as *theirs*: the medians of the rounds' ratios.
    """
    times = _times(theirs, effort.turn)
    return side_by_side(
        lambda: _timed(ours, times), lambda: _timed(theirs, times), rounds=effort.rounds
    )


def side_by_side(ours: Callable[[], Took], theirs: Callable[[], Took], *, rounds: int) -> Took:
    """
    Let two candidates take turns, each the first in every other round; give the median ratios.
    """
    seen = []
    for number in range(rounds):
        if number % 2:
            their, our = theirs(), ours()
        else:
            our, their = ours(), theirs()
        seen.append(Took(our.wall / their.wall, our.cpu / their.cpu))
    return Took(
        statistics.median(one.wall for one in seen), statistics.median(one.cpu for one in seen)
    )


def _times(act: Callable[[], object], turn: float) -> int:
    """
    Give how many calls fill a turn.
    """
    times = 1
    while turn and times < _MOST_CALLS:
        wall = _timed(act, times).wall
        if wall >= turn / 4:
            return max(1, round(times * turn / wall))
        times *= 4
    return times


def _timed(act: Callable[[], object], times: int) -> Took:
    # What the other candidate has left behind is not this one's to clear away.
    gc.collect()
    # The first call wakes what has slept during the other one's turn.
    act()
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(times):
        act()
    return Took(wall=time.perf_counter() - wall, cpu=time.process_time() - cpu)
