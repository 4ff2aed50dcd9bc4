"""A hub whose decisions the test makes, and an agent that joins it with the least rights."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

from support.plane_clients import admin_client
from support.tasks import background
from support.waiting import eventually, until
from towline_agent.cluster_session import ClusterSession
from towline_agent.daemon import Observers, Part
from towline_agent.daemon import run as run_agent
from towline_agent.permissions import agent_permissions
from towline_agent.settings import AgentSettings
from towline_api.conditions import is_true, with_condition
from towline_api.crds import HUB_KINDS, crds
from towline_api.names import CLUSTER_NAME_LABEL, HUB_KUBECONFIG_SECRET
from towline_api.rbac_subjects import user_subject
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CUSTOM_RESOURCE_DEFINITIONS,
    LEASES,
    MANAGED_CLUSTERS,
    NAMESPACES,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
    KubeObject,
    Resource,
)
from towline_hub.clusters import rbac
from towline_kube.client import Call, Client
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.errors import AlreadyExists, Conflict, NotFound
from towline_sandbox.plane import ControlPlane

_KINDS: dict[str, Resource] = {
    kind.kind: kind for kind in (CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS, ROLES, ROLE_BINDINGS)
}

_PAUSE_SECONDS = 0.05
_REST_SECONDS = 0.3


class JoinHub:
    """One cluster's corner of a hub, with an admin's hands on hub and managed cluster.

    Args:
        hub: Client of the hub as its admin.
        spoke: Client of the managed cluster as its admin.
        cluster: Name of the managed cluster.
        namespace: Namespace of the agent on the managed cluster.
    """

    def __init__(self, hub: Client, spoke: Client, *, cluster: str, namespace: str) -> None:
        self.hub = hub
        self.spoke = spoke
        self.cluster = cluster
        self.namespace = namespace
        self.approves = True
        self.accepts = True
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def prepare(self) -> None:
        """Make what a hub has before any cluster comes."""
        for crd in crds(HUB_KINDS):
            await ensure(self.hub, CUSTOM_RESOURCE_DEFINITIONS, crd)
        await until(self._is_served, what=lambda: "managed clusters are not served")
        for thing in [*rbac.bootstrap_rbac(), *rbac.shared_cluster_roles()]:
            await self.hub.apply(_KINDS[thing["kind"]], thing)

    async def _is_served(self) -> bool:
        try:
            await self.hub.list(MANAGED_CLUSTERS)
        except NotFound:
            return False
        return True

    async def decide_forever(self) -> NoReturn:
        """Approve requests and accept the cluster, as far as `approves` and `accepts` say.

        Looks less often the longer there has been nothing to decide.
        """
        pause = _PAUSE_SECONDS
        while True:
            pause = _PAUSE_SECONDS if await self._decide() else min(pause * 1.2, _REST_SECONDS)
            await asyncio.sleep(pause)

    async def _decide(self) -> bool:
        """Decide what is to be decided now; return whether anything was."""
        decided = False
        if self.approves:
            for request in await self.requests():
                if not (request.get("status") or {}).get("conditions"):
                    await self.decide(request, "Approved")
                    decided = True
        if self.accepts:
            cluster = await self.managed_cluster()
            if cluster is not None and not is_true(cluster, "HubAcceptedManagedCluster"):
                await self.accept()
                decided = True
        return decided

    async def requests(self) -> list[KubeObject]:
        """Return the certificate requests made for this cluster."""
        label = f"{CLUSTER_NAME_LABEL}={self.cluster}"
        found = await self.hub.list(CERTIFICATE_SIGNING_REQUESTS, label_selector=label)
        return list(found.items)

    async def pending_requests(self) -> list[KubeObject]:
        """Return those without a certificate and without a refusal."""
        return [
            request
            for request in await self.requests()
            if not (request.get("status") or {}).get("certificate")
            and not any(
                condition["type"] in ("Denied", "Failed")
                for condition in (request.get("status") or {}).get("conditions") or ()
            )
        ]

    async def decide(self, request: KubeObject, kind: str, *, message: str = "") -> None:
        """Approve or deny a request."""
        status = request.setdefault("status", {})
        status["conditions"] = with_condition(
            [], type=kind, status="True", reason="Test", message=message, now=self.now()
        )
        status["conditions"][0]["lastUpdateTime"] = status["conditions"][0]["lastTransitionTime"]
        try:
            await self.hub.replace(CERTIFICATE_SIGNING_REQUESTS, request, subresource="approval")
        except (Conflict, NotFound):
            return

    async def managed_cluster(self) -> KubeObject | None:
        """Return the ManagedCluster, or None."""
        return await self.hub.find(MANAGED_CLUSTERS, self.cluster)

    async def accept(self) -> None:
        """Do what a hub does on acceptance, in its order."""
        name = self.cluster
        await ensure(self.hub, NAMESPACES, rbac.cluster_namespace(name))
        for thing in (
            rbac.accepted_cluster_role(name),
            rbac.own_cluster_role_binding(name),
            rbac.registration_role_binding(name),
        ):
            await self.hub.apply(_KINDS[thing["kind"]], thing)
        await self.set_condition("HubAcceptedManagedCluster", "True")
        lease = obj(LEASES, "managed-cluster-lease", name, spec={"holderIdentity": "hub"})
        lease["metadata"]["labels"] = {CLUSTER_NAME_LABEL: name}
        await ensure(self.hub, LEASES, lease)

    async def deny(self) -> None:
        """Do what a hub does when its owner takes the acceptance back."""
        await self.set_condition("HubAcceptedManagedCluster", "False")
        await self.hub.apply(CLUSTER_ROLES, rbac.denied_cluster_role(self.cluster))
        binding = rbac.registration_role_binding(self.cluster)
        await self.hub.delete(
            ROLE_BINDINGS, binding["metadata"]["name"], namespace=self.cluster, missing_ok=True
        )

    async def set_condition(self, kind: str, status: Any) -> None:
        """Set a condition of the ManagedCluster, whoever else writes meanwhile."""
        while True:
            cluster = await self.managed_cluster()
            if cluster is None:
                return
            conditions = with_condition(
                (cluster.get("status") or {}).get("conditions") or [],
                type=kind,
                status=status,
                reason="Test",
                message="",
                now=datetime.now(UTC),
            )
            wanted = {**(cluster.get("status") or {}), "conditions": conditions}
            try:
                await self.hub.patch_status(MANAGED_CLUSTERS, cluster, wanted)
            except Conflict:
                continue
            return

    async def has_condition(self, kind: str, status: str = "True") -> bool:
        """Return whether the ManagedCluster has a condition with this status."""
        cluster = await self.managed_cluster() or {}
        conditions = (cluster.get("status") or {}).get("conditions") or []
        return any(item["type"] == kind and item["status"] == status for item in conditions)

    async def joined(self, *, within: timedelta = timedelta(seconds=60)) -> None:
        """Wait until the cluster has joined."""
        await self.until_condition("ManagedClusterJoined", within=within)

    async def until_condition(
        self, kind: str, status: str = "True", *, within: timedelta = timedelta(seconds=60)
    ) -> None:
        """Wait until the ManagedCluster has a condition with this status."""
        seen: list[KubeObject | None] = []

        async def check() -> bool:
            seen[:] = [await self.managed_cluster()]
            return await self.has_condition(kind, status)

        await until(check, what=lambda: f"{kind} {status} in {seen}", within=within)

    async def lease_time(self) -> str | None:
        """Return when the cluster's lease was renewed last."""
        lease = await self.hub.find(LEASES, "managed-cluster-lease", namespace=self.cluster)
        return None if lease is None else lease["spec"].get("renewTime")

    async def secret(self, name: str = HUB_KUBECONFIG_SECRET) -> KubeObject | None:
        """Return a Secret of the agent."""
        return await self.spoke.find(SECRETS, name, namespace=self.namespace)


