"""An application on Granian's own interface: `granian --interface rsgi rsgi:app`."""

from typing import Any

from predict import answer

HEADERS = [("content-type", "application/json")]


async def app(_: Any, protocol: Any) -> None:
    """The one route."""
    protocol.response_bytes(200, HEADERS, answer(await protocol()))
