"""The Kustomize base and its components: what `helm template pyproc` renders, less what is listed here.

The base is the default values'. A component that adds objects has those that its values add to the base.
"""

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

# The values that make a component's objects.
COMPONENTS = {
    "hpa": {"autoscaling.enabled": "true"},
    "pdb": {"podDisruptionBudget.enabled": "true"},
    "monitoring": {"serviceMonitor.enabled": "true"},
    # With the port that any cloud's identity needs; there is no `helm test` to let in.
    "network-policy": {
        "networkPolicy.enabled": "true",
        "test.enabled": "false",
        "cloudIdentity.provider": "eks-irsa",
        "cloudIdentity.eks.roleArn": "arn:aws:iam::123456789012:role/pyproc",
    },
}

HEADER = "# Made from the chart by `make chart`: what is changed here is lost.\n"


def rendered(helm: Path, chart: Path, arguments: list[str]) -> list[dict[str, Any]]:
    """The objects that the chart renders, less what is listed above."""
    command = [helm, "template", "pyproc", chart, *arguments]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - our own helm
    objects = [one for one in yaml.safe_load_all(text) if one]
    return [_without(one) for one in objects if HOOK not in one["metadata"].get("annotations", {})]


def files(helm: Path, chart: Path) -> dict[str, str]:
    """The files of the base and of its components, by their path. Of a ConfigMap its own files are kept."""
    made = {}
    base = rendered(helm, chart, [])
    for one in base:
        if one["kind"] == "ConfigMap":
            made |= {f"base/{name}": text for name, text in one["data"].items()}
        else:
            made[f"base/{_file(one)}"] = _yaml(one)
    names = {_name(one) for one in base}
    for component, values in COMPONENTS.items():
        arguments = [f"--set={key}={value}" for key, value in values.items()]
        for one in rendered(helm, chart, arguments):
            if _name(one) not in names:
                made[f"components/{component}/{_file(one)}"] = _yaml(one)
    return made


def _name(one: dict[str, Any]) -> tuple[str, str]:
    return one["kind"], one["metadata"]["name"]


def _file(one: dict[str, Any]) -> str:
    return f"{one['kind'].lower()}.yaml"


def _yaml(one: dict[str, Any]) -> str:
    return HEADER + yaml.safe_dump(one, sort_keys=False, width=120)


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
