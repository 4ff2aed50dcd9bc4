"""The channel to the hub: proven before use, and never taken away."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any, Self, cast

import pytest

from support.clock import FakeClock
from support.tasks import background
from towline_agent.channel.hub_channel import HubChannel, HubNotReadyError
from towline_kube.client import Client
from towline_kube.connection import Connection
from towline_kube.errors import ApiError, Unauthorized, Unreachable

USER = "system:open-cluster-management:c1:agent"
MINUTE = timedelta(minutes=1)


class Hub:
    """Answers who we are, by the token of the connection; counts what is open."""

    def __init__(self) -> None:
        self.answers: dict[str, str | ApiError] = {}
        self.open: list[Any] = []

    def connect(self, connection: Connection) -> Client:
        return cast("Client", _Client(self, connection))


class _Client:
    def __init__(self, hub: Hub, connection: Connection) -> None:
        self.hub = hub
        self.connection = connection

    async def __aenter__(self) -> Self:
        self.hub.open.append(self)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.hub.open.remove(self)

    async def swap(self, connection: Connection) -> None:
        self.connection = connection

    async def whoami(self) -> SimpleNamespace:
        answer = self.hub.answers[self.connection.token or ""]
        if isinstance(answer, ApiError):
            raise answer
        return SimpleNamespace(username=answer)


def offer(token: str) -> Connection:
    return Connection("https://hub", token=token)


@pytest.fixture
def hub() -> Hub:
    hub = Hub()
    hub.answers = {"one": USER, "two": USER, "other": "somebody"}
    return hub


async def test_it_is_not_ready_before_an_authenticated_call(hub: Hub) -> None:
    """A certificate in hand says nothing about a hub that answers."""
    clock = FakeClock()
    hub.answers["one"] = Unreachable("no route to hub")
    channel = HubChannel(user=USER, connect=hub.connect, clock=clock)
    async with background(channel.run(), name="run"):
        channel.offer(offer("one"))
        await clock.settle()
        assert [channel.is_ready] == [False]
        with pytest.raises(HubNotReadyError, match="no route to hub"):
            _ = channel.client
        with pytest.raises(HubNotReadyError, match="no route to hub"):
            await channel.wait_ready(timeout=timedelta(0))
        hub.answers["one"] = USER
        await clock.advance(MINUTE)
        assert channel.is_ready
        assert channel.connection == offer("one")
    assert hub.open == []


async def test_a_newer_credential_is_swapped_in_under_the_same_client(hub: Hub) -> None:
    """Whoever holds the client needs not know that it rotated."""
    clock = FakeClock()
    channel = HubChannel(user=USER, connect=hub.connect, clock=clock)
    async with background(channel.run(), name="run"):
        channel.offer(offer("one"))
        client = await channel.wait_ready()
        channel.offer(offer("two"))
        await clock.settle()
        assert channel.client is client
        assert channel.connection == offer("two")
        assert len(hub.open) == 1, "what proved the credential is closed again"


@pytest.mark.parametrize("bad", [Unauthorized("401"), Unreachable("wrong authority"), "somebody"])
async def test_a_credential_that_does_not_work_never_replaces_one_that_does(
    hub: Hub, bad: str | ApiError
) -> None:
    """Zero-downtime: the old one goes on until the new one is proven."""
    clock = FakeClock()
    hub.answers["two"] = bad
    channel = HubChannel(user=USER, connect=hub.connect, clock=clock)
    async with background(channel.run(), name="run"):
        channel.offer(offer("one"))
        await channel.wait_ready()
        channel.offer(offer("two"))
        await clock.advance(10 * MINUTE)
        assert channel.connection == offer("one")
        assert channel.trouble
        hub.answers["two"] = USER
        channel.offer(offer("two"))
        await clock.settle()
        assert channel.connection == offer("two")
        assert not channel.trouble


async def test_a_newer_offer_ends_the_wait_for_an_older_one(hub: Hub) -> None:
    """The reload of a corrected kubeconfig must not wait for a back-off."""
    clock = FakeClock()
    hub.answers["one"] = Unreachable("no route")
    channel = HubChannel(user=USER, connect=hub.connect, clock=clock)
    async with background(channel.run(), name="run"):
        channel.offer(offer("one"))
        await clock.settle()
        channel.offer(offer("two"))
        await clock.settle()
        assert channel.connection == offer("two")


async def test_being_taken_for_somebody_else_is_not_ready(hub: Hub) -> None:
    """A proxy that authenticates for us would give us its rights, not ours."""
    clock = FakeClock()
    channel = HubChannel(user=USER, connect=hub.connect, clock=clock)
    async with background(channel.run(), name="run"):
        channel.offer(offer("other"))
        await clock.advance(MINUTE)
        assert not channel.is_ready
        assert "'somebody'" in channel.trouble


async def test_lasting_refusal_is_reported_and_a_short_one_is_not(hub: Hub) -> None:
    """A hub that is just starting refuses for moments; a rebuilt one for ever."""
    clock = FakeClock()
    refused: list[str] = []
    channel = HubChannel(user=USER, on_refused=refused.append, connect=hub.connect, clock=clock)
    async with background(channel.run(), name="run"):
        channel.offer(offer("one"))
        await channel.wait_ready()
        hub.answers["one"] = Unauthorized("not known here")
        channel.suspect()
        await clock.advance(timedelta(seconds=5))
        assert refused == []
        hub.answers["one"] = USER
        await clock.advance(MINUTE)
        assert refused == []
        hub.answers["one"] = Unauthorized("not known here")
        channel.suspect()
        await clock.advance(MINUTE)
        assert refused == ["not known here"]
