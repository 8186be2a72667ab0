"""
Commands that come to an end, and servers that go on until they are told to.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_STOP_WITHIN: Final = 20.0
_LOG_LINES: Final = 20


class PreparationFailed(RuntimeError):
    """
    Says which command failed while an engine was put together, with its output.
    """


class ServerDidNotStart(RuntimeError):
    """
    Says which server did not become ready, with the end of its log.
    """


def run(*command: str, cwd: Path | None = None) -> None:
    """
    Run a command to its end.
    """
    done = subprocess.run(
        command,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise PreparationFailed(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")


def start_server(
    command: Sequence[str], *, port: int, folder: Path, how: signal.Signals
) -> subprocess.Popen[bytes]:
    """
    Start a server in a folder, and wait until it takes connections.

    Args:
        how: The signal that ends it; the kernel sends it when this process ends, however that does.
    """
    log = folder / "log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            ("setpriv", f"--pdeathsig={how.name[3:]}", *command),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C is for this process, which then ends the server.
            start_new_session=True,
        )
    deadline = time.monotonic() + 60.0
    while not _takes_connections(port):
        if process.poll() is not None or time.monotonic() > deadline:
            end(process, signal.SIGKILL)
            said = log.read_text("utf-8", errors="replace").splitlines()[-_LOG_LINES:]
            raise ServerDidNotStart("\n".join([f"{' '.join(command)} did not start.", *said]))
        time.sleep(0.05)
    return process


def end(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
    """
    End a process, by force if it takes its time.
    """
    process.send_signal(how)
    try:
        process.wait(_STOP_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()


def free_port() -> int:
    """
    Give a port of loopback that nobody listens on.
    """
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port: int = chosen.getsockname()[1]
        return port


def _takes_connections(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return True
    except OSError:
        return False
