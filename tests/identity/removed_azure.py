"""One thing removed at a time: AKS."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable

from admission import Edit
from emulators.azure import Application, Federated
from emulators.server import Response, Server
from mechanisms import CLIENT, TENANT, Made
from removal import Findings, Row, clock_ahead, gives, helm_first, other_key, remedies, setting, unmarked, without

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


def imds(made: Made) -> None:
    """The node's metadata answers, as on a machine of Azure."""
    handler = lambda request: Response(200, '{"apiVersions": ["2021-02-01"]}', {})  # noqa: E731
    made.cloud.local["metadata"] = Server(("169.254.169.254", 80), handler, made.cloud.clock)


def tenant_value(made: Made, findings: Findings) -> None:
    assert remedies(findings["AZ_CLIENT_ID_MISSING"], "helm-values") == [
        "cloudIdentity:\n  aks:\n    tenantId: TENANT_ID\n"
    ]


ROWS: dict[str, Row] = {
    # AKS
    "aks: label": Row(
        "aks",
        unmarked("Deployment", "labels", "azure.workload.identity/use"),
        "defaultazurecredential/troubleshoot",
        {"AZ_NOT_INJECTED"},
        {"AZ_NOT_INJECTED"},
        label,
    ),
    "aks: webhook": Row(
        "aks",
        Edit("no-webhook", webhooks=False),
        "defaultazurecredential/troubleshoot",
        {"AZ_NOT_INJECTED"},
        {"AZ_NOT_INJECTED"},
    ),
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
        federate,
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
    "aks: no tenant": Row(
        "aks",
        without("AZURE_TENANT_ID"),
        "defaultazurecredential/troubleshoot",
        {"AZ_CLIENT_ID_MISSING"},
        {"AZ_CLIENT_ID_MISSING"},
        tenant_value,
    ),
    "aks: tenant": Row(
        "aks", setting(AZURE_TENANT_ID="00000000-8888-7777-6666-555555555555"), "AADSTS90002", set(), {"AZ_WRONG_APP"}
    ),
    "aks: clock far ahead": Row("aks", clock_ahead(100_000), "AADSTS700024", set(), {"TOKEN_EXPIRED", "CLOCK_SKEW"}),
    "aks: clock a little ahead": Row("aks", clock_ahead(120), "", set(), {"CLOCK_SKEW"}),
    "aks: authority": Row(
        "aks",
        setting(AZURE_AUTHORITY_HOST="http://login.microsoftonline.com/"),
        "is an invalid authority",
        {"AZ_AUTHORITY_UNREACHABLE"},
        {"AZ_AUTHORITY_UNREACHABLE", "EXCHANGE_FAILED"},
    ),
    "aks: client secret": Row(
        "aks",
        setting(AZURE_CLIENT_SECRET="s3cr3t-of-the-application"),
        "EnvironmentCredential: Authentication failed",
        {"STATIC_KEYS_SHADOW"},
        {"STATIC_KEYS_SHADOW"},
    ),
    # What is another than everybody's works all the same.
    "aks: own audience": Row(
        "aks",
        gives(lambda made: made.pod.request("my-audience")),
        "",
        {"AZ_NO_MATCHING_FIC"},
        beside=credential(audience="my-audience"),
    ),
    "aks: authority without scheme": Row("aks", setting(AZURE_AUTHORITY_HOST="login.microsoftonline.com"), ""),
    # boto3 refuses the empty text, by which requests goes back to its own authorities.
    "aks: OpenSSL's bundle only": Row(
        "aks", setting(REQUESTS_CA_BUNDLE=""), "certificate verify failed", {"TLS_UNTRUSTED"}, {"TLS_UNTRUSTED"}
    ),
    "aks: no way to Entra": Row(
        "aks",
        setting(AZURE_AUTHORITY_HOST="login.microsoftonline.us"),
        "Failed to resolve 'login.microsoftonline.us'",
        set(),
        {"AZ_AUTHORITY_UNREACHABLE"},
    ),
    "aks: node answers": Row(
        "aks",
        unmarked("Deployment", "labels", "azure.workload.identity/use"),
        "defaultazurecredential/troubleshoot",
        {"AZ_NOT_INJECTED", "AZ_IMDS_AMBIGUOUS"},
        {"AZ_NOT_INJECTED", "AZ_IMDS_AMBIGUOUS"},
        beside=imds,
    ),
}
