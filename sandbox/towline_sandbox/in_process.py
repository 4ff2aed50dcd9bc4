"""The hub and the agent inside this process, each under the least rights it ships with.

Starting two more Python processes takes longer than all that hub and agent do until a cluster has
joined, so tests and measurements run both here.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from towline_agent.permissions import agent_permissions
from towline_agent.settings import AgentSettings
from towline_api import names
from towline_api.errors import TransientError
from towline_api.rbac_subjects import user_subject
from towline_api.resources import CLUSTER_ROLE_BINDINGS
from towline_hub.permissions import hub_permissions
from towline_hub.settings import HubSettings
from towline_kube.client import Client
from towline_kube.kubeconfig import parse_kubeconfig
from towline_kube.task_groups import TaskGroup
from towline_kube.watch import WatchEventType
from towline_sandbox.grants import AGENT_USER, HUB_USER, grant
from towline_sandbox.plane import ControlPlane


def admin_client(plane: ControlPlane, *, field_manager: str = "towline-sandbox") -> Client:
    """Return a client of the plane's administrator, still to be opened with `async with`."""
    connection = parse_kubeconfig(plane.admin_kubeconfig(), source=f"plane {plane.name}")
    return Client(connection, field_manager=field_manager, user_agent=field_manager)


def keep_kubeconfig(folder: Path, name: str, kubeconfig: str) -> Path:
    """Write a kubeconfig that only its owner may read; return where it is."""
    # A folder of its own: agents watch the one that their kubeconfig is in.
    path = folder / name / "kubeconfig"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(kubeconfig, encoding="utf-8")
    return path


async def prepare_hub(plane: ControlPlane, *, folder: Path, **settings: Any) -> HubSettings:
    """Grant a hub its rights on the plane and return its settings.

    Args:
        plane: The hub cluster.
        folder: Private folder for its kubeconfig.
        settings: Whatever else `HubSettings` takes. By default it installs the CRDs and approves
            whoever comes with a bootstrap token. What they declare, the hub is granted as well.
    """
    kubeconfig = keep_kubeconfig(folder, "hub", await plane.kubeconfig_for(HUB_USER))
    given: dict[str, Any] = {
        "kubeconfig": kubeconfig,
        "install_crds": True,
        "auto_approve_groups": (names.BOOTSTRAP_GROUP,),
    }
    whole = HubSettings(**(given | settings))
    permissions = hub_permissions(
        user_subject(HUB_USER),
        installs_crds=True,
        namespace=whole.namespace,
        signers=whole.signers,
        declarations=whole.addon_declarations,
    )
    async with admin_client(plane) as admin:
        await grant(admin, permissions)
    return whole


async def until_hub_takes_clusters(admin: Client) -> None:
    """Wait until a hub that starts has given bootstrap tokens their rights: it does that last.

    An agent that comes earlier is turned away, and waits a second or two before it comes again.

    Raises:
        TransientError: It has not for more than a minute.
    """
    bindings = admin.watch(
        CLUSTER_ROLE_BINDINGS,
        field_selector=f"metadata.name={names.BOOTSTRAP_CLUSTER_ROLE_BINDING}",
    )
    async with aclosing(bindings) as events:
        async for event in events:
            if event.type is WatchEventType.ADDED:
                return
    raise TransientError(
        "the hub has not begun to take clusters: it made no ClusterRoleBinding "
        f"{names.BOOTSTRAP_CLUSTER_ROLE_BINDING}; see what the hub logged"
    )


async def prepare_agent(
    hub_plane: ControlPlane,
    spoke_plane: ControlPlane,
    *,
    cluster: str,
    folder: Path,
    addon_namespaces: Sequence[str] = (names.ADDON_NAMESPACE,),
    **settings: Any,
) -> AgentSettings:
    """Grant an agent its rights on the managed cluster and return its settings.

    Args:
        hub_plane: The hub cluster; gives it a bootstrap token.
        spoke_plane: The managed cluster.
        cluster: Name of the managed cluster.
        folder: Private folder for its kubeconfigs.
        addon_namespaces: Where it may look after add-ons.
        settings: Whatever else `AgentSettings` takes.
    """
    permissions = agent_permissions(user_subject(AGENT_USER), addon_namespaces=addon_namespaces)
    async with admin_client(spoke_plane) as admin:
        await grant(admin, permissions)
    bootstrap = await hub_plane.bootstrap_kubeconfig()
    spoke = await spoke_plane.kubeconfig_for(AGENT_USER)
    given: dict[str, Any] = {
        "bootstrap_kubeconfig": keep_kubeconfig(folder, f"{cluster}-bootstrap", bootstrap),
        "spoke_kubeconfig": keep_kubeconfig(folder, f"{cluster}-spoke", spoke),
        "cluster_name": cluster,
        "addon_namespaces": tuple(addon_namespaces),
        # A sandbox has no fleet whose return would have to be spread.
        "hub_return_spread": timedelta(seconds=1),
    }
    return AgentSettings(**(given | settings))


@asynccontextmanager
async def running(
    name: str, serve: Callable[[asyncio.Event], Awaitable[None]]
) -> AsyncIterator[None]:
    """Run a program of this process while the body runs; stop it as a signal would.

    Its failure cancels the body and is raised in its place.

    Args:
        name: Of its task, for example `run-hub`.
        serve: Runs it until the event is set.
    """
    stop = asyncio.Event()
    failed: BaseException | None = None

    async def until_stopped() -> None:
        await serve(stop)

    try:
        async with TaskGroup() as group:
            group.create_task(until_stopped(), name=name)
            try:
                yield
            except Exception as error:  # noqa: BLE001  # the body's own: not to arrive in a group
                failed = error
            finally:
                stop.set()
    except BaseExceptionGroup as failures:
        raise _only(failures) from failures
    if failed is not None:
        raise failed


def _only(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the failure itself where there is one alone."""
    if len(failures.exceptions) > 1:
        return failures
    (failure,) = failures.exceptions
    return _only(failure) if isinstance(failure, BaseExceptionGroup) else failure
