"""Custom signers: what is signed, what is not, and with which authority, on a real API."""

import asyncio
import logging
import secrets
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from integration.hub.conftest import HUB_USER, RunHub
from integration.hub.signing import (
    LIFETIME,
    RBAC,
    SECRET,
    SigningScene,
    make_authority,
    make_intermediate,
    settle,
)
from integration.hub.spoke import Spoke, eventually, issued, until_condition
from support.csrs import key_of
from support.tasks import background
from towline_api import names
from towline_api.rbac_subjects import user_subject
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    CONFIG_MAPS,
    SECRETS,
    KubeObject,
)
from towline_certs import (
    AddonFacts,
    ApprovalContext,
    Authority,
    ClusterFacts,
    ExpectedRegistration,
    KeyKind,
    Subject,
    create_authority,
    format_key,
    generate_key,
)
from towline_certs.certificates import find_subject, parse_chain
from towline_hub import daemon
from towline_hub.explain.links import LinkState
from towline_hub.metrics import HubMetrics
from towline_hub.permissions import addons_only_permissions
from towline_hub.settings import HubSettings
from towline_hub.signers.authority_secret import managed_secret, parse_authorities
from towline_hub.signers.readiness import Ready
from towline_hub.signers.settings import SignerSettings
from towline_hub.signers.signing import RequestSigner
from towline_kube.cache import Cache
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK
from towline_kube.errors import Conflict
from towline_kube.events import EventRecorder
from towline_sandbox.plane import ControlPlane

CLIENT_AUTH, SERVER_AUTH = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


@pytest.fixture
def scene(spoke: Spoke, admin: Client) -> SigningScene:
    """A signer, an add-on and a cluster that no other test has."""
    return SigningScene(admin, spoke)


