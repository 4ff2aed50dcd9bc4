"""Coming to a hub, waiting for its acceptance, and following the cluster from then on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import cast

import pytest

from support.api_world import FakeServer
from support.clock import FakeClock
from support.tasks import background
from towline_agent.channel.hub_channel import HubChannel
from towline_agent.clusters.follower import ClusterFollower
from towline_agent.clusters.view import ClusterView
from towline_agent.credentials.state import Standing
from towline_agent.hubs.bootstrap import Bootstrap
from towline_api.resources import MANAGED_CLUSTERS, KubeObject
from towline_kube.client import Client
from towline_kube.errors import Forbidden, Unauthorized

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


class World:
    """A hub seen by two identities: bootstrap, and our own (which may be kept from seeing)."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.hub = FakeServer(self.clock)
        self.view = ClusterView()
        self.recorded = asyncio.Event()
        self.recorded.set()
        self.ready = asyncio.Event()
        self.bootstrap_error: Exception | None = None
        self.suspicions = 0
        self.holds_credential = False

    async def bootstrap_client(self) -> Client:
        if self.bootstrap_error is not None:
            raise self.bootstrap_error
        return self.hub.client

    async def wait_ready(self, *, timeout: timedelta | None = None) -> Client:
        await self.ready.wait()
        return self.hub.client

    def follower(self) -> ClusterFollower:
        world = self

        class Channel:
            client = world.hub.client

            @property
            def is_ready(self) -> bool:
                return world.ready.is_set()

            async def wait_ready(self, *, timeout: timedelta | None = None) -> Client:
                return await world.wait_ready(timeout=timeout)

            def suspect(self) -> None:
                world.suspicions += 1

        return ClusterFollower(
            "c1",
            bootstrap=cast("Bootstrap", SimpleNamespace(client=self.bootstrap_client)),
            channel=cast("HubChannel", Channel()),
            view=self.view,
            is_recorded=self.recorded,
            holds_credential=lambda: self.holds_credential,
            annotations={},
            configs=[],
            clock=self.clock,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with background(self.follower().run(), name="follow"):
            await self.clock.settle()
            yield

    @property
    def cluster(self) -> KubeObject | None:
        return next(iter(self.hub.stored(MANAGED_CLUSTERS).values()), None)

    def standing(self) -> Standing:
        return self.view.standing

    def accept(self, status: str = "True") -> None:
        live = self.cluster or {"metadata": {"name": "c1"}, "spec": {}}
        conditions = [{"type": "HubAcceptedManagedCluster", "status": status}]
        self.hub.put(MANAGED_CLUSTERS, {**live, "status": {"conditions": conditions}})


@pytest.fixture
def world() -> World:
    return World()


async def test_nothing_is_created_before_the_name_is_stored(world: World) -> None:
    """A crash right after would come back under another name, and leave an orphan on the hub."""
    world.recorded.clear()
    async with world.running():
        await world.clock.advance(MINUTE)
        assert world.cluster is None
        world.recorded.set()
        await world.clock.advance(SECOND)
        assert world.cluster is not None


async def test_acceptance_is_seen_at_once_and_shown_with_our_own_eyes(world: World) -> None:
    """The others act on what our own identity may see, and only then."""
    async with world.running():
        await world.clock.advance(SECOND)
        world.ready.set()
        await world.clock.advance(MINUTE)
        assert world.view.cluster is None
        world.accept()
        await world.clock.advance(SECOND)
        assert world.view.accepted_cluster is not None


async def test_waiting_costs_the_hub_nothing(world: World) -> None:
    """A cluster nobody accepts may stay like that for weeks."""
    async with world.running():
        await world.clock.advance(SECOND)
        calls = len(world.hub.calls)
        await world.clock.advance(10 * MINUTE)
        assert len(world.hub.calls) <= calls + 1


async def test_an_ended_bootstrap_token_does_not_matter_to_a_known_cluster(world: World) -> None:
    """Tokens end; the cluster's own certificate goes on."""
    world.accept()
    world.ready.set()
    world.holds_credential = True
    world.bootstrap_error = Unauthorized("token expired")
    async with world.running():
        await world.clock.advance(SECOND)
        assert world.view.accepted_cluster is not None


async def test_without_bootstrap_acceptance_is_found_by_asking_again(world: World) -> None:
    """Slower, but without anybody's help."""
    world.ready.set()
    world.holds_credential = True
    world.bootstrap_error = Unauthorized("token expired")
    world.hub.fail("get", *[Forbidden("not yet")] * 3)
    world.accept()
    async with world.running():
        await world.clock.advance(5 * MINUTE)
        assert world.view.accepted_cluster is not None


async def test_rights_that_are_on_their_way_are_not_asked_for_in_a_hot_loop(world: World) -> None:
    """Accepted, yet forbidden: the API server has not seen the new roles yet."""
    world.ready.set()
    world.holds_credential = True
    world.accept()
    get = world.hub.find
    refusals = 0

    async def refuse_own(*args: object, **options: object) -> object:
        nonlocal refusals
        refusals += 1
        if refusals % 2 and refusals < 20:
            raise Forbidden("not yet")
        return await get(*args, **options)  # type: ignore[arg-type]

    world.hub.find = refuse_own  # type: ignore[method-assign, assignment]
    async with world.running():
        await world.clock.advance(SECOND / 4)
        assert refusals <= 4
        await world.clock.advance(10 * MINUTE)
        assert world.view.accepted_cluster is not None


async def test_a_deleted_cluster_is_not_made_again_but_is_found_when_it_is_back(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever deletes a cluster on the hub means it."""
    async with world.running():
        await world.clock.advance(SECOND)
        world.ready.set()
        world.accept()
        await world.clock.advance(SECOND)
        world.hub.remove(MANAGED_CLUSTERS, "c1")
        await world.clock.advance(10 * MINUTE)
        assert world.view.cluster is None
        assert world.cluster is None
        assert any("deleted" in str(record.__dict__.get("reason")) for record in caplog.records)
        assert world.standing() is Standing.GONE
        world.accept()
        await world.clock.advance(2 * MINUTE)
        assert world.view.accepted_cluster is not None


async def test_what_the_hub_says_is_known_before_our_own_identity_may_see_it(world: World) -> None:
    """Whoever looks at the agent is told that it waits, or was turned away."""
    async with world.running():
        await world.clock.advance(SECOND)
        assert world.standing() is Standing.WAITING
        assert world.view.cluster is None
        world.ready.set()
        world.accept()
        await world.clock.advance(SECOND)
        assert world.standing() is Standing.ACCEPTED
        world.accept("False")
        await world.clock.advance(SECOND)
        assert world.standing() is Standing.DENIED


async def test_a_cluster_that_nobody_may_look_at_any_more_is_not_called_accepted(
    world: World,
) -> None:
    """Its own rights went, and its bootstrap token has ended: only an operator can tell why."""
    world.accept()
    world.ready.set()
    world.holds_credential = True
    world.bootstrap_error = Unauthorized("token expired")
    async with world.running():
        await world.clock.advance(SECOND)
        assert world.standing() is Standing.ACCEPTED
        for verb in ("get", "list", "watch"):
            world.hub.fail(verb, *[Forbidden("gone")] * 20)
        world.hub.end_watches(Forbidden("gone"))
        await world.clock.advance(5 * MINUTE)
        assert world.standing() is Standing.WAITING
        world.hub.recover()
        await world.clock.advance(5 * MINUTE)
        assert world.standing() is Standing.ACCEPTED
