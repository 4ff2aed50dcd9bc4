"""Certificates rotate while the channel is in use, and nobody notices."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from support.joining import agent_settings, join_hub, running_agent
from support.waiting import eventually
from towline_api.resources import MANAGED_CLUSTERS
from towline_kube.client import Call
from towline_sandbox.plane import ControlPlane

LIFETIME = timedelta(seconds=12)
"""Of each certificate: renewed after three quarters, which leaves three seconds to do it in."""
EVERY = 0.01
"""Seconds between two calls of the load."""


@pytest.mark.timeout(240)
async def test_three_rotations_under_load_lose_no_call(
    make_plane: Callable[..., Awaitable[ControlPlane]],
    spoke_plane: ControlPlane,
    cluster_name: str,
    tmp_path: Path,
) -> None:
    """A client that calls the hub every 10 ms sees no failed call, not even a retried one."""
    hub_plane = await make_plane("hub", certificate_lifetime=LIFETIME)
    calls: list[Call] = []

    def note(call: Call) -> None:
        if call.resource == MANAGED_CLUSTERS.qualified and call.verb == "get":
            calls.append(call)

    async with join_hub(hub_plane, spoke_plane, cluster=cluster_name) as hub:
        settings = await agent_settings(hub, hub_plane, spoke_plane, folder=tmp_path)
        async with running_agent(settings, parts={}, on_hub_call=note) as agent:
            await hub.joined()
            channel, keeper = agent.session.channel, agent.session.keeper
            used: set[str] = set()
            in_channel: set[bytes] = set()

            async def call_on_and_on() -> None:
                while len(in_channel) < 4:
                    await channel.client.get(MANAGED_CLUSTERS, hub.cluster)
                    assert keeper.credential is not None
                    used.add(keeper.credential.fingerprint)
                    in_channel.add(channel.connection.client_certificate_pem or b"")
                    await asyncio.sleep(EVERY)

            calls.clear()
            async with asyncio.timeout(4 * LIFETIME.total_seconds()):
                await call_on_and_on()
            # Past the end of the first certificate, with only the newest in use.
            assert len(used) == 4
            assert len(calls) > 200, "the load was one"
            assert {(call.status, call.attempt) for call in calls} == {(200, 1)}
            await hub.until_condition("ClusterCertificateRotated")
            await eventually(lambda: keeper.status.failure is None, what=lambda: keeper.status)
        assert len(await hub.requests()) == 4
