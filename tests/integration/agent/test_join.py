"""A managed cluster joins a hub: with a bootstrap token there, and the least rights at home."""

from pathlib import Path

import pytest

from support.joining import JoinHub, agent_settings, obj, running_agent
from support.plane_clients import client_of
from support.waiting import eventually, until
from towline_agent.credentials.status import CredentialState
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    CONFIG_MAPS,
    LEASES,
    MANAGED_CLUSTERS,
    NODES,
    SECRETS,
)
from towline_certs.credentials import from_secret_data
from towline_kube.client import Client
from towline_kube.errors import Forbidden
from towline_kube.kubeconfig import parse_kubeconfig
from towline_sandbox.plane import ControlPlane

pytestmark = pytest.mark.planes("embedded", "kube")

MOST_HUB_CALLS = 20
"""Of a join with the watches it opens, add-ons included. It takes 16; a lost race adds a few."""


async def test_a_cluster_joins_and_says_how_it_is(
    hub: JoinHub, hub_plane: ControlPlane, spoke_plane: ControlPlane, tmp_path: Path
) -> None:
    """From nothing to joined, available and beating, with one request and few calls."""
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
        assert agent.hub_calls.total() <= MOST_HUB_CALLS, agent.hub_calls


async def test_the_stored_kubeconfig_opens_the_hub_as_ocm_expects(
    hub: JoinHub, hub_plane: ControlPlane, spoke_plane: ControlPlane, tmp_path: Path
) -> None:
    """Other programs mount this Secret as a directory and point kubectl or client-go at it."""
    settings = await agent_settings(hub, hub_plane, spoke_plane, folder=tmp_path)
    async with running_agent(settings):
        await hub.joined()
    secret = await hub.secret()
    assert secret is not None
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    for name, content in from_secret_data(secret["data"]).items():
        (mounted / name).write_bytes(content)
    text = (mounted / "kubeconfig").read_text()
    assert "tls.crt" in text
    connection = parse_kubeconfig(text, source="mounted", base_dir=mounted)
    agent = (mounted / "agent-name").read_text()
    async with Client(connection, field_manager="test") as client:
        user = await client.whoami()
        assert user.username == f"system:open-cluster-management:{hub.cluster}:{agent}"
        assert await client.find(MANAGED_CLUSTERS, hub.cluster) is not None
        with pytest.raises(Forbidden):
            await client.list(MANAGED_CLUSTERS)
        with pytest.raises(Forbidden):
            await client.list(CONFIG_MAPS, namespace=hub.cluster)


async def test_the_agent_may_do_no_more_at_home_than_it_needs(
    hub: JoinHub, hub_plane: ControlPlane, spoke_plane: ControlPlane, tmp_path: Path
) -> None:
    """Whoever steals the agent's token finds no other Secret, no workload, no node to change."""
    settings = await agent_settings(hub, hub_plane, spoke_plane, folder=tmp_path)
    other = obj(SECRETS, "other", hub.namespace)
    await hub.spoke.create(SECRETS, other)
    assert settings.spoke_kubeconfig is not None
    text = settings.spoke_kubeconfig.read_text()
    async with client_of(text) as client:
        assert await client.find(SECRETS, "hub-kubeconfig-secret", namespace=hub.namespace) is None
        await client.list(NODES)
        for name, place in (("other", hub.namespace), ("x", "kube-system")):
            with pytest.raises(Forbidden):
                await client.find(SECRETS, name, namespace=place)
        for resource, namespace in (
            (SECRETS, hub.namespace),
            (SECRETS, None),
            (LEASES, "kube-system"),
            (CERTIFICATE_SIGNING_REQUESTS, None),
        ):
            with pytest.raises(Forbidden):
                await client.list(resource, namespace=namespace)


