"""ZeroMQ, called from Python: pyzmq at both ends of an ipc:// address."""

import multiprocessing
import tempfile
from typing import Any

import msgspec
import zmq
from measure import FEATURES, measure
from zeromq_server import serve


class ZeroMq:
    """The caller's socket."""

    def __init__(self, path: str) -> None:
        self.encode, self.decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder().decode
        self.socket = zmq.Context().socket(zmq.DEALER)
        self.socket.connect(f"ipc://{path}")

    def call(self) -> Any:
        """Send, then wait."""
        self.start()
        return self.finish()

    def start(self) -> None:
        """Send."""
        self.socket.send(self.encode(FEATURES))

    def finish(self) -> Any:
        """Wait."""
        return self.decode(self.socket.recv())


def main() -> None:
    """Start the worker and measure it."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/socket"
        multiprocessing.Process(target=serve, args=(path,), daemon=True).start()
        measure(ZeroMq(path))


if __name__ == "__main__":
    main()
