"""
How requests travel: what provably never left, what goes over the wire, and who owns a connection.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import re
import signal
import socket
import socketserver
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from time import monotonic
from types import SimpleNamespace
from typing import Any, Final
from urllib.parse import unquote

import attrs
import certifi
import pytest
import requests
import urllib3
from hypothesis import HealthCheck, given, settings, strategies as st
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPDigestAuth

import camunda_ext
from camunda_ext import (
    CamundaError,
    ExternalTaskClient,
    NoAnswer,
    NotSent,
    NotTheEngine,
    OutcomeUnknown,
    Timeout,
    Topic,
)
from camunda_ext._http import pool
from camunda_ext._http.messages import HttpRequest, HttpResponse
from camunda_ext.hooks import Failed
from tests.stub import (
    BROKEN,
    CERTIFICATE,
    NO_CONTENT,
    OPERATIONS,
    Answer,
    Connection,
    Operation,
    Stub,
    drip,
    json_answer,
    label,
    once,
    operation,
    raw_answer,
    then_close,
    then_reset,
    then_silence,
)

_COUNT: Final = json_answer(200, {"count": 1})
_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Remove the proxies and certificates of this machine's environment.
    """
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC"):
        monkeypatch.delenv(name, raising=False)


class Failing(HTTPAdapter):
    """
    An adapter of requests that raises what a test tells it to.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        """
        Raise it.
        """
        raise self._error


class Tunnel(socketserver.ThreadingTCPServer):
    """
    A proxy that opens tunnels to a port of this machine, whatever it is asked for.
    """

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Tunnelled)
        self.target = port
        self._thread = threading.Thread(target=self.serve_forever, args=(0.001,))

    @property
    def port(self) -> int:
        """
        The port that it listens on.
        """
        return int(self.server_address[1])

    def __enter__(self) -> Tunnel:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Tunnelled(socketserver.BaseRequestHandler):
    server: Tunnel

    def handle(self) -> None:
        """
        Pass on what comes, both ways, until one side has enough.
        """
        while b"\r\n\r\n" not in (self.request.recv(65536) or b"\r\n\r\n"):
            pass
        self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with socket.create_connection(("127.0.0.1", self.server.target)) as beyond:
            back = threading.Thread(target=_pump, args=(beyond, self.request))
            back.start()
            _pump(self.request, beyond)
            back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


class Recorder:
    """
    A transport that remembers what it was to send, and answers 200 with an empty list.
    """

    def __init__(self) -> None:
        self.asked: list[HttpRequest] = []

    def send(self, request: HttpRequest) -> HttpResponse:
        """
        Remember a request.
        """
        self.asked.append(request)
        return HttpResponse(status=200, headers={}, content=b"[]")

    def close(self) -> None:
        """
        Nothing was opened.
        """


# ------------------------------------------------------------------------------- sent, or not sent

#: Whether a request may have left when an adapter raises this.
_MAY_HAVE_LEFT: Final[Mapping[str, bool]] = {
    "RequestException": True,
    "ChunkedEncodingError": True,
    "ConnectTimeout": False,
    "ConnectionError": True,
    "ContentDecodingError": True,
    "HTTPError": True,
    # What an adapter raises for an answer with two lengths.
    "InvalidHeader": True,
    "InvalidJSONError": True,
    "InvalidProxyURL": False,
    "InvalidSchema": False,
    "InvalidURL": False,
    "JSONDecodeError": True,
    "MissingSchema": False,
    # A proxy for plain http may have passed the request on before it failed.
    "ProxyError": True,
    "ReadTimeout": True,
    "RetryError": True,
    "SSLError": True,
    "StreamConsumedError": True,
    "Timeout": True,
    "TooManyRedirects": True,
    "URLRequired": False,
    # Only what has been read once, to be sent, must be rewound.
    "UnrewindableBodyError": True,
}


def _of_requests() -> Iterator[tuple[str, type[requests.RequestException]]]:
    for name, kind in inspect.getmembers(requests.exceptions, inspect.isclass):
        if issubclass(kind, requests.RequestException):
            yield name, kind


def test_every_requests_exception_is_mapped() -> None:
    """
    No exception of requests escapes, and only what provably never left is said not to have left.
    """
    found = {}
    for name, kind in _of_requests():
        inner = urllib3.exceptions.InvalidHeader("two lengths")
        told: Mapping[str, tuple[object, ...]] = {
            "JSONDecodeError": ("no", "", 0),
            "InvalidHeader": (inner,),
        }
        error = _raised_with(Failing(kind(*told.get(name, ("no",)))))
        found[name] = {NotSent: False, OutcomeUnknown: True}[type(error)]

    assert found == _MAY_HAVE_LEFT


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (urllib3.exceptions.HTTPError("no"), OutcomeUnknown),
        (urllib3.exceptions.ProtocolError("no"), OutcomeUnknown),
        (urllib3.exceptions.DecodeError("no"), OutcomeUnknown),
        (urllib3.exceptions.LocationParseError("no"), NotSent),
        (socket.gaierror(-2, "Name or service not known"), OutcomeUnknown),
        (ConnectionResetError(104, "Connection reset by peer"), OutcomeUnknown),
        (BrokenPipeError(32, "Broken pipe"), OutcomeUnknown),
        (TimeoutError("timed out"), OutcomeUnknown),
    ],
    ids=repr,
)
def test_what_lies_below_requests_is_mapped_as_well(
    error: Exception, expected: type[CamundaError]
) -> None:
    """
    Requests lets some exceptions of urllib3 and of the system through.
    """
    raised = _raised_with(Failing(error))

    assert type(raised) is expected
    assert (raised.__cause__, raised.__context__) == (None, None)


@pytest.mark.parametrize("name", ["complete", "count"])
def test_a_refused_connection_is_not_sent(name: str) -> None:
    """
    Nothing is sent to a port on which no server listens.
    """
    with once(_nobody()) as client:
        error = _error(client, name)

    assert (type(error), error.status, error.hint) == (
        NotSent,
        None,
        "Nothing happened: it can be sent again.",
    )


@pytest.mark.parametrize(
    "host",
    ["nowhere.invalid", "a..invalid", "a" * 64 + ".invalid"],
    ids=["unknown", "empty", "long"],
)
def test_an_unresolvable_host_is_not_sent(host: str) -> None:
    """
    Nothing is sent to a host that does not exist or has an invalid name.
    """
    with once(f"http://{host}/engine-rest", proxies={}) as client:
        assert type(_error(client, "complete")) is NotSent


def test_an_untrusted_certificate_is_not_sent() -> None:
    """
    TLS looks at the certificate before it lets anything through.
    """
    with Stub(tls=True) as stub, once(stub.url) as client:
        error = _error(client, "complete")

    assert (type(error), stub.seen, stub.connections) == (NotSent, [], 1)


def test_a_certificate_for_another_host_is_not_sent() -> None:
    """
    A trusted certificate of another host is refused before anything is sent.
    """
    with (
        Stub(tls=True) as stub,
        once(stub.url.replace("127.0.0.1", "localhost"), verify=str(CERTIFICATE)) as client,
    ):
        error = _error(client, "complete")

    assert (type(error), stub.seen) == (NotSent, [])


def test_https_to_a_plain_port_is_not_sent() -> None:
    """
    A server that answers a TLS greeting with a page has seen no request.
    """
    with Stub() as stub, once(stub.url.replace("http:", "https:")) as client:
        error = _error(client, "complete")

    assert (type(error), stub.seen) == (NotSent, [])


def test_a_client_certificate_that_is_not_there_is_told_before_anything_is_sent() -> None:
    """
    A missing file is a wrong argument, as it is for ``verify``; at the latest it is "not sent".
    """
    with (
        Stub(tls=True) as stub,
        pytest.raises((ValueError, NotSent)),
        once(stub.url, verify=str(CERTIFICATE), cert="/no/such.pem") as client,
    ):
        client.unlock("t1")

    assert stub.seen == []


@pytest.mark.parametrize("fault", BROKEN)
@pytest.mark.parametrize("name", ["complete", "count"])
def test_nothing_is_sent_twice(name: str, fault: str) -> None:
    """
    Neither requests nor urllib3 sends again by itself what was answered badly or not at all.
    """
    asked = operation(name)
    with Stub(BROKEN[fault], NO_CONTENT) as stub, once(stub.url) as client:
        error = _error(client, name)

    assert type(error) is (OutcomeUnknown if asked.changes else NoAnswer)
    assert (len(stub.seen), stub.connections) == (1, 1)


@pytest.mark.parametrize(
    "lengths", ["Content-Length: 5, 6", "Content-Length: 5\r\nContent-Length: 6"]
)
@pytest.mark.parametrize("name", ["complete", "count"])
def test_an_answer_of_two_lengths_was_an_answer(name: str, lengths: str) -> None:
    """
    What has been answered, however badly, has been sent.
    """
    answer = then_close(raw_answer("200 OK", lengths, body=b"hello"))
    with Stub(answer) as stub, once(stub.url) as client:
        error = _error(client, name)

    assert (type(error), len(stub.seen)) == (
        {"complete": OutcomeUnknown, "count": NoAnswer}[name],
        1,
    )


def test_a_request_leaves_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Head and body in two packets would wake the server twice.
    """
    sent = []

    def sendall(raw: socket.socket, content: bytes) -> None:
        if threading.current_thread() is threading.main_thread():
            sent.append(bytes(content))
        send_as_ever(raw, content)

    send_as_ever = socket.socket.sendall
    monkeypatch.setattr(socket.socket, "sendall", sendall)
    with Stub() as stub, once(stub.url) as client:
        client.complete("t1", "w1")

    (whole,) = sent
    assert whole.startswith(b"POST /engine-rest/external-task/t1/complete HTTP/1.1\r\n")
    assert whole.endswith(b'\r\n\r\n{"workerId":"w1"}')


