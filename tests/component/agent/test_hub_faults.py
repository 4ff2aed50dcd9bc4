"""What befalls an agent between its hubs, what it does, how that ends, and what its users notice.

A client on the agent's channel calls the hub all the time. In no case is the process restarted,
unless that is the fault.
"""

import base64
import logging
import secrets
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.hub_faults import CERTIFICATE_LIFETIME, Hubs, hub_planes, two_hubs
from support.waiting import eventually, until
from towline_agent.credentials.state import AgentState
from towline_agent.settings import AgentSettings
from towline_api.names import HUB_KUBECONFIG_SECRET
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    MANAGED_CLUSTERS,
    SECRETS,
    SELF_SUBJECT_REVIEWS,
    KubeObject,
)
from towline_certs.authority import CLIENT_ONLY, SERVER_ONLY, ExtendedUsage, create_authority
from towline_certs.credentials import from_secret_data, to_secret_data
from towline_certs.identities import ClusterIdentity, Subject
from towline_certs.keys import format_key, generate_key
from towline_certs.requests import parse_request
from towline_sandbox.embedded.faults import Calls, Refuse
from towline_sandbox.embedded.model import failures
from towline_sandbox.embedded.plane import EmbeddedPlane

HOUR = timedelta(hours=1)
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

        async def asked_anew() -> bool:
            # Not whether a request is pending: the hub's owner may have answered it already.
            return len(await hub.owner.requests()) == 2

        await until(asked_anew, what=lambda: f"it does not ask: {agent.session.keeper.status}")
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


# What is stored is lost or damaged


@dataclass(frozen=True)
class Damage:
    """What becomes of the stored credential.

    Args:
        edit: Changes its files; None for each that is to be gone.
        cause: Words of why it could not be used.
    """

    edit: Callable[[dict[str, bytes]], dict[str, bytes | None]]
    cause: str


def of_somebody(*names: str) -> dict[str, bytes | None]:
    """Return files of another cluster's credential, which is good in itself."""
    key, now = generate_key(), datetime.now(UTC)
    certificate = create_authority("another", now=now, lifetime=10 * HOUR).issue(
        key.public_key(), subject=ClusterIdentity("other", "x").subject, lifetime=HOUR, now=now
    )
    return {name: {"tls.key": format_key(key), "tls.crt": certificate}[name] for name in names}


DAMAGES = {
    "everything-is-gone": Damage(dict.fromkeys, "nothing is stored"),
    "the-key-is-gone": Damage(lambda _: {"tls.key": None}, "tls.key missing"),
    "the-certificate-is-gone": Damage(lambda _: {"tls.crt": None}, "tls.crt missing"),
    "the-key-is-empty": Damage(lambda _: {"tls.key": b""}, "tls.key missing or empty"),
    "the-key-is-cut": Damage(lambda files: {"tls.key": files["tls.key"][:99]}, "private key"),
    "the-certificate-is-cut": Damage(
        lambda files: {"tls.crt": files["tls.crt"][:99]}, "certificate cannot be read"
    ),
    "the-key-is-garbage": Damage(lambda _: {"tls.key": b"\xff\x00"}, "private key"),
    "the-certificate-is-garbage": Damage(lambda _: {"tls.crt": b"\xff"}, "cannot be read"),
    "the-key-is-another-one": Damage(lambda _: of_somebody("tls.key"), "issued for another key"),
    "the-pair-is-another-clusters": Damage(
        lambda _: of_somebody("tls.key", "tls.crt"), "certificate is for"
    ),
}
"""Faults of which the process has to earn another certificate when it starts."""

TRIFLES = {
    "the-kubeconfig-is-gone": Damage(lambda _: {"kubeconfig": None}, ""),
    "the-kubeconfig-is-cut": Damage(lambda files: {"kubeconfig": files["kubeconfig"][:9]}, ""),
    "the-cluster-name-is-gone": Damage(lambda _: {"cluster-name": None}, ""),
    "the-agent-name-is-garbage": Damage(lambda _: {"agent-name": b"\xff"}, ""),
}
"""Faults that the process can mend by itself when it starts."""


