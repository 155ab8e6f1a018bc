"""What `pyproc auth doctor` tells people to do can be done: its values are the chart's, its options the program's."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from typing import Any

import jsonschema
import pytest
import yaml
from pages import BOOK
from renders import CHART, ROOT, laid_over
from test_config import PROGRAM

DOCTOR = ROOT / "crates/pyproc-identity/src"
SOURCES = [*sorted(DOCTOR.rglob("*.rs")), *sorted((ROOT / "crates/pyproc-cli/src/auth").glob("*.rs"))]
CODES = ROOT / "docs/identity-codes.md"
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
# What a command of the program is made of, without the values of its options.
WORD = r"auth|serve|status|doctor|wait|--[a-z-]+"
# A remedy with values of the chart: the text of a Rust literal.
HELM = re.compile(r'Remedy::helm\(\s*(?:format!\(\s*)?"((?:[^"\\]|\\.)*)"', re.DOTALL)


def literal(text: str) -> str:
    """What a Rust literal says, with a name in the place of each argument."""
    text = re.sub(r"\\\n\s*", "", text)
    text = text.replace("\\n", "\n").replace('\\"', '"')
    return re.sub(r"\{\w*\}", "NAME", text)


def helm_remedies() -> list[str]:
    """Every remedy that is values of the chart."""
    return [literal(text) for source in SOURCES for text in HELM.findall(source.read_text())]


def test_every_remedy_for_helm_is_seen_here() -> None:
    made = sum(source.read_text().count("Remedy::helm(") for source in SOURCES if source.name != "finding.rs")
    assert len(helm_remedies()) == made > 20


@pytest.mark.parametrize("remedy", sorted(set(helm_remedies())))
def test_values_of_a_remedy_are_the_charts(remedy: str) -> None:
    values = yaml.safe_load(remedy)
    assert values
    jsonschema.Draft7Validator(SCHEMA).validate(laid_over(values))


def values_named(text: str) -> set[str]:
    """Values that are named by their path, such as `cloudIdentity.eks.region`."""
    return set(re.findall(r"\b(?:cloudIdentity|networkPolicy|podSecurityContext|serviceAccount)(?:\.[a-z]\w*)+", text))


def test_values_that_the_doctor_and_its_pages_name_are_the_charts() -> None:
    texts = [path.read_text() for path in (*SOURCES, CODES, *BOOK)]
    named = sorted({name for text in texts for name in values_named(text)})
    assert "cloudIdentity.wait" in named
    assert [name for name in named if not is_value(SCHEMA, name.split("."))] == []


def is_value(schema: dict[str, Any], path: list[str]) -> bool:
    """Whether the chart has a value at this path; what Kubernetes says is not looked into."""
    for name in path:
        if name not in schema.get("properties", {}):
            return schema.get("additionalProperties") is not False
        schema = schema["properties"][name]
    return True


def program_commands() -> set[tuple[str, ...]]:
    """The commands of the program that the doctor and the pages about deployment tell people to run."""
    found = set()
    for path in (*SOURCES, CODES, *BOOK, CHART / "templates/NOTES.txt"):
        for line in re.findall(r"\bpyproc ((?:auth (?:status|doctor|wait)|serve)\b[^`\n\"|]*)", path.read_text()):
            words = re.split(r"[.,;:)]?\s+|[.,;:)]+$", line)
            found.add(tuple(word for word in words if re.fullmatch(WORD, word)))
    # A remedy is made of words, each of which is quoted by itself.
    for source in SOURCES:
        for words in re.findall(r'Remedy::command\(&\[\s*"pyproc",([^\]]*)\]', source.read_text()):
            found.add(tuple(word for word in re.findall(r'"([^"]*)"', words) if re.fullmatch(WORD, word)))
    return found


def test_options_that_the_doctor_and_its_pages_name_are_the_programs() -> None:
    commands = program_commands()
    assert ("serve", "--no-static-credentials") in commands
    assert ("auth", "wait", "--timeout") in commands
    wrong = []
    for words in commands:
        command = [word for word in words if not word.startswith("--")]
        command = command[:2] if command[0] == "auth" else command[:1]
        shown = subprocess.run([PROGRAM, *command, "--help"], capture_output=True, text=True, check=True).stdout
        options = set(re.findall(r"--[a-z-]+", shown))
        wrong += [shlex.join(words) for word in words if word.startswith("--") and word not in options]
    assert wrong == []


def test_stored_keys_that_the_chart_refuses_are_those_of_the_program() -> None:
    source = (ROOT / "crates/pyproc-identity/src/static_keys.rs").read_text().partition("] {")[0]
    (rule,) = [
        line for line in (CHART / "templates/rules.yaml").read_text().splitlines() if "AWS_ACCESS_KEY_ID" in line
    ]
    variables = re.compile(r'"((?:AWS|AZURE)_[A-Z_]+)"')
    assert variables.findall(rule) == variables.findall(source) != []
