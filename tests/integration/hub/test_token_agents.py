"""Agents with tokens and the hub together, from the setting to the channel of the add-on."""

import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from integration.hub.conftest import HUB_USER, RunHub
from integration.hub.declared import apply_rights, in_settings, remove_rights
from integration.hub.spoke import eventually
from support.joining import JoinHub, agent_settings, ensure, obj, running_agent
from support.plane_clients import admin_client
from towline_agent import AddonAgent, HubChannel
from towline_agent.credentials.service_account_tokens import ServiceAccountToken, parse_token
from towline_agent.embedding.settings import AddonSettings
from towline_agent.settings import AgentSettings
from towline_api import names
from towline_api.addons import KubeClientDriver
from towline_api.conditions import find_condition
from towline_api.rbac_subjects import user_subject
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    CONFIG_MAPS,
    MANAGED_CLUSTER_ADDONS,
    NAMESPACES,
    ROLES,
    SECRETS,
    SERVICE_ACCOUNTS,
    KubeObject,
)
from towline_certs.credentials import from_secret_data
from towline_hub.addons.declarations import AddonDeclaration
from towline_hub.permissions import hub_permissions
from towline_kube.client import Client
from towline_kube.errors import Forbidden, Unauthorized
from towline_kube.kubeconfig import parse_kubeconfig
from towline_sandbox.plane import ControlPlane

WITH_TOKENS = {"addon_kubeclient_registration_auth": KubeClientDriver.TOKEN}
TOKEN_FILES = {"kubeconfig", "cluster-name", "token"}
CERTIFICATE_FILES = {"kubeconfig", "cluster-name", "tls.key", "tls.crt"}


@dataclass
class Scene:
    """One cluster with one add-on, whose agent is not started yet."""

    join: JoinHub
    planes: tuple[ControlPlane, ControlPlane]
    declaration: AddonDeclaration
    namespace: str
    folder: Path

    @property
    def addon(self) -> str:
        """Name of the add-on."""
        return self.declaration.name

    async def settings(self, **changes: Any) -> AgentSettings:
        """Return settings of an agent under its least rights."""
        return await agent_settings(
            self.join,
            *self.planes,
            folder=self.folder,
            addon_namespaces=[self.namespace],
            **changes,
        )

    async def install(self) -> None:
        """Create the ManagedClusterAddOn."""
        body = obj(
            MANAGED_CLUSTER_ADDONS,
            self.addon,
            self.join.cluster,
            spec={"installNamespace": self.namespace},
        )
        await self.join.hub.create(MANAGED_CLUSTER_ADDONS, body)

    async def files(self) -> dict[str, bytes]:
        """Return what the add-on's Secret holds."""
        name = names.addon_hub_kubeconfig_secret(self.addon)
        secret = await self.join.spoke.find(SECRETS, name, namespace=self.namespace)
        return from_secret_data(secret["data"]) if secret is not None else {}

    async def until_files(self, expected: set[str]) -> dict[str, bytes]:
        """Return what the Secret holds once it holds just these files."""

        async def look() -> dict[str, bytes] | None:
            found = await self.files()
            return found if set(found) == expected else None

        return await eventually(look, what=f"the files {sorted(expected)}")

    async def until_token(self, *, but: ServiceAccountToken | None = None) -> ServiceAccountToken:
        """Return the token in the Secret, once there is one other than this."""

        async def look() -> ServiceAccountToken | None:
            files = await self.files()
            token = parse_token(files["token"].decode()) if "token" in files else None
            return token if token is not None and token != but else None

        return await eventually(look, what="a token")

    async def until_condition(self, kind: str, status: str) -> KubeObject:
        """Return the ManagedClusterAddOn once a condition has this status."""

        async def look() -> KubeObject | None:
            addon = await self.join.hub.get(
                MANAGED_CLUSTER_ADDONS, self.addon, namespace=self.join.cluster
            )
            condition = find_condition(addon, kind)
            return addon if condition is not None and condition.status == status else None

        return await eventually(look, what=f"{kind} {status}")

    async def requests(self) -> list[str]:
        """Return the add-on's certificate requests."""
        label = f"{names.CLUSTER_NAME_LABEL}={self.join.cluster},{names.ADDON_NAME_LABEL}"
        found = await self.join.hub.list(CERTIFICATE_SIGNING_REQUESTS, label_selector=label)
        return [item["metadata"]["name"] for item in found.items]


