"""What a policy wants to know, as values: equal questions are equal, so that a whole batch is asked once.

A policy's signals, objectives and probes become named questions; the answers come back under the same names.
Names are `errors` for a signal, `availability[5m]` for an objective's window, `availability` with a `budget:`
before it for the whole window, and `probe:static` for what a level's way back asks.
"""

from dataclasses import dataclass

from stepdown.api.durations import parse_promql
from stepdown.api.levels import HttpProbe, Level
from stepdown.api.policy import PolicySpec
from stepdown.api.policy import Target as PolicyTarget
from stepdown.api.signals import Objective, PodsSignal, Preset, Signal


@dataclass(frozen=True, slots=True)
class PromqlQuestion:
    """A user's own PromQL that must give one number."""

    endpoint: str
    namespace: str
    promql: str
    stale_after: float
    allow_partial: bool = False


@dataclass(frozen=True, slots=True)
class PresetQuestion:
    """A preset over one target: the Service of HTTP presets, the workload of saturation.

    `quantile` is a percentile (1 to 99); `min_rate` is in requests per second, None for any but none at all.
    """

    endpoint: str
    namespace: str
    preset: Preset
    target: str
    window: str
    stale_after: float
    quantile: int = 95
    min_rate: float | None = None
    allow_partial: bool = False


@dataclass(frozen=True, slots=True)
class PodsQuestion:
    """The ready share of a workload's pods, 0 to 1."""

    namespace: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class ProbeQuestion:
    """Whether every ready pod of a workload answers 2xx on its own address: 1 or 0; timeout in seconds."""

    namespace: str
    kind: str
    name: str
    path: str
    port: int | None
    timeout: float


Question = PromqlQuestion | PresetQuestion | PodsQuestion | ProbeQuestion


def signal_questions(namespace: str, spec: PolicySpec) -> dict[str, Question]:
    """The questions of every signal and of every burn rate that a level watches, by name."""
    questions: dict[str, Question] = {s.name: _of_signal(namespace, spec, s) for s in spec.signals}
    objectives = {o.name: o for o in spec.objectives}
    for level in spec.levels:
        for condition in level.enter.conditions if level.enter else []:
            if condition.objective is not None and condition.burn_rate is not None:
                for window in condition.burn_rate.windows:
                    objective = objectives[condition.objective]
                    questions[f"{objective.name}[{window}]"] = _of_objective(namespace, spec, objective, window)
    return questions


def budget_questions(namespace: str, spec: PolicySpec) -> dict[str, Question]:
    """The questions over whole objective windows; dear to Prometheus, so asked every few minutes only."""
    return {f"budget:{o.name}": _of_objective(namespace, spec, o, o.window) for o in spec.objectives}


def probe_question(namespace: str, spec: PolicySpec, level: Level) -> dict[str, ProbeQuestion | PodsQuestion]:
    """What a level's way back asks beside the signals: its probe, or for a status page whether the target is ready."""
    name = f"probe:{level.name}"
    if level.recover is not None and level.recover.probe is not None:
        probe = level.recover.probe
        kind, pods_of = workload(probe.http)
        return {name: ProbeQuestion(namespace, kind, pods_of, probe.http.path, probe.http.port, probe.timeout)}
    awaited = _awaited(spec) if level.recover is None and level.shows_page else None
    return {} if awaited is None else {name: PodsQuestion(namespace, *awaited)}


def _awaited(spec: PolicySpec) -> tuple[str, str] | None:
    """The target's workload, where there is one to wait for; not one that a level scales to 0."""
    if spec.target.deployment is None and spec.target.stateful_set is None:
        return None
    found = workload(spec.target)
    scales = [action.scale for level in spec.levels for action in level.actions if action.scale is not None]
    emptied = any(s.to == 0 and (s.stateful_set or s.deployment or found[1]) == found[1] for s in scales)
    return None if emptied else found


def workload(named: PodsSignal | HttpProbe | PolicyTarget) -> tuple[str, str]:
    """Kind and name of a workload reference."""
    if named.deployment is not None:
        return "Deployment", named.deployment
    assert named.stateful_set is not None
    return "StatefulSet", named.stateful_set


def _of_signal(namespace: str, spec: PolicySpec, signal: Signal) -> Question:
    if signal.pods is not None:
        return PodsQuestion(namespace, *workload(signal.pods))
    if signal.query is not None:
        return PromqlQuestion(spec.metrics_endpoint, namespace, signal.query, spec.stale_after, signal.allow_partial)
    assert signal.preset is not None
    return PresetQuestion(
        endpoint=spec.metrics_endpoint,
        namespace=namespace,
        preset=signal.preset,
        target=_preset_target(spec, signal.preset),
        window=signal.window,
        stale_after=spec.stale_after,
        quantile=signal.quantile if signal.preset is Preset.HTTP_LATENCY else 95,
        min_rate=signal.min_rate,
        allow_partial=signal.allow_partial,
    )


def _preset_target(spec: PolicySpec, preset: Preset) -> str:
    if preset is Preset.SATURATION:
        return spec.target.deployment or spec.target.stateful_set or ""
    return spec.target.service or ""


def _of_objective(namespace: str, spec: PolicySpec, objective: Objective, window: str) -> Question:
    if objective.preset is not None:
        return PresetQuestion(
            endpoint=spec.metrics_endpoint,
            namespace=namespace,
            preset=objective.preset,
            target=spec.target.service or "",
            window=window,
            stale_after=spec.stale_after,
        )
    assert objective.errors is not None
    assert objective.total is not None
    parse_promql(window)
    errors, total = (query.replace("$window", window) for query in (objective.errors, objective.total))
    ratio = f"({errors}\n) / ({total}\n)"  # the bracket in a line of its own: a query may end in a comment
    return PromqlQuestion(spec.metrics_endpoint, namespace, ratio, spec.stale_after)
