"""A container of a pod, started outside of Kubernetes: process 1 of its own namespaces, with the uid, the mounts, the
command, the environment and the restrictions that the pod's manifest says. There is no user namespace, no seccomp
filter and no limit of memory."""

from __future__ import annotations

import os
import signal
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import volumes
from network import wait_until

if TYPE_CHECKING:
    import subprocess

    from image import Image
    from network import Network

# As root of the machine, before the container's own program: $1 is its root, triples of source, place and
# "ro" or "rw" follow up to "--", then the command.
START = """
set -eu
cd "$1"; shift
mount --bind . . && cd "$PWD"
mount -t proc proc proc
mount --rbind /dev dev
while [ "$1" != -- ]; do
    mount --bind "$1" "$2"
    [ "$3" = rw ] || mount -o remount,bind,ro "$2"
    shift 3
done
shift
mount -o remount,bind,ro .
pivot_root . ./mnt
cd /
umount -l /mnt
exec "$@"
"""


class Container:
    """One container that runs."""

    def __init__(
        self,
        network: Network,
        image: Image,
        root: Path,
        pod: dict[str, Any],
        mounts: dict[str, Path],
        hosts: str = "",
        name: str | None = None,
    ) -> None:
        spec = pod["spec"]
        self.network = network
        self.spec: dict[str, Any] = next(one for one in spec["containers"] if name in (None, one["name"]))
        self.log = f"container-{self.spec['name']}-{len(os.listdir(network.logs))}"
        bound = [(mounts[mount["name"]], mount["mountPath"], mount) for mount in self.spec.get("volumeMounts", [])]
        if hosts:
            file = network.logs / f"{self.log}.hosts"
            file.write_text(hosts)
            bound.append((file, "/etc/hosts", {"readOnly": True}))
        triples: list[str | Path] = []
        for source, place, mount in bound:
            inside = within(root, place)
            if source.is_dir():
                inside.mkdir(parents=True, exist_ok=True)
            else:
                inside.touch()
            triples += [source, inside, "ro" if mount.get("readOnly") else "rw"]
        self.process: subprocess.Popen[bytes] = network.start(
            self.log,
            *("unshare", "--mount", "--pid", "--fork", "--ipc", "--uts", "--propagation=private", "--kill-child"),
            *("--", "bash", "-c", START, "start", root, *triples, "--"),
            *("env", "-i", *(f"{name}={value}" for name, value in self._environment(image, pod).items())),
            *restrictions(spec, self.spec, image.config["User"]),
            *self._command(image),
        )

    def _environment(self, image: Image, pod: dict[str, Any]) -> dict[str, str]:
        return dict(one.split("=", 1) for one in image.config["Env"]) | variables(pod, self.spec)

    def _command(self, image: Image) -> list[str]:
        # The image's arguments belong to the image's entry point.
        command = self.spec.get("command")
        arguments = self.spec.get("args") or ([] if command else image.config["Cmd"])
        directory = self.spec.get("workingDir") or image.config["WorkingDir"]
        return ["env", f"--chdir={directory}", *(command or image.config["Entrypoint"]), *arguments]

    def written(self) -> str:
        """What it wrote."""
        return self.network.log(self.log)

    def first_process(self) -> int:
        """Process 1, by its number out here."""
        number = self.process.pid
        children = Path(f"/proc/{number}/task/{number}/children")
        wait_until("the container's process", lambda: bool(children.read_text().strip()), self.written)
        return int(children.read_text())

    def terminate(self) -> None:
        """What a kubelet sends first."""
        os.kill(self.first_process(), signal.SIGTERM)

    def ends(self, seconds: float = 60) -> int:
        """Its exit status; not later than that."""
        wait_until("the container's end", lambda: self.process.poll() is not None, self.written, seconds)
        return self.process.returncode


def variables(pod: dict[str, Any], container: dict[str, Any]) -> dict[str, str]:
    """The variables that the manifest gives a container."""
    found = {}
    for one in container.get("env", []):
        path = one.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
        found[one["name"]] = volumes.field(pod, path) if path else one.get("value", "")
    return found


def restrictions(spec: dict[str, Any], container: dict[str, Any], image_user: str) -> list[str]:
    """The command that gives up what the manifest does not allow, and runs what follows it."""
    context = spec.get("securityContext", {}) | container.get("securityContext", {})
    assert context.get("readOnlyRootFilesystem", True), "the root is always read-only here"
    user, _, group = image_user.partition(":")
    user, group = context.get("runAsUser", user), context.get("runAsGroup", group)
    groups = f"--groups={context['fsGroup']}" if "fsGroup" in context else "--clear-groups"
    nothing = ["--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs"]
    return ["setpriv", f"--reuid={user}", f"--regid={group}", groups, *nothing, "--"]


def within(root: Path, path: str) -> Path:
    """A path in the container; its links are followed inside of the container's root, not out here."""
    found = root
    steps = list(PurePosixPath(path).parts[1:])
    while steps:
        step = steps.pop(0)
        found = found.parent if step == ".." and found != root else found / step
        if found.is_symlink():
            target = found.readlink()
            steps = [*(part for part in target.parts if part != "/"), *steps]
            found = root if target.is_absolute() else found.parent
    return found
