"""JSON schemas of bodies and results."""

from __future__ import annotations

from typing import Any

import msgspec

from pyproc_worker._parameters import raw_constructor


def json_schema(annotation: Any) -> str:
    """The JSON schema of a type, `{}` (anything) where it has none."""
    try:
        if raw_constructor(annotation) is not None:
            return "{}"
        return msgspec.json.encode(msgspec.json.schema(annotation, schema_hook=_anything)).decode()
    except Exception:  # noqa: BLE001 - whatever a foreign annotation does, the function stays callable
        return "{}"


def _anything(_kind: type) -> dict[str, Any]:
    return {}
