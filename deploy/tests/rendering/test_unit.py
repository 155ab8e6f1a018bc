"""The chart's own unit tests, and that they miss no sentence."""

from __future__ import annotations

import re

import pytest
import yaml
from renders import BIN, CHART, run, template

SUITES = sorted((CHART / "tests").glob("*_test.yaml"))


def test_the_charts_unit_tests_pass() -> None:
    run(BIN / "helm-unittest", "--strict", CHART)


@pytest.mark.parametrize("suite", SUITES, ids=lambda path: path.stem)
def test_every_suite_says_which_cluster_it_is_for(suite: object) -> None:
    (document,) = yaml.safe_load_all((CHART / "tests" / f"{suite.stem}.yaml").read_text())
    assert document["capabilities"] == {"majorVersion": "1", "minorVersion": "29"}


def test_every_sentence_about_a_wrong_value_is_compared_whole() -> None:
    template_text = (CHART / "templates/rules.yaml").read_text()
    sentences = re.findall(r'append \$problems (?:\(printf )?"((?:[^"\\]|\\.)*)"', template_text)
    assert len(sentences) == template_text.count("append $problems")
    (suite,) = yaml.safe_load_all((CHART / "tests/rules_test.yaml").read_text())
    expected = [
        check["failedTemplate"]["errorMessage"]
        for test in suite["tests"]
        for check in test["asserts"]
        if "failedTemplate" in check
    ]
    for sentence in sentences:
        pattern = re.sub(r"%(q|s|d|v)", "@@", sentence)
        pattern = re.escape(pattern).replace("@@", "(.+)")
        assert any(re.fullmatch(pattern, message) for message in expected), sentence


def test_all_sentences_are_said_at_once() -> None:
    with pytest.raises(AssertionError) as failure:
        template(
            "--set=cloudIdentity.provider=eks-irsa,cloudIdentity.eks.roleArn=x,profile=production,image.tag=latest"
        )
    assert "cloudIdentity.eks.roleArn is" in str(failure.value)
    assert "image.tag is latest" in str(failure.value)
