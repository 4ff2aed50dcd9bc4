"""What the hub itself may do: everything it needs, nothing it could do without.

Kubernetes lets nobody hand out rights they do not hold, so the hub holds what it gives to clusters
and add-ons. It holds no `escalate`, which would be the way round that rule, and `bind` for no roles
but the two that all clusters share, can create no workload, and can read no Secret.
"""

from collections.abc import Collection, Sequence

from towline_api import names
from towline_api.resources import (
    ADDON_DEPLOYMENT_CONFIGS,
    ADDON_GROUP,
    CERTIFICATE_SIGNING_REQUESTS,
    CLUSTER_GROUP,
    CLUSTER_MANAGEMENT_ADDONS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    EVENTS,
    LEASES,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
    NAMESPACES,
    RBAC_GROUP,
    REGISTER_GROUP,
    ROLE_BINDINGS,
    ROLES,
    SERVICE_ACCOUNTS,
    SUBJECT_ACCESS_REVIEWS,
    KubeObject,
)
from towline_hub.addons.declarations import AddonDeclaration
from towline_hub.addons.declared_rights import (
    addons_only_rules,
    declared_rules,
    election_rules,
    shared_grants,
)
from towline_hub.addons.scope import addons_lease
from towline_hub.clusters.acceptance_guard import (
    ADMISSION_GROUP,
    GUARD_NAME,
    POLICIES,
    POLICY_BINDINGS,
)
from towline_hub.clusters.rbac import (
    WORK_GROUP,
    Rule,
    cluster_role,
    cluster_role_binding,
    role,
    role_binding,
    rule,
)
from towline_hub.joining.bootstrap_guard import CLUSTER_GUARD_NAME, REQUEST_GUARD_NAME
from towline_hub.signers.permissions import SIGNERS_ROLE, authority_role, signing_rules
from towline_hub.signers.settings import SignerSettings
from towline_hub.webhook.permissions import certificate_role, pointing_rules

HUB_ROLE = "open-cluster-management:towline-hub"
ADDONS_ROLE = "open-cluster-management:towline-hub:addons"
ADDONS_ONLY_ROLE = "open-cluster-management:towline-addons"
CRD_INSTALLER_ROLE = "open-cluster-management:towline-hub:crd-installer"

_LOOK = ("get", "list", "watch")
_GUARDS = (GUARD_NAME, CLUSTER_GUARD_NAME, REQUEST_GUARD_NAME)
_CSRS = CERTIFICATE_SIGNING_REQUESTS.plural


def hub_permissions(
    subject: KubeObject,
    *,
    installs_crds: bool = False,
    namespace: str = names.HUB_NAMESPACE,
    signers: Sequence[SignerSettings] = (),
    approve_signers: Sequence[str] = (),
    declarations: Sequence[AddonDeclaration] = (),
    shares_webhook_certificates: bool = False,
) -> list[KubeObject]:
    """Return the roles a hub runs under, and their bindings.

    An administrator applies them before the hub starts; `towline hub run` never does.

    Args:
        subject: Who runs the hub: `user_subject(...)` or `service_account_subject(...)`.
        installs_crds: Whether the hub runs with `--install-crds`. Creating cannot be limited to
            names, so this lets it create any CRD.
        namespace: The hub's own.
        signers: The custom signers it plays.
        approve_signers: Custom signers that somebody else plays, for which it approves.
        declarations: The add-ons it declares. What it grants their agents in one shared namespace
            it holds there alone, so that namespace has to exist before this is applied.
        shares_webhook_certificates: Whether its replicas share those of the webhook in a Secret, as
            they do in pods, and wherever the settings name the webhook's URL.
    """
    roles = [cluster_role(HUB_ROLE, hub_rules(), labels=_labels())]
    inside: list[KubeObject] = []
    if declarations:
        roles.append(cluster_role(ADDONS_ROLE, declared_rules(declarations), labels=_labels()))
    if signers or approve_signers:
        rules = signing_rules(signers, approve_signers=approve_signers)
        roles.append(cluster_role(SIGNERS_ROLE, rules, labels=_labels()))
    if signers:
        inside += authority_role(signers, namespace=namespace, subject=subject, labels=_labels())
    if installs_crds:
        roles.append(cluster_role(CRD_INSTALLER_ROLE, crd_installer_rules(), labels=_labels()))
    inside += shared_grants(declarations, name=ADDONS_ROLE, subject=subject, labels=_labels())
    if shares_webhook_certificates:
        inside += certificate_role(namespace=namespace, subject=subject, labels=_labels())
    return _bound(roles, subject=subject) + inside


