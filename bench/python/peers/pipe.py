"""multiprocessing.Pipe: a worker process behind a pair of connections, objects pickled."""

import multiprocessing
from multiprocessing.connection import Connection
from typing import Any

from measure import FEATURES, measure, predict


def work(connection: Connection) -> None:
    """Answer until the caller closes."""
    try:
        while True:
            connection.send(predict(connection.recv()))
    except EOFError:
        pass


class Pipe:
    """The caller's end."""

    def __init__(self) -> None:
        self.connection, far = multiprocessing.Pipe()
        multiprocessing.Process(target=work, args=(far,), daemon=True).start()
        far.close()

    def call(self) -> Any:
        """Send, then wait."""
        self.connection.send(FEATURES)
        return self.connection.recv()

    def start(self) -> None:
        """Send."""
        self.connection.send(FEATURES)

    def finish(self) -> Any:
        """Wait."""
        return self.connection.recv()


if __name__ == "__main__":
    measure(Pipe())
