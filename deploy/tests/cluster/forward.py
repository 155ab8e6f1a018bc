"""What kube-proxy does for a Service: forward.py LISTEN-ADDRESS LISTEN-PORT ADDRESS PORT takes connections at the one
and carries their bytes to the other."""

import asyncio
import sys


async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        target.write(data)
        await target.drain()
    target.close()


async def main(listen: str, port: str, address: str, target: str) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            onward, back = await asyncio.open_connection(address, int(target))
        except OSError:
            writer.close()
            return
        await asyncio.gather(carry(reader, back), carry(onward, writer), return_exceptions=True)

    server = await asyncio.start_server(connected, listen, int(port))
    await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
