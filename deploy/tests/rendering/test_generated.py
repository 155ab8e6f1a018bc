"""What `make chart` makes is what it would make now."""

from __future__ import annotations

import runpy
import sys
from typing import Any

import pytest
from renders import ROOT

GENERATE = ROOT / "deploy/generate"


@pytest.fixture(scope="module")
def generator() -> dict[str, Any]:
    sys.path.insert(0, str(GENERATE))
    try:
        return runpy.run_path(str(GENERATE / "__main__.py"), run_name="generator")
    finally:
        sys.path.remove(str(GENERATE))


@pytest.mark.parametrize("what", ["generated", "generated_kustomize"])
def test_nothing_has_drifted(generator: dict[str, Any], what: str) -> None:
    differing = [str(path.relative_to(ROOT)) for path, text in generator[what]().items() if path.read_text() != text]
    assert not differing, "run `make chart` and commit what it writes"


def test_every_value_stands_in_the_tables(generator: dict[str, Any]) -> None:
    def paths(known: list[Any]) -> list[str]:
        return [path for value in known for path in ([value.path] if not value.children else paths(value.children))]

    known = generator["values"].read(ROOT / "charts/pyproc/values.yaml")
    for page in ("charts/pyproc/README.md", "docs/deployment/kubernetes.md"):
        text = (ROOT / page).read_text()
        assert [path for path in paths(known) if f"| `{path}` |" not in text] == []
