"""Each mechanism set up as it should be: the cloud's side here, the pod from the files that this project ships."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import renders
import yaml
from admission import Edit
from cloud import ACCOUNT, BUCKET, Cloud
from emulators.aws import Provider, Trust
from emulators.azure import Application, Federated
from emulators.google import PoolProvider
from pod import Pod, Run
from renders import Render

# What the examples and the overlays say.
ROLE = "arn:aws:iam::123456789012:role/pyproc"
CLIENT = "00000000-0000-0000-0000-000000000000"
TENANT = "11111111-1111-1111-1111-111111111111"
GSA = "pyproc@my-project.iam.gserviceaccount.com"

OWN_FOLDER = "/var/run/secrets/pyproc/identity"
LINK = "iam.gke.io/gcp-service-account"


@dataclass
class Made:
    """A cloud and a pod in it, and how the pod uses its bucket."""

    cloud: Cloud
    pod: Pod
    mechanism: str
    function: str
    # Whom the cloud knows it as; of a role without the session's name.
    principal: str = ""
    # Where its token is; GKE's metadata server needs none.
    file: str = ""
    # The values of `cloudIdentity`, for what is rendered from values that are not an example's.
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        """The pod's namespace."""
        return self.pod.manifest["metadata"]["namespace"]

    @property
    def account(self) -> str:
        """The pod's ServiceAccount."""
        return self.pod.manifest["spec"]["serviceAccountName"]

    @property
    def subject(self) -> str:
        """Whom its tokens are about."""
        return f"system:serviceaccount:{self.namespace}:{self.account}"

    @property
    def arguments(self) -> dict[str, str]:
        """What the worker's function takes beside the text."""
        place = {"account": ACCOUNT, "container": BUCKET} if self.function == "azure" else {"bucket": BUCKET}
        return {**place, "name": "a/b"}

    def use(self, text: str = "hello", limit: str = "60s") -> Run:
        """Writes an object with the SDK and reads it back."""
        return self.pod.call(self.function, limit, **self.arguments, text=text)

    def yesterday(self, audience: str) -> str:
        """A token of the pod's ServiceAccount that ended an hour ago, as the API server made it then."""
        return self.cloud.signer.token(audience, self.namespace, self.account, lifetime=3600, age=7200)


def irsa(made: Made) -> None:
    """EKS IRSA."""
    trusted = made.cloud.trusted()
    role = made.values.get("eks", {}).get("roleArn", ROLE)
    made.cloud.aws.providers[role.split(":")[4], trusted.issuer] = Provider(trusted, {"sts.amazonaws.com"})
    made.cloud.aws.roles[role] = Trust(trusted.issuer, made.subject, "sts.amazonaws.com")
    made.principal = session_of(role)
    made.file = made.pod.environment.get("AWS_WEB_IDENTITY_TOKEN_FILE", "")


def pod_identity(made: Made) -> None:
    """EKS Pod Identity."""
    made.cloud.aws.cluster = made.cloud.trusted()
    made.cloud.aws.associations[made.namespace, made.account] = ROLE
    made.principal = session_of(ROLE)
    made.cloud.start_agent()
    made.file = made.pod.environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "")


def aks(made: Made) -> None:
    """AKS Entra Workload Identity."""
    trusted = made.cloud.trusted()
    made.cloud.entra.issuers[trusted.issuer] = trusted
    values = {"clientId": CLIENT, "tenantId": TENANT} | made.values.get("aks", {})
    application = Application(values["tenantId"], [Federated(trusted.issuer, made.subject)])
    made.cloud.entra.applications[values["clientId"]] = application
    made.principal = values["clientId"]
    made.file = made.pod.environment.get("AZURE_FEDERATED_TOKEN_FILE", "")


def gke(made: Made) -> None:
    """GKE: its metadata server looks at the pod's ServiceAccount, and so does this one."""
    metadata = made.cloud.metadata
    metadata.project = "my-project"
    account = made.cloud.admission.cluster.read(made.namespace, "serviceaccount", made.account)
    link = account["metadata"].get("annotations", {}).get(LINK)
    metadata.email = link or f"{metadata.project}.svc.id.goog"
    made.cloud.google.readers.add(metadata.email)
    made.principal = metadata.email
    made.cloud.start_metadata()