@dataclass
class RunningAgent:
    """An agent in this process."""

    task: asyncio.Task[None]
    stop: asyncio.Event
    hub_calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    spoke_calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    sessions: list[ClusterSession] = field(default_factory=list)

    @property
    def session(self) -> ClusterSession:
        """The present session."""
        return self.sessions[-1]


@asynccontextmanager
async def join_hub(
    hub_plane: ControlPlane, spoke_plane: ControlPlane, *, cluster: str
) -> AsyncIterator[JoinHub]:
    """Give a hub that approves and accepts one cluster until told otherwise."""
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(admin_client(plane))
            for plane in (hub_plane, spoke_plane)
        ]
        namespace = f"agent-{cluster}"
        hub = JoinHub(clients[0], clients[1], cluster=cluster, namespace=namespace)
        await hub.prepare()
        await ensure(hub.spoke, NAMESPACES, obj(NAMESPACES, namespace))
        async with background(hub.decide_forever(), name="decide"):
            yield hub


async def grant_agent(
    hub: JoinHub,
    *,
    secret: str = HUB_KUBECONFIG_SECRET,
    addon_namespaces: Sequence[str] = (),
) -> str:
    """Grant an agent its rights on the managed cluster and no more; return its user name."""
    user = f"agent-of-{hub.cluster}"
    for thing in agent_permissions(
        user_subject(user),
        namespace=hub.namespace,
        secret=secret,
        addon_namespaces=addon_namespaces,
    ):
        # Tests share the managed cluster, and agents a namespace, so names have to differ.
        thing["metadata"]["name"] += f":{user}"
        if "roleRef" in thing:
            thing["roleRef"]["name"] += f":{user}"
        await hub.spoke.apply(_KINDS[thing["kind"]], thing)
    return user


