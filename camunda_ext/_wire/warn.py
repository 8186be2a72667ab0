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


def _is_ours(module: str) -> bool:
    # The module of code that attrs generates is "None".
    return module.partition(".")[0] in ("camunda_ext", "attr", "None")
