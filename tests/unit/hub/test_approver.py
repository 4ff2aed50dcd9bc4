"""The approver between its caches and the API server: quotas, claims, checks, and what it tells."""

import asyncio
import logging
import threading
from datetime import timedelta
from typing import Any

import pytest

from support.approvers import ApproverAtWork
from support.csrs import NOW, cluster_request, csr_object, key_of
from support.mutants.good_requests import AGENT, BOOTSTRAPPER, CLUSTER, FLEET
from towline_api.names import CLUSTER_NAME_LABEL, FORMER_CERTIFICATE_ANNOTATION
from towline_api.resources import KubeObject
from towline_certs import (
    BootstrapPolicy,
    ClusterIdentity,
    FloodLimits,
    ManualApproval,
    bound_group,
)
from towline_certs.pem import PemBlock, find_pem_blocks
from towline_hub.approval.checks import CheckedRequest, deny, leave_alone
from towline_hub.approval.rules import ApprovalRules
from towline_kube.errors import Conflict

FLEET_WIDE = BootstrapPolicy(groups=frozenset({FLEET}))
OTHER = ClusterIdentity(CLUSTER, "other")


def rules(**changes: Any) -> ApprovalRules:
    return ApprovalRules(bootstrap=FLEET_WIDE, **changes)


def cluster(name: str = CLUSTER, *, conditions: Any = (), **spec: Any) -> KubeObject:
    return {
        "metadata": {"name": name, "creationTimestamp": "2026-05-01T12:00:00Z"},
        "spec": spec,
        "status": {"conditions": list(conditions)},
    }


def joined(name: str = CLUSTER) -> KubeObject:
    condition = {"type": "ManagedClusterJoined", "status": "True", "reason": "x", "message": ""}
    return cluster(name, conditions=[condition], hubAcceptsClient=True)


def renewal(name: str = CLUSTER) -> KubeObject:
    agent = ClusterIdentity(name, AGENT.agent)
    return csr_object(cluster_request(agent), username=agent.user, cluster=name)


def bootstrap(
    identity: ClusterIdentity = AGENT, *, groups: tuple[str, ...] = (FLEET,), key: int = 0
) -> KubeObject:
    return csr_object(
        cluster_request(identity, key=key_of(number=key)),
        username=BOOTSTRAPPER,
        cluster=identity.cluster,
        groups=groups,
    )


def created(csr: KubeObject, when: str) -> KubeObject:
    return {**csr, "metadata": {**csr["metadata"], "creationTimestamp": when}}


