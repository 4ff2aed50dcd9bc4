"""A plane on which hub and agent are installed as `deploy` says, and the hub that runs on it.

Of our own: what is installed has fixed names.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from integration.channel.programs import Program
from integration.deploy.kustomize import (
    DEPLOY,
    apply_strictly,
    built,
    deployment_in,
    service_account_connection,
    settings_mounted_by,
)
from support.plane_clients import admin_client
from support.planes import Flavor, open_plane
from support.planes_plugin import record_plane
from towline_api.names import HUB_NAMESPACE
from towline_api.resources import CONFIG_MAPS
from towline_hub.deploying.deployment import SETTINGS_FILE, hub_arguments
from towline_kube.client import Client
from towline_kube.kubeconfig_writing import embed_kubeconfig
from towline_sandbox.plane import ControlPlane


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def plane(request: pytest.FixtureRequest, flavor: Flavor) -> AsyncIterator[ControlPlane]:
    """The cluster, which is its own hub."""
    async with open_plane(flavor, "deploy") as opened:
        record_plane(request.config, opened)
        yield opened


@pytest.fixture(scope="package")
def kubeconfig(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The administrator's."""
    path = tmp_path_factory.mktemp("admin") / "admin.kubeconfig"
    path.write_text(plane.admin_kubeconfig())
    return path


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def installed(plane: ControlPlane, kubeconfig: Path) -> None:
    """The hub's base, applied as the README says."""
    await apply_strictly(await built(DEPLOY / "hub/base"), kubeconfig=kubeconfig)


@pytest.fixture
async def admin(plane: ControlPlane) -> AsyncIterator[Client]:
    """The administrator."""
    async with admin_client(plane) as client:
        yield client


@pytest_asyncio.fixture
async def hub(
    installed: None, plane: ControlPlane, admin: Client, tmp_path: Path
) -> AsyncIterator[Program]:
    """The hub as its container runs it: its arguments, its settings, its service account."""
    deployment = deployment_in(await built(DEPLOY / "hub/base"))
    mounted = settings_mounted_by(deployment)
    settings = await admin.get(CONFIG_MAPS, mounted, namespace=HUB_NAMESPACE)
    (tmp_path / SETTINGS_FILE).write_text(settings["data"][SETTINGS_FILE])
    connection = await service_account_connection(
        plane, admin, name="towline-hub", namespace=HUB_NAMESPACE
    )
    (tmp_path / "hub.kubeconfig").write_text(embed_kubeconfig(connection))
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["args"] == hub_arguments()
    program = Program(
        [
            *hub_arguments(folder=str(tmp_path)),
            *("--kubeconfig", str(tmp_path / "hub.kubeconfig")),
            # Not a pod of its own, so not its ports either.
            *("--listen", "127.0.0.1:0"),
        ],
        log=tmp_path / "hub.log",
        cold=True,
    )
    program.start()
    try:
        await program.until_said("hub runs")
        yield program
    finally:
        status = program.stop()
    assert status == 0, program.said[-2000:]
