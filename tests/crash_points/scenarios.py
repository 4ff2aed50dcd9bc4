"""What is going on while a program is killed."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from crash_points.invariants import requests_of
from crash_points.world import ADDON, CERTIFICATE_LIFETIME, CLUSTER, SIGNER, Party, World
from integration.hub.works import add_work, serve_works
from towline_api import condition_types, names
from towline_api.conditions import is_true
from towline_api.rbac_subjects import user_subject
from towline_api.resources import (
    CLUSTER_MANAGEMENT_ADDONS,
    CLUSTER_ROLE_BINDINGS,
    CONFIG_MAPS,
    LEASES,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
    NAMESPACES,
    ROLE_BINDINGS,
    SECRETS,
    KubeObject,
    Resource,
)
from towline_hub.addons.declaration_settings import DeclarationSettings
from towline_hub.clusters.cluster_remains import MANIFEST_WORKS
from towline_hub.decisions.accept import accept_cluster
from towline_hub.permissions import hub_permissions
from towline_hub.signers.settings import SignerSettings
from towline_sandbox.embedded.faults import Moment
from towline_sandbox.embedded.plane import EmbeddedPlane
from towline_sandbox.grants import HUB_USER, grant
from towline_sandbox.waiting import until

PATIENCE = timedelta(seconds=20)

GREETING = "greeting"
_REST_SECONDS = 0.15
_CALLS_OF_A_START = 20
"""Hub and agent both make more before they are at work."""
_SHORT_LIMIT = timedelta(seconds=1)
"""Deletion times are whole seconds, so this is none up to one."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One thing that happens to a cluster.

    Args:
        name: What it is called.
        prepare: Brings the planes to where it begins, once; nobody runs in the end.
        running: Who runs from the beginning, and is at rest then.
        play: What the operator does meanwhile; returns when it is over, however often programs
            were killed, and however much of it was done before. Whoever is not running yet is
            started here.
        requests_each: How many certificates each identity needs until the end.
        parties: Whose calls it is about.
        cast: Who plays.
        moments: Before or after a call takes effect. Where a program's calls come one by one, the
            moment before one is the moment after the one before.
        webhook: Whether the hub converts between the API versions of add-ons. It plays no part in
            what clusters do, and a webhook for each start takes its time.
    """

    name: str
    prepare: Callable[[World], Awaitable[None]]
    running: tuple[Party, ...]
    play: Callable[[World], Awaitable[None]]
    requests_each: int
    parties: tuple[Party, ...] = tuple(Party)
    cast: tuple[Party, ...] = tuple(Party)
    moments: tuple[Moment, ...] = tuple(Moment)
    webhook: bool = False

    def __str__(self) -> str:
        """Return its name."""
        return self.name

    def is_all_stored(self, *, without: Party) -> bool:
        """Tell whether those who live on when one is killed know nothing but what is stored.

        The hub does. The agent remembers keys, and who it is.
        """
        return set(self.cast) - {without} <= {Party.HUB}


async def nothing(_world: World) -> None:
    """Begin with two fresh planes, or with nobody running."""


async def first_start(world: World) -> None:
    """A hub starts for the first time, on a cluster that knows nothing of it."""
    world.start(Party.HUB)
    await _until_there(
        world, world.hub_plane, CLUSTER_ROLE_BINDINGS, names.BOOTSTRAP_CLUSTER_ROLE_BINDING
    )
    await until_at_rest(world, Party.HUB)


async def hub_prepared(world: World) -> None:
    """Begin with a hub that has been started once."""
    await hub_at_rest(world)
    await world.kill_all()


async def join(world: World) -> None:
    """A cluster joins, and gets its add-on as soon as it has a namespace."""
    world.start(Party.AGENT)
    await _until_there(world, world.hub_plane, NAMESPACES, CLUSTER)
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
    await hub_at_rest(world)
    await join(world)
    await until_at_rest(world, *Party)
    await world.kill_all()


async def joined_long_ago(world: World) -> None:
    """Begin with a cluster whose certificates are due for renewal."""
    await joined(world)
    world.pass_time(CERTIFICATE_LIFETIME * 5 / 6)


async def hub_at_rest(world: World) -> None:
    """Begin with the hub at work."""
    world.start(Party.HUB)
    await until_at_rest(world, Party.HUB)


async def renew(world: World) -> None:
    """The agent starts, and all certificates are renewed."""
    world.start(Party.AGENT)

    def renewed() -> bool:
        held = _certificates(world)
        issued = [r["status"].get("certificate") for r in requests_of(world)[2:] if "status" in r]
        return len(issued) == 2 and set(issued) == held

    await _until(world, "renewed certificates", renewed)
    await _until_joined(world)


async def change_configuration(world: World) -> None:
    """The operator changes what the add-on has been configured with."""
    await _greet(world, "good morning")
    await _until_greeted(world, "good morning")


async def remove_addon(world: World) -> None:
    """The operator removes the add-on; nothing of it is left."""
    await world.hub.delete(MANAGED_CLUSTER_ADDONS, ADDON, namespace=CLUSTER, missing_ok=True)
    secret = names.addon_hub_kubeconfig_secret(ADDON)

    def gone() -> bool:
        left = [
            world.find(world.hub_plane, MANAGED_CLUSTER_ADDONS, ADDON, namespace=CLUSTER),
            world.find(world.spoke_plane, SECRETS, secret, namespace=names.ADDON_NAMESPACE),
            world.find(world.spoke_plane, CONFIG_MAPS, GREETING, namespace=names.ADDON_NAMESPACE),
        ]
        return left == [None] * len(left)

    await _until(world, "the end of the add-on", gone)


async def deny_and_accept_again(world: World) -> None:
    """The operator denies the cluster, sees it done, and thinks again."""
    binding = names.work_role_binding(CLUSTER)

    def decided(*, accepted: bool) -> bool:
        cluster = world.find(world.hub_plane, MANAGED_CLUSTERS, CLUSTER)
        found = world.find(world.hub_plane, ROLE_BINDINGS, binding, namespace=CLUSTER)
        return (
            cluster is not None
            and is_true(cluster, condition_types.HUB_ACCEPTED) is accepted
            and (found is not None) is accepted
        )

    for accepted in (False, True):
        await world.hub.patch(MANAGED_CLUSTERS, CLUSTER, {"spec": {"hubAcceptsClient": accepted}})
        await _until(world, f"accepted: {accepted}", partial(decided, accepted=accepted))


async def joined_and_gone_for_good(world: World) -> None:
    """Begin with a cluster whose agent will not clean up what an add-on and a work hold."""
    world.hub_settings = world.hub_settings.model_copy(update={"cleanup_limit": _SHORT_LIMIT})
    await joined(world)
    await serve_works(world.hub)
    await add_work(world.hub, "held", namespace=CLUSTER)
    await world.hub.patch(
        MANAGED_CLUSTER_ADDONS,
        ADDON,
        {"metadata": {"finalizers": ["example.com/never-removed"]}},
        namespace=CLUSTER,
    )


async def remove_cluster(world: World) -> None:
    """The operator removes the cluster; the hub lets everything go in the end."""
    await world.hub.delete(MANAGED_CLUSTERS, CLUSTER, missing_ok=True)

    def gone() -> bool:
        left = [
            world.find(world.hub_plane, MANAGED_CLUSTERS, CLUSTER),
            world.find(world.hub_plane, MANAGED_CLUSTER_ADDONS, ADDON, namespace=CLUSTER),
            world.find(world.hub_plane, MANIFEST_WORKS, "held", namespace=CLUSTER),
        ]
        return left == [None] * len(left)

    await _until(world, "the end of the cluster", gone)


async def removed(world: World) -> None:
    """Begin with a cluster that was removed, and whose agent is to begin anew."""
    await hub_at_rest(world)
    await join(world)
    await until_at_rest(world, *Party)
    await remove_cluster(world)
    await until_at_rest(world, Party.HUB)
    await world.kill_all()
    secret = await world.spoke.get(
        SECRETS, names.HUB_KUBECONFIG_SECRET, namespace=names.AGENT_NAMESPACE
    )
    # Kept aside by the administrator: no key is ever lost in these tests.
    await world.spoke.apply(
        SECRETS, _object(SECRETS, "former", namespace="default", data=secret["data"])
    )
    await world.spoke.delete(SECRETS, names.HUB_KUBECONFIG_SECRET, namespace=names.AGENT_NAMESPACE)


async def join_again(world: World) -> None:
    """An agent registers the removed cluster's name, and a person lets it in."""
    world.start(Party.AGENT)

    def asks() -> bool:
        cluster = world.find(world.hub_plane, MANAGED_CLUSTERS, CLUSTER)
        undecided = [r for r in requests_of(world) if not r.get("status", {}).get("conditions")]
        return cluster is not None and bool(undecided)

    await _until(world, "a request that waits for the operator", asks)
    await accept_cluster(world.hub, CLUSTER)

    def well() -> bool:
        cluster = world.find(world.hub_plane, MANAGED_CLUSTERS, CLUSTER)
        conditions = (condition_types.JOINED, condition_types.CLUSTER_AVAILABLE)
        return cluster is not None and all(is_true(cluster, kind) for kind in conditions)

    await _until(world, "a cluster that is well", well)


