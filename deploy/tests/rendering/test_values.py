"""The schema: what it refuses, and that a parent chart can use this one."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import renders
import yaml
from renders import BIN, CHART, laid_over, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())
CHECK = jsonschema.Draft7Validator(SCHEMA)


def closed(schema: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of all objects whose keys are the chart's own, or the program's."""
    if schema.get("additionalProperties") is False and "properties" in schema:
        yield path
    for name, child in schema.get("properties", {}).items():
        yield from closed(child, (*path, name))


def test_the_schema_is_draft_07() -> None:
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"
    jsonschema.Draft7Validator.check_schema(SCHEMA)


def test_the_defaults_and_the_production_values_fit() -> None:
    CHECK.validate(DEFAULTS)
    CHECK.validate(laid_over(yaml.safe_load((CHART / "values-production.yaml").read_text())))


@pytest.mark.parametrize("path", ["podLabels", "cloudIdentity", "serviceAccount.annotations", "cloudIdentity.eks"])
def test_a_key_without_anything_under_it_is_refused_and_named(path: str) -> None:
    nothing: Any = None
    for name in reversed(path.split(".")):
        nothing = {name: nothing}
    for helm in ("helm", "helm3"):
        command = [BIN / helm, "template", "pyproc", CHART, "--values=-"]
        with pytest.raises(AssertionError, match=f"missing property '{path.rpartition('.')[2]}'"):
            run(*command, text=yaml.safe_dump(nothing))


def test_every_group_of_values_is_closed() -> None:
    paths = set(closed(SCHEMA))
    assert {(), ("image",), ("config",), ("cloudIdentity",), ("cloudIdentity", "eks"), ("secretsStore",)} <= paths


@pytest.mark.parametrize("path", sorted(closed(SCHEMA)), ids=".".join)
def test_an_unknown_key_is_refused_and_named(path: tuple[str, ...]) -> None:
    values = copy.deepcopy(DEFAULTS)
    group = values
    for name in path:
        group = group.setdefault(name, {})
    group["mispelled"] = "x"
    (error,) = CHECK.iter_errors(values)
    assert "mispelled" in error.message


def test_both_helms_say_which_key_is_unknown() -> None:
    for helm in ("helm", "helm3"):
        with pytest.raises(AssertionError, match="replicas"):
            renders.template("--set=replicas=3", helm=helm)
        with pytest.raises(AssertionError, match="querty"):
            renders.template("--set=config.querty=3", helm=helm)


@pytest.mark.parametrize("helm", ["helm", "helm3"])
def test_a_parent_chart_can_use_it(helm: str, tmp_path: Path) -> None:
    (tmp_path / "charts").mkdir()
    (tmp_path / "charts/pyproc").symlink_to(CHART)
    dependency = {"name": "pyproc", "version": "0.1.0", "condition": "pyproc.enabled"}
    chart = {"apiVersion": "v2", "name": "parent", "version": "1.0.0", "dependencies": [dependency]}
    (tmp_path / "Chart.yaml").write_text(yaml.safe_dump(chart))
    identity = {"provider": "eks-pod-identity"}
    values = {"global": {"team": "a"}, "pyproc": {"enabled": True, "cloudIdentity": identity}}
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(values))
    version = f"--kube-version={renders.NEWEST}"
    deployment = renders.one(renders.objects(run(BIN / helm, "template", "app", tmp_path, version)), "Deployment")
    assert deployment["metadata"]["name"] == "app-pyproc"
    assert deployment["spec"]["template"]["metadata"]["annotations"]["pyproc/identity-provider"] == "eks-pod-identity"
    assert run(BIN / helm, "template", "app", tmp_path, version, "--set=pyproc.enabled=false").strip() == ""


def test_text_stays_text() -> None:
    names = "nameOverride=12,serviceAccount.name=77,priorityClassName=5,auth.existingSecret=9,auth.key=on"
    made = renders.objects(renders.template(f"--set-string={names}", release="1234"))
    labels = [value for one in made for value in one["metadata"]["labels"].values()]
    pod = renders.one(made, "Deployment")["spec"]["template"]["spec"]
    (secret,) = [volume["secret"] for volume in pod["volumes"] if volume["name"] == "tokens"]
    named = [pod["serviceAccountName"], pod["priorityClassName"], secret["secretName"], secret["items"][0]["key"]]
    assert named == ["77", "5", "9", "on"]
    assert all(isinstance(text, str) for text in [*labels, *(one["metadata"]["name"] for one in made)])


def test_a_changed_annotation_replaces_the_pods() -> None:
    def checksum(role: str) -> str:
        values = {
            "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": f"arn:aws:iam::999988887777:role/{role}"}}
        }
        made = renders.objects(renders.template(inline=yaml.safe_dump(values)))
        return renders.one(made, "Deployment")["spec"]["template"]["metadata"]["annotations"][
            "pyproc/identity-checksum"
        ]

    assert checksum("one") != checksum("other")
    assert checksum("one") == checksum("one")
