"""The function that every HTTP server answers with: the same as in ../worker.py, from JSON to JSON."""

from typing import Any

import msgspec

decode, encode = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode


def predict(req: dict[str, Any]) -> dict[str, Any]:
    """As little as a function can do."""
    return {"result": req["value"] * 2}


def answer(body: bytes) -> bytes:
    """Bytes of JSON in, bytes of JSON out."""
    return encode(predict(decode(body)))
