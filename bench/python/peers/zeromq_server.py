"""A worker behind a ZeroMQ socket: `python zeromq_server.py SOCKET`.

Bodies are MessagePack by msgspec, the fastest codec at hand. Serves the caller in Python and the one in Rust.
"""

import sys

import msgspec
import zmq
from measure import predict


def serve(path: str) -> None:
    """Answer for ever."""
    decode, encode = msgspec.msgpack.Decoder().decode, msgspec.msgpack.Encoder().encode
    socket = zmq.Context().socket(zmq.DEALER)
    socket.bind(f"ipc://{path}")
    while True:
        socket.send(encode(predict(decode(socket.recv()))))


if __name__ == "__main__":
    serve(sys.argv[1])
