"""One network and one set of clouds for all tests; each test begins with nothing set up."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cloud import Cloud, enter_namespaces
from pod import Pod


@pytest.fixture(scope="session")
def clouds() -> Iterator[Cloud]:
    """The emulators, in namespaces of their own."""
    if os.geteuid() != 0:
        pytest.skip("cloud identity: the clouds' link-local addresses need root (a network namespace)")
    enter_namespaces()
    cloud = Cloud()
    yield cloud
    cloud.close()


@pytest.fixture
def cloud(clouds: Cloud) -> Cloud:
    """The emulators with nothing set up."""
    clouds.reset()
    return clouds


@pytest.fixture
def pod(cloud: Cloud) -> Pod:
    """A pod without an identity."""
    pod = Pod(cloud.authority.bundle)
    pod.clear()
    return pod