class TestNames:
    async def test_a_bound_identity_brings_its_cluster_in_without_any_setting(self) -> None:
        """The operator who made the token for this name has said all there is to say."""
        work = ApproverAtWork()
        work.put(work.caches.clusters, cluster())
        assert await work.answer(bootstrap(groups=(bound_group(CLUSTER),))) == "Approved"
        assert work.server.accepted == [CLUSTER]

    async def test_a_bound_identity_takes_its_name_again(self) -> None:
        """Its cluster was set up anew, and the certificate of the former agent still lives."""
        work = ApproverAtWork()
        work.put(work.caches.clusters, joined())
        assert await work.answer(bootstrap(groups=(bound_group(CLUSTER),))) == "Approved"
        assert "bound to cluster 'c1'" in work.server.decided["request"]["message"]

    async def test_a_bound_identity_gets_no_other_name(self) -> None:
        """Not even one that nobody has, and not by being in the fleet's group as well."""
        work = ApproverAtWork(rules())
        work.put(work.caches.clusters, cluster("c2"))
        csr = bootstrap(ClusterIdentity("c2", "x"), groups=(bound_group(CLUSTER), FLEET))
        assert await work.answer(csr) == "Denied"
        assert work.server.decided["request"]["reason"] == "RequesterNotEntitled"

    async def test_a_bound_identity_does_not_undo_a_denial(self) -> None:
        """What a person took back, only a person gives again."""
        work = ApproverAtWork()
        denied = cluster()
        denied["metadata"]["annotations"] = {
            "open-cluster-management.io/automatically-accepted-on": "2026-05-01T12:00:00Z"
        }
        work.put(work.caches.clusters, denied)
        assert await work.answer(bootstrap(groups=(bound_group(CLUSTER),))) is None
        assert work.reasons() == ["WaitingForOperator"]
        assert not work.server.accepted

    async def test_one_name_is_not_given_to_two_at_once(self) -> None:
        """Neither decision has come back by the watch when the other is made."""
        work = ApproverAtWork(rules())
        work.put(work.caches.clusters, cluster())
        names = [work.ask(bootstrap(each), name=each.agent) for each in (AGENT, OTHER)]
        await asyncio.gather(*map(work.look_at, names))
        assert list(work.server.decided) == [AGENT.agent]
        work.arrive(AGENT.agent)
        await work.look_at(OTHER.agent)
        assert OTHER.agent not in work.server.decided

    async def test_a_name_that_was_not_given_after_all_is_free_again(self) -> None:
        """The write failed; the other one has to hear of it."""
        work = ApproverAtWork(rules())
        work.put(work.caches.clusters, cluster())
        work.server.failures.append(Conflict("somebody was faster"))
        first, second = (work.ask(bootstrap(each), name=each.agent) for each in (AGENT, OTHER))
        with pytest.raises(Conflict):
            await work.look_at(first)
        assert second in work.woken
        await work.look_at(second)
        assert work.server.decided[second]["type"] == "Approved"

    async def test_the_name_of_a_former_cluster_waits_until_its_certificate_has_ended(self) -> None:
        """Its namespace says until when; a shared token has to wait for that, or for a person."""
        work = ApproverAtWork(rules())
        work.put(work.caches.clusters, cluster())
        namespace = {
            "metadata": {
                "name": CLUSTER,
                "labels": {CLUSTER_NAME_LABEL: CLUSTER},
                "annotations": {FORMER_CERTIFICATE_ANNOTATION: "2026-06-01T13:00:00Z"},
            }
        }
        work.put(work.caches.namespaces, namespace)
        name = work.ask(bootstrap())
        result = await work.look_at(name)
        assert work.reasons() == ["WaitingForOperator"]
        assert result.look_again_in == timedelta(hours=1, seconds=1)
        await work.clock.advance(timedelta(hours=1, seconds=1))
        await work.look_at(name)
        assert work.server.decided[name]["type"] == "Approved"


class TestRemoval:
    async def test_a_request_from_before_the_deletion_is_denied(self) -> None:
        """Left alone, it would lie in wait for the name to be free."""
        work = ApproverAtWork(rules())
        leaving = joined()
        leaving["metadata"]["deletionTimestamp"] = "2026-06-01T12:00:05Z"
        work.put(work.caches.clusters, leaving)
        assert await work.answer(bootstrap()) == "Denied"
        assert work.server.decided["request"]["reason"] == "RequestOlderThanRemoval"
        later = created(bootstrap(), "2026-06-01T12:00:05Z")
        assert await work.answer(later, name="later") is None, "the same second proves nothing"

    async def test_a_request_from_before_the_denial_is_denied(self) -> None:
        """Whoever asked then may be the reason for the denial."""
        work = ApproverAtWork(rules())
        condition = {
            "type": "HubAcceptedManagedCluster",
            "status": "False",
            "reason": "HubClusterAdminDenied",
            "message": "",
            "lastTransitionTime": "2026-06-01T12:00:05Z",
        }
        work.put(work.caches.clusters, cluster(conditions=[condition], hubAcceptsClient=False))
        assert await work.answer(renewal()) == "Denied"
        later = created(renewal(), "2026-06-01T12:00:06Z")
        assert await work.answer(later, name="later") is None
        assert work.reasons("later") == ["ClusterNotAccepted"]


