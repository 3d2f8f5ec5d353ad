"""`delay`: from a breach to the first request that the fallback serves, on a real node, beside what people have.

Each way swaps the selector of a Service, and users ask that Service on new connections meanwhile. Ways that answer
soon take turns, with a rest in which kube-proxy would write a change at once. Those that take half a minute overlap,
while the others are over. An autoscaler can't swap anything: it is measured until its new pods serve well.
"""

import contextlib
import json
import random
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

from bench import machine
from bench.autoscaled import autoscaled, open_autoscaled
from bench.felt import Felt, feel
from bench.flags_seen import SEEN, flags_seen, open_readers
from bench.node_scene import FALLBACK, NAMESPACE, PRIMARY, NodeScene, node_scene
from bench.outcome import Outcome, at_least, at_most, say
from bench.peers import Alertmanager, started, swapper
from plane.ladders import BREACHED, HEALTHY, ladder, level, route
from plane.processes import wait_for

BOUND = 0.8
REST_SECONDS = 1.5
"""Longer than kube-proxy's minSyncPeriod."""
HAND, OURS, TUNED, DEFAULT, SCALER = "by_hand", "stepdown", "rules_tuned", "rules_default", "autoscaler"
RULES = {TUNED: ("1s", "0s"), DEFAULT: ("15s", "30s")}
"""How often rules are evaluated, and Alertmanager's group_wait."""


def measure(*, quick: bool) -> Outcome:
    """Raises RuntimeError when a way never acted, and node.real_node.CannotRun where there can be no node."""
    trials = range(3 if quick else 20)
    program = machine.alertmanager()
    with contextlib.ExitStack() as stack:
        managers: dict[str, Alertmanager] = {}
        config: dict[str, Any] = {}
        if program is not None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stepdown-bench-")))
            for way, (_, wait) in RULES.items():
                managers[way] = stack.enter_context(started(Alertmanager(program, folder / way, wait)))
            config = _alerting(folder / "rules.json", trials, [found.address for found in managers.values()])
        on = stack.enter_context(node_scene(config))
        open_autoscaled(on, [_service(SCALER, trial) for trial in trials])
        for way, manager in managers.items():
            names = [_service(way, trial) for trial in trials]
            on.open(*names)
            manager.acts |= {name: swapper(on.cluster.plane, NAMESPACE, name, FALLBACK) for name in names}
        for refresh in SEEN:
            open_readers(on, refresh)
        felt = _in_turn(on, trials, [way for way in (TUNED,) if way in managers])
        with ThreadPoolExecutor(len(SEEN)) as pool:
            seen = {name: pool.submit(flags_seen, on, refresh) for refresh, name in SEEN.items()}
            felt |= _overlapping(on, trials, [way for way in (DEFAULT,) if way in managers])
        return _outcome(felt, {name: found.result() for name, found in seen.items()})


def _service(way: str, trial: int) -> str:
    return f"{way.replace('_', '-')}-{trial:02}"


def _load(service: str) -> str:
    return f'app_worker_utilization{{namespace="{NAMESPACE}", service="{service}"}}'


def _alerting(path: Path, trials: range, addresses: list[str]) -> dict[str, Any]:
    """Prometheus' configuration. A group of rules a trial, for each group is evaluated at a phase of its own."""
    groups = [
        {
            "name": _service(way, trial),
            "interval": interval,
            "rules": [{"alert": "Busy", "expr": f"{_load(_service(way, trial))} > {BOUND}"}],
        }
        for way, (interval, _) in RULES.items()
        for trial in trials
    ]
    path.write_text(json.dumps({"groups": groups}))
    return {"rule_files": [str(path)], "alerting": {"alertmanagers": [{"static_configs": [{"targets": addresses}]}]}}


def _in_turn(on: NodeScene, trials: range, others: list[str]) -> dict[str, list[Felt]]:
    """By hand, by a policy, and by a tuned alert, one after another, from a random phase of the scrapes on."""
    on.open(PRIMARY, HAND.replace("_", "-"))
    on.shop.load(HEALTHY, PRIMARY)
    static = level("static", route(PRIMARY, FALLBACK))
    # A longest wait keeps a breach soon after another one from being taken for a failed trial.
    static["recover"] = {"trial": {"after": "1s", "watch": "1s", "max": "1s"}}
    on.shop.start(ladder(PRIMARY, NAMESPACE, static))
    chance = random.Random(7)
    felt: dict[str, list[Felt]] = {way: [] for way in (HAND, OURS, *others)}
    acts = {HAND: _by_hand, OURS: _by_policy, TUNED: _by_alert}
    for trial in trials:
        for way, found in felt.items():
            time.sleep(REST_SECONDS + chance.uniform(0, 1))
            found.append(acts[way](on, trial))
        say(f"  delay: {trial + 1} of {len(trials)}: {_shown({way: found[-1] for way, found in felt.items()})}")
    return felt


