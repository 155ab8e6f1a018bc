"""What the tests on a real API server share: one cluster for all of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import webhooks
from apiserver import Cluster
from network import Network, missing

if TYPE_CHECKING:
    from collections.abc import Iterator

# Namespaces of which the ServiceAccount `pyproc` has an association in EKS.
ASSOCIATED = ("example-eks-pod-identity", "kustomize-eks-pod-identity", "helm-associated", "helm3-associated")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """An API server with the webhooks of two clouds."""
    if os.geteuid() != 0:
        pytest.skip("deploy/tests/cluster: namespaces need root")
    if missing():
        pytest.skip(f"deploy/tests/cluster: {', '.join(missing())} not found")
    folder = tmp_path_factory.mktemp("cluster")
    with Network(folder) as network:
        cluster = Cluster(network, folder)
        webhooks.start(cluster, [(namespace, "pyproc") for namespace in ASSOCIATED])
        yield cluster
