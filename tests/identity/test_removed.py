"""One thing removed at a time: what the SDK says, and which of the doctor's codes names it.

The table is the test. A row takes a healthy pod, changes one thing on the pod's or the cloud's side, and says what
the SDK's error has in it (nothing where the SDK works all the same) and which codes the doctor finds, offline and
online. Remedies are compared where they are computed from the pod's own token.
"""

from __future__ import annotations

import json
import re
import shlex
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cloud import Cloud
from emulators.aws import Trust
from emulators.azure import Application, Federated
from emulators.server import Response, Server
from emulators.tokens import Issuer
from mechanisms import (
    AGENT_FOLDER,
    ALL,
    AZURE_FOLDER,
    CLIENT,
    GSA,
    IRSA_FOLDER,
    NAMESPACE,
    OWN_FOLDER,
    PROVIDER,
    ROLE,
    SERVICE_ACCOUNT,
    SUBJECT,
    TENANT,
    Made,
    credentials,
    token,
)
from pod import PODINFO, PROGRAM, Pod

Findings = dict[str, dict[str, Any]]


@dataclass
class Row:
    """One thing removed from a healthy pod."""

    base: str
    change: Callable[[Made], None]
    # What the SDK's error has in it; "" where the SDK succeeds, None where it is not asked.
    sdk: str | None
    # Codes that fail or warn, without and with an exchange.
    offline: set[str] = field(default_factory=set)
    online: set[str] = field(default_factory=set)
    # Looks at the findings of the doctor, by code.
    check: Callable[[Made, Findings], None] = lambda made, findings: None


def without(*names: str) -> Callable[[Made], None]:
    """Variables that are gone."""
    return lambda made: [made.pod.environment.pop(name, None) for name in names] and None


def setting(**variables: str) -> Callable[[Made], None]:
    """Variables that are added."""
    return lambda made: made.pod.environment.update(variables)


def irsa_token(made: Made, text: str) -> None:
    made.pod.mount(IRSA_FOLDER, {"token": text})


def azure_token(made: Made, text: str) -> None:
    made.pod.mount(AZURE_FOLDER, {"token/azure-identity-token": text})


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
    issuer = made.cloud.issuer.issuer.removeprefix("https://")
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
    assert words[words.index("--url") + 1] == made.cloud.issuer.issuer
    assert words[words.index("--client-id-list") + 1] == "sts.amazonaws.com"


def other_key(made: Made) -> None:
    irsa_token(
        made, Issuer(made.cloud.issuer.issuer, kid="key-2").token("sts.amazonaws.com", NAMESPACE, SERVICE_ACCOUNT)
    )


def no_client_id(made: Made) -> None:
    irsa_token(made, token(made, "my-audience"))


def add_client_id(made: Made, findings: Findings) -> None:
    (command,) = remedies(findings["AWS_AUDIENCE"], "shell")
    words = shlex.split(command)
    assert words[words.index("--client-id") + 1] == "my-audience"
    issuer = made.cloud.issuer.issuer.removeprefix("https://")
    assert words[words.index("--open-id-connect-provider-arn") + 1].endswith(f":oidc-provider/{issuer}")


def agent_token_as_web_identity(made: Made) -> None:
    irsa_token(made, token(made, "pods.eks.amazonaws.com"))


def unreadable(made: Made) -> None:
    made.pod.mount(IRSA_FOLDER, {"token": token(made, "sts.amazonaws.com")}, mode=0o600)


def fs_group(made: Made, findings: Findings) -> None:
    assert remedies(findings["TOKEN_UNREADABLE"], "helm-values") == ["podSecurityContext:\n  fsGroup: 65532\n"]


