"""
Options in the help, in sections: there are many of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import click

#: The sections after the command's own options.
ENGINE: Final = "Engine"
FILTERS: Final = "Filters"


class SectionOption(click.Option):
    """
    An option that stands in a section of its own.
    """

    def __init__(self, *arguments: Any, section: str, **told: Any) -> None:
        super().__init__(*arguments, **told)
        self.section = section


class SectionedCommand(click.Command):
    """
    A command whose help has its options in sections.
    """

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
            record = param.get_help_record(ctx)
            if record is not None and getattr(param, "section", "Options") == title:
                yield record
