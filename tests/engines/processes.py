"""
Commands that come to an end, and servers that go on until they are told to.
"""

from __future__ import annotations

import fcntl
import random
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

#: Where engines are put together, and run.
BUILD: Final = Path(__file__).resolve().parents[2] / "build" / "engines"
#: Below those that a system hands out by itself, to tests that run meanwhile as well.
_PORTS: Final = range(20_000, 30_000)
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


@contextmanager
def only_one_process() -> Iterator[None]:
    """
    Wait for other processes of this checkout, such as workers of pytest-xdist, to leave the block.
    """
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


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
    A port of loopback that nobody listens on.
    """
    while True:
        port = random.choice(_PORTS)  # noqa: S311  # no secret
        with socket.socket() as chosen, suppress(OSError):  # somebody listens there
            chosen.bind(("127.0.0.1", port))
            return port


def _takes_connections(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return True
    except OSError:
        return False
