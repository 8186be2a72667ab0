"""
Spans and metrics of OpenTelemetry, following its semantic conventions for HTTP clients, and spans
around the handlers of a worker, following those for messaging.

It needs the extra ``opentelemetry``. The names of attributes are written out here: the package that
defines constants for them is not stable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from camunda_ext import __version__
from camunda_ext.hooks import Ended, Outgoing
from camunda_ext.worker import Abandoned, BpmnError, Completed, Failure, Postpone, Task

try:
    from opentelemetry import context, metrics, propagate, trace
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.propagators.textmap import TextMapPropagator
    from opentelemetry.trace import SpanKind, Status, StatusCode, TracerProvider
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError as missing:
    raise ImportError(
        'camunda_ext.opentelemetry needs OpenTelemetry: pip install "camunda_ext[opentelemetry]"'
        f" ({missing})",
        name=missing.name,
    ) from missing

_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}

#: The bucket boundaries that the conventions advise, in seconds.
_BUCKETS: Final = (
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0
)  # fmt: skip

# Keys of the context that suppress instrumentations. The API has no public names for them.
_SUPPRESS_ALL: Final[str] = getattr(
    context, "_SUPPRESS_INSTRUMENTATION_KEY", "suppress_instrumentation"
)
_SUPPRESS_HTTP: Final[str] = getattr(
    context, "_SUPPRESS_HTTP_INSTRUMENTATION_KEY", "suppress_http_instrumentation"
)

_TRACE_CONTEXT: Final = TraceContextTextMapPropagator()


class OpenTelemetry:
    """
    A hook that records a span and the duration of each attempt, and propagates the trace to the
    server.

    Pass it to a client: ``ExternalTaskClient(url, hooks=[OpenTelemetry()])``. During the attempt,
    other instrumentations of HTTP clients, such as those of ``requests`` and ``urllib3``, are
    suppressed: they would record a second span.

    Args:
        tracer_provider: Provider of the tracer; ``None`` for the global one.

        meter_provider: Provider of the meter with the histogram ``http.client.request.duration``;
            ``None`` for the global one.

        propagator: Writes the headers that continue the trace, such as ``traceparent``; ``None``
            for the global one.
    """

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        propagator: TextMapPropagator | None = None,
    ) -> None:
        self._tracer = trace.get_tracer("camunda_ext", __version__, tracer_provider)
        self._duration = metrics.get_meter(
            "camunda_ext", __version__, meter_provider
        ).create_histogram(
            "http.client.request.duration",
            "s",
            "Duration of HTTP client requests.",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )
        self._propagator = propagator

    def __call__(self, outgoing: Outgoing, /) -> Callable[[Ended], None] | None:
        """
        Start the span of an attempt, and return the function that ends it; ``None`` if
        instrumentations are suppressed.
        """
        if context.get_value(_SUPPRESS_ALL) or context.get_value(_SUPPRESS_HTTP):
            return None
        request_attributes = _request_attributes(outgoing)
        span = self._tracer.start_span(
            f"{outgoing.method} {outgoing.template}",
            kind=SpanKind.CLIENT,
            attributes={**request_attributes, **_span_attributes(outgoing)},
        )
        span_context = context.set_value(_SUPPRESS_HTTP, True, trace.set_span_in_context(span))
        # Looked up now: a program may set the global one after it has created its client.
        propagator = self._propagator or propagate.get_global_textmap()
        propagator.inject(outgoing.headers, span_context)

        def end(ended: Ended) -> None:
            context.detach(token)
            result_attributes = _result_attributes(ended)
            span.set_attributes(result_attributes)
            if "error.type" in result_attributes:
                # Only the class: messages of the engine may contain personal data.
                error_class = type(ended.error).__name__ if ended.error is not None else None
                span.set_status(Status(StatusCode.ERROR, error_class))
            span.end()
            self._duration.record(
                ended.seconds, {**request_attributes, **result_attributes}, span_context
            )

        # Last, as nothing may fail between this and the return: `end` detaches the context.
        token = context.attach(span_context)
        return end


def _request_attributes(outgoing: Outgoing) -> dict[str, str | int]:
    """
    The attributes of a request for spans and metrics: only those with few different values.
    """
    parts = urlsplit(outgoing.url)
    return {
        "http.request.method": outgoing.method,
        "server.address": parts.hostname or "",
        "server.port": parts.port or _PORTS[parts.scheme],
        "url.template": outgoing.template,
    }


def _span_attributes(outgoing: Outgoing) -> dict[str, str | int]:
    """
    The attributes of a request for spans only.
    """
    attributes: dict[str, str | int] = {
        "camunda.operation": outgoing.operation,  # not part of the conventions
        "url.full": outgoing.url,
    }
    if outgoing.attempt > 1:
        attributes["http.request.resend_count"] = outgoing.attempt - 1
    return attributes


def _result_attributes(ended: Ended) -> dict[str, str | int]:
    """
    The attributes of the outcome of an attempt, for spans and metrics.
    """
    status, error = ended.status, ended.error
    if status is None and error is not None:
        status = error.status  # that of an incomplete answer
    attributes: dict[str, str | int] = {}
    if status is not None:
        attributes["http.response.status_code"] = status
    if status is not None and status >= 400:
        attributes["error.type"] = str(status)
    elif error is not None:
        attributes["error.type"] = type(error).__name__
    elif status is None:
        attributes["error.type"] = "_OTHER"  # another exception ended the attempt, such as Ctrl-C
    return attributes


class TaskSpans:
    """
    A middleware that records a span around each handler.

    Pass it to a worker: ``Worker(client, middleware=[TaskSpans()])``. What the handler does, with
    this library or with others that are instrumented, becomes a child of the span. The report comes
    after the handler, and so is outside of it.

    Args:
        parent_from:
            The name of a variable that has the ``traceparent`` of the span that the task belongs
            to, as W3C Trace Context writes it. A task without one begins a trace of its own, as all
            do without this argument.

        tracer_provider: Provider of the tracer; ``None`` for the global one.

    Raises:
        TypeError: *parent_from* is no text.
    """

    def __init__(
        self, *, parent_from: str | None = None, tracer_provider: TracerProvider | None = None
    ) -> None:
        if parent_from is not None and not isinstance(parent_from, str):
            raise TypeError(f"parent_from must be a variable's name, not {parent_from!r:.80}")
        self._parent_from = parent_from
        self._tracer = trace.get_tracer("camunda_ext", __version__, tracer_provider)

    def __call__(self, task: Task, call_next: Callable[[], Any], /) -> Any:
        """
        Call the handler within a span, unless instrumentations are suppressed.
        """
        if context.get_value(_SUPPRESS_ALL):
            return call_next()
        with self._tracer.start_as_current_span(
            f"process {task.topic_name}",
            context=self._parent(task),
            kind=SpanKind.CONSUMER,
            attributes=_task_attributes(task),
            # Its message may contain personal data.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                result = call_next()
            except BaseException as error:
                outcome = _outcome_of(error)
                span.set_attribute("camunda.outcome", outcome)
                if outcome == Failure.__name__:
                    error_class = type(error).__name__
                    span.set_attribute("error.type", error_class)
                    span.set_status(Status(StatusCode.ERROR, error_class))
                raise
            span.set_attribute("camunda.outcome", Completed.__name__)
            return result

    def _parent(self, task: Task) -> context.Context:
        """
        The context of the span that the task belongs to; that of the thread if there is none.
        """
        here = context.get_current()
        if self._parent_from is None or self._parent_from not in task.variables:
            return here
        # Not converted: whether a variable can be read is the handler's business.
        value = task.variables.typed(self._parent_from).value
        carrier = {"traceparent": value} if isinstance(value, str) else {}
        return _TRACE_CONTEXT.extract(carrier, here)


def _task_attributes(task: Task) -> dict[str, str]:
    """
    The attributes of a task: ids, and names that the model gives.
    """
    attributes = {
        "messaging.system": "camunda",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": task.topic_name,
        "messaging.message.id": task.id,
        "messaging.message.conversation_id": task.process_instance_id,
        "messaging.client.id": task.worker_id,
        # Not part of the conventions.
        "camunda.process_definition_key": task.process_definition_key,
        "camunda.activity_id": task.activity_id,
    }
    return {name: value for name, value in attributes.items() if value is not None}


def _outcome_of(error: BaseException) -> str:
    """
    The name of the outcome of a handler that has raised.
    """
    for kind in (BpmnError, Postpone, Abandoned):
        if isinstance(error, kind):
            return kind.__name__
    return Failure.__name__
