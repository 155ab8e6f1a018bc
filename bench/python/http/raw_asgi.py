"""An ASGI application without a framework: `uvicorn raw_asgi:app`."""

from collections.abc import Awaitable, Callable
from typing import Any

from predict import answer

Message = dict[str, Any]


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """The one route."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    message = await receive()
    body = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    out = answer(body)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(out)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": out})