def test_a_connection_that_the_server_has_closed_meanwhile_is_not_used() -> None:
    """
    If the server has closed the connection, the next request opens a new one.
    """
    with (
        Stub(then_close(NO_CONTENT), NO_CONTENT) as stub,
        once(stub.url) as client,
    ):
        client.unlock("t1")
        assert stub.is_left()
        client.unlock("t2")

    assert [seen.connection for seen in stub.seen] == [1, 2]


def test_a_connection_that_has_rested_for_long_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    Servers close a connection that rests for a minute, perhaps just when a command goes out on it.
    """
    rested = 0.0
    monkeypatch.setattr("camunda_ext._http.pool.monotonic", lambda: monotonic() + rested)
    with Stub(NO_CONTENT) as stub, once(stub.url) as client:
        for rest in (0, 49, 51, 1):
            rested += rest
            client.unlock("t1")

    assert [seen.connection for seen in stub.seen] == [1, 1, 2, 2]


def test_a_connection_with_an_answer_to_come_is_not_used_again() -> None:
    """
    After an interim answer the real one would be taken for that of the next request.
    """
    with (
        Stub(raw_answer("103 Early Hints", "Content-Length: 0"), NO_CONTENT) as stub,
        once(stub.url) as client,
    ):
        error = _error(client, "complete")
        client.unlock("t2")

    assert type(error) is OutcomeUnknown
    assert [seen.connection for seen in stub.seen] == [1, 2]


def test_a_retry_of_the_users_own_session_does_not_hide_the_first_try() -> None:
    """
    When the last of several tries was refused a connection, an earlier one may have arrived.
    """
    session = requests.Session()
    session.mount("http://", HTTPAdapter(max_retries=1))
    with session, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/engine-rest"
        thread = threading.Thread(target=_take_one_and_leave, args=(listener,))
        thread.start()
        with once(url, session=session) as client:
            error = _error(client, "set_retries")
        thread.join()

    assert type(error) is OutcomeUnknown


def _garbage(connection: Connection) -> None:
    """
    Break TLS after the request has come, as a gateway does that falls back to plain HTTP.
    """
    os.write(connection.descriptor, b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
    connection.close()


@pytest.mark.parametrize("injected", [False, True], ids=["ours", "injected"])
@pytest.mark.parametrize("answer", [then_close(b""), then_reset(), _garbage])
def test_what_breaks_tls_after_the_request_leaves_in_doubt(answer: Answer, injected: bool) -> None:
    """
    TLS raises the same for a failed handshake and for a malformed record after the request.
    """
    with Stub(answer, tls=True) as stub, requests.Session() as session:
        session.verify = str(CERTIFICATE)
        session.trust_env = False
        options: dict[str, Any] = {"session": session} if injected else {"verify": str(CERTIFICATE)}
        with once(stub.url, **options) as client:
            error = _error(client, "set_retries_async")

    assert (type(error), len(stub.seen)) == (OutcomeUnknown, 1)


@pytest.mark.parametrize("injected", [False, True], ids=["ours", "injected"])
def test_what_breaks_behind_a_proxy_leaves_in_doubt(injected: bool) -> None:
    """
    When a tunnel breaks after the request, urllib3 blames the proxy, as if it had never opened.
    """
    with Stub(then_close(b""), tls=True) as stub, Tunnel(stub.port) as tunnel:
        proxies = {"https": f"http://127.0.0.1:{tunnel.port}"}
        with requests.Session() as session:
            session.verify, session.proxies = False, proxies
            session.trust_env = False
            own: dict[str, Any] = {"verify": False, "proxies": proxies}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                options = {"session": session} if injected else own
                client = ExternalTaskClient("https://engine.invalid/engine-rest", **options)
                with client:
                    error = _error(client, "set_retries_async")

    assert (type(error), len(stub.seen)) == (OutcomeUnknown, 1)


def test_a_client_that_is_closed_meanwhile_leaves_in_doubt() -> None:
    """
    What was sent before may have been done.
    """

    class Closing:
        """
        A policy in whose time another thread closes the client.
        """

        def wait(self, failed: Failed) -> float | None:
            """
            Close it, and ask for another attempt.
            """
            client.close()
            return 0.0

    with Stub(then_reset()) as stub:
        client = ExternalTaskClient(stub.url, retry=Closing())
        error = _error(client, "complete")

    assert (type(error), len(stub.seen)) == (OutcomeUnknown, 1)


# ------------------------------------------------------------------------------------------ proxies


def test_a_proxy_that_refuses_the_connection_has_sent_nothing() -> None:
    """
    Nothing is sent to a port on which no proxy listens.
    """
    proxies = {"http": _nobody()}
    with once("http://engine.invalid/engine-rest", proxies=proxies) as client:
        assert type(_error(client, "complete")) is NotSent


@pytest.mark.parametrize(
    "answer",
    [raw_answer("407 Proxy Authentication Required"), raw_answer("502 Bad Gateway")],
    ids=["407", "502"],
)
def test_a_proxy_that_opens_no_tunnel_has_sent_nothing(answer: Answer) -> None:
    """
    Before a proxy has connected to the engine, TLS has not begun.
    """
    with Stub(answer) as stub:
        proxies = {"https": f"http://127.0.0.1:{stub.port}"}
        with once("https://engine.invalid/engine-rest", proxies=proxies) as client:
            error = _error(client, "complete")

    assert type(error) is NotSent
    assert [(seen.method, seen.target, seen.body) for seen in stub.seen] == [
        ("CONNECT", "engine.invalid:443", b"")
    ]


@pytest.mark.parametrize("fault", ["closed without a word", "reset without a word"])
def test_a_proxy_that_got_the_request_may_have_sent_it(fault: str) -> None:
    """
    A proxy for plain http gets the whole request, and may have passed it on.
    """
    with Stub(BROKEN[fault]) as stub:
        proxies = {"http": f"http://127.0.0.1:{stub.port}"}
        with once("http://engine.invalid/engine-rest", proxies=proxies) as client:
            error = _error(client, "complete")

    assert type(error) is OutcomeUnknown
    assert [(seen.method, seen.target) for seen in stub.seen] == [
        ("POST", "http://engine.invalid/engine-rest/external-task/t1/complete")
    ]


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_environments_proxy_is_not_used_for_loopback(
    name: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Requests to this machine, such as to an embedded engine, do not go through a proxy.
    """
    monkeypatch.setenv(name, _nobody())
    with (
        Stub(_COUNT) as stub,
        once(stub.url.replace("127.0.0.1", host)) as client,
    ):
        assert client.count() == 1


