"""One API server for a test run; in each process of it one network and one set of clouds for all tests, and each test
begins with nothing set up."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import admission
import pytest
from admission import Admission
from cloud import Cloud, enter_namespaces
from pod import Pod, make_root

STACK = ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    """The first process starts the API server; it ends after those that pytest-xdist starts."""
    if hasattr(config, "workerinput") or os.geteuid() != 0 or config.option.collectonly:
        return
    folder = Path(STACK.enter_context(tempfile.TemporaryDirectory(prefix="pyproc-cluster-")))
    made = STACK.enter_context(admission.started(folder))
    config.stash[PLACE] = (str(folder), str(made.cluster.network.link))


PLACE = pytest.StashKey[tuple[str, str]]()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tells a process of pytest-xdist where the API server is."""
    node.workerinput["place"] = node.config.stash.get(PLACE, None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Azure's SDK tries for a minute or more before it gives up. What waits longest begins first."""
    items.sort(key=lambda item: ("aks" not in item.nodeid, "gateway" not in item.nodeid))


def pytest_unconfigure() -> None:
    """Ends what this process has started."""
    STACK.close()


@pytest.fixture(scope="session")
def clouds(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    """The emulators, in namespaces of their own."""
    if os.geteuid() != 0:
        pytest.skip("cloud identity: the clouds' link-local addresses need root (a network namespace)")
    config = request.config
    place = config.workerinput["place"] if hasattr(config, "workerinput") else config.stash[PLACE]
    enter_namespaces()
    cloud = Cloud(Admission(*map(Path, place)))
    make_root(cloud.authority.bundle)
    yield cloud
    cloud.close()


@pytest.fixture
def cloud(clouds: Cloud) -> Cloud:
    """The emulators with nothing set up."""
    clouds.reset()
    return clouds


@pytest.fixture
def pod(cloud: Cloud) -> Iterator[Pod]:
    """A pod that is not started."""
    pod = Pod(cloud.admission.cluster)
    pod.clear()
    yield pod
    pod.clear()
