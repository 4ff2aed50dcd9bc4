"""The ClusterManagementAddOn of a declared add-on: made and kept so that operators need not.

With it in place, a ManagedClusterAddOn is all it takes to bring the add-on to a cluster. Only what
the declaration says is ours; whatever else stands in the object is somebody else's.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from towline_api import names
from towline_api.addons import SupportedConfig
from towline_api.metadata import is_being_deleted, name_of
from towline_api.resources import KubeObject, Resource
from towline_hub.addons.declarations import AddonDeclaration
from towline_hub.object_writer import holds
from towline_hub.own_writes import FreshView
from towline_kube.client import Client
from towline_kube.controller import DONE, Result

log = logging.getLogger(__name__)


class DefinitionReconciler:
    """Reconciles the ClusterManagementAddOn of one declared add-on at a time, by name.

    Args:
        client: Whom to ask.
        definitions: What exists.
        resource: Where the API version in use serves ClusterManagementAddOns.
        declarations: What is declared, by name.
        served_by: What to mark them with, so that a whole hub leaves registration and rights to
            this program; None if this is that hub.
    """

    def __init__(
        self,
        client: Client,
        *,
        definitions: FreshView,
        resource: Resource,
        declarations: Mapping[str, AddonDeclaration],
        served_by: str | None = None,
    ) -> None:
        self._client = client
        self._definitions = definitions
        self._resource = resource
        self._desired = {
            name: definition_of(declaration, resource=resource, served_by=served_by)
            for name, declaration in declarations.items()
        }

    @property
    def names(self) -> Iterable[str]:
        """The declared add-ons, which need a pass also while nothing of them exists."""
        return self._desired

    async def reconcile(self, name: str) -> Result:
        """Bring one definition to what is declared."""
        desired = self._desired.get(name)
        if desired is None:
            return DONE
        live = self._definitions.find(name)
        if live is not None and (is_being_deleted(live) or is_as_declared(desired, live)):
            return DONE
        applied = await self._client.apply(self._resource, desired)
        self._definitions.remember(applied)
        log.info("add-on defined", extra={"addon": name})
        return DONE


def definition_of(
    declaration: AddonDeclaration, *, resource: Resource, served_by: str | None = None
) -> KubeObject:
    """Return what a declaration says about the ClusterManagementAddOn. Pure.

    Args:
        declaration: The add-on.
        resource: Where the API version in use serves ClusterManagementAddOns.
        served_by: The program that registers its agents, if that is not the whole hub.
    """
    metadata: dict[str, Any] = {"name": declaration.name}
    if served_by is not None:
        metadata["annotations"] = {names.SERVED_BY_ANNOTATION: served_by}
    display = declaration.display
    meta = {"displayName": display.display_name}
    if display.description:
        meta["description"] = display.description
    spec: dict[str, Any] = {"addOnMeta": meta}
    if declaration.supported_configs:
        spec[_configs_field(resource)] = [
            _encoded(item, resource=resource) for item in declaration.supported_configs
        ]
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": metadata,
        "spec": spec,
    }


def is_as_declared(desired: KubeObject, live: KubeObject) -> bool:
    """Return whether a definition has what is declared, whatever others added. Pure."""
    wanted, there = dict(desired["spec"]), live.get("spec") or {}
    for field in ("supportedConfigs", "defaultConfigs"):
        present = [_plain(item) for item in there.get(field) or []]
        if not all(_plain(item) in present for item in wanted.pop(field, [])):
            return False
    return name_of(desired) == name_of(live) and holds({**desired, "spec": wanted}, live)


def _configs_field(resource: Resource) -> str:
    return "supportedConfigs" if resource.version == "v1alpha1" else "defaultConfigs"


def _encoded(supported: SupportedConfig, *, resource: Resource) -> dict[str, Any]:
    encoded: dict[str, Any] = {
        "group": supported.kind.group,
        "resource": supported.kind.resource,
    }
    default = supported.default
    place = {"name": default.name if default is not None else names.NO_DEFAULT_CONFIG}
    if default is not None and default.namespace is not None:
        place["namespace"] = default.namespace
    if _configs_field(resource) == "defaultConfigs":
        return encoded | place
    return encoded | ({"defaultConfig": place} if default is not None else {})


def _plain(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry without the empty members that some servers add."""
    return {key: value for key, value in item.items() if value not in ("", None)}
