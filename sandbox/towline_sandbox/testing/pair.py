"""A hub and a managed cluster that has joined it, with an add-on on top when asked for."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from anyio.from_thread import BlockingPortal

from towline_agent import daemon as agent_daemon
from towline_agent.embedding.addon_agent import AddonAgent
from towline_agent.embedding.settings import AddonSettings
from towline_api import condition_types, names
from towline_api.conditions import is_true
from towline_api.resources import (
    CLUSTER_MANAGEMENT_ADDONS,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
    KubeObject,
    Resource,
)
from towline_hub import daemon as hub_daemon
from towline_kube.client import Client
from towline_kube.errors import NotServed
from towline_kube.task_groups import TaskGroup
from towline_sandbox.grants import grant
from towline_sandbox.in_process import (
    admin_client,
    keep_kubeconfig,
    prepare_agent,
    prepare_hub,
    running,
    until_hub_takes_clusters,
)
from towline_sandbox.mount import Mount
from towline_sandbox.plane import ControlPlane
from towline_sandbox.testing.administrator import PATIENCE, Administrator
from towline_sandbox.waiting import until

CLUSTER = "cluster1"

ADDON_RULES: tuple[KubeObject, ...] = (
    {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "verbs": ["get", "list", "watch", "create", "patch", "delete"],
    },
    {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "verbs": ["get", "create", "patch"],
    },
)
"""What an add-on's program may do in its namespace on the managed cluster, unless a test says."""


@dataclass(frozen=True, slots=True)
class JoinedPair:
    """A hub, and a managed cluster that has joined it.

    Args:
        cluster: Name of the managed cluster, which is its namespace on the hub.
        hub_plane: The hub cluster; `admin_kubeconfig()` opens it to kubectl.
        spoke_plane: The managed cluster.
        hub: The hub's administrator.
        spoke: The managed cluster's administrator.
    """

    cluster: str
    hub_plane: ControlPlane
    spoke_plane: ControlPlane
    hub: Administrator
    spoke: Administrator


@dataclass(frozen=True, slots=True)
class EnabledAddon:
    """An add-on that is enabled on a joined cluster, its agent running on its own credential.

    Args:
        name: Name of the add-on.
        pair: Hub and managed cluster.
        namespace: Where the add-on is installed on the managed cluster.
        settings: What the add-on's agent was started with; another one can be too.
    """

    name: str
    pair: JoinedPair
    namespace: str
    settings: AddonSettings

    @property
    def cluster(self) -> str:
        """Name of the managed cluster, which is its namespace on the hub."""
        return self.pair.cluster

    @property
    def hub(self) -> Administrator:
        """The hub's administrator."""
        return self.pair.hub

    @property
    def spoke(self) -> Administrator:
        """The managed cluster's administrator."""
        return self.pair.spoke

    def wait_until(self, condition: str) -> KubeObject:
        """Return the ManagedClusterAddOn once this condition is True.

        Raises:
            NotSeenError: It did not come; says what the object looked like instead.
        """
        return self.hub.wait_for(
            MANAGED_CLUSTER_ADDONS, self.name, namespace=self.cluster, condition=condition
        )


@asynccontextmanager
async def joined_pair(
    portal: BlockingPortal,
    hub_plane: ControlPlane,
    spoke_plane: ControlPlane,
    *,
    folder: Path,
    addons: Sequence[str] = (),
    hub_settings: Mapping[str, Any] = MappingProxyType({}),
) -> AsyncIterator[JoinedPair]:
    """Join a cluster to a hub, both in this process and each under the rights it ships with.

    Args:
        portal: Gives the pair's blocking calls their way into this event loop.
        hub_plane: The hub cluster.
        spoke_plane: The managed cluster.
        folder: Private folder for kubeconfigs.
        addons: Add-ons whose agents the test runs itself.
        hub_settings: What the hub is told beside the usual, for example `signers`, as in its
            settings file.
    """
    settings = await prepare_hub(hub_plane, folder=folder, **hub_settings)
    agent_settings = await prepare_agent(
        hub_plane, spoke_plane, cluster=CLUSTER, folder=folder, addons_elsewhere=tuple(addons)
    )
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(running("run-hub", partial(hub_daemon.run, settings)))
        hub = await stack.enter_async_context(admin_client(hub_plane))
        await until_hub_takes_clusters(hub)
        await stack.enter_async_context(
            running("run-agent", partial(agent_daemon.run, agent_settings))
        )
        spoke = await stack.enter_async_context(admin_client(spoke_plane))
        await until_condition(
            hub, MANAGED_CLUSTERS, CLUSTER, namespace=None, condition=condition_types.JOINED
        )
        yield JoinedPair(
            CLUSTER,
            hub_plane,
            spoke_plane,
            Administrator(portal, hub, plane=hub_plane.name),
            Administrator(portal, spoke, plane=spoke_plane.name),
        )


