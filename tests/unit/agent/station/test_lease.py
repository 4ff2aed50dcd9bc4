"""An add-on's Lease is renewed in time, by the one who may say that it is alive."""

import asyncio
from copy import deepcopy
from datetime import timedelta
from typing import Any, cast

import pytest

from support.clock import FakeClock
from support.tasks import background
from towline_agent.applying.ownership import Claim, Owner
from towline_agent.station.lease import AGENT_HOLDER, AddonLease, LeaseRecord
from towline_api.resources import LEASES, KubeObject, Resource
from towline_api.timestamps import format_micro_time, parse_time
from towline_kube.client import Client
from towline_kube.errors import NotServed, Unreachable

OWNER = Owner("c1", "helloworld")


class Spoke:
    """One Lease on a cluster."""

    def __init__(self, namespace: str = "addons") -> None:
        self.lease: KubeObject | None = None
        self.writes = 0
        self.is_down = False
        self.serves_leases = True
        self.namespace = namespace

    async def find(self, resource: Resource, name: str, *, namespace: str) -> KubeObject | None:
        if self.is_down:
            raise Unreachable("down")
        if not self.serves_leases:
            raise NotServed("no leases")
        assert (resource, name, namespace) == (LEASES, "helloworld", self.namespace)
        return deepcopy(self.lease)

    async def create(self, resource: Resource, body: KubeObject) -> KubeObject:
        self.writes += 1
        self.lease = deepcopy(body)
        self.lease["metadata"] |= {"uid": "u", "resourceVersion": "1"}
        return self.lease

    async def patch(
        self, resource: Resource, name: str, patch: dict[str, Any], *, namespace: str
    ) -> KubeObject:
        assert self.lease is not None
        self.writes += 1
        self.lease["spec"] |= patch["spec"]
        for key, value in patch["metadata"].get("annotations", {}).items():
            annotations = self.lease["metadata"].setdefault("annotations", {})
            annotations.pop(key, None) if value is None else annotations.update({key: value})
        return self.lease


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def spoke() -> Spoke:
    return Spoke()


def lease(
    spoke: Spoke,
    clock: FakeClock,
    *,
    is_agent: bool = False,
    hub: Spoke | None = None,
    record: LeaseRecord | None = None,
) -> AddonLease:
    return AddonLease(
        cast("Client", spoke),
        owner=OWNER,
        holder=AGENT_HOLDER if is_agent else "helloworld-agent",
        is_agent=is_agent,
        find_hub=None if hub is None else lambda: cast("Client", hub),
        record=record,
        clock=clock,
    )


async def always() -> str:
    return "addons"


async def test_a_missing_lease_is_made_as_ocm_makes_it(spoke: Spoke, clock: FakeClock) -> None:
    """Readers look at the renewal time, and people at the rest."""
    assert await lease(spoke, clock).renew("addons")
    assert spoke.lease is not None
    assert spoke.lease["spec"] == {
        "holderIdentity": "helloworld-agent",
        "leaseDurationSeconds": 60,
        "renewTime": format_micro_time(clock.now()),
    }


async def test_it_is_renewed_every_minute_with_up_to_a_quarter_more(
    spoke: Spoke, clock: FakeClock
) -> None:
    """A reader waits for five minutes; a fleet must not renew in one second."""
    async with background(lease(spoke, clock).keep_renewing(always), name="renew"):
        await clock.advance(timedelta(minutes=30))
    assert all(60 <= slept.total_seconds() <= 75 for slept in clock.sleeps)
    assert 24 <= spoke.writes <= 31


