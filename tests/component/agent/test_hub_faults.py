"""What befalls an agent between its hubs, what it does, how that ends, and what its users notice.

A client on the agent's channel calls the hub all the time. In no case is the process restarted,
unless that is the fault.
"""

import base64
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from support.hub_faults import Hubs, hub_planes, two_hubs
from support.waiting import eventually, until
from towline_api.resources import MANAGED_CLUSTERS
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
    hubs.a.owner.accepts = False
    await hubs.a.owner.hub.delete(MANAGED_CLUSTERS, hubs.a.owner.cluster)


async def name_another_hub(hubs: Hubs) -> None:
    """Replace the bootstrap kubeconfig by one of another hub."""
    await hubs.a.write_bootstrap(hubs.b.file.read_text())


async def fall_silent(hubs: Hubs) -> None:
    """Have the hub answer nothing any more."""
    hubs.a.fall_silent()


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
    "the-hub-falls-silent": Move(fall_silent),
    "the-bootstrap-kubeconfig-names-another-hub": Move(
        name_another_hub, is_listed=False, still_works=True
    ),
}


@pytest.mark.parametrize("case", MOVES)
async def test_the_next_hub_takes_over(hubs: Hubs, case: str) -> None:
    """What is held for the old hub is kept until the new one has accepted the cluster."""
    move = MOVES[case]
    settings = await hubs.settings(
        [hubs.a, hubs.b] if move.is_listed else [], hub_connection_timeout=SOON
    )
    hubs.b.owner.accepts = False
    async with hubs.running(settings) as agent:
        await hubs.arrives(agent, hubs.a)
        before = await hubs.files()
        identity = agent.session.identity
        await move.fault(hubs)
        await until(hubs.b.owner.managed_cluster, what=lambda: "it does not come")
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
        failed = {hub for hub, _ in hubs.probe.failed}
        assert failed <= (set() if move.still_works else {hubs.a.server})
        await until(hubs.is_tidy, what=lambda: "something is left of the move")
        assert len(await hubs.a.owner.requests()) == len(await hubs.b.owner.requests()) == 1


async def test_a_hub_that_answers_again_in_time_is_not_left(hubs: Hubs) -> None:
    """The next one has not taken the cluster yet, so nothing was gained by leaving."""
    hubs.b.owner.approves = False
    settings = await hubs.settings([hubs.a, hubs.b], hub_connection_timeout=SOON)
    async with hubs.running(settings) as agent:
        await hubs.arrives(agent, hubs.a)
        hubs.a.fall_silent()
        await until(hubs.b.owner.pending_requests, what=lambda: "it does not ask the next hub")
        hubs.a.speak_again()
        await eventually(
            lambda: not agent.session.overlook_move(), what=agent.session.overlook_move
        )
        await hubs.probe.goes_on(hubs.a.server)
        assert await hubs.kept_hub() == hubs.a.server
        # The request at the other hub is kept for the next time: there never is a second one.
        hubs.a.fall_silent()
        await eventually(
            lambda: "WaitingForApproval" in agent.session.overlook_move(),
            what=agent.session.overlook_move,
        )
        assert len(await hubs.b.owner.requests()) == 1
        assert len(agent.sessions) == 1


async def test_a_process_that_ends_while_it_moves_goes_on_with_the_move(hubs: Hubs) -> None:
    """It begins at the old hub, whose credential is good, and asks the new one nothing twice."""
    settings = await hubs.settings()
    hubs.b.owner.accepts = False
    async with hubs.running(settings) as agent:
        await hubs.arrives(agent, hubs.a)
        await name_another_hub(hubs)
        await eventually(
            lambda: "WaitingForAcceptance" in agent.session.overlook_move(),
            what=agent.session.overlook_move,
        )
    async with hubs.running(settings) as agent:
        assert agent.session.hub.server == hubs.a.server
        await hubs.probe.goes_on(hubs.a.server)
        hubs.b.owner.accepts = True
        await hubs.arrives(agent, hubs.b)
    assert hubs.probe.failed == []
    assert len(await hubs.b.owner.requests()) == 1
    async with hubs.running(settings) as agent:
        assert agent.session.hub.server == hubs.b.server
        await hubs.arrives(agent, hubs.b)
        await until(hubs.is_tidy, what=lambda: "something is left of the move")


async def use_an_expired_token(hubs: Hubs) -> None:
    """Write a bootstrap kubeconfig whose token has ended."""
    await hubs.a.write_bootstrap(
        await hubs.a.plane.bootstrap_kubeconfig(lifetime=timedelta(seconds=-1))
    )


async def use_a_powerless_token(hubs: Hubs) -> None:
    """Write a bootstrap kubeconfig whose identity may do nothing."""
    await hubs.a.write_bootstrap(
        await hubs.a.plane.bootstrap_kubeconfig(groups=["system:bootstrappers:nobody"])
    )


async def write_garbage(hubs: Hubs) -> None:
    """Write what is no kubeconfig."""
    await hubs.a.write_bootstrap("{")


async def refuse_requests(hubs: Hubs) -> None:
    """Deny whatever is asked for."""
    hubs.a.owner.approves = False


FIRST_FAULTS = {
    "its-token-has-ended": use_an_expired_token,
    "its-identity-may-do-nothing": use_a_powerless_token,
    "its-kubeconfig-is-garbage": write_garbage,
    "it-does-not-answer": fall_silent,
    "it-denies-the-request": refuse_requests,
}


