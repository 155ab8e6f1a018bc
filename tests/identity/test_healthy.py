"""Each mechanism as it should be, from what this project ships: the SDK reaches its bucket, and the doctor finds nothing."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest
from cloud import Cloud
from mechanisms import ALL, Made
from network import wait_until
from pod import PROGRAM, RUST_SDKS, Pod, fetch
from renders import Render


def over_http(url: str, made: Made, text: str) -> tuple[int, str]:
    """Calls the worker's function over HTTP."""
    return fetch(f"{url}/v1/call/{made.function}", {**made.arguments, "text": text})


@pytest.mark.parametrize("name", ALL)
def test_an_unmodified_sdk_in_a_worker_reaches_its_bucket(name: str, cloud: Cloud, pod: Pod) -> None:
    made = ALL[name](cloud, pod)
    with pod.serve() as url:
        assert over_http(url, made, "written by a worker") == (200, '"written by a worker"')


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
    assert said["principal"].startswith(made.principal), said
    run = pod.run(str(PROGRAM), "auth", "wait", "--timeout", "20s")
    assert run.status == 0, run.stderr


@pytest.mark.parametrize("name", ALL)
def test_the_clouds_sdks_for_rust_are_the_same_to_the_cloud(name: str, cloud: Cloud, pod: Pod) -> None:
    made = ALL[name](cloud, pod)
    run = pod.run(str(RUST_SDKS), made.function)
    assert run.status == 0, run.stderr
    said = json.loads(run.stdout)
    match made.function:
        case "aws":
            session = cloud.aws.sessions[said["key"]]
            assert (session.token, session.arn) == (said["session"], said["arn"])
            assert said["arn"].startswith(made.principal)
        case "azure":
            key = cloud.entra.key.key.public_key()
            claims = jwt.decode(said["token"], key, algorithms=["RS256"], audience="https://storage.azure.com")
            assert claims["appid"] == made.principal
        case "google":
            assert cloud.google.tokens[said["token"]] == made.principal


# Who refuses an expired token, and what the SDK's error then has in it. Azure's tries again for more than a minute, with
# the token that this one client has read.
ROTATED = {
    "eks-irsa": ("sts", "ExpiredToken"),
    "eks-pod-identity": ("agent", "ExpiredToken"),
    "aks": ("entra", None),
    "external": ("google-sts", "expired"),
}


@pytest.mark.parametrize("name", ROTATED)
def test_a_process_that_goes_on_uses_the_token_that_the_kubelet_has_renewed(name: str, cloud: Cloud, pod: Pod) -> None:
    """The first token ends sooner than a new one, as it does when some of its time is over."""
    made = ALL[name](cloud, pod)
    exchange, error = ROTATED[name]
    server = cloud.servers.get(exchange) or cloud.local[exchange]
    # What the SDK has got is not what it goes on with.
    cloud.aws.lifetime = 300
    (audience,) = jwt.decode(pod.read(made.file), options={"verify_signature": False})["aud"]
    pod.replace(made.file, pod.request(audience, 600))
    with ThreadPoolExecutor() as beside, pod.serve() as url:
        assert over_http(url, made, "before") == (200, '"before"')
        assert server.statuses[-1] == 200
        until_now = len(server.statuses)
        cloud.clock.offset = 700
        expired = beside.submit(over_http, url, made, "expired")
        wait_until("a refusal", lambda: any(status >= 400 for status in server.statuses[until_now:]))
        if error:
            status, answer = expired.result()
            assert status == 500 and error in answer, answer
        pod.rotate(made.file)
        assert over_http(url, made, "after") == (200, '"after"')


def test_without_any_identity_nothing_is_expected(cloud: Cloud, pod: Pod) -> None:
    pod.start(cloud.admission.admit(Render("nothing"), "no-identity"))
    assert pod.doctor()[0] == 3
    assert pod.status()[0] == 3
    assert pod.run(str(PROGRAM), "auth", "wait").status == 3
