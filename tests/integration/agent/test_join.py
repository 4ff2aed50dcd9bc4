"""A managed cluster joins a hub: with a bootstrap token there, and the least rights at home."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from support.joining import JoinHub, agent_settings, join_hub, running_agent
from support.waiting import until
from towline_sandbox.kube_plane import KubePlane


@pytest_asyncio.fixture
async def hub(
    hub_plane: KubePlane, spoke_plane: KubePlane, cluster_name: str
) -> AsyncIterator[JoinHub]:
    async with join_hub(hub_plane, spoke_plane, cluster=cluster_name) as hub:
        yield hub


async def test_a_cluster_joins_and_says_how_it_is(
    hub: JoinHub, hub_plane: KubePlane, spoke_plane: KubePlane, tmp_path: Path
) -> None:
    """From nothing to joined, available and beating, in one status write and few calls."""
    settings = await agent_settings(hub, hub_plane, spoke_plane, folder=tmp_path)
    async with running_agent(settings) as agent:
        await hub.joined()
        await hub.until_condition("ManagedClusterConditionAvailable")
        await hub.until_condition("ClusterCertificateRotated")
        await until(hub.lease_time, what=lambda: "no beat")
        cluster = await hub.managed_cluster()
        assert cluster is not None
        assert cluster["status"]["version"] == {"kubernetes": spoke_plane.version}
        secret = await hub.secret()
        assert secret is not None
        assert set(secret["data"]) == {
            "kubeconfig", "cluster-name", "agent-name", "tls.key", "tls.crt"
        }  # fmt: skip
        assert await hub.secret("hub-kubeconfig-secret-pending") is None
        assert len(await hub.requests()) == 1
