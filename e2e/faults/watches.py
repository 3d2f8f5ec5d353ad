"""What a plan does to the events of one watch."""

import json

from faults.calls import Request
from faults.plan import Expire, Plan, Reorder, Repeat, Swallow

REPEATS = 3

_GONE = {
    "type": "ERROR",
    "object": {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": "too old resource version",
        "reason": "Expired",
        "code": 410,
    },
}


class Stream:
    """The lines of one watch as they pass. `is_over` after a line that ends it."""

    def __init__(self, watch: Request, plan: Plan) -> None:
        self._resource = watch.resource
        self._plan = plan
        self._held: list[bytes] = []
        self.is_over = False

    def after(self, line: bytes) -> list[bytes]:
        """The lines to give instead of this one."""
        event = json.loads(line)
        about = event["object"].get("metadata") or {}
        if event["type"] in ("BOOKMARK", "ERROR"):
            return [line]
        request = Request("event", self._resource, about.get("namespace", ""), about.get("name", ""))
        fault = self._plan.choose(request)
        held, self._held = self._held, []
        match fault:
            case Swallow():
                return held
            case Repeat():
                return [line] * REPEATS + held
            case Reorder() if not held:
                self._held = [line]
                return []
            case Expire():
                self.is_over = True
                return [*held, json.dumps(_GONE).encode() + b"\n"]
            case _:
                return [line, *held]
