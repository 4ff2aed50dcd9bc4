"""The page about approval says what the code does."""

import re
from pathlib import Path
from typing import Any

import pytest

from support.approvers import ApproverAtWork
from support.csrs import cluster_request, csr_object, key_of
from support.mutants.good_requests import AGENT, CLUSTER
from towline_certs import KeyKind, Reason
from towline_hub.approval.denials import Dismissal
from towline_hub.approval.settings import ApprovalSettings
from towline_kube.settings import ProgramSettings

PAGE = (Path(__file__).parents[3] / "docs" / "approval.md").read_text()


@pytest.mark.parametrize("reason", [*Reason, *Dismissal])
def test_every_reason_is_explained(reason: str) -> None:
    """An operator meets it on a request and looks it up."""
    assert f"| `{reason}`" in PAGE or f", `{reason}`" in PAGE


@pytest.mark.parametrize(
    "setting",
    sorted(ApprovalSettings.model_fields.keys() - ProgramSettings.model_fields.keys()),
)
def test_every_setting_is_listed(setting: str) -> None:
    """What cannot be found is not used."""
    assert f"`{setting.replace('_', '-')}`" in PAGE


@pytest.mark.parametrize(
    ("labels", "kind", "decision"),
    [
        ({"env": "prod"}, KeyKind.ED25519, "Denied"),
        ({"env": "prod"}, KeyKind.ECDSA_P256, "Approved"),
        ({}, KeyKind.ED25519, "Approved"),
    ],
)
async def test_the_example_of_a_check_does_what_it_says(
    labels: dict[str, str], kind: KeyKind, decision: str
) -> None:
    """Operators begin with it."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    found: dict[str, Any] = {}
    exec(code, found)
    work = ApproverAtWork(checks=[found["working_hours"]])
    condition = {"type": "ManagedClusterJoined", "status": "True", "reason": "x", "message": ""}
    work.put(
        work.caches.clusters,
        {
            "metadata": {
                "name": CLUSTER,
                "labels": labels,
                "creationTimestamp": "2026-05-01T12:00:00Z",
            },
            "spec": {"hubAcceptsClient": True},
            "status": {"conditions": [condition]},
        },
    )
    request = cluster_request(AGENT, key=key_of(kind))
    assert await work.answer(csr_object(request, username=AGENT.user, cluster=CLUSTER)) == decision
