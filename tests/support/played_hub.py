"""A hub played by the test: it grants, approves and desires exactly what the test says."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, NoReturn, TypeVar

from support import waiting
from towline_agent.addons.cluster_addons import AddonOptions, Addons
from towline_agent.addons.permissions import addon_cluster_rules, addon_rules
from towline_agent.channel.hub_channel import HubChannel
from towline_agent.clusters.view import ClusterView
from towline_api.conditions import with_condition
from towline_api.crds import HUB_KINDS, crds
from towline_api.names import addon_agent_role
from towline_api.resources import (
    ADDON_DEPLOYMENT_CONFIGS,
    ADDON_GROUP,
    CERTIFICATE_SIGNING_REQUESTS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    LEASES,
    MANAGED_CLUSTER_ADDONS,
    NAMESPACES,
    ROLE_BINDINGS,
    ROLES,
    KubeObject,
    Resource,
)
from towline_api.spec_hash import spec_hash
from towline_certs.identities import AddonIdentity, ClusterIdentity, addon_cluster_group
from towline_kube.addon_api import choose_codec
from towline_kube.client import Client
from towline_kube.errors import AlreadyExists, Conflict, NotFound
from towline_kube.kubeconfig import parse_kubeconfig
from towline_sandbox.plane import ControlPlane

_T = TypeVar("_T")

READ = ["get", "list", "watch"]


class PlayedHub:
    """One managed cluster's corner of a hub, and that cluster, both with an admin's hands.

    Args:
        hub: Client of the hub as its admin.
        spoke: Client of the managed cluster as its admin.
        cluster: Name of the managed cluster.
    """

    def __init__(self, hub: Client, spoke: Client, cluster: str) -> None:
        self.hub = hub
        self.spoke = spoke
        self.cluster = cluster
        self.approves = True
        """Whether requests are approved."""

    # What the hub does

    async def prepare(self) -> None:
        """Make what every cluster has on its hub."""
        for crd in crds(HUB_KINDS):
            await ensure(self.hub, CUSTOM_RESOURCE_DEFINITIONS, crd)
        await until(self._serves_addons, "the hub serves add-ons")
        await ensure(self.hub, NAMESPACES, obj(NAMESPACES, self.cluster))
        user = ClusterIdentity(self.cluster, "agent").user
        rules = [
            rule(ADDON_GROUP, MANAGED_CLUSTER_ADDONS.plural, READ),
            rule(ADDON_GROUP, "managedclusteraddons/status", ["patch", "update"]),
        ]
        await self.grant(self.hub, self.cluster, "agent", rules, subject=("User", user))
        group = CERTIFICATE_SIGNING_REQUESTS.group
        requests = rule(group, CERTIFICATE_SIGNING_REQUESTS.plural, [*READ, "create"])
        await grant_everywhere(self.hub, f"t-{self.cluster}", [requests], subject=("User", user))

    async def _serves_addons(self) -> bool:
        try:
            await self.hub.list(MANAGED_CLUSTER_ADDONS, namespace="default")
            await self.hub.list(ADDON_DEPLOYMENT_CONFIGS, namespace="default")
        except NotFound:
            return False
        return True

    async def install(
        self,
        addon: str,
        *,
        namespace: str,
        mode: str = "Lease",
        registrations: list[KubeObject] | None = None,
    ) -> None:
        """Install an add-on: its object, its rights, its registration."""
        body = obj(MANAGED_CLUSTER_ADDONS, addon, self.cluster, spec={})
        await ensure(self.hub, MANAGED_CLUSTER_ADDONS, body)
        rules = [
            rule("", CONFIG_MAPS.plural, READ),
            rule(ADDON_GROUP, MANAGED_CLUSTER_ADDONS.plural, READ, names=[addon]),
        ]
        group = addon_cluster_group(self.cluster, addon)
        name = addon_agent_role(addon)
        await self.grant(self.hub, self.cluster, name, rules, subject=("Group", group))
        identity = AddonIdentity(self.cluster, addon, addon)
        own = {
            "signerName": "kubernetes.io/kube-apiserver-client",
            "subject": {"user": identity.user, "groups": list(identity.groups)},
        }
        await self.set_status(
            addon,
            registrations=registrations or [own],
            namespace=namespace,
            healthCheck={"mode": mode},
        )

    async def addon(self, addon: str) -> KubeObject:
        """Return an add-on as it stands on the hub."""
        return await self.hub.get(MANAGED_CLUSTER_ADDONS, addon, namespace=self.cluster)

    async def set_status(self, addon: str, **parts: Any) -> None:
        """Set parts of an add-on's status, whatever the agent writes meanwhile."""
        while True:
            current = await self.addon(addon)
            try:
                await self.hub.patch_status(
                    MANAGED_CLUSTER_ADDONS, current, {**current.get("status", {}), **parts}
                )
            except Conflict:
                continue
            return

    async def desire(self, addon: str, config: KubeObject) -> str:
        """Have an AddOnDeploymentConfig apply to an add-on; return the hash desired."""
        name, namespace = config["metadata"]["name"], config["metadata"]["namespace"]
        desired = {"name": name, "namespace": namespace, "specHash": spec_hash(config)}
        kind = {"group": ADDON_GROUP, "resource": ADDON_DEPLOYMENT_CONFIGS.plural}
        before = (await self.addon(addon)).get("status", {}).get("configReferences") or [{}]
        reference = {**before[0], **kind, "name": name, "namespace": namespace}
        await self.set_status(addon, configReferences=[{**reference, "desiredConfig": desired}])
        rules = [rule(ADDON_GROUP, ADDON_DEPLOYMENT_CONFIGS.plural, READ, names=[name])]
        group = addon_cluster_group(self.cluster, addon)
        role = f"{self.cluster}-{addon}"
        await self.grant(self.hub, namespace, role, rules, subject=("Group", group))
        return spec_hash(config)

    async def put(self, name: str, data: dict[str, str], **metadata: Any) -> None:
        """Put a ConfigMap into the cluster's namespace, or change it."""
        body = obj(CONFIG_MAPS, name, self.cluster, data=data)
        body["metadata"] |= metadata
        await self.hub.apply(CONFIG_MAPS, body)

    async def approve_all(self) -> NoReturn:
        """Approve every request for this cluster, for as long as `approves` says so."""
        while True:
            listed = await self.hub.list(
                CERTIFICATE_SIGNING_REQUESTS,
                label_selector=f"open-cluster-management.io/cluster-name={self.cluster}",
            )
            for request in listed.items:
                if self.approves and not request.get("status", {}).get("conditions"):
                    await self._approve(request)
            await asyncio.sleep(0.1)

    async def _approve(self, request: KubeObject) -> None:
        status = request.setdefault("status", {})
        status["conditions"] = with_condition(
            [], type="Approved", status="True", reason="Test", message="", now=datetime.now(UTC)
        )
        status["conditions"][0]["lastUpdateTime"] = status["conditions"][0]["lastTransitionTime"]
        await self.hub.replace(CERTIFICATE_SIGNING_REQUESTS, request, subresource="approval")

    async def requests(self) -> list[KubeObject]:
        """Return the certificate requests made for this cluster."""
        listed = await self.hub.list(
            CERTIFICATE_SIGNING_REQUESTS,
            label_selector=f"open-cluster-management.io/cluster-name={self.cluster}",
        )
        return list(listed.items)

    # What happens on the managed cluster

    async def find(self, resource: Resource, name: str, namespace: str) -> KubeObject | None:
        """Return an object of the managed cluster, or None."""
        return await self.spoke.find(resource, name, namespace=namespace)

    async def data(self, name: str, namespace: str) -> Mapping[str, str] | None:
        """Return what a ConfigMap of the managed cluster holds; None if there is none."""
        found = await self.find(CONFIG_MAPS, name, namespace)
        return None if found is None else found.get("data", {})

    async def lease(self, name: str, namespace: str) -> KubeObject | None:
        """Return a Lease of the managed cluster, or None."""
        return await self.find(LEASES, name, namespace)

    async def condition(self, addon: str, condition_type: str) -> Mapping[str, Any]:
        """Return a condition of an add-on; empty if it has none."""
        conditions = (await self.addon(addon)).get("status", {}).get("conditions") or []
        return next((c for c in conditions if c["type"] == condition_type), {})

    async def make_namespace(self, name: str) -> None:
        """Make a namespace on the managed cluster."""
        await ensure(self.spoke, NAMESPACES, obj(NAMESPACES, name))

    async def grant(
        self,
        client: Client,
        namespace: str,
        name: str,
        rules: list[KubeObject],
        *,
        subject: tuple[str, str],
    ) -> None:
        """Grant rights in one namespace."""
        kind, who = subject
        api = "rbac.authorization.k8s.io"
        subjects = [{"kind": kind, "name": who, "apiGroup": api}]
        reference = {"apiGroup": api, "kind": "Role", "name": name}
        role = obj(ROLES, name, namespace, rules=rules)
        binding = obj(ROLE_BINDINGS, name, namespace, subjects=subjects, roleRef=reference)
        await client.apply(ROLES, role)
        await client.apply(ROLE_BINDINGS, binding)


