"""Calls that are part of a trace: their W3C context, and a span for each where OpenTelemetry is installed.

Nothing here is reached by a call that carries no context, and OpenTelemetry is not imported before the
first that does.
"""

from __future__ import annotations

import contextvars
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractContextManager


def parts(trace: str) -> tuple[str, str | None]:
    """The `traceparent` and the `tracestate` of a call's trace, as its record carries them."""
    traceparent, _, tracestate = trace.partition("\n")
    return traceparent, tracestate or None


def call_traced(trace: str, name: str, target: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a plain function in a span of its own.

    Args:
        trace: What the record carries.
        name: The function's name.
        target: What to call.
        *arguments: What to call it with.
    """
    span = _opener()
    if span is None:
        return target(*arguments)

    def call() -> Any:
        with span(trace, name):
            return target(*arguments)

    # In a context of its own: one that an interrupt leaves behind goes with it.
    return contextvars.copy_context().run(call)


async def await_traced(trace: str, name: str, coroutine: Awaitable[Any]) -> Any:
    """Awaits a coroutine in a span of its own.

    Args:
        trace: What the record carries.
        name: The function's name.
        coroutine: What to await, in a task of its own.
    """
    span = _opener()
    if span is None:
        return await coroutine
    with span(trace, name):
        return await coroutine


class _OpenTelemetry:
    """What has been found; a class, so that there is one place to look for it."""

    looked: bool = False
    opener: Callable[[str, str], AbstractContextManager[Any]] | None = None


def _opener() -> Callable[[str, str], AbstractContextManager[Any]] | None:
    """What opens a span, None without OpenTelemetry."""
    if not _OpenTelemetry.looked:
        _OpenTelemetry.opener = _find()
        _OpenTelemetry.looked = True
    return _OpenTelemetry.opener


def _find() -> Callable[[str, str], AbstractContextManager[Any]] | None:
    try:
        from opentelemetry import trace as api  # noqa: PLC0415 - not before a call needs it
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415
    except ImportError:
        return None
    except Exception:
        logging.getLogger(__name__).exception("OpenTelemetry is installed and cannot be imported: no spans")
        return None
    propagator = TraceContextTextMapPropagator()

    def opener(trace: str, name: str) -> AbstractContextManager[Any]:
        traceparent, tracestate = parts(trace)
        carrier = {"traceparent": traceparent, "tracestate": tracestate or ""}
        tracer = api.get_tracer("pyproc_worker")
        context = propagator.extract(carrier)
        return tracer.start_as_current_span(name, context=context, kind=api.SpanKind.SERVER)

    return opener
