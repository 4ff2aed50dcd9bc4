"""Earning and keeping a credential, against servers in memory and a clock that tests move."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from support.api_world import FakeServer, Killed, Signer
from support.clock import FakeClock
from support.tasks import background
from towline_agent.credentials.cluster_identity import cluster_order
from towline_agent.credentials.keeper import CredentialKeeper
from towline_agent.credentials.request_limits import REQUESTS_AN_HOUR
from towline_agent.credentials.secret_store import SecretStore
from towline_agent.credentials.state import AgentState, Standing
from towline_agent.credentials.state_tracking import StateTracker
from towline_agent.credentials.status import CredentialState, rotation_report
from towline_api.certificate_report import find_certificate_end
from towline_api.resources import CERTIFICATE_SIGNING_REQUESTS, SECRETS, KubeObject
from towline_certs.credentials import Credential
from towline_certs.identities import ClusterIdentity
from towline_kube.client import Client
from towline_kube.errors import Forbidden, Unauthorized, Unreachable

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
IDENTITY = ClusterIdentity("c1", "agent")


class World:
    """A hub with its signer, a managed cluster, and agents that come and go."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.hub = FakeServer(self.clock)
        self.spoke = FakeServer(self.clock)
        self.signer = Signer(self.hub, clock=self.clock)
        self.used: list[Credential] = []
        self.askers: list[bool] = []

    def keeper(self, *, hub: str = "https://hub") -> CredentialKeeper:
        """Return the keeper of a new process."""
        world = self

        class Asker:
            async def client_for(self, *, renewing: bool) -> Client:
                world.askers.append(renewing)
                return world.hub.client

        return CredentialKeeper(
            cluster_order(IDENTITY, lifetime=None),
            store=SecretStore(
                self.spoke.client, namespace="ns", name="s", labels={}, clock=self.clock
            ),
            asker=Asker(),
            hub=hub,
            beside=lambda: {"cluster-name": b"c1"},
            on_credential=self.used.append,
            clock=self.clock,
        )

    @asynccontextmanager
    async def running(self, keeper: CredentialKeeper) -> AsyncIterator[CredentialKeeper]:
        async with background(keeper.run(), name="keep"):
            await self.clock.settle()
            yield keeper

    async def until(self, happened: Callable[[], bool], *, limit: timedelta = MINUTE) -> None:
        await self.clock.advance_until(happened, step=SECOND / 10, limit=limit)

    async def earn(self, keeper: CredentialKeeper) -> None:
        """Let the keeper get its certificate."""
        await self.until(lambda: bool(self.signer.pending))
        self.signer.sign_all()
        await self.until(lambda: keeper.status.state is CredentialState.HOLDING)

    def secret(self, name: str = "s") -> KubeObject | None:
        for key, secret in self.spoke.stored(SECRETS).items():
            if key.name == name:
                return secret
        return None

    def edit(self, **data: str) -> None:
        secret = self.secret()
        assert secret is not None
        self.spoke.put(SECRETS, {**secret, "data": {**secret["data"], **data}})


@pytest.fixture
def world() -> World:
    return World()


async def test_a_first_start_ends_with_a_stored_credential(world: World) -> None:
    """Key first, then request, then the pair in one write; nothing is left pending."""
    async with world.running(world.keeper()) as keeper:
        await world.until(lambda: bool(world.signer.pending))
        assert world.secret("s-pending") is not None, "the key is stored before it is used"
        assert world.secret() is None
        await world.earn(keeper)
        secret = world.secret()
        assert secret is not None
        assert set(secret["data"]) == {"tls.key", "tls.crt", "cluster-name"}
        assert world.secret("s-pending") is None
        assert [credential.subject for credential in world.used] == [IDENTITY.subject]
        report = rotation_report(keeper.status)
        assert report is not None
        assert report.message.startswith("client certificate rotated starting from 2026-")


async def test_a_restart_with_a_good_credential_asks_nobody(world: World) -> None:
    """A thousand agents restarting must not be felt by the hub."""
    async with world.running(world.keeper()) as keeper:
        await world.earn(keeper)
    calls = len(world.hub.calls)
    async with world.running(world.keeper()) as keeper:
        await world.until(lambda: keeper.status.state is CredentialState.HOLDING)
        assert len(world.used) == 2
    assert len(world.hub.calls) == calls


