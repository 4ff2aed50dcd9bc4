"""Which configuration an add-on gets on one cluster.

Pure. The defaults of the ClusterManagementAddOn hold for every cluster; a ManagedClusterAddOn
replaces them kind by kind. Whatever cannot be used says why, in words for whoever wrote it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from towline_api.resources import ADDON_DEPLOYMENT_CONFIGS, CONFIG_MAPS, KubeObject, Resource
from towline_api.spec_hash import spec_hash

READABLE_KINDS: Mapping[tuple[str, str], Resource] = {
    (resource.group, resource.plural): resource
    for resource in (ADDON_DEPLOYMENT_CONFIGS, CONFIG_MAPS)
}
"""The kinds of configuration this hub can read, hash, and let an agent read."""


@dataclass(frozen=True, slots=True, order=True)
class ConfigKey:
    """One configuration object; printed as `resource.group namespace/name`.

    Args:
        group: API group; empty for the core group.
        resource: Plural of the kind.
        namespace: Its namespace; empty for cluster-scoped kinds.
        name: Its name.
    """

    group: str
    resource: str
    namespace: str
    name: str

    @property
    def kind(self) -> tuple[str, str]:
        """Group and resource: what an override replaces as a whole."""
        return (self.group, self.resource)

    def __str__(self) -> str:
        kind = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{kind} {self.namespace}/{self.name}" if self.namespace else f"{kind} {self.name}"


@dataclass(frozen=True, slots=True)
class WantedConfig:
    """A reference that is in effect.

    Args:
        key: The object referred to.
        overrides: Whether the ManagedClusterAddOn asked for it, rather than the defaults.
    """

    key: ConfigKey
    overrides: bool


@dataclass(frozen=True, slots=True)
class ResolvedConfig:
    """A reference with what was found behind it.

    Args:
        key: The object referred to.
        spec_hash: Hash of its spec; empty if it cannot be used.
        generation: Its `metadata.generation`; None for kinds that do not count, or if not found.
        problem: Why it cannot be used; None if it can.
        config: The object itself; None if it cannot be used.
    """

    key: ConfigKey
    spec_hash: str = ""
    generation: int | None = None
    problem: str | None = None
    config: KubeObject | None = field(default=None, repr=False)


def effective_configs(
    *, defaults: Iterable[ConfigKey], overrides: Iterable[ConfigKey]
) -> tuple[WantedConfig, ...]:
    """Return the references in effect, sorted by kind; several of one kind keep their order."""
    replacing = list(dict.fromkeys(overrides))
    replaced = {key.kind for key in replacing}
    wanted = [WantedConfig(key, overrides=True) for key in replacing]
    wanted += [
        WantedConfig(key, overrides=False)
        for key in dict.fromkeys(defaults)
        if key.kind not in replaced
    ]
    return tuple(sorted(wanted, key=lambda item: item.key.kind))


def refusal(
    wanted: WantedConfig, *, cluster: str, addon: str, supported: Iterable[tuple[str, str]]
) -> str | None:
    """Return why a reference cannot be used whatever is behind it, or None if it can.

    Args:
        wanted: The reference.
        cluster: Name of the managed cluster, which is also its namespace.
        addon: Name of the add-on, for the message.
        supported: Kinds that the ClusterManagementAddOn declares.
    """
    key = wanted.key
    if key.kind not in READABLE_KINDS:
        known = ", ".join(resource.qualified for resource in READABLE_KINDS.values())
        return f"{key} is of a kind this hub does not read; it reads {known}"
    if key.kind not in set(supported):
        return (
            f"{key} is of a kind that clustermanagementaddons {addon} does not support; "
            "add it to spec.supportedConfigs there, or remove the reference"
        )
    if not key.namespace:
        return f"{key} has no namespace; name the namespace it is in"
    if wanted.overrides and key.resource == CONFIG_MAPS.plural and key.namespace != cluster:
        # Following it would let whoever may write add-ons here read any ConfigMap of the hub.
        return (
            f"{key} is not in the cluster's namespace; put a copy into {cluster}, or make it a "
            f"default in clustermanagementaddons {addon}"
        )
    return None


def resolve(key: ConfigKey, config: KubeObject | None) -> ResolvedConfig:
    """Return a reference with the hash of what was found behind it.

    Args:
        key: The reference.
        config: The object as the API server returned it, defaults included; None if absent.
    """
    if config is None:
        return ResolvedConfig(key, problem=f"{key} does not exist; create it or fix the reference")
    generation = config.get("metadata", {}).get("generation")
    return ResolvedConfig(
        key,
        spec_hash=spec_hash(config),
        generation=generation if isinstance(generation, int) else None,
        config=config,
    )


def install_namespace(
    configs: Sequence[ResolvedConfig], *, requested: str | None, fallback: str
) -> str:
    """Return where an add-on's agent is installed on its managed cluster.

    Args:
        configs: The configuration in effect; the first AddOnDeploymentConfig decides, if it says.
        requested: What the ManagedClusterAddOn asks for.
        fallback: What holds when nothing says otherwise.
    """
    for resolved in configs:
        if resolved.key.kind == (ADDON_DEPLOYMENT_CONFIGS.group, ADDON_DEPLOYMENT_CONFIGS.plural):
            spec = (resolved.config or {}).get("spec") or {}
            return str(spec.get("agentInstallNamespace") or "") or requested or fallback
    return requested or fallback
