"""Names that other programs look for are spelled as they spell them."""

import re

from towline_api import condition_types, names


def test_names_made_of_a_cluster_are_those_of_ocm():
    """An OCM hub that takes over from ours finds and updates the same objects."""
    assert names.cluster_role("c1") == "open-cluster-management:managedcluster:c1"
    assert names.registration_role_binding("c1") == (
        "open-cluster-management:managedcluster:c1:registration"
    )
    assert names.work_role_binding("c1") == "open-cluster-management:managedcluster:c1:work"


def test_names_made_of_an_addon_are_those_of_ocm():
    """Add-ons mount these Secrets by name."""
    assert names.addon_hub_kubeconfig_secret("hello") == "hello-hub-kubeconfig"
    assert (
        names.addon_client_certificate_secret("hello", signer="example.com/my.signer")
        == "hello-example.com-my.signer-client-cert"
    )
    assert names.addon_agent_role("hello") == "open-cluster-management:hello:agent"
    assert names.addon_dns_name("hello") == "hello.addon.open-cluster-management.io"


def test_every_reason_is_one_the_api_takes():
    """A reason with a space in it would make every status write fail."""
    reasons = {
        name: value for name, value in vars(condition_types).items() if name.startswith("REASON_")
    }
    assert reasons
    for name, value in reasons.items():
        assert re.fullmatch("[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?", value), name


def test_messages_name_the_addon():
    """People read them in a list of many."""
    assert condition_types.addon_available_message("hello") == "hello add-on is available."
    assert condition_types.addon_unavailable_message("hello") == "hello add-on is not available."
    assert (
        condition_types.addon_unknown_message("hello") == "The status of hello add-on is unknown."
    )
