"""Every render on a real API server: accepted as it is, and the pods made from it as the clouds' webhooks leave them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import identity
import pytest
import renders
from identity import Identity

if TYPE_CHECKING:
    from apiserver import Cluster

RENDERS = [*renders.charts(), *renders.overlays()]
SKIPPED = {"side", "first"}

EXAMPLE_ROLE = Identity("irsa", "arn:aws:iam::123456789012:role/pyproc", "sts.amazonaws.com", 86_400)
EXAMPLE_CLIENT = Identity("aks", "00000000-0000-0000-0000-000000000000", "api://AzureADTokenExchange", 3_600)
POD_IDENTITY = Identity("pod-identity", "http://169.254.170.23/v1/credentials", "pods.eks.amazonaws.com")

# What needs no webhook.
PROJECTED = {
    "helm-gke-projected": Identity(
        "gke",
        "/var/run/secrets/pyproc/identity/credentials.json",
        "https://iam.googleapis.com/projects/99/locations/global/workloadIdentityPools/pool/providers/cluster",
        3_600,
    ),
    "helm-eks-irsa-projected": Identity("irsa", "arn:aws:iam::999988887777:role/pyproc", "sts.amazonaws.com", 86_400),
    "helm-aks-projected": Identity("aks", "12345678-90ab-cdef-1234-567890abcdef", "api://AzureADTokenExchange", 3_600),
}

# The identity that containers get in the pod, by render; those of GKE come from the node, the others have none.
IDENTITIES = PROJECTED | {
    "helm-eks-irsa-skipping": Identity(
        "irsa", "arn:aws:iam::999988887777:role/team/pyproc", "sts.amazonaws.com", 86_400
    ),
    "helm-aks-skipping": Identity("aks", "12345678-90ab-cdef-1234-567890abcdef", "api://AzureADTokenExchange", 3_600),
    "example-eks-irsa": EXAMPLE_ROLE,
    "example-eks-pod-identity": POD_IDENTITY,
    "example-aks-workload-identity": EXAMPLE_CLIENT,
    "example-secrets-store-csi-aws": EXAMPLE_ROLE,
    "example-secrets-store-csi-azure": EXAMPLE_CLIENT,
    "kustomize-eks-irsa": EXAMPLE_ROLE,
    "kustomize-eks-pod-identity": POD_IDENTITY,
    "kustomize-aks-workload-identity": EXAMPLE_CLIENT,
    "kustomize-secrets-store-csi-aws": EXAMPLE_ROLE,
    "kustomize-secrets-store-csi-azure": EXAMPLE_CLIENT,
}

# Whom GKE's metadata server lets the pod act as. A direct principal has no annotation.
EXAMPLE_ACCOUNT = "pyproc@my-project.iam.gserviceaccount.com"
ACCOUNTS = dict.fromkeys(
    [
        "example-gke-workload-identity",
        "example-secrets-store-csi",
        "kustomize-gke-workload-identity",
        "kustomize-secrets-store-csi",
        "kustomize-secrets-store-csi-gcp",
    ],
    EXAMPLE_ACCOUNT,
)


def check(cluster: Cluster, namespace: str, expected: Identity | None) -> None:
    """The pods of a namespace have this identity, except where it is to be skipped."""
    pods = cluster.pods(namespace)
    assert pods
    for pod in pods:
        found = identity.of_pod(pod)
        assert found == {name: None if name in SKIPPED else expected for name in found}
        check_restrictions(pod, reads_token=expected is not None)


def check_restrictions(pod: dict[str, Any], *, reads_token: bool) -> None:
    """What a webhook has added needs neither root nor a root that can be written."""
    shared = pod["spec"]["securityContext"]
    assert shared["runAsNonRoot"]
    # A projected token is then readable for its group, whichever user runs.
    assert not reads_token or shared["fsGroup"]
    empty = {volume["name"] for volume in pod["spec"]["volumes"] if "emptyDir" in volume}
    for container in pod["spec"]["containers"]:
        if container["name"] in SKIPPED:
            continue
        own = container["securityContext"]
        assert own["readOnlyRootFilesystem"] and own["capabilities"] == {"drop": ["ALL"]}
        assert all(mount.get("readOnly") or mount["name"] in empty for mount in container["volumeMounts"])


@pytest.mark.parametrize("render", RENDERS, ids=lambda render: render.name)
def test_what_is_applied_gets_its_identity(cluster: Cluster, render: renders.Render) -> None:
    cluster.make_namespace(render.name)
    cluster.apply(render.name, render.text())
    check(cluster, render.name, IDENTITIES.get(render.name))
    used = {pod["spec"]["serviceAccountName"] for pod in cluster.read(render.name, "pods")["items"]} - {"default"}
    for account in used:
        annotations = cluster.read(render.name, "serviceaccount", account)["metadata"].get("annotations", {})
        assert annotations.get("iam.gke.io/gcp-service-account") == ACCOUNTS.get(render.name)


@pytest.mark.parametrize("render", [one for one in RENDERS if one.name in PROJECTED], ids=lambda render: render.name)
def test_a_projected_token_needs_no_webhook(cluster: Cluster, render: renders.Render) -> None:
    namespace = f"{render.name}-alone"
    cluster.make_namespace(namespace, webhooks=False)
    cluster.apply(namespace, render.text())
    check(cluster, namespace, PROJECTED[render.name])


def test_without_its_webhook_a_marked_pod_has_no_identity(cluster: Cluster) -> None:
    """So that the tests above show what the webhooks do."""
    (render,) = [one for one in RENDERS if one.name == "example-eks-irsa"]
    cluster.make_namespace("unmarked", webhooks=False)
    cluster.apply("unmarked", render.text())
    check(cluster, "unmarked", None)


def test_every_expectation_has_its_render() -> None:
    assert {*IDENTITIES, *ACCOUNTS} <= {render.name for render in RENDERS}
