"""Mutants of good requests meet the approver itself: it approves what is right, never breaks."""

import dataclasses
from collections.abc import Callable
from random import Random

import pytest

from support.approvers import ApproverAtWork
from support.mutants.campaign import FAMILIES, check_told, mutant
from support.mutants.count import MUTANTS_PROPERTY
from support.mutants.drafts import Draft
from support.mutants.entitlement import is_entitled
from support.mutants.good_requests import (
    ADDON,
    ADDON_AGENT,
    AGENT,
    CLUSTER,
    CUSTOM_SUBJECT,
    FLEET,
    SIGNER,
    good_requests,
)
from towline_api.errors import WireError
from towline_api.resources import KubeObject
from towline_certs import BootstrapPolicy, ClusterFacts
from towline_hub.approval.rules import ApprovalRules

RULES = ApprovalRules(
    bootstrap=BootstrapPolicy(users=frozenset({"boot"}), groups=frozenset({FLEET})),
    signers=frozenset({SIGNER}),
)
KINDS = ("addon", "bootstrap", "bound-bootstrap", "custom-signer", "older-addon", "renewal")
EACH = 120


def _cluster(*, joined: bool) -> KubeObject:
    condition = {"type": "ManagedClusterJoined", "status": "True", "reason": "x", "message": ""}
    return {
        "metadata": {"name": CLUSTER, "creationTimestamp": "2026-05-01T12:00:00Z"},
        "spec": {"hubAcceptsClient": joined},
        "status": {"conditions": [condition] if joined else []},
    }


def _addon() -> KubeObject:
    registrations = [
        {
            "signerName": "kubernetes.io/kube-apiserver-client",
            "subject": {"user": ADDON_AGENT.user, "groups": list(ADDON_AGENT.groups)},
        },
        {
            "signerName": SIGNER,
            "subject": {
                "user": CUSTOM_SUBJECT.common_name,
                "groups": sorted(CUSTOM_SUBJECT.organizations),
                "organizationUnit": sorted(CUSTOM_SUBJECT.organizational_units),
            },
        },
    ]
    return {
        "metadata": {
            "name": ADDON,
            "namespace": CLUSTER,
            "creationTimestamp": "2026-06-01T12:00:00Z",
        },
        "status": {"registrations": registrations},
    }


def _at_work(kind: str) -> ApproverAtWork:
    work = ApproverAtWork(RULES)
    work.put(work.caches.clusters, _cluster(joined=kind != "bootstrap"))
    work.put(work.caches.addons, _addon())
    return work


def _as_the_hub_sees_it(kind: str, draft: Draft) -> None:
    """Describe to the second opinion the world that the approver was shown."""
    good = good_requests()["renewal"].context
    assert good.addon is not None
    first, second = good.addon.registrations
    plain = dataclasses.replace(
        second, extended_usages=frozenset({"client auth"}), dns_names=frozenset()
    )
    draft.context = dataclasses.replace(
        good,
        addon=dataclasses.replace(good.addon, registrations=(first, plain)),
        cluster=ClusterFacts() if kind == "bootstrap" else good.cluster,
    )


async def _answer(work: ApproverAtWork, csr: KubeObject, *, name: str) -> str | None:
    """Return what the approver says to a request, which is then gone, as if it had never been."""
    answer = await work.answer(csr, name=name)
    work.remove(work.caches.requests, name)
    for event in work.server.events:
        check_told(event.note)
    work.server.events.clear()
    return answer


@pytest.mark.parametrize("kind", KINDS)
async def test_the_approver_approves_exactly_what_is_entitled(
    kind: str,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
) -> None:
    """On its way through caches, facts and Events no request changes its meaning, or ends a hub."""
    seed = request.config.getoption("--mutants-seed")
    tried, entitled, findings = 0, 0, []
    for family in FAMILIES:
        if family == "world":
            continue
        work = _at_work(kind)
        for number in range(EACH):
            draft, done = mutant(kind, family, number, seed=seed)
            _as_the_hub_sees_it(kind, draft)
            csr = draft.csr()
            tried += 1
            name = f"--mutants-seed={seed}: mutant({kind!r}, {family!r}, {number}): {done}"
            try:
                approved = await _answer(work, csr, name=f"request-{number}") == "Approved"
            except Exception as error:  # noqa: BLE001 - a finding like others
                findings.append(f"{name}: raised {type(error).__name__}: {error}")
                work = _at_work(kind)
                continue
            right = is_entitled(csr, draft.context)
            entitled += right
            if approved != right:
                findings.append(f"{name}: approved {approved}, entitled {right}")
    record_property(
        MUTANTS_PROPERTY,
        {
            "by": "an approver at work",
            "tried": tried,
            "entitled": entitled,
            "findings": len(findings),
        },
    )
    assert not findings, "\n".join(findings[:10])
    assert 0 < entitled < tried / 2


@pytest.mark.parametrize("seed", range(40))
async def test_an_object_of_any_shape_ends_in_an_error_of_ours_at_worst(seed):
    """No API server lets such a one in; if one did, the controller knows what to do with it."""
    rng = Random(seed)
    csr = good_requests()["addon"].csr()
    where = csr[rng.choice(["spec", "status", "metadata"])]
    field = rng.choice(
        ["request", "usages", "groups", "username", "signerName", "extra", "conditions", "labels"]
    )
    where[field] = rng.choice([None, 7, "x", [None], [[]], {"a": 7}, [{"type": []}], True])
    work = _at_work("addon")
    try:
        await work.answer(csr)
    except WireError:
        assert not work.server.decided


def test_the_agents_in_these_tests_are_those_of_the_cluster():
    """The objects above and the good requests speak of the same ones."""
    assert (AGENT.cluster, ADDON_AGENT.cluster, ADDON_AGENT.addon) == (CLUSTER, CLUSTER, ADDON)
