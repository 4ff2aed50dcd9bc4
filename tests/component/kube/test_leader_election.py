"""Candidates on an API server that fails in every way, each with the loop it has in life."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import NoReturn

import pytest

from support.tasks import background
from support.waiting import eventually
from towline_api.resources import LEASES
from towline_kube.candidacy import LeaseTimes
from towline_kube.client import Client
from towline_kube.fence import Fence, NotLeading
from towline_kube.kubeconfig import parse_kubeconfig
from towline_kube.leader_election import LeaderElector
from towline_kube.retries import RetryPolicy
from towline_sandbox.embedded.faults import Calls, Drop, Moment
from towline_sandbox.embedded.plane import EmbeddedPlane

TIMES = LeaseTimes(
    duration=timedelta(seconds=4),
    renew_deadline=timedelta(seconds=2),
    retry_period=timedelta(milliseconds=200),
)
"""Short, but longer than a busy machine holds a process up."""
SOON = timedelta(seconds=2)
"""Less than it takes until a lease has run out."""
NAMESPACE = "default"


@dataclass
class Runner:
    """One replica: its elector, and what it does while it leads."""

    name: str
    elector: LeaderElector
    fence: Fence
    terms: int = 0
    is_working: bool = False

    async def lead(self) -> NoReturn:
        assert self.fence.is_open
        self.terms += 1
        self.is_working = True
        try:
            await asyncio.Event().wait()
        finally:
            self.is_working = False
        raise AssertionError("never")


@pytest.fixture
async def plane() -> AsyncIterator[EmbeddedPlane]:
    async with EmbeddedPlane("election") as running:
        yield running


@pytest.fixture
async def make(plane: EmbeddedPlane) -> AsyncIterator[Callable[[str], Awaitable[Runner]]]:
    """Make replicas; they campaign when the test runs them."""
    clients: list[Client] = []

    async def one(name: str) -> Runner:
        connection = parse_kubeconfig(plane.admin_kubeconfig(), source="test")
        client = Client(
            connection,
            field_manager=name,
            user_agent=name,
            retry=RetryPolicy(attempts=1),
        )
        clients.append(client)
        fence = Fence()
        elector = LeaderElector(
            client, identity=name, name="lead", namespace=NAMESPACE, fence=fence, times=TIMES
        )
        return Runner(name, elector, fence)

    yield one
    for client in clients:
        await client.close()


@asynccontextmanager
async def campaigning(runner: Runner) -> AsyncIterator[None]:
    async with background(runner.elector.run(runner.lead), name=f"run-{runner.name}"):
        yield


Make = Callable[[str], Awaitable[Runner]]


async def test_one_leads_and_the_other_asks_for_nothing(plane: EmbeddedPlane, make: Make) -> None:
    """Standing by costs the API server one watch."""
    one, two = await make("one"), await make("two")
    async with campaigning(one):
        await eventually(lambda: one.is_working, what=lambda: plane.calls)
        async with campaigning(two):
            await eventually(lambda: two.elector.holder == "one", what=lambda: plane.calls)
            before = len([call for call in plane.calls if call.user_agent == "two"])
            await asyncio.sleep(1.5)
            after = [call for call in plane.calls if call.user_agent == "two"]
            assert not two.is_working
            assert len(after) - before <= 1, after  # its watch may have opened just now
            assert one.elector.leads
            assert not two.elector.leads


async def test_a_leader_that_gives_up_is_followed_at_once(make: Make) -> None:
    """The other one hears it by its watch, long before the lease would have run out."""
    one, two = await make("one"), await make("two")
    async with AsyncExitStack() as leading:
        await leading.enter_async_context(campaigning(one))
        await eventually(lambda: one.is_working, what=lambda: one)
        async with campaigning(two):
            await eventually(lambda: two.elector.holder == "one", what=lambda: two)
            await leading.aclose()
            assert not one.fence.is_open
            await one.elector.release()
            await eventually(lambda: two.is_working, what=lambda: two, within=SOON)
            assert two.elector.holder == "two"


async def test_a_leader_cut_off_stops_before_another_begins(
    plane: EmbeddedPlane, make: Make
) -> None:
    """It comes back by itself, stands by, and needs no restart."""
    one, two = await make("one"), await make("two")
    async with campaigning(one):
        await eventually(lambda: one.is_working, what=lambda: one)
        async with campaigning(two):
            await eventually(lambda: two.elector.holder == "one", what=lambda: two)
            cut = plane.faults.add(Drop(), Calls(user_agent="one"))
            await eventually(lambda: not one.is_working, what=lambda: one)
            assert not two.is_working, "it began before the other one had stopped"
            with pytest.raises(NotLeading):
                one.fence.check()
            await eventually(lambda: two.is_working, what=lambda: two)
            plane.faults.remove(cut)
            await eventually(lambda: one.elector.holder == "two", what=lambda: one)
            assert not one.is_working
            assert (one.terms, two.terms) == (1, 1)


async def test_lost_answers_cost_no_lead(plane: EmbeddedPlane, make: Make) -> None:
    """Every other renewal is carried out without its answer getting through."""
    one = await make("one")
    async with campaigning(one):
        await eventually(lambda: one.is_working, what=lambda: one)
        rule = plane.faults.add(
            Drop(Moment.AFTER), Calls(user_agent="one", verb="update"), since=1, times=3
        )
        await eventually(lambda: rule.met >= 6, what=lambda: rule.met)
        assert one.is_working
        assert one.terms == 1


async def test_one_whose_lease_somebody_takes_away_stops(plane: EmbeddedPlane, make: Make) -> None:
    """By hand, or by a program that does not keep to the rules: what the object says holds."""
    one = await make("one")
    admin = Client(
        parse_kubeconfig(plane.admin_kubeconfig(), source="test"), field_manager="operator"
    )
    async with admin, campaigning(one):
        await eventually(lambda: one.is_working, what=lambda: one)
        await admin.patch(
            LEASES, "lead", {"spec": {"holderIdentity": "operator"}}, namespace=NAMESPACE
        )
        await eventually(lambda: not one.is_working, what=lambda: one, within=SOON)
        await eventually(lambda: one.terms == 2 and one.is_working, what=lambda: one)


async def test_without_its_namespace_it_waits_and_says_so(
    plane: EmbeddedPlane, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """Not a thousand times a second, and not silently."""
    one = await make("one")
    lost = LeaderElector(
        one.elector._client,
        identity="one",
        name="lead",
        namespace="nowhere",
        fence=one.fence,
        times=TIMES,
    )
    began = time.monotonic()
    async with background(lost.run(one.lead), name="run"):
        await asyncio.sleep(1)
    tries = [call for call in plane.calls if call.verb == "create"]
    # A pause after a failure is a quarter of the period at least.
    shortest = TIMES.retry_period.total_seconds() / 4
    assert 1 <= len(tries) <= (time.monotonic() - began) / shortest + 1
    (said,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "nowhere" in said.error  # type: ignore[attr-defined]


async def test_what_goes_wrong_while_leading_ends_the_campaign(make: Make) -> None:
    """A hub that cannot run must not look like one that stands by."""
    one = await make("one")

    async def broken() -> NoReturn:
        raise RuntimeError("broken")

    with pytest.raises(ExceptionGroup) as failures:
        await one.elector.run(broken)
    assert failures.group_contains(RuntimeError, match="broken")
    assert not one.fence.is_open
