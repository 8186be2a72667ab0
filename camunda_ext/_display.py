"""
How tasks and queries look at a prompt and in a notebook.

What an engine answers is not trusted: no control character of it gets out of here, and nothing of
it is read as markup. What only some of this needs is imported by the functions that need it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TextIO

import attrs

from camunda_ext import _wire
from camunda_ext._value import Value
from camunda_ext._value import visible as visible
from camunda_ext.dto import ExternalTask
from camunda_ext.errors import CamundaError

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, Group, RenderResult

    from camunda_ext import _table

#: How many tasks a prompt or a notebook shows.
FIRST: Final = 10

#: How much is shown of one field; a message has at most 666 characters.
_LONGEST: Final = 666

# -------------------------------------------------------------------------------------------- cells


def age(moment: datetime, now: datetime) -> str:
    """
    Give the time between *moment* and *now* as people say it: ``3 min ago``, ``in 2 h``.

    It is cut to whole units, of which there are at least two, so ``119 min`` comes before ``2 h``.
    """
    seconds = (moment - now).total_seconds()
    number, unit = int(abs(seconds)), "s"
    for size, larger, least in _UNITS:
        if abs(seconds) >= least:
            number, unit = int(abs(seconds) // size), larger
    if not number:
        return "now"
    return f"in {number} {unit}" if seconds > 0 else f"{number} {unit} ago"


#: Seconds in a unit, its name, and from how many seconds on it is used.
_UNITS: Final = (
    (60, "min", 120),
    (3600, "h", 2 * 3600),
    (86400, "d", 2 * 86400),
    (31556952, "y", 2 * 31556952),
)


def _age_or_nothing(moment: datetime | None, now: datetime) -> str:
    return "" if moment is None else age(moment, now)


def _first_line(text: str | None) -> str | None:
    """
    Give what a message begins with; often a stack trace follows.
    """
    first, _, rest = (text or "").strip("\r\n").partition("\n")
    return f"{first.rstrip()} …" if rest else first or None


class _Column(NamedTuple):
    title: str
    cell: Callable[[ExternalTask, datetime], object]
    is_number: bool = False


#: From left to right; what nothing is known of in any row is left out.
_COLUMNS: Final = (
    _Column("id", lambda task, _: task.id),
    _Column("topic", lambda task, _: task.topic_name),
    _Column("worker", lambda task, _: task.worker_id),
    _Column("lock ends", lambda task, now: _age_or_nothing(task.lock_expiration_time, now)),
    _Column("retries", lambda task, _: task.retries, is_number=True),
    _Column("priority", lambda task, _: task.priority or None, is_number=True),
    _Column("suspended", lambda task, _: "yes" if task.suspended else None),
    _Column("created", lambda task, now: _age_or_nothing(task.create_time, now)),
    _Column("business key", lambda task, _: task.business_key),
    _Column("error", lambda task, _: _first_line(task.error_message)),
)

#: Which columns are narrowed, one after the other, and down to which width. The beginning of an id
#: tells tasks apart, and messages are read from their beginning.
_NARROWED: Final = (
    ("error", 32),
    ("business key", 16),
    ("id", 9),
    ("error", 16),
    ("business key", 10),
    ("worker", 8),
    ("topic", 8),
)

#: Which columns are left out first where all of them have no room.
_LEFT_OUT: Final = (
    "priority",
    "business key",
    "suspended",
    "error",
    "created",
    "worker",
    "lock ends",
    "retries",
    "topic",
)


def _cells(
    rows: Sequence[ExternalTask], now: datetime, longest: int = _LONGEST
) -> dict[_Column, list[str]]:
    """
    Give the text of each cell, column by column.
    """
    cells = {
        column: [_text(column.cell(task, now), longest) for task in rows] for column in _COLUMNS
    }
    return {column: texts for column, texts in cells.items() if any(texts)}


def _text(value: object, longest: int) -> str:
    text = "" if value is None else str(value)
    return visible(text if len(text) <= longest else text[:longest] + "…")


def _said_of(shown: int, total: int) -> str:
    """
    Give the line below a table.
    """
    total = max(shown, total)  # some may have come since they were counted
    noun = "task" if total == 1 else "tasks"
    return f"{total:,} {noun}" if shown == total else f"{shown:,} of {total:,} {noun}"


# --------------------------------------------------------------------------------------- a terminal


def table_text(rows: Sequence[ExternalTask], total: int, width: int = 80, *, now: datetime) -> str:
    """
    Give a table of *rows* as plain text, and below it how many there are in *total*.

    Args:
        width: How many columns the terminal has.
    """
    from camunda_ext._table import lines

    return "\n".join([*lines(_fitted(rows, width, now)), _said_of(len(rows), total)])


def table_rich(
    rows: Sequence[ExternalTask], total: int, width: int = 80, *, now: datetime
) -> Group:
    """
    Give the same for rich to print.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from camunda_ext._table import GAP

    # `Text` is never read as markup, and no codes like ``:bomb:`` are replaced in it.
    table = Table(box=None, padding=0, pad_edge=False)
    fitted = _fitted(rows, width, now)
    for index, (column, room) in enumerate(fitted):
        if index:
            # A column of its own, for versions of rich differ in the padding of the last one.
            table.add_column(width=GAP)
        table.add_column(
            Text(column.title, "bold"),
            width=room,
            no_wrap=True,
            justify="right" if column.is_number else "left",
        )
    styles = ["red" if column.title == "error" else "" for column, _ in fitted]
    for texts in zip(*(column.texts for column, _ in fitted), strict=True):
        cells = map(Text, texts, styles)
        _, *spaced = (one for cell in cells for one in ("", cell))
        table.add_row(*spaced)
    said = Text(_said_of(len(rows), total), "dim")
    return Group(table, said) if fitted else Group(said)


