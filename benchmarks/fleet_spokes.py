"""Simulated managed clusters: each with a key and a request of its own, all joining at once.

They do what an agent does on the hub until its cluster has joined, and nothing else, so that what
is measured is the hub and its API server.
"""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from towline_api import names
from towline_api.condition_types import HUB_ACCEPTED, JOINED
from towline_api.conditions import conditions_of, is_true, with_condition
from towline_api.metadata import name_of, resource_version_of
from towline_api.names import CLUSTER_LEASE
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    LEASES,
    MANAGED_CLUSTERS,
    KubeObject,
    Resource,
)
from towline_api.timestamps import format_micro_time
from towline_certs.identities import ClusterIdentity
from towline_certs.keys import PrivateKey, format_key, generate_key
from towline_certs.requests import build_request
from towline_kube.client import Client
from towline_kube.connection import Connection
from towline_kube.errors import Conflict, Forbidden, NotFound
from towline_kube.watch import WatchEventType

AGENT = "agent"
_RETRY_SECONDS = 0.05
_USER_AGENT = "fleet-spoke"


@dataclass(frozen=True, slots=True)
class Spoke:
    """One managed cluster that is to join.

    Args:
        name: Its name.
        key: Of the certificate it asks for.
        request_pem: The request for it.
    """

    name: str
    key: PrivateKey
    request_pem: bytes


def make_spokes(count: int) -> list[Spoke]:
    """Make clusters with fresh keys, before any time is taken."""
    spokes = []
    for number in range(count):
        name, key = f"cluster-{number:05}", generate_key()
        subject = ClusterIdentity(name, AGENT).subject
        spokes.append(Spoke(name, key, build_request(key, subject=subject)))
    return spokes


async def join_all(spokes: Sequence[Spoke], *, admin: Client, bootstrap: Connection) -> list[float]:
    """Have all clusters join at once; return how many seconds each took.

    A cluster has joined when it has said so, and renewed its lease, with its own certificate.

    Args:
        spokes: The clusters.
        admin: Watches on behalf of all of them: five hundred watches of their own would be work for
            the API server that has nothing to do with the hub.
        bootstrap: What they come with.
    """
    async with (
        _Notices.of(admin) as notices,
        Client(bootstrap, field_manager=_USER_AGENT, user_agent=_USER_AGENT) as nobody,
    ):
        began = time.monotonic()

        async def join(spoke: Spoke) -> float:
            certificate = await _ask(spoke, nobody, notices)
            await notices.accepted(spoke.name)
            await _speak(spoke, replace(bootstrap, token=None), certificate)
            return time.monotonic() - began

        async with asyncio.TaskGroup() as group:
            joins = [group.create_task(join(spoke), name=f"join/{spoke.name}") for spoke in spokes]
        return [join.result() for join in joins]


async def _ask(spoke: Spoke, nobody: Client, notices: "_Notices") -> bytes:
    """Introduce the cluster and ask for its certificate, as OCM's agents do; return it."""
    cluster = {
        "apiVersion": MANAGED_CLUSTERS.api_version,
        "kind": MANAGED_CLUSTERS.kind,
        "metadata": {"name": spoke.name},
        "spec": {"hubAcceptsClient": False},
    }
    await nobody.create(MANAGED_CLUSTERS, cluster)
    request = {
        "apiVersion": CERTIFICATE_SIGNING_REQUESTS.api_version,
        "kind": CERTIFICATE_SIGNING_REQUESTS.kind,
        "metadata": {
            "generateName": f"{spoke.name}-",
            "labels": {names.CLUSTER_NAME_LABEL: spoke.name},
        },
        "spec": {
            "signerName": names.KUBE_CLIENT_SIGNER,
            "usages": list(names.CLIENT_CERTIFICATE_USAGES),
            "request": base64.b64encode(spoke.request_pem).decode(),
        },
    }
    posted = await nobody.create(CERTIFICATE_SIGNING_REQUESTS, request)
    return await notices.certificate(name_of(posted))


