"""The links about certificate requests: made, decided, signed.

Pure. What the policy says is asked of the policy itself, with the facts as they are now.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from towline_api.addon_codec import AddonCodec
from towline_api.conditions import Condition, find_condition
from towline_api.metadata import creation_time_of, name_of
from towline_api.resources import KubeObject
from towline_certs.approval import Approve, ClusterFacts, Decision
from towline_certs.flood import Traffic
from towline_certs.policy import decide
from towline_certs.signing_requests import SigningRequest
from towline_hub.addons.declarations import AddonDeclaration
from towline_hub.approval.facts import addon_facts, cluster_facts
from towline_hub.approval.rules import ApprovalRules
from towline_hub.clusters.former_certificates import former_expiry
from towline_hub.explain.links import Link, broken, holds
from towline_hub.spans import rough

SIGNING_TAKES = timedelta(seconds=30)
"""How long the signer may take before that is worth a word; it needs one second, or some more while
a whole fleet joins."""


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """A certificate request with what is known around it.

    Args:
        obj: The request.
        note: What the hub last said about it in an Event; None if nothing is to be seen.
        as_is: What the policy says about it now.
        if_accepted: What it would say if a person accepted the cluster and this request.
        accepted: Whether its cluster is accepted already.
    """

    obj: KubeObject
    note: str | None
    as_is: Decision
    if_accepted: Decision
    accepted: bool

    @property
    def request(self) -> SigningRequest:
        """The request's own words."""
        return SigningRequest.from_csr(self.obj)


def judge(
    obj: KubeObject,
    *,
    note: str | None,
    cluster: KubeObject | None,
    namespace: KubeObject | None,
    addon: KubeObject | None,
    others: Sequence[KubeObject],
    may_renew: bool | None,
    rules: ApprovalRules,
    declarations: Mapping[str, AddonDeclaration],
    codec: AddonCodec,
    now: datetime,
) -> RequestFacts:
    """Return a request with what the approval policy says about it.

    Args:
        obj: The request.
        note: What the hub last said about it.
        cluster: The ManagedCluster it names; None if there is none.
        namespace: The cluster's namespace, as far as it is to be seen.
        addon: The ManagedClusterAddOn it names; None if there is none.
        others: All requests labelled with the same cluster.
        may_renew: The API server's answer whether its requester may renew; None if nobody asked.
        rules: What the hub's operator allows.
        declarations: What add-ons are declared to be on the hub, by name.
        codec: How add-ons are written.
        now: The present.
    """
    request = SigningRequest.from_csr(obj)
    others = [other for other in others if name_of(other) != request.name]
    context = replace(
        rules.context(
            now=now,
            traffic=_traffic(request, others),
            cluster=None
            if cluster is None
            else cluster_facts(
                cluster,
                other_requests=others,
                former_until=former_expiry(namespace, now=now),
                now=now,
            ),
            addon=None
            if addon is None
            else addon_facts(
                codec.decode_addon(addon),
                created=creation_time_of(addon),
                declaration=declarations.get(name_of(addon)),
                own_signers=rules.own_signers,
            ),
        ),
        may_renew=may_renew,
    )
    # Judged as it was made: what was decided since is a link of its own.
    undecided = replace(request, decisions=frozenset(), has_certificate=False)
    accepted = replace(context.cluster or ClusterFacts(), accepted=True, denied=False)
    return RequestFacts(
        obj,
        note,
        as_is=decide(undecided, context),
        if_accepted=decide(undecided, replace(context, cluster=accepted, operator_accepts=True)),
        accepted=context.cluster is not None and context.cluster.accepted,
    )


def _traffic(request: SigningRequest, others: Iterable[KubeObject]) -> Traffic:
    """Return what else the identity behind a request asked, of what is to be seen."""
    same = [
        other
        for other in map(SigningRequest.from_csr, others)
        if (other.username, other.addon, other.signer_name)
        == (request.username, request.addon, request.signer_name)
    ]
    return Traffic(
        older_pending=sum(not other.is_decided and _made(other) < _made(request) for other in same),
        decided=tuple(
            sorted(
                when
                for other in same
                if other.is_decided and (when := other.decided_at or other.created) is not None
            )
        ),
    )


