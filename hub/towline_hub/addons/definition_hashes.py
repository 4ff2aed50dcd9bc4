"""Hashing the defaults of add-ons whose configuration another program hands out.

OCM's add-on manager lists in the status of a ClusterManagementAddOn which configuration is the
default, and which goes with each placement; what they hash to, the add-on's own hub program fills
in. Only then does the configuration count as applied anywhere.
"""

import logging
from collections.abc import Collection, Iterator, Mapping
from copy import deepcopy
from typing import Any

from towline_api.addon_codec import AddonCodec
from towline_api.addons import AddonConfig, ConfigKind
from towline_api.metadata import ObjectKey, is_being_deleted
from towline_api.resources import KubeObject
from towline_api.spec_hash import spec_hash
from towline_hub.addons.config_objects import ConfigObjects
from towline_hub.addons.config_references import READABLE_KINDS
from towline_hub.own_writes import FreshView
from towline_kube.client import Client
from towline_kube.controller import DONE, Result

log = logging.getLogger(__name__)

_DEFAULTS = ("defaultconfigReferences", "defaultConfigReferences")
"""How v1alpha1 and v1beta1 spell it."""


class DefinitionHashes:
    """Fills in the hashes of one ClusterManagementAddOn at a time, by name.

    Args:
        client: Whom to ask.
        definitions: What exists.
        configs: Finds configuration objects; follows them under the definition's own key.
        codec: How the API version in use writes add-ons.
        served: Names of the add-ons that are ours.
    """

    def __init__(
        self,
        client: Client,
        *,
        definitions: FreshView,
        configs: ConfigObjects,
        codec: AddonCodec,
        served: Collection[str],
    ) -> None:
        self._client = client
        self._definitions = definitions
        self._configs = configs
        self._codec = codec
        self._served = frozenset(served)

    async def reconcile(self, name: str) -> Result:
        """Bring the hashes of one definition up to date."""
        if name not in self._served:
            return DONE
        live = self._definitions.find(name)
        key = ObjectKey(name)
        if live is None or is_being_deleted(live):
            self._configs.follow(key, ())
            return DONE
        status = live.get("status") or {}
        wanted = frozenset(_readable(status)) & self._offered(live)
        self._configs.follow(key, wanted)
        hashes = {}
        for config in wanted:
            found = await self._configs.find(config)
            if found is not None:
                hashes[config] = spec_hash(found)
        hashed = with_hashes(status, hashes)
        if hashed != status:
            resource = self._codec.cluster_management_addons
            patched = await self._client.patch_status(resource, live, hashed)
            self._definitions.remember(patched)
            log.info("default configuration hashed", extra={"addon": name})
        return DONE

    def _offered(self, live: KubeObject) -> frozenset[AddonConfig]:
        """Return what the operator named, which alone is worth reading."""
        definition = self._codec.decode_cluster_management_addon(live)
        defaults = (
            AddonConfig(item.kind, item.default)
            for item in definition.supported_configs
            if item.default is not None
        )
        placed = (config for item in definition.placements for config in item.configs)
        return frozenset((*defaults, *placed))


def with_hashes(status: Mapping[str, Any], hashes: Mapping[AddonConfig, str]) -> dict[str, Any]:
    """Return a definition's status with the hashes that are known. Pure.

    Args:
        status: The status as it is; not changed.
        hashes: By configuration object.
    """
    new = deepcopy(dict(status))
    for reference in _references(new):
        config = _config_of(reference)
        if config in hashes:
            reference["desiredConfig"]["specHash"] = hashes[config]
    return new


def _readable(status: Mapping[str, Any]) -> Iterator[AddonConfig]:
    for reference in _references(status):
        config = _config_of(reference)
        if config.kind in READABLE_KINDS and config.key.namespace:
            yield config


def _references(status: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    lists = [status.get(field) or [] for field in _DEFAULTS]
    lists += [
        progression.get("configReferences") or []
        for progression in status.get("installProgressions") or []
    ]
    for references in lists:
        yield from (item for item in references if item.get("desiredConfig"))


def _config_of(reference: Mapping[str, Any]) -> AddonConfig:
    desired = reference["desiredConfig"]
    return AddonConfig(
        ConfigKind(reference.get("group") or "", reference["resource"]),
        ObjectKey(desired["name"], desired.get("namespace") or None),
    )
