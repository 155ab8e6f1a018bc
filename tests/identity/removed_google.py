"""One thing removed at a time: GKE, and any cluster by a file of type external_account."""

from __future__ import annotations

import json
import shlex
import socket

from admission import Edit, Objects
from cloud import METADATA
from mechanisms import GSA, LINK, OWN_FOLDER, Made, provider_of
from pod import INSIDE
from removal import PROXY, Findings, Row, gives, helm_first, no_proxy_line, remedies, setting, unmarked

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
    # The cluster is of another project than the service account.
    made.cloud.metadata.project = "clusters-project"


def node_account(made: Made) -> None:
    made.cloud.metadata.email = "123456789012-compute@developer.gserviceaccount.com"


def node_server(made: Made) -> None:
    made.cloud.metadata.node = True
    made.cloud.metadata.email = "nodes@my-project.iam.gserviceaccount.com"


def no_metadata(made: Made) -> None:
    made.cloud.local.pop("metadata").close()


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
    made.cloud.local["metadata"] = Silence(METADATA)


def starting(made: Made) -> None:
    made.cloud.metadata.starting = True


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
    assert words[4] == GSA
    expected = f"serviceAccount:clusters-project.svc.id.goog[{made.namespace}/{made.account}]"
    assert words[words.index("--member") + 1] == expected


def own_audience(objects: Objects) -> None:
    """The token is for another audience than the provider's name, as somebody may write it."""
    (volume,) = [one for one in objects["Deployment"]["spec"]["template"]["spec"]["volumes"] if "projected" in one]
    (token,) = [one for one in volume["projected"]["sources"] if "serviceAccountToken" in one]
    token["serviceAccountToken"]["audience"] = "my-audience"


def allow_own_audience(made: Made) -> None:
    made.cloud.google.providers[provider_of(made)].allowed = {"my-audience"}


def other_sts(made: Made) -> None:
    path = f"{OWN_FOLDER}/credentials.json"
    file = json.loads(made.pod.read(path))
    made.pod.replace(path, json.dumps({**file, "token_url": "https://sts.nowhere.test/v1/token"}))


def disabled_api(made: Made) -> None:
    made.cloud.google.disabled = True


def enable(made: Made, findings: Findings) -> None:
    (command,) = remedies(findings["EXCHANGE_REFUSED"], "shell")
    assert command == "gcloud services enable iamcredentials.googleapis.com --project 123456789012"


ROWS: dict[str, Row] = {
    # GKE
    "gke: annotation": Row(
        "gke",
        unmarked("ServiceAccount", "annotations", LINK),
        "",
        {"GKE_ACCOUNT_MISMATCH"},
        {"GKE_ACCOUNT_MISMATCH"},
        link,
    ),
    "gke: annotation left": Row(
        "gke-direct", Edit("left-link", left_link), "", {"GKE_ACCOUNT_MISMATCH"}, {"GKE_ACCOUNT_MISMATCH"}
    ),
    "gke: binding": Row(
        "gke", denied, "iam.serviceAccounts.getAccessToken", set(), {"GKE_IMPERSONATION_DENIED"}, member_of_the_pool
    ),
    "gke: node's account": Row(
        "gke",
        node_account,
        "123456789012-compute@developer.gserviceaccount.com does not have",
        {"NODE_IDENTITY_FALLBACK"},
        {"NODE_IDENTITY_FALLBACK"},
    ),
    "gke: node's metadata": Row(
        "gke",
        node_server,
        "nodes@my-project.iam.gserviceaccount.com does not have",
        {"GKE_NODE_METADATA"},
        {"GKE_NODE_METADATA"},
    ),
    "gke: host network": Row(
        "gke", setting(POD_IP="10.0.0.1", HOST_IP="10.0.0.1"), "", {"GKE_NODE_METADATA"}, {"GKE_NODE_METADATA"}
    ),
    "gke: metadata server": Row(
        "gke", no_metadata, "DefaultCredentialsError", {"GKE_MDS_NOT_READY"}, {"GKE_MDS_NOT_READY"}
    ),
    "gke: starting": Row("gke", starting, "DefaultCredentialsError", {"GKE_MDS_NOT_READY"}, {"GKE_MDS_NOT_READY"}),
    "gke: network policy": Row("gke", dropped, "DefaultCredentialsError", {"GKE_NETPOL"}, {"GKE_NETPOL"}),
    "gke: address of the metadata server": Row("gke", setting(GCE_METADATA_HOST="169.254.169.254"), ""),
    "gke: proxy": Row(
        "gke",
        setting(**PROXY, NO_PROXY=".googleapis.com"),
        "DefaultCredentialsError",
        {"PROXY_CAPTURES_METADATA"},
        {"PROXY_CAPTURES_METADATA"},
        no_proxy_line,
    ),
    "gke: key file": Row("gke", key_file, "DefaultCredentialsError", {"STATIC_KEYS_SHADOW"}, {"STATIC_KEYS_SHADOW"}),
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
    "external: no way to STS": Row(
        "external", other_sts, "Failed to resolve 'sts.nowhere.test'", set(), {"GCP_STS_UNREACHABLE"}
    ),
    "external: API": Row(
        "external-impersonation", disabled_api, "has not been used", set(), {"EXCHANGE_REFUSED"}, enable
    ),
    # What is another than everybody's works all the same.
    "external: own audience": Row(
        "external", Edit("own-audience", own_audience), "", {"GCP_AUDIENCE"}, beside=allow_own_audience
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
