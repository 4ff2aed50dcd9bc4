"""The agent is killed at every stage of a join, and starts again: nothing is asked for twice.

A stage that lasts a millisecond in life is held open by refusing the next write, or by pausing who
has to make it. Only what an outsider sees tells which stage it is.
"""

import pytest

from integration.channel.corner import Corner, RequestHistory, is_pending, watched_requests
from integration.channel.programs import Program, child_running, paused
from support.processes import is_running
from support.waiting import until
from towline_api.condition_types import HUB_ACCEPTED, JOINED
from towline_api.conditions import find_condition
from towline_api.names import ADDON_NAME_LABEL
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    MANAGED_CLUSTERS,
    SECRETS,
    KubeObject,
)
from towline_hub.decisions.accept import accept_cluster
from towline_sandbox.kube_plane import KubePlane
from towline_sandbox.plane import ControlPlane

CLUSTERS_ONLY = {
    "apiGroups": [MANAGED_CLUSTERS.group],
    "resources": [MANAGED_CLUSTERS.plural],
    "verbs": ["get", "list", "watch", "create"],
}
REQUESTS_TOO = {
    "apiGroups": [CERTIFICATE_SIGNING_REQUESTS.group],
    "resources": [CERTIFICATE_SIGNING_REQUESTS.plural],
    "verbs": ["get", "list", "watch", "create"],
}


pytestmark = pytest.mark.planes("kube", because="it pauses the process that signs certificates")


@pytest.fixture
def signer(hub_plane: ControlPlane) -> int:
    """The process that signs what was approved on the hub."""
    assert isinstance(hub_plane, KubePlane)
    running = hub_plane._running
    assert running is not None
    pid = child_running(running.group.supervisor_pid, "kube-controller-manager")
    assert is_running(pid)
    return pid


async def request_of(corner: Corner, *, addon: str | None = None) -> KubeObject | None:
    """Return the one request for the cluster or its add-on."""
    found = [
        request
        for request in await corner.requests()
        if request["metadata"]["labels"].get(ADDON_NAME_LABEL) == addon
    ]
    return found[0] if found else None


async def run_until(corner: Corner, *words: str) -> None:
    """Start the agent, let it come to where it says one of these, and kill it there."""
    corner.agent.start()
    await corner.agent.until_said(*words)
    corner.agent.kill()


async def approved(corner: Corner, *, addon: str | None = None) -> bool:
    request = await request_of(corner, addon=addon)
    return request is not None and find_condition(request, "Approved") is not None


async def stored(corner: Corner) -> bool:
    return await corner.secret() is not None


async def issued(corner: Corner, *, addon: str | None = None) -> bool:
    request = await request_of(corner, addon=addon)
    return request is not None and not is_pending(request)


async def test_killed_at_every_stage_of_the_join_it_joins_with_one_request(
    corner: Corner, hub: Program, signer: int
) -> None:
    """A crash loop must not flood the hub with requests, and must not need a person to end."""
    group = f"system:bootstrappers:{corner.cluster}"
    await corner.prepare_agent(group=group)
    async with watched_requests(corner) as history:
        await join_in_stages(corner, hub, signer, group=group, history=history)
        corner.agent.start()
        await corner.joined()
        await until(corner.lease_time, what=lambda: "no beat")
    assert len(history.names()) == 1, history.names()
    assert history.overlaps() == []


async def join_in_stages(
    corner: Corner, hub: Program, signer: int, *, group: str, history: RequestHistory
) -> None:
    # Nothing stored yet: the first thing an agent does is to store a key.
    await corner.let_agent_write(where=corner.namespace)
    await run_until(corner, "credential cannot be kept at the moment")
    assert await corner.secret("hub-kubeconfig-secret-pending") is None
    # The key is stored, and nobody on the hub has heard of the cluster.
    await corner.let_agent_write("secrets", where=corner.namespace)
    await run_until(corner, "cluster cannot be registered")
    assert await corner.secret("hub-kubeconfig-secret-pending") is not None
    assert await corner.managed_cluster() is None
    # The ManagedCluster is there, the request is not.
    await corner.let_bootstrap(group, rules=[CLUSTERS_ONLY])
    await run_until(corner, "managed cluster created")
    assert history.names() == []
    # The request is there, and nobody decides.
    await corner.let_bootstrap(group, rules=[CLUSTERS_ONLY, REQUESTS_TOO])
    await run_until(corner, "waiting for a certificate")
    hub.pause()
    try:
        with paused(signer):
            # Approved by a person, and nobody signs.
            await accept_cluster(corner.hub, corner.cluster)
            assert await approved(corner)
            await run_until(corner, "waiting for a certificate")
            assert not await issued(corner)
            await corner.let_agent_write(where=corner.namespace)
        # Issued, and the certificate cannot be stored.
        await until(lambda: issued(corner), what=lambda: "not issued")
        await run_until(corner, "credential cannot be kept at the moment")
        assert await corner.secret() is None
        # Stored, and the hub, which has not looked yet, grants nothing.
        await corner.let_agent_write("secrets", where=corner.namespace)
        corner.agent.start()
        await corner.agent.until_said("waiting for the hub to accept")
        await until(lambda: stored(corner), what=lambda: "not stored")
        corner.agent.kill()
        assert not await corner.has_condition(HUB_ACCEPTED)
        corner.agent.start()
        await corner.agent.until_said("hub channel is up")
    finally:
        hub.resume()
    # Accepted: as soon as that is seen.
    await corner.until_condition(HUB_ACCEPTED)
    corner.agent.kill()
    # Joined: as soon as that is seen.
    corner.agent.start()
    await corner.until_condition(JOINED)
    corner.agent.kill()


