"""Makes spans and lines of its own."""

import asyncio
import logging
import pathlib
import time

from opentelemetry import trace
from pyproc_worker import current_call, expose, run_worker

logging.basicConfig(level=logging.INFO)
log = logging.getLogger("shop")
tracer = trace.get_tracer("shop")


@expose
def price(item: str) -> float:
    with tracer.start_as_current_span("look up"):
        log.info("looking up %s", item)
        print("printed for", item)
    return 4.5


@expose
async def price_async(item: str) -> float:
    with tracer.start_as_current_span("look up"):
        await asyncio.sleep(0)
        log.info("looking up %s", item)
    return 4.5


@expose
def meet(folder: str, name: str) -> int:
    """Waits for another worker that does the same."""
    place = pathlib.Path(folder)
    (place / name).touch()
    while len(list(place.iterdir())) < 2:
        time.sleep(0.001)
    return 2


@expose
def fail() -> None:
    raise ValueError("no such item")


@expose
def request_id() -> str | None:
    return current_call().request_id


if __name__ == "__main__":
    run_worker()
