"""Everything that the chart and the Kustomize tree are rendered to, by name.

Other tests take it from here, so that what is installed somewhere is what was looked at here.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
BIN = ROOT / ".tools/bin"
CHART = ROOT / "charts/pyproc"
KUSTOMIZE = ROOT / "deploy/kustomize"
SCHEMAS = ROOT / ".tools/schemas"

# The oldest cluster is Chart.yaml's kubeVersion.
OLDEST, NEWEST = "1.29.0", "1.37.0"

# Of a container beside the program's, for a namespace that enforces the restricted standard.
RESTRICTED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}

# What a user chooses beside the examples, each with the values that it takes.
VALUES: dict[str, dict[str, Any]] = {
    "default": {},
    "everything": {
        "worker": {"inline": "import this\n"},
        "auth": {"existingSecret": "callers"},
        "autoscaling": {"enabled": True, "targetMemoryUtilizationPercentage": 80},
        "podDisruptionBudget": {"enabled": True, "minAvailable": 0},
        "networkPolicy": {"enabled": True, "identityCIDRs": ["10.0.0.0/8"]},
        "serviceMonitor": {"enabled": True, "interval": "15s"},
        "cloudIdentity": {
            "provider": "gke",
            "gke": {"mode": "direct", "nodeSelector": True},
            "forbidStaticCredentials": True,
            "wait": True,
        },
        "secretsStore": {"enabled": True, "objects": [{"resourceName": "a", "path": "b"}]},
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
        "extraEnv": [{"name": "POD_IP", "value": "mine"}],
        "extraVolumes": [{"name": "tmp", "emptyDir": {"medium": "Memory"}}],
        "extraContainers": [{"name": "side", "image": "side:1", "securityContext": RESTRICTED}],
        "initContainers": [{"name": "first", "image": "first:1", "securityContext": RESTRICTED}],
        "extraObjects": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "extra"}}],
    },
    "eks-irsa-skipping": {
        "cloudIdentity": {
            "provider": "eks-irsa",
            "skipContainers": ["side", "first"],
            "eks": {"roleArn": "arn:aws:iam::999988887777:role/team/pyproc", "region": "eu-west-1"},
        },
        "extraContainers": [{"name": "side", "image": "side:1", "securityContext": RESTRICTED}],
        "initContainers": [{"name": "first", "image": "first:1", "securityContext": RESTRICTED}],
    },
    "aks-skipping": {
        "cloudIdentity": {
            "provider": "aks",
            "skipContainers": ["side", "first"],
            "aks": {"clientId": "12345678-90ab-cdef-1234-567890abcdef"},
        },
        "extraContainers": [{"name": "side", "image": "side:1", "securityContext": RESTRICTED}],
        "initContainers": [{"name": "first", "image": "first:1", "securityContext": RESTRICTED}],
    },
    "gke-direct": {"cloudIdentity": {"provider": "gke", "gke": {"mode": "direct"}}},
    "gke-projected": {
        "cloudIdentity": {
            "provider": "gke",
            "projectToken": True,
            "skipContainers": ["side"],
            "gke": {
                "workloadIdentityProvider": "projects/99/locations/global/workloadIdentityPools/pool/providers/cluster",
                "serviceAccount": "pyproc@some-project.iam.gserviceaccount.com",
                "project": "some-project",
            },
        },
        "extraContainers": [{"name": "side", "image": "side:1", "securityContext": RESTRICTED}],
    },
    "eks-irsa-projected": {
        "cloudIdentity": {
            "provider": "eks-irsa",
            "projectToken": True,
            "eks": {"roleArn": "arn:aws:iam::999988887777:role/pyproc", "region": "eu-west-1"},
        },
    },
    "aks-projected": {
        "cloudIdentity": {
            "provider": "aks",
            "projectToken": True,
            "aks": {
                "clientId": "12345678-90ab-cdef-1234-567890abcdef",
                "tenantId": "abcdefab-90ab-cdef-1234-567890abcdef",
            },
        },
    },
}

# What a component needs to stand beside the base alone: other components, and values of `pyproc-cloud`.
COMPONENTS: dict[str, tuple[list[str], dict[str, str]]] = {
    "identity-gke": ([], {"googleServiceAccount": "pyproc@some-project.iam.gserviceaccount.com"}),
    "identity-gke-direct": ([], {}),
    "identity-eks-irsa": ([], {"roleArn": "arn:aws:iam::999988887777:role/pyproc"}),
    "identity-eks-pod-identity": ([], {}),
    "identity-aks": (
        [],
        {"clientId": "12345678-90ab-cdef-1234-567890abcdef", "tenantId": "abcdefab-90ab-cdef-1234-567890abcdef"},
    ),
    "gke-node-selector": ([], {}),
    "forbid-static-credentials": ([], {}),
    "wait-for-identity": ([], {}),
    "secrets-store-csi-gcp": ([], {"secrets": "- {resourceName: a, path: b}"}),
    "secrets-store-csi-aws": ([], {"secrets": "- {objectName: a}", "usePodIdentity": "false"}),
    "secrets-store-csi-azure": (
        [],
        {
            "secrets": "array: ['{objectName: a, objectType: secret}']",
            "keyvaultName": "vault",
            "clientId": "12345678-90ab-cdef-1234-567890abcdef",
            "tenantId": "abcdefab-90ab-cdef-1234-567890abcdef",
        },
    ),
    "hpa": ([], {}),
    "pdb": ([], {}),
    "network-policy": ([], {}),
    "monitoring": ([], {}),
}


@dataclass(frozen=True)
class Render:
    """One thing that is rendered."""

    name: str
    values: tuple[Path, ...] = ()
    inline: str = ""
    overlay: Path | None = None

    def text(self, kube_version: str = NEWEST, helm: str = "helm", namespace: str = "default") -> str:
        """What it renders to."""
        if self.overlay:
            return build(self.overlay)
        values = [f"--values={path}" for path in self.values]
        return template(f"--namespace={namespace}", *values, inline=self.inline, kube_version=kube_version, helm=helm)

    def objects(self, namespace: str = "default") -> list[dict[str, Any]]:
        """The same, read."""
        return objects(self.text(namespace=namespace))


def charts() -> list[Render]:
    """What Helm renders: the values above, the examples', and production's."""
    made = [Render(f"helm-{name}", inline=yaml.safe_dump(values)) for name, values in VALUES.items()]
    for values in sorted(ROOT.glob("examples/helm-*/values*.yaml")):
        suffix = values.stem.removeprefix("values")
        made.append(Render(f"example-{values.parent.name.removeprefix('helm-')}{suffix}", values=(values,)))
    made.append(Render("helm-production", values=(CHART / "values-production.yaml",)))
    return made


def overlays() -> list[Render]:
    """What Kustomize renders: the base and the overlays."""
    folders = [KUSTOMIZE / "base", *sorted((KUSTOMIZE / "overlays").iterdir())]
    return [Render(f"kustomize-{folder.name}", overlay=folder) for folder in folders]


def component(name: str, folder: Path) -> Path:
    """The base with one component alone, in a folder of its own."""
    beside, cloud = COMPONENTS[name]
    return kustomization(folder, resource="base", components=[*beside, name], cloud=cloud)


def kustomization(
    folder: Path, *, resource: str, components: list[str], cloud: dict[str, str], more: dict[str, Any] | None = None
) -> Path:
    """Writes a user's overlay: one resource, some components, one config."""
    folder.mkdir(parents=True, exist_ok=True)
    tree = os.path.relpath(KUSTOMIZE, folder)
    written: dict[str, Any] = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [f"{tree}/{resource}"],
        "components": [f"{tree}/components/{component}" for component in components],
    }
    if cloud:
        local = {"config.kubernetes.io/local-config": "true"}
        written["configMapGenerator"] = [
            {
                "name": "pyproc-cloud",
                "literals": [f"{key}={value}" for key, value in cloud.items()],
                "options": {"disableNameSuffixHash": True, "annotations": local},
            }
        ]
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(written | (more or {}), sort_keys=False))
    return folder


