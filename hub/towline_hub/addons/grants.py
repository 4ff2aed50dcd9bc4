"""Granting add-ons' agents their rights, and taking back what they have no claim to any more."""

from collections.abc import Sequence

from towline_api.addons import AddonConfig, ManagedClusterAddon
from towline_api.condition_types import REASON_PERMISSION_FAILED
from towline_api.errors import TransientError
from towline_api.metadata import ObjectKey, key_of
from towline_api.resources import ROLE_BINDINGS, ROLES, KubeObject
from towline_hub.addons.addon_rbac import addon_rbac, is_addon_grant
from towline_hub.addons.refused_grants import explain
from towline_hub.addons.registrations import RegistrationProblem, find_problem
from towline_hub.addons.scope import AddonScope
from towline_hub.addons.token_driver import kube_client_of
from towline_hub.caches import BY_ADDON, AddonCaches, addon_index_key
from towline_hub.object_writer import ObjectWriter
from towline_kube.errors import ApiError


class AddonGrants:
    """Keeps the Roles and RoleBindings of add-ons' agents.

    Args:
        caches: What exists.
        writer: Applies and removes objects.
        scope: Which add-ons, and what they are declared to be.
    """

    def __init__(
        self,
        caches: AddonCaches,
        *,
        writer: ObjectWriter,
        scope: AddonScope,
    ) -> None:
        self._caches = caches
        self._writer = writer
        self._scope = scope

    async def follow(
        self, addon: ManagedClusterAddon, *, owner: KubeObject, configs: Sequence[AddonConfig]
    ) -> tuple[RegistrationProblem | None, ApiError | None]:
        """Bring an add-on's rights on one cluster to what they should be.

        Args:
            addon: The add-on on the cluster.
            owner: Owner reference to the ManagedClusterAddOn.
            configs: Configuration objects the agent must be able to read.

        Returns:
            Why it has not all its rights, and what the API server refused; None for either if
            there is nothing.

        Raises:
            TransientError: The API server could not be asked.
        """
        problem = find_problem(addon, self._scope.declarations.get(addon.name))
        if problem is not None:
            return problem, None
        try:
            return await self._grant(addon, owner=owner, configs=configs), None
        except TransientError:
            raise
        except ApiError as error:
            message = explain(error, addon=addon.name)
            return RegistrationProblem(REASON_PERMISSION_FAILED, message), error

    async def keep_only(self, key: ObjectKey, desired: Sequence[KubeObject]) -> None:
        """Remove an add-on's grants that are not wanted any more, wherever they are."""
        wanted = {(grant["kind"], key_of(grant)) for grant in desired}
        cluster, addon = key.namespace or "", key.name
        for cache, resource in (
            (self._caches.role_bindings, ROLE_BINDINGS),
            (self._caches.roles, ROLES),
        ):
            for live in cache.by_index(BY_ADDON, addon_index_key(cluster, addon)):
                place = key_of(live)
                if (resource.kind, place) not in wanted and is_addon_grant(
                    place, cluster=cluster, addon=addon
                ):
                    await self._writer.remove(live, resource=resource)

    async def _grant(
        self, addon: ManagedClusterAddon, *, owner: KubeObject, configs: Sequence[AddonConfig]
    ) -> RegistrationProblem | None:
        declaration = self._scope.declarations.get(addon.name)
        if declaration is not None and not declaration.hub_client:
            await self.keep_only(addon.key, ())
            return None
        permissions = declaration.permissions if declaration is not None else ()
        # In there, agents of all clusters would be let into what belongs to one.
        taken = {
            item.namespace
            for item in permissions
            if item.namespace is not None and self._caches.clusters.find(item.namespace)
        }
        registration = kube_client_of(addon)
        desired = addon_rbac(
            addon.cluster,
            addon.name,
            configs=configs,
            owner=owner,
            permissions=[item for item in permissions if item.namespace not in taken],
            reports=self._scope.lets_report(addon.name),
            driver=registration.driver if registration is not None else None,
        )
        # What is not wanted any more goes first: it must not outlive a grant that is refused.
        await self.keep_only(addon.key, desired)
        for grant in desired:
            await self._writer.ensure(grant)
        if not taken:
            return None
        namespace = min(taken)
        return RegistrationProblem(
            REASON_PERMISSION_FAILED,
            f"add-on {addon.name} is declared with rights in namespace {namespace}, which belongs "
            f"to managed cluster {namespace}; share another namespace",
        )
