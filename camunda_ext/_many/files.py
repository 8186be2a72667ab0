"""
Whether a file says only what its owner has written.
"""

from __future__ import annotations

import os
import stat

#: May write it: its group, or everybody.
_OTHERS = stat.S_IWGRP | stat.S_IWOTH


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


def _refuse(found: os.stat_result, path: str) -> None:
    if found.st_uid not in (0, os.geteuid()):
        raise ValueError(f"{path} belongs to somebody else, who could write anything there")
    is_sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
    if found.st_mode & _OTHERS and not is_sticky:
        raise ValueError(f"{path} can be written by others: chmod go-w it")
