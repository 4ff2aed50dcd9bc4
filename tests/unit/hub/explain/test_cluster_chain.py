"""Why a cluster is not joined or not available: each link, broken by itself."""

import copy
import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.csrs import cluster_request, csr_object
from towline_api.addon_codec import V1Alpha1Codec
from towline_api.conditions import with_condition
from towline_api.names import BOOTSTRAP_GROUP, CLUSTER_NAME_LABEL
from towline_api.resources import KubeObject
from towline_certs import BootstrapPolicy, ClusterIdentity
from towline_hub.approval.rules import ApprovalRules
from towline_hub.clusters import rbac
from towline_hub.explain.cluster_chain import cluster_chain
from towline_hub.explain.links import Explanation, LinkState
from towline_hub.explain.requests import RequestFacts, judge
from towline_hub.explain.seen import ClusterFactsSeen, Grant
from towline_hub.looking import Unseen

NOW = datetime(2026, 6, 1, 14, 0, tzinfo=UTC)
IDENTITY = ClusterIdentity("c1", "a1")
BOOTSTRAPPER = "system:bootstrap:abcdef"


def condition(kind: str, status: str, *, reason: str = "Reason", message: str = "") -> KubeObject:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def rotated(*, until: str) -> KubeObject:
    return condition(
        "ClusterCertificateRotated",
        "True",
        message=f"client certificate rotated starting from 2026-06-01T12:00:00Z to {until}",
    )


WELL: KubeObject = {
    "metadata": {"name": "c1", "uid": "u1", "creationTimestamp": "2026-06-01T11:59:00Z"},
    "spec": {"hubAcceptsClient": True, "leaseDurationSeconds": 60},
    "status": {
        "conditions": [
            condition("HubAcceptedManagedCluster", "True"),
            condition("ManagedClusterJoined", "True"),
            condition("ManagedClusterConditionAvailable", "True"),
            condition("ManagedClusterConditionClockSynced", "True"),
            rotated(until="2026-07-01T12:00:00Z"),
        ]
    },
}
LEASE: KubeObject = {
    "metadata": {"labels": {CLUSTER_NAME_LABEL: "c1"}},
    "spec": {"renewTime": "2026-06-01T13:59:30.000000Z"},
}


def grants() -> tuple[Grant, ...]:
    desired = [
        *rbac.shared_cluster_roles(),
        rbac.accepted_cluster_role("c1"),
        rbac.own_cluster_role_binding("c1"),
        rbac.registration_role_binding("c1"),
        rbac.work_role_binding("c1"),
    ]
    return tuple(Grant(item, copy.deepcopy(item)) for item in desired)


def facts(**changes: Any) -> ClusterFactsSeen:
    """Return what is found about a cluster that is well, but for the changes."""
    found = ClusterFactsSeen(
        name="c1",
        server="https://hub:6443",
        now=NOW,
        cluster=WELL,
        namespace={"metadata": {"name": "c1"}},
        grants=grants(),
        requests=(),
        lease=LEASE,
    )
    return dataclasses.replace(found, **changes)


def cluster(*, without: tuple[str, ...] = (), **conditions: KubeObject) -> KubeObject:
    """Return the well cluster without some conditions, or with others in their place."""
    changed = copy.deepcopy(WELL)
    replaced = {item["type"] for item in conditions.values()} | set(without)
    kept = [item for item in changed["status"]["conditions"] if item["type"] not in replaced]
    changed["status"]["conditions"] = [*kept, *conditions.values()]
    return changed


def new_cluster(*, accepted: bool = False) -> KubeObject:
    return {
        "metadata": {"name": "c1", "uid": "u1", "creationTimestamp": "2026-06-01T11:59:00Z"},
        "spec": {"hubAcceptsClient": accepted},
    }


def request(
    *,
    of: KubeObject | None = None,
    decided: str | None = None,
    certificate: bool = False,
    rules: ApprovalRules | None = None,
    username: str = BOOTSTRAPPER,
    note: str | None = None,
    at: str = "2026-06-01T12:00:00Z",
    **spec: Any,
) -> RequestFacts:
    obj = csr_object(
        cluster_request(IDENTITY),
        username=username,
        cluster="c1",
        groups=[BOOTSTRAP_GROUP],
        **spec,
    )
    obj["metadata"]["creationTimestamp"] = at
    if decided is not None:
        obj["status"]["conditions"] = with_condition(
            [], type=decided, status="True", reason="SomeReason", message="said why", now=NOW
        )
        obj["status"]["conditions"][0]["lastTransitionTime"] = at
    if certificate:
        obj["status"]["certificate"] = "aGVsbG8="
    return judge(
        obj,
        note=note,
        cluster=of or new_cluster(),
        namespace=None,
        addon=None,
        others=[obj],
        may_renew=None,
        rules=rules or ApprovalRules(),
        declarations={},
        codec=V1Alpha1Codec(),
        now=NOW,
    )


def broken_grant(change: Callable[[KubeObject], None]) -> tuple[Grant, ...]:
    found = grants()
    live = found[2].live
    assert isinstance(live, dict)
    change(live)
    return found


