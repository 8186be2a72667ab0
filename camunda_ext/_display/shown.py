"""
What a selection shows of itself.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final, Protocol, TextIO

from camunda_ext._display.tables import html_text, table_html, table_rich, table_text
from camunda_ext._wire.text import visible as visible
from camunda_ext.dto import ExternalTask
from camunda_ext.errors import CamundaError

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult


#: How much is shown of a selection on one line.
_LONGEST_LINE: Final = 666

#: How many tasks a prompt or a notebook shows.
FIRST: Final = 10


class Showable(Protocol):
    """
    What `Shown` needs of the class that it is mixed into: its own line, which asks nothing, some
    tasks, and how many there are.
    """

    def _line(self) -> str: ...

    def __getitem__(self, part: slice, /) -> Iterable[ExternalTask]: ...

    def count(self) -> int: ...


class Shown:
    """
    Shows the first tasks as a table to a person, and itself on one line to everything else.

    To make a table takes one or two requests, which nobody expects of a ``repr()`` in a log, in a
    debugger or in a traceback. So there the table is made only by what asks for it on behalf of
    a person: a line typed at Python's prompt, a cell of a notebook, ``rich.print()``. Python's
    prompt calls nothing but ``repr()``; to put another `sys.displayhook` there would change it for
    all other values too. So ``repr()`` looks who has called it, which it can tell for sure: what is
    typed has a file name of its own.
    """

    __slots__ = ()

    def table(self, first: int = FIRST, *, width: int | None = None) -> str:
        """
        Give the first tasks and the total as a table in plain text.

        Args:
            first: How many tasks at most.

            width: How many columns there are; ``None`` for those of the terminal.

        Raises:
            CamundaError: The engine could not be asked.
        """
        return table_text(*_look(self, first), width or _terminal_width(), now=_now())

    def __repr__(self) -> str:
        return _for_terminal(self, sys.stdout) if is_typed() else _line_of(self)

    def __str__(self) -> str:
        # What is printed, or put into a text, is for no terminal that we know.
        return _line_of(self)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """
        Give the table to rich.
        """
        from rich.text import Text

        try:
            rows, total = _look(self)
        except (CamundaError, ValueError) as error:
            yield Text(_line_of(self, error))
        else:
            yield table_rich(rows, total, options.max_width, now=_now())

    def _repr_html_(self) -> str:
        """
        Give the table to a notebook.
        """
        return self._repr_mimebundle_()["text/html"]

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """
        Give the table to IPython in both forms, for one look at the engine.
        """
        try:
            rows, total = _look(self)
        except (CamundaError, ValueError) as error:
            line = _line_of(self, error)
            return {"text/plain": line, "text/html": f"<code>{html_text(line)}</code>"}
        now = _now()
        return {
            "text/plain": _rendered(rows, total, sys.stdout, now),
            "text/html": table_html(rows, total, now=now),
        }


#: The file names of what is typed: at the prompts of Python before and since 3.13, of `code`, which
#: Django's shell uses, and of bpython.
_PROMPTS: Final = ("<stdin>", "<python-input-", "<console>", "<bpython-input-")


def is_typed() -> bool:
    """
    Tell whether the caller of our caller is a line that has just been typed at a prompt.
    """
    code = sys._getframe(2).f_code
    return (
        hasattr(sys, "ps1")  # set where there is a prompt; a script may come by ``<stdin>`` as well
        and code.co_name == "<module>"
        and code.co_filename.startswith(_PROMPTS)
    )


def _look(selection: Any, first: int = FIRST) -> tuple[list[ExternalTask], int]:
    """
    Ask for the first tasks, and for the total where that leaves it open.
    """
    asked: Showable = selection
    rows = list(asked[:first])
    return rows, len(rows) if len(rows) < first else asked.count()


def _line_of(selection: Any, error: Exception | None = None) -> str:
    asked: Showable = selection
    line = visible(asked._line())
    line = line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}..."
    if error is None:
        return line
    said = error.in_short() if isinstance(error, CamundaError) else str(error)
    return visible(f"{line} (no tasks to show: {type(error).__name__}: {said})")


def _for_terminal(selection: Any, terminal: TextIO) -> str:
    try:
        return _rendered(*_look(selection), terminal, _now())
    except (CamundaError, ValueError) as error:
        return _line_of(selection, error)


def _rendered(rows: Sequence[ExternalTask], total: int, terminal: TextIO, now: datetime) -> str:
    """
    Give a table with colours where they can be seen and rich is installed, and a plain one else.
    """
    if terminal.isatty():
        try:
            from rich.console import Console
        except ImportError:  # an optional extra
            pass
        else:
            console = Console(file=terminal, highlight=False)
            with console.capture() as captured:
                console.print(table_rich(rows, total, console.width, now=now))
            return captured.get().rstrip("\n")
    return table_text(rows, total, _terminal_width(), now=now)


def _terminal_width() -> int:
    from shutil import get_terminal_size

    return get_terminal_size().columns


def _now() -> datetime:
    return datetime.now(timezone.utc)