def test_the_environments_proxy_is_used_for_other_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A machine behind a proxy needs no argument for it.
    """
    with Stub(_COUNT) as stub:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{stub.port}")
        with once("http://engine.invalid/engine-rest") as client:
            assert client.count() == 1

    assert [seen.target for seen in stub.seen] == [
        "http://engine.invalid/engine-rest/external-task/count"
    ]


@pytest.mark.parametrize("no_proxy", ["engine.invalid", ".invalid", "*"])
def test_the_environment_may_leave_hosts_out(
    no_proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    NO_PROXY names hosts that are asked directly.
    """
    with Stub(_COUNT) as stub:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{stub.port}")
        monkeypatch.setenv("NO_PROXY", no_proxy)
        with once("http://engine.invalid/engine-rest") as client:
            assert type(_error(client, "count")) is NotSent

    assert stub.seen == []


def test_proxies_that_are_passed_replace_those_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    An argument beats the environment.
    """
    monkeypatch.setenv("HTTP_PROXY", _nobody())
    with Stub(_COUNT) as stub:
        proxies = {"http": f"http://127.0.0.1:{stub.port}"}
        with once("http://engine.invalid/engine-rest", proxies=proxies) as client:
            assert client.count() == 1


# ------------------------------------------------------------------------------------------- time


def test_a_read_timeout_leaves_in_doubt() -> None:
    """
    A server that says nothing may be working on it.
    """
    error = _error_within(Timeout(read=0.1), then_silence())

    assert (type(error), error.message) == (
        OutcomeUnknown,
        "ReadTimeout: Read timed out.",
    )


def test_a_read_timeout_within_the_body_leaves_in_doubt() -> None:
    """
    A server that falls silent in the middle has not answered.
    """
    silent = then_silence(_HEAD + b'Content-Length: 40\r\n\r\n{"count"')
    error = _error_within(Timeout(read=0.1), silent)

    assert (type(error), error.message) == (OutcomeUnknown, "ReadTimeoutError: Read timed out.")


_LONG_BODY: Final = b"Content-Length: 1000\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        drip(_HEAD + _LONG_BODY, [b" "] * 150),
        drip(_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", [b"1\r\n \r\n"] * 150),
        drip(b"HTTP/1.1 302 Found\r\nLocation: /\r\n" + _LONG_BODY, [b" "] * 150),
        drip(b"HTTP/1.1 500 No\r\n" + _LONG_BODY, [b" "] * 150),
    ],
    ids=["body", "chunks", "redirect", "failure"],
)
def test_the_total_timeout_ends_a_drip(answer: Answer) -> None:
    """
    Pieces that each come in time do not make a call longer than it may be.
    """
    error = _error_within(Timeout(read=10.0, total=0.2), answer)

    # A drip that comes to its end is another error: the body is shorter than it says.
    assert type(error) is OutcomeUnknown
    assert (error.message or "").startswith("ReadTimeout")


def test_a_number_is_the_timeout_for_everything() -> None:
    """
    A number of seconds limits connecting, reading and the whole call.
    """
    with Stub(then_silence()) as stub, once(stub.url, timeout=0.1) as client:
        error = _error(client, "complete")

    assert (type(error), error.message) == (
        OutcomeUnknown,
        "ReadTimeout: Read timed out.",
    )


def test_a_slow_answer_within_its_time_is_taken() -> None:
    """
    Time-outs are for the pieces and for the whole, and this is in time for both.
    """
    body = [bytes([one]) for one in b'{"count": 1}']
    answer = drip(_HEAD + b"Content-Length: 12\r\n\r\n", body, pause=0.005)
    timeout = Timeout(read=5.0, total=10.0)
    with Stub(answer) as stub, once(stub.url, timeout=timeout) as client:
        assert client.count() == 1


@pytest.mark.parametrize(
    ("timeout", "poll", "expected"),
    [
        (None, None, Timeout(connect=3.0, read=60.0, total=120.0)),
        (None, 10_000, Timeout(connect=3.0, read=70.0, total=130.0)),
        (None, timedelta(minutes=1), Timeout(connect=3.0, read=120.0, total=180.0)),
        (5, 1500, Timeout(connect=3.0, read=6.5, total=6.5)),
        (2.5, None, Timeout(connect=2.5, read=2.5, total=2.5)),
        (
            Timeout(connect=1.0, read=2.0, total=4.0),
            1_800_000,
            Timeout(connect=1.0, read=1802.0, total=1804.0),
        ),
        (
            Timeout(connect=None, read=None, total=None),
            10_000,
            Timeout(connect=None, read=None, total=None),
        ),
        (
            Timeout(connect=1.0, read=None, total=4.0),
            10_000,
            Timeout(connect=1.0, read=None, total=14.0),
        ),
    ],
)
def test_the_timeouts_follow_a_long_poll(
    timeout: Timeout | float | None, poll: int | timedelta | None, expected: Timeout
) -> None:
    """
    The engine may think for as long as it was asked to, besides the usual time.
    """
    recorder = Recorder()
    client = once("http://127.0.0.1:1/engine-rest", timeout=timeout)
    client._sender = attrs.evolve(client._sender, transport=recorder)
    client.fetch_and_lock(
        "w1", [Topic("a", lock_duration=1000)], max_tasks=1, async_response_timeout=poll
    )

    assert [asked.timeout for asked in recorder.asked] == [expected]


def test_a_long_poll_may_outlast_the_read_timeout() -> None:
    """
    An answer that comes at the end of a long poll is in time.
    """
    with (
        Stub(drip(b"", [json_answer(200, [])], pause=0.2)) as stub,
        once(stub.url, timeout=Timeout(read=0.1, total=0.1)) as client,
    ):
        tasks = client.fetch_and_lock(
            "w1", [Topic("a", lock_duration=1000)], max_tasks=1, async_response_timeout=3000
        )

    assert tasks == ()


@pytest.mark.parametrize("name", ["connect", "read", "total"])
@pytest.mark.parametrize(
    ("seconds", "error"),
    [
        (0, ValueError),
        (-1, ValueError),
        (0.0, ValueError),
        (float("nan"), ValueError),
        (float("-inf"), ValueError),
        (float("inf"), ValueError),
        (1e300, ValueError),
        ("5", TypeError),
        (True, TypeError),
        (timedelta(0), ValueError),
        (timedelta(seconds=-5), ValueError),
        ((3, 60), TypeError),
    ],
    ids=repr,
)
def test_an_invalid_timeout_is_refused(name: str, seconds: Any, error: type[Exception]) -> None:
    """
    A time-out is a number of seconds that a socket can wait; ``None`` waits for ever.
    """
    with pytest.raises(error, match=name):
        Timeout(**{name: seconds})


@pytest.mark.parametrize("timeout", ["5", True, (3, 60), timedelta(0), 0, -1])
def test_a_clients_timeout_is_looked_at_too(timeout: Any) -> None:
    """
    A number for a client is the time-out for each whole call.
    """
    with pytest.raises((TypeError, ValueError), match="seconds"):
        once("http://127.0.0.1:1/engine-rest", timeout=timeout)


def test_a_timeout_takes_durations() -> None:
    """
    Each of its three, and the one for the whole call.
    """
    minute = timedelta(minutes=1)

    assert Timeout(connect=timedelta(milliseconds=500), read=minute, total=minute) == Timeout(
        connect=0.5, read=60.0, total=60.0
    )
    with ExternalTaskClient("http://127.0.0.1:1/engine-rest", timeout=minute) as client:
        assert client.timeout == Timeout(connect=3.0, read=60.0, total=60.0)


# -------------------------------------------------------------------------------------- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("own_session", [False, True], ids=["ours", "injected"])
@pytest.mark.parametrize("name", ["complete", "count"])
def test_a_redirect_is_not_followed(name: str, own_session: bool, status: int) -> None:
    """
    A redirect would turn a POST into a GET, take API keys along, and look like a success.
    """
    with Stub(_COUNT) as target:
        answer = raw_answer(f"{status} Moved", f"Location: {target.url}/external-task/count")
        with (
            requests.Session() as session,
            Stub(answer) as stub,
            once(stub.url, session=session if own_session else None) as client,
        ):
            error = _error(client, name)

    assert (type(error), error.status) == (NotTheEngine, status)
    assert (len(stub.seen), target.connections) == (1, 0)


# ---------------------------------------------------------------------------- sessions, who has one


def test_a_connection_is_kept_for_the_next_call() -> None:
    """
    To open one costs more than a request.
    """
    with Stub(NO_CONTENT) as stub, once(stub.url) as client:
        for _ in range(3):
            client.unlock("t1")

    assert [seen.connection for seen in stub.seen] == [1, 1, 1]


def test_threads_that_come_and_go_use_the_connections_of_others() -> None:
    """
    Some servers make a thread for each request that they answer.
    """
    with Stub(NO_CONTENT) as stub, once(stub.url) as client:
        for _ in range(3):
            _in_thread(lambda: client.unlock("t1"))

    assert [seen.connection for seen in stub.seen] == [1, 1, 1]


def test_no_more_connections_are_open_than_calls_are_made_at_a_time() -> None:
    """
    Fifty calls, each in a thread of its own, ten of them at a time.
    """

    def call() -> None:
        with ten:
            client.unlock("t1")

    ten = threading.Semaphore(10)
    with Stub(NO_CONTENT) as stub, once(stub.url) as client:
        threads = [threading.Thread(target=call) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert (len(stub.seen), stub.connections <= 10) == (50, True)


@pytest.mark.parametrize("pool_size", [0, 1, 2, 5])
def test_as_many_connections_are_kept_as_the_pool_has_room_for(pool_size: int) -> None:
    """
    Each call gets a connection; those beyond the pool's size are closed after their call.
    """
    together = threading.Barrier(3)

    def meet(connection: Connection) -> None:
        together.wait(10)
        connection.send(NO_CONTENT)

    with Stub(meet) as stub, once(stub.url, pool_size=pool_size) as client:
        for _ in range(2):
            threads = [threading.Thread(target=client.unlock, args=("t1",)) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    assert stub.connections == 6 - min(pool_size, 3)


def test_the_connection_that_was_used_last_is_used_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    So the others stay unused, and are closed before the server closes them.
    """
    rested = 0.0
    monkeypatch.setattr("camunda_ext._http.pool.monotonic", lambda: monotonic() + rested)
    asked, go_on = threading.Event(), threading.Event()

    def slowly(connection: Connection) -> None:
        asked.set()
        go_on.wait(10)
        go_on.clear()
        connection.send(NO_CONTENT)

    def call_twice_at_a_time() -> None:
        asked.clear()
        thread = threading.Thread(target=client.unlock, args=("slowly",))
        thread.start()
        assert asked.wait(10)
        client.unlock("meanwhile")
        go_on.set()
        thread.join()

    def answer(connection: Connection) -> None:
        slowly(connection) if "slowly" in connection.target else connection.send(NO_CONTENT)

    with Stub(answer) as stub, once(stub.url) as client:
        call_twice_at_a_time()
        for _ in range(3):
            rested += 20
            client.unlock("t3")
        call_twice_at_a_time()

    assert [seen.connection for seen in stub.seen] == [1, 2, 1, 1, 1, 1, 3]


