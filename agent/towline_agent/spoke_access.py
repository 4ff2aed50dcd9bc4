"""The managed cluster, as an add-on's tasks and removal functions get it."""

from dataclasses import dataclass

from towline_kube.client import Client


@dataclass(frozen=True, slots=True)
class Spoke:
    """The managed cluster.

    Args:
        client: Its API server, under the identity of the program.
        cluster: Its name, which is also its namespace on the hub.
        namespace: The add-on's install namespace there.
    """

    client: Client
    cluster: str
    namespace: str
