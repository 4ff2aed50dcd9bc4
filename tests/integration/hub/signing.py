"""A hub that plays custom signers, an add-on registered with one, and whoever looks after them."""

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from integration.hub.spoke import Spoke, csr_body, eventually, join
from towline_api import names
from towline_api.addon_codec import V1Alpha1Codec
from towline_api.rbac_subjects import user_subject
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    CLUSTER_MANAGEMENT_ADDONS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    EVENTS,
    MANAGED_CLUSTER_ADDONS,
    NAMESPACES,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
    KubeObject,
)
from towline_api.timestamps import format_time
from towline_certs import (
    Authority,
    PrivateKey,
    Subject,
    build_request,
    create_authority,
    format_key,
    generate_key,
    request_name,
)
from towline_hub.approval.decision_record import decided
from towline_hub.explain.gathering import Explainer
from towline_hub.explain.links import Link
from towline_hub.permissions import hub_permissions
from towline_hub.settings import HubSettings
from towline_kube.client import Client
from towline_kube.errors import AlreadyExists, Conflict

SECRET = "authority"
LIFETIME = timedelta(hours=2)
RBAC = {each.kind: each for each in (CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS, ROLES, ROLE_BINDINGS)}


@dataclass
class SigningScene:
    """One signer, one add-on registered with it, and one joined cluster."""

    admin: Client
    spoke: Spoke
    signer: str = field(default_factory=lambda: f"example.com/s-{secrets.token_hex(4)}")
    addon: str = field(default_factory=lambda: f"a-{secrets.token_hex(4)}")
    namespace: str = field(default_factory=lambda: f"hub-{secrets.token_hex(4)}")
    agent: Client | None = None
    parsed: HubSettings | None = None

    async def settings(self, hub_user: str, **signer: Any) -> dict[str, Any]:
        """Grant the hub what playing the signer takes; return its settings for that.

        Args:
            hub_user: Who runs the hub.
            signer: Settings of the signer that are not the usual ones of these tests.
        """
        usual = {"signer-name": self.signer, "secret": SECRET, "lifetime": LIFETIME}
        custom = {
            "signer-name": self.signer,
            "user": "agent of {cluster}",
            "groups": ["fleet"],
            "server": signer.pop("server", False),
            "dns-names": signer.pop("dns_names", []),
        }
        chosen = {
            "namespace": self.namespace,
            "signers": [usual | signer],
            "declarations": [{"name": self.addon, "custom-signers": [custom]}],
        }
        await self.admin.create(NAMESPACES, {"metadata": {"name": self.namespace}})
        self.parsed = parsed = HubSettings.model_validate(chosen)
        for thing in hub_permissions(
            user_subject(hub_user),
            installs_crds=True,
            namespace=self.namespace,
            signers=parsed.signers,
            declarations=parsed.addon_declarations,
        ):
            await self.admin.apply(RBAC[thing["kind"]], thing)
        return chosen

    @asynccontextmanager
    async def joined(self) -> AsyncIterator["SigningScene"]:
        """Join the cluster and install the add-on; be its agent for the length of the block."""
        with suppress(AlreadyExists):  # the hub makes it as well
            await self.admin.create(
                CLUSTER_MANAGEMENT_ADDONS, {"metadata": {"name": self.addon}, "spec": {}}
            )
        async with await join(self.spoke, self.admin) as agent:
            self.agent = agent
            await self.admin.create(
                MANAGED_CLUSTER_ADDONS,
                {"metadata": {"name": self.addon, "namespace": self.spoke.cluster}, "spec": {}},
            )
            await eventually(self._registered, what="the registration")
            yield self

    async def _registered(self) -> bool | None:
        addon = await self.admin.get(
            MANAGED_CLUSTER_ADDONS, self.addon, namespace=self.spoke.cluster
        )
        registrations = (addon.get("status") or {}).get("registrations") or []
        return any(each["signerName"] == self.signer for each in registrations) or None

    @property
    def subject(self) -> Subject:
        """What the add-on is registered for."""
        return Subject(f"agent of {self.spoke.cluster}", frozenset({"fleet"}))

    # The agent

    async def ask(
        self,
        *,
        subject: Subject | None = None,
        usages: Sequence[str] = names.CLIENT_CERTIFICATE_USAGES,
        expiration_seconds: int | None = None,
        key: PrivateKey | None = None,
        client: Client | None = None,
    ) -> str:
        """Post a request as the cluster's agent does; return its name."""
        key = key or generate_key()
        pem = build_request(
            key, subject=subject or self.subject, dns_names=[names.addon_dns_name(self.addon)]
        )
        name = request_name(f"addon-{self.spoke.cluster}-{self.addon}-", key=key)
        body = csr_body(
            name,
            pem,
            labels={
                names.CLUSTER_NAME_LABEL: self.spoke.cluster,
                names.ADDON_NAME_LABEL: self.addon,
            },
            signer=self.signer,
            usages=usages,
            expiration_seconds=expiration_seconds,
        )
        agent = client or self.agent
        assert agent is not None
        await agent.create(CERTIFICATE_SIGNING_REQUESTS, body)
        return name

    # The operator

    async def explained(self) -> Link:
        """Return what `towline explain` says of the signer, with the hub's settings seen."""
        settings = self.parsed
        assert settings is not None
        explainer = Explainer(
            self.admin,
            codec=V1Alpha1Codec(),
            rules=settings.approval_rules,
            declarations=settings.addon_declarations,
            signers=settings.signers,
            namespace=settings.namespace,
        )
        chain = await explainer.addon(self.spoke.cluster, self.addon)
        return next(link for link in chain.links if link.name == f"signer {self.signer}")

    async def store(self, authority: Authority, *, more: bytes = b"", **extra: bytes) -> None:
        """Put an authority into the Secret, in place of what is there."""
        data = {
            names.TLS_CERTIFICATE_KEY: authority.certificate_pem + more,
            names.TLS_KEY_KEY: format_key(authority.key),
        }
        data |= {key.replace("_", "."): value for key, value in extra.items()}
        await self.put_secret(data)

    async def put_secret(self, data: dict[str, bytes]) -> None:
        """Bring the data of the Secret to exactly this."""
        encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
        body: KubeObject = {
            "metadata": {"name": SECRET, "namespace": self.namespace},
            "data": encoded,
        }
        live = await self.secret()
        if live is None:
            await self.admin.create(SECRETS, body)
        else:
            body["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
            await self.admin.replace(SECRETS, {**live, **body})

    async def approve(self, name: str) -> None:
        """Approve a request by hand, whatever it asks for; a hub may have been quicker."""
        while True:
            obj = await self.admin.get(CERTIFICATE_SIGNING_REQUESTS, name)
            if (obj.get("status") or {}).get("conditions"):
                return
            body = decided(
                obj,
                condition="Approved",
                reason="ByHand",
                message="in a hurry",
                now=format_time(datetime.now(UTC)),
            )
            with suppress(Conflict):
                await self.admin.replace(CERTIFICATE_SIGNING_REQUESTS, body, subresource="approval")
                return

    # Looking

    async def secret(self) -> KubeObject | None:
        """Return the Secret."""
        return await self.admin.find(SECRETS, SECRET, namespace=self.namespace)

    async def bundle(self) -> list[x509.Certificate]:
        """Return what is published."""
        found = await self.admin.find(CONFIG_MAPS, f"{SECRET}-bundle", namespace=self.namespace)
        text = found["data"]["ca-bundle.crt"] if found else ""
        return x509.load_pem_x509_certificates(text.encode()) if text else []

    async def until_published(self, *authorities: Authority) -> None:
        """Wait until exactly these are published."""
        wanted = {each.certificate for each in authorities}

        async def look() -> bool | None:
            return set(await self.bundle()) == wanted or None

        await eventually(look, what=f"a bundle of {len(wanted)} authorities")

    async def until_event(self, reason: str, *, about: str, within: str) -> str:
        """Return the note of an Event, once there is one."""

        async def look() -> str | None:
            for event in (await self.admin.list(EVENTS, namespace=within)).items:
                if event.get("reason") == reason and event["regarding"]["name"] == about:
                    return str(event["note"])
            return None

        return await eventually(look, what=f"an Event {reason} about {about}")

    async def verify(self, chain_pem: bytes) -> x509.Certificate:
        """Check a chain as a strict server does that trusts what is published now."""
        leaf, *more = x509.load_pem_x509_certificates(chain_pem)
        store = Store(await self.bundle())
        PolicyBuilder().store(store).time(datetime.now(UTC)).build_client_verifier().verify(
            leaf, more
        )
        return leaf

    async def is_trusted(self, chain_pem: bytes) -> bool:
        """Return whether whoever trusts what is published now accepts a chain."""
        try:
            await self.verify(chain_pem)
        except VerificationError:
            return False
        return True


def make_authority(
    name: str, *, lifetime: timedelta = timedelta(days=30), begun: timedelta = timedelta(hours=1)
) -> Authority:
    """Return an authority that has been valid for a while."""
    return create_authority(name, now=datetime.now(UTC), lifetime=lifetime, backdate=begun)


def make_intermediate() -> tuple[x509.Certificate, Authority]:
    """Return a root, and an authority under it."""
    root_key, key = (ec.generate_private_key(curve()) for curve in (ec.SECP384R1, ec.SECP256R1))
    now = datetime.now(UTC)

    def certificate(
        name: str, own: ec.EllipticCurvePrivateKey, by: str, by_key: ec.EllipticCurvePrivateKey
    ) -> x509.Certificate:
        public = own.public_key()
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(by_key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, by)]))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(False, False, False, False, False, True, True, False, False),
                critical=True,
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(issuer, critical=False)
            .sign(by_key, hashes.SHA256())
        )

    root = certificate("root", root_key, "root", root_key)
    return root, Authority(certificate("middle", key, "root", root_key), key)


async def settle(seconds: float = 0.5) -> None:
    """Give a hub time to do what it must not do."""
    await asyncio.sleep(seconds)
