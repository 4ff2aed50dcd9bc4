"""What a doctor makes of the API server: version, clock, kinds, guard, signer."""

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.csrs import csr_object
from towline_api.resources import KubeObject
from towline_hub.clusters.acceptance_guard import acceptance_guard
from towline_hub.doctor.findings import Verdict
from towline_hub.doctor.server_checks import (
    Guard,
    ServedKind,
    clock_check,
    guard_check,
    kind_check,
    signer_check,
    version_check,
)
from towline_hub.looking import Unseen

NOW = datetime(2026, 6, 1, 14, 0, tzinfo=UTC)
POLICY, BINDING = acceptance_guard()


@pytest.mark.parametrize(
    ("version", "verdict"),
    [
        ("v1.37.2", Verdict.OK),
        ("v1.30.0-eks-1234", Verdict.OK),
        ("v1.29.9", Verdict.WARN),
        ("unknown", Verdict.WARN),
    ],
)
def test_an_api_server_too_old_for_the_guard_is_told(version: str, verdict: Verdict) -> None:
    """On it nothing but the hub's own care keeps agents from accepting themselves."""
    assert version_check(version).verdict is verdict


@pytest.mark.parametrize(
    ("ahead", "verdict"),
    [
        (timedelta(0), Verdict.OK),
        (timedelta(seconds=-1), Verdict.OK),
        (timedelta(seconds=4), Verdict.OK),
        (timedelta(seconds=20), Verdict.WARN),
        (timedelta(seconds=-20), Verdict.WARN),
        (timedelta(minutes=5), Verdict.FAIL),
        (timedelta(minutes=-5), Verdict.FAIL),
    ],
)
def test_clocks_that_differ_are_told_either_way(ahead: timedelta, verdict: Verdict) -> None:
    """A clock that is off makes good certificates invalid."""
    finding = clock_check(server=NOW + ahead, before=NOW, after=NOW + timedelta(milliseconds=100))
    assert finding.verdict is verdict
    if verdict is not Verdict.OK:
        assert ("ahead of" in finding.found) is (ahead > timedelta(0))


def test_a_slow_answer_is_no_clock_that_is_off() -> None:
    """The question may have been on its way for all of that time."""
    finding = clock_check(server=NOW, before=NOW, after=NOW + timedelta(minutes=2))
    assert finding.verdict is Verdict.OK
    assert clock_check(server=None, before=NOW, after=NOW).verdict is Verdict.UNSEEN


def crd(*versions: str, established: bool = True) -> KubeObject:
    return {
        "metadata": {"name": "things.example.com"},
        "spec": {"versions": [{"name": version, "served": True} for version in versions]},
        "status": {"conditions": [{"type": "Established", "status": str(established)}]},
    }


@pytest.mark.parametrize(
    ("found", "problems", "verdict", "words"),
    [
        pytest.param(crd("v1"), {}, Verdict.OK, "served as v1", id="well"),
        pytest.param(crd("v1", "v2"), {}, Verdict.OK, "v1, v2", id="two-versions"),
        pytest.param(None, {}, Verdict.FAIL, "no CRD", id="missing"),
        pytest.param(crd("v2"), {}, Verdict.FAIL, "speaks v1 and v0", id="other-version"),
        pytest.param(crd("v0"), {}, Verdict.OK, "served as v0", id="second-choice"),
        pytest.param(crd("v1", established=False), {}, Verdict.FAIL, "not established", id="new"),
        pytest.param(crd("v1"), {"v2": "refused"}, Verdict.FAIL, "v2: refused", id="unreadable"),
        pytest.param(Unseen("why"), {}, Verdict.UNSEEN, "cannot look: why", id="unseen"),
    ],
)
def test_a_kind_has_to_be_served_in_the_version_the_hub_speaks(
    found: KubeObject | Unseen | None, problems: dict[str, str], verdict: Verdict, words: str
) -> None:
    """Without its kinds a hub waits for ever."""
    finding = kind_check(ServedKind("things.example.com", ("v1", "v0"), found, problems))
    assert (finding.verdict, words in finding.found) == (verdict, True), finding


def warned() -> KubeObject:
    policy = copy.deepcopy(POLICY)
    policy["status"] = {"typeChecking": {"expressionWarnings": [{"warning": "undefined field"}]}}
    return policy


@pytest.mark.parametrize(
    ("policy", "binding", "webhook", "verdict"),
    [
        pytest.param(POLICY, BINDING, None, Verdict.OK, id="in-force"),
        pytest.param(None, BINDING, None, Verdict.FAIL, id="no-policy"),
        pytest.param(POLICY, None, None, Verdict.FAIL, id="no-binding"),
        pytest.param(
            POLICY,
            BINDING | {"spec": BINDING["spec"] | {"validationActions": ["Warn"]}},
            None,
            Verdict.FAIL,
            id="only-warns",
        ),
        pytest.param(
            POLICY | {"spec": POLICY["spec"] | {"failurePolicy": "Ignore"}},
            BINDING,
            None,
            Verdict.FAIL,
            id="may-fail-open",
        ),
        pytest.param(warned(), BINDING, None, Verdict.FAIL, id="type-checking"),
        pytest.param(None, None, {"metadata": {"name": "w"}}, Verdict.OK, id="ocm-webhook"),
        pytest.param(Unseen("why"), BINDING, None, Verdict.UNSEEN, id="policy-unseen"),
        pytest.param(POLICY, Unseen("why"), None, Verdict.UNSEEN, id="binding-unseen"),
    ],
)
def test_a_guard_counts_only_if_it_is_in_force(
    policy: Any, binding: Any, webhook: Any, verdict: Verdict
) -> None:
    """A guard that is switched to warnings guards nothing."""
    guard = Guard(
        "guard", "anybody could", (POLICY, BINDING), policy=policy, binding=binding, webhook=webhook
    )
    finding = guard_check(guard)
    assert finding.verdict is verdict
    if verdict is Verdict.FAIL:
        assert (" is missing: anybody could" in finding.found) is (
            policy is None or binding is None
        )


def approved(name: str, *, ago: timedelta, certificate: bool = False) -> KubeObject:
    when = (NOW - ago).strftime("%Y-%m-%dT%H:%M:%SZ")
    obj = csr_object(
        b"x",
        username="u",
        cluster="c1",
        conditions=[{"type": "Approved", "status": "True", "lastTransitionTime": when}],
    )
    obj["metadata"]["name"] = name
    if certificate:
        obj["status"]["certificate"] = "aGVsbG8="
    return obj


def test_an_approved_request_without_a_certificate_points_at_the_signer() -> None:
    """The hub did its part; that nothing follows is seen nowhere else."""
    long, short = timedelta(minutes=2), timedelta(seconds=5)
    waits = approved("waits", ago=long)
    assert signer_check([waits], now=NOW).verdict is Verdict.FAIL
    assert "kubernetes.io/kube-apiserver-client: waits" in signer_check([waits], now=NOW).found
    fine = [approved("done", ago=long, certificate=True), approved("new", ago=short)]
    assert signer_check(fine, now=NOW).verdict is Verdict.OK
    assert signer_check([], now=NOW).verdict is Verdict.OK
    assert signer_check(Unseen("why"), now=NOW).verdict is Verdict.UNSEEN
