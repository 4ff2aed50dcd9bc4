"""The stage of the demonstration: two control planes, clients for looking on, a private folder."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from towline_api.resources import KubeObject, Resource
from towline_kube.client import Client
from towline_kube.kubeconfig import parse_kubeconfig
from towline_sandbox.demo.programs import Program, running
from towline_sandbox.plane import ControlPlane
from towline_sandbox.plane_kinds import PlaneKind

CLUSTER = "cluster1"
ADDON = "helloworld"

PATIENCE = timedelta(seconds=30)
"""How long a step waits for what should take a second or two: machines have bad days."""

CERTIFICATE_LIFETIMES = {
    PlaneKind.EMBEDDED: timedelta(seconds=5),
    PlaneKind.KUBE: timedelta(seconds=15),
}
"""Short enough to watch rotations, long enough for a busy machine to renew in time: with the real
plane, six more processes share the machine."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What every part of the demonstration works with.

    Args:
        hub_plane: The hub cluster.
        spoke_plane: The managed cluster.
        hub: Looks on at the hub as its administrator, and acts as the hub's operator.
        spoke: Looks on at the managed cluster as its administrator.
        folder: Private folder for kubeconfigs and logs.
        programs: Runs programs for as long as the stage stands.
    """

    hub_plane: ControlPlane
    spoke_plane: ControlPlane
    hub: Client
    spoke: Client
    folder: Path
    programs: AsyncExitStack

    async def start(self, name: str, arguments: Sequence[str]) -> Program:
        """Run `towline` with `arguments` until the stage is cleared."""
        return await self.programs.enter_async_context(
            running(name, arguments, folder=self.folder, environment={"TOWLINE_LOG_FORMAT": "json"})
        )

    def keep(self, name: str, kubeconfig: str) -> Path:
        """Write a kubeconfig for a program or a person; return where it is."""
        path = self.folder / f"{name}.kubeconfig"
        path.touch(mode=0o600)
        path.write_text(kubeconfig)
        return path


@asynccontextmanager
async def set_stage(
    hub_plane: ControlPlane, spoke_plane: ControlPlane, *, folder: Path
) -> AsyncIterator[Stage]:
    """Connect to two running planes as their administrator; stop all programs at the end."""
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(
                Client(
                    parse_kubeconfig(plane.admin_kubeconfig(), source=f"plane {plane.name}"),
                    field_manager="towline-demo",
                )
            )
            for plane in (hub_plane, spoke_plane)
        ]
        programs = await stack.enter_async_context(AsyncExitStack())
        yield Stage(hub_plane, spoke_plane, clients[0], clients[1], folder, programs)


def condition(obj: KubeObject, condition_type: str, *, status: str = "True") -> KubeObject | None:
    """Return the object's condition of this type if it has this status."""
    conditions: list[dict[str, Any]] = obj.get("status", {}).get("conditions", [])
    return next(
        (c for c in conditions if c["type"] == condition_type and c["status"] == status), None
    )


async def summarize(client: Client, resource: Resource, *, name: str, namespace: str | None) -> str:
    """Describe an object's conditions in a line, for messages about what did not come."""
    obj = await client.find(resource, name, namespace=namespace)
    if obj is None:
        return f"{resource.describe(name, namespace=namespace)} does not exist"
    found = [
        f"{c['type']}={c['status']} ({c.get('reason')}: {c.get('message')})"
        for c in obj.get("status", {}).get("conditions", [])
    ]
    return "; ".join(found) or f"{resource.describe(name, namespace=namespace)} has no conditions"