async def _speak(spoke: Spoke, connection: Connection, certificate: bytes) -> None:
    """Say with the cluster's own certificate that it has joined, and renew its lease."""
    own = replace(
        connection, client_certificate_pem=certificate, client_key_pem=format_key(spoke.key)
    )
    async with Client(own, field_manager=_USER_AGENT, user_agent=_USER_AGENT) as client:
        while True:
            # Rights may take a moment to be in force, and hubs write to the same status.
            with suppress(Conflict, Forbidden, NotFound):
                cluster = await client.get(MANAGED_CLUSTERS, spoke.name)
                await client.patch_status(MANAGED_CLUSTERS, cluster, _joined(cluster))
                break
            await asyncio.sleep(_RETRY_SECONDS)
        while True:
            with suppress(Conflict, Forbidden, NotFound):
                lease = await client.get(LEASES, CLUSTER_LEASE, namespace=spoke.name)
                lease["spec"]["renewTime"] = format_micro_time(datetime.now(UTC))
                await client.replace(LEASES, lease)
                return
            await asyncio.sleep(_RETRY_SECONDS)


def _joined(cluster: KubeObject) -> KubeObject:
    conditions = with_condition(
        conditions_of(cluster),
        type=JOINED,
        status="True",
        reason=JOINED,
        message="Managed cluster joined",
        now=datetime.now(UTC),
    )
    return {**(cluster.get("status") or {}), "conditions": conditions}


class _Notices:
    """What two watches tell all spokes: their certificates, and that they were accepted."""

    def __init__(self) -> None:
        self._certificates: dict[str, asyncio.Future[bytes]] = {}
        self._accepted: dict[str, asyncio.Event] = {}

    @classmethod
    @asynccontextmanager
    async def of(cls, admin: Client) -> AsyncIterator["_Notices"]:
        """Watch while the body runs."""
        notices = cls()
        resource, clusters = CERTIFICATE_SIGNING_REQUESTS, MANAGED_CLUSTERS
        # Listed before anybody joins: what came before a watch began would be waited for forever.
        since = [(await admin.list(kind)).resource_version for kind in (resource, clusters)]
        async with asyncio.TaskGroup() as group:
            watching = [
                group.create_task(
                    notices._take_requests(admin, since[0]), name=f"watch-{resource.plural}"
                ),
                group.create_task(
                    notices._take_clusters(admin, since[1]), name=f"watch-{clusters.plural}"
                ),
            ]
            yield notices
            for watch in watching:
                watch.cancel("enough was seen")

    async def certificate(self, request: str) -> bytes:
        """Return the certificate issued for a request, once it is there."""
        return await self._certificate(request)

    async def accepted(self, cluster: str) -> None:
        """Return once the hub says that it has accepted a cluster."""
        await self._accepted.setdefault(cluster, asyncio.Event()).wait()

    def _certificate(self, request: str) -> asyncio.Future[bytes]:
        return self._certificates.setdefault(request, asyncio.get_running_loop().create_future())

    async def _take_requests(self, admin: Client, since: str) -> None:
        async for request in _changes(admin, CERTIFICATE_SIGNING_REQUESTS, since):
            certificate = (request.get("status") or {}).get("certificate")
            issued = self._certificate(name_of(request))
            if certificate and not issued.done():
                issued.set_result(base64.b64decode(certificate))

    async def _take_clusters(self, admin: Client, since: str) -> None:
        async for cluster in _changes(admin, MANAGED_CLUSTERS, since):
            if is_true(cluster, HUB_ACCEPTED):
                self._accepted.setdefault(name_of(cluster), asyncio.Event()).set()


async def _changes(admin: Client, resource: Resource, since: str) -> AsyncIterator[KubeObject]:
    """Yield every changed state of the objects of a kind, from a resource version on."""
    while True:  # an API server ends watches of whoever is too busy to read them
        async for event in admin.watch(resource, resource_version=since):
            since = resource_version_of(event.object)
            if event.type is WatchEventType.MODIFIED:
                yield event.object
