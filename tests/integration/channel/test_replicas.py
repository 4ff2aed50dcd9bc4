"""Several hubs on one cluster: one works, another takes over, and never do two write."""

import asyncio
import random
import signal
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from integration.channel.replicas import (
    Replica,
    Written,
    accept_one,
    late_writes,
    leader_of,
    much_work,
    replicas,
    takeovers,
    until_led,
    until_served,
    writes_of_hubs,
)
from support.planes import Flavor
from support.planes_plugin import record_plane
from support.waiting import eventually, until
from towline_api.names import HUB_NAMESPACE
from towline_api.resources import LEASES, NAMESPACES
from towline_kube.client import Client
from towline_kube.errors import AlreadyExists
from towline_sandbox.audit import AuditEvent
from towline_sandbox.embedded.faults import Calls, Delay
from towline_sandbox.embedded.plane import EmbeddedPlane
from towline_sandbox.kube_plane import KubePlane

Plane = KubePlane | EmbeddedPlane

HASTY = ("--lease-duration", "3s", "--renew-deadline", "2s", "--retry-period", "500ms")
"""So that many leaders can be lost in one test; for the rest as in life."""
FREEZES = 3
"""Of the many that were tried: enough to see a fence that is left out, which one freeze shows."""

on_kube = pytest.mark.planes("kube", because="a real server's word counts here")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def hub_plane(request: pytest.FixtureRequest, flavor: Flavor) -> AsyncIterator[Plane]:
    """A plane for this module alone, which notes who calls."""
    plane: Plane = (
        KubePlane("replicas", audit=True) if flavor is Flavor.KUBE else EmbeddedPlane("replicas")
    )
    async with plane:
        record_plane(request.config, plane)
        yield plane


@pytest_asyncio.fixture(autouse=True)
async def namespace(admin: Client) -> None:
    """The hub's own namespace: its deployment brings it along."""
    try:
        await admin.create(NAMESPACES, {"metadata": {"name": HUB_NAMESPACE}})
    except AlreadyExists:
        # The Lease of the test before would count as one that somebody may still hold.
        await admin.delete(LEASES, "towline-hub", namespace=HUB_NAMESPACE, missing_ok=True)


@on_kube
async def test_another_leads_within_15_seconds_of_a_kill(
    hub_kubeconfig: Path, admin: Client, tmp_path: Path
) -> None:
    """A machine that dies says nothing: its Lease has to run out. The times are the defaults."""
    async with replicas(2, kubeconfig=hub_kubeconfig, folder=tmp_path) as both:
        leader = await until_led(admin, both)
        follower = next(each for each in both if each is not leader)
        await until_served(admin, await accept_one(admin), within=timedelta(seconds=10))
        leader.kill()
        killed = time.monotonic()
        work = await accept_one(admin)
        assert await until_led(admin, [follower], within=timedelta(seconds=15)) is follower
        left = timedelta(seconds=15 - (time.monotonic() - killed))
        await until_served(admin, work, within=left)


@on_kube
async def test_another_leads_within_2_seconds_of_an_orderly_end(
    hub_kubeconfig: Path, admin: Client, tmp_path: Path
) -> None:
    """A rolling update must not leave the fleet without a hub: the Lease is handed over."""
    async with replicas(2, kubeconfig=hub_kubeconfig, folder=tmp_path) as both:
        leader = await until_led(admin, both)
        follower = next(each for each in both if each is not leader)
        await eventually(
            lambda: follower.has_logged("another replica leads"), what=lambda: follower.said
        )
        async with much_work(admin, every=timedelta(milliseconds=200)):
            await asyncio.sleep(0.5)
            leader.terminate()
            await until_led(admin, [follower], within=timedelta(seconds=2))
            await until_served(admin, await accept_one(admin), within=timedelta(seconds=10))
        assert leader.finish() == 0
        assert leader.has_logged("lease given up")
        assert leader.has_logged("hub stopped")
        assert not leader.has_logged("passes under way were cut short; the next hub takes them up")


