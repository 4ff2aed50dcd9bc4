"""RBAC for the agents of add-ons: one add-on, on one cluster, as Kubernetes objects.

Pure. An add-on's agent gets what it needs to follow its configuration and to say what came of it,
and what its declaration grants, nothing more. It is bound by the one name that means both its
cluster and its add-on: the group of its certificate, or the service account of its token. The group
that all agents of the add-on share is never bound: it would let cluster B's agent into cluster A's
namespace.

In each namespace there is one Role and one RoleBinding, whose names hold cluster and add-on where
others share the namespace, so that no two add-ons and no two clusters ever write the same object.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from towline_api import names
from towline_api.addons import AddonConfig, ConfigKind, KubeClientDriver
from towline_api.metadata import ObjectKey
from towline_api.rbac_subjects import group_subject, user_subject
from towline_api.resources import (
    ADDON_GROUP,
    CONFIG_MAPS,
    MANAGED_CLUSTER_ADDONS,
    ROLES,
    KubeObject,
)
from towline_certs.identities import addon_cluster_group
from towline_hub.addons.config_references import CONFIG_MAP
from towline_hub.addons.token_driver import service_account_user
from towline_hub.clusters.rbac import Rule, role, role_binding, rule
from towline_hub.permission import Permission

_READ = ("get", "list", "watch")
_OWN_STATUS = f"{MANAGED_CLUSTER_ADDONS.plural}/status"


def addon_labels(cluster: str, addon: str) -> dict[str, str]:
    """Return the labels by which an add-on's RBAC on one cluster is found again."""
    return {names.CLUSTER_NAME_LABEL: cluster, names.ADDON_NAME_LABEL: addon}


def addon_subject(
    cluster: str, addon: str, *, driver: KubeClientDriver | None = None
) -> KubeObject:
    """Return the one subject that means this add-on's agent on this cluster and nobody else.

    Args:
        cluster: Name of the managed cluster.
        addon: Name of the add-on.
        driver: How the agent authenticates; None means by certificate.
    """
    if driver is KubeClientDriver.TOKEN:
        return user_subject(service_account_user(cluster, addon))
    return group_subject(addon_cluster_group(cluster, addon))


def addon_rbac(
    cluster: str,
    addon: str,
    *,
    configs: Iterable[AddonConfig],
    owner: Mapping[str, Any],
    permissions: Sequence[Permission] = (),
    reports: bool = False,
    driver: KubeClientDriver | None = None,
) -> list[KubeObject]:
    """Return the Roles and RoleBindings of one add-on's agent on one cluster.

    Args:
        cluster: Name of the managed cluster, which is also its namespace.
        addon: Name of the add-on.
        configs: Configuration objects the agent must be able to read, wherever they are.
        owner: Owner reference to the ManagedClusterAddOn. Objects in the cluster's namespace carry
            it and go with the add-on; elsewhere Kubernetes does not allow it.
        permissions: What the add-on's declaration grants.
        reports: Whether the agent may write into the status of its own ManagedClusterAddOn.
        driver: How the agent authenticates; None means by certificate.
    """
    by_namespace: dict[str, list[AddonConfig]] = {}
    for config in sorted(set(configs), key=lambda item: (item.kind, str(item.key))):
        if config.key.namespace is not None:
            by_namespace.setdefault(config.key.namespace, []).append(config)
    granted: dict[str, list[Rule]] = {}
    for permission in permissions:
        granted.setdefault(permission.namespace or cluster, []).append(permission.rule)
    labels = addon_labels(cluster, addon)
    subject = addon_subject(cluster, addon, driver=driver)
    own_rules = [
        # Whatever an operator puts into the cluster's namespace is meant for this cluster.
        rule("", [CONFIG_MAPS.plural], _READ),
        rule(ADDON_GROUP, [MANAGED_CLUSTER_ADDONS.plural], _READ, only=[addon]),
        *([rule(ADDON_GROUP, [_OWN_STATUS], ["patch"], only=[addon])] if reports else []),
        *_read_rules(
            config for config in by_namespace.pop(cluster, []) if config.kind != CONFIG_MAP
        ),
        *granted.pop(cluster, []),
    ]
    own_name = names.addon_agent_role(addon)
    objects = _bound_role(own_name, own_rules, namespace=cluster, labels=labels, subject=subject)
    for item in objects:
        item["metadata"]["ownerReferences"] = [dict(owner)]
    for namespace in dict.fromkeys((*by_namespace, *granted)):
        objects += _bound_role(
            config_reader_role(cluster, addon),
            [*_read_rules(by_namespace.get(namespace, [])), *granted.get(namespace, [])],
            namespace=namespace,
            labels=labels,
            subject=subject,
        )
    return objects


def config_reader_role(cluster: str, addon: str) -> str:
    """Return the name of an add-on agent's Role in a namespace that is not its cluster's.

    No two pairs have the same: neither name can hold the colon between them.
    """
    return f"{names.cluster_role(cluster)}:{addon}:agent"


def is_addon_grant(key: ObjectKey, *, cluster: str, addon: str) -> bool:
    """Return whether a Role or RoleBinding of this name and place is one that `addon_rbac` makes.

    Others may label what they make with the same cluster and add-on; that is theirs.
    """
    if key.namespace == cluster:
        return key.name == names.addon_agent_role(addon)
    return key.name == config_reader_role(cluster, addon)


def _bound_role(
    name: str, rules: list[Rule], *, namespace: str, labels: dict[str, str], subject: KubeObject
) -> list[KubeObject]:
    return [
        role(name, rules, namespace=namespace, labels=dict(labels)),
        role_binding(
            name,
            namespace=namespace,
            role_kind=ROLES.kind,
            role_name=name,
            subjects=[subject],
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
