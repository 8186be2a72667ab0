"""
Durations that users pass.
"""

from __future__ import annotations

from datetime import timedelta


def to_seconds(duration: float | timedelta) -> float:
    """
    A number of seconds, from itself or from a ``timedelta``.
    """
    return duration.total_seconds() if isinstance(duration, timedelta) else duration
