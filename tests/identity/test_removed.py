"""One thing removed at a time: what the SDK says, and which of the doctor's codes names it.

The table is the test. A row takes a healthy pod, changes one thing on the pod's or the cloud's side, or edits what
was rendered before the pod is made, and says what the SDK's error has in it (nothing where the SDK works all the same) and which codes the doctor finds, offline and
online. Remedies are compared where they are computed from the pod's own token.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cloud import REGIONS, Cloud
from emulators.aws import Trust
from emulators.azure import Application, Federated
from emulators.server import Response, Server
from emulators.tokens import Issuer
from admission import Edit, Objects
from mechanisms import ALL, CLIENT, GSA, LINK, OWN_FOLDER, ROLE, TENANT, Made, pod_identity, provider_of
from pod import INSIDE, PROGRAM, Pod

Findings = dict[str, dict[str, Any]]


@dataclass
class Row:
    """One thing removed from a healthy pod."""

    base: str
    # What is changed when the pod runs, or before it is made.
    change: Callable[[Made], object] | Edit
    # What the SDK's error has in it; "" where the SDK succeeds, None where it is not asked.
    sdk: str | None
    # Codes that fail or warn, without and with an exchange.
    offline: set[str] = field(default_factory=set)
    online: set[str] = field(default_factory=set)
    # Looks at the findings of the doctor, by code.
    check: Callable[[Made, Findings], None] = lambda made, findings: None
    # What stands on the cloud's side beside an edit.
    beside: Callable[[Made], object] = lambda made: None


def without(*names: str) -> Callable[[Made], None]:
    """Variables that are gone."""
    return lambda made: [made.pod.environment.pop(name, None) for name in names] and None


def setting(**variables: str) -> Callable[[Made], None]:
    """Variables that are added."""
    return lambda made: made.pod.environment.update(variables)


def gives(text: Callable[[Made], str], mode: int | None = None) -> Callable[[Made], None]:
    """The token's volume gets this instead."""
    return lambda made: made.pod.replace(made.file, text(made), mode)


def other_key(audience: str) -> Callable[[Made], None]:
    """A token that says all the right things, signed by somebody else."""

    def made_by_another(made: Made) -> str:
        signer = made.cloud.signer
        return Issuer(signer.issuer, kid=signer.kid).token(audience, made.namespace, made.account)

    return gives(made_by_another)


def unmarked(kind: str, marks: str, name: str) -> Edit:
    """An object without one of its annotations or labels."""

    def change(objects: Objects) -> None:
        rendered = objects[kind]
        metadata = rendered["spec"]["template"]["metadata"] if kind == "Deployment" else rendered["metadata"]
        del metadata[marks][name]

    return Edit(f"no-{name.split('/')[-1]}", change)


def extra(**variables: str) -> Callable[[Objects], None]:
    """Variables that somebody writes into the Deployment."""

    def change(objects: Objects) -> None:
        environment = objects["Deployment"]["spec"]["template"]["spec"]["containers"][0]["env"]
        environment += [{"name": name, "value": value} for name, value in variables.items()]

    return change


def remedies(finding: dict[str, Any], kind: str) -> list[str]:
    """The remedies of one kind."""
    return [remedy["text"] for remedy in finding["remedies"] if remedy["kind"] == kind]


def helm_first(finding: dict[str, Any]) -> None:
    assert finding["remedies"][0]["kind"] == "helm-values", finding


# ---- EKS IRSA ------------------------------------------------------------------------------------


def trust_policy(made: Made, findings: Findings) -> None:
    """Applying the remedy is what mends it."""
    finding = findings["AWS_TRUST_MISMATCH"]
    helm_first(finding)
    (policy,) = (json.loads(text) for text in remedies(finding, "trust-policy"))
    (statement,) = policy["Statement"]
    issuer = made.cloud.signer.issuer.removeprefix("https://")
    assert statement["Principal"]["Federated"] == f"arn:aws:iam::123456789012:oidc-provider/{issuer}"
    equals = statement["Condition"]["StringEquals"]
    made.cloud.aws.roles[ROLE] = Trust(f"https://{issuer}", equals[f"{issuer}:sub"], equals[f"{issuer}:aud"])
    assert made.use().status == 0


