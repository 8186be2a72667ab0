"""
Options that stand in sections of the help, since there are many, and the type of seconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import click

from camunda_ext.safety import visible

#: The sections after the command's own options.
ENGINE: Final = "Engine"
FILTERS: Final = "Filters"

#: In seconds; an engine that is asked without a pause has no time for anything else.
_SHORTEST: Final = 0.1


class SectionOption(click.Option):
    """
    An option that stands in a section of its own.
    """

    def __init__(self, *arguments: Any, section: str, **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.section = section


def seconds(longest: float, *, shortest: float = _SHORTEST) -> Callable[[str | float], float]:
    """
    The type of an option that is a number of seconds, as ``25`` or ``25s``, or of minutes, as
    ``2m``; a default may be a number.
    """

    def read(given: str | float) -> float:
        text = str(given)
        is_minutes = text.endswith("m")
        try:
            number = float(text[:-1]) * 60 if is_minutes else float(text.removesuffix("s"))
        except ValueError:
            number = -1.0
        # A range of click would take NaN.
        if not shortest <= number <= longest:
            wanted = f"a number of seconds from {shortest} to {longest:,.0f}"
            raise click.BadParameter(f"'{visible(text)}' is not {wanted}.")
        return number

    return read


class SectionedCommand(click.Command):
    """
    A command whose help has its options in sections.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """
        Read a command line; a negative number is not an option.
        """
        ctx.ignore_unknown_options = any(re.fullmatch(r"-\d+", argument) for argument in args)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """
        Write the options of the command itself, and then those of each section.
        """
        for title in ("Options", ENGINE, FILTERS):
            records = list(self._records(ctx, title))
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def _records(self, ctx: click.Context, title: str) -> Iterator[tuple[str, str]]:
        for param in self.get_params(ctx):
            # Newer versions of click list arguments too; docstrings explain them already.
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None and getattr(param, "section", "Options") == title:
                yield record
