"""What an add-on on one cluster hangs on, from its definition to its health.

Pure: what was gathered in, links out.
"""

from collections.abc import Iterator

from towline_api import names
from towline_api.addons import (
    CustomSignerRegistration,
    HealthMode,
    ManagedClusterAddon,
)
from towline_api.condition_types import (
    AVAILABLE,
    CONFIGURED,
    PROGRESSING,
    REASON_FAILED,
    REGISTRATION_APPLIED,
)
from towline_api.conditions import find_condition
from towline_api.metadata import finalizers_of, is_being_deleted, owner_references_of
from towline_api.resources import KubeObject
from towline_hub.explain.addon_credential_links import credential_links, rights_link
from towline_hub.explain.cluster_chain import first_broken
from towline_hub.explain.links import Link, LinkState, broken, holds, unseen
from towline_hub.explain.seen import AddonFactsSeen
from towline_hub.explain.signer_links import addon_signer_links
from towline_hub.looking import Unseen

_LEASE_SECONDS = 60
"""How often an add-on renews its Lease, as everywhere in Open Cluster Management."""


def addon_chain(facts: AddonFactsSeen) -> list[Link]:
    """Return the links of an add-on's chain."""
    return list(_links(facts))


def _links(facts: AddonFactsSeen) -> Iterator[Link]:
    yield _definition(facts)
    if facts.obj is None or facts.addon is None:
        yield broken(
            "enabled",
            f"there is no ManagedClusterAddOn {facts.name} in namespace {facts.cluster}",
            fix="enable the add-on on this cluster: create a ManagedClusterAddOn of its name in "
            "the cluster's namespace",
            command=f"kubectl get managedclusteraddons -n {facts.cluster}",
        )
        return
    yield _enabled(facts, facts.obj)
    yield _cluster(facts)
    yield _owner(facts, facts.obj)
    yield _registered(facts, facts.obj, facts.addon)
    yield rights_link(facts, facts.addon)
    yield from addon_signer_links(
        facts.addon,
        declaration=facts.declaration,
        outlooks=facts.signers,
        approved=facts.approved_signers,
    )
    yield from credential_links(facts, facts.obj, facts.addon)
    yield _place(facts.addon)
    yield _configured(facts, facts.obj, facts.addon)
    yield _applied(facts, facts.obj, facts.addon)
    yield _available(facts, facts.obj, facts.addon)


def _definition(facts: AddonFactsSeen) -> Link:
    found, name = facts.definition, facts.name
    if isinstance(found, Unseen):
        return unseen("definition", found)
    if found is None:
        return broken(
            "definition",
            f"there is no ClusterManagementAddOn {name}",
            fix="define the add-on on the hub: apply its ClusterManagementAddOn",
            command="kubectl get clustermanagementaddons",
        )
    if is_being_deleted(found):
        return broken(
            "definition",
            f"ClusterManagementAddOn {name} is being deleted",
            fix="wait until it is gone, then apply it again if the add-on is to stay",
            command=f"kubectl get clustermanagementaddon {name} -o yaml",
        )
    return holds("definition", f"ClusterManagementAddOn {name} is there")


def _enabled(facts: AddonFactsSeen, obj: KubeObject) -> Link:
    if not is_being_deleted(obj):
        return holds("enabled", f"ManagedClusterAddOn {facts.cluster}/{facts.name} is there")
    held = ", ".join(finalizers_of(obj)) or "nothing"
    return broken(
        "enabled",
        f"it is being deleted since {obj['metadata']['deletionTimestamp']}, held by {held}",
        fix="its agent takes the finalizers off once it has cleaned up; check that it runs",
        command=f"kubectl get managedclusteraddon -n {facts.cluster} {facts.name} -o yaml",
    )


def _cluster(facts: AddonFactsSeen) -> Link:
    first = first_broken(facts.cluster_links)
    if first is None:
        return holds("cluster", f"cluster {facts.cluster} is well")
    return broken(
        "cluster",
        f"cluster {facts.cluster}: {first.name}: {first.found}",
        fix=first.fix or "see the cluster's own chain",
        command=f"towline explain cluster/{facts.cluster}",
    )


def _owner(facts: AddonFactsSeen, obj: KubeObject) -> Link:
    definition = facts.definition
    if isinstance(definition, Unseen) or definition is None:
        return Link("owner", LinkState.UNKNOWN, "cannot tell without its ClusterManagementAddOn")
    uid = definition["metadata"].get("uid")
    if any(item.get("uid") == uid for item in owner_references_of(obj)):
        return holds("owner", f"ClusterManagementAddOn {facts.name} owns it")
    return broken(
        "owner",
        f"ClusterManagementAddOn {facts.name} does not own it",
        fix="a hub at work sets the owner at once; check that one runs, has its rights, and that "
        "its setting `addons` does not leave this add-on out",
        command="towline doctor",
    )