async def test_renewal_happens_in_time_with_a_new_key_under_the_own_identity(world: World) -> None:
    """The old credential stays in use until the new one is stored."""
    async with world.running(world.keeper()) as keeper:
        await world.earn(keeper)
        await world.until(lambda: bool(world.signer.pending), limit=HOUR)
        first = world.used[0]
        left = first.validity.not_after - world.clock.now()
        assert 0.19 * HOUR < left <= 0.25 * HOUR
        assert world.askers[-1] is True
        assert keeper.credential == first
        await world.earn(keeper)
        assert keeper.credential is not None
        assert keeper.credential.key_pem != first.key_pem
        assert len(world.signer.requests) == 2


async def test_an_expired_credential_is_replaced_in_process(world: World) -> None:
    """However long the hub was away: no restart, and it is the bootstrap identity that asks."""
    async with world.running(world.keeper()) as keeper:
        await world.earn(keeper)
        world.hub.fail("create", *[Unreachable("no route")] * 500)
        await world.clock.advance(2 * HOUR)
        assert keeper.credential is None
        assert world.askers[-1] is False
        world.hub.recover()
        await world.until(lambda: bool(world.signer.pending), limit=HOUR)
        await world.earn(keeper)
        assert keeper.credential is not None


async def test_a_denied_request_is_paused_and_then_asked_anew(world: World) -> None:
    """A refused agent must neither give up nor flood the hub; each pause is longer."""
    async with world.running(world.keeper()) as keeper:
        for count in range(1, 8):
            await world.until(lambda: bool(world.signer.pending), limit=HOUR)
            assert len(world.signer.pending) == 1
            assert len(world.signer.requests) == count
            world.signer.deny_all()
            await world.until(lambda: keeper.status.state is CredentialState.PAUSED)
            assert "not you" in keeper.status.message
        waited = world.clock.now()
        await world.until(lambda: bool(world.signer.pending), limit=HOUR)
        assert world.clock.now() - waited > 15 * MINUTE
        report = rotation_report(keeper.status)
        assert report is not None
        assert report.status == "False"


async def test_a_restart_does_not_shorten_a_pause(world: World) -> None:
    """A crash loop is where floods of requests come from."""
    async with world.running(world.keeper()) as keeper:
        await world.until(lambda: bool(world.signer.pending))
        world.signer.deny_all()
        await world.until(lambda: keeper.status.state is CredentialState.PAUSED)
    for _ in range(5):
        async with world.running(world.keeper()) as keeper:
            await world.clock.advance(SECOND)
            assert keeper.status.state is CredentialState.PAUSED
    assert len(world.signer.requests) == 1


async def test_a_collected_request_is_posted_again_with_the_same_key(world: World) -> None:
    """Hubs delete requests nobody decided on for a day."""
    async with world.running(world.keeper()) as keeper:
        await world.until(lambda: bool(world.signer.pending))
        (first,) = world.signer.pending
        world.hub.remove(CERTIFICATE_SIGNING_REQUESTS, first["metadata"]["name"])
        await world.until(lambda: bool(world.signer.pending))
        (second,) = world.signer.pending
        assert second["metadata"]["name"] == first["metadata"]["name"]
        await world.earn(keeper)


async def test_a_request_of_that_name_by_somebody_else_is_not_waited_for(world: World) -> None:
    """It could be signed for their key; a fresh key gives another name."""
    async with world.running(world.keeper()):
        await world.until(lambda: bool(world.signer.pending))
        (ours,) = world.signer.pending
    name = ours["metadata"]["name"]
    world.hub.remove(CERTIFICATE_SIGNING_REQUESTS, name)
    other = World()
    async with other.running(other.keeper()):
        await other.until(lambda: bool(other.signer.pending))
        (theirs,) = other.signer.pending
    metadata = {**theirs["metadata"], "name": name}
    world.hub.put(CERTIFICATE_SIGNING_REQUESTS, {**theirs, "metadata": metadata})
    async with world.running(world.keeper()):
        await world.until(lambda: len(world.signer.pending) == 2, limit=HOUR)


