"""values.schema.json: JSON schema, draft 07, which is what every Helm reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from values import Value


def render(values: list[Value], program: dict[str, Any]) -> str:
    """The whole schema. ``program`` is what ``pyproc config schema`` prints."""
    properties = {value.path: _schema(value, program) for value in values}
    # Helm gives every subchart `global`, and a parent's `condition` names `enabled`.
    properties["global"] = {"type": "object", "description": "Values of a parent chart, for all of its charts."}
    properties["enabled"] = {"type": "boolean", "description": "Read by a parent chart's condition."}
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the pyproc chart",
        "type": "object",
        "additionalProperties": False,
        "required": tables(values),
        "properties": properties,
    }
    if "definitions" in program:
        schema["definitions"] = keys(program["definitions"])
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _schema(value: Value, program: dict[str, Any]) -> dict[str, Any]:
    schema = dict(value.schema)
    if schema.pop("config", False):
        return schema | {"additionalProperties": False, "properties": keys(program["properties"])}
    if value.is_group:
        if required := tables(value.children):
            schema["required"] = required
        schema["properties"] = {child.path.rpartition(".")[2]: _schema(child, program) for child in value.children}
    return schema


def tables(values: list[Value]) -> list[str]:
    """Keys that have keys: one without any removes the defaults, and templates would stumble over it."""
    return [value.path.rpartition(".")[2] for value in values if isinstance(value.default, dict)]


def keys(schema: Any) -> Any:
    """What the program's schema says about types and keys.

    Formats are left to sentences: the chart's for what it reads itself, the program's for the rest. Defaults
    are the program's to know.
    """
    if isinstance(schema, list):
        return [keys(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties":
            kept[key] = {name: keys(child) for name, child in value.items()}
        elif key == "description":
            kept[key] = value.partition("\n")[0]
        elif key not in ("default", "examples", "format", "pattern") and not key.startswith("x-"):
            kept[key] = keys(value)
    return kept