def _registered(facts: AddonFactsSeen, obj: KubeObject, addon: ManagedClusterAddon) -> Link:
    condition = find_condition(obj, REGISTRATION_APPLIED)
    if condition is not None and condition.status != "True":
        return broken(
            "registration",
            f"{condition.reason}: {condition.message}",
            fix="put right what the message names; the hub tries again by itself",
            command=f"kubectl get managedclusteraddon -n {facts.cluster} {facts.name} -o yaml",
        )
    if condition is None:
        return broken(
            "registration",
            "no hub has registered it",
            fix="a hub at work does so at once, or the add-on's own program where it has one; "
            "check that it runs",
            command="towline doctor",
        )
    signers = [
        item.signer_name if isinstance(item, CustomSignerRegistration) else names.KUBE_CLIENT_SIGNER
        for item in addon.registrations
    ]
    if not signers:
        return holds("registration", "it is registered without a credential for the hub")
    return holds("registration", f"it is registered with {', '.join(signers)}")


def _place(addon: ManagedClusterAddon) -> Link:
    where = (
        f"hosting cluster {addon.hosting_cluster}" if addon.hosting_cluster else "managed cluster"
    )
    decided = "" if addon.agent_namespace else ", by default"
    return holds("install namespace", f"{addon.install_namespace} on the {where}{decided}")


def _configured(facts: AddonFactsSeen, obj: KubeObject, addon: ManagedClusterAddon) -> Link:
    condition = find_condition(obj, CONFIGURED)
    if condition is not None and condition.status != "True":
        return broken(
            "configuration",
            f"{condition.reason}: {condition.message}",
            fix="create what is missing or correct the reference; the hub looks again by itself",
            command=f"kubectl get managedclusteraddon -n {facts.cluster} {facts.name} -o yaml",
        )
    found = [f"{item.kind} {item.desired.key}" for item in addon.config_references]
    return holds("configuration", ", ".join(found) or "it has none")


def _applied(facts: AddonFactsSeen, obj: KubeObject, addon: ManagedClusterAddon) -> Link:
    condition = find_condition(obj, PROGRESSING)
    said = f": {condition.reason}: {condition.message}" if condition is not None else ""
    waiting = [
        f"{item.kind} {item.desired.key}" for item in addon.config_references if not item.is_applied
    ]
    if condition is not None and condition.reason == REASON_FAILED:
        return broken(
            "applied",
            f"its agent could not apply the configuration{said}",
            fix="put right what the message names, in the configuration or on the managed cluster",
            command=f"kubectl get managedclusteraddon -n {facts.cluster} {facts.name} -o yaml",
        )
    if waiting:
        return broken(
            "applied",
            f"not applied yet: {', '.join(waiting)}{said}",
            fix="its agent applies it and reports; on the managed cluster, check that it runs and "
            "read its log",
        )
    return holds("applied", "its agent applied what the hub desires")


def _available(facts: AddonFactsSeen, obj: KubeObject, addon: ManagedClusterAddon) -> Link:
    condition = find_condition(obj, AVAILABLE)
    by_lease = addon.effective_health_mode is HealthMode.LEASE
    expected = (
        f"Lease {facts.name} in namespace {addon.install_namespace} of the "
        f"{'hosting' if addon.hosting_cluster else 'managed'} cluster, renewed every "
        f"{_LEASE_SECONDS} s by the add-on's own process, or by the cluster's agent where the "
        "add-on has none"
    )
    if condition is not None and condition.status == "True":
        return holds("available", condition.message or "the add-on is well")
    found = (
        "nobody has said anything about its health yet"
        if condition is None
        else f"{condition.status}: {condition.reason}: {condition.message}"
    )
    if not by_lease:
        return broken(
            "available",
            found,
            fix="its health is told by the add-on itself (mode Customized): look at its own "
            "program, or at the ManifestWorks it is judged by",
            command=f"kubectl get manifestworks -n {facts.cluster}",
        )
    return broken(
        "available",
        f"{found}; expected is {expected}",
        fix="check that the add-on's process runs there and may write its Lease; on the managed "
        f"cluster: kubectl get lease -n {addon.install_namespace} {facts.name} -o yaml",
    )