async def test_killed_at_every_stage_of_an_addon_it_configures_it_with_one_request(
    corner: Corner, hub: Program, signer: int
) -> None:
    """What holds for the cluster's own certificate holds for those it asks for on behalf of."""
    await corner.define_addon()
    await corner.prepare_agent()
    async with watched_requests(corner) as history:
        corner.agent.start()
        await corner.joined()
        corner.agent.kill()
        await configure_in_stages(corner, hub, signer, history=history)
        corner.agent.start()
        await corner.configured()
    assert len(history.names(addon=corner.addon)) == 1, history.names(addon=corner.addon)
    assert len(history.names()) == 1, history.names()
    assert history.overlaps() == []


async def configure_in_stages(
    corner: Corner, hub: Program, signer: int, *, history: RequestHistory
) -> None:
    addon, place = corner.addon, corner.addon_namespace

    async def registered() -> bool:
        return bool((await corner.managed_addon()).get("status", {}).get("registrations"))

    # Registered, and no key stored.
    await corner.let_agent_write("configmaps", "leases", where=place)
    await corner.enable_addon()
    await until(registered, what=lambda: "not registered")
    await run_until(corner, "credential cannot be kept at the moment")
    assert await corner.addon_secret("-pending") is None
    await corner.let_agent_write("secrets", where=place)
    hub.pause()
    try:
        # Asked, and nobody decides.
        await run_until(corner, "waiting for a certificate")
        assert await corner.addon_secret("-pending") is not None
        assert not await approved(corner, addon=addon)
        with paused(signer):
            hub.resume()
            # Approved, and nobody signs.
            await until(lambda: approved(corner, addon=addon), what=lambda: "not approved")
            await run_until(corner, "waiting for a certificate")
            await corner.let_agent_write(where=place)
    finally:
        hub.resume()
    # Issued, and the certificate cannot be stored.
    await until(lambda: issued(corner, addon=addon), what=lambda: "not issued")
    await run_until(corner, "credential cannot be kept at the moment")
    assert await corner.addon_secret() is None
    # Stored, and the configuration cannot be applied.
    await corner.let_agent_write("secrets", where=place)
    await run_until(corner, "configuration is not wholly in force")
    assert await corner.addon_secret() is not None
    assert not await corner.is_configured()
    # Configured: as soon as that is seen.
    await corner.let_agent_write("secrets", "configmaps", "leases", where=place)
    corner.agent.start()
    await corner.configured()
    corner.agent.kill()


async def test_killed_the_moment_it_has_done_something_it_joins_with_one_request(
    corner: Corner,
) -> None:
    """Nobody holds the hub here: what one agent asked for is answered while the next one starts."""
    await corner.prepare_agent()
    async with watched_requests(corner) as history:
        # A kill comes a moment late, so the next start may find the step after it done as well.
        await run_until(corner, "making a key")
        await run_until(corner, "certificate requested", "credential in use")
        await run_until(corner, "credential in use", "hub channel is up")
        corner.agent.start()
        await corner.joined()
    assert len(history.names()) == 1, history.names()
    assert history.overlaps() == []


async def test_an_agent_that_forgets_what_it_asked_for_is_noticed(corner: Corner) -> None:
    """The other tests here would see a second request: a restart without its key makes one."""
    group = f"system:bootstrappers:{corner.cluster}"
    await corner.prepare_agent(group=group)
    await corner.let_bootstrap(group, rules=[CLUSTERS_ONLY, REQUESTS_TOO])
    async with watched_requests(corner) as history:
        await run_until(corner, "waiting for a certificate")
        pending = "hub-kubeconfig-secret-pending"
        await corner.spoke.delete(SECRETS, pending, namespace=corner.namespace)
        await run_until(corner, "waiting for a certificate")
        await until(lambda: as_told(history, 2), what=lambda: history.names())
    assert len(history.overlaps()) == 1


async def as_told(history: RequestHistory, number: int) -> bool:
    """Return whether the watch has told of so many requests."""
    return len(history.names()) == number
