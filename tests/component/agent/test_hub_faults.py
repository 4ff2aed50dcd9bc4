"""What befalls an agent between its hubs, what it does, how that ends, and what its users notice.

A client on the agent's channel calls the hub all the time. In no case is the process restarted,
unless that is the fault.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from support.hub_faults import Hubs, HubSide, hub_planes, two_hubs
from support.joining import RunningAgent
from support.waiting import eventually, until
from towline_sandbox.embedded.plane import EmbeddedPlane

SOON = timedelta(seconds=1)
"""How long a hub may be silent here before it is left."""


@pytest.fixture(scope="module")
def planes() -> Iterator[tuple[EmbeddedPlane, EmbeddedPlane, EmbeddedPlane]]:
    """Two hubs and a managed cluster, which tests leave as they found them."""
    with hub_planes() as planes:
        yield planes


@pytest.fixture
async def hubs(
    planes: tuple[EmbeddedPlane, EmbeddedPlane, EmbeddedPlane], tmp_path: Path
) -> AsyncIterator[Hubs]:
    """One cluster's corner of both hubs."""
    cluster = f"c-{secrets.token_hex(4)}"
    async with two_hubs(planes, cluster=cluster, folder=tmp_path) as hubs:
        yield hubs


# Moving between hubs


async def deny(hubs: Hubs) -> None:
    """Take the acceptance back, as the hub's owner may at any time."""
    hubs.a.owner.accepts = False
    await hubs.a.owner.deny()


async def delete(hubs: Hubs) -> None:
    """Delete the cluster on the hub."""
    from towline_api.resources import MANAGED_CLUSTERS

    hubs.a.owner.accepts = False
    await hubs.a.owner.hub.delete(MANAGED_CLUSTERS, hubs.a.owner.cluster)


async def name_another_hub(hubs: Hubs) -> None:
    """Replace the bootstrap kubeconfig by one of another hub."""
    await hubs.a.write_bootstrap(hubs.b.file.read_text())


@dataclass(frozen=True)
class Move:
    """One reason to leave a hub that has taken the cluster.

    Args:
        fault: What happens.
        is_listed: Whether both bootstrap kubeconfigs are set from the beginning.
        still_works: Whether the old hub serves the cluster until it is left.
    """

    fault: Callable[[Hubs], Awaitable[None]]
    is_listed: bool = True
    still_works: bool = False


MOVES = {
    "the-hub-denies-the-cluster": Move(deny),
    "the-hub-deletes-the-cluster": Move(delete),
    "the-bootstrap-kubeconfig-names-another-hub": Move(
        name_another_hub, is_listed=False, still_works=True
    ),
}


@pytest.mark.parametrize("case", MOVES)
async def test_the_next_hub_takes_over(hubs: Hubs, case: str) -> None:
    """What is held for the old hub is kept until the new one has accepted the cluster."""
    move = MOVES[case]
    settings = await hubs.settings([hubs.a, hubs.b] if move.is_listed else [])
    hubs.b.owner.accepts = False
    async with hubs.running(settings) as agent:
        await hubs.arrives(agent, hubs.a)
        before = await hubs.files()
        identity = agent.session.identity
        await move.fault(hubs)
        await until(hubs.b.owner.managed_cluster, what=lambda: "it does not come to the next hub")
        await eventually(
            lambda: "WaitingForAcceptance" in agent.session.overlook_move(),
            what=agent.session.overlook_move,
        )
        if move.still_works:
            await hubs.probe.goes_on(hubs.a.server)
            assert hubs.probe.failed == []
        assert (await hubs.files())["tls.key"] == before["tls.key"]
        hubs.b.owner.accepts = True
        await hubs.arrives(agent, hubs.b)
        assert agent.session.identity == identity
        assert {hub for hub, _ in hubs.probe.failed} <= (
            set() if move.still_works else {hubs.a.server}
        )
        await until(hubs.is_tidy, what=lambda: "something is left of the move")
        assert len(await hubs.a.owner.requests()) == len(await hubs.b.owner.requests()) == 1
