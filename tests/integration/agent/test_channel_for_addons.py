"""What an add-on's code gets from its channel, earned from a real hub: alone, and behind an agent.

Both programs run in this process at one time: one is its cluster's whole agent, the other one
stands behind it.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from kubernetes.aio import client as kubernetes_client

from support.pki import Pki
from support.tls_server import TlsServer
from support.waiting import until
from towline_agent import AddonAgent, AddonSettings, HubChannel
from towline_api.names import (
    ADDON_NAMESPACE,
    CLUSTER_NAME_KEY,
    HUB_NAMESPACE,
    TLS_CERTIFICATE_KEY,
    TLS_KEY_KEY,
    addon_client_certificate_secret,
    addon_hub_kubeconfig_secret,
)
from towline_api.resources import MANAGED_CLUSTER_ADDONS, SECRETS, KubeObject
from towline_certs import Authority, format_key, generate_key
from towline_certs.certificates import parse_chain
from towline_certs.credentials import from_secret_data, to_secret_data
from towline_certs.identities import AddonIdentity, Subject
from towline_hub import daemon as hub_daemon
from towline_kube.client import Client
from towline_kube.discovery import load_kubeconfig
from towline_sandbox.embedded.plane import EmbeddedPlane
from towline_sandbox.in_process import admin_client, prepare_agent, prepare_hub, running
from towline_sandbox.mount import Mount

CLUSTER = "cluster1"
ALONE, BEHIND = "alone", "behind"
SIGNER = "example.com/alerts"
SIGNERS = [{"signer-name": SIGNER, "secret": "authority", "lifetime": "1h", "managed": True}]
DECLARATIONS = [
    {
        "name": name,
        "custom-signers": [{"signer-name": SIGNER, "user": f"{name} of {{cluster}}"}],
    }
    for name in (ALONE, BEHIND)
]


@dataclass
class Program:
    """An add-on's program, whose one task hands out its channel."""

    agent: AddonAgent
    channels: asyncio.Queue[HubChannel] = field(default_factory=asyncio.Queue)

    @classmethod
    def of(cls, name: str) -> "Program":
        program = cls(AddonAgent(name))

        @program.agent.task
        async def main(hub: HubChannel) -> None:
            await program.channels.put(hub)

        return program


@dataclass
class World:
    """A hub, a managed cluster, and two add-ons' channels."""

    hub: Client
    spoke: Client
    channels: dict[str, HubChannel]

    async def secret(self, name: str) -> KubeObject:
        return await self.spoke.get(SECRETS, name, namespace=ADDON_NAMESPACE)

    async def renew(self, addon: str) -> bytes:
        """Put a renewed certificate where the agent keeps it, as another replica of it would."""
        authority = from_secret_data(
            (await self.hub.get(SECRETS, "authority", namespace=HUB_NAMESPACE))["data"]
        )
        key = generate_key()
        secret = await self.secret(addon_client_certificate_secret(addon, signer=SIGNER))
        held = parse_chain(from_secret_data(secret["data"])[TLS_CERTIFICATE_KEY])[0]
        now = datetime.now(UTC)
        certificate = Authority.parse(
            certificate_pem=authority[TLS_CERTIFICATE_KEY], key_pem=authority[TLS_KEY_KEY]
        ).issue(
            key.public_key(),
            subject=Subject(f"{addon} of {CLUSTER}", frozenset()),
            now=now,
            lifetime=held.not_valid_after_utc - now + timedelta(hours=1),
        )
        files = {TLS_CERTIFICATE_KEY: certificate, TLS_KEY_KEY: format_key(key)}
        data = {**secret["data"], **to_secret_data(files)}
        await self.spoke.replace(SECRETS, {**secret, "data": data})
        return certificate


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    """Run everything in this process."""
    async with AsyncExitStack() as stack:
        hub_plane = stack.enter_context(EmbeddedPlane("hub"))
        spoke_plane = stack.enter_context(EmbeddedPlane("spoke"))
        hub_settings = await prepare_hub(
            hub_plane, folder=folder, signers=SIGNERS, declarations=DECLARATIONS
        )
        given = await prepare_agent(
            hub_plane, spoke_plane, cluster=CLUSTER, folder=folder, addons_elsewhere=(BEHIND,)
        )
        await stack.enter_async_context(running("run-hub", partial(hub_daemon.run, hub_settings)))
        hub = await stack.enter_async_context(admin_client(hub_plane))
        spoke = await stack.enter_async_context(admin_client(spoke_plane))
        alone = Program.of(ALONE)
        whole = AddonSettings(**given.model_dump(exclude_unset=True))
        await stack.enter_async_context(
            running("run-alone", partial(alone.agent.serve, settings=whole))
        )
        for name in (ALONE, BEHIND):
            addon = {
                "apiVersion": MANAGED_CLUSTER_ADDONS.api_version,
                "kind": MANAGED_CLUSTER_ADDONS.kind,
                "metadata": {"name": name, "namespace": CLUSTER},
            }

            async def install(addon: KubeObject = addon) -> bool:
                # Its namespace comes with the cluster's acceptance.
                try:
                    await hub.apply(MANAGED_CLUSTER_ADDONS, addon)
                except Exception:  # noqa: BLE001
                    return False
                return True

            await until(install, what=lambda: "the add-on cannot be installed")
        for secret in (
            addon_hub_kubeconfig_secret(BEHIND),
            addon_client_certificate_secret(BEHIND, signer=SIGNER),
        ):
            await until(
                partial(spoke.find, SECRETS, secret, namespace=ADDON_NAMESPACE),
                what=partial(str, f"there is no Secret {secret}"),
            )
            mount = Mount(spoke, name=secret, namespace=ADDON_NAMESPACE, folder=folder / secret)
            await mount.refresh()
            await stack.enter_async_context(
                running(f"keep-mounted/{secret}", partial(_keep, mount))
            )
        behind = Program.of(BEHIND)
        mounted = AddonSettings(
            hub_kubeconfig=folder / addon_hub_kubeconfig_secret(BEHIND) / "kubeconfig",
            spoke_kubeconfig=given.spoke_kubeconfig,
            hub_return_spread=timedelta(seconds=1),
        )
        await stack.enter_async_context(
            running("run-behind", partial(behind.agent.serve, settings=mounted))
        )
        async with asyncio.timeout(30):
            channels = {
                ALONE: await alone.channels.get(),
                BEHIND: await behind.channels.get(),
            }
        yield World(hub, spoke, channels)