def template(
    *arguments: str, inline: str = "", kube_version: str = NEWEST, helm: str = "helm", release: str = "myapp"
) -> str:
    """What `helm template` prints."""
    command = [BIN / helm, "template", release, CHART, f"--kube-version={kube_version}", *arguments]
    return run(*command, *(["--values=-"] if inline else []), text=inline)


def laid_over(values: dict[str, Any], defaults: dict[str, Any] | None = None) -> dict[str, Any]:
    """Values over the chart's own, as Helm lays them."""
    merged = dict(yaml.safe_load((CHART / "values.yaml").read_text()) if defaults is None else defaults)
    for name, value in values.items():
        below = merged.get(name)
        merged[name] = laid_over(value, below) if isinstance(value, dict) and isinstance(below, dict) else value
    return merged


def build(folder: Path) -> str:
    """What `kustomize build` prints; a warning is an error."""
    done = subprocess.run([BIN / "kustomize", "build", folder], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def run(*command: str | Path, text: str | None = None) -> str:
    """Runs a command that has to succeed."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
    return done.stdout


def objects(text: str) -> list[dict[str, Any]]:
    """The objects in a rendered text."""
    return [one for one in yaml.safe_load_all(text) if one]


def one(rendered: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """The only object of a kind."""
    (found,) = [candidate for candidate in rendered if candidate["kind"] == kind]
    return found
