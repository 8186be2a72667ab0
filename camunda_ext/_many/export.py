"""
Tasks in files and data frames, one after the other, with a look at how far it is.
"""

from __future__ import annotations

import csv
import os
import re
import secrets
import stat
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from importlib import import_module
from importlib.util import find_spec
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, TextIO

import attrs

from camunda_ext._display.progress import Progress, check, telling
from camunda_ext._wire.json import dumps
from camunda_ext.dto import ExternalTask

NAMES: Final = tuple(field.name for field in attrs.fields(ExternalTask))

_values: Final[Callable[[ExternalTask], tuple[Any, ...]]] = attrgetter(*NAMES)
#: The first word of each field's type, as it is written: the fields themselves know it so no more
#: once an answer was read.
_KINDS: Final = {name: ExternalTask.__annotations__[name].partition(" ")[0] for name in NAMES}
_DATES: Final = tuple(name for name, kind in _KINDS.items() if kind == "datetime")

#: What spreadsheets begin a formula with; the wide forms count in some places.
_SIGNS: Final = "=+\\-@＝＋－＠﹢﹣﹦−"  # noqa: RUF001
#: What has no shape of its own, which some spreadsheets skip: control characters, spaces, what only
#: formats (categories Zs and Cf of Unicode), marks, fillers and what is no character; and quotes,
#: which a parser takes away.
_UNSEEN: Final = (
    '"\\x00-\\x08\\x0b\\x0c\\x0e-\\x20\\x7f-\\xa0\\xad\\u0300-\\u036f\\u0600-\\u0605\\u061c\\u06dd'
    "\\u070f\\u0890\\u0891\\u08e2\\u115f\\u1160\\u1680\\u17b4\\u17b5\\u180b-\\u180f\\u2000-\\u200f"
    "\\u2028-\\u202f\\u205f-\\u206f\\u20d0-\\u20ff\\u2800\\u3000\\u3164\\ud800-\\uf8ff\\ufe00-\\ufe0f"
    "\\ufe20-\\ufe2f\\ufeff\\uffa0\\ufff0-\\uffff\\U000110bd\\U000110cd\\U00013430-\\U0001343f"
    "\\U0001bca0-\\U0001bca3\\U0001d173-\\U0001d17a\\U000e0000-\\U000e0fff"
)
_FORMULA: Final = re.compile(rf"[\t\r\n]|[{_UNSEEN}]*[{_SIGNS}]")
#: Where a semicolon, a bar or a tab parts the cells, what follows one is a cell; so is a new line.
_INNER_FORMULA: Final = re.compile(rf"([;|\t\r\n][{_UNSEEN}]*)([{_SIGNS}])")
#: How many rows become a part of a data frame at a time.
_ROWS: Final = 10_000
#: What the progress is of.
_WHAT: Final = "tasks"


def to_dict(task: ExternalTask) -> dict[str, Any]:
    """
    Give the fields of a task by name.
    """
    return dict(zip(NAMES, _values(task), strict=True))


# ------------------------------------------------------------------------------------------- files


