"""A whole fleet joins one hub at once on a real control plane: what that takes, and of whom."""

import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from fleet_spokes import join_all, make_spokes
from hub_under_test import running_hub
from process_use import cpu_seconds_of, peak_mebibytes_of, programs_below
from towline_kube.kubeconfig import parse_kubeconfig
from towline_sandbox.components import API_SERVER, CONTROLLER_CALLS_PER_SECOND
from towline_sandbox.in_process import admin_client
from towline_sandbox.kube_plane import KubePlane

DEFAULT_SIGNING_LIMIT = 20
"""How often a second Kubernetes' signer calls the API server unless it is told otherwise."""


@dataclass(frozen=True, slots=True)
class FleetJoin:
    """What it took until a fleet had joined.

    Args:
        hub: Which hub.
        limited: Whether the signer was held to Kubernetes' default limit.
        clusters: How many there were.
        seconds: Until the last of them had joined.
        each: Seconds until each had joined, since all began at once; sorted.
        hub_cpu: Processor seconds of the hub.
        hub_peak_mib: The most memory the hub ever had resident, until then.
        server_cpu: Processor seconds of kube-apiserver.
        server_peak_mib: The most memory kube-apiserver ever had resident, until then.
    """

    hub: str
    limited: bool
    clusters: int
    seconds: float
    each: Sequence[float]
    hub_cpu: float
    hub_peak_mib: float
    server_cpu: float
    server_peak_mib: float

    @property
    def hub_milliseconds_each(self) -> float:
        """Processor time of the hub for each cluster, in milliseconds."""
        return self.hub_cpu / self.clusters * 1000

    def seconds_of(self, share: float) -> float:
        """Return the seconds within which this share of the clusters had joined."""
        return self.each[min(int(share * len(self.each)), len(self.each) - 1)]


async def join_fleet(hub: str, *, clusters: int, limited: bool) -> FleetJoin:
    """Join a fleet of fresh clusters to a fresh hub.

    Args:
        hub: As for `running_hub`.
        clusters: How many.
        limited: Whether the signer is held to Kubernetes' default limit.
    """
    limit = DEFAULT_SIGNING_LIMIT if limited else CONTROLLER_CALLS_PER_SECOND
    spokes = make_spokes(clusters)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="towline-fleet-")))
        plane = await stack.enter_async_context(
            KubePlane("fleet", controller_calls_per_second=limit)
        )
        admin = await stack.enter_async_context(admin_client(plane))
        process = await stack.enter_async_context(running_hub(hub, plane, admin, folder=folder))
        server = programs_below(plane.supervisor_pid)[API_SERVER]
        bootstrap = parse_kubeconfig(await plane.bootstrap_kubeconfig(), source="bootstrap token")
        hub_cpu, server_cpu = cpu_seconds_of(process.pid), cpu_seconds_of(server)
        began = time.monotonic()
        each = await join_all(spokes, admin=admin, bootstrap=bootstrap)
        return FleetJoin(
            hub=hub,
            limited=limited,
            clusters=clusters,
            seconds=time.monotonic() - began,
            each=sorted(each),
            hub_cpu=cpu_seconds_of(process.pid) - hub_cpu,
            hub_peak_mib=peak_mebibytes_of(process.pid),
            server_cpu=cpu_seconds_of(server) - server_cpu,
            server_peak_mib=peak_mebibytes_of(server),
        )
