"""The Kustomize tree: the chart's twin, put together by users."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Any

import pages
import pytest
import renders
import yaml
from renders import COMPONENTS, KUSTOMIZE, ROOT, build, kustomization, objects, one, run

sys.path.insert(0, str(ROOT / "deploy/generate"))
import base

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GKE = "identity-gke"
CLOUDS = {
    "gke": ([GKE, "secrets-store-csi-gcp"], "iam.gke.io/gcp-service-account"),
    "eks-irsa": (["identity-eks-irsa", "secrets-store-csi-aws"], "eks.amazonaws.com/role-arn"),
    "eks-pod-identity": (["identity-eks-pod-identity", "secrets-store-csi-aws"], None),
    "aks": (["identity-aks", "secrets-store-csi-azure"], "azure.workload.identity/client-id"),
}


def cloud_of(components: list[str]) -> dict[str, str]:
    """What the components read, all of it in one ConfigMap."""
    return {key: value for name in components for key, value in COMPONENTS[name][1].items()}


def without_hash(rendered: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Objects by kind and name, the hash at the end of a ConfigMap's name taken away everywhere."""
    text = yaml.safe_dump_all(rendered)
    for found in rendered:
        name = found["metadata"]["name"]
        if found["kind"] == "ConfigMap":
            text = text.replace(name, name.rpartition("-")[0])
    return {(found["kind"], found["metadata"]["name"]): found for found in objects(text)}


def same_as_chart(overlay: str, *arguments: str) -> None:
    """An overlay is what the chart renders, less what is listed in deploy/generate/base.py."""
    chart = base.rendered(renders.BIN / "helm", renders.CHART, list(arguments))
    by_name = {(found["kind"], found["metadata"]["name"]): found for found in chart}
    assert without_hash(objects(build(KUSTOMIZE / overlay))) == by_name


def test_the_base_is_the_charts_defaults() -> None:
    same_as_chart("base")


def test_production_is_the_charts_production() -> None:
    identity = "--set=cloudIdentity.provider=eks-irsa,cloudIdentity.eks.roleArn=arn:aws:iam::123456789012:role/pyproc"
    production = f"--values={renders.CHART}/values-production.yaml"
    chart = base.rendered(renders.BIN / "helm", renders.CHART, [production, "--set=test.enabled=false", identity])
    by_name = {(found["kind"], found["metadata"]["name"]): found for found in chart}
    built = without_hash(objects(build(KUSTOMIZE / "overlays/production")))
    # The overlay has no identity of its own, but opens HTTPS for the one that is put beside it.
    del by_name["ServiceAccount", "pyproc"]["metadata"]["annotations"]
    del by_name["Deployment", "pyproc"]["spec"]["template"]["metadata"]["annotations"]
    assert built == by_name


@pytest.mark.parametrize(
    ("overlay", "example"),
    [
        ("gke-workload-identity", "helm-gke-workload-identity/values.yaml"),
        ("eks-irsa", "helm-eks-irsa/values.yaml"),
        ("eks-pod-identity", "helm-eks-pod-identity/values.yaml"),
        ("aks-workload-identity", "helm-aks-workload-identity/values.yaml"),
        ("secrets-store-csi", "helm-secrets-store-csi/values.yaml"),
        ("secrets-store-csi-gcp", "helm-secrets-store-csi/values.yaml"),
        ("secrets-store-csi-aws", "helm-secrets-store-csi/values-aws.yaml"),
        ("secrets-store-csi-azure", "helm-secrets-store-csi/values-azure.yaml"),
    ],
)
def test_a_clouds_overlay_is_the_charts_example(overlay: str, example: str) -> None:
    same_but_for_what_kustomize_cannot_make(KUSTOMIZE / "overlays" / overlay, f"--values={ROOT}/examples/{example}")


