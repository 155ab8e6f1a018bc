"""The functions that the tests of the program call."""

import os
import sys
import time
from dataclasses import dataclass

from pyproc_worker import expose, run_worker


@dataclass
class Features:
    """What `predict` takes."""

    value: float
    label: str = "none"


@expose
def double(req):
    """Doubles a value.

    Nothing else.
    """
    return {"result": req["value"] * 2}


@expose
def predict(features: Features) -> float:
    return features.value / 2


@expose(timeout="10m")
async def wait(seconds: float = 0.0) -> str:
    return f"waited {seconds}"


@expose
def fail(req):
    raise ValueError("the value is negative")


@expose
def stuck():
    return sum(range(10**12))


@expose(timeout="1h")
def patient():
    time.sleep(3600)


@expose
def die():
    os._exit(3)


@expose
def picture(size: int):
    return b"\x00\xff" * size


@expose
def nothing():
    return None


@expose
def chatty():
    print("out of Python")
    print("warning of Python", file=sys.stderr)
    return "done"


if __name__ == "__main__":
    run_worker()
