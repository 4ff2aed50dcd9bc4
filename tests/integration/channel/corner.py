"""One cluster's corner of a hub: what a test sees and sets there as administrator of both sides."""

import asyncio
import copy
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, Self

from integration.channel.programs import Program
from support.joining import JoinHub, ensure, grant_agent, obj
from support.tasks import background
from support.waiting import until
from towline_agent.permissions import AGENT_ADDON_ROLE, AGENT_ROLE, agent_permissions
from towline_api.conditions import find_condition
from towline_api.names import (
    ADDON_NAME_LABEL,
    BOOTSTRAP_GROUP,
    CLUSTER_NAME_LABEL,
    addon_hub_kubeconfig_secret,
)
from towline_api.rbac_subjects import user_subject
from towline_api.resources import (
    ADDON_DEPLOYMENT_CONFIGS,
    CERTIFICATE_SIGNING_REQUESTS,
    CLUSTER_MANAGEMENT_ADDONS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
    NAMESPACES,
    ROLES,
    SECRETS,
    KubeObject,
)
from towline_certs.credentials import from_secret_data
from towline_kube.client import Client
from towline_kube.errors import Gone, Unreachable
from towline_kube.kubeconfig import parse_kubeconfig
from towline_sandbox.plane import ControlPlane

CONFIG = "chosen"
"""The AddOnDeploymentConfig the add-on is configured with."""
OTHER_CONFIG = "other"
"""One beside it, which is none of the add-on's business."""
RBAC = "rbac.authorization.k8s.io"