def same_but_for_what_kustomize_cannot_make(overlay: Path, *arguments: str) -> None:
    """An overlay with an identity is what the chart renders, less what Helm alone knows."""
    chart = base.rendered(renders.BIN / "helm", renders.CHART, list(arguments))
    by_name = {(found["kind"], found["metadata"]["name"]): found for found in chart}
    built = without_hash(objects(build(overlay)))
    annotations = by_name["Deployment", "pyproc"]["spec"]["template"]["metadata"]["annotations"]
    # A sum is nothing that Kustomize could make.
    del annotations["pyproc/identity-checksum"]
    # Its namespace is what the last of the overlays says, after every component.
    del annotations["pyproc/service-account"]
    # Without a principal of its own the pod is known by its ServiceAccount.
    if annotations["pyproc/identity-principal"].startswith("system:serviceaccount:"):
        del annotations["pyproc/identity-principal"]
    for found in (built, by_name):
        for (kind, _), secrets in found.items():
            if kind == "SecretProviderClass":
                text = secrets["spec"]["parameters"]
                name = "secrets" if "secrets" in text else "objects"
                text[name] = secret_list(text[name])
    assert built == by_name


def secret_list(text: str) -> Any:
    """What a provider reads in a list of secrets, however it is laid out."""
    read = yaml.safe_load(text)
    return [yaml.safe_load(item) for item in read["array"]] if isinstance(read, dict) else read


@pytest.mark.parametrize(
    ("resource", "components", "arguments"),
    [
        ("base", [], []),
        ("base", ["network-policy"], ["--set=networkPolicy.enabled=true,test.enabled=false"]),
        (
            "overlays/production",
            ["gke-node-selector"],
            [
                f"--values={renders.CHART}/values-production.yaml",
                "--set=test.enabled=false,cloudIdentity.gke.nodeSelector=true",
            ],
        ),
    ],
)
def test_gkes_direct_principal_is_the_charts(
    resource: str, components: list[str], arguments: list[str], tmp_path: Path
) -> None:
    components = [*components, "identity-gke-direct"]
    overlay = kustomization(tmp_path, resource=resource, components=components, cloud={})
    direct = "--set=cloudIdentity.provider=gke,cloudIdentity.gke.mode=direct"
    same_but_for_what_kustomize_cannot_make(overlay, *arguments, direct)


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_changes_the_base(name: str, tmp_path: Path) -> None:
    changed = build(renders.component(name, tmp_path))
    assert changed != build(KUSTOMIZE / "base")
    assert "pyproc-cloud" not in changed
    assert "whichever" not in changed


def test_the_program_is_told_about_the_identity_as_by_the_chart(tmp_path: Path) -> None:
    components = ["identity-eks-pod-identity", "wait-for-identity", "forbid-static-credentials"]
    folder = kustomization(tmp_path, resource="base", components=components, cloud={})
    deployment = one(objects(build(folder)), "Deployment")["spec"]
    (built,) = deployment["template"]["spec"]["containers"]
    values = (
        "cloudIdentity.provider=eks-pod-identity,cloudIdentity.wait=true,cloudIdentity.forbidStaticCredentials=true"
    )
    chart = base.rendered(renders.BIN / "helm", renders.CHART, [f"--set={values}"])
    (text,) = [found["data"]["config.yaml"] for found in chart if found["kind"] == "ConfigMap"]
    config = yaml.safe_load(text)
    plain = yaml.safe_load((KUSTOMIZE / "base/config.yaml").read_text())
    told = {
        name: yaml.safe_load(value)
        for name, value in ((one["name"], one.get("value")) for one in built["env"])
        if value
    }
    assert told == {f"PYPROC_{key.upper()}": value for key, value in config.items() if key not in plain}
    of_chart = one(chart, "Deployment")["spec"]
    (container,) = of_chart["template"]["spec"]["containers"]
    assert built["startupProbe"] == container["startupProbe"]
    assert deployment["progressDeadlineSeconds"] == of_chart["progressDeadlineSeconds"]


