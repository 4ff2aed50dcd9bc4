"""A certificate by a signer of the add-on's own, from the hub's Secret to a handshake with it."""

import asyncio
import base64
import json
import os
import secrets
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import pytest
import pytest_asyncio

from integration.channel.conftest import MakeCorner
from integration.channel.corner import Corner
from support.joining import ensure, obj
from support.pki import Pki
from support.plane_clients import admin_client
from support.tasks import background
from support.waiting import until
from towline_api.names import (
    BOOTSTRAP_GROUP,
    TLS_CERTIFICATE_KEY,
    TLS_KEY_KEY,
    addon_client_certificate_secret,
)
from towline_api.rbac_subjects import user_subject
from towline_api.resources import (
    ADDON_DEPLOYMENT_CONFIGS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    NAMESPACES,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
)
from towline_certs import Authority, create_authority, format_key
from towline_certs.certificates import is_issued_by, parse_chain
from towline_certs.credentials import from_secret_data
from towline_hub.permissions import hub_permissions
from towline_hub.settings import HubSettings
from towline_sandbox.plane import ControlPlane

pytestmark = pytest.mark.planes("kube", because="hub and agent as programs meet the real thing")

HUB_USER = "towline-hub-that-signs"
SIGNER = "example.com/metrics"
SECRET = "metrics-authority"
TOKEN = secrets.token_hex(4)
ADDON = f"metrics-{TOKEN}"
NAMESPACE = f"hub-{TOKEN}"
SIGNERS = [{"signer-name": SIGNER, "secret": SECRET, "lifetime": "30m", "overlap": "2s"}]
DECLARATIONS = [
    {
        "name": ADDON,
        "custom-signers": [{"signer-name": SIGNER, "user": "metrics of {cluster}"}],
        "supported-configs": [
            {
                "group": ADDON_DEPLOYMENT_CONFIGS.group,
                "resource": ADDON_DEPLOYMENT_CONFIGS.plural,
            }
        ],
    }
]
_RBAC = {each.kind: each for each in (CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS, ROLES, ROLE_BINDINGS)}


@pytest.fixture(scope="module")
def hub_flags() -> tuple[str, ...]:
    """A hub that plays the signer, and declares the add-on that wants it."""
    return (
        *("--auto-approve-groups", BOOTSTRAP_GROUP),
        *("--namespace", NAMESPACE),
        *("--signers", json.dumps(SIGNERS)),
        *("--declarations", json.dumps(DECLARATIONS)),
    )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def hub_kubeconfig(hub_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hub's own identity, which may be this signer and read this Secret, beside the usual."""
    settings = HubSettings.model_validate(
        {"namespace": NAMESPACE, "signers": SIGNERS, "declarations": DECLARATIONS}
    )
    granted = hub_permissions(
        user_subject(HUB_USER),
        installs_crds=True,
        namespace=NAMESPACE,
        signers=settings.signers,
        declarations=settings.addon_declarations,
    )
    async with admin_client(hub_plane) as admin:
        await ensure(admin, NAMESPACES, obj(NAMESPACES, NAMESPACE))
        for thing in granted:
            thing["metadata"]["name"] += ":that-signs"
            if "roleRef" in thing:
                thing["roleRef"]["name"] += ":that-signs"
            await admin.apply(_RBAC[thing["kind"]], thing)
    path = tmp_path_factory.mktemp("hub") / "hub.kubeconfig"
    path.write_text(await hub_plane.kubeconfig_for(HUB_USER))
    return path


def make_authority(name: str) -> Authority:
    """Return an authority as an operator makes it."""
    return create_authority(
        name, now=datetime.now(UTC), lifetime=timedelta(days=9), backdate=timedelta(hours=1)
    )


class TurnedAwayError(Exception):
    """The service does not accept a certificate."""


class Service:
    """What the add-on's agents talk to: it accepts whoever the published bundle vouches for.

    Args:
        corner: The cluster and the hub.
    """

    def __init__(self, corner: Corner) -> None:
        self._corner = corner
        self._pki = Pki()

    async def bundle(self) -> str:
        """Return what is published."""
        found = await self._corner.hub.find(CONFIG_MAPS, f"{SECRET}-bundle", namespace=NAMESPACE)
        return str(found["data"]["ca-bundle.crt"]) if found else ""

    async def greet(self, files: dict[str, bytes]) -> str:
        """Return the name by which the service knows who comes with these files.

        Raises:
            TurnedAwayError: It does not accept them.
        """
        server = self._pki.server_context()
        server.verify_mode = ssl.CERT_REQUIRED
        server.verify_flags |= ssl.VERIFY_X509_STRICT
        server.load_verify_locations(cadata=await self.bundle())
        known: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            del reader
            subject = writer.get_extra_info("peercert")["subject"]
            names = dict(part[0] for part in subject)
            known.set_result(names["commonName"])
            writer.write(b"welcome")
            await writer.drain()
            writer.close()

        client = ssl.create_default_context(cadata=self._pki.ca_pem.decode())
        descriptor = os.memfd_create("client")
        try:
            os.write(descriptor, files[TLS_CERTIFICATE_KEY] + files[TLS_KEY_KEY])
            client.load_cert_chain(f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)
        async with asyncio.timeout(10), _served(serve, server) as port:
            try:
                reader, writer = await asyncio.open_connection(
                    "127.0.0.1", port, ssl=client, server_hostname="localhost"
                )
                welcome = await reader.read()
                writer.close()
            except OSError as error:
                raise TurnedAwayError(str(error)) from error
            if welcome != b"welcome":
                raise TurnedAwayError("the connection ended")
            return await known


@asynccontextmanager
async def _served(serve: object, context: ssl.SSLContext) -> AsyncIterator[int]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)  # type: ignore[arg-type]
    async with server:
        yield server.sockets[0].getsockname()[1]


