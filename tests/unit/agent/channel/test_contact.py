"""Whether the hub answers: from calls that are made anyway, and a question only when in doubt."""

from datetime import timedelta
from typing import Any, cast

import pytest

from support.clock import START, FakeClock
from towline_agent.channel.contact import HubContact, both
from towline_agent.channel.hub_channel import HubChannel
from towline_kube.client import Call
from towline_kube.errors import Unauthorized

SECOND = timedelta(seconds=1)


class Channel:
    """A channel that counts who asks who we are."""

    def __init__(self) -> None:
        self.is_ready = True
        self.trouble = ""
        self.asked = 0
        self.error: Exception | None = None

    @property
    def client(self) -> Any:
        return self

    async def whoami(self) -> None:
        self.asked += 1
        if self.error is not None:
            raise self.error


def call(status: int) -> Call:
    return Call("update", "leases", status, SECOND, 1)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def channel() -> Channel:
    return Channel()


async def problem(contact: HubContact, channel: Channel) -> str | None:
    return await contact.find_problem(cast("HubChannel", channel))


async def test_beats_of_the_lease_are_enough(clock: FakeClock, channel: Channel) -> None:
    """75 s is the longest between two; nobody needs to be asked at rest."""
    contact = HubContact(clock=clock)
    for _ in range(20):
        contact.note(call(200))
        for _ in range(15):
            await clock.advance(5 * SECOND)
            assert await problem(contact, channel) is None
    assert channel.asked == 0
    assert contact.age == 75 * SECOND
    assert contact.at == clock.now() - 75 * SECOND


@pytest.mark.parametrize("status", [0, 401, 500, 503])
async def test_a_call_that_failed_raises_doubt(
    status: int, clock: FakeClock, channel: Channel
) -> None:
    """No answer, an answer that is none, and one that does not know us."""
    contact = HubContact(clock=clock)
    contact.note(call(200))
    contact.note(call(status))
    channel.error = Unauthorized("not accepted")
    assert await problem(contact, channel) == "not accepted"


@pytest.mark.parametrize("status", [200, 201, 403, 404, 409, 429])
async def test_a_refusal_shows_that_the_hub_knows_us(
    status: int, clock: FakeClock, channel: Channel
) -> None:
    """What is wrong then is something else, and somebody else says it."""
    contact = HubContact(clock=clock)
    contact.note(call(status))
    assert await problem(contact, channel) is None
    assert channel.asked == 0


async def test_a_hub_that_is_away_is_not_asked_for_every_look(
    clock: FakeClock, channel: Channel
) -> None:
    """Its return must not be made harder by those who wait for it."""
    contact = HubContact(clock=clock)
    channel.error = Unauthorized("not accepted")
    for _ in range(100):
        assert await problem(contact, channel) == "not accepted"
        await clock.advance(SECOND)
    assert channel.asked == 10
    channel.error = None
    await clock.advance(10 * SECOND)
    assert await problem(contact, channel) is None
    assert contact.at == START + 110 * SECOND


async def test_without_a_channel_its_trouble_is_told(clock: FakeClock, channel: Channel) -> None:
    """There is no credential to ask with."""
    contact = HubContact(clock=clock)
    channel.is_ready = False
    assert "has not accepted" in str(await problem(contact, channel))
    channel.trouble = "connection refused"
    assert await problem(contact, channel) == "connection refused"
    assert contact.age is None
    assert channel.asked == 0


def test_both_are_told() -> None:
    """And who is missing is not missed."""
    one: list[int] = []
    two: list[int] = []
    both(one.append, None, two.append)(3)
    assert (one, two) == ([3], [3])
