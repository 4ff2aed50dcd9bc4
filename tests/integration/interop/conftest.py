"""Our hub, and a managed cluster whose agent is not ours, joined once for the tests of a module.

All of it lives in the session's event loop: a hub stands still while another loop runs.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

import pytest
import pytest_asyncio

from integration.hub.conftest import hub_settings
from support.plane_clients import admin_client
from support.played_agent import JSON, PlayedAgent, Wire, wire
from support.waiting import until
from towline_hub import daemon
from towline_kube.client import Client
from towline_kube.connection import Connection
from towline_kube.kubeconfig import parse_kubeconfig
from towline_sandbox.plane import ControlPlane


@dataclass(frozen=True)
class Scene:
    """A cluster that has joined, seen from all sides.

    Args:
        agent: Its agent.
        own: Speaks as that agent, by its own certificate.
        admin: Speaks as the hub's administrator.
        plane: The hub.
    """

    agent: PlayedAgent
    own: Wire
    admin: Wire
    plane: ControlPlane

    @property
    def cluster(self) -> str:
        """Name of the cluster."""
        return self.agent.cluster

    async def until(self, path: str, check: Callable[[JSON], bool]) -> JSON:
        """Return an object, as the administrator sees it, once a check of it holds."""
        seen: list[object] = []

        async def look() -> JSON | None:
            answer = await self.admin.get(path)
            seen[:] = [answer]
            return answer.body if answer.status == 200 and check(answer.body) else None

        found = await until(look, what=lambda: f"{path}: {seen}")
        assert found is not None
        return found

    async def until_gone(self, path: str) -> None:
        """Wait until there is no such object."""

        async def look() -> bool:
            return (await self.admin.get(path)).status == 404

        await until(look, what=lambda: f"{path} is still there")


MakeAgent = Callable[..., Awaitable[PlayedAgent]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def admin(hub_plane: ControlPlane) -> AsyncIterator[Client]:
    """The hub's administrator, who sets the hub up."""
    async with admin_client(hub_plane) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def hub(
    hub_plane: ControlPlane, admin: Client, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[None]:
    """Our hub, at work under its own least-privilege identity."""
    settings = await hub_settings(hub_plane, admin, tmp_path_factory.mktemp("hub"))
    stop = asyncio.Event()
    watched: set[str] = set()
    task = asyncio.create_task(
        daemon.run(
            settings,
            stop,
            on_call=lambda call: watched.add(call.resource) if call.verb == "watch" else None,
        ),
        name="run-hub",
    )

    async def at_work() -> bool:
        if task.done():
            await task
        return len(watched) >= 11

    await until(at_work, what=lambda: f"the hub watches only {watched}")
    yield
    stop.set()
    async with asyncio.timeout(10):
        await task


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def make_agent(hub_plane: ControlPlane) -> AsyncIterator[MakeAgent]:
    """Make agents that hold nothing but a bootstrap token."""
    async with AsyncExitStack() as stack:

        async def make(cluster: str | None = None) -> PlayedAgent:
            kubeconfig = await hub_plane.bootstrap_kubeconfig()
            connection = parse_kubeconfig(kubeconfig, source="test")
            bootstrap = await stack.enter_async_context(wire(connection))
            name = cluster or f"c-{secrets.token_hex(4)}"
            return PlayedAgent(Connection(connection.server, connection.ca_pem), bootstrap, name)

        yield make


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def admin_wire(hub_plane: ControlPlane) -> AsyncIterator[Wire]:
    """The administrator, by bare HTTP."""
    connection = parse_kubeconfig(hub_plane.admin_kubeconfig(), source="test")
    async with wire(replace(connection, source="test")) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scene(
    hub: None, hub_plane: ControlPlane, make_agent: MakeAgent, admin_wire: Wire
) -> AsyncIterator[Scene]:
    """A cluster that has joined and stays."""
    agent = await make_agent()
    async with agent.join() as own:
        yield Scene(agent, own, admin_wire, hub_plane)


@pytest_asyncio.fixture(loop_scope="session")
async def own_scene(
    hub: None, hub_plane: ControlPlane, make_agent: MakeAgent, admin_wire: Wire
) -> AsyncIterator[Scene]:
    """A cluster that has joined, for one test to do with what it likes."""
    agent = await make_agent()
    async with agent.join() as own:
        yield Scene(agent, own, admin_wire, hub_plane)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def everybody(hub_plane: ControlPlane) -> AsyncIterator[Wire]:
    """A user who holds nothing but what every authenticated user does."""
    kubeconfig = await hub_plane.kubeconfig_for(f"nobody-{secrets.token_hex(4)}")
    async with wire(parse_kubeconfig(kubeconfig, source="test")) as opened:
        yield opened
