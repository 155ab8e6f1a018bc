"""What a call costs inside Python alone: decode, call, encode, in a plain loop.

Prints nanoseconds per call, the median of many short stretches.
"""

import statistics
import time
from typing import Any

import msgspec

STRETCHES = 40
CALLS = 50_000


def predict(req: dict[str, Any]) -> dict[str, Any]:
    """The same function as in worker.py."""
    return {"result": req["value"] * 2}


def main() -> None:
    """Measure."""
    decode = msgspec.msgpack.Decoder().decode
    encode = msgspec.msgpack.Encoder().encode
    body = encode({"value": 42})
    stretches: list[float] = []
    for _ in range(STRETCHES):
        begin = time.perf_counter_ns()
        for _ in range(CALLS):
            encode(predict(decode(body)))
        stretches.append((time.perf_counter_ns() - begin) / CALLS)
    print(statistics.median(stretches))


if __name__ == "__main__":
    main()
