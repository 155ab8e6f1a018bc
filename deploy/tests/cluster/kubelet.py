"""Runs a pod that an API server has admitted, as a kubelet and a kube-proxy would: its first container, its volumes, its
probes, its Service."""

from __future__ import annotations

import json
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import volumes
from container import Container
from network import Network, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from apiserver import Cluster
    from image import Image

HERE = Path(__file__).parent
ADDRESS, NODE = "10.244.0.10", "10.0.0.10"


class Pod:
    """A pod that runs, in a network of its own."""

    def __init__(self, network: Network, cluster: Cluster, image: Image, folder: Path, stack: ExitStack) -> None:
        self.network = network
        self.cluster = cluster
        self.image = image
        self.folder = folder
        self.hosts = f"127.0.0.1 localhost\n{ADDRESS} pod\n"
        self._stack = stack
        network.add_address(ADDRESS)

    def run(self, pod: dict[str, Any]) -> Container:
        """Starts the pod's first container."""
        pod = pod | {"status": {"podIP": ADDRESS, "hostIP": NODE}}
        folder = self.folder / pod["metadata"]["name"]
        folder.mkdir()
        made = {
            volume["name"]: volumes.make(self.cluster, pod, volume, folder) for volume in pod["spec"].get("volumes", [])
        }
        root = self._stack.enter_context(self.image.root())
        return Container(self.network, self.image, root, pod, made, self.hosts)

    def expose(self, namespace: str, pod: dict[str, Any]) -> None:
        """The namespace's Services that select the pod: an address, a name, and connections that are passed on."""
        for service in self.cluster.read(namespace, "services")["items"]:
            spec = service["spec"]
            if not spec["selector"].items() <= pod["metadata"]["labels"].items():
                continue
            self.network.add_address(spec["clusterIP"])
            self.hosts += f"{spec['clusterIP']} {service['metadata']['name']}\n"
            for port in spec["ports"]:
                target = container_port(pod["spec"]["containers"][0], port["targetPort"])
                addresses = [spec["clusterIP"], port["port"], ADDRESS, target]
                self.network.start("service", sys.executable, HERE / "forward.py", *map(str, addresses))

    def fetch(self, url: str, body: str | None = None, timeout: float = 60) -> tuple[int, str]:
        """Status and body of one request; 0 without an answer."""
        told = self.network.run(sys.executable, HERE / "fetch.py", url, str(timeout), *([] if body is None else [body]))
        status, text = json.loads(told)
        return status, text

    def probe(self, container: Container, kind: str) -> tuple[int, str]:
        """One try of a probe, as the manifest says it."""
        probe = container.spec[kind]
        port = container_port(container.spec, probe["httpGet"]["port"])
        return self.fetch(f"http://{ADDRESS}:{port}{probe['httpGet']['path']}", timeout=probe["timeoutSeconds"])

    def becomes_ready(self, container: Container) -> None:
        """The startup probe succeeds while it may, then the others do."""
        startup = container.spec["startupProbe"]
        seconds = startup["failureThreshold"] * startup["periodSeconds"]
        deadline = time.monotonic() + seconds
        while (answer := self.probe(container, "startupProbe"))[0] != 200:
            assert container.process.poll() is None, container.written()
            assert time.monotonic() < deadline, f"not started within {seconds} s: {answer}\n{container.written()}"
        wait_until("readiness", lambda: self.probe(container, "readinessProbe")[0] == 200, container.written)
        assert self.probe(container, "livenessProbe")[0] == 200


def container_port(container: dict[str, Any], port: str | int) -> int:
    """A port by its name or number."""
    if isinstance(port, int):
        return port
    return next(one["containerPort"] for one in container["ports"] if one["name"] == port)


@contextmanager
def node(cluster: Cluster, image: Image, folder: Path) -> Iterator[Pod]:
    """Where a pod can run."""
    with Network(folder) as network, ExitStack() as stack:
        yield Pod(network, cluster, image, folder, stack)
        # Before the roots go.
        network.__exit__()
