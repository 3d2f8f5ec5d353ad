"""The shop's flags, through OpenFeature: flagd's provider reads the mounted document in this very process."""

from openfeature import api
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.contrib.provider.flagd.config import ResolverType

_LOOK_MILLISECONDS = 250
"""How often the provider looks whether the file is another one."""


class Flags:
    """What is on, and which variant is chosen. An unreadable document means everything at its best."""

    def __init__(self, file: str) -> None:
        provider = FlagdProvider(
            resolver_type=ResolverType.FILE, offline_flag_source_path=file, deadline_ms=_LOOK_MILLISECONDS
        )
        api.set_provider(provider)
        self._client = api.get_client()

    @property
    def recommendations(self) -> bool:
        """Whether pages have recommendations."""
        return self._client.get_boolean_value("recommendations", True)

    @property
    def payments(self) -> str:
        """Who is asked for the money: primary, secondary; or nobody for now: queue."""
        return self._client.get_string_value("payments", "primary")

    @property
    def notifications(self) -> str:
        """How customers are told: email, sms, in-app; or by somebody at work: queue."""
        return self._client.get_string_value("notifications", "email")