def test_many_threads_get_their_own_answers() -> None:
    """
    A client that is shared gives each thread the answer to its own request.
    """

    def echo(connection: Connection) -> None:
        asked = connection.target.rsplit("/", 1)[1]
        connection.send(json_answer(200, {"id": asked}))

    given: list[tuple[str, str]] = []

    def ask(thread: int) -> None:
        for number in range(20):
            asked = f"{thread}-{number}"
            given.append((asked, client.get(asked).id))

    with Stub(echo) as stub, once(stub.url) as client:
        threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert [asked for asked, _ in given] == [answered for _, answered in given]
    assert (len(given), stub.connections <= 8) == (160, True)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_each_process_has_its_own_connection() -> None:
    """
    A child process that shared its parent's connection would read its parent's answers.
    """
    with Stub(NO_CONTENT) as stub, once(stub.url) as client:
        client.unlock("t1")
        child = os.fork()
        if not child:
            try:
                client.unlock("t2")
                client.unlock("t3")
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        client.unlock("t4")

    assert [(seen.target.split("/")[3], seen.connection) for seen in stub.seen] == [
        ("t1", 1),
        ("t2", 2),
        ("t3", 2),
        ("t4", 1),
    ]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("tls", [False, True])
def test_a_child_process_holds_no_connection_of_its_parent(tls: bool) -> None:
    """
    Whether it is in use or not: else the server would not notice that the parent closed it.
    """
    asked, go_on = threading.Event(), threading.Event()

    def slowly(connection: Connection) -> None:
        asked.set()
        go_on.wait(10)
        connection.send(NO_CONTENT)

    with Stub(NO_CONTENT, slowly, tls=tls) as stub:
        client = once(stub.url, **({"verify": str(CERTIFICATE)} if tls else {}))
        client.unlock("t1")
        thread = threading.Thread(target=client.unlock, args=("t2",))
        thread.start()
        assert asked.wait(10)
        child = os.fork()
        if not child:
            try:
                go_on.wait(10)  # which nobody sets here
            finally:
                os._exit(0)
        try:
            go_on.set()
            thread.join()
            client.close()
            left = stub.is_left()
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)

    assert left


def test_the_end_of_the_context_closes_what_nobody_uses() -> None:
    """
    A connection in use is closed when its call has ended as usual.
    """
    asked, closed = threading.Event(), threading.Event()
    given = []

    def slowly(connection: Connection) -> None:
        asked.set()
        closed.wait(10)
        connection.send(_COUNT)

    with Stub(_COUNT, slowly) as stub:
        with once(stub.url) as client:
            assert client.count() == 1
            thread = threading.Thread(target=lambda: given.append(client.count()))
            thread.start()
            assert asked.wait(10)
        closed.set()
        thread.join()
        left = stub.is_left()

    assert (given, left) == ([1], True)


@pytest.mark.parametrize("own_session", [False, True], ids=["ours", "injected"])
def test_a_closed_client_sends_nothing(own_session: bool) -> None:
    """
    A call after close() raises `NotSent`.
    """
    with requests.Session() as session, Stub(NO_CONTENT) as stub:
        client = ExternalTaskClient(stub.url, session=session if own_session else None)
        client.close()
        client.close()
        error = _error(client, "unlock")

    assert (type(error), error.message, len(error.attempts)) == (NotSent, "the client is closed", 1)
    assert stub.seen == []


