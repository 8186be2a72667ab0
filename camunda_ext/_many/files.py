"""
Files that nobody else can have written.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

#: The rights to write of its group and of everybody.
_WRITE_RIGHTS_OF_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


def read_own_file(path: str | Path) -> str:
    """
    The text of a file in UTF-8 that only its user, or root, can have written: settings that say
    where credentials are sent, or the credentials themselves.

    Others may be able to read it. On Windows, rights are not looked at.

    Raises:
        ValueError: Somebody else could have written it, or put another file in its place; it is no
            file; or it is not in UTF-8.

        OSError: It cannot be read.
    """
    # Without O_NONBLOCK, to open a pipe that somebody has put there would wait for ever.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, encoding="utf-8") as file:
        refuse_shared_folder(path)
        refuse_shared_file(file.fileno(), path)
        return file.read()


def refuse_shared_folder(path: str | os.PathLike[str]) -> None:
    """
    Refuse the path of a file that somebody else may put another one in place of.

    Raises:
        ValueError: Its directory belongs to somebody else, or its group or others may write to it;
            one where everybody may remove only what is their own is fine.
    """
    # Whoever owns a link says where it leads.
    folders = {os.path.dirname(os.path.abspath(path)), os.path.dirname(os.path.realpath(path))}
    for folder in sorted(folders) if os.name != "nt" else ():
        if os.path.isdir(folder):
            _refuse(os.stat(folder), folder)


def refuse_shared_file(file: int, path: str | os.PathLike[str]) -> None:
    """
    Refuse an open file that somebody else may have written.

    Args:
        file: Its descriptor: what is looked at is what will be read.

    Raises:
        ValueError: It is no file, it belongs to somebody else, or its group or others may write to
            it.
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
