"""`make chart`: writes what is made from the chart's values.yaml and from the program's own schema.

values.schema.json, the tables of the chart's README and of docs/deployment/kubernetes.md, and the
Kustomize base and components. A test compares all of it, so nothing drifts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import base
import schema
import tables
import values

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts/pyproc"


def program_schema() -> dict[str, Any]:
    """What `pyproc config schema` prints."""
    program = os.environ.get("PYPROC", ROOT / "target/release/pyproc")
    command = [program, "config", "schema"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - our own program
    if done.returncode:
        sys.exit(f"{program} cannot say its schema; `make build` renews it: {done.stderr.strip()}")
    return json.loads(done.stdout)


def generated() -> dict[Path, str]:
    """Every file that is made, with what it should hold."""
    known = values.read(CHART / "values.yaml")
    made = {CHART / "values.schema.json": schema.render(known, program_schema())}
    for page in (CHART / "README.md", ROOT / "docs/deployment/kubernetes.md"):
        made[page] = tables.replaced(page.read_text(), known)
    return made


def generated_kustomize() -> dict[Path, str]:
    """The files of the Kustomize tree that the chart renders; its schema has to be written before."""
    folder = ROOT / "deploy/kustomize"
    return {folder / name: text for name, text in base.files(ROOT / ".tools/bin/helm", CHART).items()}


def main() -> None:
    """Writes what differs."""
    for made in (generated, generated_kustomize):
        for path, text in made().items():
            if not path.exists() or path.read_text() != text:
                path.write_text(text)
                print(f"written: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
