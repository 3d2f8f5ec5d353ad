"""Carries restarts out: begun with the step that wants them, gone on with while its level lasts.

A restart is stored in the status, together with the step, before the first pod is evicted. So a crash goes on where it
was, and no restart is forgotten in the count.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from stepdown.actions import restart
from stepdown.actions.route import is_ready
from stepdown.actions.scale import workload as workload_of
from stepdown.actions.translation import View
from stepdown.api.actions import RestartAction
from stepdown.api.status import RESTARTED_MAX, Restart
from stepdown.engine.reasons import EventReason
from stepdown.engine.restarts import Limit, begun, due, may_begin, next_pods, wait_in_words
from stepdown.ports import Cluster, Conflict, Event, Journal, Policy, Refused, Snapshot, Unknown
from stepdown.tick import Restarts, Tick

EVICTIONS_MAX = 16
"""Most pods that are evicted in one tick; the others follow in the next."""


def restarts_of(tick: Tick, snapshot: Snapshot) -> Restarts:
    """The restarts at the level decided on: those that begin with this step, and those under way."""
    known = {(r.kind, r.name): r for r in tick.status.restarts}
    result = Restarts()
    view = View(snapshot)
    wanted = dict(_wanted(tick)) if tick.is_acting else {}
    for place, (action, level) in wanted.items():
        before = known.pop(place, Restart(kind=place[0], name=place[1]))
        pods, replicas = restart.pods_of(action, tick.prepared.spec, view)
        limit = Limit(action.at_most, action.per)
        after = before
        if tick.decision.is_transition and level > tick.decision.came_from and pods:
            if not may_begin(before, limit, tick.now):
                result.withheld.append(wait_in_words(before, limit, tick.now))
            else:
                after = begun(before, limit, pods, tick.now)
        left = due(after, pods)
        ready = {str(pod["metadata"]["uid"]): is_ready(dict(pod)) for pod in pods}
        result.evictions += [(pod, f"{place[0]} {place[1]}") for pod in next_pods(left, pods, replicas, ready)]
        result.remembered.append(after if left else after.model_copy(update={"through": ""}))
    result.remembered += [r.model_copy(update={"through": ""}) for r in known.values() if _is_named(tick, r)]
    result.remembered = [r for r in result.remembered if r.times][:RESTARTED_MAX]
    return result


@dataclass(frozen=True, slots=True)
class Restarter:
    """Evicts pods; raises nothing."""

    cluster: Cluster
    journal: Journal

    async def go_on(self, policy: Policy, tick: Tick) -> None:
        """Evicts the pods whose turn it is, and remembers what doesn't let them go."""
        memory = tick.memory
        for text in tick.restarts.withheld:
            self.journal.tell(policy, Event(EventReason.RESTART_WITHHELD, text, warning=True))
        if tick.decision.is_transition:
            memory.withheld = tuple(tick.restarts.withheld)
        waiting: list[str] = []
        refused: set[str] = set()
        tried = 0
        for pod, workload in tick.restarts.evictions:
            if workload in refused:
                continue  # a budget that lets none of its pods go must not keep the others from their turn
            if tried == EVICTIONS_MAX:
                break
            tried += 1
            try:
                await self.cluster.evict(policy.namespace, pod)
            except (Conflict, Unknown):
                continue
            except Refused as error:
                if error.status != 404:
                    refused.add(workload)
                    waiting.append(f"{workload} is still to be restarted: {error.message}")
                if error.lacks_right:
                    break
            else:
                text = (
                    f"level {tick.entered}: {workload}: pod {pod.name} was evicted, so that a new one takes its place"
                )
                self.journal.tell(policy, Event(EventReason.RESTARTED, text))
        memory.unrestarted = (*memory.withheld, *waiting[:1])


def _wanted(tick: Tick) -> Iterator[tuple[tuple[str, str], tuple[RestartAction, int]]]:
    """The workloads to restart at the level decided on, with the deepest action and its level."""
    spec = tick.prepared.spec
    for place, level in enumerate(spec.levels[: tick.decision.level + 1]):
        for action in level.actions:
            if action.restart is not None:
                yield workload_of(action.restart, spec), (action.restart, place)


def _is_named(tick: Tick, known: Restart) -> bool:
    """Whether any level restarts a workload; what none does any more is forgotten."""
    spec = tick.prepared.spec
    actions = [a.restart for level in spec.levels for a in level.actions if a.restart is not None]
    return (known.kind, known.name) in {workload_of(action, spec) for action in actions}
