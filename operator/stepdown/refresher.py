"""Carries touches of pods out (engine/refresh.py), and says whose pods see flags late all the same.

Pods are no targets: they die by themselves, and there is no original to go back to. What makes it safe is the policy's
finalizer. It is set before the first flag, and taken off only after no pod carries our annotation any more; so who
finds it after a crash looks at the pods again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeGuard

from stepdown.actions import flags
from stepdown.api.actions import FlagsAction, Refresh
from stepdown.api.policy import Mode, PolicySpec
from stepdown.api.status import Entry
from stepdown.engine.fields import Ref
from stepdown.engine.refresh import keeps_old, touched_for, touches
from stepdown.ports import Cluster, Conflict, Object, Policy, Refused, Unknown
from stepdown.prepared import Memory, Touches

PODS_MAX = 500
"""Most pods that are touched in one tick; the others follow in the next."""

OTHERS_MAX = 64
"""Most ConfigMaps that are looked at because pods' annotations name them; anybody can write these."""

LOOK_SECONDS = 300.0
"""How often it is looked at how pods use the ConfigMaps."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """Whether nothing is left to be tried again, and what the API server refused for good."""

    complete: bool
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Refresher:
    """Touches pods; raises nothing. A right that is missing is told, and never waited for."""

    cluster: Cluster

    async def keep(self, policy: Policy, spec: PolicySpec | None, ledger: Sequence[Entry], memory: Memory) -> bool:
        """Touches pods where what is held in ConfigMaps has changed; whether no pod waits for it any more.

        Without a spec, and in mode Observe, touches are only taken back; while suspended nothing is done.
        """
        wanted = wanted_by(spec) if spec is not None and spec.mode is Mode.ENFORCE else frozenset()
        held = frozenset((e.target.name, e.path, e.applied, e.state) for e in ledger if e.target.kind == "ConfigMap")
        touched = Touches(held, wanted & {name for name, *_ in held})
        if memory.touched is not None and not memory.touched.wanted | touched.wanted:
            memory.touched = touched
        if memory.touched != touched and not (spec is not None and spec.suspend):
            done = await self.refresh(policy.namespace, touched.wanted)
            memory.touched = touched if done.complete else None
            memory.untouchable = done.refusal if wanted else ""
        return memory.touched == touched

    async def refresh(self, namespace: str, wanted: frozenset[str] = frozenset()) -> Refreshed:
        """Makes the annotations of a namespace's pods say what ConfigMaps' marks do: sets the wanted ones."""
        try:
            pods, config_maps = await self._read(namespace, wanted)
        except Refused as error:
            return Refreshed(error.lacks_right, error.message)
        except Unknown:
            return Refreshed(complete=False)
        patches = dict(touches(pods, config_maps, wanted))
        failed = (await self.cluster.patch_all(namespace, dict(islice(patches.items(), PODS_MAX)))).values()
        refusals = [error.message for error in failed if _is_final(error) and error.status != 404]
        complete = len(patches) <= PODS_MAX and all(map(_is_final, failed))
        return Refreshed(complete, refusals[0] if refusals else "")

    async def _read(self, namespace: str, wanted: frozenset[str]) -> tuple[list[Object], dict[str, Object | None]]:
        """The pods, and the ConfigMaps that are wanted or that a pod's annotation names."""
        found = dict(await self.cluster.read(namespace, [Ref("Pod"), *(Ref("ConfigMap", name) for name in wanted)]))
        listed = found.pop(Ref("Pod"))
        pods = listed if isinstance(listed, list) else []
        others = sorted({name for pod in pods for name in touched_for(pod)} - wanted)[:OTHERS_MAX]
        if others:
            found |= await self.cluster.read(namespace, [Ref("ConfigMap", name) for name in others])
        return pods, {ref.name or "": obj if isinstance(obj, dict) else None for ref, obj in found.items()}

    async def look(self, policy: Policy, spec: PolicySpec, memory: Memory, now: float) -> None:
        """Remembers whose pods see flags late: from time to time, and after each edit."""
        generation, at = memory.delays_of
        if generation == policy.generation and 0 <= now - at < LOOK_SECONDS:
            return
        delays: tuple[str, ...] = ()
        pods: list[Object] = []
        try:
            if wanted_by(spec):
                found = (await self.cluster.read(policy.namespace, [Ref("Pod")]))[Ref("Pod")]
                pods = found if isinstance(found, list) else []
        except Refused as error:
            delays = (refusal_in_words(error.message),)
        except Unknown:
            return
        memory.delays = (*_delays(spec, pods), *delays)
        memory.delays_of = policy.generation, now


def wanted_by(spec: PolicySpec) -> frozenset[str]:
    """The ConfigMaps whose pods shall be touched."""
    return frozenset(flags.config_map_of(action) for action in _actions(spec) if action.refresh is Refresh.PODS)


def refusal_in_words(message: str) -> str:
    """What it means for a policy that its pods can't be touched."""
    return f"pods that mount its flags see them in about a minute: {message}"


def _actions(spec: PolicySpec) -> list[FlagsAction]:
    return [action.flags for level in spec.levels for action in level.actions if action.flags is not None]


def _delays(spec: PolicySpec, pods: Sequence[Object]) -> list[str]:
    """Sentences on the ConfigMaps whose flags pods see late."""
    delays = []
    for name in sorted({flags.config_map_of(action) for action in _actions(spec)}):
        if name not in wanted_by(spec):
            delays.append(f"pods that mount ConfigMap {name} see its flags in about a minute (refresh: None)")
        if any(keeps_old(pod, name) for pod in pods):
            delays.append(f"pods that have ConfigMap {name} by subPath or as variables see its flags when they restart")
    return delays


def _is_final(error: Refused | Unknown) -> TypeGuard[Refused]:
    """Whether a try again would change nothing: the pod is gone, or the API server doesn't want it."""
    return isinstance(error, Refused) and not isinstance(error, Conflict) and not error.is_busy
