"""
Debian's packages that engines need beside Java, and the programs in them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import attrs

#: What Debian calls the folder of PostgreSQL's own programs, for each of its versions.
_POSTGRESQL: Final = "/usr/lib/postgresql/*/bin"
#: What Debian asks whether a service may be started.
_POLICY: Final = Path("/usr/sbin/policy-rc.d")


@attrs.frozen
class Package:
    """
    A package, and the programs that must be there.
    """

    name: str
    programs: tuple[str, ...]


def missing_programs(package: Package) -> str | None:
    """
    Say what this machine lacks of a Debian package; ``None`` if nothing.
    """
    lacking = [program for program in package.programs if found(program) is None]
    if not lacking:
        return None
    return f"`{lacking[0]}` is missing: on Debian, it comes with the package {package.name}."


def install(package: Package) -> None:
    """
    Install a Debian package where it is missing and that is allowed, without starting its service.
    """
    if missing_programs(package) is None or os.geteuid() != 0:
        return
    if shutil.which("apt-get") is None:
        return
    held_back = not _POLICY.exists()
    if held_back:
        _POLICY.write_text("#!/bin/sh\nexit 101\n")  # what tells Debian to start nothing
        _POLICY.chmod(0o755)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    wanted = ("apt-get", "install", "-qq", "--no-install-recommends", package.name)
    try:
        for command in (wanted, ("apt-get", "update", "-qq"), wanted):
            subprocess.run(command, env=quiet, stdin=subprocess.DEVNULL, capture_output=True)
            if missing_programs(package) is None:
                break
    finally:
        if held_back:
            _POLICY.unlink()


def found(program: str) -> Path | None:
    """
    Give where a program is; ``None`` if it is nowhere.
    """
    for folder in sorted(Path("/").glob(_POSTGRESQL[1:]), reverse=True):
        if (folder / program).exists():
            return folder / program
    # The folder of the superuser's programs is on no ordinary user's path.
    path = shutil.which(program, path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin")))
    return None if path is None else Path(path)
