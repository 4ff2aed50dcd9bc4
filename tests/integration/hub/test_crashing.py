"""A hub that is killed after any of its calls, and started again, finishes what it began."""

import asyncio
from pathlib import Path

import pytest

from integration.hub.conftest import RunHub, hub_settings
from integration.hub.spoke import Spoke, decision, issued, until_condition
from support.tasks import background
from towline_api import names
from towline_api.condition_types import HUB_ACCEPTED
from towline_api.metadata import annotations_of
from towline_api.resources import LEASES, MANAGED_CLUSTERS, ROLE_BINDINGS
from towline_hub import daemon
from towline_hub.clusters import rbac
from towline_hub.object_writer import holds
from towline_kube.client import Call, Client
from towline_sandbox.plane import ControlPlane

READS = ("get", "list", "watch")
WRITES_OF_A_JOIN = 10
"""Once what all clusters share is there; a lost race adds some."""


@pytest.mark.parametrize("survived", range(1, WRITES_OF_A_JOIN + 1))
async def test_a_join_survives_the_hubs_death(
    spoke: Spoke,
    admin: Client,
    hub_plane: ControlPlane,
    run_hub: RunHub,
    tmp_path: Path,
    survived: int,
) -> None:
    """Whatever was written before the end must not keep the rest from being written after it."""
    async with run_hub():
        pass  # so that what all clusters share is there, and only this join's writes count
    settings = await hub_settings(hub_plane, admin, tmp_path)
    await spoke.register()
    name = await spoke.ask()
    writes = 0
    dying = asyncio.Event()

    def die_after_enough(call: Call) -> None:
        nonlocal writes
        if call.verb in READS or "reviews" in call.resource:
            return
        writes += 1
        if writes >= survived:
            hub.cancel("killed by the test")
            dying.set()

    async with background(
        daemon.run(settings, asyncio.Event(), on_call=die_after_enough), name="run-hub"
    ) as hub:
        async with asyncio.timeout(20):
            await dying.wait()
            await asyncio.wait([hub])
    async with run_hub():
        kind, _, _ = await decision(admin, name)
        assert kind == "Approved"
        certificate = await issued(admin, name)
        cluster = await until_condition(
            admin, MANAGED_CLUSTERS, spoke.cluster, HUB_ACCEPTED, "True"
        )
        assert names.AUTOMATICALLY_ACCEPTED_ANNOTATION in annotations_of(cluster)
        binding = rbac.work_role_binding(spoke.cluster)
        live = await admin.get(ROLE_BINDINGS, binding["metadata"]["name"], namespace=spoke.cluster)
        assert holds(binding, live)
        await admin.get(LEASES, names.CLUSTER_LEASE, namespace=spoke.cluster)
        async with Client(spoke.connection(certificate), field_manager="test") as agent:
            await spoke.beat(agent)
