"""Ready queries, grouped: one query answers for every target that asks the same thing.

Ten thousand policies with a query each cost Prometheus fifty times as much as one `sum by (service)`. So a preset
names no target in its text but all of them, and the rows are told apart by their labels. One target asked alone
has the same text with one name in it.

Metrics that they expect (docs/concepts.md, "Presets"): `http_requests_total{namespace, service, code}`,
`http_request_duration_seconds_bucket{namespace, service, le}`, and for saturation cAdvisor's CPU metrics of the
containers that are named like the workload. Names come from tenants: they are quoted as patterns and as strings.
"""

from collections.abc import Collection
from dataclasses import dataclass

from stepdown.api.signals import Preset
from stepdown.engine.promql import quote, quote_pattern

Target = tuple[str, str]
"""Namespace and Service (HTTP presets) or workload (saturation)."""


@dataclass(frozen=True, slots=True)
class Grouped:
    """The queries of a preset over some targets, whose rows are told apart by `labels`.

    `freshness` gives the time of the newest sample, seconds since the epoch. `volume` is in requests per second,
    None where nothing is counted.
    """

    labels: tuple[str, str]
    value: str
    freshness: str
    volume: str | None


def labels_of(preset: Preset) -> tuple[str, str]:
    """The labels by which a preset's rows are told apart: namespace, and the target's name."""
    return ("namespace", "container") if preset is Preset.SATURATION else ("namespace", "service")


def grouped(preset: Preset, targets: Collection[Target], window: str, quantile: int) -> Grouped:
    """The queries of one preset over some targets. `window` is a PromQL duration, `quantile` a percentile."""
    labels = labels_of(preset)
    by = ", ".join(labels)
    where = _where(labels[1], targets)
    match preset:
        case Preset.HTTP_ERROR_RATIO:
            requests = f"sum by ({by}) (rate(http_requests_total{{{where}}}[{window}]))"
            errors = f'sum by ({by}) (rate(http_requests_total{{{where}, code=~"5.."}}[{window}]))'
            return Grouped(
                labels=labels,
                # Without a 5xx series there is nothing to divide: then the ratio is 0, where there are requests.
                value=f"{errors} / {requests} or 0 * {requests}",
                freshness=f"max by ({by}) (timestamp(http_requests_total{{{where}}}))",
                volume=requests,
            )
        case Preset.HTTP_LATENCY:
            buckets = f"http_request_duration_seconds_bucket{{{where}}}"
            all_requests = f'http_request_duration_seconds_bucket{{{where}, le="+Inf"}}'
            return Grouped(
                labels=labels,
                value=f"histogram_quantile({quantile / 100:g}, sum by ({by}, le) (rate({buckets}[{window}])))",
                freshness=f"max by ({by}) (timestamp({all_requests}))",
                volume=f"sum by ({by}) (rate({all_requests}[{window}]))",
            )
        case Preset.SATURATION:
            used = f"sum by ({by}) (rate(container_cpu_usage_seconds_total{{{where}}}[{window}]))"
            quota = f"container_spec_cpu_quota{{{where}}} / container_spec_cpu_period{{{where}}}"
            return Grouped(
                labels=labels,
                value=f"{used} / sum by ({by}) ({quota})",
                freshness=f"max by ({by}) (timestamp(container_cpu_usage_seconds_total{{{where}}}))",
                volume=None,
            )


def _where(label: str, targets: Collection[Target]) -> str:
    """Matchers for all targets; a pair that wasn't asked for may match too, and its row is left out."""
    namespaces = {namespace for namespace, _ in targets}
    names = {name for _, name in targets}
    return f"namespace=~{_any(namespaces)}, {label}=~{_any(names)}"


def _any(values: set[str]) -> str:
    return quote("|".join(quote_pattern(value) for value in sorted(values)))