def addons_only_permissions(
    subject: KubeObject,
    *,
    addons: Collection[str] = (),
    declarations: Sequence[AddonDeclaration] = (),
    namespace: str | None = None,
    signers: Sequence[SignerSettings] = (),
    approve_signers: Sequence[str] = (),
) -> list[KubeObject]:
    """Return the roles a program runs under that looks after some add-ons only.

    That is `towline hub run --addons-only`, or an `AddonManager`. Their names hold the add-ons', so
    that several such programs have each its own.

    Args:
        subject: Who runs it: `user_subject(...)` or `service_account_subject(...)`.
        addons: Names of the add-ons it looks after without declaring them.
        declarations: The add-ons it declares. What it grants their agents in one shared namespace
            it holds there alone, so that namespace has to exist before this is applied.
        namespace: Its own, where its replicas elect their leader, and where the Secrets of its
            signers are; None if there is only one replica, and no signer.
        signers: The custom signers it plays.
        approve_signers: Custom signers that somebody else plays, for which it approves.
    """
    served = sorted({*addons, *(item.name for item in declarations)})
    name = ":".join((ADDONS_ONLY_ROLE, *served))
    rules = [
        *addons_only_rules(addons, declarations),
        *signing_rules(signers, approve_signers=approve_signers),
    ]
    held = cluster_role(name, rules, labels=_labels())
    inside = shared_grants(declarations, name=name, subject=subject, labels=_labels())
    if namespace is not None:
        elect = f"{name}:election"
        election = election_rules(addons_lease(served))
        inside += [
            role(elect, election, namespace=namespace, labels=_labels()),
            role_binding(
                elect,
                namespace=namespace,
                role_kind=ROLES.kind,
                role_name=elect,
                subjects=[subject],
                labels=_labels(),
            ),
        ]
        if signers:
            inside += authority_role(
                signers,
                namespace=namespace,
                subject=subject,
                labels=_labels(),
                name=f"{name}:signers",
            )
    return _bound([held], subject=subject) + inside


def _bound(roles: Sequence[KubeObject], *, subject: KubeObject) -> list[KubeObject]:
    return [
        obj
        for role in roles
        for obj in (
            role,
            cluster_role_binding(
                role["metadata"]["name"],
                role=role["metadata"]["name"],
                subjects=[subject],
                labels=_labels(),
            ),
        )
    ]


def hub_rules() -> list[Rule]:
    """Return what the hub uses itself, followed by what it holds only to hand it out."""
    return [
        *_approval(),
        *_acceptance(),
        *_guard(),
        *_addons(),
        *pointing_rules(),
        *_handed_out(),
    ]


def crd_installer_rules() -> list[Rule]:
    """Return what installing and upgrading our own CRDs takes."""
    return [
        rule(
            CUSTOM_RESOURCE_DEFINITIONS.group,
            [CUSTOM_RESOURCE_DEFINITIONS.plural],
            ["get", "create", "patch"],
        )
    ]


def _approval() -> Sequence[Rule]:
    group = CERTIFICATE_SIGNING_REQUESTS.group
    return (
        rule(group, [_CSRS], _LOOK),
        rule(group, [f"{_CSRS}/approval"], ["update"]),
        # Denying needs no signer; approving does, and ours is this one.
        rule(group, ["signers"], ["approve"], only=[names.KUBE_CLIENT_SIGNER]),
        rule(SUBJECT_ACCESS_REVIEWS.group, [SUBJECT_ACCESS_REVIEWS.plural], ["create"]),
        rule(EVENTS.group, [EVENTS.plural], ["create", "patch", "update"]),
    )