def external(made: Made) -> None:
    """Any cluster, by a file of type external_account and a projected token."""
    google, provider = made.cloud.google, provider_of(made)
    google.providers[provider] = PoolProvider(made.cloud.trusted(), {f"https:{provider}"})
    principal = f"principal:{provider.split('/providers/')[0]}/subject/{made.subject}"
    account = made.values["gke"].get("serviceAccount")
    if account:
        google.users[account] = {principal}
    made.principal = account or principal
    google.readers.add(made.principal)
    made.file = f"{OWN_FOLDER}/token"


def session_of(role: str) -> str:
    """How STS names sessions of a role, up to the session's own name."""
    account, name = role.split(":")[4], role.rpartition("/")[2]
    return f"arn:aws:sts::{account}:assumed-role/{name}/"


def provider_of(made: Made) -> str:
    """The provider of the workload identity pool, as Google's STS calls it."""
    return f"//iam.googleapis.com/{made.values['gke']['workloadIdentityProvider']}"


@dataclass(frozen=True)
class Mechanism:
    """One way to an identity: what is rendered, and what the cloud knows. Called, it makes both."""

    name: str
    render: Render
    mechanism: str
    function: str
    prepare: Callable[[Made], None]

    def __call__(self, cloud: Cloud, pod: Pod, edit: Edit | None = None) -> Made:
        """Both sides, and the pod started."""
        pod.start(cloud.admission.admit(self.render, self.name, edit))
        values = yaml.safe_load(self.render.inline) if self.render.inline else {}
        made = Made(cloud, pod, self.mechanism, self.function, values=values.get("cloudIdentity", {}))
        self.prepare(made)
        return made


def direct(name: str) -> Render:
    """The values of this name, without an account that is impersonated."""
    identity = renders.VALUES[name]["cloudIdentity"]
    gke = {key: value for key, value in identity["gke"].items() if key != "serviceAccount"} | {"mode": "direct"}
    return Render(f"{name}-direct", inline=yaml.safe_dump({"cloudIdentity": identity | {"gke": gke}}))


SHIPPED = {one.name: one for one in [*renders.charts(), *renders.overlays()]}
IRSA = ("eks-irsa", "aws", irsa)
POD_IDENTITY = ("eks-pod-identity", "aws", pod_identity)
AKS = ("aks-workload-identity", "azure", aks)
GKE = ("gke-metadata", "google", gke)
EXTERNAL = ("external-account", "google", external)

ALL = {
    name: Mechanism(name, render, *kind)
    for name, render, kind in (
        ("eks-irsa", SHIPPED["example-eks-irsa"], IRSA),
        ("eks-irsa-projected", SHIPPED["helm-eks-irsa-projected"], IRSA),
        ("eks-irsa-kustomize", SHIPPED["kustomize-eks-irsa"], IRSA),
        ("eks-pod-identity", SHIPPED["example-eks-pod-identity"], POD_IDENTITY),
        ("eks-pod-identity-kustomize", SHIPPED["kustomize-eks-pod-identity"], POD_IDENTITY),
        ("aks", SHIPPED["example-aks-workload-identity"], AKS),
        ("aks-projected", SHIPPED["helm-aks-projected"], AKS),
        ("aks-kustomize", SHIPPED["kustomize-aks-workload-identity"], AKS),
        ("gke", SHIPPED["example-gke-workload-identity"], GKE),
        ("gke-kustomize", SHIPPED["kustomize-gke-workload-identity"], GKE),
        ("gke-direct", SHIPPED["helm-gke-direct"], GKE),
        ("external", direct("gke-projected"), EXTERNAL),
        ("external-impersonation", SHIPPED["helm-gke-projected"], EXTERNAL),
    )
}

# One of each kind, for what does not depend on the files that it is rendered from.
DISTINCT = ("eks-irsa", "eks-pod-identity", "aks", "gke", "gke-direct", "external", "external-impersonation")
