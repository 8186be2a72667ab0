"""
The rules of safety that the package keeps itself, for programs that show, export or read things.
"""

from __future__ import annotations

import os
import re
import stat
from datetime import datetime
from pathlib import Path
from typing import Final

from camunda_ext._wire.text import visible
from camunda_ext._wire.value import to_json

__all__ = ["csv_cell", "read_own_file", "visible"]

#: Characters that begin a formula in a spreadsheet; the wide forms do so in some locales.
_SIGNS: Final = "=+\\-@＝＋－＠﹢﹣﹦−"  # noqa: RUF001
#: Invisible characters, which some spreadsheets skip before a formula: control characters, spaces,
#: format characters (categories Zs and Cf of Unicode), marks, fillers and noncharacters; and the
#: quote, which a parser of CSV removes.
_UNSEEN: Final = (
    '"\\x00-\\x08\\x0b\\x0c\\x0e-\\x20\\x7f-\\xa0\\xad\\u0300-\\u036f\\u0600-\\u0605\\u061c\\u06dd'
    "\\u070f\\u0890\\u0891\\u08e2\\u115f\\u1160\\u1680\\u17b4\\u17b5\\u180b-\\u180f\\u2000-\\u200f"
    "\\u2028-\\u202f\\u205f-\\u206f\\u20d0-\\u20ff\\u2800\\u3000\\u3164\\ud800-\\uf8ff\\ufe00-\\ufe0f"
    "\\ufe20-\\ufe2f\\ufeff\\uffa0\\ufff0-\\uffff\\U000110bd\\U000110cd\\U00013430-\\U0001343f"
    "\\U0001bca0-\\U0001bca3\\U0001d173-\\U0001d17a\\U000e0000-\\U000e0fff"
)
_FORMULA: Final = re.compile(rf"[\t\r\n]|[{_UNSEEN}]*[{_SIGNS}]")
#: A formula within a text: where a semicolon, a bar or a tab separates cells, the text after one
#: is a cell of its own, and so is a new line.
_INNER_FORMULA: Final = re.compile(rf"([;|\t\r\n][{_UNSEEN}]*)([{_SIGNS}])")
#: The permission bits that let the file's group, or everybody, write to it.
_WRITE_RIGHTS_OF_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


# --------------------------------------------------------------------------------- cells of tables


def csv_cell(value: object) -> object:
    """
    The *value* as a cell of a CSV file with columns of your own.

    It is written as by `~camunda_ext.Selection.to_csv()`.

    A text that a spreadsheet could take for a formula gets a ``'`` before it, a `bool` is ``true``
    or ``false``, and a date is in ISO 8601. All cells should be quoted, as by
    ``csv.writer(file, quoting=csv.QUOTE_ALL)``.
    """
    if isinstance(value, str):
        return _guarded(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return to_json(value) if isinstance(value, datetime) else value


def _guarded(text: str) -> str:
    guarded = _INNER_FORMULA.sub(r"\1'\2", text)
    return f"'{guarded}" if _FORMULA.match(text) else guarded


# -------------------------------------------------------------- files that nobody else has written


def read_own_file(path: str | Path) -> str:
    """
    The text of a UTF-8 file that only the current user, or root, can have written, such as one with
    credentials, or with the URL that they are sent to.

    Other users may be able to read it. On Windows, permissions are not checked.

    Raises:
        ValueError: Another user could have written the file, or replaced it by another one; or it
            is no regular file, or not in UTF-8.

        OSError: The file cannot be read.
    """
    # Without O_NONBLOCK, opening a pipe that another user has put there would wait for ever.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, encoding="utf-8") as file:
        refuse_shared_folder(path)
        refuse_shared_file(file.fileno(), path)
        return file.read()


def refuse_shared_folder(path: str | os.PathLike[str]) -> None:
    """
    Refuse the path of a file that another user could replace by a file of their own.

    Raises:
        ValueError: The directory of the file belongs to another user, or its group or others may
            write to it. A sticky directory, where users may remove only their own files, is fine.
    """
    # If the path is a link, the owner of the link's directory could change its target.
    folders = {os.path.dirname(os.path.abspath(path)), os.path.dirname(os.path.realpath(path))}
    for folder in sorted(folders) if os.name != "nt" else ():
        if os.path.isdir(folder):
            _refuse(os.stat(folder), folder)


def refuse_shared_file(file: int, path: str | os.PathLike[str]) -> None:
    """
    Refuse an open file that another user could have written. *file* is its descriptor, so that the
    checked file is the one that is read; *path* is for the error.

    Raises:
        ValueError: It is no regular file, it belongs to another user, or its group or others may
            write to it.
    """
    if not stat.S_ISREG(os.fstat(file).st_mode):
        raise ValueError(f"{os.fspath(path)} is no file")
    if os.name != "nt":
        _refuse(os.fstat(file), os.fspath(path))


def _refuse(status: os.stat_result, path: str) -> None:
    if status.st_uid not in (0, os.geteuid()):
        raise ValueError(f"{path} belongs to somebody else, who could write anything there")
    is_sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
    if status.st_mode & _WRITE_RIGHTS_OF_OTHERS and not is_sticky:
        raise ValueError(f"{path} can be written by others: chmod go-w it")