def explained(**changes: Any) -> Explanation:
    return Explanation.of("cluster c1", cluster_chain(facts(**changes)), at=NOW)


def test_a_cluster_that_is_well_has_no_broken_link() -> None:
    """The twin of everything below."""
    found = explained()
    assert found.broken is None
    assert {link.state for link in found.links} == {LinkState.HOLDS}
    assert len(found.links) == 13


BROKEN = [
    pytest.param({"cluster": None}, "registration", "no ManagedCluster c1", id="not-registered"),
    pytest.param(
        {"cluster": WELL | {"metadata": WELL["metadata"] | {"name": "kube-system"}}},
        "name",
        "kube-system",
        id="reserved-name",
    ),
    pytest.param(
        {
            "cluster": WELL
            | {
                "metadata": WELL["metadata"]
                | {"deletionTimestamp": "2026-06-01T13:00:00Z", "finalizers": ["example.com/x"]}
            }
        },
        "staying",
        "held by example.com/x",
        id="being-deleted",
    ),
    pytest.param({"cluster": new_cluster()}, "acceptance", "nobody accepted it", id="not-accepted"),
    pytest.param(
        {"cluster": cluster() | {"spec": {"hubAcceptsClient": False}}},
        "acceptance",
        "is denied now",
        id="denied",
    ),
    pytest.param(
        {"cluster": cluster(without=("HubAcceptedManagedCluster",))},
        "admission",
        "no hub has taken up",
        id="no-hub",
    ),
    pytest.param(
        {
            "cluster": cluster(
                a=condition("HubAcceptedManagedCluster", "False", reason="Error", message="why")
            )
        },
        "admission",
        "Error: why",
        id="hub-failed",
    ),
    pytest.param({"namespace": None}, "namespace", "no namespace c1", id="no-namespace"),
    pytest.param(
        {"namespace": {"metadata": {"name": "c1", "deletionTimestamp": "2026-06-01T13:00:00Z"}}},
        "namespace",
        "being deleted",
        id="namespace-going",
    ),
    pytest.param(
        {"grants": (Grant(rbac.accepted_cluster_role("c1"), None),)},
        "rights",
        "ClusterRole open-cluster-management:managedcluster:c1 is missing",
        id="role-missing",
    ),
    pytest.param(
        {"grants": broken_grant(lambda live: live["rules"].pop())},
        "rights",
        "grants less",
        id="role-changed",
    ),
    pytest.param(
        {
            "grants": (
                Grant(
                    rbac.own_cluster_role_binding("c1"),
                    rbac.own_cluster_role_binding("c1") | {"subjects": []},
                ),
            )
        },
        "rights",
        "grants less",
        id="nobody-bound",
    ),
    pytest.param(
        {"cluster": cluster(without=("ManagedClusterJoined",))},
        "request",
        "has not asked",
        id="no-request",
    ),
    pytest.param(
        {
            "cluster": cluster(without=("ManagedClusterJoined", "ClusterCertificateRotated")),
            "requests": (request(note="the hub's words"),),
        },
        "decision",
        "the hub's words",
        id="waiting",
    ),
    pytest.param(
        {
            "cluster": cluster(without=("ManagedClusterJoined",)),
            "requests": (request(decided="Denied"),),
        },
        "decision",
        "was denied: SomeReason: said why",
        id="denied-request",
    ),
    pytest.param(
        {
            "cluster": cluster(without=("ManagedClusterJoined",)),
            "requests": (request(decided="Approved"),),
        },
        "signature",
        "approved 2h ago",
        id="not-signed",
    ),
    pytest.param(
        {
            "cluster": cluster(without=("ManagedClusterJoined",)),
            "requests": (request(decided="Approved", at="2026-06-01T13:59:50Z"),),
        },
        "signature",
        "is being signed",
        id="just-approved",
    ),
    pytest.param(
        {
            "cluster": cluster(without=("ManagedClusterJoined",)),
            "requests": (request(decided="Approved", certificate=True),),
        },
        "joined",
        "has not used",
        id="certificate-not-used",
    ),
    pytest.param(
        {
            "cluster": cluster(r=rotated(until="2026-06-01T13:00:00Z")),
        },
        "request",
        "has not asked",
        id="expired-and-silent",
    ),
    pytest.param(
        {
            "cluster": cluster(r=rotated(until="2026-06-01T13:00:00Z")),
            "requests": (request(decided="Approved", certificate=True),),
        },
        "certificate",
        "ended 1h ago",
        id="expired",
    ),
    pytest.param(
        {
            "cluster": cluster(
                r=condition("ClusterCertificateRotated", "False", message="request denied")
            )
        },
        "certificate",
        "could not renew",
        id="renewal-failed",
    ),
    pytest.param(
        {"requests": (request(username=IDENTITY.user, of=WELL),)},
        "decision",
        "WaitingForAccessReview",
        id="renewal-waits",
    ),
    pytest.param({"lease": None}, "lease", "there is no lease", id="no-lease"),
    pytest.param(
        {"lease": {"metadata": {"labels": {}}, "spec": {}}}, "lease", "lacks the label", id="label"
    ),
    pytest.param({"lease": LEASE | {"spec": {}}}, "lease", "was never renewed", id="never-renewed"),
    pytest.param(
        {"now": NOW + timedelta(minutes=10)}, "lease", "renewed 10m30s ago; 5m", id="stale-lease"
    ),
    pytest.param(
        {"cluster": cluster(c=condition("ManagedClusterConditionClockSynced", "False"))},
        "clocks",
        "disagree",
        id="clocks",
    ),
    pytest.param(
        {"cluster": cluster(without=("ManagedClusterConditionAvailable",))},
        "available",
        "has said nothing",
        id="nothing-said",
    ),
    pytest.param(
        {
            "cluster": cluster(
                a=condition("ManagedClusterConditionAvailable", "False", message="livez: 500")
            )
        },
        "available",
        "livez: 500",
        id="unhealthy",
    ),
]