async def test_a_refused_renewal_costs_one_beat(
    spoke: Spoke, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Five may be missed, so one is worth a line in the log and no more."""
    async with background(lease(spoke, clock).keep_renewing(always), name="renew"):
        await clock.settle()
        spoke.is_down = True
        await clock.advance(timedelta(minutes=3))
        spoke.is_down = False
        await clock.advance(timedelta(minutes=2))
        assert spoke.lease is not None
        renewed = parse_time(spoke.lease["spec"]["renewTime"])
        assert clock.now() - renewed < timedelta(minutes=2)
    assert caplog.text.count("add-on lease not renewed") == 1


async def test_an_unhealthy_add_on_s_lease_is_left_to_end(spoke: Spoke, clock: FakeClock) -> None:
    """Its silence is the message."""
    healthy = asyncio.Event()

    async def ready() -> str:
        await healthy.wait()
        return "addons"

    async with background(lease(spoke, clock).keep_renewing(ready), name="renew"):
        await clock.advance(timedelta(minutes=10))
        assert spoke.writes == 0
        healthy.set()
        await clock.settle()
        assert spoke.writes == 1


async def test_the_agent_renews_only_what_it_made(spoke: Spoke, clock: FakeClock) -> None:
    """A Lease the add-on's process made says that the process lives; nobody else may say so."""
    await lease(spoke, clock).renew("addons")
    await clock.advance(timedelta(minutes=1))
    assert not await lease(spoke, clock, is_agent=True).renew("addons")
    assert spoke.writes == 1


async def test_a_process_takes_the_lease_over_from_the_agent(
    spoke: Spoke, clock: FakeClock
) -> None:
    """From then on the agent leaves it alone, and a process that dies is seen to be dead."""
    agent = lease(spoke, clock, is_agent=True)
    assert await agent.renew("addons")
    assert await agent.renew("addons")
    assert spoke.lease is not None
    assert OWNER.claim(spoke.lease) is Claim.OURS
    assert await lease(spoke, clock).renew("addons")
    assert not await agent.renew("addons")
    assert spoke.lease["spec"]["holderIdentity"] == "helloworld-agent"


async def test_without_a_lease_api_the_hub_holds_the_lease(
    spoke: Spoke, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """As OCM's add-ons do: in the cluster's namespace there, and only for as long as it is so."""
    caplog.set_level("INFO")
    hub = Spoke(namespace="c1")
    renewer = lease(spoke, clock, hub=hub)
    spoke.serves_leases = False
    for _ in range(2):
        assert await renewer.renew("addons")
    assert (spoke.writes, hub.writes) == (0, 2)
    assert hub.lease is not None
    assert hub.lease["metadata"]["namespace"] == "c1"
    assert caplog.text.count("add-on lease goes to the hub") == 1
    spoke.serves_leases = True
    assert await renewer.renew("addons")
    assert (spoke.writes, hub.writes) == (1, 2)


@pytest.mark.parametrize("is_down", [False, True])
async def test_a_managed_cluster_that_is_away_sends_no_lease_to_the_hub(
    spoke: Spoke, clock: FakeClock, is_down: bool
) -> None:
    """Only the missing API is a reason: else the two clusters would tell two stories."""
    hub = Spoke(namespace="c1")
    spoke.is_down = is_down
    if is_down:
        with pytest.raises(Unreachable):
            await lease(spoke, clock, hub=hub).renew("addons")
    else:
        await lease(spoke, clock, hub=hub).renew("addons")
    assert hub.writes == 0


async def test_a_lease_api_that_is_missing_on_both_sides_is_an_error_like_others(
    spoke: Spoke, clock: FakeClock
) -> None:
    """It is told, and tried again."""
    spoke.serves_leases = False
    record = LeaseRecord()
    with pytest.raises(NotServed):
        await lease(spoke, clock).renew("addons")
    async with background(lease(spoke, clock, record=record).keep_renewing(always), name="renew"):
        await clock.settle()
        assert (record.failures, record.trouble) == (1, ""), "one missed beat is normal"
        await clock.advance(timedelta(seconds=76))
        assert (record.failures, record.trouble) == (2, "no leases")
        spoke.serves_leases = True
        await clock.advance(timedelta(seconds=76))
        assert (record.renewals, record.trouble) == (1, "")
