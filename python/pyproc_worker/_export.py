"""Sends the worker's spans to a collector when its environment names one and its own code does not.

The variables are those of OpenTelemetry. Who sets up a provider while the worker is imported keeps it.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import threading
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")

_LAST_SECONDS: Final = 1.5
"""How long the last spans may take; the host waits two seconds before it terminates a worker."""

_logger: Final = logging.getLogger(__name__)


def start() -> Callable[[], None]:
    """Sets up the export of spans, where it is wanted and possible.

    Returns:
        What sends the last spans at the worker's end, within a bounded time.
    """
    if not _wanted():
        return _nothing
    try:
        return _set_up()
    except ImportError as error:
        _logger.info("the spans of this worker go nowhere: %s", error)
    except Exception:
        _logger.exception("the spans of this worker go nowhere")
    return _nothing


def _nothing() -> None:
    """There are no spans to send."""


def _wanted() -> bool:
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    exporters = os.environ.get("OTEL_TRACES_EXPORTER") or "otlp"
    return (
        not disabled
        and any(os.environ.get(name) for name in _ENDPOINTS)
        and "otlp" in (name.strip() for name in exporters.split(","))
    )


def _set_up() -> Callable[[], None]:
    from opentelemetry import trace  # noqa: PLC0415 - all of these: only in a worker that exports

    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return _nothing
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    # What the environment says of the resource wins.
    resource = Resource({"process.pid": os.getpid()}).merge(Resource.create())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_exporter()))
    trace.set_tracer_provider(provider)

    def finish() -> None:
        # The SDK's own bound is thirty seconds, and an export that is under way has none.
        last = threading.Thread(target=provider.shutdown, daemon=True)
        last.start()
        last.join(_LAST_SECONDS)

    return finish


def _exporter() -> Any:
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult  # noqa: PLC0415

    grpc = next(filter(None, map(os.environ.get, _PROTOCOLS)), "") == "grpc"
    name = f"opentelemetry.exporter.otlp.proto.{'grpc' if grpc else 'http'}"
    trace_exporter: Any = importlib.import_module(f"{name}.trace_exporter")

    class Exporter(SpanExporter):
        """The real one, whose complaints are heard once until it works again."""

        def __init__(self) -> None:
            self._inner: Any = trace_exporter.OTLPSpanExporter()
            self._lost = 0
            for module in ("trace_exporter", "exporter"):
                logging.getLogger(f"{name}.{module}").addFilter(lambda _: self._lost == 0)

        def export(self, spans: Sequence[Any]) -> SpanExportResult:
            result: SpanExportResult = self._inner.export(spans)
            if result is not SpanExportResult.SUCCESS:
                self._lost += len(spans)
            elif self._lost:
                _logger.warning("spans arrive at the collector again; %d were lost", self._lost)
                self._lost = 0
            return result

        def shutdown(self) -> None:
            with contextlib.suppress(Exception):
                self._inner.shutdown()

        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            return bool(self._inner.force_flush(timeout_millis))

    return Exporter()
