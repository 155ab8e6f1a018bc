"""The functions that the benchmark calls."""

import functools
import os
import time
from typing import Any

from pyproc_worker import expose, run_worker


@expose
def predict(req: dict[str, Any]) -> dict[str, Any]:
    """The call of the speed rows: as little as a function can do."""
    return {"result": req["value"] * 2}


@expose
def spin(nanoseconds: int) -> None:
    """Keep a core busy for this long."""
    end = time.perf_counter_ns() + nanoseconds
    while time.perf_counter_ns() < end:
        pass


@expose
def echo(data: memoryview) -> memoryview:
    """Bytes in, the same bytes out."""
    return data


@expose
def size(data: memoryview) -> int:
    """Bytes in: touches both ends."""
    return len(data) if data[0] == data[-1] else -1


@expose
def make(length: int) -> bytes:
    """Bytes out."""
    return bytes(length)


@functools.cache
def payload(length: int) -> bytes:
    """Bytes that are made once."""
    return b"\x07" * length


@expose
def give(length: int) -> bytes:
    """Bytes out that are there already."""
    return payload(length)


@expose
def pid() -> int:
    """The process that answers."""
    return os.getpid()


if __name__ == "__main__":
    run_worker()
