"""
What OpenTelemetry gets to see of a client, on real sockets, and of the handlers of a worker.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
import requests
from opentelemetry import baggage, context, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanKind, StatusCode
from requests.auth import AuthBase

import camunda_ext
from camunda_ext import CamundaError, ExternalTaskClient, NotSent, Retry, Timeout, Worker
from camunda_ext.hooks import Ended, Outgoing
from camunda_ext.opentelemetry import OpenTelemetry, TaskSpans
from camunda_ext.testing import Engine
from camunda_ext.worker import Abandoned, BpmnError, Failure, Postpone, Task
from tests.stub import (
    NO_CONTENT,
    OPERATIONS,
    Answer,
    Operation,
    Stub,
    html_answer,
    json_answer,
    label,
    once,
    raw_answer,
    sample,
    then_close,
)

#: The engine is starting: what any operation is sent again after.
_NOT_YET: Final = json_answer(
    400,
    {"type": "InvalidRequestException", "message": "No process engine available"},
)
_VERSION: Final = json_answer(200, {"version": "7.24.0"})
#: Sends again at once.
_QUICK: Final = Retry(attempts=2, first_delay=0)
_QUIET: Final = context._SUPPRESS_HTTP_INSTRUMENTATION_KEY
_QUIET_ALL: Final = context._SUPPRESS_INSTRUMENTATION_KEY


@attrs.frozen(kw_only=True)
class Shown:
    """
    What a span shows, but for its ids and times.
    """

    name: str
    attributes: Mapping[str, Any]
    status: StatusCode = StatusCode.UNSET
    description: str | None = None
    kind: SpanKind = SpanKind.CLIENT
    has_parent: bool = False
    events: int = 0

    @classmethod
    def by(cls, span: ReadableSpan) -> Shown:
        """
        Take it from a span.
        """
        return cls(
            name=span.name,
            attributes=dict(span.attributes or {}),
            status=span.status.status_code,
            description=span.status.description,
            kind=span.kind,
            has_parent=span.parent is not None,
            events=len(span.events),
        )


class Watch:
    """
    A hook, and what it has told of.
    """

    def __init__(self, **options: Any) -> None:
        self._spans = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self._meters = MeterProvider([self._reader], shutdown_on_exit=False)
        tracers = TracerProvider(ALWAYS_ON, shutdown_on_exit=False)
        tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        #: The provider of the hook.
        self.tracers: Final = tracers
        #: Of the same provider as the hook's own.
        self.tracer: Final = tracers.get_tracer("a program")
        #: The hook.
        self.hook: Final = OpenTelemetry(
            tracer_provider=tracers, meter_provider=self._meters, **options
        )

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """
        The spans that have ended, in the order in which they did.
        """
        return self._spans.get_finished_spans()

    @property
    def shown(self) -> list[Shown]:
        """
        What they show.
        """
        return [Shown.by(span) for span in self.spans]

    def points(self) -> list[HistogramDataPoint]:
        """
        Give what the only histogram has counted, and check its name and unit.
        """
        told = self._reader.get_metrics_data()
        assert told is not None
        (metric,) = (
            metric
            for resource in told.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        )
        assert (metric.name, metric.unit) == ("http.client.request.duration", "s")
        points: list[Any] = list(metric.data.data_points)
        return points

    def close(self) -> None:
        """
        Let go of what the provider holds.
        """
        self._meters.shutdown()


@pytest.fixture
def watch() -> Iterator[Watch]:
    """
    A hook that is watched; when the test is over, nothing of it is left in the context.
    """
    before = context.get_current()
    watched = Watch()
    yield watched
    watched.close()
    assert context.get_current() == before


@pytest.fixture
def closed_port() -> Iterator[int]:
    """
    A port of 127.0.0.1 that is taken, and that nobody listens on.
    """
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        yield port


def _complete(client: ExternalTaskClient) -> None:
    client.complete("0f1b", "w1")


# ------------------------------------------------------------------------------------------ spans


def test_an_attempt_is_a_span(watch: Watch) -> None:
    """
    It is named by method and template, and says what was asked of whom and what came of it.
    """
    with Stub(NO_CONTENT) as stub, once(stub.url, hooks=[watch.hook]) as client:
        _complete(client)

    assert watch.shown == [
        Shown(
            name="POST /external-task/{task_id}/complete",
            attributes={
                "camunda.operation": "complete",
                "http.request.method": "POST",
                "http.response.status_code": 204,
                "server.address": "127.0.0.1",
                "server.port": stub.port,
                "url.full": f"http://127.0.0.1:{stub.port}/engine-rest/external-task/0f1b/complete",
                "url.template": "/external-task/{task_id}/complete",
            },
        )
    ]


def test_a_span_tells_who_made_it(watch: Watch) -> None:
    """
    Its scope is the library, with its version.
    """
    with Stub(NO_CONTENT) as stub, once(stub.url, hooks=[watch.hook]) as client:
        _complete(client)

    (scope,) = (span.instrumentation_scope for span in watch.spans)
    assert scope is not None
    assert (scope.name, scope.version) == ("camunda_ext", camunda_ext.__version__)


def test_a_span_is_the_child_of_what_runs(watch: Watch) -> None:
    """
    All calls within a span are its children, next to each other.
    """
    with (
        Stub(NO_CONTENT) as stub,
        once(stub.url, hooks=[watch.hook]) as client,
        watch.tracer.start_as_current_span("an order") as order,
    ):
        _complete(client)
        client.unlock("t1")

    *calls, _ = watch.spans
    assert [(span.name, span.parent) for span in calls] == [
        ("POST /external-task/{task_id}/complete", order.get_span_context()),
        ("POST /external-task/{task_id}/unlock", order.get_span_context()),
    ]


def test_each_attempt_is_a_span(watch: Watch) -> None:
    """
    What is sent again counts how often; the first span has no such attribute.
    """
    with (
        Stub(_NOT_YET, _VERSION) as stub,
        ExternalTaskClient(stub.url, hooks=[watch.hook], retry=_QUICK) as client,
        watch.tracer.start_as_current_span("an order") as order,
    ):
        client.version()

    asked = {
        "camunda.operation": "version",
        "http.request.method": "GET",
        "server.address": "127.0.0.1",
        "server.port": stub.port,
        "url.full": f"http://127.0.0.1:{stub.port}/engine-rest/version",
        "url.template": "/version",
    }
    assert watch.shown[:2] == [
        Shown(
            name="GET /version",
            attributes=asked | {"http.response.status_code": 400, "error.type": "400"},
            status=StatusCode.ERROR,
            description="EngineBusy",
            has_parent=True,
        ),
        Shown(
            name="GET /version",
            attributes=asked | {"http.response.status_code": 200, "http.request.resend_count": 1},
            has_parent=True,
        ),
    ]
    assert [span.parent for span in watch.spans[:2]] == [order.get_span_context()] * 2


@pytest.mark.parametrize(
    ("answer", "came", "description"),
    [
        (
            json_answer(404, sample("complete/not_found")),
            {"http.response.status_code": 404, "error.type": "404"},
            "TaskNotFound",
        ),
        (
            json_answer(400, sample("complete/wrong_worker")),
            {"http.response.status_code": 400, "error.type": "400"},
            "LockLost",
        ),
        (
            json_answer(500, sample("complete/optimistic_lock")),
            {"http.response.status_code": 500, "error.type": "500"},
            "Conflict",
        ),
        (
            raw_answer("302 Found", "Location: /login"),
            {"http.response.status_code": 302, "error.type": "NotTheEngine"},
            "NotTheEngine",
        ),
        (
            html_answer("200 OK"),
            {"http.response.status_code": 200, "error.type": "OutcomeUnknown"},
            "OutcomeUnknown",
        ),
        (
            then_close(b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{"),
            {"http.response.status_code": 200, "error.type": "OutcomeUnknown"},
            "OutcomeUnknown",
        ),
        (then_close(b""), {"error.type": "OutcomeUnknown"}, "OutcomeUnknown"),
    ],
    ids=["unknown task", "lost lock", "conflict", "redirect", "login page", "cut", "no answer"],
)
def test_what_went_wrong_is_told_by_status_and_class(
    watch: Watch, answer: Answer, came: Mapping[str, Any], description: str
) -> None:
    """
    The type is a status that is an error, or else the class; the description is the class alone.
    """
    with (
        Stub(answer) as stub,
        once(stub.url, hooks=[watch.hook]) as client,
        pytest.raises(CamundaError),
    ):
        _complete(client)

    assert watch.shown == [
        Shown(
            name="POST /external-task/{task_id}/complete",
            attributes={
                "camunda.operation": "complete",
                "http.request.method": "POST",
                "server.address": "127.0.0.1",
                "server.port": stub.port,
                "url.full": f"http://127.0.0.1:{stub.port}/engine-rest/external-task/0f1b/complete",
                "url.template": "/external-task/{task_id}/complete",
                **came,
            },
            status=StatusCode.ERROR,
            description=description,
        )
    ]


def test_a_server_that_is_not_there_is_an_error(watch: Watch, closed_port: int) -> None:
    """
    There is no status then.
    """
    with (
        once(f"http://127.0.0.1:{closed_port}/engine-rest", hooks=[watch.hook]) as client,
        pytest.raises(NotSent),
    ):
        client.version()

    assert watch.shown == [
        Shown(
            name="GET /version",
            attributes={
                "camunda.operation": "version",
                "error.type": "NotSent",
                "http.request.method": "GET",
                "server.address": "127.0.0.1",
                "server.port": closed_port,
                "url.full": f"http://127.0.0.1:{closed_port}/engine-rest/version",
                "url.template": "/version",
            },
            status=StatusCode.ERROR,
            description="NotSent",
        )
    ]


@pytest.mark.parametrize(
    ("base", "address", "port"),
    [
        ("https://engine.example.org/engine-rest", "engine.example.org", 443),
        ("http://engine.example.org/engine-rest", "engine.example.org", 80),
        ("https://Engine.example.org:8443", "engine.example.org", 8443),
        ("http://[::1]:8080/engine-rest", "::1", 8080),
    ],
)
def test_the_server_is_told_apart_from_its_port(
    watch: Watch, base: str, address: str, port: int
) -> None:
    """
    A URL without a port means that of its scheme.
    """
    end = watch.hook(
        Outgoing(
            operation="version",
            method="GET",
            url=f"{base}/version",
            template="/version",
            attempt=1,
        )
    )
    assert end is not None
    end(Ended(status=200, error=None, seconds=0.5))

    (shown,) = watch.shown
    assert (shown.attributes["server.address"], shown.attributes["server.port"]) == (address, port)


def test_what_was_given_up_is_an_error(watch: Watch) -> None:
    """
    Neither a status nor an error is no success.
    """
    end = watch.hook(
        Outgoing(
            operation="version",
            method="GET",
            url="http://localhost:8080/engine-rest/version",
            template="/version",
            attempt=1,
        )
    )
    assert end is not None
    end(Ended(status=None, error=None, seconds=0.5))

    (shown,) = watch.shown
    assert (shown.attributes["error.type"], shown.status, shown.description) == (
        "_OTHER",
        StatusCode.ERROR,
        None,
    )


@pytest.mark.parametrize("operation", OPERATIONS, ids=label)
def test_no_operation_shows_a_secret_or_a_message(watch: Watch, operation: Operation) -> None:
    """
    Neither credentials nor what the engine says of somebody's order get into a span.
    """
    said = {"type": "RestException", "message": "the order of Ada canary", "code": 0}
    with (
        Stub(json_answer(500, said)) as stub,
        once(stub.url, auth=("kim", "canary"), hooks=[watch.hook]) as client,
        pytest.raises(CamundaError),
    ):
        operation.call(client)

    told = "".join(span.to_json() for span in watch.spans) + repr(watch.points())
    assert f"{operation.method} /" in told
    # The password, the message, and what goes over the wire for "kim:canary".
    assert [secret for secret in ("canary", "Ada", "a2ltOmNhbmFyeQ") if secret in told] == []


# ---------------------------------------------------------------------------------------- metrics


def test_attempts_are_measured_by_what_came_of_them(watch: Watch) -> None:
    """
    The histogram has the advised buckets, and no attribute with a value for each task.
    """
    with (
        Stub(_NOT_YET, _VERSION) as stub,
        ExternalTaskClient(stub.url, hooks=[watch.hook], retry=_QUICK) as client,
    ):
        for _ in range(3):
            client.version()

    asked = {
        "http.request.method": "GET",
        "server.address": "127.0.0.1",
        "server.port": stub.port,
        "url.template": "/version",
    }
    points = watch.points()
    assert [(dict(point.attributes or {}), point.count) for point in points] == [
        (asked | {"http.response.status_code": 400, "error.type": "400"}, 1),
        (asked | {"http.response.status_code": 200}, 3),
    ]
    assert {tuple(point.explicit_bounds) for point in points} == {
        (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
    }


def test_a_measurement_is_in_seconds(watch: Watch) -> None:
    """
    What is counted is what the hook is told.
    """
    end = watch.hook(
        Outgoing(
            operation="version",
            method="GET",
            url="http://localhost:8080/engine-rest/version",
            template="/version",
            attempt=1,
        )
    )
    assert end is not None
    end(Ended(status=200, error=None, seconds=0.25))

    assert [point.sum for point in watch.points()] == [0.25]


# ------------------------------------------------------------------------------------ propagation


def test_each_attempt_tells_the_server_its_span(watch: Watch) -> None:
    """
    So what the server does about it continues the trace there.
    """
    with (
        Stub(_NOT_YET, _VERSION) as stub,
        ExternalTaskClient(stub.url, hooks=[watch.hook], retry=_QUICK) as client,
    ):
        client.version()

    told = [span.context for span in watch.spans]
    assert [seen.headers["traceparent"] for seen in stub.seen] == [
        f"00-{one.trace_id:032x}-{one.span_id:016x}-{one.trace_flags:02x}"
        for one in told
        if one is not None
    ]


def test_a_propagator_of_your_own_writes_the_headers() -> None:
    """
    It is used in place of the global one.
    """
    watch = Watch(propagator=W3CBaggagePropagator())
    token = context.attach(baggage.set_baggage("order", "17"))
    with Stub(NO_CONTENT) as stub, once(stub.url, hooks=[watch.hook]) as client:
        _complete(client)
    context.detach(token)
    watch.close()

    (seen,) = stub.seen
    assert (seen.headers.get("baggage"), seen.headers.get("traceparent")) == ("order=17", None)


def test_without_a_provider_nothing_is_sent_besides() -> None:
    """
    A program that has set up no OpenTelemetry is none the worse for the hook.
    """
    with Stub(NO_CONTENT) as stub, once(stub.url, hooks=[OpenTelemetry()]) as client:
        _complete(client)

    (seen,) = stub.seen
    assert seen.headers.keys() & {"traceparent", "tracestate", "baggage"} == set()


# ----------------------------------------------------------------------------------------- others


class Within(AuthBase):
    """
    Looks around while an attempt is made.
    """

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        self._then = then
        #: The span that runs, and whether instrumentations of HTTP are told to keep quiet.
        self.found: list[tuple[object, object]] = []

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        here = trace.get_current_span().get_span_context()
        self.found.append((here, context.get_value(_QUIET)))
        self._then()
        return r


def test_other_instrumentations_keep_quiet_during_an_attempt(watch: Watch) -> None:
    """
    That of `urllib3` would make a second span of it.
    """
    within = Within()
    with Stub(NO_CONTENT) as stub, once(stub.url, auth=within, hooks=[watch.hook]) as client:
        _complete(client)

    (span,) = watch.spans
    assert within.found == [(span.context, True)]
    assert context.get_value(_QUIET) is None


@pytest.mark.parametrize("key", [_QUIET, _QUIET_ALL], ids=["of HTTP", "of all"])
def test_whoever_wants_quiet_gets_it(watch: Watch, key: str) -> None:
    """
    Exporters, for one, have calls of their own that nobody wants to see.
    """
    token = context.attach(context.set_value(key, True))
    with Stub(NO_CONTENT) as stub, once(stub.url, hooks=[watch.hook]) as client:
        _complete(client)
    context.detach(token)

    assert watch.shown == []


def test_two_of_them_make_one_span() -> None:
    """
    The second one in a list keeps as quiet as others do.
    """
    first, second = Watch(), Watch()
    with Stub(NO_CONTENT) as stub, once(stub.url, hooks=[first.hook, second.hook]) as client:
        _complete(client)
    first.close()
    second.close()

    assert (len(first.spans), len(second.spans)) == (1, 0)


def test_a_time_out_leaves_nothing_behind(watch: Watch) -> None:
    """
    However an attempt ends, its span is not that of the next one.
    """
    with (
        Stub(lambda connection: connection.wait(5), NO_CONTENT) as stub,
        once(stub.url, timeout=Timeout(read=0.25), hooks=[watch.hook]) as client,
    ):
        with pytest.raises(CamundaError):
            _complete(client)
        between = trace.get_current_span()
        _complete(client)

    assert between is trace.INVALID_SPAN
    assert [span.parent for span in watch.spans] == [None, None]


def _interrupt() -> None:
    raise KeyboardInterrupt


def test_ctrl_c_leaves_nothing_behind(watch: Watch) -> None:
    """
    What is raised through an attempt ends its span all the same.
    """
    within = Within(_interrupt)
    with Stub(NO_CONTENT) as stub, once(stub.url, auth=within, hooks=[watch.hook]) as client:
        with pytest.raises(KeyboardInterrupt):
            _complete(client)
        between = trace.get_current_span()

    assert between is trace.INVALID_SPAN
    assert [(shown.attributes["error.type"], shown.status) for shown in watch.shown] == [
        ("_OTHER", StatusCode.ERROR)
    ]


def test_a_closed_client_leaves_nothing_behind(watch: Watch) -> None:
    """
    Its calls end before there is a request.
    """
    client = once("http://127.0.0.1/engine-rest", hooks=[watch.hook])
    client.close()
    with pytest.raises(NotSent):
        _complete(client)

    assert trace.get_current_span() is trace.INVALID_SPAN


# ------------------------------------------------------------------------------------- handlers

#: A trace that was begun elsewhere.
_TRACE_ID: Final = "0af7651916cd43dd8448eb211c80319c"
_TRACEPARENT: Final = f"00-{_TRACE_ID}-b7ad6b7169203331-01"


@pytest.fixture
def engine() -> Iterator[Engine]:
    """
    An embedded engine.
    """
    with Engine() as engine:
        yield engine


def _work(
    engine: Engine, watch: Watch, handler: Callable[[Task], object], **options: Any
) -> tuple[Task, list[Shown]]:
    """
    Handle the engine's only task; return it, and the spans.
    """
    spans = TaskSpans(tracer_provider=watch.tracers, **options)
    worker = Worker(engine.client(), middleware=[spans])
    worker.handles("invoice")(handler)
    (handled,) = worker.run_once(raising=False)
    return handled.task, watch.shown


def _raiser(error: BaseException) -> Callable[[Task], object]:
    def handler(task: Task) -> object:
        raise error

    return handler


def test_a_handler_is_a_span(engine: Engine, watch: Watch) -> None:
    """
    It is named by the topic, and says which task it was and what came of it.
    """
    engine.create_task("invoice", variables={"amount": 100})

    task, shown = _work(engine, watch, lambda task: {"paid": True})

    assert shown == [
        Shown(
            name="process invoice",
            kind=SpanKind.CONSUMER,
            attributes={
                "camunda.activity_id": task.activity_id,
                "camunda.outcome": "Completed",
                "camunda.process_definition_key": task.process_definition_key,
                "messaging.client.id": task.worker_id,
                "messaging.destination.name": "invoice",
                "messaging.message.conversation_id": task.process_instance_id,
                "messaging.message.id": task.id,
                "messaging.operation.name": "process",
                "messaging.operation.type": "process",
                "messaging.system": "camunda",
            },
        )
    ]


def test_the_calls_of_a_handler_are_children_and_its_report_is_none(
    engine: Engine, watch: Watch
) -> None:
    """
    The span ends with the handler: the fetch came before it, the report comes after it.
    """
    client = engine.client(hooks=[watch.hook])
    worker = Worker(client, middleware=[TaskSpans(tracer_provider=watch.tracers)])
    worker.handles("invoice")(lambda task: client.set_priority(task.id, 7))
    engine.create_task("invoice")

    worker.run_once()

    (handler,) = (span for span in watch.spans if span.kind is SpanKind.CONSUMER)
    assert [(span.name, span.parent) for span in watch.spans] == [
        ("POST /external-task/fetchAndLock", None),
        ("PUT /external-task/{task_id}/priority", handler.context),
        ("process invoice", None),
        ("POST /external-task/{task_id}/complete", None),
    ]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (BpmnError("NO-MONEY"), "BpmnError"),
        (Postpone(60_000), "Postpone"),
        (Abandoned("the worker stops"), "Abandoned"),
    ],
)
def test_what_a_handler_says_of_a_task_is_no_error(
    engine: Engine, watch: Watch, error: Exception, outcome: str
) -> None:
    """
    A BPMN error belongs to the process, a task that is given back is done another time.
    """
    engine.create_task("invoice")

    _, (shown,) = _work(engine, watch, _raiser(error))

    assert (shown.status, shown.attributes["camunda.outcome"]) == (StatusCode.UNSET, outcome)
    assert "error.type" not in shown.attributes


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (Failure("the bank of Ada is closed"), "Failure"),
        (LookupError("no such invoice of Ada"), "LookupError"),
        (KeyboardInterrupt("Ada"), "KeyboardInterrupt"),
    ],
)
def test_a_failure_is_told_by_its_class(
    engine: Engine, watch: Watch, error: BaseException, name: str
) -> None:
    """
    And by nothing else: its message may be about somebody.
    """
    engine.create_task("invoice")

    _, (shown,) = _work(engine, watch, _raiser(error))

    assert (shown.status, shown.description, shown.events) == (StatusCode.ERROR, name, 0)
    assert shown.attributes["camunda.outcome"] == "Failure"
    assert shown.attributes["error.type"] == name
    assert "Ada" not in "".join(span.to_json() for span in watch.spans)


def test_a_task_continues_the_trace_of_a_variable(engine: Engine, watch: Watch) -> None:
    """
    Its span is the child of the one that has started the process.
    """
    engine.create_task("invoice", variables={"trace": _TRACEPARENT})

    _work(engine, watch, lambda task: None, parent_from="trace")

    (span,) = watch.spans
    assert span.parent is not None
    assert (f"{span.parent.trace_id:032x}", f"{span.parent.span_id:016x}") == (
        _TRACE_ID,
        "b7ad6b7169203331",
    )
    assert span.parent.is_remote


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"trace": None},
        {"trace": 17},
        {"trace": "00-not-a-trace"},
        {"traceparent": _TRACEPARENT},
    ],
    ids=["none", "null", "number", "malformed", "another variable"],
)
def test_without_a_traceparent_a_task_begins_a_trace(
    engine: Engine, watch: Watch, variables: dict[str, Any]
) -> None:
    """
    Whatever the variable has, the handler is called.
    """
    engine.create_task("invoice", variables=variables)

    _, (shown,) = _work(engine, watch, lambda task: None, parent_from="trace")

    assert (shown.has_parent, shown.attributes["camunda.outcome"]) == (False, "Completed")


def test_the_variable_of_a_parent_has_a_name() -> None:
    """
    A mistake is told when the middleware is made.
    """
    with pytest.raises(TypeError, match="parent_from must be a variable's name, not True"):
        TaskSpans(parent_from=True)  # type: ignore[arg-type]


def test_a_handler_in_quiet_has_no_span(engine: Engine, watch: Watch) -> None:
    """
    As no attempt has one.
    """
    engine.create_task("invoice")
    token = context.attach(context.set_value(_QUIET_ALL, True))
    task, shown = _work(engine, watch, lambda task: None)
    context.detach(token)

    assert (task.topic_name, shown) == ("invoice", [])


# ---------------------------------------------------------------------------------- without extra


def test_without_the_extra_the_import_says_how_to_install_it() -> None:
    """
    And the core does not miss it.
    """
    root = str(Path(camunda_ext.__file__).parent.parent)
    code = (
        f"import sys; sys.path.insert(0, {root!r}); sys.modules['opentelemetry'] = None\n"
        "import camunda_ext\n"
        "try:\n"
        "    import camunda_ext.opentelemetry\n"
        "except ImportError as error:\n"
        "    print(error.name, error)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], check=True, capture_output=True, text=True
    )

    assert done.stdout == (
        'opentelemetry camunda_ext.opentelemetry needs OpenTelemetry: pip install "camunda_ext'
        '[opentelemetry]" (import of opentelemetry halted; None in sys.modules)\n'
    )
