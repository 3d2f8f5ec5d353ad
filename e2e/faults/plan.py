"""Which call meets which fault: `(namespace, verb, resource, nth) -> fault`."""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

from faults.calls import Request

TEST_FAILED = "the server rejected our request due to an error in our request"
"""What the API server says, with 422, of a JSON patch with a `test` that fails."""


@dataclass(frozen=True)
class Refuse:
    """Answered with a status, and nothing was done. `retry_after` in seconds, as a header."""

    status: int
    message: str = "refused by the plan"
    retry_after: int | None = None


@dataclass(frozen=True)
class Lose:
    """Done, and the answer is lost: the connection breaks, or (`hangs`) stays open without a byte."""

    hangs: bool = False


@dataclass(frozen=True)
class Cut:
    """Done, and the answer ends in the middle of its JSON."""


@dataclass(frozen=True)
class Hang:
    """Accepted and never answered; nothing is done."""


@dataclass(frozen=True)
class Stale:
    """Answered with the first answer that the same GET or LIST ever had; done where there is none yet."""


@dataclass(frozen=True)
class Wait:
    """Held back for some seconds, then handled as `then` says: a slow server, or an effect after its caller's end."""

    seconds: float
    then: "Refuse | Lose | Cut | None" = None


@dataclass(frozen=True)
class Meanwhile:
    """Something is done in between, by a test, right before the server sees the call."""

    act: Callable[[], object]


@dataclass(frozen=True)
class Swallow:
    """An event of a watch is never seen."""


@dataclass(frozen=True)
class Repeat:
    """An event of a watch is seen three times."""


@dataclass(frozen=True)
class Reorder:
    """An event of a watch is seen after the one that follows it."""


@dataclass(frozen=True)
class Expire:
    """Instead of an event a watch ends with 410 Gone."""


Fault = Refuse | Lose | Cut | Hang | Stale | Wait | Meanwhile | Swallow | Repeat | Reorder | Expire
Choose = Callable[[Request, int], Fault | None]
"""From a request and its number among those that a rule is for (1 is the first) to its fault."""


@dataclass(frozen=True)
class Where:
    """Which calls a rule is for; what is None may be anything."""

    namespace: str | None = None
    verb: str | None = None
    resource: str | None = None
    name: str | None = None

    def matches(self, request: Request) -> bool:
        """Whether a call is one of these."""
        wanted = (self.namespace, self.verb, self.resource, self.name)
        found = (request.namespace, request.verb, request.resource, request.name)
        return all(want in (None, have) for want, have in zip(wanted, found, strict=True))


@dataclass
class Rule:
    """A part of the plan. `seen` calls were of its kind so far, `struck` of them met a fault."""

    where: Where
    choose: Choose
    seen: int = 0
    struck: int = 0


class Plan:
    """Rules, each with its own count; the first that has a fault for a call wins. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Rule] = []

    def add(self, where: Where, fault: Fault, nth: int = 1, times: int | None = 1) -> Rule:
        """A fault at the nth call from now on and the ones after it, `times` in all; None: for ever."""
        last = None if times is None else nth + times
        return self.add_rule(where, lambda _, n: fault if n >= nth and (last is None or n < last) else None)

    def add_rule(self, where: Where, choose: Choose) -> Rule:
        """A rule that chooses for itself."""
        rule = Rule(where, choose)
        with self._lock:
            self._rules.append(rule)
        return rule

    def remove(self, rule: Rule) -> None:
        """Ends a rule."""
        with self._lock:
            self._rules.remove(rule)

    def choose(self, request: Request) -> Fault | None:
        """The fault that a call meets."""
        with self._lock:
            for rule in self._rules:
                if rule.where.matches(request):
                    rule.seen += 1
                    fault = rule.choose(request, rule.seen)
                    if fault is not None:
                        rule.struck += 1
                        return fault
        return None


def noise(seed: int, share: float, seconds: tuple[float, float]) -> Choose:
    """Every call is slow, by a time between two, and a share of them is then refused with 503.

    What a call meets depends on the seed, on its kind and on its number among that kind only, so that another order
    of calls changes nothing.
    """
    counts: dict[tuple[str, str], int] = {}

    def choose(request: Request, _: int) -> Fault:
        counts[request.kind] = counts.get(request.kind, 0) + 1
        dice = random.Random(f"{seed}/{request.kind}/{counts[request.kind]}")
        wait = dice.uniform(*seconds)
        return Wait(wait, Refuse(503, "the server is too busy") if dice.random() < share else None)

    return choose
