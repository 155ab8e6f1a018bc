"""A worker that starts a thread of its own, as metrics and telemetry libraries do.

`python -c "import background; background.solo()"` prints how far that thread counts in a second
without a pool.
"""

import threading
import time

from pyproc_worker import expose, run_worker


class Counter(threading.Thread):
    """Counts for ever."""

    value = 0

    def run(self) -> None:
        """Count."""
        while True:
            self.value += 1


counter = Counter(daemon=True)
counter.start()


@expose
def count() -> int:
    """How far the thread has counted."""
    return counter.value


def solo() -> None:
    """Measure with a main thread that only sleeps."""
    time.sleep(0.2)
    before, begin = counter.value, time.perf_counter()
    time.sleep(1)
    print((counter.value - before) / (time.perf_counter() - begin))


if __name__ == "__main__":
    run_worker()
