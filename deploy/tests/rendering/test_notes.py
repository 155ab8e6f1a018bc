"""What Helm prints after an installation."""

from __future__ import annotations

import pytest
import renders
import yaml
from renders import BIN, CHART, ROOT, run

ROLE = "arn:aws:iam::999988887777:role/pyproc"
CLIENT = "12345678-90ab-cdef-1234-567890abcdef"


def notes(*arguments: str, values: dict[str, object] | None = None) -> str:
    command = [
        BIN / "helm",
        "install",
        "myapp",
        CHART,
        "--dry-run=client",
        "--namespace=team",
        "--values=-",
        *arguments,
    ]
    return run(*command, text=yaml.safe_dump(values or {})).partition("\nNOTES:\n")[2]


def test_the_first_call_is_shown() -> None:
    text = notes()
    assert "kubectl --namespace team port-forward service/myapp-pyproc 8080:80 &" in text
    assert "curl http://127.0.0.1:8080/v1/call/predict" in text
    assert "helm test myapp --namespace team" in text
    assert "Authorization" not in text
    assert "Bearer $TOKEN" in notes("--set=auth.existingSecret=callers")


IDENTITIES = {
    "gke": (
        {"provider": "gke", "gke": {"serviceAccount": "pyproc@some-project.iam.gserviceaccount.com"}},
        [
            "gcloud iam service-accounts get-iam-policy pyproc@some-project.iam.gserviceaccount.com",
            "[team/myapp-pyproc]",
        ],
    ),
    "gke-direct": ({"provider": "gke", "gke": {"mode": "direct"}}, ["ns/team/sa/myapp-pyproc"]),
    "eks-irsa": (
        {"provider": "eks-irsa", "eks": {"roleArn": ROLE}},
        [
            "aws iam get-role --role-name pyproc",
            "system:serviceaccount:team:myapp-pyproc",
        ],
    ),
    "eks-pod-identity": (
        {"provider": "eks-pod-identity"},
        ["aws eks list-pod-identity-associations", "--namespace team --service-account myapp-pyproc"],
    ),
    "aks": (
        {"provider": "aks", "aks": {"clientId": CLIENT}},
        [f"clientId=='{CLIENT}'", "az identity federated-credential list", "system:serviceaccount:team:myapp-pyproc"],
    ),
}


@pytest.mark.parametrize("identity", IDENTITIES)
def test_how_to_check_the_identity_is_shown(identity: str) -> None:
    values, expected = IDENTITIES[identity]
    text = notes(values={"cloudIdentity": values})
    in_pod = "kubectl --namespace team exec deployment/myapp-pyproc -- pyproc auth"
    expected = [f"{in_pod} status --online", f"{in_pod} doctor --online", *expected]
    assert [line for line in expected if line not in text] == []
    assert "WARNING" not in text


def test_a_wait_is_explained() -> None:
    identity = {"provider": "eks-pod-identity"}
    explained = "pods are not ready; why, says:\n\n  kubectl --namespace team logs deployment/myapp-pyproc\n"
    assert explained in notes(values={"cloudIdentity": {**identity, "wait": True}})
    assert explained not in notes(values={"cloudIdentity": identity})


def test_the_exact_command_annotates_a_foreign_service_account() -> None:
    values = {
        "serviceAccount": {"create": False, "name": "theirs"},
        "cloudIdentity": {"provider": "eks-irsa", "eks": {"roleArn": ROLE}},
    }
    text = notes(values=values)
    assert "kubectl --namespace team annotate --overwrite serviceaccount theirs" in text
    assert f"eks.amazonaws.com/role-arn='{ROLE}'" in text
    assert "eks.amazonaws.com/sts-regional-endpoints='true'" in text
    assert "kubectl --namespace team rollout restart deployment/myapp-pyproc" in text
    block = text.partition("then restart the pods:")[2].partition("Check it")[0]
    run("bash", "-n", "-c", block)


@pytest.mark.parametrize(
    ("example", "named"),
    [
        ("helm-gke-workload-identity", "cloudIdentity.gke.serviceAccount"),
        ("helm-eks-irsa", "cloudIdentity.eks.roleArn"),
        ("helm-aks-workload-identity", "cloudIdentity.aks.clientId, cloudIdentity.aks.tenantId"),
        ("helm-secrets-store-csi", "cloudIdentity.gke.serviceAccount, secretsStore.objects"),
    ],
)
def test_a_placeholder_is_warned_of(example: str, named: str) -> None:
    text = notes(f"--values={ROOT}/examples/{example}/values.yaml")
    assert f"WARNING: still a placeholder, so the cloud will refuse the identity: {named}\n" in f"{text}\n"


def test_an_open_production_is_warned_of() -> None:
    text = notes(f"--values={renders.CHART}/values-production.yaml")
    assert "WARNING: every pod of the cluster may call." in text


def test_an_open_service_and_a_missing_label_are_warned_of() -> None:
    outside = "WARNING: everybody who reaches the Service from outside of the cluster may call."
    assert outside in notes("--set=service.type=LoadBalancer")
    assert outside not in notes("--set=service.type=LoadBalancer,auth.existingSecret=callers")
    annotated = {"serviceAccount": {"annotations": {"azure.workload.identity/client-id": CLIENT}}}
    unmarked = "WARNING: AKS injects nothing without the pod's label."
    assert unmarked in notes(values=annotated)
    assert unmarked not in notes(values=annotated | {"podLabels": {"azure.workload.identity/use": "true"}})
