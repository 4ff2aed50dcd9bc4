"""The parts of add-on kinds that look the same in each API version: reading and writing them."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from towline_api.addons import (
    AddonConfig,
    ConfigKind,
    ConfigReference,
    DisplayMeta,
    HashedConfig,
    HealthMode,
    PlacementInstall,
    SubjectSpec,
)
from towline_api.metadata import ObjectKey, annotations_of, key_of
from towline_api.names import ADDON_LIFECYCLE_ANNOTATION
from towline_api.resources import KubeObject
from towline_api.wire_object import WireObject

_MANAGED_BY_OTHERS = ("", "addon-manager")
_KNOWN_IN_LISTS = frozenset(
    {"type", "kubeClient", "customSigner", "signerName", "subject"}
    | {"group", "resource", "name", "namespace"}
    | {"desiredConfig", "lastAppliedConfig", "lastObservedGeneration"}
)


def is_self_managed(obj: KubeObject) -> bool:
    """Return whether a ClusterManagementAddOn is its own hub program's to look after."""
    lifecycle = annotations_of(obj).get(ADDON_LIFECYCLE_ANNOTATION, "")
    return lifecycle not in _MANAGED_BY_OTHERS


def identify(obj: KubeObject, kind: str) -> tuple[ObjectKey, WireObject]:
    """Return an object's key, and the object as something to read from."""
    key = key_of(obj)
    return key, WireObject(obj, f"{kind} {key}")


def decode_kind(item: WireObject) -> ConfigKind:
    """Return the kind of configuration an entry names."""
    return ConfigKind(item.text("group"), item.required_text("resource"))


def decode_key(item: WireObject) -> ObjectKey:
    """Return the object an entry names."""
    return ObjectKey(item.required_text("name"), item.text("namespace") or None)


def decode_hashed(item: WireObject) -> HashedConfig:
    """Return a configuration object in one state."""
    return HashedConfig(decode_key(item), item.text("specHash"))


def decode_reference(item: WireObject, desired: WireObject) -> ConfigReference:
    """Return a reference to a configuration.

    Args:
        item: The entry.
        desired: The part of it that says what is desired.
    """
    applied = item.find_child("lastAppliedConfig")
    return ConfigReference(
        kind=decode_kind(item),
        desired=decode_hashed(desired),
        last_applied=decode_hashed(applied) if applied else None,
        last_observed_generation=item.integer("lastObservedGeneration"),
    )


def decode_configs(parent: WireObject) -> tuple[AddonConfig, ...]:
    """Return the configurations somebody chose."""
    return tuple(
        AddonConfig(decode_kind(item), decode_key(item)) for item in parent.children("configs")
    )


def decode_placements(strategy: WireObject) -> tuple[PlacementInstall, ...]:
    """Return where an add-on goes by itself; nowhere if people install it."""
    if strategy.text("type") != "Placements":
        return ()
    return tuple(
        PlacementInstall(
            ObjectKey(item.required_text("name"), item.required_text("namespace")),
            decode_configs(item),
        )
        for item in strategy.children("placements")
    )


def decode_display(parent: WireObject) -> DisplayMeta:
    """Return how an add-on presents itself."""
    meta = parent.child("addOnMeta")
    return DisplayMeta(meta.text("displayName"), meta.text("description"))


def encode_kind(kind: ConfigKind) -> dict[str, Any]:
    """Return a kind of configuration as JSON."""
    return {"group": kind.group, "resource": kind.resource}


def encode_key(key: ObjectKey) -> dict[str, Any]:
    """Return the name of an object as JSON."""
    return {"name": key.name} | ({"namespace": key.namespace} if key.namespace else {})


def encode_hashed(config: HashedConfig) -> dict[str, Any]:
    """Return a configuration object in one state as JSON."""
    return encode_key(config.key) | ({"specHash": config.spec_hash} if config.spec_hash else {})


def encode_reference(reference: ConfigReference) -> dict[str, Any]:
    """Return what all versions hold of a reference to a configuration."""
    encoded = encode_kind(reference.kind)
    if reference.last_observed_generation:
        encoded["lastObservedGeneration"] = reference.last_observed_generation
    encoded["desiredConfig"] = encode_hashed(reference.desired)
    if reference.last_applied:
        encoded["lastAppliedConfig"] = encode_hashed(reference.last_applied)
    return encoded


def encode_default_reference(reference: ConfigReference) -> dict[str, Any]:
    """Return a reference that holds for all clusters as JSON: nothing is applied there."""
    return encode_kind(reference.kind) | {"desiredConfig": encode_hashed(reference.desired)}


def encode_subject(subject: SubjectSpec, *, units: str | None = None) -> dict[str, Any]:
    """Return a registration's subject as JSON, without what is empty.

    Args:
        subject: Whom a certificate is to name.
        units: What the version calls its organizational units; None where it has none.
    """
    encoded: dict[str, Any] = {}
    if subject.user:
        encoded["user"] = subject.user
    if subject.groups:
        encoded["groups"] = list(subject.groups)
    if units is not None and subject.organization_units:
        encoded[units] = list(subject.organization_units)
    return encoded


def set_common_status(
    status: dict[str, Any],
    *,
    agent_namespace: str | None,
    health_mode: HealthMode | None,
    supported_configs: Iterable[ConfigKind] | None,
    display: DisplayMeta | None,
) -> None:
    """Set the parts of a ManagedClusterAddOn's status that look the same in each version.

    Args:
        status: The status, which is changed.
        agent_namespace: Install namespace; None leaves it, here and below.
        health_mode: Who says whether the add-on is healthy.
        supported_configs: Kinds of configuration the add-on understands.
        display: How it presents itself.
    """
    if agent_namespace is not None:
        status["namespace"] = agent_namespace
    if health_mode is not None:
        status["healthCheck"] = over(status.get("healthCheck"), {"mode": health_mode.value})
    if supported_configs is not None:
        status["supportedConfigs"] = [encode_kind(kind) for kind in supported_configs]
    if display is not None:
        status["addOnMeta"] = over(status.get("addOnMeta"), encode_display(display))


def encode_display(display: DisplayMeta) -> dict[str, Any]:
    """Return how an add-on presents itself as JSON."""
    return {"displayName": display.display_name, "description": display.description}


def carry_on(
    current: object,
    items: Iterable[dict[str, Any]],
    *,
    identity: Callable[[Mapping[str, Any]], object],
) -> list[Any]:
    """Return the new entries of a list, each with the members of its present entry we don't know.

    Args:
        current: The list as it is.
        items: The entries it shall have.
        identity: Returns what is the same of an entry before and after.
    """
    present = [old for old in current if isinstance(old, dict)] if isinstance(current, list) else []
    carried = []
    for item in items:
        old = next((old for old in present if identity(old) == identity(item)), {})
        carried.append({key: old[key] for key in old.keys() - _KNOWN_IN_LISTS} | item)
    return carried


def over(current: object, members: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is there with members replaced; what is no object is replaced whole."""
    return (dict(current) if isinstance(current, dict) else {}) | dict(members)
