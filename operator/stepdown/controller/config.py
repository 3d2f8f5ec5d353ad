"""The operator's own configuration: what the chart sets, read once at the start."""

import json
import re
from pathlib import Path

from pydantic import Field, ValidationError, field_validator

from stepdown.actions.page_deployment import PageImage
from stepdown.api.endpoint import EndpointSpec
from stepdown.api.model import Duration, Model, duration_field
from stepdown.mass_guard import Limit

_PORT = "([0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"


_SHARE = re.compile(r"([1-9][0-9]?|100)%")


class LeaseConfig(Model):
    """Leadership. Seconds: a dead leader is replaced after `duration_seconds`."""

    name: str = Field("stepdown", max_length=63, description="Name of the Lease. Example: stepdown")
    duration_seconds: float = Field(15, ge=2, le=300, description="How long a renewal is good for. Example: 15")
    renew_seconds: float = Field(2, gt=0, le=60, description="Time between two renewals. Example: 2")


class MassGuardConfig(Model):
    """How many policies may newly degrade within a window: a count, or a share of all like 50%."""

    max_newly_degraded: int | str = Field("50%", description="A count, or a share. Example: 50%")
    window: Duration = duration_field("5m", "The time that is counted over. Example: 5m")

    @field_validator("max_newly_degraded")
    @classmethod
    def _is_a_count_or_a_share(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value >= 1:
            return value
        if isinstance(value, str) and _SHARE.fullmatch(value):
            return value
        raise ValueError(f"{value!r} is neither a count of at least 1 nor a share like 50%")

    @property
    def limit(self) -> Limit:
        """As the guard takes it."""
        found = self.max_newly_degraded
        if isinstance(found, int):
            return Limit(count=found, window=self.window)
        return Limit(share=int(found.removesuffix("%")) / 100, window=self.window)


class StatusPageConfig(Model):
    """What status pages are made of: the operator's own image."""

    image: str = Field(min_length=1, max_length=1024, description="The image. Example: ghcr.io/stepdown-dev/stepdown:1")
    pull_policy: str = Field("IfNotPresent", max_length=32, description="When it is pulled. Example: IfNotPresent")
    pull_secrets: list[str] = Field(
        default_factory=list, description="Secrets to pull it with, of the page's namespace. Example: [registry]"
    )

    @property
    def made_of(self) -> PageImage:
        """As the keeper of pages takes it."""
        return PageImage(self.image, self.pull_policy, tuple(self.pull_secrets))


class Config(Model):
    """Everything that is not in a resource."""

    namespaces: list[str] = Field(default_factory=list, description="Namespaces to watch; all where empty. Example: []")
    lease_namespace: str | None = Field(None, description="Namespace of the Lease. Example: stepdown-system")
    lease: LeaseConfig = Field(default_factory=LeaseConfig, description="Leadership. Example: {name: stepdown}")
    mass_guard: MassGuardConfig = Field(
        default_factory=MassGuardConfig, description="Most policies to degrade at once. Example: {window: 5m}"
    )
    opt_in: str = Field(
        "",
        max_length=1024,
        description="Command that lets the operator into the namespace $NAMESPACE. Example: kubectl -n $NAMESPACE …",
    )
    metrics_endpoint: EndpointSpec | None = Field(None, description="The endpoint `default`. Example: {url: http://…}")
    status_page: StatusPageConfig | None = Field(
        None, description="What status pages are made of; none are made without. Example: {image: …}"
    )
    metrics_address: str = Field(
        "0.0.0.0:8080",
        max_length=300,
        pattern=rf"^[^ ]*:{_PORT}$",
        description="Where /metrics answers. Example: 0.0.0.0:8080",
    )
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="Least severity. Example: info")
    log_format: str = Field("json", pattern="^(json|text)$", description="json or text. Example: json")


class BadConfig(Exception):
    """The configuration can't be used; the message names the file, the field and the cure."""


def read_config(path: Path | None) -> Config:
    """The configuration of a JSON file, or the defaults. Raises BadConfig."""
    if path is None:
        return Config()
    try:
        return Config.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise BadConfig(f"{path}: {where}: {first['msg']}; correct it in the chart's values") from None
        raise BadConfig(f"{path}: {error}; give a JSON file") from None


_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def own_namespace(named: str | None, config: Config) -> str:
    """The namespace of the Lease and of the endpoints' Secrets. Raises BadConfig where nothing tells it."""
    found = named or config.lease_namespace
    if found is None and _POD_NAMESPACE.exists():
        found = _POD_NAMESPACE.read_text(encoding="utf-8").strip()
    if not found:
        raise BadConfig("no namespace for the Lease: outside of a pod, name one with --lease-namespace")
    return found
