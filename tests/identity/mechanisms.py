"""Each mechanism set up as it should be: the cloud's side, and the pod that the platform makes."""

from __future__ import annotations

import json
from dataclasses import dataclass

from cloud import ACCOUNT, BUCKET, REGION, Cloud
from emulators.aws import Provider, Trust
from emulators.azure import Application, Federated
from emulators.google import PoolProvider
from pod import Pod, Run

NAMESPACE, SERVICE_ACCOUNT = "shop", "pyproc"
SUBJECT = f"system:serviceaccount:{NAMESPACE}:{SERVICE_ACCOUNT}"
ROLE = "arn:aws:iam::123456789012:role/team/app"
CLIENT = "11111111-2222-3333-4444-555555555555"
TENANT = "99999999-8888-7777-6666-555555555555"
GSA = "app@demo-project.iam.gserviceaccount.com"
POOL = "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/clusters"
PROVIDER = f"{POOL}/providers/demo"

IRSA_FOLDER = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
AGENT_FOLDER = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount"
AZURE_FOLDER = "/var/run/secrets/azure/wi"
OWN_FOLDER = "/var/run/secrets/pyproc/identity"


@dataclass
class Made:
    """A cloud and a pod in it, and how the pod uses its bucket."""

    cloud: Cloud
    pod: Pod
    function: str
    mechanism: str

    def use(self, text: str = "hello") -> Run:
        """Writes an object with the SDK and reads it back."""
        if self.function == "azure":
            return self.pod.call("azure", account=ACCOUNT, container=BUCKET, name="a/b", text=text)
        return self.pod.call(self.function, bucket=BUCKET, name="a/b", text=text)


def token(made: Made, audience: str, **options: float) -> str:
    """A token of the pod's ServiceAccount."""
    return made.cloud.issuer.token(audience, NAMESPACE, SERVICE_ACCOUNT, **options)


def aws_region() -> dict[str, str]:
    """What EKS and the chart set."""
    return {"AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, "AWS_STS_REGIONAL_ENDPOINTS": "regional"}


def irsa(cloud: Cloud, pod: Pod) -> Made:
    """EKS IRSA."""
    made = Made(cloud, pod, "aws", "eks-irsa")
    trusted = cloud.issuer.trusted()
    cloud.aws.providers["123456789012", trusted.issuer] = Provider(trusted, {"sts.amazonaws.com"})
    cloud.aws.roles[ROLE] = Trust(trusted.issuer, SUBJECT, "sts.amazonaws.com")
    pod.podinfo(provider="eks-irsa", principal=ROLE)
    pod.mount(IRSA_FOLDER, {"token": token(made, "sts.amazonaws.com", lifetime=86400)})
    pod.environment |= {**aws_region(), "AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": f"{IRSA_FOLDER}/token"}
    return made


def pod_identity(cloud: Cloud, pod: Pod) -> Made:
    """EKS Pod Identity."""
    made = Made(cloud, pod, "aws", "eks-pod-identity")
    cloud.aws.cluster = cloud.issuer.trusted()
    cloud.aws.associations[NAMESPACE, SERVICE_ACCOUNT] = ROLE
    cloud.start_agent()
    pod.podinfo(provider="eks-pod-identity", principal=SUBJECT)
    pod.mount(AGENT_FOLDER, {"eks-pod-identity-token": token(made, "pods.eks.amazonaws.com", lifetime=86400)})
    pod.environment |= {
        **aws_region(),
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": f"{AGENT_FOLDER}/eks-pod-identity-token",
    }
    return made


def aks(cloud: Cloud, pod: Pod) -> Made:
    """AKS Entra Workload Identity."""
    made = Made(cloud, pod, "azure", "aks-workload-identity")
    trusted = cloud.issuer.trusted()
    cloud.entra.issuers[trusted.issuer] = trusted
    cloud.entra.applications[CLIENT] = Application(TENANT, [Federated(trusted.issuer, SUBJECT)])
    pod.podinfo({"azure.workload.identity/use": "true"}, provider="aks", principal=CLIENT)
    pod.mount(AZURE_FOLDER, {"token/azure-identity-token": token(made, "api://AzureADTokenExchange")})
    pod.environment |= {
        "AZURE_CLIENT_ID": CLIENT,
        "AZURE_TENANT_ID": TENANT,
        "AZURE_FEDERATED_TOKEN_FILE": f"{AZURE_FOLDER}/token/azure-identity-token",
        "AZURE_AUTHORITY_HOST": "https://login.microsoftonline.com/",
    }
    return made


def gke(cloud: Cloud, pod: Pod) -> Made:
    """GKE with a linked Google service account."""
    made = Made(cloud, pod, "google", "gke-metadata")
    cloud.metadata.email = GSA
    cloud.google.readers.add(GSA)
    cloud.start_metadata()
    pod.podinfo(provider="gke", principal=GSA)
    return made


def gke_direct(cloud: Cloud, pod: Pod) -> Made:
    """GKE with the ServiceAccount as its own principal."""
    made = gke(cloud, pod)
    cloud.metadata.email = "demo-project.svc.id.goog"
    cloud.google.readers.add(cloud.metadata.email)
    pod.podinfo(provider="gke", principal=SUBJECT)
    return made


def external(cloud: Cloud, pod: Pod) -> Made:
    """Any cluster, by a file of type external_account and a projected token."""
    made = Made(cloud, pod, "google", "external-account")
    cloud.google.providers[PROVIDER] = PoolProvider(cloud.issuer.trusted(), {f"https:{PROVIDER}"})
    principal = f"principal:{POOL}/subject/{SUBJECT}"
    cloud.google.readers.add(principal)
    pod.podinfo(provider="gke", principal=SUBJECT)
    credentials(made, None)
    pod.environment |= {
        "GOOGLE_APPLICATION_CREDENTIALS": f"{OWN_FOLDER}/credentials.json",
        "GOOGLE_CLOUD_PROJECT": "demo-project",
    }
    return made


def external_impersonation(cloud: Cloud, pod: Pod) -> Made:
    """The same, acting as a Google service account."""
    made = external(cloud, pod)
    cloud.google.users[GSA] = {f"principal:{POOL}/subject/{SUBJECT}"}
    cloud.google.readers = {GSA}
    pod.podinfo(provider="gke", principal=GSA)
    credentials(made, GSA)
    return made


def credentials(made: Made, account: str | None, **options: float) -> None:
    """The chart's volume: the file and the token."""
    file = {
        "type": "external_account",
        "audience": PROVIDER,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": {"file": f"{OWN_FOLDER}/token", "format": {"type": "text"}},
    }
    if account:
        file["service_account_impersonation_url"] = (
            f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{account}:generateAccessToken"
        )
    files = {"credentials.json": json.dumps(file), "token": token(made, f"https:{PROVIDER}", **options)}
    made.pod.mount(OWN_FOLDER, files)


ALL = {
    "eks-irsa": irsa,
    "eks-pod-identity": pod_identity,
    "aks": aks,
    "gke": gke,
    "gke-direct": gke_direct,
    "external": external,
    "external-impersonation": external_impersonation,
}
