"""A hub in this process under its own least-privilege identity, and clusters to try it on.

Each test begins with a plane on which a hub has been started and no cluster is: a hub looks after
whatever other tests leave behind, and two hundred of them leave much.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from integration.hub.spoke import Spoke, eventually
from support.planes import EMPTY_HUB_PLANE
from support.tasks import background
from towline_api.names import BOOTSTRAP_GROUP
from towline_api.rbac_subjects import user_subject
from towline_api.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, Resource
from towline_hub import daemon
from towline_hub.permissions import hub_permissions
from towline_hub.settings import HubSettings
from towline_kube.client import Call, Client
from towline_kube.kubeconfig import parse_kubeconfig
from towline_sandbox.embedded.plane import EmbeddedPlane
from towline_sandbox.embedded.storage.store import Snapshot
from towline_sandbox.plane import ControlPlane

HUB_USER = "towline-hub-under-test"

_RBAC: dict[str, Resource] = {
    resource.kind: resource for resource in (CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS)
}


@dataclass
class RunningHub:
    """A hub under test: the calls it has made so far."""

    calls: list[Call]

    def writes(self) -> list[tuple[str, str]]:
        """Return the calls that changed something, in order."""
        reading = ("get", "list", "watch")
        return [(c.verb, c.resource) for c in self.calls if c.verb not in reading]


async def hub_settings(
    plane: ControlPlane, admin: Client, folder: Path, *, grant: bool = True, **changes: Any
) -> HubSettings:
    """Grant the hub under test what it ships with, and return settings for it.

    Args:
        plane: The hub cluster.
        admin: Its administrator.
        folder: For a kubeconfig.
        grant: Whether it has yet to be granted.
        changes: Settings that are not the usual ones of these tests.
    """
    for obj in hub_permissions(user_subject(HUB_USER), installs_crds=True) if grant else ():
        await admin.apply(_RBAC[obj["kind"]], obj)
    kubeconfig = folder / f"hub-{secrets.token_hex(4)}.kubeconfig"
    kubeconfig.write_text(await plane.kubeconfig_for(HUB_USER))
    return HubSettings(
        kubeconfig=kubeconfig,
        **{"install_crds": True, "auto_approve_groups": (BOOTSTRAP_GROUP,), **changes},
    )


RunHub = Callable[..., AbstractAsyncContextManager[RunningHub]]


@pytest_asyncio.fixture
async def admin(hub_plane: ControlPlane) -> AsyncIterator[Client]:
    """The hub cluster's administrator, who looks on and plays the operator."""
    connection = parse_kubeconfig(hub_plane.admin_kubeconfig(), source="admin")
    async with Client(connection, field_manager="test-admin") as client:
        yield client


@pytest.fixture
def run_hub(hub_plane: ControlPlane, admin: Client, tmp_path: Path) -> RunHub:
    """Run a hub for a block of the test, which gets in once the hub is at work."""

    @asynccontextmanager
    async def run(**changes: Any) -> AsyncIterator[RunningHub]:
        granted = isinstance(hub_plane, EmbeddedPlane)  # in the beginning
        settings = await hub_settings(hub_plane, admin, tmp_path, grant=not granted, **changes)
        async with running_hub(settings) as hub:
            yield hub

    return run


@asynccontextmanager
async def running_hub(settings: HubSettings) -> AsyncIterator[RunningHub]:
    """Run a hub for a block, which gets in once the hub is at work."""
    hub = RunningHub([])
    stop = asyncio.Event()
    async with background(
        daemon.run(settings, stop, on_call=hub.calls.append), name="run-hub"
    ) as task:

        async def watches() -> bool | None:
            opened = {call.resource for call in hub.calls if call.verb == "watch"}
            return True if len(opened) >= 11 else None

        await eventually(watches, what="the hub's watches")
        yield hub
        stop.set()
        async with asyncio.timeout(10):
            await asyncio.wait([task])
    assert task.exception() is None


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def beginning(
    request: pytest.FixtureRequest,
    hub_plane: ControlPlane,
    tmp_path_factory: pytest.TempPathFactory,
) -> Snapshot | None:
    """What a first start leaves on the embedded plane; a real one cannot be put back."""
    if not isinstance(hub_plane, EmbeddedPlane):
        return None
    hub_plane.restore(request.config.stash[EMPTY_HUB_PLANE])
    connection = parse_kubeconfig(hub_plane.admin_kubeconfig(), source="admin")
    async with Client(connection, field_manager="test-admin") as admin:
        settings = await hub_settings(hub_plane, admin, tmp_path_factory.mktemp("first"))
        async with running_hub(settings):
            pass
    return hub_plane.snapshot()


@pytest.fixture(autouse=True)
def _from_the_beginning(request: pytest.FixtureRequest) -> None:
    """Put the plane back, if the test has to do with it."""
    if "hub_plane" not in request.fixturenames:
        return
    plane, beginning = map(request.getfixturevalue, ("hub_plane", "beginning"))
    if isinstance(plane, EmbeddedPlane) and beginning is not None:
        plane.restore(beginning)


@pytest_asyncio.fixture
async def bootstrap(hub_plane: ControlPlane, admin: Client) -> AsyncIterator[Client]:
    """The holder of a bootstrap token."""
    connection = parse_kubeconfig(await hub_plane.bootstrap_kubeconfig(), source="bootstrap")
    async with Client(connection, field_manager="test-bootstrap") as client:
        yield client


@pytest.fixture
def spoke(hub_plane: ControlPlane, cluster_name: str, bootstrap: Client) -> Spoke:
    """A managed cluster's agent that nobody knows yet."""
    return Spoke(hub_plane, cluster_name, bootstrap)


@pytest.fixture
def other_spoke(hub_plane: ControlPlane, bootstrap: Client) -> Spoke:
    """Another cluster's agent."""
    return Spoke(hub_plane, f"c-{secrets.token_hex(4)}", bootstrap)
