"""`reaction`: from the scrape that carries a breach to the first write of a target, beside three peers in one run.

Some breaches at random phases, scrapes every 5 s. Each trial has its own series and four Deployments: one under a
policy (`for` 0s, evaluated at each scrape: `interval` 5s), one for a poller of 15 s and one for one of 30 s, both
from a random phase on, and one for a Prometheus rule evaluated every second, whose alert reaches a webhook through
an Alertmanager that waits for nothing. The scrape's time is when the source was asked, a write's time is when a
watch on the API server shows it; both are read from one clock.
"""

import contextlib
import json
import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

from bench import machine
from bench.outcome import Outcome, at_least, at_most, say
from bench.peers import Alertmanager, Poller, ReplicasWatch, scaler, started
from bench.scene import Scene, is_ready_at_full, scene
from plane.processes import wait_for

NAMESPACE = "bench"
SCRAPE_SECONDS = 5
SPACING_SECONDS = 6.0
"""Between two breaches, before the random part of up to a scrape."""

LONGEST_SECONDS = 40.0
BOUND, BOUND_TEXT = 0.8, "80%"
HEALTHY, BREACHED = 0.4, 0.95
POLLS = {"poller_15s": 15.0, "poller_30s": 30.0}
RULES = "rules_alertmanager"
OURS = "stepdown"


@dataclass(slots=True)
class Trial:
    """One breach: when it was set, and the first scrape after that."""

    service: str
    breached: float = 0.0
    scraped: float | None = None

    @property
    def series(self) -> str:
        """Its own series."""
        return f'bench_load{{service="{self.service}"}}'

    def deployment(self, way: str) -> str:
        """The Deployment of one of the ways."""
        return f"{self.service}-{way.replace('_', '-')}"


def measure(*, quick: bool) -> Outcome:
    """Raises RuntimeError when a way never acted: then nothing was measured."""
    trials = [Trial(f"shop-{number:02}") for number in range(4 if quick else 24)]
    program = machine.alertmanager()
    ways = [OURS, *POLLS, *([RULES] if program else [])]
    with contextlib.ExitStack() as stack:
        manager, config = None, None
        if program is not None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stepdown-bench-")))
            manager = stack.enter_context(started(Alertmanager(program, folder)))
            config = _alerting(folder / "rules.json", trials, manager.address)
        on = stack.enter_context(scene(f"{SCRAPE_SECONDS}s", config))
        pollers = _set_up(on, trials, ways, manager)
        watch = stack.enter_context(started(ReplicasWatch(on.plane, NAMESPACE, replicas=2)))
        _breach_all(on, watch, trials, ways, pollers)
        delays = {way: [_delay(watch, trial, way) for trial in trials] for way in ways}
    return _outcome(delays, with_rules=program is not None)


def _alerting(path: Path, trials: list[Trial], address: str) -> dict[str, Any]:
    """Prometheus' configuration. A group of rules a trial, for each group is evaluated at a phase of its own."""
    groups = [
        {
            "name": trial.service,
            "interval": "1s",
            "rules": [{"alert": "Busy", "expr": f"{trial.series} > {BOUND}"}],
        }
        for trial in trials
    ]
    path.write_text(json.dumps({"groups": groups}))
    managers = [{"static_configs": [{"targets": [address]}]}]
    return {"rule_files": [str(path)], "alerting": {"alertmanagers": managers}}


def _set_up(on: Scene, trials: list[Trial], ways: list[str], manager: Alertmanager | None) -> dict[str, list[Poller]]:
    """All objects, the operator and the peers; gives the pollers of each trial, not started."""
    on.create_namespace(NAMESPACE)
    api = on.plane.api
    for trial in trials:
        on.source.set(trial.series, HEALTHY)
        for way in ways:
            api.create(_deployment(trial.deployment(way)), NAMESPACE)
        api.create(_policy(trial), NAMESPACE)
        if manager is not None:
            manager.acts[trial.service] = scaler(on.plane, NAMESPACE, trial.deployment(RULES), 2)
    chance = random.Random(4)
    pollers = {
        trial.service: [
            Poller(
                on.prometheus.url,
                trial.series,
                BOUND,
                seconds,
                chance.uniform(0, seconds),
                scaler(on.plane, NAMESPACE, trial.deployment(way), 2),
            )
            for way, seconds in POLLS.items()
        ]
        for trial in trials
    }
    on.operator.start().wait_leader()
    on.wait_policies(len(trials), is_ready_at_full, 120)
    wait_for("all pods run", lambda: _ready_pods(on) >= len(trials) * len(ways), 120, every=0.5)
    seen = len(on.source.scrapes)
    say("  reaction: everything is healthy; three scrapes more, so that the operator has seen their period")
    wait_for("three scrapes", lambda: len(on.source.scrapes) >= seen + 3, 4 * SCRAPE_SECONDS)
    return pollers