async def registered_with_a_signer(world: World) -> None:
    """Begin with a cluster that joined, and an add-on that the hub's own signer serves since."""
    await joined(world)
    signer = SignerSettings(signer_name=SIGNER, secret="tow", managed=True)
    declaration = DeclarationSettings.model_validate(
        {"name": ADDON, "custom-signers": [{"signer-name": SIGNER, "user": "tow of {cluster}"}]}
    )
    namespace = world.hub_settings.namespace
    rights = hub_permissions(
        user_subject(HUB_USER),
        installs_crds=True,
        namespace=namespace,
        signers=[signer],
        declarations=[declaration.declaration()],
    )
    await grant(world.hub, rights)
    world.hub_settings = world.hub_settings.model_copy(
        update={"signers": (signer,), "declarations": (declaration,)}
    )
    await hub_at_rest(world)
    await _until_there(world, world.hub_plane, CONFIG_MAPS, signer.bundle, namespace=namespace)
    await until_at_rest(world, Party.HUB)
    await world.kill_all()


async def sign(world: World) -> None:
    """The agent asks the hub's own signer, and puts its certificate where the add-on looks."""
    world.start(Party.AGENT)
    secret = names.addon_client_certificate_secret(ADDON, signer=SIGNER)
    await _until_there(world, world.spoke_plane, SECRETS, secret, namespace=names.ADDON_NAMESPACE)
    held = world.find(world.spoke_plane, SECRETS, secret, namespace=names.ADDON_NAMESPACE)
    issued = [r["status"].get("certificate") for r in requests_of(world) if "status" in r]
    assert held is not None
    assert held["data"]["tls.crt"] in issued
    await _until_joined(world)


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "first start",
            nothing,
            (),
            first_start,
            requests_each=0,
            parties=(Party.HUB,),
            cast=(Party.HUB,),
            moments=(Moment.AFTER,),
            webhook=True,
        ),
        Scenario("join", hub_prepared, (Party.HUB,), join, requests_each=1),
        Scenario("renewal", joined_long_ago, (Party.HUB,), renew, requests_each=2),
        Scenario(
            "configuration change", joined, tuple(Party), change_configuration, requests_each=1
        ),
        Scenario("removal", joined, tuple(Party), remove_addon, requests_each=1),
        Scenario(
            "signing",
            registered_with_a_signer,
            (Party.HUB,),
            sign,
            requests_each=1,
            parties=(Party.HUB,),
            moments=(Moment.AFTER,),
        ),
        Scenario(
            "denial",
            joined,
            (Party.HUB,),
            deny_and_accept_again,
            requests_each=1,
            parties=(Party.HUB,),
            moments=(Moment.AFTER,),
        ),
        Scenario(
            "forced removal",
            joined_and_gone_for_good,
            (Party.HUB,),
            remove_cluster,
            requests_each=1,
            parties=(Party.HUB,),
            cast=(Party.HUB,),
            moments=(Moment.AFTER,),
        ),
        Scenario(
            "return",
            removed,
            (Party.HUB,),
            join_again,
            requests_each=2,
            parties=(Party.HUB,),
            moments=(Moment.AFTER,),
        ),
    )
}