async def test_an_orderly_end_cuts_nothing_short(
    hub_plane: Plane, hub_kubeconfig: Path, admin: Client, tmp_path: Path
) -> None:
    """Draining: what was begun is done, so that the next hub finds nothing half-done to mend."""
    async with replicas(1, kubeconfig=hub_kubeconfig, folder=tmp_path) as (only,):
        await until_led(admin, [only])
        async with much_work(admin, every=timedelta(milliseconds=30)):
            await asyncio.sleep(1)
            asked = datetime.now(UTC)
            assert only.stop() == 0
    unanswered = [
        event for event in hub_plane.audit_events() if event.at > asked and not event.status
    ]
    assert unanswered == []
    problems = [entry for entry in only.entries if entry["level"] != "info"]
    assert [p for p in problems if "CRD" not in p["message"]] == []


@pytest.mark.planes("embedded", because="it holds the server's answers back")
async def test_a_second_signal_ends_it_at_once(
    hub_plane: EmbeddedPlane, hub_kubeconfig: Path, admin: Client, tmp_path: Path
) -> None:
    """It waits for what is under way, but somebody who presses Ctrl-C twice means it."""
    async with replicas(
        1, kubeconfig=hub_kubeconfig, folder=tmp_path, flags=("--drain-limit", "60s")
    ) as (only,):
        await until_led(admin, [only])
        held = Calls(user_agent="towline-hub/", resource="namespaces")
        rule = hub_plane.faults.add(Delay(timedelta(seconds=60)), held)
        try:
            await accept_one(admin)
            await eventually(lambda: rule.met > 0, what=lambda: only.said)
            only.terminate()
            await asyncio.sleep(0.5)
            assert only.is_running, only.said
            assert only.stop() == -signal.SIGTERM
        finally:
            hub_plane.faults.remove(rule)


@on_kube
async def test_a_frozen_leader_that_goes_on_writes_nothing(
    hub_plane: Plane, hub_kubeconfig: Path, admin: Client, tmp_path: Path
) -> None:
    """It has not noticed that time went by, and is in the middle of a mass of writes."""
    began = datetime.now(UTC)
    noted: dict[AuditEvent, None] = {}
    async with replicas(3, kubeconfig=hub_kubeconfig, folder=tmp_path, flags=HASTY) as hubs:
        await until_led(admin, hubs)
        async with much_work(admin, every=timedelta(milliseconds=60)):
            frozen = 0
            while frozen < FREEZES:
                leader = await until_led(admin, hubs)
                await asyncio.sleep(random.uniform(0.2, 1.2))
                if await leader_of(admin, hubs) is leader:
                    await freeze_and_thaw(leader, hubs, admin)
                    frozen += 1
                noted |= dict.fromkeys(e for e in hub_plane.audit_events() if e.at >= began)
    writes = writes_of_hubs(noted)
    assert len(takeovers(writes)) > FREEZES, takeovers(writes)
    assert_one_wrote_at_a_time(writes)


async def freeze_and_thaw(leader: Replica, hubs: list[Replica], admin: Client) -> None:
    """Stop a leader for longer than its Lease lasts, and let it go on beside the next one."""
    others = [each for each in hubs if each is not leader]
    leader.pause()
    try:
        await until_led(admin, others)
    finally:
        leader.resume()

    async def has_noticed() -> bool:
        return leader.has_logged("this replica does not lead any more; it stands by")

    await until(has_noticed, what=lambda: leader.said[-3000:])
    # What it would write now, it would write within moments.
    await asyncio.sleep(0.3)


def assert_one_wrote_at_a_time(writes: list[Written]) -> None:
    late = late_writes(writes)
    story = [
        f"{write} after {takeover.identity} took over at {takeover.at}" for write, takeover in late
    ]
    assert not late, "\n".join(story)
