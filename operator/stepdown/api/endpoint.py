"""The MetricsEndpoint: where numbers come from, declared by an administrator."""

from typing import Annotated

from pydantic import Field

from stepdown.api.model import Duration, Model, ObjectName, duration_field, within


class SelectorRequirement(Model):
    """One requirement of a label selector."""

    key: str = Field(max_length=317, description="Label. Example: team")
    operator: Annotated[str, Field(pattern="^(In|NotIn|Exists|DoesNotExist)$", max_length=16)] = Field(
        description="In, NotIn, Exists or DoesNotExist. Example: In"
    )
    values: list[Annotated[str, Field(max_length=63)]] = Field(
        default_factory=list, max_length=64, description="Values for In and NotIn. Example: [checkout]"
    )


class LabelSelector(Model):
    """A Kubernetes label selector; the empty one matches everything."""

    match_labels: dict[str, Annotated[str, Field(max_length=63)]] = Field(
        default_factory=dict,
        max_length=32,
        description="Labels that must be equal. Example: {team: checkout}",
    )
    match_expressions: list[SelectorRequirement] = Field(
        default_factory=list,
        max_length=16,
        description="Further requirements. Example: [{key: team, operator: Exists}]",
    )

    @property
    def is_everything(self) -> bool:
        """Whether it selects objects whatever their labels are."""
        return not self.match_labels and not self.match_expressions

    def matches(self, labels: dict[str, str]) -> bool:
        """Whether an object with these labels is selected."""
        return all(labels.get(key) == value for key, value in self.match_labels.items()) and all(
            _holds(requirement, labels) for requirement in self.match_expressions
        )


def _holds(requirement: SelectorRequirement, labels: dict[str, str]) -> bool:
    match requirement.operator:
        case "In":
            return labels.get(requirement.key) in requirement.values
        case "NotIn":
            return labels.get(requirement.key) not in requirement.values
        case "Exists":
            return requirement.key in labels
        case _:
            return requirement.key not in labels


class SecretReference(Model):
    """A Secret in the operator's namespace, whose annotation stepdown.dev/hosts lists the endpoint's host."""

    name: ObjectName = Field(description="Name of the Secret. Example: prometheus-token")


class Auth(Model):
    """Credentials: a Secret with `token`, or with `username` and `password`."""

    secret_ref: SecretReference = Field(description="The Secret. Example: {name: prometheus-token}")


class Limits(Model):
    """What one endpoint may cost."""

    response_bytes: int = Field(
        4_194_304, ge=1024, le=67_108_864, description="Longest answer in bytes. Example: 4194304"
    )
    series: int = Field(5000, ge=1, le=100_000, description="Most series in an answer. Example: 5000")
    concurrent_queries: int = Field(4, ge=1, le=16, description="Most queries at once. Example: 4")


class EndpointSpec(Model):
    """A Prometheus, and who may use it."""

    url: str = Field(
        max_length=1024,
        pattern=r"^https?://[A-Za-z0-9._~:/\[\]-]+$",
        description="Base URL without credentials, query or fragment. Example: http://prometheus.monitoring:9090",
    )
    namespace_selector: LabelSelector | None = Field(
        None,
        description="Namespaces whose policies may use it: {} for all, none where it is not set. Example: {}",
    )
    allowed_cidrs: list[Annotated[str, Field(max_length=64, pattern=r"^[0-9a-fA-F.:]+/[0-9]{1,3}$")]] = Field(
        default_factory=list,
        alias="allowedCIDRs",
        max_length=32,
        description="Address ranges that are allowed although loopback, link-local, metadata services and"
        " the API"
        " server are refused otherwise. Example: [127.0.0.0/8]",
    )
    auth: Auth | None = Field(None, description="Credentials. Example: {secretRef: {name: prometheus-token}}")
    ca: str | None = Field(
        None,
        max_length=65536,
        description="PEM certificates that the server's must lead to. Example: |-\n  -----BEGIN…",
    )
    timeout: Duration = duration_field("5s", "Longest time for an answer, in all. Example: 5s")
    limits: Limits = Field(default_factory=Limits, description="Caps on an answer. Example: {series: 5000}")

    rules = (within("timeout", "100ms", "30s"),)