def test_every_component_is_known_here() -> None:
    assert {folder.name for folder in (KUSTOMIZE / "components").iterdir()} == set(COMPONENTS)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_production_with_an_identity_secrets_and_a_prefix(cloud: str, tmp_path: Path) -> None:
    components, annotation = CLOUDS[cloud]
    config = cloud_of(components)
    folder = kustomization(
        tmp_path / "team",
        resource="overlays/production",
        components=components,
        cloud=config,
        more={"namePrefix": "team-"},
    )
    text = build(folder)
    assert run(renders.BIN / "kubectl", "kustomize", folder) == text
    built = objects(text)
    pod = one(built, "Deployment")["spec"]["template"]
    account = one(built, "ServiceAccount")["metadata"]
    assert account["name"] == pod["spec"]["serviceAccountName"] == "team-pyproc"
    assert pod["metadata"]["annotations"]["pyproc/identity-provider"] == cloud
    if annotation:
        principal = pod["metadata"]["annotations"]["pyproc/identity-principal"]
        assert account["annotations"][annotation] == principal
        assert principal in config.values()
    (mounted,) = [volume["csi"] for volume in pod["spec"]["volumes"] if "csi" in volume]
    secrets = one(built, "SecretProviderClass")
    assert mounted["volumeAttributes"]["secretProviderClass"] == secrets["metadata"]["name"] == "team-pyproc-secrets"
    assert all(isinstance(value, str) for value in secrets["spec"]["parameters"].values())
    assert one(built, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"] == "team-pyproc"
    assert "replicas" not in one(built, "Deployment")["spec"]
    addresses = yaml.safe_dump(one(built, "NetworkPolicy")["spec"]["egress"])
    assert ("169.254.169.252/32" in addresses) == (cloud == "gke")
    assert ("169.254.170.23/32" in addresses) == (cloud == "eks-pod-identity")


@pytest.mark.parametrize(
    ("cloud", "values"),
    [
        ("gke", "gke.serviceAccount=pyproc@some-project.iam.gserviceaccount.com"),
        ("eks-irsa", "eks.roleArn=arn:aws:iam::999988887777:role/pyproc"),
        ("eks-pod-identity", "skipContainers={}"),
        ("aks", "aks.clientId=12345678-90ab-cdef-1234-567890abcdef"),
    ],
)
def test_production_opens_to_the_same_addresses_as_the_chart(cloud: str, values: str, tmp_path: Path) -> None:
    components = [name for name in CLOUDS[cloud][0] if name.startswith("identity-")]
    folder = kustomization(tmp_path, resource="overlays/production", components=components, cloud=cloud_of(components))
    arguments = [f"--set=cloudIdentity.provider={cloud},networkPolicy.enabled=true", f"--set=cloudIdentity.{values}"]
    chart = one(base.rendered(renders.BIN / "helm", renders.CHART, arguments), "NetworkPolicy")
    assert one(objects(build(folder)), "NetworkPolicy")["spec"]["egress"] == chart["spec"]["egress"]


def test_two_in_one_namespace_select_their_own(tmp_path: Path) -> None:
    (text,) = [block.text for block in pages.blocks(KUSTOMIZE / "README.md") if "includeSelectors" in block.text]
    shutil.copytree(KUSTOMIZE, tmp_path / "kustomize")
    installed = {}
    for name in ("team", "other"):
        folder = tmp_path / "kustomize/overlays" / name
        folder.mkdir()
        (folder / "kustomization.yaml").write_text(text.replace("team", name))
        installed[name] = objects(build(folder))
    installed["pyproc"] = objects(build(renders.component("monitoring", tmp_path / "plain")))
    names = [(found["kind"], found["metadata"]["name"]) for rendered in installed.values() for found in rendered]
    assert len(names) == len(set(names))
    for selecting, selectors in ((name, list(selectors_in(installed[name]))) for name in installed):
        kinds = {kind for kind, _ in selectors}
        assert {"Deployment", "Service", "ServiceMonitor"} <= kinds
        assert selecting == "pyproc" or {"PodDisruptionBudget", "NetworkPolicy"} <= kinds
        for kind, selector in selectors:
            for selected, rendered in installed.items():
                services = [found["metadata"]["labels"] for found in rendered if found["kind"] == "Service"]
                pods = [one(rendered, "Deployment")["spec"]["template"]["metadata"]["labels"]]
                candidates = services if kind == "ServiceMonitor" else pods
                matches = [labels for labels in candidates if selector.items() <= labels.items()]
                assert len(matches) == (selected == selecting), (kind, selecting, selected)


def selectors_in(rendered: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, str]]]:
    """By which labels an object finds others, with its kind."""
    for found in rendered:
        spec = found.get("spec", {})
        if "selector" in spec:
            yield found["kind"], spec["selector"].get("matchLabels", spec["selector"])
        if "podSelector" in spec:
            yield found["kind"], spec["podSelector"]["matchLabels"]
        if found["kind"] == "Deployment":
            for constraint in spec["template"]["spec"].get("topologySpreadConstraints", []):
                yield found["kind"], constraint["labelSelector"]["matchLabels"]


