"""
A server that costs next to nothing, in a process of its own: fixed answers, like an engine's.

It spins on the connection that it hears from, for what wakes a sleeping server costs as much as
the client that is measured; and sleeps when there has been nothing for a while. Told to delay its
answers, it never spins. It ends with its standard input, and so never outlives who started it.
"""

from __future__ import annotations

import re
import selectors
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Final

#: How long it spins without a request, in seconds.
_PATIENCE: Final = 0.005

_TASK: Final = (
    b'{"activityId":"SendInvoice","activityInstanceId":"SendInvoice:9bf3c1f4-c76c",'
    b'"errorMessage":null,"errorDetails":null,"executionId":"9bf3c1f3-c76c-11f0-a0c1-0242ac110002",'
    b'"id":"9bf3c1f5-c76c-11f0-a0c1-0242ac110002",'
    b'"lockExpirationTime":"2026-11-22T08:20:30.250+0000",'
    b'"createTime":"2026-11-22T08:15:30.250+0000",'
    b'"processDefinitionId":"invoice:3:8fd19c02-c76c-11f0-a0c1-0242ac110002",'
    b'"processDefinitionKey":"invoice","processDefinitionVersionTag":null,'
    b'"processInstanceId":"9bf3c1f0-c76c-11f0-a0c1-0242ac110002","retries":null,'
    b'"suspended":false,"workerId":"worker","topicName":"invoice.send","tenantId":null,'
    b'"priority":0,"businessKey":"INV-2026-17"}'
)
#: What Tomcat adds for a client that asks it to keep the connection, as requests does.
_TAIL: Final = (
    b"Date: Sun, 22 Nov 2026 08:15:31 GMT\r\n"
    b"Keep-Alive: timeout=60\r\nConnection: keep-alive\r\n\r\n"
)
_FOUND: Final = (
    b"HTTP/1.1 200 \r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n" % len(_TASK) + _TAIL + _TASK
)
_NO_CONTENT: Final = b"HTTP/1.1 204 \r\n" + _TAIL
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@contextmanager
def running(delay: float = 0.0) -> Iterator[str]:
    """
    Start the server, and give the URL of its REST API.

    Args:
        delay: How long each answer is held back, in seconds.
    """
    process = subprocess.Popen(
        [sys.executable, "-I", __file__, str(delay)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


class _Connection:
    """
    A connection, and what has come of its next request.
    """

    def __init__(self, raw: socket.socket) -> None:
        raw.setblocking(False)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._raw = raw
        self._received = b""
        self.is_open = True

    def read(self) -> bytes:
        """
        Read what is there, and give the answer that is due; nothing while a request is not whole.

        Raises:
            BlockingIOError: There is nothing to read.
        """
        try:
            piece = self._raw.recv(65536)
        except ConnectionError:
            piece = b""
        self.is_open = bool(piece)
        self._received += piece
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return b""
        length = _LENGTH.search(head)
        if length is not None and len(body) < int(length[1]):
            return b""
        self._received = b""
        return _FOUND if head.startswith(b"GET ") else _NO_CONTENT

    def answer(self, content: bytes) -> None:
        try:
            self._raw.sendall(content)
        except ConnectionError:
            self.is_open = False

    def spin(self) -> None:
        """
        Answer at once, until it is over or nothing has come for a while.
        """
        last = perf_counter()
        while self.is_open:
            try:
                content = self.read()
            except BlockingIOError:
                if perf_counter() - last > _PATIENCE:
                    return
                continue
            if content:
                self.answer(content)
            last = perf_counter()


def _serve(listener: socket.socket, delay: float) -> None:
    selector = selectors.DefaultSelector()
    selector.register(sys.stdin, selectors.EVENT_READ)
    selector.register(listener, selectors.EVENT_READ)
    waiting: deque[tuple[float, _Connection, bytes]] = deque()
    while True:
        rest = max(0.0, waiting[0][0] - perf_counter()) if waiting else None
        for key, _ in selector.select(rest):
            if key.fileobj is sys.stdin:
                return
            if key.fileobj is listener:
                raw, _address = listener.accept()
                selector.register(raw, selectors.EVENT_READ, _Connection(raw))
                continue
            connection: _Connection = key.data
            content = connection.read()
            if delay and content:
                waiting.append((perf_counter() + delay, connection, content))
            elif not delay:
                connection.answer(content)
                connection.spin()
            if not connection.is_open:
                raw = selector.unregister(key.fileobj).fileobj  # type: ignore[assignment]
                raw.close()
        while waiting and waiting[0][0] <= perf_counter():
            _, connection, content = waiting.popleft()
            connection.answer(content)


def main() -> None:
    """
    Serve until the standard input ends.
    """
    # An interrupt from the keyboard is for whoever started it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        print(f"http://127.0.0.1:{listener.getsockname()[1]}/engine-rest", flush=True)
        _serve(listener, float(sys.argv[1]))


if __name__ == "__main__":
    main()
