"""A person decides who joins, may change their mind at any time, and needs nobody's restart."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from integration.channel.corner import Corner, mounted_client
from integration.channel.programs import run_command
from support.waiting import until
from towline_api.condition_types import HUB_ACCEPTED
from towline_api.names import BOOTSTRAP_GROUP
from towline_api.resources import (
    ADDON_DEPLOYMENT_CONFIGS,
    CERTIFICATE_SIGNING_REQUESTS,
    CONFIG_MAPS,
    EVENTS,
    LEASES,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
    Resource,
)
from towline_kube.client import Client
from towline_kube.errors import Forbidden
from towline_sandbox.plane import ControlPlane

pytestmark = pytest.mark.planes("kube", because="hub and agent as programs meet the real thing")

AT_ONCE = timedelta(seconds=5)
"""One pass of the hub and one of the API server's authorizer, on a busy machine."""


@pytest.fixture(scope="module")
def hub_flags() -> tuple[str, ...]:
    """The hub's defaults: nobody joins without a person."""
    return ()


@pytest.fixture
def operator_kubeconfig(hub_plane: ControlPlane, tmp_path: Path) -> Path:
    """The kubeconfig of the hub's operator, for commands."""
    path = tmp_path / "operator.kubeconfig"
    path.write_text(hub_plane.admin_kubeconfig())
    return path


async def test_a_request_waits_for_a_person_says_so_and_joins_when_accepted(
    corner: Corner, operator_kubeconfig: Path
) -> None:
    """Nobody has to guess why a cluster is not joined, or what to type."""
    await corner.prepare_agent(group=BOOTSTRAP_GROUP)
    corner.agent.start()
    await corner.agent.until_said("waits for the hub's approval")
    hint = f"towline accept {corner.cluster}"
    # Said once the ManagedCluster is there, which is made beside the request.
    await corner.agent.until_said(hint)
    (request,) = await corner.requests()
    name = request["metadata"]["name"]

    async def told() -> str:
        events = await corner.hub.list(
            EVENTS, namespace="default", field_selector=f"regarding.name={name}"
        )
        return next((e["note"] for e in events.items if e["reason"] == "WaitingForOperator"), "")

    assert hint in await until(told, what=lambda: f"no Event about {name}")
    status = ("status", "--kubeconfig", str(operator_kubeconfig))
    seen = json.loads((await run_command(*status, "-o", "json")).out)
    (waiting,) = (item for item in seen["pending"] if item["cluster"] == corner.cluster)
    assert waiting["name"] == name
    assert hint in waiting["waiting_for"]
    assert waiting["requester"].startswith("system:bootstrap:")
    (cluster,) = (item for item in seen["clusters"] if item["name"] == corner.cluster)
    assert (cluster["acceptance"], cluster["joined"]) == ("waiting", False)
    # For people, the same in a table, whatever the width of their terminal.
    assert corner.cluster in (await run_command(*status)).out
    assert not await corner.has_condition(HUB_ACCEPTED)

    accept = ("accept", corner.cluster, "--kubeconfig", str(operator_kubeconfig))
    accepted = await run_command(*accept)
    assert accepted.status == 0, accepted
    assert f"cluster {corner.cluster}: accepted\n" in accepted.out
    assert f"request {name} by {waiting['requester']}: approved" in accepted.out
    await corner.joined()
    again = await run_command(*accept)
    assert again.status == 0, again
    assert "accepted already" in again.out
    assert len(await corner.requests()) == 1


