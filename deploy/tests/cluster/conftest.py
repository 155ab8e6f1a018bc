"""What the tests on a real API server share: one cluster for all of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import image as images
import network as networks
import pytest
import webhooks
from apiserver import Cluster

if TYPE_CHECKING:
    from collections.abc import Iterator

# Namespaces of which the ServiceAccount `pyproc` has an association in EKS.
ASSOCIATED = (
    "example-eks-pod-identity",
    "kustomize-eks-pod-identity",
    "helm-associated",
    "helm3-associated",
    "runs-eks-pod-identity-65532",
)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """An API server with the webhooks of two clouds."""
    skip_without(networks.missing())
    folder = tmp_path_factory.mktemp("cluster")
    with networks.Network(folder) as network:
        cluster = Cluster(network, folder)
        cluster.start()
        cluster.install_crds()
        webhooks.start(cluster, [(namespace, "pyproc") for namespace in ASSOCIATED])
        yield cluster


@pytest.fixture(scope="session")
def image() -> images.Image:
    """The image, built from these sources."""
    skip_without(images.missing() + networks.missing())
    return images.of_this_checkout()


def skip_without(missing: list[str]) -> None:
    """Names what this machine lacks; the list of what was not run has it."""
    if os.geteuid() != 0:
        pytest.skip("deploy/tests/cluster: namespaces and images need root")
    if missing:
        pytest.skip(f"deploy/tests/cluster: not found: {', '.join(missing)}")