def _fitted(
    rows: Sequence[ExternalTask], width: int, now: datetime
) -> list[tuple[_table.Column, int]]:
    from camunda_ext import _table

    columns = [
        _table.Column(column.title, texts, column.is_number)
        for column, texts in _cells(rows, now).items()
    ]
    return _table.fitted(columns, width, narrowed=_NARROWED, left_out=_LEFT_OUT)


# --------------------------------------------------------------------------------------- a notebook


def table_html(rows: Sequence[ExternalTask], total: int, *, now: datetime) -> str:
    """
    Give a table of *rows* as HTML for a notebook: no script, and nothing from elsewhere.
    """
    cells = _cells(rows, now)
    titles = "".join(f"<th>{column.title}</th>" for column in cells)
    lines = "".join(
        f"<tr>{''.join(_html_cell(column, texts[row]) for column, texts in cells.items())}</tr>"
        for row in range(len(rows) if cells else 0)
    )
    # Notebooks would set as formulas what stands between two dollar signs.
    return (
        '<table class="tex2jax_ignore mathjax_ignore">'
        f"<caption>{_said_of(len(rows), total)}</caption>"
        f"<thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table>"
    )


def _html_cell(column: _Column, text: str) -> str:
    side = "right" if column.is_number else "left"
    # Text that runs from right to left turns nothing around that stands beside it.
    return f'<td style="text-align: {side}"><bdi>{_escaped(text)}</bdi></td>'


def _escaped(text: str) -> str:
    from html import escape

    return escape(visible(text))


# ----------------------------------------------------------------------------- what shows its tasks


class Selected(Protocol):
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
            return {"text/plain": line, "text/html": f"<code>{_escaped(line)}</code>"}
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
    asked: Selected = selection
    rows = list(asked[:first])
    return rows, len(rows) if len(rows) < first else asked.count()


def _line_of(selection: Any, error: Exception | None = None) -> str:
    asked: Selected = selection
    line = visible(asked._line())
    line = line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."
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


# ---------------------------------------------------------------------------------------- a request


class Explained(Protocol):
    """
    What `explanation_of()` needs of a query.
    """

    def body(self) -> dict[str, Any]: ...

    def params(self) -> dict[str, str]: ...


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Explanation(Value):
    """
    What a query would send, for a person to read.

    It knows no client: neither who asks nor any header of yours is in it.
    """

    #: The URL of the POST request.
    url: str

    #: The body of the POST request, as JSON on several lines.
    body: str

    #: The URL of the GET request that asks for the same; ``None`` if GET has no form for it.
    get_url: str | None

    #: Why GET has no form for it; ``None`` if it has one.
    why_no_get: str | None

    #: The POST request as a command for a shell of POSIX.
    curl: str

    #: Filters that not every engine knows, each with the version that brought it.
    young: Mapping[str, str] = attrs.field(hash=False)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    # At a prompt nothing but `repr` is called, and it is made to be looked at.
    __repr__ = __str__

    def _lines(self) -> Iterator[str]:
        yield from (f"POST {self.url}", "Content-Type: application/json", "", self.body, "")
        yield f"No GET: {self.why_no_get}" if self.get_url is None else f"GET {self.get_url}"
        yield from ("", self.curl)
        if self.young:
            named = ", ".join(f"{name} (since {since})" for name, since in self.young.items())
            yield from ("", f"Ignored by older engines: {named}")


def explanation_of(
    query: Explained, base_url: str, path: str, *, young: Mapping[str, str]
) -> Explanation:
    """
    Explain a query that is sent to a *path* below *base_url*.

    Raises:
        ValueError: *base_url* is no URL that could be shown.
    """
    base = _base(base_url)
    url, body = base + path, query.body()
    get_url, why_no_get = None, None
    try:
        get_url = _wire.url(base, path, {}, query.params())
    except ValueError as error:
        why_no_get = visible(str(error))
    return Explanation(
        url=url,
        body=_visible_json(body, indent=2),
        get_url=get_url,
        why_no_get=why_no_get,
        curl=_curl(url, _visible_json(body)),
        young=young,
    )


def _base(url: str) -> str:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("base_url is no URL: look at its host") from None
    if "@" in parts.netloc:
        # What is refused is not repeated: it may hold a password.
        raise ValueError("base_url must not hold credentials")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("base_url must begin with http:// or https:// and a host")
    if parts.query or parts.fragment or not url.isprintable() or " " in url:
        raise ValueError("base_url must end with its path, and have no space or control character")
    return url.rstrip("/")


def _visible_json(body: Mapping[str, Any], indent: int | None = None) -> str:
    """
    Write JSON that means what the client sends, readable, and with nothing a terminal would obey.
    """
    text = json.dumps(body, ensure_ascii=False, indent=indent)
    # What could be obeyed stands within quotes, where JSON has an escape for any character; a line
    # break within quotes is escaped already.
    return "".join(
        one
        if one.isprintable() or one == "\n"
        else "".join(f"\\u{unit:04x}" for unit in _utf16(one))
        for one in text
    )


def _utf16(character: str) -> Iterator[int]:
    content = character.encode("utf-16-be", "surrogatepass")
    for start in range(0, len(content), 2):
        yield int.from_bytes(content[start : start + 2], "big")


def _curl(url: str, body: str) -> str:
    from shlex import quote

    return (
        f"curl -X POST {quote(url)} \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        f"  --data-raw {quote(body)}"
    )
