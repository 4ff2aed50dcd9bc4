"""Fills the ClusterRoles that gather the rules of others: `admin`, `edit`, `view` and the like."""

import logging
from collections.abc import Sequence
from typing import Any, NoReturn

from towline_api.resources import CLUSTER_ROLES, KubeObject
from towline_kube.controller import DONE, Result
from towline_sandbox.embedded.built_in.traits.selectors import selects
from towline_sandbox.embedded.controllers.own_calls import OwnCalls
from towline_sandbox.embedded.controllers.running import passes
from towline_sandbox.embedded.model.kinds import StorageKey
from towline_sandbox.embedded.storage.changes import Change, ChangeType
from towline_sandbox.embedded.storage.store import Store

log = logging.getLogger(__name__)

MANAGER = "clusterrole-aggregation-controller"

_CLUSTER_ROLES = StorageKey(CLUSTER_ROLES.group, CLUSTER_ROLES.plural)


def gathered_rules(role: KubeObject, roles: Sequence[KubeObject]) -> list[KubeObject] | None:
    """Return the rules that a ClusterRole is to have; None if it gathers none.

    Args:
        role: The ClusterRole.
        roles: All ClusterRoles, by name.
    """
    gathering = role.get("aggregationRule")
    if gathering is None:
        return None
    found: list[KubeObject] = []
    for selector in gathering.get("clusterRoleSelectors") or ():
        for other in roles:
            metadata = other["metadata"]
            if metadata["name"] == role["metadata"]["name"]:
                continue
            if selects(selector, metadata.get("labels") or {}):
                found += [rule for rule in other.get("rules") or () if rule not in found]
    return found


def gathers(role: KubeObject, other: KubeObject) -> bool:
    """Return whether a ClusterRole gathers the rules of another one; by their labels alone."""
    labels = other["metadata"].get("labels") or {}
    selectors = (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or ()
    return any(selects(selector, labels) for selector in selectors)


class RoleAggregation:
    """Keeps the rules of gathering ClusterRoles, as kube-controller-manager does.

    Args:
        store: Where they are.
        calls: Writes them, as `MANAGER`.
    """

    def __init__(self, store: Store, *, calls: OwnCalls) -> None:
        self._store = store
        self._calls = calls
        self._passes = passes("aggregate-cluster-roles", self._gather)
        self._gathering: dict[str, KubeObject] = {}  # a handful, of ten thousand ClusterRoles

    def note(self, change: Change) -> None:
        """Look at those that gather a ClusterRole that has changed, and at itself if it does."""
        if change.key != _CLUSTER_ROLES:
            return
        changed = change.object
        name = changed["metadata"]["name"]
        if change.type is ChangeType.DELETED or changed.get("aggregationRule") is None:
            self._gathering.pop(name, None)
        else:
            self._gathering[name] = changed
            self._passes.enqueue(name)
        states = [state for state in (change.previous, changed) if state is not None]
        for gatherer, role in self._gathering.items():
            if any(gathers(role, state) for state in states):
                self._passes.enqueue(gatherer)

    def look_at_everything(self) -> None:
        """Look at all that gather."""
        self._gathering = {
            role["metadata"]["name"]: role
            for role in self._store.objects(_CLUSTER_ROLES)
            if role.get("aggregationRule") is not None
        }
        for name in self._gathering:
            self._passes.enqueue(name)

    async def run(self) -> NoReturn:
        """Work until cancelled."""
        await self._passes.run()

    async def _gather(self, name: str) -> Result:
        roles = self._store.objects(_CLUSTER_ROLES)
        role = self._store.find(_CLUSTER_ROLES, namespace=None, name=name)
        rules = None if role is None else gathered_rules(role, roles)
        if role is None or rules is None or rules == (role.get("rules") or []):
            return DONE
        intent: dict[str, Any] = {
            "apiVersion": CLUSTER_ROLES.api_version,
            "kind": CLUSTER_ROLES.kind,
            "metadata": {"name": name},
            "rules": rules,
        }
        await self._calls.apply(CLUSTER_ROLES, intent)
        log.debug("rules of other cluster roles gathered", extra={"object": name})
        return DONE
