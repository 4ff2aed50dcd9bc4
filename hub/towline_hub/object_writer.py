"""Bringing objects to the state they should have, with no write where they have it."""

import logging
from collections.abc import Iterable, Mapping

from towline_api.metadata import (
    finalizers_of,
    is_being_deleted,
    key_of,
    owner_references_of,
    uid_of,
)
from towline_api.resources import KubeObject, Resource
from towline_hub.own_writes import FreshView
from towline_kube.client import Client
from towline_kube.errors import AlreadyExists, Conflict
from towline_kube.merge_patch import is_applied

log = logging.getLogger(__name__)


class ObjectWriter:
    """Creates and removes objects, and corrects them by server-side apply.

    Args:
        client: Whom to ask.
        views: What exists already, by kind. Kinds without a view cannot be written.
    """

    def __init__(self, client: Client, views: Iterable[FreshView]) -> None:
        self._client = client
        self._views: Mapping[str, FreshView] = {view.resource.kind: view for view in views}

    def find(self, desired: KubeObject) -> KubeObject | None:
        """Return the live object of a desired one's kind, name and namespace, or None."""
        key = key_of(desired)
        return self._views[desired["kind"]].find(key.name, key.namespace)

    async def ensure(self, desired: KubeObject) -> KubeObject:
        """Return the live object after bringing it to what is desired.

        What others added (fields, labels, finalizers, owners) stays. An object that is being
        deleted is returned as it is: applying to it would not keep it.
        """
        view = self._views[desired["kind"]]
        live = self.find(desired)
        if live is not None:
            if is_being_deleted(live) or holds(desired, live):
                return live
            if "roleRef" in desired and desired["roleRef"] != live.get("roleRef"):
                # What a binding refers to can never be changed, only bound anew.
                await self.remove(live, resource=view.resource)
        written = None if live is not None else await self._create(desired, resource=view.resource)
        if written is None:
            written = await self._client.apply(view.resource, desired)
        view.remember(written)
        key = key_of(desired)
        log.debug(
            "object applied",
            extra={"object": view.resource.describe(key.name, namespace=key.namespace)},
        )
        return written

    async def _create(self, desired: KubeObject, *, resource: Resource) -> KubeObject | None:
        """Return the object as created; None if somebody has made one already.

        What is new has nothing to merge with, and an API server creates it in half the time that
        applying it takes. Its fields are ours all the same.
        """
        try:
            return await self._client.create(resource, desired)
        except AlreadyExists:
            return None

    async def remove(self, live: KubeObject, *, resource: Resource) -> None:
        """Delete this very object; one of the same name made since is left alone."""
        key = key_of(live)
        if is_being_deleted(live):
            return
        try:
            await self._client.delete(
                resource, key.name, namespace=key.namespace, uid=uid_of(live), missing_ok=True
            )
        except Conflict:
            # Another object has that name by now; the watch will tell, and somebody will decide.
            log.info(
                "object was replaced before it could be removed",
                extra={"object": resource.describe(key.name, namespace=key.namespace)},
            )
        self._views[resource.kind].forget(key.name, key.namespace)


def holds(desired: KubeObject, live: KubeObject) -> bool:
    """Return whether a live object has everything that is desired.

    Finalizers and owner references are sets that others add to, so they need only be among those
    that are there. Everything else in a list counts: one subject more in a binding is a
    difference.
    """
    metadata = dict(desired["metadata"])
    finalizers = metadata.pop("finalizers", [])
    owners = metadata.pop("ownerReferences", [])
    return (
        set(finalizers) <= set(finalizers_of(live))
        and all(
            any(is_applied(owner, dict(item)) for item in owner_references_of(live))
            for owner in owners
        )
        and is_applied(desired | {"metadata": metadata}, live)
    )
