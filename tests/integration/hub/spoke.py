"""What a managed cluster's agent does on the hub, in a few calls, for tests of the hub alone."""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from towline_api import names
from towline_api.condition_types import HUB_ACCEPTED
from towline_api.conditions import find_condition, with_condition
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    LEASES,
    MANAGED_CLUSTERS,
    KubeObject,
    Resource,
)
from towline_api.timestamps import format_micro_time
from towline_certs import (
    AddonIdentity,
    ClusterIdentity,
    PrivateKey,
    Subject,
    build_request,
    format_key,
    generate_key,
    request_name,
)
from towline_kube.client import Client
from towline_kube.connection import Connection
from towline_kube.errors import Conflict
from towline_kube.kubeconfig import parse_kubeconfig
from towline_sandbox.plane import ControlPlane

T = TypeVar("T")

PATIENCE_SECONDS = 20.0
USAGES = list(names.CLIENT_CERTIFICATE_USAGES)


async def eventually(
    look: Callable[[], Awaitable[T | None]], *, what: str, within: float = PATIENCE_SECONDS
) -> T:
    """Return what `look` finds once it finds something; fail with the last thing seen."""
    deadline = asyncio.get_running_loop().time() + within
    while True:
        found = await look()
        if found is not None:
            return found
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"{what} did not come about within {within} s")
        await asyncio.sleep(0.05)


def condition_is(obj: KubeObject | None, kind: str, status: str, reason: str | None = None) -> bool:
    """Return whether a condition has a status, and a reason if one is given."""
    condition = find_condition(obj, kind) if obj is not None else None
    return (
        condition is not None
        and condition.status == status
        and (reason is None or condition.reason == reason)
    )


async def until_condition(
    client: Client,
    resource: Resource,
    name: str,
    kind: str,
    status: str,
    *,
    reason: str | None = None,
    namespace: str | None = None,
) -> KubeObject:
    """Return an object once one of its conditions has this status and reason."""
    last: KubeObject | None = None

    async def look() -> KubeObject | None:
        nonlocal last
        last = await client.find(resource, name, namespace=namespace)
        return last if condition_is(last, kind, status, reason) else None

    try:
        return await eventually(look, what=f"{kind} {status} of {resource.kind} {name}")
    except AssertionError as error:
        seen = (last or {}).get("status", {}).get("conditions")
        raise AssertionError(f"{error}; last seen: {seen}") from None


def csr_body(
    name: str,
    request_pem: bytes,
    *,
    labels: dict[str, str],
    signer: str = names.KUBE_CLIENT_SIGNER,
    usages: Sequence[str] = tuple(USAGES),
    expiration_seconds: int | None = None,
) -> KubeObject:
    """Return a CertificateSigningRequest object."""
    spec: dict[str, Any] = {
        "request": base64.b64encode(request_pem).decode(),
        "signerName": signer,
        "usages": list(usages),
    }
    if expiration_seconds is not None:
        spec["expirationSeconds"] = expiration_seconds
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
    }


