"""A cluster that agents of add-ons run on: where their Secrets and Leases are.

That is the managed cluster itself. In hosted mode, where this agent runs on another cluster for a
managed one, it is the hosting cluster for every add-on that is hosted as well.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import NoReturn

from towline_agent.addons.configuration_process import ConfigurationProcess
from towline_agent.addons.leftovers import AddonLeftovers
from towline_agent.applying.install_namespaces import Corner, InstallNamespaces
from towline_api.addons import ManagedClusterAddon
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK, Clock


class Side(StrEnum):
    """Which cluster something is on, as messages call it."""

    MANAGED = "the managed cluster"
    HOSTING = "the hosting cluster"


class AddonHome:
    """What is ours on such a cluster, by install namespace.

    Args:
        side: Which cluster it is.
        client: Its API server.
        cluster: Name of the managed cluster on the hub.
        namespaces: Where to look for what an earlier process made, if looking everywhere is not
            permitted.
        on_change: Called with what may have changed.
        clock: Time.
    """

    def __init__(
        self,
        side: Side,
        client: Client,
        *,
        cluster: str,
        namespaces: frozenset[str],
        on_change: Callable[["AddonHome", Corner], None],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.side = side
        self.client = client
        self.namespaces = InstallNamespaces(
            client, cluster=cluster, on_change=lambda corner: on_change(self, corner), clock=clock
        )
        """Watches the install namespaces."""
        self.former_namespaces = set(namespaces)
        """Where there may be something of ours."""
        self.leftovers = AddonLeftovers(
            client, cluster=cluster, namespaces=lambda: self.former_namespaces
        )
        """Finds it, and removes it."""
        self.standard = ConfigurationProcess(self.namespaces)
        """Serves add-ons that consist of their configuration."""

    async def run(self) -> NoReturn:
        """Watch until cancelled."""
        await self.namespaces.run()


def side_of(addon: ManagedClusterAddon, *, is_hosted: bool) -> Side | None:
    """Return which cluster an add-on's agent runs on; None if it is one we know nothing of.

    Like OCM's agent, one in hosted mode takes every hosted add-on to run beside it, whatever its
    hosting cluster is called.

    Args:
        addon: The add-on as the hub describes it.
        is_hosted: Whether this agent runs in hosted mode.
    """
    if addon.hosting_cluster is None:
        return Side.MANAGED
    if is_hosted:
        return Side.HOSTING
    # A cluster that hosts itself is not hosted at all.
    return Side.MANAGED if addon.hosting_cluster == addon.cluster else None
