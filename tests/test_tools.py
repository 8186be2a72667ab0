"""
Tools that watch or replace what `requests` does: each sees each call, on a client that has been at
work before as well, and so a test that takes the network away never reaches a real engine.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from unittest import mock

import pytest
import requests
import requests_mock
import responses
import vcr  # type: ignore[import-untyped]  # it has no types
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from camunda_ext import ExternalTaskClient, NoAnswer, NotSent, OAuth2ClientCredentials
from camunda_ext.opentelemetry import OpenTelemetry
from tests.stub import Stub, json_answer, raw_answer

#: What the real engine answers, and what it is to be taken for.
_REAL: Final = json_answer(200, {"count": 1})
_MOCKED: Final = {"count": 7}


@pytest.fixture
def stub() -> Iterator[Stub]:
    """
    The engine that a test without a network must not reach.
    """
    with Stub(_REAL) as stub:
        yield stub


@pytest.fixture(params=["ours", "own session"])
def client(stub: Stub, request: pytest.FixtureRequest) -> Iterator[ExternalTaskClient]:
    """
    A client that has a connection already.
    """
    with requests.Session() as session:
        session.trust_env = False
        own = session if request.param == "own session" else None
        with ExternalTaskClient(stub.url, session=own, retry=False) as client:
            assert client.count() == 1
            stub.seen.clear()
            yield client


def response() -> requests.Response:
    """
    What a mock of requests is told to answer.
    """
    made = requests.Response()
    made.status_code = 200
    made.headers["Content-Type"] = "application/json"
    made._content = json.dumps(_MOCKED).encode()
    return made


# --------------------------------------------------------------------------------------- mocks


def test_requests_mock_answers(client: ExternalTaskClient, stub: Stub) -> None:
    """
    What it was told to, by a URL, with a body to look at afterwards.
    """
    with requests_mock.Mocker() as mocker:
        mocker.post(f"{stub.url}/external-task/count", json=_MOCKED)
        counted = client.count()
        asked = mocker.last_request

    assert (counted, asked.json(), stub.seen) == (7, {}, [])
    assert client.count() == 1


def test_requests_mock_lets_nothing_through(client: ExternalTaskClient, stub: Stub) -> None:
    """
    Its own exception says which request nobody has mocked.
    """
    with (
        requests_mock.Mocker(),
        pytest.raises(requests_mock.NoMockAddress, match="external-task/count"),
    ):
        client.count()

    assert stub.seen == []
    assert client.count() == 1


def test_requests_mock_plays_faults(client: ExternalTaskClient, stub: Stub) -> None:
    """
    An exception of requests is what it would be on the real network.
    """
    url = f"{stub.url}/external-task/count"
    for raised, told in (
        (requests.ConnectTimeout, NotSent),
        (requests.ReadTimeout, NoAnswer),
        (requests.ConnectionError, NoAnswer),
    ):
        with requests_mock.Mocker() as mocker:
            mocker.post(url, exc=raised)
            with pytest.raises(told) as error:
                client.count()
            assert error.value.message == raised.__name__

    assert stub.seen == []


def test_responses_answers_and_lets_nothing_through(client: ExternalTaskClient, stub: Stub) -> None:
    """
    Calls can be looked at, with their answers.
    """
    with responses.RequestsMock() as mocker:
        mocker.post(f"{stub.url}/external-task/count", json=_MOCKED)
        counted = client.count()
        seen: Any = mocker.calls[0]
    with responses.RequestsMock(), pytest.raises(NoAnswer, match="external-task/count"):
        client.count()

    assert (counted, stub.seen) == (7, [])
    assert (json.loads(seen.request.body or ""), seen.response.json()) == ({}, _MOCKED)
    assert client.count() == 1


@pytest.mark.parametrize(
    "patched",
    [
        "requests.Session.send",
        "requests.Session.request",
        "requests.sessions.Session.send",
        "requests.adapters.HTTPAdapter.send",
    ],
)
def test_patches_of_requests_work(client: ExternalTaskClient, stub: Stub, patched: str) -> None:
    """
    Of the session and of the adapter.
    """
    with mock.patch(patched, return_value=response()) as send:
        counted = client.count()

    assert (counted, send.call_count, stub.seen) == (7, 1, [])
    assert client.count() == 1


def test_a_patch_may_answer_with_less_than_a_response(
    client: ExternalTaskClient, stub: Stub
) -> None:
    """
    Status, headers and content will do; without these, it is told what is missing.
    """
    made = mock.Mock(
        status_code=200, headers={"Content-Type": "application/json"}, content=b'{"count": 7}'
    )
    with mock.patch("requests.Session.request", return_value=made):
        counted = client.count()
    with (
        mock.patch("requests.Session.request"),
        pytest.raises(TypeError, match="its status_code is MagicMock"),
    ):
        client.count()
    made.content = "text"
    with (
        mock.patch("requests.Session.send", return_value=made),
        pytest.raises(TypeError, match="its content is str"),
    ):
        client.count()

    assert (counted, stub.seen) == (7, [])


def test_a_method_of_ones_own_session_may_be_patched(stub: Stub) -> None:
    """
    Of that session alone.
    """
    with requests.Session() as session:
        session.trust_env = False
        client = ExternalTaskClient(stub.url, session=session, retry=False)
        for name in ("request", "send", "get_adapter"):
            answering: Any = mock.Mock(return_value=response())
            if name == "get_adapter":
                answering = mock.Mock(return_value=mock.Mock(send=answering))
            with mock.patch.object(session, name, answering):
                assert client.count() == 7

    assert stub.seen == []


# Before version 9, which needs Python 3.11, vcrpy forgets the connection that it has recorded.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
)
def test_a_cassette_plays_what_it_has_recorded(
    client: ExternalTaskClient, stub: Stub, tmp_path: Path
) -> None:
    """
    And the engine is not asked any more.
    """
    cassette = str(tmp_path / "cassette.yaml")
    with vcr.use_cassette(cassette):
        recorded = [client.count(), client.count()]
    asked = len(stub.seen)
    with vcr.use_cassette(cassette) as tape:
        played = [client.count(), client.count()]

    assert (recorded, played, tape.play_count) == ([1, 1], [1, 1], 2)
    assert len(stub.seen) == asked == 2
    assert client.count() == 1


def test_a_cassette_may_hold_what_was_packed(tmp_path: Path) -> None:
    """
    As a gateway may pack it, on its way.
    """
    packed = raw_answer(
        "200 OK",
        "Content-Type: application/json",
        "Content-Encoding: gzip",
        body=gzip.compress(b'{"count": 1}'),
    )
    cassette = str(tmp_path / "cassette.yaml")
    with Stub(packed) as stub, ExternalTaskClient(stub.url, retry=False) as client:
        for _ in range(2):
            with vcr.use_cassette(cassette):
                assert client.count() == 1

    assert len(stub.seen) == 1


def test_a_token_is_asked_for_in_the_same_way(stub: Stub) -> None:
    """
    A test that takes the network away must not ask the login server either.
    """
    login = stub.url.replace("/engine-rest", "/token")
    auth = OAuth2ClientCredentials(login, "worker", "s3cret")
    client = ExternalTaskClient(stub.url, auth=auth, retry=False)
    with requests_mock.Mocker() as mocker:
        mocker.post(login, json={"access_token": "t1", "expires_in": 60})
        mocker.post(f"{stub.url}/external-task/count", json=_MOCKED)
        counted = client.count()
        authorization = mocker.last_request.headers["Authorization"]
    with requests_mock.Mocker(), pytest.raises(requests_mock.NoMockAddress):
        OAuth2ClientCredentials(login, "worker", "s3cret")(requests.PreparedRequest())

    assert (counted, authorization, stub.seen) == (7, "Bearer t1", [])


# ------------------------------------------------------------------------------------- traces


@contextmanager
def _instrumented(instrumentor: Any) -> Iterator[tuple[TracerProvider, InMemorySpanExporter]]:
    spans, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    instrumentor.instrument(tracer_provider=provider)
    try:
        yield provider, spans
    finally:
        instrumentor.uninstrument()


@pytest.mark.parametrize("instrumentor", [RequestsInstrumentor, URLLib3Instrumentor])
def test_instrumentations_of_opentelemetry_see_a_span(
    client: ExternalTaskClient, stub: Stub, instrumentor: Callable[[], Any]
) -> None:
    """
    Of a client that was there before them, and the server gets the trace.
    """
    with _instrumented(instrumentor()) as (_, spans):
        client.count()
        client.count()
    client.count()

    assert [span.name for span in spans.get_finished_spans()] == ["POST", "POST"]
    assert ["traceparent" in seen.headers for seen in stub.seen] == [True, True, False]


@pytest.mark.parametrize("instrumentor", [RequestsInstrumentor, URLLib3Instrumentor])
def test_our_own_spans_are_not_doubled(stub: Stub, instrumentor: Callable[[], Any]) -> None:
    """
    The hook keeps the instrumentations quiet, which would make a second span of the same.
    """
    with (
        _instrumented(instrumentor()) as (provider, spans),
        ExternalTaskClient(stub.url, hooks=[OpenTelemetry(tracer_provider=provider)]) as client,
    ):
        client.count()

    assert [span.name for span in spans.get_finished_spans()] == ["POST /external-task/count"]


#: What Sentry patches stays patched, so a process of its own is asked.
_SENTRY: Final = """
import json, sys
import sentry_sdk
from camunda_ext import ExternalTaskClient

class Kept(sentry_sdk.transport.Transport):
    sent = []

    def capture_envelope(self, envelope):
        self.sent += [item.payload.json or {} for item in envelope.items]

with ExternalTaskClient(sys.argv[1]) as client:
    client.count()
    sentry_sdk.init(dsn="http://key@127.0.0.1:1/1", transport=Kept, traces_sample_rate=1.0)
    with sentry_sdk.start_transaction(name="a script"):
        client.count()
sentry_sdk.flush()
spans = [span for payload in Kept.sent for span in payload.get("spans", ())]
print(json.dumps([[span["op"], span["description"]] for span in spans]))
"""


def test_sentry_sees_a_span(stub: Stub) -> None:
    """
    Of HTTP, in its transaction.
    """
    told = subprocess.run(
        [sys.executable, "-c", _SENTRY, stub.url], capture_output=True, text=True, check=True
    )

    assert json.loads(told.stdout) == [["http.client", f"POST {stub.url}/external-task/count"]]
    assert ["sentry-trace" in seen.headers for seen in stub.seen] == [False, True]
