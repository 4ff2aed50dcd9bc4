"""What a cluster that goes leaves on the hub: its add-ons, and what it was told to do."""

from collections.abc import Sequence
from contextlib import suppress

from towline_api.metadata import finalizers_of, is_being_deleted, name_of, namespace_of, uid_of
from towline_api.resources import KubeObject, Resource
from towline_hub.caches import BY_CLUSTER, HubCaches
from towline_hub.clusters import rbac
from towline_hub.clusters.departure_plan import Remains, after_force
from towline_kube.client import Client
from towline_kube.errors import Conflict, NotFound, NotServed

MANIFEST_WORKS = Resource(rbac.WORK_GROUP, "v1", "manifestworks", "ManifestWork", namespaced=True)


class ClusterRemains:
    """Finds what is left of clusters, and has it deleted.

    Args:
        client: Whom to ask.
        caches: What exists.
    """

    def __init__(self, client: Client, *, caches: HubCaches) -> None:
        self._client = client
        self._caches = caches

    async def next(self, cluster: str) -> Remains | None:
        """Return what has to go next: add-ons, then works; None if nothing is left."""
        addons = self._caches.addons
        if found := addons.by_index(BY_CLUSTER, cluster):
            return Remains(addons.resource, found)
        if works := await self.list_works(cluster):
            return Remains(MANIFEST_WORKS, works)
        return None

    async def all(self, cluster: str) -> list[Remains]:
        """Return everything that is left, kind by kind."""
        addons = self._caches.addons
        found = (
            Remains(addons.resource, addons.by_index(BY_CLUSTER, cluster)),
            Remains(MANIFEST_WORKS, await self.list_works(cluster)),
        )
        return [remains for remains in found if remains.objects]

    async def list_works(self, cluster: str) -> Sequence[KubeObject]:
        """Return a cluster's ManifestWorks; none where they are not served."""
        try:
            return (await self._client.list(MANIFEST_WORKS, namespace=cluster)).items
        except NotServed:
            return ()

    async def delete(self, objects: Sequence[KubeObject], *, resource: Resource) -> None:
        """Delete objects; those that are gone, or are others by now, are left."""
        for obj in objects:
            with suppress(Conflict):  # another one of that name by now: the next pass sees it
                await self._client.delete(
                    resource,
                    name_of(obj),
                    namespace=namespace_of(obj),
                    uid=uid_of(obj),
                    missing_ok=True,
                )

    async def _strip(self, obj: KubeObject, *, kept: list[str], resource: Resource) -> None:
        """Take finalizers away from an object that is being deleted: nobody can add any."""
        with suppress(NotFound, Conflict):
            await self._client.patch(
                resource,
                name_of(obj),
                {"metadata": {"uid": uid_of(obj), "finalizers": kept or None}},
                namespace=namespace_of(obj),
            )

    async def force(self, remains: Remains) -> None:
        """Delete what is left, and take the finalizers away that hold it."""
        await self.delete(
            [obj for obj in remains.objects if not is_being_deleted(obj)],
            resource=remains.resource,
        )
        for obj in remains.objects:
            if finalizers_of(obj):
                kept = after_force(finalizers_of(obj))
                await self._strip(obj, kept=kept, resource=remains.resource)
