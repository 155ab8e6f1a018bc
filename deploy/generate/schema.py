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
        "properties": properties,
    }
    definitions = program.get("$defs", program.get("definitions"))
    if definitions:
        schema["definitions"] = draft_07(definitions)
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _schema(value: Value, program: dict[str, Any]) -> dict[str, Any]:
    schema = dict(value.schema)
    if schema.pop("config", False):
        keys = draft_07(program["properties"])
        return schema | {"additionalProperties": False, "properties": keys}
    if value.is_group:
        schema["properties"] = {child.path.rpartition(".")[2]: _schema(child, program) for child in value.children}
    return schema


def draft_07(schema: Any) -> Any:
    """A schema of draft 2020-12 in the words of draft 07, without defaults: those are the program's to say."""
    if isinstance(schema, list):
        return [draft_07(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    turned: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "$ref":
            # Beside a reference draft 07 ignores everything else.
            return {"$ref": value.replace("#/$defs/", "#/definitions/")}
        if key == "properties":
            turned[key] = {name: draft_07(child) for name, child in value.items()}
        elif key not in ("default", "format"):
            turned[key] = draft_07(value)
    return turned
