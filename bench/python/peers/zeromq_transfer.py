"""Bytes through ZeroMQ, not copied by pyzmq where that pays."""

import multiprocessing
import tempfile

import zmq
from transfer import measure, payload

TO, FROM = b"to", b"from"


def serve(path: str) -> None:
    """Answer bytes with their length, and a length with bytes."""
    socket = zmq.Context().socket(zmq.DEALER)
    socket.bind(f"ipc://{path}")
    while True:
        direction, body = socket.recv_multipart(copy=False)
        if direction.bytes == TO:
            socket.send(b"%d" % len(body.buffer))
        else:
            socket.send(payload(int(body.bytes)), copy=False)


class ZeroMq:
    """The caller's socket."""

    def __init__(self, path: str) -> None:
        self.socket = zmq.Context().socket(zmq.DEALER)
        self.socket.connect(f"ipc://{path}")

    def send(self, data: bytes) -> int:
        """To the worker."""
        self.socket.send_multipart((TO, data), copy=False)
        return int(self.socket.recv())

    def receive(self, size: int) -> int:
        """From the worker."""
        self.socket.send_multipart((FROM, b"%d" % size))
        return len(self.socket.recv(copy=False).buffer)


def main() -> None:
    """Start the worker and measure it."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/socket"
        multiprocessing.Process(target=serve, args=(path,), daemon=True).start()
        measure(ZeroMq(path))


if __name__ == "__main__":
    main()
