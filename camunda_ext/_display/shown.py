"""
How a selection shows its results: as a table, or as itself on one line.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from camunda_ext._display.tables import TASKS, Table, TableStyle, html_text
from camunda_ext._wire.text import visible
from camunda_ext.errors import CamundaError

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

#: The largest length of the one line, in characters.
_LONGEST_LINE: Final = 666

#: How many results a notebook shows, and `show()` and `table()` by default.
FIRST: Final = 10


class TableDisplay(ABC):
    """
    Shows the first results as a table in `show()`, `table()`, IPython, notebooks and
    ``rich.print()``, and itself on one line in ``repr()``.

    A table takes one or two requests to the engine, which are unexpected in a ``repr()``: logs,
    debuggers and tracebacks call it as well.
    """

    __slots__ = ()

    _table_style: ClassVar[TableStyle] = TASKS

    @abstractmethod
    def _line(self) -> str:
        """
        The selection on one line, made without a request.
        """

    @abstractmethod
    def _first_and_total(self, first: int) -> tuple[Sequence[Any], int]:
        """
        The first results, and the number of all results.
        """

    def table(self, first: int = FIRST, *, width: int | None = None) -> str:
        """
        The first results and their total as a table in plain text.

        Args:
            first: How many results to show at most.

            width: How many characters a line may have; ``None`` for the width of the terminal.

        Raises:
            CamundaError: The engine could not be asked.
        """
        return self._table(first).text(width or _terminal_width())

    def show(self, first: int = FIRST) -> None:
        """
        Print the first results and their total as a table; in colours if standard output is a
        terminal and rich is installed.

        Args:
            first: How many results to show at most.

        Raises:
            CamundaError: The engine could not be asked.
        """
        sys.stdout.write(_for_terminal(self._table(first)) + "\n")

    def __repr__(self) -> str:
        return self._line_with()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """
        The table, for rich to print.
        """
        from rich.text import Text

        try:
            table = self._table(FIRST)
        except (CamundaError, ValueError) as error:
            yield Text(self._line_with(error))
        else:
            yield table.rich(options.max_width)

    def _repr_html_(self) -> str:
        """
        The table, for a notebook.
        """
        return self._repr_mimebundle_()["text/html"]

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """
        The table as text and as HTML, for IPython and notebooks; both from the same requests.
        """
        try:
            table = self._table(FIRST)
        except (CamundaError, ValueError) as error:
            line = self._line_with(error)
            return {"text/plain": line, "text/html": f"<code>{html_text(line)}</code>"}
        return {"text/plain": _for_terminal(table), "text/html": table.html()}

    def _table(self, first: int) -> Table:
        return Table(self._table_style, *self._first_and_total(first))

    def _line_with(self, error: Exception | None = None) -> str:
        """
        The one line, cut if it is too long; with an *error*, also why there is no table.
        """
        line = visible(self._line())
        line = line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}..."
        if error is None:
            return line
        reason = error.in_short() if isinstance(error, CamundaError) else str(error)
        plural = self._table_style.plural
        return visible(f"{line} (no {plural} to show: {type(error).__name__}: {reason})")


def _for_terminal(table: Table) -> str:
    """
    A table in colours if standard output is a terminal and rich is installed, otherwise in plain
    text.
    """
    if sys.stdout.isatty():
        try:
            from rich.console import Console
        except ImportError:  # an optional extra
            pass
        else:
            console = Console(file=sys.stdout, highlight=False)
            with console.capture() as captured:
                console.print(table.rich(console.width))
            return captured.get().rstrip("\n")
    return table.text(_terminal_width())


def _terminal_width() -> int:
    from shutil import get_terminal_size

    return get_terminal_size().columns
