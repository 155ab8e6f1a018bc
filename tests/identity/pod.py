"""A pod as the kubelet starts it: the environment, the volumes and the user that its manifest says, in the network and
mounts of the test. Programs run in a root of their own, as in a container; README.md says where it differs from one."""

from __future__ import annotations

import ctypes
import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import container
import volumes
from kubelet import ADDRESS, NODE, container_port

if TYPE_CHECKING:
    from admission import Admitted
    from apiserver import Cluster

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "target/release/pyproc"
RUST_SDKS = ROOT / "target/rust-sdks/debug/rust-sdks"

# Where the container's root is, and what an image has in it.
INSIDE = Path("/mnt")
WORKER, BUNDLE = Path("/app/worker.py"), Path("/app/authority.pem")
IMAGE_USER = "65532:65532"
SECRETS = INSIDE / "run/secrets"

MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MNT_DETACH = 1, 32, 4096, 16384, 2


def make_root(bundle: Path) -> None:
    """An image's root: what the machine has, and /app with the worker. The test's namespaces are entered already."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", INSIDE], check=True)
    (INSIDE / "tmp").mkdir()
    (INSIDE / "tmp").chmod(0o1777)
    for entry in Path("/").iterdir():
        inside = INSIDE / entry.name
        if entry.is_symlink():
            inside.symlink_to(entry.readlink())
        elif entry.is_dir() and entry not in (INSIDE, WORKER.parent, Path("/tmp")):
            bind(entry, inside)
    (INSIDE / "app").mkdir(exist_ok=True)
    shutil.copy(ROOT / "examples/cloud-storage/worker.py", INSIDE / WORKER.relative_to("/"))
    shutil.copy(bundle, INSIDE / BUNDLE.relative_to("/"))


def bind(source: Path, place: Path, *, read_only: bool = False) -> None:
    """Mounts a folder at a second place."""
    place.mkdir(parents=True, exist_ok=True)
    libc = ctypes.CDLL(None, use_errno=True)
    paths = str(source).encode(), str(place).encode()
    failed = libc.mount(*paths, None, MS_BIND | MS_REC, None)
    if not failed and read_only:
        failed = libc.mount(None, paths[1], None, MS_BIND | MS_REMOUNT | MS_RDONLY, None)
    if failed:
        raise OSError(ctypes.get_errno(), f"{source} cannot be mounted at {place}")


@dataclass
class Run:
    """What a program left behind."""

    status: int
    stdout: str
    stderr: str


class Pod:
    """One pod; `run` starts programs in it. Before `start` it has neither volumes nor variables."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.environment: dict[str, str] = {}
        self.runs: list[Run] = []
        self.manifest: dict[str, Any] = {"spec": {}}
        self.container: dict[str, Any] = {}
        self._folder = Path()
        # By the path in the container: where that is out here, and the volume's folder.
        self._mounted: dict[str, tuple[Path, Path]] = {}

    def start(self, admitted: Admitted) -> None:
        """What the kubelet does before a container runs."""
        self.clear()
        self.manifest = admitted.pod | {"status": {"podIP": ADDRESS, "hostIP": NODE}}
        spec = self.manifest["spec"]
        self.container = spec["containers"][0]
        self.environment = container.variables(self.manifest, self.container)
        self._folder = Path(tempfile.mkdtemp(prefix="pyproc-pod-"))
        self._folder.chmod(0o755)
        made = {one["name"]: volumes.make(self.cluster, self.manifest, one, self._folder) for one in spec["volumes"]}
        for mount in self.container["volumeMounts"]:
            assert "subPath" not in mount
            inside = container.within(INSIDE, mount["mountPath"])
            bind(made[mount["name"]], inside, read_only=mount.get("readOnly", False))
            self._mounted[mount["mountPath"]] = (inside, made[mount["name"]])
        # A checkout in /tmp, or what it links to, is where the container has a /tmp of its own.
        for link in (ROOT, ROOT / "target", Path(sys.prefix), Path(sys.base_prefix)):
            needed = link.resolve()
            inside = container.within(INSIDE, str(needed))
            if not inside.exists():
                bind(needed, inside, read_only=True)
                self._mounted[str(needed)] = (inside, needed)

    def clear(self) -> None:
        """Removes what was mounted for the pod before."""
        for inside, _ in reversed(self._mounted.values()):
            ctypes.CDLL(None).umount2(str(inside).encode(), MNT_DETACH)
        self._mounted = {}
        for entry in SECRETS.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        if self._folder != Path():
            shutil.rmtree(self._folder)
            self._folder = Path()

    def read(self, file: str) -> str:
        """A file as its programs see it."""
        return container.within(INSIDE, file).read_text()

    def replace(self, file: str, text: str, mode: int | None = None) -> None:
        """The volume has another file at this path, switched over as the kubelet does."""
        place, path = self._volume(file)
        now = place / "..data"
        files = {str(one.relative_to(now)): one.read_text() for one in now.rglob("*") if one.is_file()}
        files[path] = text
        volumes.write(place, files, volumes.fs_group(self.manifest), mode)

    def annotate(self, name: str, value: str) -> None:
        """Somebody annotates the running pod, and the kubelet renews what the downward API says."""
        self.manifest["metadata"]["annotations"][name] = value
        (volume,) = [one for one in self.manifest["spec"]["volumes"] if one["name"] == "podinfo"]
        for path, text in volumes.files(self.cluster, self.manifest, volume).items():
            self.replace(f"/etc/podinfo/{path}", text)

    def request(self, audience: str, seconds: int = 3600) -> str:
        """A token of the pod from the API server."""
        return volumes.token(self.cluster, self.manifest, {"audience": audience, "expirationSeconds": seconds})

    def rotate(self, file: str) -> None:
        """A new token for the one at this path, as its volume asks for it."""
        place, path = self._volume(file)
        (volume,) = [one for one in self.manifest["spec"]["volumes"] if one["name"] == place.name]
        self.replace(file, volumes.files(self.cluster, self.manifest, volume)[path])

    def _volume(self, file: str) -> tuple[Path, str]:
        """The folder of the volume that a file is in, and its path there."""
        path = PurePosixPath(file)
        ((mount, (_, place)),) = [one for one in self._mounted.items() if path.is_relative_to(one[0])]
        return place, str(path.relative_to(mount))

    def _command(self, *command: str) -> list[str]:
        allowed = container.restrictions(self.manifest["spec"], self.container, IMAGE_USER)
        return ["chroot", str(INSIDE), "env", f"--chdir={WORKER.parent}", *allowed, *command]

    def _variables(self, **more: str) -> dict[str, str]:
        # The image's; and what differs from one: the interpreter, and whose certificates are trusted.
        image = {
            "PATH": f"{PROGRAM.parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/tmp",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYPROC_PYTHON": sys.executable,
        }
        trusted = dict.fromkeys(("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"), str(BUNDLE))
        return {**image, **trusted, **self.environment, **more}

    def run(self, *command: str, timeout: float = 120, **more: str) -> Run:
        """Runs a program with the pod's environment and user, and nothing else of this process."""
        done = subprocess.run(
            self._command(*command),
            env=self._variables(**more),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        run = Run(done.returncode, done.stdout, done.stderr)
        self.runs.append(run)
        return run

    def begin(self, *command: str) -> subprocess.Popen[str]:
        """The same for a program that goes on."""
        pipe = subprocess.PIPE
        return subprocess.Popen(self._command(*command), env=self._variables(), stdout=pipe, stderr=pipe, text=True)

    @contextmanager
    def serve(self, *options: str, until: str = "/readyz", **more: str) -> Iterator[str]:
        """The container runs as its manifest says, with further options and variables; where it answers."""
        url = f"http://{ADDRESS}:{container_port(self.container, 'http')}"
        log = self._folder / "log"
        with log.open("ab") as output:
            command = self._command("pyproc", *self.container["args"], *options)
            process = subprocess.Popen(command, env=self._variables(**more), stdout=output, stderr=output)
        try:
            end = time.monotonic() + 60
            while fetch(f"{url}{until}")[0] != 200:
                assert process.poll() is None and time.monotonic() < end, log.read_text()
                time.sleep(0.05)
            yield url
        finally:
            process.terminate()
            process.wait()
            self.runs.append(Run(process.returncode, "", log.read_text()))

    def call(self, function: str, limit: str = "60s", **arguments: str) -> Run:
        """Calls a function of the example's worker through a pool, as any user of pyproc does."""
        return self.run(str(PROGRAM), "call", str(WORKER), function, json.dumps(arguments), "--timeout", limit)

    def doctor(self, *options: str) -> tuple[int, dict[str, Any]]:
        """The doctor's status and what it says."""
        run = self.run(str(PROGRAM), "auth", "doctor", "--json", *options)
        assert run.stdout, run.stderr
        return run.status, json.loads(run.stdout)

    def status(self, *options: str) -> tuple[int, dict[str, Any]]:
        """What `pyproc auth status` says."""
        run = self.run(str(PROGRAM), "auth", "status", "--json", *options)
        assert run.stdout, run.stderr
        return run.status, json.loads(run.stdout)


def fetch(url: str, body: dict[str, str] | None = None) -> tuple[int, str]:
    """Status and body of one request; 0 without an answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=90) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)
