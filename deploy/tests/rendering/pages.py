"""The pages about deployment: their code blocks and commands."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from renders import ROOT

if TYPE_CHECKING:
    from pathlib import Path

# docker.md is about the image alone; the tests of the image run what stands there.
BOOK = sorted(path for path in (ROOT / "docs/deployment").glob("*.md") if path.name != "docker.md")
EXAMPLES = sorted(ROOT.glob("examples/helm-*/README.md"))
PAGES = [*BOOK, *EXAMPLES, ROOT / "charts/pyproc/README.md", ROOT / "deploy/kustomize/README.md"]


@dataclass(frozen=True)
class Block:
    """A fenced code block."""

    page: Path
    line: int
    language: str
    mark: str
    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """The code blocks of a page, in order."""
    text = page.read_text()
    found = []
    for match in re.finditer(r"^```(\w+)(?:,([\w-]+)(?::([\w.-]+))?)?\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(page, line, match[1], match[2] or "", match[3] or "", match[4]))
    return found


def all_blocks(language: str, mark: str | None = None) -> list[Block]:
    """All blocks of a language, on all pages."""
    return [
        block
        for page in PAGES
        for block in blocks(page)
        if block.language == language and (mark is None or block.mark == mark)
    ]


def commands() -> list[tuple[Block, list[str]]]:
    """Every command of every shell block, as words. What a command is fed or its output goes to is left out."""
    found = []
    for block in all_blocks("sh"):
        command = ""
        for line in re.sub(r"\\\n\s*", " ", block.text).splitlines():
            command = f"{command}\n{line}" if command else line
            try:
                words = [word for word in shlex.split(command) if word != "&"]
            except ValueError:
                # A quote goes on in the next line.
                continue
            command = ""
            while words and re.fullmatch(r"[A-Z]+=.*", words[0]):
                del words[0]
            found.append((block, words))
    return found
