"""A worker that is ready when a file appears."""

import os
import time

from pyproc_worker import expose, run_worker

GATE = os.environ["SLOW_START_GATE"]
while not os.path.exists(GATE):
    time.sleep(0.01)


@expose
def hello() -> str:
    return "hello"


if __name__ == "__main__":
    run_worker()