def test_an_interrupted_call_leaves_no_connection_behind() -> None:
    """
    For instance by the exception that kills a greenlet.
    """

    class Killed(BaseException):
        pass

    def kill(response: requests.Response, **_: object) -> None:
        raise Killed

    class Killing(AuthBase):
        def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
            r.hooks["response"].append(kill)
            return r

    with Stub(NO_CONTENT) as stub, once(stub.url, auth=Killing()) as client:
        for _ in range(3):
            with pytest.raises(Killed):
                client.unlock("t1")
            assert stub.is_left()

    assert stub.connections == 3


# ------------------------------------------------------------------------------ a session injected


def test_an_injected_session_is_used_as_it_is() -> None:
    """
    Headers, hooks, authentication and adapters of a user's own session hold.
    """
    statuses = []
    with Stub(NO_CONTENT) as stub, requests.Session() as session:
        session.headers["X-Team"] = "north"
        session.headers["User-Agent"] = "ours/1"
        session.auth = ("kim", "demo")
        session.hooks["response"].append(
            lambda response, **_: statuses.append(response.status_code)
        )
        before = (dict(session.headers), session.trust_env, dict(session.adapters))
        with once(stub.url, session=session, headers={"X-Api-Key": "k"}) as client:
            client.unlock("t1")
        after = (dict(session.headers), session.trust_env, dict(session.adapters))

    headers = stub.seen[0].headers
    assert {
        name: headers[name] for name in ("x-team", "user-agent", "authorization", "x-api-key")
    } == {
        "x-team": "north",
        "user-agent": "ours/1",
        "authorization": "Basic a2ltOmRlbW8=",
        "x-api-key": "k",
    }
    assert (statuses, after) == ([204], before)


def test_an_injected_sessions_hooks_see_redirects_too() -> None:
    """
    The user's hooks get the answer although the redirect is not followed.
    """
    seen = []
    with (
        Stub(raw_answer("302 Found", "Location: /login")) as stub,
        requests.Session() as session,
    ):
        session.hooks["response"].append(
            lambda response, **_: seen.append((response.status_code, response.headers["Location"]))
        )
        with once(stub.url, session=session) as client:
            assert type(_error(client, "complete")) is NotTheEngine

    assert seen == [(302, "/login")]


def test_auth_of_the_client_beats_that_of_an_injected_session() -> None:
    """
    What was passed to the client is meant for its requests.
    """
    with Stub(NO_CONTENT) as stub, requests.Session() as session:
        session.auth = ("lee", "other")
        with once(stub.url, session=session, auth=("kim", "demo")) as client:
            client.unlock("t1")

    assert stub.seen[0].headers["authorization"] == "Basic a2ltOmRlbW8="


def test_an_adapter_of_an_injected_session_is_used() -> None:
    """
    For instance an adapter that reaches its engine without a socket.
    """

    class Embedded(HTTPAdapter):
        def send(
            self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
        ) -> requests.Response:
            response = requests.Response()
            response.status_code = 200
            response.url = request.url or ""
            response.request = request
            response._content = b'{"count": 7}'
            return response

    with requests.Session() as session:
        session.mount("embedded://", Embedded())
        session.mount("http://engine.invalid", Embedded())
        with once("http://engine.invalid/engine-rest", session=session) as client:
            assert client.count() == 7


def test_an_injected_sessions_environment_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A session that trusts the environment keeps doing so.
    """
    with Stub(_COUNT) as stub:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{stub.port}")
        with (
            requests.Session() as session,
            once("http://engine.invalid/engine-rest", session=session) as client,
        ):
            assert client.count() == 1


def test_an_injected_session_is_not_closed() -> None:
    """
    It is for the user to close.
    """
    with Stub(NO_CONTENT) as stub, requests.Session() as session:
        for _ in range(2):
            with once(stub.url, session=session) as client:
                client.unlock("t1")

    assert [seen.connection for seen in stub.seen] == [1, 1]


def test_an_adapter_that_changes_a_part_of_sending_is_heard() -> None:
    """
    Also when it is mounted later, on a session without other settings.
    """

    class Watching(HTTPAdapter):
        def add_headers(self, request: requests.PreparedRequest, **kwargs: Any) -> None:
            request.headers["X-Watched"] = "yes"

    with Stub(NO_CONTENT) as stub, requests.Session() as session:
        session.trust_env = False
        with once(stub.url, session=session) as client:
            client.unlock("t1")
            session.mount("http://", Watching())
            client.unlock("t1")

    assert [seen.headers.get("x-watched") for seen in stub.seen] == [None, "yes"]


def test_settings_of_an_injected_session_may_change() -> None:
    """
    Each call uses the settings of the session at its beginning.
    """
    with Stub(_COUNT) as proxy, Stub(_COUNT, tls=True) as stub, requests.Session() as session:
        session.trust_env = False
        with once(stub.url, session=session) as client:
            refused = _error(client, "count")
            session.verify = str(CERTIFICATE)
            counted = client.count()
        with once("http://engine.invalid/engine-rest", session=session) as client:
            lost = _error(client, "count")
            session.proxies = {"http": f"http://127.0.0.1:{proxy.port}"}
            counted += client.count()

    assert (type(refused), type(lost), counted) == (NotSent, NotSent, 2)
    assert [seen.target for seen in proxy.seen] == [
        "http://engine.invalid/engine-rest/external-task/count"
    ]


def test_a_hook_that_an_auth_object_adds_is_called() -> None:
    """
    The auth of requests for Digest answers a challenge in a hook.
    """
    challenge = raw_answer("401 No", 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"')
    with (
        Stub(challenge, NO_CONTENT) as stub,
        once(stub.url, auth=HTTPDigestAuth("kim", "demo")) as client,
    ):
        client.unlock("t1")
        client.unlock("t1")

    sent = [seen.headers.get("authorization", "") for seen in stub.seen]
    assert [text[:21] for text in sent] == ["", *['Digest username="kim"'] * 2]
    # A nonce's count goes up by one with each request.
    assert [re.findall(r"nc=(\w+)", text) for text in sent] == [[], ["00000001"], ["00000002"]]


@pytest.mark.parametrize("has_hook", [True, False])
def test_an_auth_object_signs_each_request_once(has_hook: bool) -> None:
    """
    Also where requests sends the request, because of a hook of the auth object or of an adapter.
    """

    class Counting(AuthBase):
        count = 0

        def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
            self.count += 1
            r.headers["X-Count"] = str(self.count)
            if has_hook:
                r.hooks["response"].append(lambda response, **_: statuses.append("hook"))
            return r

    class Noting(HTTPAdapter):
        def send(self, *args: Any, **kwargs: Any) -> requests.Response:
            response = super().send(*args, **kwargs)
            statuses.append(str(response.status_code))
            return response

    statuses: list[str] = []
    with Stub(NO_CONTENT) as stub, requests.Session() as session:
        session.trust_env = False
        if not has_hook:
            session.mount("http://", Noting())
        with once(stub.url, session=session, auth=Counting()) as client:
            client.unlock("t1")
            client.set_priority("t1", 5)

    assert [seen.headers["x-count"] for seen in stub.seen] == ["1", "2"]
    assert [seen.body for seen in stub.seen] == [b"", b'{"priority":5}']
    assert statuses == (["hook"] if has_hook else ["204"]) * 2


def test_an_injected_session_keeps_its_cookies() -> None:
    """
    For instance the cookie of a load balancer.
    """
    answer = raw_answer("204 No Content", "Set-Cookie: ROUTE=1; Path=/")
    with Stub(answer) as stub, requests.Session() as session:
        session.trust_env = False
        with once(stub.url, session=session) as client:
            client.unlock("t1")
            client.unlock("t1")

    assert [seen.headers.get("cookie") for seen in stub.seen] == [None, "ROUTE=1"]


def test_the_connection_of_an_injected_session_is_closed_with_it() -> None:
    """
    The client does not keep it; the next call opens another.
    """
    with Stub(NO_CONTENT) as stub, requests.Session() as session:
        session.trust_env = False
        with once(stub.url, session=session) as client:
            client.unlock("t1")
            session.close()
            left = stub.is_left()
            client.unlock("t1")

    assert (left, [seen.connection for seen in stub.seen]) == (True, [1, 2])


@pytest.mark.parametrize(
    "told",
    [
        {"verify": False},
        {"verify": str(CERTIFICATE)},
        {"cert": str(CERTIFICATE)},
        {"proxies": {}},
        {"proxies": {"http": "http://127.0.0.1:1"}},
    ],
    ids=repr,
)
def test_an_injected_session_brings_its_own_settings(told: dict[str, Any]) -> None:
    """
    They are set on the session, and refused as arguments.
    """
    with requests.Session() as session, pytest.raises(ValueError, match="on the session itself"):
        once("http://127.0.0.1:1/engine-rest", session=session, **told)


# --------------------------------------------------------------------------------- TLS and warnings


def test_a_bundle_that_is_passed_is_the_one_that_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """
    The environment's bundle does not overrule the one in the code.
    """
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(tmp_path))
    with Stub(_COUNT, tls=True) as stub:
        with once(stub.url, verify=str(CERTIFICATE)) as client:
            assert client.count() == 1
        with once(stub.url) as client:
            assert type(_error(client, "count")) is NotSent


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_environments_bundle_counts_where_none_is_passed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A machine with certificates of its own needs no argument for them.
    """
    monkeypatch.setenv(name, str(CERTIFICATE))
    with Stub(_COUNT, tls=True) as stub, once(stub.url) as client:
        assert client.count() == 1


