"""A cluster that has lost everything comes back to its hub: at once, or at a person's word."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.joining import RunningAgent, running_agent
from support.waiting import eventually
from towline_agent.settings import AgentSettings
from towline_api.addon_codec import V1Alpha1Codec
from towline_api.names import BOOTSTRAP_GROUP, HUB_KUBECONFIG_SECRET
from towline_api.resources import MANAGED_CLUSTERS, SECRETS
from towline_certs import BootstrapPolicy
from towline_certs.bootstrap_identity import bound_group
from towline_hub import daemon as hub_daemon
from towline_hub.approval.rules import ApprovalRules
from towline_hub.explain.gathering import Explainer
from towline_hub.explain.targets import parse_target
from towline_kube.client import Client
from towline_sandbox.embedded.plane import EmbeddedPlane
from towline_sandbox.in_process import admin_client, prepare_agent, prepare_hub, running

CLUSTER = "cluster1"


@pytest.fixture
async def planes(tmp_path: Path) -> AsyncIterator[tuple[EmbeddedPlane, EmbeddedPlane, Client]]:
    """A hub cluster with a hub on it, a managed cluster, and the hub's administrator."""
    async with EmbeddedPlane("hub") as hub, EmbeddedPlane("spoke") as spoke:
        settings = await prepare_hub(hub, folder=tmp_path)

        async def serve(stop: asyncio.Event) -> None:
            await hub_daemon.run(settings, stop)

        async with running("run-hub", serve), admin_client(hub) as admin:
            yield hub, spoke, admin


async def lose_everything(settings: AgentSettings, spoke: EmbeddedPlane) -> None:
    """Delete what the agent has stored."""
    async with admin_client(spoke) as admin:
        await admin.delete(SECRETS, HUB_KUBECONFIG_SECRET, namespace=settings.namespace)


async def works(agent: RunningAgent) -> None:
    """Wait until the hub has taken the agent."""
    session = agent.session
    await eventually(
        lambda: session.channel.is_ready and session.view.accepted_cluster is not None,
        what=lambda: (session.keeper.status, session.channel.trouble),
    )


async def uids(admin: Client) -> list[str]:
    """Return the uids of all clusters on the hub."""
    return [item["metadata"]["uid"] for item in (await admin.list(MANAGED_CLUSTERS)).items]


async def test_with_a_bootstrap_identity_of_its_own_it_comes_back_at_once(
    planes: tuple[EmbeddedPlane, EmbeddedPlane, Client], tmp_path: Path
) -> None:
    """Without a name in its settings too: the hub says which cluster the token is for."""
    hub, spoke, admin = planes
    settings = await prepare_agent(hub, spoke, cluster=CLUSTER, folder=tmp_path)
    assert settings.bootstrap_kubeconfig is not None
    groups = (BOOTSTRAP_GROUP, bound_group(CLUSTER))
    settings.bootstrap_kubeconfig.write_text(await hub.bootstrap_kubeconfig(groups=groups))
    settings = settings.model_copy(update={"cluster_name": None})
    found = []
    for _ in range(2):
        async with running_agent(settings, parts={}) as agent:
            await works(agent)
            assert agent.session.identity.cluster == CLUSTER
        found.append(await uids(admin))
        await lose_everything(settings, spoke)
    assert found[0] == found[1]
    assert len(found[0]) == 1


async def test_with_a_shared_bootstrap_identity_it_waits_for_a_person_and_both_sides_say_so(
    planes: tuple[EmbeddedPlane, EmbeddedPlane, Client], tmp_path: Path
) -> None:
    """Else whoever holds a token of the fleet could take the place of any cluster."""
    hub, spoke, admin = planes
    settings = await prepare_agent(hub, spoke, cluster=CLUSTER, folder=tmp_path)
    async with running_agent(settings, parts={}) as agent:
        await works(agent)
    before = await uids(admin)
    await lose_everything(settings, spoke)
    async with running_agent(settings, parts={}) as agent:
        keeper = agent.session.keeper
        await eventually(
            lambda: keeper.status.reason == "WaitingForApproval", what=lambda: keeper.status
        )
        name = keeper.facts.request
        assert f"request {name} waits for the hub's approval" in agent.session.state.look().message

        rules = ApprovalRules(bootstrap=BootstrapPolicy(groups=frozenset({BOOTSTRAP_GROUP})))
        explainer = Explainer(admin, codec=V1Alpha1Codec(), rules=rules)
        broken = (await explainer.explain(parse_target(f"csr/{name}"))).broken
        assert broken is not None
        assert broken.name == "decision"
        assert broken.command == f"towline approve {name}"
        assert "operator" in broken.found, broken.found
        assert not agent.session.channel.is_ready
    assert await uids(admin) == before