def forget_role(made: Made) -> None:
    del made.cloud.aws.roles[ROLE]


def trust_other_subject(made: Made) -> None:
    made.cloud.aws.roles[ROLE].subject = "system:serviceaccount:other:pyproc"


def forget_provider(made: Made) -> None:
    made.cloud.aws.providers.clear()


def create_provider(made: Made, findings: Findings) -> None:
    commands = remedies(findings["AWS_NO_OIDC_PROVIDER"], "shell")
    words = shlex.split(next(command for command in commands if "create-open-id-connect-provider" in command))
    assert words[words.index("--url") + 1] == made.cloud.signer.issuer
    assert words[words.index("--client-id-list") + 1] == "sts.amazonaws.com"


def add_client_id(made: Made, findings: Findings) -> None:
    (command,) = remedies(findings["AWS_AUDIENCE"], "shell")
    words = shlex.split(command)
    assert words[words.index("--client-id") + 1] == "my-audience"
    issuer = made.cloud.signer.issuer.removeprefix("https://")
    assert words[words.index("--open-id-connect-provider-arn") + 1].endswith(f":oidc-provider/{issuer}")


def fs_group(made: Made, findings: Findings) -> None:
    assert remedies(findings["TOKEN_UNREADABLE"], "helm-values") == ["podSecurityContext:\n  fsGroup: 65532\n"]


