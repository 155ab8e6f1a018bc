"""What a row of the tables of removals is, and what rows of all clouds are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from admission import Edit, Objects
from emulators.tokens import Issuer
from mechanisms import Made
from pod import Pod

Findings = dict[str, dict[str, Any]]


@dataclass
class Row:
    """One thing removed from a healthy pod."""

    base: str
    # What is changed when the pod runs, or before it is made.
    change: Callable[[Made], object] | Edit
    # What the SDK's error has in it; "" where the SDK succeeds.
    sdk: str
    # Codes that fail or warn, without and with an exchange.
    offline: set[str] = field(default_factory=set)
    online: set[str] = field(default_factory=set)
    # Looks at the findings of the doctor, by code.
    check: Callable[[Made, Findings], None] = lambda made, findings: None
    # What stands on the cloud's side beside an edit.
    beside: Callable[[Made], object] = lambda made: None


def without(*names: str) -> Callable[[Made], None]:
    """Variables that are gone."""
    return lambda made: [made.pod.environment.pop(name, None) for name in names] and None


def setting(**variables: str) -> Callable[[Made], None]:
    """Variables that are added."""
    return lambda made: made.pod.environment.update(variables)


def gives(text: Callable[[Made], str], mode: int | None = None) -> Callable[[Made], None]:
    """The token's volume gets this instead."""
    return lambda made: made.pod.replace(made.file, text(made), mode)


def other_key(audience: str) -> Callable[[Made], None]:
    """A token that says all the right things, signed by somebody else."""

    def made_by_another(made: Made) -> str:
        signer = made.cloud.signer
        return Issuer(signer.issuer, kid=signer.kid).token(audience, made.namespace, made.account)

    return gives(made_by_another)


def unmarked(kind: str, marks: str, name: str) -> Edit:
    """An object without one of its annotations or labels."""

    def change(objects: Objects) -> None:
        rendered = objects[kind]
        metadata = rendered["spec"]["template"]["metadata"] if kind == "Deployment" else rendered["metadata"]
        del metadata[marks][name]

    return Edit(f"no-{name.split('/')[-1]}", change)


def extra(**variables: str) -> Callable[[Objects], None]:
    """Variables that somebody writes into the Deployment."""

    def change(objects: Objects) -> None:
        environment = objects["Deployment"]["spec"]["template"]["spec"]["containers"][0]["env"]
        environment += [{"name": name, "value": value} for name, value in variables.items()]

    return change


def remedies(finding: dict[str, Any], kind: str) -> list[str]:
    """The remedies of one kind."""
    return [remedy["text"] for remedy in finding["remedies"] if remedy["kind"] == kind]


def helm_first(finding: dict[str, Any]) -> None:
    assert finding["remedies"][0]["kind"] == "helm-values", finding


def clock_ahead(seconds: float) -> Callable[[Made], None]:
    def change(made: Made) -> None:
        made.cloud.clock.offset = seconds

    return change


def troubles(pod: Pod, *options: str) -> tuple[int, Findings]:
    """The doctor's status, and its findings that are no pass."""
    status, report = pod.doctor(*options)
    return status, {finding["code"]: finding for finding in report["findings"] if finding["verdict"] != "pass"}


PROXY = {"HTTP_PROXY": "http://127.0.0.9:3128", "HTTPS_PROXY": "http://127.0.0.9:3128"}


def no_proxy_line(made: Made, findings: Findings) -> None:
    (lines,) = remedies(findings["PROXY_CAPTURES_METADATA"], "environment")
    pairs = dict(line.split("=", 1) for line in lines.splitlines())
    assert pairs["NO_PROXY"] == pairs["no_proxy"]
    made.pod.environment |= pairs
    assert "PROXY_CAPTURES_METADATA" not in troubles(made.pod)[1]
