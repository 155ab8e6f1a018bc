"""What clients of the gateway try to break. It counts what was run, and how it ended."""

import asyncio
import os
import time
from dataclasses import dataclass

from pyproc_worker import expose, run_worker

counts = {"smuggled": 0, "cancelled": 0, "interrupted": 0}


@dataclass
class Point:
    """What `typed` takes."""

    x: float
    y: float = 0.0


@expose
def state():
    return {"pid": os.getpid(), **counts}


@expose
def smuggled():
    counts["smuggled"] += 1


@expose
def echo(value):
    return value


@expose
def typed(point: Point) -> float:
    return point.x + point.y


@expose
def length(data: bytes) -> int:
    return len(data)


@expose
def fail(message: str) -> None:
    raise ValueError(message)


@expose
def die() -> None:
    os._exit(3)


@expose
def large(size: int) -> bytes:
    return b"x" * size


@expose(timeout="10m")
async def wait():
    print("waits", flush=True)
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        counts["cancelled"] += 1
        raise


@expose
async def doze(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


@expose(timeout="10m")
def sleep():
    print("sleeps", flush=True)
    try:
        # Longer than any test: what ends it is the subject.
        time.sleep(600)
    except BaseException:
        counts["interrupted"] += 1
        raise


if __name__ == "__main__":
    run_worker()