async def store(corner: Corner, authority: Authority) -> None:
    """Put an authority into the hub's Secret."""
    data = {
        TLS_CERTIFICATE_KEY: authority.certificate_pem,
        TLS_KEY_KEY: format_key(authority.key),
    }
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    await corner.hub.apply(SECRETS, obj(SECRETS, SECRET, NAMESPACE, data=encoded))


async def credential(corner: Corner, *, by: Authority) -> dict[str, bytes]:
    """Return the files of the add-on's Secret once they hold a certificate of this authority."""
    name = addon_client_certificate_secret(ADDON, signer=SIGNER)

    async def look() -> dict[str, bytes]:
        found = await corner.spoke.find(SECRETS, name, namespace=corner.addon_namespace)
        files = from_secret_data(found["data"]) if found else {}
        certificate = files.get(TLS_CERTIFICATE_KEY)
        if not certificate or not is_issued_by(parse_chain(certificate)[0], by.certificate):
            return {}
        return files

    return await until(look, what=lambda: f"no certificate; the agent: {corner.agent.said[-2000:]}")


async def test_an_agent_is_known_to_the_service_throughout_a_rotation(
    make_corner: MakeCorner,
) -> None:
    """From a Secret on the hub to mutual TLS, and on to the next authority, with no gap."""
    corner = await make_corner(addon=ADDON)
    service = Service(corner)
    old, new = make_authority("old"), make_authority("new")
    await store(corner, old)
    await corner.prepare_agent()
    corner.agent.start()
    await until(corner.managed_cluster, what=lambda: corner.agent.said[-2000:])
    await corner.define_addon()
    await until(lambda: _namespace(corner), what=lambda: "no namespace of the cluster")
    await corner.enable_addon()

    held = await credential(corner, by=old)
    assert set(held) == {"cluster-name", TLS_CERTIFICATE_KEY, TLS_KEY_KEY}
    expected = f"metrics of {corner.cluster}"
    assert await service.greet(held) == expected
    welcomes = 0

    async def come_and_go() -> NoReturn:
        nonlocal welcomes
        while True:
            assert await service.greet(held) == expected
            welcomes += 1
            await asyncio.sleep(0.05)

    async with background(come_and_go(), name="come-and-go"):
        await store(corner, new)
        # An agent that starts without the Secret asks anew; one that runs would put it back.
        assert corner.agent.stop() == 0
        name = addon_client_certificate_secret(ADDON, signer=SIGNER)
        await corner.spoke.delete(SECRETS, name, namespace=corner.addon_namespace)
        corner.agent.start()
        renewed = await credential(corner, by=new)
        assert await service.greet(renewed) == expected
        seen = welcomes

        async def more() -> bool:
            return welcomes > seen + 3

        await until(more, what=lambda: f"{welcomes} welcomes")
    assert len(parse_chain((await service.bundle()).encode())) == 2


async def test_a_stranger_is_not_known_to_the_service(make_corner: MakeCorner) -> None:
    """The twin that shows that the service looks."""
    corner = await make_corner(addon=ADDON)
    service = Service(corner)
    await store(corner, make_authority("ca"))
    await until(service.bundle, what=lambda: "nothing is published")
    certificate, key = Pki("stranger").client_pair(f"metrics of {corner.cluster}")
    with pytest.raises(TurnedAwayError):
        await service.greet({TLS_CERTIFICATE_KEY: certificate, TLS_KEY_KEY: key})


async def _namespace(corner: Corner) -> bool:
    return await corner.hub.find(NAMESPACES, corner.cluster) is not None
