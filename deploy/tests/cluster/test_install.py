"""Helm 4 and Helm 3 on a real API server: install, upgrade from one identity to another, uninstall."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml
from renders import BIN, CHART, ROOT, VALUES
from test_apply import EXAMPLE_ACCOUNT, EXAMPLE_CLIENT, EXAMPLE_ROLE, POD_IDENTITY, PROJECTED, check

if TYPE_CHECKING:
    from apiserver import Cluster
    from identity import Identity

# One identity after the other: the values, what the pods have, and what the ServiceAccount is annotated with.
CLOUDS = ("iam.gke.io", "eks.amazonaws.com", "azure.workload.identity")
STEPS: list[tuple[str, Identity | None, set[str]]] = [
    ("basic", None, set()),
    ("gke-workload-identity", None, {"iam.gke.io"}),
    ("eks-irsa", EXAMPLE_ROLE, {"eks.amazonaws.com"}),
    ("aks-workload-identity", EXAMPLE_CLIENT, {"azure.workload.identity"}),
    ("eks-irsa-projected", PROJECTED["helm-eks-irsa-projected"], set()),
    ("basic", None, set()),
]


def values(name: str) -> str:
    """The values of an example, or of a render."""
    example = ROOT / f"examples/helm-{name}/values.yaml"
    return example.read_text() if example.exists() else yaml.safe_dump(VALUES[name])


@pytest.mark.parametrize("helm", ["helm", "helm3"])
def test_install_upgrade_uninstall(cluster: Cluster, helm: str) -> None:
    namespace = f"{helm}-install"
    cluster.make_namespace(namespace)
    for step, (name, expected, marked) in enumerate(STEPS):
        command = ["upgrade", "--reset-values"] if step else ["install"]
        cluster.run(BIN / helm, *command, "myapp", CHART, f"--namespace={namespace}", "--values=-", text=values(name))
        check(cluster, namespace, expected)
        (deployment,) = cluster.read(namespace, "deployments")["items"]
        account = deployment["spec"]["template"]["spec"]["serviceAccountName"]
        annotations = cluster.read(namespace, "serviceaccount", account)["metadata"].get("annotations", {})
        assert {cloud for cloud in CLOUDS if any(key.startswith(f"{cloud}/") for key in annotations)} == marked
        if name == "gke-workload-identity":
            assert annotations["iam.gke.io/gcp-service-account"] == EXAMPLE_ACCOUNT
    listed = json.loads(cluster.run(BIN / helm, "list", f"--namespace={namespace}", "--output=json"))
    assert [(one["name"], one["status"], one["revision"]) for one in listed] == [("myapp", "deployed", str(len(STEPS)))]
    uninstall(cluster, helm, namespace)


@pytest.mark.parametrize("helm", ["helm", "helm3"])
def test_upgrade_to_an_association(cluster: Cluster, helm: str) -> None:
    namespace = f"{helm}-associated"
    cluster.make_namespace(namespace)
    # An association is for a ServiceAccount by name; the basic example has another one.
    for command, name, expected in [("install", "basic", None), ("upgrade", "eks-pod-identity", POD_IDENTITY)]:
        cluster.run(BIN / helm, command, "myapp", CHART, f"--namespace={namespace}", "--values=-", text=values(name))
        check(cluster, namespace, expected)
    uninstall(cluster, helm, namespace)


def uninstall(cluster: Cluster, helm: str, namespace: str) -> None:
    """Nothing of a release is left."""
    cluster.run(BIN / helm, "uninstall", "myapp", f"--namespace={namespace}")
    kinds = cluster.kubectl("api-resources", "--verbs=list", "--namespaced", "--output=name").split()
    # The pods were made by these tests, not by Helm; nobody here collects what they own.
    left = cluster.read(
        namespace, ",".join(kind for kind in kinds if kind not in ("events", "pods", "events.events.k8s.io"))
    )
    names = {(one["kind"], one["metadata"]["name"]) for one in left["items"]}
    assert names <= {("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")}