async def test_a_certificate_for_another_key_is_never_stored(world: World) -> None:
    """A mixed-up signer costs a request, not the credential."""
    async with world.running(world.keeper()) as keeper:
        await world.until(lambda: bool(world.signer.pending))
        world.signer.sign(world.signer.pending[0], change=lambda _: b"garbage")
        await world.until(lambda: keeper.status.state is CredentialState.PAUSED)
        assert world.secret() is None
        await world.until(lambda: bool(world.signer.pending), limit=HOUR)
        await world.earn(keeper)


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param({"tls.key": "YnJva2Vu"}, id="broken-key"),
        pytest.param({"tls.crt": ""}, id="emptied-certificate"),
        pytest.param({"cluster-name": "b3RoZXI="}, id="other-cluster-name"),
    ],
)
async def test_an_edited_secret_is_written_again_from_memory(
    world: World, edit: dict[str, str]
) -> None:
    """While the process holds the good credential nothing is lost, and the hub is not asked."""
    async with world.running(world.keeper()) as keeper:
        await world.earn(keeper)
        before = world.secret()
        assert before is not None
        calls = len(world.hub.calls)
        world.edit(**edit)
        await world.until(lambda: (world.secret() or {}).get("data") == before["data"])
        assert len(world.hub.calls) == calls


async def test_a_deleted_secret_is_written_again_from_memory(world: World) -> None:
    """As above, for whoever deletes instead."""
    async with world.running(world.keeper()) as keeper:
        await world.earn(keeper)
        before = world.secret()
        world.spoke.remove(SECRETS, "s", "ns")
        await world.until(lambda: world.secret() is not None)
        after = world.secret()
        assert before is not None
        assert after is not None
        assert after["data"] == before["data"]


async def test_a_secret_edited_while_the_agent_was_down_is_earned_again(world: World) -> None:
    """There is no memory to restore it from."""
    async with world.running(world.keeper()) as keeper:
        await world.earn(keeper)
    world.edit(**{"tls.key": "YnJva2Vu"})
    async with world.running(world.keeper()) as keeper:
        await world.earn(keeper)
        assert len(world.signer.requests) == 2


async def test_a_newer_credential_in_the_store_is_taken_over(world: World) -> None:
    """During a rolling update the other replica may have renewed."""
    async with world.running(world.keeper()) as keeper:
        await world.earn(keeper)
        other = World()
        other.clock, other.signer.clock = world.clock, world.clock
        await world.clock.advance(MINUTE)
        async with other.running(other.keeper()) as another:
            await other.earn(another)
        secret, newer = world.secret(), other.secret()
        assert secret is not None
        assert newer is not None
        world.spoke.put(SECRETS, {**secret, "data": newer["data"]})
        await world.until(lambda: len(world.used) == 2)
        assert world.used[1].certificate_pem == base64.b64decode(newer["data"]["tls.crt"])


async def test_a_refused_credential_is_earned_again(world: World) -> None:
    """A rebuilt hub signs with another authority: dates say nothing about that."""
    async with world.running(world.keeper()) as keeper:
        await world.earn(keeper)
        keeper.refuse("401")
        await world.until(lambda: bool(world.signer.pending))
        assert world.askers[-1] is False
        await world.earn(keeper)
        assert len(world.used) == 2


async def test_a_hub_that_refuses_what_it_issues_is_asked_less_and_less(world: World) -> None:
    """Its signer and its API server do not agree on an authority: a request every few seconds."""
    async with world.running(world.keeper()) as keeper:
        await world.earn(keeper)
        for count in range(1, 4):
            refused_at = world.clock.now()
            keeper.refuse("401")
            await world.until(lambda: bool(world.signer.pending), limit=HOUR)
            waited = world.clock.now() - refused_at
            assert 15 * SECOND * 2 ** (count - 1) <= waited <= 31 * SECOND * 2 ** (count - 1)
            await world.earn(keeper)
        assert len(world.signer.requests) == 4


async def test_a_refused_credential_is_tried_again_while_none_has_followed_it(
    world: World,
) -> None:
    """A hub that refuses everybody for a while: its agents come back, though nobody approves."""
    async with world.running(world.keeper()) as keeper:
        await world.earn(keeper)
        for times in (1, 2, 3):
            keeper.refuse("401")
            await world.until(lambda: keeper.credential is None)
            assert len(world.used) == times
            await world.until(lambda: keeper.credential is not None, limit=11 * MINUTE)
            assert len(world.used) == times + 1
        assert len({used.fingerprint for used in world.used}) == 1
        assert len(world.signer.requests) == 2, "the one that waits is enough"