def test_a_bundle_that_is_not_there_is_refused() -> None:
    """
    A mistyped path is an error when the client is made.
    """
    with pytest.raises(ValueError, match=r"there is no CA bundle '/no/such\.pem'"):
        once("https://127.0.0.1:1/engine-rest", verify="/no/such.pem")


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_to_verify_nothing_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    It works even if the environment names a bundle, and warns once, at the user's line.
    """
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    with Stub(_COUNT, tls=True) as stub:
        with pytest.warns(UserWarning, match="verify=False: anybody on the way") as warned:
            client = ExternalTaskClient(stub.url, verify=False)
        with client:
            assert client.count() == 1

    assert [one.filename for one in warned] == [__file__]


@pytest.mark.parametrize(
    "url",
    [
        "http://engine.example/engine-rest",
        "http://10.0.0.1:8080/engine-rest",
        "http://127.0.0.1.example/engine-rest",
        "http://127.example/engine-rest",
        "http://localhost.example/engine-rest",
        "http://[2001:db8::1]/engine-rest",
        "HTTP://ENGINE.EXAMPLE/engine-rest",
    ],
)
def test_credentials_by_plain_http_are_warned_of(url: str) -> None:
    """
    What leaves the machine without TLS can be read, whatever the host's name looks like.
    """
    with pytest.warns(UserWarning, match="by plain http") as warned:
        ExternalTaskClient(url, auth=("kim", "demo"), proxies={}).close()

    assert [one.filename for one in warned] == [__file__]


@pytest.mark.parametrize(
    ("name", "warns"),
    [
        ("X-Api-Key", True),
        ("x-auth-request", True),
        ("Private-Token", True),
        ("X-Client-Secret", True),
        ("Cookie", True),
        ("X-Tenant", False),
        ("X-Request-Id", False),
    ],
)
def test_a_header_that_holds_a_secret_warns(name: str, warns: bool) -> None:
    """
    As with credentials.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ExternalTaskClient("http://engine.example/engine-rest", headers={name: "value"}).close()
        ExternalTaskClient("https://engine.example/engine-rest", headers={name: "value"}).close()

    assert ["by plain http" in str(one.message) for one in caught] == [True] * warns


@pytest.mark.parametrize(
    ("url", "auth"),
    [
        ("http://127.0.0.1:8080/engine-rest", ("kim", "demo")),
        ("http://127.1.2.3:8080/engine-rest", ("kim", "demo")),
        ("http://localhost:8080/engine-rest", ("kim", "demo")),
        ("http://LOCALHOST:8080/engine-rest", ("kim", "demo")),
        ("http://[::1]:8080/engine-rest", ("kim", "demo")),
        ("https://engine.example/engine-rest", ("kim", "demo")),
        ("http://engine.example/engine-rest", None),
    ],
)
def test_what_is_safe_is_not_warned_of(url: str, auth: tuple[str, str] | None) -> None:
    """
    Neither TLS, nor this machine, nor a request without credentials needs a warning.
    """
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        once(url, auth=auth, proxies={}).close()

    assert warned == []


def test_a_netrc_file_changes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """
    Its entries neither replace credentials nor add any.
    """
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login lee password other\n", "ascii")
    monkeypatch.setenv("NETRC", str(netrc))
    with Stub(NO_CONTENT) as stub:
        for auth in (None, ("kim", "demo")):
            with once(stub.url, auth=auth) as client:
                client.unlock("t1")

    assert [seen.headers.get("authorization") for seen in stub.seen] == [
        None,
        "Basic a2ltOmRlbW8=",
    ]


def test_no_cookie_is_sent_back() -> None:
    """
    Cookies of an answer are not sent with the next request.
    """
    answer = raw_answer("204 No Content", "Set-Cookie: ROUTE=1; Path=/")
    with Stub(answer) as stub, once(stub.url) as client:
        client.unlock("t1")
        client.unlock("t1")

    assert [seen.headers.get("cookie") for seen in stub.seen] == [None, None]


# ------------------------------------------------------------------------------------ over the wire


@pytest.mark.parametrize("asked", OPERATIONS, ids=label)
def test_each_operation_sends_its_method_path_and_headers(asked: Operation) -> None:
    """
    A JSON body has its type said, no body has none, and all that may be answered is accepted.
    """
    with Stub() as stub, once(stub.url) as client:
        if asked.due in ("nothing", "text"):
            asked.call(client)
        else:
            _error(client, asked.name, asked)
    [seen] = stub.seen
    has_body = asked.method != "DELETE" and asked.method != "GET" and asked.name != "unlock"

    assert (seen.method, seen.target) == (asked.method, "/engine-rest" + asked.path)
    assert {name: seen.headers.get(name) for name in ("accept", "content-type", "user-agent")} == {
        "accept": {"text": "text/plain, application/json", "file": "*/*"}.get(
            asked.due, "application/json"
        ),
        "content-type": "application/json" if has_body else None,
        "user-agent": (
            f"camunda_ext/{camunda_ext.__version__} python-requests/{requests.__version__}"
        ),
    }
    assert bool(seen.body) is has_body


@pytest.mark.parametrize(
    ("base", "target"),
    [
        ("", "/external-task/count"),
        ("/", "/external-task/count"),
        ("///", "/external-task/count"),
        ("/engine-rest", "/engine-rest/external-task/count"),
        ("/engine-rest/", "/engine-rest/external-task/count"),
        ("/engine-rest///", "/engine-rest/external-task/count"),
        ("/a/b/engine-rest", "/a/b/engine-rest/external-task/count"),
        ("/a%20b/", "/a%20b/external-task/count"),
    ],
)
def test_one_slash_stands_between_base_and_path(base: str, target: str) -> None:
    """
    It does not matter how the base URL ends, or how deep it is.
    """
    with (
        Stub(_COUNT) as stub,
        once(f"http://127.0.0.1:{stub.port}{base}") as client,
    ):
        client.count()

    assert [seen.target for seen in stub.seen] == [target]


