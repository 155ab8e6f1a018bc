"""The table of all values, for the chart's README and for the book."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from values import Value

BEGIN = "<!-- What follows is written by `make chart`. -->"
END = "<!-- End of what is written. -->"


def replaced(page: str, values: list[Value]) -> str:
    """A page with its table renewed."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    if not after:
        message = f"the page lacks {BEGIN} or {END}"
        raise ValueError(message)
    return f"{before}{BEGIN}\n{render(values)}{END}{after}"


def render(values: list[Value]) -> str:
    """The table."""
    lines = ["| value | default | what it is |", "|---|---|---|"]
    lines += [f"| `{value.path}` | {_default(value)} | {_cell(value)} |" for value in _rows(values)]
    return "\n".join(lines) + "\n"


def _rows(values: list[Value]) -> Iterator[Value]:
    for value in values:
        if value.description:
            yield value
        if value.children:
            yield from _rows(value.children)


def _default(value: Value) -> str:
    return "" if value.children else f"`{_escaped(json.dumps(value.default, ensure_ascii=False))}`"


def _cell(value: Value) -> str:
    text = value.description
    choices = value.schema.get("enum")
    if choices:
        missing = [choice for choice in choices if choice and f"`{choice}`" not in text]
        if missing:
            text += " One of " + ", ".join(f"`{choice}`" for choice in choices if choice) + "."
    return _escaped(text)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
