"""The hub's settings, and its commands where no hub is needed."""

from datetime import timedelta

import pytest
import yaml

from towline_api.errors import ConfigError, TowlineError, TransientError
from towline_certs.approval import BootstrapPolicy
from towline_certs.keys import KeyKind
from towline_hub import commands
from towline_hub.decisions import cluster_commands
from towline_hub.decisions.accept import AcceptReport, ConsideredRequest
from towline_hub.decisions.cluster_settings import AcceptSettings
from towline_hub.settings import HubSettings, StatusSettings
from towline_kube.failures import one_failure
from towline_kube.output_kind import OutputKind
from towline_kube.settings import load


def _hub(*arguments: str) -> HubSettings:
    return load(HubSettings, arguments, environment={})


def test_by_default_nobody_comes_in_without_a_person() -> None:
    """An operator has to name whom they trust."""
    assert _hub().approval_rules.bootstrap == BootstrapPolicy()


def test_what_the_operator_allows_reaches_the_policy() -> None:
    """A setting that is read and not used is worse than none."""
    rules = _hub(
        *("--auto-approve-users", "system:bootstrap:abc"),
        *("--auto-approve-groups", '["one", "two"]'),
        *("--key-kinds", "ecdsa-p256"),
        *("--min-certificate-lifetime", "1h"),
        *("--max-certificate-lifetime", "24h"),
    ).approval_rules
    assert rules.bootstrap.users == {"system:bootstrap:abc"}
    assert rules.bootstrap.groups == {"one", "two"}
    assert rules.key_kinds == {KeyKind.ECDSA_P256}
    assert (rules.min_lifetime, rules.max_lifetime) == (timedelta(hours=1), timedelta(hours=24))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(
            ["--auto-approve-groups", "system:authenticated"], "everybody", id="everybody"
        ),
        pytest.param(["--addons", "Not_A_Name"], "Not_A_Name", id="addon"),
        pytest.param(["--cleanup-limit", "30"], "unit", id="bare-number"),
        pytest.param(["--cleanup-limit", "0s"], "cleanup", id="no-time"),
        pytest.param(
            ["--min-certificate-lifetime", "2h", "--max-certificate-lifetime", "1h"],
            "longer than",
            id="bounds",
        ),
    ],
)
def test_a_setting_that_cannot_be_is_one_clear_line(arguments: list[str], words: str) -> None:
    """What a person typed wrong, and what would be right."""
    with pytest.raises(ConfigError, match=words) as error:
        _hub(*arguments)
    assert "\n" not in str(error.value)


def test_status_takes_the_short_form_of_output() -> None:
    """As kubectl does."""
    assert load(StatusSettings, ["-o", "json"], environment={}).output is OutputKind.JSON
    assert load(StatusSettings, [], environment={}).output is OutputKind.TABLE


def test_accept_takes_the_cluster_by_position() -> None:
    """`towline accept c1`, as one would say it."""
    settings = load(AcceptSettings, ["c1", "--request", "r1"], environment={})
    assert (settings.cluster, settings.request) == ("c1", "r1")


def test_accept_tells_what_it_did_and_what_it_did_not() -> None:
    """The operator must see which request was approved, and why another was not."""
    report = AcceptReport(
        "c1",
        newly_accepted=True,
        requests=(
            ConsideredRequest("r1", "u1", approved=True, message="good"),
            ConsideredRequest("r2", "u2", approved=False, message="bad usages"),
        ),
    )
    assert cluster_commands.accept_lines(report) == [
        "cluster c1: accepted",
        "request r1 by u1: approved: good",
        "request r2 by u2: not approved: bad usages",
    ]
    nothing = cluster_commands.accept_lines(AcceptReport("c1", newly_accepted=False, requests=()))
    assert nothing[0] == "cluster c1: accepted already"
    assert "no certificate request is pending" in nothing[1]


def test_crds_are_printed_for_kubectl(capsys: pytest.CaptureFixture[str]) -> None:
    """`towline crds | kubectl apply -f -`."""
    assert commands.crds([]) == 0
    printed = list(yaml.safe_load_all(capsys.readouterr().out))
    assert {item["kind"] for item in printed} == {"CustomResourceDefinition"}
    assert "managedclusters.cluster.open-cluster-management.io" in {
        item["metadata"]["name"] for item in printed
    }
    assert commands.crds(["x"]) == 2


def test_expected_errors_come_out_of_task_groups_alone() -> None:
    """A person gets the sentence, not the tree."""
    expected = TransientError("the hub is away")
    with pytest.raises(TransientError, match="the hub is away"), one_failure():
        raise ExceptionGroup("g", [ExceptionGroup("h", [expected]), TowlineError("later")])


def test_mistakes_keep_their_tree() -> None:
    """A programmer needs all of it."""
    with pytest.raises(ExceptionGroup), one_failure():
        raise ExceptionGroup("g", [TowlineError("expected"), ValueError("a mistake")])
