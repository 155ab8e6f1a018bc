"""Asks a slow server over the network: a coroutine, of which one worker runs 64 at a time."""

import asyncio

from pyproc_worker import expose, run_worker


@expose
async def ask(host: str, port: int, question: str) -> str:
    """Send a line to the server and wait for the line that it answers."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(f"{question}\n".encode())
        answer = await reader.readline()
    finally:
        writer.close()
        await writer.wait_closed()
    return answer.decode().rstrip("\n")


if __name__ == "__main__":
    run_worker()
