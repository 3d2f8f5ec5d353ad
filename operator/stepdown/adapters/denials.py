"""Rights that are missing: told with their cure, and not asked for at every look.

Namespaces let the operator in one by one, so a policy where it has no rights is an everyday thing, and may stay one
for ever. What was refused for want of a right is refused from memory for a while, which doubles up to
`DENIED_SECONDS`: so late the operator notices that it was let in.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from stepdown.ports import Refused

DENIED_SECONDS = 15.0
"""Longest time for which a refusal is believed without asking again."""

FIRST_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Denial:
    """What was said, until when it is believed (monotonic seconds), and for how long."""

    message: str
    until: float
    seconds: float


class Denials:
    """`opt_in` is the command that lets the operator into a namespace, with $NAMESPACE for its name; may be empty."""

    def __init__(self, opt_in: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self._opt_in = opt_in
        self._clock = clock
        self._denied: dict[tuple[str, str], _Denial] = {}

    def check(self, verb: str, path: str) -> None:
        """Raises the last refusal again, while it is believed."""
        denial = self._denied.get((verb, path))
        if denial is not None and self._clock() < denial.until:
            raise Refused(403, denial.message)

    def granted(self, verb: str, path: str) -> None:
        """Forgets a refusal: it was answered."""
        self._denied.pop((verb, path), None)

    def denied(self, verb: str, path: str, namespace: str, error: Refused) -> Refused:
        """The refusal with its cure, remembered where a right is missing; any other as it is."""
        if not error.lacks_right:
            return error
        now = self._clock()
        before = self._denied.get((verb, path))
        seconds = FIRST_SECONDS if before is None else min(DENIED_SECONDS, 2 * before.seconds)
        message = f"{error.message}. {self._cure(namespace)}" if self._opt_in else error.message
        self._denied = {key: d for key, d in self._denied.items() if now - d.until < DENIED_SECONDS}
        self._denied[verb, path] = _Denial(message, now + seconds, seconds)
        return Refused(error.status, message)

    def _cure(self, namespace: str) -> str:
        command = self._opt_in.replace("$NAMESPACE", namespace)
        return f"Let the operator in: {command} (if it is, the chart's features leave that right out)"