def sts_is_silent(made: Made) -> None:
    made.pod.environment |= {"AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "eu-north-1"}


def frozen(made: Made) -> None:
    """A copy, as a subPath mount is one, of a token that has since expired."""
    path = INSIDE / "run/secrets/frozen/token"
    path.parent.mkdir(parents=True)
    path.write_text(made.yesterday("sts.amazonaws.com"))
    made.pod.environment["AWS_WEB_IDENTITY_TOKEN_FILE"] = "/run/secrets/frozen/token"


def other_role(objects: Objects) -> None:
    """The Deployment is of after the change of the role, its ServiceAccount of before."""
    annotations = objects["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    annotations["pyproc/identity-principal"] = "arn:aws:iam::123456789012:role/new"


def clock_ahead(seconds: float) -> Callable[[Made], None]:
    def change(made: Made) -> None:
        made.cloud.clock.offset = seconds

    return change


def throttle(made: Made) -> None:
    made.cloud.aws.busy = True


def ec2(made: Made) -> None:
    """The node's metadata answers, as on EC2 with a hop limit of two."""
    handler = lambda request: Response(401, "", {"Server": "EC2ws"})  # noqa: E731
    made.cloud.local["metadata"] = Server(("169.254.169.254", 80), handler, made.cloud.clock)
    without("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE")(made)


AGENT_FOLDER = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount"


def both_aws(objects: Objects) -> None:
    """Somebody gives the container of a pod of IRSA what the agent's association gives."""
    extra(
        AWS_CONTAINER_CREDENTIALS_FULL_URI="http://169.254.170.23/v1/credentials",
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=f"{AGENT_FOLDER}/eks-pod-identity-token",
    )(objects)
    pod = objects["Deployment"]["spec"]["template"]["spec"]
    token = {"audience": "pods.eks.amazonaws.com", "expirationSeconds": 86400, "path": "eks-pod-identity-token"}
    pod["volumes"].append({"name": "agent", "projected": {"sources": [{"serviceAccountToken": token}]}})
    mount = {"name": "agent", "mountPath": AGENT_FOLDER, "readOnly": True}
    pod["containers"][0]["volumeMounts"].append(mount)


# ---- EKS Pod Identity ----------------------------------------------------------------------------


def no_association(made: Made) -> None:
    made.cloud.aws.associations.clear()


def associate(made: Made, findings: Findings) -> None:
    (command,) = remedies(findings["AWS_NO_ASSOCIATION"], "shell")
    words = shlex.split(command)
    assert words[words.index("--namespace") + 1] == made.namespace
    assert words[words.index("--service-account") + 1] == made.account


def distrust_pods(made: Made) -> None:
    made.cloud.aws.trusts_pods = False


def pods_policy(made: Made, findings: Findings) -> None:
    (policy,) = (json.loads(text) for text in remedies(findings["AWS_POD_IDENTITY_TRUST"], "trust-policy"))
    assert policy["Statement"][0]["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert set(policy["Statement"][0]["Action"]) == {"sts:AssumeRole", "sts:TagSession"}


def no_agent(made: Made) -> None:
    made.cloud.local.pop("agent").close()


# ---- AKS -----------------------------------------------------------------------------------------


def label(made: Made, findings: Findings) -> None:
    helm_first(findings["AZ_NOT_INJECTED"])
    assert 'azure.workload.identity/use: "true"' in remedies(findings["AZ_NOT_INJECTED"], "helm-values")[0]
    patch = next(text for text in remedies(findings["AZ_NOT_INJECTED"], "shell") if " patch " in text)
    labels = json.loads(shlex.split(patch)[-1])["spec"]["template"]["metadata"]["labels"]
    assert labels == {"azure.workload.identity/use": "true"}


def credential(**changed: str) -> Callable[[Made], None]:
    """The federated credential says something else."""

    def change(made: Made) -> None:
        said = {"issuer": made.cloud.signer.issuer, "subject": made.subject, **changed}
        made.cloud.entra.applications[CLIENT] = Application(TENANT, [Federated(**said)])

    return change


def federate(made: Made, findings: Findings) -> None:
    """Running the remedy is what mends it."""
    finding = findings["AZ_NO_MATCHING_FIC"]
    helm_first(finding)
    words = shlex.split(next(text for text in remedies(finding, "shell") if "federated-credential create" in text))
    option = lambda name: words[words.index(f"--{name}") + 1]  # noqa: E731
    federated = Federated(option("issuer"), option("subject"), option("audiences"))
    made.cloud.entra.applications[CLIENT].credentials.append(federated)
    assert made.use().status == 0


# ---- GKE -----------------------------------------------------------------------------------------


def link(made: Made, findings: Findings) -> None:
    finding = findings["GKE_ACCOUNT_MISMATCH"]
    helm_first(finding)
    assert f"serviceAccount: {GSA}" in remedies(finding, "helm-values")[0]
    assert f"iam.gke.io/gcp-service-account={GSA}" in remedies(finding, "shell")[0]


def left_link(objects: Objects) -> None:
    """What an earlier release, or somebody, has left on the ServiceAccount."""
    objects["ServiceAccount"]["metadata"].setdefault("annotations", {})[LINK] = GSA


def denied(made: Made) -> None:
    made.cloud.metadata.denied = True


def node_account(made: Made) -> None:
    made.cloud.metadata.email = "123456789012-compute@developer.gserviceaccount.com"


def node_server(made: Made) -> None:
    made.cloud.metadata.cluster = None
    made.cloud.metadata.email = "nodes@my-project.iam.gserviceaccount.com"


def no_metadata(made: Made) -> None:
    made.cloud.local.pop("metadata").close()


def starting(made: Made) -> None:
    made.cloud.metadata.starting = True


PROXY = {"HTTP_PROXY": "http://127.0.0.9:3128", "HTTPS_PROXY": "http://127.0.0.9:3128"}


def no_proxy_line(made: Made, findings: Findings) -> None:
    (lines,) = remedies(findings["PROXY_CAPTURES_METADATA"], "environment")
    pairs = dict(line.split("=", 1) for line in lines.splitlines())
    assert pairs["NO_PROXY"] == pairs["no_proxy"]
    made.pod.environment |= pairs
    assert "PROXY_CAPTURES_METADATA" not in troubles(made.pod)[1]


def key_file(made: Made) -> None:
    path = INSIDE / "run/secrets/key.json"
    path.write_text(
        json.dumps({"type": "service_account", "project_id": "p", "private_key": "x", "client_email": "k@p"})
    )
    path.chmod(0o644)
    made.pod.environment["GOOGLE_APPLICATION_CREDENTIALS"] = "/run/secrets/key.json"


# ---- external_account ----------------------------------------------------------------------------


def forget_pool(made: Made) -> None:
    made.cloud.google.providers.clear()


def create_pool(made: Made, findings: Findings) -> None:
    helm_first(findings["GCP_NO_PROVIDER"])
    (command,) = remedies(findings["GCP_NO_PROVIDER"], "shell")
    words = shlex.split(command)
    assert words[words.index("create-oidc") + 1] == "cluster"
    assert words[words.index("--workload-identity-pool") + 1] == "pool"
    assert words[words.index("--issuer-uri") + 1] == made.cloud.signer.issuer


def other_issuer(made: Made) -> None:
    made.cloud.google.providers[provider_of(made)].trusted.issuer = "https://other"


def other_allowed(made: Made) -> None:
    made.cloud.google.providers[provider_of(made)].allowed = {"other"}


def condition(made: Made) -> None:
    made.cloud.google.providers[provider_of(made)].condition = "system:serviceaccount:other:pyproc"


def no_user(made: Made) -> None:
    made.cloud.google.users.clear()


def impersonate(made: Made, findings: Findings) -> None:
    """Running the remedy is what mends it."""
    helm_first(findings["GKE_IMPERSONATION_DENIED"])
    (command,) = remedies(findings["GKE_IMPERSONATION_DENIED"], "shell")
    words = shlex.split(command)
    assert words[:4] == ["gcloud", "iam", "service-accounts", "add-iam-policy-binding"]
    assert words[words.index("--role") + 1] == "roles/iam.workloadIdentityUser"
    made.cloud.google.users[words[4]] = {words[words.index("--member") + 1]}
    assert made.use().status == 0


def member_of_the_pool(made: Made, findings: Findings) -> None:
    (command,) = remedies(findings["GKE_IMPERSONATION_DENIED"], "shell")
    words = shlex.split(command)
    expected = f"serviceAccount:my-project.svc.id.goog[{made.namespace}/{made.account}]"
    # Without a token of its own the pod knows its ServiceAccount only where the template names it.
    assert words[words.index("--member") + 1] in (
        expected,
        "serviceAccount:my-project.svc.id.goog[NAMESPACE/SERVICE_ACCOUNT]",
    )


ROWS: dict[str, Row] = {
    # EKS IRSA
    "irsa: role": Row("eks-irsa", forget_role, "AccessDenied", set(), {"AWS_TRUST_MISMATCH"}),
    "irsa: trust": Row("eks-irsa", trust_other_subject, "AccessDenied", set(), {"AWS_TRUST_MISMATCH"}, trust_policy),
    "irsa: provider registration": Row(
        "eks-irsa", forget_provider, "InvalidIdentityToken", set(), {"AWS_NO_OIDC_PROVIDER"}, create_provider
    ),
    "irsa: signature": Row(
        "eks-irsa", other_key("sts.amazonaws.com"), "InvalidIdentityToken", set(), {"AWS_IDP_TRANSIENT"}
    ),
    "irsa: audience": Row(
        "eks-irsa",
        gives(lambda made: made.pod.request("my-audience")),
        "InvalidIdentityToken",
        {"AWS_AUDIENCE"},
        {"AWS_AUDIENCE"},
        add_client_id,
    ),
    "irsa: the agent's token": Row(
        "eks-irsa",
        gives(lambda made: made.pod.request("pods.eks.amazonaws.com")),
        "InvalidIdentityToken",
        {"AWS_MIXED_MIGRATION"},
        {"AWS_MIXED_MIGRATION", "AWS_AUDIENCE"},
    ),
    "irsa: annotation": Row(
        "eks-irsa",
        unmarked("ServiceAccount", "annotations", "eks.amazonaws.com/role-arn"),
        "NoCredentials",
        {"AWS_NOT_INJECTED"},
        {"AWS_NOT_INJECTED"},
    ),
    "irsa: one variable by hand": Row(
        "eks-irsa",
        Edit("one-variable", extra(AWS_ROLE_ARN=ROLE)),
        "NoCredentials",
        {"AWS_NOT_INJECTED"},
        {"AWS_NOT_INJECTED"},
    ),
    "irsa: webhook": Row(
        "eks-irsa", Edit("no-webhook", webhooks=False), "NoCredentials", {"AWS_NOT_INJECTED"}, {"AWS_NOT_INJECTED"}
    ),
    "irsa: node answers": Row(
        "eks-irsa",
        ec2,
        None,
        {"AWS_NOT_INJECTED", "NODE_IDENTITY_FALLBACK"},
        {"AWS_NOT_INJECTED", "NODE_IDENTITY_FALLBACK"},
    ),
    "irsa: file permission": Row(
        "eks-irsa",
        gives(lambda made: made.pod.read(made.file), 0o600),
        "PermissionError",
        {"TOKEN_UNREADABLE"},
        {"TOKEN_UNREADABLE"},
        fs_group,
    ),
    "irsa: token file": Row(
        "eks-irsa",
        setting(AWS_WEB_IDENTITY_TOKEN_FILE="/var/run/secrets/none"),
        "FileNotFoundError",
        {"TOKEN_MISSING"},
        {"TOKEN_MISSING"},
    ),
    "irsa: empty token": Row(
        "eks-irsa", gives(lambda made: ""), "Invalid length", {"TOKEN_MALFORMED"}, {"TOKEN_MALFORMED"}
    ),
    "irsa: a folder": Row(
        "eks-irsa",
        lambda made: setting(AWS_WEB_IDENTITY_TOKEN_FILE=str(Path(made.file).parent))(made),
        "IsADirectoryError",
        {"TOKEN_MALFORMED"},
        {"TOKEN_MALFORMED"},
    ),
    "irsa: region": Row(
        "eks-irsa", without("AWS_REGION", "AWS_DEFAULT_REGION"), None, {"AWS_STS_ENDPOINT"}, {"AWS_STS_ENDPOINT"}
    ),
    "irsa: legacy endpoint": Row(
        "eks-irsa", setting(AWS_STS_REGIONAL_ENDPOINTS="legacy"), "", {"AWS_STS_ENDPOINT"}, {"AWS_STS_ENDPOINT"}
    ),
    "irsa: no way to STS": Row("eks-irsa", sts_is_silent, None, set(), {"AWS_STS_ENDPOINT"}),
    "irsa: role's form": Row(
        "eks-irsa",
        setting(AWS_ROLE_ARN="arn:aws:iam::1234:role/app"),
        "ValidationError",
        {"AWS_ROLE_ARN"},
        {"AWS_ROLE_ARN"},
    ),
    "irsa: restart": Row("eks-irsa", Edit("other-role", other_role), "", {"STALE_POD"}, {"STALE_POD"}),
    "irsa: clock far ahead": Row(
        "eks-irsa", clock_ahead(100_000), "ExpiredToken", set(), {"TOKEN_EXPIRED", "CLOCK_SKEW"}
    ),
    "irsa: subPath": Row(
        "eks-irsa", frozen, "ExpiredToken", {"TOKEN_EXPIRED", "SUBPATH"}, {"TOKEN_EXPIRED", "SUBPATH"}
    ),
    "irsa: too often": Row("eks-irsa", throttle, "Throttling", set(), {"THROTTLED"}),
    "irsa: static key": Row(
        "eks-irsa",
        setting(
            AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE", AWS_SECRET_ACCESS_KEY="wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"
        ),
        "InvalidAccessKeyId",
        {"STATIC_KEYS_SHADOW"},
        {"STATIC_KEYS_SHADOW"},
    ),
    "irsa: two mechanisms": Row(
        "eks-irsa",
        Edit("both", both_aws),
        "",
        {"TWO_MECHANISMS"},
        {"TWO_MECHANISMS"},
        beside=pod_identity,
    ),
    "irsa: emulator": Row(
        "eks-irsa",
        setting(AWS_ENDPOINT_URL_S3=f"https://s3.{REGIONS[0]}.amazonaws.com"),
        "",
        {"EMULATOR_LEFT_ON"},
        {"EMULATOR_LEFT_ON"},
    ),
    "irsa: CA bundle": Row(
        "eks-irsa",
        setting(
            AWS_CA_BUNDLE="/etc/ssl/certs/ca-certificates.crt", REQUESTS_CA_BUNDLE="/etc/ssl/certs/ca-certificates.crt"
        ),
        "SSLError",
        set(),
        {"TLS_UNTRUSTED"},
    ),
    # EKS Pod Identity
    "pod identity: association": Row(
        "eks-pod-identity", no_association, None, set(), {"AWS_NO_ASSOCIATION"}, associate
    ),
    "pod identity: trust": Row("eks-pod-identity", distrust_pods, None, set(), {"AWS_POD_IDENTITY_TRUST"}, pods_policy),
    "pod identity: agent": Row(
        "eks-pod-identity", no_agent, None, {"AWS_AGENT_UNREACHABLE"}, {"AWS_AGENT_UNREACHABLE"}
    ),
    "pod identity: injection": Row(
        "eks-pod-identity",
        # No association in the cluster names a ServiceAccount of this namespace.
        Edit("not-associated"),
        "NoCredentials",
        {"AWS_NOT_INJECTED"},
        {"AWS_NOT_INJECTED"},
    ),
    "pod identity: line break": Row(
        "eks-pod-identity",
        gives(lambda made: made.pod.read(made.file) + "\n"),
        None,
        {"TOKEN_MALFORMED"},
        {"TOKEN_MALFORMED"},
    ),
    "pod identity: address": Row(
        "eks-pod-identity",
        setting(AWS_CONTAINER_CREDENTIALS_FULL_URI="http://10.0.0.1/v1/credentials"),
        "Unsupported host",
        {"AWS_CONTAINER_HOST"},
        {"AWS_CONTAINER_HOST", "EXCHANGE_FAILED"},
    ),
    "pod identity: proxy": Row(
        "eks-pod-identity",
        setting(**PROXY, NO_PROXY=".amazonaws.com"),
        "",
        {"PROXY_CAPTURES_METADATA"},
        {"PROXY_CAPTURES_METADATA"},
        no_proxy_line,
    ),
    # AKS
    "aks: label": Row(
        "aks",
        unmarked("Deployment", "labels", "azure.workload.identity/use"),
        None,
        {"AZ_NOT_INJECTED"},
        {"AZ_NOT_INJECTED"},
        label,
    ),
    "aks: webhook": Row("aks", Edit("no-webhook", webhooks=False), None, {"AZ_NOT_INJECTED"}, {"AZ_NOT_INJECTED"}),
    "aks: annotation": Row(
        "aks",
        unmarked("ServiceAccount", "annotations", "azure.workload.identity/client-id"),
        "client_id",
        {"AZ_CLIENT_ID_MISSING"},
        {"AZ_CLIENT_ID_MISSING"},
    ),
    "aks: issuer's slash": Row(
        "aks",
        lambda made: credential(issuer=made.cloud.signer.issuer + "/")(made),
        "AADSTS700211",
        set(),
        {"AZ_NO_MATCHING_FIC"},
        federate,
    ),
    "aks: subject": Row(
        "aks",
        credential(subject="system:serviceaccount:other:pyproc"),
        "AADSTS700213",
        set(),
        {"AZ_NO_MATCHING_FIC"},
        federate,
    ),
    "aks: subject's case": Row(
        "aks",
        lambda made: credential(subject=made.subject.upper())(made),
        "AADSTS7002138",
        set(),
        {"AZ_NO_MATCHING_FIC"},
        federate,
    ),
    "aks: audience": Row(
        "aks",
        gives(lambda made: made.pod.request("other")),
        "AADSTS700212",
        {"AZ_NO_MATCHING_FIC"},
        {"AZ_NO_MATCHING_FIC"},
    ),
    "aks: signature": Row("aks", other_key("api://AzureADTokenExchange"), "AADSTS50013", set(), {"AZ_ISSUER_KEYS"}),
    "aks: client id": Row(
        "aks",
        setting(AZURE_CLIENT_ID="22222222-2222-3333-4444-555555555555"),
        "AADSTS700016",
        {"STALE_POD"},
        {"STALE_POD", "AZ_WRONG_APP"},
    ),
    "aks: client id's form": Row(
        "aks",
        setting(AZURE_CLIENT_ID="my-identity"),
        "AADSTS700016",
        {"STALE_POD", "AZ_WRONG_APP"},
        {"STALE_POD", "AZ_WRONG_APP"},
    ),
    "aks: tenant": Row(
        "aks", setting(AZURE_TENANT_ID="00000000-8888-7777-6666-555555555555"), "AADSTS90002", set(), {"AZ_WRONG_APP"}
    ),
    "aks: clock far ahead": Row("aks", clock_ahead(100_000), "AADSTS700024", set(), {"TOKEN_EXPIRED", "CLOCK_SKEW"}),
    "aks: clock a little ahead": Row("aks", clock_ahead(120), "", set(), {"CLOCK_SKEW"}),
    "aks: authority": Row(
        "aks",
        setting(AZURE_AUTHORITY_HOST="http://login.microsoftonline.com/"),
        None,
        {"AZ_AUTHORITY_UNREACHABLE"},
        {"AZ_AUTHORITY_UNREACHABLE", "EXCHANGE_FAILED"},
    ),
    "aks: client secret": Row(
        "aks",
        setting(AZURE_CLIENT_SECRET="s3cr3t-of-the-application"),
        None,
        {"STATIC_KEYS_SHADOW"},
        {"STATIC_KEYS_SHADOW"},
    ),
    # GKE
    "gke: annotation": Row(
        "gke",
        unmarked("ServiceAccount", "annotations", LINK),
        None,
        {"GKE_ACCOUNT_MISMATCH"},
        {"GKE_ACCOUNT_MISMATCH"},
        link,
    ),
    "gke: annotation left": Row(
        "gke-direct", Edit("left-link", left_link), None, {"GKE_ACCOUNT_MISMATCH"}, {"GKE_ACCOUNT_MISMATCH"}
    ),
    "gke: binding": Row("gke", denied, None, set(), {"GKE_IMPERSONATION_DENIED"}, member_of_the_pool),
    "gke: node's account": Row("gke", node_account, None, {"NODE_IDENTITY_FALLBACK"}, {"NODE_IDENTITY_FALLBACK"}),
    "gke: node's metadata": Row("gke", node_server, None, {"GKE_NODE_METADATA"}, {"GKE_NODE_METADATA"}),
    "gke: host network": Row(
        "gke", setting(POD_IP="10.0.0.1", HOST_IP="10.0.0.1"), "", {"GKE_NODE_METADATA"}, {"GKE_NODE_METADATA"}
    ),
    "gke: metadata server": Row("gke", no_metadata, None, {"GKE_MDS_NOT_READY"}, {"GKE_MDS_NOT_READY"}),
    "gke: proxy": Row(
        "gke",
        setting(**PROXY, NO_PROXY=".googleapis.com"),
        None,
        {"PROXY_CAPTURES_METADATA"},
        {"PROXY_CAPTURES_METADATA"},
        no_proxy_line,
    ),
    "gke: key file": Row("gke", key_file, None, {"STATIC_KEYS_SHADOW"}, {"STATIC_KEYS_SHADOW"}),
    # external_account
    "external: provider registration": Row(
        "external", forget_pool, "invalid_target", set(), {"GCP_NO_PROVIDER"}, create_pool
    ),
    "external: issuer": Row("external", other_issuer, "invalid_grant", set(), {"GCP_TOKEN_REFUSED"}),
    "external: allowed audience": Row("external", other_allowed, "invalid_grant", set(), {"GCP_TOKEN_REFUSED"}),
    "external: condition": Row("external", condition, "unauthorized_client", set(), {"GCP_TOKEN_REFUSED"}),
    "external: impersonation": Row(
        "external-impersonation", no_user, "getAccessToken", set(), {"GKE_IMPERSONATION_DENIED"}, impersonate
    ),
    "external: expired": Row(
        "external",
        gives(lambda made: made.yesterday(f"https:{provider_of(made)}")),
        "invalid_grant",
        {"TOKEN_EXPIRED"},
        {"TOKEN_EXPIRED", "GCP_TOKEN_REFUSED"},
    ),
    "external: file": Row(
        "external",
        setting(GOOGLE_APPLICATION_CREDENTIALS=f"{OWN_FOLDER}/none"),
        "none",
        {"GCP_CREDENTIALS_FILE"},
        {"GCP_CREDENTIALS_FILE"},
    ),
}


def troubles(pod: Pod, *options: str) -> tuple[int, Findings]:
    """The doctor's status, and its findings that are no pass."""
    status, report = pod.doctor(*options)
    return status, {finding["code"]: finding for finding in report["findings"] if finding["verdict"] != "pass"}


@pytest.mark.parametrize("name", ROWS)
def test_what_is_removed_is_named(name: str, cloud: Cloud, pod: Pod) -> None:
    row = ROWS[name]
    made = ALL[row.base](cloud, pod, row.change if isinstance(row.change, Edit) else None)
    if not isinstance(row.change, Edit):
        row.change(made)
    row.beside(made)
    for options, expected in (((), row.offline), (("--online",), row.online)):
        status, found = troubles(pod, *options)
        assert set(found) == expected, json.dumps(found, indent=1)
        fails = any(finding["verdict"] == "fail" for finding in found.values())
        assert status == (1 if fails else 0)
        for finding in found.values():
            assert finding["summary"], finding
    if row.sdk is not None:
        # Azure's client tries again for more than a minute; its first refusal is what is looked at.
        run = made.use(limit="30s" if row.sdk else "60s")
        if row.sdk:
            assert run.status == 1 and row.sdk in run.stderr, run.stderr[-3000:]
        else:
            assert run.status == 0, run.stderr[-3000:]
    row.check(made, found)


def test_waiting_ends_when_the_metadata_server_answers(cloud: Cloud, pod: Pod) -> None:
    made = ALL["gke"](cloud, pod)
    no_metadata(made)
    waiting = pod.begin(str(PROGRAM), "auth", "wait", "--timeout", "60s")
    assert waiting.stderr is not None and "waiting: " in waiting.stderr.readline()
    cloud.start_metadata()
    out, _ = waiting.communicate(timeout=60)
    assert waiting.returncode == 0 and GSA in out


def test_waiting_gives_up_with_the_reason(cloud: Cloud, pod: Pod) -> None:
    made = ALL["eks-irsa"](cloud, pod)
    forget_role(made)
    run = pod.run(str(PROGRAM), "auth", "wait", "--timeout", "1s")
    assert run.status == 1 and "AccessDenied" in run.stderr


def test_a_rotated_token_is_used_at_the_next_exchange(cloud: Cloud, pod: Pod) -> None:
    made = ALL["eks-irsa"](cloud, pod)
    made.pod.replace(made.file, made.yesterday("sts.amazonaws.com"))
    assert troubles(pod, "--online")[1].keys() == {"TOKEN_EXPIRED"}
    made.pod.rotate(made.file)
    assert troubles(pod, "--online") == (0, {})
    assert made.use().status == 0