def _breach_all(
    on: Scene, watch: ReplicasWatch, trials: list[Trial], ways: list[str], pollers: dict[str, list[Poller]]
) -> None:
    """Breaches one trial after the other, and ends each when all have acted, so that some overlap.

    Pollers start with the breach: what they asked before it can't matter.
    """
    chance = random.Random(40)
    due = time.time()
    waiting = list(trials)
    open_trials: list[Trial] = []
    done = 0
    while waiting or open_trials:
        now = time.time()
        if waiting and now >= due:
            trial = waiting.pop(0)
            on.source.set(trial.series, BREACHED)
            trial.breached = time.time()
            for poller in pollers[trial.service]:
                poller.start()
            open_trials.append(trial)
            due = now + SPACING_SECONDS + chance.uniform(0, SCRAPE_SECONDS)
        for trial in open_trials:
            if trial.scraped is None:
                trial.scraped = next((at for at in on.source.scrapes if at > trial.breached), None)
        for trial in list(open_trials):
            if all(trial.deployment(way) in watch.seen for way in ways):
                on.source.set(trial.series, HEALTHY)
                open_trials.remove(trial)
                done += 1
                ours = _delay(watch, trial, OURS)
                say(f"  reaction: {done} of {len(trials)}: {1000 * ours:.0f} ms after the scrape")
            elif now - trial.breached > LONGEST_SECONDS:
                missing = [way for way in ways if trial.deployment(way) not in watch.seen]
                raise RuntimeError(f"{trial.service}: no write of {', '.join(missing)}\n{on.operator.tail()}")
        watch.check()
        time.sleep(0.02)


def _delay(watch: ReplicasWatch, trial: Trial, way: str) -> float:
    assert trial.scraped is not None
    return watch.seen[trial.deployment(way)] - trial.scraped


def _outcome(delays: dict[str, list[float]], *, with_rules: bool) -> Outcome:
    figures: dict[str, float] = {}
    for way, found in delays.items():
        figures |= {
            f"{way}_mean_seconds": round(mean(found), 3),
            f"{way}_median_seconds": round(median(found), 3),
            f"{way}_max_seconds": round(max(found), 3),
        }
    means = {way: mean(found) for way, found in delays.items()}
    best = min(value for way, value in means.items() if way != OURS)
    return Outcome(
        what=f"{len(delays[OURS])} breaches, scrapes every {SCRAPE_SECONDS} s: scrape to first write of the target",
        figures=figures,
        ratios={
            "best_peer_per_stepdown": round(best / means[OURS], 2),
            "poller_30s_per_stepdown": round(means["poller_30s"] / means[OURS], 2),
        },
        goals=(
            at_most("stepdown_mean_seconds", 0.15),
            at_least("best_peer_per_stepdown", 3),
            at_least("poller_30s_per_stepdown", 50),
        ),
        details={"seconds": {way: [round(value, 3) for value in found] for way, found in delays.items()}},
        notes=()
        if with_rules
        else (
            "no Alertmanager is installed, so rules with a webhook were not measured: install prometheus-alertmanager",
        ),
    )


def _ready_pods(on: Scene) -> int:
    found = on.plane.api.list("Deployment", NAMESPACE)
    return sum(int(deployment.get("status", {}).get("readyReplicas", 0)) for deployment in found)


def _deployment(name: str) -> dict[str, Any]:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "shop", "image": "shop:1"}]},
            },
        },
    }


def _policy(trial: Trial) -> dict[str, Any]:
    """Stabilization is short only to end a trial soon; a step down waits for none of it."""
    return {
        "apiVersion": "stepdown.dev/v1alpha1",
        "kind": "DegradationPolicy",
        "metadata": {"name": trial.service},
        "spec": {
            "target": {"deployment": trial.deployment(OURS)},
            "interval": f"{SCRAPE_SECONDS}s",
            "signals": [{"name": "load", "query": trial.series}],
            "levels": [
                {"name": "full"},
                {
                    "name": "scaled-out",
                    "enter": {"any": [{"signal": "load", "above": BOUND_TEXT}]},
                    "actions": [{"scale": {"to": 2}}],
                },
            ],
            "stabilization": {"up": "5s", "dwell": "0s"},
        },
    }
