"""The links about what an add-on's agent may do on the hub, and what it comes in with.

Pure: what was gathered in, links out.
"""

from collections.abc import Iterator

from towline_api import names
from towline_api.addons import KubeClientDriver, KubeClientRegistration, ManagedClusterAddon
from towline_api.condition_types import CERTIFICATE_ROTATED, TOKEN_REFRESHED
from towline_api.conditions import find_condition
from towline_api.metadata import name_of
from towline_api.resources import KubeObject
from towline_certs.identities import addon_cluster_group
from towline_hub.approval.live_identity import reported_expiry
from towline_hub.explain.links import Link, broken, holds, unseen
from towline_hub.explain.requests import RequestFacts, decision_link, newest, signing_link
from towline_hub.explain.seen import AddonFactsSeen
from towline_hub.looking import Unseen
from towline_hub.spans import rough


def rights_link(facts: AddonFactsSeen, addon: ManagedClusterAddon) -> Link:
    """Return whether the agent is bound to any rights on the hub."""
    ours = _kube_client(addon)
    if ours is None:
        return holds("rights", "it has no credential for the hub's API server, so needs no rights")
    if isinstance(facts.bindings, Unseen):
        return unseen("rights", facts.bindings)
    wanted = {addon_cluster_group(facts.cluster, facts.name), ours.subject.user}
    bound = [
        name_of(binding)
        for binding in facts.bindings
        if any(_account(subject) in wanted for subject in binding.get("subjects") or ())
    ]
    if bound:
        return holds("rights", f"its agent is bound by {', '.join(sorted(bound))}")
    return broken(
        "rights",
        f"no RoleBinding gives {addon_cluster_group(facts.cluster, facts.name)} any rights",
        fix="a hub at work grants them at once; check that one runs and has its rights",
        command="towline doctor",
    )


def _account(subject: KubeObject) -> str:
    if subject.get("kind") == "ServiceAccount":
        return f"system:serviceaccount:{subject.get('namespace')}:{subject.get('name')}"
    return str(subject.get("name"))


def _kube_client(addon: ManagedClusterAddon) -> KubeClientRegistration | None:
    return next(
        (item for item in addon.registrations if isinstance(item, KubeClientRegistration)), None
    )


def credential_links(
    facts: AddonFactsSeen, obj: KubeObject, addon: ManagedClusterAddon
) -> Iterator[Link]:
    """Yield the links about what the agent comes in with: a certificate, or a token."""
    if not addon.registrations:
        return
    ours = _kube_client(addon)
    if ours is not None and ours.driver is KubeClientDriver.TOKEN:
        yield _token(facts, obj)
        return
    condition = find_condition(obj, CERTIFICATE_ROTATED)
    expiry = reported_expiry(obj)
    if isinstance(facts.requests, Unseen):
        yield unseen("request", facts.requests)
    elif request := _counting(facts, has_certificate=expiry is not None and expiry > facts.now):
        yield holds("request", f"its cluster's agent asked: {request.request.name}")
        yield decision_link(request, now=facts.now)
        if "Approved" in request.request.decisions or request.request.has_certificate:
            yield signing_link(request, now=facts.now)
    elif condition is None or (expiry is not None and expiry <= facts.now):
        yield broken(
            "request",
            "its cluster's agent has not asked for its certificate, or Kubernetes removed the "
            "request: one hour after it was decided, a day after it was made",
            fix="the agent asks as soon as it sees the registration; on the managed cluster, read "
            "its log, and check that the add-on's install namespace "
            f"{addon.install_namespace} exists there",
        )
    yield _certificate(facts, obj, addon)


def _counting(facts: AddonFactsSeen, *, has_certificate: bool) -> RequestFacts | None:
    """Return the request that says something; a signed one says nothing beside a certificate."""
    if isinstance(facts.requests, Unseen):
        return None
    request = newest(facts.requests)
    if request is not None and has_certificate and request.request.has_certificate:
        return None
    return request


def _certificate(facts: AddonFactsSeen, obj: KubeObject, addon: ManagedClusterAddon) -> Link:
    condition, expiry = find_condition(obj, CERTIFICATE_ROTATED), reported_expiry(obj)
    if condition is not None and condition.status == "False":
        return broken(
            "certificate",
            f"{condition.reason}: {condition.message}",
            fix="put right what the message names; the cluster's agent tries again by itself",
            command=f"kubectl get csr -l {names.CLUSTER_NAME_LABEL}={facts.cluster},"
            f"{names.ADDON_NAME_LABEL}={facts.name}",
        )
    if expiry is None:
        return broken(
            "certificate",
            "the cluster's agent has not reported a certificate for it",
            fix="it does once the certificate is in the add-on's Secret; on the managed cluster, "
            f"check that namespace {addon.install_namespace} exists and read the agent's log",
        )
    if expiry <= facts.now:
        return broken(
            "certificate",
            f"its certificate ended {rough(facts.now - expiry)} ago",
            fix="the cluster's agent renews it long before; on the managed cluster, check that it "
            "runs and read its log",
            command=f"towline explain cluster/{facts.cluster}",
        )
    return holds("certificate", f"its certificate is valid for {rough(expiry - facts.now)}")


def _token(facts: AddonFactsSeen, obj: KubeObject) -> Link:
    condition = find_condition(obj, TOKEN_REFRESHED)
    if condition is not None and condition.status == "True":
        return holds("token", condition.message or "the cluster's agent holds its token")
    found = (
        "the cluster's agent has reported no token for it"
        if condition is None
        else f"{condition.reason}: {condition.message}"
    )
    return broken(
        "token",
        found,
        fix="the hub makes its ServiceAccount, the cluster's agent asks for a token of it; look at "
        "the condition TokenInfrastructureReady and at the agent's log",
        command=f"kubectl get serviceaccount -n {facts.cluster} "
        f"{names.addon_service_account(facts.name)}",
    )