async def test_no_signer_makes_an_agent_ask_more_than_twenty_times_an_hour(world: World) -> None:
    """Here one whose certificates live for seconds: each renewal is due as soon as it is done."""
    world.signer.lifetime = 5 * SECOND
    async with world.running(world.keeper()) as keeper:
        for step in [5 * SECOND] * 40 + [5 * MINUTE] * 11:
            world.signer.sign_all()
            await world.clock.advance(step)
        assert len(world.signer.requests) == REQUESTS_AN_HOUR
        assert keeper.status.reason == "TooManyRequests"
        report = rotation_report(keeper.status)
        assert report is not None
        assert report.status == "False"
        world.signer.lifetime = HOUR
        await world.clock.advance(5 * MINUTE)
        await world.earn(keeper)


async def test_a_clock_that_was_ahead_for_a_while_costs_one_request(world: World) -> None:
    """The certificate seemed over, and so did its successor; put right, the old one is in use."""
    async with world.running(world.keeper()) as keeper:
        await world.earn(keeper)
        first = keeper.credential
        world.clock.shift = timedelta(days=400)
        keeper.look_again()
        await world.until(lambda: bool(world.signer.pending))
        for csr in world.signer.pending:
            world.signer.sign(csr, at=world.clock.now() - world.clock.shift)
        await world.until(lambda: keeper.status.state is CredentialState.PAUSED)
        world.clock.shift = timedelta()
        keeper.look_again()
        await world.until(lambda: keeper.status.state is CredentialState.HOLDING)
        assert keeper.credential == first
        await world.clock.advance(30 * MINUTE)
        assert len(world.signer.requests) == 2


async def test_a_clock_set_back_in_a_pause_does_not_prolong_it(world: World) -> None:
    """The end of a pause is stored as an instant: a clock a day ahead must not cost a day."""
    world.clock.shift = timedelta(days=1)
    async with world.running(world.keeper()) as keeper:
        await world.until(lambda: bool(world.signer.pending))
        world.signer.deny_all()
        await world.until(lambda: keeper.status.state is CredentialState.PAUSED)
        world.clock.shift = timedelta()
        await world.until(lambda: bool(world.signer.pending), limit=6 * MINUTE)
        await world.earn(keeper)


@pytest.mark.parametrize("behind", [timedelta(minutes=20), timedelta(days=2)])
async def test_a_signer_whose_clock_is_behind_is_asked_again_until_it_is_right(
    world: World, behind: timedelta
) -> None:
    """What it issues is over before it begins; nothing of that is ever put into use."""
    world.signer.lifetime = 10 * MINUTE
    async with world.running(world.keeper()) as keeper:
        for count in (1, 2, 3):
            await world.until(lambda: bool(world.signer.pending), limit=HOUR)
            assert len(world.signer.requests) == count
            for csr in world.signer.pending:
                world.signer.sign(csr, at=world.clock.now() - behind)
            await world.until(lambda: keeper.status.state is CredentialState.PAUSED)
        assert not world.used
        await world.until(lambda: bool(world.signer.pending), limit=HOUR)
        await world.earn(keeper)


async def test_a_certificate_of_a_signer_whose_clock_is_ahead_is_waited_for(world: World) -> None:
    """It becomes valid in a moment, so asking for another would help nobody."""
    async with world.running(world.keeper()) as keeper:
        await world.until(lambda: bool(world.signer.pending))
        for csr in world.signer.pending:
            world.signer.sign(csr, at=world.clock.now() + 20 * MINUTE)
        await world.until(lambda: keeper.status.reason == "WaitingForClock")
        assert not world.used
        await world.until(lambda: keeper.status.state is CredentialState.HOLDING, limit=HOUR)
        assert len(world.signer.requests) == 1


async def test_a_credential_of_another_hub_is_not_used(world: World) -> None:
    """Moving to another hub means registering there."""
    async with world.running(world.keeper()) as keeper:
        await world.earn(keeper)
    async with world.running(world.keeper(hub="https://other")) as keeper:
        await world.earn(keeper)
        assert len(world.signer.requests) == 2


@pytest.mark.parametrize("error", [Unreachable("reset"), Unauthorized("401"), Forbidden("403")])
async def test_a_broken_watch_of_the_request_is_no_end(world: World, error: Exception) -> None:
    """The hub may restart while a person has not yet approved: the agent goes on waiting."""
    async with world.running(world.keeper()) as keeper:
        await world.until(lambda: keeper.status.reason == "WaitingForApproval")
        world.hub.fail("watch", *[error] * 100)
        world.hub.fail("list", *[error] * 100)
        world.hub.end_watches(error)
        await world.until(lambda: keeper.status.failure is not None)
        world.hub.recover()
        await world.earn(keeper)
    assert len(world.signer.requests) == 1


