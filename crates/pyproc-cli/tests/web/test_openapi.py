"""/openapi.json as a validator and as a client made from it see it."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import gateway
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from openapi_spec_validator import OpenAPIV31SpecValidator

HERE = Path(__file__).parent
WORKERS = [gateway.TYPED, HERE / "worker.py", HERE.parent / "workers/gateway.py", HERE / "shapes.py"]


def document(base: str) -> dict:
    with urllib.request.urlopen(f"{base}/openapi.json", timeout=gateway.PATIENCE) as response:
        assert response.headers["content-type"] == "application/json"
        return json.load(response)


@pytest.mark.parametrize("worker", WORKERS, ids=lambda path: path.parent.name + "/" + path.name)
def test_the_document_is_valid(worker):
    with gateway.serve(worker) as base:
        OpenAPIV31SpecValidator(document(base)).validate()


def test_the_document_asks_for_the_token(tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("open-sesame\n")
    with gateway.serve(gateway.TYPED, "--token-file", str(tokens)) as base:
        request = urllib.request.Request(f"{base}/openapi.json", headers={"Authorization": "Bearer open-sesame"})
        with urllib.request.urlopen(request, timeout=gateway.PATIENCE) as response:
            described = json.load(response)
    OpenAPIV31SpecValidator(described).validate()
    assert described["security"] == [{"token": []}]
    assert "401" in described["paths"]["/v1/call/quote"]["post"]["responses"]


@pytest.fixture
def described(typed):
    return schemathesis.openapi.from_url(f"{typed}/openapi.json")


schema = schemathesis.pytest.from_fixture("described")


@schema.parametrize()
@settings(
    max_examples=100,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_the_gateway_does_what_it_says(case):
    # A client that waits for a millisecond gets its 504, as it should.
    if case.headers:
        case.headers.pop("X-Request-Timeout", None)
    case.call_and_validate(timeout=gateway.PATIENCE)