@pytest.mark.parametrize(("changes", "name", "words"), BROKEN)
def test_the_broken_link_is_named_with_what_was_found(
    changes: dict[str, Any], name: str, words: str
) -> None:
    """The one question of everybody whose cluster does not come up."""
    first = explained(**changes).broken
    assert first is not None
    assert first.name == name
    assert words in first.found
    assert first.fix


def test_what_follows_from_the_first_break_is_not_told_as_another() -> None:
    """Ten red lines help nobody to find the one that matters."""
    found = explained(cluster=new_cluster(), namespace=None, lease=None, grants=())
    assert [link.state for link in found.links].count(LinkState.BROKEN) == 1
    later = [link for link in found.links if link.state is LinkState.LATER]
    assert len(later) >= 5
    assert all(link.fix is None and link.command is None for link in later)


@pytest.mark.parametrize(
    ("of", "command"),
    [
        pytest.param(new_cluster(), "towline accept c1 --request request", id="not-accepted"),
        pytest.param(new_cluster(accepted=True), "towline approve request", id="accepted"),
    ],
)
def test_a_request_that_needs_a_person_comes_with_the_command_to_type(
    of: KubeObject, command: str
) -> None:
    """Whoever reads the explanation is the person."""
    found = explained(
        cluster=cluster(without=("ManagedClusterJoined", "ClusterCertificateRotated")),
        requests=(request(of=of),),
    ).broken
    assert found is not None
    assert found.command == command
    assert "WaitingForOperator" in found.found


def test_a_request_the_policy_would_deny_is_no_case_for_accepting() -> None:
    """Accepting cannot make a wrong request right, so that is not what is advised."""
    found = explained(
        cluster=cluster(without=("ManagedClusterJoined", "ClusterCertificateRotated")),
        requests=(request(usages=["server auth"]),),
    ).broken
    assert found is not None
    assert "UsagesNotAllowed" in found.found
    assert found.command is not None
    assert "accept" not in found.command


def test_a_request_nothing_stands_against_points_at_the_hub() -> None:
    """With the hub's own settings the policy says yes, so it is the hub that does not run."""
    rules = ApprovalRules(bootstrap=BootstrapPolicy(groups=frozenset({BOOTSTRAP_GROUP})))
    found = explained(
        cluster=cluster(without=("ManagedClusterJoined", "ClusterCertificateRotated")),
        requests=(request(rules=rules),),
    ).broken
    assert found is not None
    assert "nothing stands against it" in found.found
    assert found.command == "towline doctor"


def test_rights_that_another_hub_groups_otherwise_are_the_same_rights() -> None:
    """A hub of the other project grants the same, in rules of its own."""
    found = []
    for grant in grants():
        live = copy.deepcopy(grant.desired)
        live["metadata"]["labels"] = {}
        if "rules" in live:
            live["rules"] = [
                {**rule, "verbs": [verb]} for rule in live["rules"] for verb in rule["verbs"]
            ]
        found.append(Grant(grant.desired, live))
    assert explained(grants=tuple(found)).broken is None


def test_a_fresh_renewal_beside_a_good_certificate_is_no_trouble() -> None:
    """Renewals come and go all the time in a fleet."""
    fresh = request(username=IDENTITY.user, of=WELL, at="2026-06-01T13:59:30Z")
    assert explained(requests=(fresh,)).broken is None


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        pytest.param({"namespace": Unseen("why")}, "namespace", id="namespace"),
        pytest.param({"lease": Unseen("why")}, "lease", id="lease"),
        pytest.param({"requests": Unseen("why")}, "request", id="requests"),
        pytest.param(
            {"grants": (Grant(rbac.accepted_cluster_role("c1"), Unseen("why")),)},
            "rights",
            id="grants",
        ),
    ],
)
def test_what_may_not_be_looked_at_is_no_broken_link(changes: dict[str, Any], name: str) -> None:
    """An operator with few rights gets as much of the chain as they may see."""
    found = explained(**changes)
    assert found.broken is None
    assert [(link.name, link.found) for link in found.unseen] == [(name, "cannot look: why")]
