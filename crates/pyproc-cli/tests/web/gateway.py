"""A running gateway for tests and pictures."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[4]
TYPED = ROOT / "examples/typed-service/worker.py"
CHROMIUM = "/usr/bin/chromium"
PATIENCE = 60
"""Seconds that nothing that works takes."""


@contextlib.contextmanager
def serve(target: Path, *arguments: str) -> Iterator[str]:
    """The address of a gateway that is ready; afterwards it has ended well."""
    command = [ROOT / "target/release/pyproc", "serve", target, "--metrics-listen", "off", *arguments]
    if "--listen" not in arguments:
        command += ["--listen", "127.0.0.1:0"]
    environment = os.environ | {"PYPROC_PYTHON": str(ROOT / ".venv/bin/python")}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as gateway:
        try:
            said = []
            for line in gateway.stderr:
                said.append(line)
                if line.startswith("Try: "):
                    break
            else:
                raise AssertionError("".join(said))
            # What it says later is read too, so that it never waits for a reader.
            rest = threading.Thread(target=gateway.stderr.read)
            rest.start()
            address = next(line for line in said if line.startswith("Listening on "))
            yield address.removeprefix("Listening on ").strip()
        finally:
            gateway.terminate()
            gateway.wait(timeout=PATIENCE)
        assert gateway.returncode == 0


def call(base: str, function: str, body: object, token: str | None = None) -> tuple[int, object]:
    """Calls a function: the status and the answer."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(f"{base}/v1/call/{function}", json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
