"""What the pages about deployment say is true: every path, every block, every command that can be tried here."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pages
import pytest
import renders
import yaml
from pages import BOOK, EXAMPLES, PAGES, Block, all_blocks, blocks, commands
from renders import BIN, KUSTOMIZE, NEWEST, OLDEST, ROOT, run
from test_valid import validate

if TYPE_CHECKING:
    from pathlib import Path

CLOUD = ROOT / "docs/deployment/cloud-authentication.md"
PROGRAMS = {"make", "docker", "podman", "kind", "kubectl", "helm", "gcloud", "aws", "az", "eksctl", "curl"}
MARKS = {"yaml": {"values", "kustomization", "chart", "file", "config"}, "json": {""}, "sh": {""}, "python": {"worker"}}


def test_every_block_is_of_a_kind_that_is_tried() -> None:
    strange = [
        str(block) for page in PAGES for block in blocks(page) if block.mark not in MARKS.get(block.language, ())
    ]
    assert not strange
    fences = sum(page.read_text().count("\n```") for page in PAGES)
    assert fences == 2 * sum(len(blocks(page)) for page in PAGES)


@pytest.mark.parametrize("block", all_blocks("yaml", "values"), ids=str)
def test_values_install(block: Block) -> None:
    for version in (OLDEST, NEWEST):
        validate(renders.template(inline=block.text, kube_version=version), version)


@pytest.mark.parametrize("block", all_blocks("yaml", "kustomization"), ids=str)
def test_a_kustomization_builds_where_the_page_says(block: Block, tmp_path: Path) -> None:
    shutil.copytree(KUSTOMIZE, tmp_path / "kustomize")
    folder = tmp_path / "kustomize/overlays/mine"
    folder.mkdir()
    for beside in blocks(block.page):
        if beside.mark in ("file", "config"):
            (folder / beside.name).write_text(beside.text)
    (folder / "kustomization.yaml").write_text(block.text)
    validate(renders.build(folder), NEWEST)


@pytest.mark.parametrize("block", all_blocks("yaml", "chart"), ids=str)
def test_a_parent_chart_finds_this_one(block: Block, tmp_path: Path) -> None:
    (tmp_path / "parent/charts").mkdir(parents=True)
    (tmp_path / "parent/charts/pyproc").symlink_to(renders.CHART)
    (tmp_path / "parent/Chart.yaml").write_text(block.text)
    version = f"--kube-version={NEWEST}"
    assert "kind: Deployment" in run(BIN / "helm", "template", "a", tmp_path / "parent", version)


@pytest.mark.parametrize("block", all_blocks("json"), ids=str)
def test_json_is_json(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", all_blocks("sh"), ids=str)
def test_shell_is_shell(block: Block) -> None:
    run("bash", "-n", "-c", block.text)


def test_commands_are_of_programs_that_are_known() -> None:
    assert [(str(block), words[0]) for block, words in commands() if words[0] not in PROGRAMS] == []


@pytest.mark.parametrize(
    ("block", "words"),
    [(block, words) for block, words in commands() if words[:2] == ["helm", "install"] and "./charts/pyproc" in words],
    ids=str,
)
@pytest.mark.parametrize("helm", ["helm", "helm3"])
def test_helm_install_renders_what_is_valid(block: Block, words: list[str], helm: str) -> None:
    version = f"--kube-version={NEWEST}"
    done = subprocess.run(
        [BIN / helm, "template", *words[2:], version], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{block}\n{done.stderr}"
    validate(done.stdout, NEWEST)


@pytest.mark.parametrize(
    "overlay", sorted({words[3] for _, words in commands() if words[:3] == ["kubectl", "apply", "-k"]})
)
def test_kubectl_apply_k_builds(overlay: str) -> None:
    assert run(BIN / "kubectl", "kustomize", ROOT / overlay) == renders.build(ROOT / overlay)


def test_the_commands_that_people_look_for_are_given() -> None:
    given = {" ".join(words) for block, words in commands() if block.page == CLOUD}
    for example, overlay in {
        "helm-gke-workload-identity": "gke-workload-identity",
        "helm-eks-irsa": "eks-irsa",
        "helm-eks-pod-identity": "eks-pod-identity",
        "helm-aks-workload-identity": "aks-workload-identity",
    }.items():
        assert f"helm install myapp ./charts/pyproc -f examples/{example}/values.yaml" in given
        assert f"kubectl apply -k deploy/kustomize/overlays/{overlay}" in given


def test_make_has_the_targets() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {words[1] for _, words in commands() if words[0] == "make"} <= set(targets)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_is_there(page: Path) -> None:
    named = re.findall(r"(?<![\w/.-])((?:\./)?(?:examples|charts|deploy|docs)/[\w./-]*\w)", page.read_text())
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_objects_that_commands_name_are_made(page: Path) -> None:
    made = {
        f"{found['kind'].lower()}/{found['metadata']['name']}"
        for text in (renders.template(), renders.build(KUSTOMIZE / "base"))
        for found in renders.objects(text)
    }
    named = re.findall(r"(?<![\w/])((?:deployment|service)/[\w-]+)", page.read_text())
    assert [name for name in named if name not in made] == []


# Where the clouds' commands and policies name the ServiceAccount, and its namespace.
NAMESPACED = (
    r"svc\.id\.goog\[([\w-]+)/([\w-]+)\]",
    r"system:serviceaccount:([\w-]+):([\w-]+)",
    r"/subject/ns/([\w-]+)/sa/([\w-]+)",
    r"--namespace ([\w-]+) (?:--name|--service-account) ([\w-]+)",
)


def identities(page: Path) -> set[tuple[str, str]]:
    """Namespace and ServiceAccount, as a page's commands name them."""
    text = re.sub(r"\\\n\s*", " ", page.read_text())
    return {pair for pattern in NAMESPACED for pair in re.findall(pattern, text)}


