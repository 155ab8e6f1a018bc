"""The admission webhooks of EKS and AKS, the real ones, registered as they ship."""

from __future__ import annotations

import base64
import json
import shutil
from typing import TYPE_CHECKING

import yaml
from network import wait_until
from renders import BIN, RESTRICTED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from apiserver import Cluster

# What the webhooks are told by the cluster's operator.
REGION = "eu-central-1"
TENANT = "00000000-0000-4000-8000-0000000000aa"

PROBE = "webhooks-probe"


def start(cluster: Cluster, associations: Iterable[tuple[str, str]]) -> None:
    """Starts and registers both. Associations of EKS Pod Identity are namespaces with ServiceAccounts."""
    cluster.make_namespace(PROBE)
    annotations = {
        "eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/probe",
        "azure.workload.identity/client-id": "probe",
    }
    metadata = {"name": "probe", "annotations": annotations}
    cluster.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}, namespace=PROBE)
    start_eks(cluster, associations)
    start_azure(cluster)


def start_eks(cluster: Cluster, associations: Iterable[tuple[str, str]]) -> None:
    """Regional STS, a region and tokens for a day, as managed EKS has it."""
    known = [{"namespace": namespace, "serviceAccount": account} for namespace, account in associations]
    listed = cluster.folder / "associations.json"
    listed.write_text(json.dumps({"identities": known}))
    cluster.network.start(
        "eks-webhook",
        BIN / "eks-pod-identity-webhook",
        "--in-cluster=false",
        f"--kubeconfig={cluster.folder}/kubeconfig",
        "--port=8443",
        f"--tls-cert={cluster.folder}/tls.crt",
        f"--tls-key={cluster.folder}/tls.key",
        "--annotation-prefix=eks.amazonaws.com",
        "--token-audience=sts.amazonaws.com",
        "--token-expiration=86400",
        "--sts-regional-endpoint",
        f"--aws-default-region={REGION}",
        # A ServiceAccount that was made just before is waited for.
        "--service-account-lookup-grace-period=5s",
        f"--watch-container-credentials-config={listed}",
        "--logtostderr",
    )
    register(cluster, "eks-pod-identity-webhook", "https://127.0.0.1:8443/mutate", "AWS_ROLE_ARN")


def start_azure(cluster: Cluster) -> None:
    """It looks for tls.crt and tls.key in a folder."""
    certificates = cluster.folder / "azure"
    certificates.mkdir()
    for name in ("tls.crt", "tls.key"):
        shutil.copy(cluster.folder / name, certificates)
    operator = {"AZURE_TENANT_ID": TENANT, "AZURE_ENVIRONMENT": "AzurePublicCloud", "POD_NAMESPACE": "azure-system"}
    cluster.network.start(
        "azure-webhook",
        BIN / "azure-workload-identity-webhook",
        "--disable-cert-rotation",
        f"--webhook-cert-dir={certificates}",
        "--log-level=info",
        env=cluster.environment | operator,
    )
    register(cluster, "azure-workload-identity-webhook", "https://127.0.0.1:9443/mutate-v1-pod", "AZURE_CLIENT_ID")


def register(cluster: Cluster, name: str, url: str, injects: str) -> None:
    """Only the address and the authority are ours, and that some namespaces are spared."""
    authority = base64.b64encode((cluster.folder / "ca.crt").read_bytes()).decode()
    spared = {"key": "test/webhooks", "operator": "DoesNotExist"}
    for shipped in yaml.safe_load_all((BIN / f"{name}.yaml").read_text()):
        if shipped and shipped["kind"] == "MutatingWebhookConfiguration":
            for webhook in shipped["webhooks"]:
                webhook["clientConfig"] = {"url": url, "caBundle": authority}
                webhook.setdefault("namespaceSelector", {}).setdefault("matchExpressions", []).append(spared)
            cluster.create(shipped)
    wait_until(name, lambda: injects in probe(cluster), lambda: cluster.network.log(name.split("-")[0] + "-webhook"))


def probe(cluster: Cluster) -> set[str]:
    """The variables that a pod gets which both webhooks change; it is not kept."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "probe", "labels": {"azure.workload.identity/use": "true"}},
        "spec": {
            "serviceAccountName": "probe",
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": "c", "image": "i", "securityContext": RESTRICTED}],
        },
    }
    made = cluster.create(pod, namespace=PROBE, dry_run=True)
    return {variable["name"] for variable in made["spec"]["containers"][0].get("env", [])}
