"""
The embedded engine, which is an optional part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from camunda_ext.testing import Engine


def engine_class(otherwise: str = "") -> type[Engine]:
    """
    Give the class of the embedded engine.

    Args:
        otherwise: What can be done without it.

    Raises:
        UsageError: What it needs is not installed.
    """
    try:
        from camunda_ext.testing import Engine
    except ImportError as error:
        missing = f", {error.name} is missing" if error.name else ""
        raise click.UsageError(
            f'The embedded engine is not installed{missing}: pip install "camunda_ext[demo]"'
            f"{otherwise}."
        ) from None
    return Engine