@pytest.mark.parametrize("error", [Unreachable("no route"), Unauthorized("401"), Forbidden("403")])
async def test_a_hub_that_does_not_answer_is_asked_again(world: World, error: Exception) -> None:
    """Unreachable, expired token, missing rights: said once, retried for ever, one request."""
    world.hub.fail("create", *[error] * 5)
    async with world.running(world.keeper()) as keeper:
        await world.until(lambda: keeper.status.state is CredentialState.FAILING)
        assert str(error) in keeper.status.message
        await world.until(lambda: bool(world.signer.pending), limit=10 * MINUTE)
        await world.earn(keeper)
        assert len(world.signer.requests) == 1


async def test_a_lost_answer_does_not_make_a_second_request(world: World) -> None:
    """The connection broke after the hub had created it."""
    create = world.hub.create
    lost: list[Any] = []

    async def create_and_lose(*args: Any) -> Any:
        made = await create(*args)
        if not lost:
            lost.append(made)
            raise Unreachable("connection reset")
        return made

    world.hub.create = create_and_lose  # type: ignore[method-assign, assignment]
    async with world.running(world.keeper()) as keeper:
        await world.until(lambda: bool(lost))
        await world.earn(keeper)
        assert len(world.signer.requests) == 1


@pytest.mark.parametrize("server", ["hub", "spoke"])
@pytest.mark.parametrize("signs_at_once", [True, False])
async def test_killed_anywhere_it_goes_on_with_the_same_request(
    server: str, *, signs_at_once: bool
) -> None:
    """Before and after every single call: never a second request beside a pending one."""
    kill_at, killed = 0, True
    while killed:
        world = World()
        target = world.hub if server == "hub" else world.spoke
        target.kill_at = kill_at
        try:
            async with world.running(world.keeper()) as keeper:
                for _ in range(100):
                    if signs_at_once:
                        world.signer.sign_all()
                    if keeper.status.state is CredentialState.HOLDING:
                        break
                    await world.clock.advance(SECOND / 2)
            killed = False
        except* Killed:
            killed = True
        target.kill_at = None
        async with world.running(world.keeper()) as keeper:
            assert len(world.signer.pending) <= 1
            for _ in range(100):
                assert len(world.signer.pending) <= 1
                if world.signer.pending:
                    await world.clock.advance(SECOND)
                world.signer.sign_all()
                if keeper.status.state is CredentialState.HOLDING:
                    break
                await world.clock.advance(SECOND / 2)
            assert keeper.status.state is CredentialState.HOLDING, f"killed at {kill_at}"
            assert len(world.signer.requests) == 1, f"killed at {kill_at}"
            assert world.secret("s-pending") is None
        kill_at += 1
    assert kill_at > 4, "the agent was killed at every boundary there is"
    await asyncio.sleep(0)


async def test_a_renewal_that_fails_still_tells_when_the_present_certificate_ends(
    world: World,
) -> None:
    """The hub frees the cluster's name when it is over; or nobody could ever come in again."""
    async with world.running(world.keeper()) as keeper:
        await world.earn(keeper)
        assert keeper.credential is not None
        end = keeper.credential.validity.not_after
        await world.until(lambda: bool(world.signer.pending), limit=HOUR)
        world.signer.deny_all()
        await world.until(lambda: keeper.status.failure is not None)
        report = rotation_report(keeper.status)
        assert report is not None
        assert report.status == "False"
        assert "not you" in report.message
        assert find_certificate_end(report.message) == end
        world.hub.fail("create", *[Unreachable("no route")] * 500)
        await world.until(lambda: keeper.credential is None, limit=HOUR)
        report = rotation_report(keeper.status)
        assert report is not None
        assert report.status == "False"
        assert find_certificate_end(report.message) == end, "clocks differ: the hub may still hear"


