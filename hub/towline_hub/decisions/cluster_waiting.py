"""Waiting, at the command line, for what a hub does to a ManagedCluster."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from towline_api.resources import MANAGED_CLUSTERS, KubeObject
from towline_kube.cache import Cache
from towline_kube.client import Client
from towline_kube.errors import Forbidden, Unauthorized
from towline_kube.failures import one_failure
from towline_kube.task_groups import TaskGroup

_LOOK = timedelta(seconds=1)
"""A list that finds nothing, and a watch that fails, wake nobody."""


async def wait_for_cluster(
    client: Client,
    name: str,
    *,
    until: Callable[[KubeObject | None], bool],
    limit: timedelta,
    tell: Callable[[KubeObject | None], None] | None = None,
) -> bool:
    """Watch a cluster until something holds; return whether it came to that in time.

    Args:
        client: Whom to ask.
        name: Name of the ManagedCluster.
        until: Asked of each state; None means there is no such cluster.
        limit: How long to wait.
        tell: Shown each state.

    Raises:
        ApiError: The client's identity may not watch the cluster.
    """
    changed = asyncio.Event()
    cache = Cache(client, MANAGED_CLUSTERS, field_selector=f"metadata.name={name}")
    cache.on_change(lambda _: changed.set())
    with one_failure(), suppress(TimeoutError):
        async with asyncio.timeout(limit.total_seconds()), TaskGroup() as group:
            watching = group.create_task(cache.run(), name=f"watch-cluster/{name}")
            try:
                await _look(cache, name, changed, until=until, tell=tell)
                return True
            finally:
                watching.cancel()
    return False


async def _look(
    cache: Cache,
    name: str,
    changed: asyncio.Event,
    *,
    until: Callable[[KubeObject | None], bool],
    tell: Callable[[KubeObject | None], None] | None,
) -> None:
    while True:
        changed.clear()
        if isinstance(cache.last_error, Forbidden | Unauthorized):
            raise cache.last_error
        if cache.synced:
            cluster = cache.find(name)
            if tell is not None:
                tell(cluster)
            if until(cluster):
                return
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK.total_seconds()):
                await changed.wait()
