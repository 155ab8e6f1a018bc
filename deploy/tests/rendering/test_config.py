"""Every configuration that is rendered, or shown on a page, is one that the program takes."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
import renders
import yaml
from pages import Block, all_blocks
from renders import ROOT, run

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = os.environ.get("PYPROC", ROOT / "target/release/pyproc")
MOUNTED = "/etc/pyproc/config.yaml"


def effective(text: str, arguments: list[str], folder: Path) -> dict[str, Any]:
    """What the program makes of a file that is mounted where its arguments say."""
    path = folder / "config.yaml"
    path.write_text(text)
    told = [str(path) if argument == MOUNTED else argument for argument in arguments]
    return json.loads(run(PROGRAM, "config", *told, "--format", "json"))


def check(text: str, arguments: list[str], folder: Path) -> None:
    """Every key of the file is in force."""
    given = yaml.safe_load(text)
    found = effective(text, arguments, folder)
    assert {key: found[key] for key in given} == given


@pytest.mark.parametrize("render", [*renders.charts(), *renders.overlays()], ids=lambda render: render.name)
def test_the_program_takes_what_is_rendered(render: renders.Render, tmp_path: Path) -> None:
    objects = render.objects()
    container = renders.one(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    serve, *arguments = container["args"]
    assert serve == "serve"
    assert MOUNTED in arguments
    (text,) = [found["data"]["config.yaml"] for found in objects if "config.yaml" in found.get("data", {})]
    check(text, arguments, tmp_path)


@pytest.mark.parametrize("block", all_blocks("yaml", "values"), ids=str)
def test_the_program_takes_what_the_pages_values_render(block: Block, tmp_path: Path) -> None:
    objects = renders.objects(renders.template(inline=block.text))
    (text,) = [found["data"]["config.yaml"] for found in objects if "config.yaml" in found.get("data", {})]
    check(text, ["--config", MOUNTED, "--allow-unauthenticated"], tmp_path)


@pytest.mark.parametrize("block", all_blocks("yaml", "config"), ids=str)
def test_the_program_takes_what_a_page_shows(block: Block, tmp_path: Path) -> None:
    check(block.text, ["--config", MOUNTED, "--allow-unauthenticated"], tmp_path)


def test_large_numbers_stay_numbers(tmp_path: Path) -> None:
    for helm in ("helm", "helm3"):
        text = renders.template("--set=config.queue=1000000,config.max_connections=1000000", helm=helm)
        (config,) = [found["data"]["config.yaml"] for found in renders.objects(text) if found["kind"] == "ConfigMap"]
        found = effective(config, ["--config", MOUNTED, "--allow-unauthenticated"], tmp_path)
        assert (found["queue"], found["max_connections"]) == (1_000_000, 1_000_000)


def test_every_key_of_the_program_is_a_value() -> None:
    keys = json.loads(run(PROGRAM, "config", "schema"))["properties"]
    values = json.loads((renders.CHART / "values.schema.json").read_text())["properties"]["config"]["properties"]
    assert keys.keys() == values.keys()


def test_the_workers_on_the_pages_are_workers(tmp_path: Path) -> None:
    for block in all_blocks("python", "worker"):
        (tmp_path / "worker.py").write_text(block.text)
        assert run(PROGRAM, "list", tmp_path / "worker.py")


def test_the_worker_of_the_basic_example_answers(tmp_path: Path) -> None:
    values = yaml.safe_load((ROOT / "examples/helm-basic/values.yaml").read_text())
    (tmp_path / "worker.py").write_text(values["worker"]["inline"])
    test = values["test"]
    answer = run(PROGRAM, "call", tmp_path / "worker.py", test["function"], test["body"])
    assert json.loads(answer) == json.loads(test["expect"])
