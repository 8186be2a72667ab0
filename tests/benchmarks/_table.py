"""
The table of what was measured, and whether it is within the bounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Literal

import attrs

from tests.benchmarks._rounds import Took


@attrs.frozen(kw_only=True)
class Row:
    """
    One comparison.
    """

    #: What was measured.
    what: str

    #: What it was measured against.
    against: str

    #: The ratios of the two; of what is compared with nothing, the figure itself, and no other.
    ratios: Took

    #: Which ratio is held to the bound; the other one is told for comparison.
    judged: Literal["wall", "cpu"]

    #: The most that the ratio may be; infinity if it is told for comparison alone.
    bound: float

    @property
    def holds(self) -> bool:
        """
        Whether the ratio is within its bound.
        """
        ratio = self.ratios.wall if self.judged == "wall" else self.ratios.cpu
        return ratio <= self.bound

    def __str__(self) -> str:
        verdict = "yes" if self.holds else "NO"
        wall, cpu = (
            "" if math.isnan(ratio) else f"{ratio:.2f}{'*' if self.judged == name else ' '}"
            for name, ratio in (("wall", self.ratios.wall), ("cpu", self.ratios.cpu))
        )
        if math.isinf(self.bound):
            return _line(self.what, self.against, wall, cpu, "", "")
        return _line(self.what, self.against, wall, cpu, f"{self.bound:.2f}", verdict)


def _line(what: str, against: str, wall: str, cpu: str, bound: str, verdict: str) -> str:
    return f"{what:<40}{against:<33}{wall:>7}{cpu:>7}{bound:>9}  {verdict}"


def print_table(rows: Iterable[Row], tell: Callable[[str], None]) -> bool:
    """
    Tell the rows as they come; whether all of them hold.
    """
    tell(_line("What", "Against", "wall ", "CPU ", "at most", "holds"))
    good = True
    for row in rows:
        tell(str(row))
        good = good and row.holds
    tell("* the ratio that the bound is for; the other one is told for comparison")
    return good
