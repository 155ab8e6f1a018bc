"""Tells what a worker in a pod is, and what it has."""

import base64
import json
import os
import pathlib
import time

from pyproc_worker import expose, run_worker


@expose
def who() -> dict[str, object]:
    """User, groups, capabilities, and what the root is like."""
    status = dict(line.split(":\t", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
    sets = [int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")]
    try:
        pathlib.Path("/app/written").touch()
        root = "written to"
    except OSError as error:
        root = error.strerror
    return {"user": os.geteuid(), "groups": os.getgroups(), "capabilities": max(sets), "root": root}


@expose
def claims(variable: str) -> dict[str, object]:
    """The claims of the token that a variable leads to, straight or through an external_account file."""
    named = pathlib.Path(os.environ[variable])
    if named.suffix == ".json":
        named = pathlib.Path(json.loads(named.read_text())["credential_source"]["file"])
    payload = named.read_text().split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


@expose
def until_told() -> str:
    """Begins, and ends when a file is there."""
    pathlib.Path("/tmp/begun").touch()
    while not os.path.exists("/tmp/told"):
        time.sleep(0.01)
    return "told"


if __name__ == "__main__":
    run_worker()
