"""The add-on reconciler: registration, rights and configuration of each add-on on each cluster.

One pass looks at one ManagedClusterAddOn. Rights come before the status that tells the agent to use
them.
"""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from towline_api.addon_codec import AddonCodec
from towline_api.addons import ClusterManagementAddon, ManagedClusterAddon
from towline_api.condition_types import HUB_ACCEPTED, REASON_PERMISSION_FAILED
from towline_api.conditions import is_true
from towline_api.metadata import (
    ObjectKey,
    is_being_deleted,
    key_of,
    name_of,
    owner_reference,
    owner_references_of,
    resource_version_of,
    uid_of,
)
from towline_api.resources import KubeObject
from towline_certs.errors import IdentityError
from towline_certs.identities import check_addon_name
from towline_hub.addons.config_objects import ConfigObjects
from towline_hub.addons.config_references import ResolvedConfig, refusal, resolve
from towline_hub.addons.declared_signers import (
    declared_signers,
    note_of,
    noted_signers,
    registered_signers,
)
from towline_hub.addons.grants import AddonGrants
from towline_hub.addons.plan import (
    configuration_status,
    failed_status,
    hashed_status,
    registration_status,
)
from towline_hub.addons.scope import AddonScope
from towline_hub.addons.token_infrastructure import TokenInfrastructure, with_tokens
from towline_hub.caches import (
    BY_CLUSTER,
    BY_NAME,
    AddonCaches,
    AddonViews,
)
from towline_hub.clusters.standing import Standing, standing_of
from towline_hub.object_writer import ObjectWriter
from towline_kube.client import Client
from towline_kube.clock import Clock
from towline_kube.controller import DONE, Result
from towline_kube.errors import ApiError

log = logging.getLogger(__name__)


