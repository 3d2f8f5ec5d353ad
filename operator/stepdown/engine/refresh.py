"""Pods that mount a ConfigMap, touched when its flags have changed: else the kubelet takes a minute to show them.

A touch is our annotation on the pod. What it says follows from the mark on the ConfigMap alone, so it needs no
memory and no ledger: while the mark is there, pods that mount the ConfigMap carry its digest; when it is gone they
carry none. Setting, changing and removing it are each a change of the pod, which is what has the kubelet look.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from stepdown.api.model import OBJECT_NAME_PATTERN
from stepdown.engine.annotation import ANNOTATION, annotation_of
from stepdown.engine.fields import Target, encode
from stepdown.engine.patch import Patch, at_version, build_patch

REFRESH = "stepdown.dev/refresh"
"""A JSON object: ConfigMaps by name, each with the digest of what was held in it when the pod was touched."""

_POINTER = "/metadata/annotations/stepdown.dev~1refresh"

_NAME = re.compile(OBJECT_NAME_PATTERN)

Object = Mapping[str, Any]


def digest_of(config_map: Object | None) -> str | None:
    """What a ConfigMap's mark says is applied in it, in a dozen characters; None for one without a mark."""
    if config_map is None:
        return None
    facts = [e for e in annotation_of(config_map).values() if isinstance(e, dict)]
    held = sorted(json.dumps([fact.get("path"), fact.get("applied")]) for fact in facts)
    return sha256("\n".join(held).encode()).hexdigest()[:12] if held else None


def touched_for(pod: Object) -> dict[str, Any]:
    """The ConfigMaps that a pod's annotation names, with their digests; none for something that isn't ours."""
    text = (pod["metadata"].get("annotations") or {}).get(REFRESH)
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    return {name: digest for name, digest in found.items() if _NAME.fullmatch(name)} if isinstance(found, dict) else {}


def touches(
    pods: Sequence[Object], config_maps: Mapping[str, Object | None], wanted: frozenset[str]
) -> Iterator[tuple[Target, Patch]]:
    """The patches that make pods' annotations say what ConfigMaps' marks do.

    Set for the `wanted` ones, on running pods that mount them; taken off wherever a ConfigMap of `config_maps` has no
    mark any more. What is said of others stays.
    """
    digests = {name: digest_of(config_map) for name, config_map in config_maps.items()}
    for pod in pods:
        before = touched_for(pod)
        after = {name: digest for name, digest in before.items() if digests.get(name, digest) is not None}
        if _is_running(pod):
            after |= {name: digests[name] for name in sorted(wanted) if digests.get(name) and mounts(pod, name)}
        if after != before:
            target = Target("Pod", str(pod["metadata"]["name"]), str(pod["metadata"]["uid"]))
            yield target, at_version(touch(pod, after), pod)


def touch(pod: Object, digests: Mapping[str, Any]) -> Patch:
    """The patch that has a pod's annotation say this; without any digests it is taken off."""
    text = json.dumps(digests, separators=(",", ":"), sort_keys=True)
    kept = (pod["metadata"].get("annotations") or {}).get(ANNOTATION)
    return build_patch(pod, {_POINTER: encode(text) if digests else None}, kept)


def mounts(pod: Object, config_map: str) -> bool:
    """Whether a pod mounts a ConfigMap so that it sees it change: as a volume, and not by subPath only."""
    return any(not _is_part(mount) for mount in _mounts(pod, config_map))


def keeps_old(pod: Object, config_map: str) -> bool:
    """Whether a pod has something of a ConfigMap that stays as it was at its start: by subPath, or as variables."""
    return any(map(_is_part, _mounts(pod, config_map))) or any(_has_variables(c, config_map) for c in _containers(pod))


def _mounts(pod: Object, config_map: str) -> Iterator[Object]:
    volumes = {v.get("name") for v in pod["spec"].get("volumes") or [] if config_map in _sources(v)}
    for container in _containers(pod):
        yield from (m for m in container.get("volumeMounts") or [] if m.get("name") in volumes)


def _sources(volume: Object) -> Iterator[str]:
    """The ConfigMaps of a volume."""
    projected = (volume.get("projected") or {}).get("sources") or []
    yield from (str(v["configMap"].get("name")) for v in (volume, *projected) if v.get("configMap"))


def _is_part(mount: Object) -> bool:
    return bool(mount.get("subPath") or mount.get("subPathExpr"))


def _has_variables(container: Object, config_map: str) -> bool:
    refs = [(source.get("configMapRef") or {}) for source in container.get("envFrom") or []]
    refs += [((v.get("valueFrom") or {}).get("configMapKeyRef") or {}) for v in container.get("env") or []]
    return any(ref.get("name") == config_map for ref in refs)


def _containers(pod: Object) -> list[Object]:
    return [*(pod["spec"].get("initContainers") or []), *(pod["spec"].get("containers") or [])]


def _is_running(pod: Object) -> bool:
    return pod.get("status", {}).get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]
