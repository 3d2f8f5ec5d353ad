"""Our own metrics. Labels are bounded: namespace and name of policies, closed lists of reasons and kinds."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from stepdown.engine.observation import Observation


class Metrics:
    """Everything that /metrics shows; one instance per process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        policy = ("namespace", "name")
        self.level = Gauge("stepdown_level", "Place on the ladder, 0 is full service", policy, registry=self.registry)
        self.conditions = {
            condition: Gauge(name, text, policy, registry=self.registry)
            for condition, name, text in (
                ("Ready", "stepdown_ready", "1 when the policy does its job"),
                ("Degraded", "stepdown_degraded", "1 while the service is below full"),
                ("MetricsAvailable", "stepdown_metrics_available", "1 while every signal has a value"),
            )
        }
        self.transitions = Counter(
            "stepdown_transitions", "Steps, by reason", (*policy, "reason"), registry=self.registry
        )
        self.evaluations = Counter("stepdown_evaluations", "Policies evaluated", registry=self.registry)
        self.evaluation_seconds = Histogram(
            "stepdown_evaluation_duration_seconds", "One batch: observing and all its ticks", registry=self.registry
        )
        self.evaluation_age = Gauge(
            "stepdown_evaluation_age_seconds",
            "Time since the least recently evaluated policy was",
            registry=self.registry,
        )
        self.missing = Counter(
            "stepdown_missing_observations", "Missing values, by kind", ("kind",), registry=self.registry
        )
        self.queries = Counter("stepdown_prometheus_requests", "Requests to Prometheus", registry=self.registry)
        self.writes = Counter(
            "stepdown_api_writes", "Writes to the API server, by resource", ("resource",), registry=self.registry
        )
        self.failures = Counter(
            "stepdown_tick_failures", "Ticks that ended in an error, by kind", ("kind",), registry=self.registry
        )
        self.mass_held = Gauge(
            "stepdown_mass_guard_held",
            "Policies held at full service because too many would leave it at once",
            registry=self.registry,
        )
        self.leader = Gauge("stepdown_leader", "1 while this replica leads", registry=self.registry)

    def count_missing(self, observations: Mapping[str, Observation]) -> None:
        """Counts what an evaluation could not see."""
        for seen in observations.values():
            if seen.missing is not None:
                self.missing.labels(str(seen.missing)).inc()

    def stand_by(self) -> None:
        """Who doesn't lead knows nothing of the policies, and says nothing of them."""
        self.leader.set(0)
        self.evaluation_age.set_function(lambda: 0.0)
        self.mass_held.set(0)
        for series in (self.level, *self.conditions.values(), self.transitions):
            series.clear()

    def forget(self, namespace: str, name: str) -> None:
        """A deleted policy leaves no series behind."""
        for gauge in (self.level, *self.conditions.values()):
            try:
                gauge.remove(namespace, name)
            except KeyError:
                continue
        self.transitions.remove_by_labels({"namespace": namespace, "name": name})
