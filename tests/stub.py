"""
A server that answers what a test tells it to, byte by byte, and calls of all operations to meet it.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeAlias

import attrs
import pytest

from camunda_ext import CamundaError, ExternalTaskClient, Topic

SAMPLES: Final = Path(__file__).parent / "samples"

#: Certificate for 127.0.0.1 that nobody trusts, with its key, until 2126; for tests alone.
CERTIFICATE: Final = SAMPLES / "tls" / "loopback.pem"

#: What closes a connection with a reset (RST) in place of a regular end.
_NO_LINGER: Final = struct.pack("ii", 1, 0)


def sample(name: str) -> bytes:
    """
    Give a recorded answer, such as ``complete/wrong_worker``.
    """
    return (SAMPLES / f"{name}.json").read_bytes()


# --------------------------------------------------------------------------------------- the server


@attrs.frozen(kw_only=True)
class Seen:
    """
    A request as it arrived.
    """

    #: The HTTP method.
    method: str

    #: What stands between the method and the version, as it was sent.
    target: str

    #: The headers, their names in lower case.
    headers: Mapping[str, str]

    #: The body.
    body: bytes

    #: Number of the connection that it came on, from 1.
    connection: int


class Connection:
    """
    One connection to the stub, for answers that are more than bytes.
    """

    def __init__(self, raw: socket.socket, stopped: threading.Event) -> None:
        self._raw = raw
        self._stopped = stopped
        self.is_open = True
        #: The headers of the request that is to be answered, as they came.
        self.asked = b""
        #: What that request asks for, from the path on.
        self.target = ""

    @property
    def descriptor(self) -> int:
        """
        The file descriptor below, and below TLS.
        """
        return self._raw.fileno()

    def send(self, content: bytes) -> None:
        """
        Send bytes at once.
        """
        self._raw.sendall(content)

    def wait(self, seconds: float) -> None:
        """
        Say nothing for a while; the end of the test ends it, too.
        """
        self._stopped.wait(seconds)

    def close(self) -> None:
        """
        End the connection regularly, after what has been sent.
        """
        self.is_open = False

    def reset(self) -> None:
        """
        End the connection so that the other side's next read or write fails.
        """
        self._raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.is_open = False


#: Bytes to send, after which the connection stays open; or what to do with the connection.
Answer: TypeAlias = bytes | Callable[[Connection], None]


class Stub(socketserver.ThreadingTCPServer):
    """
    A server on a port of 127.0.0.1, as a context manager.

    Args:
        answers: An answer to each request, in turn; the last one answers all that follow.

        tls: Whether to speak TLS, with the certificate that nobody trusts, or with another one.
    """

    daemon_threads = False

    def __init__(self, *answers: Answer, tls: bool | ssl.SSLContext = False) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._answers = answers or (NO_CONTENT,)
        self._tls = _to_context() if tls is True else tls or None
        self._guard = threading.Condition()
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.001,))
        #: Set when the stub stops.
        self.stopped: Final = threading.Event()
        #: The requests so far, in the order in which they came.
        self.seen: Final[list[Seen]] = []
        #: How many connections there were.
        self.connections = 0

    @property
    def port(self) -> int:
        """
        The port that it listens on.
        """
        port: int = self.server_address[1]
        return port

    @property
    def url(self) -> str:
        """
        Where an engine would be.
        """
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/engine-rest"

    def __enter__(self) -> Stub:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stopped.set()
        self.shutdown()
        self._thread.join()
        with self._guard:
            still_open = list(self._open)
        for connection in still_open:
            _hang_up(connection)
        self.server_close()  # joins the threads of all connections

    def get_request(self) -> tuple[socket.socket, Any]:
        """
        Take a connection and count it.
        """
        raw, address = super().get_request()
        with self._guard:
            self._open.add(raw)
            self.connections += 1
        return raw, (self.connections, address)

    def shutdown_request(self, request: Any) -> None:
        """
        Let go of a connection.
        """
        with self._guard:
            self._open.discard(request)
            self._guard.notify_all()
        request.close()

    def is_left(self, seconds: float = 5.0) -> bool:
        """
        Tell whether all clients have hung up, or do so within some *seconds*.
        """
        with self._guard:
            return self._guard.wait_for(lambda: not self._open, seconds)

    def secured(self, raw: socket.socket) -> socket.socket:
        """
        Give a connection on which TLS has shaken hands, if that is wanted.
        """
        return raw if self._tls is None else self._tls.wrap_socket(raw, server_side=True)

    def note(self, seen: Seen) -> Answer:
        """
        Remember a request and give its answer.
        """
        with self._guard:
            self.seen.append(seen)
            return self._answers[min(len(self.seen), len(self._answers)) - 1]


class _Handler(socketserver.BaseRequestHandler):
    server: Stub

    def handle(self) -> None:
        """
        Answer what comes on one connection until either side has enough.
        """
        try:
            raw = self.server.secured(self.request)
        except OSError:
            return  # the client wants none of this certificate, which is its good right
        with raw, raw.makefile("rb") as reader:
            connection = Connection(raw, self.server.stopped)
            try:
                while connection.is_open and (seen := self._read(reader, raw)) is not None:
                    answer = self.server.note(seen)
                    shown = (f"{name}: {value}" for name, value in seen.headers.items())
                    connection.asked = "\n".join(shown).encode("latin-1")
                    connection.target = seen.target
                    if isinstance(answer, bytes):
                        connection.send(answer)
                    else:
                        answer(connection)
            except OSError:
                pass  # a client may hang up whenever it likes

    def _read(self, reader: Any, raw: socket.socket) -> Seen | None:
        if reader.peek(1)[:1] == b"\x16":  # the greeting of TLS, all of it any bytes
            raw.sendall(html_answer("400 Bad Request"))
            return None
        first = reader.readline().decode("latin-1").split(" ")
        if len(first) != 3:
            return None
        headers = {}
        while line := reader.readline().decode("latin-1").strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return Seen(
            method=first[0],
            target=first[1],
            headers=headers,
            body=reader.read(int(headers.get("content-length", 0))),
            connection=self.client_address[0],
        )


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it may be closed already
        connection.shutdown(socket.SHUT_RDWR)


def _to_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


# ---------------------------------------------------------------------------------------- answers


def raw_answer(status: str, *headers: str, body: bytes = b"") -> bytes:
    """
    Give an answer with the *headers* as they are, and the right length unless they tell one.

    Args:
        status: Code and reason, such as ``404 Not Found``.
    """
    told = {header.partition(":")[0].lower() for header in headers}
    has_length = told & {"content-length", "transfer-encoding"} or status.startswith("204")
    length = () if has_length else (f"Content-Length: {len(body)}",)
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", *headers, *length))
    return head.encode("latin-1") + b"\r\n" + body


def json_answer(status: int, body: object) -> bytes:
    """
    Give an answer of an engine: *body* as JSON, or as it is if it is bytes.
    """
    content = body if isinstance(body, bytes) else json.dumps(body).encode("ascii")
    return raw_answer(f"{status} Said", "Content-Type: application/json", body=content)


def html_answer(status: str, *headers: str, body: bytes | None = None) -> bytes:
    """
    Give a page such as gateways and logins show, or another one.
    """
    page = PAGE if body is None else body
    return raw_answer(status, "Content-Type: text/html", *headers, body=page)


def gzip_answer(body: object) -> bytes:
    """
    Give a good answer in JSON, compressed.
    """
    return raw_answer(
        "200 OK",
        "Content-Type: application/json",
        "Content-Encoding: gzip",
        body=gzip.compress(json.dumps(body).encode("ascii")),
    )


def then_close(content: bytes) -> Answer:
    """
    Send *content* and close: nothing, the half of a head, the half of a body.
    """

    def answer(connection: Connection) -> None:
        connection.send(content)
        connection.close()

    return answer


def then_reset(content: bytes = b"") -> Answer:
    """
    Send *content* and reset the connection.
    """

    def answer(connection: Connection) -> None:
        connection.send(content)
        connection.reset()

    return answer


def then_silence(content: bytes = b"", *, seconds: float = 2.0) -> Answer:
    """
    Send *content* and nothing more; after *seconds*, close.
    """

    def answer(connection: Connection) -> None:
        connection.send(content)
        connection.wait(seconds)
        connection.close()

    return answer


def drip(head: bytes, pieces: Iterable[bytes], *, pause: float = 0.01) -> Answer:
    """
    Send *head*, then each of *pieces* after a pause of some seconds; then close.
    """

    def answer(connection: Connection) -> None:
        connection.send(head)
        for piece in pieces:
            connection.wait(pause)
            connection.send(piece)
        connection.close()

    return answer


PAGE: Final = b"<html><title>Please log in</title></html>"
NO_CONTENT: Final = raw_answer("204 No Content")

_JSON_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

#: Ends of connections that leave no answer, or not all of one. Each is an `Answer`.
BROKEN: Final[Mapping[str, Answer]] = {
    "closed without a word": then_close(b""),
    "reset without a word": then_reset(),
    "cut in the status line": then_close(b"HTTP/1.1 20"),
    "no HTTP at all": then_close(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "cut in the body": then_close(_JSON_HEAD + b'Content-Length: 40\r\n\r\n{"count": 1}'),
    "reset in the body": then_reset(_JSON_HEAD + b'Content-Length: 40\r\n\r\n{"count": 1}'),
    "chunked without end": then_close(
        _JSON_HEAD + b'Transfer-Encoding: chunked\r\n\r\nc\r\n{"count": 1}\r\n'
    ),
    "cut in a chunk": then_close(
        _JSON_HEAD + b'Transfer-Encoding: chunked\r\n\r\n20\r\n{"count": 1}'
    ),
    "a chunk without a length": then_close(
        _JSON_HEAD + b'Transfer-Encoding: chunked\r\n\r\nxyz\r\n{"count": 1}\r\n0\r\n\r\n'
    ),
    "no gzip where it says so": raw_answer(
        "200 OK", "Content-Encoding: gzip", "Content-Type: application/json", body=b'{"count": 1}'
    ),
    "cut in gzip": raw_answer(
        "200 OK",
        "Content-Encoding: gzip",
        "Content-Type: application/json",
        body=gzip.compress(b'{"count": 1}')[:12],
    ),
}


# --------------------------------------------------------------------------------------- the calls


@attrs.frozen
class Operation:
    """
    One call of the client, and what goes over the wire for it.
    """

    #: Name of the client's method.
    name: str

    #: The call.
    call: Callable[[ExternalTaskClient], object] = attrs.field(repr=False)

    #: The HTTP method.
    method: str

    #: The URL below the engine.
    path: str

    #: What is due: ``list``, ``object``, ``text``, ``file`` or ``nothing``.
    due: str

    #: The first engine version that has it.
    since: str

    #: What an error without an answer advises; empty where nothing can have changed.
    doubt: str = ""

    @property
    def changes(self) -> bool:
        """
        Whether the engine's state may be another one after it.
        """
        return bool(self.doubt)


_TASK: Final = "It may have happened: look whether the task is gone, or as it should be."
_LOCKS: Final = (
    "Tasks may be locked, now or until a long poll would have ended: recover(worker_id, known=...) "
    "finds them. Unlock them, or let the locks expire."
)
_BATCH: Final = (
    "There may be a batch: look for a new one of type set-external-task-retries in the engine "
    "before you ask for another."
)
_ALL_OR_NOTHING: Final = "All of it happened, or nothing: look at one of the tasks."
_LOOK: Final = "Look at the batch."

#: Every operation of the client once, and the queries on both ways.
OPERATIONS: Final = (
    Operation("list", lambda c: c.list(), "POST", "/external-task", "list", "7.5"),
    Operation("list", lambda c: c.list(via="GET"), "GET", "/external-task", "list", "7.5"),
    Operation("count", lambda c: c.count(), "POST", "/external-task/count", "object", "7.5"),
    Operation(
        "count", lambda c: c.count(via="GET"), "GET", "/external-task/count", "object", "7.5"
    ),
    Operation("get", lambda c: c.get("t1"), "GET", "/external-task/t1", "object", "7.5"),
    Operation(
        "error_details",
        lambda c: c.error_details("t1"),
        "GET",
        "/external-task/t1/errorDetails",
        "text",
        "7.5",
    ),
    Operation(
        "topic_names",
        lambda c: c.topic_names(),
        "GET",
        "/external-task/topic-names",
        "list",
        "7.13",
    ),
    Operation(
        "variable_file",
        lambda c: c.variable_file("p1", "v"),
        "GET",
        "/process-instance/p1/variables/v/data",
        "file",
        "7.5",
    ),
    Operation(
        "fetch_and_lock",
        lambda c: c.fetch_and_lock("w1", [Topic("a", lock_duration=1000)], max_tasks=1),
        "POST",
        "/external-task/fetchAndLock",
        "list",
        "7.5",
        _LOCKS,
    ),
    Operation(
        "complete",
        lambda c: c.complete("t1", "w1"),
        "POST",
        "/external-task/t1/complete",
        "nothing",
        "7.5",
        _TASK,
    ),
    Operation(
        "failure",
        lambda c: c.failure("t1", "w1", retries=0),
        "POST",
        "/external-task/t1/failure",
        "nothing",
        "7.5",
        _TASK,
    ),
    Operation(
        "bpmn_error",
        lambda c: c.bpmn_error("t1", "w1", "E1"),
        "POST",
        "/external-task/t1/bpmnError",
        "nothing",
        "7.5",
        _TASK,
    ),
    Operation(
        "lock",
        lambda c: c.lock("t1", "w1", 1000),
        "POST",
        "/external-task/t1/lock",
        "nothing",
        "7.15",
        _TASK,
    ),
    Operation(
        "extend_lock",
        lambda c: c.extend_lock("t1", "w1", 1000),
        "POST",
        "/external-task/t1/extendLock",
        "nothing",
        "7.8",
        _TASK,
    ),
    Operation(
        "unlock",
        lambda c: c.unlock("t1"),
        "POST",
        "/external-task/t1/unlock",
        "nothing",
        "7.5",
        _TASK,
    ),
    Operation(
        "set_priority",
        lambda c: c.set_priority("t1", 5),
        "PUT",
        "/external-task/t1/priority",
        "nothing",
        "7.5",
        _TASK,
    ),
    Operation(
        "set_retries",
        lambda c: c.set_retries("t1", 5),
        "PUT",
        "/external-task/t1/retries",
        "nothing",
        "7.5",
        _TASK,
    ),
    Operation(
        "set_retries_of",
        lambda c: c.set_retries_of(5, external_task_ids=["t1"]),
        "PUT",
        "/external-task/retries",
        "nothing",
        "7.8",
        _ALL_OR_NOTHING,
    ),
    Operation(
        "set_retries_async",
        lambda c: c.set_retries_async(5, external_task_ids=["t1"]),
        "POST",
        "/external-task/retries-async",
        "object",
        "7.8",
        _BATCH,
    ),
    Operation(
        "log_list", lambda c: c.log_list(), "POST", "/history/external-task-log", "list", "7.7"
    ),
    Operation(
        "log_count",
        lambda c: c.log_count(),
        "POST",
        "/history/external-task-log/count",
        "object",
        "7.7",
    ),
    Operation(
        "log_get",
        lambda c: c.log_get("h1"),
        "GET",
        "/history/external-task-log/h1",
        "object",
        "7.7",
    ),
    Operation(
        "log_error_details",
        lambda c: c.log_error_details("h1"),
        "GET",
        "/history/external-task-log/h1/error-details",
        "text",
        "7.7",
    ),
    Operation("batch", lambda c: c.batch("b1"), "GET", "/batch/b1", "object", "7.5"),
    Operation(
        "batch_statistics",
        lambda c: c.batch_statistics("b1"),
        "GET",
        "/batch/statistics?batchId=b1",
        "list",
        "7.5",
    ),
    Operation(
        "suspend_batch",
        lambda c: c.suspend_batch("b1"),
        "PUT",
        "/batch/b1/suspended",
        "nothing",
        "7.5",
        _LOOK,
    ),
    Operation(
        "activate_batch",
        lambda c: c.activate_batch("b1"),
        "PUT",
        "/batch/b1/suspended",
        "nothing",
        "7.5",
        _LOOK,
    ),
    Operation(
        "delete_batch",
        lambda c: c.delete_batch("b1"),
        "DELETE",
        "/batch/b1?cascade=false",
        "nothing",
        "7.5",
        _LOOK,
    ),
    Operation("version", lambda c: c.version(), "GET", "/version", "object", "7.8"),
)


def once(url: str, **options: Any) -> ExternalTaskClient:
    """
    Give a client that sends nothing again: what a single attempt does.
    """
    return ExternalTaskClient(url, retry=False, **options)


def operation(name: str) -> Operation:
    """
    Give the first operation of a name.
    """
    return next(one for one in OPERATIONS if one.name == name)


def error_of(call: Callable[[ExternalTaskClient], object], *answers: Answer) -> CamundaError:
    """
    Give what a call raises that is answered so.
    """
    with (
        Stub(*answers) as stub,
        once(stub.url) as client,
        pytest.raises(CamundaError) as caught,
    ):
        call(client)
    return caught.value


def label(operation: Operation) -> str:
    """
    Give the name of an operation in the list of tests.
    """
    return f"{operation.name}-{operation.method}"
