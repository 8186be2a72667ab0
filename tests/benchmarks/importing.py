"""
What an import costs, in fresh processes.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from typing import Final

from tests.benchmarks._rounds import Effort, Took, side_by_side
from tests.benchmarks._table import Row

_BOUND: Final = 1.42
_CODE: Final = """\
from time import perf_counter, process_time
cpu, wall = process_time(), perf_counter()
import {module}
print(perf_counter() - wall, process_time() - cpu)
"""


def _import(module: str) -> Took:
    # Isolated, so that neither the directory nor the environment has a say.
    told = subprocess.check_output(
        [sys.executable, "-I", "-c", _CODE.format(module=module)], text=True
    )
    wall, cpu = told.split()
    return Took(float(wall), float(cpu))


def rows(effort: Effort) -> Iterator[Row]:
    """
    Measure ``import camunda_ext``.
    """
    ours, theirs = partial(_import, "camunda_ext"), partial(_import, "requests")
    # The first import of all may have to compile.
    ours(), theirs()
    yield Row(
        what="import camunda_ext",
        against="import requests",
        ratios=side_by_side(ours, theirs, rounds=effort.rounds),
        judged="cpu",
        bound=_BOUND,
    )