class Corner(JoinHub):
    """A cluster on a hub that the real hub program runs, and the agent program of that cluster.

    Args:
        hub: Client of the hub as its administrator.
        spoke: Client of the managed cluster as its administrator.
        cluster: Name of the managed cluster.
        planes: The hub's plane and the managed cluster's.
        folder: For kubeconfigs and the agent's output.
        addon: Name of the one add-on the test may enable.
    """

    def __init__(
        self,
        hub: Client,
        spoke: Client,
        *,
        cluster: str,
        planes: tuple[ControlPlane, ControlPlane],
        folder: Path,
        addon: str,
    ) -> None:
        super().__init__(hub, spoke, cluster=cluster, namespace=f"agent-{cluster}")
        self.planes = planes
        self.folder = folder
        self.addon = addon
        self.addon_namespace = f"addons-{cluster}"
        self.config_namespace = f"configs-{cluster}"
        self.user = ""
        self.agent = Program([], log=folder / f"{cluster}.log")

    def seen_through(self, hub: Client, spoke: Client) -> Self:
        """Return the same corner with other clients: those of one event loop serve no other."""
        other = copy.copy(self)
        other.hub, other.spoke = hub, spoke
        return other

    # The agent

    async def prepare_agent(
        self, *, group: str = BOOTSTRAP_GROUP, arguments: Sequence[str] = ()
    ) -> None:
        """Make what an administrator makes before the agent starts; do not start it.

        Args:
            group: Group of the bootstrap token.
            arguments: Further arguments of `towline agent run`.
        """
        for namespace in (self.namespace, self.addon_namespace):
            await ensure(self.spoke, NAMESPACES, obj(NAMESPACES, namespace))
        self.user = await grant_agent(self, addon_namespaces=[self.addon_namespace])
        bootstrap = self.folder / f"{self.cluster}-bootstrap.kubeconfig"
        spoke = self.folder / f"{self.cluster}-spoke.kubeconfig"
        bootstrap.write_text(await self.planes[0].bootstrap_kubeconfig(groups=[group]))
        spoke.write_text(await self.planes[1].kubeconfig_for(self.user))
        flags = {
            "--cluster-name": self.cluster,
            "--hub-return-spread": "1s",
            "--namespace": self.namespace,
            "--addon-namespaces": self.addon_namespace,
            "--bootstrap-kubeconfig": str(bootstrap),
            "--spoke-kubeconfig": str(spoke),
        }
        words = [word for flag in flags.items() for word in flag]
        self.agent = Program(
            ["agent", "run", *words, *arguments], log=self.folder / f"{self.cluster}.log"
        )

    async def let_agent_write(self, *resources: str, where: str, verb: str = "create") -> None:
        """Take a verb from the agent's Role on its managed cluster, but for these resources.

        Called again with what was taken, it gives that back. Stages that last a millisecond last
        as long as a test wants when the next write is refused.

        Args:
            resources: Plurals of what it may still be done to.
            where: A namespace of the agent's: its own or its add-on's.
            verb: What to take.
        """
        role = AGENT_ROLE if where == self.namespace else AGENT_ADDON_ROLE
        (body,) = (
            thing
            for thing in agent_permissions(
                user_subject(self.user),
                namespace=self.namespace,
                addon_namespaces=[self.addon_namespace],
            )
            if thing["kind"] == ROLES.kind and thing["metadata"]["name"] == role
            and thing["metadata"]["namespace"] == where
        )  # fmt: skip
        body["metadata"]["name"] = f"{role}:{self.user}"
        for rule in body["rules"]:
            if not set(rule["resources"]) & set(resources):
                rule["verbs"] = [item for item in rule["verbs"] if item != verb]
        body["rules"] = [rule for rule in body["rules"] if rule["verbs"]]
        await self.spoke.apply(ROLES, body)

    # The hub's operator

    async def let_bootstrap(self, group: str, *, rules: Sequence[dict[str, Any]]) -> None:
        """Let the holders of a bootstrap token do exactly this."""
        name = f"bootstrap-{self.cluster}"
        await self.hub.apply(CLUSTER_ROLES, obj(CLUSTER_ROLES, name, rules=list(rules)))
        binding = obj(
            CLUSTER_ROLE_BINDINGS,
            name,
            roleRef={"apiGroup": RBAC, "kind": CLUSTER_ROLES.kind, "name": name},
            subjects=[{"apiGroup": RBAC, "kind": "Group", "name": group}],
        )
        await self.hub.apply(CLUSTER_ROLE_BINDINGS, binding)

    async def set_acceptance(self, accepts: bool) -> None:
        """Accept the cluster or deny it, as its hub's owner may at any time."""
        body = {"spec": {"hubAcceptsClient": accepts}}
        await self.hub.patch(MANAGED_CLUSTERS, self.cluster, body)

    async def define_addon(self) -> None:
        """Make the add-on, for all clusters."""
        supported = {
            "group": ADDON_DEPLOYMENT_CONFIGS.group,
            "resource": ADDON_DEPLOYMENT_CONFIGS.plural,
        }
        body = obj(CLUSTER_MANAGEMENT_ADDONS, self.addon, spec={"supportedConfigs": [supported]})
        # Another test may have left one of this name that supports nothing.
        await self.hub.apply(CLUSTER_MANAGEMENT_ADDONS, body)

    async def enable_addon(self) -> None:
        """Enable the add-on on this cluster, with configuration of both kinds for it."""
        await ensure(self.hub, NAMESPACES, obj(NAMESPACES, self.config_namespace))
        spec: dict[str, Any] = {
            "agentInstallNamespace": self.addon_namespace,
            "customizedVariables": [{"name": "LEVEL", "value": "info"}],
        }
        for name in (CONFIG, OTHER_CONFIG):
            body = obj(ADDON_DEPLOYMENT_CONFIGS, name, self.config_namespace, spec=spec)
            await ensure(self.hub, ADDON_DEPLOYMENT_CONFIGS, body)
        greeting = obj(CONFIG_MAPS, "greeting", self.cluster, data={"message": "hello"})
        await ensure(self.hub, CONFIG_MAPS, greeting)
        config = {
            "group": ADDON_DEPLOYMENT_CONFIGS.group,
            "resource": ADDON_DEPLOYMENT_CONFIGS.plural,
            "namespace": self.config_namespace,
            "name": CONFIG,
        }
        body = obj(MANAGED_CLUSTER_ADDONS, self.addon, self.cluster, spec={"configs": [config]})
        await ensure(self.hub, MANAGED_CLUSTER_ADDONS, body)

    # Looking

    async def managed_addon(self) -> KubeObject:
        """Return the add-on of this cluster, empty if it is not enabled."""
        return await self.hub.find(MANAGED_CLUSTER_ADDONS, self.addon, namespace=self.cluster) or {}

    async def addon_secret(self, suffix: str = "") -> KubeObject | None:
        """Return the Secret of the add-on's credential on the managed cluster."""
        name = addon_hub_kubeconfig_secret(self.addon) + suffix
        return await self.spoke.find(SECRETS, name, namespace=self.addon_namespace)

    async def is_configured(self) -> bool:
        """Return whether the add-on's configuration is applied and reported."""
        copy = await self.spoke.find(CONFIG_MAPS, "greeting", namespace=self.addon_namespace)
        if copy is None or copy["data"] != {"message": "hello"}:
            return False
        references = (await self.managed_addon()).get("status", {}).get("configReferences") or []
        return bool(references) and all(
            item.get("lastAppliedConfig", {}).get("specHash")
            and item["lastAppliedConfig"]["specHash"] == item["desiredConfig"].get("specHash")
            for item in references
        )

    async def configured(self) -> None:
        """Wait until the add-on is configured."""

        async def reported() -> bool:
            return await self.is_configured()

        await until(reported, what=lambda: f"not configured; the agent: {self.agent.said[-2000:]}")

    def mount(self, secret: KubeObject, *, name: str) -> Path:
        """Return a folder with the files of a Secret, as a pod would see it mounted."""
        folder = self.folder / f"{self.cluster}-{name}"
        folder.mkdir(mode=0o700, exist_ok=True)
        for key, content in from_secret_data(secret["data"]).items():
            (folder / key).write_bytes(content)
        return folder

    async def mounted_cluster_credential(self) -> Path:
        """Return a folder with the agent's own credential, once it has one."""
        return self.mount(await until(self._own_secret, what=lambda: "no secret"), name="hub")

    async def mounted_addon_credential(self) -> Path:
        """Return a folder with the add-on's credential, once it has one."""
        return self.mount(await until(self._addon_secret, what=lambda: "no secret"), name="addon")

    async def _own_secret(self) -> KubeObject:
        return await self.secret() or {}

    async def _addon_secret(self) -> KubeObject:
        return await self.addon_secret() or {}