def _by_hand(on: NodeScene, _: int) -> Felt:
    service = HAND.replace("_", "-")
    felt = feel(on, service, swapper(on.cluster.plane, NAMESPACE, service, FALLBACK))
    time.sleep(REST_SECONDS)
    swapper(on.cluster.plane, NAMESPACE, service, PRIMARY)()
    return felt


def _by_policy(on: NodeScene, _: int) -> Felt:
    shop = on.shop
    felt = feel(on, PRIMARY, lambda: shop.load(BREACHED, PRIMARY))
    shop.load(HEALTHY, PRIMARY)
    shop.wait("it is over", lambda: shop.level(PRIMARY) == "full" and shop.ledger(PRIMARY) == [], 60)
    return felt


def _by_alert(on: NodeScene, trial: int, way: str = TUNED, pause: float = 0.002) -> Felt:
    """The alert goes on firing: nothing is asked of what people have for the way back."""
    service = _service(way, trial)
    return feel(on, service, lambda: on.shop.load(BREACHED, service), pause)


def _overlapping(on: NodeScene, trials: range, others: list[str]) -> dict[str, list[Felt]]:
    """By an alert as people have it, and by an autoscaler: many at once, each begun at a random time."""
    chance = random.Random(8)
    ways: dict[str, Callable[[int], Felt]] = {SCALER: lambda trial: autoscaled(on, _service(SCALER, trial))}
    ways |= {way: lambda trial, way=way: _by_alert(on, trial, way, pause=0.2) for way in others}
    say("  delay: now by what takes half a minute")
    with ThreadPoolExecutor(len(ways) * len(trials)) as pool:
        running: dict[str, list[Any]] = {way: [] for way in ways}
        for trial in trials:
            for way, act in ways.items():
                running[way].append(pool.submit(act, trial))
            time.sleep(chance.uniform(3, 6))
        wait_for("all ways", lambda: all(f.done() for found in running.values() for f in found), 180, every=0.5)
    return {way: [future.result() for future in found] for way, found in running.items()}


def _outcome(felt: dict[str, list[Felt]], seen: dict[str, list[float]]) -> Outcome:
    figures: dict[str, float] = {}
    series = {
        f"{way}_{part}": values
        for way, found in felt.items()
        for part, values in (
            ("write", [f.to_write for f in found]),
            ("answer", [f.to_answer for f in found]),
            ("whole", [f.whole for f in found]),
        )
    }
    for name, values in {**series, **seen}.items():
        figures |= {
            f"{name}_median_seconds": round(median(values), 3),
            f"{name}_max_seconds": round(max(values), 3),
        }
    figures |= {f"{way}_errors": sum(f.errors for f in found) for way, found in felt.items()}
    wholes = {way: figures[f"{way}_whole_median_seconds"] for way in felt}
    others = [value for way, value in wholes.items() if way not in (HAND, OURS)]
    return Outcome(
        what=f"{len(felt[OURS])} breaches on a real node: until the first request by the fallback",
        figures=figures,
        ratios={
            "answer_per_by_hand": round(
                figures[f"{OURS}_answer_median_seconds"] / figures[f"{HAND}_answer_median_seconds"], 2
            ),
            "best_other_per_stepdown": round(min(others) / wholes[OURS], 2),
        },
        goals=(
            at_most("answer_per_by_hand", 1.5),
            at_least("best_other_per_stepdown", 1),
            at_most(f"{OURS}_errors", 0),
        ),
        details={name: [round(value, 3) for value in values] for name, values in {**series, **seen}.items()},
        notes=()
        if TUNED in felt
        else ("no Alertmanager is installed, so rules weren't measured: install prometheus-alertmanager",),
    )


def _shown(last: dict[str, Felt]) -> str:
    return ", ".join(f"{way} {1000 * felt.whole:.0f} ms" for way, felt in last.items())
