"""What becomes of a certificate request, and what a person may ask about."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from support.csrs import cluster_request, csr_object
from towline_api.addon_codec import V1Alpha1Codec
from towline_api.names import BOOTSTRAP_GROUP
from towline_api.resources import KubeObject
from towline_certs import ClusterIdentity
from towline_hub.approval.rules import ApprovalRules
from towline_hub.explain.links import Explanation, TargetError, broken, explanation_json, holds
from towline_hub.explain.report import print_explanation
from towline_hub.explain.request_chain import RequestFactsSeen, request_chain
from towline_hub.explain.requests import judge
from towline_hub.explain.targets import Target, TargetKind, parse_target

NOW = datetime(2026, 6, 1, 14, 0, tzinfo=UTC)
CLUSTER: KubeObject = {
    "metadata": {"name": "c1", "uid": "u1", "creationTimestamp": "2026-06-01T11:59:00Z"},
    "spec": {},
}


def explained(
    *,
    label: str | None = "c1",
    cluster: KubeObject | None = CLUSTER,
    decided: str | None = None,
    certificate: bool = False,
    gone: bool = False,
) -> Explanation:
    obj = csr_object(
        cluster_request(ClusterIdentity("c1", "a1")),
        username="system:bootstrap:abcdef",
        groups=[BOOTSTRAP_GROUP],
        cluster=label,
        conditions=[{"type": decided, "status": "True"}] if decided else [],
    )
    if certificate:
        obj["status"]["certificate"] = "aGVsbG8="
    facts = judge(
        obj,
        note=None,
        cluster=cluster,
        namespace=None,
        addon=None,
        others=[obj],
        may_renew=None,
        rules=ApprovalRules(),
        declarations={},
        codec=V1Alpha1Codec(),
        now=NOW,
    )
    seen = RequestFactsSeen("request", NOW, None if gone else facts, cluster, None)
    return Explanation.of("request request", request_chain(seen), at=NOW)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        pytest.param({"gone": True}, "request", id="gone"),
        pytest.param({"label": None}, "label", id="not-labelled"),
        pytest.param({"cluster": None}, "cluster", id="no-cluster"),
        pytest.param(
            {
                "cluster": CLUSTER
                | {"metadata": CLUSTER["metadata"] | {"deletionTimestamp": "2026-06-01T13:00:00Z"}}
            },
            "cluster",
            id="cluster-going",
        ),
        pytest.param({}, "decision", id="waiting"),
        pytest.param({"decided": "Denied"}, "decision", id="denied"),
        pytest.param({"decided": "Failed"}, "decision", id="failed"),
        pytest.param({"decided": "Approved"}, "signature", id="not-signed"),
        pytest.param({"decided": "Approved", "certificate": True}, None, id="issued"),
    ],
)
def test_a_request_is_followed_to_its_certificate(
    changes: dict[str, Any], name: str | None
) -> None:
    """Whoever holds a request's name in hand wants to know where it got stuck."""
    first = explained(**changes).broken
    assert (first.name if first else None) == name


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("c1", Target(None, "c1")),
        ("cluster/c1", Target(TargetKind.CLUSTER, "c1")),
        ("csr/c1-abc", Target(TargetKind.REQUEST, "c1-abc")),
        ("c1/hello", Target(TargetKind.ADDON, "hello", "c1")),
        ("addon/c1/hello", Target(TargetKind.ADDON, "hello", "c1")),
        ("addon/csr/hello", Target(TargetKind.ADDON, "hello", "csr")),
    ],
)
def test_a_target_is_named_shortly_or_with_its_kind(text: str, target: Target) -> None:
    """The short form is for people, the long one for when a name has several meanings."""
    assert parse_target(text) == target


@pytest.mark.parametrize("text", ["", "/", "c1/", "/hello", "a/b/c", "addon/c1", "csr/"])
def test_what_names_nothing_is_refused_with_the_forms_there_are(text: str) -> None:
    """A typing mistake must not be answered with `there is no such cluster`."""
    with pytest.raises(TargetError, match="addon/CLUSTER/NAME"):
        parse_target(text)


def test_the_report_ends_with_what_to_do_and_a_command_of_one_line() -> None:
    """Read from the bottom of a terminal, copied from there."""
    command = "towline accept " + "c" * 200
    found = Explanation.of(
        "cluster c1",
        [
            holds("one", "fine"),
            broken("two", "bad", fix="do this", command=command),
            broken("three", "also bad", fix="not this"),
        ],
        at=NOW,
    )
    console = Console(width=80, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as captured:
        print_explanation(found, console=console)
    text = captured.get()
    assert f"$ {command}" in text
    assert "broken: two. do this" in text
    assert "not this" not in text
    for mark in "✓✗·":
        assert mark in text


def test_the_json_says_the_same_for_programs() -> None:
    """A script branches on one word."""
    links = [holds("one", "fine"), broken("two", "bad", fix="do", command="cmd")]
    printed = json.loads(json.dumps(explanation_json(Explanation.of("t", links, at=NOW))))
    assert (printed["well"], printed["broken"]) == (False, "two")
    assert [link["state"] for link in printed["links"]] == ["holds", "broken"]
    assert printed["links"][1]["command"] == "cmd"