async def test_denial_takes_every_right_at_once_and_acceptance_gives_them_back(
    corner: Corner, operator_kubeconfig: Path
) -> None:
    """Certificates cannot be called back, so what they open has to close."""
    await corner.define_addon()
    await corner.prepare_agent()
    corner.agent.start()
    await corner.agent.until_said("waits for the hub's approval")
    accept = ("accept", corner.cluster, "--kubeconfig", str(operator_kubeconfig))
    assert (await run_command(*accept)).status == 0
    await corner.joined()
    await corner.enable_addon()
    await corner.configured()
    own, addons = corner.cluster, corner.config_namespace
    looks: list[tuple[Resource, str, str | None]] = [
        (LEASES, "managed-cluster-lease", own),
        (MANAGED_CLUSTER_ADDONS, corner.addon, own),
    ]
    addon_looks: list[tuple[Resource, str, str | None]] = [
        (MANAGED_CLUSTER_ADDONS, corner.addon, own),
        (CONFIG_MAPS, "greeting", own),
        (ADDON_DEPLOYMENT_CONFIGS, "chosen", addons),
    ]
    async with (
        mounted_client(await corner.mounted_cluster_credential()) as agent,
        mounted_client(await corner.mounted_addon_credential()) as addon,
    ):
        for client, things in ((agent, looks), (addon, addon_looks)):
            for resource, name, namespace in things:
                await client.get(resource, name, namespace=namespace)
        before = await corner.lease_time()

        await corner.set_acceptance(False)
        for resource, name, namespace in looks:
            await until_refused(agent, resource, name, namespace)
        for resource, name, namespace in addon_looks:
            await until_refused(addon, resource, name, namespace)
        await until_no_requests(agent)
        assert not await agent.can_i(
            verb="renew",
            group="register.open-cluster-management.io",
            resource="managedclusters",
            subresource="clientcertificates",
        )
        # All that remains is to see why.
        cluster = await agent.get(MANAGED_CLUSTERS, own)
        assert cluster["spec"]["hubAcceptsClient"] is False
        with pytest.raises(Forbidden):
            await agent.patch_status(MANAGED_CLUSTERS, cluster, {"conditions": []})
        with pytest.raises(Forbidden):
            await agent.replace(MANAGED_CLUSTERS, cluster)
        await corner.until_condition(HUB_ACCEPTED, "False")
        assert corner.agent.is_running

        assert (await run_command(*accept)).status == 0
        await corner.until_condition(HUB_ACCEPTED)

        async def beats_again() -> bool:
            return await corner.lease_time() != before

        await until(beats_again, what=lambda: corner.agent.said[-2000:])
        for client, things in ((agent, looks), (addon, addon_looks)):
            for resource, name, namespace in things:
                await until_seen(client, resource, name, namespace)
        # The very same process, which follows changes again.
        body = {"data": {"message": "hello again"}}
        await corner.hub.patch(CONFIG_MAPS, "greeting", body, namespace=own)

        async def copied() -> bool:
            place = corner.addon_namespace
            copy = await corner.spoke.find(CONFIG_MAPS, "greeting", namespace=place)
            return copy is not None and copy["data"] == body["data"]

        await until(copied, what=lambda: corner.agent.said[-2000:])
    assert corner.agent.is_running
    assert corner.agent.said.count("agent starts") == 1


async def until_refused(
    client: Client, resource: Resource, name: str, namespace: str | None
) -> None:
    """Wait until an object is out of a client's reach, which has to be soon."""

    async def is_refused() -> bool:
        try:
            await client.find(resource, name, namespace=namespace)
        except Forbidden:
            return True
        return False

    await until(is_refused, what=lambda: f"{resource.plural} {name} is still open", within=AT_ONCE)


async def until_seen(client: Client, resource: Resource, name: str, namespace: str | None) -> None:
    """Wait until an object is within a client's reach."""

    async def is_seen() -> bool:
        try:
            return await client.find(resource, name, namespace=namespace) is not None
        except Forbidden:
            return False

    await until(is_seen, what=lambda: f"{resource.plural} {name} is still closed")


async def until_no_requests(client: Client) -> None:
    """Wait until a client may neither make certificate requests nor see any."""

    async def is_refused() -> bool:
        group, plural = CERTIFICATE_SIGNING_REQUESTS.group, CERTIFICATE_SIGNING_REQUESTS.plural
        may = [
            await client.can_i(verb=verb, group=group, resource=plural)
            for verb in ("create", "get", "list", "watch")
        ]
        return not any(may)

    await until(is_refused, what=lambda: "requests are still open", within=AT_ONCE)
