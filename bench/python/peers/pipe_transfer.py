"""Bytes through multiprocessing.Pipe, without pickle: a worker process for each direction."""

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection

from transfer import measure, payload


def take(connection: Connection) -> None:
    """Answer bytes with their length."""
    try:
        while True:
            connection.send(len(connection.recv_bytes()))
    except EOFError:
        pass


def give(connection: Connection) -> None:
    """Answer a length with bytes."""
    try:
        while True:
            connection.send_bytes(payload(connection.recv()))
    except EOFError:
        pass


def start(work: Callable[[Connection], None]) -> Connection:
    """Start a worker and give the caller's end."""
    near, far = multiprocessing.Pipe()
    multiprocessing.Process(target=work, args=(far,), daemon=True).start()
    far.close()
    return near


class Pipe:
    """The caller's ends."""

    def __init__(self) -> None:
        self.taker, self.giver = start(take), start(give)

    def send(self, data: bytes) -> int:
        """To the worker."""
        self.taker.send_bytes(data)
        return self.taker.recv()

    def receive(self, size: int) -> int:
        """From the worker."""
        self.giver.send(size)
        return len(self.giver.recv_bytes())


if __name__ == "__main__":
    measure(Pipe())