def test_every_overlays_configuration_has_the_bases_keys() -> None:
    keys = yaml.safe_load((KUSTOMIZE / "base/config.yaml").read_text()).keys()
    for path in KUSTOMIZE.glob("overlays/*/config.yaml"):
        assert yaml.safe_load(path.read_text()).keys() == keys, path


def test_a_users_overlay_changes_the_identity_by_a_plain_patch(tmp_path: Path) -> None:
    role = "arn:aws:iam::444455556666:role/other"
    annotation = {"metadata": {"name": "pyproc", "annotations": {"eks.amazonaws.com/role-arn": role}}}
    patch = yaml.safe_dump({"apiVersion": "v1", "kind": "ServiceAccount"} | annotation)
    folder = kustomization(
        tmp_path, resource="overlays/eks-irsa", components=[], cloud={}, more={"patches": [{"patch": patch}]}
    )
    account = one(objects(build(folder)), "ServiceAccount")
    assert account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"] == role
    assert account["metadata"]["annotations"]["eks.amazonaws.com/sts-regional-endpoints"] == "true"


def test_a_container_may_have_another_name(tmp_path: Path) -> None:
    rename = [{"op": "replace", "path": "/spec/template/spec/containers/0/name", "value": "theirs"}]
    lower = kustomization(
        tmp_path / "lower",
        resource="base",
        components=[],
        cloud={},
        more={"patches": [{"patch": yaml.safe_dump(rename), "target": {"kind": "Deployment"}}]},
    )
    components = ["identity-eks-irsa", "secrets-store-csi-aws"]
    upper = kustomization(tmp_path / "upper", resource="base", components=components, cloud=cloud_of(components))
    written = yaml.safe_load((upper / "kustomization.yaml").read_text())
    written["resources"] = [f"../{lower.name}"]
    (upper / "kustomization.yaml").write_text(yaml.safe_dump(written))
    (container,) = one(objects(build(upper)), "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["name"] == "theirs"
    assert "/mnt/secrets-store" in [mount["mountPath"] for mount in container["volumeMounts"]]


def test_the_label_of_aks_is_text(tmp_path: Path) -> None:
    built = build(renders.component("identity-aks", tmp_path))
    assert 'azure.workload.identity/use: "true"' in built
    assert 'eks.amazonaws.com/sts-regional-endpoints: "true"' in build(KUSTOMIZE / "overlays/eks-irsa")


def test_a_value_that_is_missing_is_named(tmp_path: Path) -> None:
    folder = kustomization(tmp_path, resource="base", components=["identity-aks"], cloud={"clientId": "a"})
    with pytest.raises(AssertionError, match="data.tenantId"):
        build(folder)


def test_no_field_is_deprecated() -> None:
    deprecated = {"bases", "commonLabels", "patchesStrategicMerge", "patchesJson6902", "vars", "imageTags"}
    for path in KUSTOMIZE.rglob("kustomization.yaml"):
        assert not deprecated & yaml.safe_load(path.read_text()).keys(), path