def _acceptance() -> Sequence[Rule]:
    grants = [kind.plural for kind in (CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS, ROLES, ROLE_BINDINGS)]
    return (
        rule(CLUSTER_GROUP, [MANAGED_CLUSTERS.plural], [*_LOOK, "patch"]),
        rule(CLUSTER_GROUP, [f"{MANAGED_CLUSTERS.plural}/status"], ["patch"]),
        # OCM's admission webhook asks for this when `hubAcceptsClient` turns true.
        rule(REGISTER_GROUP, ["managedclusters/accept"], ["update"]),
        rule("", [NAMESPACES.plural], [*_LOOK, "create", "patch"]),
        rule(RBAC_GROUP, grants, [*_LOOK, "create", "patch", "delete"]),
        # The hub holds all that these two grant. Saying so by name spares the API server from
        # finding that out anew for each cluster, by reading every role that the hub is bound to.
        rule(
            RBAC_GROUP,
            [CLUSTER_ROLES.plural],
            ["bind"],
            only=[names.REGISTRATION_CLUSTER_ROLE, names.WORK_CLUSTER_ROLE],
        ),
        rule(LEASES.group, [LEASES.plural], [*_LOOK, "create", "patch"]),
        # A cluster that is deleted is let go with what it was told to do.
        rule(WORK_GROUP, ["manifestworks"], ["delete"]),
    )


def _guard() -> Sequence[Rule]:
    kinds = [POLICIES.plural, POLICY_BINDINGS.plural]
    return (
        # A policy can only forbid. Creating cannot be limited to a name; the rest is.
        rule(ADMISSION_GROUP, kinds, ["create"]),
        rule(ADMISSION_GROUP, kinds, ["get", "patch"], only=_GUARDS),
    )


def _addons() -> Sequence[Rule]:
    addons = MANAGED_CLUSTER_ADDONS.plural
    return (
        rule(ADDON_GROUP, [CLUSTER_MANAGEMENT_ADDONS.plural], _LOOK),
        rule(ADDON_GROUP, [ADDON_DEPLOYMENT_CONFIGS.plural], _LOOK),
        rule(ADDON_GROUP, [addons], [*_LOOK, "patch", "delete"]),
        rule(ADDON_GROUP, [f"{addons}/status"], ["patch"]),
        rule("", [CONFIG_MAPS.plural], _LOOK),
        # To notice when the account of an add-on with tokens is gone.
        rule("", [SERVICE_ACCOUNTS.plural], _LOOK),
    )


def _handed_out() -> Sequence[Rule]:
    return (
        rule(CERTIFICATE_SIGNING_REQUESTS.group, [_CSRS], ["create"]),
        rule(REGISTER_GROUP, ["managedclusters/clientcertificates"], ["renew"]),
        rule(CLUSTER_GROUP, [MANAGED_CLUSTERS.plural], ["create", "update"]),
        rule(CLUSTER_GROUP, [f"{MANAGED_CLUSTERS.plural}/status"], ["update"]),
        rule(CLUSTER_GROUP, ["managedclustersets/join"], ["create"]),
        rule(LEASES.group, [LEASES.plural], ["update"]),
        rule(ADDON_GROUP, [f"{MANAGED_CLUSTER_ADDONS.plural}/status"], ["update"]),
        rule("", ["events"], ["create", "patch", "update"]),
        rule(WORK_GROUP, ["manifestworks"], [*_LOOK, "update", "patch"]),
        rule(WORK_GROUP, ["manifestworks/status"], ["patch", "update"]),
    )


def _labels() -> dict[str, str]:
    return {names.MANAGED_BY_LABEL: "towline"}
