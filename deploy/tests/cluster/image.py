"""The image, built as `make image` builds it where no registry of images can be reached."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from renders import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = ROOT / "scripts/image"
# The chart's default, so that a render names what was built.
NAME = "pyproc:0.1.0"


def missing() -> list[str]:
    """Programs that are needed and not there."""
    return [program for program in ("buildah", "debootstrap", "rustc", "curl") if not shutil.which(program)]


class Image:
    """An image in the store."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.config: dict[str, Any] = json.loads(in_store("inspect", "--type=image", name))["OCIv1"]["config"]

    @contextmanager
    def root(self) -> Iterator[Path]:
        """The root of a new container."""
        container = in_store("from", "--pull-never", self.name).strip()
        try:
            yield Path(in_store("mount", container).strip())
        finally:
            in_store("rm", container)


def of_this_checkout() -> Image:
    """The image that these sources make."""
    run(SCRIPT, "--stand-ins", environment={"IMAGE": NAME})
    return Image(NAME)


def build(context: Path, name: str) -> None:
    """An image on the one of this checkout, from a folder with a Dockerfile."""
    # The way to the registries of packages may have certificates of its own on this machine.
    in_store(
        "bud",
        "--isolation=chroot",
        "--pull-never",
        "--volume=/etc/ssl/certs:/etc/ssl/certs:ro",
        f"--tag={name}",
        str(context),
    )


def in_store(*arguments: str) -> str:
    """What buildah prints, of the images that are kept in the checkout."""
    return run(SCRIPT, "--in-store", *arguments)


def run(*command: str | Path, environment: dict[str, str] | None = None) -> str:
    """What a command prints that has to succeed."""
    done = subprocess.run(command, env=os.environ | (environment or {}), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout[-8000:]}{done.stderr[-8000:]}"
    return done.stdout
