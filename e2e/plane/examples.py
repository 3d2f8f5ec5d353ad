"""The policies and workloads of examples/, made quick enough to watch.

Minutes become seconds: every timer of a policy is divided by 60 and is at least one second; defaults that a
policy leaves out are written in, so that they become quick too. Levels, thresholds, actions, ways back and the
budget stay as they are.
"""

import json
import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from stepdown.api.durations import parse_gateway

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
QUICK_WINDOW = "4s"
"""Windows of PromQL, at one scrape a second."""

_TIMERS = {"interval", "for", "up", "down", "dwell", "after", "watch", "max"}
_WINDOW = re.compile(r"\[[0-9]+[smhd]\]")

Object = dict[str, Any]


def load(name: str) -> list[Object]:
    """The objects of a file in examples/, as they are."""
    return documents((EXAMPLES / name).read_text(encoding="utf-8"))


def documents(text: str) -> list[Object]:
    """The objects of some YAML."""
    return [dict(found) for found in YAML(typ="safe", pure=True).load_all(text) if found]


def dump(*objects: Object) -> str:
    """Objects as YAML, written as JSON: kubectl reads YAML 1.1, where a bare `on` is a boolean."""
    return "".join(f"---\n{json.dumps(obj)}\n" for obj in objects)


def policy(name: str) -> Object:
    """The one policy of a file in examples/, as it is."""
    (found,) = load(name)
    return found


def quick_policy(name: str, namespace: str) -> Object:
    """The one policy of a file in examples/ with minutes become seconds.

    Its free-form queries look at series of this namespace only, so that tests don't see each other's.
    """
    found = policy(name)
    spec = found["spec"]
    spec.setdefault("interval", "15s")
    spec["stabilization"] = {"down": "0s", "up": "5m", "dwell": "1m", **spec.get("stabilization", {})}
    for level in spec["levels"]:
        recover = level.get("recover", {})
        if "trial" in recover:
            recover["trial"] = {"watch": "1m", "max": "1h", **recover["trial"]}
        if "probe" in recover:
            recover["probe"] = {"interval": "10s", **recover["probe"]}
    for signal in spec["signals"]:
        if "preset" in signal:
            signal["window"] = QUICK_WINDOW
        elif "query" in signal:
            query = _WINDOW.sub(f"[{QUICK_WINDOW}]", signal["query"])
            signal["query"] = query.replace("{", f'{{namespace="{namespace}", ')
    found["spec"] = _quick(spec)
    found["metadata"]["namespace"] = namespace
    return found


def hasten(policy: Object) -> Object:
    """The same policy with short waits on the way up, for tests that are about something else."""
    policy["spec"]["stabilization"]["up"] = "2s"
    for level in policy["spec"]["levels"]:
        recover = level.get("recover", {})
        if "trial" in recover:
            recover["trial"]["after"] = "1s"
        if "probe" in recover:
            recover["probe"]["successes"] = 2
    return policy


def _quick(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _quick_timer(item) if key in _TIMERS else _quick(item) for key, item in value.items()}
    return [_quick(item) for item in value] if isinstance(value, list) else value


def _quick_timer(text: str) -> str:
    seconds = parse_gateway(text)
    return "0s" if seconds == 0 else f"{max(1, round(seconds / 60))}s"
