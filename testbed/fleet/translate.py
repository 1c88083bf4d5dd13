"""Translates the output of `helm template` into what `podman kube play` 4.3 supports.

A StatefulSet becomes its pods, as Kubernetes' own controller creates them: a name and a host name with an ordinal, labels,
a claim for each volumeClaimTemplate. Volumes that podman would fill or lay out differently from kubelet become directories
of the host, which ``volumes`` fills: an emptyDir (podman copies the image's contents into it), a ConfigMap or a Secret
(podman writes plain files, decodes no Secret, and never updates them). Variables from ConfigMaps and Secrets become plain
ones.

What podman does not support is left to ``cluster`` (probes, preStop, the grace period) or has no meaning on one machine
(affinity, NetworkPolicy). A key that is neither here nor known to be useless raises `UnknownError`, so that no new feature
of the chart goes untested by mistake.

Pure: reads objects, returns objects. Known limits: one namespace; no StatefulSet with `ordinals.start`; of fieldRef only the
pod's name and namespace.
"""

from __future__ import annotations

import base64
import re
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

Object = dict[str, Any]

NAMESPACE = "default"
#: Kubelet's default mode of a file of a ConfigMap or a Secret.
DEFAULT_MODE = 0o644
#: Keys of a pod and a container that podman gets, and those that others handle or that one machine does not need.
POD_KEYS = frozenset({"containers", "initContainers", "volumes", "hostAliases", "restartPolicy", "securityContext"})
POD_ELSEWHERE = frozenset(
    {
        "affinity",
        "automountServiceAccountToken",
        "enableServiceLinks",
        "imagePullSecrets",
        "nodeSelector",
        "priorityClassName",
        "serviceAccountName",
        "terminationGracePeriodSeconds",
        "tolerations",
        "topologySpreadConstraints",
    }
)
CONTAINER_KEYS = frozenset(
    {"name", "command", "args", "env", "envFrom", "volumeMounts", "securityContext", "workingDir"}
)
#: Ports: podman would publish them on the host, where three replicas cannot have the same one. Resources: those of tests.
CONTAINER_ELSEWHERE = frozenset(
    {"image", "imagePullPolicy", "lifecycle", "livenessProbe", "ports", "readinessProbe", "resources", "startupProbe"}
)
_REFERENCE = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")


class UnknownError(Exception):
    """The objects contain something that this step does not know."""


@dataclass(frozen=True)
class Pod:
    """One pod of a StatefulSet."""

    name: str
    #: As Kubernetes would have it.
    spec: Object
    #: For podman.
    document: Object
    #: The names of its claims, by those of its volumes.
    claims: dict[str, str]

    @property
    def container(self) -> Object:
        """Its first container, as Kubernetes would have it."""
        found: Object = self.spec["containers"][0]
        return found

    @property
    def fs_group(self) -> int | None:
        """The group that Kubernetes sets on the volumes."""
        group: int | None = self.spec.get("securityContext", {}).get("fsGroup")
        return group


@dataclass(frozen=True)
class File:
    """A file of a volume."""

    content: bytes
    mode: int


def pods(objects: Iterable[Object], directory: Path, image: str) -> list[Pod]:
    """Return the pods of all StatefulSets; their volumes are in ``directory``, and each container runs ``image``."""
    found = list(objects)
    return [
        _pod(stateful_set, ordinal, found, directory, image)
        for stateful_set in found
        if stateful_set["kind"] == "StatefulSet"
        for ordinal in range(stateful_set["spec"].get("replicas", 1))
    ]


def claims(objects: Iterable[Object]) -> list[Object]:
    """Return the PersistentVolumeClaims of the pods of all StatefulSets."""
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": _claim(template, stateful_set, ordinal)},
            "spec": deepcopy(template["spec"]),
        }
        for stateful_set in objects
        if stateful_set["kind"] == "StatefulSet"
        for ordinal in range(stateful_set["spec"].get("replicas", 1))
        for template in stateful_set["spec"].get("volumeClaimTemplates", [])
    ]


def files(volume: Object, objects: Sequence[Object]) -> dict[str, File] | None:
    """Return the files of a volume of ConfigMaps and Secrets, by path; ``None`` for another kind of volume."""
    for kind in ("configMap", "secret", "projected"):
        if kind in volume:
            source = volume[kind]
            mode = source.get("defaultMode", DEFAULT_MODE)
            sources: list[Object] = source["sources"] if kind == "projected" else [{kind: source}]
            return {name: file for each in sources for name, file in _files_of(each, objects, mode).items()}
    return None


def directory_of(directory: Path, pod: str, volume: str) -> Path:
    """Return the directory of a pod's volume that is not a claim."""
    return directory / pod / volume


def _files_of(source: Object, objects: Sequence[Object], mode: int) -> dict[str, File]:
    [(kind, reference)] = source.items()
    if kind not in {"configMap", "secret"}:
        raise UnknownError(f"a volume of {kind}")
    name = reference.get("secretName") or reference["name"]
    data = _data(
        "Secret" if kind == "secret" else "ConfigMap", name, objects, optional=reference.get("optional", False)
    )
    items = reference.get("items") or [{"key": key, "path": key} for key in data]
    return {item["path"]: File(data[item["key"]], item.get("mode", mode)) for item in items if item["key"] in data}


