"""
The official JavaScript client, for comparison; npm fetches it once.
"""

from __future__ import annotations

import math
import shutil
import subprocess
from pathlib import Path
from typing import Final

from tests.benchmarks._rounds import Took

_PACKAGE: Final = "camunda-external-task-client-js@3.1.0"
_SCRIPT: Final = Path(__file__).with_name("worker.mjs")
_HOME: Final = _SCRIPT.parents[2] / "build" / "javascript"
_LONGEST: Final = 300.0


def install() -> str | None:
    """
    Fetch the client; return why it cannot be had, or ``None``.
    """
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "there is no Node.js with npm"
    if not (_HOME / "node_modules").exists():
        _HOME.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--silent", "--no-fund", "--no-audit", _PACKAGE]
        done = subprocess.run(
            command, cwd=_HOME, capture_output=True, text=True, timeout=_LONGEST, check=False
        )
        if done.returncode:
            return f"npm cannot fetch it: {done.stderr[-200:]}"
    # Node looks for packages beside the script.
    shutil.copy(_SCRIPT, _HOME)
    return None


def handle(url: str, topic: str, tasks: int, slots: int) -> Took:
    """
    Handle tasks by as many calls at the same time as there are slots.
    """
    done = subprocess.run(
        ["node", _SCRIPT.name, url, topic, str(tasks), str(slots)],
        cwd=_HOME,
        capture_output=True,
        text=True,
        timeout=_LONGEST,
        check=True,
    )
    return Took(wall=float(done.stdout), cpu=math.nan)
