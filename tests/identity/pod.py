"""A pod as the kubelet makes it: its files, its environment, and programs that run in it under its user."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "target/release/pyproc"
WORKER = ROOT / "examples/cloud-storage/worker.py"
USER = 65532
PODINFO = Path("/etc/podinfo")
SECRETS = Path("/run/secrets")


@dataclass
class Run:
    """What a program left behind."""

    status: int
    stdout: str
    stderr: str


@dataclass
class Pod:
    """One pod; `run` starts programs in it."""

    bundle: Path
    environment: dict[str, str] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)

    def clear(self) -> None:
        """Removes what was mounted for the pod before."""
        for folder in (PODINFO, SECRETS):
            if folder.exists():
                for entry in folder.iterdir():
                    shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()

    def mount(self, folder: str | Path, files: dict[str, str], mode: int = 0o644, owner: int = 0) -> None:
        """Writes a volume as the kubelet does: a new folder, and `..data` switched over to it at once."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        number = sum(1 for entry in folder.iterdir() if entry.name.startswith("..v"))
        made = folder / f"..v{number}"
        for name, text in files.items():
            path = made / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(mode)
            os.chown(path, owner, owner)
            top = folder / name.split("/")[0]
            if not top.is_symlink():
                top.symlink_to(f"..data/{name.split('/')[0]}")
        new = folder / "..data_tmp"
        new.symlink_to(made.name)
        new.rename(folder / "..data")

    def podinfo(self, labels: dict[str, str] | None = None, **annotations: str) -> None:
        """The downward API's files: `provider` and `principal` under the chart's names."""
        notes = {f"pyproc/identity-{name}": value for name, value in annotations.items()}
        lines = lambda pairs: "".join(f"{name}={json.dumps(value)}\n" for name, value in pairs.items())  # noqa: E731
        self.mount(PODINFO, {"labels": lines({"app": "pyproc", **(labels or {})}), "annotations": lines(notes)})

    def run(self, *command: str, timeout: float = 120, **variables: str) -> Run:
        """Runs a program with the pod's environment and user, and nothing else of this process."""
        trusted = {name: str(self.bundle) for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")}
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "PYPROC_PYTHON": sys.executable,
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        user = (
            "setpriv",
            f"--reuid={USER}",
            f"--regid={USER}",
            "--clear-groups",
            "--no-new-privs",
            "--inh-caps=-all",
            "--bounding-set=-all",
        )
        done = subprocess.run(
            [*user, *command],
            env={**environment, **trusted, **self.environment, **variables},
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd="/",
            check=False,
        )
        run = Run(done.returncode, done.stdout, done.stderr)
        self.runs.append(run)
        return run

    def call(self, function: str, **arguments: str) -> Run:
        """Calls a function of the example's worker through a pool, as any user of pyproc does."""
        return self.run(str(PROGRAM), "call", str(WORKER), function, json.dumps(arguments), "--timeout", "60s")

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
