"""values.yaml with its comments: what each value is, its default, and its JSON schema.

The comment lines right above a key describe it; a line that begins with ``@schema`` holds JSON that
adds to the schema which its default gives.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from pathlib import Path

TYPES = {
    "tag:yaml.org,2002:bool": "boolean",
    "tag:yaml.org,2002:int": "integer",
    "tag:yaml.org,2002:float": "number",
    "tag:yaml.org,2002:str": "string",
}


@dataclass
class Value:
    """One key of values.yaml."""

    path: str
    description: str
    default: Any
    schema: dict[str, Any]
    children: list[Value] = field(default_factory=list)

    @property
    def is_group(self) -> bool:
        """Whether its keys are the chart's own, and not Kubernetes' or the program's."""
        return bool(self.children) and self.schema.get("additionalProperties") is False


def read(path: Path) -> list[Value]:
    """All values, in the order of the file."""
    text = path.read_text()
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    return _children(root, text.splitlines(), "")


def _children(node: yaml.MappingNode, lines: list[str], prefix: str) -> list[Value]:
    return [_value(key, value, lines, prefix) for key, value in node.value]


def _value(key: yaml.ScalarNode, node: yaml.Node, lines: list[str], prefix: str) -> Value:
    path = f"{prefix}{key.value}"
    description, added = _comment(lines, key.start_mark.line, key.start_mark.column, path)
    schema: dict[str, Any] = {"description": description} if description else {}
    children: list[Value] = []
    if isinstance(node, yaml.MappingNode):
        schema["type"] = "object"
        if node.value and "additionalProperties" not in added:
            children = _children(node, lines, f"{path}.")
            schema["additionalProperties"] = False
    elif isinstance(node, yaml.SequenceNode):
        schema["type"] = "array"
    elif node.tag in TYPES:
        schema["type"] = TYPES[node.tag]
    elif "type" not in added:
        message = f"values.yaml: {path} is null by default, so its type must be said by @schema"
        raise ValueError(message)
    if not description and not children:
        message = f"values.yaml: {path} has no comment that describes it"
        raise ValueError(message)
    schema |= added
    default = yaml.SafeLoader("").construct_document(node)
    return Value(path, description, default, schema, children)


def _comment(lines: list[str], line: int, column: int, path: str) -> tuple[str, dict[str, Any]]:
    """What stands above a key: its description, and what is added to its schema."""
    words: list[str] = []
    added: dict[str, Any] = {}
    while line > 0 and lines[line - 1].startswith(" " * column + "#"):
        line -= 1
        text = lines[line].strip().removeprefix("#").strip()
        if text.startswith("@schema"):
            try:
                added |= json.loads(text.removeprefix("@schema"))
            except json.JSONDecodeError as error:
                message = f"values.yaml: {path}: @schema is no JSON: {error}"
                raise ValueError(message) from None
        else:
            words.insert(0, text)
    return " ".join(words), added
