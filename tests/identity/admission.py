"""Pods as this project's files make them: rendered, applied on a real API server, and changed by the clouds' webhooks.

One API server for all processes of a test run: the first process starts it, the others reach it.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import renders
import webhooks
from apiserver import Cluster
from cryptography.hazmat.primitives import serialization
from emulators.tokens import Issuer, Trusted
from network import Network

ISSUER = f"https://oidc.eks.{webhooks.REGION}.amazonaws.com/id/0123456789ABCDEF"
# Namespaces of which the ServiceAccount `pyproc` has an association in EKS.
ASSOCIATED = ("eks-pod-identity", "eks-pod-identity-kustomize")

Objects = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Edit:
    """What somebody has done to what was rendered, or to the cluster, before the pod was made."""

    name: str
    # Takes the objects by their kind.
    change: Callable[[Objects], object] = lambda objects: None
    webhooks: bool = True


@dataclass(frozen=True)
class Admitted:
    """A pod as the API server keeps it, and its ServiceAccount."""

    pod: dict[str, Any]
    account: dict[str, Any]


class Admission:
    """The API server of a test run."""

    def __init__(self, folder: Path, link: Path) -> None:
        self.folder = folder
        self.cluster = Cluster(Network(folder, link), folder)

    def trusted(self) -> Trusted:
        """What clouds read from an issuer: the name and the keys that it publishes."""
        said = json.loads(self.cluster.kubectl("get", "--raw", "/.well-known/openid-configuration"))
        return Trusted(said["issuer"], json.loads(self.cluster.kubectl("get", "--raw", "/openid/v1/jwks")))

    def signer(self) -> Issuer:
        """The server's own key, for tokens that it will not make on request: those of yesterday."""
        key = serialization.load_pem_private_key((self.folder / "sa.key").read_bytes(), None)
        trusted = self.trusted()
        return Issuer(trusted.issuer, trusted.jwks["keys"][0]["kid"], key)

    def admit(self, render: renders.Render, name: str, edit: Edit | None = None) -> Admitted:
        """The pod of what is rendered, in a namespace of this name. It is made once, whichever process asks."""
        namespace = f"{name}-{edit.name}" if edit else name
        kept = self.folder / f"pod-{namespace}.json"
        with kept.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not kept.exists():
                kept.write_text(json.dumps(self._make(render, namespace, edit or Edit("nothing"))))
        return Admitted(*json.loads(kept.read_text()))

    def _make(self, render: renders.Render, namespace: str, edit: Edit) -> list[dict[str, Any]]:
        # Helm's own test is no part of what runs.
        hook = "helm.sh/hook"
        rendered = [one for one in render.objects(namespace) if hook not in one["metadata"].get("annotations", {})]
        edit.change({one["kind"]: one for one in rendered})
        self.cluster.make_namespace(namespace, webhooks=edit.webhooks)
        self.cluster.apply(namespace, json.dumps({"apiVersion": "v1", "kind": "List", "items": rendered}))
        (pod,) = self.cluster.pods(namespace)
        return [pod, self.cluster.read(namespace, "serviceaccount", pod["spec"]["serviceAccountName"])]


@contextmanager
def started(folder: Path) -> Iterator[Admission]:
    """An API server with the webhooks of two clouds, until the end."""
    with Network(folder) as network:
        cluster = Cluster(network, folder)
        cluster.start(ISSUER)
        webhooks.start(cluster, [(namespace, "pyproc") for namespace in ASSOCIATED])
        yield Admission(folder, network.link)
