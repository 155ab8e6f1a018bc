"""Whatever the program prints, logs or reports: no token, no key."""

from __future__ import annotations

from pathlib import Path

import pytest
from cloud import Cloud
from mechanisms import ALL, Made
from pod import PROGRAM, SECRETS, Pod


def secrets(made: Made) -> dict[str, str]:
    """Everything that nobody may see: mounted tokens, and what the clouds gave out."""
    found = {
        str(path): path.read_text().strip() for path in SECRETS.rglob("*") if path.is_file() and path.suffix != ".json"
    }
    for key, session in made.cloud.aws.sessions.items():
        found |= {f"key {key}": key, f"session of {key}": session.token}
    for number, token in enumerate(made.cloud.google.tokens):
        found[f"Google's token {number}"] = token
    # What comes after the claims proves a token; without it they are no secret.
    return {name: text.rsplit(".", 1)[-1] for name, text in found.items() if text}


@pytest.mark.parametrize("name", ALL)
def test_no_output_has_a_secret(name: str, cloud: Cloud, pod: Pod) -> None:
    made = ALL[name](cloud, pod)
    loud = {"PYPROC_LOG": "trace", "PYPROC_LOG_FILTER": "trace", "RUST_LOG": "trace"}
    for words in ("status --online", "status --online --json", "doctor --online", "doctor --online --json", "wait"):
        pod.run(str(PROGRAM), "auth", *words.split(), **loud)
    made.use()
    # The same when the cloud refuses, since errors repeat what they were given.
    cloud.aws.roles.clear()
    cloud.aws.associations.clear()
    cloud.entra.applications.clear()
    cloud.google.providers.clear()
    cloud.metadata.denied = True
    for words in ("status --online --json", "doctor --online", "doctor --online --json", "wait --timeout 1s"):
        pod.run(str(PROGRAM), "auth", *words.split(), **loud)
    searched = secrets(made)
    assert searched or name.startswith("gke")
    for run in pod.runs:
        for where, secret in searched.items():
            assert secret not in run.stdout and secret not in run.stderr, f"{where} was printed: {run}"


def test_static_keys_are_named_and_not_shown(pod: Pod) -> None:
    pod.environment |= {
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMIK7MDENG",
        "AZURE_CLIENT_SECRET": "s3cr3t-of-the-application",
    }
    for words in ("status", "doctor", "doctor --json"):
        run = pod.run(str(PROGRAM), "auth", *words.split())
        assert "AWS_SECRET_ACCESS_KEY" in run.stdout
        assert "wJalr" not in run.stdout + run.stderr and "s3cr3t" not in run.stdout + run.stderr


def test_a_crash_leaves_no_core(cloud: Cloud, pod: Pod) -> None:
    ALL["gke"](cloud, pod)
    cloud.local.pop("metadata").close()
    program = pod.begin(str(PROGRAM), "auth", "wait")
    assert program.stderr is not None and program.stderr.readline()
    limits = Path(f"/proc/{program.pid}/limits").read_text()
    program.kill()
    program.wait()
    (line,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    assert line.split()[4:6] == ["0", "0"], line