class AddonReconciler:
    """Reconciles one ManagedClusterAddOn at a time, by namespace and name.

    Args:
        client: Whom to ask.
        caches: What exists.
        views: The same, with our own latest writes.
        writer: Applies and removes RBAC.
        configs: Finds configuration objects.
        codec: How the API version in use writes add-ons.
        scope: Which add-ons, and how much of each.
        clock: Where time comes from.
    """

    def __init__(
        self,
        client: Client,
        *,
        caches: AddonCaches,
        views: AddonViews,
        writer: ObjectWriter,
        configs: ConfigObjects,
        codec: AddonCodec,
        scope: AddonScope,
        clock: Clock,
    ) -> None:
        self._client = client
        self._caches = caches
        self._views = views
        self._configs = configs
        self._codec = codec
        self._scope = scope
        self._grants = AddonGrants(caches, writer=writer, scope=scope)
        self._tokens = TokenInfrastructure(writer) if scope.is_whole_hub else None
        self._clock = clock

    def addons_of_cluster(self, cluster: KubeObject) -> Iterable[ObjectKey]:
        """Return the add-ons to look at when a ManagedCluster changed."""
        name = name_of(cluster)
        found = list(self._caches.addons.by_index(BY_CLUSTER, name))
        # A namespace meant to be shared by all clusters has just become, or ceased to be, one's.
        for addon in self._scope.addons_sharing(name):
            found += self._caches.addons.by_index(BY_NAME, addon)
        return [key_of(obj) for obj in found]

    def addons_of_definition(self, definition: KubeObject) -> Iterable[ObjectKey]:
        """Return the add-ons to look at when a ClusterManagementAddOn changed."""
        return [key_of(obj) for obj in self._caches.addons.by_index(BY_NAME, name_of(definition))]

    async def reconcile(self, key: ObjectKey) -> Result:
        """Bring one add-on on one cluster to what its definition and configuration demand."""
        if not self._scope.serves(key.name):
            return DONE
        obj = self._views.addons.find(key.name, key.namespace)
        if obj is None:
            self._configs.follow(key, ())
            await self._take_back(key)
            return DONE
        if is_being_deleted(obj):
            return DONE  # its agent cleans up, and needs what it has for that
        cluster = self._views.clusters.find(key.namespace or "")
        standing = standing_of(cluster) if cluster is not None else None
        if standing is None or standing is Standing.DENIED:
            await self._take_back(key)
        if (
            cluster is None
            or standing is not Standing.ACCEPTED
            or not is_true(cluster, HUB_ACCEPTED)
        ):
            return DONE  # looked at again when the cluster has its namespace and rights
        definition = self._caches.definitions.find(key.name)
        if definition is None or is_being_deleted(definition):
            log.debug("add-on has no ClusterManagementAddOn", extra=_facts(key))
            return DONE
        await self._serve(obj, definition)
        return DONE

    async def _serve(self, obj: KubeObject, definition: KubeObject) -> None:
        if self._scope.is_whole_hub:
            obj = await self._own(obj, definition)
        addon = self._codec.decode_addon(obj)
        meaning = self._codec.decode_cluster_management_addon(definition)
        try:
            check_addon_name(addon.name)
        except IdentityError as error:
            await self._write(
                obj, failed_status(obj.get("status"), message=str(error), now=self._now)
            )
            return
        configs = await self._resolve(addon, meaning)
        status, refused = await self._configured(obj, addon, meaning, configs)
        if self._scope.registers(definition):
            problem, ungranted = await self._grants.follow(
                addon,
                owner=owner_reference(obj, resource=self._codec.managed_cluster_addons),
                configs=[item.config for item in configs if item.problem is None],
            )
            refused = refused or ungranted
            if problem is not None and problem.reason == REASON_PERMISSION_FAILED:
                # Without its rights the agent would not know what to do with an identity.
                status = failed_status(status, message=problem.message, now=self._now)
            else:
                status = registration_status(
                    status,
                    codec=self._codec,
                    addon=addon,
                    definition=meaning,
                    configs=configs,
                    now=self._now,
                    declaration=self._scope.declarations.get(addon.name),
                    withdrawn=self._withdrawn(obj),
                    problem=problem,
                )
        obj = await self._write(obj, status)
        if self._scope.registers(definition):
            await self._forget_withdrawn(obj)
        if refused is not None:
            raise refused

    async def _configured(
        self,
        obj: KubeObject,
        addon: ManagedClusterAddon,
        definition: ClusterManagementAddon,
        configs: Sequence[ResolvedConfig],
    ) -> tuple[KubeObject, ApiError | None]:
        """Return the status with what configures the agent, and what the API server refused."""
        status = dict(obj.get("status") or {})
        if self._tokens is None:
            hashed = hashed_status(status, codec=self._codec, addon=addon, configs=configs)
            return hashed, None
        outcome = await self._tokens.follow(
            addon,
            owner=owner_reference(obj, resource=self._codec.managed_cluster_addons),
            declaration=self._scope.declarations.get(addon.name),
        )
        status = with_tokens(status, outcome, now=self._now)
        if not definition.is_self_managed:
            status = configuration_status(
                status, codec=self._codec, addon=addon, configs=configs, now=self._now
            )
        return status, outcome.error if outcome is not None else None

    async def _own(self, obj: KubeObject, definition: KubeObject) -> KubeObject:
        """Make the ClusterManagementAddOn the owner; note which signers are to be registered.

        So the add-on goes with its definition, and the registrations with their declaration.
        """
        changes: dict[str, Any] = {}
        owner = owner_reference(definition)
        owners = [dict(item) for item in owner_references_of(obj)]
        if all(item.get("uid") != owner["uid"] for item in owners):
            # A reference to an earlier object of that name would let the garbage collector take us.
            owners = [
                item
                for item in owners
                if (item.get("kind"), item.get("name")) != (owner["kind"], owner["name"])
            ]
            changes["ownerReferences"] = [*owners, owner]
        noted, declared = noted_signers(obj), self._declared_signers(obj)
        if self._scope.registers(definition) and not declared <= noted:
            changes["annotations"] = note_of(noted | declared)
        if not changes:
            return obj
        key = key_of(obj)
        bound = {"uid": uid_of(obj), "resourceVersion": resource_version_of(obj)}
        owned = await self._client.patch(
            self._codec.managed_cluster_addons,
            key.name,
            {"metadata": {**bound, **changes}},
            namespace=key.namespace,
        )
        self._views.addons.remember(owned)
        return owned

    def _declared_signers(self, obj: KubeObject) -> frozenset[str]:
        return declared_signers(self._scope.declarations.get(name_of(obj)))

    def _withdrawn(self, obj: KubeObject) -> frozenset[str]:
        if not self._scope.is_whole_hub:
            return frozenset()  # the note is the whole hub's
        return noted_signers(obj) - self._declared_signers(obj)

    async def _forget_withdrawn(self, obj: KubeObject) -> None:
        """Note no longer what is no longer registered: the next to register it is somebody else."""
        withdrawn = self._withdrawn(obj)
        if withdrawn and not withdrawn & registered_signers(self._codec.decode_addon(obj)):
            kept = note_of(noted_signers(obj) - withdrawn)
            kind = self._codec.managed_cluster_addons
            changed = await self._client.patch_metadata(kind, obj, annotations=kept)
            self._views.addons.remember(changed)

    async def _resolve(
        self, addon: ManagedClusterAddon, definition: ClusterManagementAddon
    ) -> list[ResolvedConfig]:
        usable, resolved = [], []
        for wanted in self._scope.references(addon, definition):
            problem = refusal(wanted, addon=addon, definition=definition)
            resolved.append(ResolvedConfig(wanted.config, problem=problem))
            if problem is None:
                usable.append(wanted.config)
        # Followed before it is looked for: what appears in between is then told.
        self._configs.follow(addon.key, usable)
        return [
            item
            if item.problem is not None
            else resolve(item.config, await self._configs.find(item.config))
            for item in resolved
        ]

    async def _take_back(self, key: ObjectKey) -> None:
        """Leave an add-on that is gone, or whose cluster is, nothing."""
        await self._grants.keep_only(key, ())
        if self._tokens is not None:
            await self._tokens.remove(key)

    async def _write(self, obj: KubeObject, status: KubeObject) -> KubeObject:
        before = obj.get("status") or {}
        if status == before:
            return obj
        patched = await self._client.patch_status(self._codec.managed_cluster_addons, obj, status)
        self._views.addons.remember(patched)
        told = {"reason": _changed_conditions(before, status)}
        log.info("add-on status written", extra=_facts(key_of(obj)) | told)
        return patched

    @property
    def _now(self) -> datetime:
        return self._clock.now()


def _facts(key: ObjectKey) -> dict[str, str]:
    return {"addon": key.name, "cluster": key.namespace or ""}


def _changed_conditions(before: KubeObject, after: KubeObject) -> str:
    old = before.get("conditions") or []
    changed = [item for item in after.get("conditions") or [] if item not in old]
    return "; ".join(f"{item['type']} {item['status']}: {item['message']}" for item in changed)
