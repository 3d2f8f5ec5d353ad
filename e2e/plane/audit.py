"""What the API server noted of the operators' writes: by which process, as which revision, in the server's own order.

A watch says what an object became; only the audit log says who has made it so. Every process has a token of its own
here, and the log names the token.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

_TARGETS = (
    {"group": "", "resources": ["services", "configmaps"]},
    {"group": "apps", "resources": ["deployments/scale", "statefulsets/scale"]},
)


def _policy(rule: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "omitManagedFields": True,
        "rules": [{"level": "RequestResponse", **rule}, {"level": "None"}],
    }


RULES = _policy(
    {
        "userGroups": ["system:serviceaccounts:stepdown-system"],
        "verbs": ["patch", "create"],
        "resources": [*_TARGETS, {"group": "coordination.k8s.io", "resources": ["leases"]}],
    }
)
"""The audit policy of a plane under test: the operators' writes to targets and Leases, whole."""

EVERYBODYS = _policy(
    {
        "verbs": ["patch", "update"],
        "resources": [
            *_TARGETS,
            {"group": "autoscaling", "resources": ["horizontalpodautoscalers"]},
            {"group": "stepdown.dev", "resources": ["degradationpolicies", "degradationpolicies/status"]},
        ],
    }
)
"""Everybody's writes to targets and policies, whole: who wrote what, and when the API server received it."""

_CREDENTIAL = "authentication.kubernetes.io/credential-id"


@dataclass(frozen=True)
class Noted:
    """One call that the API server has answered.

    `revision` is the object's after it, 0 where the call was refused; `who` names the token, `user` its user; `object`
    is the answer; `at` is when the server received it, by the wall clock in seconds.
    """

    revision: int
    who: str
    kind: str
    name: str
    code: int
    object: dict[str, Any]
    at: float = 0.0
    user: str = ""


def read_log(path: Path, namespace: str) -> list[Noted]:
    """All calls to objects of a namespace, in the order of the server's revisions."""
    with path.open(encoding="utf-8") as lines:
        found = [noted for line in lines if namespace in line for noted in _noted(line, namespace)]
    return sorted(found, key=lambda noted: noted.revision)


def _noted(line: str, namespace: str) -> Iterator[Noted]:
    try:
        event = json.loads(line)
    except ValueError:  # the line that is being written
        return
    where = event.get("objectRef") or {}
    if where.get("namespace") != namespace:
        return
    code = int((event.get("responseStatus") or {}).get("code", 0))
    answer = event.get("responseObject") or {}
    revision = int((answer.get("metadata") or {}).get("resourceVersion") or 0) if 200 <= code < 300 else 0
    who = ((event["user"].get("extra") or {}).get(_CREDENTIAL) or ["?"])[0]
    at = datetime.fromisoformat(event["requestReceivedTimestamp"]).timestamp()
    user = str(event["user"]["username"])
    yield Noted(revision, who, str(where["resource"]), str(where.get("name", "")), code, answer, at, user)
