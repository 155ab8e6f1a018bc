"""A gRPC server on a Unix socket: `python grpc_server.py SOCKET`.

grpc.aio answers more calls per second than the server with threads. Messages are MessagePack by
msgspec, handed over as they are: there is no protobuf to decode.
"""

import asyncio
import sys

import grpc
import grpc.aio
import msgspec
from measure import predict

decode, encode = msgspec.msgpack.Decoder().decode, msgspec.msgpack.Encoder().encode


async def answer(request: bytes, _: grpc.aio.ServicerContext) -> bytes:
    """The one method."""
    return encode(predict(decode(request)))


async def main() -> None:
    """Answer for ever."""
    server = grpc.aio.server()
    methods = {"Predict": grpc.unary_unary_rpc_method_handler(answer)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Predictor", methods),))
    server.add_insecure_port(f"unix:{sys.argv[1]}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())
