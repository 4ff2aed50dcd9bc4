"""Taking back the rights that a cluster and its add-ons have on the hub."""

from towline_api import names
from towline_api.metadata import finalizers_of, is_being_deleted, name_of, namespace_of, uid_of
from towline_api.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    ROLE_BINDINGS,
    ROLES,
    KubeObject,
)
from towline_hub.caches import BY_CLUSTER, HubCaches, HubViews
from towline_hub.clusters import rbac
from towline_hub.object_writer import ObjectWriter
from towline_kube.client import Client
from towline_kube.errors import NotFound
from towline_kube.failures import one_failure
from towline_kube.task_groups import TaskGroup


class Revocation:
    """Takes a cluster's rights back, and those of its add-ons.

    Args:
        client: Whom to ask.
        caches: What exists.
        views: The same, with our own latest writes.
        writer: Applies and removes RBAC.
    """

    def __init__(
        self, client: Client, *, caches: HubCaches, views: HubViews, writer: ObjectWriter
    ) -> None:
        self._client = client
        self._caches = caches
        self._views = views
        self._writer = writer

    async def revoke(
        self, cluster: str, *, keeps: KubeObject | None, namespaced: bool = True
    ) -> None:
        """Take a cluster's rights and its add-ons', all at a time: each call is slow by itself.

        Args:
            cluster: Name of the cluster.
            keeps: The ClusterRole that remains to it, with its binding; None for neither.
            namespaced: Whether its rights in namespaces go too.
        """
        with one_failure():
            async with TaskGroup() as group:
                if keeps is not None:
                    group.create_task(self._writer.ensure(keeps), name=f"shrink/{cluster}")
                else:
                    group.create_task(self._remove_own_role(cluster), name=f"revoke/{cluster}")
                if namespaced:
                    for binding in self._role_bindings(cluster):
                        group.create_task(
                            self._unbind(binding), name=f"unbind/{cluster}/{name_of(binding)}"
                        )
        if namespaced:
            # Without bindings they grant nothing.
            for role in self._caches.roles.by_index(BY_CLUSTER, cluster):
                await self._writer.remove(role, resource=ROLES)

    def _role_bindings(self, cluster: str) -> list[KubeObject]:
        """Return the cluster's and its add-ons' RoleBindings, wherever they are."""
        found = {
            uid_of(live): live for live in self._caches.role_bindings.by_index(BY_CLUSTER, cluster)
        }
        for desired in (rbac.registration_role_binding(cluster), rbac.work_role_binding(cluster)):
            live = self._writer.find(desired)
            if live is not None:
                found[uid_of(live)] = live
        return list(found.values())

    async def _unbind(self, live: KubeObject) -> None:
        """Delete a RoleBinding; one that finalizers hold grants nothing from now on either."""
        finalizers = finalizers_of(live)
        if finalizers and (live.get("subjects") or not is_being_deleted(live)):
            others = [item for item in finalizers if item != names.MANIFEST_WORK_CLEANUP_FINALIZER]
            try:
                live = await self._client.patch(
                    ROLE_BINDINGS,
                    name_of(live),
                    {"metadata": {"uid": uid_of(live), "finalizers": others}, "subjects": []},
                    namespace=namespace_of(live),
                )
            except NotFound:
                return
            self._views.role_bindings.remember(live)
        await self._writer.remove(live, resource=ROLE_BINDINGS)

    async def _remove_own_role(self, cluster: str) -> None:
        for desired, resource in (
            (rbac.own_cluster_role_binding(cluster), CLUSTER_ROLE_BINDINGS),
            (rbac.accepted_cluster_role(cluster), CLUSTER_ROLES),
        ):
            live = self._writer.find(desired)
            if live is not None:
                await self._writer.remove(live, resource=resource)
