"""What a kubelet puts into a pod's volumes, from what the API server says."""

from __future__ import annotations

import base64
import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from apiserver import Cluster


def make(cluster: Cluster, pod: dict[str, Any], volume: dict[str, Any], folder: Path) -> Path:
    """A volume's folder, with the pod's fsGroup as its group."""
    place = folder / volume["name"]
    place.mkdir()
    place.chmod(0o777)
    (kind,) = volume.keys() - {"name"}
    if kind == "emptyDir":
        os.chown(place, 0, fs_group(pod))
        place.chmod(0o2777)
    else:
        write(place, files(cluster, pod, volume), fs_group(pod))
    return place


def files(cluster: Cluster, pod: dict[str, Any], volume: dict[str, Any]) -> dict[str, str]:
    """What is in a volume that is not empty."""
    (kind,) = volume.keys() - {"name"}
    parts = volume[kind]["sources"] if kind == "projected" else [{kind: volume[kind]}]
    made: dict[str, str] = {}
    for part in parts:
        made |= contents(cluster, pod, part)
    return made


def fs_group(pod: dict[str, Any]) -> int:
    """The group that volumes get."""
    return pod["spec"].get("securityContext", {}).get("fsGroup", 0)


def contents(cluster: Cluster, pod: dict[str, Any], part: dict[str, Any]) -> dict[str, str]:
    """The files of one source."""
    ((kind, source),) = part.items()
    namespace = pod["metadata"]["namespace"]
    match kind:
        case "configMap":
            data = cluster.read(namespace, "configmap", source["name"])["data"]
            return chosen(source, data)
        case "secret":
            name = source.get("secretName") or source["name"]
            data = cluster.read(namespace, "secret", name)["data"]
            return chosen(source, {key: base64.b64decode(value).decode() for key, value in data.items()})
        case "downwardAPI":
            return {item["path"]: field(pod, item["fieldRef"]["fieldPath"]) for item in source["items"]}
        case "serviceAccountToken":
            return {source["path"]: token(cluster, pod, source)}
    raise AssertionError(f"no volume of these tests has {kind}")


def chosen(source: dict[str, Any], data: dict[str, str]) -> dict[str, str]:
    """All keys as files, or those that are listed."""
    items = source.get("items") or [{"key": key, "path": key} for key in data]
    return {item["path"]: data[item["key"]] for item in items}


def token(cluster: Cluster, pod: dict[str, Any], source: dict[str, Any]) -> str:
    """A token of the TokenRequest API, bound to the pod."""
    metadata = pod["metadata"]
    return cluster.kubectl(
        "create", "token", pod["spec"]["serviceAccountName"],
        f"--namespace={metadata['namespace']}",
        f"--audience={source['audience']}",
        f"--duration={source['expirationSeconds']}s",
        "--bound-object-kind=Pod",
        f"--bound-object-name={metadata['name']}",
        f"--bound-object-uid={metadata['uid']}",
    ).strip()  # fmt: skip


def field(pod: dict[str, Any], path: str) -> str:
    """What the downward API says: `metadata.labels`, `status.podIP` and the like."""
    value: Any = pod
    for step in path.split("."):
        value = value.get(step, {})
    if isinstance(value, dict):
        return "\n".join(f"{key}={json.dumps(text)}" for key, text in sorted(value.items()))
    return str(value)


def write(place: Path, files: dict[str, str], group: int, mode: int | None = None) -> None:
    """Files behind a link that is replaced when they change, readable for the group if there is one."""
    data = place / f"..2000_01_01_00_00_00.{sum(1 for _ in place.glob('..2000_*'))}"
    for name, text in files.items():
        file = data / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        os.chown(file, 0, group)
        file.chmod(mode or (0o640 if group else 0o644))
        top = name.split("/")[0]
        if not (place / top).is_symlink():
            (place / top).symlink_to(f"..data/{top}")
    # Readers see all of the new files or none of them.
    (place / "..data_tmp").symlink_to(data.name)
    (place / "..data_tmp").rename(place / "..data")
