"""What a call belongs to: its W3C trace and its request id, and a span for it where OpenTelemetry is in use.

Nothing here is reached by a call that carries no context, and nothing here imports OpenTelemetry: a worker
that uses it has imported it, or is told at its start where traces go (`_export`).
"""

from __future__ import annotations

import contextvars
import logging
import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractContextManager

_API: Final = "opentelemetry.trace"


def parts(context: str) -> tuple[str | None, str | None, str | None]:
    """The `traceparent`, the `tracestate` and the request id of a call, from what its record carries."""
    traceparent, _, rest = context.partition("\n")
    tracestate, _, request_id = rest.partition("\n")
    return traceparent or None, tracestate or None, request_id or None


def is_traced(context: str) -> bool:
    """Whether there is a trace in what a call's record carries."""
    return not context.startswith("\n")


def ids(context: str | None) -> tuple[str | None, str | None, str | None]:
    """The ids of the request, the trace and the span, for a line that is written now.

    Args:
        context: What the call's record carries; None for none.
    """
    traceparent, _, request_id = (None, None, None) if context is None else parts(context)
    # Not there, too, while the module is being imported.
    current_span = getattr(sys.modules.get(_API), "get_current_span", None)
    if current_span is not None:
        span = current_span().get_span_context()
        if span.is_valid:
            return request_id, f"{span.trace_id:032x}", f"{span.span_id:016x}"
    if traceparent is None:
        return request_id, None, None
    _, trace_id, span_id, _ = traceparent.split("-")
    return request_id, trace_id, span_id


def call_traced(context: str, name: str, target: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a plain function in a span of its own.

    Args:
        context: What the record carries; there is a trace in it.
        name: The function's name.
        target: What to call.
        *arguments: What to call it with.
    """
    span = _opener()
    if span is None:
        return target(*arguments)

    def call() -> Any:
        with span(context, name):
            return target(*arguments)

    # In a context of its own: one that an interrupt leaves behind goes with it.
    return contextvars.copy_context().run(call)


async def await_traced(context: str, name: str, coroutine: Awaitable[Any]) -> Any:
    """Awaits a coroutine in a span of its own.

    Args:
        context: What the record carries; there is a trace in it.
        name: The function's name.
        coroutine: What to await, in a task of its own.
    """
    span = _opener()
    if span is None:
        return await coroutine
    with span(context, name):
        return await coroutine


class _OpenTelemetry:
    """What has been found; a class, so that there is one place to look for it."""

    looked: bool = False
    opener: Callable[[str, str], AbstractContextManager[Any]] | None = None


def prepare() -> None:
    """Gets ready what opens spans, where OpenTelemetry is in use: no call has to wait for it."""
    _opener()


def _opener() -> Callable[[str, str], AbstractContextManager[Any]] | None:
    """What opens a span, None as long as nobody has imported OpenTelemetry."""
    if not _OpenTelemetry.looked and sys.modules.get(_API) is not None:
        _OpenTelemetry.opener = _find()
        _OpenTelemetry.looked = True
    return _OpenTelemetry.opener


def _find() -> Callable[[str, str], AbstractContextManager[Any]] | None:
    try:
        from opentelemetry import trace as api  # noqa: PLC0415 - not in a worker that does not use it
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415
    except Exception:
        logging.getLogger(__name__).exception("OpenTelemetry is installed and cannot be imported: no spans")
        return None
    propagator = TraceContextTextMapPropagator()

    def opener(context: str, name: str) -> AbstractContextManager[Any]:
        traceparent, tracestate, _ = parts(context)
        carrier = {"traceparent": traceparent or "", "tracestate": tracestate or ""}
        tracer = api.get_tracer("pyproc_worker")
        parent = propagator.extract(carrier)
        return tracer.start_as_current_span(name, context=parent, kind=api.SpanKind.SERVER)

    return opener
