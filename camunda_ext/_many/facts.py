"""
What a client remembers of its engine.
"""

from __future__ import annotations

import attrs


@attrs.define(eq=False, repr=False)
class EngineFacts:
    """
    What a client knows about its engine, so that it asks only once.
    """

    #: The filters that the engine honours, each as what it filters and its name.
    proven: set[tuple[str, str]] = attrs.field(factory=set)

    #: The filters that a warning was issued for, each as what it filters and its name.
    warned: set[tuple[str, str]] = attrs.field(factory=set)

    #: The engine's version; ``None`` if it was not asked yet, or does not tell.
    version: str | None = None

    #: Whether the engine was asked for its version and has answered.
    has_answered: bool = False