@contextmanager
def new_file(path: str | Path, *, overwrite: bool) -> Iterator[TextIO]:
    """
    Open a file that gets its name when all is written to it, and is gone if something goes wrong.

    Raises:
        FileExistsError: There is such a file and it is not to be overwritten, or it is no file, or
            it is a link to nothing.
        FileNotFoundError: There is no such directory.
    """
    _refuse_link_to_nothing(path)
    # A link stays one: what it leads to is replaced.
    target = Path(os.path.realpath(path))
    _refuse_existing(target, overwrite=overwrite)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"there is no directory {str(target.parent)!r}")
    partial = target.with_name(f".camunda_ext-{secrets.token_hex(8)}.part")
    try:
        # What has no form in UTF-8, the half of an emoji, is escaped.
        with partial.open("x", encoding="utf-8", errors="backslashreplace", newline="") as file:
            if target.exists():
                # What is private stays private. Not all file systems have such rights.
                with suppress(OSError):
                    partial.chmod(stat.S_IMODE(target.stat().st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())  # or a crash of the machine could leave the name alone
        if overwrite or not _linked(partial, target):
            _refuse_existing(target, overwrite=overwrite)
            partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _linked(partial: Path, target: Path) -> bool:
    """
    Give a file another name, unless this is one already; tell whether the file system can do that.
    """
    try:
        os.link(partial, target)
    except FileExistsError:
        _refuse_existing(target, overwrite=False)
        raise
    except OSError:
        return False
    return True


def _refuse_link_to_nothing(path: str | Path) -> None:
    if os.path.islink(path) and not os.path.exists(path):
        # Whoever has put it there would say where the tasks go.
        raise FileExistsError(f"{str(path)!r} is a link to {os.readlink(path)!r}, which is nothing")


def _refuse_existing(target: Path, *, overwrite: bool) -> None:
    if target.exists() and not target.is_file():
        raise FileExistsError(f"{str(target)!r} is there, and is no file that could be replaced")
    if target.exists() and not overwrite:
        raise FileExistsError(f"{str(target)!r} is there: pass overwrite=True to replace it")


def write_jsonl(tasks: Iterable[ExternalTask], file: TextIO) -> int:
    """
    Write a JSON object a line, and give their number.
    """
    count = 0
    for task in tasks:
        row = to_dict(task)
        for name in _DATES:
            row[name] = to_text(row[name])
        file.write(dumps(row) + "\n")
        count += 1
    return count


def write_csv(tasks: Iterable[ExternalTask], file: TextIO, *, raw: bool) -> int:
    """
    Write a header and a row a task, and give the number of tasks.
    """
    writer = csv.writer(file, quoting=csv.QUOTE_ALL)
    writer.writerow(NAMES)
    count = 0
    for task in tasks:
        writer.writerow([to_cell(value, raw=raw) for value in _values(task)])
        count += 1
    return count


def to_cell(value: object, *, raw: bool) -> object:
    if isinstance(value, str):
        return value if raw else _guarded(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return to_text(value) if isinstance(value, datetime) else value


def _guarded(text: str) -> str:
    guarded = _INNER_FORMULA.sub(r"\1'\2", text)
    return f"'{guarded}" if _FORMULA.match(text) else guarded


def to_text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds")


# ------------------------------------------------------------------------------------- data frames


def frame_maker(library: str | None) -> Callable[[Iterable[ExternalTask]], Any]:
    """
    Give what makes a data frame of tasks.

    Raises:
        ImportError: The library is not installed; with ``None``, neither is.
        ValueError: It is none of the two.
    """
    makers = {"pandas": _to_pandas, "polars": _to_polars}
    if library is not None and library not in makers:
        raise ValueError(f"library must be 'pandas', 'polars' or None, not {library!r:.60}")
    wanted = [library] if library else list(makers)
    for name in wanted:
        if name in sys.modules or find_spec(name) is not None:
            module = import_module(name)
            return lambda tasks: makers[name](module, _parts(tasks))
    raise ImportError(
        f"a data frame needs {' or '.join(wanted)}: pip install 'camunda_ext[{wanted[0]}]'"
    )


def _parts(tasks: Iterable[ExternalTask]) -> Iterator[dict[str, list[Any]]]:
    """
    Give columns of some tasks at a time, in the forms that any data frame can hold.
    """
    rest = iter(tasks)
    while rows := [_values(task) for task in islice(rest, _ROWS)]:
        columns = dict(zip(NAMES, map(list, zip(*rows, strict=True)), strict=True))
        yield {name: list(map(_SHAPES[_KINDS[name]], each)) for name, each in columns.items()}


def _whole(text: str | None) -> str | None:
    if text is None or text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _in_utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    try:
        return moment.astimezone(timezone.utc).replace(tzinfo=None)
    except OverflowError:  # in UTC it is beyond the year 9999
        return datetime.max


def _same(value: Any) -> Any:
    return value


_SHAPES: Final[dict[str, Callable[[Any], Any]]] = {
    "str": _whole,
    "datetime": _in_utc,
    "int": _same,
    "bool": _same,
}


def _to_pandas(pandas: Any, parts: Iterable[dict[str, list[Any]]]) -> Any:
    kinds = {"str": "string", "datetime": "datetime64[ms]", "int": "Int64", "bool": "boolean"}

    def to_frame(columns: dict[str, list[Any]]) -> Any:
        made = {
            name: pandas.Series(each, dtype=kinds[_KINDS[name]]) for name, each in columns.items()
        }
        for name in _DATES:
            made[name] = made[name].dt.tz_localize("UTC")
        return pandas.DataFrame(made)

    frames = [to_frame(columns) for columns in parts]
    return pandas.concat(frames, ignore_index=True) if frames else to_frame(_nothing())


def _to_polars(polars: Any, parts: Iterable[dict[str, list[Any]]]) -> Any:
    kinds = {
        "str": polars.String,
        "datetime": polars.Datetime("ms"),
        "int": polars.Int64,
        "bool": polars.Boolean,
    }
    schema = {name: kinds[kind] for name, kind in _KINDS.items()}

    def to_frame(columns: dict[str, list[Any]]) -> Any:
        frame = polars.DataFrame(columns, schema=schema)
        return frame.with_columns(polars.col(*_DATES).dt.replace_time_zone("UTC"))

    frames = [to_frame(columns) for columns in parts]
    return polars.concat(frames) if frames else to_frame(_nothing())


def _nothing() -> dict[str, list[Any]]:
    return {name: [] for name in NAMES}


# ---------------------------------------------------------------------------------------- progress


def counted(
    tasks: Iterable[ExternalTask], progress: Progress, count: Callable[[], int], every: int
) -> Generator[ExternalTask, None, None]:
    """
    Give all *tasks*, and tell after *every* so many of them how far it is.

    Args:
        count: Gives the number of all; it is called once, if anybody wants to know.
    """
    check(progress)
    return _counted(tasks, progress, count, every)


def _counted(
    tasks: Iterable[ExternalTask], progress: Progress, count: Callable[[], int], every: int
) -> Generator[ExternalTask, None, None]:
    if progress is False:
        yield from tasks
        return
    total, done = count(), 0
    with telling(progress, _WHAT) as tell:
        tell(0, total)
        for done, task in enumerate(tasks, 1):
            yield task
            if not done % every:
                tell(done, total)
        if done % every:
            tell(done, total)
