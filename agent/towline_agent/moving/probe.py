"""Whether a hub would take the cluster, asked as the bootstrap identity before anybody moves."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from towline_agent.clusters.status import standing_of
from towline_agent.credentials.state import Standing
from towline_agent.hubs.bootstrap import BootstrapAccess
from towline_api.errors import TowlineError
from towline_api.resources import CERTIFICATE_SIGNING_REQUESTS, MANAGED_CLUSTERS, Resource
from towline_kube.client import Client

_LIMIT = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class _Right:
    resource: Resource
    verb: str
    is_by_name: bool = False


_NEEDED = (
    _Right(MANAGED_CLUSTERS, "create"),
    # A token that is bound to the cluster may look at that one alone.
    _Right(MANAGED_CLUSTERS, "get", is_by_name=True),
    *(_Right(CERTIFICATE_SIGNING_REQUESTS, verb) for verb in ("create", "get", "list", "watch")),
)
"""What OCM's agents ask for as well before they choose a bootstrap kubeconfig."""


async def find_obstacle(bootstrap: BootstrapAccess, *, cluster: str) -> str | None:
    """Return why a cluster cannot come to a hub; None if nothing is known against it.

    A ManagedCluster that waits for its acceptance is no obstacle; one that was denied is.

    Args:
        bootstrap: Whom to ask as.
        cluster: Name of the cluster.
    """
    try:
        async with asyncio.timeout(_LIMIT.total_seconds()):
            return await _look(await bootstrap.client(), cluster)
    except TimeoutError:
        return f"no answer within {_LIMIT.total_seconds():g} s"
    except TowlineError as error:
        return str(error)


async def _look(client: Client, cluster: str) -> str | None:
    for right in _NEEDED:
        resource, name = right.resource, cluster if right.is_by_name else ""
        if not await client.can_i(
            verb=right.verb, group=resource.group, resource=resource.plural, name=name
        ):
            return f"the bootstrap identity may not {right.verb} {resource.qualified}"
    live = await client.find(MANAGED_CLUSTERS, cluster)
    standing = Standing.UNKNOWN if live is None else standing_of(live)
    if standing is Standing.DENIED:
        return f"the hub does not accept cluster {cluster}"
    if standing is Standing.GONE:
        return f"cluster {cluster} is being deleted there"
    return None
