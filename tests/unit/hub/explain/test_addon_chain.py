"""Why an add-on does not work on a cluster: each link, broken by itself."""

import copy
import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest

from support.csrs import addon_request, csr_object
from towline_api.addon_codec import V1Alpha1Codec
from towline_api.resources import KubeObject
from towline_certs import AddonIdentity, ClusterIdentity
from towline_certs.identities import addon_cluster_group
from towline_hub.approval.rules import ApprovalRules
from towline_hub.explain.addon_chain import addon_chain
from towline_hub.explain.links import Explanation, LinkState, broken, holds
from towline_hub.explain.requests import RequestFacts, judge
from towline_hub.explain.seen import AddonFactsSeen
from towline_hub.looking import Unseen

NOW = datetime(2026, 6, 1, 14, 0, tzinfo=UTC)
IDENTITY = AddonIdentity("c1", "hello", "hello")


def condition(kind: str, status: str, *, reason: str = "Reason", message: str = "") -> KubeObject:
    return {"type": kind, "status": status, "reason": reason, "message": message}


ROTATED = condition(
    "ClusterCertificateRotated",
    "True",
    message="client certificate rotated starting from 2026-06-01T12:00:00Z to 2026-07-01T12:00:00Z",
)
REFERENCE = {
    "group": "",
    "resource": "configmaps",
    "name": "conf",
    "namespace": "c1",
    "desiredConfig": {"name": "conf", "namespace": "c1", "specHash": "abc"},
    "lastAppliedConfig": {"name": "conf", "namespace": "c1", "specHash": "abc"},
}
WELL: KubeObject = {
    "metadata": {
        "name": "hello",
        "namespace": "c1",
        "uid": "u2",
        "creationTimestamp": "2026-06-01T11:59:30Z",
        "ownerReferences": [{"kind": "ClusterManagementAddOn", "name": "hello", "uid": "d1"}],
    },
    "spec": {},
    "status": {
        "namespace": "hello-ns",
        "registrations": [
            {
                "signerName": "kubernetes.io/kube-apiserver-client",
                "subject": {"user": IDENTITY.user, "groups": list(IDENTITY.groups)},
            }
        ],
        "configReferences": [REFERENCE],
        "conditions": [
            condition("RegistrationApplied", "True"),
            condition("Configured", "True"),
            condition("Progressing", "False", reason="Completed"),
            condition("Available", "True", message="hello add-on is available."),
            ROTATED,
        ],
    },
}
DEFINITION: KubeObject = {"metadata": {"name": "hello", "uid": "d1"}}
BINDING: KubeObject = {
    "metadata": {"name": "open-cluster-management:hello:agent", "namespace": "c1"},
    "subjects": [{"kind": "Group", "name": addon_cluster_group("c1", "hello")}],
}
CLUSTER: KubeObject = {
    "metadata": {"name": "c1", "uid": "u1", "creationTimestamp": "2026-06-01T11:59:00Z"},
    "spec": {"hubAcceptsClient": True},
}


def addon(
    *, without: tuple[str, ...] = (), status: KubeObject | None = None, **conditions: KubeObject
) -> KubeObject:
    """Return the well add-on without some conditions, or with others in their place."""
    changed = copy.deepcopy(WELL)
    replaced = {item["type"] for item in conditions.values()} | set(without)
    kept = [item for item in changed["status"]["conditions"] if item["type"] not in replaced]
    changed["status"]["conditions"] = [*kept, *conditions.values()]
    changed["status"] |= status or {}
    return changed


def request(
    obj: KubeObject, *, decided: str | None = None, certificate: bool = False
) -> RequestFacts:
    csr = csr_object(
        addon_request(IDENTITY),
        username=ClusterIdentity("c1", "a1").user,
        cluster="c1",
        addon="hello",
        conditions=[condition(decided, "True", message="said why")] if decided else [],
    )
    if certificate:
        csr["status"]["certificate"] = "aGVsbG8="
    return judge(
        csr,
        note=None,
        cluster=CLUSTER,
        namespace=None,
        addon=obj,
        others=[csr],
        may_renew=None,
        rules=ApprovalRules(),
        declarations={},
        codec=V1Alpha1Codec(),
        now=NOW,
    )


def explained(obj: KubeObject | None = WELL, **changes: Any) -> Explanation:
    found = AddonFactsSeen(
        cluster="c1",
        name="hello",
        now=NOW,
        definition=DEFINITION,
        obj=obj,
        addon=None if obj is None else V1Alpha1Codec().decode_addon(obj),
        cluster_links=[holds("registration", "there")],
        bindings=[BINDING],
        requests=(),
    )
    chain = addon_chain(dataclasses.replace(found, **changes))
    return Explanation.of("add-on hello of cluster c1", chain, at=NOW)


def test_an_addon_that_is_well_has_no_broken_link() -> None:
    """The twin of everything below."""
    found = explained()
    assert found.broken is None
    assert {link.state for link in found.links} == {LinkState.HOLDS}


