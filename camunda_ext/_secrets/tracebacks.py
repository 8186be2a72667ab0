"""
Which package raised an exception, and tracebacks without frames that hold secrets.

The frames of the HTTP library have requests, and so credentials, in their local variables, which
error trackers show. An exception of a user's own adapter, hook or auth function keeps the frames of
the user's code.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import TracebackType
from typing import Final, TypeVar

E = TypeVar("E", bound=BaseException)

#: Packages whose code runs between a client and its engine; gevent and eventlet replace parts of
#: the others.
LIBRARIES: Final = frozenset(
    {"camunda_ext", "eventlet", "gevent", "http", "idna", "requests", "socks", "ssl", "urllib3"}
)


def raised_by(error: BaseException) -> str:
    """
    The package whose code has raised an exception, by itself or through the standard library; empty
    if there is none.

    `unittest` counts as a package of its own, as its mocks raise what a test has set.
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


def is_from_hook(error: BaseException) -> bool:
    """
    Whether an exception was raised in a hook that requests has called.
    """
    return any(_module(frame) == "requests.hooks" for frame in _frames(error))


def without_library_frames(error: E) -> E:
    """
    The same exception, its traceback without the frames of the HTTP library, of this package, and
    of the standard library where these have called it.

    If no frame is left, none of the user's code was involved. Then the exception loses its cause
    and context as well, as these may hold a request.
    """
    frames = []
    is_users = False
    for frame in _frames(error):
        package = _package(frame)
        if package in LIBRARIES:
            is_users = False
        elif package not in sys.stdlib_module_names or package == "unittest":
            is_users = True
        if is_users:
            frames.append(frame)
    if not frames:
        error.__cause__ = error.__context__ = None
    rest: TracebackType | None = None
    for frame in reversed(frames):
        rest = TracebackType(rest, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return error.with_traceback(rest)


def _frames(error: BaseException) -> Iterator[TracebackType]:
    traceback = error.__traceback__
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _package(traceback: TracebackType) -> str:
    name = _module(traceback)
    # An engine that is called in process may have bugs of its own.
    return name if name.startswith("camunda_ext.testing") else name.partition(".")[0]


def _module(traceback: TracebackType) -> str:
    return str(traceback.tb_frame.f_globals.get("__name__") or "")
