"""Ready queries, grouped: one query answers for every target that asks the same thing.

Metrics that they expect (docs/concepts.md, "Presets"): `http_requests_total{namespace, service, code}`,
`http_request_duration_seconds_bucket{namespace, service, le}`, and for saturation cAdvisor's CPU metrics of the
container that is named like the workload.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from stepdown.api.signals import Preset
from stepdown.engine.promql import quote

Target = tuple[str, str]
"""Namespace and Service (HTTP presets) or workload (saturation)."""


@dataclass(frozen=True, slots=True)
class Grouped:
    """Queries whose rows are told apart by `labels`. `volume` is in requests per second, None where nothing is counted."""

    labels: tuple[str, str]
    value: str
    freshness: str
    volume: str | None


def grouped(preset: Preset, targets: Collection[Target], window: str, quantile: int) -> Grouped:
    """The queries of one preset over some targets. `quantile` is a percentile."""
    if preset is Preset.SATURATION:
        return _saturation(targets, window)
    by = "namespace, service"
    where = _where("service", targets)
    requests = f"sum by ({by}) (rate(http_requests_total{{{where}}}[{window}]))"
    if preset is Preset.HTTP_ERROR_RATIO:
        errors = f'sum by ({by}) (rate(http_requests_total{{{where}, code=~"5.."}}[{window}]))'
        return Grouped(
            labels=("namespace", "service"),
            value=f"({errors} or 0 * {requests}) / {requests}",
            freshness=f"max by ({by}) (timestamp(http_requests_total{{{where}}}))",
            volume=requests,
        )
    buckets = f"http_request_duration_seconds_bucket{{{where}}}"
    infinite = f'http_request_duration_seconds_bucket{{{where}, le="+Inf"}}'
    return Grouped(
        labels=("namespace", "service"),
        value=f"histogram_quantile({quantile / 100:g}, sum by ({by}, le) (rate({buckets}[{window}])))",
        freshness=f"max by ({by}) (timestamp({infinite}))",
        volume=f"sum by ({by}) (rate({infinite}[{window}]))",
    )


def _saturation(targets: Collection[Target], window: str) -> Grouped:
    by = "namespace, container"
    where = _where("container", targets)
    used = f"sum by ({by}) (rate(container_cpu_usage_seconds_total{{{where}}}[{window}]))"
    quota = f"sum by ({by}) (container_spec_cpu_quota{{{where}}} / container_spec_cpu_period{{{where}}})"
    return Grouped(
        labels=("namespace", "container"),
        value=f"{used} / {quota}",
        freshness=f"max by ({by}) (timestamp(container_cpu_usage_seconds_total{{{where}}}))",
        volume=None,
    )


def _where(label: str, targets: Collection[Target]) -> str:
    """Matchers for all targets; a pair that wasn't asked for may match too, and its row is left out."""
    namespaces = sorted({namespace for namespace, _ in targets})
    names = sorted({name for _, name in targets})
    return f"namespace=~{quote(_any(namespaces))}, {label}=~{quote(_any(names))}"


def _any(values: list[str]) -> str:
    return "|".join(re.escape(value).replace("\\-", "-") for value in values)
