"""
How quick the client is, as ratios: one table, and whether each of them is within its bound.

Run by hand: ``python -m tests.benchmarks``. Both sides of a ratio are measured in turns, so that a
busy machine troubles them alike; on a machine with two processors nothing else should run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from tests.benchmarks import calls, decoding, importing, pages, queries, threads, worker
from tests.benchmarks._rounds import Effort
from tests.benchmarks._table import Row, print_table

#: What can be measured, by the names that the command takes.
BENCHMARKS: Final[Mapping[str, Callable[[Effort], Iterator[Row]]]] = {
    "calls": calls.rows,
    "decoding": decoding.rows,
    "importing": importing.rows,
    "pages": pages.rows,
    "queries": queries.rows,
    "threads": threads.rows,
    "worker": worker.rows,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Print the table; give 1 if a bound is exceeded, and 0 otherwise.
    """
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        epilog="The embedded engine has a benchmark of its own: tests.benchmarks.embedded.",
    )
    usual = Effort()
    parser.add_argument(
        "benchmarks",
        nargs="*",
        metavar="benchmark",
        help=f"what to measure, of {', '.join(BENCHMARKS)}; all if none is named",
    )
    parser.add_argument("--rounds", type=int, default=usual.rounds, help="how many turns each")
    parser.add_argument(
        "--turn", type=float, default=usual.turn, help="how long a turn lasts, in seconds"
    )
    told = parser.parse_args(arguments)
    unknown = [name for name in told.benchmarks if name not in BENCHMARKS]
    if unknown or told.rounds < 1:
        parser.error(f"no such benchmark: {', '.join(unknown)}" if unknown else "no rounds at all")
    effort = Effort(told.rounds, told.turn)
    rows = (row for name in told.benchmarks or BENCHMARKS for row in BENCHMARKS[name](effort))
    return 0 if print_table(rows, partial(print, flush=True)) else 1


if __name__ == "__main__":
    sys.exit(main())
