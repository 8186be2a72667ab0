"""
Everything about the package is declared in ``setup.cfg``.

Here is what setuptools leaves to chance: times, users and permissions in the files that it builds.
"""

from __future__ import annotations

import gzip
import os
import tarfile
from pathlib import Path
from typing import Final

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.sdist import sdist

# setuptools reads the variable for wheels alone. 1980 is the first year that a wheel can say.
_SECONDS: Final = int(os.environ.setdefault("SOURCE_DATE_EPOCH", "315532800"))


def _mode(actual: int) -> int:
    """
    The permissions of a file or folder, whatever the umask was when it was made.
    """
    return 0o755 if actual & 0o100 else 0o644


def _normalised(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mode = _mode(member.mode)
    member.mtime = _SECONDS
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


class Sdist(sdist):
    """
    An sdist that depends on nothing but the sources.
    """

    def make_archive(
        self,
        base_name: str | os.PathLike[str],
        format: str,  # noqa: A002  # so named by setuptools
        root_dir: object = None,
        base_dir: str | None = None,
        owner: str | None = None,
        group: str | None = None,
    ) -> str:
        """
        Pack the files in *base_dir*, as ``.tar.gz`` whatever the other arguments are.
        """
        path = f"{os.fspath(base_name)}.tar.gz"
        with (
            open(path, "wb") as file,
            # Neither the name of the file nor the time.
            gzip.GzipFile("", "wb", fileobj=file, mtime=_SECONDS) as compressed,
            tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            archive.add(str(base_dir), filter=_normalised)  # in the order of the names
        return path


class Wheel(bdist_wheel):
    """
    A wheel that depends on nothing but the sources.
    """

    def write_wheelfile(self, wheelfile_base: str, *arguments: str) -> None:
        """
        Write the last one of the files, and give all of them their permissions.
        """
        super().write_wheelfile(wheelfile_base, *arguments)
        for path in Path(wheelfile_base).parent.rglob("*"):
            path.chmod(_mode(path.stat().st_mode))


setup(cmdclass={"sdist": Sdist, "bdist_wheel": Wheel})
