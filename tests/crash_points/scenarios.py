"""What is going on while a program is killed."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from crash_points.invariants import requests_of
from crash_points.world import ADDON, CERTIFICATE_LIFETIME, CLUSTER, Party, World
from towline_api import condition_types, names
from towline_api.conditions import is_true
from towline_api.resources import (
    CLUSTER_MANAGEMENT_ADDONS,
    CONFIG_MAPS,
    LEASES,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
    NAMESPACES,
    SECRETS,
    KubeObject,
    Resource,
)
from towline_kube.client import Client
from towline_kube.errors import NotFound, NotServed
from towline_sandbox.in_process import until_hub_takes_clusters
from towline_sandbox.waiting import until

PATIENCE = timedelta(seconds=20)

GREETING = "greeting"
_REST_SECONDS = 0.3
_CALLS_OF_A_START = 20
"""Hub and agent both make more before they are at work."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One thing that happens to a cluster.

    Args:
        name: What it is called.
        prepare: Brings the planes to where it begins, once; nobody runs in the end.
        begin: Starts whoever is to run from the beginning; nobody is killed yet.
        play: What the operator does meanwhile; returns when it is over, however often programs
            were killed. Whoever is not running yet is started here.
        requests_each: How many certificates each identity needs until the end.
    """

    name: str
    prepare: Callable[[World], Awaitable[None]]
    begin: Callable[[World], Awaitable[None]]
    play: Callable[[World], Awaitable[None]]
    requests_each: int


async def nothing(_world: World) -> None:
    """Begin with two fresh planes, or with nobody running."""


async def join(world: World) -> None:
    """A cluster joins, and gets its add-on as soon as it has a namespace."""
    world.start(Party.HUB)
    async with asyncio.timeout(PATIENCE.total_seconds()):
        await until_hub_takes_clusters(world.hub)
    world.start(Party.AGENT)
    await _until_there(world.hub, NAMESPACES, CLUSTER, world)
    await world.hub.apply(
        CLUSTER_MANAGEMENT_ADDONS, _object(CLUSTER_MANAGEMENT_ADDONS, ADDON, spec={})
    )
    await world.hub.apply(
        MANAGED_CLUSTER_ADDONS,
        _object(MANAGED_CLUSTER_ADDONS, ADDON, namespace=CLUSTER, spec={}),
    )
    await _greet(world, "hello")
    await _until_greeted(world, "hello")
    await _until_joined(world)


async def joined(world: World) -> None:
    """Begin with a cluster that has joined and has its add-on."""
    await join(world)
    await _until_at_rest(world, *Party)
    await world.kill_all()


async def joined_long_ago(world: World) -> None:
    """Begin with a cluster whose certificates are due for renewal."""
    await joined(world)
    world.pass_time(CERTIFICATE_LIFETIME * 5 / 6)


async def hub_at_rest(world: World) -> None:
    """Begin with the hub at work; how it starts is part of the join."""
    world.start(Party.HUB)
    await _until_at_rest(world, Party.HUB)


async def at_rest(world: World) -> None:
    """Begin with hub and agent at work, and nothing to do."""
    world.start(Party.HUB)
    world.start(Party.AGENT)
    await _until_at_rest(world, *Party)


async def renew(world: World) -> None:
    """The agent starts, and all certificates are renewed."""
    world.start(Party.AGENT)

    async def renewed() -> bool | None:
        world.check_running()
        held = _certificates(world)
        issued = [r["status"].get("certificate") for r in requests_of(world)[2:] if "status" in r]
        return True if len(issued) == 2 and set(issued) == held else None

    await until("renewed certificates", renewed, within=PATIENCE)
    await _until_joined(world)


async def change_configuration(world: World) -> None:
    """The operator changes what the add-on has been configured with."""
    await _greet(world, "good morning")
    await _until_greeted(world, "good morning")


async def remove_addon(world: World) -> None:
    """The operator removes the add-on; nothing of it is left."""
    await world.hub.delete(MANAGED_CLUSTER_ADDONS, ADDON, namespace=CLUSTER)
    secret = names.addon_hub_kubeconfig_secret(ADDON)

    async def gone() -> bool | None:
        world.check_running()
        left = [
            await world.hub.find(MANAGED_CLUSTER_ADDONS, ADDON, namespace=CLUSTER),
            await world.spoke.find(SECRETS, secret, namespace=names.ADDON_NAMESPACE),
            await world.spoke.find(CONFIG_MAPS, GREETING, namespace=names.ADDON_NAMESPACE),
        ]
        return True if left == [None] * len(left) else None

    await until("the end of the add-on", gone, within=PATIENCE)


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("join", nothing, nothing, join, requests_each=1),
        Scenario("renewal", joined_long_ago, hub_at_rest, renew, requests_each=2),
        Scenario("configuration change", joined, at_rest, change_configuration, requests_each=1),
        Scenario("removal", joined, at_rest, remove_addon, requests_each=1),
    )
}


async def _until_at_rest(world: World, *parties: Party) -> None:
    """Wait until these have begun, and nobody has called anybody for a while."""
    last: dict[Party, int] = {}
    while last != (now := dict(world.gate.calls)) or any(
        now[party] < _CALLS_OF_A_START for party in parties
    ):
        world.check_running()
        last = now
        await asyncio.sleep(_REST_SECONDS)


async def _greet(world: World, message: str) -> None:
    body = _object(CONFIG_MAPS, GREETING, namespace=CLUSTER, data={"message": message})
    await world.hub.apply(CONFIG_MAPS, body)


async def _until_greeted(world: World, message: str) -> None:
    async def greeted() -> bool | None:
        world.check_running()
        copy = await world.spoke.find(CONFIG_MAPS, GREETING, namespace=names.ADDON_NAMESPACE)
        return True if copy is not None and copy["data"] == {"message": message} else None

    await until(f"the greeting {message!r}", greeted, within=PATIENCE)


async def _until_joined(world: World) -> None:
    """Wait until cluster and add-on are said to be well, and both leases are renewed."""
    wanted: list[tuple[Resource, str, str | None, tuple[str, ...]]] = [
        (
            MANAGED_CLUSTERS,
            CLUSTER,
            None,
            (condition_types.JOINED, condition_types.CLUSTER_AVAILABLE),
        ),
        (MANAGED_CLUSTER_ADDONS, ADDON, CLUSTER, (condition_types.AVAILABLE,)),
    ]
    for resource, name, namespace, conditions in wanted:

        async def met(
            resource: Resource = resource,
            name: str = name,
            namespace: str | None = namespace,
            conditions: tuple[str, ...] = conditions,
        ) -> bool | None:
            world.check_running()
            found = await world.hub.find(resource, name, namespace=namespace)
            fine = found is not None and all(is_true(found, kind) for kind in conditions)
            return True if fine else None

        await until(f"{name} {conditions}", met, within=PATIENCE)
    await _until_there(world.hub, LEASES, names.CLUSTER_LEASE, world, namespace=CLUSTER)


def _certificates(world: World) -> set[str]:
    """Return the certificates that the agent holds, as base64 of PEM."""
    secrets = (names.HUB_KUBECONFIG_SECRET, names.addon_hub_kubeconfig_secret(ADDON))
    return {
        obj["data"].get("tls.crt")
        for obj in world.spoke_plane.objects()
        if obj["kind"] == SECRETS.kind and obj["metadata"]["name"] in secrets
    }


async def _until_there(
    client: Client, resource: Resource, name: str, world: World, *, namespace: str | None = None
) -> None:
    async def there() -> KubeObject | None:
        world.check_running()
        try:
            return await client.find(resource, name, namespace=namespace)
        except (NotFound, NotServed):
            return None

    await until(resource.describe(name, namespace=namespace), there, within=PATIENCE)


def _object(
    resource: Resource, name: str, *, namespace: str | None = None, **content: object
) -> KubeObject:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": metadata,
        **content,
    }
