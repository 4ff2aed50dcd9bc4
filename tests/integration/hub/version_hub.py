"""A hub cluster of a test's own, whose CRDs its hub may make: both API versions are served."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from integration.channel.programs import WITHOUT_COLLECTOR
from integration.hub.conftest import HUB_USER, RunningHub
from integration.hub.spoke import eventually
from support.tasks import background
from towline_api.names import BOOTSTRAP_GROUP
from towline_api.rbac_subjects import user_subject
from towline_api.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CUSTOM_RESOURCE_DEFINITIONS,
    MANAGED_CLUSTER_ADDONS,
    ROLE_BINDINGS,
    ROLES,
    KubeObject,
    Resource,
)
from towline_hub import daemon
from towline_hub.permissions import hub_permissions
from towline_hub.settings import HubSettings
from towline_kube.client import Client
from towline_kube.kubeconfig import parse_kubeconfig
from towline_sandbox.plane import ControlPlane

GROUP = "addon.open-cluster-management.io"
CONVERTED = tuple(
    f"{plural}.{GROUP}" for plural in ("clustermanagementaddons", "managedclusteraddons")
)
_RBAC: dict[str, Resource] = {
    kind.kind: kind for kind in (CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS, ROLES, ROLE_BINDINGS)
}


@dataclass
class VersionHub:
    """A hub cluster, its administrator, and a folder for kubeconfigs."""

    plane: ControlPlane
    admin: Client
    folder: Path

    async def permit(self, **options: Any) -> None:
        """Grant the hub what it ships with."""
        for obj in hub_permissions(user_subject(HUB_USER), **options):
            await self.admin.apply(_RBAC[obj["kind"]], obj)

    @asynccontextmanager
    async def running(self, **settings: Any) -> AsyncIterator[RunningHub]:
        """Run the hub for a block, which gets in once the hub watches add-ons."""
        path = self.folder / "hub.kubeconfig"
        path.write_text(await self.plane.kubeconfig_for(HUB_USER))
        given: dict[str, Any] = {
            "install_crds": True,
            "auto_approve_groups": (BOOTSTRAP_GROUP,),
        } | settings
        hub, stop = RunningHub([]), asyncio.Event()
        work = daemon.run(HubSettings(kubeconfig=path, **given), stop, on_call=hub.calls.append)
        async with background(work, name="run-hub") as task:

            async def watches() -> bool | None:
                assert not task.done(), task.exception()
                opened = {call.resource for call in hub.calls if call.verb == "watch"}
                return True if MANAGED_CLUSTER_ADDONS.qualified in opened else None

            await eventually(watches, what="the hub's watches")
            yield hub
            stop.set()
            async with asyncio.timeout(10):
                await asyncio.wait([task])
        assert task.exception() is None

    async def crd(self, name: str) -> KubeObject:
        """Return a CRD."""
        return await self.admin.get(CUSTOM_RESOURCE_DEFINITIONS, name)

    async def kubectl(self, *words: str, stdin: object = None) -> str:
        """Run kubectl as the administrator; return what it printed."""
        program = shutil.which("kubectl")
        if program is None:
            pytest.skip("there is no kubectl on PATH")
        path = self.folder / "admin.kubeconfig"
        path.write_text(self.plane.admin_kubeconfig())
        process = await asyncio.create_subprocess_exec(
            *(program, "--kubeconfig", str(path), *words),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"HOME": str(self.folder), **WITHOUT_COLLECTOR},
        )
        body = b"" if stdin is None else json.dumps(stdin).encode()
        async with asyncio.timeout(60):
            out, err = await process.communicate(body)
        assert process.returncode == 0, (words, out.decode(), err.decode())
        return out.decode()

    async def read(self, plural: str, version: str, name: str, namespace: str = "") -> KubeObject:
        """Return an object as kubectl shows it in a version."""
        place = ("--namespace", namespace) if namespace else ()
        told = await self.kubectl("get", f"{plural}.{version}.{GROUP}", name, *place, "-o", "json")
        found: KubeObject = json.loads(told)
        return found


@asynccontextmanager
async def version_hub(plane: ControlPlane, folder: Path) -> AsyncIterator[VersionHub]:
    """Use a plane that nobody else does as hub cluster, with everything granted."""
    connection = parse_kubeconfig(plane.admin_kubeconfig(), source="admin")
    async with Client(connection, field_manager="test-admin") as admin:
        hub = VersionHub(plane, admin, folder)
        await hub.permit(installs_crds=True)
        yield hub
