"""The keeper of status pages on the real API server, as the configuration has it."""

from stepdown.adapters.api import Api
from stepdown.adapters.pages import KubernetesPages
from stepdown.controller.config import Config
from stepdown.page_keeper import PageKeeper
from stepdown.ports import Cluster, Journal


def page_keeper(config: Config, api: Api, cluster: Cluster, journal: Journal) -> PageKeeper | None:
    """The keeper, or None where no pages may be made."""
    if config.status_page is None:
        return None
    return PageKeeper(cluster, journal, KubernetesPages(api, config.opt_in), config.status_page.made_of)
