"""
Spans and metrics of OpenTelemetry, by its conventions for HTTP clients.

It needs the extra ``opentelemetry``. The names of attributes are written out here: they are stable,
and the package that has them as constants is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

from camunda_ext import __version__
from camunda_ext.hooks import Ended, Outgoing

try:
    from opentelemetry import context, metrics, propagate, trace
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.propagators.textmap import TextMapPropagator
    from opentelemetry.trace import SpanKind, Status, StatusCode, TracerProvider
except ImportError as missing:
    raise ImportError(
        'camunda_ext.opentelemetry needs OpenTelemetry: pip install "camunda_ext[opentelemetry]"'
        f" ({missing})",
        name=missing.name,
    ) from missing

_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}

#: The buckets that the conventions advise, in seconds.
_BUCKETS: Final = (
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0
)  # fmt: skip

# What tells instrumentations to keep quiet, in the context. The API has no public name for either.
_QUIET_ALL: Final[str] = getattr(
    context, "_SUPPRESS_INSTRUMENTATION_KEY", "suppress_instrumentation"
)
_QUIET_HTTP: Final[str] = getattr(
    context, "_SUPPRESS_HTTP_INSTRUMENTATION_KEY", "suppress_http_instrumentation"
)


class OpenTelemetry:
    """
    A hook that makes a span of each attempt, measures it, and lets the server continue the trace.

    Pass it to a client: ``ExternalTaskClient(url, hooks=[OpenTelemetry()])``. Other
    instrumentations of HTTP clients, such as those of ``requests`` and ``urllib3``, are told to
    keep quiet during the attempt: they would make a second span of it.

    Args:
        tracer_provider: Who makes the spans; ``None`` for the global one.

        meter_provider: Who makes the histogram ``http.client.request.duration``; ``None`` for the
            global one.

        propagator: Who writes the headers that continue the trace, such as ``traceparent``;
            ``None`` for the global one.
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
        Begin the span of an attempt; give what ends it.
        """
        if context.get_value(_QUIET_ALL) or context.get_value(_QUIET_HTTP):
            return None
        asked = _asked(outgoing)
        span = self._tracer.start_span(
            f"{outgoing.method} {outgoing.template}",
            kind=SpanKind.CLIENT,
            attributes={**asked, **_of_this_one(outgoing)},
        )
        within = context.set_value(_QUIET_HTTP, True, trace.set_span_in_context(span))
        # The global one is asked for now: a program may set it after it has made its client.
        propagator = self._propagator or propagate.get_global_textmap()
        propagator.inject(outgoing.headers, within)

        def end(ended: Ended) -> None:
            context.detach(token)
            came = _came(ended)
            span.set_attributes(came)
            if "error.type" in came:
                # The class alone: messages of the engine may hold personal data.
                said = type(ended.error).__name__ if ended.error is not None else None
                span.set_status(Status(StatusCode.ERROR, said))
            span.end()
            self._duration.record(ended.seconds, {**asked, **came}, within)

        # Nothing is left to go wrong between this and the return, so it is always detached.
        token = context.attach(within)
        return end


def _asked(outgoing: Outgoing) -> dict[str, str | int]:
    """
    Give what spans and metrics say of a request: what only a few values are known of.
    """
    parts = urlsplit(outgoing.url)
    return {
        "http.request.method": outgoing.method,
        "server.address": parts.hostname or "",
        "server.port": parts.port or _PORTS[parts.scheme],
        "url.template": outgoing.template,
    }


def _of_this_one(outgoing: Outgoing) -> dict[str, str | int]:
    """
    Give what spans alone say of a request.
    """
    told: dict[str, str | int] = {
        "camunda.operation": outgoing.operation,  # ours: the conventions know no such thing
        "url.full": outgoing.url,
    }
    if outgoing.attempt > 1:
        told["http.request.resend_count"] = outgoing.attempt - 1
    return told


def _came(ended: Ended) -> dict[str, str | int]:
    """
    Give what spans and metrics say of what came of it.
    """
    status, error = ended.status, ended.error
    if status is None and error is not None:
        status = error.status  # of an answer that did not come whole
    told: dict[str, str | int] = {}
    if status is not None:
        told["http.response.status_code"] = status
    if status is not None and status >= 400:
        told["error.type"] = str(status)
    elif error is not None:
        told["error.type"] = type(error).__name__
    elif status is None:
        told["error.type"] = "_OTHER"  # it was given up, by Ctrl-C for one
    return told
