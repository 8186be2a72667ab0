"""
Warnings that point to the caller's code.
"""

from __future__ import annotations

import sys
import warnings


def warn_caller(message: str) -> None:
    """
    Issue a warning for the line outside of this package whose call has led here.
    """
    # Python has `skip_file_prefixes` for this since 3.12.
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and _is_ours(str(frame.f_globals.get("__name__"))):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, stacklevel=level)


def warn_of_seconds(what: str, value: object, *, below: int) -> None:
    """
    Issue a warning if a number of milliseconds was probably meant as seconds.

    Args:
        what: What the number is, such as "the duration of a lock".

        below: The smallest number of milliseconds that makes sense.
    """
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < below:
        warn_caller(
            f"{value} as {what} is {value} milliseconds: pass {value}_000, or "
            f"timedelta(seconds={value}), if seconds are meant; "
            f"timedelta(milliseconds={value}) does not warn"
        )


def _is_ours(module: str) -> bool:
    # The module of code that attrs generates is "None".
    return module.partition(".")[0] in ("camunda_ext", "attr", "None")