EXPIRED = condition(
    "ClusterCertificateRotated",
    "True",
    message="client certificate rotated starting from 2026-05-01T12:00:00Z to 2026-06-01T13:00:00Z",
)
NO_CERTIFICATE = addon(without=("ClusterCertificateRotated",))
BROKEN = [
    pytest.param(WELL, {"definition": None}, "definition", "no ClusterManagementAddOn", id="cma"),
    pytest.param(
        WELL,
        {"definition": {"metadata": {"name": "hello", "uid": "d1", "deletionTimestamp": "x"}}},
        "definition",
        "being deleted",
        id="cma-going",
    ),
    pytest.param(None, {}, "enabled", "no ManagedClusterAddOn hello", id="not-enabled"),
    pytest.param(
        WELL
        | {"metadata": WELL["metadata"] | {"deletionTimestamp": "x", "finalizers": ["example/f"]}},
        {},
        "enabled",
        "held by example/f",
        id="going",
    ),
    pytest.param(
        WELL,
        {"cluster_links": [holds("name", "fine"), broken("lease", "is stale", fix="start it")]},
        "cluster",
        "cluster c1: lease: is stale",
        id="cluster",
    ),
    pytest.param(
        WELL | {"metadata": WELL["metadata"] | {"ownerReferences": []}},
        {},
        "owner",
        "does not own it",
        id="owner",
    ),
    pytest.param(
        addon(without=("RegistrationApplied",)), {}, "registration", "no hub", id="not-registered"
    ),
    pytest.param(
        addon(r=condition("RegistrationApplied", "False", message="may not")),
        {},
        "registration",
        "may not",
        id="registration-failed",
    ),
    pytest.param(WELL, {"bindings": []}, "rights", "no RoleBinding", id="no-rights"),
    pytest.param(
        WELL,
        {
            "bindings": [
                BINDING
                | {"subjects": [{"kind": "Group", "name": addon_cluster_group("c2", "hello")}]}
            ]
        },
        "rights",
        "no RoleBinding",
        id="another-clusters-rights",
    ),
    pytest.param(NO_CERTIFICATE, {}, "request", "has not asked", id="no-request"),
    pytest.param(
        NO_CERTIFICATE,
        {"requests": (request(NO_CERTIFICATE),)},
        "decision",
        "nothing stands against it",
        id="waiting",
    ),
    pytest.param(
        NO_CERTIFICATE,
        {"requests": (request(NO_CERTIFICATE, decided="Denied"),)},
        "decision",
        "was denied: Reason: said why",
        id="denied",
    ),
    pytest.param(
        NO_CERTIFICATE,
        {"requests": (request(NO_CERTIFICATE, decided="Approved"),)},
        "signature",
        "has no certificate",
        id="not-signed",
    ),
    pytest.param(addon(r=EXPIRED), {}, "request", "has not asked", id="expired-and-nobody-asks"),
    pytest.param(
        addon(r=EXPIRED),
        {"requests": (request(addon(r=EXPIRED), decided="Approved", certificate=True),)},
        "certificate",
        "ended 1h ago",
        id="expired",
    ),
    pytest.param(
        addon(r=condition("ClusterCertificateRotated", "False", message="cannot write")),
        {},
        "certificate",
        "cannot write",
        id="certificate-failed",
    ),
    pytest.param(
        addon(c=condition("Configured", "False", message="c1/conf does not exist")),
        {},
        "configuration",
        "c1/conf does not exist",
        id="configuration",
    ),
    pytest.param(
        addon(
            status={
                "configReferences": [REFERENCE | {"lastAppliedConfig": None}],
            }
        ),
        {},
        "applied",
        "not applied yet: configmaps c1/conf",
        id="not-applied",
    ),
    pytest.param(
        addon(p=condition("Progressing", "False", reason="Failed", message="field is wrong")),
        {},
        "applied",
        "field is wrong",
        id="apply-failed",
    ),
    pytest.param(
        addon(a=condition("Available", "Unknown", reason="ManagedClusterAddOnLeaseNotFound")),
        {},
        "available",
        "Lease hello in namespace hello-ns of the managed cluster",
        id="no-lease",
    ),
    pytest.param(addon(without=("Available",)), {}, "available", "nobody", id="nothing-said"),
]


@pytest.mark.parametrize(("obj", "changes", "name", "words"), BROKEN)
def test_the_broken_link_is_named_with_what_was_found(
    obj: KubeObject | None, changes: dict[str, Any], name: str, words: str
) -> None:
    """From the definition to the lease: an add-on has many ways not to work."""
    first = explained(obj, **changes).broken
    assert first is not None
    assert (first.name, words in first.found) == (name, True), first.found
    assert first.fix


def test_a_token_takes_the_place_of_a_certificate() -> None:
    """An agent that comes in with a token never asks for a certificate."""
    account = "system:serviceaccount:c1:hello-agent"
    signer = WELL["status"]["registrations"][0]["signerName"]
    status = {
        "kubeClientDriver": "token",
        "registrations": [{"signerName": signer, "subject": {"user": account}}],
    }
    subject = {"kind": "ServiceAccount", "namespace": "c1", "name": "hello-agent"}
    bindings = [BINDING | {"subjects": [subject]}]
    rotated = ("ClusterCertificateRotated",)
    fresh = condition("TokenRefreshed", "True", message="expires later")
    well = addon(without=rotated, status=status, t=fresh)
    assert explained(well, bindings=bindings).broken is None
    first = explained(addon(without=rotated, status=status), bindings=bindings).broken
    assert first is not None
    assert first.name == "token"


def test_health_that_an_addon_tells_itself_is_not_looked_for_in_a_lease() -> None:
    """Whoever looked for a Lease would look for ever."""
    obj = addon(status={"healthCheck": {"mode": "Customized"}}, a=condition("Available", "False"))
    first = explained(obj).broken
    assert first is not None
    assert "Lease hello" not in first.found
    assert "Customized" in (first.fix or "")


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        pytest.param({"bindings": Unseen("why")}, "rights", id="bindings"),
        pytest.param({"requests": Unseen("why")}, "request", id="requests"),
    ],
)
def test_what_may_not_be_looked_at_is_no_broken_link(changes: dict[str, Any], name: str) -> None:
    """An add-on's owner may read its own namespace, and little else."""
    found = explained(**changes)
    assert found.broken is None
    assert [link.name for link in found.unseen] == [name]
