"""Each mechanism as it should be: the SDK reaches its bucket, and the doctor finds nothing."""

from __future__ import annotations

import json

import pytest
from cloud import Cloud
from mechanisms import ALL
from pod import PROGRAM, Pod


@pytest.mark.parametrize("name", ALL)
def test_an_unmodified_sdk_in_a_worker_reaches_its_bucket(name: str, cloud: Cloud, pod: Pod) -> None:
    made = ALL[name](cloud, pod)
    run = made.use("written by a worker")
    assert (run.status, run.stdout) == (0, '"written by a worker"\n'), run.stderr


@pytest.mark.parametrize("name", ALL)
def test_the_doctor_finds_nothing_and_the_cloud_says_who_it_is(name: str, cloud: Cloud, pod: Pod) -> None:
    made = ALL[name](cloud, pod)
    for options in ((), ("--online", "--strict")):
        status, report = pod.doctor(*options)
        troubles = [finding for finding in report["findings"] if finding["verdict"] != "pass"]
        assert (status, troubles) == (0, []), json.dumps(troubles, indent=1)
        assert report["mechanism"] == made.mechanism
    status, said = pod.status("--online")
    assert status == 0 and said["exchanged"] is True, said
    assert said["principal"], said
    run = pod.run(str(PROGRAM), "auth", "wait", "--timeout", "20s")
    assert run.status == 0, run.stderr


def test_without_any_identity_nothing_is_expected(pod: Pod) -> None:
    assert pod.doctor()[0] == 3
    assert pod.status()[0] == 3
    assert pod.run(str(PROGRAM), "auth", "wait").status == 3
