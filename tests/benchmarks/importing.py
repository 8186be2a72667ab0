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

#: What is imported, and how many times as long as ``import requests`` it may take.
_BOUNDS: Final = {
    "import camunda_ext": 1.42,
    # requests is a part of it; the classes of tasks and of bodies come with the first call.
    "from camunda_ext import ExternalTaskClient": 1.42,
}
_CODE: Final = """\
from time import perf_counter, process_time
cpu, wall = process_time(), perf_counter()
{statement}
print(perf_counter() - wall, process_time() - cpu)
"""


def _run(statement: str) -> Took:
    # Isolated, so that neither the directory nor the environment has a say.
    printed = subprocess.check_output(
        [sys.executable, "-I", "-c", _CODE.format(statement=statement)], text=True
    )
    wall, cpu = printed.split()
    return Took(float(wall), float(cpu))


def rows(effort: Effort) -> Iterator[Row]:
    """
    Measure the import of the package, and of what makes a client.
    """
    theirs = partial(_run, "import requests")
    for statement, bound in _BOUNDS.items():
        ours = partial(_run, statement)
        # The first import of all may have to compile.
        ours(), theirs()
        yield Row(
            what=statement,
            against="import requests",
            ratios=side_by_side(ours, theirs, rounds=effort.rounds),
            judged="cpu",
            bound=bound,
        )