def _data(kind: str, name: str, objects: Sequence[Object], *, optional: bool) -> dict[str, bytes]:
    for each in objects:
        if each["kind"] == kind and each["metadata"]["name"] == name:
            return _decoded(each)
    if optional:
        return {}
    raise UnknownError(f"there is no {kind} {name}")


def _decoded(source: Object) -> dict[str, bytes]:
    data, is_secret = source.get("data") or {}, source["kind"] == "Secret"
    found = {
        key: base64.b64decode(value, validate=True) if is_secret else value.encode() for key, value in data.items()
    }
    found |= {key: base64.b64decode(value) for key, value in (source.get("binaryData") or {}).items()}
    return found | {key: value.encode() for key, value in (source.get("stringData") or {}).items()}


def _claim(template: Object, stateful_set: Object, ordinal: int) -> str:
    return f"{template['metadata']['name']}-{stateful_set['metadata']['name']}-{ordinal}"


def _pod(stateful_set: Object, ordinal: int, objects: Sequence[Object], directory: Path, image: str) -> Pod:
    template = stateful_set["spec"]["template"]
    name = f"{stateful_set['metadata']['name']}-{ordinal}"
    claimed = {
        each["metadata"]["name"]: _claim(each, stateful_set, ordinal)
        for each in stateful_set["spec"].get("volumeClaimTemplates", [])
    }
    spec = _chosen(template["spec"], POD_KEYS, POD_ELSEWHERE, f"pod {name}")
    spec["volumes"] = _volumes(spec.get("volumes", []), claimed, directory, name)
    for kind in ("initContainers", "containers"):
        spec[kind] = [_container(each, name, objects, image) for each in spec.get(kind, [])]
    labels = {**template["metadata"].get("labels", {}), "statefulset.kubernetes.io/pod-name": name}
    metadata = {"name": name, "labels": labels}
    document = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    return Pod(name, deepcopy(template["spec"]), document, claimed)


def _chosen(source: Object, kept: frozenset[str], elsewhere: frozenset[str], what: str) -> Object:
    if unknown := sorted(source.keys() - kept - elsewhere):
        raise UnknownError(f"{what}: {', '.join(unknown)}")
    return {key: deepcopy(value) for key, value in source.items() if key in kept}


def _volumes(volumes: list[Object], claimed: dict[str, str], directory: Path, pod: str) -> list[Object]:
    """Return the claims, and a host directory for each volume that podman handles differently from kubelet."""
    translated = [{"name": name, "persistentVolumeClaim": {"claimName": claim}} for name, claim in claimed.items()]
    for volume in volumes:
        kinds = volume.keys() - {"name"}
        if not kinds <= {"emptyDir", "configMap", "secret", "projected"}:
            raise UnknownError(f"volume {volume['name']}: {', '.join(sorted(kinds))}")
        place = {"path": str(directory_of(directory, pod, volume["name"])), "type": "Directory"}
        translated.append({"name": volume["name"], "hostPath": place})
    return translated


def _container(container: Object, pod: str, objects: Sequence[Object], image: str) -> Object:
    found = _chosen(container, CONTAINER_KEYS, CONTAINER_ELSEWHERE, f"container {container['name']} of pod {pod}")
    env = _environment(found.pop("envFrom", []), found.pop("env", []), pod, objects)
    for key in ("command", "args"):
        if key in found:
            found[key] = [_expanded(word, env) for word in found[key]]
    found["env"] = [{"name": name, "value": value} for name, value in env.items()]
    return {**found, "image": image, "imagePullPolicy": "Never"}


def _environment(sources: list[Object], variables: list[Object], pod: str, objects: Sequence[Object]) -> dict[str, str]:
    env: dict[str, str] = {}
    for source in sources:
        [reference] = (source[key] for key in ("configMapRef", "secretRef") if key in source)
        kind = "Secret" if "secretRef" in source else "ConfigMap"
        data = _data(kind, reference["name"], objects, optional=reference.get("optional", False))
        env |= {source.get("prefix", "") + key: value.decode() for key, value in data.items()}
    for variable in variables:
        value = _value(variable, pod, objects)
        if value is not None:
            env[variable["name"]] = _expanded(value, env)
    return env


def _value(variable: Object, pod: str, objects: Sequence[Object]) -> str | None:
    if "valueFrom" not in variable:
        return str(variable.get("value", ""))
    [(kind, reference)] = variable["valueFrom"].items()
    fields = {"metadata.name": pod, "metadata.namespace": NAMESPACE}
    if kind == "fieldRef" and reference["fieldPath"] in fields:
        return fields[reference["fieldPath"]]
    if kind not in {"secretKeyRef", "configMapKeyRef"}:
        raise UnknownError(f"variable {variable['name']}: {variable['valueFrom']}")
    optional = reference.get("optional", False)
    data = _data("Secret" if kind == "secretKeyRef" else "ConfigMap", reference["name"], objects, optional=optional)
    if reference["key"] in data:
        return data[reference["key"]].decode()
    if optional:
        return None
    raise UnknownError(f"variable {variable['name']}: there is no key {reference['key']} in {reference['name']}")


def _expanded(text: str, env: dict[str, str]) -> str:
    """Return a value with the variables before it in place of ``$(NAME)``, as kubelet does; ``$$(NAME)`` is not one."""
    parts = text.split("$$")
    return "$".join(_REFERENCE.sub(lambda match: env.get(match[1], match[0]), part) for part in parts)
