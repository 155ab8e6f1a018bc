"""Calls that are part of a trace, without a host."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from pyproc_worker._call import Call
from pyproc_worker._trace import await_traced, call_traced, ids, is_traced, parts

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_context_has_three_parts():
    assert parts(PARENT) == (PARENT, None, None)
    assert parts(f"{PARENT}\na=1,b=2") == (PARENT, "a=1,b=2", None)
    assert parts(f"{PARENT}\n\nr-1") == (PARENT, None, "r-1")
    assert parts("\n\nr-1") == (None, None, "r-1")
    assert is_traced(PARENT)
    assert not is_traced("\n\nr-1")


def test_a_line_has_the_ids_of_the_span_in_which_it_is_written_else_those_of_the_caller():
    from opentelemetry import trace

    assert ids(None) == (None, None, None)
    assert ids("\n\nr-1") == ("r-1", None, None)
    assert ids(f"{PARENT}\n\nr-1") == ("r-1", PARENT[3:35], PARENT[36:52])
    span = trace.NonRecordingSpan(trace.SpanContext(1, 2, is_remote=False))
    with trace.use_span(span):
        assert ids(f"{PARENT}\n\nr-1") == ("r-1", f"{1:032x}", f"{2:016x}")


def test_a_call_shows_them():
    call = Call(1, 0, f"{PARENT}\na=1\nr-1")
    assert (call.traceparent, call.tracestate, call.request_id) == (PARENT, "a=1", "r-1")
    call = Call(1, 0)
    assert (call.traceparent, call.tracestate, call.request_id) == (None, None, None)


def test_the_result_and_the_exception_come_through():
    from opentelemetry import trace

    def add(left: int, right: int) -> int:
        assert trace.get_current_span().get_span_context().trace_id == int(PARENT[3:35], 16)
        return left + right

    async def add_async() -> int:
        await asyncio.sleep(0)
        return add(1, 2)

    assert call_traced(PARENT, "add", add, 1, 2) == 3
    assert asyncio.run(await_traced(PARENT, "add", add_async())) == 3
    with pytest.raises(ZeroDivisionError):
        call_traced(PARENT, "divide", lambda: 1 / 0)
    assert not trace.get_current_span().get_span_context().is_valid


def test_the_package_does_not_import_opentelemetry():
    source = "import sys, pyproc_worker; sys.exit('opentelemetry' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", source], check=False).returncode == 0