@pytest.mark.parametrize("case", FIRST_FAULTS)
async def test_without_a_credential_the_first_hub_that_takes_the_cluster_is_joined(
    hubs: Hubs, case: str
) -> None:
    """In the order of the settings, and the others are not even asked for a certificate."""
    fault = FIRST_FAULTS[case]
    await fault(hubs)
    settings = await hubs.settings([hubs.a, hubs.b], hub_connection_timeout=SOON)
    async with hubs.running(settings) as agent:
        if fault is refuse_requests:
            (request,) = await until(hubs.a.owner.pending_requests, what=lambda: "no request")
            await hubs.a.owner.decide(request, "Denied", message="not you")
        await hubs.arrives(agent, hubs.b)
    assert hubs.probe.failed == []
    assert len(await hubs.b.owner.requests()) == 1
    assert len(await hubs.a.owner.requests()) == (fault is refuse_requests)
    # The hub that was found is the one to come back to, although it is not the first.
    await hubs.a.write_bootstrap()
    hubs.a.speak_again()
    async with hubs.running(settings) as agent:
        await hubs.arrives(agent, hubs.b)
        assert len(agent.sessions) == 1


async def test_a_cluster_that_no_hub_takes_stays_where_it_is(hubs: Hubs) -> None:
    """Nothing is gained by going round in circles, and nothing is lost by looking."""
    await hubs.b.write_bootstrap(
        await hubs.b.plane.bootstrap_kubeconfig(groups=["system:bootstrappers:nobody"])
    )
    settings = await hubs.settings([hubs.a, hubs.b], hub_connection_timeout=SOON)
    async with hubs.running(settings) as agent:
        await hubs.arrives(agent, hubs.a)
        before = len(hubs.b.plane.calls)
        hubs.a.fall_silent()

        def asked() -> list[str]:
            return [
                call.resource
                for call in hubs.b.plane.calls[before:]
                if call.user_agent.startswith("towline-agent/")
            ]

        await eventually(lambda: bool(asked()), what=lambda: "the other hub was never asked")
        hubs.a.speak_again()
        await hubs.probe.goes_on(hubs.a.server)
        assert len(agent.sessions) == 1
        assert set(asked()) == {"selfsubjectaccessreviews.authorization.k8s.io"}


# The hub's authority changes


@pytest.fixture
async def changing(
    planes: tuple[EmbeddedPlane, EmbeddedPlane, EmbeddedPlane], tmp_path: Path
) -> AsyncIterator[Hubs]:
    """As `hubs`, with a plane of its own for the hub whose authority changes."""
    with EmbeddedPlane("changing") as plane:
        cluster = f"c-{secrets.token_hex(4)}"
        async with two_hubs((plane, *planes[1:]), cluster=cluster, folder=tmp_path) as hubs:
            yield hubs


def with_authority(text: str, before: bytes, after: bytes) -> str:
    """Return a kubeconfig that names another authority."""
    old, new = (base64.b64encode(pem).decode() for pem in (before, after))
    assert old in text
    return text.replace(old, new)


async def test_a_new_authority_may_be_named_before_the_hub_uses_it(changing: Hubs) -> None:
    """Both are trusted, also by a process that starts in between; no call is lost."""
    hub, plane = changing.a, changing.a.plane
    settings = await changing.settings()
    new = plane.new_authority()
    named_anew = with_authority(hub.file.read_text(), plane.ca_pem, new.certificate_pem)
    async with changing.running(settings) as agent:
        await changing.arrives(agent, hub)
    await hub.write_bootstrap(named_anew)
    async with changing.running(settings) as agent:
        await changing.arrives(agent, hub)
        await hub.change_authority(new)
        await changing.probe.goes_on(hub.server)
        assert new.certificate_pem in (agent.session.channel.connection.ca_pem or b"")
    assert changing.probe.failed == []


async def test_a_new_authority_that_the_hub_publishes_is_trusted_without_a_person(
    changing: Hubs,
) -> None:
    """The bootstrap kubeconfig never changes; also a restart after the change finds the way."""
    hub, plane = changing.a, changing.a.plane
    settings = await changing.settings()
    new = plane.new_authority()
    async with changing.running(settings) as agent:
        await changing.arrives(agent, hub)
        plane.publish_authorities(plane.ca_pem + new.certificate_pem)

        async def learned() -> bool:
            await agent.session.trust_keeper.look_at_published()
            return b"published" in str(sorted(await changing.files())).encode()

        await until(learned, what=lambda: agent.session.trust_keeper.trust)
        await hub.change_authority(new)
        await changing.probe.goes_on(hub.server)
    async with changing.running(settings) as agent:
        await changing.arrives(agent, hub)
        # The bootstrap identity as well goes on, although its own kubeconfig is out of date.
        agent.session.keeper.refuse("for a test")
        await until(changing.a.owner.pending_requests, what=lambda: "it does not ask")
        await changing.arrives(agent, hub)
    assert changing.probe.failed == []


async def test_a_hub_whose_new_authority_nobody_named_is_not_believed_until_somebody_does(
    changing: Hubs,
) -> None:
    """Whoever has taken the hub's address cannot talk an agent into trusting it."""
    hub, plane = changing.a, changing.a.plane
    settings = await changing.settings()
    new = plane.new_authority()
    named_anew = with_authority(hub.file.read_text(), plane.ca_pem, new.certificate_pem)
    async with changing.running(settings) as agent:
        await changing.arrives(agent, hub)
        await hub.change_authority(new)
        await eventually(lambda: bool(changing.probe.failed), what=lambda: "it is believed")
        await hub.write_bootstrap(named_anew)
        await changing.probe.goes_on(hub.server)
        assert len(await hub.owner.requests()) == 1
