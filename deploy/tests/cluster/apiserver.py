"""A real kube-apiserver on a real etcd. There is no controller, scheduler or kubelet: what is applied is
admitted, and stays as it was admitted. Restricted Pod Security is enforced in every namespace made here."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import certificates
from network import wait_until
from renders import BIN, SCHEMAS

if TYPE_CHECKING:
    from pathlib import Path

    from network import Network

SERVER = "https://127.0.0.1:6443"


class Cluster:
    """Where kubectl and helm find a cluster."""

    def __init__(self, network: Network, folder: Path) -> None:
        self.network = network
        self.folder = folder
        # What is kept for the next use of the cache belongs to this run; helm's own folders too.
        home = {"HOME": str(folder), "KUBECONFIG": str(folder / "kubeconfig"), "KUBECACHEDIR": str(folder / "cache")}
        self.environment = {"PATH": os.environ["PATH"]} | home

    def start(self, issuer: str = SERVER) -> None:
        """Starts it, with the name that tokens are to have as their issuer."""
        certificates.make(self.folder)
        self._write_kubeconfig()
        self._start_programs(issuer)

    def install_crds(self) -> None:
        """The kinds that what is rendered uses beside Kubernetes' own."""
        self.kubectl("apply", "--server-side", "--validate=strict", "-f", SCHEMAS / "crds")
        self.kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", SCHEMAS / "crds")

    def _write_kubeconfig(self) -> None:
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
            "clusters": [
                {"name": "test", "cluster": {"server": SERVER, "certificate-authority": f"{self.folder}/ca.crt"}}
            ],
            "users": [
                {
                    "name": "admin",
                    "user": {
                        "client-certificate": f"{self.folder}/admin.crt",
                        "client-key": f"{self.folder}/admin.key",
                    },
                }
            ],
        }
        (self.folder / "kubeconfig").write_text(json.dumps(config))

    def _start_programs(self, issuer: str) -> None:
        etcd = "http://127.0.0.1:2379"
        self.network.start(
            "etcd",
            BIN / "etcd",
            f"--data-dir={self.folder}/etcd",
            "--unsafe-no-fsync",
            f"--listen-client-urls={etcd}",
            f"--advertise-client-urls={etcd}",
            "--listen-peer-urls=http://127.0.0.1:2380",
            "--log-level=warn",
        )
        self.network.start(
            "kube-apiserver",
            BIN / "kube-apiserver",
            f"--etcd-servers={etcd}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--external-hostname=localhost",
            "--endpoint-reconciler-type=none",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--tls-cert-file=tls.crt",
            "--tls-private-key-file=tls.key",
            "--client-ca-file=ca.crt",
            "--authorization-mode=RBAC",
            f"--service-account-issuer={issuer}",
            f"--service-account-jwks-uri={SERVER}/openid/v1/jwks",
            f"--api-audiences={SERVER}",
            "--service-account-signing-key-file=sa.key",
            "--service-account-key-file=sa.pub",
            "--enable-admission-plugins=PodSecurity,ServiceAccount,MutatingAdmissionWebhook,ValidatingAdmissionWebhook",
            cwd=self.folder,
        )
        wait_until(
            "the API server",
            lambda: self.attempt(BIN / "kubectl", "get", "--raw", "/readyz").returncode == 0,
            lambda: self.network.log("kube-apiserver"),
        )

    def attempt(self, *command: str | Path, text: str | None = None) -> Any:
        """Runs a client that may fail."""
        return self.network.attempt(*command, text=text, env=self.environment)

    def run(self, *command: str | Path, text: str | None = None) -> str:
        """Runs a client that has to succeed."""
        return self.network.run(*command, text=text, env=self.environment)

    def kubectl(self, *arguments: str | Path, text: str | None = None) -> str:
        """What kubectl prints."""
        return self.run(BIN / "kubectl", *arguments, text=text)

    def read(self, namespace: str, *what: str) -> Any:
        """An object, or a list of them."""
        return json.loads(self.kubectl("get", "-n", namespace, "-o", "json", *what))

    def make_namespace(self, name: str, *, webhooks: bool = True) -> None:
        """A namespace that enforces the restricted standard. Without webhooks it is one of a cluster that has none."""
        security = "pod-security.kubernetes.io"
        labels = {f"{security}/enforce": "restricted", f"{security}/enforce-version": "latest"}
        if not webhooks:
            labels["test/webhooks"] = "none"
        self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        # A controller would make it.
        default = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
        self.create(default, namespace=name)

    def create(self, *objects: dict[str, Any], namespace: str = "default", dry_run: bool = False) -> Any:
        """Creates objects; the last one, as the server keeps it."""
        made = None
        for each in objects:
            dry = ["--dry-run=server"] if dry_run else []
            answer = self.kubectl(
                "create", "-n", namespace, *dry, "--validate=strict", "-o", "json", "-f", "-", text=json.dumps(each)
            )
            made = json.loads(answer)
        return made

    def apply(self, namespace: str, text: str) -> None:
        """Server-side apply with strict validation; a warning is an error."""
        done = self.attempt(
            BIN / "kubectl", "apply", "-n", namespace, "--server-side", "--validate=strict", "-f", "-", text=text
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stderr

    def pods(self, namespace: str) -> list[dict[str, Any]]:
        """A pod for each Deployment, as a controller would make it, and what admission has made of it."""
        made = []
        for deployment in self.read(namespace, "deployments")["items"]:
            template = deployment["spec"]["template"]
            metadata = template["metadata"] | {"name": None, "generateName": f"{deployment['metadata']['name']}-"}
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
            made.append(self.create(pod, namespace=namespace))
        return made