class TestFlood:
    async def test_the_oldest_are_decided_and_the_rest_follow_one_by_one(self) -> None:
        """However many are sent, the line moves, and each that moves up is looked at again."""
        work = ApproverAtWork(rules(limits=FloodLimits(2, 0)))
        work.put(work.caches.clusters, joined())
        names = [work.ask(renewal(), name=f"r{number}") for number in range(5)]
        for name in reversed(names):
            await work.look_at(name)
        assert set(work.server.decided) == {"r0", "r1"}
        assert work.reasons("r2") == work.reasons("r4") == ["TooManyPending"]
        work.arrive("r0")
        assert work.woken == ["r2"], "exactly the one that moved up"
        await work.look_at("r2")
        assert "r2" in work.server.decided
        work.woken.clear()
        work.remove(work.caches.requests, "r1")
        assert set(work.woken) == {"r2", "r3"}

    async def test_who_used_up_an_hour_waits_for_the_next(self) -> None:
        """To the second, and nobody else waits with it."""
        work = ApproverAtWork(rules(limits=FloodLimits(10, 2)))
        for name in (CLUSTER, "c2"):
            work.put(work.caches.clusters, joined(name))
        for number, minutes in enumerate((0, 10)):
            await work.clock.advance(timedelta(minutes=minutes))
            assert await work.answer(renewal(), name=f"r{number}") == "Approved"
            work.arrive(f"r{number}")
        result = await work.look_at(work.ask(renewal(), name="third"))
        assert work.reasons("third") == ["TooManyPerHour"]
        assert result.look_again_in == timedelta(minutes=50, seconds=1)
        assert await work.answer(renewal("c2"), name="others") == "Approved"
        await work.clock.advance(timedelta(minutes=50, seconds=1))
        await work.look_at("third")
        assert work.server.decided["third"]["type"] == "Approved"

    async def test_a_hostile_identity_uses_up_nobody_elses_quota(self) -> None:
        """Who asks is part of whose quota it is, and only the API server says who asks."""
        work = ApproverAtWork(rules(limits=FloodLimits(1, 1)))
        work.put(work.caches.clusters, joined())
        for number in range(20):
            csr = renewal()
            csr["spec"]["username"] = "system:open-cluster-management:c2:evil"
            await work.look_at(work.ask(csr, name=f"a-flood-{number}"))
        assert await work.answer(renewal(), name="z") == "Approved"

    async def test_a_flood_costs_no_more_reading_than_its_quota(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nor access reviews; a thousand hostile requests must not slow down the others."""
        read: list[bytes] = []

        def reading(pem: bytes) -> list[PemBlock]:
            read.append(pem)
            return find_pem_blocks(pem)

        monkeypatch.setattr("towline_certs.requests.find_pem_blocks", reading)
        work = ApproverAtWork(rules(limits=FloodLimits(5, 0)))
        work.put(work.caches.clusters, cluster())
        for number in range(200):
            csr = renewal()
            csr["spec"]["username"] = "somebody"
            await work.look_at(work.ask(csr, name=f"r{number:03}"))
        for name in work.approver.requests_of_cluster(cluster()):
            await work.look_at(name)
        assert len(read) == 5, "each that is looked at is read once, however often"
        assert work.server.reviews == 0
        assert list(work.approver.requests_of_cluster(cluster())) == [f"r{i:03}" for i in range(5)]

    async def test_an_agent_that_leaves_its_label_off_has_a_quota_too(self) -> None:
        """Each denial is a write; leaving the label off must not be the way round the limit."""
        work = ApproverAtWork(rules(limits=FloodLimits(10, 3)))
        for number in range(6):
            csr = bootstrap(ClusterIdentity("c2", "x"))
            csr["metadata"]["labels"] = {}
            csr["spec"]["username"] = AGENT.user
            await work.look_at(work.ask(csr, name=f"r{number}"))
            if f"r{number}" in work.server.decided:
                work.arrive(f"r{number}")
        assert set(work.server.decided) == {"r0", "r1", "r2"}
        assert work.reasons("r3") == ["TooManyPerHour"]


class TestWishes:
    @pytest.mark.parametrize(
        ("manual", "csr", "what"),
        [
            pytest.param(
                ManualApproval(clusters=frozenset({CLUSTER})),
                renewal(),
                "towline approve request",
                id="renewal-of-manual-cluster",
            ),
            pytest.param(
                ManualApproval(clusters=frozenset({CLUSTER})),
                bootstrap(groups=(bound_group(CLUSTER),)),
                "towline accept c1",
                id="first-of-manual-cluster",
            ),
            pytest.param(
                ManualApproval(requesters=frozenset({"somebody else"})),
                renewal(),
                "towline approve request",
                id="not-on-the-list",
            ),
        ],
    )
    async def test_what_a_person_wants_to_see_waits_and_says_what_to_run(
        self, manual: ManualApproval, csr: KubeObject, what: str
    ) -> None:
        """An operator reads it on the request, and nowhere else."""
        work = ApproverAtWork(rules(manual=manual))
        work.put(work.caches.clusters, joined())
        assert await work.answer(csr) is None
        (event,) = work.server.events
        assert event.reason == "WaitingForOperator"
        assert what in event.note
        work.put(work.caches.clusters, joined("c2"))
        if not manual.requesters:
            assert await work.answer(renewal("c2"), name="c2") == "Approved"


class TestChecks:
    async def test_a_check_sees_what_is_asked_and_can_refuse_it(self) -> None:
        """It is asked once the policy would approve, and its word goes on the request."""
        seen: list[CheckedRequest] = []

        def check(request: CheckedRequest) -> Any:
            seen.append(request)
            return deny("not on\na Monday")

        work = ApproverAtWork(rules(), checks=[check])
        labelled = joined()
        labelled["metadata"]["labels"] = {"env": "prod"}
        work.put(work.caches.clusters, labelled)
        assert await work.answer(renewal()) == "Denied"
        decided = work.server.decided["request"]
        assert decided["reason"] == "DeniedByCheck"
        assert decided["message"] == "check 'check-0': not on a Monday"
        (request,) = seen
        assert request.subject == AGENT.subject
        assert (request.username, request.cluster, request.addon) == (AGENT.user, CLUSTER, None)
        assert request.cluster_labels["env"] == "prod"
        with pytest.raises(TypeError):
            request.cluster_labels["env"] = "test"  # type: ignore[index]

    async def test_a_check_is_not_asked_about_what_is_refused_anyway(self) -> None:
        """It can only restrict."""
        asked: list[CheckedRequest] = []
        work = ApproverAtWork(checks=[asked.append])
        work.put(work.caches.clusters, cluster())
        assert await work.answer(bootstrap()) is None
        assert not asked

    async def test_all_checks_have_to_let_a_request_pass(self) -> None:
        """In order; the first objection counts."""

        async def passes(request: CheckedRequest) -> None:
            await asyncio.sleep(0)

        work = ApproverAtWork(checks=[passes, lambda _: leave_alone("later"), passes])
        work.put(work.caches.clusters, joined())
        assert await work.answer(renewal()) is None
        (event,) = work.server.events
        assert (event.reason, event.note) == ("LeftAloneByCheck", "check 'check-1': later")

    async def test_without_objection_a_request_is_approved(self) -> None:
        """The twin of the tests around it."""
        work = ApproverAtWork(checks=[lambda _: None])
        work.put(work.caches.clusters, joined())
        assert await work.answer(renewal()) == "Approved"

    @pytest.mark.parametrize("way", ["raises", "exits", "answers", "hangs", "cancels", "blocks"])
    async def test_a_check_that_fails_leaves_the_request_alone_for_a_later_try(
        self, way: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Never approved, never denied, and never the end of the hub."""
        release = threading.Event()
        broken = True

        async def check(request: CheckedRequest) -> Any:
            if not broken:
                return None
            match way:
                case "raises":
                    raise ZeroDivisionError("the secret of the check")
                case "exits":
                    raise SystemExit(1)
                case "answers":
                    return True
                case "cancels":
                    raise asyncio.CancelledError
            return await asyncio.Event().wait()

        def blocking(request: CheckedRequest) -> None:
            if broken:
                release.wait(30)

        work = ApproverAtWork(checks=[blocking if way == "blocks" else check])
        work.put(work.caches.clusters, joined())
        name = work.ask(renewal())
        first = await work.look_at(name)
        second = await work.look_at(name)
        release.set()
        assert not work.server.decided
        assert work.reasons() == ["CheckFailed"], "said once"
        assert first.look_again_in is not None
        assert second.look_again_in is not None
        assert timedelta(seconds=1) <= first.look_again_in <= timedelta(seconds=2)
        assert timedelta(seconds=2) <= second.look_again_in <= timedelta(seconds=4)
        assert "secret" not in work.server.events[0].note
        assert caplog.records[0].__dict__["csr_uid"] == "uid-of-request"
        broken = False
        await work.look_at(name)
        assert work.server.decided[name]["type"] == "Approved"

    async def test_the_world_is_looked_at_again_after_a_check(self) -> None:
        """A check may take seconds, in which a cluster can be denied."""

        async def slow(request: CheckedRequest) -> None:
            work.put(work.caches.clusters, cluster(hubAcceptsClient=False))

        work = ApproverAtWork(checks=[slow])
        work.put(work.caches.clusters, joined())
        assert await work.answer(renewal()) is None


class TestTelling:
    async def test_each_outcome_is_told_everywhere(self, caplog: pytest.LogCaptureFixture) -> None:
        """A condition, an Event, a count and one line in the log, found by the request's UID."""
        caplog.set_level(logging.INFO, logger="towline_hub")
        work = ApproverAtWork(rules())
        work.put(work.caches.clusters, joined())
        hostile = csr_object(cluster_request(AGENT), username=OTHER.user, cluster="c2")
        for name, csr in (("good", renewal()), ("bad", hostile), ("waits", bootstrap(OTHER))):
            await work.look_at(work.ask(csr, name=name))
            await work.look_at(name) if name == "waits" else None
        assert {name: each["type"] for name, each in work.server.decided.items()} == {
            "good": "Approved",
            "bad": "Denied",
        }
        assert [event.reason for event in work.server.events] == [
            "ClusterRenewsOwnIdentity",
            "SubjectOfAnother",
            "WaitingForOperator",
        ]
        lines = [record.__dict__ for record in caplog.records]
        assert [line["csr_uid"] for line in lines] == ["uid-of-good", "uid-of-bad", "uid-of-waits"]

        def count(outcome: str, reason: str) -> float | None:
            return work.metrics.registry.get_sample_value(
                "towline_hub_decisions_total",
                {"outcome": outcome, "reason": reason, "kind": "cluster"},
            )

        assert count("approve", "ClusterRenewsOwnIdentity") == 1
        assert count("deny", "SubjectOfAnother") == 1
        assert count("ignore", "WaitingForOperator") == 1

    async def test_an_access_review_is_asked_for_a_renewal_and_nothing_else(self) -> None:
        """Each costs a call to the API server."""
        work = ApproverAtWork(rules())
        work.put(work.caches.clusters, cluster())
        assert await work.answer(bootstrap()) == "Approved"
        assert work.server.reviews == 0
        work.put(work.caches.clusters, joined("c2"))
        work.server.may_renew = False
        result = await work.look_at(work.ask(renewal("c2"), name="renewal"))
        assert work.server.reviews == 1
        assert work.reasons("renewal") == ["RenewalNotAllowed"]
        assert result.look_again_in == timedelta(seconds=30)


def test_the_clock_of_these_tests_is_that_of_their_requests() -> None:
    """The requests were made at the moment at which the clock stands."""
    assert ApproverAtWork().clock.now() == NOW