async def test_it_waits_patiently_for_approval_and_acceptance(
    hub: JoinHub, hub_plane: ControlPlane, spoke_plane: ControlPlane, tmp_path: Path
) -> None:
    """A person decides, in either order and in their own time; waiting costs the hub nothing."""
    hub.approves = hub.accepts = False
    settings = await agent_settings(hub, hub_plane, spoke_plane, folder=tmp_path)
    async with running_agent(settings, parts={}) as agent:
        await until(hub.pending_requests, what=lambda: "no request")
        await until(hub.managed_cluster, what=lambda: "no cluster")
        await eventually(
            lambda: agent.session.keeper.status.reason == "WaitingForApproval",
            what=lambda: agent.session.keeper.status,
        )
        hub.approves = True
        await eventually(lambda: agent.session.channel.is_ready, what=lambda: "not ready")
        assert not await hub.has_condition("ManagedClusterJoined")
        hub.accepts = True
        await hub.joined()
        assert len(await hub.requests()) == 1


async def test_acceptance_can_be_taken_back_and_given_again(
    hub: JoinHub, hub_plane: ControlPlane, spoke_plane: ControlPlane, tmp_path: Path
) -> None:
    """The beat stops with the acceptance and begins again with it; nothing restarts."""
    settings = await agent_settings(hub, hub_plane, spoke_plane, folder=tmp_path)
    async with running_agent(settings, parts={}) as agent:
        await hub.joined()
        await until(hub.lease_time, what=lambda: "no beat")
        hub.accepts = False
        await hub.deny()
        await eventually(
            lambda: agent.session.view.accepted_cluster is None, what=lambda: "still accepted"
        )
        before = await hub.lease_time()
        hub.accepts = True

        async def beats_again() -> bool:
            return await hub.lease_time() != before

        await until(beats_again, what=lambda: "no beat since acceptance was given again")
        assert agent.session.keeper.status.state is CredentialState.HOLDING


async def test_a_restart_asks_for_nothing_and_writes_no_status(
    hub: JoinHub, hub_plane: ControlPlane, spoke_plane: ControlPlane, tmp_path: Path
) -> None:
    """Restarting a fleet must be cheap: one beat each, no request, no status write."""
    settings = await agent_settings(hub, hub_plane, spoke_plane, folder=tmp_path)
    async with running_agent(settings, parts={}):
        await hub.joined()
        await hub.until_condition("ManagedClusterConditionAvailable")
        await hub.until_condition("ClusterCertificateRotated")
    before = await hub.lease_time()
    async with running_agent(settings, parts={}) as agent:

        async def beats_again() -> bool:
            return await hub.lease_time() != before

        await until(beats_again, what=lambda: "no beat after the restart")
        verbs = {verb for verb, _ in agent.hub_calls}
        assert verbs <= {"get", "list", "watch", "replace", "create"}
        assert [kind for verb, kind in agent.hub_calls if verb == "create"] == [
            "selfsubjectreviews.authentication.k8s.io"
        ]
        assert len(await hub.requests()) == 1


async def test_without_a_name_it_makes_one_up_and_keeps_it(
    hub: JoinHub, hub_plane: ControlPlane, spoke_plane: ControlPlane, tmp_path: Path
) -> None:
    """A restart before the first certificate must not make a second cluster on the hub."""
    settings = await agent_settings(
        hub,
        hub_plane,
        spoke_plane,
        folder=tmp_path,
        cluster_name=None,
        state_dir=tmp_path / "state",
    )
    names = set()
    for _ in range(3):
        async with running_agent(settings, parts={}) as agent:
            await eventually(lambda: bool(agent.sessions), what=lambda: "no session")
            await eventually(
                lambda: agent.session.keeper.is_recorded.is_set(), what=lambda: "not recorded"
            )
            names.add(agent.session.identity)
    assert len(names) == 1
    (identity,) = names
    hub.cluster = identity.cluster
    async with running_agent(settings, parts={}):
        await hub.joined()
    assert len(await hub.requests()) == 1
