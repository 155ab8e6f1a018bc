"""The Kustomize base: what `helm template pyproc` renders for the default values, less what is listed here."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from pathlib import Path

# Helm's own labels: Kustomize installs without Helm, and a version in a label would be nobody's to renew.
LABELS = ("helm.sh/chart", "app.kubernetes.io/managed-by", "app.kubernetes.io/version")
# Kustomize names a ConfigMap by its content, which replaces pods as the checksums do.
ANNOTATION_PREFIX = "checksum/"
# `helm test` is Helm's.
HOOK = "helm.sh/hook"

HEADER = "# Made from the chart by `make chart`: what is changed here is lost.\n"


def rendered(helm: Path, chart: Path) -> list[dict[str, Any]]:
    """The objects of the default values, less what is listed above."""
    command = [helm, "template", "pyproc", chart]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    objects = [one for one in yaml.safe_load_all(text) if one]
    return [_without(one) for one in objects if HOOK not in one["metadata"].get("annotations", {})]


def files(objects: list[dict[str, Any]]) -> dict[str, str]:
    """The files of the base, by name. Of a ConfigMap its files are kept: kustomization.yaml generates it."""
    made = {}
    for one in objects:
        if one["kind"] == "ConfigMap":
            made |= one["data"]
        else:
            made[f"{one['kind'].lower()}.yaml"] = HEADER + yaml.safe_dump(one, sort_keys=False, width=120)
    return made


def _without(value: Any) -> Any:
    """An object without the labels and annotations that are listed above."""
    if isinstance(value, list):
        return [_without(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {}
    for key, item in value.items():
        if key in LABELS or key.startswith(ANNOTATION_PREFIX):
            continue
        inner = _without(item)
        if key == "annotations" and not inner:
            continue
        kept[key] = inner
    return kept