async def _keep(mount: Mount, stop: asyncio.Event) -> None:
    while not stop.is_set():
        await mount.refresh()
        await asyncio.sleep(0.05)


async def test_the_channel_gives_the_same_alone_and_behind_an_agent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Certificates of both signers, contexts, the official client and a kubeconfig file."""
    server = Pki("server")
    async with world(tmp_path) as running_world:
        published = await running_world.hub.get(SECRETS, "authority", namespace=HUB_NAMESPACE)
        clients_ca = from_secret_data(published["data"])[TLS_CERTIFICATE_KEY]
        context = server.server_context()
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=clients_ca.decode())
        async with TlsServer(context, _welcome) as endpoint:
            for name, channel in running_world.channels.items():
                await _check(name, channel, running_world, endpoint, server, tmp_path / "out")
        names = {f"{name} of {CLUSTER}" for name in running_world.channels}
        assert {seen.client for seen in endpoint.seen} == names
    assert "PRIVATE KEY" not in caplog.text


async def _welcome(request: web.Request) -> web.StreamResponse:
    return web.Response()


async def _check(
    name: str,
    channel: HubChannel,
    running_world: World,
    endpoint: TlsServer,
    server: Pki,
    folder: Path,
) -> None:
    certificate = channel.certificate(SIGNER)
    await certificate.wait_ready(timeout=timedelta(seconds=20))
    secret = await running_world.secret(addon_client_certificate_secret(name, signer=SIGNER))
    files = from_secret_data(secret["data"])
    assert set(files) == {CLUSTER_NAME_KEY, TLS_CERTIFICATE_KEY, TLS_KEY_KEY}
    assert certificate.pair == (files[TLS_CERTIFICATE_KEY], files[TLS_KEY_KEY])

    context = certificate.ssl_context(server_ca=server.ca_pem)
    connector = aiohttp.TCPConnector(force_close=True, ssl=context)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def call() -> bytes:
            shown = certificate.certificate_pem
            async with session.get(endpoint.url) as response:
                assert response.status == 200
            return shown

        await call()
        renewed = await running_world.renew(name)

        async def is_renewed() -> bool:
            return await call() == renewed

        await until(is_renewed, what=lambda: "the renewed certificate is not in use")

    user = AddonIdentity(CLUSTER, name, name).user
    async with (
        channel.kubeconfig_file(folder / name, removed_at_end=True) as path,
        Client(load_kubeconfig(path), field_manager="test") as other,
    ):
        assert (await other.whoami()).username == user
    addons = await channel.client.get(MANAGED_CLUSTER_ADDONS, name, namespace=CLUSTER)
    assert addons["metadata"]["name"] == name
    core = kubernetes_client.CoreV1Api(channel.api_client)
    maps = await core.list_namespaced_config_map(CLUSTER)
    assert maps.kind in (None, "ConfigMapList")
    host, _, port = channel.connection.host.rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port), ssl=channel.ssl_context())
    writer.close()
    await writer.wait_closed()
