"""The managed cluster, as an add-on's tasks, health checks and removal functions get it."""

from dataclasses import dataclass

from towline_kube.client import Client


@dataclass(frozen=True, slots=True)
class Spoke:
    """The managed cluster.

    Args:
        client: Its API server, under the identity of the program.
        cluster: Its name, which is also its namespace on the hub.
        namespace: The add-on's install namespace there.
        hosting: The cluster the program runs on in hosted mode; None in all other cases.
    """

    client: Client
    cluster: str
    namespace: str
    hosting: Client | None = None

    @property
    def home(self) -> Client:
        """The cluster that the program itself runs on, where its Secrets and its Lease are."""
        return self.client if self.hosting is None else self.hosting
