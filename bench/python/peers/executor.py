"""concurrent.futures.ProcessPoolExecutor with one worker process."""

from concurrent.futures import Future, ProcessPoolExecutor
from queue import SimpleQueue
from typing import Any

from measure import FEATURES, measure, predict


class Executor:
    """A pool, and the calls that are done."""

    def __init__(self, executor: ProcessPoolExecutor) -> None:
        self.executor = executor
        self.done: SimpleQueue[Future[Any]] = SimpleQueue()

    def call(self) -> Any:
        """Submit, then wait."""
        return self.executor.submit(predict, FEATURES).result()

    def start(self) -> None:
        """Submit."""
        self.executor.submit(predict, FEATURES).add_done_callback(self.done.put)

    def finish(self) -> Any:
        """Wait for whichever is done next."""
        return self.done.get().result()


if __name__ == "__main__":
    with ProcessPoolExecutor(max_workers=1) as pool:
        measure(Executor(pool))
