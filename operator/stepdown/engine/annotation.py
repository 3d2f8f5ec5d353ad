"""Our mark on a target: the same facts as the ledger's, so that a person can restore without it.

It is compared and set in the same patch as the values that it describes. Replicas, reached through `/scale`, have
none: an annotation on a Deployment would be copied to its ReplicaSets and stay there.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any

from stepdown.api.status import Entry

ANNOTATION = "stepdown.dev/ledger"
ANNOTATION_POINTER = "/metadata/annotations/stepdown.dev~1ledger"


def annotation_of(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """Our annotation's entries by id; empty for none or for something that isn't ours."""
    return _parsed((obj["metadata"].get("annotations") or {}).get(ANNOTATION) or "{}")


@lru_cache(maxsize=4)  # each of an object's entries asks, and a tenant's text may be as long as all annotations
def _parsed(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def names(obj: Mapping[str, Any], path: str) -> bool:
    """Whether our annotation names a field, in the very characters that the chart's self-fence looks for."""
    text = (obj["metadata"].get("annotations") or {}).get(ANNOTATION) or ""
    return f'"path":{json.dumps(path)}' in text


def annotation_for(
    obj: Mapping[str, Any], policy: str, entries: Iterable[Entry], spared: Collection[str] = ()
) -> str | None:
    """The annotation's text after a write: this policy's entries on the object, beside other policies'.

    `spared` are ids that stay as they are, whosesoever. None for nothing left.
    """
    there = annotation_of(obj).items()
    kept = {key: e for key, e in there if isinstance(e, dict) and (e.get("policy") != policy or key in spared)}
    for entry in entries:
        facts: dict[str, Any] = {
            "policy": policy,
            "path": entry.path,
            "level": entry.level,
            "epoch": entry.epoch,
        }
        if entry.original is not None:
            facts["original"] = entry.original
        if entry.applied is not None:
            facts["applied"] = entry.applied
        kept[entry.id] = facts
    return json.dumps(kept, separators=(",", ":"), sort_keys=True) if kept else None
