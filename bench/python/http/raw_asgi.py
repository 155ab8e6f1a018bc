"""An ASGI application without a framework: `uvicorn raw_asgi:app`."""

from collections.abc import Awaitable, Callable
from typing import Any

from predict import answer

Message = dict[str, Any]


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """The one route. A server that asks for a lifespan is told by the exception that there is none."""
    if scope["type"] != "http":
        raise ValueError(f"{scope['type']} is not served")
    message = await receive()
    body = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    out = answer(body)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(out)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": out})