def sts_is_silent(made: Made) -> None:
    made.pod.environment |= {"AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "eu-north-1"}


def frozen(made: Made) -> None:
    """A copy, as a subPath mount is one, of a token that has since expired."""
    path = Path("/run/secrets/frozen/token")
    path.parent.mkdir(parents=True)
    path.write_text(token(made, "sts.amazonaws.com", lifetime=3600, age=7200))
    made.pod.environment["AWS_WEB_IDENTITY_TOKEN_FILE"] = str(path)


def other_role(made: Made) -> None:
    made.pod.podinfo(provider="eks-irsa", principal="arn:aws:iam::123456789012:role/new")


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


def both_aws(made: Made) -> None:
    made.pod.mount(IRSA_FOLDER, {"token": token(made, "sts.amazonaws.com")})
    made.cloud.aws.cluster = made.cloud.issuer.trusted()
    made.cloud.aws.associations[NAMESPACE, SERVICE_ACCOUNT] = ROLE
    made.cloud.start_agent()
    made.pod.mount(AGENT_FOLDER, {"eks-pod-identity-token": token(made, "pods.eks.amazonaws.com")})
    setting(
        AWS_CONTAINER_CREDENTIALS_FULL_URI="http://169.254.170.23/v1/credentials",
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=f"{AGENT_FOLDER}/eks-pod-identity-token",
    )(made)


# ---- EKS Pod Identity ----------------------------------------------------------------------------


def no_association(made: Made) -> None:
    made.cloud.aws.associations.clear()


def associate(made: Made, findings: Findings) -> None:
    (command,) = remedies(findings["AWS_NO_ASSOCIATION"], "shell")
    words = shlex.split(command)
    assert words[words.index("--namespace") + 1] == NAMESPACE
    assert words[words.index("--service-account") + 1] == SERVICE_ACCOUNT


def distrust_pods(made: Made) -> None:
    made.cloud.aws.trusts_pods = False


def pods_policy(made: Made, findings: Findings) -> None:
    (policy,) = (json.loads(text) for text in remedies(findings["AWS_POD_IDENTITY_TRUST"], "trust-policy"))
    assert policy["Statement"][0]["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert set(policy["Statement"][0]["Action"]) == {"sts:AssumeRole", "sts:TagSession"}


def no_agent(made: Made) -> None:
    made.cloud.local.pop("agent").close()


def line_break(made: Made) -> None:
    made.pod.mount(AGENT_FOLDER, {"eks-pod-identity-token": token(made, "pods.eks.amazonaws.com") + "\n"})


# ---- AKS -----------------------------------------------------------------------------------------

AZURE = ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST")


def no_label(made: Made) -> None:
    without(*AZURE)(made)
    made.pod.podinfo(provider="aks", principal=CLIENT)


def label(made: Made, findings: Findings) -> None:
    helm_first(findings["AZ_NOT_INJECTED"])
    assert 'azure.workload.identity/use: "true"' in remedies(findings["AZ_NOT_INJECTED"], "helm-values")[0]
    patch = next(text for text in remedies(findings["AZ_NOT_INJECTED"], "shell") if " patch " in text)
    labels = json.loads(shlex.split(patch)[-1])["spec"]["template"]["metadata"]["labels"]
    assert labels == {"azure.workload.identity/use": "true"}


def credential(**changed: str) -> Callable[[Made], None]:
    """The federated credential says something else."""

    def change(made: Made) -> None:
        said = {"issuer": made.cloud.issuer.issuer, "subject": SUBJECT, **changed}
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


def azure_other_key(made: Made) -> None:
    azure_token(made, Issuer(made.cloud.issuer.issuer).token("api://AzureADTokenExchange", NAMESPACE, SERVICE_ACCOUNT))


# ---- GKE -----------------------------------------------------------------------------------------


def no_link(made: Made) -> None:
    made.cloud.metadata.email = "demo-project.svc.id.goog"


def link(made: Made, findings: Findings) -> None:
    finding = findings["GKE_ACCOUNT_MISMATCH"]
    helm_first(finding)
    assert f"serviceAccount: {GSA}" in remedies(finding, "helm-values")[0]
    assert f"iam.gke.io/gcp-service-account={GSA}" in remedies(finding, "shell")[0]


def left_link(made: Made) -> None:
    made.cloud.metadata.email = GSA


def denied(made: Made) -> None:
    made.cloud.metadata.denied = True
    # The cluster is of another project than the service account.
    made.cloud.metadata.project = "clusters-project"
    annotations = {
        "pyproc/identity-provider": "gke",
        "pyproc/identity-principal": GSA,
        "pyproc/service-account": f"{NAMESPACE}/{SERVICE_ACCOUNT}",
    }
    lines = "".join(f"{name}={json.dumps(value)}\n" for name, value in annotations.items())
    made.pod.mount(PODINFO, {"labels": "", "annotations": lines})


def node_account(made: Made) -> None:
    made.cloud.metadata.email = "123456789012-compute@developer.gserviceaccount.com"


def node_server(made: Made) -> None:
    made.cloud.metadata.node = True
    made.cloud.metadata.email = "nodes@demo-project.iam.gserviceaccount.com"


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
    path = Path("/run/secrets/key.json")
    path.write_text(
        json.dumps({"type": "service_account", "project_id": "p", "private_key": "x", "client_email": "k@p"})
    )
    path.chmod(0o644)
    made.pod.environment["GOOGLE_APPLICATION_CREDENTIALS"] = str(path)


# ---- external_account ----------------------------------------------------------------------------


def forget_pool(made: Made) -> None:
    made.cloud.google.providers.clear()


def create_pool(made: Made, findings: Findings) -> None:
    helm_first(findings["GCP_NO_PROVIDER"])
    (command,) = remedies(findings["GCP_NO_PROVIDER"], "shell")
    words = shlex.split(command)
    assert words[words.index("create-oidc") + 1] == "demo"
    assert words[words.index("--workload-identity-pool") + 1] == "clusters"
    assert words[words.index("--issuer-uri") + 1] == made.cloud.issuer.issuer


def other_issuer(made: Made) -> None:
    made.cloud.google.providers[PROVIDER].trusted.issuer = "https://other"


def other_allowed(made: Made) -> None:
    made.cloud.google.providers[PROVIDER].allowed = {"other"}


def condition(made: Made) -> None:
    made.cloud.google.providers[PROVIDER].condition = "system:serviceaccount:other:pyproc"


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
    assert words[4] == GSA
    expected = f"serviceAccount:clusters-project.svc.id.goog[{NAMESPACE}/{SERVICE_ACCOUNT}]"
    assert words[words.index("--member") + 1] == expected


def own_audience_of_irsa(made: Made) -> None:
    """Another audience than everybody's, which both the provider and the role know."""
    made.cloud.aws.providers["123456789012", made.cloud.issuer.issuer].client_ids = {"my-audience"}
    made.cloud.aws.roles[ROLE].audience = "my-audience"
    irsa_token(made, token(made, "my-audience"))


def own_audience_of_aks(made: Made) -> None:
    credential(audience="my-audience")(made)
    azure_token(made, token(made, "my-audience"))


def own_audience_of_the_provider(made: Made) -> None:
    made.cloud.google.providers[PROVIDER].allowed = {"my-audience"}
    made.pod.mount(
        OWN_FOLDER,
        {
            "credentials.json": Path(OWN_FOLDER, "credentials.json").read_text(),
            "token": token(made, "my-audience"),
        },
    )


def no_entra(made: Made) -> None:
    made.pod.environment["AZURE_AUTHORITY_HOST"] = "login.microsoftonline.us"


def imds(made: Made) -> None:
    """The node's metadata answers, as on a machine of Azure."""
    handler = lambda request: Response(200, '{"apiVersions": ["2021-02-01"]}', {})  # noqa: E731
    made.cloud.local["metadata"] = Server(("169.254.169.254", 80), handler, made.cloud.clock)
    without(*AZURE)(made)


class Silence:
    """An address at which connections are dropped, as by a network policy: the kernel's queue is full."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.server = socket.create_server(address, backlog=0)
        self.held: list[socket.socket] = []
        while True:
            waiting = socket.socket()
            waiting.settimeout(0.3)
            self.held.append(waiting)
            try:
                waiting.connect(address)
            except TimeoutError:
                return

    def close(self) -> None:
        for one in (*self.held, self.server):
            one.close()


def dropped(made: Made) -> None:
    no_metadata(made)
    made.cloud.local["metadata"] = Silence(("169.254.169.254", 80))


def other_sts(made: Made) -> None:
    file = json.loads(Path(OWN_FOLDER, "credentials.json").read_text())
    text = json.dumps({**file, "token_url": "https://sts.nowhere.test/v1/token"})
    made.pod.mount(OWN_FOLDER, {"credentials.json": text, "token": token(made, f"https:{PROVIDER}")})


def disabled_api(made: Made) -> None:
    made.cloud.google.disabled = True


def enable(made: Made, findings: Findings) -> None:
    (command,) = remedies(findings["EXCHANGE_REFUSED"], "shell")
    assert command == "gcloud services enable iamcredentials.googleapis.com --project 123456789012"


def other_provider(made: Made) -> None:
    without(*IRSA)(made)
    made.pod.podinfo(provider="another-cloud", principal="somebody")


IRSA = ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE")


ROWS: dict[str, Row] = {
    # EKS IRSA
    "irsa: role": Row("eks-irsa", forget_role, "AccessDenied", set(), {"AWS_TRUST_MISMATCH"}),
    "irsa: trust": Row("eks-irsa", trust_other_subject, "AccessDenied", set(), {"AWS_TRUST_MISMATCH"}, trust_policy),
    "irsa: provider registration": Row(
        "eks-irsa", forget_provider, "InvalidIdentityToken", set(), {"AWS_NO_OIDC_PROVIDER"}, create_provider
    ),
    "irsa: signature": Row("eks-irsa", other_key, "InvalidIdentityToken", set(), {"AWS_IDP_TRANSIENT"}),
    "irsa: audience": Row(
        "eks-irsa", no_client_id, "InvalidIdentityToken", {"AWS_AUDIENCE"}, {"AWS_AUDIENCE"}, add_client_id
    ),
    "irsa: the agent's token": Row(
        "eks-irsa",
        agent_token_as_web_identity,
        "InvalidIdentityToken",
        {"AWS_MIXED_MIGRATION"},
        {"AWS_MIXED_MIGRATION", "AWS_AUDIENCE"},
    ),
    "irsa: annotation": Row(
        "eks-irsa",
        without("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"),
        "NoCredentials",
        {"AWS_NOT_INJECTED"},
        {"AWS_NOT_INJECTED"},
    ),
    "irsa: one variable by hand": Row(
        "eks-irsa", without("AWS_WEB_IDENTITY_TOKEN_FILE"), "NoCredentials", {"AWS_NOT_INJECTED"}, {"AWS_NOT_INJECTED"}
    ),
    "irsa: node answers": Row(
        "eks-irsa",
        ec2,
        None,
        {"AWS_NOT_INJECTED", "NODE_IDENTITY_FALLBACK"},
        {"AWS_NOT_INJECTED", "NODE_IDENTITY_FALLBACK"},
    ),
    "irsa: file permission": Row(
        "eks-irsa", unreadable, "PermissionError", {"TOKEN_UNREADABLE"}, {"TOKEN_UNREADABLE"}, fs_group
    ),
    "irsa: token file": Row(
        "eks-irsa",
        setting(AWS_WEB_IDENTITY_TOKEN_FILE="/var/run/secrets/none"),
        "FileNotFoundError",
        {"TOKEN_MISSING"},
        {"TOKEN_MISSING"},
    ),
    "irsa: empty token": Row(
        "eks-irsa", lambda made: irsa_token(made, ""), "Invalid length", {"TOKEN_MALFORMED"}, {"TOKEN_MALFORMED"}
    ),
    "irsa: a folder": Row(
        "eks-irsa",
        setting(AWS_WEB_IDENTITY_TOKEN_FILE=IRSA_FOLDER),
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
    "irsa: restart": Row("eks-irsa", other_role, "", {"STALE_POD"}, {"STALE_POD"}),
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
    "irsa: two mechanisms": Row("eks-irsa", both_aws, "", {"TWO_MECHANISMS"}, {"TWO_MECHANISMS"}),
    "irsa: emulator": Row(
        "eks-irsa",
        setting(AWS_ENDPOINT_URL_S3="http://127.0.0.1:5000"),
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
    "pod identity: variables": Row(
        "eks-pod-identity",
        without("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
        "NoCredentials",
        {"AWS_NOT_INJECTED"},
        {"AWS_NOT_INJECTED"},
    ),
    "pod identity: line break": Row("eks-pod-identity", line_break, None, {"TOKEN_MALFORMED"}, {"TOKEN_MALFORMED"}),
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
    "aks: label": Row("aks", no_label, None, {"AZ_NOT_INJECTED"}, {"AZ_NOT_INJECTED"}, label),
    "aks: webhook": Row("aks", without(*AZURE), None, {"AZ_NOT_INJECTED"}, {"AZ_NOT_INJECTED"}),
    "aks: annotation": Row(
        "aks", without("AZURE_CLIENT_ID"), "client_id", {"AZ_CLIENT_ID_MISSING"}, {"AZ_CLIENT_ID_MISSING"}
    ),
    "aks: issuer's slash": Row(
        "aks",
        lambda made: credential(issuer=made.cloud.issuer.issuer + "/")(made),
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
        "aks", credential(subject=SUBJECT.upper()), "AADSTS7002138", set(), {"AZ_NO_MATCHING_FIC"}, federate
    ),
    "aks: audience": Row(
        "aks",
        lambda made: azure_token(made, token(made, "other")),
        "AADSTS700212",
        {"AZ_NO_MATCHING_FIC"},
        {"AZ_NO_MATCHING_FIC"},
        federate,
    ),
    "aks: signature": Row("aks", azure_other_key, "AADSTS50013", set(), {"AZ_ISSUER_KEYS"}),
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
    "gke: annotation": Row("gke", no_link, None, {"GKE_ACCOUNT_MISMATCH"}, {"GKE_ACCOUNT_MISMATCH"}, link),
    "gke: annotation left": Row("gke-direct", left_link, None, {"GKE_ACCOUNT_MISMATCH"}, {"GKE_ACCOUNT_MISMATCH"}),
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
        lambda made: credentials(made, None, age=7200),
        "invalid_grant",
        {"TOKEN_EXPIRED"},
        {"TOKEN_EXPIRED", "GCP_TOKEN_REFUSED"},
    ),
    # What is another than everybody's works all the same.
    "irsa: own audience": Row("eks-irsa", own_audience_of_irsa, "", {"AWS_AUDIENCE"}),
    "aks: own audience": Row("aks", own_audience_of_aks, "", {"AZ_NO_MATCHING_FIC"}),
    "external: own audience": Row("external", own_audience_of_the_provider, "", {"GCP_AUDIENCE"}),
    "irsa: VPC endpoint": Row(
        "eks-irsa", setting(AWS_ENDPOINT_URL_STS="https://sts.eu-west-1.amazonaws.com", NO_GCE_CHECK="false"), ""
    ),
    "gke: address of the metadata server": Row("gke", setting(GCE_METADATA_HOST="169.254.169.254"), ""),
    "aks: authority without scheme": Row("aks", setting(AZURE_AUTHORITY_HOST="login.microsoftonline.com"), ""),
    # boto3 refuses the empty text, by which requests goes back to its own authorities.
    "aks: OpenSSL's bundle only": Row(
        "aks", setting(REQUESTS_CA_BUNDLE=""), "certificate verify failed", {"TLS_UNTRUSTED"}, {"TLS_UNTRUSTED"}
    ),
    "irsa: provider of a newer chart": Row(
        "eks-irsa", other_provider, "NoCredentials", {"UNKNOWN_PROVIDER"}, {"UNKNOWN_PROVIDER"}
    ),
    "aks: no way to Entra": Row("aks", no_entra, None, set(), {"AZ_AUTHORITY_UNREACHABLE"}),
    "aks: node answers": Row(
        "aks", imds, None, {"AZ_NOT_INJECTED", "AZ_IMDS_AMBIGUOUS"}, {"AZ_NOT_INJECTED", "AZ_IMDS_AMBIGUOUS"}
    ),
    "gke: network policy": Row("gke", dropped, None, {"GKE_NETPOL"}, {"GKE_NETPOL"}),
    "external: no way to STS": Row("external", other_sts, None, set(), {"GCP_STS_UNREACHABLE"}),
    "external: API": Row(
        "external-impersonation", disabled_api, "has not been used", set(), {"EXCHANGE_REFUSED"}, enable
    ),
    "gke: starting": Row("gke", starting, None, {"GKE_MDS_NOT_READY"}, {"GKE_MDS_NOT_READY"}),
    "external: file": Row(
        "external",
        setting(GOOGLE_APPLICATION_CREDENTIALS=f"{OWN_FOLDER}/none"),
        "none",
        {"GCP_CREDENTIALS_FILE"},
        {"GCP_CREDENTIALS_FILE"},
    ),
}


# Findings that are no trouble.
INFORMATION = {"TOKEN_LIFETIME", "GKE_NO_GSA_FEATURE"}


def test_every_code_has_a_row() -> None:
    page = (Path(__file__).parents[2] / "docs/identity-codes.md").read_text()
    codes = set(re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE))
    assert codes == INFORMATION.union(*(row.offline | row.online for row in ROWS.values()))


def troubles(pod: Pod, *options: str) -> tuple[int, Findings]:
    """The doctor's status, and its findings that are no pass."""
    status, report = pod.doctor(*options)
    return status, {finding["code"]: finding for finding in report["findings"] if finding["verdict"] != "pass"}


@pytest.mark.parametrize("name", ROWS)
def test_what_is_removed_is_named(name: str, cloud: Cloud, pod: Pod) -> None:
    row = ROWS[name]
    made = ALL[row.base](cloud, pod)
    row.change(made)
    for options, expected in (((), row.offline), (("--online",), row.online)):
        status, found = troubles(pod, *options)
        assert set(found) == expected, json.dumps(found, indent=1)
        broken = any(finding["verdict"] == "fail" for finding in found.values())
        # Expected and absent, and nothing that could be looked at says why.
        broken |= "UNKNOWN_PROVIDER" in found
        assert status == (1 if broken else 0)
        assert pod.status(*options)[0] == status
        for finding in found.values():
            assert finding["summary"], finding
    if row.sdk is not None:
        run = made.use()
        if row.sdk:
            assert run.status == 1 and row.sdk in run.stderr, run.stderr[-3000:]
        else:
            assert run.status == 0, run.stderr[-3000:]
    row.check(made, found)


def test_waiting_ends_when_the_metadata_server_answers(cloud: Cloud, pod: Pod) -> None:
    made = ALL["gke"](cloud, pod)
    no_metadata(made)
    waiting = subprocess.Popen(
        [PROGRAM, "auth", "wait", "--timeout", "60s"],
        env={**pod.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
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
    irsa_token(made, token(made, "sts.amazonaws.com", lifetime=60, age=120))
    assert troubles(pod, "--online")[1].keys() == {"TOKEN_EXPIRED"}
    irsa_token(made, token(made, "sts.amazonaws.com"))
    assert troubles(pod, "--online") == (0, {})
    assert made.use().status == 0


def test_dns_that_does_not_answer_is_named_and_nobody_waits_for_it(cloud: Cloud, pod: Pod) -> None:
    """Packets to it are dropped, as by a policy that forgets port 53, and a resolver tries for minutes."""
    made = ALL["eks-irsa"](cloud, pod)
    sts_is_silent(made)
    Path("/etc/resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:30 attempts:5\n")
    with socket.socket(type=socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 53))
        _, found = troubles(pod, "--online")
    Path("/etc/resolv.conf").write_text("")
    assert set(found) == {"AWS_STS_ENDPOINT"}
    assert "no answer from DNS" in json.dumps(found) and "port 53" in found["AWS_STS_ENDPOINT"]["cause"]