@dataclass
class Spoke:
    """One managed cluster's agent: its key, its identity, its way to the hub."""

    plane: ControlPlane
    cluster: str
    bootstrap: Client
    agent: str = "agent1"
    key: PrivateKey = field(default_factory=generate_key)

    @property
    def identity(self) -> ClusterIdentity:
        """Who it asks to be."""
        return ClusterIdentity(self.cluster, self.agent)

    async def register(self, *, lease_duration_seconds: int = 60) -> KubeObject:
        """Create the ManagedCluster, as a bootstrap identity may."""
        return await self.bootstrap.create(
            MANAGED_CLUSTERS,
            {
                "metadata": {"name": self.cluster},
                "spec": {
                    "hubAcceptsClient": False,
                    "leaseDurationSeconds": lease_duration_seconds,
                },
            },
        )

    async def ask(self, *, client: Client | None = None, **changes: Any) -> str:
        """Post the request for the cluster's certificate; return its name."""
        subject = changes.pop("subject", self.identity.subject)
        dns_names = changes.pop("dns_names", ())
        pem = changes.pop("pem", None) or build_request(
            self.key, subject=subject, dns_names=dns_names
        )
        labels = changes.pop("labels", {names.CLUSTER_NAME_LABEL: self.cluster})
        name = request_name(f"{self.cluster}-", key=self.key)
        body = csr_body(name, pem, labels=labels, **changes)
        await (client or self.bootstrap).create(CERTIFICATE_SIGNING_REQUESTS, body)
        return name

    async def ask_for_addon(
        self, addon: str, *, client: Client, key: PrivateKey, subject: Subject | None = None
    ) -> str:
        """Post the request for an add-on's certificate; return its name."""
        identity = AddonIdentity(self.cluster, addon, addon)
        pem = build_request(
            key, subject=subject or identity.subject, dns_names=[names.addon_dns_name(addon)]
        )
        name = request_name(f"addon-{self.cluster}-{addon}-", key=key)
        labels = {names.CLUSTER_NAME_LABEL: self.cluster, names.ADDON_NAME_LABEL: addon}
        await client.create(CERTIFICATE_SIGNING_REQUESTS, csr_body(name, pem, labels=labels))
        return name

    def connection(self, certificate: bytes, *, key: PrivateKey | None = None) -> Connection:
        """Return the way to the hub with an issued certificate."""
        connection = parse_kubeconfig(self.plane.admin_kubeconfig(), source="test")
        return replace(
            connection,
            client_certificate_pem=certificate,
            client_key_pem=format_key(key or self.key),
        )

    async def beat(self, client: Client) -> None:
        """Renew the cluster's lease once, as an agent does: get, then put."""
        lease = await client.get(LEASES, names.CLUSTER_LEASE, namespace=self.cluster)
        lease["spec"]["renewTime"] = format_micro_time(datetime.now(UTC))
        await client.replace(LEASES, lease)

    async def report(self, client: Client, kind: str, *, reason: str, message: str = "") -> None:
        """Set one condition of the ManagedCluster to True, as an agent does."""
        while True:
            cluster = await client.get(MANAGED_CLUSTERS, self.cluster)
            status = cluster.get("status") or {}
            conditions = with_condition(
                status.get("conditions") or [],
                type=kind,
                status="True",
                reason=reason,
                message=message,
                now=datetime.now(UTC),
            )
            with suppress(Conflict):  # the hub writes to the same status
                await client.patch_status(
                    MANAGED_CLUSTERS, cluster, status | {"conditions": conditions}
                )
                return


async def decision(client: Client, name: str) -> tuple[str, str, str]:
    """Return type, reason and message of a request's decision, once there is one."""

    async def look() -> tuple[str, str, str] | None:
        csr = await client.get(CERTIFICATE_SIGNING_REQUESTS, name)
        for condition in csr.get("status", {}).get("conditions", []):
            return condition["type"], condition["reason"], condition["message"]
        return None

    return await eventually(look, what=f"a decision about request {name}")


async def issued(client: Client, name: str) -> bytes:
    """Return the certificate of a request, once it is issued."""

    async def look() -> bytes | None:
        csr = await client.get(CERTIFICATE_SIGNING_REQUESTS, name)
        denied = [c for c in csr.get("status", {}).get("conditions", []) if c["type"] == "Denied"]
        assert not denied, denied
        certificate = csr.get("status", {}).get("certificate")
        return base64.b64decode(certificate) if certificate else None

    return await eventually(look, what=f"the certificate of request {name}")


async def join(spoke: Spoke, admin: Client) -> Client:
    """Bring a cluster in by its bootstrap token; return its own client."""
    await spoke.register()
    name = await spoke.ask()
    certificate = await issued(admin, name)
    await until_condition(admin, MANAGED_CLUSTERS, spoke.cluster, HUB_ACCEPTED, "True")
    return Client(spoke.connection(certificate), field_manager="test-agent")
