"""What docs/deployment/docker.md says: its `docker run` commands, and its image for a worker of one's own."""

from __future__ import annotations

import argparse
import json
import shlex
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import image as images
import pytest
from container import Container
from network import Network, wait_until
from pages import Block, blocks
from renders import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from image import Image

PAGE = ROOT / "docs/deployment/docker.md"
COMMANDS = [
    line
    for block in blocks(PAGE)
    if block.language == "sh"
    for line in block.text.splitlines()
    if line.startswith("docker run")
]


def parsed(command: str) -> argparse.Namespace:
    """A `docker run` with the options that the page has; another one fails here."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    for flag in ("--rm", "--read-only"):
        parser.add_argument(flag, action="store_true")
    for option in ("--publish", "--cap-drop", "--security-opt", "--user"):
        parser.add_argument(option)
    for option in ("--env", "--volume"):
        parser.add_argument(option, action="append", default=[])
    parser.add_argument("image")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    return parser.parse_args(shlex.split(command)[2:])


def manifest(given: argparse.Namespace) -> dict[str, Any]:
    """The same as a pod's manifest."""
    container: dict[str, Any] = {"name": "docker", "securityContext": {}, "args": given.arguments}
    if given.user:
        user, group = map(int, given.user.split(":"))
        container["securityContext"] = {"runAsUser": user, "runAsGroup": group}
    container["env"] = [dict(zip(("name", "value"), one.split("=", 1), strict=True)) for one in given.env]
    container["volumeMounts"] = [
        {"name": source, "mountPath": place, "readOnly": True}
        for source, place, _ in (one.split(":") for one in given.volume)
    ]
    return {"spec": {"containers": [container]}}


@contextmanager
def running(image: Image, pod: dict[str, Any], mounts: dict[str, Path], folder: Path) -> Iterator[Container]:
    """The container, once it listens."""
    with image.root() as root, Network(folder) as network:
        container = Container(network, image, root, pod, mounts)
        wait_until("the gateway", lambda: fetch(network, "readyz")[0] == 200, container.written)
        yield container


def fetch(network: Network, path: str, body: str = "", token: str = "") -> tuple[int, str]:
    """A request from outside of the container: curl, as the page has it."""
    command = ["curl", "--silent", "--write-out", "\n%{http_code}", f"http://127.0.0.1:8080/{path}"]
    if body:
        command += ["--header", "Content-Type: application/json", "--data", body]
    if token:
        command += ["--header", f"Authorization: Bearer {token}"]
    text, _, status = network.attempt(*command).stdout.rpartition("\n")
    return int(status or 0), text


@pytest.mark.parametrize("command", COMMANDS)
def test_what_the_page_runs_serves(image: Image, tmp_path: Path, command: str) -> None:
    given = parsed(command)
    assert given.image == images.NAME
    token = "sesame" * 6
    tokens = tmp_path / "tokens"
    tokens.write_text(f"{token}\n")
    # A file that is given to a container is read by the container's user.
    tokens.chmod(0o644)
    with running(image, manifest(given), {"./tokens": tokens}, tmp_path) as container:
        body = '{"value": 21}'
        status, text = fetch(container.network, "v1/call/predict", body, token)
        assert (status, json.loads(text)) == (200, {"result": 42})
        assert fetch(container.network, "v1/call/predict", body)[0] == (401 if given.volume else 200)
        container.terminate()
        assert container.ends() == 0, container.written()


def test_the_pages_image_for_a_worker_of_ones_own(image: Image, tmp_path: Path) -> None:
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(only("dockerfile").text)
    (context / "worker.py").write_text(only("python").text)
    images.build(context, "localhost/own:1")
    own = images.Image("localhost/own:1")
    with running(own, manifest(parsed("docker run own:1")), {}, tmp_path) as container:
        status, text = fetch(container.network, "v1/call/size", "2048")
        assert (status, json.loads(text)) == (200, "2.0 KiB")
        container.terminate()
        assert container.ends() == 0, container.written()


def only(language: str) -> Block:
    """The page's block in a language."""
    (found,) = [block for block in blocks(PAGE) if block.language == language]
    return found
