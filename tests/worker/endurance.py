"""
Whether the worker keeps its promises for long: ``python -m tests.worker.endurance``.

By default it runs a course: workers in processes of their own, a proxy with every kind of fault,
outages, and signals; in the end the engine's history is asked what has become of each task.
``--soak`` has one worker handle many tasks, and looks whether its memory, threads and files grow.
Either ends with 1 if a promise is broken.
"""

from __future__ import annotations

import argparse
import sys
from typing import Final

from tests.engines.catalog import CATALOG
from tests.worker import course, soak

_SHOWN: Final = 20


def main() -> None:
    """
    Run what is asked for, and exit with 1 if a promise is broken.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.worker.endurance")
    parser.add_argument("--engine", choices=("embedded", *CATALOG), default="embedded")
    parser.add_argument("--soak", action="store_true", help="a soak in place of a course")
    parser.add_argument("--tasks", type=int, default=10_000)
    course_options = parser.add_argument_group("of a course")
    course_options.add_argument(
        "--faults", type=float, default=10.0, help="how many requests of a hundred meet one"
    )
    course_options.add_argument("--workers", type=int, default=4, help="processes at a time")
    course_options.add_argument(
        "--every", type=float, default=4.0, help="seconds from signal to signal; 0 for none"
    )
    course_options.add_argument("--outages", type=int, default=2)
    course_options.add_argument("--outage-seconds", type=float, default=3.0)
    course_options.add_argument("--seed", type=int, default=1)
    options = vars(parser.parse_args())
    if options.pop("soak"):
        found = soak.run(options["tasks"], options["engine"])
    else:
        found = course.run(course.Options(**options))
    for breach in found[:_SHOWN]:
        print(breach)
    print(f"{len(found)} promises are broken")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