@asynccontextmanager
async def enabled_addon(
    pair: JoinedPair,
    agent: AddonAgent[Any],
    *,
    folder: Path,
    rules: Sequence[KubeObject] = ADDON_RULES,
    namespace: str = names.ADDON_NAMESPACE,
    signers: Sequence[str] = (),
    settings: Mapping[str, Any] = MappingProxyType({}),
) -> AsyncIterator[EnabledAddon]:
    """Enable an add-on as an operator would, and run its agent behind the cluster's agent.

    Args:
        pair: Hub and managed cluster.
        agent: The add-on's agent, under test.
        folder: Private folder for its credential, which appears there as a pod would see it.
        rules: RBAC rules of the add-on's program in its namespace on the managed cluster.
        namespace: That namespace.
        signers: The add-on's own signers, whose certificates appear beside the credential.
        settings: Values of settings that the add-on's program has of its own.
    """
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(admin_client(pair.hub_plane))
        spoke = await stack.enter_async_context(admin_client(pair.spoke_plane))
        user = f"towline:addon:{agent.name}"
        await grant(spoke, _granted(user, rules, name=agent.name, namespace=namespace))
        await hub.apply(
            CLUSTER_MANAGEMENT_ADDONS, _object(CLUSTER_MANAGEMENT_ADDONS, agent.name, spec={})
        )
        await hub.apply(
            MANAGED_CLUSTER_ADDONS,
            _object(MANAGED_CLUSTER_ADDONS, agent.name, namespace=pair.cluster, spec={}),
        )
        credential = names.addon_hub_kubeconfig_secret(agent.name)
        certificates = [
            names.addon_client_certificate_secret(agent.name, signer=signer) for signer in signers
        ]
        for secret in (credential, *certificates):
            mount = await _mounted(spoke, secret, namespace=namespace, folder=folder)
            keep = partial(_keep_mounted, mount, secret=secret)
            await stack.enter_async_context(running(f"keep-mounted/{secret}", keep))
        given = agent.settings_class(
            **settings,
            hub_kubeconfig=folder / credential / names.KUBECONFIG_KEY,
            spoke_kubeconfig=keep_kubeconfig(
                folder, f"addon-{agent.name}", await pair.spoke_plane.kubeconfig_for(user)
            ),
            addon_namespace=namespace,
        )

        await stack.enter_async_context(
            running(f"run-addon/{agent.name}", partial(agent.serve, settings=given))
        )
        yield EnabledAddon(agent.name, pair, namespace, given)


async def _mounted(spoke: Client, secret: str, *, namespace: str, folder: Path) -> Mount:
    """Return a Secret as files in a folder of its name, once it is there."""

    async def earned() -> KubeObject | None:
        return await spoke.find(SECRETS, secret, namespace=namespace)

    await until(f"Secret {namespace}/{secret}", earned, within=PATIENCE)
    mount = Mount(spoke, name=secret, namespace=namespace, folder=folder / secret)
    await mount.refresh()
    return mount


async def _keep_mounted(mount: Mount, stop: asyncio.Event, *, secret: str) -> None:
    async with TaskGroup() as group:
        keeping = group.create_task(mount.keep(), name=f"mount-secret/{secret}")
        await stop.wait()
        keeping.cancel("the test has ended")


async def until_condition(
    client: Client, resource: Resource, name: str, *, namespace: str | None, condition: str
) -> None:
    """Wait until an object has this condition.

    Raises:
        NotSeenError: It has not; says what the object is like.
    """

    async def met() -> KubeObject | None:
        try:
            found = await client.find(resource, name, namespace=namespace)
        except NotServed:  # the hub installs its kinds when it starts
            return None
        return found if found is not None and is_true(found, condition) else None

    async def last_seen() -> object:
        return await client.find(resource, name, namespace=namespace)

    await until(f"{condition} of {name}", met, within=PATIENCE, last_seen=last_seen)


def _granted(
    user: str, rules: Sequence[KubeObject], *, name: str, namespace: str
) -> list[KubeObject]:
    group = ROLES.group
    role = _object(ROLES, name, namespace=namespace, rules=[dict(rule) for rule in rules])
    binding = _object(
        ROLE_BINDINGS,
        name,
        namespace=namespace,
        roleRef={"apiGroup": group, "kind": ROLES.kind, "name": name},
        subjects=[{"apiGroup": group, "kind": "User", "name": user}],
    )
    return [role, binding]


def _object(
    resource: Resource, name: str, *, namespace: str | None = None, **content: Any
) -> KubeObject:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": metadata,
        **content,
    }