async def agent_settings(
    hub: JoinHub,
    hub_plane: ControlPlane,
    spoke_plane: ControlPlane,
    *,
    folder: Path,
    bootstrap: str | None = None,
    addon_namespaces: Sequence[str] = (),
    **settings: Any,
) -> AgentSettings:
    """Return settings for an agent with its least rights; its kubeconfigs are in `folder`."""
    given: Mapping[str, Any] = {
        "bootstrap_kubeconfig": folder / "bootstrap.kubeconfig",
        "spoke_kubeconfig": folder / "spoke.kubeconfig",
        "cluster_name": hub.cluster,
        "namespace": hub.namespace,
        "addon_namespaces": tuple(addon_namespaces),
        # Nobody else is at the hub, so nobody has to be waited for.
        "hub_return_spread": timedelta(seconds=1),
        **settings,
    }
    made = AgentSettings(**given)
    user = await grant_agent(
        hub, secret=made.hub_kubeconfig_secret, addon_namespaces=addon_namespaces
    )
    if bootstrap is None:
        bootstrap = await hub_plane.bootstrap_kubeconfig()
    (folder / "bootstrap.kubeconfig").write_text(bootstrap)
    (folder / "spoke.kubeconfig").write_text(await spoke_plane.kubeconfig_for(user))
    return made


@asynccontextmanager
async def running_agent(
    settings: AgentSettings,
    *,
    parts: Mapping[str, Part] | None = None,
    on_hub_call: Callable[[Call], None] | None = None,
    on_spoke_call: Callable[[Call], None] | None = None,
    awaits_session: bool = True,
    clock: Clock = SYSTEM_CLOCK,
) -> AsyncIterator[RunningAgent]:
    """Run an agent in this process, and stop it at the end as a signal would.

    The body begins with the agent's first session, unless it does not await one.
    """
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        agent: RunningAgent

        def count_hub(call: Call) -> None:
            agent.hub_calls[call.verb, call.resource] += 1
            if on_hub_call is not None:
                on_hub_call(call)

        def count_spoke(call: Call) -> None:
            agent.spoke_calls[call.verb, call.resource] += 1
            if on_spoke_call is not None:
                on_spoke_call(call)

        observers = Observers(
            on_hub_call=count_hub,
            on_spoke_call=count_spoke,
            on_session=lambda session: agent.sessions.append(session),
        )
        task = group.create_task(
            run_agent(settings, stop, parts=parts, observers=observers, clock=clock),
            name="run-agent",
        )
        agent = RunningAgent(task, stop)
        try:
            await eventually(
                lambda: bool(agent.sessions) or task.done() or not awaits_session,
                what=lambda: "no session yet",
            )
            yield agent
        finally:
            stop.set()
            async with asyncio.timeout(10):
                await asyncio.wait({task})


async def ensure(client: Client, resource: Resource, body: KubeObject) -> None:
    """Create an object if it is not there."""
    with suppress(AlreadyExists):
        await client.create(resource, body)


def obj(resource: Resource, name: str, namespace: str | None = None, **rest: Any) -> KubeObject:
    """Return an object."""
    metadata: dict[str, Any] = {"name": name} | ({"namespace": namespace} if namespace else {})
    head = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
    return {**head, **rest}
