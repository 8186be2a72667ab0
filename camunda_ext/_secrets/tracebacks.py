"""
Whose mistake an exception is, and what a traceback may show.

The frames of the HTTP library hold requests, and so credentials, for whoever looks at local
variables. What a user's own adapter, hook or auth function raises keeps all of its own frames.
"""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Final

#: Packages between a client and its engine; gevent and eventlet replace some of the others.
LIBRARIES: Final = frozenset(
    {"camunda_ext", "eventlet", "gevent", "http", "idna", "requests", "socks", "ssl", "urllib3"}
)


def raised_by(error: BaseException) -> str:
    """
    Give the package whose code has raised an exception, by itself or through the standard library.

    A mock of `unittest` raises what a test has told it to.
    """
    packages = [_package(frame) for frame in _frames(error)]
    return next(
        (
            package
            for package in reversed(packages)
            if package in (*LIBRARIES, "unittest") or package not in sys.stdlib_module_names
        ),
        "",
    )


def is_of_hook(error: BaseException) -> bool:
    """
    Tell whether an exception comes out of a hook that requests has called.
    """
    return any(_module(frame) == "requests.hooks" for frame in _frames(error))


def _frames(error: BaseException) -> list[TracebackType]:
    frames, traceback = [], error.__traceback__
    while traceback is not None:
        frames.append(traceback)
        traceback = traceback.tb_next
    return frames


def without_libraries(traceback: TracebackType | None) -> TracebackType | None:
    """
    Give a traceback without the frames of the HTTP library.
    """
    if traceback is None:
        return None
    rest = without_libraries(traceback.tb_next)
    if _package(traceback) in LIBRARIES:
        return rest
    return TracebackType(rest, traceback.tb_frame, traceback.tb_lasti, traceback.tb_lineno)


def _package(traceback: TracebackType) -> str:
    name = _module(traceback)
    # An engine that is called in process may have bugs of its own.
    return name if name.startswith("camunda_ext.testing") else name.partition(".")[0]


def _module(traceback: TracebackType) -> str:
    return str(traceback.tb_frame.f_globals.get("__name__") or "")
