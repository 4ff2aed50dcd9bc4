"""ClusterRoles that gather the rules of others."""

from support.policies import role, rule
from towline_api.resources import KubeObject
from towline_sandbox.embedded.access import bootstrap_policy
from towline_sandbox.embedded.controllers.role_aggregation import gathered_rules

PODS, SECRETS = rule("get", "pods"), rule("get", "secrets")


def _labelled(name: str, *rules: KubeObject, **labels: str) -> KubeObject:
    made = role(name, *rules)
    return {**made, "metadata": {**made["metadata"], "labels": labels}}


def _gathering(*selectors: KubeObject) -> KubeObject:
    return {
        **_labelled("sum", SECRETS, part="yes"),
        "aggregationRule": {"clusterRoleSelectors": list(selectors)},
    }


def test_rules_of_all_that_are_selected_are_gathered_once() -> None:
    """By name, without those that are there already, and never its own."""
    gathering = _gathering({"matchLabels": {"part": "yes"}}, {"matchLabels": {"more": "yes"}})
    roles = [
        _labelled("a", PODS, part="yes"),
        _labelled("b", PODS, SECRETS, part="yes", more="yes"),
        _labelled("c", rule("list", "nodes"), part="no"),
        gathering,
    ]
    assert gathered_rules(gathering, roles) == [PODS, SECRETS]


def test_a_role_that_gathers_from_nobody_has_no_rules() -> None:
    """What somebody wrote into it goes."""
    gathering = _gathering({"matchLabels": {"part": "unheard"}})
    assert gathered_rules(gathering, [gathering]) == []


def test_a_role_that_does_not_gather_is_left_alone() -> None:
    """Its rules are its own."""
    assert gathered_rules(_labelled("a", PODS), []) is None


def test_the_roles_that_a_cluster_starts_with_are_gathered_already() -> None:
    """A plane that has just started need not write them again."""
    roles = [each for each in bootstrap_policy.objects() if each["kind"] == "ClusterRole"]
    gathering = {"admin", "edit", "view"}
    assert {each["metadata"]["name"] for each in roles if "aggregationRule" in each} == gathering
    for each in roles:
        if each["metadata"]["name"] in gathering:
            assert gathered_rules(each, roles) == each["rules"]