async def damage_secret(hubs: Hubs, damage: Damage) -> None:
    """Edit the Secret as somebody with rights might."""
    secret = await hubs.kept()
    assert secret is not None
    files: dict[str, bytes | None] = {**(await hubs.files())}
    files |= damage.edit(await hubs.files())
    data = to_secret_data({name: content for name, content in files.items() if content is not None})
    await hubs.a.owner.spoke.replace(SECRETS, {**secret, "data": data})


NAMING = {case: DAMAGES[case] for case in ("the-key-is-gone", "the-certificate-is-gone")}


@pytest.mark.parametrize("is_named", [True, False], ids=["name-is-set", "name-was-made-up"])
async def test_a_damaged_store_is_mended_or_earned_again_by_the_same_cluster(
    hubs: Hubs, is_named: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever becomes of it while no process runs: one more request at most, no other cluster."""
    caplog.set_level(logging.INFO)
    settings = await hubs.settings()
    async with hubs.running(settings) as agent:
        await hubs.arrives(agent, hubs.a)
        identity = agent.session.identity
    if not is_named:
        settings = settings.model_copy(update={"cluster_name": None})
    uid, requests = await hubs.a.uid(), 1
    for case, damage in (DAMAGES if is_named else NAMING | TRIFLES).items():
        caplog.clear()
        await damage_secret(hubs, damage)
        async with hubs.running(settings) as agent:
            await hubs.arrives(agent, hubs.a)
            assert agent.session.identity.cluster == identity.cluster, case
        requests += case in DAMAGES
        assert len(await hubs.a.owner.requests()) == requests, case
        assert await hubs.a.uid() == uid, case
        reasons = [r.__dict__.get("reason", "") for r in caplog.records if "making a key" in r.msg]
        assert all(damage.cause in reason for reason in reasons), (case, reasons)
    assert hubs.probe.failed == []


async def test_what_is_damaged_under_a_running_agent_is_put_back_from_memory(hubs: Hubs) -> None:
    """The hub is not asked for anything, and nobody on the channel notices."""
    settings = await hubs.settings()
    async with hubs.running(settings) as agent:
        await hubs.arrives(agent, hubs.a)
        good = await hubs.files()
        for case, damage in {**DAMAGES, **TRIFLES}.items():
            await damage_secret(hubs, damage)

            async def is_mended() -> bool:
                return await hubs.files() == good

            await until(is_mended, what=lambda case=case: case)  # type: ignore[misc]
    assert len(await hubs.a.owner.requests()) == 1
    assert hubs.probe.failed == []


async def test_a_pending_request_that_is_damaged_begins_anew_with_another_key(hubs: Hubs) -> None:
    """A key that somebody may have seen is not waited with, and the old request yields nothing."""
    hubs.a.owner.approves = False
    settings = await hubs.settings()
    pending = f"{HUB_KUBECONFIG_SECRET}-pending"
    for name, content in (("tls.key", b"cut"), ("progress.json", b"{"), ("progress.json", None)):
        async with hubs.running(settings) as agent:
            await eventually(
                lambda agent=agent: agent.session.keeper.status.reason == "WaitingForApproval",  # type: ignore[misc]
                what=lambda agent=agent: agent.session.keeper.status,  # type: ignore[misc]
            )
        secret = await hubs.a.owner.secret(pending)
        assert secret is not None
        files = {**from_secret_data(secret["data"]), name: content}
        kept = {key: value for key, value in files.items() if value is not None}
        await hubs.a.owner.spoke.replace(SECRETS, {**secret, "data": to_secret_data(kept)})
    hubs.a.owner.approves = True
    async with hubs.running(settings) as agent:
        await hubs.arrives(agent, hubs.a)
    assert len(await hubs.a.owner.requests()) == 4
    assert hubs.probe.failed == []


async def test_a_directory_that_was_damaged_or_lost_is_earned_again(
    hubs: Hubs, tmp_path: Path
) -> None:
    """As in a Secret; its generations are checked as a whole, and names outlive them."""
    state = tmp_path / "state"
    settings = await hubs.settings(state_dir=state)
    later = settings.model_copy(update={"cluster_name": None})

    def cut(name: str) -> None:
        (path,) = [p for p in (state / "current").rglob(name) if not p.is_symlink()]
        path.write_bytes(path.read_bytes()[:50])

    def open_to_others() -> None:
        for path in (state / "current").rglob("tls.key"):
            path.resolve().chmod(0o644)

    faults: list[tuple[Callable[[], None], AgentSettings]] = [
        (lambda: None, settings),
        (lambda: cut("tls.key"), later),
        (lambda: cut("tls.crt"), later),
        (lambda: cut("kubeconfig"), later),
        (open_to_others, later),
        (lambda: (state / "current" / "..data").unlink(), settings),
        (lambda: shutil.rmtree(state), settings),
    ]
    for number, (fault, again) in enumerate(faults, start=1):
        fault()
        async with hubs.running(again) as agent:
            await eventually(lambda: agent.session.channel.is_ready, what=lambda: "not ready")
            await hubs.probe.goes_on(hubs.a.server)
            assert agent.session.identity.cluster == hubs.a.owner.cluster
        assert len(await hubs.a.owner.requests()) == number, number
    assert hubs.probe.failed == []


# Renewals go wrong


Answer = Callable[[Hubs, KubeObject], Awaitable[None]]


def certificate(
    *,
    subject: Subject | None = None,
    is_for_its_key: bool = True,
    begins: timedelta = timedelta(0),
    usages: frozenset[ExtendedUsage] = CLIENT_ONLY,
) -> Answer:
    """Return a signer that answers with a certificate in which something is wrong."""

    async def answer(hubs: Hubs, request: KubeObject) -> None:
        asked = parse_request(base64.b64decode(request["spec"]["request"]))
        wanted, now = subject or asked.subject, hubs.clock.now()
        assert wanted is not None
        issued = create_authority("nobody", now=now, lifetime=10 * HOUR, backdate=10 * HOUR).issue(
            asked.public_key if is_for_its_key else generate_key().public_key(),
            subject=wanted,
            lifetime=HOUR,
            now=now + begins,
            usages=usages,
        )
        status = {**(request.get("status") or {}), "certificate": base64.b64encode(issued).decode()}
        await hubs.a.owner.hub.replace(
            CERTIFICATE_SIGNING_REQUESTS, {**request, "status": status}, subresource="status"
        )

    return answer


async def keep_waiting(hubs: Hubs, request: KubeObject) -> None:
    """Decide nothing."""


async def deny_request(hubs: Hubs, request: KubeObject) -> None:
    """Refuse."""
    await hubs.a.owner.decide(request, "Denied", message="not you")


async def collect(hubs: Hubs, request: KubeObject) -> None:
    """Delete a request that nobody decided, as hubs do after a day."""
    await hubs.a.owner.hub.delete(CERTIFICATE_SIGNING_REQUESTS, request["metadata"]["name"])


async def issue_what_the_hub_refuses(hubs: Hubs, request: KubeObject) -> None:
    """Sign so that all is right except that the hub does not know the signature."""
    refusal = Refuse(failures.unauthorized())
    hubs.a.plane.faults.add(refusal, Calls(resource=SELF_SUBJECT_REVIEWS.qualified))
    await hubs.a.owner.decide(request, "Approved")


@dataclass(frozen=True)
class Renewal:
    """What becomes of the request for the next certificate.

    Args:
        answer: What the hub makes of it.
        says: What the agent says while it goes on with the old one.
        is_dead: Whether that request is given up, and another one made later.
    """

    answer: Answer
    says: str
    is_dead: bool = True


RENEWALS = {
    "nobody-decides": Renewal(keep_waiting, "waits for the hub's approval", is_dead=False),
    "it-is-collected": Renewal(collect, "waits for the hub's approval", is_dead=False),
    "it-is-denied": Renewal(deny_request, "not you"),
    "the-certificate-is-for-another-key": Renewal(
        certificate(is_for_its_key=False), "issued for another key"
    ),
    "the-certificate-names-somebody-else": Renewal(
        certificate(subject=ClusterIdentity("other", "agent").subject), "certificate is for"
    ),
    "the-certificate-is-over": Renewal(certificate(begins=-2 * HOUR), "expired"),
    "the-certificate-is-for-servers": Renewal(certificate(usages=SERVER_ONLY), "clientAuth"),
    "the-hub-refuses-the-certificate": Renewal(
        issue_what_the_hub_refuses, "the hub refuses the certificate"
    ),
}


async def test_a_renewal_that_goes_wrong_leaves_the_old_certificate_in_use(hubs: Hubs) -> None:
    """One fault after the other in one process; the next request is made by itself, and in time."""
    settings, owner = await hubs.settings(), hubs.a.owner
    owner.now = hubs.clock.now
    async with hubs.running(settings, clock=hubs.clock) as agent:
        await hubs.arrives(agent, hubs.a)
        keeper, uid = agent.session.keeper, await hubs.a.uid()
        for case, renewal in RENEWALS.items():
            owner.approves = False
            old, before = keeper.credential, await hubs.files()
            posted = agent.hub_calls["create", CERTIFICATE_SIGNING_REQUESTS.qualified]
            hubs.pass_time(0.8 * CERTIFICATE_LIFETIME)
            (request,) = await until(owner.pending_requests, what=lambda case=case: case)  # type: ignore[misc]
            await renewal.answer(hubs, request)
            await eventually(
                lambda renewal=renewal: renewal.says in keeper.status.message,  # type: ignore[misc]
                what=lambda case=case: (case, keeper.status),  # type: ignore[misc]
            )
            assert keeper.credential == old, case
            assert (await hubs.files())["tls.crt"] == before["tls.crt"], case
            await hubs.probe.goes_on(hubs.a.server)
            hubs.a.speak_again()
            owner.approves = True
            if renewal.is_dead:
                hubs.pass_time(timedelta(minutes=1))
            await eventually(
                lambda old=old: keeper.credential not in (None, old),  # type: ignore[misc]
                what=lambda case=case: (case, keeper.status),  # type: ignore[misc]
            )
            await hubs.arrives(agent, hubs.a)
            posted = agent.hub_calls["create", CERTIFICATE_SIGNING_REQUESTS.qualified] - posted
            assert posted == 1 + (renewal.is_dead or renewal.answer is collect), case
        assert await hubs.a.uid() == uid
        assert len(agent.sessions) == 1
    assert hubs.probe.failed == []


async def test_an_agent_that_was_down_past_the_end_of_its_certificate_comes_back(
    hubs: Hubs,
) -> None:
    """It asks as the bootstrap identity, says which credential is over, and is the same cluster."""
    settings, owner = await hubs.settings(), hubs.a.owner
    async with hubs.running(settings, clock=hubs.clock) as agent:
        await hubs.arrives(agent, hubs.a)
    uid = await hubs.a.uid()
    hubs.pass_time(2 * CERTIFICATE_LIFETIME)
    owner.approves = False
    async with hubs.running(settings, clock=hubs.clock) as agent:
        await until(owner.pending_requests, what=lambda: "it does not ask")
        report = agent.session.state.look()
        assert report.state is AgentState.EXPIRED
        assert "waits for the hub's approval" in report.message
        owner.approves = True
        await hubs.arrives(agent, hubs.a)
    assert await hubs.a.uid() == uid
    assert hubs.probe.failed == []
