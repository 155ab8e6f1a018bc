"""What is rendered runs: the image, started as the pod's manifest says, outside of Kubernetes."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

import kubelet
import pytest
import renders
import yaml
from network import wait_until
from renders import BIN, CHART, ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from apiserver import Cluster
    from container import Container
    from image import Image
    from kubelet import Pod

# Functions that tell what a worker's process is and has.
WORKER = (ROOT / "deploy/tests/cluster/workers/inside.py").read_text()


def installed(cluster: Cluster, namespace: str, values: dict[str, Any]) -> dict[str, Any]:
    """Installs a release in a new namespace, and makes the pod of its Deployment."""
    cluster.make_namespace(namespace)
    command = ["install", "myapp", CHART, f"--namespace={namespace}", "--values=-"]
    cluster.run(BIN / "helm", *command, text=yaml.safe_dump(values))
    (pod,) = cluster.pods(namespace)
    return pod


def drains(pod: Pod, container: Container, grace: int) -> None:
    """After SIGTERM it says that it is not ready, still answers for a moment, and ends well before it is killed."""
    container.terminate()
    begun = time.monotonic()
    wait_until("readiness to end", lambda: pod.probe(container, "readinessProbe")[0] in (0, 503), container.written)
    assert container.ends(grace) == 0, container.written()
    assert time.monotonic() - begun < grace


def test_a_default_install_serves(cluster: Cluster, image: Image, tmp_path: Path) -> None:
    namespace = "serves"
    manifest = installed(cluster, namespace, {})
    assert manifest["spec"]["securityContext"]["runAsUser"] == 65532
    with kubelet.node(cluster, image, tmp_path) as pod:
        pod.expose(namespace, manifest)
        container = pod.run(manifest)
        pod.becomes_ready(container)
        assert "pyproc_" in pod.fetch(f"http://{kubelet.ADDRESS}:9090/metrics")[1]
        helm_test(cluster, namespace, pod)
        drains(pod, container, manifest["spec"]["terminationGracePeriodSeconds"])


def helm_test(cluster: Cluster, namespace: str, pod: Pod) -> None:
    """`helm test`: it makes a pod and waits for its end, which is for us to bring about."""
    command = [BIN / "helm", "test", "myapp", f"--namespace={namespace}", "--timeout=5m"]
    told = pod.folder / "helm-test"
    with told.open("wb") as output:
        testing = subprocess.Popen(
            cluster.network.entered(*command), env=cluster.environment, stdout=output, stderr=output
        )
    name = "myapp-pyproc-test"

    def made() -> bool:
        assert testing.poll() is None, told.read_text()
        return cluster.attempt(BIN / "kubectl", "get", "pod", name, f"--namespace={namespace}").returncode == 0

    wait_until("the test's pod", made)
    container = pod.run(cluster.read(namespace, "pod", name))
    assert container.ends(90) == 0, container.written()
    assert json.loads(container.written()) == {"result": 42}
    ended = json.dumps({"status": {"phase": "Succeeded"}})
    cluster.kubectl("patch", "pod", name, f"--namespace={namespace}", "--subresource=status", "--patch", ended)
    assert testing.wait(120) == 0, told.read_text()


def test_the_kustomize_base_serves(cluster: Cluster, image: Image, tmp_path: Path) -> None:
    namespace = "serves-base"
    cluster.make_namespace(namespace)
    cluster.apply(namespace, renders.build(renders.KUSTOMIZE / "base"))
    (manifest,) = cluster.pods(namespace)
    with kubelet.node(cluster, image, tmp_path) as pod:
        pod.expose(namespace, manifest)
        container = pod.run(manifest)
        pod.becomes_ready(container)
        (service,) = cluster.read(namespace, "services")["items"]
        url = f"http://{service['spec']['clusterIP']}/v1/call/predict"
        assert pod.fetch(url, '{"value": 21}') == (200, '{"result":42.0}')
        drains(pod, container, manifest["spec"]["terminationGracePeriodSeconds"])


IDENTITIES = {
    "eks-irsa": ("AWS_WEB_IDENTITY_TOKEN_FILE", "sts.amazonaws.com"),
    "eks-pod-identity": ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "pods.eks.amazonaws.com"),
    "aks-workload-identity": ("AZURE_FEDERATED_TOKEN_FILE", "api://AzureADTokenExchange"),
    "gke-projected": (
        "GOOGLE_APPLICATION_CREDENTIALS",
        "https://iam.googleapis.com/projects/99/locations/global/workloadIdentityPools/pool/providers/cluster",
    ),
    "eks-irsa-projected": ("AWS_WEB_IDENTITY_TOKEN_FILE", "sts.amazonaws.com"),
    "aks-projected": ("AZURE_FEDERATED_TOKEN_FILE", "api://AzureADTokenExchange"),
}


@pytest.mark.parametrize(
    ("name", "user"), [*((name, 65532) for name in IDENTITIES), ("eks-irsa", 4711), ("aks-projected", 4711)]
)
def test_workers_read_the_token_and_nothing_is_lost(
    cluster: Cluster, image: Image, tmp_path: Path, name: str, user: int
) -> None:
    """Any user will do. What was begun before SIGTERM has its answer."""
    example = ROOT / f"examples/helm-{name}/values.yaml"
    values = yaml.safe_load(example.read_text()) if example.exists() else dict(renders.VALUES[name])
    values |= {
        "worker": {"inline": WORKER},
        "config": {"workers": 1, "shutdown_delay": "0s"},
        "podSecurityContext": {"runAsUser": user},
    }
    values.pop("extraContainers", None)
    namespace = f"runs-{name}-{user}"
    manifest = installed(cluster, namespace, values)
    variable, audience = IDENTITIES[name]
    with kubelet.node(cluster, image, tmp_path) as pod:
        container = pod.run(manifest)
        pod.becomes_ready(container)

        def call(function: str, argument: Any = None) -> Any:
            url = f"http://{kubelet.ADDRESS}:8080/v1/call/{function}"
            status, answer = pod.fetch(url, json.dumps(argument))
            assert status == 200, answer
            return json.loads(answer)

        nothing = {"capabilities": 0, "root": "Read-only file system"}
        assert call("who") == {"user": user, "groups": [65532]} | nothing
        claims = call("claims", variable)
        assert claims["aud"] == [audience]
        assert claims["sub"] == f"system:serviceaccount:{namespace}:{manifest['spec']['serviceAccountName']}"
        assert claims["kubernetes.io"]["pod"]["uid"] == manifest["metadata"]["uid"]

        shared = tmp_path / manifest["metadata"]["name"] / "tmp"
        answers: list[Any] = []
        waiting = threading.Thread(target=lambda: answers.append(call("until_told")))
        waiting.start()
        wait_until("the call to begin", (shared / "begun").exists, container.written)
        container.terminate()
        wait_until("SIGTERM to arrive", lambda: "shutting down" in container.written(), container.written)
        (shared / "told").touch()
        waiting.join()
        assert answers == ["told"]
        assert container.ends(manifest["spec"]["terminationGracePeriodSeconds"]) == 0, container.written()