@asynccontextmanager
async def mounted_client(folder: Path) -> AsyncIterator[Client]:
    """Open a client with a credential as it was mounted."""
    text = (folder / "kubeconfig").read_text()
    connection = parse_kubeconfig(text, source=folder.name, base_dir=folder)
    async with Client(connection, field_manager="test") as client:
        yield client


# The history of a cluster's requests


@dataclass
class RequestHistory:
    """Every state of a cluster's certificate requests, as a watch told them."""

    seen: list[tuple[str, KubeObject]] = field(default_factory=list)

    def names(self, *, addon: str | None = None) -> list[str]:
        """Return the requests there ever were for the cluster, or for one of its add-ons."""
        return list(
            dict.fromkeys(
                request["metadata"]["name"]
                for _, request in self.seen
                if request["metadata"]["labels"].get(ADDON_NAME_LABEL) == addon
            )
        )

    def overlaps(self) -> list[str]:
        """Return what must never be: a request that came while another one was pending."""
        pending: dict[str | None, set[str]] = {}
        found = []
        for kind, request in self.seen:
            name = request["metadata"]["name"]
            addon = request["metadata"]["labels"].get(ADDON_NAME_LABEL)
            others = pending.setdefault(addon, set())
            if kind == "DELETED" or not is_pending(request):
                others.discard(name)
                continue
            found += [f"{name} came while {other} was pending" for other in others - {name}]
            others.add(name)
        return found


def is_pending(request: KubeObject) -> bool:
    """Return whether a request may still yield a certificate."""
    ended = any(find_condition(request, kind) is not None for kind in ("Denied", "Failed"))
    return not ended and not (request.get("status") or {}).get("certificate")


@asynccontextmanager
async def watched_requests(corner: Corner) -> AsyncIterator[RequestHistory]:
    """Watch a cluster's requests for the length of a block; miss none."""
    history = RequestHistory()
    label = f"{CLUSTER_NAME_LABEL}={corner.cluster}"
    start = await corner.hub.list(CERTIFICATE_SIGNING_REQUESTS, label_selector=label)
    history.seen += [("ADDED", item) for item in start.items]

    async def follow() -> NoReturn:
        version = start.resource_version
        while True:
            try:
                async for event in corner.hub.watch(
                    CERTIFICATE_SIGNING_REQUESTS, label_selector=label, resource_version=version
                ):
                    version = event.object["metadata"]["resourceVersion"]
                    if event.type != "BOOKMARK":
                        history.seen.append((str(event.type), event.object))
            except Unreachable:
                continue
            except Gone as error:
                raise AssertionError("part of the requests' history is lost") from error
            await asyncio.sleep(0)

    async with background(follow(), name="watch-requests"):
        yield history
