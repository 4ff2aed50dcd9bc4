"""Hosted mode: settings that name both clusters, and rights on each that reach no further."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from towline_agent.permissions import HostedPermissions, hosted_agent_permissions
from towline_agent.settings import AgentSettings
from towline_api.rbac_subjects import service_account_subject, user_subject

MANAGED, HOSTING = Path("managed"), Path("hosting")


@pytest.mark.parametrize(
    ("given", "is_hosted"),
    [
        pytest.param({}, False, id="default"),
        pytest.param({"spoke_kubeconfig": MANAGED}, False, id="outside-of-its-cluster"),
        pytest.param({"spoke_kubeconfig": MANAGED, "hosted": True}, True, id="in-a-pod"),
        pytest.param(
            {"spoke_kubeconfig": MANAGED, "hosting_kubeconfig": HOSTING}, True, id="by-kubeconfigs"
        ),
    ],
)
def test_hosted_mode_is_asked_for(given: dict[str, Any], is_hosted: bool) -> None:
    """A kubeconfig of the managed cluster alone has always meant another thing."""
    assert AgentSettings(**given).is_hosted is is_hosted


@pytest.mark.parametrize("given", [{"hosted": True}, {"hosting_kubeconfig": HOSTING}])
def test_hosted_mode_needs_to_know_the_managed_cluster(given: dict[str, Any]) -> None:
    """Taking the pod's own cluster for it would register the hosting cluster."""
    with pytest.raises(ValidationError, match="hosted mode needs spoke-kubeconfig"):
        AgentSettings(**given)


def permissions(**options: Any) -> HostedPermissions:
    return hosted_agent_permissions(
        hosting_subject=service_account_subject("agent", namespace="c1-agent"),
        managed_subject=user_subject("agent-of-c1"),
        namespace="c1-agent",
        **options,
    )


def kinds(things: list[dict[str, Any]], *, cluster_wide: bool) -> set[str]:
    return {
        resource
        for thing in things
        if (thing["kind"] == "ClusterRole") is cluster_wide
        for rule in thing.get("rules", ())
        for resource in rule.get("resources", ())
    }


def test_the_hosting_cluster_opens_nothing_but_namespaces() -> None:
    """It hosts other clusters' agents as well; none may look at what is not its own."""
    found = permissions(may_make_namespaces=False)
    assert kinds(found.hosting, cluster_wide=True) == set()
    assert {thing["kind"] for thing in found.hosting} == {"Role", "RoleBinding"}
    assert kinds(permissions().hosting, cluster_wide=True) == {"namespaces"}


def test_the_managed_cluster_opens_no_secrets_of_the_agent() -> None:
    """Its own credential rests elsewhere; there are only those of add-ons."""
    found = permissions(addon_namespaces=["addons"])
    assert kinds(found.managed, cluster_wide=True) == {"nodes", "clusterclaims", "namespaces"}
    namespaces = {thing["metadata"].get("namespace") for thing in found.managed}
    assert namespaces == {None, "addons"}


def test_agents_that_share_a_hosting_cluster_do_not_share_objects() -> None:
    """Applying one agent's rights must not take away another's."""
    places = []
    for namespace in ("c1-agent", "c2-agent"):
        found = hosted_agent_permissions(
            hosting_subject=service_account_subject("agent", namespace=namespace),
            managed_subject=user_subject("agent"),
            namespace=namespace,
        )
        places.append(
            {
                (thing["kind"], thing["metadata"]["name"], thing["metadata"].get("namespace"))
                for thing in found.hosting
            }
        )
    assert not places[0] & places[1]


def test_no_rule_has_a_wildcard_or_changes_rights() -> None:
    """Whoever steals one of the two tokens gets this and no more."""
    found = permissions()
    for thing in found.hosting + found.managed:
        for rule in thing.get("rules", ()):
            assert "*" not in str(rule)
            assert not {"bind", "escalate", "impersonate"} & set(rule["verbs"])
