"""How a peer's transfer of bytes is measured whose caller is a Python program.

`python PEER.py SECONDS SIZE...` measures each size for about so long, at least three times, and prints
what it found as JSON.
"""

import functools
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Protocol

AT_LEAST = 3


class Peer(Protocol):
    """A worker process, as its caller sees it."""

    def send(self, data: bytes) -> int:
        """Send bytes to the worker; how many arrived."""

    def receive(self, size: int) -> int:
        """Receive so many bytes from the worker; how many arrived."""


@functools.cache
def payload(size: int) -> bytes:
    """Bytes that are made once."""
    return b"\x07" * size


def measure(peer: Peer) -> None:
    """Print nanoseconds of both directions, by size."""
    seconds = float(sys.argv[1])
    found: dict[str, dict[int, float]] = {"to": {}, "from": {}}
    for size in map(int, sys.argv[2:]):
        found["to"][size] = median(seconds, size, functools.partial(peer.send, payload(size)))
        found["from"][size] = median(seconds, size, functools.partial(peer.receive, size))
    json.dump(found, sys.stdout)


def median(seconds: float, size: int, transfer: Callable[[], int]) -> float:
    """Nanoseconds of a transfer."""
    transfer()
    waits: list[int] = []
    end = time.perf_counter_ns() + seconds * 1e9
    before = 0
    while len(waits) < AT_LEAST or before < end:
        begin = time.perf_counter_ns()
        arrived = transfer()
        before = time.perf_counter_ns()
        waits.append(before - begin)
        if arrived != size:
            sys.exit(f"{arrived} bytes arrived, not {size}")
    return statistics.median(waits)