def _made(request: SigningRequest) -> tuple[str, str]:
    return str(request.created), request.name


def newest(requests: Sequence[RequestFacts]) -> RequestFacts | None:
    """Return the request that counts: the newest one nobody has decided, else the newest."""
    by_age = sorted(requests, key=lambda item: str(item.obj["metadata"].get("creationTimestamp")))
    undecided = [item for item in by_age if not item.request.is_decided]
    candidates = undecided or by_age
    return candidates[-1] if candidates else None


def decision_link(facts: RequestFacts, *, now: datetime) -> Link:
    """Return whether a request was approved; if not, why, and who must act."""
    request, name = facts.request, "decision"
    where = f"request {request.name}"
    for kind in ("Denied", "Failed"):
        condition = find_condition(facts.obj, kind)
        if condition is not None:
            return broken(
                name,
                f"{where} was {kind.lower()}: {_words(condition)}",
                fix="put right what the message names at the agent, then delete the request; "
                "the agent asks again by itself",
                command=f"kubectl delete csr {request.name}",
            )
    if "Approved" in request.decisions or request.has_certificate:
        condition = find_condition(facts.obj, "Approved")
        said = f": {_words(condition)}" if condition is not None else ""
        return holds(name, f"{where} was approved{said}")
    return _pending(facts, name=name, now=now)


def signing_link(facts: RequestFacts, *, now: datetime) -> Link:
    """Return whether an approved request has its certificate."""
    request, name = facts.request, "signature"
    if request.has_certificate:
        return holds(name, f"{request.signer_name} issued the certificate of {request.name}")
    condition = find_condition(facts.obj, "Approved")
    since = condition.last_transition_time if condition is not None else None
    waited = None if since is None else now - since
    if waited is not None and waited < SIGNING_TAKES:
        return broken(
            name,
            f"request {request.name} was approved {rough(waited)} ago and is being signed",
            fix="wait some seconds",
            command=f"kubectl get csr {request.name} --watch",
        )
    when = "" if waited is None else f" {rough(waited)} ago"
    return broken(
        name,
        f"request {request.name} was approved{when} and has no certificate",
        fix=f"whoever signs for {request.signer_name} has to: for kubernetes.io/… that is the "
        "hub cluster's kube-controller-manager, which needs --cluster-signing-cert-file and "
        "--cluster-signing-key-file; for others, the hub's setting `signers`",
        command="towline doctor",
    )


def _pending(facts: RequestFacts, *, name: str, now: datetime) -> Link:
    request = facts.request
    age = f"{rough(now - request.created)} " if request.created is not None else ""
    said = "; no hub has said anything about it"
    if facts.note:
        said = f"; the hub said: {facts.note}"
    if facts.note == facts.as_is.message:
        said = ", as the hub said"
    found = f"request {request.name} by {request.username} has waited {age}".rstrip()
    if isinstance(facts.as_is, Approve):
        return broken(
            name,
            f"{found}: nothing stands against it ({facts.as_is.message}){said}",
            fix="the hub goes by settings or checks that are not to be seen here: its words count"
            if facts.note
            else "a hub at work approves it within a second: check that one runs, with its rights",
            command="towline doctor",
        )
    reason = f"{facts.as_is.reason}: {facts.as_is.message}"
    if not isinstance(facts.if_accepted, Approve):
        return broken(
            name,
            f"{found}: {reason}{said}",
            fix="put right what the reason names; the hub looks again when cluster or add-on "
            "change",
            command=f"kubectl get csr {request.name} -o yaml",
        )
    if request.addon is not None or facts.accepted:
        return broken(
            name,
            f"{found}: {reason}{said}",
            fix="an operator who knows this requester has to approve the request",
            command=f"towline approve {request.name}",
        )
    return broken(
        name,
        f"{found}: {reason}{said}",
        fix="an operator who knows this requester has to accept the cluster and the request",
        command=f"towline accept {request.cluster} --request {request.name}",
    )


def _words(condition: Condition) -> str:
    return ": ".join(filter(None, (condition.reason, condition.message)))