async def grant_everywhere(
    client: Client, name: str, rules: list[KubeObject], *, subject: tuple[str, str]
) -> None:
    """Grant rights in a whole cluster."""
    api = "rbac.authorization.k8s.io"
    kind, who = subject
    subjects = [{"kind": kind, "name": who, "apiGroup": api}]
    reference = {"apiGroup": api, "kind": "ClusterRole", "name": name}
    await client.apply(CLUSTER_ROLES, obj(CLUSTER_ROLES, name, rules=rules))
    await client.apply(
        CLUSTER_ROLE_BINDINGS,
        obj(CLUSTER_ROLE_BINDINGS, name, subjects=subjects, roleRef=reference),
    )


@asynccontextmanager
async def play_hub(
    hub_plane: ControlPlane, spoke_plane: ControlPlane, cluster: str
) -> AsyncIterator[PlayedHub]:
    """Give a hub with one cluster whose requests are approved until the end."""
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(
                Client(connection_of(plane.admin_kubeconfig()), field_manager="test-admin")
            )
            for plane in (hub_plane, spoke_plane)
        ]
        played = PlayedHub(clients[0], clients[1], cluster)
        await played.prepare()
        async with background(played.approve_all(), name="approve-all"):
            yield played


@asynccontextmanager
async def agent_for(
    played: PlayedHub,
    hub_plane: ControlPlane,
    spoke_plane: ControlPlane,
    *,
    namespaces: Iterable[str],
    everywhere: bool = False,
    options: Callable[[AddonOptions], AddonOptions] = lambda options: options,
) -> AsyncIterator[Addons]:
    """Run the add-on half of an agent, with its cluster's identity and least rights.

    Args:
        played: The hub.
        hub_plane: Where it is.
        spoke_plane: The managed cluster.
        namespaces: Where the agent gets its rights, and where it looks for what is left over.
        everywhere: Whether it gets them in all namespaces, and may make namespaces.
        options: Changes the agent's options.
    """
    namespaces = frozenset(namespaces)
    agent = f"agent-{secrets.token_hex(3)}"
    user = ("User", agent)
    if everywhere:
        rules = addon_rules() + addon_cluster_rules()
        await grant_everywhere(played.spoke, f"t-{agent}", rules, subject=user)
    else:
        for namespace in namespaces:
            await played.grant(played.spoke, namespace, agent, addon_rules(), subject=user)
    identity = ClusterIdentity(played.cluster, "agent")
    own = connection_of(await hub_plane.kubeconfig_for(identity.user, groups=identity.groups))
    async with AsyncExitStack() as stack:
        spoke = await stack.enter_async_context(
            Client(
                connection_of(await spoke_plane.kubeconfig_for(agent)),
                field_manager="towline-agent",
            )
        )
        channel = HubChannel()
        await stack.enter_async_context(background(channel.run(), name="keep-channel"))
        channel.offer(own)
        hub = await channel.wait_ready()
        addons = Addons(
            cluster=played.cluster,
            channel=channel,
            hub=hub,
            codec=await choose_codec(hub),
            spoke=spoke,
            view=ClusterView(),
            options=options(AddonOptions(namespaces=namespaces)),
        )
        await stack.enter_async_context(background(addons.run(), name="serve-addons"))
        yield addons


