"""Seeing, as an administrator who watches, when each step of a join is reached."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

from towline_api import condition_types, names
from towline_api.resources import (
    CONFIG_MAPS,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
    NAMESPACES,
    SECRETS,
    KubeObject,
    Resource,
)
from towline_kube.client import Client
from towline_sandbox.demo.stage import ADDON, condition

REGISTERED = "ManagedCluster registered"
ACCEPTED = "HubAcceptedManagedCluster"
NAMESPACE = "cluster namespace on the hub"
ENABLED = "add-on enabled (by the benchmark)"
JOINED = "ManagedClusterJoined"
AVAILABLE = "ManagedClusterConditionAvailable"
CREDENTIAL = "add-on credential on the spoke"
APPLIED = "configuration applied on the spoke"
REPORTED = "configuration reported on the hub"
ADDON_AVAILABLE = "add-on Available"

GREETING = "greeting"

Look = Callable[[KubeObject], bool]


@dataclass(frozen=True, slots=True)
class Milestone:
    """A state of an object that is waited for.

    Args:
        label: What it is called in the results.
        client: Who watches.
        resource: Kind of the object.
        name: Its name.
        namespace: Its namespace.
        reached: Whether an object of that name is in that state.
    """

    label: str
    client: Client
    resource: Resource
    name: str
    namespace: str | None = None
    reached: Look = field(default=lambda _: True)


def milestones_of(cluster: str, *, hub: Client, spoke: Client) -> tuple[Milestone, ...]:
    """Return what is watched for while this cluster joins."""

    def on_cluster(label: str, reached: Look) -> Milestone:
        return Milestone(label, hub, MANAGED_CLUSTERS, cluster, None, reached)

    def on_addon(label: str, reached: Look) -> Milestone:
        return Milestone(label, hub, MANAGED_CLUSTER_ADDONS, ADDON, cluster, reached)

    def on_spoke(label: str, resource: Resource, name: str) -> Milestone:
        return Milestone(label, spoke, resource, name, names.ADDON_NAMESPACE)

    return (
        on_cluster(REGISTERED, lambda _: True),
        on_cluster(ACCEPTED, _has(condition_types.HUB_ACCEPTED)),
        Milestone(NAMESPACE, hub, NAMESPACES, cluster),
        on_cluster(JOINED, _has(condition_types.JOINED)),
        on_cluster(AVAILABLE, _has(condition_types.CLUSTER_AVAILABLE)),
        on_spoke(CREDENTIAL, SECRETS, names.addon_hub_kubeconfig_secret(ADDON)),
        on_spoke(APPLIED, CONFIG_MAPS, GREETING),
        on_addon(REPORTED, _is_reported),
        on_addon(ADDON_AVAILABLE, _has(condition_types.AVAILABLE)),
    )


class Watch:
    """The milestones seen so far, by label, as `time.monotonic` gave it."""

    def __init__(self) -> None:
        self.seen: dict[str, float] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def wait_for(self, label: str) -> None:
        """Return when this one was seen."""
        await self._tasks[label]

    async def wait_for_all(self) -> None:
        """Return when all were seen."""
        for task in self._tasks.values():
            await task

    def _start(self, milestone: Milestone, group: asyncio.TaskGroup) -> None:
        self._tasks[milestone.label] = group.create_task(
            self._see(milestone), name=f"watch-for/{milestone.label}"
        )

    async def _see(self, milestone: Milestone) -> None:
        watching = milestone.client.watch(
            milestone.resource,
            namespace=milestone.namespace,
            field_selector=f"metadata.name={milestone.name}",
        )
        async with aclosing(watching) as events:
            async for event in events:
                if event.type in ("ADDED", "MODIFIED") and milestone.reached(event.object):
                    self.seen[milestone.label] = time.monotonic()
                    return
        raise RuntimeError(f"the watch for {milestone.label!r} ended before it was seen")


@asynccontextmanager
async def watching_for(milestones: tuple[Milestone, ...]) -> AsyncIterator[Watch]:
    """Watch for these while the body runs."""
    watch = Watch()
    async with asyncio.TaskGroup() as group:
        for milestone in milestones:
            watch._start(milestone, group)  # noqa: SLF001 - one concept in two halves
        yield watch
        for task in watch._tasks.values():  # noqa: SLF001
            task.cancel("the join is over")


def _has(condition_type: str) -> Look:
    return lambda obj: condition(obj, condition_type) is not None


def _is_reported(addon: KubeObject) -> bool:
    references = addon.get("status", {}).get("configReferences", [])
    return bool(references) and all(
        r.get("lastAppliedConfig", {}).get("specHash")
        and r["lastAppliedConfig"]["specHash"] == r.get("desiredConfig", {}).get("specHash")
        for r in references
    )