def usages_of(leaf: x509.Certificate) -> list[x509.ObjectIdentifier]:
    return list(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


async def test_an_addon_gets_the_certificate_it_is_registered_for(
    scene: SigningScene, run_hub: RunHub, caplog: pytest.LogCaptureFixture
) -> None:
    """Approved and signed under the rights a hub ships with; whoever trusts the bundle takes it."""
    caplog.set_level(logging.INFO, logger="towline_hub")
    settings = await scene.settings(HUB_USER)
    await scene.store(make_authority("ca"))
    key = generate_key()
    async with run_hub(**settings), scene.joined():
        before = datetime.now(UTC)
        name = await scene.ask(key=key)
        leaf = await scene.verify(await issued(scene.admin, name))
        assert find_subject(leaf) == scene.subject
        assert leaf.public_key() == key.public_key()
        assert usages_of(leaf) == [CLIENT_AUTH]
        alternative = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert list(alternative) == [x509.DNSName(names.addon_dns_name(scene.addon))]
        second = timedelta(seconds=1)
        assert before - second <= leaf.not_valid_before_utc + timedelta(minutes=5)
        assert leaf.not_valid_after_utc - LIFETIME <= datetime.now(UTC)
        assert leaf.serial_number.bit_length() > 96

        short = await scene.ask(expiration_seconds=700)
        leaf = await scene.verify(await issued(scene.admin, short))
        assert leaf.not_valid_after_utc <= datetime.now(UTC) + timedelta(seconds=700)

        note = await scene.until_event("CertificateIssued", about=name, within="default")
        assert scene.signer in note
        csr = await scene.admin.get(CERTIFICATE_SIGNING_REQUESTS, name)
        lines = [each for each in caplog.records if getattr(each, "csr", None) == name]
        (line,) = [each for each in lines if each.message == "certificate issued"]
        assert line.csr_uid == csr["metadata"]["uid"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("kind", "server", "usages"),
    [
        pytest.param(KeyKind.RSA_2048, ["client"], [CLIENT_AUTH], id="rsa-not-for-servers"),
        pytest.param(
            KeyKind.ED25519, ["client", "server"], [CLIENT_AUTH, SERVER_AUTH], id="ed25519-both"
        ),
    ],
)
async def test_usage_for_servers_takes_the_word_of_both_addon_and_operator(
    scene: SigningScene,
    run_hub: RunHub,
    kind: KeyKind,
    server: list[str],
    usages: list[x509.ObjectIdentifier],
) -> None:
    """The add-on asks for it in both cases; only one operator lets the signer give it.

    Its name as a server is the declaration's to say: the agent asks as for any client.
    """
    host = "{cluster}.metrics.example.com"
    settings = await scene.settings(HUB_USER, usages=server, server=True, dns_names=[host])
    key = key_of(kind)
    made = create_authority("ca", now=datetime.now(UTC), lifetime=timedelta(days=1), key_kind=kind)
    await scene.store(made)
    del key
    async with run_hub(**settings), scene.joined():
        (leaf,) = x509.load_pem_x509_certificates(await issued(scene.admin, await scene.ask()))
        leaf.verify_directly_issued_by(made.certificate)
        assert sorted(usages_of(leaf), key=str) == sorted(usages, key=str)
        alternative = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert list(alternative) == [
            x509.DNSName(names.addon_dns_name(scene.addon)),
            x509.DNSName(f"{scene.spoke.cluster}.metrics.example.com"),
        ]


async def test_whoever_trusts_the_root_alone_can_follow(
    scene: SigningScene, run_hub: RunHub
) -> None:
    """An authority under a root, as cert-manager stores it; the chain passes the API server."""
    root, middle = make_intermediate()
    settings = await scene.settings(HUB_USER)
    await scene.store(middle, ca_crt=root.public_bytes(Encoding.PEM))
    async with run_hub(**settings), scene.joined():
        chain = await issued(scene.admin, await scene.ask())
        assert await scene.bundle() == [root]
        assert parse_chain(chain)[1:] == (middle.certificate,)
        await scene.verify(chain)


async def test_a_program_with_one_addon_only_plays_its_signer(
    scene: SigningScene, run_hub: RunHub, hub_plane: ControlPlane, tmp_path: Path
) -> None:
    """On a hub that belongs to another program, which knows nothing of the signer."""
    chosen = HubSettings.model_validate(await scene.settings(HUB_USER) | {"addons_only": True})
    user = f"part-{secrets.token_hex(4)}"
    for thing in addons_only_permissions(
        user_subject(user),
        declarations=chosen.addon_declarations,
        namespace=chosen.namespace,
        signers=chosen.signers,
    ):
        await scene.admin.apply(RBAC[thing["kind"]], thing)
    kubeconfig = tmp_path / "part.kubeconfig"
    kubeconfig.write_text(await hub_plane.kubeconfig_for(user))
    await scene.store(make_authority("ca"))
    program = daemon.run(chosen.model_copy(update={"kubeconfig": kubeconfig}), asyncio.Event())
    async with run_hub(addons=("another",)), background(program, name="run-part"), scene.joined():
        await scene.verify(await issued(scene.admin, await scene.ask()))


async def test_an_approval_in_a_hurry_is_no_reason_to_sign(
    scene: SigningScene, run_hub: RunHub
) -> None:
    """What can never be right fails at once; what may become right waits and says for what."""
    settings = await scene.settings(HUB_USER)
    await scene.store(make_authority("ca"))
    async with run_hub(**settings), scene.joined():
        stranger = await scene.ask(subject=Subject("admin", frozenset({"system:masters"})))
        await scene.approve(stranger)
        note = await scene.until_event("NotRegistered", about=stranger, within="default")
        assert "registered for" in note
        # Kubernetes' administrator himself asks, so that nobody denies it before he approves it.
        wrong = await scene.ask(
            client=scene.admin, usages=["digital signature", "key encipherment", "server auth"]
        )
        await scene.approve(wrong)
        csr = await eventually(lambda: _with_condition(scene.admin, wrong), what="a decision")
        kinds = {each["type"]: each["reason"] for each in csr["status"]["conditions"]}
        if "Denied" not in kinds:  # the hub may have been quicker than the administrator
            csr = await until_condition(
                scene.admin, CERTIFICATE_SIGNING_REQUESTS, wrong, "Failed", "True"
            )
            kinds = {each["type"]: each["reason"] for each in csr["status"]["conditions"]}
            assert kinds["Failed"] == "UsagesNotAllowed"
        good = await scene.ask()
        await issued(scene.admin, good)
        for name in (stranger, wrong):
            csr = await scene.admin.get(CERTIFICATE_SIGNING_REQUESTS, name)
            assert not csr["status"].get("certificate")


async def _with_condition(client: Client, name: str) -> KubeObject | None:
    csr = await client.get(CERTIFICATE_SIGNING_REQUESTS, name)
    return csr if (csr.get("status") or {}).get("conditions") else None


Break = Callable[[Authority], dict[str, bytes]]


@pytest.mark.parametrize(
    ("broken", "reason", "text"),
    [
        pytest.param(None, "AuthorityMissing", "does not exist", id="missing"),
        pytest.param(
            lambda ca: {"tls.crt": ca.certificate_pem, "tls.key": b"oops"},
            "AuthorityUnusable",
            "key tls.key",
            id="broken-key",
        ),
        pytest.param(
            lambda ca: {"tls.crt": ca.certificate_pem, "tls.key": format_key(key_of())},
            "AuthorityUnusable",
            "another key",
            id="mismatched",
        ),
        pytest.param(
            lambda _: _data(make_authority("old", lifetime=timedelta(0), begun=timedelta(days=1))),
            "AuthorityNotValid",
            "replace it",
            id="expired",
        ),
    ],
)
async def test_requests_wait_for_the_repair_of_an_authority(
    scene: SigningScene,
    run_hub: RunHub,
    caplog: pytest.LogCaptureFixture,
    broken: Break | None,
    reason: str,
    text: str,
) -> None:
    """One line says what is wrong and where; nobody has to restart or to ask again."""
    caplog.set_level(logging.DEBUG)
    settings = await scene.settings(HUB_USER)
    authority = make_authority("ca")
    if broken is not None:
        await scene.put_secret(broken(authority))
    async with run_hub(**settings), scene.joined():
        name = await scene.ask()
        note = await scene.until_event(reason, about=SECRET, within=scene.namespace)
        assert f"secrets {scene.namespace}/{SECRET}" in note
        assert text in note
        await scene.until_event(reason, about=name, within="default")
        link = await scene.explained()
        assert link.state is not LinkState.HOLDS
        assert reason == "AuthorityMissing" or text in link.found
        await scene.store(authority)
        await scene.verify(await issued(scene.admin, name))
        assert (await scene.explained()).state is LinkState.HOLDS
    shown = caplog.text + "".join(str(record.__dict__) for record in caplog.records)
    for key in (authority.key, key_of()):
        assert format_key(key).decode().splitlines()[1] not in shown


def _data(authority: Authority) -> dict[str, bytes]:
    return {"tls.crt": authority.certificate_pem, "tls.key": format_key(authority.key)}


async def test_two_hubs_sign_each_request_once(scene: SigningScene, run_hub: RunHub) -> None:
    """A second replica that takes itself for the leader must not replace a certificate."""
    settings = await scene.settings(HUB_USER)
    await scene.store(make_authority("ca"))
    seen: dict[str, set[str]] = {}

    async def follow() -> NoReturn:
        while True:
            stream = scene.admin.watch(CERTIFICATE_SIGNING_REQUESTS)
            async with aclosing(stream):
                async for event in stream:
                    certificate = (event.object.get("status") or {}).get("certificate")
                    if certificate:
                        seen.setdefault(event.object["metadata"]["name"], set()).add(certificate)

    async with run_hub(**settings) as one, run_hub(**settings) as two, scene.joined():
        async with background(follow(), name="watch-requests"):
            names_ = []
            for _ in range(3):
                names_ += await asyncio.gather(*(scene.ask() for _ in range(15)))
            await asyncio.gather(*(scene.approve(name) for name in names_))

            async def all_issued() -> bool | None:
                return seen.keys() >= set(names_) or None

            await eventually(all_issued, what="all certificates")
            await settle()
        assert all(len(seen[name]) == 1 for name in names_)
        tries = [
            sum(call.resource.endswith("requests.certificates.k8s.io/status") for call in hub.calls)
            for hub in (one, two)
        ]
        assert sum(tries) >= len(names_)
        assert all(tries), "only one of them signed, so there was no race"


class _Ready:
    """Authorities that are ready."""

    def __init__(self, settings: SignerSettings, authority: Authority) -> None:
        self._settings = settings
        self._authority = authority

    def settings_of(self, signer: str) -> SignerSettings | None:
        return self._settings if signer == self._settings.signer_name else None

    def find(self, signer: str) -> Ready:
        del signer
        return Ready(self._authority)


async def test_who_comes_second_leaves_the_certificate_alone(
    scene: SigningScene, run_hub: RunHub
) -> None:
    """Both saw the request without one; that is what a race comes down to."""
    async with run_hub(**await scene.settings(HUB_USER)), scene.joined():
        name = await scene.ask()
        await scene.approve(name)
        settings = SignerSettings.model_validate({"signer-name": scene.signer, "secret": "s"})
        registration = ExpectedRegistration(scene.signer, scene.subject)
        context = ApprovalContext(
            now=datetime.now(UTC),
            cluster=ClusterFacts(accepted=True),
            addon=AddonFacts(registrations=(registration,)),
        )

        def signer(cache: Cache) -> RequestSigner:
            return RequestSigner(
                scene.admin,
                requests=cache,
                authorities=_Ready(settings, make_authority("ca")),  # type: ignore[arg-type]
                context=lambda _: context,
                events=EventRecorder(scene.admin, controller="test", instance="test"),
                metrics=HubMetrics(),
                clock=SYSTEM_CLOCK,
            )

        stale = [
            Cache(scene.admin, CERTIFICATE_SIGNING_REQUESTS, field_selector=f"metadata.name={name}")
            for _ in "ab"
        ]
        for cache in stale:
            async with background(cache.run(), name="watch-requests"):
                await cache.wait_synced()
        await signer(stale[0]).reconcile(name)
        first = await issued(scene.admin, name)
        with pytest.raises(Conflict):
            await signer(stale[1]).reconcile(name)
        assert await issued(scene.admin, name) == first


async def test_a_replaced_authority_is_trusted_until_its_certificates_have_ended(
    scene: SigningScene, run_hub: RunHub
) -> None:
    """The operator replaces the Secret; the hub publishes before it signs, and forgets nobody."""
    settings = await scene.settings(HUB_USER, overlap="3s")
    old, new = make_authority("old"), make_authority("new")
    await scene.store(old)
    async with run_hub(**settings), scene.joined():
        held = await issued(scene.admin, await scene.ask())
        await scene.until_published(old)
        replaced = datetime.now(UTC)
        await scene.store(new)
        name = await scene.ask()
        await scene.until_published(old, new)
        leaf = await scene.verify(await issued(scene.admin, name))
        leaf.verify_directly_issued_by(new.certificate)
        signed = leaf.not_valid_before_utc + timedelta(minutes=5)
        assert signed - replaced > timedelta(seconds=2)  # certificates tell whole seconds
        await scene.verify(held)
    # Another hub knows it too, and puts back what somebody deletes.
    async with run_hub(**settings) as hub:

        async def watched() -> bool | None:
            return any((c.verb, c.resource) == ("watch", "configmaps") for c in hub.calls) or None

        await eventually(watched, what="the watch of the bundle")
        await settle()
        await scene.admin.delete(CONFIG_MAPS, f"{SECRET}-bundle", namespace=scene.namespace)
        await scene.until_published(old, new)
        assert await scene.is_trusted(held)


async def test_an_announced_authority_takes_over_without_a_wait(
    scene: SigningScene, run_hub: RunHub
) -> None:
    """An operator who plans ahead publishes the next certificate in `ca.crt` first."""
    settings = await scene.settings(HUB_USER, overlap="1s")
    old, new = make_authority("old"), make_authority("new")
    await scene.store(old, ca_crt=new.certificate_pem)
    async with run_hub(**settings), scene.joined():
        await scene.until_published(old, new)
        held = await issued(scene.admin, await scene.ask())
        await settle(1.5)
        await scene.store(new)
        chain = await issued(scene.admin, await scene.ask())
        assert await scene.is_trusted(held)
        assert await scene.is_trusted(chain)


async def test_a_managed_authority_is_made_and_rotated_with_overlap(
    scene: SigningScene, run_hub: RunHub
) -> None:
    """The hub makes the first, announces the second, lets it sign, and keeps no former key."""
    settings = await scene.settings(HUB_USER, managed=True, overlap="2s")
    async with run_hub(**settings), scene.joined():
        held = await issued(scene.admin, await scene.ask())
        (first,) = await scene.bundle()
        assert await scene.is_trusted(held)
        made = parse_authorities(await scene.secret() or {})
        assert made.signing.certificate == first
        # As if ten months had gone by: what is there is near its end.
        aged = make_authority("aged", lifetime=timedelta(days=1), begun=timedelta(days=10))
        await scene.admin.apply(
            SECRETS,
            managed_secret(
                SignerSettings(**settings["signers"][0]), namespace=scene.namespace, signing=aged
            ),
        )

        async def announced() -> Authority | None:
            return parse_authorities(await scene.secret() or {}).following

        following = await eventually(announced, what="the announcement")

        async def switched() -> bool | None:
            signing = parse_authorities(await scene.secret() or {}).signing
            return signing.certificate == following.certificate or None

        await eventually(switched, what="the switch")
        secret = await scene.secret()
        assert secret is not None
        assert set(secret["data"]) == {"tls.crt", "tls.key"}
        chain = await issued(scene.admin, await scene.ask())
        leaf = await scene.verify(chain)
        leaf.verify_directly_issued_by(following.certificate)
        assert await scene.is_trusted(held)


async def test_a_hub_with_nothing_to_sign_writes_nothing(
    scene: SigningScene, run_hub: RunHub
) -> None:
    """At rest, and when it starts anew."""
    settings = await scene.settings(HUB_USER, managed=True)
    async with run_hub(**settings):
        await eventually(lambda: _bundle_or_none(scene), what="the bundle")
    secret = await scene.secret()
    async with run_hub(**settings) as hub:
        await settle()
        about = [call for call in hub.writes() if call[1] in ("secrets", "configmaps")]
        assert about == []
    assert await scene.secret() == secret


async def _bundle_or_none(scene: SigningScene) -> list[x509.Certificate] | None:
    return await scene.bundle() or None


async def test_a_secret_that_was_not_made_by_a_hub_is_not_taken_over(
    scene: SigningScene, run_hub: RunHub
) -> None:
    """`managed` was set by mistake; the operator's authority must survive that."""
    settings = await scene.settings(HUB_USER, managed=True)
    await scene.store(make_authority("precious"))
    before = await scene.secret()
    async with run_hub(**settings):
        note = await scene.until_event("AuthorityUnusable", about=SECRET, within=scene.namespace)
        assert "no hub made it" in note
    assert await scene.secret() == before
