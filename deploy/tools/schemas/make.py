"""Writes the schemas that kubeconform reads, so that a validation needs no network.

    python make.py FOLDER MINOR...        for example: make.py .tools/schemas 1.29 1.37

    FOLDER/vMINOR.0-standalone-strict/KIND-GROUP-VERSION.json   one file a kind, nothing to resolve
    FOLDER/crd/GROUP/KIND_VERSION.json                          the same for custom resources
    FOLDER/crds/NAME.json                                       the definitions themselves, for an API server

The kinds of Kubernetes come from the package kubernetes-validate, which carries those of many versions. The
custom ones come from the definitions that their Go modules ship, and from the YAML files beside this one.
"""

import importlib.resources
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

KINDS = [
    "configmap-v1",
    "secret-v1",
    "service-v1",
    "serviceaccount-v1",
    "namespace-v1",
    "pod-v1",
    "persistentvolumeclaim-v1",
    "deployment-apps-v1",
    "statefulset-apps-v1",
    "daemonset-apps-v1",
    "job-batch-v1",
    "cronjob-batch-v1",
    "horizontalpodautoscaler-autoscaling-v2",
    "poddisruptionbudget-policy-v1",
    "networkpolicy-networking-v1",
    "ingress-networking-v1",
    "role-rbac-v1",
    "rolebinding-rbac-v1",
    "clusterrole-rbac-v1",
    "clusterrolebinding-rbac-v1",
    "priorityclass-scheduling-v1",
]

MODULES = {
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": [
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
    ],
}

Json = Any


def main() -> None:
    """Replaces what the folder held."""
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    folder, minors = Path(sys.argv[1]), sys.argv[2:]
    shutil.rmtree(folder, ignore_errors=True)
    for minor in minors:
        write_kinds(folder, minor)
    for definition in definitions():
        write_custom(folder, definition)


def write(path: Path, value: Json) -> None:
    """Compact and in a fixed order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, separators=(",", ":"), sort_keys=True))


def without_prose(schema: Json) -> Json:
    """Nine tenths of the bytes are descriptions."""
    if isinstance(schema, list):
        return [without_prose(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: without_prose(value)
        for key, value in schema.items()
        if not (key == "description" and isinstance(value, str))
    }


# ---- the kinds of Kubernetes ---------------------------------------------------------------------


def write_kinds(folder: Path, minor: str) -> None:
    """One version's kinds."""
    package = importlib.resources.files("kubernetes_validate")
    source = package / "kubernetes-json-schema" / f"v{minor}.0-local-strict"
    if not source.is_dir():
        sys.exit(f"make.py: kubernetes-validate has no schemas of Kubernetes {minor}")
    known = json.loads((source / "_definitions.json").read_text())["$defs"]
    for kind in KINDS:
        schema = json.loads((source / f"{kind}.json").read_text())
        write(folder / f"v{minor}.0-standalone-strict" / f"{kind}.json", standalone(schema, known))


def references(schema: Json) -> Iterator[str]:
    """The names of the definitions that a schema refers to."""
    if isinstance(schema, list):
        for item in schema:
            yield from references(item)
    elif isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].rsplit("/", 1)[1]
        for value in schema.values():
            yield from references(value)


def standalone(schema: Json, known: dict[str, Json]) -> Json:
    """One kind's schema with the definitions that it reaches: kubeconform follows no other file."""
    reached: dict[str, Json] = {}
    ahead = [schema]
    while ahead:
        for name in references(ahead.pop()):
            if name not in reached:
                reached[name] = known[name]
                ahead.append(known[name])
    out = without_prose(local(schema))
    out["required"] = sorted({"apiVersion", "kind", *out.get("required", [])})
    out["$defs"] = without_prose({name: local(value) for name, value in reached.items()})
    return out


def local(schema: Json) -> Json:
    """References that stay in the file."""
    if isinstance(schema, list):
        return [local(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(schema.get("$ref"), str):
        return {"$ref": "#/$defs/" + schema["$ref"].rsplit("/", 1)[1]}
    return {key: local(value) for key, value in schema.items() if key != "$id"}


# ---- custom resources ----------------------------------------------------------------------------


def definitions() -> Iterator[Json]:
    """Every CustomResourceDefinition, from the modules and from beside this file."""
    files = [Path(module_folder(module)) / file for module, names in MODULES.items() for file in names]
    for file in [*files, *sorted(Path(__file__).parent.glob("*.yaml"))]:
        yield from filter(None, yaml.safe_load_all(file.read_text()))


def module_folder(module: str) -> str:
    """Where Go keeps a module; downloaded on the first use and checked by its sum."""
    asked = subprocess.run(  # noqa: S603 - the module is one of those above
        ["go", "mod", "download", "-json", module],  # noqa: S607 - go is where PATH says
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "GOFLAGS": "-mod=mod", "GOWORK": "off"},
    )
    told = json.loads(asked.stdout or "{}")
    if asked.returncode or "Dir" not in told:
        sys.exit(f"make.py: {module}: {told.get('Error') or asked.stderr.strip()}")
    return told["Dir"]


def write_custom(folder: Path, definition: Json) -> None:
    """A definition as an API server takes it, and each of its versions as a schema."""
    definition = without_prose(definition)
    definition.pop("status", None)
    write(folder / "crds" / f"{definition['metadata']['name']}.json", definition)
    group, kind = definition["spec"]["group"], definition["spec"]["names"]["kind"]
    texts = {"type": ["object", "null"], "additionalProperties": {"type": "string"}}
    for version in definition["spec"]["versions"]:
        if not version["served"]:
            continue
        schema = closed(version["schema"]["openAPIV3Schema"])
        schema["properties"] |= {
            "apiVersion": {"const": f"{group}/{version['name']}"},
            "kind": {"const": kind},
            "metadata": {"type": "object", "properties": {"labels": texts, "annotations": texts}},
        }
        schema["required"] = sorted({"apiVersion", "kind", *schema.get("required", [])})
        write(folder / "crd" / group / f"{kind.lower()}_{version['name']}.json", schema)


def closed(schema: Json) -> Json:
    """An openAPIV3Schema as JSON Schema that refuses what is not named, as the API server's strict validation does."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = dict(schema)
    if schema.pop("x-kubernetes-int-or-string", False):
        for key in ("anyOf", "format"):
            schema.pop(key, None)
        schema["type"] = ["integer", "string"]
    is_open = schema.get("x-kubernetes-preserve-unknown-fields") or schema.get("x-kubernetes-embedded-resource")
    schema = {key: value for key, value in schema.items() if not key.startswith("x-kubernetes")}
    schema.pop("default", None)
    if schema.pop("nullable", False) and isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
    for key in ("properties", "patternProperties"):
        if key in schema:
            schema[key] = {name: closed(value) for name, value in schema[key].items()}
    # Below allOf, anyOf, oneOf and not, a schema only adds rules: it must not close the object.
    for key in ("items", "additionalProperties"):
        if key in schema:
            schema[key] = closed(schema[key])
    if "properties" in schema and "additionalProperties" not in schema and not is_open:
        schema["additionalProperties"] = False
    return schema


if __name__ == "__main__":
    main()
