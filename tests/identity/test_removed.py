"""One thing removed at a time: what the SDK says, and which of the doctor's codes names it.

The tables are the test; `removed_aws.py`, `removed_azure.py` and `removed_google.py` have them. A row takes a healthy
pod, changes one thing on the pod's or the cloud's side, or edits what was rendered before the pod is made, and says
what the SDK's error has in it (nothing where the SDK works all the same) and which codes the doctor finds, offline
and online. Remedies are compared where they are computed from the pod's own token.
"""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import pytest
import removed_aws
import removed_azure
import removed_google
from admission import Edit
from cloud import Cloud
from mechanisms import ALL, GSA
from pod import PROGRAM, ROOT, Pod
from removal import troubles

ROWS = removed_aws.ROWS | removed_azure.ROWS | removed_google.ROWS
# Findings that are no trouble.
INFORMATION = {"TOKEN_LIFETIME", "GKE_NO_GSA_FEATURE"}


def test_every_code_has_a_row() -> None:
    page = (ROOT / "docs/identity-codes.md").read_text()
    codes = set(re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE))
    assert codes == INFORMATION.union(*(row.offline | row.online for row in ROWS.values()))


@pytest.mark.parametrize("name", ROWS)
def test_what_is_removed_is_named(name: str, cloud: Cloud, pod: Pod) -> None:
    row = ROWS[name]
    made = ALL[row.base](cloud, pod, row.change if isinstance(row.change, Edit) else None)
    if not isinstance(row.change, Edit):
        row.change(made)
    row.beside(made)
    for options, expected in (((), row.offline), (("--online",), row.online)):
        status, found = troubles(pod, *options)
        assert set(found) == expected, json.dumps(found, indent=1)
        broken = any(finding["verdict"] == "fail" for finding in found.values())
        # Expected and absent, and nothing that could be looked at says why.
        broken |= "UNKNOWN_PROVIDER" in found
        assert status == (1 if broken else 0)
        ended, said = pod.status(*options)
        assert ended == status
        fails = {code for code, finding in found.items() if finding["verdict"] == "fail"}
        assert {broken["code"] for broken in said["broken"]} == fails
        for finding in found.values():
            assert finding["summary"], finding
    # Azure's client tries again for more than a minute; its first refusal is what is looked at.
    run = made.use(limit="30s" if row.sdk else "60s")
    assert run.status == (1 if row.sdk else 0) and row.sdk in run.stderr, run.stderr[-3000:]
    row.check(made, found)


def test_waiting_ends_when_the_metadata_server_answers(cloud: Cloud, pod: Pod) -> None:
    made = ALL["gke"](cloud, pod)
    removed_google.no_metadata(made)
    waiting = pod.begin(str(PROGRAM), "auth", "wait", "--timeout", "60s")
    assert waiting.stderr is not None and "waiting: " in waiting.stderr.readline()
    cloud.start_metadata()
    out, _ = waiting.communicate(timeout=60)
    assert waiting.returncode == 0 and GSA in out


def test_waiting_gives_up_with_the_reason(cloud: Cloud, pod: Pod) -> None:
    made = ALL["eks-irsa"](cloud, pod)
    removed_aws.forget_role(made)
    run = pod.run(str(PROGRAM), "auth", "wait", "--timeout", "1s")
    assert run.status == 1 and "AccessDenied" in run.stderr


def test_a_rotated_token_is_used_at_the_next_exchange(cloud: Cloud, pod: Pod) -> None:
    made = ALL["eks-irsa"](cloud, pod)
    made.pod.replace(made.file, made.yesterday("sts.amazonaws.com"))
    assert troubles(pod, "--online")[1].keys() == {"TOKEN_EXPIRED"}
    made.pod.rotate(made.file)
    assert troubles(pod, "--online") == (0, {})
    assert made.use().status == 0


def test_dns_that_does_not_answer_is_named_and_nobody_waits_for_it(cloud: Cloud, pod: Pod) -> None:
    """Packets to it are dropped, as by a policy that forgets port 53, and a resolver tries for minutes."""
    made = ALL["eks-irsa"](cloud, pod)
    removed_aws.sts_is_silent(made)
    file = Path("/etc/resolv.conf")
    before = file.read_text()
    file.write_text("nameserver 127.0.0.1\noptions timeout:30 attempts:5\n")
    with socket.socket(type=socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 53))
        _, found = troubles(pod, "--online")
    file.write_text(before)
    assert set(found) == {"AWS_STS_ENDPOINT"}
    assert "no answer from DNS" in json.dumps(found) and "port 53" in found["AWS_STS_ENDPOINT"]["cause"]