@pytest_asyncio.fixture
async def scene(
    hub_plane: ControlPlane,
    spoke_plane: ControlPlane,
    admin: Client,
    cluster_name: str,
    tmp_path: Path,
) -> AsyncIterator[Scene]:
    """A cluster, and an add-on that may have tokens."""
    declaration = AddonDeclaration(f"addon-{secrets.token_hex(4)}", token_driver=True)
    rights = hub_permissions(user_subject(HUB_USER), declarations=[declaration])[2:]
    await apply_rights(admin, rights)
    async with admin_client(spoke_plane) as spoke_admin:
        join = JoinHub(admin, spoke_admin, cluster=cluster_name, namespace=f"agent-{cluster_name}")
        namespace = f"addons-{cluster_name}"
        for name in (join.namespace, namespace):
            await ensure(spoke_admin, NAMESPACES, obj(NAMESPACES, name))
        yield Scene(join, (hub_plane, spoke_plane), declaration, namespace, tmp_path)
    await remove_rights(admin, rights)


async def test_an_addon_comes_in_with_a_token_and_never_asks_for_a_certificate(
    scene: Scene, run_hub: RunHub, tmp_path: Path
) -> None:
    """The Secret is OCM's, the identity is the account's, and both sides say so."""
    settings = await scene.settings(**WITH_TOKENS)
    async with (
        run_hub(declarations=in_settings(scene.declaration)),
        running_agent(settings),
    ):
        await scene.join.joined()
        await scene.install()
        files = await scene.until_files(TOKEN_FILES)
        addon = await scene.until_condition("TokenRefreshed", "True")
        condition = find_condition(addon, "TokenRefreshed")
        assert condition is not None
        token = parse_token(files["token"].decode())
        end = f"{token.expires_at:%Y-%m-%dT%H:%M:%SZ}"
        assert condition.message == f"Addon token refreshed, expires at {end}"
        assert (token.expires_at - token.issued_at).total_seconds() == 24 * 3600
        assert files["cluster-name"] == scene.join.cluster.encode()
        assert await scene.requests() == []
        assert find_condition(addon, "ClusterCertificateRotated") is None
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
        connection = parse_kubeconfig(files["kubeconfig"], source="secret", base_dir=tmp_path)
        async with Client(connection, field_manager="test") as client:
            me = await client.whoami()
            account = names.addon_service_account(scene.addon)
            assert me.username == f"system:serviceaccount:{scene.join.cluster}:{account}"
            await client.list(CONFIG_MAPS, namespace=scene.join.cluster)
            with pytest.raises(Forbidden):
                await client.list(ROLES, namespace=scene.join.cluster)


async def test_the_channel_lives_on_when_the_account_is_made_anew(
    scene: Scene, run_hub: RunHub, admin: Client
) -> None:
    """Deleting the account revokes its tokens; the add-on's own code notices nothing."""
    settings = AddonSettings(**dict(await scene.settings(**WITH_TOKENS)))
    agent = AddonAgent(scene.addon, settings=settings)
    channels: list[HubChannel] = []

    @agent.task
    async def main(hub: HubChannel) -> None:
        channels.append(hub)

    async with run_hub(declarations=in_settings(scene.declaration)), agent:

        async def joined() -> bool | None:
            found = await admin.find(NAMESPACES, scene.join.cluster)
            return True if found is not None else None

        await eventually(joined, what="the cluster's namespace")
        await scene.install()
        first = await scene.until_token()

        async def up() -> Client | None:
            return channels[0].client if channels and channels[0].is_ready else None

        client = await eventually(up, what="the add-on's channel")
        assert (await client.whoami()).uid == first.uid
        await admin.delete(
            SERVICE_ACCOUNTS,
            names.addon_service_account(scene.addon),
            namespace=scene.join.cluster,
        )
        second = await scene.until_token(but=first)
        assert second.uid != first.uid

        async def swapped() -> bool | None:
            # Nobody accepts the old token any more, and the new one may not be in use yet.
            with suppress(Unauthorized):
                return True if (await client.whoami()).uid == second.uid else None
            return None

        await eventually(swapped, what="the new token on the old channel")
        assert channels[0].client is client


async def test_the_driver_can_be_changed_and_changed_back(scene: Scene, run_hub: RunHub) -> None:
    """One setting and a restart; the Secret never stands empty, and keeps nothing of the other."""
    async with run_hub(declarations=in_settings(scene.declaration)):
        async with running_agent(await scene.settings()):
            await scene.join.joined()
            await scene.install()
            await scene.until_files(CERTIFICATE_FILES)
        async with running_agent(await scene.settings(**WITH_TOKENS)):
            await scene.until_files(TOKEN_FILES)
            await scene.until_condition("RegistrationApplied", "True")
        async with running_agent(await scene.settings()):
            await scene.until_files(CERTIFICATE_FILES)
            assert len(await scene.requests()) == 2
        found = await scene.join.hub.find(
            SERVICE_ACCOUNTS,
            names.addon_service_account(scene.addon),
            namespace=scene.join.cluster,
        )
        assert found is None
