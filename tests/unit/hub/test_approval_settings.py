"""What an operator can say about approval, and how it reaches the policy."""

from pathlib import Path

import pytest

from towline_api.errors import ConfigError
from towline_certs import FloodLimits, KeyKind, ManualApproval
from towline_hub.approval.check_runner import CHECK_LIMIT
from towline_hub.approval.settings import ApprovalSettings
from towline_kube.settings import load


def _settings(*arguments: str) -> ApprovalSettings:
    return load(ApprovalSettings, arguments, environment={})


def test_the_defaults_are_the_policy_alone() -> None:
    """No list, nothing by hand, no check, no custom signer; quotas as documented."""
    settings = _settings()
    rules = settings.approval_rules
    assert rules.manual == ManualApproval()
    assert rules.signers == frozenset()
    assert rules.limits == FloodLimits(10, 30)
    assert rules.key_kinds == frozenset(KeyKind)
    assert (settings.approval_checks, settings.approval_check_limit) == ((), CHECK_LIMIT)


def test_every_wish_reaches_the_policy(tmp_path: Path) -> None:
    """A setting that is read and not used is worse than none."""
    file = tmp_path / "hub.yaml"
    file.write_text(
        """
        allowed-requesters: [alice]
        manual-clusters: [c1]
        manual-addons: [hello, c2/other]
        approve-signers: [example.com/theirs]
        max-pending-requests: 3
        max-requests-per-hour: 0
        approval-checks: [mine]
        approval-check-limit: 2s
        signers: [{signer-name: example.com/ours, secret: ours}]
        """
    )
    settings = _settings("--config", str(file))
    rules = settings.approval_rules
    assert rules.manual == ManualApproval(
        clusters=frozenset({"c1"}),
        addons=frozenset({"hello", "c2/other"}),
        requesters=frozenset({"alice"}),
    )
    assert rules.signers == {"example.com/ours", "example.com/theirs"}
    assert rules.limits == FloodLimits(3, 0)
    assert settings.approval_checks == ("mine",)
    assert settings.approval_check_limit.total_seconds() == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(
            ["--auto-approve-groups", "system:bootstrappers:managedcluster:c1"],
            "needs no setting",
            id="bound-group",
        ),
        pytest.param(["--manual-clusters", "C1"], "'C1'", id="cluster"),
        pytest.param(["--manual-addons", "c1/Hello"], "'Hello'", id="addon"),
        pytest.param(["--manual-addons", "C1/hello"], "'C1'", id="cluster-of-addon"),
        pytest.param(
            ["--approve-signers", "kubernetes.io/kubelet-serving"], "Kubernetes' own", id="signer"
        ),
        pytest.param(["--approve-signers", "hello"], "no signer's name", id="no-signer"),
        pytest.param(["--max-pending-requests", "0"], "greater than", id="none-pending"),
        pytest.param(["--max-requests-per-hour", "-1"], "greater than", id="negative"),
        pytest.param(["--approval-check-limit", "0s"], "greater than", id="no-time"),
    ],
)
def test_a_wish_that_cannot_be_is_one_clear_line(arguments: list[str], words: str) -> None:
    """What a person typed wrong, and what would be right."""
    with pytest.raises(ConfigError, match=words) as error:
        _settings(*arguments)
    assert "\n" not in str(error.value)
