"""
A server that costs next to nothing, in a process of its own: fixed answers, like an engine's.

It spins on the connection that it hears from, for what wakes a sleeping server costs as much as
the client that is measured; and sleeps when there has been nothing for a while. Told to delay its
answers, or to give pages of many tasks, it never spins: beside these, to wake it costs nothing. It
ends with its standard input, and so never outlives who started it.
"""

from __future__ import annotations

import re
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from heapq import heappop, heappush
from itertools import accumulate, count, takewhile
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
_HEAD: Final = b"HTTP/1.1 200 \r\nContent-Type: application/json\r\nContent-Length: %d\r\n" + _TAIL
_FOUND: Final = _HEAD % len(_TASK) + _TASK
_NO_CONTENT: Final = b"HTTP/1.1 204 \r\n" + _TAIL
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_FIRST: Final = re.compile(rb"[?&]firstResult=(\d+)")
_MOST: Final = re.compile(rb"[?&]maxResults=(\d+)")
_FETCH: Final = b"POST /engine-rest/external-task/fetchAndLock "
_WORKER: Final = re.compile(rb'"workerId": *"([^"]*)"')
_MOST_TASKS: Final = re.compile(rb'"maxTasks": *(\d+)')
_numbers: Final = count(10**9)


@contextmanager
def running(
    delay: float = 0.0, tasks: Iterable[bytes] = (), *, handshake: float = 0.0
) -> Iterator[str]:
    """
    Start the server, and give the URL of its REST API.

    Args:
        delay: How long each answer is held back, in seconds.

        handshake: How much longer the first one on each connection is: on loopback, to connect
            takes no time.

        tasks: The JSON of each task, in the order in which a request for a page gives them.
    """
    process = subprocess.Popen(
        [sys.executable, "-I", __file__, str(delay), str(handshake)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.writelines(task + b"\n" for task in tasks)
            # An empty line, for the end would end the server.
            process.stdin.write(b"\n")
            process.stdin.flush()
            yield process.stdout.readline().decode().strip()
        finally:
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _fetched(body: bytes) -> bytes:
    """
    Give the answer to a fetch: as many tasks as it asks for, each with an id of its own.
    """
    worker, most = _WORKER.search(body), _MOST_TASKS.search(body)
    assert worker is not None
    assert most is not None
    task = _TASK.replace(b'"workerId":"worker"', b'"workerId":"%s"' % worker[1])
    tasks = b",".join(
        task.replace(b"9bf3c1f5", b"%d" % next(_numbers), 1) for _ in range(int(most[1]))
    )
    return b"".join((_HEAD % (len(tasks) + 2), b"[", tasks, b"]"))


class _Tasks:
    """
    All tasks, in one piece: a page of any size is a slice of it, wherever it begins.
    """

    def __init__(self, tasks: list[bytes]) -> None:
        self._count = len(tasks)
        # Where each task begins, and where one more would.
        self._starts = [0, *accumulate(len(task) + 1 for task in tasks)]
        self._json = b",".join(tasks)

    def __bool__(self) -> bool:
        return self._count > 0

    def answer(self, first: int, most: int) -> bytes:
        """
        Give the answer to the request for a page.
        """
        first = min(first, self._count)
        last = min(first + most, self._count)
        # Without the comma that follows.
        page = self._json[self._starts[first] : max(0, self._starts[last] - 1)]
        return b"".join((_HEAD % (len(page) + 2), b"[", page, b"]"))


class _Connection:
    """
    A connection, what has come of its next request, and what is left of its last answer.
    """

    def __init__(self, raw: socket.socket, tasks: _Tasks) -> None:
        raw.setblocking(False)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.raw = raw
        self._tasks = tasks
        self._received = b""
        self._left = memoryview(b"")
        self.is_open = True
        self.is_new = True

    @property
    def is_behind(self) -> bool:
        """
        Whether the last answer is not sent to its end.
        """
        return bool(self._left)

    def read(self) -> bytes:
        """
        Read what is there, and give the answer that is due; nothing while a request is not whole.

        Raises:
            BlockingIOError: There is nothing to read.
        """
        try:
            piece = self.raw.recv(65536)
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
        if head.startswith(_FETCH):
            return _fetched(body)
        most = _MOST.search(head) if self._tasks else None
        if most is not None:
            first = _FIRST.search(head)
            return self._tasks.answer(int(first[1]) if first else 0, int(most[1]))
        return _FOUND if head.startswith(b"GET ") else _NO_CONTENT

    def answer(self, content: bytes) -> None:
        self._left = memoryview(content)
        self.send()

    def send(self) -> None:
        """
        Send what is left of the answer, as far as the other side takes it now.
        """
        try:
            while self._left:
                self._left = self._left[self.raw.send(self._left) :]
        except BlockingIOError:
            pass
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


def _serve(listener: socket.socket, delay: float, handshake: float, tasks: _Tasks) -> None:
    selector = selectors.DefaultSelector()
    selector.register(sys.stdin, selectors.EVENT_READ)
    selector.register(listener, selectors.EVENT_READ)
    # When each is due, and how many came before.
    waiting: list[tuple[float, int, _Connection, bytes]] = []
    came = count()

    def watch(connection: _Connection) -> None:
        if connection.is_open:
            also = selectors.EVENT_WRITE if connection.is_behind else 0
            selector.modify(connection.raw, selectors.EVENT_READ | also, connection)
        else:
            selector.unregister(connection.raw)
            connection.raw.close()

    while True:
        rest = max(0.0, waiting[0][0] - perf_counter()) if waiting else None
        for key, events in selector.select(rest):
            if key.fileobj is sys.stdin:
                return
            if key.fileobj is listener:
                raw, _address = listener.accept()
                selector.register(raw, selectors.EVENT_READ, _Connection(raw, tasks))
                continue
            connection: _Connection = key.data
            if events & selectors.EVENT_WRITE:
                connection.send()
            if connection.is_open and events & selectors.EVENT_READ:
                content = connection.read()
                if delay and content:
                    due = perf_counter() + delay + (handshake if connection.is_new else 0.0)
                    connection.is_new = False
                    heappush(waiting, (due, next(came), connection, content))
                elif content:
                    connection.answer(content)
                if not delay and not tasks:
                    connection.spin()
            watch(connection)
        while waiting and waiting[0][0] <= perf_counter():
            _, _, connection, content = heappop(waiting)
            if connection.is_open:
                connection.answer(content)
                watch(connection)


def main() -> None:
    """
    Serve until the standard input ends.
    """
    # An interrupt from the keyboard is for whoever started it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lines = (line.rstrip(b"\n") for line in sys.stdin.buffer)
    tasks = _Tasks(list(takewhile(bool, lines)))
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        print(f"http://127.0.0.1:{listener.getsockname()[1]}/engine-rest", flush=True)
        _serve(listener, float(sys.argv[1]), float(sys.argv[2]), tasks)


if __name__ == "__main__":
    main()
