"""
How the story looks, on a terminal, in a file and in a pipe.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from types import NoneType
from typing import Final

from rich import box
from rich.console import Console, RenderableType
from rich.panel import Panel
from rich.rule import Rule
from rich.segment import Segment, Segments
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from camunda_ext.safety import visible

#: Longer lines are hard to read.
_WIDEST: Final = 96

#: Two texts side by side need as much.
_BOTH: Final = 76

_INDENT: Final = 4

#: For terminals that have no lines to draw with.
_ASCII: Final = str.maketrans("─│├┤┌┐└┘", "-|++++++")


class Page:
    """
    Prints steps, and what came of them.

    What an engine says is not trusted: no control character reaches the terminal, and nothing is
    read as markup.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._width = min(console.width, _WIDEST)
        self._steps = 0
        self._after_gap = True

    def title(self, text: str) -> None:
        """
        Print what all of it is about.
        """
        self._print(_text(text, "bold"), indent=0)
        self._gap()

    def step(self, action: Callable[[], None], *, waiting: str = "") -> None:
        """
        Print what *action* does, by its docstring and its code, and do it.

        Args:
            waiting: What a terminal shows meanwhile, for an action that takes long.
        """
        self._steps += 1
        headline, _, prose = inspect.cleandoc(action.__doc__ or "").partition("\n")
        self._gap()
        self._print(_text(f"{self._steps:2}. {headline.rstrip('.')}", "bold cyan"), indent=0)
        self._gap()
        self.say(prose)
        self._gap()
        code = Syntax("", "pycon", theme="ansi_dark").highlight(code_of(action))
        code.rstrip()
        code.no_wrap = False
        self._print(code)
        self._gap()
        with self._console.status(_text(waiting)) if waiting else nullcontext():
            action()

    def say(self, text: str, style: str = "") -> None:
        """
        Print a paragraph.
        """
        self._print(_text(" ".join(text.split()), style))

    def figure(self, text: str) -> None:
        """
        Print a drawing of the demo's own as it stands.
        """
        drawn = inspect.cleandoc(text)
        if self._console.options.ascii_only:
            drawn = drawn.translate(_ASCII)
        self._print(Text(drawn, "cyan"))

    def table(self, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
        """
        Print what came back, numbers to the right.
        """
        cells = [list(row) for row in rows]
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="dim")
        for index, column in enumerate(columns):
            kinds = {type(row[index]) for row in cells} - {NoneType}
            numbers = bool(kinds) and kinds <= {int, float}
            table.add_column(_text(column), justify="right" if numbers else "left", overflow="fold")
        for row in cells:
            table.add_row(*map(_cell, row))
        self._gap()
        self._print(table)
        self._gap()

    def side_by_side(self, left: tuple[str, str], right: tuple[str, str]) -> None:
        """
        Print two texts with their titles; the left one gets the room that it needs.

        Where there is no room for both, one is printed below the other.
        """
        self._gap()
        if self._width < _BOTH:
            for title, text in (left, right):
                self._print(_panel(title, text, expand=True))
        else:
            grid = Table.grid(padding=(0, 1, 0, 0), pad_edge=False, expand=True)
            grid.add_column()
            grid.add_column(ratio=1)
            grid.add_row(_panel(*left, expand=False), _panel(*right, expand=True))
            self._print(grid)
        self._gap()

    def rule(self) -> None:
        """
        Print that something else begins.
        """
        self._gap()
        # Without a title, rich would draw this line in a terminal of ASCII too.
        line = "-" if self._console.options.ascii_only else "─"
        self._print(Rule(characters=line, style="dim"), indent=0)
        self._gap()

    def hints(self, headline: str, hints: Iterable[tuple[str, str]]) -> None:
        """
        Print commands, and what each is for.
        """
        self._gap()
        self._print(_text(headline, "bold"))
        self.table(("command", "what it is for"), hints)

    def _gap(self) -> None:
        if not self._after_gap:
            self._console.print()
        self._after_gap = True

    def _print(self, shown: RenderableType, *, indent: int = _INDENT) -> None:
        """
        Print something without the spaces that rich would fill the lines up with.
        """
        options = self._console.options.update(width=self._width - indent)
        for line in self._console.render_lines(shown, options, pad=False):
            while line and not line[-1].text.strip():
                line.pop()
            if line:
                line[-1] = Segment(line[-1].text.rstrip(), line[-1].style)
                line.insert(0, Segment(" " * indent))
            self._console.print(Segments([*line, Segment.line()]), end="")
        self._after_gap = False


def code_of(action: Callable[[], None]) -> str:
    """
    The code of a method as one would type it at the prompt of Python.
    """
    source = textwrap.dedent(inspect.getsource(action))
    function = ast.parse(source).body[0]
    if not isinstance(function, ast.FunctionDef):
        raise TypeError(f"{action!r} is no plain method")
    _, *statements = function.body
    lines = textwrap.dedent("\n".join(source.splitlines()[_first_line(statements[0]) - 1 :]))
    return "\n".join(_prompted(lines.splitlines(), statements)).replace("self.", "")


def _prompted(lines: list[str], statements: list[ast.stmt]) -> Iterator[str]:
    above = _first_line(statements[0])
    for statement in statements:
        first = _first_line(statement)
        for number in range(first, (statement.end_lineno or first) + 1):
            prompt = ">>>" if number == first else "..."
            yield f"{prompt} {lines[number - above]}"


def _first_line(statement: ast.stmt) -> int:
    """
    The number of a statement's first line, which may be one of a decorator.
    """
    nodes: list[ast.stmt | ast.expr] = [statement, *getattr(statement, "decorator_list", ())]
    return min(node.lineno for node in nodes)


def _text(text: str, style: str = "") -> Text:
    return Text(visible(text), style)


def _cell(value: object) -> Text:
    return Text("-", "dim") if value is None else _text(str(value))


def _panel(title: str, text: str, *, expand: bool) -> Panel:
    lines = Text("\n").join(_text(line) for line in text.splitlines())
    shown = _text(title, "bold")
    return Panel(lines, title=shown, title_align="left", border_style="dim", expand=expand)
