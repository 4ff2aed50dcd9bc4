"""What a hub has to hold because of the add-ons it is told of: exactly what it hands out. Pure.

Kubernetes lets nobody grant what they do not hold, so a role grows with the declarations, and by
nothing else. What agents share in one namespace is held in that namespace only.
"""

from collections.abc import Iterable, Sequence

from towline_api import names
from towline_api.resources import (
    ADDON_DEPLOYMENT_CONFIGS,
    ADDON_GROUP,
    CERTIFICATE_SIGNING_REQUESTS,
    CLUSTER_GROUP,
    CLUSTER_MANAGEMENT_ADDONS,
    CONFIG_MAPS,
    EVENTS,
    LEASES,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
    RBAC_GROUP,
    ROLE_BINDINGS,
    ROLES,
    SERVICE_ACCOUNTS,
    KubeObject,
)
from towline_hub.addons.declarations import AddonDeclaration
from towline_hub.addons.token_driver import token_rules
from towline_hub.clusters.rbac import Rule, role, role_binding, rule

_LOOK = ("get", "list", "watch")
_CSRS = CERTIFICATE_SIGNING_REQUESTS.plural
_DEFINITIONS = CLUSTER_MANAGEMENT_ADDONS.plural
_ADDONS = MANAGED_CLUSTER_ADDONS.plural


def declared_rules(declarations: Sequence[AddonDeclaration]) -> list[Rule]:
    """Return what a whole hub holds beyond its own role because of declared add-ons.

    Rights in one shared namespace are not among them: see `shared_grants`.

    Args:
        declarations: The declared add-ons.
    """
    rules = _definition_rules(declarations)
    rules += _handed_out(declarations)
    with_tokens = sorted(item.name for item in declarations if item.token_driver)
    if with_tokens:
        accounts = [names.addon_service_account(name) for name in with_tokens]
        rules += [
            # Creating cannot be limited to names; the rest is.
            rule("", [SERVICE_ACCOUNTS.plural], ["create"]),
            rule("", [SERVICE_ACCOUNTS.plural], ["patch", "delete"], only=accounts),
            *token_rules(with_tokens),
        ]
    return rules


def addons_only_rules(
    addons: Iterable[str], declarations: Sequence[AddonDeclaration]
) -> list[Rule]:
    """Return what looking after some add-ons takes on a hub that belongs to another program.

    Objects of other add-ons can be read, and not written. Roles and bindings cannot be limited to
    names, since those of an agent in a shared namespace hold its cluster's; what they can grant is
    limited to what is held here.

    Args:
        addons: Names of the add-ons that are looked after without being declared.
        declarations: The declared add-ons.
    """
    served = sorted({*addons, *(item.name for item in declarations)})
    group = CERTIFICATE_SIGNING_REQUESTS.group
    return [
        rule(group, [_CSRS], _LOOK),
        rule(group, [f"{_CSRS}/approval"], ["update"]),
        rule(group, ["signers"], ["approve"], only=[names.KUBE_CLIENT_SIGNER]),
        rule(EVENTS.group, [EVENTS.plural], ["create", "patch", "update"]),
        rule(CLUSTER_GROUP, [MANAGED_CLUSTERS.plural], _LOOK),
        rule(ADDON_GROUP, [_DEFINITIONS, ADDON_DEPLOYMENT_CONFIGS.plural, _ADDONS], _LOOK),
        rule(ADDON_GROUP, [f"{_DEFINITIONS}/status", f"{_ADDONS}/status"], ["patch"], only=served),
        rule("", [CONFIG_MAPS.plural], _LOOK),
        rule(
            RBAC_GROUP,
            [ROLES.plural, ROLE_BINDINGS.plural],
            [*_LOOK, "create", "patch", "delete"],
        ),
        *_definition_rules(declarations),
        *_handed_out(declarations),
    ]


def election_rules(lease: str) -> list[Rule]:
    """Return what electing a leader by a Lease of this name takes, in its namespace."""
    kinds = [LEASES.plural]
    return [
        # Creating cannot be limited to a name; the rest is.
        rule(LEASES.group, kinds, ["create"]),
        rule(LEASES.group, kinds, [*_LOOK, "update"], only=[lease]),
    ]


def shared_grants(
    declarations: Sequence[AddonDeclaration],
    *,
    name: str,
    subject: KubeObject,
    labels: dict[str, str],
) -> list[KubeObject]:
    """Return what is held in shared namespaces only: a Role and a RoleBinding in each.

    Args:
        declarations: The declared add-ons.
        name: Name of these objects.
        subject: Who hands it out.
        labels: Labels of these objects.
    """
    by_namespace: dict[str, list[Rule]] = {}
    for declaration in declarations:
        for permission in declaration.permissions:
            if permission.namespace is not None:
                rules = by_namespace.setdefault(permission.namespace, [])
                if permission.rule not in rules:
                    rules.append(permission.rule)
    return [
        obj
        for namespace, rules in by_namespace.items()
        for obj in (
            role(name, rules, namespace=namespace, labels=labels),
            role_binding(
                name,
                namespace=namespace,
                role_kind=ROLES.kind,
                role_name=name,
                subjects=[subject],
                labels=labels,
            ),
        )
    ]


def _definition_rules(declarations: Sequence[AddonDeclaration]) -> list[Rule]:
    if not declarations:
        return []
    declared = sorted(item.name for item in declarations)
    return [
        rule(ADDON_GROUP, [_DEFINITIONS], ["create"]),
        rule(ADDON_GROUP, [_DEFINITIONS], ["patch"], only=declared),
    ]


def _handed_out(declarations: Sequence[AddonDeclaration]) -> list[Rule]:
    rules: list[Rule] = []
    for declaration in declarations:
        for permission in declaration.permissions:
            if permission.namespace is None and permission.rule not in rules:
                rules.append(permission.rule)
    return rules
