"""The functions that the tests of the gateway call."""

import asyncio
import os
import time
from dataclasses import dataclass

from pyproc_worker import expose, run_worker


@dataclass
class Point:
    """A place."""

    x: float
    y: float


@expose
def double(req: dict) -> dict:
    """Doubles a value."""
    return {"result": req["value"] * 2}


@expose
def length(points: list[Point]) -> int:
    return len(points)


@expose
def fail(message: str):
    raise ValueError(message)


@expose
def give_set():
    return object()


@expose
def picture(size: int) -> bytes:
    return b"\x00\xff" * size


@expose
def echo(value):
    return value


@expose
def pause(seconds: float, value=None):
    """Waits, then answers with a value."""
    time.sleep(seconds)
    return value


@expose
async def pause_async(seconds: float, value=None):
    """Waits beside others, then answers with a value."""
    await asyncio.sleep(seconds)
    return value


@expose(timeout="200ms")
def short():
    time.sleep(3600)


@expose
def die():
    os._exit(3)


@expose(name="größe")
def size(data: bytes) -> int:
    return len(data)


@expose
def pid() -> int:
    return os.getpid()


if __name__ == "__main__":
    run_worker()
