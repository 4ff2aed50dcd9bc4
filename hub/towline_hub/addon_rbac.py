"""RBAC for the agents of add-ons: one add-on, on one cluster, as Kubernetes objects.

Pure. An add-on's agent gets what it needs to follow its configuration, nothing more, and is bound
by the one group that names both its cluster and its add-on. The group that all agents of the add-on
share is never bound: it would let cluster B's agent into cluster A's namespace.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from towline_api import names
from towline_api.addons import AddonConfig, ConfigKind
from towline_api.rbac_subjects import group_subject
from towline_api.resources import (
    ADDON_GROUP,
    CONFIG_MAPS,
    MANAGED_CLUSTER_ADDONS,
    ROLES,
    KubeObject,
)
from towline_certs.identities import addon_cluster_group
from towline_hub.config_references import CONFIG_MAP
from towline_hub.rbac import Rule, role, role_binding, rule

_READ = ("get", "list", "watch")


def addon_labels(cluster: str, addon: str) -> dict[str, str]:
    """Return the labels by which an add-on's RBAC on one cluster is found again."""
    return {names.CLUSTER_NAME_LABEL: cluster, names.ADDON_NAME_LABEL: addon}


def addon_rbac(
    cluster: str,
    addon: str,
    *,
    configs: Iterable[AddonConfig],
    owner: Mapping[str, Any],
) -> list[KubeObject]:
    """Return the Roles and RoleBindings of one add-on's agent on one cluster.

    Args:
        cluster: Name of the managed cluster, which is also its namespace.
        addon: Name of the add-on.
        configs: Configuration objects the agent must be able to read, wherever they are.
        owner: Owner reference to the ManagedClusterAddOn. Objects in the cluster's namespace carry
            it and go with the add-on; elsewhere Kubernetes does not allow it.
    """
    by_namespace: dict[str, list[AddonConfig]] = {}
    for config in sorted(set(configs), key=lambda item: (item.kind, str(item.key))):
        if config.key.namespace is not None:
            by_namespace.setdefault(config.key.namespace, []).append(config)
    labels = addon_labels(cluster, addon)
    group = addon_cluster_group(cluster, addon)
    own_name = names.addon_agent_role(addon)
    own_rules = [
        # Whatever an operator puts into the cluster's namespace is meant for this cluster.
        rule("", [CONFIG_MAPS.plural], _READ),
        rule(ADDON_GROUP, [MANAGED_CLUSTER_ADDONS.plural], _READ, only=[addon]),
        *_read_rules(
            config for config in by_namespace.pop(cluster, []) if config.kind != CONFIG_MAP
        ),
    ]
    objects = _bound_role(own_name, own_rules, namespace=cluster, labels=labels, group=group)
    for item in objects:
        item["metadata"]["ownerReferences"] = [dict(owner)]
    for namespace, keys in by_namespace.items():
        objects += _bound_role(
            config_reader_role(cluster, addon),
            _read_rules(keys),
            namespace=namespace,
            labels=labels,
            group=group,
        )
    return objects


def config_reader_role(cluster: str, addon: str) -> str:
    """Return the name of an add-on agent's Role in a namespace that is not its cluster's."""
    return f"{names.cluster_role(cluster)}:{addon}:agent"


def _bound_role(
    name: str, rules: list[Rule], *, namespace: str, labels: dict[str, str], group: str
) -> list[KubeObject]:
    return [
        role(name, rules, namespace=namespace, labels=dict(labels)),
        role_binding(
            name,
            namespace=namespace,
            role_kind=ROLES.kind,
            role_name=name,
            subjects=[group_subject(group)],
            labels=dict(labels),
        ),
    ]


def _read_rules(configs: Iterable[AddonConfig]) -> list[Rule]:
    by_kind: dict[ConfigKind, list[str]] = {}
    for config in configs:
        by_kind.setdefault(config.kind, []).append(config.key.name)
    return [
        rule(kind.group, [kind.resource], _READ, only=object_names)
        for kind, object_names in by_kind.items()
    ]