async def test_a_credential_goes_through_its_states(world: World) -> None:
    """As whoever looks at the agent sees them, with since when and the request it hangs on."""
    standing = Standing.WAITING
    keeper = world.keeper()
    tracker = StateTracker(
        "cluster c1", facts=lambda: keeper.facts, standing=lambda: standing, now=world.clock.now
    )
    assert tracker.look().state is AgentState.UNREGISTERED
    async with world.running(keeper):
        await world.until(lambda: keeper.status.reason == "WaitingForApproval")
        report = tracker.look()
        assert (report.state, report.reason) == (AgentState.REQUESTED, "WaitingForApproval")
        assert keeper.facts.request == world.signer.pending[0]["metadata"]["name"]
        world.signer.deny_all()
        await world.until(lambda: tracker.look().state is AgentState.DENIED)
        assert "not you" in tracker.look().message
        assert keeper.failures == 1
        await world.until(lambda: tracker.look().state is AgentState.REQUESTED, limit=HOUR)
        await world.earn(keeper)
        assert tracker.look().reason == "WaitingForAcceptance"
        standing = Standing.ACCEPTED
        began = world.clock.now()
        assert (tracker.look().state, tracker.look().since) == (AgentState.REGISTERED, began)
        await world.until(lambda: bool(world.signer.pending), limit=HOUR)
        assert tracker.look().state is AgentState.RENEWING
        assert keeper.credential is not None
        end = keeper.credential.validity.not_after
        await world.until(lambda: tracker.look().state is AgentState.EXPIRED, limit=HOUR)
        assert tracker.look().since == end
        await world.earn(keeper)
        assert tracker.look().state is AgentState.REGISTERED
        assert keeper.renewals == 2
        standing = Standing.GONE
        assert tracker.look().state is AgentState.REMOVED


async def test_a_process_that_starts_with_an_ended_credential_knows_since_when(
    world: World,
) -> None:
    """It was down past expiry: that is `expired`, not a first start, and the hub is told when."""
    async with world.running(world.keeper()) as keeper:
        await world.earn(keeper)
        assert keeper.credential is not None
        end = keeper.credential.validity.not_after
    await world.clock.advance(2 * HOUR)
    keeper = world.keeper()
    tracker = StateTracker(
        "cluster c1",
        facts=lambda: keeper.facts,
        standing=lambda: Standing.UNKNOWN,
        now=world.clock.now,
    )
    async with world.running(keeper):
        await world.until(lambda: keeper.status.reason == "WaitingForApproval")
        report = tracker.look()
        assert (report.state, report.since) == (AgentState.EXPIRED, end)
        assert "waits for the hub's approval" in report.message


async def test_a_renewal_that_nobody_decides_is_told_while_the_hub_can_still_be_told(
    world: World,
) -> None:
    """Once the certificate has ended the agent can tell the hub nothing any more."""
    async with world.running(world.keeper()) as keeper:
        await world.earn(keeper)
        await world.until(lambda: bool(world.signer.pending), limit=HOUR)
        report = rotation_report(keeper.status)
        assert report is not None
        assert report.status == "True", "an approval may take its time"
        await world.until(lambda: keeper.status.failure is not None, limit=HOUR)
        assert keeper.credential is not None
        end = keeper.credential.validity.not_after
        left = end - world.clock.now()
        assert 0.09 * HOUR < left < 0.13 * HOUR, "half of the time to renew is left"
        report = rotation_report(keeper.status)
        assert report is not None
        assert report.status == "False"
        assert report.message.startswith("failing since 2026-01-01T00:5")
        assert "waits for the hub's approval" in report.message
        assert find_certificate_end(report.message) == end
        await world.clock.advance(MINUTE)
        assert rotation_report(keeper.status) == report, "what stays the same is not written again"
        await world.earn(keeper)
        healed = rotation_report(keeper.status)
        assert healed is not None
        assert healed.status == "True"


async def test_whoever_looks_between_two_writes_sees_no_state_that_never_was(
    world: World,
) -> None:
    """The credential is stored and its pending key is not forgotten yet, or just now."""
    keeper = world.keeper()
    tracker = StateTracker(
        "cluster c1",
        facts=lambda: keeper.facts,
        standing=lambda: Standing.ACCEPTED,
        now=world.clock.now,
    )
    seen: list[AgentState] = []

    def look() -> None:
        state = tracker.look().state
        if seen[-1:] != [state]:
            seen.append(state)

    boundary = world.spoke._boundary

    def look_as_well() -> None:
        boundary()
        look()

    world.spoke._boundary = look_as_well  # type: ignore[method-assign]
    async with world.running(keeper):
        await world.earn(keeper)
        await world.until(lambda: bool(world.signer.pending), limit=HOUR)
        await world.earn(keeper)
        look()
    assert seen == ["unregistered", "requested", "registered", "renewing", "registered"]
