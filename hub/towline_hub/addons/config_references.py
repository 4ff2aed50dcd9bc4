"""Which configuration an add-on gets on one cluster.

Pure. The defaults of the ClusterManagementAddOn hold for every cluster; a ManagedClusterAddOn
replaces them kind by kind. Whatever cannot be used says why, in words for whoever wrote it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from towline_api.addons import (
    AddonConfig,
    ClusterManagementAddon,
    ConfigKind,
    ConfigReference,
    HashedConfig,
    ManagedClusterAddon,
)
from towline_api.metadata import generation_of
from towline_api.resources import ADDON_DEPLOYMENT_CONFIGS, CONFIG_MAPS, KubeObject, Resource
from towline_api.spec_hash import spec_hash

DEPLOYMENT_CONFIG = ConfigKind(ADDON_DEPLOYMENT_CONFIGS.group, ADDON_DEPLOYMENT_CONFIGS.plural)
CONFIG_MAP = ConfigKind(CONFIG_MAPS.group, CONFIG_MAPS.plural)

READABLE_KINDS: Mapping[ConfigKind, Resource] = {
    DEPLOYMENT_CONFIG: ADDON_DEPLOYMENT_CONFIGS,
    CONFIG_MAP: CONFIG_MAPS,
}
"""The kinds of configuration this hub can read, hash, and let an agent read."""


@dataclass(frozen=True, slots=True)
class WantedConfig:
    """A reference that is in effect.

    Args:
        config: The object referred to.
        overrides: Whether the ManagedClusterAddOn asked for it, rather than the defaults.
    """

    config: AddonConfig
    overrides: bool


@dataclass(frozen=True, slots=True)
class ResolvedConfig:
    """A reference with what was found behind it.

    Args:
        config: The object referred to.
        spec_hash: Hash of its spec; empty if it cannot be used.
        generation: Its `metadata.generation`; 0 for kinds that do not count, or if not found.
        problem: Why it cannot be used; None if it can.
        found: The object itself; None if it cannot be used.
    """

    config: AddonConfig
    spec_hash: str = ""
    generation: int = 0
    problem: str | None = None
    found: KubeObject | None = field(default=None, repr=False)


def describe(config: AddonConfig) -> str:
    """Return how messages name a configuration object: `resource.group namespace/name`."""
    return f"{config.kind} {config.key}"


def effective_configs(
    addon: ManagedClusterAddon, definition: ClusterManagementAddon
) -> tuple[WantedConfig, ...]:
    """Return the references in effect, sorted by kind; several of one kind keep their order."""
    overrides = tuple(dict.fromkeys(addon.configs))
    replaced = {config.kind for config in overrides}
    defaults = (
        AddonConfig(supported.kind, supported.default)
        for supported in definition.supported_configs
        if supported.default is not None
    )
    wanted = [WantedConfig(config, overrides=True) for config in overrides]
    wanted += [
        WantedConfig(config, overrides=False)
        for config in dict.fromkeys(defaults)
        if config.kind not in replaced
    ]
    return tuple(sorted(wanted, key=lambda item: item.config.kind))


def refusal(
    wanted: WantedConfig, *, addon: ManagedClusterAddon, definition: ClusterManagementAddon
) -> str | None:
    """Return why a reference cannot be used whatever is behind it, or None if it can."""
    kind, key = wanted.config.kind, wanted.config.key
    name = describe(wanted.config)
    if kind not in READABLE_KINDS:
        known = ", ".join(map(str, READABLE_KINDS))
        return f"{name} is of a kind this hub does not read; it reads {known}"
    if kind not in {supported.kind for supported in definition.supported_configs}:
        return (
            f"{name} is of a kind that clustermanagementaddons {definition.name} does not support; "
            "add it to spec.supportedConfigs there, or remove the reference"
        )
    if not key.namespace:
        return f"{name} has no namespace; name the namespace it is in"
    if wanted.overrides and kind == CONFIG_MAP and key.namespace != addon.cluster:
        # Following it would let whoever may write add-ons here read any ConfigMap of the hub.
        return (
            f"{name} is not in the cluster's namespace; put a copy into {addon.cluster}, or make "
            f"it a default in clustermanagementaddons {definition.name}"
        )
    return None


def resolve(config: AddonConfig, found: KubeObject | None) -> ResolvedConfig:
    """Return a reference with the hash of what was found behind it.

    Args:
        config: The reference.
        found: The object as the API server returned it, defaults included; None if absent.
    """
    if found is None:
        problem = f"{describe(config)} does not exist; create it or fix the reference"
        return ResolvedConfig(config, problem=problem)
    return ResolvedConfig(
        config,
        spec_hash=spec_hash(found),
        generation=generation_of(found) or 0,
        found=found,
    )


def recorded_references(
    resolved: Sequence[ResolvedConfig], *, before: Iterable[ConfigReference]
) -> tuple[ConfigReference, ...]:
    """Return what is recorded about the references in effect.

    What the agent reported as applied is kept for a reference that stays. A reference without a
    usable object behind it is recorded without a hash, so it never counts as applied.

    Args:
        resolved: The references in effect.
        before: What was recorded until now.
    """
    known = {(reference.kind, reference.desired.key): reference for reference in before}
    references = []
    for item in resolved:
        old = known.get((item.config.kind, item.config.key))
        references.append(
            ConfigReference(
                kind=item.config.kind,
                desired=HashedConfig(item.config.key, item.spec_hash),
                last_applied=old.last_applied if old else None,
                last_observed_generation=item.generation,
            )
        )
    return tuple(references)


def install_namespace(
    configs: Iterable[ResolvedConfig], *, requested: str | None, fallback: str
) -> str:
    """Return where an add-on's agent is installed on its managed cluster.

    Args:
        configs: The configuration in effect; the first AddOnDeploymentConfig decides, if it says.
        requested: What the ManagedClusterAddOn asks for.
        fallback: What holds when nothing says otherwise.
    """
    for resolved in configs:
        if resolved.config.kind == DEPLOYMENT_CONFIG:
            spec = (resolved.found or {}).get("spec") or {}
            return str(spec.get("agentInstallNamespace") or "") or requested or fallback
    return requested or fallback
