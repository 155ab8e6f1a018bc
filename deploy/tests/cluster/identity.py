"""Which identity a container has, found as an SDK finds it: from its variables to a token's file, from the file to a
mount, from the mount to the volume that projects the token."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

# Variables that make an SDK look for an identity. Regions and tenants alone do not.
MARKS = {
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AZURE_CLIENT_ID",
    "AZURE_FEDERATED_TOKEN_FILE",
    "GOOGLE_APPLICATION_CREDENTIALS",
}


@dataclass(frozen=True)
class Identity:
    """What the cloud will see."""

    mechanism: str
    principal: str
    audience: str
    expiration: int | None = None


def of_pod(pod: dict[str, Any]) -> dict[str, Identity | None]:
    """The identity of every container, init containers included."""
    spec = pod["spec"]
    containers = [*spec.get("initContainers", []), *spec["containers"]]
    return {container["name"]: of_container(spec, container) for container in containers}


def of_container(spec: dict[str, Any], container: dict[str, Any]) -> Identity | None:
    """None without any trace of one; the half of an identity fails."""
    variables = {one["name"]: one.get("value", "") for one in container.get("env", [])}
    marks = MARKS & variables.keys()
    if not marks:
        tokens = [mount for mount in container.get("volumeMounts", []) if token_in(spec, mount["name"])]
        assert not tokens, f"{container['name']} has a token and no variable that names it"
        return None
    if marks == {"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"}:
        # Without the region SDKs ask an endpoint that a private network does not reach, or fail.
        assert variables["AWS_STS_REGIONAL_ENDPOINTS"] == "regional"
        assert variables["AWS_REGION"] == variables["AWS_DEFAULT_REGION"] != ""
        return projected(spec, container, "irsa", variables["AWS_ROLE_ARN"], variables["AWS_WEB_IDENTITY_TOKEN_FILE"])
    if marks == {"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"}:
        agent = variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
        file = variables["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]
        made = projected(spec, container, "pod-identity", agent, file)
        # The webhook spreads them, so that not all tokens are renewed at once.
        assert made.expiration in range(79_200, 86_401)
        return replace(made, expiration=None)
    if marks == {"AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE"}:
        assert variables["AZURE_TENANT_ID"]
        assert variables["AZURE_AUTHORITY_HOST"].endswith("/")
        return projected(spec, container, "aks", variables["AZURE_CLIENT_ID"], variables["AZURE_FEDERATED_TOKEN_FILE"])
    if marks == {"GOOGLE_APPLICATION_CREDENTIALS"}:
        file = variables["GOOGLE_APPLICATION_CREDENTIALS"]
        return projected(spec, container, "gke", file, str(PurePosixPath(file).with_name("token")))
    raise AssertionError(f"{container['name']} has the half of an identity: {sorted(marks)}")


def projected(spec: dict[str, Any], container: dict[str, Any], mechanism: str, principal: str, file: str) -> Identity:
    """The token at this path."""
    for mount in container.get("volumeMounts", []):
        folder = PurePosixPath(mount["mountPath"])
        if not PurePosixPath(file).is_relative_to(folder):
            continue
        # A mount of a single file would never see the token renewed.
        assert mount.get("readOnly") and "subPath" not in mount
        token = token_in(spec, mount["name"], str(PurePosixPath(file).relative_to(folder)))
        assert token, f"{file} is in the volume {mount['name']}, which has no such token"
        return Identity(mechanism, principal, token["audience"], token["expirationSeconds"])
    raise AssertionError(f"{container['name']} has no mount for {file}")


def token_in(spec: dict[str, Any], volume: str, path: str | None = None) -> dict[str, Any] | None:
    """The token that a volume projects; that of the Kubernetes API does not count."""
    (found,) = [one for one in spec["volumes"] if one["name"] == volume]
    for source in found.get("projected", {}).get("sources", []):
        token = source.get("serviceAccountToken")
        if token and token.get("audience") and path in (None, token["path"]):
            return token
    return None
