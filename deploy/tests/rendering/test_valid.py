"""What is rendered is valid, for the oldest and the newest Kubernetes, and the same whoever renders it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import renders
import yaml
from renders import BIN, CHART, NEWEST, OLDEST, SCHEMAS, run

if TYPE_CHECKING:
    from pathlib import Path

ALL = [*renders.charts(), *renders.overlays()]


def validate(text: str, version: str) -> None:
    """Fails on anything that the schemas do not know: kubeconform, strict, offline."""
    core = "{{.NormalizedKubernetesVersion}}-standalone{{.StrictSuffix}}/{{.ResourceKind}}{{.KindSuffix}}.json"
    custom = "crd/{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json"
    locations = [f"-schema-location={SCHEMAS}/{place}" for place in (core, custom)]
    run(BIN / "kubeconform", "-strict", "-kubernetes-version", version, *locations, "-", text=text)


def test_the_oldest_cluster_is_the_charts() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["kubeVersion"] == f">={OLDEST}-0"


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("render", ALL, ids=lambda render: render.name)
def test_every_render_is_valid(render: renders.Render, version: str) -> None:
    validate(render.text(kube_version=version), version)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("name", renders.COMPONENTS)
def test_every_component_alone_is_valid(name: str, version: str, tmp_path: Path) -> None:
    validate(renders.build(renders.component(name, tmp_path)), version)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("render", renders.charts(), ids=lambda render: render.name)
def test_helm_4_and_helm_3_render_the_same_bytes(render: renders.Render, version: str) -> None:
    assert render.text(version, helm="helm") == render.text(version, helm="helm3")


@pytest.mark.parametrize("render", renders.overlays(), ids=lambda render: render.name)
def test_kubectl_and_kustomize_build_the_same(render: renders.Render) -> None:
    assert render.overlay
    assert run(BIN / "kubectl", "kustomize", render.overlay) == render.text()


@pytest.mark.parametrize("helm", ["helm", "helm3"])
@pytest.mark.parametrize("render", renders.charts(), ids=lambda render: render.name)
def test_the_chart_passes_lint(render: renders.Render, helm: str) -> None:
    values = [f"--values={path}" for path in render.values]
    run(BIN / helm, "lint", "--strict", "--quiet", CHART, *values, "--values=-", text=render.inline or "{}")


def test_a_cluster_that_is_too_old_is_refused() -> None:
    with pytest.raises(AssertionError, match=r"chart requires kubeVersion: >=1\.29\.0-0"):
        renders.template(kube_version="1.28.9")


def test_clusters_of_the_clouds_are_not_too_old() -> None:
    for version in ("1.29.0-gke.1381000", "1.31.4-eks-8cce635"):
        assert renders.template(kube_version=version)
