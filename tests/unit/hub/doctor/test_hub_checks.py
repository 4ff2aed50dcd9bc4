"""What a doctor makes of the hub that runs: leader, replicas, rights, settings, rivals."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from towline_api.rbac_subjects import service_account_subject, user_subject
from towline_api.resources import KubeObject
from towline_hub.deploying.installed_settings import read_settings
from towline_hub.doctor.findings import Diagnosis, Verdict, diagnosis_json, fail, ok, warn
from towline_hub.doctor.hub_checks import (
    DANGEROUS_RIGHTS,
    Rights,
    deployment_check,
    describe_right,
    leader_check,
    rights_checks,
    rivals_check,
    settings_check,
)
from towline_hub.doctor.report import print_diagnosis
from towline_hub.doctor.rights import groups_of, subject_of
from towline_hub.looking import Unseen
from towline_hub.permissions import hub_permissions
from towline_hub.role_rights import rights_of
from towline_kube.access import ResourceAttributes

NOW = datetime(2026, 6, 1, 14, 0, tzinfo=UTC)
ACCOUNT = "system:serviceaccount:hub:towline-hub"


def deployment(replicas: int, *, available: int) -> KubeObject:
    return {"spec": {"replicas": replicas}, "status": {"availableReplicas": available}}


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        pytest.param(deployment(2, available=2), Verdict.OK, id="all"),
        pytest.param(deployment(2, available=1), Verdict.WARN, id="one-of-two"),
        pytest.param(deployment(1, available=1), Verdict.WARN, id="nobody-stands-by"),
        pytest.param(deployment(2, available=0), Verdict.FAIL, id="none"),
        pytest.param(deployment(0, available=0), Verdict.FAIL, id="switched-off"),
        pytest.param(None, Verdict.WARN, id="no-deployment"),
        pytest.param(Unseen("why"), Verdict.UNSEEN, id="unseen"),
    ],
)
def test_replicas_are_counted(found: KubeObject | Unseen | None, verdict: Verdict) -> None:
    """One hub too few is told before it is missed."""
    assert deployment_check(found, namespace="hub").verdict is verdict


def lease(renewed: str | None, *, holder: str | None = "pod-1", seconds: int = 10) -> KubeObject:
    spec = {"holderIdentity": holder, "renewTime": renewed, "leaseDurationSeconds": seconds}
    return {"spec": {key: value for key, value in spec.items() if value is not None}}


@pytest.mark.parametrize(
    ("found", "verdict", "words"),
    [
        pytest.param(lease("2026-06-01T13:59:58.5Z"), Verdict.OK, "pod-1 leads", id="fresh"),
        pytest.param(lease("2026-06-01T13:50:00Z"), Verdict.FAIL, "10m ago, for 10s", id="stale"),
        pytest.param(lease("2026-06-01T14:00:00Z", holder=""), Verdict.FAIL, "nobody", id="free"),
        pytest.param(lease(None), Verdict.FAIL, "never renewed", id="never"),
        pytest.param(None, Verdict.WARN, "no lease", id="none"),
        pytest.param(Unseen("why"), Verdict.UNSEEN, "why", id="unseen"),
    ],
)
def test_a_leader_has_to_be_at_work_now(
    found: KubeObject | Unseen | None, verdict: Verdict, words: str
) -> None:
    """A lease that nobody renews is a hub that stands still."""
    finding = leader_check(found, where="hub/towline-hub", now=NOW)
    assert (finding.verdict, words in finding.found) == (verdict, True), finding


RIGHT = ResourceAttributes(
    "update", "certificates.k8s.io", "certificatesigningrequests", "approval"
)
ALL = Rights(ACCOUNT, missing=[], asked=50, dangerous=[], bindings=[])


@pytest.mark.parametrize(
    ("changes", "verdicts"),
    [
        pytest.param({}, [Verdict.OK, Verdict.OK], id="exactly"),
        pytest.param({"missing": [RIGHT]}, [Verdict.FAIL, Verdict.OK], id="too-few"),
        pytest.param(
            {"dangerous": [DANGEROUS_RIGHTS[0]]}, [Verdict.OK, Verdict.FAIL], id="too-many"
        ),
        pytest.param({"bindings": ["RoleBinding x/y"]}, [Verdict.OK, Verdict.WARN], id="others"),
        pytest.param({"bindings": Unseen("why")}, [Verdict.OK, Verdict.UNSEEN], id="bindings"),
    ],
)
def test_the_hub_is_to_hold_its_rights_and_no_others(
    changes: dict[str, Any], verdicts: list[Verdict]
) -> None:
    """Too few stop it, too many make it worth breaking into."""
    assert [finding.verdict for finding in rights_checks(replace(ALL, **changes))] == verdicts


def test_a_missing_right_is_told_as_kubectl_would() -> None:
    """So that it can be asked for."""
    (first, _) = rights_checks(replace(ALL, missing=[RIGHT]))
    assert "update certificatesigningrequests/approval.certificates.k8s.io" in first.found
    named = ResourceAttributes("get", "", "secrets", name="ca", namespace="hub")
    assert describe_right(named) == "get secrets ca in hub"
    assert [item.verdict for item in rights_checks(Unseen("why"))] == [Verdict.UNSEEN]


def test_every_single_right_of_the_shipped_roles_is_asked_about() -> None:
    """A role that somebody trimmed by one verb is found."""
    shipped = hub_permissions(service_account_subject("towline-hub", namespace="hub"))
    rights = rights_of(shipped)
    assert RIGHT in rights
    assert len(rights) == len(set(rights))
    counted = sum(
        len(rule["apiGroups"])
        * len(rule["resources"])
        * len(rule["verbs"])
        * len(rule.get("resourceNames", [""]))
        for role in shipped
        for rule in role.get("rules", ())
    )
    assert 50 < len(rights) <= counted
    signer = ResourceAttributes(
        "approve", "certificates.k8s.io", "signers", name="kubernetes.io/kube-apiserver-client"
    )
    assert signer in rights


def test_rules_about_urls_are_no_rights_to_objects() -> None:
    """People put them into roles, and nothing here may stumble over that."""
    urls = {"nonResourceURLs": ["/healthz"], "verbs": ["get"]}
    assert rights_of([{"metadata": {"name": "r"}, "rules": [urls]}]) == []


def test_no_shipped_right_counts_as_dangerous() -> None:
    """Otherwise every hub would be told to have too much."""
    shipped = hub_permissions(user_subject("u"), installs_crds=True)
    for right in rights_of(shipped):
        assert right not in DANGEROUS_RIGHTS


def test_a_service_account_is_known_by_its_user_name() -> None:
    """A binding names it otherwise than an access review does."""
    assert subject_of(ACCOUNT) == service_account_subject("towline-hub", namespace="hub")
    assert "system:serviceaccounts:hub" in groups_of(ACCOUNT)
    assert subject_of("alice") == user_subject("alice")
    assert groups_of("alice") == ("system:authenticated",)


def controller(name: str, account: str, *, replicas: int = 1) -> KubeObject:
    return {
        "metadata": {"name": name, "namespace": "open-cluster-management-hub"},
        "spec": {
            "replicas": replicas,
            "template": {"spec": {"serviceAccountName": account}},
        },
    }


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        pytest.param([], Verdict.OK, id="alone"),
        pytest.param([controller("towline-hub", "towline-hub")], Verdict.OK, id="ourselves"),
        pytest.param([controller("r", "registration-controller-sa")], Verdict.FAIL, id="approver"),
        pytest.param(
            [controller("r", "registration-controller-sa", replicas=0)], Verdict.OK, id="stopped"
        ),
        pytest.param(
            [controller("a", "addon-manager-controller-sa")], Verdict.WARN, id="addon-manager"
        ),
        pytest.param(Unseen("why"), Verdict.UNSEEN, id="unseen"),
    ],
)
def test_a_second_approver_is_a_fault(found: Any, verdict: Verdict) -> None:
    """The more generous of two approvers decides."""
    assert rivals_check(found, namespace="open-cluster-management-hub").verdict is verdict


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", None),
        ("log-format: json\nauto-approve-groups: [system:bootstrappers:managedcluster]\n", None),
        ("auto-aprove-groups: [x]\n", "auto-aprove-groups"),
        ("auto-approve-groups: [system:authenticated]\n", "is everybody"),
        ("a: [", "not valid YAML"),
        ("- a list\n", "no mapping"),
    ],
)
def test_settings_no_hub_can_start_with_are_found_before_it_starts(
    text: str, words: str | None
) -> None:
    """A rollout that hangs on a typing mistake says so only in a log."""
    installed = read_settings(text, where="hub.yaml", namespace="hub")
    finding = settings_check(installed)
    assert finding.verdict is (Verdict.OK if words is None else Verdict.FAIL)
    assert (words or "") in finding.found
    assert installed.settings.namespace == "hub"


def test_the_report_counts_and_the_json_says_the_same() -> None:
    """One line at the end tells whether to read on."""
    findings = [ok("a", "fine"), warn("b", "hm", fix="look"), fail("c", "bad", fix="repair")]
    diagnosis = Diagnosis("https://hub", NOW, findings)
    console = Console(width=80)
    with console.capture() as captured:
        print_diagnosis(diagnosis, console=console)
    assert "1 wrong, 1 to know, 0 not seen, 1 well" in captured.get()
    assert "→ repair" in captured.get()
    printed = diagnosis_json(diagnosis)
    assert printed["well"] is False
    assert [item["verdict"] for item in printed["findings"]] == ["ok", "warn", "fail"]
