"""Hubs to be compared, each as a process of its own: ours, the least there can be, or any other."""

import asyncio
import shlex
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from towline_api import names
from towline_api.rbac_subjects import user_subject
from towline_hub.clusters.rbac import bootstrap_rbac
from towline_hub.crd_installation import install_crds, wait_until_served
from towline_hub.permissions import hub_permissions
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK
from towline_sandbox.demo.programs import Program
from towline_sandbox.demo.programs import running as running_towline
from towline_sandbox.grants import HUB_USER, grant
from towline_sandbox.in_process import keep_kubeconfig, until_hub_takes_clusters
from towline_sandbox.plane import ControlPlane

_FLOOR = Path(__file__).with_name("floor_hub.py")
_STOP_WITHIN = timedelta(seconds=10)
_SERVED_WITHIN = timedelta(seconds=30)
_OTHERS_START_SECONDS = 15.0

OURS = "towline"
FLOOR = "floor"
"""As administrator, whom the API server allows everything without looking for a role."""
FLOOR_WITH_RIGHTS = "floor-with-rights"
"""The same under our hub's rights: what RBAC costs the API server is the difference."""


@dataclass(frozen=True, slots=True)
class HubProcess:
    """A hub that runs.

    Args:
        kind: `towline`, `floor`, `floor-with-rights`, or the command it was started with.
        pid: Its process id.
    """

    kind: str
    pid: int


@asynccontextmanager
async def running_hub(
    kind: str, plane: ControlPlane, admin: Client, *, folder: Path, settings: Sequence[str] = ()
) -> AsyncIterator[HubProcess]:
    """Run a hub while the body runs, under its own rights; the body begins when it takes clusters.

    Args:
        kind: `towline`, `floor`, `floor-with-rights`, or a command line in which `{kubeconfig}`
            stands for the path of an administrator's kubeconfig. A command's hub gets our CRDs, and
            has to say itself whom it approves.
        plane: The hub cluster.
        admin: Its administrator.
        folder: Private folder for kubeconfigs and logs.
        settings: More flags for ours.
    """
    await install_crds(admin)
    await wait_until_served(admin, limit=_SERVED_WITHIN, clock=SYSTEM_CLOCK)
    if kind == OURS:
        async with _ours(plane, admin, folder=folder, settings=settings) as program:
            yield HubProcess(kind, program.process.pid)
            program.check_running()
        return
    if kind == FLOOR_WITH_RIGHTS:
        await grant(admin, hub_permissions(user_subject(HUB_USER)))
        access = await plane.kubeconfig_for(HUB_USER)
    else:
        access = plane.admin_kubeconfig()
    kubeconfig = str(keep_kubeconfig(folder, "hub", access))
    is_floor = kind in (FLOOR, FLOOR_WITH_RIGHTS)
    if is_floor:
        command = [sys.executable, str(_FLOOR), kubeconfig]
    else:
        command = shlex.split(kind.replace("{kubeconfig}", kubeconfig))
        await grant(admin, bootstrap_rbac())
    async with _running(command, log=folder / "hub.log") as process:
        if is_floor:
            await until_hub_takes_clusters(admin)
        else:
            # Nothing tells when a hub that nobody here knows is at work.
            await asyncio.sleep(_OTHERS_START_SECONDS)
        yield HubProcess(kind, process.pid)
        if process.returncode is not None:
            raise RuntimeError(f"{kind} ended with status {process.returncode}; see {folder}")


@asynccontextmanager
async def _ours(
    plane: ControlPlane, admin: Client, *, folder: Path, settings: Sequence[str]
) -> AsyncIterator[Program]:
    # As `deploy/hub` has it: the CRDs are there before the hub, which holds one role.
    await grant(admin, hub_permissions(user_subject(HUB_USER)))
    kubeconfig = keep_kubeconfig(folder, "hub", await plane.kubeconfig_for(HUB_USER))
    arguments = [
        "hub", "run", "--kubeconfig", str(kubeconfig),
        "--auto-approve-groups", names.BOOTSTRAP_GROUP, *settings,
    ]  # fmt: skip
    environment = {"TOWLINE_LOG_LEVEL": "warning"}
    async with running_towline("hub", arguments, folder=folder, environment=environment) as program:
        await until_hub_takes_clusters(admin)
        yield program


@asynccontextmanager
async def _running(
    command: Sequence[str], *, log: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(*command, stdout=output, stderr=output)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(_STOP_WITHIN.total_seconds()):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
