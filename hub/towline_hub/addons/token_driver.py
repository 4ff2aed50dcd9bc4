"""Add-ons whose agents come in with tokens: what that takes on the hub. Pure.

An agent that declares the driver `token` in its registration gets no certificate. The hub makes a
service account in the cluster's namespace, named after the add-on, and lets the cluster's own agent
ask for its tokens; the add-on's rights are bound to that account. Names, labels, rules and messages
are OCM's, since agents of either project read them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from towline_api import names
from towline_api.addons import KubeClientDriver, KubeClientRegistration, ManagedClusterAddon
from towline_api.resources import ROLES, SERVICE_ACCOUNTS, KubeObject
from towline_hub.clusters.rbac import Rule, cluster_subjects, role, role_binding, rule

TOKENS = f"{SERVICE_ACCOUNTS.plural}/token"


def service_account_user(cluster: str, addon: str) -> str:
    """Return the user name that a token of an add-on's service account stands for."""
    return f"system:serviceaccount:{cluster}:{names.addon_service_account(addon)}"


def kube_client_of(addon: ManagedClusterAddon) -> KubeClientRegistration | None:
    """Return an add-on's registration with the hub's API server; the first, if there are more."""
    return next(
        (item for item in addon.registrations if isinstance(item, KubeClientRegistration)), None
    )


def uses_tokens(addon: ManagedClusterAddon) -> bool:
    """Return whether the add-on's agent has declared that it comes in with tokens."""
    registration = kube_client_of(addon)
    return registration is not None and registration.driver is KubeClientDriver.TOKEN


def token_rules(addons: Sequence[str]) -> list[Rule]:
    """Return what asking for the tokens of add-ons' service accounts takes.

    `subscribe` is no verb of the Kubernetes API; OCM's gRPC server asks whether an agent has it.
    """
    accounts = [names.addon_service_account(addon) for addon in addons]
    return [rule("", [TOKENS], ["create"], only=accounts), rule("", [TOKENS], ["subscribe"])]


def token_infrastructure(
    cluster: str, addon: str, *, owner: Mapping[str, Any]
) -> tuple[KubeObject, KubeObject, KubeObject]:
    """Return service account, Role and RoleBinding of an add-on with tokens, in this order.

    Args:
        cluster: Name of the managed cluster, which is also its namespace.
        addon: Name of the add-on.
        owner: Owner reference to the ManagedClusterAddOn, with which all three go.
    """
    labels = {
        names.TOKEN_ADDON_LABEL: addon,
        names.TOKEN_INFRASTRUCTURE_LABEL: "true",
        # By these the hub's caches find what it granted.
        names.CLUSTER_NAME_LABEL: cluster,
        names.ADDON_NAME_LABEL: addon,
    }
    role_name = names.addon_token_role(addon)
    account: KubeObject = {
        "apiVersion": SERVICE_ACCOUNTS.api_version,
        "kind": SERVICE_ACCOUNTS.kind,
        "metadata": {
            "name": names.addon_service_account(addon),
            "namespace": cluster,
            "labels": dict(labels),
        },
    }
    objects = (
        account,
        role(role_name, token_rules([addon]), namespace=cluster, labels=dict(labels)),
        role_binding(
            role_name,
            namespace=cluster,
            role_kind=ROLES.kind,
            role_name=role_name,
            subjects=cluster_subjects(cluster),
            labels=dict(labels),
        ),
    )
    for item in objects:
        item["metadata"]["ownerReferences"] = [dict(owner)]
    return objects
