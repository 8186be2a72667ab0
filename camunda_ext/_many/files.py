"""
Files that no other user can have written.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

#: The permission bits that let the file's group, or everybody, write to it.
_WRITE_RIGHTS_OF_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


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