@pytest.mark.parametrize(
    ("engine", "target"),
    [
        ("default", "/engine-rest/engine/default/external-task/count"),
        ("my engine", "/engine-rest/engine/my%20engine/external-task/count"),
        ("a?b", "/engine-rest/engine/a%3Fb/external-task/count"),
        ("count", "/engine-rest/engine/count/external-task/count"),
    ],
)
def test_an_engine_by_name_has_its_own_path(engine: str, target: str) -> None:
    """
    A server with several engines has each below its name.
    """
    with Stub(_COUNT) as stub, once(stub.url, engine=engine) as client:
        client.count()

    assert [seen.target for seen in stub.seen] == [target]


@pytest.mark.parametrize("engine", ["", ".", "..", "a/b", "a\\b", "a\nb", "x" * 256])
def test_an_engines_name_is_one_segment(engine: str) -> None:
    """
    A name that would change the path is refused.
    """
    with pytest.raises(ValueError, match="engine"):
        once("http://127.0.0.1:1/engine-rest", engine=engine)


@pytest.mark.parametrize("host", ["127.0.0.1:1", "engine.example", "[::1]:8080"])
@pytest.mark.parametrize("user", ["kim:canary", "canary", ":canary", "kim:canary%40", ""])
@pytest.mark.parametrize("scheme", ["http", "https", "ftp"])
def test_credentials_in_the_url_are_refused_without_quoting_them(
    scheme: str, user: str, host: str
) -> None:
    """
    Logs and messages show URLs, so credentials are passed as an argument of their own.
    """
    with pytest.raises(ValueError, match="pass auth=") as caught:
        once(f"{scheme}://{user}@{host}/engine-rest")

    assert "canary" not in f"{caught.value} {caught.value!r}"


@pytest.mark.parametrize(
    "url",
    [
        "kim:canary@127.0.0.1:1/engine-rest",
        "http:/kim:canary@127.0.0.1:1/engine-rest",
        "http:kim:canary@127.0.0.1:1/engine-rest",
        "//kim:canary@127.0.0.1:1/engine-rest",
        "http://kim:canary/x@127.0.0.1:1/engine-rest",
        "http://kim:canary#x@127.0.0.1:1/engine-rest",
        "http://kim:canary?x@127.0.0.1:1/engine-rest",
        "http://kim:canary\\x@127.0.0.1:1/engine-rest",
        "http://kim:canary[x@127.0.0.1:1/engine-rest",
        "http://127.0.0.1:1/engine-rest?password=canary",
        "http://127.0.0.1:1/engine-rest#canary",
    ],
)
def test_an_invalid_url_is_refused_without_quoting_it(url: str) -> None:
    """
    A mistyped URL may hold a password anywhere, so the error does not quote it.
    """
    with pytest.raises(ValueError, match="base_url") as caught:
        once(url)

    assert "canary" not in f"{caught.value} {caught.value!r}"
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "engine-rest",
        "/engine-rest",
        "127.0.0.1:8080/engine-rest",
        "ftp://127.0.0.1/engine-rest",
        "file:///engine-rest",
        "http://",
        "http:///engine-rest",
        "http://:8080/engine-rest",
        "http://[::1/engine-rest",
        "http://127.0.0.1:port/engine-rest",
        "http://127.0.0.1:99999/engine-rest",
        "http://127.0.0.1:-1/engine-rest",
        "http://127.0.0.1/engine-rest?a=b",
        "http://127.0.0.1/engine-rest#a",
        "http://127.0.0.1/engine\r\n-rest",
        "http://127.0.0.1/engine\x00-rest",
        "\nhttp://127.0.0.1/engine-rest",
        "http://127.0.0.1/\x1b[31m",
    ],
    ids=repr,
)
def test_an_invalid_base_url_is_refused(url: str) -> None:
    """
    An invalid URL is an error when the client is made.
    """
    with pytest.raises(ValueError, match="base_url"):
        once(url)


@pytest.mark.parametrize("rest", ["?a=b", "#a", "?"])
def test_a_base_url_has_no_query(rest: str) -> None:
    """
    Paths are appended to it.
    """
    with pytest.raises(ValueError, match=r"^base_url must not have a query or fragment$"):
        once(f"http://127.0.0.1:1/engine-rest{rest}")


@pytest.mark.parametrize("url", [None, b"http://127.0.0.1:1/engine-rest", 5])
def test_a_base_url_is_text(url: Any) -> None:
    """
    Other types are a `TypeError`.
    """
    with pytest.raises(TypeError, match="base_url"):
        once(url)


# -------------------------------------------------------------------------------------- ids in URLs


@pytest.mark.parametrize(
    ("id_", "segment"),
    [
        ("0f1b-2c3d_4.5~6", "0f1b-2c3d_4.5~6"),
        ("a b", "a%20b"),
        (" a ", "%20a%20"),
        ("100%", "100%25"),
        ("a;b", "a%3Bb"),
        ("a?b", "a%3Fb"),
        ("a#b", "a%23b"),
        ("a+b", "a%2Bb"),
        ("a&b=c", "a%26b%3Dc"),
        ("a:b@c", "a%3Ab%40c"),
        ("é", "%C3%A9"),
        ("e\u0301", "e%CC%81"),
        ("😀", "%F0%9F%98%80"),
        ("\u202e", "%E2%80%AE"),
        ("'\"<>|^`{}[]*!$(),", "%27%22%3C%3E%7C%5E%60%7B%7D%5B%5D%2A%21%24%28%29%2C"),
        ("%2e%2e", "%252e%252e"),
        ("%2F", "%252F"),
        ("a%2Fb", "a%252Fb"),
        ("%41", "%2541"),
        ("...", "..."),
        (".a", ".a"),
        ("{task_id}", "%7Btask_id%7D"),
        ("Count", "Count"),
        ("x" * 255, "x" * 255),
    ],
)
def test_an_id_is_one_segment(id_: str, segment: str) -> None:
    """
    Whatever is in an id arrives as one percent-encoded segment of the path.
    """
    with Stub() as stub, once(stub.url) as client:
        client.unlock(id_)

    assert [seen.target for seen in stub.seen] == [f"/engine-rest/external-task/{segment}/unlock"]


_WITH_IDS: Final[Mapping[str, Callable[[ExternalTaskClient, Any], object]]] = {
    "get": lambda c, id_: c.get(id_),
    "error_details": lambda c, id_: c.error_details(id_),
    "complete": lambda c, id_: c.complete(id_, "w1"),
    "failure": lambda c, id_: c.failure(id_, "w1", retries=0),
    "bpmn_error": lambda c, id_: c.bpmn_error(id_, "w1", "E1"),
    "lock": lambda c, id_: c.lock(id_, "w1", 1000),
    "extend_lock": lambda c, id_: c.extend_lock(id_, "w1", 1000),
    "unlock": lambda c, id_: c.unlock(id_),
    "set_priority": lambda c, id_: c.set_priority(id_, 5),
    "set_retries": lambda c, id_: c.set_retries(id_, 5),
    "variable_file of an instance": lambda c, id_: c.variable_file(id_, "v"),
    "variable_file of a name": lambda c, id_: c.variable_file("p1", id_),
    "log_get": lambda c, id_: c.log_get(id_),
    "log_error_details": lambda c, id_: c.log_error_details(id_),
    "batch": lambda c, id_: c.batch(id_),
    "batch_statistics": lambda c, id_: c.batch_statistics(id_),
    "suspend_batch": lambda c, id_: c.suspend_batch(id_),
    "activate_batch": lambda c, id_: c.activate_batch(id_),
    "delete_batch": lambda c, id_: c.delete_batch(id_),
}

