"""What tests of declared add-ons share: rights for the hub, add-ons on clusters, their clients."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from integration.hub.spoke import Spoke, eventually, issued, until_condition
from towline_api import names
from towline_api.condition_types import TOKEN_INFRASTRUCTURE_READY
from towline_api.metadata import name_of
from towline_api.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    MANAGED_CLUSTER_ADDONS,
    NAMESPACES,
    ROLE_BINDINGS,
    ROLES,
    SERVICE_ACCOUNTS,
    KubeObject,
)
from towline_certs import generate_key
from towline_hub.addons.declaration_settings import DeclarationSettings
from towline_hub.addons.declarations import AddonDeclaration
from towline_kube.client import Client
from towline_kube.kubeconfig import parse_kubeconfig

_RBAC = {
    resource.kind: resource
    for resource in (CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS, ROLES, ROLE_BINDINGS)
}


async def apply_rights(admin: Client, objects: Iterable[KubeObject]) -> None:
    """Apply roles and bindings as an administrator does."""
    for obj in objects:
        await admin.apply(_RBAC[obj["kind"]], obj)


async def remove_rights(admin: Client, objects: Iterable[KubeObject]) -> None:
    """Delete them again."""
    for obj in objects:
        await admin.delete(
            _RBAC[obj["kind"]],
            name_of(obj),
            namespace=obj["metadata"].get("namespace"),
            missing_ok=True,
        )


def in_settings(*declarations: AddonDeclaration) -> tuple[DeclarationSettings, ...]:
    """Return declarations as the hub's settings have them."""
    return tuple(map(DeclarationSettings.of, declarations))


async def make_namespace(admin: Client, name: str) -> str:
    """Create a namespace of the hub's operator."""
    await admin.create(NAMESPACES, {"metadata": {"name": name}})
    return name


@dataclass
class Installed:
    """One add-on on one cluster, and the cluster's agent that serves it."""

    admin: Client
    spoke: Spoke
    agent: Client
    addon: str

    async def install(self) -> "Installed":
        """Create the ManagedClusterAddOn."""
        await self.admin.create(
            MANAGED_CLUSTER_ADDONS,
            {"metadata": {"name": self.addon, "namespace": self.spoke.cluster}, "spec": {}},
        )
        return self

    async def until(self, kind: str, status: str, reason: str | None = None) -> KubeObject:
        """Return the ManagedClusterAddOn once a condition has this status."""
        return await until_condition(
            self.admin,
            MANAGED_CLUSTER_ADDONS,
            self.addon,
            kind,
            status,
            reason=reason,
            namespace=self.spoke.cluster,
        )

    async def until_status(self, **fields: Any) -> None:
        """Return once the status has these fields."""

        async def look() -> bool | None:
            status = (await self.get()).get("status", {})
            return True if fields == {key: status.get(key) for key in fields} else None

        await eventually(look, what=f"a status with {fields}")

    async def until_message(self, kind: str, part: str) -> KubeObject:
        """Return the ManagedClusterAddOn once a condition's message holds this."""

        async def look() -> KubeObject | None:
            addon = await self.get()
            return addon if part in message_of(addon, kind) else None

        return await eventually(look, what=f"{part!r} in {kind}")

    async def get(self) -> KubeObject:
        """Return the ManagedClusterAddOn."""
        return await self.admin.get(
            MANAGED_CLUSTER_ADDONS, self.addon, namespace=self.spoke.cluster
        )

    async def declare_driver(self, driver: str, *, user: str | None = None) -> None:
        """Write the driver, and for tokens the subject, as the cluster's agent does."""

        async def registered() -> KubeObject | None:
            addon = await self.get()
            return addon if addon.get("status", {}).get("registrations") else None

        addon = await eventually(registered, what="a registration")
        status = dict(addon["status"]) | {"kubeClientDriver": driver}
        if driver == "token":
            account = names.addon_service_account(self.addon)
            subject = {"user": user or f"system:serviceaccount:{self.spoke.cluster}:{account}"}
            first, *others = status["registrations"]
            status["registrations"] = [{**first, "subject": subject}, *others]
        await self.agent.patch_status(MANAGED_CLUSTER_ADDONS, addon, status)

    @asynccontextmanager
    async def by_certificate(self) -> AsyncIterator[Client]:
        """Come in as the add-on, with a freshly earned certificate."""
        key = generate_key()
        name = await self.spoke.ask_for_addon(self.addon, client=self.agent, key=key)
        certificate = await issued(self.admin, name)
        connection = self.spoke.connection(certificate, key=key)
        async with Client(connection, field_manager="test-addon") as client:
            yield client

    @asynccontextmanager
    async def by_token(self) -> AsyncIterator[Client]:
        """Come in as the add-on, with a token that the cluster's agent asked for."""
        await self.declare_driver("token")
        await self.until(TOKEN_INFRASTRUCTURE_READY, "True")
        await self.until("RegistrationApplied", "True")
        async with self.with_token(await self.ask_for_token()) as client:
            yield client

    async def ask_for_token(self) -> str:
        """Ask for a token as the cluster's agent does."""
        answer = await self.agent.create(
            SERVICE_ACCOUNTS,
            {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "metadata": {
                    "name": names.addon_service_account(self.addon),
                    "namespace": self.spoke.cluster,
                },
                "spec": {"expirationSeconds": 600},
            },
            subresource="token",
        )
        return str(answer["status"]["token"])

    @asynccontextmanager
    async def with_token(self, token: str) -> AsyncIterator[Client]:
        """Come in with a token."""
        admin = parse_kubeconfig(self.spoke.plane.admin_kubeconfig(), source="test")
        connection = replace(admin, client_certificate_pem=None, client_key_pem=None, token=token)
        async with Client(connection, field_manager="test-addon") as client:
            yield client


def message_of(obj: KubeObject, kind: str) -> str:
    """Return the message of a condition; empty if there is none."""
    conditions: Sequence[dict[str, Any]] = obj.get("status", {}).get("conditions") or []
    return next((str(item["message"]) for item in conditions if item["type"] == kind), "")
