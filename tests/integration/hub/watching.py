"""An open watch beside a test."""

from collections.abc import Callable
from contextlib import aclosing

from towline_api.resources import KubeObject, Resource
from towline_kube.client import Client
from towline_kube.watch import WatchEventType


async def watch_objects(
    client: Client,
    resource: Resource,
    take: Callable[[KubeObject], None],
    *,
    namespace: str | None = None,
    name: str | None = None,
) -> None:
    """Hand over each state of the objects that a watch shows, until it ends."""
    selector = None if name is None else f"metadata.name={name}"
    watching = client.watch(resource, namespace=namespace, field_selector=selector)
    async with aclosing(watching) as events:
        async for event in events:
            if event.type is not WatchEventType.BOOKMARK:
                take(event.object)
