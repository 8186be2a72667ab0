"""
Export of tasks, or of entries of their log, to files and data frames.
"""

from __future__ import annotations

import csv
import os
import secrets
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, Literal, TextIO, get_args, get_origin, get_type_hints

from camunda_ext._wire.json import dumps
from camunda_ext._wire.names import typed_fields, without_none
from camunda_ext._wire.value import Record, names_of
from camunda_ext.safety import csv_cell

#: How many rows are converted to a part of a data frame at a time.
_ROWS: Final = 10_000


@lru_cache(maxsize=8)
def column_types(kind: Any) -> dict[str, type]:
    """
    The type of each column for a class of results: `str`, `int`, `bool` or `datetime`, by the name
    of the column in ``to_dict()``.
    """
    hints: dict[str, Any] = {field.name: field.type for field in typed_fields(kind)}
    for name in names_of(kind):
        if name not in hints:
            hints[name] = get_type_hints(getattr(kind, name).fget)["return"]
    types = {name: without_none(hint) for name, hint in hints.items()}
    return {
        name: type(get_args(hint)[0]) if get_origin(hint) is Literal else hint
        for name, hint in types.items()
    }


# ------------------------------------------------------------------------------------------- files


@contextmanager
def new_file(path: str | Path, *, overwrite: bool) -> Iterator[TextIO]:
    """
    A file to write to, which gets its name at the end of the block. If the block raises an error,
    the file is removed.

    Raises:
        FileExistsError: The file exists and may not be replaced, or the path is no regular file, or
            a link whose target does not exist.

        FileNotFoundError: The directory does not exist.
    """
    if os.path.islink(path) and not os.path.exists(path):
        # The user who has created the link would choose where the tasks are written to.
        raise FileExistsError(f"{str(path)!r} is a link to {os.readlink(path)!r}, which is nothing")
    # If the path is a link, its target is replaced, and the link stays.
    target = Path(os.path.realpath(path))
    _refuse_existing(target, overwrite=overwrite)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"there is no directory {str(target.parent)!r}")
    partial = target.with_name(f".camunda_ext-{secrets.token_hex(8)}.part")
    try:
        # Half a surrogate pair has no form in UTF-8, and is escaped.
        with partial.open("x", encoding="utf-8", errors="backslashreplace", newline="") as file:
            if target.exists():
                # A private file stays private. Not all file systems have permissions.
                with suppress(OSError):
                    partial.chmod(stat.S_IMODE(target.stat().st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())  # or after a crash of the machine the file could be empty
        # Not all file systems have links.
        with suppress(OSError):
            if not overwrite:
                # Unlike renaming, this never replaces a file that another process has created
                # meanwhile.
                os.link(partial, target)
                return
        _refuse_existing(target, overwrite=overwrite)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _refuse_existing(target: Path, *, overwrite: bool) -> None:
    if target.exists() and not target.is_file():
        raise FileExistsError(f"{str(target)!r} is there, and is no file that could be replaced")
    if target.exists() and not overwrite:
        raise FileExistsError(f"{str(target)!r} is there: pass overwrite=True to replace it")


def write_jsonl(results: Iterable[Record], file: TextIO) -> int:
    """
    Write each result as a JSON object on a line, and return the number of results.
    """
    count = 0
    for result in results:
        file.write(dumps(result.to_dict()) + "\n")
        count += 1
    return count


def write_csv(results: Iterable[Record], file: TextIO, *, raw: bool, kind: Any) -> int:
    """
    Write a header with the columns of *kind*, the class of the results, and a row for each result
    as CSV; return the number of results.
    """
    writer = csv.writer(file, quoting=csv.QUOTE_ALL)
    writer.writerow(names_of(kind))
    to_values, count = attrgetter(*names_of(kind)), 0
    for result in results:
        row = to_values(result)
        writer.writerow([value if raw and type(value) is str else csv_cell(value) for value in row])
        count += 1
    return count


# ------------------------------------------------------------------------------------- data frames


def frame_maker(library: str | None, kind: Any) -> Callable[[Iterable[Record]], Any]:
    """
    A function that converts results of the class *kind* to a data frame of a library; ``None`` is
    for the first of both that is installed.

    Raises:
        ImportError, ValueError: As for `Selection.to_dataframe()`.
    """
    makers = {"pandas": _to_pandas, "polars": _to_polars}
    if library is not None and library not in makers:
        raise ValueError(f"library must be 'pandas', 'polars' or None, not {library!r:.60}")
    wanted = [library] if library else list(makers)
    for name in wanted:
        if name in sys.modules or find_spec(name) is not None:
            module, types = import_module(name), column_types(kind)
            return lambda results: makers[name](module, types, _parts(results, types))
    raise ImportError(
        f"a data frame needs {' or '.join(wanted)}: pip install 'camunda_ext[{wanted[0]}]'"
    )


def _parts(results: Iterable[Record], types: dict[str, type]) -> Iterator[dict[str, list[Any]]]:
    """
    Parts of the results as columns by name, with values that both libraries can convert. The first
    part has no results, so that there is one in any case.
    """
    to_values, rest = attrgetter(*types), iter(results)
    yield {name: [] for name in types}
    while rows := [to_values(result) for result in islice(rest, _ROWS)]:
        columns = zip(types.items(), zip(*rows, strict=True), strict=True)
        yield {name: list(map(_CONVERTERS[kind], column)) for (name, kind), column in columns}


def _escape_surrogates(text: str | None) -> str | None:
    if text is None or text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _in_utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    try:
        return moment.astimezone(timezone.utc)
    except OverflowError:  # in UTC it would be in the year 10000
        return datetime.max.replace(tzinfo=timezone.utc)


def _unchanged(value: Any) -> Any:
    return value


_CONVERTERS: Final[dict[type, Callable[[Any], Any]]] = {
    str: _escape_surrogates,
    datetime: _in_utc,
    int: _unchanged,
    bool: _unchanged,
}


def _to_pandas(pandas: Any, types: dict[str, type], parts: Iterable[dict[str, list[Any]]]) -> Any:
    dtypes = {str: "string", datetime: "datetime64[ms, UTC]", int: "Int64", bool: "boolean"}
    frames = (
        pandas.DataFrame(
            {name: pandas.Series(part[name], dtype=dtypes[kind]) for name, kind in types.items()}
        )
        for part in parts
    )
    return pandas.concat(frames, ignore_index=True)


def _to_polars(polars: Any, types: dict[str, type], parts: Iterable[dict[str, list[Any]]]) -> Any:
    dtypes = {
        str: polars.String,
        datetime: polars.Datetime("ms", "UTC"),
        int: polars.Int64,
        bool: polars.Boolean,
    }
    schema = {name: dtypes[kind] for name, kind in types.items()}
    return polars.concat(polars.DataFrame(part, schema=schema) for part in parts)
