"""/openapi.json as a validator and as a client made from it see it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import gateway
import pytest
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


def test_the_gateway_does_what_it_says(typed, tmp_path):
    """Every check of schemathesis: no undocumented status, no 5xx, every answer as its schema says,
    nothing refused that fits and nothing taken that does not.
    """
    command = [Path(sys.executable).with_name("schemathesis"), "run", f"{typed}/openapi.json"]
    command += ["--checks", "all", "--max-examples", "100", "--seed", "1", "--no-color"]
    # A client that waits for a millisecond gets its 504, as it should.
    command += ["--header", "X-Request-Timeout: 1m"]
    environment = os.environ | {"SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE)}
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    # The document itself has been read before.
    operations = len(document(typed)["paths"].keys() - {"/openapi.json"})
    assert f"Tested: {operations}" in run.stdout
