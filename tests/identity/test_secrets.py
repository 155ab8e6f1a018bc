"""Whatever the program prints, logs or reports: no token, no key."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cloud import Cloud
from kubelet import ADDRESS, container_port
from mechanisms import ALL, DISTINCT, Made
from pod import PROGRAM, SECRETS, Pod

# Azure's SDK tries for about a minute before it gives up.
PATIENCE = 300
LOUD = {"PYPROC_LOG_FILTER": "trace", "RUST_LOG": "trace"}


def secrets(made: Made) -> dict[str, str]:
    """Everything that nobody may see: mounted tokens, and what the clouds gave out."""
    found = {
        str(path): path.read_text().strip() for path in SECRETS.rglob("*") if path.is_file() and path.suffix != ".json"
    }
    for key, session in made.cloud.aws.sessions.items():
        found |= {f"key {key}": key, f"secret of {key}": session.secret, f"session of {key}": session.token}
    for number, token in enumerate(made.cloud.entra.tokens):
        found[f"Entra's token {number}"] = token
    for number, token in enumerate(made.cloud.google.tokens):
        found[f"Google's token {number}"] = token
    # What comes after the claims proves a token; without it they are no secret.
    return {name: text.rsplit(".", 1)[-1] for name, text in found.items() if text}


def given_out(found: dict[str, str]) -> bool:
    """Whether something of the cloud is among them, not mounted tokens only."""
    return any(not where.startswith("/") for where in found)


def refuse(cloud: Cloud) -> None:
    """The cloud knows nobody any more: errors repeat what they were given."""
    cloud.aws.roles.clear()
    cloud.aws.associations.clear()
    cloud.entra.applications.clear()
    cloud.google.providers.clear()
    cloud.metadata.denied = True


@pytest.mark.parametrize("name", DISTINCT)
def test_no_output_has_a_secret(name: str, cloud: Cloud, pod: Pod) -> None:
    made = ALL[name](cloud, pod)
    for words in ("status --online", "status --online --json", "doctor --online", "doctor --online --json", "wait"):
        pod.run(str(PROGRAM), "auth", *words.split(), **LOUD)
    made.use()
    refuse(cloud)
    for words in ("status --online --json", "doctor --online", "doctor --online --json", "wait --timeout 1s"):
        pod.run(str(PROGRAM), "auth", *words.split(), **LOUD)
    searched = secrets(made)
    assert given_out(searched)
    for run in pod.runs:
        for where, secret in searched.items():
            assert secret not in run.stdout and secret not in run.stderr, f"{where} was printed: {run}"


@dataclass
class Gateway:
    """A gateway of the pod, and all that it has answered."""

    base: str
    metrics: str
    answers: list[str] = field(default_factory=list)

    def ask(self, url: str, body: object = None) -> tuple[int, str]:
        """A request, whose answer is kept."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                status, text = answer.status, answer.read().decode()
        except urllib.error.HTTPError as answer:
            status, text = answer.code, answer.read().decode()
        self.answers.append(text)
        return status, text

    def until(self, what: str, status: int, text: str = "") -> None:
        """Waits until a probe answers so."""
        end = time.monotonic() + 60
        while True:
            try:
                found = self.ask(f"{self.base}{what}")
            except OSError as error:
                found = (0, str(error))
            if found[0] == status and text in found[1]:
                return
            assert time.monotonic() < end, found
            time.sleep(0.05)

    def use(self, made: Made) -> tuple[int, str]:
        """Writes an object and reads it back, by a call over HTTP."""
        return self.ask(f"{self.base}/v1/call/{made.function}", {**made.arguments, "text": "hello"})

    def look(self) -> None:
        """Everything that the gateway tells of itself."""
        for page in ("/readyz", "/startupz", "/v1/status", "/v1/functions", "/openapi.json"):
            self.ask(f"{self.base}{page}")
        assert "pyproc_" in self.ask(f"{self.metrics}/metrics")[1] or self.ask(f"{self.base}/readyz")[0] == 503


@contextmanager
def gateway(pod: Pod, *options: str) -> Iterator[Gateway]:
    """The pod's `pyproc serve`; what it has logged is the last of the pod's runs afterwards."""
    more = ("--workers=1", "--timeout=5m", "--shutdown-delay=0s", "--show-tracebacks", *options)
    with pod.serve(*more, until="/healthz", **LOUD) as url:
        yield Gateway(url, f"http://{ADDRESS}:{container_port(pod.container, 'metrics')}")
    assert pod.runs[-1].status == 0, pod.runs[-1].stderr[-3000:]


@pytest.mark.parametrize("log", ["pretty", "json"])
@pytest.mark.parametrize("name", DISTINCT)
def test_no_gateway_tells_a_secret(name: str, log: str, cloud: Cloud, pod: Pod) -> None:
    made = ALL[name](cloud, pod)
    answers: list[str] = []
    with gateway(pod, "--log", log, "--wait-for-identity", "--no-static-credentials") as healthy:
        healthy.until("/readyz", 200)
        assert healthy.use(made) == (200, '"hello"')
        healthy.look()
        answers += healthy.answers
    found = secrets(made)
    refuse(cloud)
    # The gateway waits, and says why; without a wait the SDK fails, and the client is told how.
    with gateway(pod, "--log", log, "--wait-for-identity") as waiting:
        waiting.until("/readyz", 503, "wait for the cloud identity")
        waiting.look()
        answers += waiting.answers
    with gateway(pod, "--log", log) as failing:
        failing.until("/readyz", 200)
        status, text = failing.use(made)
        assert status == 500 and "Traceback" in text, text
        failing.look()
        answers += failing.answers
    assert "wait for the cloud identity" in pod.runs[-2].stderr
    found |= secrets(made)
    assert given_out(found)
    for text in [*answers, *(run.stdout + run.stderr for run in pod.runs)]:
        for where, secret in found.items():
            assert secret not in text, f"{where} was told: {text}"


def test_static_keys_are_named_and_not_shown(cloud: Cloud, pod: Pod) -> None:
    ALL["eks-irsa"](cloud, pod)
    pod.environment |= {
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMIK7MDENG",
        "AZURE_CLIENT_SECRET": "s3cr3t-of-the-application",
    }
    for words in ("status", "doctor", "doctor --json"):
        run = pod.run(str(PROGRAM), "auth", *words.split())
        assert "AWS_SECRET_ACCESS_KEY" in run.stdout
        assert "wJalr" not in run.stdout + run.stderr and "s3cr3t" not in run.stdout + run.stderr


def test_no_core_is_written_of_a_program_with_tokens(cloud: Cloud, pod: Pod) -> None:
    ALL["gke"](cloud, pod)
    cloud.local.pop("metadata").close()
    program = pod.begin(str(PROGRAM), "auth", "wait")
    assert program.stderr is not None and program.stderr.readline()
    limits = Path(f"/proc/{program.pid}/limits").read_text()
    program.kill()
    program.wait()
    (line,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    assert line.split()[4:6] == ["0", "0"], line
