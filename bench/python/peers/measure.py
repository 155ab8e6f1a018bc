"""How a peer is measured whose caller is a Python program.

`python PEER.py SECONDS` measures for about so long per figure and prints what it found as JSON.
"""

import json
import sys
import time
from typing import Any, Protocol

FEATURES = {"value": 42}
AT_ONCE = (1, 8, 64, 256)


class Peer(Protocol):
    """A worker process that answers `predict(FEATURES)`, as its caller sees it."""

    def call(self) -> Any:
        """Make a call and wait for its result."""

    def start(self) -> None:
        """Begin a call."""

    def finish(self) -> Any:
        """Wait for the result of a call that has begun."""


def predict(req: dict[str, Any]) -> dict[str, Any]:
    """As little as a function can do: the same as in ../worker.py."""
    return {"result": req["value"] * 2}


def check(result: Any) -> None:
    """Compare with what `predict` returns."""
    if result != {"result": 84}:
        sys.exit(f"a wrong answer: {result!r}")


def measure(peer: Peer) -> None:
    """Print percentiles of the time of a call, and calls per second by how many are under way."""
    seconds = float(sys.argv[1])
    one_at_a_time(peer, seconds / 2)
    waits = sorted(one_at_a_time(peer, seconds))
    rates = {at_once: many_at_once(peer, seconds, at_once) for at_once in AT_ONCE}
    p50, p99 = (waits[round((len(waits) - 1) * share)] for share in (0.5, 0.99))
    json.dump({"p50": p50, "p99": p99, "rates": rates}, sys.stdout)


def one_at_a_time(peer: Peer, seconds: float) -> list[int]:
    """Nanoseconds of each call."""
    waits: list[int] = []
    before = time.perf_counter_ns()
    end = before + seconds * 1e9
    while before < end:
        check(peer.call())
        now = time.perf_counter_ns()
        waits.append(now - before)
        before = now
    return waits


def many_at_once(peer: Peer, seconds: float, at_once: int) -> float:
    """Calls per second with always so many under way."""
    for _ in range(at_once):
        peer.start()
    calls = 0
    begin = time.perf_counter()
    end = begin + seconds
    while (now := time.perf_counter()) < end:
        check(peer.finish())
        peer.start()
        calls += 1
    for _ in range(at_once):
        check(peer.finish())
    return calls / (now - begin)
