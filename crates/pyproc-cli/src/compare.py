"""Calls one function in a plain loop, decode, call, encode, and prints calls per second.

Run by `pyproc bench --compare-in-process` in the workers' interpreter: `python -c … script|module TARGET
FUNCTION`, the argument as MessagePack on stdin. Decoding, argument mapping and encoding are the worker's own.
"""

from __future__ import annotations

import asyncio
import os
import runpy
import statistics
import sys
import time
from itertools import repeat
from typing import TYPE_CHECKING

import pyproc_worker
from pyproc_worker._encode import encode_msgpack
from pyproc_worker._expose import registry
from pyproc_worker._function import load as load_functions
from pyproc_worker._target import load_target

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyproc_worker._function import Function

BATCH_SECONDS = 0.02
SECONDS = 1.0


def load(kind: str, target: str, name: str) -> Function:
    """The function as a worker has it: its decoder, its target, its encoder."""
    if kind == "script":
        # A script that calls run_worker() outside the usual guard must come to its end here.
        pyproc_worker.run_worker = lambda *_arguments, **_keywords: None
        sys.path[0] = os.path.dirname(os.path.abspath(target))
        sys.argv = [target]
        runpy.run_path(target, run_name="__pyproc_compare__")
        functions = load_functions(registry.exposures())
    else:
        functions = load_target(target)
    return next(function for function in functions if function.name == name)


def batches(make: Callable[[int], float]) -> list[float]:
    """Calls per second of one batch after the other; `make` runs a number of calls and times them."""
    count = 1
    while make(count) < BATCH_SECONDS / 2 and count < 1 << 24:
        count *= 2
    rates: list[float] = []
    end = time.perf_counter() + SECONDS
    while not rates or time.perf_counter() < end:
        rates.append(count / make(count))
    return rates


def plain(function: Function, body: bytes) -> list[float]:
    """A plain function in a loop."""
    encode, decode, call, empty = encode_msgpack, function.decode_msgpack, function.target, function.call_empty

    def make(count: int) -> float:
        begin = time.perf_counter()
        if body:
            for _ in repeat(None, count):
                encode(call(decode(body)))
        else:
            for _ in repeat(None, count):
                encode(empty())
        return time.perf_counter() - begin

    return batches(make)


def coroutine(function: Function, body: bytes) -> list[float]:
    """A coroutine function in a loop, on one event loop."""
    encode, decode, call, empty = encode_msgpack, function.decode_msgpack, function.target, function.call_empty

    async def make(count: int) -> float:
        begin = time.perf_counter()
        for _ in repeat(None, count):
            encode(await (call(decode(body)) if body else empty()))
        return time.perf_counter() - begin

    with asyncio.Runner() as runner:
        return batches(lambda count: runner.run(make(count)))


def main() -> None:
    """Measures, and prints one number where only numbers go."""
    # What the function prints belongs on stderr, as with a worker.
    stdout = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    function = load(*sys.argv[1:4])
    body = sys.stdin.buffer.read()
    rates = (coroutine if function.is_async else plain)(function, body)
    print(statistics.median(rates), file=stdout, flush=True)


main()