_NO_IDS: Final = (
    *("", ".", "..", "/", "a/b", "../..", "\\", "a\\b"),
    *("a\x00", "a\nb", "a\r\nb", "\x1b", "\x7f", "\x85", "\x9f", "\ud83d", "a\udcff"),
    *("x" * 256, "😀" * 128),
)
_OTHER_PATHS: Final = ("count", "topic-names", "retries", "retries-async", "fetchAndLock")
_OF_TASKS: Final = tuple(_WITH_IDS)[:10]


@pytest.mark.parametrize("name", _WITH_IDS)
def test_an_invalid_id_is_refused_before_anything_is_sent(name: str) -> None:
    """
    An id that a URL cannot carry, or that would make it another one, is a mistake of the caller.
    """
    with Stub() as stub, once(stub.url) as client:
        for id_ in (*_NO_IDS, *(_OTHER_PATHS if name in _OF_TASKS else ())):
            with pytest.raises(ValueError, match=r"must|more than 255"):
                _WITH_IDS[name](client, id_)

    assert stub.connections == 0


@pytest.mark.parametrize("name", _WITH_IDS)
@pytest.mark.parametrize("id_", [None, 5, b"t1", ["t1"]])
def test_an_id_is_text(name: str, id_: object) -> None:
    """
    Nothing is turned into text silently: ``None`` would be the task "None".
    """
    with (
        Stub() as stub,
        once(stub.url) as client,
        pytest.raises(TypeError, match=r"must be a (str|task or its id)"),
    ):
        _WITH_IDS[name](client, id_)

    assert stub.connections == 0


@pytest.fixture(scope="module")
def unlocking() -> Iterator[tuple[Stub, ExternalTaskClient]]:
    """
    A client and the stub that it talks to, for many requests.
    """
    with Stub() as stub, once(stub.url) as client:
        yield stub, client


_ODD: Final = st.sampled_from([*"/\\%.;?#+&= \x00\x7f", "..", "%2e", "%2f", "%25", "é", "\ud83d"])


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(id_=st.one_of(st.text(max_size=300), st.lists(_ODD, max_size=8).map("".join)))
def test_any_text_is_one_segment_or_refused(
    unlocking: tuple[Stub, ExternalTaskClient], id_: str
) -> None:
    """
    No text reaches another path than that of the task that it names.
    """
    stub, client = unlocking
    before = len(stub.seen)
    try:
        client.unlock(id_)
    except ValueError:
        assert len(stub.seen) == before
        return
    [*_, seen] = stub.seen
    empty, base, resource, segment, command = seen.target.split("/")

    assert len(stub.seen) == before + 1
    assert (empty, base, resource, command) == ("", "engine-rest", "external-task", "unlock")
    assert unquote(segment, errors="strict") == id_
    assert not set(segment) & set("?#;&+= \\")
    assert "%2F" not in segment.upper()


# ------------------------------------------------------------------------------------------- tools


def _error(client: ExternalTaskClient, name: str, asked: Operation | None = None) -> CamundaError:
    with pytest.raises(CamundaError) as caught:
        (asked or operation(name)).call(client)
    return caught.value


def _raised_with(adapter: HTTPAdapter) -> CamundaError:
    """
    What a command raises whose session has this adapter.
    """
    with requests.Session() as session:
        session.mount("http://", adapter)
        with once("http://127.0.0.1:1/engine-rest", session=session) as client:
            return _error(client, "complete")


def _error_within(timeout: Timeout, answer: Answer) -> CamundaError:
    with Stub(answer) as stub, once(stub.url, timeout=timeout) as client:
        return _error(client, "complete")


def _nobody() -> str:
    """
    A URL on this machine where nobody listens.
    """
    with socket.socket() as once:
        once.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{once.getsockname()[1]}"


def _in_thread(work: Callable[[], None]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def _take_one_and_leave(listener: socket.socket) -> None:
    """
    Take one request, answer nothing, and listen no more.
    """
    connection, _ = listener.accept()
    listener.close()
    connection.recv(65536)
    connection.close()


def test_a_call_through_a_wrapper_has_its_own_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    And not that of the call before.
    """
    pass_on = requests.Session.request

    def watched(self: requests.Session, *args: Any, **kwargs: Any) -> requests.Response:
        return pass_on(self, *args, **kwargs)

    answer = json_answer(200, {"count": 1})
    with Stub(answer) as stub, ExternalTaskClient(stub.url, retry=False) as client:
        client.count()
        transport: Any = client._sender.transport
        [session] = transport._sessions._idle
        session.call.deadline = 0.0  # long ago
        monkeypatch.setattr(requests.Session, "request", watched)

        assert client.count() == 1


def test_a_child_leaves_any_connection_of_its_parents() -> None:
    """
    Also one with only the number of its socket, as for TLS within TLS.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        number = ours.detach()
        connection: Any = SimpleNamespace(sock=SimpleNamespace(fileno=lambda: number))

        pool._abandon(connection)

        assert theirs.recv(1) == b""


@pytest.mark.parametrize("name", ["complete", "count"])
def test_a_packed_answer_of_nothing_is_empty(name: str) -> None:
    """
    Some gateways say of a 204 that it is packed as well; it was answered, and is not sent again.
    """
    answers = {
        "complete": raw_answer("204 No Content", "Content-Encoding: gzip"),
        "count": raw_answer("200 OK", "Content-Encoding: gzip", "Content-Length: 0"),
    }
    with Stub(answers[name], _COUNT) as stub, once(stub.url) as client:
        if name == "complete":
            client.complete("t1", "w1")
        else:
            with pytest.raises(NoAnswer):
                client.count()
        assert len(stub.seen) == 1


@pytest.mark.parametrize("own_session", [False, True], ids=["ours", "injected"])
def test_an_auth_object_may_change_the_body(own_session: bool) -> None:
    """
    Its length is told anew, so that the next request begins where this one ends.
    """

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.body = bytes(request.body or b"") + b"  "  # type: ignore[arg-type]  # bytes
        return request

    with (
        Stub(_COUNT, _COUNT) as stub,
        requests.Session() as session,
        ExternalTaskClient(stub.url, auth=sign, session=session if own_session else None) as client,
    ):
        client.count()
        client.count()
        assert [one.body for one in stub.seen] == [b"{}  "] * 2
        assert {one.headers["content-length"] for one in stub.seen} == {"4"}


def test_an_adapter_is_asked_for_the_pool_of_each_request() -> None:
    """
    It may choose another one, such as for another certificate.
    """
    asked = []

    class Adapter(requests.adapters.HTTPAdapter):
        def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
            asked.append(args)
            return super().get_connection_with_tls_context(*args, **options)

    with Stub(*[_COUNT] * 3) as stub, requests.Session() as session:
        session.trust_env = False
        session.mount("http://", Adapter())
        with ExternalTaskClient(stub.url, session=session) as client:
            for _ in range(3):
                client.count()

    assert len(asked) == 3


def test_a_long_request_may_take_as_long_as_the_call() -> None:
    """
    The time-out for a piece is not for all of it, where the server takes it steadily.
    """
    taken = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += connection.recv(4096)
                left = 4_000_000 - len(head.partition(b"\r\n\r\n")[2])
                begun = time.monotonic()
                while left > 0 and (piece := connection.recv(20_000)):
                    left -= len(piece)
                    if time.monotonic() - begun < 0.6:
                        time.sleep(0.01)
                taken.append(time.monotonic() - begun)
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        timeout = Timeout(connect=3, read=0.3, total=60)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/engine-rest"
        with ExternalTaskClient(url, timeout=timeout) as client:
            client.request("POST", "/x", content=b"x" * 4_000_000)
        thread.join()

    assert taken[0] > 0.3