@pytest.mark.parametrize("page", [*EXAMPLES, CLOUD], ids=lambda page: str(page.relative_to(ROOT)))
def test_the_clouds_commands_name_what_is_installed(page: Path) -> None:
    installs = [words for block, words in commands() if block.page == page and "./charts/pyproc" in words]
    installs += [words for block, words in commands() if block.page == page and words[:3] == ["kubectl", "apply", "-k"]]
    assert installs
    # Neither command names a namespace, and neither render does: it is the default one.
    assert not [words for words in installs if {"--namespace", "-n"} & set(words)]
    accounts = set()
    for words in installs:
        if words[0] == "helm":
            text = run(
                BIN / "helm",
                "template",
                *(str(ROOT / word) if "/" in word and "=" not in word else word for word in words[2:]),
            )
        else:
            text = renders.build(ROOT / words[3])
        accounts.add((renders.one(renders.objects(text), "ServiceAccount")["metadata"]["name"]))
        assert all("namespace" not in found["metadata"] for found in renders.objects(text))
    named = identities(page)
    if page.parent.name != "helm-basic":
        assert named == {("default", account) for account in accounts}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.parent.name)
def test_an_examples_readme_has_its_parts(example: Path) -> None:
    headings = re.findall(r"^## (.*)$", example.read_text(), re.MULTILINE)
    assert headings == [
        "Prerequisites",
        "The image",
        "Install",
        "What it configures",
        "How to check",
        "What goes wrong",
    ]


def test_every_mechanism_has_its_parts() -> None:
    sections = re.split(r"^## ", CLOUD.read_text(), flags=re.MULTILINE)[1:]
    mechanisms = [section for section in sections if section.startswith(("GKE", "EKS", "AKS"))]
    assert len(mechanisms) == 4
    for section in mechanisms:
        parts = re.findall(r"^### (.*)$", section, re.MULTILINE)
        assert parts == ["What it does", "Prerequisites", "Helm", "Kustomize", "How to check", "What goes wrong"]
        assert "pyproc auth status --online" in section


def test_the_pages_show_the_examples_values() -> None:
    text = CLOUD.read_text()
    pattern = r"`examples/([\w-]+)/values\.yaml` \(its README has all steps\) holds:\n\n```yaml,values\n(.*?)```"
    shown = re.findall(pattern, text, re.DOTALL)
    assert len(shown) == 4
    for example, values in shown:
        assert yaml.safe_load(values) == yaml.safe_load((ROOT / "examples" / example / "values.yaml").read_text())


def test_every_page_is_known() -> None:
    assert {page.name for page in BOOK} == {
        "kubernetes.md",
        "cloud-authentication.md",
        "secrets-management.md",
        "troubleshooting.md",
    }
    assert len(EXAMPLES) == 6
    assert pages.PAGES
