"""The hub and the agent as in life: two programs, each under its own least-privilege identity.

One hub runs for all tests of a module; each test brings clusters of its own. Hub and agent are
processes, so that tests can kill them, and so that no test shares anything with them but the wire.
"""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from integration.channel.corner import Corner
from integration.channel.programs import Program
from support.plane_clients import admin_client
from towline_api.names import BOOTSTRAP_GROUP
from towline_api.rbac_subjects import user_subject
from towline_api.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES
from towline_hub.permissions import hub_permissions
from towline_kube.client import Client
from towline_sandbox.plane import ControlPlane

HUB_USER = "towline-hub-of-the-channel"
_RBAC = {kind.kind: kind for kind in (CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS)}

MakeCorner = Callable[..., Awaitable[Corner]]


@pytest.fixture(scope="module")
def hub_flags() -> tuple[str, ...]:
    """Flags of `towline hub run`; a module that wants others has a fixture of this name."""
    return ("--auto-approve-groups", BOOTSTRAP_GROUP)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def hub_kubeconfig(hub_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kubeconfig of the hub's own identity, which holds what it ships with and no more."""
    async with admin_client(hub_plane) as admin:
        for thing in hub_permissions(user_subject(HUB_USER), installs_crds=True):
            thing["metadata"]["name"] += ":of-the-channel"
            if "roleRef" in thing:
                thing["roleRef"]["name"] += ":of-the-channel"
            await admin.apply(_RBAC[thing["kind"]], thing)
    path = tmp_path_factory.mktemp("hub") / "hub.kubeconfig"
    path.write_text(await hub_plane.kubeconfig_for(HUB_USER))
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def hub(hub_kubeconfig: Path, hub_flags: tuple[str, ...]) -> AsyncIterator[Program]:
    """The hub program, at work. A test that kills or pauses it brings it back."""
    program = Program(
        ["hub", "run", "--install-crds", "--kubeconfig", str(hub_kubeconfig), *hub_flags],
        log=hub_kubeconfig.parent / "hub.log",
    )
    program.start()
    try:
        await program.until_said("hub runs")
        yield program
    finally:
        status = program.stop()
    assert status == 0, f"the hub ended with status {status}; said: {program.said[-2000:]}"


@pytest_asyncio.fixture
async def admin(hub_plane: ControlPlane) -> AsyncIterator[Client]:
    """The hub's administrator, who looks on and plays the operator."""
    async with admin_client(hub_plane) as client:
        yield client


@asynccontextmanager
async def corners(
    hub_plane: ControlPlane, spoke_plane: ControlPlane, *, folder: Path
) -> AsyncIterator[MakeCorner]:
    """Make clusters, each with an agent that is not started yet; end the agents afterwards."""
    async with AsyncExitStack() as stack:
        sides = [
            await stack.enter_async_context(admin_client(plane))
            for plane in (hub_plane, spoke_plane)
        ]

        async def make(*, addon: str | None = None) -> Corner:
            token = secrets.token_hex(4)
            corner = Corner(
                *sides,
                cluster=f"c-{token}",
                planes=(hub_plane, spoke_plane),
                folder=folder,
                addon=addon or f"hello-{token}",
            )
            stack.callback(lambda: corner.agent.stop())
            return corner

        yield make


@pytest_asyncio.fixture
async def make_corner(
    hub_plane: ControlPlane, spoke_plane: ControlPlane, hub: Program, tmp_path: Path
) -> AsyncIterator[MakeCorner]:
    """Make clusters for one test."""
    async with corners(hub_plane, spoke_plane, folder=tmp_path) as make:
        yield make


@pytest_asyncio.fixture
async def corner(make_corner: MakeCorner) -> Corner:
    """One cluster, whose agent is not started yet."""
    return await make_corner()