async def until_at_rest(world: World, *parties: Party) -> None:
    """Wait until these have begun, and nobody has called anybody for a while."""
    last: dict[Party, int] = {}
    while last != (now := dict(world.gate.made)) or any(
        world.calls_of(party) < _CALLS_OF_A_START for party in parties
    ):
        world.check_running()
        last = now
        await asyncio.sleep(_REST_SECONDS)


async def _greet(world: World, message: str) -> None:
    body = _object(CONFIG_MAPS, GREETING, namespace=CLUSTER, data={"message": message})
    await world.hub.apply(CONFIG_MAPS, body)


async def _until_greeted(world: World, message: str) -> None:
    def greeted() -> bool:
        copy = world.find(world.spoke_plane, CONFIG_MAPS, GREETING, namespace=names.ADDON_NAMESPACE)
        return copy is not None and copy["data"] == {"message": message}

    await _until(world, f"the greeting {message!r}", greeted)


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

    def met() -> bool:
        found = [
            (world.find(world.hub_plane, resource, name, namespace=namespace), conditions)
            for resource, name, namespace, conditions in wanted
        ]
        return all(
            obj is not None and all(is_true(obj, kind) for kind in conditions)
            for obj, conditions in found
        )

    await _until(world, "a cluster and an add-on that are well", met)
    await _until_there(world, world.hub_plane, LEASES, names.CLUSTER_LEASE, namespace=CLUSTER)


def _certificates(world: World) -> set[str]:
    """Return the certificates that the agent holds, as base64 of PEM."""
    secrets = (names.HUB_KUBECONFIG_SECRET, names.addon_hub_kubeconfig_secret(ADDON))
    return {
        obj["data"].get("tls.crt")
        for obj in world.spoke_plane.objects()
        if obj["kind"] == SECRETS.kind and obj["metadata"]["name"] in secrets
    }


async def _until_there(
    world: World,
    plane: EmbeddedPlane,
    resource: Resource,
    name: str,
    *,
    namespace: str | None = None,
) -> None:
    await _until(
        world,
        resource.describe(name, namespace=namespace),
        lambda: world.find(plane, resource, name, namespace=namespace) is not None,
    )


async def _until(world: World, what: str, holds: Callable[[], bool]) -> None:
    """Wait until something holds; looking costs the planes no call."""

    async def look() -> bool | None:
        world.check_running()
        return holds() or None

    await until(what, look, within=PATIENCE)


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
