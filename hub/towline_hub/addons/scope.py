"""Which add-ons a program looks after, and how much of each. Pure."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from towline_api import names
from towline_api.addons import AddonConfig, ClusterManagementAddon, ManagedClusterAddon
from towline_api.metadata import annotations_of
from towline_api.resources import KubeObject
from towline_hub.addons.config_references import WantedConfig, effective_configs
from towline_hub.addons.declarations import AddonDeclaration, by_name

_LONGEST_LEASE = 253


@dataclass(frozen=True, slots=True)
class AddonScope:
    """What one program does for add-ons; two halves of it, which may be two programs'.

    One half registers agents and grants their rights; the add-on's own hub program does that on
    OCM's hubs, and on ours if it says so on the ClusterManagementAddOn. The other decides on owner,
    configuration and tokens; a whole hub does that.

    Args:
        served: Names of the add-ons to look after; empty for all.
        declarations: What add-ons are declared to be, by name.
        is_whole_hub: Whether the second half is ours as well.
        approves_for_others: Whether requests for custom signers are approved that somebody else
            plays.
    """

    served: frozenset[str] = frozenset()
    declarations: Mapping[str, AddonDeclaration] = field(default_factory=dict)
    is_whole_hub: bool = True
    approves_for_others: bool = False

    @classmethod
    def of(
        cls,
        addons: Collection[str],
        declarations: Iterable[AddonDeclaration],
        *,
        is_whole_hub: bool = True,
        approves_for_others: bool = False,
    ) -> Self:
        """Return the scope that settings describe.

        Args:
            addons: Names of add-ons to look after; none of them, and nothing declared to a part of
                a hub, means all.
            declarations: Declared add-ons, which are looked after in any case.
            is_whole_hub: Whether owner, configuration and tokens are ours to decide on.
            approves_for_others: Whether requests for signers that others play are approved.

        Raises:
            ConfigError: Two declare the same add-on.
        """
        declared = by_name(declarations)
        # A whole hub that is told of some add-ons' rights still serves the others.
        served = {*addons, *declared} if addons or not is_whole_hub else ()
        return cls(frozenset(served), declared, is_whole_hub, approves_for_others)

    def serves(self, addon: str) -> bool:
        """Return whether an add-on is looked after at all."""
        return not self.served or addon in self.served

    def registers(self, definition: KubeObject) -> bool:
        """Return whether registration and rights of an add-on are ours, and not its own program's.

        Args:
            definition: The ClusterManagementAddOn.
        """
        if not self.is_whole_hub or str(definition["metadata"]["name"]) in self.declarations:
            return True
        return names.SERVED_BY_ANNOTATION not in annotations_of(definition)

    def lets_report(self, addon: str) -> bool:
        """Return whether an add-on's agents may write into the status of their own object.

        What stands there must give them nothing. Only where somebody else signs, and no declaration
        says for whom, does a registration count on the status's word alone.
        """
        return addon in self.declarations or not self.approves_for_others

    def addons_sharing(self, namespace: str) -> Sequence[str]:
        """Return the declared add-ons whose agents share a namespace of this name."""
        return [
            name for name, item in self.declarations.items() if namespace in item.shared_namespaces
        ]

    def references(
        self, addon: ManagedClusterAddon, definition: ClusterManagementAddon
    ) -> tuple[WantedConfig, ...]:
        """Return the configuration an add-on has on one cluster.

        Where it is not ours to decide, it is what somebody decided, as far as an operator named it:
        the status also takes what agents write.

        Args:
            addon: The add-on on the cluster.
            definition: The add-on, for all clusters.
        """
        if self.is_whole_hub:
            return () if definition.is_self_managed else effective_configs(addon, definition)
        offered = {
            AddonConfig(item.kind, item.default)
            for item in definition.supported_configs
            if item.default is not None
        }
        offered.update(config for item in definition.placements for config in item.configs)
        own = frozenset(addon.configs)
        decided = dict.fromkeys(
            AddonConfig(reference.kind, reference.desired.key)
            for reference in addon.config_references
        )
        return tuple(
            WantedConfig(config, overrides=config not in offered)
            for config in decided
            if config in own or config in offered
        )


def addons_lease(addons: Collection[str]) -> str:
    """Return the name of the Lease of a program that looks after these add-ons only.

    Programs for other add-ons elect their leader by another, also in the same namespace.
    """
    listed = ".".join(("towline-addons", *sorted(addons)))
    if len(listed) <= _LONGEST_LEASE:
        return listed
    return f"towline-addons.{hashlib.sha256(listed.encode()).hexdigest()}"
