"""How long ProcessPoolExecutor takes until the first result, when its worker imports what start.py does.

The worker is a fresh interpreter ("spawn"): the program that calls has not imported anything itself.
Prints the worker's memory, its proportional share of what it shares included, too.
"""

import json
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path


def first() -> int:
    """Import in the worker, as a function does that needs a library."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    import imports  # noqa: PLC0415 - the caller does not import it

    return imports.pid()


def main() -> None:
    """Measure."""
    begin = time.perf_counter_ns()
    with ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn")) as executor:
        pid = executor.submit(first).result()
        ready = time.perf_counter_ns() - begin
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    pss = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    json.dump({"ready": ready, "pss": pss * 1024}, sys.stdout)


if __name__ == "__main__":
    main()
