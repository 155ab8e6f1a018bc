"""One thing removed at a time: EKS, by IRSA and by Pod Identity."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from admission import Edit, Objects
from cloud import REGIONS
from emulators.aws import Trust
from emulators.server import Response, Server
from mechanisms import ROLE, Made, pod_identity
from pod import INSIDE
from removal import (
    PROXY,
    Findings,
    Row,
    clock_ahead,
    extra,
    gives,
    helm_first,
    no_proxy_line,
    other_key,
    remedies,
    setting,
    unmarked,
    without,
)

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


def own_audience(objects: Objects) -> None:
    """Another audience than everybody's, as the chart's `cloudIdentity.eks.audience` writes it."""
    objects["ServiceAccount"]["metadata"]["annotations"]["eks.amazonaws.com/audience"] = "my-audience"


def knows_own_audience(made: Made) -> None:
    """Both the provider and the role know it."""
    issuer = made.cloud.signer.issuer
    made.cloud.aws.providers["123456789012", issuer].client_ids = {"my-audience"}
    made.cloud.aws.roles[ROLE].audience = "my-audience"


def other_provider(objects: Objects) -> None:
    """A chart that is newer than the program in the image."""
    del objects["ServiceAccount"]["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]
    annotations = objects["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    annotations |= {"pyproc/identity-provider": "another-cloud", "pyproc/identity-principal": "somebody"}


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
        "NoCredentialsError",
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
        "eks-irsa", without("AWS_REGION", "AWS_DEFAULT_REGION"), "", {"AWS_STS_ENDPOINT"}, {"AWS_STS_ENDPOINT"}
    ),
    "irsa: legacy endpoint": Row(
        "eks-irsa", setting(AWS_STS_REGIONAL_ENDPOINTS="legacy"), "", {"AWS_STS_ENDPOINT"}, {"AWS_STS_ENDPOINT"}
    ),
    "irsa: no way to STS": Row("eks-irsa", sts_is_silent, "EndpointConnectionError", set(), {"AWS_STS_ENDPOINT"}),
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
    # What is another than everybody's works all the same.
    "irsa: own audience": Row(
        "eks-irsa", Edit("own-audience", own_audience), "", {"AWS_AUDIENCE"}, beside=knows_own_audience
    ),
    "irsa: VPC endpoint": Row(
        "eks-irsa",
        setting(AWS_ENDPOINT_URL_STS=f"https://sts.{REGIONS[0]}.amazonaws.com", NO_GCE_CHECK="false"),
        "",
    ),
    "irsa: provider of a newer chart": Row(
        "eks-irsa",
        Edit("other-provider", other_provider),
        "NoCredentials",
        {"UNKNOWN_PROVIDER"},
        {"UNKNOWN_PROVIDER"},
    ),
    # EKS Pod Identity
    "pod identity: association": Row(
        "eks-pod-identity", no_association, "ResourceNotFoundException", set(), {"AWS_NO_ASSOCIATION"}, associate
    ),
    "pod identity: trust": Row(
        "eks-pod-identity", distrust_pods, "AccessDeniedException", set(), {"AWS_POD_IDENTITY_TRUST"}, pods_policy
    ),
    "pod identity: agent": Row(
        "eks-pod-identity",
        no_agent,
        "Could not connect to the endpoint URL",
        {"AWS_AGENT_UNREACHABLE"},
        {"AWS_AGENT_UNREACHABLE"},
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
        "not a legal header value",
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
}