@asynccontextmanager
async def background(work: Any, *, name: str) -> AsyncIterator[None]:
    """Run something endless beside the body; its failure fails the body."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work, name=name)
        try:
            yield
        finally:
            task.cancel()


async def until(check: Callable[[], Awaitable[_T]], what: str) -> _T:
    """Return what `check` returns once that is true; fail with what it was last."""
    last: list[_T] = []

    async def noted() -> _T:
        last[:] = [await check()]
        return last[0]

    return await waiting.until(noted, what=lambda: f"{what}; last seen: {last!r}")


async def ensure(client: Client, resource: Resource, body: KubeObject) -> None:
    """Create an object if it is not there."""
    try:
        await client.create(resource, body)
    except AlreadyExists:
        return


def obj(resource: Resource, name: str, namespace: str | None = None, **rest: Any) -> KubeObject:
    """Return an object."""
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": metadata,
        **rest,
    }


def rule(
    group: str, plural: str, verbs: list[str], *, names: list[str] | None = None
) -> KubeObject:
    """Return an RBAC rule."""
    granted: KubeObject = {"apiGroups": [group], "resources": [plural], "verbs": verbs}
    return granted | ({"resourceNames": names} if names else {})


def connection_of(kubeconfig: str) -> Any:
    """Return the connection of a kubeconfig's text."""
    return parse_kubeconfig(kubeconfig, source="test")
